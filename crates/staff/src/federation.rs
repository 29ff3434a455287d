//! Accounts that sign in by a provider of identities: which person at the provider an account belongs to. An administrator says
//! it, by the provider's own name for the person, or by a mail address that the first one to prove it claims.

use serde::{Deserialize, Serialize};

use crate::permission::Role;

/// Who a provider says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmed {
    /// The provider.
    pub issuer: String,
    /// Its name for the person, which is never given to another one.
    pub subject: String,
    /// A mail address that the provider has verified, where accounts may be claimed by one.
    pub email: Option<String>,
    /// The roles that the provider confirms, where it is asked for them.
    pub roles: Option<Vec<Role>>,
}

/// Whom at a provider an account belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The provider.
    pub issuer: String,
    /// The person there.
    pub person: Person,
}

/// A person at a provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Person {
    /// By the provider's own name.
    Subject(String),
    /// Whoever proves this mail address first.
    Email(String),
}

impl Binding {
    /// Is it this person?
    #[must_use]
    pub fn is(&self, confirmed: &Confirmed) -> bool {
        self.issuer == confirmed.issuer
            && match &self.person {
                Person::Subject(subject) => *subject == confirmed.subject,
                Person::Email(email) => {
                    confirmed.email.as_ref().is_some_and(|proven| proven.eq_ignore_ascii_case(email))
                }
            }
    }

    /// The binding after whoever it waited for has come: to the provider's own name.
    #[must_use]
    pub fn claimed(confirmed: &Confirmed) -> Self {
        Self { issuer: confirmed.issuer.clone(), person: Person::Subject(confirmed.subject.clone()) }
    }
}

/// The roles of a session: what the account has, and of that what the provider confirms. A provider takes away, it gives nothing.
#[must_use]
pub fn roles(account: &[Role], confirmed: Option<&[Role]>) -> Vec<Role> {
    let kept = |role: &&Role| confirmed.is_none_or(|confirmed| confirmed.contains(role));
    account.iter().filter(kept).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_takes_roles_away_and_gives_none() {
        let account = [Role::Agent, Role::Supervisor];
        assert_eq!(roles(&account, None), account);
        assert_eq!(roles(&account, Some(&[Role::Agent, Role::Administrator])), [Role::Agent]);
        assert!(roles(&account, Some(&[])).is_empty());
    }

    #[test]
    fn an_account_is_one_persons() {
        let confirmed = Confirmed { issuer: "i".into(), subject: "s".into(), email: None, roles: None };
        let bound = |person| Binding { issuer: "i".into(), person };
        assert!(bound(Person::Subject("s".into())).is(&confirmed));
        assert!(!bound(Person::Subject("S".into())).is(&confirmed), "names are compared as they are");
        let by_mail = bound(Person::Email("li.na@bank.example".into()));
        assert!(!by_mail.is(&confirmed), "an address that is not verified is none");
        let proven = Confirmed { email: Some("Li.Na@bank.example".into()), ..confirmed.clone() };
        assert!(by_mail.is(&proven));
        assert!(!Binding { issuer: "j".into(), ..by_mail }.is(&proven), "another provider");
        assert!(Binding::claimed(&proven).is(&confirmed));
    }
}
