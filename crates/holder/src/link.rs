//! One-time and short-lived links. A token is a selector, by which it is found, and 128 random bits, of which only a digest is kept.
//! Nobody who reads the book can make a link of what stands there.

use model::{CardId, Timestamp};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use store::{
    Book, BookError, StoreError,
    book::{fold, json},
};
use zeroize::Zeroizing;

const STREAM: &str = "holder-link/";
const ISSUED: &str = "link";
const SELECTOR_LEN: usize = 8;
const SECRET_LEN: usize = 16;

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// To set a new PIN after a reset.
    Activation,
    /// To read how one's card is.
    Page,
}

/// What stands in a link. Never kept; prints as stars.
pub struct Token {
    text: Zeroizing<String>,
    selector: String,
    digest: [u8; 32],
}

impl Token {
    /// A fresh one.
    ///
    /// # Errors
    /// [`StoreError::Away`] when the system gives no randomness.
    pub fn fresh() -> Result<Self, StoreError> {
        let mut bytes = Zeroizing::new([0; SELECTOR_LEN + SECRET_LEN]);
        getrandom::fill(&mut *bytes).map_err(|e| StoreError::Away(format!("no randomness: {e}")))?;
        Ok(Self::of(&bytes))
    }

    /// As somebody sent it; `None` for what can be none.
    #[must_use]
    pub fn sent(text: &str) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; SELECTOR_LEN + SECRET_LEN]);
        hex::decode_to_slice(text, &mut *bytes).ok()?;
        Some(Self::of(&bytes))
    }

    fn of(bytes: &[u8; SELECTOR_LEN + SECRET_LEN]) -> Self {
        let mut sum = [0; 32];
        sum.copy_from_slice(digest(&SHA256, bytes).as_ref());
        let text = Zeroizing::new(hex::encode(bytes));
        Self { text, selector: hex::encode(&bytes[..SELECTOR_LEN]), digest: sum }
    }

    /// For the link.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// By which it is found; no secret.
    #[must_use]
    pub fn selector(&self) -> &str {
        &self.selector
    }

    /// What is kept.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(***)")
    }
}

/// A link that was issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    version: u8,
    /// The card.
    pub card: CardId,
    /// What for.
    pub purpose: Purpose,
    /// Good until then.
    pub until: Timestamp,
    digest: String,
}

impl Link {
    /// Is it this token, and not another one with the same selector?
    #[must_use]
    pub fn is_of(&self, token: &Token) -> bool {
        self.digest == hex::encode(token.digest)
    }
}

/// Issues a link.
pub(crate) async fn issue(
    book: &dyn Book,
    card: CardId,
    purpose: Purpose,
    until: Timestamp,
    now: Timestamp,
) -> Result<Token, BookError> {
    let token = Token::fresh()?;
    let link = Link { version: 1, card, purpose, until, digest: hex::encode(token.digest) };
    book.append(&stream(&token.selector), 0, now, ISSUED, json(&link)?).await?;
    Ok(token)
}

/// The link that a token's selector names; whether the token is the right one shows [`Link::is_of`].
pub(crate) async fn find(
    book: &dyn Book,
    token: &Token,
    purpose: Purpose,
) -> Result<Option<Link>, StoreError> {
    let take = |found: &mut Option<Link>, fact: &store::book::Fact| {
        *found = Some(fact.read()?);
        Ok(())
    };
    let (found, _) = fold(book, &stream(&token.selector), None, take).await?;
    Ok(found.filter(|link| link.purpose == purpose))
}

fn stream(selector: &str) -> String {
    format!("{STREAM}{selector}")
}
