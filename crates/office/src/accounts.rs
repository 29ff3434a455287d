//! Accounts: opened with a link, set up by whoever has it, changed, closed.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use model::Timestamp;
use staff::{
    Account, AccountFact, Actor, Permission, Role, Token,
    account::{LINK_S, is_name},
    password::{self, PasswordHash, SALT_LEN},
    session::TokenHash,
    totp,
};
use store::book::json;
use zeroize::Zeroizing;

use crate::{Noted, Office, OfficeError, random, state::ACCOUNTS};

/// Set-ups that may be under way at once.
const ENROLLING_MAX: usize = 100;

/// An account to be opened.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// The user name.
    pub name: String,
    /// The person's name.
    pub display: String,
    /// Which person: two accounts of one person are one pair of eyes.
    pub person: String,
    /// What they are.
    pub roles: Vec<Role>,
}

/// What whoever sets up an account needs for the authenticator app.
pub struct Enrolment {
    /// The user name.
    pub name: String,
    /// The secret in Base32, to be typed.
    pub secret: Zeroizing<String>,
    /// The same as a link for the app.
    pub uri: Zeroizing<String>,
}

pub(crate) struct Enrolling {
    link: TokenHash,
    secret: Zeroizing<[u8; totp::SECRET_LEN]>,
    until: Timestamp,
}

impl Office {
    /// Opens an account and returns the token of its set-up link. The first account of a store needs nobody's permission.
    ///
    /// # Errors
    /// [`OfficeError`].
    pub async fn open_account(&self, by: &Actor, new: &NewAccount) -> Result<Token, OfficeError> {
        if self.has_accounts().await {
            by.may(&self.permissions, Permission::ManageStaff)?;
        }
        if !is_name(&new.name) {
            return Err(OfficeError::Invalid("a user name is of small letters, digits, dots and dashes"));
        }
        if new.roles.is_empty() || new.person.is_empty() {
            return Err(OfficeError::Invalid("an account has a person and a role"));
        }
        let link = Token::new(random()?);
        let until = self.now().plus_s(LINK_S);
        let fact = AccountFact::Opened {
            display: new.display.clone(),
            person: new.person.clone(),
            roles: new.roles.clone(),
            link: link.hash(),
            until,
        };
        self.catch_up().await?;
        if self.state.lock().await.accounts.contains_key(&new.name) {
            return Err(OfficeError::Conflict("there is such an account"));
        }
        self.append_account(&new.name, 0, &fact).await?;
        self.note(by, Noted::done("staff.open").about("staff", &new.name)).await?;
        Ok(link)
    }

    /// A new link; the old password and second factors are void.
    ///
    /// # Errors
    /// [`OfficeError`].
    pub async fn renew_link(&self, by: &Actor, name: &str) -> Result<Token, OfficeError> {
        by.may(&self.permissions, Permission::ManageStaff)?;
        let account = self.account(name).await?;
        let link = Token::new(random()?);
        let fact = AccountFact::LinkRenewed { link: link.hash(), until: self.now().plus_s(LINK_S) };
        self.append_account(name, account.seq, &fact).await?;
        self.note(by, Noted::done("staff.renew-link").about("staff", name)).await?;
        Ok(link)
    }

    /// Closes an account: its sessions end at once, on every host.
    ///
    /// # Errors
    /// [`OfficeError`].
    pub async fn close_account(&self, by: &Actor, name: &str) -> Result<(), OfficeError> {
        by.may(&self.permissions, Permission::ManageStaff)?;
        let account = self.account(name).await?;
        self.append_account(name, account.seq, &AccountFact::Closed).await?;
        self.note(by, Noted::done("staff.close").about("staff", name)).await
    }

    /// The first page of a set-up: what the authenticator app needs. The same link gets the same secret again.
    ///
    /// # Errors
    /// [`OfficeError::BadLink`].
    pub async fn begin_set_up(&self, link: &Token) -> Result<Enrolment, OfficeError> {
        let account = self.account_of_link(link).await?;
        let now = self.now();
        let mut enrolling = self.enrolling.lock().await;
        enrolling.retain(|e| now < e.until);
        let hash = link.hash();
        let known = enrolling.iter().position(|e| e.link == hash);
        let at = match known {
            Some(at) => at,
            None if enrolling.len() >= ENROLLING_MAX => {
                return Err(OfficeError::Conflict("too many set-ups are under way"));
            }
            None => {
                let secret = Zeroizing::new(random()?);
                enrolling.push(Enrolling { link: hash, secret, until: now.plus_s(LINK_S) });
                enrolling.len() - 1
            }
        };
        let secret = &enrolling[at].secret;
        Ok(Enrolment {
            secret: Zeroizing::new(totp::base32(secret.as_slice())),
            uri: Zeroizing::new(totp::uri(secret.as_slice(), "pinward", &account.name)),
            name: account.name,
        })
    }

    /// The second page: the password, and a code that proves that the app works.
    ///
    /// # Errors
    /// [`OfficeError`].
    pub async fn set_up(&self, link: &Token, password: &str, code: &str) -> Result<String, OfficeError> {
        let account = self.account_of_link(link).await?;
        password::check(password, &account.name)?;
        let mut enrolling = self.enrolling.lock().await;
        let at = enrolling.iter().position(|e| e.link == link.hash()).ok_or(OfficeError::BadLink)?;
        let secret = enrolling[at].secret.clone();
        let step = totp::accept(secret.as_slice(), code, self.now(), None).ok_or(OfficeError::WrongCode)?;
        let hash = hash(password.to_owned()).await?;
        self.put_set_up(&account, hash, secret.as_slice(), step).await?;
        enrolling.remove(at);
        Ok(account.name)
    }

    /// Sets up an account with a secret that is known elsewhere: for a sandbox, whose staff stand in a file with their passwords.
    ///
    /// # Errors
    /// [`OfficeError`].
    pub async fn set_up_with(
        &self,
        link: &Token,
        password: &str,
        secret: &[u8; totp::SECRET_LEN],
    ) -> Result<(), OfficeError> {
        let account = self.account_of_link(link).await?;
        password::check(password, &account.name)?;
        // Everybody knows it: hashing it long hides nothing.
        let hash = PasswordHash::of_public(password, random()?);
        self.put_set_up(&account, hash, secret, 0).await
    }

    async fn put_set_up(
        &self,
        account: &Account,
        password: PasswordHash,
        secret: &[u8],
        step: i64,
    ) -> Result<(), OfficeError> {
        let sealed = self.book.seal(&totp_owner(&account.name), secret)?;
        let fact = AccountFact::SetUp { password, totp_sealed: BASE64.encode(sealed), step };
        self.append_account(&account.name, account.seq, &fact).await?;
        let who = self.actor_of(account, "set-up", "");
        self.note(&who, Noted::done("staff.set-up").about("staff", &account.name)).await
    }

    /// Everybody who has an account.
    pub async fn accounts(&self) -> Vec<Account> {
        self.state.lock().await.accounts.values().cloned().collect()
    }

    pub(crate) async fn account(&self, name: &str) -> Result<Account, OfficeError> {
        self.catch_up().await?;
        self.state.lock().await.accounts.get(name).cloned().ok_or(OfficeError::Unknown("account"))
    }

    async fn account_of_link(&self, link: &Token) -> Result<Account, OfficeError> {
        self.catch_up().await?;
        let now = self.now();
        let state = self.state.lock().await;
        let found = state.accounts.values().find(|a| a.admits_link(link, now).is_ok());
        found.cloned().ok_or(OfficeError::BadLink)
    }

    pub(crate) async fn append_account(
        &self,
        name: &str,
        seq: u32,
        fact: &AccountFact,
    ) -> Result<(), OfficeError> {
        self.book.append(&format!("{ACCOUNTS}{name}"), seq, self.now(), "account", json(fact)?).await?;
        self.catch_up().await
    }

    pub(crate) fn actor_of(&self, account: &Account, session: &str, device: &str) -> Actor {
        Actor {
            name: account.name.clone(),
            person: account.person.clone(),
            roles: account.roles.clone(),
            session: session.to_owned(),
            device: device.to_owned(),
            scopes: None,
        }
    }
}

/// Whose secret it is, for the seal.
pub(crate) fn totp_owner(name: &str) -> String {
    format!("totp/{name}")
}

/// Hashing takes tens of milliseconds: on a thread that nobody waits for.
async fn hash(password: String) -> Result<PasswordHash, OfficeError> {
    let salt: [u8; SALT_LEN] = random()?;
    let password = Zeroizing::new(password);
    tokio::task::spawn_blocking(move || PasswordHash::new(&password, salt))
        .await
        .map_err(|_| OfficeError::Conflict("the password was not hashed"))
}
