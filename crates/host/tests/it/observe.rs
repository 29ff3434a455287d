//! What the diagnosis is told of the journal: every kind of entry, and what the stored request shows beside it.

use authorization::{
    desk::{self, Action},
    terminal::{Place, Site, TerminalRecord},
};
use diagnosis::{
    Observation, What,
    observation::{self, DeskAction, Entry as Read, Payment, PinSeen, Symbol},
};
use host::{
    observe::Observer,
    signal::{Book, Keeper, Kind, Signal},
};
use model::{Kind as Asked, ReasonCode, Unverifiable};
use store::{Card, CardWork, Entry, Event, Step, Store, Subject, journal};

use crate::{
    client::Pos,
    world::{MERCHANT, OPENING, PIN, WRONG, World, pan, terminals},
};

const REPORT: &str =
    "PW01MD004S920FW0073.18.02AP0042.41CA007cmcc-4gPO018+31.2304,+121.4737PE0044312CX0011NA0012RT003187";

fn observer() -> Observer {
    Observer::new(&[terminals()], jiff::tz::TimeZone::get("Asia/Shanghai").unwrap())
}

/// Everything that the journal says, with terminals learnt as they are met.
async fn observed(world: &World, observer: &mut Observer) -> Vec<Observation> {
    let mut all = Vec::new();
    for (index, entry) in world.journal().await.iter().enumerate() {
        if let Some(id) = Observer::terminal_of(entry).filter(|id| !observer.knows(id))
            && let Some(terminal) = world.engine.terminal(&id).await.unwrap()
        {
            observer.learn(&terminal.record);
        }
        all.extend(observer.observe(index as u64 + 1, entry));
    }
    all
}

#[track_caller]
fn payment(observation: &Observation) -> &Payment {
    match &observation.what {
        What::Payment(payment) => payment,
        other => panic!("no payment: {other:?}"),
    }
}

#[tokio::test]
async fn a_payment_shows_what_it_was_and_what_became_of_it() {
    let world = World::with(|settings| settings.instance = Some("host-a".to_owned())).await;
    let (pos, mut wire) = world.signed_in().await;
    let mut wrong = pos.sale(2, 1000, 0, WRONG);
    // The host's local time is 19:06:40; the terminal is a minute behind.
    wrong
        .set(12, "190540")
        .set(13, "1118")
        .set(18, "5411")
        .set(43, &format!("{:<40}", "TEA HOUSE"))
        .set(59, REPORT);
    assert_eq!(wire.ask(&pos.sealed(&wrong)).await.code(), "55");
    let mut right = pos.sale(3, 2500, 0, PIN);
    right.set(22, "801").set(43, &format!("{:<23}CHANGSHA", "Corner Shop"));
    assert_eq!(wire.ask(&pos.sealed(&right)).await.code(), "00");

    let mut observer = observer();
    let all = observed(&world, &mut observer).await;
    assert_eq!(all.len(), 3);
    assert_eq!(all[0].what, What::SignIn);
    let name = |symbol: Symbol| observer.names().name(symbol);
    let (first, second) = (payment(&all[1]), payment(&all[2]));
    assert_eq!((all[1].place, name(all[1].instance)), (2, Some("host-a")));
    assert_eq!(
        (first.kind, first.entry, first.amount.0, first.bin, first.last_four),
        (Asked::Sale, Read::Stripe, 1000, 910_001, 1)
    );
    assert_eq!((first.reason, first.pin, first.try_charged), (ReasonCode::WrongPin, PinSeen::Mismatch, true));
    assert_eq!((first.tries, first.locked, first.drift_s), ((2, 3), false, Some(-60)));
    // The registered category is the one inside the merchant number.
    assert_eq!((first.category_sent, first.category_registered), (Some(5411), Some(5411)));
    assert_eq!((first.name_differs, first.merchant_sent), (true, None));
    assert_eq!((first.telemetry.pin_entry_ms, first.telemetry.rtt_ms), (Some(4312), Some(187)));
    assert_eq!((first.telemetry.cancels, first.telemetry.no_answers), (1, 2));
    assert_eq!((second.entry, second.pin, second.try_charged), (Read::Fallback, PinSeen::Verified, false));
    assert_eq!((second.name_differs, second.drift_s), (false, None));
    assert_eq!(first.card, second.card);
    // What it told last is known of a message without a report.
    for device in [all[1].device, all[2].device] {
        assert_eq!((device.terminal.as_str(), device.merchant.as_str()), (pos.id.as_str(), MERCHANT));
        let cohort = (name(device.model), name(device.firmware), name(device.carrier));
        assert_eq!(cohort, (Some("S920"), Some("3.18.02/2.41"), Some("cmcc-4g")));
        assert!(device.position.is_some_and(|place| (place.latitude - 31.2304).abs() < 1e-3));
    }
    assert_eq!(second.telemetry, observation::Telemetry::default());
}

#[tokio::test]
async fn a_fault_is_no_mismatch_and_a_refusal_shows_its_reason() {
    let world = World::new().await;
    let (pos, mut wire) = world.signed_in().await;
    let mut other_key = pos.clone();
    other_key.keys = pos.keys.map(|(_, tak)| ([9; 16], tak));
    assert_eq!(wire.ask(&pos.sealed(&other_key.sale(2, 1000, 0, PIN))).await.code(), "99");
    // Nobody vouches for the report of a message whose MAC is wrong.
    let mut forged = pos.sale(3, 1000, 0, PIN);
    forged.set(59, REPORT);
    let mut stranger = pos.clone();
    stranger.keys = Some(([9; 16], [9; 16]));
    assert_eq!(wire.ask(&stranger.sealed(&forged)).await.code(), "A0");
    let reversal = pos.reversal(2, 1000);
    assert_eq!(wire.ask(&pos.sealed(&reversal)).await.code(), "00");
    assert_eq!(wire.ask(&pos.sealed(&pos.reversal(77, 1000))).await.code(), "00");

    let mut observer = observer();
    let all = observed(&world, &mut observer).await;
    let fault = payment(&all[1]);
    assert_eq!(fault.pin, PinSeen::Unverifiable(Unverifiable::PinBlockFormat));
    assert!(!fault.try_charged);
    assert!(matches!(all[2].what, What::Refused { reason: ReasonCode::MacInvalid, drift_s: None, .. }));
    assert_eq!(all[2].device.model, Symbol::UNKNOWN);
    assert_eq!(all[3].what, What::Reversal { original: fault.key, card: Some(fault.card) });
    let What::Reversal { original, card: None } = all[4].what else { panic!("{:?}", all[4]) };
    assert_eq!(original.stan.get(), 77);
}

/// Staff at the desk, in the fewest words.
struct AtDesk(Action);

#[async_trait::async_trait]
impl CardWork for AtDesk {
    type Error = desk::NotApplicable;

    async fn decide(&mut self, card: &Card) -> Result<Step, desk::NotApplicable> {
        let action = journal::DeskAction {
            action: journal::DeskAction::name(self.0).to_owned(),
            actor: "ling".to_owned(),
            why: "on the phone".to_owned(),
            effects: desk::act(&card.state, self.0, crate::world::START)?,
        };
        let (subject, seq) = (Subject::Card(card.id), card.state.seq + 1);
        let event = Event::Desk(action);
        Ok(Step::Append(Box::new(Entry { subject, seq, at: crate::world::START, event, exchange: None })))
    }
}

#[tokio::test]
async fn staff_have_names() {
    let world = World::new().await;
    let (pos, mut wire) = world.signed_in().await;
    assert_eq!(wire.ask(&pos.sealed(&pos.sale(2, 1000, 0, WRONG))).await.code(), "55");
    let store = Store::new(std::sync::Arc::clone(&world.engine));
    let card = world.engine.card_id(&pan(0).parse().unwrap());
    store.with_card(&card, &mut AtDesk(Action::Unlock)).await.unwrap();
    store.with_card(&card, &mut AtDesk(Action::Block)).await.unwrap();
    let mut observer = observer();
    let all = observed(&world, &mut observer).await;
    for (observation, expected) in all[2..].iter().zip([DeskAction::Release, DeskAction::Other]) {
        let What::Desk { card: on, action, agent } = observation.what else { panic!("{observation:?}") };
        assert_eq!((on, action, observer.names().name(agent)), (card, expected, Some("ling")));
    }
}

#[test]
fn what_is_registered_is_told_with_the_terminal() {
    let mut observer = observer();
    let pos = Pos::unionpay(1);
    let record = TerminalRecord {
        id: pos.id.parse().unwrap(),
        merchant: MERCHANT.parse().unwrap(),
        merchant_name: "corner shop".to_owned(),
        keys: crate::world::made_up_keys(),
        site: Site {
            category: Some(5999),
            place: Some(Place { latitude_e6: 31_230_400, longitude_e6: -121_473_700 }),
            model: Some("S920".to_owned()),
        },
    };
    assert!(!observer.knows(&record.id));
    observer.learn(&record);
    assert!(observer.knows(&record.id));
    let device = observer.device(record.id);
    assert_eq!(observer.names().name(device.model), Some("S920"));
    let place = device.registered.unwrap();
    assert!((place.latitude - 31.2304).abs() < 1e-4 && (place.longitude + 121.4737).abs() < 1e-4);
    assert_eq!((device.merchant, device.position), (record.merchant, None));
}

/// A terminal that got no answer sends again, and has something new to report: it is the same request all the same.
#[tokio::test]
async fn a_report_that_changed_is_no_other_request() {
    let world = World::new().await;
    let (pos, mut wire) = world.signed_in().await;
    let mut sale = pos.sale(2, 1000, 0, PIN);
    sale.set(59, REPORT);
    let first = wire.ask(&pos.sealed(&sale)).await;
    sale.set(59, "PW01NA0011");
    let again = wire.ask(&pos.sealed(&sale)).await;
    assert!(first.code() == "00" && again.frame == first.frame);
    // Another use of the same element is contents.
    sale.set(59, "A3003QR1");
    assert_eq!(wire.ask(&pos.sealed(&sale)).await.code(), "94");
    assert_eq!(world.card(0).await.balance.0, OPENING.0 - 1000);
}

/// What never becomes an entry is told all the same.
#[tokio::test]
async fn what_is_no_entry_is_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::with(|settings| settings.limits.refusals_per_minute = 0).await;
    let inbox = world.host.signals().unwrap();
    assert!(world.host.signals().is_none());
    let keeper = Keeper::start(inbox, Some(Book::open(folder.path()).unwrap()));
    let (pos, mut wire) = world.signed_in().await;
    let sale = pos.sealed(&pos.sale(2, 1000, 0, PIN));
    let first = wire.ask(&sale).await;
    assert!(wire.ask(&sale).await.frame == first.frame);
    let mut echo = pos.network("0820", 3, "301");
    echo.set(59, REPORT);
    assert_eq!(wire.ask(&pos.frame(&pos.unsigned(&echo))).await.code(), "00");
    let mut stranger = pos.clone();
    stranger.keys = Some(([9; 16], [9; 16]));
    assert_eq!(wire.ask(&stranger.sealed(&pos.sale(4, 1000, 0, PIN))).await.code(), "A0");
    // Whoever resets the connection before the answer is there never hears it.
    world.module.pin_ms.store(200, std::sync::atomic::Ordering::SeqCst);
    let mut news = keeper.subscribe();
    let mut gone = tokio::net::TcpStream::connect(world.host.addresses()[0]).await.unwrap();
    gone.set_zero_linger().unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut gone, &pos.sealed(&pos.sale(5, 1000, 0, PIN))).await.unwrap();
    while world.module.asked_about_pins() < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    drop(gone);
    let patience = std::time::Duration::from_secs(20);
    let cut = async { while news.recv().await.unwrap().kind != Kind::Cut {} };
    tokio::time::timeout(patience, cut).await.expect("a signal");
    world.host.shutdown().await;
    keeper.stop().await;

    let kept: Vec<Signal> = Book::read(folder.path()).unwrap().collect();
    let mut observer = observer();
    let seen: Vec<Observation> = kept.iter().filter_map(|signal| observer.observe_signal(signal)).collect();
    let What::Repeat { key } = seen[0].what else { panic!("{seen:?}") };
    assert_eq!((key.stan.get(), seen[0].place), (2, 2));
    let What::Telemetry(told) = seen[1].what else { panic!("{seen:?}") };
    assert_eq!((told.rtt_ms, told.no_answers), (Some(187), 2));
    assert_eq!(observer.names().name(seen[1].device.carrier), Some("cmcc-4g"));
    assert!(matches!(seen[2].what, What::Refused { reason: ReasonCode::MacInvalid, rrn: None, .. }));
    assert_eq!((kept.last().map(|signal| &signal.kind), seen.len()), (Some(&Kind::Cut), 3));
}

/// A simulated terminal tells who it is when it signs in, and with each payment how it went.
#[tokio::test]
async fn a_simulated_terminal_reports() {
    let world = World::new().await;
    let mut terminal = simulated(&world);
    terminal.sign_in().await.unwrap();
    let card = card();
    terminal.note_cancel();
    terminal.typed_in(2_900);
    let amount = model::Amount(1000);
    let pay = terminal.pay(Asked::Sale, &card, amount, Some(PIN)).await.unwrap();
    assert!(pay.answer.is_approval());
    terminal.set_device(Some(simulator::Device { firmware: "9.9".to_owned(), ..device() }));
    assert!(terminal.pay(Asked::Sale, &card, amount, Some(PIN)).await.unwrap().answer.is_approval());
    let mut observer = observer();
    let all = observed(&world, &mut observer).await;
    let name = |symbol: Symbol| observer.names().name(symbol);
    let firmware: Vec<_> = all.iter().map(|o| name(o.device.firmware)).collect();
    assert_eq!(firmware, [Some("3.18.02/2.41"), Some("3.18.02/2.41"), Some("9.9/2.41")]);
    let (first, second) = (payment(&all[1]).telemetry, payment(&all[2]).telemetry);
    assert_eq!((first.pin_entry_ms, first.cancels, second.cancels), (Some(2_900), 1, 0));
    assert!(first.rtt_ms.is_some() && second.pin_entry_ms.is_some_and(|ms| ms > 1_000));
}

/// The first card, for a simulated terminal.
pub(crate) fn card() -> simulator::sandbox::Card {
    simulator::sandbox::Card {
        pan: pan(0).parse().unwrap(),
        expiry: "9912".parse().unwrap(),
        pin: model::Secret::new(PIN.to_owned()),
        product: "debit-standard".to_owned(),
    }
}

fn device() -> simulator::Device {
    simulator::Device {
        model: "PW-100".to_owned(),
        firmware: "3.18.02".to_owned(),
        application: "2.41".to_owned(),
        carrier: "ethernet".to_owned(),
        place: Some([28.194, 112.976]),
    }
}

/// The first terminal, simulated.
pub(crate) fn simulated(world: &World) -> simulator::Terminal {
    use simulator::sandbox::{KeySet, Listener, MacAlgorithm, Sandbox, TerminalEntry};
    let listener = Listener {
        address: world.host.addresses()[0].to_string(),
        dialect: "cup-pos".to_owned(),
        framing: "len2+tpdu+header".parse().unwrap(),
        mac: MacAlgorithm::CupEcb8,
    };
    let tid: model::TerminalId = "10000001".parse().unwrap();
    let sandbox = Sandbox {
        listeners: vec![listener],
        console: None,
        terminals: vec![TerminalEntry {
            tid,
            mid: MERCHANT.parse().unwrap(),
            merchant: None,
            listener: 0,
            keys: KeySet::tdes(paycrypto::key::TdesKey::double(&crate::world::TMK)),
            next: None,
            device: Some(device()),
        }],
        scheme_terminals: Vec::new(),
        cards: Vec::new(),
        foreign_cards: Vec::new(),
        directory: None,
    };
    simulator::Terminal::open(&sandbox, tid, simulator::terminal::Settings::default()).unwrap()
}

/// The price of an entry, without a bound on a machine that does other things.
#[tokio::test]
#[ignore = "measures: cargo test --release -p host -- --ignored --nocapture price_of_an_observation"]
async fn price_of_an_observation() {
    let world = World::new().await;
    let (pos, mut wire) = world.signed_in().await;
    let mut sale = pos.sale(2, 1000, 0, PIN);
    sale.set(12, "190540").set(13, "1118").set(59, REPORT);
    assert_eq!(wire.ask(&pos.sealed(&sale)).await.code(), "00");
    let mut observer = observer();
    observed(&world, &mut observer).await;
    let entry = world.journal().await.pop().unwrap();
    let rounds = 200_000_u32;
    let best = (0..5)
        .map(|_| {
            let started = std::time::Instant::now();
            for place in 0..u64::from(rounds) {
                std::hint::black_box(observer.observe(place, std::hint::black_box(&entry)));
            }
            started.elapsed() / rounds
        })
        .min()
        .unwrap();
    println!("{best:?} for an observation of a payment with a report");
    assert!(best < std::time::Duration::from_micros(30));
}
