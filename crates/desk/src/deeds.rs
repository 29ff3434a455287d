//! What people do at the desk: each deed looks at the case as it is and gives the next fact, or says why not. Pages, API and
//! command line all go through here, so none of them can close a case over an open gate.

use model::Timestamp;

use crate::{
    case::{Case, CaseNo, Outcome, Priority, Source, Status, Subject, WaitsOn},
    desk::Desk,
    fact::{Closing, Evidence, Fact, Opened, SentCode, Survey},
    house::House,
    identity::{Admitted, Level, NotAdmitted, Proof},
    matter::{masked, typed},
    plan::{CARDHOLDER, Plan},
};

/// The longest note, in characters.
const TEXT_MAX: usize = 2000;
/// The longest reason, in characters.
const WHY_MAX: usize = 500;
/// The longest name.
const NAME_MAX: usize = 80;
/// Cases that may be open at once.
const OPEN_MAX: usize = 10_000;
/// Facts about one case.
const FACTS_MAX: usize = 1000;
/// Pieces of evidence of one case.
const EVIDENCE_MAX: usize = 40;
/// Lines of one piece of evidence.
const LINES_MAX: usize = 24;
/// The longest line of evidence, in characters.
const LINE_MAX: usize = 300;

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such case.
    #[error("no such case")]
    NoCase,
    /// It is closed.
    #[error("the case is closed")]
    Closed,
    /// It is not closed.
    #[error("the case is not closed")]
    NotClosed,
    /// There is an open case about the same thing.
    #[error("case {0} is open about the same")]
    Already(CaseNo),
    /// Gates are open.
    #[error("steps that must be done first: {}", .0.join(", "))]
    GatesOpen(Vec<String>),
    /// The playbook of this case has no such step.
    #[error("the playbook has no such step")]
    NoStep,
    /// The step was done before.
    #[error("the step is done")]
    StepIsDone,
    /// The step wants to know what came of it.
    #[error("the step needs a note that says what came of it")]
    NeedsNote,
    /// Identity is not proven far enough.
    #[error(transparent)]
    NotAdmitted(#[from] NotAdmitted),
    /// The case is about no card.
    #[error("the case is about no card")]
    NoCard,
    /// No code was sent, or it is used or too old.
    #[error("no code was sent that is still good: send one")]
    NoCode,
    /// What was typed is missing, too long, or makes no sense.
    #[error("{part}: expected {expected}")]
    NotUnderstood {
        /// Which part.
        part: &'static str,
        /// What would have been accepted.
        expected: &'static str,
    },
    /// It was asked for, and a second person has not decided.
    #[error("a second person has not decided yet about what was asked for")]
    Undecided,
    /// It does not wait.
    #[error("the case does not wait")]
    NotWaiting,
    /// The link was used, is too old or never was: one answer for all.
    #[error("the link is used or too old")]
    BadLink,
    /// Too much of something.
    #[error("{0}")]
    Full(&'static str),
}

/// A case to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// How it came.
    pub source: Source,
    /// About what.
    pub subject: Subject,
    /// How soon; by itself when none is given.
    pub priority: Option<Priority>,
    /// In a sentence.
    pub summary: String,
    /// The caller, as far as they are named.
    pub caller: String,
    /// What was looked at.
    pub evidence: Vec<Evidence>,
}

fn text(part: &'static str, typed_text: &str, longest: usize) -> Result<String, Refusal> {
    let expected = match longest {
        TEXT_MAX => "1 to 2000 characters",
        WHY_MAX => "1 to 500 characters",
        _ => "1 to 80 characters",
    };
    typed(typed_text, longest).ok_or(Refusal::NotUnderstood { part, expected })
}

impl Opening {
    /// How soon, when nobody said: a person at a till cannot wait, a machine's word can.
    fn priority(&self) -> Priority {
        self.priority.unwrap_or(match self.source {
            Source::Phone if self.subject.card.is_some() => Priority::Urgent,
            Source::Phone | Source::Refusal | Source::Alarm => Priority::High,
            Source::Terminal | Source::Incident | Source::Api => Priority::Normal,
        })
    }

    /// Whose plan: a person's who has a card, or a shop's.
    fn plan<'h>(&self, house: &'h House) -> (&'h str, &'h str) {
        let (segment, plan) =
            self.subject.merchant.as_deref().map_or(("", ""), |m| house.plans.of_merchant(m));
        let holder = self.subject.card.is_some()
            && matches!(self.source, Source::Phone | Source::Refusal | Source::Api);
        match (holder, plan) {
            (true, _) => (segment, CARDHOLDER),
            (false, "") => (segment, crate::plan::STANDARD),
            (false, plan) => (segment, plan),
        }
    }

    /// The same thing is being looked into already.
    fn is_about(&self, case: &Case) -> bool {
        let (new, old) = (&self.subject, &case.opened.subject);
        let same = |a: Option<&str>, b: Option<&str>| a.is_some() && a == b;
        let thing = |s: &Subject| (s.alarm, s.incident, s.rrn.clone());
        match self.source {
            Source::Alarm => new.alarm.is_some() && new.alarm == old.alarm,
            Source::Incident => {
                case.opened.source == Source::Incident
                    && new.incident.is_some()
                    && new.incident == old.incident
            }
            Source::Refusal => same(new.rrn.as_deref(), old.rrn.as_deref()),
            Source::Phone | Source::Api => {
                let holders = matches!(case.opened.source, Source::Phone | Source::Refusal | Source::Api);
                holders
                    && new.card.is_some()
                    && new.card == old.card
                    && (new.rrn.is_none() || thing(new) == thing(old))
            }
            Source::Terminal => {
                case.opened.source == Source::Terminal
                    && same(new.terminal.as_deref(), old.terminal.as_deref())
            }
        }
    }
}

/// Evidence is what machines wrote: it is cut, and masked once more.
fn checked(evidence: Evidence) -> Evidence {
    let short = |text: String| masked(&text.chars().take(LINE_MAX).collect::<String>());
    let Evidence { kind, id, at, summary } = evidence;
    let summary = summary.into_iter().take(LINES_MAX).map(|(k, v)| (short(k), short(v))).collect();
    Evidence { kind, id: short(id), at, summary }
}

impl Desk {
    /// Opens a case.
    ///
    /// # Errors
    /// [`Refusal`]; [`Refusal::Already`] names the case that is open about the same.
    pub fn open(&self, house: &House, opening: Opening, by: &str) -> Result<Fact, Refusal> {
        let summary = text("summary", &opening.summary, WHY_MAX)?;
        let caller = if opening.caller.trim().is_empty() {
            String::new()
        } else {
            text("caller", &opening.caller, NAME_MAX)?
        };
        let mut open = 0;
        for case in self.cases().filter(|case| !case.is_closed()) {
            open += 1;
            if opening.is_about(case) {
                return Err(Refusal::Already(case.no));
            }
        }
        if open >= OPEN_MAX {
            return Err(Refusal::Full("too many cases are open"));
        }
        let (segment, plan) = opening.plan(house);
        let playbook = house.playbooks.of(&opening.subject).freeze(segment);
        let priority = opening.priority();
        let opened = Opened {
            source: opening.source,
            priority,
            summary,
            caller,
            plan: plan.to_owned(),
            segment: segment.to_owned(),
            targets: house.plans.get(plan).targets(),
            playbook,
            evidence: opening.evidence.into_iter().take(EVIDENCE_MAX).map(checked).collect(),
            subject: opening.subject,
        };
        Ok(Fact::Opened { opened: Box::new(opened), by: by.to_owned() })
    }

    /// Records what was asked to prove who calls, and how it was answered.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn prove(&self, house: &House, no: CaseNo, proof: Proof, by: &str) -> Result<Fact, Refusal> {
        let case = self.case(no)?;
        case.still_open()?;
        if case.opened.subject.card.is_none() {
            return Err(Refusal::NoCard);
        }
        if !house.identity.is_possible(&proof) {
            return Err(Refusal::NotUnderstood {
                part: "proof",
                expected: "a method, questions that it has, and how many answers were right and wrong",
            });
        }
        Ok(Fact::Proved { case: no, proof, by: by.to_owned() })
    }

    /// A code is about to be sent to the number on file. One before it is worth nothing from now on.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn send_code(
        &self,
        house: &House,
        no: CaseNo,
        code: SentCode,
        by: &str,
        now: Timestamp,
    ) -> Result<Fact, Refusal> {
        self.may_prove(house, no, now)?;
        Ok(Fact::CodeSent { case: no, code, by: by.to_owned() })
    }

    /// Looks at the code that the caller read out: `fits` compares it with the digest. The fact says whether it was right, and is
    /// to be durable before anybody hears it.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn check_code(
        &self,
        house: &House,
        no: CaseNo,
        fits: impl FnOnce(&str) -> bool,
        by: &str,
        now: Timestamp,
    ) -> Result<Fact, Refusal> {
        let case = self.may_prove(house, no, now)?;
        let code = case.code.as_ref().filter(|code| now < code.until).ok_or(Refusal::NoCode)?;
        let proof = Proof::of_code(fits(&code.digest), code.unchanged_h);
        Ok(Fact::Proved { case: no, proof, by: by.to_owned() })
    }

    /// The case, if anything can be proven in it now.
    fn may_prove(&self, house: &House, no: CaseNo, now: Timestamp) -> Result<&Case, Refusal> {
        let case = self.case(no)?;
        case.still_open()?;
        let card = case.opened.subject.card.ok_or(Refusal::NoCard)?;
        if self.is_shut(house, &card, now) {
            return Err(NotAdmitted::TooManyWrong.into());
        }
        Ok(case)
    }

    /// A step of the playbook is done.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn step(
        &self,
        house: &House,
        no: CaseNo,
        step: &str,
        note: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<Fact, Refusal> {
        let case = self.case(no)?;
        case.still_open()?;
        let frozen = case.opened.playbook.steps.iter().find(|s| s.id == step).ok_or(Refusal::NoStep)?;
        if case.done.contains_key(step) {
            return Err(Refusal::StepIsDone);
        }
        if frozen.note && note.trim().is_empty() {
            return Err(Refusal::NeedsNote);
        }
        let card = case.opened.subject.card;
        let shut = card.is_some_and(|card| self.is_shut(house, &card, now));
        let has = if shut { Level::L0 } else { case.best_level(house, now) };
        if has < frozen.level {
            return Err(NotAdmitted::Level { wanted: frozen.level, has }.into());
        }
        let note = if note.trim().is_empty() { String::new() } else { text("note", note, TEXT_MAX)? };
        Ok(Fact::StepDone { case: no, step: step.to_owned(), note, by: by.to_owned() })
    }

    /// What was admitted was asked for.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn asked(
        &self,
        no: CaseNo,
        admitted: &Admitted,
        proposal: Option<&str>,
        by: &str,
    ) -> Result<Fact, Refusal> {
        self.case(no)?.still_open()?;
        let (action, proposal) = (admitted.action(), proposal.map(str::to_owned));
        Ok(Fact::Asked { case: no, action, proposal, by: by.to_owned() })
    }
}

impl Case {
    fn still_open(&self) -> Result<(), Refusal> {
        if self.is_closed() {
            Err(Refusal::Closed)
        } else if self.history.len() >= FACTS_MAX {
            Err(Refusal::Full("too much was written about this case; close it and open another"))
        } else {
            Ok(())
        }
    }

    /// A step may be ticked a while after the proof that it needs: the proof must have been good once in this case.
    fn best_level(&self, house: &House, now: Timestamp) -> Level {
        let ever = self.proofs.iter().map(|(_, proof)| house.identity.level_of(proof)).max();
        ever.unwrap_or_default().max(self.level(house, now))
    }

    /// Gives it to somebody, or to nobody.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn assign(&self, to: Option<&str>, by: &str) -> Result<Fact, Refusal> {
        self.still_open()?;
        let to = to.map(|to| text("to", to, NAME_MAX)).transpose()?;
        Ok(Fact::Assigned { case: self.no, to, by: by.to_owned() })
    }

    /// Says how soon.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn prioritise(&self, priority: Priority, why: &str, by: &str) -> Result<Fact, Refusal> {
        self.still_open()?;
        let why = text("why", why, WHY_MAX)?;
        Ok(Fact::Prioritised { case: self.no, priority, why, by: by.to_owned() })
    }

    /// Adds a note.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn note(&self, note: &str, by: &str) -> Result<Fact, Refusal> {
        self.still_open()?;
        Ok(Fact::Noted { case: self.no, text: text("text", note, TEXT_MAX)?, by: by.to_owned() })
    }

    /// Attaches evidence.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn attach(&self, evidence: Evidence, by: &str) -> Result<Fact, Refusal> {
        self.still_open()?;
        if self.opened.evidence.len() >= EVIDENCE_MAX {
            return Err(Refusal::Full("too much evidence"));
        }
        Ok(Fact::Attached { case: self.no, evidence: checked(evidence), by: by.to_owned() })
    }

    /// Answers the customer: with a reply by its name, whose text was made with the facts, or in one's own words.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn answer(&self, house: &House, reply: &str, words: &str, by: &str) -> Result<Fact, Refusal> {
        self.still_open()?;
        if !reply.is_empty() && house.replies.get(reply).is_none() {
            return Err(Refusal::NotUnderstood { part: "reply", expected: "the name of a reply" });
        }
        let words = text("text", words, TEXT_MAX)?;
        Ok(Fact::Answered { case: self.no, reply: reply.to_owned(), text: words, by: by.to_owned() })
    }

    /// Lets it wait.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn wait(&self, on: WaitsOn, why: &str, by: &str) -> Result<Fact, Refusal> {
        self.still_open()?;
        // Nobody waits for a customer who was not answered: that would stop the clock of the first answer.
        if on == WaitsOn::Customer && self.responded.is_none() {
            return Err(Refusal::NotUnderstood { part: "on", expected: "the customer has an answer first" });
        }
        let why = text("why", why, WHY_MAX)?;
        Ok(Fact::Waits { case: self.no, on, why, by: by.to_owned() })
    }

    /// Goes on with it.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn resume(&self, why: &str, by: &str) -> Result<Fact, Refusal> {
        self.still_open()?;
        if !matches!(self.status, Status::Waiting(_)) {
            return Err(Refusal::NotWaiting);
        }
        let why = text("why", why, WHY_MAX)?;
        Ok(Fact::Resumed { case: self.no, why, by: by.to_owned() })
    }

    /// May it be closed? Every gate of its playbook must be done. This is the only place that says so.
    ///
    /// # Errors
    /// [`Refusal::GatesOpen`] with the steps that are missing, and the others.
    pub fn close(&self, outcome: Outcome, words: &str) -> Result<Closing, Refusal> {
        self.still_open().or_else(|why| if matches!(why, Refusal::Full(_)) { Ok(()) } else { Err(why) })?;
        let open: Vec<String> = self.open_gates().map(|step| step.id.clone()).collect();
        if !open.is_empty() {
            return Err(Refusal::GatesOpen(open));
        }
        Ok(Closing { outcome, words: text("words", words, TEXT_MAX)? })
    }

    /// The fact of a closing.
    #[must_use]
    pub fn closing_fact(&self, closing: Closing, survey: Option<Survey>, by: &str) -> Fact {
        Fact::Closed { case: self.no, closing, survey, by: by.to_owned() }
    }

    /// Opens it again.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn reopen(&self, why: &str, by: &str) -> Result<Fact, Refusal> {
        if !self.is_closed() {
            return Err(Refusal::NotClosed);
        }
        let why = text("why", why, WHY_MAX)?;
        Ok(Fact::Reopened { case: self.no, why, by: by.to_owned() })
    }

    /// Takes the customer's answer to the question: once, while the link is good.
    ///
    /// # Errors
    /// [`Refusal::BadLink`] whatever is wrong with the link; [`Refusal::NotUnderstood`] for what was typed.
    pub fn rate(&self, score: u8, words: &str, now: Timestamp) -> Result<Fact, Refusal> {
        let asked = self.closed.as_ref().and_then(|closed| closed.survey.as_ref());
        if self.rated.is_some() || asked.is_none_or(|survey| now >= survey.until) {
            return Err(Refusal::BadLink);
        }
        if !(1..=5).contains(&score) {
            return Err(Refusal::NotUnderstood { part: "score", expected: "1 to 5" });
        }
        let words = if words.trim().is_empty() { String::new() } else { text("words", words, TEXT_MAX)? };
        Ok(Fact::Rated { case: self.no, score, words })
    }

    /// Its service plan.
    #[must_use]
    pub fn plan<'h>(&self, house: &'h House) -> &'h Plan {
        house.plans.get(&self.opened.plan)
    }
}
