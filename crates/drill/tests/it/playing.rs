//! Days that are played through the real host: each fault must show in the journal as it does in shops.

use std::sync::{Arc, LazyLock};

use diagnosis::{
    Cause, Observation, Scope, What,
    observation::{DeskAction, Entry, Payment, PinSeen},
};
use drill::{
    Day, Kit, Recorded,
    data::forms,
    day::{Deed, Place},
    evaluate::matching::scope,
    play,
};
use model::{Kind, ReasonCode, Unverifiable};

static KIT: LazyLock<Arc<Kit>> = LazyLock::new(|| Kit::new().unwrap());

/// Terminals that are open beside the one that it is about.
const OTHERS: u32 = 12;

/// One incident of this form at terminals that are busy, and with it the sessions that it brings itself.
fn played(variant: &str) -> Recorded {
    let form = forms().iter().find(|form| form.variant == variant).unwrap();
    let hour = drill::day::HOUR_MS;
    let mut day = Day::with_one(1005, form).unwrap().around_incidents(hour / 4, hour / 4, 1.0);
    let own = |act: &drill::day::Act| match &act.deed {
        Deed::Visit(visit) => Some(visit.terminal),
        Deed::SignIn(_) | Deed::Desk { .. } => None,
    };
    let mut open: Vec<u32> = day.acts.iter().filter_map(own).collect();
    open.extend(day.truths[0].terminals.iter().take(OTHERS as usize));
    open.extend((0..OTHERS).map(|at| at * 19));
    day.open = Some(open);
    play(&KIT, day, &mut |_| {}).unwrap()
}

fn payments(recorded: &Recorded) -> impl Iterator<Item = (&Observation, &Payment)> {
    recorded.observations.iter().filter_map(|observation| match &observation.what {
        What::Payment(payment) => Some((observation, payment)),
        _ => None,
    })
}

/// Payments at the first terminal of the truth, while it is on.
fn there(recorded: &Recorded) -> Vec<&Payment> {
    let truth = &recorded.labels.truths()[0];
    let terminal = recorded.labels.day.fleet.terminals[truth.terminals[0] as usize].id;
    let on =
        |observation: &Observation| observation.device.terminal == terminal && truth.is_on(observation.at.0);
    payments(recorded).filter(|(observation, _)| on(observation)).map(|(_, payment)| payment).collect()
}

/// So many of these are so.
#[track_caller]
fn share(of: &[&Payment], is: impl Fn(&Payment) -> bool) -> f64 {
    assert!(of.len() >= 8, "{} payments", of.len());
    of.iter().filter(|payment| is(payment)).count() as f64 / of.len() as f64
}

fn refused_because(recorded: &Recorded, cause: Cause) -> usize {
    recorded.labels.refusals.iter().filter(|refusal| refusal.cause == cause).count()
}

#[test]
fn a_wrong_key_makes_blocks_unreadable_and_counts_nothing() {
    let recorded = played("new-keys");
    let unreadable = |p: &Payment| p.pin == PinSeen::Unverifiable(Unverifiable::PinBlockFormat);
    assert!(share(&there(&recorded), unreadable) > 0.6);
    assert!(payments(&recorded).all(|(_, p)| !unreadable(p) || !p.try_charged));
    assert!(refused_because(&recorded, Cause::WrongTerminalKey) > 5);
    let signed_in =
        recorded.observations.iter().filter(|o| o.what == What::SignIn).map(|o| o.device.terminal);
    let truth = &recorded.labels.truths()[0];
    let terminal = recorded.labels.day.fleet.terminals[truth.terminals[0] as usize].id;
    assert!(signed_in.filter(|id| *id == terminal).count() > 1, "keys were fetched at the onset");
}

#[test]
fn a_worn_keypad_makes_wrong_pins() {
    let wrong = |p: &Payment| matches!(p.pin, PinSeen::Mismatch) || p.reason == ReasonCode::IssuerWrongPin;
    let swapped = played("swapped-rows");
    assert!(share(&there(&swapped), wrong) > 0.7);
    assert!(share(&there(&played("dead-key")), wrong) > 0.15);
    assert!(refused_because(&swapped, Cause::KeypadFault) > 5);
}

#[test]
fn a_bad_line_makes_reversals_and_reports() {
    let recorded = played("line");
    let reversals = recorded.observations.iter().filter(|o| matches!(o.what, What::Reversal { .. })).count();
    assert!(reversals > 3, "{reversals}");
    assert!(share(&there(&recorded), |p| p.telemetry.no_answers > 0) > 0.1);
}

#[test]
fn an_application_that_submits_again_makes_pairs() {
    let recorded = played("app-repeats");
    let all = there(&recorded);
    let pairs = all
        .windows(2)
        .filter(|w| w[0].card == w[1].card && w[0].amount == w[1].amount && w[0].stan != w[1].stan);
    assert!(pairs.count() >= 2);
}

#[test]
fn clocks_places_and_contents_are_off() {
    let minutes = |p: &Payment| p.drift_s.is_some_and(|s| s.abs() > 600);
    assert!(share(&there(&played("ahead-or-behind")), minutes) > 0.95);
    let jumping = played("content-of-messages");
    let merchants = recorded_refusals(&jumping, ReasonCode::UnknownMerchant);
    let contents =
        there(&jumping).iter().filter(|p| p.name_differs && p.category_sent != p.category_registered).count();
    assert!(merchants > 0 && contents > 2, "{merchants} and {contents}");
    let moved = played("another-place");
    let truth = &moved.labels.truths()[0];
    let terminal = moved.labels.day.fleet.terminals[truth.terminals[0] as usize].id;
    let away = payments(&moved).filter(|(o, _)| o.device.terminal == terminal && truth.is_on(o.at.0)).filter(
        |(o, _)| {
            o.device.position.zip(o.device.registered).is_some_and(|(a, b)| {
                (a.latitude - b.latitude).abs() + (a.longitude - b.longitude).abs() > 0.2
            })
        },
    );
    assert!(away.count() > 5);
}

fn recorded_refusals(recorded: &Recorded, wanted: ReasonCode) -> usize {
    let of = |o: &&Observation| matches!(o.what, What::Refused { reason, .. } if reason == wanted);
    recorded.observations.iter().filter(of).count()
}

#[test]
fn faults_of_keys_have_their_scopes() {
    let mut zone = played("stale-zone-key");
    let place = Scope::Zone(zone.names.symbol(match zone.labels.truths()[0].exact[0] {
        Place::Zone(at) => drill::day::cards::ZONES[at].0,
        _ => panic!("a zone"),
    }));
    let Some(Scope::Zone(symbol)) =
        scope(&zone.labels.truths()[0].exact[0].clone(), &zone.labels, &mut zone.names)
    else {
        panic!("a zone");
    };
    assert_eq!(place, Scope::Zone(symbol));
    let faults: Vec<_> = payments(&zone).filter(|(_, p)| p.reason == ReasonCode::IssuerKeyFault).collect();
    assert!(faults.len() > 5 && faults.iter().all(|(_, p)| p.zone == symbol), "{}", faults.len());

    let mut module = played("partition");
    let instance = scope(&module.labels.truths()[0].exact[0].clone(), &module.labels, &mut module.names);
    let faults: Vec<_> = payments(&module).filter(|(_, p)| p.reason == ReasonCode::KeyFault).collect();
    assert!(faults.len() > 5, "{}", faults.len());
    assert!(faults.iter().all(|(o, _)| Some(Scope::Instance(o.instance)) == instance));

    let replay = played("replayed-block");
    assert!(payments(&replay).any(|(_, p)| p.pin == PinSeen::Unverifiable(Unverifiable::KsnReplayed)));
}

#[test]
fn a_token_in_the_block_concerns_one_kind_of_card() {
    let recorded = played("token-number");
    let truth = &recorded.labels.truths()[0];
    let bad =
        payments(&recorded).filter(|(_, p)| p.pin == PinSeen::Unverifiable(Unverifiable::PinBlockFormat));
    let bins: Vec<u32> = bad.map(|(_, p)| p.bin).collect();
    assert!(bins.len() > 5 && bins.iter().all(|bin| truth.bins.contains(bin)), "{bins:?}");
}

#[test]
fn attacks_look_like_attacks() {
    let spray = played("one-terminal");
    let guesses = payments(&spray).filter(|(_, p)| p.entry == Entry::Fallback && p.pin == PinSeen::Mismatch);
    assert!(guesses.count() > 10);
    assert!(refused_because(&spray, Cause::PinSpray) > 10);
    let testing = played("neighbouring-numbers");
    assert!(recorded_refusals(&testing, ReasonCode::UnknownCard) > 3);
    assert!(
        payments(&testing)
            .filter(|(_, p)| p.reason == ReasonCode::ExpiryMismatch || p.reason == ReasonCode::ExpiredCard)
            .count()
            > 5
    );
    let unlimited = played("blocks-lifted");
    let lifted = |o: &&Observation| matches!(o.what, What::Desk { action: DeskAction::RaiseLimit, .. });
    assert!(unlimited.observations.iter().filter(lifted).count() > 8);
    let cash = payments(&unlimited).filter(|(_, p)| p.kind == Kind::Cash && p.reason == ReasonCode::Approved);
    assert!(cash.count() > 10);
    let helped = played("release-and-guess");
    let released = |o: &&Observation| matches!(o.what, What::Desk { action: DeskAction::Release, .. });
    assert!(helped.observations.iter().filter(released).count() > 5);
}

#[test]
fn the_same_seed_gives_the_same_observations() {
    let form = forms().iter().find(|form| form.variant == "one-terminal").unwrap();
    let observations = || {
        let day = Day::with_one(1006, form).unwrap().around_incidents(0, 0, 0.1);
        play(&KIT, day, &mut |_| {}).unwrap().observations
    };
    let (one, other) = (observations(), observations());
    assert!(one.len() > 100);
    assert!(one == other, "a day must come out the same again");
}
