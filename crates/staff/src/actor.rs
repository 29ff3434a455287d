//! Whoever does something: a person with a session, a program with a token, or the system itself.

use crate::permission::{Permission, Permissions, Role};

/// Whoever does something. Every handler takes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The account's name, `token:<owner>/<name>`, or `system`.
    pub name: String,
    /// Which person: two accounts of one person are one pair of eyes.
    pub person: String,
    /// In which roles.
    pub roles: Vec<Role>,
    /// The session's or token's public id.
    pub session: String,
    /// The device's id: what the browser was given at its first visit, hashed.
    pub device: String,
    /// A program's token: nothing but this, of what its owner may do.
    pub scopes: Option<Vec<Permission>>,
}

/// Not theirs to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} may not {permission}")]
pub struct Forbidden {
    /// Who.
    pub name: String,
    /// What.
    pub permission: Permission,
}

impl Actor {
    /// May they do it, or ask for it?
    ///
    /// # Errors
    /// [`Forbidden`].
    pub fn may(&self, table: &Permissions, permission: Permission) -> Result<(), Forbidden> {
        let in_scope = self.scopes.as_ref().is_none_or(|scopes| scopes.contains(&permission));
        if in_scope && table.allows(&self.roles, permission) {
            Ok(())
        } else {
            Err(Forbidden { name: self.name.clone(), permission })
        }
    }

    /// Is it a program with a token?
    #[must_use]
    pub fn is_program(&self) -> bool {
        self.scopes.is_some()
    }

    /// May they be the second person? A program has no eyes.
    #[must_use]
    pub fn may_approve(&self, table: &Permissions, permission: Permission) -> bool {
        !self.is_program() && table.may_approve(&self.roles, permission)
    }
}
