//! Groups of every size over many segments; a log that is full; a log that belongs to somebody else.

use journal_log::{LogError, MAX_BODY, Options, create, exists, open};

use crate::world::*;

#[test]
fn what_was_appended_is_read_in_order_and_by_place() {
    let dir = tempfile::tempdir().unwrap();
    let mut running = Running::fresh(dir.path(), small());
    let mut end = 0;
    for count in [1, 1, 2, 500, 3, 40, 1] {
        running.group(count);
        end += count;
        assert_eq!(running.log.end(), end);
    }
    assert_eq!(running.all().unwrap(), entries(end));
    for place in [1, 2, 3, 17, 400, 504, 505, end] {
        assert_eq!(running.log.read(place).unwrap(), Some(body(place)), "{place}");
    }
    assert_eq!(running.log.read(0).unwrap(), None);
    assert_eq!(running.log.read(end + 1).unwrap(), None);
    let segments = std::fs::read_dir(dir.path()).unwrap().count();
    assert!(segments > 10, "{segments} files");
}

#[test]
fn a_log_that_was_closed_or_not_opens_as_it_was_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut path = dir.path().join("0");
    let mut running = Running::fresh(&path, small());
    let mut end = 0;
    for round in 0..30 {
        let count = 1 + round * 11 % 60;
        running.group(count);
        end += count;
        if round % 3 == 0 {
            // As a crash leaves it: without a mark.
            let crashed = dir.path().join(format!("{}", round + 1));
            copy(&path, &crashed);
            path = crashed;
        }
        drop(running);
        running = Running::open(&path, small()).unwrap();
        assert_eq!(running.cut, None);
        assert_eq!(running.all().unwrap(), entries(end));
    }
}

#[test]
fn a_cursor_at_the_end_goes_on_when_there_is_more() {
    let dir = tempfile::tempdir().unwrap();
    let mut running = Running::fresh(dir.path(), small());
    let mut cursor = running.log.after(0);
    for round in 0..200 {
        assert!(cursor.next().unwrap().is_none());
        running.group(1 + round % 7);
        let mut seen = 0;
        while let Some((place, found)) = cursor.next().unwrap() {
            assert_eq!(found, body(place));
            seen += 1;
        }
        assert_eq!(seen, 1 + round % 7);
        assert_eq!(cursor.place(), running.log.end());
    }
}

#[test]
fn a_full_log_says_so_and_keeps_what_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let limited = Options { limit_bytes: Some(50_000), ..small() };
    let mut running = Running::fresh(dir.path(), limited.clone());
    let mut appender = running.appender.take().unwrap();
    let mut appended = 0;
    let error = loop {
        match appender.append([&body(appended + 1)[..]]) {
            Ok(place) => appended = place,
            Err(error) => break error,
        }
    };
    assert!(!error.in_doubt && error.to_string().contains("is full"), "{error}");
    assert!(appended > 50, "{appended}");
    assert!(appender.append([&b"more"[..]]).is_err(), "it stays stopped");
    assert_eq!(running.all().unwrap(), entries(appended));
    drop(appender);
    drop(running);
    let running = Running::open(dir.path(), small()).unwrap();
    assert_eq!(running.all().unwrap(), entries(appended));
}

#[test]
fn an_entry_that_is_too_long_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let large = Options { segment_bytes: 1 << 24, ..small() };
    let mut running = Running::fresh(dir.path(), large);
    let longest = vec![7; MAX_BODY];
    let appender = running.appender.as_mut().unwrap();
    assert_eq!(appender.append([&longest[..], &longest[..]]).unwrap(), 2);
    let refused = appender.append([&vec![7; MAX_BODY + 1][..]]).unwrap_err();
    assert!(!refused.in_doubt);
    assert_eq!(running.log.read(2).unwrap(), Some(longest));
}

#[test]
fn a_log_of_somebody_else() {
    let dir = tempfile::tempdir().unwrap();
    assert!(!exists(&dir.path().join("journal")));
    create(&dir.path().join("journal"), &small()).unwrap();
    assert!(exists(&dir.path().join("journal")));
    let other = open(&dir.path().join("journal"), Options { label: *b"another.", ..small() });
    assert!(matches!(other.err(), Some(LogError::WrongLabel(_))));
}
