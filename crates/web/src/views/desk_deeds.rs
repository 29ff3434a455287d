//! What the forms of the desk do. Each deed is the case's own ([`desk`] says whether it may be done), and afterwards the page from
//! which it came is shown again.

use std::{collections::BTreeMap, str::FromStr};

use axum::{
    Form,
    extract::{Path, State},
    response::Redirect,
};
use desk::{Case, Fact, Outcome, Priority, Proof, Refusal, WaitsOn};

use crate::{
    actor::Actor,
    case_acts::{self, Wanted},
    cases::{self, Origin, Said},
    contact::NewNumber,
    error::Failure,
    perform::Asked,
    router::Shared,
    visit::encode,
};

/// What a form sent, by name.
pub(crate) type Typed = BTreeMap<String, String>;

/// A field; empty when it is not there.
fn field<'t>(typed: &'t Typed, name: &str) -> &'t str {
    typed.get(name).map_or("", |text| text.trim())
}

fn one_of<T: FromStr>(typed: &Typed, name: &str, expected: &str) -> Result<T, Failure> {
    field(typed, name).parse().map_err(|_| Failure::not_understood(name, expected))
}

fn number(no: &str) -> Result<u32, Failure> {
    no.parse().map_err(|_| Failure::NotFound)
}

/// What was asked to prove who calls, if the form holds it.
fn proof(typed: &Typed) -> Result<Option<Proof>, Failure> {
    let method = field(typed, "method");
    if method.is_empty() {
        return Ok(None);
    }
    let count = |name: &str| one_of::<u8>(typed, name, "a number from 0 to 8");
    let unchanged = field(typed, "unchanged");
    let asked = typed.keys().filter_map(|name| name.strip_prefix("asked-")).map(str::to_owned).collect();
    Ok(Some(Proof {
        method: method.to_owned(),
        asked,
        right: count("right")?,
        wrong: count("wrong")?,
        contact_unchanged_h: if unchanged.is_empty() {
            None
        } else {
            Some(one_of(typed, "unchanged", "a number of hours")?)
        },
    }))
}

/// From where the form was sent.
fn origin(typed: &Typed) -> Result<Origin, Failure> {
    let of = |name: &'static str| Some(field(typed, name)).filter(|text| !text.is_empty());
    Ok(if let Some(rrn) = of("rrn") {
        Origin::Refusal(rrn.to_owned())
    } else if of("card").is_some() {
        Origin::Card(one_of(typed, "card", "a card's id")?)
    } else if of("incident").is_some() {
        Origin::Incident(one_of(typed, "incident", "an incident's number")?)
    } else if of("alarm").is_some() {
        Origin::Alarm(one_of(typed, "alarm", "an alarm's number")?)
    } else if let Some(terminal) = of("terminal") {
        Origin::Terminal(terminal.to_owned())
    } else {
        Origin::Nothing
    })
}

/// `POST /cases`: opens a case, and records the proof of identity if the form held one.
pub(crate) async fn open(
    State(state): State<Shared>,
    actor: Actor,
    Form(typed): Form<Typed>,
) -> Result<Redirect, Failure> {
    let source = match field(&typed, "source") {
        "" => None,
        _ => Some(one_of(&typed, "source", "how a case comes")?),
    };
    let said = Said {
        source,
        priority: None,
        summary: field(&typed, "summary").to_owned(),
        caller: field(&typed, "caller").to_owned(),
    };
    let (no, _) = cases::open(&state, &actor, &origin(&typed)?, &said).await?;
    if let Some(proof) = proof(&typed)? {
        case_acts::prove(&state, &actor, no, proof).await?;
    }
    if field(&typed, "then") == "code" {
        case_acts::send_code(&state, &actor, no).await?;
    }
    back(&state, no, &typed).await
}

/// What is asked for about the card; none when the deed is another.
fn wanted(deed: &str, typed: &Typed) -> Result<Option<Wanted>, Failure> {
    Ok(match deed {
        "unlock" => Some(Wanted::Unlock),
        "reset-pin" => Some(Wanted::ResetPin),
        "change-contact" => {
            let number = NewNumber::typed(field(typed, "number"), field(typed, "language"))?;
            Some(Wanted::ChangeContact(number))
        }
        _ => None,
    })
}

/// To the page that the form came from: the caller's screen, or the case.
async fn back(state: &Shared, no: u32, typed: &Typed) -> Result<Redirect, Failure> {
    if field(typed, "back") == "caller" {
        let subject =
            state.web.cases.look(|desk, _| desk.case(no).map(|case| case.opened.subject.clone())).await?;
        let subject = subject.map_err(Failure::from)?;
        if let Some(card) = subject.card {
            return Ok(Redirect::to(&format!("/caller?card={card}")));
        }
        if let Some(terminal) = subject.terminal {
            return Ok(Redirect::to(&format!("/caller?q={}", encode(&terminal))));
        }
    }
    Ok(Redirect::to(&format!("/cases/{no}")))
}

/// A deed that needs nothing but the case and the form.
fn simple(deed: &str, case: &Case, typed: &Typed, by: &str) -> Option<Result<Fact, Refusal>> {
    let (text, why) = (field(typed, "text"), field(typed, "why"));
    let none = |part, expected| Err(Refusal::NotUnderstood { part, expected });
    Some(match deed {
        "assign" => case.assign(Some(field(typed, "to")).filter(|to| !to.is_empty()), by),
        "note" => case.note(text, by),
        "wait" => match field(typed, "on").parse::<WaitsOn>() {
            Ok(on) => case.wait(on, why, by),
            Err(_) => none("on", "customer, second-person or engineer"),
        },
        "resume" => case.resume(why, by),
        "reopen" => case.reopen(why, by),
        "priority" => match field(typed, "priority").parse::<Priority>() {
            Ok(priority) => case.prioritise(priority, why, by),
            Err(_) => none("priority", "urgent, high, normal or low"),
        },
        _ => return None,
    })
}

/// `POST /cases/{case}/{deed}`.
pub(crate) async fn act(
    State(state): State<Shared>,
    actor: Actor,
    Path((no, deed)): Path<(String, String)>,
    Form(typed): Form<Typed>,
) -> Result<Redirect, Failure> {
    let no = number(&no)?;
    let by = actor.name();
    if let Some(wanted) = wanted(&deed, &typed)? {
        let asked = case_acts::ask(&state, &actor, no, &wanted, field(&typed, "why")).await?;
        return match (&asked, field(&typed, "back")) {
            (Asked::Waits(proposal), "case") => Ok(Redirect::to(&format!("/proposals#{proposal}"))),
            _ => back(&state, no, &typed).await,
        };
    }
    match deed.as_str() {
        "code" => {
            case_acts::send_code(&state, &actor, no).await?;
        }
        // The page that it goes back to says whether it was right.
        "check-code" => {
            case_acts::check_code(&state, &actor, no, field(&typed, "code")).await?;
        }
        "identity" => {
            let proof =
                proof(&typed)?.ok_or_else(|| Failure::not_understood("method", "a way to prove it"))?;
            case_acts::prove(&state, &actor, no, proof).await?;
        }
        "step" => {
            let (step, note) = (field(&typed, "step"), field(&typed, "text"));
            cases::act(&state, &actor, "case.step", no, |desk, house, now| {
                desk.step(house, no, step, note, by, now)
            })
            .await?;
        }
        "answer" => {
            let (reply, text) = (field(&typed, "reply"), field(&typed, "text"));
            cases::act(&state, &actor, "case.answer", no, |desk, house, _| {
                desk.case(no)?.answer(house, reply, text, by)
            })
            .await?;
        }
        "close" => {
            let outcome: Outcome = one_of(&typed, "outcome", "how a case ends")?;
            case_acts::close(&state, &actor, no, outcome, field(&typed, "text")).await?;
        }
        other => {
            cases::act(&state, &actor, &format!("case.{other}"), no, |desk, _, _| {
                simple(other, desk.case(no)?, &typed, by).unwrap_or(Err(Refusal::NoCase))
            })
            .await?;
        }
    }
    back(&state, no, &typed).await
}
