//! Doing what one person may do alone, and what two decided: the one place that every action of pages and API goes through.
//!
//! An [`Action`] is data. It is shown in words before it is done, kept as JSON while it waits for a second person, and read again
//! from there, so that what happens is what was shown.

use authorization::desk;
use model::{CardId, Timestamp};
use office::{Noted, Proposed, Request};
use risk::{Change, register::Refusal};
use serde::{Deserialize, Serialize};
use staff::Permission;
use store::{DeskWork, StoreError, WorkError, journal::DeskAction};

use crate::{
    actor::Actor,
    contact,
    error::Failure,
    format::{mask_digits, now},
    insight::{Deed, Done},
    router::Shared,
    rules::{Kept, NotDone},
};

/// The longest reason.
const WHY_MAX: usize = 500;

/// Something that changes the world outside the office.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub(crate) enum Action {
    /// Staff act on a card.
    Card {
        /// Which.
        card: CardId,
        /// Its masked number, for people.
        pan: String,
        /// What.
        what: desk::Action,
    },
    /// The same, asked for in a case at the desk whose caller proved who they are.
    ForCase {
        /// The case.
        case: u32,
        /// How far.
        level: ::desk::Level,
        /// Which card.
        card: CardId,
        /// Its masked number, for people.
        pan: String,
        /// What.
        what: desk::Action,
    },
    /// The PIN of a card is reset: the holder sets a new one by a link.
    ResetPin {
        /// Which.
        card: CardId,
        /// Its masked number, for people.
        pan: String,
        /// The case that asks, and how far its caller proved who they are.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proven: Option<Proven>,
    },
    /// The holder gets messages at another number.
    ChangeContact {
        /// Which.
        card: CardId,
        /// Its masked number, for people.
        pan: String,
        /// From which number to which.
        change: contact::Change,
        /// The case that asks, and how far its caller proved who they are.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proven: Option<Proven>,
    },
    /// The holder is sent the link to the card's page.
    SendPage {
        /// Which.
        card: CardId,
        /// Its masked number, for people.
        pan: String,
    },
    /// Gives back the tries that an incident cost its cards.
    RestoreTries {
        /// The incident.
        incident: u64,
    },
    /// Makes a rule set the live one.
    PublishRules {
        /// Its version.
        digest: String,
        /// Its name, for people.
        name: String,
    },
    /// Puts a rule back that the circuit breaker had demoted.
    RestoreRule {
        /// The rule.
        rule: String,
    },
}

/// A case at the desk that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Proven {
    /// The case.
    pub(crate) case: u32,
    /// How far its caller proved who they are.
    pub(crate) level: ::desk::Level,
}

/// What stands in words about that.
fn by_whom(proven: Option<&Proven>) -> String {
    match proven {
        Some(Proven { case, level }) => format!("case {case}, identity proven to {level}"),
        None => "outside a case: nobody proved who they are".to_owned(),
    }
}

/// What became of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    /// It was done.
    Done(String),
    /// It waits for a second person, under this id.
    Waits(String),
}

impl Action {
    /// What is needed to do it, or to ask for it.
    fn permission(&self) -> Permission {
        match self {
            Self::Card { what, .. } | Self::ForCase { what, .. } => match what {
                desk::Action::Unlock | desk::Action::PassStepUp | desk::Action::Unrestrict => {
                    Permission::UnlockCard
                }
                desk::Action::Block | desk::Action::BlockLost | desk::Action::BlockStolen => {
                    Permission::BlockCard
                }
                desk::Action::Unblock => Permission::UnblockCard,
            },
            Self::ResetPin { .. } => Permission::ResetPin,
            Self::ChangeContact { .. } => Permission::ChangeContact,
            Self::SendPage { .. } => Permission::ViewCards,
            Self::RestoreTries { .. } => Permission::RestoreTries,
            Self::PublishRules { .. } | Self::RestoreRule { .. } => Permission::PublishRules,
        }
    }

    /// To what.
    fn object(&self) -> (&'static str, String) {
        match self {
            Self::Card { card, .. }
            | Self::ForCase { card, .. }
            | Self::ResetPin { card, .. }
            | Self::ChangeContact { card, .. }
            | Self::SendPage { card, .. } => ("card", card.to_string()),
            Self::RestoreTries { incident } => ("incident", incident.to_string()),
            Self::PublishRules { digest, .. } => ("rules", digest.clone()),
            Self::RestoreRule { rule } => ("rule", rule.clone()),
        }
    }

    /// What it is called, for the log.
    fn verb(&self) -> String {
        match self {
            Self::Card { what, .. } | Self::ForCase { what, .. } => {
                format!("card.{}", DeskAction::name(*what))
            }
            Self::ResetPin { .. } => "card.reset-pin".to_owned(),
            Self::ChangeContact { .. } => "card.change-contact".to_owned(),
            Self::SendPage { .. } => "card.send-page".to_owned(),
            Self::RestoreTries { .. } => "incident.restore-tries".to_owned(),
            Self::PublishRules { .. } => "rules.publish".to_owned(),
            Self::RestoreRule { .. } => "rules.restore-rule".to_owned(),
        }
    }

    /// What it will do, in words.
    pub(crate) fn consequence(&self) -> String {
        match self {
            Self::Card { pan, what: desk::Action::Unlock, .. } => {
                format!("unlock {pan} (outside a case: nobody proved who they are)")
            }
            Self::Card { pan, what, .. } => format!("{} {pan}", DeskAction::name(*what)),
            Self::ForCase { case, level, pan, what, .. } => {
                format!("{} {pan} (case {case}, identity proven to {level})", DeskAction::name(*what))
            }
            Self::ResetPin { pan, proven, .. } => {
                format!(
                    "reset the PIN of {pan}: the old one is worth nothing, and the holder gets a link to set another ({})",
                    by_whom(proven.as_ref())
                )
            }
            Self::ChangeContact { pan, change, proven, .. } => {
                format!(
                    "change the number for messages about {pan} {} ({})",
                    change.words(),
                    by_whom(proven.as_ref())
                )
            }
            Self::SendPage { pan, .. } => format!("send the holder of {pan} the link to the card's page"),
            Self::RestoreTries { incident } => {
                format!("restore the tries that incident {incident} cost, on every card that waits for them")
            }
            Self::PublishRules { digest, name } => {
                format!(
                    "make the rule set {name} ({digest:.10}) the live one: its rules act on every payment"
                )
            }
            Self::RestoreRule { rule } => {
                format!("put the rule {rule} back that the circuit breaker demoted: it acts again")
            }
        }
    }

    /// Does it in the name of who asked; `checker` is the second person, if one decided.
    async fn perform(
        &self,
        state: &Shared,
        maker: &str,
        checker: Option<&str>,
        why: &str,
    ) -> Result<String, Failure> {
        let actor =
            checker.map_or_else(|| maker.to_owned(), |checker| format!("{maker}, approved by {checker}"));
        match self {
            Self::RestoreTries { incident } => {
                let deed = Deed::RestoreTries {
                    incident: *incident,
                    reviewer: checker.unwrap_or_default().to_owned(),
                    why: why.to_owned(),
                };
                let done = state.web.insight.act(deed, maker, now()).await?;
                Ok(format!("{}: {} cards", self.consequence(), done.changed))
            }
            Self::PublishRules { .. } | Self::RestoreRule { .. } => {
                let checker =
                    checker.ok_or_else(|| Failure::Conflict("a second person decides".to_owned()))?;
                let at = now();
                let done = match self {
                    Self::RestoreRule { rule } => {
                        let decide = |kept: &Kept| kept.register.restore(rule, maker, checker, at);
                        state.web.rules.change(at, decide).await.map(drop)
                    }
                    Self::PublishRules { digest, .. } => {
                        state.web.rules.publish(digest, maker, checker, at).await
                    }
                    Self::Card { .. }
                    | Self::ForCase { .. }
                    | Self::ResetPin { .. }
                    | Self::ChangeContact { .. }
                    | Self::SendPage { .. }
                    | Self::RestoreTries { .. } => Ok(()),
                };
                done.map(|()| self.consequence()).map_err(|not_done| match not_done {
                    NotDone::Refused(Refusal::UnknownVersion) => Failure::NotFound,
                    NotDone::Refused(refusal) => Failure::Conflict(refusal.to_string()),
                    NotDone::Store(error) => error.into(),
                })
            }
            Self::ResetPin { card, .. } => reset_pin(state, card, &actor, why).await,
            Self::ChangeContact { card, change, .. } => {
                let told = contact::change(state, *card, change, &actor).await?;
                Ok(format!("{}{told}", self.consequence()))
            }
            Self::SendPage { card, .. } => {
                let desk = state.web.holder.as_ref().ok_or_else(shows_only)?;
                Ok(format!("link sent to {}", desk.send_page(card).await?))
            }
            Self::Card { card, what, .. } => {
                on_card(state, card, *what, actor, why).await?;
                Ok(self.consequence())
            }
            Self::ForCase { card, what, .. } => {
                on_card(state, card, *what, actor, why).await?;
                Ok(self.consequence())
            }
        }
    }

    /// The case that asked for it, if one did.
    fn case(&self) -> Option<u32> {
        match self {
            Self::ForCase { case, .. } => Some(*case),
            Self::ResetPin { proven, .. } | Self::ChangeContact { proven, .. } => proven.map(|p| p.case),
            Self::Card { .. }
            | Self::SendPage { .. }
            | Self::RestoreTries { .. }
            | Self::PublishRules { .. }
            | Self::RestoreRule { .. } => None,
        }
    }

    /// What it is called in a case.
    fn in_case(&self) -> &'static str {
        match self {
            Self::ForCase { what, .. } => DeskAction::name(*what),
            Self::ChangeContact { .. } => ::desk::Action::ChangeContact.name(),
            _ => ::desk::Action::ResetPin.name(),
        }
    }

    /// The card whose changed contact holds it.
    fn held_for(&self) -> Option<CardId> {
        match self {
            Self::Card { card, what: desk::Action::Unlock, .. }
            | Self::ForCase { card, what: desk::Action::Unlock, .. }
            | Self::ResetPin { card, .. } => Some(*card),
            _ => None,
        }
    }
}

async fn reset_pin(state: &Shared, card: &CardId, actor: &str, why: &str) -> Result<String, Failure> {
    let desk = state.web.holder.as_ref().ok_or_else(shows_only)?;
    let reset = desk.reset_pin(card, actor, why).await?;
    let sent = reset.not_sent.map_or_else(String::new, |why| format!(", but {why}"));
    Ok(format!("PIN reset, link for {}{sent}", reset.to))
}

pub(crate) fn shows_only() -> Failure {
    Failure::Conflict("this console only shows".to_owned())
}

/// The card's own journal says who did it and why.
async fn on_card(
    state: &Shared,
    card: &CardId,
    what: desk::Action,
    actor: String,
    why: &str,
) -> Result<(), Failure> {
    let store = state.web.store.as_ref().ok_or_else(shows_only)?;
    let mut work = DeskWork { action: what, actor, why: why.to_owned(), now: now() };
    match store.with_card(card, &mut work).await {
        Ok(_) => Ok(()),
        Err(WorkError::Decide(error)) => Err(Failure::Conflict(error.to_string())),
        Err(WorkError::UnknownSubject) => Err(Failure::NotFound),
        Err(WorkError::Store(error)) => Err(error.into()),
        Err(WorkError::Unknown(why)) => Err(Failure::StoreAway(why)),
    }
}

/// Whoever answers callers unlocks, resets and changes a contact in a case only; a supervisor may ask for it outside one, and
/// whoever approves sees that.
fn needs_case(action: &Action, by: &Actor) -> bool {
    let about_holder = matches!(
        action,
        Action::Card { what: desk::Action::Unlock, .. }
            | Action::ResetPin { .. }
            | Action::ChangeContact { .. }
    );
    about_holder && action.case().is_none() && !by.0.roles.contains(&staff::Role::Supervisor)
}

/// Does an action, or keeps it until a second person has decided.
pub(crate) async fn ask(state: &Shared, by: &Actor, action: Action, why: &str) -> Result<Asked, Failure> {
    if let (Action::ResetPin { card, .. }, Some(desk)) = (&action, &state.web.holder) {
        // Nobody waits for a second person in vain.
        if let Some(until) = desk.held_until(card).await? {
            return Err(holder::NotReset::OnHold { until }.into());
        }
    }
    if let Some(card) = action.held_for() {
        contact::held(state, card).await?;
    }
    let why = why.trim();
    if why.is_empty() || why.chars().count() > WHY_MAX {
        return Err(Failure::not_understood("why", "a reason in a sentence, at most 500 characters"));
    }
    if by.is_signed_in() && needs_case(&action, by) {
        return Err(Failure::Conflict(
            "it is asked for in a case, after the caller proved who they are: open one at /caller; outside a case a supervisor asks for it".to_owned(),
        ));
    }
    if let Some(office) = &state.web.office {
        let request = Request {
            permission: action.permission(),
            action: serde_json::to_string(&action).map_err(|e| Failure::Internal(e.to_string()))?,
            consequence: action.consequence(),
            why: why.to_owned(),
        };
        // In a sandbox where nobody signed in there is no second person to ask.
        let alone = !by.is_signed_in();
        match office.propose(&by.0, &request, alone).await? {
            Proposed::Waits(id) => return Ok(Asked::Waits(id)),
            Proposed::DoIt => {}
        }
    }
    let done = action.perform(state, by.name(), None, why).await;
    note(state, by, &action, why, done.is_ok()).await?;
    done.map(Asked::Done)
}

/// Approves what was shown, and does it.
pub(crate) async fn approve(state: &Shared, by: &Actor, id: &str, shown: &str) -> Result<String, Failure> {
    let office = state.web.office.as_deref().ok_or(Failure::NotFound)?;
    let proposal = office.approve(&by.0, id, shown).await?;
    let action: Action = proposal
        .read(|text| serde_json::from_str(text).ok())
        .ok_or_else(|| Failure::Conflict("this program does not know the action".to_owned()))?;
    // The contact may have been changed after it was asked for.
    let held = match action.held_for() {
        Some(card) => contact::held(state, card).await,
        None => Ok(()),
    };
    let done = match held {
        Ok(()) => action.perform(state, &proposal.maker.name, Some(by.name()), &proposal.why).await,
        Err(held) => Err(held),
    };
    tell_case(state, by, &action, &decided_words(&done, by.name())).await;
    note(state, by, &action, &proposal.why, done.is_ok()).await?;
    let result = match &done {
        Ok(result) => result.clone(),
        Err(failure) => format!("not done: {failure}"),
    };
    office.done(&by.0, id, &result).await?;
    done
}

/// Turns down what was asked for; a case that waited for it goes on.
pub(crate) async fn decline(state: &Shared, by: &Actor, id: &str, why: &str) -> Result<(), Failure> {
    let office = state.web.office.as_deref().ok_or(Failure::NotFound)?;
    office.decline(&by.0, id, why).await?;
    let action = asked_in(office, id).await?;
    if let Some(action) = action {
        tell_case(state, by, &action, &format!("declined: {why}")).await;
    }
    Ok(())
}

/// Takes back what one asked for; a case that waited for it goes on.
pub(crate) async fn withdraw(state: &Shared, by: &Actor, id: &str) -> Result<(), Failure> {
    let office = state.web.office.as_deref().ok_or(Failure::NotFound)?;
    office.withdraw(&by.0, id).await?;
    if let Some(action) = asked_in(office, id).await? {
        tell_case(state, by, &action, "taken back").await;
    }
    Ok(())
}

/// What a proposal asks for, if this program knows it.
async fn asked_in(office: &office::Office, id: &str) -> Result<Option<Action>, Failure> {
    Ok(serde_json::from_str(&office.proposal(id).await?.action).ok())
}

fn decided_words(done: &Result<String, Failure>, checker: &str) -> String {
    match done {
        Ok(_) => format!("done, approved by {checker}"),
        Err(failure) => format!("approved by {checker}, not done: {failure}"),
    }
}

async fn tell_case(state: &Shared, by: &Actor, action: &Action, words: &str) {
    if let Some(case) = action.case() {
        crate::cases::decided(state, case, &format!("{}: {words}", action.in_case()), by.name()).await;
    }
}

/// Does what one person may do alone about verdicts, incidents and terminals, and writes it into the log.
pub(crate) async fn deed(state: &Shared, by: &Actor, deed: Deed) -> Result<Done, Failure> {
    let (verb, kind, id, why) = match &deed {
        Deed::RestoreTries { incident, why, .. } => {
            ("incident.restore-tries", "incident", incident.to_string(), why.clone())
        }
        Deed::Confirm { rrn, why } => ("verdict.confirm", "transaction", rrn.clone(), why.clone()),
        Deed::Contradict { rrn, why, .. } => ("verdict.contradict", "transaction", rrn.clone(), why.clone()),
        Deed::Handle { incident, note, .. } => {
            ("incident.handle", "incident", incident.to_string(), note.clone())
        }
        Deed::Assign { incident, to } => {
            ("incident.assign", "incident", incident.to_string(), to.clone().unwrap_or_default())
        }
        Deed::Note { incident, text } => ("incident.note", "incident", incident.to_string(), text.clone()),
        Deed::Answer { incident, name, .. } => {
            ("incident.answer", "incident", incident.to_string(), name.clone())
        }
        Deed::SuspendTerminal { terminal, why } => {
            ("terminal.suspend", "terminal", terminal.clone(), why.clone())
        }
        Deed::ForceSignIn { terminal, why } => {
            ("terminal.force-sign-in", "terminal", terminal.clone(), why.clone())
        }
    };
    let done = state.web.insight.act(deed, by.name(), now()).await;
    if let Some(office) = &state.web.office {
        let noted = if done.is_ok() { Noted::done(verb) } else { Noted::refused(verb) };
        office.note(&by.0, noted.about(kind, &id).because(&why)).await?;
    }
    Ok(done?)
}

/// Writes into the log what somebody did about alarms, and what became of it.
pub(crate) async fn noted<T, E: Into<Failure>>(
    state: &Shared,
    by: &Actor,
    verb: &str,
    (kind, id, why): (&str, &str, &str),
    done: Result<T, E>,
) -> Result<T, Failure> {
    if let Some(office) = &state.web.office {
        let noted = if done.is_ok() { Noted::done(verb) } else { Noted::refused(verb) };
        office.note(&by.0, noted.about(kind, id).because(&mask_digits(why, &[]))).await?;
    }
    done.map_err(Into::into)
}

/// Changes something about rules that one person may change alone, and writes it into the log.
pub(crate) async fn about_rules(
    state: &Shared,
    by: &Actor,
    at: Timestamp,
    decide: impl FnMut(&Kept) -> Result<Change, Refusal> + Send,
) -> Result<Change, NotDone> {
    let change = state.web.rules.change(at, decide).await?;
    let (verb, kind, id, why) = match &change {
        Change::Drafted { digest, .. } => ("rules.draft", "rules", digest, ""),
        Change::Shadowed { digest, .. } => ("rules.shadow", "rules", digest, ""),
        Change::Requested { digest, .. } => ("rules.request", "rules", digest, ""),
        Change::Activated { digest, .. } => ("rules.publish", "rules", digest, ""),
        Change::Withdrawn { digest, .. } => ("rules.withdraw", "rules", digest, ""),
        Change::Demoted { rule, .. } => ("rules.demote-rule", "rule", rule, ""),
        Change::Restored { rule, .. } => ("rules.restore-rule", "rule", rule, ""),
        Change::Snoozed { rule, why, .. } => ("rules.snooze", "rule", rule, why.as_str()),
        Change::SnoozeEnded { rule, .. } => ("rules.snooze-end", "rule", rule, ""),
        Change::Listed { list, why, .. } => ("rules.list", "list", list, why.as_str()),
        Change::Unlisted { list, .. } => ("rules.unlist", "list", list, ""),
    };
    if let Some(office) = &state.web.office {
        let noted = office.note(&by.0, Noted::done(verb).about(kind, id).because(why)).await;
        noted.map_err(|error| NotDone::Store(StoreError::Away(error.to_string())))?;
    }
    Ok(change)
}

async fn note(state: &Shared, by: &Actor, action: &Action, why: &str, done: bool) -> Result<(), Failure> {
    let Some(office) = &state.web.office else { return Ok(()) };
    let (kind, id) = action.object();
    let verb = action.verb();
    let noted = if done { Noted::done(&verb) } else { Noted::refused(&verb) };
    Ok(office.note(&by.0, noted.about(kind, &id).because(why)).await?)
}
