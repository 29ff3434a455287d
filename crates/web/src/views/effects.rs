//! What a decision changed, in words. Effects come as the journal writes them; one that this version does not know is
//! shown as it is.

use maud::{Markup, html};
use model::{Amount, Currency, Timestamp};
use serde_json::Value;

use crate::{format::money, visit::Visit};

/// One effect.
pub(crate) fn words(visit: &Visit, effect: &Value, currency: Currency) -> Markup {
    match known(visit, effect, currency) {
        Some(text) => html! { (text) },
        None => html! { code { (effect.to_string()) } },
    }
}

fn known(visit: &Visit, effect: &Value, currency: Currency) -> Option<String> {
    let say = visit.say;
    let (name, body) = match effect {
        Value::String(name) => (name.as_str(), &Value::Null),
        Value::Object(map) => map.iter().next().map(|(name, body)| (name.as_str(), body))?,
        _ => return None,
    };
    let number = |key: &str| body.get(key).and_then(Value::as_i64);
    let at = |value: &Value| value.as_i64().map(|ms| visit.clock.full(Timestamp(ms)));
    let amount = |key: &str| number(key).map(|minor| money(Amount(minor), currency));
    let text = match name {
        "count-try" => say.with("effect-count-try", [("used", number("counter")?.into())]),
        "reset-tries" => say.t("effect-reset-tries"),
        "lock" => match body.get("lock")?.get("until").and_then(at) {
            Some(until) => say.with("effect-lock", [("until", until.into())]),
            None => say.t("effect-lock-staff"),
        },
        "unlock" if body.get("by")?.as_str()? == "time" => say.t("effect-unlock-time"),
        "unlock" if body.get("by")?.as_str()? == "new-pin" => say.t("effect-unlock-new-pin"),
        "unlock" => say.t("effect-unlock-staff"),
        "require-step-up" => say.t("effect-require-step-up"),
        "step-up-passed" => say.with("effect-step-up-passed", [("until", at(body.get("until")?)?.into())]),
        "restrict" => {
            let restriction = body.get("restriction")?;
            let max = money(Amount(restriction.get("max_amount")?.as_i64()?), currency);
            say.with(
                "effect-restrict",
                [("max", max.into()), ("until", at(restriction.get("until")?)?.into())],
            )
        }
        "step-up" => step_up(visit, body.get("change")?)?.into(),
        "unrestrict" => say.t("effect-unrestrict"),
        "restore-tries" => {
            let restored = body.get("restored")?;
            let count = restored.get("transactions")?.as_array()?.len();
            let incident = restored.get("incident")?.as_i64()?;
            say.with(
                "effect-restore-tries",
                [("count", (count as i64).into()), ("incident", incident.into())],
            )
        }
        "post" => say.with("effect-post", [("delta", amount("delta")?.into())]),
        "hold" => say.with("effect-hold", [("delta", amount("delta")?.into())]),
        "remember" => say.t("effect-remember"),
        "mark" => say.with("effect-mark", [("status", status(visit, body.get("status")?.as_str()?).into())]),
        "set-block" => match body.get("block")?.as_str() {
            Some(block) => say.with("effect-block", [("block", block_words(visit, block).into())]),
            None => say.t("effect-unblock"),
        },
        _ => return of_pin(visit, name, body).or_else(|| of_desk_or_terminal(visit, name, body)),
    };
    Some(text.into_owned())
}

/// What became of the card's PIN.
fn of_pin(visit: &Visit, name: &str, body: &Value) -> Option<String> {
    let say = visit.say;
    let text = match name {
        "set-pin" => say.t("effect-set-pin"),
        "reset-pin" => {
            let until = Timestamp(body.get("reset")?.get("until")?.as_i64()?);
            say.with("effect-reset-pin", [("until", visit.clock.full(until).into())])
        }
        "fail-activation" => {
            say.with("effect-fail-activation", [("failed", body.get("failed")?.as_i64()?.into())])
        }
        "require-pin-change" => say.t("effect-require-pin-change"),
        "remind-pin-age" => say.with("effect-remind-pin-age", [("days", body.get("days")?.as_i64()?.into())]),
        _ => return None,
    };
    Some(text.into_owned())
}

/// What became of a second proof.
fn step_up(visit: &Visit, change: &Value) -> Option<String> {
    let say = visit.say;
    let (name, body) = change.as_object()?.iter().next()?;
    let until = |value: &Value| value.as_i64().map(|ms| visit.clock.full(Timestamp(ms)));
    let text = match name.as_str() {
        "issued" => say.with("effect-step-up-issued", [("until", until(body.get("until")?)?.into())]),
        "wrong" => say.t("effect-step-up-wrong"),
        "answered" => {
            let answered = body.get("answered")?;
            let by = say.t(&format!("factor-{}", answered.get("by")?.as_str()?)).into_owned();
            say.with(
                "effect-step-up-answered",
                [("by", by.into()), ("until", until(answered.get("until")?)?.into())],
            )
        }
        "used" => say.t("effect-step-up-used"),
        _ => return None,
    };
    Some(text.into_owned())
}

/// Who acted at the desk, and what happened to a terminal.
fn of_desk_or_terminal(visit: &Visit, name: &str, body: &Value) -> Option<String> {
    let say = visit.say;
    let word = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or("\u{2013}").to_owned();
    let batch = || body.get("batch").and_then(Value::as_u64).map(|n| format!("{n:06}"));
    let text = match name {
        "desk" => say.with("effect-desk", [("actor", word("actor").into()), ("why", word("why").into())]),
        "sign-in" => {
            let values: Vec<&str> =
                body.get("check_values")?.as_array()?.iter().filter_map(Value::as_str).collect();
            say.with("effect-sign-in", [("batch", batch()?.into()), ("values", values.join(" ").into())])
        }
        "sign-out" => say.t("effect-sign-out"),
        "settle" => {
            let key = if body.get("ours") == body.get("theirs") {
                "effect-settle"
            } else {
                "effect-settle-unbalanced"
            };
            say.with(key, [("batch", batch()?.into())])
        }
        "refused" => say.t("effect-refused"),
        "bury" => say.t("effect-bury"),
        "noted" => say.t("effect-noted"),
        "keys-staged" => say.with(
            "effect-keys-staged",
            [
                ("scheme", say.t(&format!("scheme-{}", word("scheme"))).into_owned().into()),
                ("value", word("check_value").into()),
                ("plan", word("plan").into()),
            ],
        ),
        "keys-unstaged" => say.t("effect-keys-unstaged"),
        "keys-adopted" => say.t("effect-keys-adopted"),
        "keys-fell-back" => say.t("effect-keys-fell-back"),
        "keys-retired" => say.t("effect-keys-retired"),
        "key-serial-number" => say.with("effect-ksn", [("ksn", word("ksn").into())]),
        "suspend" if body.get("suspended")?.as_bool()? => say.t("effect-suspend"),
        "suspend" => say.t("effect-resume"),
        "order-sign-in" => say.t("effect-order-sign-in"),
        _ => return of_issuer(visit, name, body),
    };
    Some(text.into_owned())
}

/// What passed between us and another issuer.
fn of_issuer(visit: &Visit, name: &str, body: &Value) -> Option<String> {
    let say = visit.say;
    let text = match name {
        "issuer" => {
            let code = body.get("code").and_then(Value::as_str).unwrap_or("\u{2013}");
            say.with(
                "effect-issuer",
                [
                    ("route", body.get("route")?.as_str()?.to_owned().into()),
                    ("stan", format!("{:06}", body.get("stan")?.as_u64()?).into()),
                    ("code", code.to_owned().into()),
                ],
            )
        }
        "forward" => say.t("effect-forward"),
        "undo" => say.t("effect-undo"),
        "undo-said" => say.t("effect-undo-said"),
        "forward-done" => say.t("effect-forward-done"),
        _ => return None,
    };
    Some(text.into_owned())
}

fn status(visit: &Visit, status: &str) -> String {
    let say = visit.say;
    match status {
        "approved" => say.t("status-approved"),
        "declined" => say.t("status-declined"),
        "reversed" => say.t("status-reversed"),
        "voided" => say.t("status-voided"),
        "completed" => say.t("status-completed"),
        "lapsed" => say.t("status-lapsed"),
        other => other.to_owned().into(),
    }
    .into_owned()
}

/// A block by the issuer's staff.
pub(crate) fn block_words(visit: &Visit, block: &str) -> String {
    let say = visit.say;
    match block {
        "lost" => say.t("block-lost"),
        "stolen" => say.t("block-stolen"),
        "staff" => say.t("block-staff"),
        "rule" => say.t("block-rule"),
        other => other.to_owned().into(),
    }
    .into_owned()
}
