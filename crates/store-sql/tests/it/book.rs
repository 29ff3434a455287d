//! One suite for every book: what the one in memory does, the others do. And what only files and databases can show: that a
//! fact is still there when they are opened again.

use std::{path::Path, sync::Arc, time::Duration};

use model::Timestamp;
use store::{
    Book, BookError, Engine, Fact, MemoryBook, StoreError,
    book::{self, BODY_LEN_MAX, Follower, READ_MAX},
};
use store_sql::postgres;

use crate::{server::Server, world::*};

const AT: Timestamp = Timestamp(T0);

#[tokio::test]
async fn the_memory_book_behaves() {
    behaves(Arc::new(MemoryBook::default())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_embedded_book_behaves() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).close();
    behaves(store_sql::open_book(dir.path()).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_book_of_a_database_behaves() {
    let (dir, url) = database().await;
    behaves(postgres::open_book(dir.path(), &url).await.unwrap()).await;
}

/// A database with its tables made.
async fn database() -> (tempfile::TempDir, String) {
    let url = Server::shared().database().await;
    let dir = tempfile::tempdir().unwrap();
    postgres::open(dir.path(), &url, few_partitions()).await.unwrap().close().await;
    (dir, url)
}

async fn behaves(book: Arc<dyn Book>) {
    a_fact_follows_the_one_that_was_seen(&*book).await;
    streams_have_their_own_numbers_and_share_the_places(&*book).await;
    what_cannot_be_kept_is_refused(&*book).await;
    readings_are_bounded(&*book).await;
    a_secret_opens_for_its_owner_only(&*book);
    of_those_who_race_all_win_once(&book).await;
    a_follower_misses_nothing(&book).await;
}

async fn a_fact_follows_the_one_that_was_seen(book: &dyn Book) {
    assert_eq!(book.read("a", 0, 10).await.unwrap(), []);
    let first = book.append("a", 0, AT, "made", b"{}".to_vec()).await.unwrap();
    assert_eq!(book.append("a", 0, AT, "made", vec![]).await, Err(BookError::Collision), "taken");
    assert_eq!(book.append("a", 2, AT, "made", vec![]).await, Err(BookError::Collision), "a gap");
    let second = book.append("a", 1, Timestamp(-5), "changed", vec![0, 255]).await.unwrap();
    assert!(second > first && first > 0);
    let expected = [
        Fact { place: first, stream: "a".into(), seq: 1, at: AT, kind: "made".into(), body: b"{}".to_vec() },
        Fact {
            place: second,
            stream: "a".into(),
            seq: 2,
            at: Timestamp(-5),
            kind: "changed".into(),
            body: vec![0, 255],
        },
    ];
    assert_eq!(book.read("a", 0, 10).await.unwrap(), expected);
    assert_eq!(book.read("a", 1, 10).await.unwrap(), expected[1..]);
    assert_eq!(book.read("a", 0, 1).await.unwrap(), expected[..1]);
}

async fn streams_have_their_own_numbers_and_share_the_places(book: &dyn Book) {
    let before = last(book).await;
    book.append("b", 0, AT, "made", vec![1]).await.unwrap();
    book.append("a", 2, AT, "made", vec![2]).await.unwrap();
    let facts = book.read_all(before, 10).await.unwrap();
    let seen: Vec<_> = facts.iter().map(|f| (f.stream.as_str(), f.seq, f.body[0])).collect();
    assert_eq!(seen, [("b", 1, 1), ("a", 3, 2)]);
    assert!(facts[0].place > before && facts[1].place > facts[0].place);
}

async fn what_cannot_be_kept_is_refused(book: &dyn Book) {
    let before = last(book).await;
    for (stream, seq, kind, len) in [
        ("", 0, "k", 0),
        ("s", 0, "", 0),
        ("s", 0, "k", BODY_LEN_MAX + 1),
        ("s", u32::MAX, "k", 0),
        ("s\0", 0, "k", 0),
        (&*"s".repeat(129), 0, "k", 0),
        ("s", 0, &*"k".repeat(65), 0),
    ] {
        let refused = book.append(stream, seq, AT, kind, vec![7; len]).await;
        assert!(matches!(refused, Err(BookError::Refused(_))), "{stream} {seq} {kind} {len}: {refused:?}");
    }
    assert_eq!(last(book).await, before);
    let long = "\u{00fc}".repeat(64);
    book.append(&long, 0, AT, &"k".repeat(64), vec![7; BODY_LEN_MAX]).await.unwrap();
    assert_eq!(book.read(&long, 0, 1).await.unwrap()[0].body.len(), BODY_LEN_MAX);
}

async fn readings_are_bounded(book: &dyn Book) {
    for seq in 0..READ_MAX + 2 {
        book.append("many", seq, AT, "k", vec![]).await.unwrap();
    }
    assert_eq!(book.read("many", 0, u32::MAX).await.unwrap().len(), READ_MAX as usize);
    let (count, seq) = book::fold(book, "many", 0_u32, |count, fact| {
        *count += 1;
        assert_eq!(fact.seq, *count);
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!((count, seq), (READ_MAX + 2, READ_MAX + 2));
    let stopped = book::fold(book, "many", (), |(), _| Err(StoreError::Corrupt("no".to_owned()))).await;
    assert_eq!(stopped, Err(StoreError::Corrupt("no".to_owned())));
}

fn a_secret_opens_for_its_owner_only(book: &dyn Book) {
    let sealed = book.seal("webhook/1", b"whsec_ of a test").unwrap();
    assert!(!sealed.windows(5).any(|part| part == b"whsec"), "it is not legible");
    assert_eq!(book.open("webhook/1", &sealed).unwrap(), b"whsec_ of a test");
    assert!(book.open("webhook/2", &sealed).is_err());
    assert!(book.open("webhook/1", &sealed[1..]).is_err());
    assert!(book.open("webhook/1", b"").is_err());
}

/// Appends `n` unless somebody did.
async fn add(book: &dyn Book, n: u32) -> Option<u64> {
    loop {
        let added = book::amend(
            book,
            "race",
            AT,
            |seen: &mut Vec<u32>, fact| fact.read().map(|n| seen.push(n)),
            |seen| if seen.contains(&n) { Ok(None) } else { Ok(Some(("n".into(), book::json(&n)?))) },
        )
        .await;
        match added {
            Err(BookError::Store(StoreError::Overloaded)) => {}
            other => return other.unwrap(),
        }
    }
}

async fn of_those_who_race_all_win_once(book: &Arc<dyn Book>) {
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..8 {
        let book = book.clone();
        tasks.spawn(async move {
            for n in 0..5 {
                // Two tasks want each number.
                add(&*book, task / 2 * 5 + n).await;
            }
        });
    }
    tasks.join_all().await;
    let facts = book.read("race", 0, READ_MAX).await.unwrap();
    let mut numbers: Vec<u32> = facts.iter().map(|fact| fact.read().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..20).collect::<Vec<_>>());
    assert!(facts.windows(2).all(|two| two[0].seq + 1 == two[1].seq && two[0].place < two[1].place));
    assert_eq!(add(&**book, 7).await, None, "it is there already");
    assert!(facts[0].read::<String>().is_err());
}

async fn a_follower_misses_nothing(book: &Arc<dyn Book>) {
    let mut follower = Follower::new(&**book, last(&**book).await);
    assert_eq!(follower.poll().await.unwrap(), []);
    let writer = tokio::spawn({
        let book = book.clone();
        async move {
            for seq in 0..20 {
                book.append("followed", seq, AT, "k", vec![]).await.unwrap();
            }
        }
    });
    let mut seen = Vec::new();
    while seen.len() < 20 {
        follower.wait(Duration::from_secs(30)).await;
        seen.extend(follower.poll().await.unwrap().into_iter().map(|fact| fact.seq));
    }
    writer.await.unwrap();
    assert_eq!(seen, (1..=20).collect::<Vec<_>>());
}

async fn last(book: &dyn Book) -> u64 {
    let mut last = 0;
    while let Some(fact) = book.read_all(last, READ_MAX).await.unwrap().last() {
        last = fact.place;
    }
    last
}

/// What was appended and sealed is there for whoever opens it next, beside the first.
async fn remembers(book: &dyn Book, again: &dyn Book) {
    let sealed = book.seal("me", b"secret").unwrap();
    book.append("kept", 0, AT, "sealed", sealed).await.unwrap();
    let facts = again.read("kept", 0, 10).await.unwrap();
    assert_eq!(again.open("me", &facts[0].body).unwrap(), b"secret");
    assert_eq!(again.append("kept", 0, AT, "k", vec![]).await, Err(BookError::Collision));
    again.append("kept", 1, AT, "k", vec![]).await.unwrap();
    assert_eq!(book.read_all(facts[0].place, 10).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_programs_share_a_book_in_files() {
    let dir = tempfile::tempdir().unwrap();
    // A directory from before there was a book gets one, its host running or not.
    let host = open(dir.path());
    let book = store_sql::open_book(dir.path()).unwrap();
    remembers(&*book, &*store_sql::open_book(dir.path()).unwrap()).await;
    book.close();
    assert!(matches!(book.read("kept", 0, 1).await, Err(StoreError::Away(_))));
    assert!(matches!(
        book.append("kept", 2, AT, "k", vec![]).await,
        Err(BookError::Store(StoreError::Away(_)))
    ));
    host.close();
    let crashed = copy(dir.path());
    assert_eq!(store_sql::open_book(crashed.path()).unwrap().read("kept", 0, 9).await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_share_a_book_in_a_database() {
    let (dir, url) = database().await;
    let book = postgres::open_book(dir.path(), &url).await.unwrap();
    remembers(&*book, &*postgres::open_book(dir.path(), &url).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_book_without_a_store() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(store_sql::open_book(dir.path()), Err(store_sql::OpenError::NoStore(_))));
    assert!(matches!(
        store_sql::open_book(Path::new("/no/such/directory")),
        Err(store_sql::OpenError::NoDirectory(_))
    ));
    let url = Server::shared().database().await;
    assert!(postgres::open_book(dir.path(), &url).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_book_moves_into_a_database_with_its_store() {
    let dir = tempfile::tempdir().unwrap();
    let host = open(dir.path());
    host.register(everybody(3, 1)).await.unwrap();
    host.close();
    let before = store_sql::open_book(dir.path()).unwrap();
    let sealed = before.seal("me", b"secret").unwrap();
    before.append("kept", 0, AT, "sealed", sealed).await.unwrap();
    for seq in 0..1200 {
        before.append("many", seq, AT, "k", vec![1, 2, 3]).await.unwrap();
    }
    let url = Server::shared().database().await;
    postgres::transfer(dir.path(), &url, few_partitions(), 0, &mut |_| {}).await.unwrap();
    let after = postgres::open_book(dir.path(), &url).await.unwrap();
    let (mut place, mut count) = (0, 0);
    loop {
        let facts = after.read_all(place, 500).await.unwrap();
        assert_eq!(facts, before.read_all(place, 500).await.unwrap());
        let Some(last) = facts.last() else { break };
        (place, count) = (last.place, count + facts.len());
    }
    assert_eq!(count, 1201);
    let facts = after.read("kept", 0, 1).await.unwrap();
    assert_eq!(after.open("me", &facts[0].body).unwrap(), b"secret");
    assert!(after.append("kept", 1, AT, "k", vec![]).await.unwrap() > place, "places go on");
}
