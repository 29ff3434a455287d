//! Every answer finds its request, and what must not be is said.

use std::time::Duration;

use load::{Mix, Plan};

use crate::fake_host::{Manner, plan, run};

#[test]
fn answers_in_any_order_find_their_requests() {
    for threads in [1, 2] {
        let report = run(Manner::Backwards, &Plan { threads, ..plan() });
        assert!(report.is_clean(), "{:?}", report.troubles);
        assert!(report.answered > 0 && report.answers["00"] >= report.answered, "{report:?}");
        assert_eq!((report.threads, report.terminals, report.cards), (threads, 3, 40));
    }
}

#[track_caller]
fn check(manner: Manner, plan: &Plan, says: &str) {
    let report = run(manner, plan);
    assert!(report.troubles.iter().any(|trouble| trouble.contains(says)), "{says}: {:?}", report.troubles);
}

#[test]
fn what_must_not_be_is_said() {
    check(Manner::Twice, &plan(), "answers to nothing that was under way");
    check(Manner::OtherTerminal, &plan(), "another type or terminal");
    check(Manner::OtherType, &plan(), "another type or terminal");
    check(Manner::Forgets, &Plan { reply_timeout: Duration::from_secs(1), ..plan() }, "not answered in time");
    check(Manner::HangsUp, &plan(), "connections that the host closed");
    check(Manner::Code("91"), &plan(), "payments that were answered 91");
    check(Manner::Code("55"), &plan(), "right PINs that were taken for wrong ones");
    check(Manner::Code("00"), &Plan { check_macs: true, ..plan() }, "MAC is missing or wrong");
}

#[test]
fn a_repeat_must_come_back_byte_for_byte() {
    let mix = Mix { repeats: 0.2, ..Mix::default() };
    let report = run(Manner::Code("00"), &Plan { mix, ..plan() });
    assert!(report.is_clean() && report.repeats > 0, "{report:?}");
    check(Manner::Numbers, &Plan { mix, ..plan() }, "answered with other bytes");
}

#[test]
fn a_wrong_pin_that_is_approved_is_an_alarm() {
    let mix = Mix { wrong_pin: 0.2, ..Mix::default() };
    check(Manner::Code("00"), &Plan { mix, ..plan() }, "wrong PINs that were answered 00");
}

#[test]
fn what_a_cut_takes_along_is_repeated_or_reversed() {
    let mix = Mix { cut: 0.05, ..Mix::default() };
    let report = run(Manner::Code("00"), &Plan { mix, ..plan() });
    assert!(report.is_clean(), "{:?}", report.troubles);
    assert!(report.cuts > 0 && report.reversals > 0, "{report:?}");
}

#[test]
fn a_card_without_money_pays_no_more_and_without_cards_it_ends() {
    let report = run(Manner::Code("51"), &plan());
    assert_eq!(report.cards_retired, 40);
    assert!(report.troubles[0].contains("without a card that can pay"), "{:?}", report.troubles);
    // Each was asked at least once; some more than that while their first answer was under way.
    assert!(report.answers["51"] >= 40, "{:?}", report.answers);
}
