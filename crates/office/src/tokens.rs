//! Tokens of programs: made, looked up, revoked.

use staff::{
    Actor, ApiToken, Permission, Token,
    api_token::{AT_ONCE, NewToken, NotMade, TokenFact},
};
use store::book::json;

use crate::{Noted, Office, OfficeError, random, state::TOKENS};

impl Office {
    /// Makes a token. It is returned here and nowhere else: only its hash is kept.
    ///
    /// # Errors
    /// [`OfficeError::NoToken`], [`OfficeError::Forbidden`] for somebody else's, [`OfficeError::Conflict`] for a name that is taken.
    pub async fn make_token(&self, by: &Actor, new: &NewToken) -> Result<(Token, ApiToken), OfficeError> {
        if by.is_program() {
            return Err(NotMade::Program.into());
        }
        if new.owner != by.name {
            by.may(&self.permissions, Permission::ManageTokens)?;
        }
        let owner = self.account(&new.owner).await?;
        if owner.closed {
            return Err(OfficeError::Conflict("the account is closed"));
        }
        new.check(&self.permissions, by, &owner)?;
        let now = self.now();
        let alive: Vec<String> = {
            let state = self.state.lock().await;
            let own = state.tokens.values().filter(|t| t.owner == new.owner && t.lives(now));
            own.map(|token| token.name.clone()).collect()
        };
        if alive.contains(&new.name) {
            return Err(OfficeError::Conflict("there is such a token"));
        }
        if alive.len() >= AT_ONCE {
            return Err(OfficeError::Conflict("too many tokens: revoke one first"));
        }
        let (token, id) = (Token::new(random()?), hex(random::<6>()?));
        let fact = new.made(by, token.hash(), now);
        self.append_token(&id, 0, &fact).await?;
        let scopes: Vec<&str> = new.scopes.iter().map(|scope| scope.name()).collect();
        let noted = Noted::done("token.make").about("token", &id).with("name", &new.name);
        self.note(by, noted.with("owner", &new.owner).with("scopes", &scopes.join(" "))).await?;
        let made = self.state.lock().await.tokens.get(&id).cloned();
        Ok((token, made.ok_or(OfficeError::Unknown("token"))?))
    }

    /// Revokes a token: from now on, on every host, it is worth nothing.
    ///
    /// # Errors
    /// [`OfficeError::Unknown`] for one that is not there or not theirs.
    pub async fn revoke_token(&self, by: &Actor, id: &str) -> Result<(), OfficeError> {
        self.catch_up().await?;
        let token = self.state.lock().await.tokens.get(id).cloned();
        let theirs = |token: &ApiToken| {
            by.may(&self.permissions, Permission::ManageTokens).is_ok() || token.owner == by.name
        };
        let token = token.filter(theirs).ok_or(OfficeError::Unknown("token"))?;
        if token.revoked.is_none() {
            self.append_token(id, token.seq, &TokenFact::Revoked { by: by.name.clone() }).await?;
        }
        self.note(by, Noted::done("token.revoke").about("token", id).with("owner", &token.owner)).await
    }

    /// All tokens for those who manage them, else the own ones; newest first.
    ///
    /// # Errors
    /// [`OfficeError::Store`].
    pub async fn tokens(&self, by: &Actor) -> Result<Vec<ApiToken>, OfficeError> {
        self.catch_up().await?;
        let all = by.may(&self.permissions, Permission::ManageTokens).is_ok();
        let state = self.state.lock().await;
        let mut seen: Vec<ApiToken> =
            state.tokens.values().filter(|token| all || token.owner == by.name).cloned().collect();
        seen.sort_by(|a, b| b.since.cmp(&a.since).then_with(|| a.id.cmp(&b.id)));
        Ok(seen)
    }

    /// Whose program this is, if its token is worth something and its owner may be here.
    ///
    /// # Errors
    /// [`OfficeError::NotSignedIn`].
    pub async fn program(&self, token: &Token) -> Result<Actor, OfficeError> {
        self.catch_up().await?;
        let now = self.now();
        let (token, actor) = {
            let state = self.state.lock().await;
            let id = state.token_ids.get(&token.hash()).ok_or(OfficeError::NotSignedIn)?;
            let token =
                state.tokens.get(id).filter(|token| token.lives(now)).ok_or(OfficeError::NotSignedIn)?;
            // An account that was given a new link may have been somebody else's: its tokens wait until it is set up.
            let owner = state.accounts.get(&token.owner).filter(|owner| owner.is_usable());
            (token.clone(), token.actor(owner.ok_or(OfficeError::NotSignedIn)?))
        };
        if token.use_is_news(now) {
            match self.append_token(&token.id, token.seq, &TokenFact::Used).await {
                // Another host wrote it down, or it was revoked in this moment: the next request hears of it.
                Ok(()) | Err(OfficeError::Conflict(_)) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(actor)
    }

    async fn append_token(&self, id: &str, seq: u32, fact: &TokenFact) -> Result<(), OfficeError> {
        self.book.append(&format!("{TOKENS}{id}"), seq, self.now(), "token", json(fact)?).await?;
        self.catch_up().await
    }
}

fn hex(bytes: [u8; 6]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
