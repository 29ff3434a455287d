//! Rules for a host that is measured: the starter set, published as people would, with every rule in shadow.

use std::path::Path;

use anyhow::Context;
use host::Clock as _;
use model::Timestamp;
use risk::{Change, RuleSet};
use store::{
    Book,
    book::{self, BookError},
};
use web::rules::{KIND, STREAM};

/// Publishes it in the book of a store that no host has opened.
///
/// # Errors
/// When the book cannot be written.
pub(crate) async fn live_in_shadow(data: &Path) -> anyhow::Result<()> {
    let text = risk::STARTER.replace("mode = \"live\"", "mode = \"shadow\"");
    let set = RuleSet::parse(&text).map_err(|problems| anyhow::anyhow!("the starter set: {problems:?}"))?;
    let digest = set.digest().to_owned();
    let (at, by) = (host::SystemClock.now(), "bench".to_owned());
    let activated = Change::Activated {
        digest: digest.clone(),
        requested_by: by.clone(),
        approved_by: "another".to_owned(),
        at,
    };
    let book = store_sql::sqlite::open_book(data).context("cannot open the sandbox's book")?;
    for change in [Change::Drafted { digest, text, by, at }, activated] {
        keep(&*book, at, &change).await?;
    }
    book.close();
    Ok(())
}

async fn keep(book: &dyn Book, at: Timestamp, change: &Change) -> Result<(), BookError> {
    let unread = |_: &mut (), _: &book::Fact| Ok(());
    book::amend(book, STREAM, at, unread, |()| Ok(Some((KIND.to_owned(), book::json(change)?))))
        .await
        .map(drop)
}
