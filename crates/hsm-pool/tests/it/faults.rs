//! Devices and lines that misbehave. Whatever happens, a right PIN is never called wrong and a wrong one never right.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use hsm::{ModuleError, SecurityModule};
use hsm_pool::{Pool, PoolConfig};
use model::{PinOutcome, PinVerified, Unverifiable};
use tokio::{task::JoinSet, time::sleep};

use crate::peer::{CARD, PIN, Peer, Under, WRONG, World, pan, quick, verification, world};

/// What a scheduler under load may add to a deadline.
const SLACK: Duration = Duration::from_millis(1_500);

/// Right and wrong PINs in turn, all at once.
async fn ask(world: &Arc<World>, count: usize) -> Vec<(&'static str, PinOutcome)> {
    let mut tasks = JoinSet::new();
    for number in 0..count {
        let world = Arc::clone(world);
        tasks.spawn(async move {
            let pin = if number % 2 == 0 { PIN } else { WRONG };
            let under = Under::ALL[number / 2 % Under::ALL.len()];
            let reference = if number / 8 % 2 == 0 { &world.pvv } else { &world.offset };
            let (ksn, pan) = (under.admitted(), pan());
            let request = verification(under, &world.keys, &ksn, &pan, under.block(pin), reference);
            let begun = Instant::now();
            let outcome = world.pool.verify_pin(request).await;
            let limit = Duration::from_millis(world.config.deadline_ms) + SLACK;
            assert!(begun.elapsed() < limit, "{:?}", begun.elapsed());
            (pin, outcome)
        });
    }
    tasks.join_all().await
}

fn exact(pin: &str) -> PinOutcome {
    if pin == PIN { PinOutcome::Verified(PinVerified::attest(CARD)) } else { PinOutcome::Mismatch }
}

fn all_exact(outcomes: &[(&str, PinOutcome)], what: &str) {
    for (pin, outcome) in outcomes {
        assert_eq!(*outcome, exact(pin), "{what}");
    }
}

fn all_unverifiable(outcomes: &[(&str, PinOutcome)], cause: Unverifiable, what: &str) {
    for (_, outcome) in outcomes {
        assert_eq!(*outcome, PinOutcome::Unverifiable(cause), "{what}");
    }
}

/// Until the pool works again, within five seconds.
async fn recovered(world: &Arc<World>, what: &str) {
    for _ in 0..100 {
        let outcomes = ask(world, 4).await;
        if outcomes.iter().all(|(pin, outcome)| *outcome == exact(pin)) {
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
    panic!("not in use again after {what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_that_are_merely_odd_change_nothing() {
    let peer = Peer::start(&[]);
    let mut world = world(&[&peer]).await;
    // The counterpart sends three bytes at a time with a pause, and gathers replies for 30 ms: slow, not faulty.
    let patient = PoolConfig { timeout_ms: 5_000, deadline_ms: 10_000, ..world.config.clone() };
    world.pool = Pool::start(&patient).await.unwrap();
    world.config = patient;
    let world = Arc::new(world);
    for fault in ["slow=100", "split", "merge", "reorder"] {
        peer.fault(fault);
        all_exact(&ask(&world, 48).await, fault);
        peer.fault("none");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_device_with_a_fault_says_nothing_about_pins() {
    let peer = Peer::start(&[]);
    let world = Arc::new(world(&[&peer]).await);
    for (fault, cause) in [
        ("slow=3000", Unverifiable::ModuleUnavailable),
        ("wrong-header", Unverifiable::ModuleUnavailable),
        ("drop", Unverifiable::ModuleUnavailable),
        ("nc-only", Unverifiable::ModuleUnavailable),
        ("dead", Unverifiable::ModuleUnavailable),
        ("error=39", Unverifiable::ModuleUnavailable),
        ("error=13", Unverifiable::ModuleUnavailable),
        ("error=41", Unverifiable::ModuleUnavailable),
        ("error=99", Unverifiable::ModuleUnavailable),
        ("error=68", Unverifiable::Unsupported),
        ("error=69", Unverifiable::Unsupported),
        ("error=10", Unverifiable::Key),
        ("error=A4", Unverifiable::Key),
        ("error=02", Unverifiable::Key),
        ("error=20", Unverifiable::PinBlockFormat),
        ("error=24", Unverifiable::PinBlockFormat),
    ] {
        peer.fault(fault);
        let outcomes = ask(&world, 16).await;
        if cause == Unverifiable::ModuleUnavailable {
            all_unverifiable(&outcomes, cause, fault);
        } else {
            // The device may be left alone meanwhile: then it is away.
            for (_, outcome) in &outcomes {
                let away = PinOutcome::Unverifiable(Unverifiable::ModuleUnavailable);
                assert!(
                    *outcome == PinOutcome::Unverifiable(cause) || *outcome == away,
                    "{fault}: {outcome:?}"
                );
            }
            assert!(
                outcomes.iter().any(|(_, o)| *o == PinOutcome::Unverifiable(cause)),
                "{fault}: {outcomes:?}"
            );
        }
        peer.fault("none");
        recovered(&world, fault).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_device_answers_within_the_deadline() {
    let (sick, well) = (Peer::start(&[]), Peer::start(&[]));
    let world = Arc::new(world(&[&sick, &well]).await);
    for fault in ["slow=3000", "wrong-header", "drop", "nc-only", "dead", "error=13", "error=41", "error=99"]
    {
        sick.fault(fault);
        all_exact(&ask(&world, 32).await, fault);
        all_exact(&ask(&world, 32).await, fault);
        sick.fault("none");
        recovered(&world, fault).await;
    }
    well.fault("dead");
    sick.fault("drop");
    all_unverifiable(&ask(&world, 16).await, Unverifiable::ModuleUnavailable, "nobody is left");
    let away = world.pool.check().await;
    assert!(matches!(away, Err(ModuleError::Away(_))), "{away:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_fraud_limit_is_not_got_round_at_another_device() {
    let (limited, other) = (Peer::start(&[]), Peer::start(&[]));
    let world = Arc::new(world(&[&limited, &other]).await);
    limited.fault("error=39");
    let outcomes = ask(&world, 32).await;
    let away = PinOutcome::Unverifiable(Unverifiable::ModuleUnavailable);
    assert!(outcomes.iter().all(|(pin, outcome)| *outcome == exact(pin) || *outcome == away));
    let refused = outcomes.iter().filter(|(_, outcome)| *outcome == away).count();
    let asked: u64 = ["DC", "EC", "GQ", "DA", "EA", "GO"].iter().map(|code| limited.count(code)).sum();
    assert_eq!(u64::try_from(refused).unwrap(), asked, "what the first refused, nobody else was asked");
    assert!(refused > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_breaker_opens_and_closes() {
    let peer = Peer::start(&[]);
    let world = Arc::new(world(&[&peer]).await);
    let usable = || world.pool.devices()[0].2;
    recovered(&world, "nothing").await;
    assert!(usable());
    peer.fault("drop");
    for _ in 0..10 {
        all_unverifiable(&ask(&world, 4).await, Unverifiable::ModuleUnavailable, "drop");
        if !usable() {
            break;
        }
    }
    assert!(!usable(), "three failures in a row");
    let begun = Instant::now();
    all_unverifiable(&ask(&world, 4).await, Unverifiable::ModuleUnavailable, "open");
    let timeout = Duration::from_millis(world.config.timeout_ms);
    assert!(begun.elapsed() < timeout, "nobody waits for an open breaker");
    let before = peer.count("NC");
    peer.fault("none");
    recovered(&world, "drop").await;
    assert!(usable() && peer.count("NC") > before, "closed by a probe");
}

#[tokio::test]
async fn idle_connections_are_tried() {
    let peer = Peer::start(&[]);
    let config = PoolConfig { idle_ms: 100, breaker_failures: 1, breaker_open_ms: 60_000, ..quick(&[&peer]) };
    let pool = Pool::start(&config).await.unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    while peer.count("NC") < 10 {
        assert!(Instant::now() < until, "{}", peer.tell("stats"));
        sleep(Duration::from_millis(100)).await;
    }
    assert!(pool.devices()[0].2);
    peer.fault("drop");
    let until = Instant::now() + Duration::from_secs(20);
    while pool.devices()[0].2 {
        assert!(Instant::now() < until, "a device that answers no NC is left alone without any command");
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_queues_push_back() {
    let peer = Peer::start(&[]);
    let mut world = world(&[&peer]).await;
    let narrow = PoolConfig { connections: 1, in_flight: 1, queue: 2, ..world.config.clone() };
    world.pool = Pool::start(&narrow).await.unwrap();
    let world = Arc::new(world);
    peer.fault("slow=60");
    let outcomes = ask(&world, 30).await;
    let away = PinOutcome::Unverifiable(Unverifiable::ModuleUnavailable);
    let refused = outcomes.iter().filter(|(_, outcome)| *outcome == away).count();
    assert!((20..30).contains(&refused), "{refused}");
    assert!(outcomes.iter().all(|(pin, outcome)| *outcome == exact(pin) || *outcome == away));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_leaves_disturbs_nobody() {
    let peer = Peer::start(&[]);
    let world = Arc::new(world(&[&peer]).await);
    peer.fault("slow=200");
    for _ in 0..10 {
        let left = tokio::time::timeout(Duration::from_millis(20), ask(&world, 4)).await;
        assert!(left.is_err());
    }
    peer.fault("none");
    all_exact(&ask(&world, 16).await, "after callers left");
}

#[tokio::test]
async fn a_device_with_another_lmk_is_not_used() {
    let (ours, other) = (Peer::start(&[]), Peer::start(&["--lmk", "variant"]));
    let mut world = world(&[&ours]).await;
    let lmk = world.pool.devices()[0].1.clone().unwrap().lmk_check_value;
    let both = PoolConfig { lmk_check_value: Some(lmk), ..quick(&[&other, &ours]) };
    let both = PoolConfig { pvv: world.config.pvv.clone(), ibm3624: world.config.ibm3624.clone(), ..both };
    world.pool = Pool::start(&both).await.unwrap();
    let usable: Vec<bool> = world.pool.devices().iter().map(|(_, _, usable)| *usable).collect();
    assert_eq!(usable, [false, true]);
    let world = Arc::new(world);
    all_exact(&ask(&world, 16).await, "with a foreign device");
    let asked: u64 = ["DC", "EC", "GQ"].iter().map(|code| other.count(code)).sum();
    assert_eq!(asked, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_tasks_with_two_hundred_verifications_each() {
    let peer = Peer::start(&[]);
    let mut world = world(&[&peer]).await;
    let roomy = PoolConfig { timeout_ms: 20_000, deadline_ms: 30_000, ..world.config.clone() };
    world.pool = Pool::start(&roomy).await.unwrap();
    let world = Arc::new(world);
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for task in 0..8_usize {
        let world = Arc::clone(&world);
        tasks.spawn(async move {
            for number in 0..200 {
                let pin = if (task + number) % 3 == 0 { WRONG } else { PIN };
                let under = Under::ALL[number % Under::ALL.len()];
                let (ksn, pan) = (under.admitted(), pan());
                let request = verification(under, &world.keys, &ksn, &pan, under.block(pin), &world.pvv);
                assert_eq!(world.pool.verify_pin(request).await, exact(pin), "{task} {number} {under:?}");
            }
        });
    }
    tasks.join_all().await;
    let asked: u64 = ["DC", "EC", "GQ"].iter().map(|code| peer.count(code)).sum();
    assert_eq!(asked, 1600, "each once");
    println!("1600 verifications in {:?}", begun.elapsed());
}
