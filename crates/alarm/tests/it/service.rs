//! The service and its book: what was decided is done after a restart, two hosts do it once, and nothing secret is in the file.

use std::{sync::Arc, time::Duration};

use alarm::{AlarmError, AlarmService, Matcher, Parts, Refusal, Severity, Standing};
use store::{Book, MemoryBook};

use crate::receiver::*;

/// A book in files, and its folder.
fn files() -> (tempfile::TempDir, Arc<dyn Book>) {
    let dir = tempfile::tempdir().unwrap();
    store_sql::open(dir.path()).unwrap().close();
    let book = store_sql::open_book(dir.path()).unwrap();
    (dir, book)
}

fn again(dir: &tempfile::TempDir) -> Arc<dyn Book> {
    store_sql::open_book(dir.path()).unwrap()
}

/// Every file of a data folder; the journal's are in a folder of their own.
fn files_below(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_told_is_told_after_a_restart() {
    let receiver = Receiver::start(&["503 Busy\r\ncontent-length: 0\r\n\r\n"]).await;
    let hands = Hands::default();
    let (dir, book) = files();
    let first = service(&book, &hands, settings()).await;
    let (id, secret) = subscribed(&first, &receiver.url).await;
    let silence = Matcher { scope_id: Some("T2".to_owned()), ..Matcher::default() };
    first.silence(silence, hands.now().plus_s(3600), "li.na", "repair").await.unwrap();
    first.raise(alert("T1", Severity::Info)).unwrap();
    first.raise(alert("T2", Severity::Info)).unwrap();
    until(|| deliveries(&first, &id).first().is_some_and(|d| d.attempts.len() == 1)).await;
    until(|| first.look(|desk, _| desk.alarms().count()) == 2).await;
    let alarms = first.look(|desk, _| desk.alarms().cloned().collect::<Vec<_>>());
    let t1 = alarms.iter().find(|alarm| alarm.alert.scope.id == "T1").unwrap().id;
    first.acknowledge(t1, "wang.wei", "on it").await.unwrap();
    first.stop().await;
    drop((first, book));

    hands.forward(60_000);
    let second = service(&again(&dir), &hands, settings()).await;
    let request = receiver.has(2).await.remove(1);
    assert!(request.body.contains("\"T1\""));
    let standings = second.look(|desk, now| {
        let mut all: Vec<_> =
            desk.alarms().map(|a| (a.alert.scope.id.clone(), desk.standing(a, now))).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    });
    assert_eq!(standings, [("T1".to_owned(), Standing::Acknowledged), ("T2".to_owned(), Standing::Silenced)]);
    second.stop().await;
    let secret = secret.trim_start_matches("whsec_").as_bytes();
    for path in files_below(dir.path()) {
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(secret.len()).any(|part| part == secret), "{}", path.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_was_cut_off_is_made_again() {
    // The receiver takes the request and says nothing until the sender is gone.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let hands = Hands::default();
    let (dir, book) = files();
    let first = service(&book, &hands, settings()).await;
    let (id, _) = subscribed(&first, &url).await;
    first.raise(alert("T1", Severity::Info)).unwrap();
    let (silent, _) = tokio::time::timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
    assert_eq!(deliveries(&first, &id)[0].state.name(), "under-way");
    // Stopping does not wait for it for long.
    tokio::time::timeout(PATIENCE, first.stop()).await.unwrap();
    drop((silent, first, book));
    let second = service(&again(&dir), &hands, settings()).await;
    tokio::time::timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
    tokio::time::timeout(PATIENCE, second.stop()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hosts_tell_everything_once() {
    let receiver = Receiver::start(&[]).await;
    let hands = Hands::default();
    let (_dir, book) = files();
    let host = async || {
        let hands = hands.clone();
        let parts = Parts {
            book: book.clone(),
            settings: settings(),
            clock: Arc::new(move || hands.now()),
            alone: false,
            tick: Duration::from_millis(5),
        };
        AlarmService::start(parts).await.unwrap()
    };
    let (one, two) = (host().await, host().await);
    subscribed(&one, &receiver.url).await;
    for n in 0..10 {
        // Both see the same thing.
        one.raise(alert(&format!("T{n}"), Severity::Info)).unwrap();
        two.raise(alert(&format!("T{n}"), Severity::Info)).unwrap();
    }
    let requests = receiver.has(10).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut ids: Vec<String> =
        receiver.requests().iter().map(|request| request.header("webhook-id")).collect();
    ids.sort();
    ids.dedup();
    assert_eq!((receiver.requests().len(), ids.len()), (10, 10), "{} at first", requests.len());
    one.stop().await;
    two.stop().await;
    let alarms = two.look(|desk, _| desk.alarms().count());
    assert_eq!(alarms, 10);
}

#[tokio::test]
async fn a_thousand_of_the_same_are_one_alarm_and_few_facts() {
    let hands = Hands::default();
    let book: Arc<dyn Book> = Arc::new(MemoryBook::default());
    let service = service(&book, &hands, settings()).await;
    let mut live = service.live();
    for _ in 0..1000 {
        service.raise(alert("T1", Severity::Info)).unwrap();
    }
    let first = tokio::time::timeout(PATIENCE, live.recv()).await.unwrap().unwrap();
    assert_eq!(first.what, "raised");
    // What was counted is written at the end, too.
    service.stop().await;
    let alarms = service.look(|desk, _| desk.alarms().cloned().collect::<Vec<_>>());
    assert_eq!((alarms.len(), alarms[0].count, Some(alarms[0].id)), (1, 1000, first.alarm));
    assert!(book.read("alarms", 0, 1000).await.unwrap().len() < 20);
}

#[tokio::test]
async fn what_is_asked_wrongly_is_said() {
    let hands = Hands::default();
    let book: Arc<dyn Book> = Arc::new(MemoryBook::default());
    let service = service(&book, &hands, settings()).await;
    let mut bad = alert("T1", Severity::Info);
    bad.title.zh.clear();
    assert!(service.raise(bad).is_err());
    assert_eq!(
        service.acknowledge(7, "li.na", "").await,
        Err(AlarmError::Refused(Refusal::Unknown("alarm")))
    );
    assert_eq!(service.test("wh7").await, Err(AlarmError::Refused(Refusal::Unknown("webhook"))));
    assert!(service.rotate("wh7", "li.na").await.is_err() && service.remove("wh7", "li.na").await.is_err());
    assert!(service.lift(7, "li.na").await.is_err());
    service.resolve("nothing", "why").await.unwrap();
    assert_eq!(book.read("alarms", 0, 10).await.unwrap(), []);
    service.stop().await;
}

#[tokio::test]
async fn what_is_over_is_told() {
    let (receiver, hands) = (Receiver::start(&[]).await, Hands::default());
    let book: Arc<dyn Book> = Arc::new(MemoryBook::default());
    let service = service(&book, &hands, settings()).await;
    subscribed(&service, &receiver.url).await;
    let alert = alert("T1", Severity::Info);
    let key = alert.key();
    service.raise(alert).unwrap();
    receiver.has(1).await;
    service.resolve(&key, "signed in").await.unwrap();
    let over = receiver.has(2).await.remove(1);
    assert!(over.body.contains("alarm.over") && over.body.contains("signed in"), "{}", over.body);
    service.stop().await;
}
