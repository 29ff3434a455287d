//! The two ends of a sign-in: the browser goes to the provider, and comes back with a code.

use std::{fs, sync::Arc};

use model::Timestamp;
use serde::Deserialize;
use staff::{Role, federation::Confirmed};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use crate::{
    attempt::{Attempt, Attempts, random},
    fetch::Http,
    id_token::{Expected, NotBelieved, Parts},
    keys::Keys,
    metadata::{self, Metadata},
    settings::{self, Settings},
};

/// What a provider said about itself holds for so long, in seconds.
const HOLDS_S: i64 = 3_600;
/// Keys are asked for again at most so often because of a name that nobody knows, in seconds.
const AGAIN_S: i64 = 60;

/// Signs people in by one provider.
pub struct Client {
    settings: Settings,
    secret: Option<Zeroizing<String>>,
    redirect_uri: String,
    http: Http,
    attempts: Attempts,
    known: Mutex<Option<Known>>,
}

/// What the provider said about itself.
#[derive(Clone)]
struct Known {
    metadata: Arc<Metadata>,
    keys: Arc<Keys>,
    at: Timestamp,
}

/// Why nobody is signed in. For the log: to the person all are one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not begun here, by another browser, used or too old.
    #[error("no sign-in was begun with this state by this browser")]
    State,
    /// The provider said no, or is not the one that was asked.
    #[error("the provider refused: {0}")]
    Provider(String),
    /// The provider cannot be reached, or says what cannot be read.
    #[error("the provider is away: {0}")]
    Away(String),
    /// Its statement is not believed.
    #[error("the ID token is not believed: {0}")]
    NotBelieved(String),
}

impl From<NotBelieved> for Refused {
    fn from(why: NotBelieved) -> Self {
        Self::NotBelieved(why.to_string())
    }
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
}

impl Client {
    /// For the pages at `base`, such as `https://pinward.bank.example`. Asks nobody yet.
    ///
    /// # Errors
    /// What is wrong with the settings or the files that they name.
    pub fn new(settings: Settings, base: &str) -> Result<Self, String> {
        if let Some(trouble) = settings.problems().into_iter().next() {
            return Err(trouble.to_string());
        }
        let issuer = settings::issuer(&settings.issuer)?;
        let read = |path: &std::path::PathBuf| {
            let text = fs::read_to_string(path)
                .map_err(|e| format!("console.oidc.client_secret_file {}: {e}", path.display()));
            text.map(|text| Zeroizing::new(text.trim().to_owned()))
        };
        Ok(Self {
            secret: settings.client_secret_file.as_ref().map(read).transpose()?,
            redirect_uri: format!("{}/sign-in/oidc/callback", base.trim_end_matches('/')),
            http: Http::new(&issuer, &settings.allow, settings.ca_file.as_deref())
                .map_err(|problem| format!("console.oidc: {problem}"))?,
            settings,
            attempts: Attempts::default(),
            known: Mutex::default(),
        })
    }

    /// What stands on the button.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// May an account be claimed by a verified mail address?
    #[must_use]
    pub fn binds_by_email(&self) -> bool {
        self.settings.bind_by_email
    }

    /// Where the browser goes. `next` is where it goes afterwards.
    ///
    /// # Errors
    /// [`Refused::Away`].
    pub async fn begin(&self, device: &str, next: &str, now: Timestamp) -> Result<String, Refused> {
        let known = self.known(now, None).await?;
        let no_randomness = || Refused::Away("no randomness".to_owned());
        let attempt = Attempt::new(device, next, now).ok_or_else(no_randomness)?;
        let state = random().ok_or_else(no_randomness)?;
        let mut url = self.http.admits(&known.metadata.authorization_endpoint).map_err(Refused::Away)?;
        let scopes = ["openid"].into_iter().chain(self.settings.scopes.iter().map(String::as_str));
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("scope", &scopes.collect::<Vec<_>>().join(" "))
            .append_pair("state", &state)
            .append_pair("nonce", &attempt.nonce)
            .append_pair("code_challenge", &attempt.challenge())
            .append_pair("code_challenge_method", "S256");
        self.attempts.put(state, attempt, now);
        Ok(url.into())
    }

    /// Who the provider says it is that came back with this code, and where they go now. `issuer` is what the provider added to
    /// say who it is (RFC 9207), if it did.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn finish(
        &self,
        state: &str,
        code: &str,
        issuer: Option<&str>,
        device: &str,
        now: Timestamp,
    ) -> Result<(Confirmed, String), Refused> {
        let attempt = self.attempts.take(state, device, now).ok_or(Refused::State)?;
        if issuer.is_some_and(|issuer| issuer != self.settings.issuer) {
            return Err(Refused::Provider("another issuer answered".to_owned()));
        }
        if code.is_empty() {
            return Err(Refused::Provider("it gave no code".to_owned()));
        }
        let known = self.known(now, None).await?;
        let token = self.exchange(&known.metadata, code, &attempt).await?;
        let parts = Parts::of(&token)?;
        let known = self.known(now, parts.key_id()).await?;
        let expected = Expected {
            issuer: &self.settings.issuer,
            client_id: &self.settings.client_id,
            nonce: &attempt.nonce,
            amr: &self.settings.require_amr,
            now: now.0 / 1000,
        };
        let claims = parts.believe(&known.keys, &expected)?;
        let roles = self.settings.roles_claim.as_ref().map(|claim| {
            let said = claims.values(claim);
            let roles: Vec<Role> =
                said.iter().filter_map(|value| self.settings.roles.get(*value)).copied().collect();
            roles
        });
        let confirmed = Confirmed {
            issuer: self.settings.issuer.clone(),
            subject: claims.sub.clone(),
            email: claims.verified_email().filter(|_| self.settings.bind_by_email),
            roles,
        };
        Ok((confirmed, attempt.next))
    }

    async fn exchange(
        &self,
        metadata: &Metadata,
        code: &str,
        attempt: &Attempt,
    ) -> Result<Zeroizing<String>, Refused> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.redirect_uri),
            ("client_id", &self.settings.client_id),
            ("code_verifier", &attempt.verifier),
        ];
        let basic = self.secret.as_ref().map(|secret| (self.settings.client_id.as_str(), secret.as_str()));
        let answer =
            self.http.post(&metadata.token_endpoint, &form, basic).await.map_err(Refused::Provider)?;
        let tokens: Tokens = serde_json::from_slice(&answer)
            .map_err(|_| Refused::Provider("its answer has no ID token".to_owned()))?;
        Ok(Zeroizing::new(tokens.id_token))
    }

    /// What the provider says about itself; asked anew when it is old, or when it has a key of a name that is not known.
    async fn known(&self, now: Timestamp, key: Option<&str>) -> Result<Known, Refused> {
        let mut known = self.known.lock().await;
        if let Some(known) = known.as_ref() {
            let fresh = now < known.at.plus_s(HOLDS_S);
            let serves = known.keys.has(key) || now < known.at.plus_s(AGAIN_S);
            if fresh && serves {
                return Ok(known.clone());
            }
        }
        let asked = self.ask(now).await?;
        *known = Some(asked.clone());
        Ok(asked)
    }

    async fn ask(&self, now: Timestamp) -> Result<Known, Refused> {
        let about = self.http.get(&metadata::address(&self.settings.issuer)).await.map_err(Refused::Away)?;
        let metadata = Metadata::read(&about, &self.settings.issuer)
            .ok_or_else(|| Refused::Away("its metadata is of another issuer, or none".to_owned()))?;
        let keys = self.http.get(&metadata.jwks_uri).await.map_err(Refused::Away)?;
        let keys = Keys::read(&keys).ok_or_else(|| Refused::Away("its key set cannot be read".to_owned()))?;
        Ok(Known { metadata: Arc::new(metadata), keys: Arc::new(keys), at: now })
    }
}
