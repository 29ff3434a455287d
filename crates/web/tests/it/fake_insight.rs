//! A diagnosis with made-up incidents around the fake archive's "error 75": a keypad fault at the hero's terminal, somebody
//! who sprays PINs, and a key that was mended. What people do changes it, as the real one would be.

use std::sync::Mutex;

use async_trait::async_trait;
use diagnosis::{Cause, Status};
use model::{Amount, CardId, Pan, Timestamp};
use store::StoreError;
use tokio::sync::broadcast;
use web::insight::{
    Answer, AnswerKind, Belongs, Deed, Done, Fate, GapView, Handling, HarmedCard, IncidentDetail,
    IncidentView, Insight, Judged, News, Piece, Refused, ScopeView, Step, SuspicionView, VerdictView,
};

use crate::fake::HERO_RRN;

/// The terminal of the keypad fault.
pub(crate) const TERMINAL: &str = "T0001234";

pub(crate) struct FakeInsight {
    incidents: Mutex<Vec<IncidentDetail>>,
    contradicted: Mutex<Vec<(Timestamp, String, Option<Cause>)>>,
    pub(crate) deeds: Mutex<Vec<(Deed, String)>>,
    news: broadcast::Sender<News>,
    now: Timestamp,
}

fn piece(name: &str, weight: f32, values: &[(&str, f64)]) -> Piece {
    let values = values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    Piece { name: name.to_owned(), weight, values }
}

fn keypad_evidence() -> Vec<Piece> {
    vec![
        piece("first-entry-mismatches", 4.1, &[("mismatches", 9.0), ("sessions", 14.0), ("usual", 0.031)]),
        piece("crossover-succeeds", 2.6, &[("succeeded", 6.0), ("tried", 7.0)]),
        piece("slow-pin-entry", 1.2, &[("slow", 8.0), ("of", 14.0), ("milliseconds", 9_400.0)]),
        piece("retry-succeeds", -0.9, &[("succeeded", 2.0), ("cards", 9.0)]),
        piece("cards-without-history", -0.4, &[("without", 1.0), ("cards", 9.0)]),
    ]
}

fn view(id: u64, cause: Cause, terminal: &str, now: Timestamp, ago_s: i64) -> IncidentView {
    IncidentView {
        id,
        cause,
        second: Some(Cause::PinSpray).filter(|c| *c != cause),
        scope: ScopeView { kind: "terminal", id: terminal.to_owned(), name: terminal.to_owned() },
        onset: now.plus_s(-ago_s),
        detected: now.plus_s(-ago_s + 240),
        last_seen: now.plus_s(-60),
        ended: None,
        confidence: 0.91,
        status: Status::Open,
        handling: Handling::New,
        assignee: None,
        cards: 9,
        refused: (14, Amount(1_792_000)),
        to_restore: 0,
        belongs: Belongs {
            merchant: "Noodles".into(),
            model: "A930".into(),
            firmware: "3.2.1".into(),
            region: "Shanghai".into(),
        },
    }
}

fn step(at: Timestamp, what: &str, cause: Option<(Cause, f32)>) -> Step {
    Step { at, what: what.to_owned(), by: None, cause, note: String::new() }
}

fn detail(view: IncidentView) -> IncidentDetail {
    IncidentDetail {
        evidence: keypad_evidence(),
        parent: None,
        children: Vec::new(),
        sessions_to_detection: 6,
        history: vec![
            step(view.detected, "opened", Some((Cause::PinSpray, 0.55))),
            step(view.detected.plus_s(120), "revised", Some((view.cause, view.confidence))),
        ],
        harmed: Vec::new(),
        refusals: vec![HERO_RRN.to_owned()],
        answers: Vec::new(),
        view,
    }
}

impl FakeInsight {
    /// Says that something happened to an incident.
    pub(crate) fn tell(&self, id: u64, what: &'static str) {
        let _ = self.news.send(News { id, what });
    }

    pub(crate) fn new(now: Timestamp) -> Self {
        if now.0 == 0 {
            return Self::empty();
        }
        let mut keypad = detail(view(17, Cause::KeypadFault, TERMINAL, now, 1_500));
        let pan: Pan = "9000001234567891".parse().expect("16 digits");
        keypad.harmed = (0..9)
            .map(|n| HarmedCard {
                card: CardId([n; 16]),
                pan: pan.masked(),
                locked: n < 2,
                fate: Fate::Waits,
            })
            .collect();
        keypad.view.to_restore = 9;
        let mut spray = detail(view(18, Cause::PinSpray, "T0001236", now, 700));
        spray.view.status = Status::Provisional;
        spray.view.confidence = 0.62;
        let mut key = detail(view(12, Cause::WrongTerminalKey, "T0001238", now, 90_000));
        key.view.status = Status::Over;
        key.view.ended = Some(now.plus_s(-86_000));
        key.answers = vec![Answer {
            kind: AnswerKind::Training,
            name: "key-swap-checklist".into(),
            at: now.plus_s(-80_000),
            by: "console".into(),
            before: 2.1,
            after: 0.0,
            days: 0.9,
        }];
        Self {
            incidents: Mutex::new(vec![spray, keypad, key]),
            contradicted: Mutex::default(),
            deeds: Mutex::default(),
            news: broadcast::Sender::new(16),
            now,
        }
    }

    fn empty() -> Self {
        Self {
            incidents: Mutex::default(),
            contradicted: Mutex::default(),
            deeds: Mutex::default(),
            news: broadcast::Sender::new(16),
            now: Timestamp(0),
        }
    }
}

fn of(incidents: &mut [IncidentDetail], id: u64) -> Result<&mut IncidentDetail, Refused> {
    incidents.iter_mut().find(|i| i.view.id == id).ok_or(Refused::NotFound)
}

#[async_trait]
impl Insight for FakeInsight {
    async fn verdict(&self, rrn: &str) -> Result<Option<VerdictView>, StoreError> {
        Ok((rrn == HERO_RRN && self.now.0 > 0).then(|| VerdictView {
            cause: Cause::KeypadFault,
            confidence: 0.91,
            others: vec![(Cause::Forgotten, 0.06), (Cause::PinSpray, 0.02)],
            evidence: keypad_evidence(),
            incident: Some(17),
            revised: (1, self.now.plus_s(-300)),
            contradicted: self.contradicted.lock().expect("a test").clone(),
        }))
    }

    async fn incidents(&self) -> Result<Vec<IncidentView>, StoreError> {
        Ok(self.incidents.lock().expect("a test").iter().map(|i| i.view.clone()).collect())
    }

    async fn incident(&self, id: u64) -> Result<Option<IncidentDetail>, StoreError> {
        Ok(self.incidents.lock().expect("a test").iter().find(|i| i.view.id == id).cloned())
    }

    async fn suspicions(&self) -> Result<Vec<SuspicionView>, StoreError> {
        let of = view(0, Cause::KeypadFault, "T0001237", self.now, 9_000);
        let suspicion = SuspicionView {
            scope: of.scope,
            cause: of.cause,
            since: of.onset,
            sessions: 40,
            log_odds: 1.2,
            evidence: keypad_evidence(),
            incident: None,
            belongs: of.belongs,
        };
        Ok(if self.now.0 > 0 { vec![suspicion] } else { Vec::new() })
    }

    async fn gaps(&self) -> Result<Vec<GapView>, StoreError> {
        let gap = |ago_s: i64, clock| GapView {
            since: self.now.plus_s(-ago_s - if clock { 0 } else { 5_400 }),
            until: self.now.plus_s(-ago_s),
            clock,
        };
        Ok(if self.now.0 > 0 { vec![gap(3_000, true), gap(20_000, false)] } else { Vec::new() })
    }

    async fn behind_ms(&self) -> Result<i64, StoreError> {
        Ok(if self.now.0 > 0 { 7_200 } else { 0 })
    }

    async fn answers(&self) -> Result<Vec<(u64, Cause, Answer)>, StoreError> {
        let incidents = self.incidents.lock().expect("a test");
        let of =
            |i: &IncidentDetail| i.answers.iter().map(|a| (i.view.id, i.view.cause, a.clone())).collect();
        Ok(incidents.iter().flat_map(|i| -> Vec<_> { of(i) }).collect())
    }

    async fn judged(&self) -> Result<Vec<Judged>, StoreError> {
        let wrong = self.contradicted.lock().expect("a test").len() as u32;
        Ok(if wrong > 0 { vec![Judged { cause: Cause::KeypadFault, right: 3, wrong }] } else { Vec::new() })
    }

    fn subscribe(&self) -> Option<broadcast::Receiver<News>> {
        Some(self.news.subscribe())
    }

    async fn act(&self, deed: Deed, by: &str, at: Timestamp) -> Result<Done, Refused> {
        self.deeds.lock().expect("a test").push((deed.clone(), by.to_owned()));
        let mut incidents = self.incidents.lock().expect("a test");
        let mut changed = 1;
        match deed {
            Deed::RestoreTries { incident, .. } => {
                let incident = of(&mut incidents, incident)?;
                changed = std::mem::take(&mut incident.view.to_restore);
                for card in &mut incident.harmed {
                    (card.fate, card.locked) = (Fate::Restored, false);
                }
            }
            Deed::Confirm { .. } => {}
            Deed::Contradict { cause, .. } => {
                self.contradicted.lock().expect("a test").push((at, by.to_owned(), cause));
            }
            Deed::Handle { incident, handling, .. } => of(&mut incidents, incident)?.view.handling = handling,
            Deed::Assign { incident, to } => of(&mut incidents, incident)?.view.assignee = to,
            Deed::Note { incident, text } => {
                let note = Step { what: "note".into(), by: Some(by.into()), at, cause: None, note: text };
                of(&mut incidents, incident)?.history.push(note);
            }
            Deed::Answer { incident, kind, name } => of(&mut incidents, incident)?.answers.push(Answer {
                kind,
                name,
                at,
                by: by.to_owned(),
                before: 1.0,
                after: 0.0,
                days: 0.0,
            }),
            Deed::SuspendTerminal { terminal, .. } | Deed::ForceSignIn { terminal, .. } => {
                if terminal != TERMINAL {
                    return Err(Refused::NotFound);
                }
            }
        }
        Ok(Done { changed })
    }
}
