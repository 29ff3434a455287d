//! Operators of a shop: signing on, guessing, locks and resets, and that no order of them gives away a guess.

use model::Timestamp;
use operator::{Answer, Attempt, Fact, Found, Next, OperatorId, Refusal, Roster, Rules, roster::until};
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
    stan: u32,
}

impl Shop {
    fn new() -> Self {
        let mut shop = Self { roster: Roster::default(), rules: Rules::builtin(), now: T0, stan: 0 };
        for (operator, password) in [("01", "7395"), ("00", "482917")] {
            shop.open(operator, password);
            shop.fact(Fact::Changed { operator: id(operator), password: hash(password), attempt: None });
        }
        shop
    }

    fn fact(&mut self, fact: Fact) {
        self.roster.apply(self.now, &fact, self.rules);
    }

    fn open(&mut self, operator: &str, password: &str) {
        let (operator, password) = (id(operator), hash(password));
        self.fact(Fact::Opened { operator, password, by: "li.na".into(), attempt: None });
    }

    /// A message of its own from one of three terminals in turn: where a guess comes from makes no difference.
    fn attempt(&mut self) -> Attempt {
        self.stan += 1;
        let terminal = format!("1000000{}", self.stan % 3).parse().unwrap();
        let stan = model::Stan::new(self.stan).unwrap();
        Attempt { terminal, session: T0, stan, digest: u64::from(self.stan) }
    }

    fn sign_on(&mut self, operator: &str, password: &str) -> Answer {
        let attempt = self.attempt();
        self.send(attempt, operator, password)
    }

    fn send(&mut self, attempt: Attempt, operator: &str, password: &str) -> Answer {
        let found = match self.roster.asked(id(operator), &attempt, self.rules) {
            Next::Known(answer) => return answer,
            Next::Compare(hash) if hash.is(password) => Found::Right,
            Next::Compare(_) => Found::Wrong,
        };
        self.finish(attempt, operator, found)
    }

    fn finish(&mut self, attempt: Attempt, operator: &str, found: Found) -> Answer {
        let compared = self.roster.operator(id(operator)).unwrap().password.clone();
        let found = (found, attempt);
        let (fact, answer) =
            self.roster.decided(id(operator), &compared, found, self.now, self.rules).unwrap();
        if let Some(fact) = fact {
            self.fact(fact);
        }
        answer
    }

    fn on(&self, operator: &str) -> Answer {
        Answer::SignedOn { until: until(id(operator), self.now, self.rules) }
    }
}

const WRONG: Answer = Answer::Refused(Refusal::WrongPassword);
const LOCKED: Answer = Answer::Refused(Refusal::Locked);

#[test]
fn a_cashier_signs_on_for_twelve_hours_and_a_supervisor_for_two() {
    let mut shop = Shop::new();
    assert_eq!(shop.sign_on("01", "7395"), Answer::SignedOn { until: T0.plus_s(12 * 3600) });
    assert_eq!(shop.sign_on("00", "482917"), Answer::SignedOn { until: T0.plus_s(2 * 3600) });
    assert_eq!(shop.sign_on("02", "7395"), Answer::Refused(Refusal::Unknown));
}

#[test]
fn wrong_passwords_lock_and_the_right_one_does_not_open_the_lock() {
    let mut shop = Shop::new();
    for _ in 0..5 {
        assert_eq!(shop.sign_on("01", "1111"), WRONG, "from whichever terminal");
    }
    assert_eq!(shop.sign_on("01", "7395"), LOCKED);
    assert_eq!(shop.sign_on("00", "482917"), shop.on("00"), "others go on");
}

#[test]
fn a_right_password_gives_the_tries_back_and_a_fault_takes_none() {
    let mut shop = Shop::new();
    for _ in 0..20 {
        for _ in 0..4 {
            assert_eq!(shop.sign_on("01", "1111"), WRONG);
        }
        let attempt = shop.attempt();
        assert_eq!(shop.finish(attempt, "01", Found::Unreadable), Answer::Refused(Refusal::Unreadable));
        assert_eq!(shop.sign_on("01", "7395"), shop.on("01"));
    }
}

#[test]
fn a_message_that_comes_again_counts_once_and_signs_nobody_on_again() {
    let mut shop = Shop::new();
    let wrong = shop.attempt();
    for _ in 0..20 {
        assert_eq!(shop.send(wrong, "01", "1111"), WRONG);
    }
    assert_eq!(shop.roster.operator(id("01")).unwrap().wrong, 1);
    let first = shop.attempt();
    assert_eq!(shop.send(first, "01", "7395"), shop.on("01"));
    assert_eq!(shop.send(first, "01", "7395"), Answer::Again);
    let other = Attempt { digest: 99, ..first };
    assert_eq!(
        shop.send(other, "01", "7395"),
        Answer::Refused(Refusal::Replayed),
        "another field, the same number"
    );
    for _ in 0..3 {
        shop.sign_on("01", "7395");
    }
    assert_eq!(shop.send(first, "01", "7395"), Answer::Refused(Refusal::Replayed), "an older one");
    let next_session = Attempt { session: T0.plus_s(1), ..first };
    assert_eq!(shop.send(next_session, "01", "7395"), shop.on("01"), "numbers are a session's");
}

#[test]
fn trace_numbers_begin_anew_after_the_last_one() {
    let mut shop = Shop::new();
    let stan = |n| model::Stan::new(n).unwrap();
    let last = Attempt { stan: stan(999_999), ..shop.attempt() };
    assert_eq!(shop.send(last, "01", "7395"), shop.on("01"));
    assert_eq!(shop.send(Attempt { stan: stan(1), digest: 5, ..last }, "01", "7395"), shop.on("01"));
}

#[test]
fn only_another_supervisor_at_work_resets() {
    let mut shop = Shop::new();
    shop.now = T0.plus_s(60);
    let may =
        |shop: &Shop, by: &str, since, whom: &str| shop.roster.may_reset(id(by), since, id(whom), shop.rules);
    assert!(
        !may(&shop, "01", shop.now, "01") && !may(&shop, "01", shop.now, "00"),
        "a cashier resets nobody"
    );
    assert!(may(&shop, "00", shop.now, "01"));
    assert!(!may(&shop, "00", shop.now, "00"), "nobody resets themselves");
    assert!(!may(&shop, "00", shop.now, "02"), "no such operator");
    let since = shop.now;
    shop.now = T0.plus_s(120);
    shop.open("00", "640285");
    assert!(!may(&shop, "00", since, "01"), "a reset ends what the old password began");
}

#[test]
fn a_reset_opens_the_lock_and_the_first_password_must_be_changed() {
    let mut shop = Shop::new();
    (0..5).for_each(|_| assert_eq!(shop.sign_on("01", "1111"), WRONG));
    shop.open("01", "5028");
    assert_eq!(shop.sign_on("01", "7395"), WRONG, "the old one is dead");
    assert_eq!(shop.sign_on("01", "5028"), Answer::MustChange);
    assert_eq!(shop.sign_on("01", "5028"), Answer::MustChange, "and stays so");
    shop.fact(Fact::Changed { operator: id("01"), password: hash("8164"), attempt: None });
    assert_eq!(shop.sign_on("01", "8164"), shop.on("01"));
    let used = |digits: &str| shop.roster.was_used(id("01"), &operator::Password::new(digits).unwrap());
    assert!(used("5028") && used("8164") && used("7395") && !used("9046"));
    assert!(shop.roster.operator(id("01")).unwrap().earlier.len() <= 3);
}

#[test]
fn an_old_password_must_be_changed() {
    let mut shop = Shop::new();
    shop.now = shop.now.plus_s(89 * DAY);
    assert_eq!(shop.sign_on("01", "7395"), shop.on("01"));
    shop.now = shop.now.plus_s(2 * DAY);
    assert_eq!(shop.sign_on("01", "7395"), Answer::MustChange);
}

#[test]
fn a_comparison_with_a_password_that_was_replaced_is_worth_nothing() {
    let mut shop = Shop::new();
    let old = shop.roster.operator(id("01")).unwrap().password.clone();
    shop.open("01", "5028");
    for found in [Found::Right, Found::Wrong] {
        let found = (found, shop.attempt());
        assert_eq!(shop.roster.decided(id("01"), &old, found, shop.now, shop.rules), None);
    }
}

#[test]
fn facts_are_read_back_and_show_no_password() {
    let mut shop = Shop::new();
    let attempt = Some(shop.attempt());
    let fact = Fact::Opened { operator: id("01"), password: hash("7395"), by: "li.na".into(), attempt };
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
                4 => shop.now = shop.now.plus_s(7 * 3600),
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
