//! The shapes of verdicts and incidents in the API. Times are RFC 3339 in UTC; texts are in both languages.

use diagnosis::{Cause, Status, cause::Origin};
use handbook::{CauseFacts, Lang, Role, cause_text, evidence_text};
use serde::Serialize;
use serde_json::Value;
use store::archive::{TransactionDetail, TransactionRow};
use utoipa::ToSchema;

use super::schema::{Transaction, rfc3339};
use crate::{
    insight::{self, Certainty, Handling, HarmedCard, IncidentView, VerdictView},
    lang::Say,
    views::cause::certainty,
};

/// The same in two languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Both {
    /// Chinese.
    pub(super) zh: String,
    /// English.
    pub(super) en: String,
}

impl Both {
    pub(super) fn new(text: impl Fn(Lang) -> String) -> Self {
        Self { zh: text(Lang::Zh), en: text(Lang::En) }
    }
}

/// A piece of evidence.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Evidence {
    /// Its fixed name.
    #[schema(example = "format-errors-in-a-row")]
    name: String,
    /// Logarithm of the likelihood ratio: positive speaks for the cause, negative against it.
    weight: f32,
    /// What was seen, in a sentence.
    text: Both,
    /// The numbers of the sentence, by name.
    #[schema(value_type = Object)]
    values: serde_json::Map<String, Value>,
}

impl Evidence {
    fn new(piece: &insight::Piece) -> Self {
        let values: Vec<(&str, f64)> =
            piece.values.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let text = |lang| match evidence_text(&piece.name) {
            Some(text) => text.sentence(lang, &values),
            None => piece.name.clone(),
        };
        Self {
            name: piece.name.clone(),
            weight: piece.weight,
            text: Both::new(text),
            values: values.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect(),
        }
    }

    pub(super) fn all(pieces: &[insight::Piece]) -> Vec<Self> {
        pieces.iter().map(Self::new).collect()
    }
}

/// What everybody does now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Playbook {
    /// The person with the card; these words may stand on a receipt.
    cardholder: Both,
    /// The person at the till.
    cashier: Both,
    /// The shop's owner.
    shop_owner: Both,
    /// Acquirer's or issuer's engineers.
    engineer: Both,
    /// Whoever watches over fraud and operation.
    analyst: Both,
}

impl Playbook {
    pub(super) fn new(cause: Cause) -> Self {
        let text = cause_text(cause);
        let part = |role| Both::new(|lang| text.todo(lang, role).to_owned());
        Self {
            cardholder: part(Role::Cardholder),
            cashier: part(Role::Cashier),
            shop_owner: part(Role::Owner),
            engineer: part(Role::Engineer),
            analyst: part(Role::Analyst),
        }
    }
}

/// Another explanation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Other {
    /// The cause's fixed name.
    cause: &'static str,
    /// Its probability, 0 to 1.
    confidence: f32,
}

/// Was it changed after it was given?
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Revised {
    /// How often.
    count: u32,
    /// When last; when it was given, if never.
    at: String,
}

/// Somebody says that a verdict is wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Contradicted {
    /// When.
    at: String,
    /// Who.
    by: String,
    /// What it was in their opinion.
    cause: Option<&'static str>,
}

/// Why a payment was refused.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Diagnosis {
    /// Retrieval reference number (DE 37).
    rrn: String,
    /// The cause's fixed name, as in `/api/v1/causes`.
    #[schema(example = "wrong-terminal-key")]
    cause: &'static str,
    /// How sure it is: a calibrated probability, 0 to 1.
    confidence: f32,
    /// The same in a word: `sure` from 0.9, `probable` from 0.6, else `possible`.
    #[schema(example = "sure")]
    certainty: &'static str,
    /// The word in both languages.
    certainty_text: Both,
    /// What really happened, in one sentence. For staff: it may say how many tries are left.
    sentence: Both,
    /// What speaks for it and against it, heaviest first.
    evidence: Vec<Evidence>,
    /// What everybody does now.
    playbook: Playbook,
    /// The number of the incident behind it.
    incident: Option<u64>,
    /// The next best explanations, best first.
    others: Vec<Other>,
    /// Was it changed after it was given?
    revised: Revised,
    /// Who says that it is wrong.
    contradicted: Vec<Contradicted>,
    /// The risk rules that spoke about the payment, as in `/api/v1/transactions/{rrn}`; `null`: none did.
    #[schema(value_type = Option<Object>)]
    rules: Option<Value>,
}

impl Diagnosis {
    pub(super) fn new(rrn: &str, verdict: &VerdictView, found: Option<&TransactionDetail>) -> Self {
        let row = found.map(|found| &found.row);
        let rules = found.and_then(|found| found.rules.as_ref());
        let text = cause_text(verdict.cause);
        let facts = row.map(facts).unwrap_or_default();
        Self {
            rrn: rrn.to_owned(),
            cause: verdict.cause.name(),
            confidence: verdict.confidence,
            certainty: Certainty::of(verdict.confidence).name(),
            certainty_text: Both::new(|lang| certainty(Say(lang), verdict.confidence).into_owned()),
            sentence: Both::new(|lang| text.sentence(lang, &facts)),
            evidence: Evidence::all(&verdict.evidence),
            playbook: Playbook::new(verdict.cause),
            incident: verdict.incident,
            others: verdict
                .others
                .iter()
                .map(|(cause, confidence)| Other { cause: cause.name(), confidence: *confidence })
                .collect(),
            revised: Revised { count: verdict.revised.0, at: rfc3339(verdict.revised.1) },
            contradicted: verdict
                .contradicted
                .iter()
                .map(|(at, by, cause)| Contradicted {
                    at: rfc3339(*at),
                    by: by.clone(),
                    cause: cause.map(Cause::name),
                })
                .collect(),
            rules: rules.and_then(|rules| serde_json::to_value(rules).ok()),
        }
    }
}

/// What is known about one refusal.
fn facts(row: &TransactionRow) -> CauseFacts {
    CauseFacts {
        terminal: Some(row.terminal.clone()),
        merchant: Some(row.merchant_name.clone()).filter(|name| !name.is_empty()),
        tries_left: row.tries_left,
        ..CauseFacts::default()
    }
}

/// What an incident is about.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Scope {
    /// `terminal`, `merchant`, `card`, `bin`, `zone`, `firmware`, `network`, `instance` or `agent`.
    #[schema(example = "terminal")]
    kind: &'static str,
    /// Its number or name; a card's id.
    #[schema(example = "T0001234")]
    id: String,
    /// As people know it; a card's masked number.
    name: String,
}

impl Scope {
    pub(super) fn new(scope: &insight::ScopeView) -> Self {
        Self { kind: scope.kind, id: scope.id.clone(), name: scope.name.clone() }
    }
}

/// Payments that an incident refused.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RefusedPayments {
    /// How many.
    count: u32,
    /// Their sum in minor units.
    sum: i64,
}

/// What an incident's scope belongs to; empty where it is not known or several.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Belongs {
    /// The shop.
    merchant: String,
    /// Manufacturer's model.
    model: String,
    /// Version of firmware and application.
    firmware: String,
    /// Area.
    region: String,
}

impl Belongs {
    pub(super) fn new(of: &insight::Belongs) -> Self {
        Self {
            merchant: of.merchant.clone(),
            model: of.model.clone(),
            firmware: of.firmware.clone(),
            region: of.region.clone(),
        }
    }
}

/// One incident.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Incident {
    /// Its number, for ever; the cursor of lists.
    id: u64,
    /// The cause's fixed name.
    #[schema(example = "wrong-terminal-key")]
    cause: &'static str,
    /// The cause in a few words.
    title: Both,
    /// What really happened, in one sentence.
    sentence: Both,
    /// What it is about.
    scope: Scope,
    /// The first sign.
    onset: String,
    /// When there was enough to say so.
    detected: String,
    /// The last sign so far.
    last_seen: String,
    /// When it was over or retracted.
    ended: Option<String>,
    /// How sure it is: a calibrated probability, 0 to 1.
    confidence: f32,
    /// The same in a word: `sure` from 0.9, `probable` from 0.6, else `possible`.
    #[schema(example = "sure")]
    certainty: &'static str,
    /// `provisional`, `open`, `acknowledged`, `absorbed` (a wider one explains it), `over`, `retracted` or `closed`.
    #[schema(example = "open")]
    status: &'static str,
    /// Whose it is.
    assignee: Option<String>,
    /// The next best explanation.
    second: Option<&'static str>,
    /// Whose doing it is: `holder`, `fault` or `attack`.
    #[schema(value_type = String)]
    origin: Origin,
    /// Cards that it touched.
    cards: u32,
    /// Payments that it refused.
    refused: RefusedPayments,
    /// Cards whose tries still wait to be given back.
    to_restore: u32,
    /// Merchant, model, firmware and area.
    belongs: Belongs,
    /// What speaks for it and against it.
    evidence: Vec<Evidence>,
}

impl Incident {
    pub(super) fn new(view: &IncidentView, evidence: &[insight::Piece]) -> Self {
        let text = cause_text(view.cause);
        let facts = CauseFacts {
            cards: Some(view.cards),
            refused: Some(view.refused.0),
            terminal: (view.scope.kind == "terminal").then(|| view.scope.id.clone()),
            merchant: Some(view.belongs.merchant.clone()).filter(|name| !name.is_empty()),
            scope: Some(view.scope.name.clone()),
            ..CauseFacts::default()
        };
        Self {
            id: view.id,
            cause: view.cause.name(),
            title: Both::new(|lang| text.name(lang).to_owned()),
            sentence: Both::new(|lang| text.sentence(lang, &facts)),
            scope: Scope::new(&view.scope),
            onset: rfc3339(view.onset),
            detected: rfc3339(view.detected),
            last_seen: rfc3339(view.last_seen),
            ended: view.ended.map(rfc3339),
            confidence: view.confidence,
            certainty: Certainty::of(view.confidence).name(),
            status: status(view),
            assignee: view.assignee.clone(),
            second: view.second.map(Cause::name),
            origin: view.cause.origin(),
            cards: view.cards,
            refused: RefusedPayments { count: view.refused.0, sum: view.refused.1.0 },
            to_restore: view.to_restore,
            belongs: Belongs::new(&view.belongs),
            evidence: Evidence::all(evidence),
        }
    }
}

/// Where an incident stands: what people decided, else what the signs say.
pub(super) fn status(view: &IncidentView) -> &'static str {
    match (view.handling, view.status) {
        (Handling::Closed, _) => "closed",
        (_, Status::Absorbed) => "absorbed",
        (_, Status::Retracted) => "retracted",
        (_, Status::Over) => "over",
        (Handling::Seen, _) => "acknowledged",
        (Handling::New, Status::Provisional) => "provisional",
        (Handling::New, Status::Open) => "open",
    }
}

/// A stretch of time of which nothing is known; nothing is concluded across it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Gap {
    /// It begins.
    since: String,
    /// It ends.
    until: String,
    /// `silence`: nothing was decided for more than an hour; `clock-back`: the host's clock went back.
    kind: &'static str,
}

impl From<&insight::GapView> for Gap {
    fn from(gap: &insight::GapView) -> Self {
        let kind = if gap.clock { "clock-back" } else { "silence" };
        Self { since: rfc3339(gap.since), until: rfc3339(gap.until), kind }
    }
}

/// A part of the list of incidents, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IncidentPage {
    /// The incidents.
    pub(super) data: Vec<Incident>,
    /// The cursor of the next part.
    pub(super) next: Option<u64>,
    /// Is there a next part?
    pub(super) has_more: bool,
    /// What the diagnosis could not see, the newest first.
    pub(super) gaps: Vec<Gap>,
    /// Milliseconds that the diagnosis is behind the journal; payments come first.
    pub(super) behind_ms: i64,
}

/// A card that paid for a fault.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Harmed {
    /// The card's id.
    card: String,
    /// Masked number.
    pan: String,
    /// Is it locked now?
    locked: bool,
    /// Were the tries given back?
    restored: bool,
    /// What became of them: `waits`, `restored`, or `already-reset` by a right PIN or by staff.
    #[schema(example = "waits")]
    fate: &'static str,
}

impl Harmed {
    fn all(cards: &[HarmedCard]) -> Vec<Self> {
        let one = |card: &HarmedCard| Self {
            card: card.card.to_string(),
            pan: card.pan.to_string(),
            locked: card.locked,
            restored: card.fate == insight::Fate::Restored,
            fate: card.fate.name(),
        };
        cards.iter().map(one).collect()
    }
}

/// A step in an incident's life.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Step {
    /// When.
    at: String,
    /// `opened`, `revised`, `absorbed`, `ended`, `retracted`; by people `acknowledged`, `closed`, `reopened`, `assigned`, `note`, `restored` or `answered`.
    what: String,
    /// Who, if it was a person.
    by: Option<String>,
    /// What the diagnosis said then.
    cause: Option<&'static str>,
    /// How sure it was.
    confidence: Option<f32>,
    /// Note, number or name that goes with it.
    note: String,
}

/// What answered an incident, and what it changed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Answer {
    /// `rule`, `firmware`, `training` or `other`.
    kind: &'static str,
    /// Its name or version.
    name: String,
    /// Since when.
    at: String,
    /// Who named it.
    by: String,
    /// Incidents of the same cause for a week, in as much time before as after.
    before_per_week: f64,
    /// The same since then.
    after_per_week: f64,
    /// How long the time after is, in days.
    days: f64,
}

impl Answer {
    pub(super) fn all(answers: &[insight::Answer]) -> Vec<Self> {
        let one = |answer: &insight::Answer| Self {
            kind: answer.kind.name(),
            name: answer.name.clone(),
            at: rfc3339(answer.at),
            by: answer.by.clone(),
            before_per_week: answer.before,
            after_per_week: answer.after,
            days: answer.days,
        };
        answers.iter().map(one).collect()
    }

    /// In one cell of a table.
    pub(super) fn words(&self) -> String {
        let Self { kind, name, at, before_per_week, after_per_week, .. } = self;
        format!("{at} {kind} {name}: {before_per_week:.1} -> {after_per_week:.1} a week")
    }
}

/// One incident with everything around it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IncidentDetail {
    /// The incident.
    #[serde(flatten)]
    incident: Incident,
    /// The wider incident that explains it.
    parent: Option<u64>,
    /// What it explains.
    children: Vec<u64>,
    /// Card sessions from the first sign to the detection.
    sessions_to_detection: u32,
    /// What everybody does now.
    playbook: Playbook,
    /// What prevents the next one.
    prevention: Both,
    /// Cards on which it consumed tries.
    harmed: Vec<Harmed>,
    /// References of payments that it refused, newest first.
    refusals: Vec<String>,
    /// The newest of them.
    transactions: Vec<Transaction>,
    /// What became of it, oldest first.
    timeline: Vec<Step>,
    /// What answered it.
    answers: Vec<Answer>,
}

impl IncidentDetail {
    pub(super) fn new(detail: &insight::IncidentDetail, transactions: Vec<Transaction>) -> Self {
        let cause = detail.view.cause;
        let step = |step: &insight::Step| Step {
            at: rfc3339(step.at),
            what: step.what.clone(),
            by: step.by.clone(),
            cause: step.cause.map(|(cause, _)| cause.name()),
            confidence: step.cause.map(|(_, confidence)| confidence),
            note: step.note.clone(),
        };
        Self {
            incident: Incident::new(&detail.view, &detail.evidence),
            parent: detail.parent,
            children: detail.children.clone(),
            sessions_to_detection: detail.sessions_to_detection,
            playbook: Playbook::new(cause),
            prevention: Both::new(|lang| cause_text(cause).prevention(lang).to_owned()),
            harmed: Harmed::all(&detail.harmed),
            refusals: detail.refusals.clone(),
            transactions,
            timeline: detail.history.iter().map(step).collect(),
            answers: Answer::all(&detail.answers),
        }
    }
}

/// What became of the cards of an incident.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RestoredCards {
    /// The incident.
    incident: u64,
    /// Cards that got tries back now; 0 when all had them before.
    changed: u32,
    /// Every card that the incident cost tries.
    cards: Vec<Harmed>,
}

impl RestoredCards {
    pub(super) fn new(incident: u64, changed: u32, cards: &[HarmedCard]) -> Self {
        Self { incident, changed, cards: Harmed::all(cards) }
    }
}

/// It was done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Done {
    /// How many terminals it changed; 0 when it was done before.
    pub(super) changed: u32,
}
