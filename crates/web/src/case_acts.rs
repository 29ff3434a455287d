//! What a case may ask for about its card, once its caller proved who they are: an early unlock, a reset of the PIN, another number
//! for messages; and what the desk sends from a case: the code that proves who calls, and the question after it is closed.
//!
//! [`desk`] says whether it may be asked for, [`perform`] has a second person decide; the case waits for that person and has in its
//! history what was decided.

use desk::{Action, CODE_METHOD, CaseNo, Level, Outcome, Proof, Refusal, SentCode, Subject, WaitsOn};
use model::CardId;
use sms::{Kind, Order};
use zeroize::Zeroizing;

use crate::{
    actor::Actor,
    cases,
    contact::{self, NewNumber},
    error::Failure,
    perform::{self, Asked, Proven},
    router::Shared,
    service,
    visit::encode,
};

/// What is asked for.
pub(crate) enum Wanted {
    /// The release of the lock.
    Unlock,
    /// A reset of the PIN.
    ResetPin,
    /// Another number for messages.
    ChangeContact(NewNumber),
}

impl Wanted {
    fn action(&self) -> Action {
        match self {
            Self::Unlock => Action::Unlock,
            Self::ResetPin => Action::ResetPin,
            Self::ChangeContact(_) => Action::ChangeContact,
        }
    }
}

/// Asks for it, if identity is proven far enough; it is written into the case, which waits for the second person.
pub(crate) async fn ask(
    state: &Shared,
    by: &Actor,
    no: CaseNo,
    wanted: &Wanted,
    why: &str,
) -> Result<Asked, Failure> {
    let desk_action = wanted.action();
    let looked = state
        .web
        .cases
        .look(|desk, now| {
            let admitted = desk.admit(state.web.cases.house(), no, desk_action, now)?;
            Ok::<_, Refusal>((admitted, desk.case(no)?.opened.subject.clone()))
        })
        .await?;
    let (admitted, subject) = match looked {
        Ok(found) => found,
        Err(refusal) => {
            let verb = format!("case.{}", desk_action.name());
            cases::note_refused(state, by, &verb, no, &refusal.to_string()).await?;
            return Err(refusal.into());
        }
    };
    let action = action(state, no, admitted.level(), &subject, wanted).await?;
    let asked = perform::ask(state, by, action, why).await?;
    let proposal = match &asked {
        Asked::Waits(id) => Some(id.as_str()),
        Asked::Done(_) => None,
    };
    state.web.cases.act(|desk, _, _| desk.asked(no, &admitted, proposal, by.name())).await?;
    if proposal.is_some() {
        let waits = state
            .web
            .cases
            .act(|desk, _, _| desk.case(no)?.wait(WaitsOn::SecondPerson, desk_action.name(), by.name()))
            .await;
        waits.map(drop)?;
    }
    Ok(asked)
}

async fn action(
    state: &Shared,
    case: CaseNo,
    level: Level,
    subject: &Subject,
    wanted: &Wanted,
) -> Result<perform::Action, Failure> {
    let card = subject.card.ok_or(Failure::NotFound)?;
    let pan = service::card_by_id(state, &card).await?.ok_or(Failure::NotFound)?.record.pan.to_string();
    let proven = Some(Proven { case, level });
    Ok(match wanted {
        Wanted::Unlock => {
            perform::Action::ForCase { case, level, card, pan, what: authorization::desk::Action::Unlock }
        }
        Wanted::ResetPin => perform::Action::ResetPin { card, pan, proven },
        Wanted::ChangeContact(number) => {
            let change = contact::asked_for(state, card, number).await?;
            perform::Action::ChangeContact { card, pan, change, proven }
        }
    })
}

/// Records what was asked to prove who calls. Where messages can be sent, nobody types that a code was right: the program looks.
pub(crate) async fn prove(state: &Shared, by: &Actor, no: CaseNo, proof: Proof) -> Result<(), Failure> {
    if proof.method == CODE_METHOD && state.web.confirmations.is_some() {
        return Err(Failure::Conflict(
            "a code is sent from the case and looked at there; what it proves is not recorded by hand"
                .to_owned(),
        ));
    }
    cases::act(state, by, "case.identity", no, |desk, house, _| {
        desk.prove(house, no, proof.clone(), by.name())
    })
    .await
}

/// Sends the code that proves who calls to the number on file; returns where it went, with stars.
pub(crate) async fn send_code(state: &Shared, by: &Actor, no: CaseNo) -> Result<String, Failure> {
    let confirmations = state.web.confirmations.as_ref().ok_or_else(perform::shows_only)?;
    let card = card_of(state, no).await?;
    let code = confirmations.identity_code(card, no).await?;
    let to = code.to().to_owned();
    let sent = SentCode {
        digest: code.digest().to_owned(),
        to: to.clone(),
        until: code.until(),
        unchanged_h: code.unchanged_h(),
    };
    // First it is known, then it leaves: a code that arrives can be looked at.
    cases::act(state, by, "case.send-code", no, |desk, house, now| {
        desk.send_code(house, no, sent.clone(), by.name(), now)
    })
    .await?;
    confirmations.send_identity_code(code).await?;
    Ok(to)
}

/// Is it the code? Looks at what the caller read out; that it was wrong is counted before it is said.
pub(crate) async fn check_code(state: &Shared, by: &Actor, no: CaseNo, typed: &str) -> Result<bool, Failure> {
    let confirmations = state.web.confirmations.as_ref().ok_or_else(perform::shows_only)?;
    let card = card_of(state, no).await?;
    let mut right = false;
    cases::act(state, by, "case.check-code", no, |desk, house, now| {
        let fits = |digest: &str| {
            right = confirmations.is_identity_code(card, no, typed, digest);
            right
        };
        desk.check_code(house, no, fits, by.name(), now)
    })
    .await?;
    Ok(right)
}

async fn card_of(state: &Shared, no: CaseNo) -> Result<CardId, Failure> {
    let case = state.web.cases.look(|desk, _| desk.case(no).map(|case| case.opened.subject.card)).await?;
    case.map_err(Failure::from)?.ok_or_else(|| Refusal::NoCard.into())
}

/// Closes a case, and sends its holder the question, where one is reached.
pub(crate) async fn close(
    state: &Shared,
    by: &Actor,
    no: CaseNo,
    outcome: Outcome,
    words: &str,
) -> Result<(), Failure> {
    state.web.cases.close(no, outcome, words, by.name()).await?;
    cases::note(state, by, "case.close", no, words).await?;
    if matches!(outcome, Outcome::Solved | Outcome::Explained | Outcome::HandedOn)
        && let Err(error) = send_question(state, no).await
    {
        // The link stands in the case; the case is closed in any way.
        tracing::warn!(case = no, %error, "the question after a case was not sent");
    }
    Ok(())
}

async fn send_question(state: &Shared, no: CaseNo) -> Result<(), Failure> {
    let (Some(messages), Some(token)) = (&state.web.messages, state.web.cases.survey_token(no).await?) else {
        return Ok(());
    };
    let case = state.web.cases.look(|desk, _| desk.case(no).map(|case| case.opened.subject.card)).await?;
    let Some(card) = case.map_err(Failure::from)? else { return Ok(()) };
    let Some(contact) = messages.contacts.of(card).await? else { return Ok(()) };
    // Whoever has just had the number changed learns nothing about what was done here.
    if contact.held_until(crate::format::now()).is_some() {
        return Ok(());
    }
    let value = |text: String| Zeroizing::new(text);
    let link = format!("{}/survey/{}", messages.address, encode(&token));
    let values = vec![("case", value(no.to_string())), ("link", value(link))];
    let kind = Kind::SurveyLink;
    let order = Order { to: contact.number, card: Some(card), kind, language: contact.language, values };
    messages.service.send(order).await?;
    Ok(())
}
