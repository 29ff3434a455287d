//! What the trail says the register must be. Every line is played again, in order, and the register is compared with
//! the outcome, so that a change by hand has a name: which key, and in what. What no line tells (a usage, a key block)
//! is held by the digest that the last line has of the whole register.

use std::collections::BTreeMap;

use model::Timestamp;

use crate::{
    Finding, KeyName, KeyRecord, Person, Register, State,
    audit::{Action, Line, Verified},
    record::label,
    words,
};

/// Between a line's own note and a remark on it.
pub(crate) const REMARK: &str = "; ";

/// A key as its lines tell it.
#[derive(Debug)]
struct Told {
    state: State,
    check_value: String,
    custodians: Vec<Person>,
    operators: Vec<Person>,
    activated: Option<Timestamp>,
    retired: Option<Timestamp>,
    destroyed: Option<Timestamp>,
}

/// A waiting component as its line tells it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Clone)]
struct Waiting {
    name: KeyName,
    part: u8,
}

#[derive(Debug, Default)]
struct Story {
    keys: BTreeMap<(KeyName, u8), Told>,
    waiting: BTreeMap<Waiting, (Person, String)>,
}

/// Where the register is not what the trail says.
pub(crate) fn differences(register: &Register, trail: &Verified) -> Vec<Finding> {
    let mut findings = Vec::new();
    let known = usize::try_from(register.audit.lines).unwrap_or(usize::MAX).min(trail.lines.len());
    let lines = &trail.lines[..known];
    let mut story = Story::default();
    for line in effective(lines) {
        story.play(line);
    }
    story.compare_keys(register, &mut findings);
    story.compare_components(register, &mut findings);
    // The digest sees everything, but cannot say what it was.
    let digest = lines.last().and_then(|line| line.register.as_deref());
    if findings.is_empty() && digest.is_some_and(|digest| digest != register.digest()) {
        let what = format!("its contents are not those that line {known} of the trail has the hash of");
        findings.push(Finding::Altered { key: "keys.toml".to_owned(), what });
    }
    findings
}

/// The lines that took effect.
fn effective(lines: &[Line]) -> Vec<&Line> {
    let mut kept: Vec<&Line> = Vec::with_capacity(lines.len());
    for line in lines {
        if line.action == Action::Interrupted {
            let first = line.number.saturating_sub(undone(line));
            while kept.last().is_some_and(|last| last.number >= first) {
                kept.pop();
            }
        }
        kept.push(line);
    }
    kept
}

/// How many lines before it a line takes back: `the 1 line before this one …`.
fn undone(line: &Line) -> u64 {
    let word = line.note.as_deref().and_then(|note| note.split(' ').nth(1));
    word.and_then(|count| count.parse().ok()).unwrap_or(1)
}

/// The note without a remark.
fn own_note(line: &Line) -> &str {
    let note = line.note.as_deref().unwrap_or_default();
    note.split(REMARK).next().unwrap_or_default()
}

impl Story {
    fn play(&mut self, line: &Line) {
        let Some(name) = &line.key else { return };
        if line.action == Action::Discard {
            self.waiting.retain(|component, _| component.name != *name);
        }
        let Some(version) = line.version else { return };
        let key = (name.clone(), version);
        match line.action {
            Action::Component => self.component(line, name),
            Action::Combine => {
                let custodians = self.taken_components(name);
                self.keys.insert(key, made(line, custodians));
            }
            Action::Generate | Action::Import | Action::Rotate => {
                self.keys.insert(key, made(line, Vec::new()));
            }
            Action::Activate => self.activated(line, &key),
            Action::Retire => {
                if let Some(told) = self.keys.get_mut(&key) {
                    (told.state, told.retired) = (State::Retired, Some(line.at));
                }
            }
            Action::Destroy => {
                if let Some(told) = self.keys.get_mut(&key) {
                    (told.state, told.destroyed) = (State::Destroyed, Some(line.at));
                }
            }
            Action::Discard | Action::Export | Action::Refused | Action::Interrupted => {}
        }
    }

    fn component(&mut self, line: &Line, name: &KeyName) {
        let part = own_note(line).strip_prefix("part ").and_then(|rest| rest.split(' ').next()?.parse().ok());
        if let (Some(part), Some(custodian)) = (part, line.who.first()) {
            let check_value = line.check_values.first().cloned().unwrap_or_default();
            self.waiting.insert(Waiting { name: name.clone(), part }, (custodian.clone(), check_value));
        }
    }

    /// The custodians of the components that become a key, in the order of their parts.
    fn taken_components(&mut self, name: &KeyName) -> Vec<Person> {
        let mut custodians = Vec::new();
        self.waiting.retain(|component, (custodian, _)| {
            let of_this = component.name == *name;
            if of_this {
                custodians.push(custodian.clone());
            }
            !of_this
        });
        custodians
    }

    /// The note says when older versions end: `version 1 ends 2026-…, version 2 ends …`.
    fn activated(&mut self, line: &Line, key: &(KeyName, u8)) {
        if let Some(told) = self.keys.get_mut(key) {
            (told.state, told.activated) = (State::Active, Some(line.at));
        }
        for ended in own_note(line).split(", ") {
            let parts = ended.strip_prefix("version ").and_then(|rest| rest.split_once(" ends "));
            let Some((version, end)) = parts else { continue };
            let (Ok(version), Some(end)) = (version.parse(), words::time_of(end)) else { continue };
            if let Some(older) = self.keys.get_mut(&(key.0.clone(), version)) {
                older.retired = Some(older.retired.map_or(end, |already| already.min(end)));
                if end <= line.at {
                    older.state = State::Retired;
                }
            }
        }
    }

    fn compare_keys(&self, register: &Register, findings: &mut Vec<Finding>) {
        for ((name, version), told) in &self.keys {
            let here = register.keys.iter().find(|key| key.name == *name && key.version == *version);
            match here {
                Some(key) => compare(key, told, findings),
                None => findings.push(Finding::Altered {
                    key: label(name, *version),
                    what: format!("the trail says that it is {}, and it is not in the register", told.state),
                }),
            }
        }
        for key in &register.keys {
            if !self.keys.contains_key(&(key.name.clone(), key.version)) {
                let what = "it is in the register, and no line of the trail made it".to_owned();
                findings.push(Finding::Altered { key: key.label(), what });
            }
        }
    }

    fn compare_components(&self, register: &Register, findings: &mut Vec<Finding>) {
        let mut told = self.waiting.clone();
        for component in &register.components {
            let place = Waiting { name: component.name.clone(), part: component.part };
            let expected = told.remove(&place);
            if expected != Some((component.custodian.clone(), component.check_value.clone())) {
                let what =
                    "the trail knows it with another custodian or check value, or not at all".to_owned();
                findings.push(Finding::Altered { key: waiting_label(&place), what });
            }
        }
        for place in told.keys() {
            let what = "the trail says that it waits, and it is not in the register".to_owned();
            findings.push(Finding::Altered { key: waiting_label(place), what });
        }
    }
}

fn waiting_label(place: &Waiting) -> String {
    format!("component {} of {}", place.part, place.name)
}

fn made(line: &Line, custodians: Vec<Person>) -> Told {
    Told {
        state: State::Pending,
        check_value: line.check_values.first().cloned().unwrap_or_default(),
        custodians,
        operators: line.who.clone(),
        activated: None,
        retired: None,
        destroyed: None,
    }
}

fn compare(key: &KeyRecord, told: &Told, findings: &mut Vec<Finding>) {
    let time = |at: Option<Timestamp>| at.map_or_else(|| "never".to_owned(), words::time_text);
    let people = |people: &[Person]| {
        let names: Vec<&str> = people.iter().map(Person::as_str).collect();
        if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
    };
    let facts = [
        ("state", key.state.to_string(), told.state.to_string()),
        ("check value", key.check_value.clone(), told.check_value.clone()),
        ("custodians", people(&key.custodians), people(&told.custodians)),
        ("operators", people(&key.operators), people(&told.operators)),
        ("activated", time(key.activated), time(told.activated)),
        ("retired", time(key.retired), time(told.retired)),
        ("destroyed", time(key.destroyed), time(told.destroyed)),
    ];
    for (fact, here, there) in facts {
        if here != there {
            let what = format!("{fact}: the register says {here}, the trail {there}");
            findings.push(Finding::Altered { key: key.label(), what });
        }
    }
}
