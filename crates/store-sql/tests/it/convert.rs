//! A data directory whose journal is in SQLite, as earlier versions made it, becomes one with a log.

use std::{fs, path::Path};

use rusqlite::{Connection, params};
use store::Engine;
use store_sql::{OpenError, open as try_open, open_archive};

use crate::{archive::picture, world::*};

/// The table as it was.
const OLD: &str = include_str!("../../migrations/sqlite/journal/0001_journal.sql");

/// A store with some decisions.
async fn used(dir: &Path) -> Vec<String> {
    let engine = open(dir);
    engine.register(everybody(4, 2)).await.unwrap();
    for stan in 1..=1500 {
        pay(&*engine, 1 + stan % 4, Tx { stan, terminal: 1 + stan % 2, ..Tx::default() }).await;
    }
    filled(&*engine).await;
    picture(&*engine).await
}

/// Puts its journal back into SQLite.
fn back(dir: &Path) {
    let folder = dir.join("journal");
    let label: [u8; 8] = fs::read(folder.join("00000001.seg")).unwrap()[32..40].try_into().unwrap();
    let log = journal_log::open_to_read(&folder, label).unwrap();
    log.look_again(u64::MAX).unwrap();
    let mut conn = Connection::open(dir.join("journal.db")).unwrap();
    conn.execute_batch("PRAGMA journal_mode = WAL").unwrap();
    conn.execute_batch(OLD).unwrap();
    conn.pragma_update(None, "user_version", 1).unwrap();
    conn.execute("INSERT INTO store (key_check) VALUES (?1)", [label]).unwrap();
    let tx = conn.transaction().unwrap();
    let mut cursor = log.after(0);
    while let Some((place, body)) = cursor.next().unwrap() {
        let entry: store::Entry = minicbor::decode(body).unwrap();
        let subject = match entry.subject {
            store::Subject::Card(id) => [&[1], &id.0[..]].concat(),
            store::Subject::Terminal(id) => [&[2][..], id.as_bytes()].concat(),
        };
        let row = params![place as i64, subject, entry.seq, entry.at.0, body];
        tx.execute("INSERT INTO journal VALUES (?1, ?2, ?3, ?4, ?5)", row).unwrap();
    }
    tx.commit().unwrap();
    drop(conn);
    fs::remove_dir_all(folder).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_converted_once_and_the_old_file_kept() {
    let dir = tempfile::tempdir().unwrap();
    let before = used(dir.path()).await;
    back(dir.path());
    let reader = open_archive(dir.path()).err().expect("only the host converts").to_string();
    assert!(reader.contains("journal.db") && reader.contains("start the host once"), "{reader}");
    // A conversion that was interrupted leaves something that is thrown away.
    fs::create_dir(dir.path().join("journal.new")).unwrap();
    fs::write(dir.path().join("journal.new/00000001.seg"), "half").unwrap();
    let engine = open(dir.path());
    assert_eq!(picture(&*engine).await, before);
    let card = get(&*engine, 1).await;
    engine.append(sale(&card, Tx { stan: 9000, ..Tx::default() })).await.unwrap();
    drop(engine);
    assert!(dir.path().join("journal.db.converted").is_file());
    assert!(!dir.path().join("journal.db").exists() && !dir.path().join("journal.new").exists());
    assert_eq!(get(&*open(dir.path()), 1).await.state.seq, card.state.seq + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_ended_after_the_renaming_is_finished() {
    let dir = tempfile::tempdir().unwrap();
    used(dir.path()).await;
    back(dir.path());
    drop(open(dir.path()));
    fs::rename(dir.path().join("journal.db.converted"), dir.path().join("journal.db")).unwrap();
    let engine = open(dir.path());
    assert_eq!(engine.entry(1500).await.unwrap().unwrap().seq, get(&*engine, 1).await.state.seq);
    assert!(dir.path().join("journal.db.converted").is_file());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_converted_is_refused() {
    let refuse = |text: &'static str, expected: &'static str| async move {
        let dir = tempfile::tempdir().unwrap();
        used(dir.path()).await;
        back(dir.path());
        Connection::open(dir.path().join("journal.db")).unwrap().execute_batch(text).unwrap();
        let error = try_open(dir.path()).err().expect("it must not open");
        assert!(matches!(error, OpenError::Corrupt { .. } | OpenError::WrongKey(_)), "{error}");
        assert!(error.to_string().contains(expected), "{error} does not say {expected:?}");
        assert!(dir.path().join("journal.db").is_file(), "nothing is taken away");
    };
    refuse("DELETE FROM journal WHERE seq = 700", "entry 700 is missing").await;
    refuse("UPDATE journal SET subject_seq = 9 WHERE seq = 4", "entry 4 has columns").await;
    refuse("UPDATE journal SET body = x'00' WHERE seq = 4", "entry 4 cannot be read").await;
    refuse("UPDATE store SET key_check = x'0000000000000000'", "under another key").await;
}

/// An older program that is started on a converted directory makes a journal of its own there.
#[tokio::test(flavor = "multi_thread")]
async fn a_journal_beside_the_log_that_is_not_its_own_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    used(dir.path()).await;
    back(dir.path());
    drop(open(dir.path()));
    let old = dir.path().join("journal.db");
    fs::copy(dir.path().join("journal.db.converted"), &old).unwrap();
    Connection::open(&old)
        .unwrap()
        .execute_batch("UPDATE journal SET body = x'01' WHERE seq = 1500")
        .unwrap();
    let error = try_open(dir.path()).err().expect("two journals").to_string();
    assert!(error.contains("not in journal/"), "{error}");
    // An empty one has nothing that could be lost.
    Connection::open(&old).unwrap().execute_batch("DELETE FROM journal").unwrap();
    drop(open(dir.path()));
}
