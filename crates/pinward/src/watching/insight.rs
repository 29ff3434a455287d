//! The console's door to the diagnosis: what it knows, in the console's words, and what people do through it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use diagnosis::cause::Origin;
use host::{
    Clock, SystemClock,
    staff::{NotDone, TerminalAction},
};
use model::{CardId, Rrn, TerminalId, Timestamp};
use store::{
    Archive, Store, StoreError, WorkError,
    archive::{TransactionQuery, TransactionRow},
};
use tokio::sync::broadcast;
use watch::{ActError, Fate, NewsKind, Record, Standing, Told, Watch};
use web::insight::{
    Answer, AnswerKind, Deed, Done, GapView, HarmedCard, IncidentDetail, IncidentView, Insight, Judged, News,
    Piece, Refused, SuspicionView, VerdictView,
};

use super::{Known, views};

/// Refusals that are looked through for those of an incident.
const LOOKED_AT: usize = 2000;
/// Lines of one reading.
const PART: u32 = 500;
/// References that an incident is shown with.
const REFUSALS_SHOWN: usize = 200;
/// Cards of an incident at which a list looks whether they still wait; the others count as if they did.
const WAITING_LOOKED_AT: usize = 200;
/// So long a list believes how many cards wait.
const WAITING_BELIEVED: Duration = Duration::from_secs(3);
/// News that a slow page may be behind.
const NEWS: usize = 256;

/// The door.
pub(crate) struct Door {
    watch: Arc<Watch>,
    known: Arc<Known>,
    archive: Arc<dyn Archive>,
    store: Store,
    news: broadcast::Sender<News>,
    /// Cards that wait for their tries, by incident, as they were lately.
    waiting: Mutex<HashMap<u64, Waiting>>,
}

/// So many cards waited when it was looked; with what was known of the incident then.
struct Waiting {
    cards: u32,
    harmed: usize,
    answered: usize,
    at: Instant,
}

impl Door {
    pub(crate) fn new(watch: Arc<Watch>, known: Arc<Known>, archive: Arc<dyn Archive>, store: Store) -> Self {
        let news = broadcast::Sender::new(NEWS);
        tokio::spawn(pass_on(watch.subscribe(), news.clone()));
        Self { watch, known, archive, store, news, waiting: Mutex::default() }
    }

    fn number_of(&self, rrn: &str) -> Option<Rrn> {
        rrn.parse().ok()
    }

    async fn harmed(&self, record: &Record) -> Result<Vec<HarmedCard>, StoreError> {
        let fates = self.watch.fates(record, record.found.harmed.len()).await?;
        let mut cards = Vec::with_capacity(fates.len());
        for (id, fate) in fates {
            let fate = match fate {
                Fate::Waits => web::insight::Fate::Waits,
                Fate::GivenBack => web::insight::Fate::Restored,
                Fate::Reset => web::insight::Fate::AlreadyReset,
                Fate::UnknownCard => continue,
            };
            if let Some(card) = self.store.engine().card(&id).await? {
                let locked = card.state.lock.is_some_and(|lock| !lock.has_expired(SystemClock.now()));
                cards.push(HarmedCard { card: id, pan: card.record.pan.clone(), locked, fate });
            }
        }
        Ok(cards)
    }

    /// How many cards wait for tries that the incident cost them: a fault's, nobody else's are given back.
    async fn to_restore(&self, record: &Record) -> Result<u32, StoreError> {
        let harmed = record.found.harmed.len();
        if harmed == 0 || record.found.cause.origin() != Origin::Fault {
            return Ok(0);
        }
        let answered = views::answered(record);
        let lately = |waiting: &&Waiting| {
            (waiting.harmed, waiting.answered) == (harmed, answered)
                && waiting.at.elapsed() < WAITING_BELIEVED
        };
        if let Some(waiting) = self.waiting().get(&record.number).filter(lately) {
            return Ok(waiting.cards);
        }
        let fates = self.watch.fates(record, WAITING_LOOKED_AT).await?;
        let waits = fates.iter().filter(|(_, fate)| *fate == Fate::Waits).count();
        let cards = u32::try_from(waits).unwrap_or(u32::MAX);
        self.waiting().insert(record.number, Waiting { cards, harmed, answered, at: Instant::now() });
        Ok(cards)
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn detail(&self, record: &Record, refusals: Vec<String>) -> Result<IncidentDetail, StoreError> {
        let picture = self.watch.picture();
        let explained = |other: &&Arc<Record>| other.found.parent == Some(record.number);
        Ok(IncidentDetail {
            view: self.view(record).await?,
            evidence: views::pieces(&record.found.evidence),
            parent: record.found.parent,
            children: picture.records.values().filter(explained).map(|other| other.number).collect(),
            sessions_to_detection: record.found.sessions_to_detection,
            history: views::history(record),
            harmed: self.harmed(record).await?,
            refusals,
            answers: views::answers(record, &self.watch.rates(record.number).await?),
        })
    }

    async fn view(&self, record: &Record) -> Result<IncidentView, StoreError> {
        let mut view = views::view(record, &self.known);
        view.to_restore = self.to_restore(record).await?;
        // A card is known by its masked number.
        if let ("card", Ok(id)) = (view.scope.kind, view.scope.id.parse::<CardId>())
            && let Some(card) = self.store.engine().card(&id).await?
        {
            view.scope.name = card.record.pan.to_string();
        }
        Ok(view)
    }

    /// The newest refusals whose verdict leads to the incident.
    async fn refusals(&self, record: &Record) -> Result<Vec<String>, StoreError> {
        const EDGE_MS: i64 = 600_000;
        let found = &record.found;
        let mut query = TransactionQuery {
            declined: true,
            from: Some(found.onset.plus_ms(-EDGE_MS)),
            to: Some(found.until().plus_ms(EDGE_MS)),
            terminal: (found.scope.kind == "terminal").then(|| found.scope.id.clone()),
            card: if found.scope.kind == "card" { found.scope.id.parse().ok() } else { None },
            limit: Some(PART),
            ..TransactionQuery::default()
        };
        let (mut refusals, mut looked_at) = (Vec::new(), 0);
        loop {
            let part = self.archive.transactions(&query).await?;
            looked_at += part.data.len();
            for row in &part.data {
                if self.is_part(row, record.number).await? {
                    refusals.push(row.rrn.clone());
                }
            }
            match part.next.filter(|_| part.has_more) {
                Some(next) if looked_at < LOOKED_AT && refusals.len() < REFUSALS_SHOWN => {
                    query.after = Some(next);
                }
                _ => {
                    refusals.truncate(REFUSALS_SHOWN);
                    return Ok(refusals);
                }
            }
        }
    }

    async fn is_part(&self, row: &TransactionRow, number: u64) -> Result<bool, StoreError> {
        let Some(rrn) = self.number_of(&row.rrn) else { return Ok(false) };
        Ok(match self.watch.verdict(&rrn).await? {
            Told::Verdict(verdict, _) => verdict.incident == Some(number),
            Told::Nothing | Told::NotYet => false,
        })
    }

    async fn on_terminal(&self, terminal: &str, action: TerminalAction) -> Result<Done, Refused> {
        let terminal: TerminalId = terminal.parse().map_err(|_| Refused::NotFound)?;
        match host::staff::act_on_terminal(&self.store, terminal, action, SystemClock.now()).await {
            Ok(_) => Ok(Done { changed: 1 }),
            Err(WorkError::Decide(NotDone::Already)) => Ok(Done { changed: 0 }),
            Err(WorkError::UnknownSubject) => Err(Refused::NotFound),
            Err(WorkError::Store(error)) => Err(error.into()),
            Err(WorkError::Unknown(why)) => Err(StoreError::Away(why).into()),
            Err(WorkError::Decide(error)) => Err(Refused::Conflict(error.to_string())),
        }
    }

    async fn restore(&self, number: u64, by: &str, reviewer: &str, why: &str) -> Result<Done, Refused> {
        let before = self.watch.incident(number).map(|record| views::given_back(&record).len());
        self.watch.restore_tries(number, by, reviewer, why).await.map_err(refused)?;
        let after = self.watch.incident(number).map(|record| views::given_back(&record).len());
        Ok(Done { changed: views::more(before, after) })
    }

    async fn judge(&self, rrn: &str, right: bool, deed: Judging, by: &str) -> Result<Done, Refused> {
        let rrn = self.number_of(rrn).ok_or(Refused::NotFound)?;
        let done = self.watch.judge(&rrn, right, deed.really, by, &deed.why).await.map_err(refused)?;
        Ok(Done { changed: u32::from(done) })
    }
}

/// What somebody thinks of a verdict.
struct Judging {
    really: Option<diagnosis::Cause>,
    why: String,
}

#[async_trait]
impl Insight for Door {
    async fn verdict(&self, rrn: &str) -> Result<Option<VerdictView>, StoreError> {
        let Some(rrn) = self.number_of(rrn) else { return Ok(None) };
        match self.watch.verdict(&rrn).await? {
            Told::Verdict(verdict, evidence) => {
                let said = self.watch.judgements(&rrn).await?;
                Ok(Some(views::verdict(&verdict, &evidence, &said)))
            }
            Told::Nothing => Ok(None),
            Told::NotYet => {
                let sentence = self.watch.progress().sentence(self.watch.now());
                Err(StoreError::Away(format!("the diagnosis {sentence}")))
            }
        }
    }

    async fn incidents(&self) -> Result<Vec<IncidentView>, StoreError> {
        let picture = self.watch.picture();
        let mut views = Vec::with_capacity(picture.records.len());
        for record in picture.newest_first() {
            views.push(self.view(record).await?);
        }
        Ok(views)
    }

    async fn incident(&self, id: u64) -> Result<Option<IncidentDetail>, StoreError> {
        let Some(record) = self.watch.incident(id) else { return Ok(None) };
        let refusals = self.refusals(&record).await?;
        self.detail(&record, refusals).await.map(Some)
    }

    async fn summary(&self, id: u64) -> Result<Option<IncidentDetail>, StoreError> {
        let Some(record) = self.watch.incident(id) else { return Ok(None) };
        self.detail(&record, Vec::new()).await.map(Some)
    }

    async fn evidence(&self, id: u64) -> Result<Vec<Piece>, StoreError> {
        let record = self.watch.incident(id);
        Ok(record.map(|record| views::pieces(&record.found.evidence)).unwrap_or_default())
    }

    async fn judged(&self) -> Result<Vec<Judged>, StoreError> {
        let tally = self.watch.tally().await?;
        let one = |(cause, said): (&diagnosis::Cause, &watch::Precision)| Judged {
            cause: *cause,
            right: said.right,
            wrong: said.wrong,
        };
        Ok(tally.causes.iter().map(one).collect())
    }

    async fn suspicions(&self) -> Result<Vec<SuspicionView>, StoreError> {
        // While the journal is read again the diagnosis is busy, and what it suspects is not today's.
        if !self.watch.progress().caught_up {
            return Ok(Vec::new());
        }
        let suspicions = self.watch.suspicions().await;
        Ok(suspicions.iter().map(|suspicion| views::suspicion(suspicion, &self.known)).collect())
    }

    async fn gaps(&self) -> Result<Vec<GapView>, StoreError> {
        let one = |gap: &watch::Gap| GapView {
            since: gap.since,
            until: gap.until,
            clock: gap.kind == watch::GapKind::ClockBack,
        };
        Ok(self.watch.progress().gaps.iter().rev().map(one).collect())
    }

    async fn behind_ms(&self) -> Result<i64, StoreError> {
        let progress = self.watch.progress();
        // While the journal is read again there are other words for it.
        Ok(if progress.caught_up { progress.lag_ms.max(0) } else { 0 })
    }

    async fn answers(&self) -> Result<Vec<(u64, diagnosis::Cause, Answer)>, StoreError> {
        let mut all = Vec::new();
        for record in self.watch.picture().records.values().filter(|r| !r.handling.answers.is_empty()) {
            let answers = views::answers(record, &self.watch.rates(record.number).await?);
            all.extend(answers.into_iter().map(|answer| (record.number, record.found.cause, answer)));
        }
        all.sort_by_key(|(_, _, answer)| std::cmp::Reverse(answer.at));
        Ok(all)
    }

    fn subscribe(&self) -> Option<broadcast::Receiver<News>> {
        Some(self.news.subscribe())
    }

    async fn act(&self, deed: Deed, by: &str, _: Timestamp) -> Result<Done, Refused> {
        let done = match deed {
            Deed::RestoreTries { incident, reviewer, why } => {
                return self.restore(incident, by, &reviewer, &why).await;
            }
            Deed::Confirm { rrn, why } => {
                return self.judge(&rrn, true, Judging { really: None, why }, by).await;
            }
            Deed::Contradict { rrn, cause, why } => {
                return self.judge(&rrn, false, Judging { really: cause, why }, by).await;
            }
            Deed::SuspendTerminal { terminal, .. } => {
                return self.on_terminal(&terminal, TerminalAction::Suspend).await;
            }
            Deed::ForceSignIn { terminal, .. } => {
                return self.on_terminal(&terminal, TerminalAction::OrderSignIn).await;
            }
            Deed::Handle { incident, handling, note } => {
                let to = match handling {
                    web::insight::Handling::New => Standing::Open,
                    web::insight::Handling::Seen => Standing::Acknowledged,
                    web::insight::Handling::Closed => Standing::Closed,
                };
                self.watch.set_status(incident, to, by, &note).await
            }
            Deed::Assign { incident, to } => self.watch.assign(incident, to.as_deref(), by).await,
            Deed::Note { incident, text } => self.watch.note(incident, by, &text).await,
            Deed::Answer { incident, kind, name } => {
                let kind = match kind {
                    AnswerKind::Rule => watch::AnswerKind::Rule,
                    AnswerKind::Firmware => watch::AnswerKind::Firmware,
                    AnswerKind::Training => watch::AnswerKind::Training,
                    AnswerKind::Other => watch::AnswerKind::Other,
                };
                self.watch.answer(incident, by, kind, &name).await
            }
        };
        done.map(|done| Done { changed: u32::from(done) }).map_err(refused)
    }
}

/// Passes news on, in the console's words.
async fn pass_on(mut from: broadcast::Receiver<watch::News>, to: broadcast::Sender<News>) {
    loop {
        let told = match from.recv().await {
            Ok(told) => told,
            Err(broadcast::error::RecvError::Lagged(_)) => continue,
            Err(broadcast::error::RecvError::Closed) => return,
        };
        let what = match told.kind {
            NewsKind::Opened => "opened",
            NewsKind::Revised => "revised",
            NewsKind::Ended => "ended",
            NewsKind::Retracted => "retracted",
            NewsKind::Handled => "handled",
        };
        // Nobody may be listening.
        let _ = to.send(News { id: told.number, what });
    }
}

fn refused(error: ActError) -> Refused {
    match error {
        ActError::Unknown => Refused::NotFound,
        ActError::Refused { part, expected } => Refused::NotUnderstood { part, expected },
        ActError::Book(store::BookError::Store(error)) => error.into(),
        ActError::Book(store::BookError::Refused(why)) => Refused::Conflict(why),
        ActError::Book(error) => StoreError::Away(error.to_string()).into(),
    }
}
