//! What PostgreSQL itself does on this machine: `pgbench` with one UPDATE of a random card and one INSERT into a journal
//! per transaction, the work of a payment host that keeps each card's state in its row. It is what the store is compared
//! with.

use std::{fs, time::Duration};

use super::{LocalServer, LocalServerError, finish};

/// A card's row is about as long as a card's state, a row of the journal as an entry.
const TABLES: &str = "
    DROP TABLE IF EXISTS yard_cards, yard_journal;
    CREATE TABLE yard_cards (id int8 PRIMARY KEY, seq int8 NOT NULL, state text NOT NULL);
    CREATE TABLE yard_journal (place bigserial PRIMARY KEY, card int8 NOT NULL, body text NOT NULL);
    INSERT INTO yard_cards SELECT n, 0, repeat('s', 200) FROM generate_series(1, CARDS) AS n;
    VACUUM ANALYZE yard_cards;
    CHECKPOINT;";

const SCRIPT: &str = "\\set card random(1, CARDS)
BEGIN;
UPDATE yard_cards SET seq = seq + 1, state = repeat('t', 200) WHERE id = :card;
INSERT INTO yard_journal (card, body) VALUES (:card, repeat('j', 400));
END;
";

/// What `pgbench` reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Yardstick {
    /// Transactions per second, connecting not counted.
    pub rate_per_s: f64,
    /// Half of the transactions took no longer.
    pub p50: Duration,
    /// 99 of 100 took no longer.
    pub p99: Duration,
}

/// Runs `pgbench` in a database for `seconds`, with so many clients and statements prepared once.
///
/// # Errors
/// [`LocalServerError`].
pub fn pgbench(
    server: &LocalServer,
    database: &str,
    clients: u32,
    cards: u32,
    seconds: u32,
) -> Result<Yardstick, LocalServerError> {
    let io_error = |path: &std::path::Path, source| LocalServerError::Io { path: path.to_owned(), source };
    let filled = TABLES.replace("CARDS", &cards.to_string());
    let mut psql = server.client("psql");
    psql.args(["-q", "-v", "ON_ERROR_STOP=1", "-d", database]);
    for statement in filled.split_inclusive(';').map(str::trim).filter(|statement| !statement.is_empty()) {
        psql.args(["-c", statement]);
    }
    finish(&mut psql)?;
    let (script, log) = (server.folder.join("yardstick.pgbench"), server.folder.join("yardstick"));
    fs::write(&script, SCRIPT.replace("CARDS", &cards.to_string()))
        .map_err(|source| io_error(&script, source))?;
    let mut pgbench = server.client("pgbench");
    pgbench.args(["-n", "-M", "prepared", "-j", "2", "-c", &clients.to_string(), "-T", &seconds.to_string()]);
    pgbench.arg("-f").arg(&script).args(["-l", "--sampling-rate=0.2"]).arg("--log-prefix").arg(&log);
    let said = finish(pgbench.arg(database))?;
    let mut took = Vec::new();
    for file in fs::read_dir(&server.folder).map_err(|source| io_error(&server.folder, source))?.flatten() {
        if file.file_name().to_string_lossy().starts_with("yardstick.") && file.path() != script {
            let text = fs::read_to_string(file.path()).map_err(|source| io_error(&file.path(), source))?;
            took.extend(text.lines().filter_map(latency));
            let _ = fs::remove_file(file.path());
        }
    }
    took.sort_unstable();
    let at = |share: f64| {
        let index = (took.len().saturating_sub(1) as f64 * share) as usize;
        Duration::from_micros(took.get(index).copied().unwrap_or_default())
    };
    let rate_per_s = rate(&said)
        .ok_or_else(|| LocalServerError::Program { program: "pgbench".to_owned(), said: said.clone() })?;
    Ok(Yardstick { rate_per_s, p50: at(0.5), p99: at(0.99) })
}

/// The third word of a line of the log: microseconds.
fn latency(line: &str) -> Option<u64> {
    line.split(' ').nth(2)?.parse().ok()
}

/// From the line `tps = 7123.456 (without initial connection time)`.
fn rate(said: &str) -> Option<f64> {
    said.lines().find_map(|line| line.strip_prefix("tps = "))?.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pgbench_says_is_read() {
        let said = "scaling factor: 1\ntps = 7123.456 (without initial connection time)\n";
        assert_eq!(rate(said), Some(7123.456));
        assert_eq!(rate("pgbench: error: connection failed"), None);
        // client, transaction, microseconds, script, seconds, microseconds
        assert_eq!(latency("0 199 2241 0 1175850568 995598"), Some(2241));
    }
}
