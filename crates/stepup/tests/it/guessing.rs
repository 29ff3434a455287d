//! Somebody who has the page, the terminal and several hosts, and guesses. Hosts keep copies of the state that may be old; what
//! decides is the number of the entry, as in the journal.

use model::{Amount, Currency, Kind, Timestamp};
use proptest::prelude::*;
use stepup::{
    Binding, ChallengeId, Change, CodeKey, Fresh, Given, Judgement, Proofs, challenge::WRONG_MAX,
    proofs::WRONG_DAY_MAX,
};

const HOSTS: usize = 3;
const DAY_MS: i64 = 24 * 3_600_000;
const RACES: usize = 8;

#[derive(Debug, Clone)]
enum Move {
    /// Time goes on.
    Wait(i64),
    /// A payment that is refused: perhaps a new challenge.
    Ask { host: usize, amount: i64 },
    /// A guess, with the host's copy as it is.
    Guess { host: usize, passkey: bool },
    /// A host reads the journal.
    Refresh(usize),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        2 => (0_i64..7_200_000).prop_map(Move::Wait),
        1 => (0_i64..40_000_000).prop_map(Move::Wait),
        5 => (0..HOSTS, 1_i64..4).prop_map(|(host, amount)| Move::Ask { host, amount }),
        10 => (0..HOSTS, prop::bool::weighted(0.1)).prop_map(|(host, passkey)| Move::Guess { host, passkey }),
        2 => (0..HOSTS).prop_map(Move::Refresh),
    ];
    prop::collection::vec(one, 1..200)
}

/// The journal, and the hosts' copies of what it folds to.
#[derive(Default)]
struct World {
    journal: Vec<Change>,
    truth: Proofs,
    copies: [(usize, Proofs); HOSTS],
    now: i64,
    serial: u8,
    /// When an answer was looked at and was wrong, and for which challenge.
    looked_at: Vec<(i64, ChallengeId)>,
}

impl World {
    fn refresh(&mut self, host: usize) {
        self.copies[host] = (self.journal.len(), self.truth.clone());
    }

    /// Appends if the copy is not old; the caller learns nothing otherwise.
    fn append(&mut self, host: usize, change: &Change) -> bool {
        if self.copies[host].0 != self.journal.len() {
            self.refresh(host);
            return false;
        }
        self.journal.push(change.clone());
        self.truth.apply(change);
        self.refresh(host);
        true
    }

    fn ask(&mut self, host: usize, amount: i64, key: &CodeKey) {
        self.serial = self.serial.wrapping_add(1);
        let id = ChallengeId([self.serial; 16]);
        let fresh = Fresh { id, code: key.digest(id, "482913") };
        let binding = Binding {
            terminal: "10000001".parse().unwrap(),
            kind: Kind::Sale,
            amount: Amount(amount),
            currency: Currency::CNY,
        };
        for _ in 0..RACES {
            let Some(change) = self.copies[host].1.issue(binding, &fresh, 300, Timestamp(self.now)) else {
                return;
            };
            if self.append(host, &change) {
                return;
            }
        }
    }

    fn guess(&mut self, host: usize, passkey: bool, key: &CodeKey) {
        for _ in 0..RACES {
            let copy = &self.copies[host].1;
            let Some(id) = copy.challenge.as_ref().map(|challenge| challenge.id) else { return };
            let stolen = ChallengeId([0xEE; 16]);
            let given = if passkey {
                Given::Passkey(stolen)
            } else {
                Given::Code { digest: key.digest(id, "000000"), totp: None }
            };
            match copy.judge(id, &given, Timestamp(self.now)) {
                Judgement::Right(_) => panic!("a wrong answer is never right"),
                Judgement::NotNow(_) => return,
                Judgement::Wrong(change) => {
                    if self.append(host, &change) {
                        self.looked_at.push((self.now, id));
                        return;
                    }
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_guesser_gets_no_more_guesses_than_the_limit_over_several_hosts(moves in moves()) {
        let key = CodeKey::new(b"a key of tests");
        let mut world = World::default();
        for step in &moves {
            match *step {
                Move::Wait(ms) => world.now += ms,
                Move::Ask { host, amount } => world.ask(host, amount, &key),
                Move::Guess { host, passkey } => world.guess(host, passkey, &key),
                Move::Refresh(host) => world.refresh(host),
            }
            prop_assert!(world.truth.wrong.len() <= WRONG_DAY_MAX, "what is remembered is bounded");
        }
        for (at, id) in &world.looked_at {
            let in_a_day = world.looked_at.iter().filter(|(other, _)| (0..DAY_MS).contains(&(other - at))).count();
            prop_assert!(in_a_day <= WRONG_DAY_MAX, "{in_a_day} in a day");
            let of_one = world.looked_at.iter().filter(|(_, other)| other == id).count();
            prop_assert!(of_one <= usize::from(WRONG_MAX), "{of_one} at one challenge");
        }
    }

    /// One right answer, any number of hosts and attempts: it opens one.
    #[test]
    fn one_answer_opens_one_attempt_whatever_the_hosts_know(hosts in prop::collection::vec(0..HOSTS, 1..20)) {
        let key = CodeKey::new(b"a key of tests");
        let mut world = World::default();
        world.ask(0, 1, &key);
        let id = world.truth.challenge.as_ref().unwrap().id;
        let given = Given::Code { digest: key.digest(id, "482913"), totp: None };
        let Judgement::Right(change) = world.truth.judge(id, &given, Timestamp(0)) else { panic!("it is right") };
        prop_assert!(world.append(0, &change));
        (0..HOSTS).for_each(|host| world.refresh(host));
        let binding = world.truth.challenge.as_ref().unwrap().binding;
        let mut paid = 0;
        for host in hosts {
            let Some(id) = world.copies[host].1.passed(&binding, Timestamp(1)) else { continue };
            paid += usize::from(world.append(host, &Change::Used { id }));
        }
        prop_assert_eq!(paid, 1);
    }
}
