//! One card's PIN state.

use authorization::{ProductPolicy, lock::Release, policy::Consequence, state::StepUp};
use axum::extract::{Path, State};
use maud::{Markup, html};
use model::{Currency, reason::Family};
use store::archive::{CardView, TransactionRow};

use super::{
    effects::block_words,
    layout::{Frame, Nav},
    parts::{self, fact},
};
use crate::{
    actor::Actor, api::schema::block_name, error::Failure, format::money, router::Shared, seen, service,
    visit::Visit,
};

/// `GET /cards/{id}`.
pub(crate) async fn page(
    State(state): State<Shared>,
    visit: Visit,
    actor: Actor,
    Path(id): Path<String>,
) -> Result<Markup, Failure> {
    let card = service::card(&state, &id).await?;
    seen::card(&state, &actor, card.id, "the card's page").await?;
    let attempts = service::attempts(&state, &card.id).await?;
    let policy = state.web.products.get(&card.record.product);
    let contact = match &state.web.messages {
        Some(messages) => messages.contacts.of(card.id).await?,
        None => None,
    };
    let title = visit.say.t("card-title");
    let frame = Frame { beside: html! { (card.record.pan) }, ..Frame::new(&visit, Nav::Cards, &title) };
    Ok(frame.page(html! {
        div class="columns" {
            (pin_state(&visit, &card, policy))
            (account(&visit, &card))
        }
        (ladder(&visit, &card, policy))
        @if state.web.store.is_some() { (actions(&visit, &card)) }
        @if state.web.holder.is_some() { (holder_actions(&visit, &card, contact.as_ref())) }
        (recent(&visit, &card, &attempts))
    }))
}

/// What staff may do about it. Each needs a reason; some wait for a second person.
fn actions(visit: &Visit, card: &CardView) -> Markup {
    let say = visit.say;
    let s = &card.state;
    let mut fitting = Vec::new();
    if s.lock.is_some() || s.tries.used() > 0 {
        fitting.push(("unlock", "card-action-unlock"));
    }
    if s.restriction.is_some() {
        fitting.push(("unrestrict", "card-action-unrestrict"));
    }
    fitting.push(if s.block.is_some() {
        ("unblock", "card-action-unblock")
    } else {
        ("block", "card-action-block")
    });
    html! {
        section class="card" aria-labelledby="actions-title" {
            h2 id="actions-title" { (say.t("card-actions")) }
            p { a href={ "/caller?card=" (card.id) } { (say.t("caller-title")) } }
            @if fitting.len() == 1 { p class="quiet" { (say.t("card-action-nothing")) } }
            form method="post" action=(format!("/cards/{}/actions", card.id)) {
                p { label for="why" { (say.t("why-label")) } " " input id="why" name="why" required maxlength="500"; }
                div class="buttons" {
                    @for (action, key) in fitting { button class="button" type="submit" name="action" value=(action) { (say.t(key)) } }
                }
            }
        }
    }
}

/// A reset, by two people; and the page that tells the holder how the card is.
fn holder_actions(visit: &Visit, card: &CardView, contact: Option<&sms::Contact>) -> Markup {
    let say = visit.say;
    html! {
        section class="card" aria-labelledby="holder-title" {
            h2 id="holder-title" { (say.t("card-holder")) }
            p {
                @match contact {
                    Some(contact) => {
                        (say.t("contact-on-file")) " " span class="mono" { (contact.number.masked()) }
                        @if let Some(until) = contact.held_until(visit.clock.now) { " " (parts::chip(Family::Warn, &say.with("contact-held", [("until", visit.clock.full(until).into())]))) }
                    }
                    None => (say.t("contact-none")),
                }
            }
            p class="quiet" { (say.t("card-holder-words")) }
            form method="post" action=(format!("/cards/{}/reset-pin", card.id)) {
                p { label for="holder-why" { (say.t("why-label")) } " " input id="holder-why" name="why" required maxlength="500"; }
                div class="buttons" {
                    button class="button" type="submit" { (say.t("card-reset-pin")) }
                    button class="button" type="submit" formaction=(format!("/cards/{}/page", card.id)) { (say.t("card-send-page")) }
                }
            }
            @if visit.may(staff::Permission::ChangeContact) {
                details class="deed" {
                    summary class="button" { (say.t("ask-contact")) }
                    form method="post" action=(format!("/cards/{}/contact", card.id)) {
                        p { (say.t("ask-contact-words")) }
                        (super::desk_ask::number(visit))
                        label { span { (say.t("why-label")) } input name="why" required maxlength="500" autocomplete="off"; }
                        button class="button" type="submit" { (say.t("ask-second")) span class="sr" { " " (say.t("ask-contact")) } }
                    }
                }
            }
        }
    }
}

/// Can this card pay: the strictest thing that stands in its way, or that nothing does.
pub(crate) fn standing(visit: &Visit, card: &CardView) -> Markup {
    let say = visit.say;
    let now = visit.clock.now;
    let state = &card.state;
    html! {
        @if let Some(block) = state.block {
            (parts::chip(Family::Bad, &block_words(visit, block_name(block)))) " "
        }
        @if is_reset(card) { (parts::chip(Family::Lock, &say.t("pin-reset-pending"))) " " }
        @if let Some(lock) = state.lock.filter(|lock| !lock.has_expired(now)) {
            (parts::chip(Family::Lock, &say.t("locked"))) " "
            @match lock.until {
                Some(until) => span title=(visit.clock.full(until)) { (say.with("opens", [("relative", visit.clock.relative(until).into())])) },
                None => span { (say.t("opens-by-staff")) },
            }
            " "
        }
        @if matches!(state.step_up, Some(StepUp::Required { .. })) { (parts::chip(Family::Warn, &say.t("step-up-required"))) " " }
        @if state.restriction.is_some_and(|r| r.until > now) { (parts::chip(Family::Warn, &say.t("restricted"))) " " }
        @if free(card, now) { (parts::chip(Family::Ok, &say.t("free"))) }
    }
}

fn is_reset(card: &CardView) -> bool {
    card.state.pin_standing() == authorization::PinStanding::ResetPending
}

fn free(card: &CardView, now: model::Timestamp) -> bool {
    let s = &card.state;
    s.block.is_none()
        && !is_reset(card)
        && s.lock.is_none_or(|lock| lock.has_expired(now))
        && !matches!(s.step_up, Some(StepUp::Required { .. }))
        && s.restriction.is_none_or(|r| r.until <= now)
}

fn pin_state(visit: &Visit, card: &CardView, policy: Option<&ProductPolicy>) -> Markup {
    let say = visit.say;
    let state = &card.state;
    html! {
        section class="card" aria-labelledby="pin-title" {
            h2 id="pin-title" { (say.t("pin-state")) }
            @if let Some(policy) = policy {
                p class="big" { (parts::pips(say, state.tries.left(policy.pin_try_limit), policy.pin_try_limit.get())) }
            } @else {
                p class="quiet" { (say.with("product-unknown", [("product", card.record.product.as_str().into())])) }
            }
            p { (standing(visit, card)) }
            dl class="facts" {
                @if let Some(lock) = state.lock {
                    (fact(&say.t("lock-since"), parts::time_full(&visit.clock, lock.since)))
                    (fact(&say.t("lock-until"), html! { @match lock.until { Some(until) => (parts::time_full(&visit.clock, until)), None => (say.t("locked-until-staff")) } }))
                }
                @if state.locks_in_a_row > 0 { (fact(&say.t("locks-in-a-row"), html! { (state.locks_in_a_row) })) }
                @match state.step_up {
                    Some(StepUp::Required { .. }) => (fact(&say.t("step-up"), html! { (say.t("step-up-wanted")) })),
                    Some(StepUp::Passed { until, .. }) => (fact(&say.t("step-up"), html! { (say.with("step-up-passed", [("until", visit.clock.full(until).into())])) })),
                    None => {}
                }
                @if let Some(r) = state.restriction {
                    (fact(&say.t("restriction"), html! {
                        (say.with(if r.no_cash { "restriction-no-cash" } else { "restriction-words" }, [("max", money(r.max_amount, card.record.currency).into()), ("until", visit.clock.full(r.until).into())]))
                    }))
                }
                @if let Some(block) = state.block { (fact(&say.t("block"), html! { (block_words(visit, block_name(block))) })) }
            }
        }
    }
}

fn account(visit: &Visit, card: &CardView) -> Markup {
    let say = visit.say;
    let expiry = format!("{:04}", card.record.expiry.yymm());
    html! {
        section class="card" aria-labelledby="account-title" {
            h2 id="account-title" { (say.t("account")) }
            dl class="facts" {
                (fact(&say.t("col-product"), html! { (card.record.product) }))
                (fact(&say.t("expiry"), html! { span class="mono" { "20" (expiry[..2]) "-" (expiry[2..]) } }))
                (fact(&say.t("col-balance"), html! { (money(card.state.balance, card.record.currency)) }))
                (fact(&say.t("held"), html! { (money(card.state.held, card.record.currency)) }))
                (fact(&say.t("available"), html! { (money(card.state.available(), card.record.currency)) }))
                @if let Some(at) = card.last_used { (fact(&say.t("col-last-used"), parts::time_full(&visit.clock, at))) }
                (fact(&say.t("card-id"), html! { span class="mono quiet wrap" { (card.id) } }))
            }
        }
    }
}

/// The ladder of the card's product in words, with the rung that the card stands on.
fn ladder(visit: &Visit, card: &CardView, policy: Option<&ProductPolicy>) -> Markup {
    let Some(policy) = policy else { return html! {} };
    let say = visit.say;
    let used = card.state.tries.used();
    let limit = policy.pin_try_limit.get();
    html! {
        section class="card" aria-labelledby="ladder-title" {
            h2 id="ladder-title" { (say.with("ladder-title", [("product", card.record.product.as_str().into())])) }
            ol class="ladder" {
                @for n in 1..=limit {
                    li aria-current=[(used == n).then_some("step")] {
                        span class="rung" { (say.with("ladder-nth", [("n", n.into())])) }
                        div {
                            @if n == limit {
                                @for (i, release) in policy.locks.iter().enumerate() {
                                    p { (lock_rung(visit, policy, i, release)) }
                                }
                            } @else {
                                p { (say.with("ladder-refused", [("left", (limit - n).into())])) }
                                @for rung in policy.rungs.iter().filter(|r| r.after == n) {
                                    p { (consequence(visit, &rung.consequence, card.record.currency)) }
                                }
                            }
                            @if used == n { p class="here" { (say.t("ladder-here")) } }
                        }
                    }
                }
            }
            p class="quiet" { (say.t("ladder-never")) }
        }
    }
}

fn lock_rung(visit: &Visit, policy: &ProductPolicy, index: usize, release: &Release) -> String {
    let say = visit.say;
    let release = match release {
        Release::AfterH(hours) => say.with("release-after", [("hours", (*hours).into())]),
        Release::NextDayIn(zone) => say.with("release-next-day", [("zone", zone.as_str().into())]),
        Release::ByStaff => say.t("release-by-staff"),
    };
    let code = if policy.pick_up { "38" } else { "75" };
    if policy.locks.len() == 1 {
        return say
            .with("ladder-lock", [("code", code.into()), ("release", release.into_owned().into())])
            .into_owned();
    }
    let key = if index + 1 == policy.locks.len() { "ladder-lock-nth-on" } else { "ladder-lock-nth" };
    say.with(
        key,
        [("n", (index + 1).into()), ("code", code.into()), ("release", release.into_owned().into())],
    )
    .into_owned()
}

fn consequence(visit: &Visit, consequence: &Consequence, currency: Currency) -> String {
    let say = visit.say;
    match consequence {
        Consequence::StepUp { valid_s } => {
            say.with("ladder-step-up", [("span", visit.clock.span(i64::from(*valid_s) * 1000).into())])
        }
        Consequence::Restrict { max_amount, no_cash, for_h } => {
            let key = if *no_cash { "ladder-restrict-no-cash" } else { "ladder-restrict" };
            say.with(key, [("max", money(*max_amount, currency).into()), ("hours", (*for_h).into())])
        }
    }
    .into_owned()
}

fn recent(visit: &Visit, card: &CardView, attempts: &[TransactionRow]) -> Markup {
    let say = visit.say;
    let title = say.t("recent-attempts");
    html! {
        section class="card" aria-labelledby="recent-title" {
            div class="line" {
                h2 id="recent-title" { (title) }
                a href={ "/transactions?card=" (card.id) } { (say.t("all-attempts")) }
            }
            @if attempts.is_empty() {
                (parts::empty(&say.t("no-attempts"), &say.t("no-attempts-words"), None))
            } @else {
                (parts::transactions(say, &visit.clock, &title, attempts))
            }
        }
    }
}
