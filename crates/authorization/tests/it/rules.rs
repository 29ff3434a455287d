//! What risk rules may do to a decision: refuse what would be approved, and nothing to the PIN's tries.

use authorization::{Effect, RiskVerdict, card::Block};
use model::ReasonCode;
use proptest::prelude::*;

use crate::bench::{Bench, Pin};

const FRAUD: ReasonCode = ReasonCode::SuspectedFraud;

#[test]
fn a_rule_refuses_what_would_be_approved_and_the_right_pin_stays_right() {
    let mut bench = Bench::new("debit-standard");
    bench.sale(1, 100, Pin::Wrong);
    let opening = bench.state.balance;
    bench.risk = RiskVerdict::Decline(FRAUD);
    assert_eq!(bench.sale(2, 100, Pin::Right).reason, FRAUD);
    assert_eq!((bench.state.tries.used(), bench.state.balance), (0, opening));
    assert!(bench.sale(2, 100, Pin::Right).repeat);
    // Without a rule, the same trace number again is a repeat of the refusal.
    bench.risk = RiskVerdict::Pass;
    assert_eq!(bench.sale(2, 100, Pin::Right).reason, FRAUD);
    assert_eq!(bench.sale(3, 100, Pin::Right).reason, ReasonCode::Approved);
}

#[test]
fn a_rule_that_steps_up_wants_a_second_proof_once() {
    let mut bench = Bench::new("debit-standard");
    bench.risk = RiskVerdict::StepUp;
    assert_eq!(bench.sale(1, 100, Pin::Right).reason, ReasonCode::StepUpRequired);
    assert_eq!(bench.sale(2, 100, Pin::Right).reason, ReasonCode::StepUpRequired);
    let now = bench.now;
    let passed =
        authorization::desk::act(&bench.state, authorization::desk::Action::PassStepUp, now).unwrap();
    bench.state.apply(bench.state.seq + 1, 99, now, &passed);
    assert_eq!(bench.sale(3, 100, Pin::Right).reason, ReasonCode::Approved);
}

#[test]
fn a_rule_blocks_a_card_also_with_a_wrong_pin() {
    let mut bench = Bench::new("debit-standard");
    bench.risk = RiskVerdict::BlockCard(FRAUD);
    assert_eq!(bench.sale(1, 100, Pin::Wrong).reason, ReasonCode::WrongPin);
    assert_eq!((bench.state.tries.used(), bench.state.block), (1, Some(Block::Rule)));
    let told = bench.sale(2, 100, Pin::Right);
    assert_eq!((told.reason, told.pin_asked), (ReasonCode::BlockedCard, false));
}

fn verdict() -> impl Strategy<Value = RiskVerdict> {
    prop_oneof![
        2 => Just(RiskVerdict::Pass),
        1 => Just(RiskVerdict::StepUp),
        1 => Just(RiskVerdict::Decline(FRAUD)),
    ]
}

fn pin() -> impl Strategy<Value = Pin> {
    prop_oneof![2 => Just(Pin::Wrong), 1 => Just(Pin::Right)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever rules say: each proven mismatch is counted once and answered as one, there are never more of them than the
    /// limit between two right PINs, and nothing is posted that a rule refuses.
    #[test]
    fn no_rule_costs_a_guess_or_gives_one(all in prop::collection::vec((pin(), verdict()), 1..40)) {
        let mut bench = Bench::new("debit-standard");
        let mut wrong = 0;
        for (stan, (pin, risk)) in (1..).zip(all) {
            bench.risk = risk;
            let (before, balance) = (bench.state.tries.used(), bench.state.balance);
            let locked = bench.state.lock.is_some();
            let told = bench.sale(stan, 100, pin);
            let counted = bench.effects.iter().filter(|e| matches!(e, Effect::CountTry { .. })).count();
            match (told.pin_asked, pin) {
                (false, _) => prop_assert_eq!((counted, bench.state.tries.used()), (0, before)),
                (true, Pin::Wrong) => {
                    wrong += 1;
                    prop_assert_eq!(counted, 1);
                    prop_assert!(matches!(told.reason, ReasonCode::WrongPin | ReasonCode::PinTriesExceeded));
                }
                (true, _) => {
                    wrong = 0;
                    prop_assert_eq!((counted, bench.state.tries.used()), (0, 0));
                }
            }
            prop_assert!(wrong <= 3 && !(locked && told.pin_asked));
            if risk != RiskVerdict::Pass || told.reason != ReasonCode::Approved {
                prop_assert_eq!(bench.state.balance, balance);
            }
        }
    }
}
