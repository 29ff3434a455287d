//! A store that cannot be right does not open, and says why.

use std::{fs, path::Path};

use store::Engine;
use store_sql::{OpenError, open as try_open, open_archive};

use crate::world::*;

async fn small_store(dir: &Path) {
    let engine = open(dir);
    engine.register(everybody(3, 1)).await.unwrap();
    for stan in 1..=5 {
        pay(&*engine, 1 + stan % 3, Tx { stan, ..Tx::default() }).await;
    }
}

#[track_caller]
fn check(dir: &Path, expected: &str) {
    let error = try_open(dir).err().expect("it must not open").to_string();
    assert!(error.contains(expected), "{error:?} does not say {expected:?}");
}

/// Changes a store from outside and expects it to be refused.
async fn check_after(change: impl Fn(&Path), expected: &str) {
    let dir = tempfile::tempdir().unwrap();
    small_store(dir.path()).await;
    change(dir.path());
    check(dir.path(), expected);
}

fn sql(file: &'static str, text: &'static str) -> impl Fn(&Path) {
    move |dir| rusqlite::Connection::open(dir.join(file)).unwrap().execute_batch(text).unwrap()
}

#[test]
fn a_directory_that_is_not_there() {
    check(Path::new("/no/such/place"), "no such directory: /no/such/place");
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(open_archive(dir.path()), Err(OpenError::NoStore(_))));
}

#[test]
fn a_directory_that_cannot_be_written() {
    // Permissions do not stop root, a read-only file system does.
    let dir = tempfile::tempdir().unwrap();
    let mut permissions = fs::metadata(dir.path()).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(dir.path(), permissions).unwrap();
    let root = fs::write(dir.path().join("probe"), "").is_ok();
    check(if root { Path::new("/sys/kernel") } else { dir.path() }, "cannot write to");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_another_process_has_open() {
    let dir = tempfile::tempdir().unwrap();
    small_store(dir.path()).await;
    let engine = open(dir.path());
    check(dir.path(), &format!("in use by process {}", std::process::id()));
    drop(engine);
    drop(open(dir.path()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_without_its_key() {
    check_after(|dir| fs::remove_file(dir.join("store.key")).unwrap(), "key is missing").await;
    check_after(|dir| fs::write(dir.join("store.key"), [1; 63]).unwrap(), "63 bytes long instead of 64")
        .await;
    check_after(|dir| fs::write(dir.join("store.key"), [1; 64]).unwrap(), "under another key").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_only_the_owner_may_read() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    small_store(dir.path()).await;
    assert_eq!(fs::metadata(dir.path().join("store.key")).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_schema() {
    for (file, known) in [("registers.db", 2), ("archive.db", 1)] {
        let expected = format!("has schema 99, this program knows {known}");
        check_after(sql(file, "PRAGMA user_version = 99"), &expected).await;
    }
    let newer = |bytes: &mut Vec<u8>| {
        bytes[16] = 99;
        let checksum = journal_log::crc32c(0, &bytes[..40]);
        bytes[40..44].copy_from_slice(&checksum.to_le_bytes());
    };
    check_after(segment(newer), "journal has schema 99, this program knows 1").await;
}

/// Changes the journal's first file.
fn segment(change: impl Fn(&mut Vec<u8>)) -> impl Fn(&Path) {
    move |dir| {
        let path = dir.join("journal/00000001.seg");
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        fs::write(&path, bytes).unwrap();
    }
}

/// Makes the journal anew, with other entries and sound checksums: as if this program had written them.
fn rewritten(change: impl Fn(&mut Vec<Vec<u8>>)) -> impl Fn(&Path) {
    move |dir| {
        let folder = dir.join("journal");
        let head = fs::read(folder.join("00000001.seg")).unwrap();
        let label = head[32..40].try_into().unwrap();
        let log = journal_log::open_to_read(&folder, label).unwrap();
        log.look_again(u64::MAX).unwrap();
        let mut bodies = Vec::new();
        let mut cursor = log.after(0);
        while let Some((_, body)) = cursor.next().unwrap() {
            bodies.push(body.to_vec());
        }
        change(&mut bodies);
        fs::remove_dir_all(&folder).unwrap();
        let options = journal_log::Options { label, segment_bytes: 1 << 20, limit_bytes: None, synced: true };
        journal_log::create(&folder, &options).unwrap();
        let mut opened = journal_log::open(&folder, options).unwrap();
        opened.appender.append(bodies.iter().map(Vec::as_slice)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_cannot_be() {
    check_after(rewritten(|bodies| drop(bodies.pop())), "ends at entry 4, but the registers know").await;
    check_after(rewritten(|bodies| bodies[3] = vec![0]), "entry 4 cannot be read").await;
    check_after(rewritten(|bodies| bodies[3] = bodies[0].clone()), "entry 4 does not continue").await;
    check_after(segment(|bytes| bytes[4096 + 700] ^= 1), "entry 3 is damaged: entry 4 behind it").await;
    check_after(segment(|bytes| bytes[4096 + 24..6000].fill(0)), "is damaged").await;
    check_after(segment(|bytes| bytes[3] ^= 1), "segment 00000001.seg: its head cannot be read").await;
    check_after(segment(|bytes| bytes.truncate(9000)), "9000 bytes long instead of 1048576").await;
    check_after(|dir| fs::remove_dir_all(dir.join("journal")).unwrap(), "ends at entry 0, but the registers")
        .await;
    check_after(|dir| fs::remove_file(dir.join("registers.db")).unwrap(), "subject is not registered").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn registers_that_lost_a_card() {
    let lost = "DELETE FROM cards; UPDATE checkpoint SET mark = 0";
    check_after(sql("registers.db", lost), "its subject is not registered").await;
}
