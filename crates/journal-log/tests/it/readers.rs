//! A reader beside the writer's process sees what is durable, and nothing that may not be.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use journal_log::open_to_read;

use crate::world::*;

#[test]
fn the_newest_group_is_seen_when_something_vouches_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut running = Running::fresh(dir.path(), small());
    running.group(5);
    let reader = open_to_read(dir.path(), LABEL).unwrap();
    assert_eq!(reader.look_again(0).unwrap(), 0);
    assert_eq!(reader.look_again(3).unwrap(), 3);
    assert_eq!(reader.look_again(900).unwrap(), 5, "what is not there is not seen");
    running.group(2);
    assert_eq!(reader.look_again(0).unwrap(), 5);
    running.group(1);
    assert_eq!(reader.look_again(0).unwrap(), 7);
    drop(running);
    assert_eq!(reader.look_again(0).unwrap(), 8, "closed");
    assert_eq!(read(&reader).unwrap(), entries(8));
}

#[test]
fn readers_beside_a_busy_writer_see_whole_entries_only() {
    let dir = tempfile::tempdir().unwrap();
    let mut running = Running::fresh(dir.path(), small());
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let (here, ended) = (running.log.clone(), &ended);
        let inside = scope.spawn(move || {
            let mut cursor = here.after(0);
            while !ended.load(Ordering::Acquire) {
                while let Some((place, found)) = cursor.next().unwrap() {
                    assert_eq!(found, body(place));
                }
                let end = here.end();
                assert_eq!(here.read(end / 2).unwrap(), (end > 1).then(|| body(end / 2)));
            }
        });
        let path = dir.path();
        let outside = scope.spawn(move || {
            let there = open_to_read(path, LABEL).unwrap();
            let mut cursor = there.after(0);
            while !ended.load(Ordering::Acquire) {
                there.look_again(0).unwrap();
                while let Some((place, found)) = cursor.next().unwrap() {
                    assert_eq!(found, body(place));
                }
            }
            cursor.place()
        });
        for round in 0..400 {
            running.group(1 + round % 30);
        }
        ended.store(true, Ordering::Release);
        inside.join().unwrap();
        assert!(outside.join().unwrap() <= running.log.end());
    });
    drop(running);
    let reader = open_to_read(dir.path(), LABEL).unwrap();
    let end = reader.look_again(0).unwrap();
    assert_eq!(read(&reader).unwrap(), entries(end));
}
