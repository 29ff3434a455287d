//! Receipts of what the journal has: a transaction becomes a slip, and a signature is kept with it.
//!
//! What stands on a refused slip is what the handbook tells the cardholder; a test holds that against telling, or letting anybody
//! work out, how many tries are left.

mod font;
mod signature;
mod slip;

pub use font::NoFont;

use std::{str::FromStr, sync::Arc};

use receipt::{Copy, Language, Layout, Paper, escpos, html, picture, text};
use store::{Archive, Book, StoreError, archive::TransactionDetail};

use crate::{api::receipts::ReceiptFilter, format::Zone, state::MessageDescriber};

pub(crate) use signature::{Unsigned, is_payment, keep, needs_one};

/// In which form a slip is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A page that prints on a roll.
    Html,
    /// A picture of a printer's dots.
    Png,
    /// A printer's bytes.
    Escpos,
    /// Plain text.
    Text,
}

impl Form {
    /// The media type of RFC 6838; printers' bytes have none of their own.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Png => "image/png",
            Self::Escpos => "application/octet-stream",
            Self::Text => "text/plain; charset=utf-8",
        }
    }

    /// The fixed name, as in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Png => "png",
            Self::Escpos => "escpos",
            Self::Text => "text",
        }
    }
}

impl FromStr for Form {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        [Self::Html, Self::Png, Self::Escpos, Self::Text]
            .into_iter()
            .find(|form| form.name() == name)
            .ok_or(())
    }
}

/// Which slip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// How wide.
    pub paper: Paper,
    /// Who keeps it.
    pub copy: Copy,
    /// In which language.
    pub language: Language,
    /// Was it printed before?
    pub reprint: bool,
}

/// Why there is no receipt.
#[derive(Debug, thiserror::Error)]
pub enum NoReceipt {
    /// No such transaction, or one that gives no receipt: a sign-in, a reversal.
    #[error("no such payment")]
    NotFound,
    /// A picture needs a font.
    #[error(transparent)]
    NoFont(#[from] NoFont),
    /// A part of the query means nothing.
    #[error("{0}")]
    NotUnderstood(String),
    /// It cannot be drawn.
    #[error("the slip cannot be drawn: {0}")]
    Picture(#[from] picture::PictureError),
    /// The store's trouble.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where slips come from.
pub struct Receipts<'a> {
    /// What happened.
    pub archive: &'a dyn Archive,
    /// Where signatures are kept; without it there are none.
    pub book: Option<Arc<dyn Book>>,
    /// Reads messages.
    pub describer: &'a dyn MessageDescriber,
    /// The shop's clock.
    pub zone: &'a Zone,
}

impl Receipts<'_> {
    /// The slip of a payment, laid out.
    ///
    /// # Errors
    /// [`NoReceipt`].
    pub async fn layout(&self, rrn: &str, wanted: Wanted) -> Result<Layout, NoReceipt> {
        let detail = self.archive.transaction(rrn).await?.ok_or(NoReceipt::NotFound)?;
        let original = match &detail.original_rrn {
            Some(rrn) => self.archive.transaction(rrn).await?,
            None => None,
        };
        let signed = match &self.book {
            Some(book) if needs_one(&detail.row) => signature::of(book.as_ref(), rrn).await?,
            _ => None,
        };
        let slip =
            self.slip(&detail, original.as_ref(), signed, wanted.reprint).ok_or(NoReceipt::NotFound)?;
        Ok(Layout::of(&slip, wanted.paper, wanted.language, wanted.copy))
    }

    fn slip(
        &self,
        detail: &TransactionDetail,
        original: Option<&TransactionDetail>,
        signed: Option<receipt::Signature>,
        reprint: bool,
    ) -> Option<receipt::Slip> {
        let describe = |wire: &Option<store::archive::Wire>, reply| {
            wire.as_ref().map(|w| self.describer.describe(&w.dialect, &w.bytes, reply)).unwrap_or_default()
        };
        let said =
            slip::Said { request: &describe(&detail.request, false), reply: &describe(&detail.reply, true) };
        let mut slip = slip::of(detail, &said, original.map(|d| &d.row), self.zone, signed)?;
        slip.reprint = reprint;
        Some(slip)
    }

    /// The same, drawn. Looking for a font reads files: call it where that may take a moment.
    ///
    /// # Errors
    /// [`NoReceipt::NoFont`] with what to install, [`NoReceipt::Picture`].
    pub fn draw(layout: &Layout, form: Form) -> Result<Vec<u8>, NoReceipt> {
        Ok(match form {
            Form::Text => text::text(layout).into_bytes(),
            Form::Html => html::document(layout).into_bytes(),
            Form::Escpos => escpos::escpos(layout),
            Form::Png => picture::png(layout, font::face()?)?,
        })
    }
}

/// The slip for a program that has a store and no console, by the query of the API.
///
/// # Errors
/// [`NoReceipt`].
pub async fn drawn(
    archive: &dyn Archive,
    book: Arc<dyn Book>,
    describer: &dyn MessageDescriber,
    zone: &Zone,
    rrn: &str,
    query: &str,
) -> Result<Vec<u8>, NoReceipt> {
    let not_understood = |why: String| NoReceipt::NotUnderstood(why);
    let uri: axum::http::Uri =
        format!("/?{query}").parse().map_err(|_| not_understood("expected name=value pairs".to_owned()))?;
    let axum::extract::Query(filter): axum::extract::Query<ReceiptFilter> =
        axum::extract::Query::try_from_uri(&uri).map_err(|error| not_understood(error.body_text()))?;
    let (wanted, form) = filter.check().map_err(|failure| not_understood(failure.to_string()))?;
    let layout = Receipts { archive, book: Some(book), describer, zone }.layout(rrn, wanted).await?;
    Receipts::draw(&layout, form)
}
