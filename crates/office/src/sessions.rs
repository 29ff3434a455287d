//! Signing in and out. A guess is counted before it is looked at; a right one takes the count back.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use staff::{
    Account, AccountFact, Actor, Role, Session, Token, federation, password::PasswordHash,
    session::TokenHash, totp,
};
use store::book::{BookError, json};
use zeroize::Zeroizing;

use crate::{
    Noted, Office, OfficeError, PROGRAM,
    accounts::totp_owner,
    random,
    state::{SESSIONS, SessionFact},
};

/// So often a guess is tried to be counted when others guess at the same account.
const RACES_MAX: usize = 16;

/// Somebody who has just signed in.
pub struct SignedIn {
    /// For the cookie.
    pub token: Token,
    /// Who.
    pub actor: Actor,
}

impl Office {
    /// Signs in with password and one-time code. Whatever is wrong, the answer is the same, after the same work.
    ///
    /// # Errors
    /// [`OfficeError::NotSignedIn`].
    pub async fn sign_in(
        &self,
        name: &str,
        password: &str,
        code: &str,
        device: &str,
    ) -> Result<SignedIn, OfficeError> {
        let counted = self.count_guess(name).await?;
        let compared_with =
            counted.as_ref().and_then(|a| a.password.clone()).unwrap_or_else(PasswordHash::of_nobody);
        let said = Zeroizing::new(password.to_owned());
        let right = tokio::task::spawn_blocking(move || compared_with.is(&said)).await.unwrap_or(false);
        let step = match &counted {
            Some(account) if right => self.step_of(account, code)?,
            _ => None,
        };
        let (Some(account), Some(step)) = (counted, step) else {
            self.note_failure(name, "password", None).await?;
            return Err(OfficeError::NotSignedIn);
        };
        // Whoever was first with this code has moved the account on: the second finds another number there.
        let fact = AccountFact::SignedIn { step: Some(step) };
        if let Err(error) = self.append_account(&account.name, account.seq, &fact).await {
            return match error {
                OfficeError::Conflict(_) => Err(OfficeError::NotSignedIn),
                other => Err(other),
            };
        }
        self.begin(&account, device, "password").await
    }

    /// Counts a guess, if one may be made now.
    pub(crate) async fn count_guess(&self, name: &str) -> Result<Option<Account>, OfficeError> {
        for _ in 0..RACES_MAX {
            let account = match self.account(name).await {
                Err(OfficeError::Unknown(_)) => return Ok(None),
                other => other?,
            };
            if account.admits(self.now()).is_err() {
                return Ok(None);
            }
            match self.append_account(name, account.seq, &AccountFact::Failed).await {
                Ok(()) => return Ok(Some(Account { seq: account.seq + 1, ..account })),
                Err(OfficeError::Conflict(_)) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(None)
    }

    fn step_of(&self, account: &Account, code: &str) -> Result<Option<i64>, OfficeError> {
        let Some(sealed) = account.totp_sealed.as_ref().and_then(|text| BASE64.decode(text).ok()) else {
            return Ok(None);
        };
        let secret = Zeroizing::new(self.book.open(&totp_owner(&account.name), &sealed)?);
        Ok(totp::accept(&secret, code, self.now(), account.step))
    }

    /// Whoever is not signed in, for the log.
    pub(crate) fn nobody() -> Actor {
        Actor {
            name: "nobody".to_owned(),
            person: String::new(),
            roles: Vec::new(),
            session: String::new(),
            device: String::new(),
            scopes: None,
        }
    }

    pub(crate) async fn note_failure(
        &self,
        name: &str,
        by: &str,
        why: Option<&str>,
    ) -> Result<(), OfficeError> {
        let who = Self::nobody();
        // A name that is no account may be a password in the wrong field.
        let known = self.state.lock().await.accounts.contains_key(name);
        let noted = Noted::refused("session.begin").with("by", by);
        let noted = why.into_iter().fold(noted, Noted::refused_because);
        self.note(&who, if known { noted.about("staff", name) } else { noted }).await
    }

    pub(crate) async fn begin(
        &self,
        account: &Account,
        device: &str,
        by: &str,
    ) -> Result<SignedIn, OfficeError> {
        self.begin_in(account, device, by, None).await
    }

    /// The same, in those roles of the account that are confirmed.
    pub(crate) async fn begin_in(
        &self,
        account: &Account,
        device: &str,
        by: &str,
        roles: Option<Vec<Role>>,
    ) -> Result<SignedIn, OfficeError> {
        let token = Token::new(random()?);
        let device = match device {
            PROGRAM => format!("{PROGRAM}{}", token.hash().public()),
            browser => browser.to_owned(),
        };
        let now = self.now();
        let session = Session {
            token: token.hash(),
            account: account.name.clone(),
            device: device.clone(),
            since: now,
            proven: now,
            seen: now,
            roles: roles.clone(),
        };
        self.make_room(account).await?;
        self.append_session(&SessionFact::Begun { session }).await?;
        let mut actor = self.actor_of(account, token.hash().public(), &device);
        actor.roles = federation::roles(&actor.roles, roles.as_deref());
        let noted = Noted::done("session.begin").about("staff", &account.name).with("by", by);
        self.note(&actor, noted).await?;
        Ok(SignedIn { token, actor })
    }

    /// The oldest sessions of an account end when there are too many.
    async fn make_room(&self, account: &Account) -> Result<(), OfficeError> {
        let mut own: Vec<Session> = {
            let mut state = self.state.lock().await;
            state.tidy(&self.policy, self.now());
            state.sessions.values().filter(|s| s.account == account.name).cloned().collect()
        };
        own.sort_by_key(|session| session.since);
        let over = (own.len() + 1).saturating_sub(usize::from(self.policy.at_once));
        for session in own.into_iter().take(over) {
            self.append_session(&SessionFact::Ended { token: session.token }).await?;
        }
        Ok(())
    }

    async fn append_session(&self, fact: &SessionFact) -> Result<(), OfficeError> {
        let body = json(fact)?;
        for _ in 0..RACES_MAX {
            let seq = self.state.lock().await.sessions_seq;
            match self.book.append(SESSIONS, seq, self.now(), "session", body.clone()).await {
                Err(BookError::Collision) => self.catch_up().await?,
                other => {
                    other?;
                    return self.catch_up().await;
                }
            }
        }
        Err(OfficeError::Conflict("too many sign in at once"))
    }

    /// Whose token this is, if their session lives; using it keeps it alive. `device` is what the browser says it is, or
    /// [`PROGRAM`] when the token came from none.
    ///
    /// # Errors
    /// [`OfficeError::NotSignedIn`].
    pub async fn actor(&self, token: &Token, device: &str) -> Result<Actor, OfficeError> {
        let hash = token.hash();
        // Another host may have begun or ended it: the book knows.
        self.catch_up().await?;
        let now = self.now();
        let mut state = self.state.lock().await;
        let session = state.sessions.get_mut(&hash).ok_or(OfficeError::NotSignedIn)?;
        // A token that was carried from a browser to another one, or to a program, is stolen.
        let same_device = match device {
            PROGRAM => session.device.starts_with(PROGRAM),
            browser => session.device == browser,
        };
        if session.ended(&self.policy, now).is_some() || !same_device {
            return Err(OfficeError::NotSignedIn);
        }
        session.seen = now;
        let (account, device, roles) =
            (session.account.clone(), session.device.clone(), session.roles.clone());
        let account = state.accounts.get(&account).filter(|a| !a.closed).ok_or(OfficeError::NotSignedIn)?;
        let mut actor = self.actor_of(account, hash.public(), &device);
        actor.roles = federation::roles(&actor.roles, roles.as_deref());
        Ok(actor)
    }

    /// Ends a session. Ending one that is over is no error.
    ///
    /// # Errors
    /// [`OfficeError::Store`].
    pub async fn sign_out(&self, token: &Token) -> Result<(), OfficeError> {
        self.end(token.hash()).await
    }

    /// Ends all sessions of an account.
    ///
    /// # Errors
    /// [`OfficeError`].
    pub async fn revoke(&self, by: &Actor, name: &str) -> Result<usize, OfficeError> {
        if by.name != name {
            by.may(&self.permissions, staff::Permission::ManageStaff)?;
        }
        self.catch_up().await?;
        let own: Vec<TokenHash> = {
            let state = self.state.lock().await;
            state.sessions.values().filter(|s| s.account == name).map(|s| s.token.clone()).collect()
        };
        for token in &own {
            self.end(token.clone()).await?;
        }
        self.note(by, Noted::done("session.revoke").about("staff", name)).await?;
        Ok(own.len())
    }

    async fn end(&self, token: TokenHash) -> Result<(), OfficeError> {
        if self.state.lock().await.sessions.contains_key(&token) {
            self.append_session(&SessionFact::Ended { token }).await?;
        }
        Ok(())
    }
}
