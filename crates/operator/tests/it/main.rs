//! Operators of a terminal: signing on, guessing, locks and resets, and that no order of them gives away a guess.

use model::Timestamp;
use operator::{Answer, Fact, Found, Next, OperatorId, Refusal, Roster, Rules};
use proptest::prelude::*;
use staff::password::{PasswordHash, SALT_LEN};

const T0: Timestamp = Timestamp(1_790_000_000_000);
const DAY: i64 = 86_400;

fn id(text: &str) -> OperatorId {
    text.parse().unwrap()
}

/// Made without the work that protects a secret: these are none.
fn hash(password: &str) -> PasswordHash {
    PasswordHash::of_public(password, [7; SALT_LEN])
}

struct Shop {
    roster: Roster,
    rules: &'static Rules,
    now: Timestamp,
}

impl Shop {
    fn new() -> Self {
        let mut shop = Self { roster: Roster::default(), rules: Rules::builtin(), now: T0 };
        for (operator, password) in [("01", "7395"), ("00", "482917")] {
            shop.fact(Fact::Opened { operator: id(operator), password: hash(password), by: "li.na".into() });
            shop.fact(Fact::Changed { operator: id(operator), password: hash(password) });
        }
        shop
    }

    fn fact(&mut self, fact: Fact) {
        self.roster.apply(self.now, &fact, self.rules);
    }

    fn sign_on(&mut self, operator: &str, password: &str) -> Answer {
        let found = match self.roster.sign_on(id(operator), self.rules) {
            Next::Refused(why) => return Answer::Refused(why),
            Next::Compare(hash) if hash.is(password) => Found::Right,
            Next::Compare(_) => Found::Wrong,
        };
        self.finish(operator, found)
    }

    fn finish(&mut self, operator: &str, found: Found) -> Answer {
        let compared = self.roster.operator(id(operator)).unwrap().password.clone();
        let (fact, answer) =
            self.roster.decided(id(operator), &compared, found, self.now, self.rules).unwrap();
        if let Some(fact) = fact {
            self.fact(fact);
        }
        answer
    }

    fn at_work(&self) -> Option<String> {
        self.roster.signed_on(self.now, self.rules).map(|on| on.operator.to_string())
    }
}

const WRONG: Answer = Answer::Refused(Refusal::WrongPassword);
const LOCKED: Answer = Answer::Refused(Refusal::Locked);

#[test]
fn a_cashier_signs_on_and_the_next_one_replaces_them() {
    let mut shop = Shop::new();
    assert_eq!(shop.sign_on("01", "7395"), Answer::SignedOn { must_change: false });
    assert_eq!(shop.at_work().as_deref(), Some("01"));
    assert_eq!(shop.sign_on("00", "482917"), Answer::SignedOn { must_change: false });
    assert_eq!(shop.at_work().as_deref(), Some("00"));
    shop.now = shop.now.plus_s(2 * 3600);
    assert_eq!(shop.at_work(), None, "a supervisor's sign-on ends after two hours");
    assert_eq!(shop.sign_on("02", "7395"), Answer::Refused(Refusal::Unknown));
}

#[test]
fn wrong_passwords_lock_and_the_right_one_does_not_open_the_lock() {
    let mut shop = Shop::new();
    for _ in 0..5 {
        assert_eq!(shop.sign_on("01", "1111"), WRONG);
    }
    assert_eq!(shop.sign_on("01", "7395"), LOCKED);
    assert_eq!(shop.sign_on("00", "482917"), Answer::SignedOn { must_change: false }, "others go on");
}

#[test]
fn a_right_password_gives_the_tries_back_and_a_fault_takes_none() {
    let mut shop = Shop::new();
    for _ in 0..20 {
        for _ in 0..4 {
            assert_eq!(shop.sign_on("01", "1111"), WRONG);
        }
        assert_eq!(shop.finish("01", Found::Unreadable), Answer::Refused(Refusal::Unreadable));
        assert_eq!(shop.sign_on("01", "7395"), Answer::SignedOn { must_change: false });
    }
}

#[test]
fn only_another_supervisor_at_work_resets() {
    let mut shop = Shop::new();
    let may =
        |shop: &Shop, by: &str, whom: &str| shop.roster.may_reset(id(by), id(whom), shop.now, shop.rules);
    assert!(!may(&shop, "00", "01"), "not signed on");
    shop.sign_on("01", "7395");
    assert!(!may(&shop, "01", "01") && !may(&shop, "01", "00"), "a cashier resets nobody");
    shop.sign_on("00", "482917");
    assert!(may(&shop, "00", "01"));
    assert!(!may(&shop, "00", "00"), "nobody resets themselves");
    assert!(!may(&shop, "00", "02"), "no such operator");
}

#[test]
fn a_reset_opens_the_lock_and_the_first_password_must_be_changed() {
    let mut shop = Shop::new();
    (0..5).for_each(|_| assert_eq!(shop.sign_on("01", "1111"), WRONG));
    shop.fact(Fact::Opened { operator: id("01"), password: hash("5028"), by: "00".into() });
    assert_eq!(shop.sign_on("01", "7395"), WRONG, "the old one is dead");
    assert_eq!(shop.sign_on("01", "5028"), Answer::SignedOn { must_change: true });
    shop.fact(Fact::Changed { operator: id("01"), password: hash("8164") });
    assert_eq!(shop.sign_on("01", "8164"), Answer::SignedOn { must_change: false });
    let earlier = &shop.roster.operator(id("01")).unwrap().earlier;
    assert!(earlier.iter().any(|hash| hash.is("5028")) && earlier.len() <= 3);
}

#[test]
fn an_old_password_must_be_changed() {
    let mut shop = Shop::new();
    shop.now = shop.now.plus_s(89 * DAY);
    assert_eq!(shop.sign_on("01", "7395"), Answer::SignedOn { must_change: false });
    shop.now = shop.now.plus_s(2 * DAY);
    assert_eq!(shop.sign_on("01", "7395"), Answer::SignedOn { must_change: true });
}

#[test]
fn a_comparison_with_a_password_that_was_replaced_is_worth_nothing() {
    let mut shop = Shop::new();
    let old = shop.roster.operator(id("01")).unwrap().password.clone();
    shop.fact(Fact::Opened { operator: id("01"), password: hash("5028"), by: "00".into() });
    for found in [Found::Right, Found::Wrong] {
        assert_eq!(shop.roster.decided(id("01"), &old, found, shop.now, shop.rules), None);
    }
}

#[test]
fn facts_are_read_back_and_show_no_password() {
    let fact = Fact::Opened { operator: id("01"), password: hash("7395"), by: "li.na".into() };
    let text = serde_json::to_string(&fact).unwrap();
    assert_eq!(serde_json::from_str::<Fact>(&text).unwrap(), fact);
    assert!(!text.contains("7395") && !format!("{fact:?}").contains("7395"));
    for bad in ["1", "001", "a1", "", "-1"] {
        assert!(bad.parse::<OperatorId>().is_err(), "{bad}");
    }
    assert_eq!(id("01 ").to_string(), "01", "as in DE 63");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever comes between: from one right password or reset to the next, the limit holds.
    #[test]
    fn no_order_gives_more_guesses_than_the_limit(steps in prop::collection::vec(0u8..6, 1..80)) {
        let mut shop = Shop::new();
        let mut guesses = 0;
        for step in steps {
            match step {
                0..=2 => {
                    if shop.sign_on("01", "1111") == WRONG {
                        guesses += 1;
                    }
                }
                3 => { shop.sign_on("00", "482917"); }
                4 => shop.fact(Fact::SignedOff),
                _ => {
                    let locked = shop.roster.is_locked(id("01"), shop.rules);
                    let answer = shop.sign_on("01", "7395");
                    prop_assert_eq!(answer == LOCKED, locked);
                    if !locked {
                        guesses = 0;
                    }
                }
            }
            prop_assert!(guesses <= 5);
            shop.now = shop.now.plus_s(60);
        }
    }
}
