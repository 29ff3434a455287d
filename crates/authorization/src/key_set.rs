//! The key sets of one terminal: the one it uses, one that waits for it, one it may still fall back to; and which key
//! serial numbers are used up.
//!
//! ```text
//!            stage                 adopt                        retire
//!   active ────────► active ──────────────────► active = new ───────────► active = new
//!                    staged = new               old = before
//!                         ▲                         │
//!                         └──────── fall back ──────┘    the terminal spoke under the old keys again
//! ```
//!
//! A terminal adopts a staged set by its first message whose MAC fits under it, and falls back by the first one under
//! the old set: nobody has to be asked, and a terminal that was not reached goes on paying.

use minicbor::{Decode, Encode};
use model::{KeyBlock, KeyScheme, Ksn, PinBlockFormat, Timestamp, TransactionKey};
use serde::Serialize;

/// What a terminal encrypts with.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct KeySet {
    /// How.
    #[n(0)]
    pub scheme: KeyScheme,
    /// The terminal master key, or with DUKPT the base derivation key.
    #[n(1)]
    pub key: KeyBlock,
    /// How a PIN stands in its block.
    #[n(2)]
    pub format: PinBlockFormat,
    /// With DUKPT: the device, a key serial number with its counter at zero.
    #[n(3)]
    pub device: Option<Ksn>,
    /// Check value of the terminal master key or the device's initial key, for people and for the uniqueness alarm.
    #[n(4)]
    pub check_value: String,
}

/// Where a key set stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The one in use.
    Active,
    /// Waits for the terminal.
    Staged,
    /// The terminal may fall back to it.
    Old,
}

/// What migrations made of a terminal's key sets.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub struct KeySets {
    /// In use; `None` is the registered one.
    #[n(0)]
    active: Option<KeySet>,
    #[n(1)]
    staged: Option<Staged>,
    #[n(2)]
    old: Option<Old>,
    /// How often it fell back.
    #[n(3)]
    fallbacks: u32,
    #[n(4)]
    windows: Vec<KsnWindow>,
    /// The plan that it has finished last.
    #[n(5)]
    finished: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
struct Staged {
    #[n(0)]
    plan: String,
    #[n(1)]
    set: KeySet,
    #[n(2)]
    since: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
struct Old {
    #[n(0)]
    plan: String,
    /// `None` is the registered one.
    #[n(1)]
    set: Option<KeySet>,
    /// When the terminal moved away from it.
    #[n(2)]
    since: Timestamp,
}

/// A step of a migration.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum KeySetEffect {
    /// A new set waits for the terminal.
    #[n(0)]
    Stage {
        /// The migration plan.
        #[n(0)]
        plan: String,
        /// The keys that were loaded into the terminal.
        #[n(1)]
        set: KeySet,
    },
    /// The plan was given up before the terminal moved.
    #[n(1)]
    Unstage,
    /// The terminal sent its first genuine message under the staged set.
    #[n(2)]
    Adopt,
    /// The terminal sent a genuine message under the old set again.
    #[n(3)]
    FallBack,
    /// The old set is gone for good.
    #[n(4)]
    Retire,
}

/// How far a terminal is with a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The plan has not reached it.
    Untouched,
    /// New keys wait for it since then.
    Staged(Timestamp),
    /// It went back to its old keys; the new ones wait since then.
    FellBack(Timestamp),
    /// It uses the new keys since then and may still fall back.
    Moved(Timestamp),
    /// It uses the new keys and the old ones are gone.
    Finished,
}

impl Stage {
    /// The fixed name, as in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Untouched => "untouched",
            Self::Staged(_) => "staged",
            Self::FellBack(_) => "fell-back",
            Self::Moved(_) => "moved",
            Self::Finished => "finished",
        }
    }
}

/// What people see of a terminal's keys: check values, never keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeySetView {
    /// The scheme in use.
    pub scheme: KeyScheme,
    /// Check value of the terminal master key, or with DUKPT of the initial key.
    pub check_value: String,
    /// The last migration that reached it.
    pub plan: Option<String>,
    /// How far it is with that plan.
    pub stage: Option<Stage>,
    /// The scheme that waits.
    pub next: Option<KeyScheme>,
    /// How often it fell back.
    pub fallbacks: u32,
}

/// Why a key serial number is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KsnRefused {
    /// It was used.
    #[error("the key serial number was used before")]
    Replayed,
    /// It is behind what may come out of order.
    #[error("the key serial number is more than {REORDER_WINDOW} behind the newest")]
    TooOld,
}

/// How far behind the newest a key serial number may come: messages overtake each other by a few at most.
pub const REORDER_WINDOW: u32 = 64;
/// Devices that one terminal is remembered as: its key sets, and those before.
const WINDOWS_KEPT: usize = 4;

/// Which of a device's last numbers were used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
struct KsnWindow {
    #[n(0)]
    device: Ksn,
    #[n(1)]
    newest: u32,
    /// Bit n: the number n before the newest was used.
    #[n(2)]
    used: u64,
    /// The last use: the same transaction may use its number again, because the host may have stopped between noting
    /// the number and deciding.
    #[n(3)]
    last: (u32, TransactionKey),
}

impl KsnWindow {
    fn admits(&self, counter: u32, by: &TransactionKey) -> Result<(), KsnRefused> {
        if self.last == (counter, *by) {
            return Ok(());
        }
        match self.newest.checked_sub(counter) {
            None => Ok(()),
            Some(behind) if behind >= REORDER_WINDOW => Err(KsnRefused::TooOld),
            Some(behind) if self.used >> behind & 1 == 1 => Err(KsnRefused::Replayed),
            Some(_) => Ok(()),
        }
    }

    fn note(&mut self, counter: u32, by: TransactionKey) {
        self.last = (counter, by);
        match self.newest.checked_sub(counter) {
            Some(behind) if behind < REORDER_WINDOW => self.used |= 1 << behind,
            Some(_) => {}
            None => {
                let ahead = counter - self.newest;
                self.used = if ahead < REORDER_WINDOW { self.used << ahead | 1 } else { 1 };
                self.newest = counter;
            }
        }
    }
}

impl KeySets {
    /// The set in use.
    #[must_use]
    pub fn active<'a>(&'a self, registered: &'a KeySet) -> &'a KeySet {
        self.active.as_ref().unwrap_or(registered)
    }

    /// The set that waits.
    #[must_use]
    pub fn staged(&self) -> Option<&KeySet> {
        self.staged.as_ref().map(|staged| &staged.set)
    }

    /// The first set that fits: the one in use, then the one that waits, then the old one.
    #[must_use]
    pub fn find<'a>(
        &'a self,
        registered: &'a KeySet,
        fits: impl Fn(&KeySet) -> bool,
    ) -> Option<(&'a KeySet, Standing)> {
        let old = self.old.as_ref().map(|old| old.set.as_ref().unwrap_or(registered));
        let all = [
            (Some(self.active(registered)), Standing::Active),
            (self.staged(), Standing::Staged),
            (old, Standing::Old),
        ];
        all.into_iter().find_map(|(set, standing)| set.filter(|set| fits(set)).map(|set| (set, standing)))
    }

    /// What the terminal's use of a set means; `None` if it changes nothing.
    #[must_use]
    pub fn spoken_under(standing: Standing) -> Option<KeySetEffect> {
        match standing {
            Standing::Active => None,
            Standing::Staged => Some(KeySetEffect::Adopt),
            Standing::Old => Some(KeySetEffect::FallBack),
        }
    }

    /// May this transaction use this key serial number?
    ///
    /// # Errors
    /// [`KsnRefused`].
    pub fn admits(&self, ksn: Ksn, by: &TransactionKey) -> Result<(), KsnRefused> {
        let device = ksn.device();
        self.windows.iter().find(|w| w.device == device).map_or(Ok(()), |w| w.admits(ksn.counter(), by))
    }

    /// How far the terminal is with a plan.
    #[must_use]
    pub fn stage(&self, plan: &str) -> Stage {
        if let Some(staged) = self.staged.as_ref().filter(|s| s.plan == plan) {
            return if self.fallbacks > 0 {
                Stage::FellBack(staged.since)
            } else {
                Stage::Staged(staged.since)
            };
        }
        match self.old.as_ref().filter(|old| old.plan == plan) {
            Some(old) => Stage::Moved(old.since),
            None if self.finished.as_deref() == Some(plan) => Stage::Finished,
            None => Stage::Untouched,
        }
    }

    /// The plan that it is in the middle of.
    #[must_use]
    pub fn plan(&self) -> Option<&str> {
        let staged = self.staged.as_ref().map(|s| s.plan.as_str());
        staged.or(self.old.as_ref().map(|old| old.plan.as_str()))
    }

    /// What people see.
    #[must_use]
    pub fn view(&self, registered: &KeySet) -> KeySetView {
        let active = self.active(registered);
        let plan = self.plan().or(self.finished.as_deref());
        KeySetView {
            scheme: active.scheme,
            check_value: active.check_value.clone(),
            plan: plan.map(str::to_owned),
            stage: plan.map(|plan| self.stage(plan)),
            next: self.staged().map(|set| set.scheme),
            fallbacks: self.fallbacks,
        }
    }

    /// Check values of every set that the terminal may use.
    pub fn check_values<'a>(&'a self, registered: &'a KeySet) -> impl Iterator<Item = &'a str> {
        let old = self.old.as_ref().map(|old| old.set.as_ref().unwrap_or(registered));
        let all = [Some(self.active(registered)), self.staged(), old];
        all.into_iter().flatten().map(|set| set.check_value.as_str())
    }

    /// How often it fell back in the current plan.
    #[must_use]
    pub fn fallbacks(&self) -> u32 {
        self.fallbacks
    }

    pub(crate) fn apply(&mut self, at: Timestamp, effect: &KeySetEffect) {
        match effect {
            KeySetEffect::Stage { plan, set } => {
                self.fallbacks = 0;
                self.staged = Some(Staged { plan: plan.clone(), set: set.clone(), since: at });
            }
            KeySetEffect::Unstage => self.staged = None,
            KeySetEffect::Adopt => {
                if let Some(Staged { plan, set, .. }) = self.staged.take() {
                    self.old = Some(Old { plan, set: self.active.replace(set), since: at });
                }
            }
            KeySetEffect::FallBack => {
                if let Some(old) = self.old.take() {
                    self.fallbacks = self.fallbacks.saturating_add(1);
                    let set = std::mem::replace(&mut self.active, old.set);
                    self.staged = set.map(|set| Staged { plan: old.plan, set, since: at });
                }
            }
            KeySetEffect::Retire => {
                self.finished = self.old.take().map(|old| old.plan);
            }
        }
    }

    pub(crate) fn note_ksn(&mut self, ksn: Ksn, by: TransactionKey) {
        let device = ksn.device();
        match self.windows.iter_mut().find(|w| w.device == device) {
            Some(window) => window.note(ksn.counter(), by),
            None => {
                if self.windows.len() >= WINDOWS_KEPT {
                    self.windows.remove(0);
                }
                self.windows.push(KsnWindow {
                    device,
                    newest: ksn.counter(),
                    used: 1,
                    last: (ksn.counter(), by),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(scheme: KeyScheme) -> KeySet {
        KeySet {
            scheme,
            key: KeyBlock::new(scheme.name().to_owned()),
            format: scheme.usual_format(),
            device: None,
            check_value: "00000000".to_owned(),
        }
    }

    fn ksn(counter: u32) -> Ksn {
        format!("FFFF987654{:010X}", 0x3210E00000_u64 | u64::from(counter)).parse().unwrap()
    }

    fn by(stan: u32) -> TransactionKey {
        TransactionKey {
            terminal: "10000001".parse().unwrap(),
            batch: model::BatchNumber::NONE,
            stan: model::Stan::new(stan).unwrap(),
            day: 0,
        }
    }

    #[test]
    fn a_number_is_used_once_and_may_come_late() {
        let mut sets = KeySets::default();
        for counter in [1, 5, 3, 70, 69] {
            assert_eq!(sets.admits(ksn(counter), &by(1)), Ok(()), "{counter}");
            sets.note_ksn(ksn(counter), by(counter));
            assert_eq!(sets.admits(ksn(counter), &by(1000)), Err(KsnRefused::Replayed), "{counter}");
        }
        assert_eq!(sets.admits(ksn(7), &by(1)), Ok(()), "63 behind");
        assert_eq!(sets.admits(ksn(6), &by(1)), Err(KsnRefused::TooOld), "64 behind");
        sets.note_ksn(ksn(1000), by(1000));
        assert_eq!(sets.admits(ksn(70), &by(70)), Err(KsnRefused::TooOld));
        let other = "0000000000000AE00001".parse().unwrap();
        assert_eq!(sets.admits(other, &by(1)), Ok(()), "another device has its own count");
    }

    #[test]
    fn a_transaction_whose_host_stopped_goes_on_with_its_number() {
        let mut sets = KeySets::default();
        sets.note_ksn(ksn(9), by(9));
        assert_eq!(sets.admits(ksn(9), &by(9)), Ok(()));
        sets.note_ksn(ksn(10), by(10));
        assert_eq!(sets.admits(ksn(9), &by(9)), Err(KsnRefused::Replayed), "no longer the last");
    }

    #[test]
    fn every_number_is_admitted_at_most_once_in_any_order() {
        let mut sets = KeySets::default();
        let mut admitted = std::collections::HashSet::new();
        let mut counter = 17_u32;
        for request in 0..20_000 {
            counter = counter.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let drawn = counter >> 8 & 0x3FF;
            if sets.admits(ksn(drawn), &by(request)).is_ok() {
                sets.note_ksn(ksn(drawn), by(request));
                assert!(admitted.insert(drawn), "{drawn} twice");
            }
        }
    }

    #[test]
    fn a_terminal_moves_falls_back_moves_again_and_is_finished() {
        let registered = set(KeyScheme::Tdes);
        let mut sets = KeySets::default();
        let at = Timestamp(7);
        let under = |sets: &KeySets, scheme| sets.find(&registered, |s| s.scheme == scheme).map(|(_, s)| s);
        assert_eq!(sets.stage("p"), Stage::Untouched);
        sets.apply(at, &KeySetEffect::Stage { plan: "p".into(), set: set(KeyScheme::Sm4) });
        assert_eq!(
            (sets.stage("p"), under(&sets, KeyScheme::Sm4)),
            (Stage::Staged(at), Some(Standing::Staged))
        );
        sets.apply(at, &KeySetEffect::Adopt);
        assert_eq!((sets.stage("p"), under(&sets, KeyScheme::Tdes)), (Stage::Moved(at), Some(Standing::Old)));
        sets.apply(at, &KeySetEffect::FallBack);
        assert_eq!(
            (sets.stage("p"), under(&sets, KeyScheme::Tdes)),
            (Stage::FellBack(at), Some(Standing::Active))
        );
        sets.apply(at, &KeySetEffect::Adopt);
        sets.apply(at, &KeySetEffect::Retire);
        assert_eq!((sets.stage("p"), under(&sets, KeyScheme::Tdes)), (Stage::Finished, None));
        assert_eq!(sets.active(&registered).scheme, KeyScheme::Sm4);
        assert_eq!(sets.plan(), None);
    }
}
