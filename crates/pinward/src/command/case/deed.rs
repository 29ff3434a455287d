//! What is done to a case, as a command says it and as the API takes it. Which deeds there are and when they may be done is the
//! desk's to say; here they only get their words.

use clap::builder::PossibleValuesParser;
use desk::{Outcome, Priority, WaitsOn};
use serde_json::{Value, json};

/// A deed.
#[derive(clap::Subcommand)]
pub(super) enum Deed {
    /// Give it to somebody; without a name to nobody.
    Assign {
        /// The user name.
        to: Option<String>,
    },
    /// Add a note.
    Note {
        /// It.
        text: String,
    },
    /// Record what was said to the customer; the first answer stops the response clock.
    Answer {
        /// What was said.
        text: String,
        /// The reply that was read out, by its name.
        #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
        reply: String,
    },
    /// Let it wait; while it waits for the customer the clocks stand still.
    Wait {
        /// For whom.
        #[arg(value_parser = PossibleValuesParser::new(WaitsOn::ALL.iter().map(|on| on.name())))]
        on: String,
        /// Why.
        #[arg(long)]
        why: String,
    },
    /// Go on with one that waits, or open one that is closed again.
    Resume {
        /// Why.
        #[arg(long)]
        why: String,
    },
    /// Say how soon.
    Priority {
        /// How soon.
        #[arg(value_parser = PossibleValuesParser::new(Priority::ALL.iter().map(|p| p.name())))]
        priority: String,
        /// Why.
        #[arg(long)]
        why: String,
    },
    /// A step of the playbook is done.
    Step {
        /// Its name, as `show` gives it.
        step: String,
        /// What came of it; some steps need it.
        #[arg(long, default_value = "", hide_default_value = true)]
        note: String,
    },
    /// Record what was asked to prove who calls, and how it was answered.
    Prove {
        /// The method, such as code-to-contact-on-file.
        method: String,
        /// What was asked; may be given several times.
        #[arg(long, required = true, value_name = "QUESTION")]
        asked: Vec<String>,
        /// Right answers.
        #[arg(long, value_name = "N")]
        right: u8,
        /// Wrong answers.
        #[arg(long, value_name = "N", default_value_t = 0)]
        wrong: u8,
        /// For so many hours the contact on file has not changed.
        #[arg(long, value_name = "HOURS")]
        contact_unchanged_h: Option<u32>,
    },
    /// Send the code that proves who calls to the number on file.
    SendCode,
    /// Look at the code that the caller read out; a wrong one is counted.
    CheckCode {
        /// It.
        code: String,
    },
    /// Ask for a reset of the PIN: the holder gets a one-time link to set another.
    ResetPin {
        /// Why.
        #[arg(long)]
        why: String,
    },
    /// Ask for another number for messages; the old one is told, and nothing is unlocked or reset for a day.
    ChangeContact {
        /// The new number, with its country code.
        number: String,
        /// The language of messages; as before when not given.
        #[arg(long, value_parser = PossibleValuesParser::new(["zh", "en"]))]
        language: Option<String>,
        /// Why.
        #[arg(long)]
        why: String,
    },
    /// Ask for the release of the card's lock; identity must be proven far enough.
    Unlock {
        /// Why.
        #[arg(long)]
        why: String,
    },
    /// Close it; refused while a step is open that must be done first.
    Close {
        /// How it ended.
        #[arg(value_parser = PossibleValuesParser::new(Outcome::ALL.iter().map(|o| o.name())))]
        outcome: String,
        /// What came of it.
        #[arg(long)]
        words: String,
    },
}

impl Deed {
    /// Where the API takes it, and what it takes.
    pub(super) fn request(&self, case: u32) -> (String, Value) {
        let (place, body) = match self {
            Self::Assign { to } => ("assign", json!({ "to": to })),
            Self::Note { text } => ("notes", json!({ "text": text })),
            Self::Answer { text, reply } => ("answers", json!({ "text": text, "reply": reply })),
            Self::Wait { on, why } => ("status", json!({ "status": "waiting", "on": on, "why": why })),
            Self::Resume { why } => ("status", json!({ "status": "in-work", "why": why })),
            Self::Priority { priority, why } => ("priority", json!({ "priority": priority, "why": why })),
            Self::Step { step, note } => ("steps", json!({ "step": step, "note": note })),
            Self::Prove { method, asked, right, wrong, contact_unchanged_h } => (
                "identity",
                json!({
                    "method": method, "asked": asked, "right": right, "wrong": wrong,
                    "contact_unchanged_h": contact_unchanged_h,
                }),
            ),
            Self::SendCode => ("code", json!({})),
            Self::CheckCode { code } => ("code", json!({ "code": code })),
            Self::ResetPin { why } => ("actions", json!({ "action": "reset-pin", "why": why })),
            Self::ChangeContact { number, language, why } => (
                "actions",
                json!({ "action": "change-contact", "number": number, "language": language, "why": why }),
            ),
            Self::Unlock { why } => ("actions", json!({ "action": "unlock", "why": why })),
            Self::Close { outcome, words } => ("close", json!({ "outcome": outcome, "words": words })),
        };
        (format!("/api/v1/cases/{case}/{place}"), body)
    }
}
