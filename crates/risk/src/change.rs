//! What happens to rule sets, lists and snoozes, as values that a store can keep in order: the state is a fold of them.

use model::Timestamp;
use serde::{Deserialize, Serialize};

/// Something that changed. `by` is who did it, as the console knows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "change")]
pub enum Change {
    /// A set was put down, and is not at work.
    Drafted {
        /// Its version.
        digest: String,
        /// The file.
        text: String,
        /// Who wrote it.
        by: String,
        /// When.
        at: Timestamp,
    },
    /// It runs beside the live set, and none of its rules acts.
    Shadowed {
        /// Its version.
        digest: String,
        /// Who began it.
        by: String,
        /// When.
        at: Timestamp,
    },
    /// Somebody asks for it to become the live set.
    Requested {
        /// Its version.
        digest: String,
        /// Who asks.
        by: String,
        /// When.
        at: Timestamp,
    },
    /// A second person agreed: it is the live set.
    Activated {
        /// Its version.
        digest: String,
        /// Who had asked.
        requested_by: String,
        /// Who agreed.
        approved_by: String,
        /// When.
        at: Timestamp,
    },
    /// It is not at work any more, or was never wanted.
    Withdrawn {
        /// Its version.
        digest: String,
        /// Who took it back.
        by: String,
        /// When.
        at: Timestamp,
    },
    /// The circuit breaker put a rule into shadow.
    Demoted {
        /// The rule.
        rule: String,
        /// Of which version.
        digest: String,
        /// How many payments it declined in the breaker's window.
        declined: u64,
        /// Of how many.
        events: u64,
        /// When.
        at: Timestamp,
    },
    /// Two people put it back.
    Restored {
        /// The rule.
        rule: String,
        /// Of which version.
        digest: String,
        /// Who asked.
        requested_by: String,
        /// Who agreed.
        approved_by: String,
        /// When.
        at: Timestamp,
    },
    /// A rule leaves a card, terminal, shop or BIN in peace for a while.
    Snoozed {
        /// The rule.
        rule: String,
        /// The card (32 hexadecimal digits), terminal, merchant or BIN.
        member: String,
        /// Until then.
        until: Timestamp,
        /// Who wanted it.
        by: String,
        /// Why.
        why: String,
        /// When.
        at: Timestamp,
    },
    /// And no more.
    SnoozeEnded {
        /// The rule.
        rule: String,
        /// The card, terminal, merchant or BIN.
        member: String,
        /// Who ended it.
        by: String,
        /// When.
        at: Timestamp,
    },
    /// Something was entered in a list.
    Listed {
        /// The list.
        list: String,
        /// What: a card's 32 hexadecimal digits, or the text of a field.
        member: String,
        /// Until when; without an end, until it is taken out.
        until: Option<Timestamp>,
        /// Who entered it.
        by: String,
        /// Why.
        why: String,
        /// When.
        at: Timestamp,
    },
    /// And taken out.
    Unlisted {
        /// The list.
        list: String,
        /// What.
        member: String,
        /// Who took it out.
        by: String,
        /// When.
        at: Timestamp,
    },
}
