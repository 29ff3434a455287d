//! The life of one challenge.

use model::{Amount, Currency, Kind, Timestamp};
use stepup::{
    Binding, ChallengeId, Change, CodeKey, Fresh, Given, Judgement, NotNow, Proofs, proofs::ANSWER_S,
};

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const ID: ChallengeId = ChallengeId([7; 16]);
const CODE: &str = "482913";
const VALID_S: u32 = 120;

fn key() -> CodeKey {
    CodeKey::new(b"a key of tests")
}

fn binding(terminal: &str, kind: Kind, minor: i64) -> Binding {
    Binding { terminal: terminal.parse().unwrap(), kind, amount: Amount(minor), currency: Currency::CNY }
}

fn sale() -> Binding {
    binding("10000001", Kind::Sale, 7_500)
}

fn issued() -> Proofs {
    let mut proofs = Proofs::default();
    let fresh = Fresh { id: ID, code: key().digest(ID, CODE) };
    proofs.apply(&proofs.issue(sale(), &fresh, VALID_S, NOW).unwrap());
    proofs
}

fn code(said: &str) -> Given {
    Given::Code { digest: key().digest(ID, said), totp: None }
}

fn answer(proofs: &mut Proofs, given: &Given, now: Timestamp) -> Judgement {
    let judgement = proofs.judge(ID, given, now);
    if let Judgement::Right(change) | Judgement::Wrong(change) = &judgement {
        proofs.apply(change);
    }
    judgement
}

fn is_right(judgement: &Judgement) -> bool {
    matches!(judgement, Judgement::Right(_))
}

const NOTHING: Judgement = Judgement::NotNow(NotNow::NoChallenge);

#[test]
fn an_answer_opens_one_attempt_at_the_same_terminal_for_the_same_amount() {
    let mut proofs = issued();
    assert_eq!(proofs.passed(&sale(), NOW), None);
    assert!(is_right(&answer(&mut proofs, &code(CODE), NOW)));
    for other in [
        binding("10000002", Kind::Sale, 7_500),
        binding("10000001", Kind::Sale, 7_501),
        binding("10000001", Kind::Cash, 7_500),
        Binding { currency: Currency(840), ..sale() },
    ] {
        assert_eq!(proofs.passed(&other, NOW), None, "{other:?}");
    }
    assert_eq!(proofs.passed(&sale(), NOW), Some(ID));
    proofs.apply(&Change::Used { id: ID });
    assert_eq!(proofs.passed(&sale(), NOW), None, "used up");
    assert_eq!(answer(&mut proofs, &code(CODE), NOW), NOTHING, "the code too");
}

#[test]
fn an_answer_counts_for_its_time_and_a_challenge_too() {
    let mut proofs = issued();
    assert!(is_right(&answer(&mut proofs, &code(CODE), NOW)));
    let window = i64::from(VALID_S);
    assert_eq!(proofs.passed(&sale(), NOW.plus_s(window).plus_ms(-1)), Some(ID));
    assert_eq!(proofs.passed(&sale(), NOW.plus_s(window)), None);
    let mut late = issued();
    assert_eq!(answer(&mut late, &code(CODE), NOW.plus_s(ANSWER_S)), NOTHING);
}

#[test]
fn a_second_request_gets_no_second_code_while_the_first_can_be_answered() {
    let proofs = issued();
    let other = ChallengeId([8; 16]);
    let fresh = Fresh { id: other, code: key().digest(other, "111111") };
    assert_eq!(proofs.issue(sale(), &fresh, VALID_S, NOW.plus_s(10)), None);
    let elsewhere = proofs.issue(binding("10000002", Kind::Sale, 1), &fresh, VALID_S, NOW);
    assert!(matches!(elsewhere, Some(Change::Issued(challenge)) if challenge.id == other));
    assert!(proofs.issue(sale(), &fresh, VALID_S, NOW.plus_s(ANSWER_S)).is_some(), "too old");
}

#[test]
fn three_wrong_answers_end_a_challenge() {
    let mut proofs = issued();
    for _ in 0..3 {
        assert!(matches!(answer(&mut proofs, &code("000000"), NOW), Judgement::Wrong(_)));
    }
    assert_eq!(answer(&mut proofs, &code(CODE), NOW), NOTHING);
    assert_eq!(answer(&mut proofs, &Given::Passkey(ID), NOW), NOTHING);
}

#[test]
fn after_a_days_wrong_answers_a_challenge_has_no_code_and_a_passkey_still_opens_it() {
    let mut proofs = Proofs { wrong: vec![NOW; 6], ..Proofs::default() };
    let fresh = Fresh { id: ID, code: key().digest(ID, CODE) };
    proofs.apply(&proofs.issue(sale(), &fresh, VALID_S, NOW).unwrap());
    assert_eq!(proofs.challenge.as_ref().unwrap().code, None);
    assert_eq!(answer(&mut proofs, &code(CODE), NOW), Judgement::NotNow(NotNow::TooMany));
    assert_eq!(answer(&mut proofs, &Given::Passkey(ChallengeId([9; 16])), NOW), NOTHING, "of another");
    assert!(is_right(&answer(&mut proofs, &Given::Passkey(ID), NOW)));
}

#[test]
fn a_code_of_an_authenticator_app_works_once() {
    let totp = |step| Given::Code { digest: key().digest(ID, "000000"), totp: Some(step) };
    let mut proofs = issued();
    assert!(is_right(&answer(&mut proofs, &totp(50), NOW)));
    proofs.apply(&Change::Used { id: ID });
    let fresh = Fresh { id: ID, code: key().digest(ID, CODE) };
    proofs.apply(&proofs.issue(sale(), &fresh, VALID_S, NOW).unwrap());
    assert!(matches!(answer(&mut proofs, &totp(50), NOW), Judgement::Wrong(_)), "the same code again");
    assert!(is_right(&answer(&mut proofs, &totp(51), NOW)));
}
