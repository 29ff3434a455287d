//! After a restart, and at another host of the same store, the same incidents have the same numbers.

use std::sync::atomic::Ordering;

use authorization::PinVerdict;
use tokio::sync::broadcast::error::TryRecvError;
use watch::{NewsKind, Standing};

use crate::world::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_comes_to_the_same_incidents_with_what_people_did() {
    let world = World::new().await;
    let watch = world.watch();
    world.wrong_key(2).await;
    world.wrong_key(1).await;
    until("both are found", || watch.picture().records.len() == 2).await;
    watch.set_status(1, Standing::Acknowledged, "li.na", "on my way").await.unwrap();
    let before: Vec<_> =
        watch.picture().records.values().map(|r| (r.number, r.found.scope.clone())).collect();
    watch.stop().await;
    drop(watch);

    let watch = world.watch();
    let mut news = watch.subscribe();
    watch.caught_up().await;
    until("both are found again", || watch.picture().records.values().filter(|r| r.live).count() == 2).await;
    let after: Vec<_> = watch.picture().records.values().map(|r| (r.number, r.found.scope.clone())).collect();
    assert_eq!(after, before);
    assert_eq!(watch.incident(1).unwrap().standing(), Standing::Acknowledged);
    assert_eq!(watch.incident(1).unwrap().handling.notes[0].text, "on my way");
    // Nobody is woken for what was known.
    assert_eq!(news.try_recv(), Err(TryRecvError::Empty));
    // It goes on where it was: the terminal is repaired, breaks again, and that is another incident.
    world.pay(3, 2, PinVerdict::Verified).await;
    until("it is over", || watch.incident(1).unwrap().found.ended.is_some()).await;
    world.clock.fetch_add(7_200_000, Ordering::SeqCst);
    world.wrong_key(2).await;
    until("a third one", || watch.picture().records.len() == 3).await;
    watch.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_out_of_the_window_stays_in_the_register() {
    let world = World::new().await;
    let watch = world.watch();
    world.wrong_key(1).await;
    until("it is found", || watch.incident(1).is_some()).await;
    watch.stop().await;
    world.clock.fetch_add(8 * 86_400_000, Ordering::SeqCst);
    let watch = world.watch();
    watch.caught_up().await;
    until("the register is there", || watch.incident(1).is_some()).await;
    assert_eq!(watch.progress().entries, 0);
    let record = watch.incident(1).unwrap();
    // It was open when it was seen last; the diagnosis would know it, were it going on.
    assert_eq!((record.live, record.standing(), record.found.cards), (false, Standing::Over, 2));
    watch.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_of_a_store_have_one_register() {
    let world = World::new().await;
    let (one, other) = (world.watch(), world.watch());
    let (mut at_one, mut at_other) = (one.subscribe(), other.subscribe());
    for terminal in 1..=4 {
        world.wrong_key(terminal).await;
    }
    for watch in [&one, &other] {
        let live = || watch.picture().records.values().filter(|r| r.live).count() == 4;
        until("all four are found", live).await;
        assert_eq!(watch.picture().records.len(), 4);
    }
    // Each was opened by one of them.
    let mut opened = 0;
    for news in [&mut at_one, &mut at_other] {
        while let Ok(told) = news.try_recv() {
            opened += usize::from(told.kind == NewsKind::Opened);
        }
    }
    assert_eq!(opened, 4);
    one.set_status(3, Standing::Closed, "li.na", "").await.unwrap();
    until("the other shows it", || other.incident(3).unwrap().standing() == Standing::Closed).await;
    one.stop().await;
    other.stop().await;
}
