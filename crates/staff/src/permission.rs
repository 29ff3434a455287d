//! Roles, actions, and the table of who may do what: [`permissions.toml`](../data/permissions.toml), which a person who is no
//! programmer can review.

use std::{collections::BTreeMap, fmt, str::FromStr, sync::LazyLock};

use serde::{Deserialize, Serialize};

macro_rules! names {
    ($(#[$outer:meta])* $kind:ident, $unknown:ident, $noun:literal; $( $(#[$doc:meta])* $variant:ident = $name:literal ),* $(,)?) => {
        $(#[$outer])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $kind {
            $( $(#[$doc])* #[serde(rename = $name)] $variant, )*
        }

        impl $kind {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The fixed kebab-case name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }

        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        /// No such name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
        #[error("no such {}", $noun)]
        pub struct $unknown;

        impl FromStr for $kind {
            type Err = $unknown;

            fn from_str(text: &str) -> Result<Self, $unknown> {
                Self::ALL.iter().copied().find(|one| one.name() == text).ok_or($unknown)
            }
        }
    };
}

names! {
    /// What somebody is.
    Role, UnknownRole, "role";
    /// At a till.
    Cashier = "cashier",
    /// Owns a shop.
    Merchant = "merchant",
    /// Answers cardholders and shops.
    Agent = "agent",
    /// Supervises agents; the second person at the desk.
    Supervisor = "supervisor",
    /// Watches for abuse.
    RiskAnalyst = "risk-analyst",
    /// Keeps the terminals.
    EstateEngineer = "estate-engineer",
    /// Holds a component of a key.
    KeyCustodian = "key-custodian",
    /// Reads everything that is recorded, changes nothing.
    Auditor = "auditor",
    /// Opens and closes accounts; sees no card.
    Administrator = "administrator",
}

names! {
    /// What somebody may do.
    Permission, UnknownPermission, "permission";
    /// See how things are.
    ViewOverview = "view-overview",
    /// See transactions.
    ViewTransactions = "view-transactions",
    /// See those of the own shop.
    ViewOwnShop = "view-own-shop",
    /// See cards and their PIN state.
    ViewCards = "view-cards",
    /// See terminals.
    ViewTerminals = "view-terminals",
    /// See incidents and the register.
    ViewIncidents = "view-incidents",
    /// Acknowledge, assign, close incidents.
    HandleIncidents = "handle-incidents",
    /// Say that a verdict was wrong.
    JudgeVerdicts = "judge-verdicts",
    /// Release a lock.
    UnlockCard = "unlock-card",
    /// Let the holder choose a new PIN.
    ResetPin = "reset-pin",
    /// Give back tries that a fault consumed.
    RestoreTries = "restore-tries",
    /// Block a card.
    BlockCard = "block-card",
    /// Lift a block.
    UnblockCard = "unblock-card",
    /// Change telephone or address.
    ChangeContact = "change-contact",
    /// Change limits.
    ChangeLimits = "change-limits",
    /// Suspend a terminal.
    SuspendTerminal = "suspend-terminal",
    /// Allow it again.
    ResumeTerminal = "resume-terminal",
    /// Make it sign in again.
    ForceSignIn = "force-sign-in",
    /// Draft rules.
    DraftRules = "draft-rules",
    /// Publish them.
    PublishRules = "publish-rules",
    /// Silence, acknowledge, subscribe.
    ManageAlarms = "manage-alarms",
    /// Load and change keys.
    HoldKeyCeremony = "hold-key-ceremony",
    /// See cases at the desk.
    ViewCases = "view-cases",
    /// Work on cases.
    WorkCases = "work-cases",
    /// Put a cardholder's signature with a payment.
    KeepSignature = "keep-signature",
    /// A shop's operators and their passwords.
    ManageOperators = "manage-operators",
    /// See and export the audit log.
    ViewAudit = "view-audit",
    /// Open, change and close accounts.
    ManageStaff = "manage-staff",
    /// Make and revoke tokens for programs.
    ManageTokens = "manage-tokens",
}

/// Must two people do it?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Second {
    /// One is enough.
    Never,
    /// Two, unless the product's policy says that one is enough.
    Policy,
    /// Two.
    Always,
}

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Who may do it, or ask for it.
    #[serde(rename = "do")]
    pub doers: Vec<Role>,
    /// Must two people do it?
    pub second: Second,
    /// Who may be the second.
    #[serde(default)]
    pub approve: Vec<Role>,
    /// What it is called in Chinese.
    pub zh: String,
    /// What it is called in English.
    pub en: String,
}

/// The table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Permissions(BTreeMap<Permission, Row>);

/// Why a table is none.
#[derive(Debug, thiserror::Error)]
pub enum BadTable {
    /// Not TOML, or an unknown name in it.
    #[error("the table of permissions: {0}")]
    Syntax(#[from] toml::de::Error),
    /// An action is missing.
    #[error("the table of permissions has no {0}")]
    Missing(Permission),
    /// Two people are asked for and nobody may be the second.
    #[error("{0}: nobody may be the second person")]
    NoApprover(Permission),
    /// Nobody may do it.
    #[error("{0}: nobody may do it")]
    NoDoer(Permission),
}

impl Permissions {
    /// Reads a table.
    ///
    /// # Errors
    /// [`BadTable`].
    pub fn read(text: &str) -> Result<Self, BadTable> {
        let rows: BTreeMap<Permission, Row> = toml::from_str(text)?;
        for permission in Permission::ALL {
            let row = rows.get(permission).ok_or(BadTable::Missing(*permission))?;
            if row.doers.is_empty() {
                return Err(BadTable::NoDoer(*permission));
            }
            if row.second != Second::Never && row.approve.is_empty() {
                return Err(BadTable::NoApprover(*permission));
            }
        }
        Ok(Self(rows))
    }

    /// The table that comes with the program.
    ///
    /// # Panics
    /// Never: a test reads it.
    #[must_use]
    pub fn builtin() -> &'static Self {
        static BUILTIN: LazyLock<Permissions> =
            LazyLock::new(|| Permissions::read(include_str!("../data/permissions.toml")).expect("tested"));
        &BUILTIN
    }

    /// The row of an action.
    ///
    /// # Panics
    /// Never: a table has every action.
    #[must_use]
    pub fn row(&self, permission: Permission) -> &Row {
        &self.0[&permission]
    }

    /// May somebody with these roles do it, or ask for it?
    #[must_use]
    pub fn allows(&self, roles: &[Role], permission: Permission) -> bool {
        self.row(permission).doers.iter().any(|role| roles.contains(role))
    }

    /// May somebody with these roles be the second person?
    #[must_use]
    pub fn may_approve(&self, roles: &[Role], permission: Permission) -> bool {
        self.row(permission).approve.iter().any(|role| roles.contains(role))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_builtin_table_has_every_action_and_nobody_may_do_everything() {
        let table = Permissions::builtin();
        for role in Role::ALL {
            let may: Vec<_> = Permission::ALL.iter().filter(|p| table.allows(&[*role], **p)).collect();
            assert!(!may.is_empty(), "{role} may do nothing");
            assert!(may.len() * 4 < Permission::ALL.len() * 3, "{role} may do too much");
        }
    }

    #[test]
    fn duties_are_separated() {
        let table = Permissions::builtin();
        let may = |role, permission| table.allows(&[role], permission);
        assert!(!may(Role::Administrator, Permission::ViewCards), "who opens accounts sees no card");
        assert!(!may(Role::Administrator, Permission::UnlockCard));
        assert!(!may(Role::Auditor, Permission::UnlockCard), "who audits changes nothing");
        assert!(!may(Role::KeyCustodian, Permission::ViewCards), "who holds keys sees no card");
        assert!(!may(Role::Agent, Permission::ViewAudit));
        assert!(!may(Role::Cashier, Permission::ViewTransactions), "a shop sees its own");
        assert!(!table.may_approve(&[Role::Agent], Permission::UnlockCard));
    }

    #[test]
    fn a_table_without_a_second_person_is_refused() {
        let text = include_str!("../data/permissions.toml");
        let without =
            text.replacen("second = \"always\"\napprove = [\"supervisor\"]\n", "second = \"always\"\n", 1);
        assert_ne!(text, without);
        assert!(matches!(Permissions::read(&without), Err(BadTable::NoApprover(Permission::ResetPin))));
        let missing = text.split("[view-overview]").next().unwrap();
        assert!(matches!(Permissions::read(missing), Err(BadTable::Missing(Permission::ViewOverview))));
        assert!(matches!(Permissions::read("[fly]\ndo = []"), Err(BadTable::Syntax(_))));
    }
}
