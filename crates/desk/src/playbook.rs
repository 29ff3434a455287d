//! Playbooks: what is done, step by step, by cause and by response code; some steps are gates.

use std::collections::{BTreeMap, BTreeSet};

use diagnosis::Cause;
use handbook::{Audience, Bilingual, Lang, Role};
use serde::{Deserialize, Serialize};

use crate::{case::Subject, house::BadData, identity::Level};

/// The playbook of everything that has no other.
pub const GENERAL: &str = "general";

/// All playbooks.
#[derive(Debug)]
pub struct Playbooks(BTreeMap<String, Playbook>);

/// One playbook.
#[derive(Debug)]
pub struct Playbook {
    /// Its fixed name.
    pub name: String,
    /// Raised with every change of its steps.
    pub version: u32,
    title: Bilingual,
    codes: Vec<String>,
    causes: Vec<Cause>,
    steps: Vec<Step>,
}

/// A step as the file has it.
#[derive(Debug)]
struct Step {
    frozen: FrozenStep,
    words: Words,
    segments: Vec<String>,
}

#[derive(Debug)]
enum Words {
    Own(Bilingual),
    Handbook(Role),
}

/// A playbook as it was when a case was opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frozen {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u32,
    /// Its steps.
    pub steps: Vec<FrozenStep>,
}

/// What a step asks for; fixed with the case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrozenStep {
    /// Its fixed name.
    pub id: String,
    /// The case cannot be closed while it is open.
    pub gate: bool,
    /// It is done only with a note.
    pub note: bool,
    /// It is done only when identity is proven that far.
    pub level: Level,
    /// What its button asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<StepAction>,
}

/// What a step's button asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepAction {
    /// Release the card's lock.
    Unlock,
    /// Give back tries that a fault consumed.
    RestoreTries,
    /// Take the terminal out of use.
    Suspend,
    /// Make the terminal sign in.
    SignIn,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    version: u32,
    title: Bilingual,
    codes: Vec<String>,
    causes: Vec<Cause>,
    step: Vec<StepEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepEntry {
    id: String,
    text: Option<Bilingual>,
    handbook: Option<String>,
    #[serde(default)]
    gate: bool,
    #[serde(default)]
    note: bool,
    #[serde(default)]
    level: Level,
    action: Option<StepAction>,
    #[serde(default)]
    segments: Vec<String>,
}

impl StepEntry {
    fn step(self) -> Result<Step, String> {
        let words = match (self.text, self.handbook.as_deref()) {
            (Some(text), None) => Words::Own(text),
            (None, Some(role)) => {
                let found = Role::ALL.into_iter().find(|r| r.name() == role);
                Words::Handbook(found.ok_or_else(|| format!("{}: nobody is {role:?}", self.id))?)
            }
            _ => return Err(format!("{}: either text or handbook", self.id)),
        };
        let Self { id, gate, note, level, action, segments, .. } = self;
        Ok(Step { frozen: FrozenStep { id, gate, note, level, action }, words, segments })
    }
}

impl Playbooks {
    /// Reads `playbooks.toml`; `segments` are those that a step may name.
    ///
    /// # Errors
    /// [`BadData`].
    pub fn read(text: &str, segments: &BTreeSet<&str>) -> Result<Self, BadData> {
        let bad = |why: String| BadData::of("playbooks", why);
        let entries: BTreeMap<String, Entry> = toml::from_str(text).map_err(|e| bad(e.to_string()))?;
        let (mut codes, mut causes) = (BTreeSet::new(), BTreeSet::new());
        let mut books = BTreeMap::new();
        for (name, entry) in entries {
            let steps = entry.step.into_iter().map(StepEntry::step).collect::<Result<Vec<_>, _>>();
            let steps = steps.map_err(|why| bad(format!("{name}: {why}")))?;
            let ids: BTreeSet<&str> = steps.iter().map(|step| step.frozen.id.as_str()).collect();
            if ids.len() != steps.len() || steps.is_empty() {
                return Err(bad(format!("{name}: steps have names of their own, and there is at least one")));
            }
            if !steps.iter().any(|step| step.frozen.gate && step.segments.is_empty()) {
                return Err(bad(format!("{name}: without a gate a case could be closed unseen")));
            }
            if let Some(unknown) =
                steps.iter().flat_map(|s| &s.segments).find(|s| !segments.contains(s.as_str()))
            {
                return Err(bad(format!("{name}: no such segment: {unknown}")));
            }
            for code in &entry.codes {
                if !codes.insert(code.clone()) {
                    return Err(bad(format!("{name}: code {code} has another playbook too")));
                }
            }
            for cause in &entry.causes {
                if !causes.insert(*cause) {
                    return Err(bad(format!("{name}: cause {cause} has another playbook too")));
                }
            }
            let Entry { version, title, codes, causes, .. } = entry;
            books.insert(name.clone(), Playbook { name, version, title, codes, causes, steps });
        }
        if books.contains_key(GENERAL) { Ok(Self(books)) } else { Err(bad(format!("there is no {GENERAL}"))) }
    }

    /// The playbook of a case: its cause's, else its code's, else the general one.
    ///
    /// # Panics
    /// Never: [`read`](Self::read) wants the general one.
    #[must_use]
    pub fn of(&self, subject: &Subject) -> &Playbook {
        let by_cause =
            subject.cause.and_then(|cause| self.0.values().find(|book| book.causes.contains(&cause)));
        let by_code = || {
            let code = subject.code.as_ref()?;
            self.0.values().find(|book| book.codes.contains(code))
        };
        // That nothing stands out, or that the holder entered a wrong PIN, says less than the code: whether the card is locked now.
        let holder = matches!(subject.cause, Some(Cause::Ordinary | Cause::Mistyped | Cause::Forgotten));
        let found = if holder { by_code().or(by_cause) } else { by_cause.or_else(by_code) };
        found.unwrap_or_else(|| &self.0[GENERAL])
    }

    /// A playbook by its name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Playbook> {
        self.0.get(name)
    }

    /// All of them, by name.
    pub fn all(&self) -> impl Iterator<Item = &Playbook> {
        self.0.values()
    }
}

impl Playbook {
    /// What it is called.
    #[must_use]
    pub fn title(&self, lang: Lang) -> &str {
        self.title.get(lang)
    }

    /// Response codes that it is for.
    #[must_use]
    pub fn codes(&self) -> &[String] {
        &self.codes
    }

    /// Causes that it is for.
    #[must_use]
    pub fn causes(&self) -> &[Cause] {
        &self.causes
    }

    /// Its steps as a case of a shop in this segment gets them.
    #[must_use]
    pub fn freeze(&self, segment: &str) -> Frozen {
        let fits = |step: &&Step| step.segments.is_empty() || step.segments.iter().any(|s| s == segment);
        let steps = self.steps.iter().filter(fits).map(|step| step.frozen.clone()).collect();
        Frozen { name: self.name.clone(), version: self.version, steps }
    }

    /// The words of a step about a subject; `None` for a step that an older version had.
    #[must_use]
    pub fn words(&self, step: &str, subject: &Subject, lang: Lang) -> Option<String> {
        let step = self.steps.iter().find(|s| s.frozen.id == step)?;
        Some(match &step.words {
            Words::Own(text) => text.get(lang).to_owned(),
            Words::Handbook(role) => of_handbook(*role, subject, lang),
        })
    }
}

/// What the handbook tells somebody about the case's cause; without one, about its code.
fn of_handbook(role: Role, subject: &Subject, lang: Lang) -> String {
    if let Some(cause) = subject.cause {
        return handbook::cause_text(cause).todo(lang, role).to_owned();
    }
    let code = subject.code.as_deref().and_then(handbook::code);
    match (role, code) {
        (Role::Cardholder, Some(code)) => code.prompt(lang).to_owned(),
        (_, Some(code)) => code.action(lang).to_owned(),
        (Role::Cardholder, None) => {
            handbook::reason(model::ReasonCode::IssuerDeclined).todo(lang, Audience::Cardholder).to_owned()
        }
        (_, None) => {
            handbook::reason(model::ReasonCode::IssuerDeclined).todo(lang, Audience::Engineer).to_owned()
        }
    }
}
