//! Where a cardholder is reached: one number for each card, kept in the book. The number stands there sealed; people see it with
//! stars. A change is a new fact, so that it is known since when a number belongs to a card: what arrives at a number that was
//! changed an hour ago proves little.

use std::{collections::HashMap, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use model::{CardId, Timestamp};
use serde::{Deserialize, Serialize};
use store::{
    Book, BookError, StoreError,
    book::{self, json},
};
use zeroize::Zeroizing;

use crate::{number::PhoneNumber, text::Language};

/// Streams begin so; the card's name follows.
const STREAM: &str = "contacts/";
/// The kind of a fact.
const FACT: &str = "contact";

#[derive(Serialize, Deserialize)]
struct ContactFact {
    /// The number, sealed for this card, Base64.
    sealed: String,
    /// For people.
    masked: String,
    language: Language,
    /// Who entered it.
    by: String,
}

/// How a cardholder is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// The number.
    pub number: PhoneNumber,
    /// The holder's language.
    pub language: Language,
    /// Since when it is this number.
    pub since: Timestamp,
    /// Was there another one before?
    pub changed: bool,
    /// Who entered it.
    pub by: String,
}

/// Who is reached where.
#[derive(Clone)]
pub struct Contacts {
    book: Arc<dyn Book>,
    made_up: Arc<HashMap<CardId, PhoneNumber>>,
}

#[derive(Default)]
struct Last {
    fact: Option<(ContactFact, Timestamp)>,
    count: u32,
}

impl Contacts {
    /// Those of a store.
    #[must_use]
    pub fn new(book: Arc<dyn Book>) -> Self {
        Self { book, made_up: Arc::default() }
    }

    /// Those of a sandbox: made-up numbers of its cards, until somebody enters others.
    #[must_use]
    pub fn sandbox(book: Arc<dyn Book>, made_up: HashMap<CardId, PhoneNumber>) -> Self {
        Self { book, made_up: Arc::new(made_up) }
    }

    /// How the holder of a card is reached; `None` when nobody knows.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn of(&self, card: CardId) -> Result<Option<Contact>, StoreError> {
        let (last, _) = book::fold(self.book.as_ref(), &stream(card), Last::default(), apply).await?;
        let Some((fact, since)) = last.fact else { return Ok(self.made_up(card)) };
        let corrupt = || StoreError::Corrupt(format!("the contact of card {card}"));
        let sealed = BASE64.decode(&fact.sealed).map_err(|_| corrupt())?;
        let clear = Zeroizing::new(self.book.open(&stream(card), &sealed)?);
        let number =
            std::str::from_utf8(&clear).ok().and_then(|text| text.parse().ok()).ok_or_else(corrupt)?;
        Ok(Some(Contact { number, language: fact.language, since, changed: last.count > 1, by: fact.by }))
    }

    fn made_up(&self, card: CardId) -> Option<Contact> {
        self.made_up.get(&card).map(|number| Contact {
            number: number.clone(),
            language: Language::Zh,
            since: Timestamp(0),
            changed: false,
            by: "sandbox".to_owned(),
        })
    }

    /// Enters a number. Who may, and with whom, is the caller's matter.
    ///
    /// # Errors
    /// [`BookError`].
    pub async fn set(
        &self,
        card: CardId,
        number: &PhoneNumber,
        language: Language,
        by: &str,
        at: Timestamp,
    ) -> Result<(), BookError> {
        let sealed = self.book.seal(&stream(card), number.reveal().as_bytes())?;
        let body = json(&ContactFact {
            sealed: BASE64.encode(sealed),
            masked: number.masked(),
            language,
            by: by.to_owned(),
        })?;
        let decide = |_: &Last| Ok(Some((FACT.to_owned(), body.clone())));
        book::amend(self.book.as_ref(), &stream(card), at, apply, decide).await.map(drop)
    }
}

fn stream(card: CardId) -> String {
    format!("{STREAM}{card}")
}

fn apply(last: &mut Last, fact: &book::Fact) -> Result<(), StoreError> {
    last.fact = Some((fact.read()?, fact.at));
    last.count += 1;
    Ok(())
}
