//! What people do about incidents is written down once, whatever is repeated.

use std::{collections::HashMap, sync::atomic::Ordering};

use diagnosis::Cause;
use watch::{ActError, AnswerKind, Fate, NewsKind, Restored, Standing};

use crate::world::*;

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_taken_up_closed_and_opened_again() {
    let world = World::new().await;
    let watch = world.watch();
    world.wrong_key(1).await;
    until("it is found", || watch.incident(1).is_some()).await;
    let standing = || watch.incident(1).unwrap().standing();
    assert!(watch.set_status(1, Standing::Acknowledged, "li.na", "").await.unwrap());
    assert!(!watch.set_status(1, Standing::Acknowledged, "li.na", "").await.unwrap());
    assert_eq!(standing(), Standing::Acknowledged);
    assert!(watch.set_status(1, Standing::Closed, "wang.wei", "key loaded").await.unwrap());
    assert_eq!(standing(), Standing::Closed);
    assert!(watch.set_status(1, Standing::Open, "wang.wei", "came back").await.unwrap());
    assert_eq!(standing(), Standing::Open);
    assert!(watch.assign(1, Some("chen.yu"), "wang.wei").await.unwrap());
    assert!(watch.note(1, "chen.yu", "called 9000000000000018").await.unwrap());
    let handling = watch.incident(1).unwrap().handling.clone();
    assert_eq!(handling.assignee.as_deref(), Some("chen.yu"));
    let lines: Vec<_> = handling.notes.iter().map(|note| note.what.as_str()).collect();
    assert_eq!(lines, ["acknowledged", "closed", "reopened", "assigned", "note"]);
    assert_eq!(handling.notes[4].text, "called ************0018");
    assert_eq!(watch.note(9, "chen.yu", "x").await, Err(ActError::Unknown));
    assert!(matches!(
        watch.set_status(1, Standing::Retracted, "li.na", "").await,
        Err(ActError::Refused { part: "status", .. })
    ));
    watch.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tries_are_given_back_to_each_card_once() {
    let world = World::new().await;
    let watch = world.watch();
    world.wrong_key(1).await;
    world.pay(3, 1, UNREADABLE).await;
    until("three cards are harmed", || watch.incident(1).is_some_and(|r| r.found.harmed.len() == 3)).await;
    assert!(matches!(
        watch.restore_tries(1, "li.na", "li.na", "").await,
        Err(ActError::Refused { part: "reviewer", .. })
    ));
    // The store goes away in the middle.
    world.desk.fails_after.store(2, Ordering::SeqCst);
    assert!(watch.restore_tries(1, "li.na", "wang.wei", "wrong key").await.is_err());
    assert_eq!(world.desk.given.lock().unwrap().len(), 2);
    world.desk.fails_after.store(0, Ordering::SeqCst);
    let cleared = watch.restore_tries(1, "li.na", "wang.wei", "wrong key").await.unwrap();
    assert!(!cleared.asked);
    assert_eq!(cleared.cards.len(), 3);
    assert!(cleared.cards.iter().all(|(_, result)| *result == Restored::Restored));
    // The second click, and two at once.
    let (one, other) = tokio::join!(
        watch.restore_tries(1, "li.na", "wang.wei", "wrong key"),
        watch.restore_tries(1, "chen.yu", "wang.wei", "again")
    );
    assert_eq!((one.unwrap(), other.unwrap()), (cleared.clone(), cleared));
    // A fourth card is harmed later: only that one is given back.
    world.pay(4, 1, UNREADABLE).await;
    until("a fourth", || watch.incident(1).unwrap().found.harmed.len() == 4).await;
    let later = watch.restore_tries(1, "li.na", "wang.wei", "one more").await.unwrap();
    assert!(later.asked && later.cards.len() == 4);
    let mut times: HashMap<_, u32> = HashMap::new();
    for (card, order) in world.desk.given.lock().unwrap().iter() {
        assert_eq!((order.incident, order.reviewer.as_str()), (1, "wang.wei"));
        *times.entry(*card).or_default() += 1;
    }
    assert_eq!(times.len(), 4);
    assert!(times.values().all(|n| *n == 1), "{times:?}");
    assert_eq!(watch.incident(1).unwrap().handling.requests.len(), 2);
    watch.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_tries_of_the_incident_are_given_back() {
    let world = World::new().await;
    let watch = world.watch();
    world.wrong_key(1).await;
    // The same card fails at another terminal, where nothing is wrong.
    world.pay(1, 4, UNREADABLE).await;
    until("it is found", || watch.incident(1).is_some()).await;
    let cleared = watch.restore_tries(1, "li.na", "", "wrong key").await.unwrap();
    assert_eq!(cleared.cards.len(), 2);
    let left = world.desk.charged.lock().unwrap()[&world.id(1)].clone();
    assert_eq!(left.iter().map(|charged| charged.key.terminal).collect::<Vec<_>>(), [terminal_id(4)]);
    watch.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_a_right_pin_reset_waits_for_nothing() {
    let world = World::new().await;
    let watch = world.watch();
    world.wrong_key(1).await;
    until("two cards are harmed", || watch.incident(1).is_some_and(|r| r.found.harmed.len() == 2)).await;
    let fates = async |most| {
        let record = watch.incident(1).unwrap();
        let mut fates = watch.fates(&record, most).await.unwrap();
        fates.sort_unstable_by_key(|(card, _)| *card != world.id(1));
        fates.into_iter().map(|(_, fate)| fate).collect::<Vec<_>>()
    };
    assert_eq!(fates(10).await, [Fate::Waits, Fate::Waits]);
    // A try that another terminal cost the second card is not this incident's.
    world.pay(2, 4, UNREADABLE).await;
    world
        .desk
        .charged
        .lock()
        .unwrap()
        .entry(world.id(2))
        .or_default()
        .retain(|t| t.key.terminal == terminal_id(4));
    assert_eq!(fates(10).await, [Fate::Waits, Fate::Reset]);
    world.pay(2, 1, UNREADABLE).await;
    world.desk.charged.lock().unwrap().insert(world.id(1), Vec::new());
    assert_eq!(fates(0).await, [Fate::Waits, Fate::Waits], "nobody looked");
    assert_eq!(fates(10).await, [Fate::Reset, Fate::Waits]);
    watch.restore_tries(1, "li.na", "", "wrong key").await.unwrap();
    assert_eq!(fates(10).await, [Fate::Reset, Fate::GivenBack]);
    watch.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_do_is_news_for_everybody_else() {
    let world = World::new().await;
    let watch = world.watch();
    world.wrong_key(1).await;
    until("it is found", || watch.incident(1).is_some()).await;
    let mut news = watch.subscribe();
    assert!(watch.assign(1, Some("chen.yu"), "wang.wei").await.unwrap());
    loop {
        let told =
            tokio::time::timeout(std::time::Duration::from_secs(20), news.recv()).await.unwrap().unwrap();
        if told.kind == NewsKind::Handled {
            assert_eq!(told.number, 1);
            break;
        }
    }
    watch.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_verdicts_are_counted() {
    let world = World::new().await;
    let watch = world.watch();
    let [first, second] = world.wrong_key(1).await;
    assert!(watch.judge(&first, true, None, "li.na", "").await.unwrap());
    assert!(!watch.judge(&first, true, None, "li.na", "").await.unwrap());
    assert!(watch.judge(&second, false, Some(Cause::ZoneKey), "li.na", "all shops").await.unwrap());
    // Another opinion of the same person replaces the first.
    assert!(watch.judge(&first, false, None, "li.na", "after all").await.unwrap());
    assert!(watch.judge(&first, true, None, "wang.wei", "").await.unwrap());
    let tally = watch.tally().await.unwrap();
    let precision = tally.causes[&Cause::WrongTerminalKey];
    assert_eq!((precision.right, precision.wrong), (1, 2));
    assert_eq!(precision.share(), Some(1.0 / 3.0));
    assert_eq!(tally.confused, [(Cause::WrongTerminalKey, Cause::ZoneKey, 1)]);
    assert_eq!(watch.judgements(&first).await.unwrap().len(), 2);
    let nobody = "999999999999".parse().unwrap();
    assert_eq!(watch.judge(&nobody, true, None, "li.na", "").await, Err(ActError::Unknown));
    watch.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_measured_by_what_came_before_it_and_after() {
    let world = World::new().await;
    let watch = world.watch();
    world.wrong_key(1).await;
    world.wrong_key(2).await;
    until("two are found", || watch.picture().records.len() == 2).await;
    world.clock.fetch_add(3_600_000, Ordering::SeqCst);
    assert!(watch.answer(1, "chen.yu", AnswerKind::Firmware, "2.4.1").await.unwrap());
    assert!(!watch.answer(1, "chen.yu", AnswerKind::Firmware, "2.4.1").await.unwrap());
    world.clock.fetch_add(4_000_000, Ordering::SeqCst);
    world.wrong_key(3).await;
    until("a third is found", || watch.picture().records.len() == 3).await;
    let rates = watch.rates(1).await.unwrap();
    assert_eq!((rates[0].before, rates[0].after), (2, 1));
    assert!(rates[0].before_per_week > rates[0].after_per_week);
    watch.stop().await;
}
