//! Who is on the line? A graded proof: what was asked and how it was answered gives a level, and the level opens actions.
//!
//! Nothing here knows an expected answer. A proof says which questions were asked and how many answers were right; the level is
//! derived from that each time, so that nobody writes a level down by hand. Wrong answers about a card are counted over all
//! its cases: whoever calls again does not begin anew.

use std::{collections::BTreeMap, fmt, str::FromStr};

use handbook::{Bilingual, Lang};
use model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{case::UnknownName, house::BadData};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
/// Questions of one proof.
const ASKED_MAX: usize = 8;

/// The method that the program checks itself where it can send messages: a code to the number on file.
pub const CODE_METHOD: &str = "code-to-contact-on-file";
/// What it asks for.
const CODE_QUESTION: &str = "one-time-code";

/// How far it is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum Level {
    /// Not at all: general information only.
    #[default]
    L0,
    /// They know what the holder knows.
    L1,
    /// They have what is on file: the telephone, the app.
    L2,
    /// It is the person.
    L3,
}

impl From<Level> for u8 {
    fn from(level: Level) -> Self {
        level as Self
    }
}

impl TryFrom<u8> for Level {
    type Error = UnknownName;

    fn try_from(number: u8) -> Result<Self, UnknownName> {
        [Self::L0, Self::L1, Self::L2, Self::L3].get(usize::from(number)).copied().ok_or(UnknownName)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "L{}", *self as u8)
    }
}

/// What may be asked for at the desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Say how things work.
    Information,
    /// Say how the card is.
    Status,
    /// Release its lock early.
    Unlock,
    /// Let the holder choose a new PIN.
    ResetPin,
    /// Change how the holder is reached.
    ChangeContact,
}

impl Action {
    /// Every one.
    pub const ALL: [Self; 5] =
        [Self::Information, Self::Status, Self::Unlock, Self::ResetPin, Self::ChangeContact];

    /// The fixed name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Information => "information",
            Self::Status => "status",
            Self::Unlock => "unlock",
            Self::ResetPin => "reset-pin",
            Self::ChangeContact => "change-contact",
        }
    }
}

impl FromStr for Action {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|one| one.name() == text).ok_or(UnknownName)
    }
}

/// What was asked, and how it was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// The method's name.
    pub method: String,
    /// Questions by name, of those that the method has.
    pub asked: Vec<String>,
    /// Right answers.
    pub right: u8,
    /// Wrong answers.
    pub wrong: u8,
    /// For so many hours the contact on file has not changed, as the bank's register says; none if that is not known.
    #[serde(default)]
    pub contact_unchanged_h: Option<u32>,
}

impl Proof {
    /// What the answer to a code that was sent proves.
    #[must_use]
    pub fn of_code(is_right: bool, contact_unchanged_h: u32) -> Self {
        Self {
            method: CODE_METHOD.to_owned(),
            asked: vec![CODE_QUESTION.to_owned()],
            right: u8::from(is_right),
            wrong: u8::from(!is_right),
            contact_unchanged_h: Some(contact_unchanged_h),
        }
    }
}

/// A way to prove it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Method {
    /// What it gives.
    pub level: Level,
    /// So many right answers are needed.
    pub right: u8,
    /// The contact on file must be unchanged for so long, or it gives level 1 only.
    pub unchanged_h: Option<u32>,
    name: Bilingual,
    how: Bilingual,
    /// What may be asked, by name.
    pub questions: Vec<String>,
}

impl Method {
    /// What it is called.
    #[must_use]
    pub fn name(&self, lang: Lang) -> &str {
        self.name.get(lang)
    }

    /// How it is done.
    #[must_use]
    pub fn how(&self, lang: Lang) -> &str {
        self.how.get(lang)
    }
}

/// A row of the matrix.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The level that is needed.
    pub level: Level,
    /// A lower one is enough after a time.
    pub or: Option<Cooled>,
    /// The method that the desk tries first.
    pub usual: Option<String>,
    /// Nothing else is released or reset for so long afterwards.
    pub hold_h: Option<u32>,
    name: Bilingual,
}

impl Row {
    /// What the action is called.
    #[must_use]
    pub fn name(&self, lang: Lang) -> &str {
        self.name.get(lang)
    }
}

/// A lower level that is enough after a time to cool down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cooled {
    /// The level.
    pub level: Level,
    /// So long after its proof, and for as long again.
    pub cooling_h: u32,
}

/// Methods and matrix.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    fresh_min: u32,
    wrong_max: u32,
    wrong_h: u32,
    method: BTreeMap<String, Method>,
    question: BTreeMap<String, Bilingual>,
    action: BTreeMap<Action, Row>,
}

/// It may be asked for now. Made by [`Identity::admit`] alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admitted {
    action: Action,
    level: Level,
}

impl Admitted {
    /// What may be asked for.
    #[must_use]
    pub fn action(&self) -> Action {
        self.action
    }

    /// How far identity is proven.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }
}

/// Why it may not be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// Identity is not proven that far.
    #[error("identity is proven to {has}, and {wanted} is needed")]
    Level {
        /// The level that is needed.
        wanted: Level,
        /// What is proven.
        has: Level,
    },
    /// Too many wrong answers.
    #[error("too many wrong answers about this card; nothing is proven for some hours")]
    TooManyWrong,
    /// A change of contact holds everything.
    #[error(
        "the contact on file was changed a short while ago; nothing is released or reset until that is over"
    )]
    Held,
}

impl Identity {
    /// Reads `identity.toml`.
    ///
    /// # Errors
    /// [`BadData`].
    pub fn read(text: &str) -> Result<Self, BadData> {
        let bad = |why: String| BadData::of("identity", why);
        let read: Self = toml::from_str(text).map_err(|e| bad(e.to_string()))?;
        if let Some(missing) = Action::ALL.into_iter().find(|action| !read.action.contains_key(action)) {
            return Err(bad(format!("the matrix has no row {}", missing.name())));
        }
        let usual = read.action.values().filter_map(|row| row.usual.as_ref());
        if let Some(unknown) = usual.into_iter().find(|name| !read.method.contains_key(*name)) {
            return Err(bad(format!("no such method: {unknown}")));
        }
        if !read.is_possible(&Proof::of_code(true, 0)) {
            return Err(bad(format!("no method {CODE_METHOD} that asks for {CODE_QUESTION}")));
        }
        for (name, method) in &read.method {
            if let Some(unknown) = method.questions.iter().find(|q| !read.question.contains_key(*q)) {
                return Err(bad(format!("{name}: no such question: {unknown}")));
            }
            let asks = method.questions.len();
            if method.level == Level::L0 || method.right == 0 || asks < usize::from(method.right) {
                return Err(bad(format!("{name}: it proves nothing")));
            }
        }
        Ok(read)
    }

    /// All methods, the weakest first.
    #[must_use]
    pub fn methods(&self) -> Vec<(&str, &Method)> {
        let mut methods: Vec<_> = self.method.iter().map(|(name, method)| (name.as_str(), method)).collect();
        methods.sort_by_key(|(_, method)| method.level);
        methods
    }

    /// A question in words; its name when there is no such question any more.
    #[must_use]
    pub fn question<'q>(&'q self, name: &'q str, lang: Lang) -> &'q str {
        self.question.get(name).map_or(name, |words| words.get(lang))
    }

    /// A row of the matrix.
    ///
    /// # Panics
    /// Never: [`read`](Self::read) wants every row.
    #[must_use]
    pub fn row(&self, action: Action) -> &Row {
        &self.action[&action]
    }

    /// Is it a proof that could have been taken?
    pub(crate) fn is_possible(&self, proof: &Proof) -> bool {
        let Some(method) = self.method.get(&proof.method) else { return false };
        let answers = usize::from(proof.right) + usize::from(proof.wrong);
        let mut asked = proof.asked.clone();
        asked.sort_unstable();
        asked.dedup();
        (1..=ASKED_MAX).contains(&asked.len())
            && asked.len() == proof.asked.len()
            && asked.iter().all(|question| method.questions.contains(question))
            && answers >= 1
            // a question may be answered wrongly and then rightly
            && usize::from(proof.right) <= asked.len()
    }

    /// What one proof gives.
    #[must_use]
    pub fn level_of(&self, proof: &Proof) -> Level {
        let Some(method) = self.method.get(&proof.method).filter(|_| self.is_possible(proof)) else {
            return Level::L0;
        };
        if proof.right < method.right {
            return Level::L0;
        }
        let old_enough =
            method.unchanged_h.is_none_or(|wanted| proof.contact_unchanged_h.is_some_and(|h| h >= wanted));
        if old_enough { method.level } else { method.level.min(Level::L1) }
    }

    /// The best of the proofs that are fresh.
    #[must_use]
    pub fn level(&self, proofs: &[(Timestamp, Proof)], now: Timestamp) -> Level {
        let fresh = |at: Timestamp| (0..i64::from(self.fresh_min) * MINUTE_MS).contains(&now.since_ms(at));
        let levels = proofs.iter().filter(|(at, _)| fresh(*at)).map(|(_, proof)| self.level_of(proof));
        levels.max().unwrap_or_default()
    }

    /// Were there too many wrong answers in these proofs, of all cases about one card?
    #[must_use]
    pub fn is_shut<'p>(
        &self,
        proofs: impl IntoIterator<Item = &'p (Timestamp, Proof)>,
        now: Timestamp,
    ) -> bool {
        let recent = |at: Timestamp| now.since_ms(at) < i64::from(self.wrong_h) * HOUR_MS;
        let wrong = proofs.into_iter().filter(|(at, _)| recent(*at)).map(|(_, proof)| u32::from(proof.wrong));
        wrong.sum::<u32>() >= self.wrong_max
    }

    /// Does a change of contact at this moment still hold everything?
    #[must_use]
    pub fn holds(&self, changed: Timestamp, now: Timestamp) -> bool {
        let hold_h = self.row(Action::ChangeContact).hold_h.unwrap_or_default();
        now.since_ms(changed) < i64::from(hold_h) * HOUR_MS
    }

    /// May it be asked for, with the proofs of this case? `shut` and `held` are about the card ([`crate::Desk::admit`] looks).
    ///
    /// # Errors
    /// [`NotAdmitted`].
    pub fn admit(
        &self,
        action: Action,
        proofs: &[(Timestamp, Proof)],
        shut: bool,
        held: bool,
        now: Timestamp,
    ) -> Result<Admitted, NotAdmitted> {
        let row = self.row(action);
        let has = if shut { Level::L0 } else { self.level(proofs, now) };
        if row.level > Level::L0 && shut {
            return Err(NotAdmitted::TooManyWrong);
        }
        if held && matches!(action, Action::Unlock | Action::ResetPin) {
            return Err(NotAdmitted::Held);
        }
        if has >= row.level || row.or.is_some_and(|cooled| self.has_cooled(cooled, proofs, now)) {
            return Ok(Admitted { action, level: has });
        }
        Err(NotAdmitted::Level { wanted: row.level, has })
    }

    fn has_cooled(&self, cooled: Cooled, proofs: &[(Timestamp, Proof)], now: Timestamp) -> bool {
        let cooling = i64::from(cooled.cooling_h) * HOUR_MS;
        proofs.iter().any(|(at, proof)| {
            self.level_of(proof) >= cooled.level && (cooling..2 * cooling).contains(&now.since_ms(*at))
        })
    }
}
