//! May this card do this at all, before anyone looks at a PIN?

use model::{ReasonCode, Timestamp};

use crate::{
    card::{Block, CardRecord},
    pin::PinStanding,
    policy::ProductPolicy,
    request::Request,
    state::{CardState, StepUp},
};

/// The card itself: registered data and blocks.
pub(crate) fn card(
    record: &CardRecord,
    state: &CardState,
    request: &Request,
    now: Timestamp,
) -> Result<(), ReasonCode> {
    unblocked(record, state, now)?;
    if request.expiry.is_some_and(|e| e != record.expiry) {
        return Err(ReasonCode::ExpiryMismatch);
    }
    if request.kind.needs_amount() && request.amount <= model::Amount::ZERO {
        return Err(ReasonCode::InvalidAmount);
    }
    if request.kind.needs_amount() && request.currency != record.currency {
        return Err(ReasonCode::WrongCurrency);
    }
    Ok(())
}

/// Neither blocked nor past its last month.
pub(crate) fn unblocked(record: &CardRecord, state: &CardState, now: Timestamp) -> Result<(), ReasonCode> {
    match state.block {
        Some(Block::Lost) => Err(ReasonCode::LostCard),
        Some(Block::Stolen) => Err(ReasonCode::StolenCard),
        Some(Block::Staff | Block::Rule) => Err(ReasonCode::BlockedCard),
        None if is_expired(record, now) => Err(ReasonCode::ExpiredCard),
        None => Ok(()),
    }
}

/// The product and the ladder, for kinds that ask for a PIN. The lock comes first: a locked card answers the same
/// to every request, so nothing is learnt from it. `released`: the lock's time has come, and with it the step-up ends.
/// `proven`: a second proof was given for this very payment.
pub(crate) fn ladder(
    policy: &ProductPolicy,
    state: &CardState,
    request: &Request,
    released: bool,
    proven: bool,
    now: Timestamp,
) -> Result<(), ReasonCode> {
    if state.lock.is_some_and(|lock| !lock.has_expired(now)) {
        return Err(ReasonCode::CardLocked);
    }
    let with_pin = policy.pin_required || request.has_pin;
    if with_pin && state.pin_standing() == PinStanding::ResetPending {
        return Err(ReasonCode::PinResetPending);
    }
    let changes = request.kind == model::Kind::PinChange;
    if with_pin && !changes && state.pin_change_is_due(&policy.pin, now) {
        return Err(ReasonCode::PinChangeRequired);
    }
    if request.kind == model::Kind::Cash && !policy.cash {
        return Err(ReasonCode::NotPermittedToCard);
    }
    if policy.pin_required && !request.has_pin {
        return Err(ReasonCode::PinMissing);
    }
    if let Some(restriction) = state.restriction.filter(|r| r.until > now) {
        let cash = request.kind == model::Kind::Cash && restriction.no_cash;
        if cash || request.amount > restriction.max_amount {
            return Err(ReasonCode::RestrictedAfterWrongPins);
        }
    }
    if released || proven { Ok(()) } else { second_proof(state, now) }
}

/// Is no second proof of identity wanted?
pub(crate) fn second_proof(state: &CardState, now: Timestamp) -> Result<(), ReasonCode> {
    match state.step_up {
        Some(StepUp::Required { .. }) => Err(ReasonCode::StepUpRequired),
        Some(StepUp::Passed { until, .. }) if until <= now => Err(ReasonCode::StepUpRequired),
        _ => Ok(()),
    }
}

/// A card is good through the last day of its month, everywhere on earth (UTC-12).
fn is_expired(record: &CardRecord, now: Timestamp) -> bool {
    let yymm = record.expiry.yymm();
    let (year, month) =
        (2000 + i16::try_from(yymm / 100).unwrap_or(0), i8::try_from(yymm % 100).unwrap_or(1));
    let Ok(month_start) = jiff::civil::Date::new(year, month, 1) else { return true };
    let end = month_start
        .last_of_month()
        .at(23, 59, 59, 0)
        .to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(-12)));
    end.is_ok_and(|end| now.0 > end.timestamp().as_millisecond())
}
