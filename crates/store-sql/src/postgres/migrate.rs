//! Numbered migrations. `pinward.store.version` says how many were applied; a database that a newer program wrote is
//! refused: an older program would misread it.
//!
//! Several hosts may meet an empty database at the same moment. One takes the lease and migrates, the others wait; every
//! statement may be run again, so that whoever takes over from one that died begins at its migration's start. Statements
//! are sent one by one, outside of a transaction: not every engine changes schemas inside of one.

use std::time::{Duration, Instant};

use tokio_postgres::error::SqlState;

use super::{
    open::OpenError,
    pool::{Live, column},
    sql,
};

const BOOTSTRAP: &str = include_str!("../../migrations/postgres/bootstrap.sql");

/// One migration: what all partitions share, then what each has.
struct Migration {
    shared: &'static str,
    partition: &'static str,
}

const MIGRATIONS: [Migration; 7] = [
    Migration {
        shared: include_str!("../../migrations/postgres/0001_shared.sql"),
        partition: include_str!("../../migrations/postgres/0001_partition.sql"),
    },
    Migration { shared: include_str!("../../migrations/postgres/0002_shared.sql"), partition: "" },
    Migration { shared: include_str!("../../migrations/postgres/0003_shared.sql"), partition: "" },
    Migration {
        shared: include_str!("../../migrations/postgres/0004_shared.sql"),
        partition: include_str!("../../migrations/postgres/0004_partition.sql"),
    },
    Migration { shared: include_str!("../../migrations/postgres/0005_shared.sql"), partition: "" },
    Migration { shared: include_str!("../../migrations/postgres/0006_shared.sql"), partition: "" },
    Migration { shared: "", partition: include_str!("../../migrations/postgres/0007_partition.sql") },
];

/// Our version.
pub(crate) const VERSION: i32 = MIGRATIONS.len() as i32;
const LEASE: &str = "migrate";
/// A host that migrates and is silent for so long is taken to be dead.
const LEASE_MS: f64 = 60_000.0;
const WAIT: Duration = Duration::from_millis(100);
const WAIT_LIMIT: Duration = Duration::from_secs(120);
/// So often a statement that met the same one of another host is run again.
const CLASHES: usize = 20;

/// Makes what everything else stands on.
pub(crate) async fn bootstrap(live: &Live) -> Result<(), OpenError> {
    for statement in statements(BOOTSTRAP) {
        run(live, &statement).await?;
    }
    Ok(())
}

/// Brings the tables from version `found` to ours, or waits until another host has.
pub(crate) async fn migrate(live: &Live, holder: &str, partitions: u16) -> Result<(), OpenError> {
    live.execute(sql::NEW_LEASE, &[&LEASE]).await?;
    let started = Instant::now();
    loop {
        let found: i32 = column(&live.one(sql::STORE, &[]).await?, 2)?;
        if found >= VERSION {
            return check(found);
        }
        if live.execute(sql::TAKE_LEASE, &[&LEASE, &holder, &LEASE_MS]).await? == 1 {
            apply(live, usize::try_from(found).unwrap_or_default(), partitions, holder).await?;
            live.execute(sql::DROP_LEASE, &[&LEASE, &holder]).await?;
        } else if started.elapsed() > WAIT_LIMIT {
            return Err(OpenError::Database(
                "another host has been changing the tables for too long".to_owned(),
            ));
        } else {
            tokio::time::sleep(WAIT).await;
        }
    }
}

/// Is it a version that we can use?
pub(crate) fn check(found: i32) -> Result<(), OpenError> {
    if found > VERSION { Err(OpenError::NewerSchema { found, known: VERSION }) } else { Ok(()) }
}

async fn apply(live: &Live, from: usize, partitions: u16, holder: &str) -> Result<(), OpenError> {
    for (index, migration) in MIGRATIONS.iter().enumerate().skip(from) {
        for statement in statements(migration.shared) {
            run(live, &statement).await?;
        }
        for partition in 0..partitions {
            let schema = sql::schema(partition);
            for statement in statements(migration.partition) {
                run(live, &statement.replace("{schema}", &schema)).await?;
            }
            live.execute(sql::TAKE_LEASE, &[&LEASE, &holder, &LEASE_MS]).await?;
        }
        live.execute(sql::SET_VERSION, &[&(index as i32 + 1)]).await?;
        tracing::info!(version = index + 1, "the database's tables are up to date");
    }
    Ok(())
}

/// `IF NOT EXISTS` does not wait for another host that is making the same just now: it fails on a catalogue's key.
async fn run(live: &Live, statement: &str) -> Result<(), OpenError> {
    for _ in 0..CLASHES {
        match live.plain(statement).await {
            Err(error) if error.code().is_some_and(|code| CLASH.contains(code)) => {
                tokio::time::sleep(WAIT / 5).await
            }
            result => return Ok(result?),
        }
    }
    Err(OpenError::Database("another host makes the same tables".to_owned()))
}

const CLASH: [SqlState; 6] = [
    SqlState::UNIQUE_VIOLATION,
    SqlState::DUPLICATE_SCHEMA,
    SqlState::DUPLICATE_TABLE,
    // a table is a type as well
    SqlState::DUPLICATE_OBJECT,
    SqlState::T_R_SERIALIZATION_FAILURE,
    // "tuple concurrently updated"
    SqlState::INTERNAL_ERROR,
];

/// The statements of a file: comments are dropped, each ends with a semicolon at the end of a line.
fn statements(file: &str) -> Vec<String> {
    let lines = file.lines().map(|line| line.split("--").next().unwrap_or_default().trim_end());
    let text: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    let text = text.join("\n");
    let parts = text.split(";\n").map(|part| part.trim_end_matches(';').to_owned());
    parts.filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_cut_into_statements() {
        let file = "-- story\nCREATE TABLE a (\n  b int4 -- why; not\n);\n\nINSERT INTO a (b) VALUES (1);\n";
        assert_eq!(statements(file), ["CREATE TABLE a (\n  b int4\n)", "INSERT INTO a (b) VALUES (1)"]);
        assert!(statements(MIGRATIONS[0].partition).iter().all(|s| s.contains("{schema}")));
    }
}
