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
/// After a change nothing is released, reset or sent to be proven for so many hours.
pub const HOLD_H: u32 = 24;
const HOUR_MS: i64 = 3_600_000;

#[derive(Serialize, Deserialize)]
struct ContactFact {
    /// The number, sealed for this card, Base64.
    sealed: String,
    /// For people.
    masked: String,
    language: Language,
    /// Who entered it.
    by: String,
    /// Was it changed at somebody's request? Then it is held, even when none was known before.
    #[serde(default)]
    asked_for: bool,
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

impl Contact {
    /// Until when a change holds; `None` when nothing does.
    #[must_use]
    pub fn held_until(&self, now: Timestamp) -> Option<Timestamp> {
        let until = self.since.plus_ms(i64::from(HOLD_H) * HOUR_MS);
        Some(until).filter(|until| self.changed && *until > now)
    }
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
        // In a sandbox the made-up number was there before.
        let changed = fact.asked_for || last.count > 1 || self.made_up.contains_key(&card);
        Ok(Some(Contact { number, language: fact.language, since, changed, by: fact.by }))
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

    /// Enters a number that the bank's register has. Nothing is held when it is the first.
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
        let sealed = self.seal(card, number)?;
        let (masked, by) = (number.masked(), by.to_owned());
        self.enter(card, ContactFact { sealed, masked, language, by, asked_for: false }, at).await
    }

    /// A number that somebody asks for, sealed for this card: so it is kept while it waits for a second person.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn seal(&self, card: CardId, number: &PhoneNumber) -> Result<String, StoreError> {
        Ok(BASE64.encode(self.book.seal(&stream(card), number.reveal().as_bytes())?))
    }

    /// Enters a number that was asked for, as [`seal`](Self::seal) gave it, and begins its hold. Who may, and with whom, is the
    /// caller's matter.
    ///
    /// # Errors
    /// [`BookError`]; also when it was sealed for another card, or changed since.
    pub async fn change(
        &self,
        card: CardId,
        sealed: &str,
        language: Language,
        by: &str,
        at: Timestamp,
    ) -> Result<(), BookError> {
        let bad = || BookError::Refused("a number that was not sealed for this card".to_owned());
        let bytes = BASE64.decode(sealed).map_err(|_| bad())?;
        let clear = Zeroizing::new(self.book.open(&stream(card), &bytes).map_err(|_| bad())?);
        let number: Option<PhoneNumber> = std::str::from_utf8(&clear).ok().and_then(|text| text.parse().ok());
        let (sealed, masked) = (sealed.to_owned(), number.ok_or_else(bad)?.masked());
        self.enter(card, ContactFact { sealed, masked, language, by: by.to_owned(), asked_for: true }, at)
            .await
    }

    async fn enter(&self, card: CardId, fact: ContactFact, at: Timestamp) -> Result<(), BookError> {
        let body = json(&fact)?;
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
