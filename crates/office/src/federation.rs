//! Signing in by a provider of identities. Whom an account belongs to there, an administrator says; nobody gets an account, or a
//! role, by being known to the provider.

use staff::{
    AccountFact, Actor, Permission,
    federation::{Binding, Confirmed, Person},
};

use crate::{Noted, Office, OfficeError, sessions::SignedIn};

/// The longest name of a person or a provider.
const NAME_MAX: usize = 255;

impl Office {
    /// Says whom at a provider an account belongs to, in place of anybody else there.
    ///
    /// # Errors
    /// [`OfficeError`].
    pub async fn bind_account(&self, by: &Actor, name: &str, binding: Binding) -> Result<(), OfficeError> {
        by.may(&self.permissions, Permission::ManageStaff)?;
        let (Person::Subject(person) | Person::Email(person)) = &binding.person;
        if [person, &binding.issuer].iter().any(|text| text.is_empty() || text.len() > NAME_MAX) {
            return Err(OfficeError::Invalid(
                "a provider and a person there have names of at most 255 bytes",
            ));
        }
        let account = self.account(name).await?;
        let taken = {
            let state = self.state.lock().await;
            state.accounts.values().any(|other| other.name != name && other.bindings.contains(&binding))
        };
        if taken {
            return Err(OfficeError::Conflict("another account belongs to this person"));
        }
        let noted = Noted::done("staff.bind").about("staff", name).with("issuer", &binding.issuer);
        self.append_account(name, account.seq, &AccountFact::Bound { binding }).await?;
        self.note(by, noted).await
    }

    /// From now on the account belongs to nobody at this provider. Sessions go on until they end.
    ///
    /// # Errors
    /// [`OfficeError`].
    pub async fn unbind_account(&self, by: &Actor, name: &str, issuer: &str) -> Result<(), OfficeError> {
        by.may(&self.permissions, Permission::ManageStaff)?;
        let account = self.account(name).await?;
        self.append_account(name, account.seq, &AccountFact::Unbound { issuer: issuer.to_owned() }).await?;
        self.note(by, Noted::done("staff.unbind").about("staff", name).with("issuer", issuer)).await
    }

    /// Signs in whoever a provider confirmed, if exactly one account is theirs.
    ///
    /// # Errors
    /// [`OfficeError::NotSignedIn`].
    pub async fn sign_in_by_provider(
        &self,
        confirmed: &Confirmed,
        device: &str,
    ) -> Result<SignedIn, OfficeError> {
        self.catch_up().await?;
        let mut theirs: Vec<_> = {
            let state = self.state.lock().await;
            state.accounts.values().filter(|account| account.belongs_to(confirmed)).cloned().collect()
        };
        let (Some(account), true) = (theirs.pop(), theirs.is_empty()) else {
            self.refuse_provider("no account belongs to this person").await?;
            return Err(OfficeError::NotSignedIn);
        };
        let claimed = Binding::claimed(confirmed);
        let mut seq = account.seq;
        if !account.bindings.contains(&claimed) {
            self.append_account(&account.name, seq, &AccountFact::Bound { binding: claimed }).await?;
            seq += 1;
            let noted = Noted::done("staff.claim").about("staff", &account.name);
            self.note(&Self::nobody(), noted.with("issuer", &confirmed.issuer)).await?;
        }
        self.append_account(&account.name, seq, &AccountFact::SignedIn { step: None }).await?;
        self.begin_in(&account, device, "oidc", confirmed.roles.clone()).await
    }

    /// Writes down that a sign-in by a provider was refused, and why.
    ///
    /// # Errors
    /// [`OfficeError::Store`].
    pub async fn refuse_provider(&self, why: &str) -> Result<(), OfficeError> {
        self.note(&Self::nobody(), Noted::refused("session.begin").with("by", "oidc").refused_because(why))
            .await
    }
}
