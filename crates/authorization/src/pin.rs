//! What became of a card's PIN since it was registered: changed at a terminal, reset by staff, set anew by its holder.
//!
//! ```text
//!  registered ── change ──► set ◄────────── change
//!      │                     │ ▲
//!      └─────── reset ───────┤ └──── activation used, once
//!                            ▼                │
//!                      reset pending ─────────┘
//!                        │        ▲
//!                        └─ reset ┘  the activation before dies
//! ```
//!
//! While a reset is pending there is no PIN: what was one is compared with nothing any more. Nobody but the holder sets the new
//! one. Here are no PINs, only references that the store has sealed.

use minicbor::{Decode, Encode};
use model::{PinRules, SealedReference, Timestamp};
use serde::Serialize;

use crate::{
    effect::{Effect, ReleasedBy},
    policy::ProductPolicy,
    state::CardState,
};

const DAY_MS: i64 = 24 * 3_600_000;

/// A product's policy about PINs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PinPolicy {
    /// What a new PIN must be like.
    pub rules: PinRules,
    /// After so many days a PIN that was set here must be changed.
    pub max_age_days: Option<u16>,
    /// So many days before that the holder is reminded, the most first.
    pub remind_days: Vec<u16>,
    /// An activation is good for so many hours.
    pub activation_h: u16,
    /// And for so many attempts that fail.
    pub activation_tries: u8,
}

/// What decisions have made of a card's PIN.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode, Serialize)]
pub struct PinState {
    /// What the PIN is compared with; none: the reference that was registered, unless a reset is pending.
    #[n(0)]
    pub reference: Option<SealedReference>,
    /// When it was set.
    #[n(1)]
    pub since: Option<Timestamp>,
    /// References of earlier PINs, the newest first.
    #[n(2)]
    pub earlier: Vec<SealedReference>,
    /// Does the issuer ask for another PIN before the next payment?
    #[n(3)]
    pub must_change: bool,
    /// A reset that waits for its holder.
    #[n(4)]
    pub reset: Option<Reset>,
    /// The holder was reminded of the PIN's age when so many days were left.
    #[n(5)]
    pub reminded: Option<u16>,
}

/// A reset that waits for the holder's new PIN.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Reset {
    /// Digest of the one-time activation; the activation itself is kept nowhere.
    #[n(0)]
    pub activation: ActivationDigest,
    /// Good until then.
    #[n(1)]
    pub until: Timestamp,
    /// Attempts that failed, or are being made.
    #[n(2)]
    pub failed: u8,
    /// And how many may.
    #[n(3)]
    pub tries: u8,
}

/// SHA-256 of an activation's token. Prints as stars.
#[derive(Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct ActivationDigest(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

impl std::fmt::Debug for ActivationDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ActivationDigest(***)")
    }
}

impl Serialize for ActivationDigest {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str("***")
    }
}

/// A new PIN, as the journal keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct NewPin {
    /// What it is compared with from now on.
    #[n(0)]
    pub reference: SealedReference,
    /// Earlier ones that it and its successors may not be, the newest first.
    #[n(1)]
    pub earlier: Vec<SealedReference>,
    /// When it was set.
    #[n(2)]
    pub at: Timestamp,
}

/// What a PIN is compared with now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinStanding<'s> {
    /// The reference of the register.
    Registered,
    /// One that was set here.
    Set(&'s SealedReference),
    /// Nothing: a reset waits for the holder.
    ResetPending,
}

/// Why an activation is not taken. Whoever tried hears one answer for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotActive {
    /// There is no reset, or its activation was used.
    #[error("no reset is pending")]
    NotPending,
    /// It is another activation: an older one, or a guess. To be counted.
    #[error("another activation")]
    Wrong,
    /// Too late.
    #[error("the activation is too old")]
    Expired,
    /// Too many attempts failed.
    #[error("too many attempts")]
    UsedUp,
}

impl CardState {
    /// What the PIN is compared with now.
    #[must_use]
    pub fn pin_standing(&self) -> PinStanding<'_> {
        match self.pin.as_deref() {
            Some(PinState { reset: Some(_), .. }) => PinStanding::ResetPending,
            Some(PinState { reference: Some(reference), .. }) => PinStanding::Set(reference),
            Some(_) | None => PinStanding::Registered,
        }
    }

    /// Must the PIN be changed before a payment?
    #[must_use]
    pub fn pin_change_is_due(&self, policy: &PinPolicy, now: Timestamp) -> bool {
        let Some(pin) = self.pin.as_deref() else { return false };
        pin.must_change || self.pin_days_left(policy, now).is_some_and(|left| left <= 0)
    }

    /// Days until the PIN is too old; `None` when it has no age or no limit.
    #[must_use]
    pub fn pin_days_left(&self, policy: &PinPolicy, now: Timestamp) -> Option<i64> {
        let since = self.pin.as_deref()?.since?;
        let left_ms = i64::from(policy.max_age_days?) * DAY_MS - now.since_ms(since);
        Some((left_ms + DAY_MS - 1).div_euclid(DAY_MS))
    }

    /// The reminder that is due now, if any: each once.
    pub(crate) fn reminder(&self, policy: &PinPolicy, now: Timestamp) -> Option<Effect> {
        let left = u16::try_from(self.pin_days_left(policy, now)?.max(0)).ok()?;
        let reached = policy.remind_days.iter().copied().filter(|days| left <= *days).min()?;
        let told = self.pin.as_deref().and_then(|pin| pin.reminded);
        told.is_none_or(|told| reached < told).then_some(Effect::RemindPinAge { days: reached })
    }

    /// Folds an effect about the PIN.
    pub(crate) fn apply_pin(&mut self, effect: &Effect) {
        let pin = self.pin.get_or_insert_default();
        match effect {
            Effect::SetPin { new } => {
                **pin = PinState {
                    reference: Some(new.reference.clone()),
                    since: Some(new.at),
                    earlier: new.earlier.clone(),
                    ..PinState::default()
                };
            }
            Effect::ResetPin { reset, earlier } => {
                pin.reference = None;
                pin.earlier.clone_from(earlier);
                pin.must_change = false;
                pin.reset = Some((**reset).clone());
            }
            Effect::FailActivation { failed } => {
                if let Some(reset) = &mut pin.reset {
                    reset.failed = *failed;
                }
            }
            Effect::RequirePinChange => pin.must_change = true,
            Effect::RemindPinAge { days } => pin.reminded = Some(*days),
            _ => {}
        }
    }
}

/// The PIN is reset: the old one is worth nothing from now on, and so is any activation before this one. `retired` is the
/// present reference, sealed, so that the holder does not choose the same PIN again.
#[must_use]
pub fn reset(
    state: &CardState,
    policy: &ProductPolicy,
    retired: Option<SealedReference>,
    activation: ActivationDigest,
    now: Timestamp,
) -> Vec<Effect> {
    let until = now.plus_s(i64::from(policy.pin.activation_h) * 3600);
    let reset = Reset { activation, until, failed: 0, tries: policy.pin.activation_tries };
    vec![Effect::ResetPin { reset: Box::new(reset), earlier: history(state, &policy.pin, retired) }]
}

/// May one more attempt be made with this activation?
///
/// # Errors
/// [`NotActive`].
pub fn activation(state: &CardState, shown: &ActivationDigest, now: Timestamp) -> Result<(), NotActive> {
    let used_up = pending(state)?.failed >= pending(state)?.tries;
    if used_up { Err(NotActive::UsedUp) } else { attempted(state, shown, now) }
}

/// May an attempt that was counted be brought to its end? It may have been the last.
///
/// # Errors
/// [`NotActive`].
pub fn attempted(state: &CardState, shown: &ActivationDigest, now: Timestamp) -> Result<(), NotActive> {
    let reset = pending(state)?;
    if reset.until <= now {
        return Err(NotActive::Expired);
    }
    if reset.activation == *shown { Ok(()) } else { Err(NotActive::Wrong) }
}

fn pending(state: &CardState) -> Result<&Reset, NotActive> {
    state.pin.as_deref().and_then(|pin| pin.reset.as_ref()).ok_or(NotActive::NotPending)
}

/// An attempt to use the pending activation, counted as one that fails before anything is compared: of attempts that come at once
/// none is free. The one that succeeds ends the reset, and the count with it.
#[must_use]
pub fn fail_activation(state: &CardState) -> Vec<Effect> {
    let failed = pending(state).ok().map(|reset| reset.failed.saturating_add(1).min(reset.tries));
    failed.map(|failed| Effect::FailActivation { failed }).into_iter().collect()
}

/// The holder has set a new PIN by the activation: it is used, the tries are back, and a lock after wrong PINs ends.
#[must_use]
pub fn activate(
    state: &CardState,
    policy: &ProductPolicy,
    reference: SealedReference,
    now: Timestamp,
) -> Vec<Effect> {
    let new = NewPin { reference, earlier: history(state, &policy.pin, None), at: now };
    vec![Effect::SetPin { new: Box::new(new) }, Effect::Unlock { by: ReleasedBy::NewPin }]
}

/// Earlier references that a new PIN is held against, the newest first.
pub(crate) fn history(
    state: &CardState,
    policy: &PinPolicy,
    retired: Option<SealedReference>,
) -> Vec<SealedReference> {
    let before = state.pin.as_deref().map_or(&[][..], |pin| &pin.earlier);
    let kept = usize::from(policy.rules.history.min(PinRules::HISTORY_MAX));
    retired.into_iter().chain(before.iter().cloned()).take(kept).collect()
}
