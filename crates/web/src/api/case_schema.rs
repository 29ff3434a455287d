//! The shapes of the desk in the API. Times are RFC 3339 in UTC; card numbers are masked.

use std::collections::BTreeMap;

use desk::{Case, Figures, House, Reading, Share, Status};
use handbook::Lang;
use model::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::schema::rfc3339;

/// A clock of a case, in working minutes.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CaseClock {
    /// So many may pass.
    target_min: u32,
    /// So many have passed.
    passed_min: i64,
    /// When the target is, or was, reached; `null` while the clock stands still.
    due: Option<String>,
    /// More than the target is gone.
    late: bool,
    /// Answered, or closed.
    stopped: bool,
    /// It stands still: the customer's answer is waited for.
    paused: bool,
}

impl From<Reading> for CaseClock {
    fn from(reading: Reading) -> Self {
        Self {
            target_min: reading.target_min,
            passed_min: reading.passed_min(),
            due: reading.due.map(rfc3339),
            late: reading.is_late(),
            stopped: reading.stopped,
            paused: reading.paused,
        }
    }
}

/// What a case is about.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CaseSubject {
    /// The card's id.
    card: Option<String>,
    /// Its masked number.
    pan: Option<String>,
    /// Terminal (DE 41).
    terminal: Option<String>,
    /// Merchant (DE 42).
    merchant: Option<String>,
    /// The refused payment (DE 37).
    rrn: Option<String>,
    /// Its response code (DE 39).
    code: Option<String>,
    /// What the diagnosis said.
    cause: Option<String>,
    /// The incident behind it.
    incident: Option<u64>,
    /// The alarm that it came from.
    alarm: Option<u32>,
}

/// A case, as in lists.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CaseView {
    /// Its number.
    id: u32,
    /// When it was opened.
    opened: String,
    /// By whom.
    by: String,
    /// `phone`, `refusal`, `terminal`, `alarm`, `incident` or `api`.
    source: String,
    /// `new`, `in-work`, `waiting` or `closed`.
    status: String,
    /// For whom it waits: `customer`, `second-person` or `engineer`.
    waits_on: Option<String>,
    /// `urgent`, `high`, `normal` or `low`.
    priority: String,
    /// Who has it.
    assignee: Option<String>,
    /// In a sentence.
    summary: String,
    /// The service plan.
    plan: String,
    /// The shop's segment; empty when it has none.
    segment: String,
    /// The playbook, and which version of it.
    playbook: String,
    /// That version.
    playbook_version: u32,
    /// About what.
    subject: CaseSubject,
    /// Until somebody has answered.
    response: CaseClock,
    /// Until it is closed.
    resolve: CaseClock,
}

impl CaseView {
    pub(crate) fn new(house: &House, case: &Case, now: Timestamp) -> Self {
        let [response, resolve] = case.clocks(house, now);
        let s = &case.opened.subject;
        Self {
            id: case.no,
            opened: rfc3339(case.at),
            by: case.by.clone(),
            source: case.opened.source.to_string(),
            status: case.status.name().to_owned(),
            waits_on: match case.status {
                Status::Waiting(on) => Some(on.to_string()),
                _ => None,
            },
            priority: case.opened.priority.to_string(),
            assignee: case.assignee.clone(),
            summary: case.opened.summary.clone(),
            plan: case.opened.plan.clone(),
            segment: case.opened.segment.clone(),
            playbook: case.opened.playbook.name.clone(),
            playbook_version: case.opened.playbook.version,
            subject: CaseSubject {
                card: s.card.map(|card| card.to_string()),
                pan: s.pan.as_ref().map(ToString::to_string),
                terminal: s.terminal.clone(),
                merchant: s.merchant.clone(),
                rrn: s.rrn.clone(),
                code: s.code.clone(),
                cause: s.cause.map(|cause| cause.to_string()),
                incident: s.incident,
                alarm: s.alarm,
            },
            response: response.into(),
            resolve: resolve.into(),
        }
    }
}

/// A part of the list of cases.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CaseList {
    /// Cases: open ones by what is due first, else newest first.
    pub(crate) data: Vec<CaseView>,
}

/// A step of the playbook that was frozen with the case.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CaseStep {
    /// Its fixed name.
    id: String,
    /// What to do, in the caller's language.
    text: String,
    /// The case cannot be closed while it is open.
    gate: bool,
    /// It is done only with a note.
    needs_note: bool,
    /// It is done only when identity is proven that far: `L0` to `L3`.
    needs_level: String,
    /// When it was done; `null`: open.
    done: Option<String>,
    /// By whom.
    by: Option<String>,
    /// What came of it.
    note: Option<String>,
}

/// Something that was looked at.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CaseEvidence {
    /// `transaction`, `verdict`, `incident`, `alarm`, `terminal` or `card`.
    kind: String,
    /// Reference, number or id.
    id: String,
    /// When it happened.
    at: String,
    /// What it said when it was attached, by name; masked.
    summary: BTreeMap<String, String>,
}

/// What was asked to prove who calls.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CaseProof {
    /// When.
    at: String,
    /// The method.
    method: String,
    /// What was asked, by name.
    asked: Vec<String>,
    /// Right answers.
    right: u8,
    /// Wrong answers.
    wrong: u8,
    /// What it gives: `L0` to `L3`.
    level: String,
}

/// Something that happened.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CaseEvent {
    /// When.
    at: String,
    /// What, such as `noted`.
    what: String,
    /// The fact itself.
    #[schema(value_type = Object)]
    fact: serde_json::Value,
}

/// A case with everything around it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CaseDetail {
    /// As in lists.
    case: CaseView,
    /// What is to be done.
    steps: Vec<CaseStep>,
    /// Gates that are open: while there is one, the case stays open.
    open_gates: Vec<String>,
    /// What was looked at.
    evidence: Vec<CaseEvidence>,
    /// How far identity is proven just now: `L0` to `L3`.
    level: String,
    /// What was asked to prove it.
    proofs: Vec<CaseProof>,
    /// How it was closed: `solved`, `explained`, `handed-on`, `not-reached`, `duplicate` or `refused`.
    outcome: Option<String>,
    /// What the customer said, 1 to 5.
    rating: Option<u8>,
    /// Everything that happened, oldest first.
    history: Vec<CaseEvent>,
}

impl CaseDetail {
    pub(crate) fn new(house: &House, case: &Case, lang: Lang, now: Timestamp) -> Self {
        let book = house.playbooks.get(&case.opened.playbook.name);
        let step = |step: &desk::FrozenStep| {
            let done = case.done.get(&step.id);
            let text = book.and_then(|book| book.words(&step.id, &case.opened.subject, lang));
            CaseStep {
                id: step.id.clone(),
                text: text.unwrap_or_else(|| step.id.clone()),
                gate: step.gate,
                needs_note: step.note,
                needs_level: step.level.to_string(),
                done: done.map(|done| rfc3339(done.at)),
                by: done.map(|done| done.by.clone()),
                note: done.map(|done| done.note.clone()),
            }
        };
        let proof = |(at, proof): &(Timestamp, desk::Proof)| CaseProof {
            at: rfc3339(*at),
            method: proof.method.clone(),
            asked: proof.asked.clone(),
            right: proof.right,
            wrong: proof.wrong,
            level: house.identity.level_of(proof).to_string(),
        };
        Self {
            case: CaseView::new(house, case, now),
            steps: case.opened.playbook.steps.iter().map(step).collect(),
            open_gates: case.open_gates().map(|step| step.id.clone()).collect(),
            evidence: case.opened.evidence.iter().map(evidence).collect(),
            level: case.level(house, now).to_string(),
            proofs: case.proofs.iter().map(proof).collect(),
            outcome: case.closed.as_ref().map(|closed| closed.closing.outcome().to_string()),
            rating: case.rated.as_ref().map(|(_, score, _)| *score),
            history: case.history.iter().map(|(at, fact)| event(*at, fact)).collect(),
        }
    }
}

fn evidence(piece: &desk::Evidence) -> CaseEvidence {
    CaseEvidence {
        kind: piece.kind.name().to_owned(),
        id: piece.id.clone(),
        at: rfc3339(piece.at),
        summary: piece.summary.clone(),
    }
}

/// The question's link is for the desk's page, not for every reader of the API.
fn event(at: Timestamp, fact: &desk::Fact) -> CaseEvent {
    let mut value = serde_json::to_value(fact).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.remove("survey");
        fields.remove("opened");
    }
    CaseEvent { at: rfc3339(at), what: fact.kind().to_owned(), fact: value }
}

/// So many of so many.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ShareView {
    /// These.
    part: u32,
    /// Of these.
    of: u32,
}

impl From<Share> for ShareView {
    fn from(share: Share) -> Self {
        Self { part: share.part, of: share.of }
    }
}

/// How the desk does.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CaseFigures {
    /// Opened in the window.
    opened: u32,
    /// Closed in it.
    closed: u32,
    /// Open now.
    open: u32,
    /// Closed at the first contact.
    first_contact: ShareView,
    /// Closed ones that kept both promises.
    sla_kept: ShareView,
    /// Closed ones that were answered in time.
    response_kept: ShareView,
    /// Closed ones that were closed in time.
    resolve_kept: ShareView,
    /// Closed ones that were opened again.
    reopened: ShareView,
    /// Working minutes until closed: the median.
    resolve_p50_min: Option<i64>,
    /// The ninety-fifth percentile.
    resolve_p95_min: Option<i64>,
    /// Released cards that locked again within `repeat_days`.
    repeat_lock: ShareView,
    /// The sum of customers' scores (1 to 5), and how many answered.
    satisfaction: ShareView,
    /// What counts as "again", in days.
    repeat_days: u32,
}

impl From<Figures> for CaseFigures {
    fn from(f: Figures) -> Self {
        Self {
            opened: f.opened,
            closed: f.closed,
            open: f.open,
            first_contact: f.first_contact.into(),
            sla_kept: f.sla_kept.into(),
            response_kept: f.response_kept.into(),
            resolve_kept: f.resolve_kept.into(),
            reopened: f.reopened.into(),
            resolve_p50_min: f.resolve_p50_min,
            resolve_p95_min: f.resolve_p95_min,
            repeat_lock: f.repeat_lock.into(),
            satisfaction: f.satisfaction.into(),
            repeat_days: f.repeat_days,
        }
    }
}

/// A case to be opened: about at most one of the things that are named.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct NewCase {
    /// `phone`, `refusal`, `terminal`, `alarm`, `incident` or `api`; by itself from what it is about.
    pub(crate) source: Option<String>,
    /// A card's id.
    pub(crate) card: Option<String>,
    /// A payment (DE 37).
    pub(crate) rrn: Option<String>,
    /// A terminal (DE 41).
    pub(crate) terminal: Option<String>,
    /// An incident.
    pub(crate) incident: Option<u64>,
    /// An alarm.
    pub(crate) alarm: Option<u32>,
    /// `urgent`, `high`, `normal` or `low`; by itself when none is given.
    pub(crate) priority: Option<String>,
    /// In a sentence, at most 500 characters; by itself when none is given.
    pub(crate) summary: String,
    /// The caller, as far as they are named; at most 80 characters.
    pub(crate) caller: String,
}

/// Who has it; nobody when `to` is `null`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CaseAssign {
    /// The user name.
    pub(crate) to: Option<String>,
}

/// A note.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CaseNote {
    /// It, 1 to 2000 characters; what may be a card number is masked.
    #[schema(min_length = 1, max_length = 2000)]
    pub(crate) text: String,
}

/// What was said to the customer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CaseAnswer {
    /// A reply by its name; empty for one's own words.
    #[serde(default)]
    pub(crate) reply: String,
    /// What was said, 1 to 2000 characters.
    #[schema(min_length = 1, max_length = 2000)]
    pub(crate) text: String,
}

/// Where it is to stand.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CaseStatus {
    /// `waiting` or `in-work`; a closed case is opened again by `in-work`.
    pub(crate) status: String,
    /// For whom it waits: `customer`, `second-person` or `engineer`.
    #[serde(default)]
    pub(crate) on: Option<String>,
    /// Why, 1 to 500 characters.
    #[schema(min_length = 1, max_length = 500)]
    pub(crate) why: String,
}

/// How soon.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CasePriority {
    /// `urgent`, `high`, `normal` or `low`.
    pub(crate) priority: String,
    /// Why, 1 to 500 characters.
    #[schema(min_length = 1, max_length = 500)]
    pub(crate) why: String,
}

/// A step that is done.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CaseStepDone {
    /// The step's id.
    pub(crate) step: String,
    /// What came of it; some steps need it.
    #[serde(default)]
    pub(crate) note: String,
}

/// What was asked to prove who calls, and how it was answered.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CaseIdentity {
    /// The method, as in `GET /api/v1/desk`.
    pub(crate) method: String,
    /// Questions by name.
    pub(crate) asked: Vec<String>,
    /// Right answers.
    pub(crate) right: u8,
    /// Wrong answers.
    pub(crate) wrong: u8,
    /// For so many hours the contact on file has not changed.
    #[serde(default)]
    pub(crate) contact_unchanged_h: Option<u32>,
}

/// What is asked for about the case's card.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CaseAction {
    /// `unlock`, `reset-pin` or `change-contact`.
    pub(crate) action: String,
    /// Why, 1 to 500 characters.
    #[schema(min_length = 1, max_length = 500)]
    pub(crate) why: String,
    /// For `change-contact`: the new number, with its country code.
    #[serde(default)]
    pub(crate) number: Option<String>,
    /// For `change-contact`: `zh` or `en`; as before when not given.
    #[serde(default)]
    pub(crate) language: Option<String>,
}

/// The code that proves who calls.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CaseCode {
    /// What the caller read out; without it a code is sent.
    #[serde(default)]
    #[schema(max_length = 20)]
    pub(crate) code: Option<String>,
}

/// How it ended.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CaseClose {
    /// `solved`, `explained`, `handed-on`, `not-reached`, `duplicate` or `refused`.
    pub(crate) outcome: String,
    /// What came of it, 1 to 2000 characters.
    #[schema(min_length = 1, max_length = 2000)]
    pub(crate) words: String,
}
