//! An account's life: opened with a link, set up once, waiting after wrong proofs, closed.

use model::Timestamp;
use proptest::prelude::*;
use staff::{
    Account, AccountFact, Role, Token,
    account::{LINK_S, Refused, is_name},
    password::PasswordHash,
};

const T0: Timestamp = Timestamp(1_700_000_000_000);

fn opened() -> (Account, Token) {
    let link = Token::new([1; 32]);
    let fact = AccountFact::Opened {
        display: "Li Na".into(),
        person: "p1".into(),
        roles: vec![Role::Agent],
        link: link.hash(),
        until: T0.plus_s(LINK_S),
    };
    (Account::open("li.na", &fact).unwrap(), link)
}

fn set_up() -> Account {
    let (mut account, _) = opened();
    let password = PasswordHash::of_nobody();
    account.apply(T0, &AccountFact::SetUp { password, totp_sealed: "sealed".into(), step: 7 });
    account
}

#[test]
fn a_link_works_once_and_for_a_quarter_of_an_hour() {
    let (mut account, link) = opened();
    assert_eq!(account.admits(T0), Err(Refused::NotSetUp));
    assert_eq!(account.admits_link(&link, T0.plus_s(LINK_S - 1)), Ok(()));
    assert_eq!(account.admits_link(&link, T0.plus_s(LINK_S)), Err(Refused::Link));
    assert_eq!(account.admits_link(&Token::new([2; 32]), T0), Err(Refused::Link));
    account = {
        account.apply(
            T0,
            &AccountFact::SetUp { password: PasswordHash::of_nobody(), totp_sealed: "s".into(), step: 1 },
        );
        account
    };
    assert_eq!(account.admits_link(&link, T0), Err(Refused::Link), "used");
    assert_eq!(account.admits(T0), Ok(()));
    let renewed = Token::new([3; 32]);
    account.apply(T0, &AccountFact::LinkRenewed { link: renewed.hash(), until: T0.plus_s(LINK_S) });
    assert_eq!(account.admits(T0), Err(Refused::NotSetUp), "old factors are void");
    assert_eq!(account.admits_link(&renewed, T0), Ok(()));
    account.apply(T0, &AccountFact::Closed);
    assert_eq!(account.admits_link(&renewed, T0), Err(Refused::Closed));
}

#[test]
fn wrong_proofs_make_it_wait_longer_and_longer_but_not_for_ever() {
    let mut account = set_up();
    for _ in 0..4 {
        account.apply(T0, &AccountFact::Failed);
        assert_eq!(account.admits(T0), Ok(()));
    }
    let mut waits = Vec::new();
    for _ in 0..10 {
        account.apply(T0, &AccountFact::Failed);
        let Err(Refused::Waits(until)) = account.admits(T0) else { panic!("it waits") };
        assert_eq!(account.admits(until), Ok(()));
        waits.push(until.since_ms(T0) / 1000);
    }
    assert_eq!(waits, [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600, 3600]);
    account.apply(T0.plus_s(3600), &AccountFact::SignedIn { step: Some(9) });
    assert_eq!((account.failures, account.step, account.admits(T0.plus_s(3600))), (0, Some(9), Ok(())));
}

proptest! {
    /// Whatever is tried when, guesses that are looked at stay below a bound: five, then one for each wait.
    #[test]
    fn guesses_are_bounded(tries in proptest::collection::vec(1_i64..600, 1..400)) {
        let mut account = set_up();
        let (mut now, mut looked_at) = (T0, 0_i64);
        for wait in tries {
            now = now.plus_s(wait);
            if account.admits(now).is_ok() {
                looked_at += 1;
                account.apply(now, &AccountFact::Failed);
            }
        }
        let hours = now.since_ms(T0) / 3_600_000 + 1;
        prop_assert!(looked_at <= 5 + 6 + hours, "{looked_at} guesses in {hours} hours");
    }

    #[test]
    fn facts_survive_their_encoding(step in any::<i64>()) {
        for fact in [AccountFact::Failed, AccountFact::SignedIn { step: Some(step) }, AccountFact::RolesChanged { roles: Role::ALL.to_vec() }] {
            let text = serde_json::to_string(&fact).unwrap();
            prop_assert_eq!(serde_json::from_str::<AccountFact>(&text).unwrap(), fact);
        }
    }
}

#[test]
fn names_are_plain() {
    for name in ["li.na", "a", "wang-wei_2"] {
        assert!(is_name(name), "{name}");
    }
    for name in ["", "Li", "1a", "a b", "a/b", "system:", &"a".repeat(65)] {
        assert!(!is_name(name), "{name}");
    }
}
