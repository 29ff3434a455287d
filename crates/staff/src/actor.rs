//! Whoever does something: a person with a session, a program with a token, or the system itself.

use crate::permission::{Permission, Permissions, Role};

/// Whoever does something. Every handler takes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The account's name, `token:<name>`, or `system`.
    pub name: String,
    /// Which person: two accounts of one person are one pair of eyes.
    pub person: String,
    /// In which roles.
    pub roles: Vec<Role>,
    /// The session's or token's public id.
    pub session: String,
    /// The device's id: what the browser was given at its first visit, hashed.
    pub device: String,
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
        if table.allows(&self.roles, permission) {
            Ok(())
        } else {
            Err(Forbidden { name: self.name.clone(), permission })
        }
    }
}
