//! The desk behind pages and API: what is looked at when a case is opened, and what is written into one. What may be done is
//! [`desk`]'s to say; who did it goes into the audit log. What is asked for from a case is in [`crate::case_acts`].

use std::collections::BTreeMap;

use desk::{
    CaseNo, Desk, Evidence, EvidenceKind, Fact, House, Opening, Priority, Refusal, Source, Status, Subject,
};
use model::{CardId, Timestamp};
use office::{CaseError, Noted};
use store::archive::{CardView, TerminalView, TransactionQuery, TransactionRow};

use crate::{actor::Actor, error::Failure, insight::IncidentView, router::Shared, service};

/// Payments that are attached when a case is opened.
const ROWS_MAX: usize = 10;
/// Of what was decided, so many characters stand in the case.
const WORDS_MAX: usize = 500;
/// Open incidents that are attached.
const INCIDENTS_MAX: usize = 5;

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoCase | Refusal::BadLink => Self::NotFound,
            Refusal::NotUnderstood { part, expected } => Self::not_understood(part, expected),
            other => Self::Conflict(other.to_string()),
        }
    }
}

impl From<CaseError> for Failure {
    fn from(error: CaseError) -> Self {
        match error {
            CaseError::Refused(refusal) => refusal.into(),
            CaseError::Store(error) => error.into(),
        }
    }
}

/// From where a case is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A card.
    Card(CardId),
    /// A payment, by its RRN.
    Refusal(String),
    /// A terminal.
    Terminal(String),
    /// An incident.
    Incident(u64),
    /// An alarm.
    Alarm(u32),
    /// Nothing that is known here.
    Nothing,
}

impl Origin {
    /// How a case comes that is opened from here, when nobody says otherwise.
    pub(crate) fn source(&self) -> Source {
        match self {
            Self::Card(_) | Self::Nothing => Source::Phone,
            Self::Refusal(_) => Source::Refusal,
            Self::Terminal(_) => Source::Terminal,
            Self::Incident(_) => Source::Incident,
            Self::Alarm(_) => Source::Alarm,
        }
    }
}

/// What somebody says who opens a case.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said {
    pub(crate) source: Option<Source>,
    pub(crate) priority: Option<Priority>,
    pub(crate) summary: String,
    pub(crate) caller: String,
}

/// Opens a case with everything that is known; the number of the one that is open about the same, if there is one.
pub(crate) async fn open(
    state: &Shared,
    by: &Actor,
    origin: &Origin,
    said: &Said,
) -> Result<(CaseNo, bool), Failure> {
    let (subject, evidence) = gather(state, origin).await?;
    let opening = Opening {
        source: said.source.unwrap_or_else(|| origin.source()),
        priority: said.priority,
        summary: if said.summary.trim().is_empty() { summary(&subject) } else { said.summary.clone() },
        caller: said.caller.clone(),
        subject,
        evidence,
    };
    let opened = state.web.cases.act(|desk, house, _| desk.open(house, opening.clone(), by.name())).await;
    let (no, new) = match opened {
        Ok(no) => (no, true),
        Err(CaseError::Refused(Refusal::Already(no))) => (no, false),
        Err(error) => return Err(error.into()),
    };
    if new {
        note(state, by, "case.open", no, &opening.summary).await?;
    }
    Ok((no, new))
}

/// A sentence in codes and numbers, for whoever gave none.
fn summary(subject: &Subject) -> String {
    let parts = [
        subject.code.clone(),
        subject.cause.map(|cause| cause.to_string()),
        subject.pan.as_ref().map(ToString::to_string),
        subject.terminal.clone(),
        subject.incident.map(|n| format!("incident {n}")),
        subject.alarm.map(|n| format!("alarm {n}")),
    ];
    let known: Vec<String> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    if known.is_empty() { "-".to_owned() } else { known.join(" \u{b7} ") }
}

/// Everything that is known about where a case is opened from.
async fn gather(state: &Shared, origin: &Origin) -> Result<(Subject, Vec<Evidence>), Failure> {
    match origin {
        Origin::Card(id) => {
            let card = service::card_by_id(state, id).await?.ok_or(Failure::NotFound)?;
            of_card(state, &card, None).await
        }
        Origin::Refusal(rrn) => {
            let detail = service::transaction(state, rrn).await?;
            match &detail.row.card {
                Some(id) => match service::card_by_id(state, id).await? {
                    Some(card) => of_card(state, &card, Some(&detail.row)).await,
                    None => of_row(state, &detail.row).await,
                },
                None => of_row(state, &detail.row).await,
            }
        }
        Origin::Terminal(id) => {
            let terminal = service::terminals(state).await?.into_iter().find(|t| t.id == *id);
            of_terminal(state, &terminal.ok_or(Failure::NotFound)?).await
        }
        Origin::Incident(id) => {
            let detail = state.web.insight.summary(*id).await?.ok_or(Failure::NotFound)?;
            Ok(of_incident(state, &detail.view))
        }
        Origin::Alarm(id) => of_alarm(state, *id).await,
        Origin::Nothing => Ok((Subject::default(), Vec::new())),
    }
}

async fn of_card(
    state: &Shared,
    card: &CardView,
    refusal: Option<&TransactionRow>,
) -> Result<(Subject, Vec<Evidence>), Failure> {
    let rows = service::attempts(state, &card.id).await?;
    let row = refusal.or_else(|| rows.iter().find(|row| is_refusal(row)));
    let mut subject = match row {
        Some(row) => subject_of(state, row).await?,
        None => Subject::default(),
    };
    subject.card = Some(card.id);
    subject.pan = Some(card.record.pan.clone());
    if refusal.is_none() {
        // A caller asks about the card; which of its refusals is meant, the conversation shows.
        subject.rrn = None;
    }
    let mut evidence = vec![card_evidence(state, card)];
    evidence.extend(rows_evidence(state, row.into_iter().chain(&rows)).await?);
    evidence.extend(open_incidents(state, &subject).await?);
    Ok((subject, evidence))
}

async fn of_row(state: &Shared, row: &TransactionRow) -> Result<(Subject, Vec<Evidence>), Failure> {
    let subject = subject_of(state, row).await?;
    let mut evidence = rows_evidence(state, std::iter::once(row)).await?;
    evidence.extend(open_incidents(state, &subject).await?);
    Ok((subject, evidence))
}

async fn of_terminal(state: &Shared, terminal: &TerminalView) -> Result<(Subject, Vec<Evidence>), Failure> {
    let query = TransactionQuery {
        terminal: Some(terminal.id.clone()),
        declined: true,
        limit: Some(u32::try_from(ROWS_MAX).unwrap_or_default()),
        ..TransactionQuery::default()
    };
    let rows = state.web.archive.transactions(&query).await?.data;
    let last = rows.iter().find(|row| is_refusal(row));
    let subject = Subject {
        terminal: Some(terminal.id.clone()),
        merchant: Some(terminal.merchant.clone()),
        merchant_name: terminal.merchant_name.clone(),
        code: last.map(|row| row.code.clone()),
        cause: match last {
            Some(row) => state.web.insight.verdict(&row.rrn).await?.map(|verdict| verdict.cause),
            None => None,
        },
        ..Subject::default()
    };
    let mut evidence = vec![terminal_evidence(terminal)];
    evidence.extend(rows_evidence(state, rows.iter()).await?);
    evidence.extend(open_incidents(state, &subject).await?);
    Ok((subject, evidence))
}

fn of_incident(state: &Shared, incident: &IncidentView) -> (Subject, Vec<Evidence>) {
    let is = |kind: &str| (incident.scope.kind == kind).then(|| incident.scope.id.clone());
    let _ = state;
    let subject = Subject {
        terminal: is("terminal"),
        merchant: is("merchant"),
        merchant_name: incident.belongs.merchant.clone(),
        card: is("card").and_then(|id| id.parse().ok()),
        cause: Some(incident.cause),
        incident: Some(incident.id),
        ..Subject::default()
    };
    (subject, vec![incident_evidence(incident)])
}

async fn of_alarm(state: &Shared, id: u32) -> Result<(Subject, Vec<Evidence>), Failure> {
    let alarm = state.web.alarms.look(|desk, _| desk.alarm(id).cloned()).ok_or(Failure::NotFound)?;
    let alert = &alarm.alert;
    let incident = alert.group.as_deref().and_then(|group| group.strip_prefix("incident-")?.parse().ok());
    let about = match incident {
        Some(id) => state.web.insight.summary(id).await?.map(|detail| of_incident(state, &detail.view)),
        None => None,
    };
    let (mut subject, mut evidence) = about.unwrap_or_default();
    subject.alarm = Some(id);
    if alert.scope.kind == "terminal" && subject.terminal.is_none() {
        subject.terminal = Some(alert.scope.id.clone());
    }
    if subject.cause.is_none() {
        subject.cause = alert.kind.parse().ok();
    }
    let lines = [
        ("kind", alert.kind.clone()),
        ("scope", format!("{} {}", alert.scope.kind, alert.scope.id)),
        ("severity", alarm.severity.name().to_owned()),
        ("title-zh", alert.title.zh.clone()),
        ("title-en", alert.title.en.clone()),
    ];
    evidence.insert(0, piece(EvidenceKind::Alarm, id.to_string(), alarm.raised, lines));
    Ok((subject, evidence))
}

/// Was somebody refused?
fn is_refusal(row: &TransactionRow) -> bool {
    !row.code.is_empty() && !service::is_approved(row)
}

async fn subject_of(state: &Shared, row: &TransactionRow) -> Result<Subject, Failure> {
    let verdict = state.web.insight.verdict(&row.rrn).await?;
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Ok(Subject {
        card: row.card,
        pan: row.pan.clone(),
        terminal: some(&row.terminal),
        merchant: some(&row.merchant),
        merchant_name: row.merchant_name.clone(),
        rrn: Some(row.rrn.clone()),
        code: some(&row.code),
        cause: verdict.as_ref().map(|v| v.cause),
        incident: verdict.and_then(|v| v.incident),
        alarm: None,
    })
}

fn piece<const N: usize>(
    kind: EvidenceKind,
    id: String,
    at: Timestamp,
    lines: [(&str, String); N],
) -> Evidence {
    let lines = lines.into_iter().filter(|(_, value)| !value.is_empty());
    Evidence { kind, id, at, summary: lines.map(|(name, value)| (name.to_owned(), value)).collect() }
}

/// How the card is, as people at the desk may know it.
fn card_evidence(state: &Shared, card: &CardView) -> Evidence {
    let s = &card.state;
    let lock =
        s.lock.map_or_else(String::new, |lock| lock.until.map_or_else(|| "by-staff".to_owned(), moment));
    let limit = state.web.products.get(&card.record.product).map(|policy| policy.pin_try_limit);
    let tries = limit.map_or_else(String::new, |limit| format!("{}/{}", s.tries.left(limit), limit.get()));
    piece(
        EvidenceKind::Card,
        card.id.to_string(),
        crate::format::now(),
        [
            ("pan", card.record.pan.to_string()),
            ("product", card.record.product.to_string()),
            ("tries-left", tries),
            ("locked-until", lock),
            ("block", s.block.map_or("", crate::api::schema::block_name).to_owned()),
        ],
    )
}

fn moment(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |t| format!("{t:.0}"))
}

fn terminal_evidence(terminal: &TerminalView) -> Evidence {
    let session = terminal.session.as_ref();
    piece(
        EvidenceKind::Terminal,
        terminal.id.clone(),
        terminal.last_seen.unwrap_or_default(),
        [
            ("merchant", terminal.merchant_name.clone()),
            ("signed-in", session.map_or_else(|| "no".to_owned(), |s| moment(s.since))),
            ("check-values", session.map_or_else(String::new, |s| s.check_values.join(" "))),
            ("suspended", if terminal.suspended { "yes" } else { "no" }.to_owned()),
        ],
    )
}

fn incident_evidence(incident: &IncidentView) -> Evidence {
    piece(
        EvidenceKind::Incident,
        incident.id.to_string(),
        incident.onset,
        [
            ("cause", incident.cause.to_string()),
            ("scope", format!("{} {}", incident.scope.kind, incident.scope.name)),
            ("confidence", crate::views::cause::confidence(incident.confidence)),
            ("cards", incident.cards.to_string()),
            ("refused", incident.refused.0.to_string()),
        ],
    )
}

/// The newest payments, each with what the diagnosis said about it.
async fn rows_evidence<'r>(
    state: &Shared,
    rows: impl Iterator<Item = &'r TransactionRow>,
) -> Result<Vec<Evidence>, Failure> {
    let mut seen = BTreeMap::new();
    for row in rows {
        if seen.len() >= ROWS_MAX {
            break;
        }
        let verdict = if is_refusal(row) { state.web.insight.verdict(&row.rrn).await? } else { None };
        let said = verdict.map_or_else(String::new, |v| {
            format!("{} {}", v.cause, crate::views::cause::confidence(v.confidence))
        });
        let lines = [
            ("kind", row.kind.clone()),
            ("code", row.code.clone()),
            ("reason", row.reason.clone()),
            ("terminal", row.terminal.clone()),
            ("merchant", row.merchant_name.clone()),
            ("pan", row.pan.as_ref().map_or_else(String::new, ToString::to_string)),
            ("pin", row.pin.clone()),
            ("try-charged", if row.try_charged { "yes" } else { "no" }.to_owned()),
            ("verdict", said),
        ];
        seen.entry(std::cmp::Reverse(row.seq))
            .or_insert_with(|| piece(EvidenceKind::Transaction, row.rrn.clone(), row.at, lines));
    }
    Ok(seen.into_values().collect())
}

/// Open incidents that touch it: its own, its terminal's, its shop's.
async fn open_incidents(state: &Shared, subject: &Subject) -> Result<Vec<Evidence>, Failure> {
    let touches = |incident: &IncidentView| {
        let id = Some(incident.scope.id.as_str());
        Some(incident.id) == subject.incident
            || incident.scope.kind == "terminal" && id == subject.terminal.as_deref()
            || incident.scope.kind == "merchant" && id == subject.merchant.as_deref()
    };
    let all = state.web.insight.incidents().await?;
    let open = all.iter().filter(|incident| incident.is_open() && touches(incident));
    Ok(open.take(INCIDENTS_MAX).map(incident_evidence).collect())
}

/// Does what `decide` says, and writes into the log that it was done.
pub(crate) async fn act(
    state: &Shared,
    by: &Actor,
    verb: &str,
    no: CaseNo,
    decide: impl FnMut(&Desk, &'static House, Timestamp) -> Result<Fact, Refusal>,
) -> Result<(), Failure> {
    state.web.cases.act(decide).await?;
    note(state, by, verb, no, "").await
}

/// What was decided about a case's request stands in the case too, which goes on.
pub(crate) async fn decided(state: &Shared, no: CaseNo, words: &str, by: &str) {
    let words: String = words.chars().take(WORDS_MAX).collect();
    let told = state.web.cases.act(|desk, _, _| {
        let case = desk.case(no)?;
        if matches!(case.status, Status::Waiting(_)) {
            case.resume(&words, by)
        } else {
            case.note(&words, by)
        }
    });
    if let Err(error) = told.await {
        // The card's journal and the audit log have it in any case.
        tracing::warn!(case = no, %error, "a decision is not written into its case");
    }
}

/// Into the audit log: who did what to which case.
pub(crate) async fn note(
    state: &Shared,
    by: &Actor,
    verb: &str,
    no: CaseNo,
    why: &str,
) -> Result<(), Failure> {
    noted(state, by, Noted::done(verb).about("case", &no.to_string()), why).await
}

pub(crate) async fn note_refused(
    state: &Shared,
    by: &Actor,
    verb: &str,
    no: CaseNo,
    why: &str,
) -> Result<(), Failure> {
    noted(state, by, Noted::done(verb).about("case", &no.to_string()).refused_because(why), "").await
}

async fn noted(state: &Shared, by: &Actor, noted: Noted, why: &str) -> Result<(), Failure> {
    let Some(office) = &state.web.office else { return Ok(()) };
    let noted = if why.is_empty() { noted } else { noted.because(why) };
    Ok(office.note(&by.0, noted).await?)
}

/// Into the audit log: who saw a card at the desk.
pub(crate) async fn seen(
    state: &Shared,
    by: &Actor,
    card: &CardId,
    case: Option<CaseNo>,
) -> Result<(), Failure> {
    let why = case.map_or_else(|| "no case".to_owned(), |no| format!("case {no}"));
    crate::seen::card(state, by, *card, &why).await
}
