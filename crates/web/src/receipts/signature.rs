//! Signatures, each kept once with its payment: a stream of one fact, `signatures/<reference>`. The strokes are sealed: a signature
//! is personal data, and back-ups are copied as they are.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use model::{Kind, Timestamp};
use receipt::Signature;
use serde::{Deserialize, Serialize};
use store::{Book, BookError, StoreError, archive::TransactionRow, book};

use crate::service;

/// The only kind of fact in the stream.
const SIGNED: &str = "signed";

/// What is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    by: String,
    sealed: String,
}

/// Why it was not.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unsigned {
    /// It has one.
    #[error("this payment is signed already")]
    Already,
    /// The book's trouble.
    #[error(transparent)]
    Book(BookError),
}

fn stream(rrn: &str) -> String {
    format!("signatures/{rrn}")
}

/// Is it a payment that a cardholder signs for: approved, and money moves or is held?
pub(crate) fn needs_one(row: &TransactionRow) -> bool {
    service::is_approved(row) && kind(row).is_some_and(|kind| kind.needs_amount())
}

/// Is it a payment, so that there is a slip?
pub(crate) fn is_payment(row: &TransactionRow) -> bool {
    kind(row).is_some()
}

/// The kind of a payment; sign-ins and reversals have none.
pub(super) fn kind(row: &TransactionRow) -> Option<Kind> {
    const KINDS: [Kind; 9] = [
        Kind::Balance,
        Kind::Sale,
        Kind::SaleVoid,
        Kind::Refund,
        Kind::PreAuth,
        Kind::PreAuthVoid,
        Kind::Completion,
        Kind::CompletionVoid,
        Kind::Cash,
    ];
    KINDS.into_iter().find(|kind| kind.name() == row.kind)
}

/// The signature of a payment, if it has one.
pub(super) async fn of(book: &dyn Book, rrn: &str) -> Result<Option<Signature>, StoreError> {
    let stream = stream(rrn);
    let facts = book.read(&stream, 0, 1).await?;
    let Some(fact) = facts.first() else { return Ok(None) };
    let corrupt = |why: String| StoreError::Corrupt(format!("the signature of {rrn}: {why}"));
    let kept: Kept = fact.read()?;
    let sealed = BASE64.decode(kept.sealed).map_err(|error| corrupt(error.to_string()))?;
    let opened = book.open(&stream, &sealed)?;
    serde_json::from_slice(&opened).map(Some).map_err(|error| corrupt(error.to_string()))
}

/// Keeps a signature; the second one for a payment is refused, the same one again is not.
pub(crate) async fn keep(
    book: &dyn Book,
    rrn: &str,
    by: &str,
    signature: &Signature,
    now: Timestamp,
) -> Result<(), Unsigned> {
    let stream = stream(rrn);
    let strokes =
        serde_json::to_vec(signature).map_err(|e| Unsigned::Book(BookError::Refused(e.to_string())))?;
    let sealed = book.seal(&stream, &strokes).map_err(|error| Unsigned::Book(error.into()))?;
    let kept = Kept { version: 1, by: by.to_owned(), sealed: BASE64.encode(sealed) };
    let body = book::json(&kept).map_err(Unsigned::Book)?;
    match book.append(&stream, 0, now, SIGNED, body).await {
        Ok(_) => Ok(()),
        Err(BookError::Collision) => match of(book, rrn).await {
            Ok(Some(first)) if first == *signature => Ok(()),
            Ok(_) => Err(Unsigned::Already),
            Err(error) => Err(Unsigned::Book(error.into())),
        },
        Err(error) => Err(Unsigned::Book(error)),
    }
}
