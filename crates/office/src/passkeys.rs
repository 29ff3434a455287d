//! Passkeys of the staff: added and taken away by whoever proved who they are a short time ago, and signed in with. A passkey is
//! both factors at once: the device, and what the device knows of its owner.
//!
//! Challenges are not kept before they are answered ([`passkey::ceremony`]); an answered one is kept with the account in the
//! same fact as the answer, so that no number of hosts takes it twice. As with passwords, a try is counted before it is looked at.

use model::Timestamp;
use passkey::{
    Assertion, CredentialId, Refused, Registration, RelyingParty,
    ceremony::{ChallengeKey, NONCE_LEN, Purpose},
};
use staff::{
    Account, AccountFact, Actor,
    account::{LABEL_MAX, PASSKEYS_MAX, UsedChallenge},
};
use store::{Book, book};
use zeroize::Zeroizing;

use crate::{Noted, Office, OfficeError, SignedIn, random};

/// The stream of the key of challenges.
const KEY: &str = "passkey-key";
const SIGN_IN: &str = "staff sign-in";
const ADD: &str = "staff passkey";

/// What a page needs to have a passkey made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPasskey {
    /// The challenge.
    pub challenge: Vec<u8>,
    /// The user handle.
    pub user_handle: Vec<u8>,
    /// The passkeys that there are: a device that has one makes no second.
    pub known: Vec<CredentialId>,
}

/// The key of challenges, made at the first opening.
pub(crate) async fn key(book: &dyn Book, now: Timestamp) -> Result<ChallengeKey, OfficeError> {
    let fresh: Zeroizing<[u8; 32]> = Zeroizing::new(random()?);
    let secret = Zeroizing::new(book::secret(book, KEY, now, fresh.as_slice()).await?);
    Ok(ChallengeKey::new(&secret))
}

impl Office {
    /// A challenge for whoever wants to sign in from this device.
    ///
    /// # Errors
    /// [`OfficeError::Store`].
    pub fn passkey_challenge(&self, device: &str) -> Result<Vec<u8>, OfficeError> {
        let nonce: [u8; NONCE_LEN] = random()?;
        Ok(self.challenges.issue(Purpose { name: SIGN_IN, whom: device.as_bytes() }, nonce, self.now()))
    }

    /// Signs in with a passkey alone. Whatever is wrong, the answer is the same.
    ///
    /// # Errors
    /// [`OfficeError::NotSignedIn`].
    pub async fn sign_in_by_passkey(
        &self,
        party: &RelyingParty,
        sent: &Assertion,
        device: &str,
    ) -> Result<SignedIn, OfficeError> {
        let name = self.owner_of(sent.id()).await?.unwrap_or_default();
        let counted = if name.is_empty() { None } else { self.count_guess(&name).await? };
        let Some(account) = counted else {
            self.note_failure(&name, "passkey", None).await?;
            return Err(OfficeError::NotSignedIn);
        };
        let fact = match self.judged(party, &account, sent, device) {
            Ok(fact) => fact,
            Err(refused) => {
                self.note_failure(&name, "passkey", Some(refused.name())).await?;
                return Err(OfficeError::NotSignedIn);
            }
        };
        // Whoever was first with this assertion has moved the account on: the second finds another number there.
        match self.append_account(&name, account.seq, &fact).await {
            Err(OfficeError::Conflict(_)) => return Err(OfficeError::NotSignedIn),
            other => other?,
        }
        self.begin(&account, device, "passkey").await
    }

    fn judged(
        &self,
        party: &RelyingParty,
        account: &Account,
        sent: &Assertion,
        device: &str,
    ) -> Result<AccountFact, Refused> {
        let key = account.passkey(sent.id()).ok_or(Refused::Credential)?;
        if !sent.is_of(&self.challenges.user_handle(account.name.as_bytes())) {
            return Err(Refused::Credential);
        }
        let purpose = Purpose { name: SIGN_IN, whom: device.as_bytes() };
        let (challenge, answered) = self.admitted(account, purpose, sent.challenge()?)?;
        let credential = passkey::assert(party, &challenge, &key.credential, sent)?;
        Ok(AccountFact::PasskeyUsed { credential, answered })
    }

    /// A challenge of ours for this, in time, that this account has not answered yet.
    fn admitted(
        &self,
        account: &Account,
        purpose: Purpose<'_>,
        challenge: Vec<u8>,
    ) -> Result<(Vec<u8>, UsedChallenge), Refused> {
        let answered = self.challenges.admit(purpose, &challenge, self.now()).ok_or(Refused::Challenge)?;
        if account.has_answered(&answered.name) {
            return Err(Refused::Challenge);
        }
        Ok((challenge, UsedChallenge { name: answered.name, until: answered.until }))
    }

    async fn owner_of(&self, id: &CredentialId) -> Result<Option<String>, OfficeError> {
        self.catch_up().await?;
        let state = self.state.lock().await;
        let owner = state.accounts.values().find(|account| account.passkey(id).is_some());
        Ok(owner.map(|account| account.name.clone()))
    }

    /// Did they prove who they are a short time ago? What changes how they do needs it.
    pub async fn is_fresh(&self, by: &Actor) -> bool {
        let state = self.state.lock().await;
        let own =
            |session: &&staff::Session| session.account == by.name && session.token.public() == by.session;
        let session = state.sessions.values().find(own);
        session.is_some_and(|session| session.is_fresh(&self.policy, self.now()))
    }

    /// One's own account.
    ///
    /// # Errors
    /// [`OfficeError::NotSignedIn`].
    pub async fn own_account(&self, by: &Actor) -> Result<Account, OfficeError> {
        if by.session.is_empty() {
            return Err(OfficeError::NotSignedIn);
        }
        self.account(&by.name).await.map_err(|error| match error {
            OfficeError::Unknown(_) => OfficeError::NotSignedIn,
            other => other,
        })
    }

    async fn own_fresh_account(&self, by: &Actor) -> Result<Account, OfficeError> {
        let account = self.own_account(by).await?;
        if self.is_fresh(by).await { Ok(account) } else { Err(OfficeError::NotFresh) }
    }

    /// What the page of one's own account needs to have a passkey made.
    ///
    /// # Errors
    /// [`OfficeError`].
    pub async fn begin_passkey(&self, by: &Actor) -> Result<NewPasskey, OfficeError> {
        let account = self.own_account(by).await?;
        let purpose = Purpose { name: ADD, whom: by.session.as_bytes() };
        Ok(NewPasskey {
            challenge: self.challenges.issue(purpose, random()?, self.now()),
            user_handle: self.challenges.user_handle(account.name.as_bytes()),
            known: account.passkeys.iter().map(|key| key.credential.id.clone()).collect(),
        })
    }

    /// Adds a passkey to one's own account.
    ///
    /// # Errors
    /// [`OfficeError`]; [`OfficeError::NotFresh`] for whoever signed in too long ago.
    pub async fn add_passkey(
        &self,
        by: &Actor,
        party: &RelyingParty,
        label: &str,
        sent: &Registration,
    ) -> Result<(), OfficeError> {
        let account = self.own_fresh_account(by).await?;
        if account.passkeys.len() >= PASSKEYS_MAX {
            return Err(OfficeError::Conflict("an account has ten passkeys at most"));
        }
        let purpose = Purpose { name: ADD, whom: by.session.as_bytes() };
        let registered = sent.challenge().and_then(|challenge| {
            let (challenge, answered) = self.admitted(&account, purpose, challenge)?;
            Ok((passkey::register(party, &challenge, sent)?, answered))
        });
        let noted = Noted::done("staff.passkey-add").about("staff", &account.name);
        let (credential, answered) = match registered {
            Ok(registered) => registered,
            Err(refused) => {
                self.note(by, noted.refused_because(refused.name())).await?;
                return Err(OfficeError::NotRegistered(refused));
            }
        };
        // Step 26 of Web Authentication 7.1: a credential has one owner.
        if self.owner_of(&credential.id).await?.is_some() {
            return Err(OfficeError::Conflict("this passkey is somebody's already"));
        }
        let noted = noted.with("passkey", &credential.id.to_string());
        let fact = AccountFact::PasskeyAdded { label: labelled(label), credential, answered };
        self.append_account(&account.name, account.seq, &fact).await?;
        self.note(by, noted).await
    }

    /// Takes a passkey of one's own account away. Password and one-time code stay: nobody locks themselves out.
    ///
    /// # Errors
    /// [`OfficeError`]; [`OfficeError::NotFresh`] for whoever signed in too long ago.
    pub async fn remove_passkey(&self, by: &Actor, id: &CredentialId) -> Result<(), OfficeError> {
        let account = self.own_fresh_account(by).await?;
        if account.passkey(id).is_none() {
            return Err(OfficeError::Unknown("passkey"));
        }
        let fact = AccountFact::PasskeyRemoved { id: id.clone() };
        self.append_account(&account.name, account.seq, &fact).await?;
        let noted = Noted::done("staff.passkey-remove").about("staff", &account.name);
        self.note(by, noted.with("passkey", &id.to_string())).await
    }
}

/// What its owner calls it; never nothing, and in one line.
fn labelled(label: &str) -> String {
    let label: String = label.trim().chars().filter(|c| !c.is_control()).take(LABEL_MAX).collect();
    if label.is_empty() { "passkey".to_owned() } else { label }
}
