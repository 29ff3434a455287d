//! The desk's cases, kept in the store's book: one stream of facts, the same on every host. What may be done is [`desk`]'s to
//! say; here it is decided on what the book has, appended, and decided again when another host was first.
//!
//! ```text
//! cases             facts of all cases           desk::Desk
//! ```

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use desk::{CaseNo, Desk, Due, Fact, House, Outcome, Refusal, fact::Survey};
use model::Timestamp;
use staff::Token;
use store::{
    StoreError,
    book::{Book, BookError, READ_MAX, json},
};

use crate::{Clock, OfficeError, random};

/// The stream of all cases.
const STREAM: &str = "cases";
/// Lost races against other hosts.
const RACES_MAX: usize = 16;
/// The question after a case can be answered for so long, in seconds.
const SURVEY_S: i64 = 14 * 24 * 3600;

/// Why a deed at the desk was not done.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// It does not fit the case.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store's trouble.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<BookError> for CaseError {
    fn from(error: BookError) -> Self {
        match error {
            BookError::Store(error) => Self::Store(error),
            BookError::Collision => Self::Store(StoreError::Overloaded),
            BookError::Refused(why) | BookError::Unknown(why) => Self::Store(StoreError::Away(why)),
        }
    }
}

/// The cases of one store.
pub struct CaseDesk {
    book: Arc<dyn Book>,
    clock: Clock,
    house: &'static House,
    desk: Mutex<Desk>,
    /// Held while a fact is decided and appended.
    pen: tokio::sync::Mutex<()>,
}

impl CaseDesk {
    /// On a book; what is in it is read when it is first looked at.
    #[must_use]
    pub fn new(book: Arc<dyn Book>, clock: Clock) -> Self {
        Self::with(book, clock, Desk::default())
    }

    /// With cases on the desk already: for tests of what is shown.
    #[must_use]
    pub fn with(book: Arc<dyn Book>, clock: Clock, desk: Desk) -> Self {
        Self {
            book,
            clock,
            house: House::builtin(),
            desk: Mutex::new(desk),
            pen: tokio::sync::Mutex::default(),
        }
    }

    /// The data that the desk goes by.
    #[must_use]
    pub fn house(&self) -> &'static House {
        self.house
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn learn(&self) -> Result<(), StoreError> {
        loop {
            let after = self.desk().seq();
            let facts = self.book.read(STREAM, after, READ_MAX).await?;
            if facts.is_empty() {
                return Ok(());
            }
            let mut desk = self.desk();
            for fact in &facts {
                // Somebody else may have been reading too.
                if fact.seq == desk.seq() + 1 {
                    desk.apply(fact.seq, fact.at, &fact.read()?);
                }
            }
        }
    }

    /// Looks at everything as it is now, on every host.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn look<T>(&self, look: impl FnOnce(&Desk, Timestamp) -> T) -> Result<T, StoreError> {
        self.learn().await?;
        let now = (self.clock)();
        Ok(look(&self.desk(), now))
    }

    /// Does what `decide` says, on what is known; asks it again when another host was first. Returns the number of the fact,
    /// which is the case's when it opens one.
    ///
    /// # Errors
    /// [`CaseError`].
    pub async fn act(
        &self,
        mut decide: impl FnMut(&Desk, &'static House, Timestamp) -> Result<Fact, Refusal>,
    ) -> Result<CaseNo, CaseError> {
        let _pen = self.pen.lock().await;
        self.learn().await?;
        for _ in 0..RACES_MAX {
            let now = (self.clock)();
            let (fact, seq) = {
                let desk = self.desk();
                (decide(&desk, self.house, now)?, desk.seq())
            };
            match self.book.append(STREAM, seq, now, fact.kind(), json(&fact)?).await {
                Ok(_) => {
                    self.learn().await?;
                    return Ok(seq + 1);
                }
                Err(BookError::Collision) => self.learn().await?,
                Err(error) => {
                    // It may be there after all; then it is known before anybody decides again.
                    let _ = self.learn().await;
                    return Err(error.into());
                }
            }
        }
        Err(StoreError::Overloaded.into())
    }

    /// Closes a case, if every gate is done, and asks the customer one question: the link stands in the case until it is used.
    ///
    /// # Errors
    /// [`CaseError`].
    pub async fn close(&self, no: CaseNo, outcome: Outcome, words: &str, by: &str) -> Result<(), CaseError> {
        let away = |error: OfficeError| StoreError::Away(error.to_string());
        let token = Token::new(random().map_err(away)?);
        let hash = token.hash().whole().to_owned();
        let sealed = BASE64.encode(self.book.seal(&owner(&hash), token.reveal().as_bytes())?);
        self.act(|desk, _, now| {
            let case = desk.case(no)?;
            let closing = case.close(outcome, words)?;
            let survey = Survey { hash: hash.clone(), sealed: sealed.clone(), until: now.plus_s(SURVEY_S) };
            Ok(case.closing_fact(closing, Some(survey), by))
        })
        .await?;
        Ok(())
    }

    /// The token of the question's link, as long as nobody used it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn survey_token(&self, no: CaseNo) -> Result<Option<String>, StoreError> {
        let survey = self
            .look(|desk, now| {
                let case = desk.case(no).ok().filter(|case| case.rated.is_none())?;
                let survey = case.closed.as_ref()?.survey.clone()?;
                (now < survey.until).then_some(survey)
            })
            .await?;
        let Some(survey) = survey else { return Ok(None) };
        let bad = |why: String| StoreError::Corrupt(format!("the link of case {no}: {why}"));
        let sealed = BASE64.decode(&survey.sealed).map_err(|e| bad(e.to_string()))?;
        let token = self.book.open(&owner(&survey.hash), &sealed)?;
        String::from_utf8(token).map(Some).map_err(|e| bad(e.to_string()))
    }

    /// Is the link of a question good?
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn is_survey(&self, token: &Token) -> Result<bool, StoreError> {
        let hash = token.hash();
        self.look(|desk, now| {
            let case = desk.of_survey(hash.whole());
            case.is_some_and(|case| case.rate(5, "", now).is_ok())
        })
        .await
    }

    /// Takes the customer's answer to the question.
    ///
    /// # Errors
    /// [`CaseError`]: one answer for a link that never was, was used, or is too old.
    pub async fn rate(&self, token: &Token, score: u8, words: &str) -> Result<(), CaseError> {
        let hash = token.hash();
        self.act(|desk, _, now| {
            desk.of_survey(hash.whole()).ok_or(Refusal::BadLink)?.rate(score, words, now)
        })
        .await?;
        Ok(())
    }

    /// Steps of escalation that are due.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn due(&self) -> Result<Vec<Due>, StoreError> {
        let house = self.house;
        self.look(|desk, now| desk.due(house, now)).await
    }

    /// A step of escalation was taken; nothing happens when another host took it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn escalated(&self, due: &Due) -> Result<(), StoreError> {
        let taken =
            self.act(|desk, house, now| {
                if desk.due(house, now).contains(due) { Ok(due.fact()) } else { Err(Refusal::StepIsDone) }
            })
            .await;
        match taken {
            Ok(_) | Err(CaseError::Refused(_)) => Ok(()),
            Err(CaseError::Store(error)) => Err(error),
        }
    }
}

/// Whose secret the token is, for the seal.
fn owner(hash: &str) -> String {
    format!("survey/{hash}")
}
