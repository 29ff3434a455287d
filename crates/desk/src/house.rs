//! The house's data: calendars, plans, playbooks, replies and the matrix of identity, checked against each other when they are
//! read.

use std::{collections::BTreeSet, fmt, sync::LazyLock};

use crate::{
    calendar::{Calendar, Calendars},
    identity::Identity,
    plan::Plans,
    playbook::Playbooks,
    reply::Replies,
};

/// All of it.
#[derive(Debug)]
pub struct House {
    /// When the desk works.
    pub calendars: Calendars,
    /// What was promised to whom.
    pub plans: Plans,
    /// What is done.
    pub playbooks: Playbooks,
    /// What is said.
    pub replies: Replies,
    /// Who is on the line, and what is open to them.
    pub identity: Identity,
}

/// A data file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {why}")]
pub struct BadData {
    /// Which, without its ending.
    pub file: &'static str,
    /// Why.
    pub why: String,
}

impl BadData {
    pub(crate) fn of(file: &'static str, why: impl fmt::Display) -> Self {
        Self { file, why: why.to_string() }
    }
}

/// The texts of the files.
#[derive(Debug, Clone, Copy)]
pub struct Files<'t> {
    /// `calendars.toml`.
    pub calendars: &'t str,
    /// `plans.toml`.
    pub plans: &'t str,
    /// `playbooks.toml`.
    pub playbooks: &'t str,
    /// `replies.toml`.
    pub replies: &'t str,
    /// `identity.toml`.
    pub identity: &'t str,
}

impl Files<'static> {
    /// Those that come with the program.
    pub const BUILTIN: Self = Self {
        calendars: include_str!("../data/calendars.toml"),
        plans: include_str!("../data/plans.toml"),
        playbooks: include_str!("../data/playbooks.toml"),
        replies: include_str!("../data/replies.toml"),
        identity: include_str!("../data/identity.toml"),
    };
}

impl House {
    /// Reads the files.
    ///
    /// # Errors
    /// [`BadData`].
    pub fn read(files: &Files<'_>) -> Result<Self, BadData> {
        let calendars = Calendars::read(files.calendars)?;
        let plans = Plans::read(files.plans, &calendars)?;
        let segments: BTreeSet<&str> = plans.segments().iter().map(|s| s.name.as_str()).collect();
        let playbooks = Playbooks::read(files.playbooks, &segments)?;
        let replies = Replies::read(files.replies)?;
        let identity = Identity::read(files.identity)?;
        Ok(Self { calendars, plans, playbooks, replies, identity })
    }

    /// The data that comes with the program.
    ///
    /// # Panics
    /// Never: a test reads it.
    #[must_use]
    pub fn builtin() -> &'static Self {
        static BUILTIN: LazyLock<House> =
            LazyLock::new(|| House::read(&Files::BUILTIN).expect("a test reads the data"));
        &BUILTIN
    }

    /// A calendar by its name; day and night when there is no such calendar any more: then no promise is kept too easily.
    #[must_use]
    pub fn calendar(&self, name: &str) -> &Calendar {
        self.calendars.get(name).unwrap_or(&Calendar::Always)
    }
}
