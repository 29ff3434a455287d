//! What can be said of a database before a store in it is opened, and how a sandbox's store is taken away again.

use std::time::{Duration, Instant};

use super::{
    Limits,
    open::{OpenError, door, holder, store_row},
    pool::Live,
    sql,
};

/// The name of a row among the leases that nobody ever holds: it says that the store is a sandbox's.
const SANDBOX: &str = "sandbox";
/// Held by one host of all that run: whoever gets it knows that there is none.
const FILL: &str = "fill";
/// So long nobody else fills, while schemas are dropped.
const WIPE_LEASE_MS: f64 = 120_000.0;
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Why a store was not wiped.
#[derive(Debug, thiserror::Error)]
pub enum WipeError {
    /// It may be somebody's.
    #[error("the database holds a store that is not a sandbox's: not wiped")]
    NotASandbox,
    /// Somebody works with it.
    #[error("the database is in use: a host runs on it, or was killed a few seconds ago")]
    InUse,
    /// The database's trouble.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// Into how many partitions the store of a database is cut; `None` if there is no store in it yet.
///
/// # Errors
/// [`OpenError`].
pub async fn partitions(url: &str) -> Result<Option<u16>, OpenError> {
    let live = door(url, &Limits::default())?.connect().await?;
    Ok(store_row(&live).await?.and_then(|(_, partitions, _)| u16::try_from(partitions).ok()))
}

/// Marks the store of a database as a sandbox's, so that it may be wiped.
///
/// # Errors
/// [`OpenError`].
pub async fn mark_sandbox(url: &str) -> Result<(), OpenError> {
    let live = door(url, &Limits::default())?.connect().await?;
    live.execute(sql::NEW_LEASE, &[&SANDBOX]).await?;
    Ok(())
}

/// Removes a sandbox's schemas, and nothing else. Says whether there were any.
///
/// # Errors
/// [`WipeError`]; then nothing was removed, or the database went away in the middle.
pub async fn wipe_sandbox(url: &str) -> Result<bool, WipeError> {
    let limits = Limits::default();
    let live = door(url, &limits)?.connect().await.map_err(OpenError::from)?;
    let Some((_, partitions, _)) = store_row(&live).await? else { return Ok(false) };
    let marked = live.rows("SELECT 1 FROM pinward.leases WHERE name = $1", &[&SANDBOX]).await;
    if marked.map_err(OpenError::from)?.is_empty() {
        return Err(WipeError::NotASandbox);
    }
    if !take_over(&live, &holder(), limits.lease * 2).await? {
        return Err(WipeError::InUse);
    }
    for partition in 0..u16::try_from(partitions).unwrap_or_default() {
        drop_schema(&live, &sql::schema(partition)).await?;
    }
    // Last: as long as it is there, the rest can be found again.
    drop_schema(&live, "pinward").await?;
    Ok(true)
}

async fn drop_schema(live: &Live, name: &str) -> Result<(), OpenError> {
    Ok(live.plain(&format!("DROP SCHEMA IF EXISTS {name} CASCADE")).await?)
}

/// Takes the lease that some host holds as long as any runs. One that was killed holds it for a while.
pub(crate) async fn take_over(live: &Live, holder: &str, patience: Duration) -> Result<bool, OpenError> {
    let began = Instant::now();
    live.execute(sql::NEW_LEASE, &[&FILL]).await?;
    loop {
        if live.execute(sql::TAKE_LEASE, &[&FILL, &holder, &WIPE_LEASE_MS]).await? == 1 {
            return Ok(true);
        }
        if began.elapsed() > patience {
            return Ok(false);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
