//! A case is never closed while a gate is open, whatever is done in whatever order.

use desk::{Fact, House, Outcome, Priority, Proof, Refusal, Source, Subject, WaitsOn};
use proptest::prelude::*;

use crate::world::{AGENT, MINUTE, World, card, locked};

#[derive(Debug, Clone)]
enum Deed {
    Step(usize, bool),
    Close,
    Reopen,
    Wait(usize),
    Resume,
    Note,
    Assign,
    Prioritise,
    Answer,
    Prove(u8, u8),
    Later(i64),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => (0_usize..8, any::<bool>()).prop_map(|(n, note)| Deed::Step(n, note)),
        4 => Just(Deed::Close),
        1 => Just(Deed::Reopen),
        1 => (0_usize..3).prop_map(Deed::Wait),
        1 => Just(Deed::Resume),
        1 => Just(Deed::Note),
        1 => Just(Deed::Assign),
        1 => Just(Deed::Prioritise),
        1 => Just(Deed::Answer),
        1 => (0_u8..3, 0_u8..2).prop_map(|(right, wrong)| Deed::Prove(right, wrong)),
        1 => (0_i64..200).prop_map(Deed::Later),
    ]
}

impl World {
    fn attempt(&mut self, no: u32, deed: &Deed) -> Result<u32, Refusal> {
        let house = House::builtin();
        let case = self.case(no).clone();
        let fact = match deed {
            Deed::Step(n, note) => {
                let steps = &case.opened.playbook.steps;
                let step = steps[n % steps.len()].id.clone();
                let note = if *note { "seen" } else { "" };
                self.desk.step(house, no, &step, note, AGENT, self.now)
            }
            Deed::Close => return self.close(no),
            Deed::Reopen => case.reopen("called again", AGENT),
            Deed::Wait(n) => case.wait(WaitsOn::ALL[*n], "waits", AGENT),
            Deed::Resume => case.resume("goes on", AGENT),
            Deed::Note => case.note("a note", AGENT),
            Deed::Assign => case.assign(Some("wang.wei"), AGENT),
            Deed::Prioritise => case.prioritise(Priority::Low, "can wait", AGENT),
            Deed::Answer => case.answer(house, "locked", "it opens tomorrow", AGENT),
            Deed::Prove(right, wrong) => {
                let proof = Proof {
                    method: "code-to-contact-on-file".to_owned(),
                    asked: vec!["one-time-code".to_owned()],
                    right: *right,
                    wrong: *wrong,
                    contact_unchanged_h: Some(48),
                };
                self.desk.prove(house, no, proof, AGENT)
            }
            Deed::Later(minutes) => {
                self.later(minutes * MINUTE);
                return Ok(0);
            }
        };
        self.put(fact)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn nothing_closes_a_case_over_an_open_gate(
        code in prop::sample::select(vec!["75", "55", "99", "98", "94", "41", "03", "51", "ZZ"]),
        deeds in prop::collection::vec(deed(), 1..40),
    ) {
        let mut world = World::new();
        let mut opening = locked(7);
        opening.subject.code = Some(code.to_owned());
        let no = world.open(opening);
        for deed in deeds {
            let before = world.case(no).clone();
            let gates: Vec<String> = before.open_gates().map(|step| step.id.clone()).collect();
            let result = world.attempt(no, &deed);
            let after = world.case(no);
            if !before.is_closed() && after.is_closed() {
                prop_assert!(gates.is_empty(), "closed over {gates:?}");
            }
            if matches!(deed, Deed::Close) && !before.is_closed() {
                if gates.is_empty() {
                    prop_assert!(result.is_ok(), "{result:?}");
                } else {
                    prop_assert_eq!(result, Err(Refusal::GatesOpen(gates)));
                }
            }
            // A closed case has a closing and no open pause; an open one has neither a closing nor a question.
            prop_assert_eq!(after.is_closed(), after.closed.is_some());
            if after.is_closed() {
                prop_assert!(after.open_gates().next().is_none());
                prop_assert!(after.pauses.iter().all(|pause| pause.to.is_some()));
            }
        }
    }
}

#[test]
fn every_gate_counts_and_a_gate_with_a_note_wants_the_note() {
    let mut world = World::new();
    let no = world.open(locked(1));
    assert_eq!(world.close(no), Err(Refusal::GatesOpen(vec!["explain".to_owned(), "paid".to_owned()])));
    world.step(no, "explain", "").unwrap();
    assert_eq!(world.step(no, "explain", ""), Err(Refusal::StepIsDone));
    assert_eq!(world.step(no, "paid", " "), Err(Refusal::NeedsNote));
    assert_eq!(world.step(no, "fly", "x"), Err(Refusal::NoStep));
    assert_eq!(world.close(no), Err(Refusal::GatesOpen(vec!["paid".to_owned()])));
    world.step(no, "paid", "paid 1,280.00 at the same till").unwrap();
    world.close(no).unwrap();
    assert_eq!(world.close(no), Err(Refusal::Closed));
    assert_eq!(world.case(no).note("late", AGENT), Err(Refusal::Closed));
    let fact = world.case(no).reopen("locked again", AGENT);
    world.put(fact).unwrap();
    assert_eq!(world.case(no).reopened, 1);
    world.close(no).unwrap();
}

#[test]
fn a_playbook_that_changes_leaves_open_cases_as_they_are() {
    let mut world = World::new();
    let no = world.open(locked(1));
    let text = serde_json::to_string(&world.case(no).history[0].1).unwrap();
    let Fact::Opened { mut opened, by } = serde_json::from_str(&text).unwrap() else { panic!("it opens") };
    // As an older program wrote it: one gate, which the playbook of today does not have.
    opened.playbook.version = 0;
    opened.playbook.steps.truncate(1);
    opened.playbook.steps[0].id = "ask-the-manager".to_owned();
    opened.subject.card = Some(card(2));
    let old = world.put(Ok(Fact::Opened { opened, by })).unwrap();
    assert_eq!(world.close(old), Err(Refusal::GatesOpen(vec!["ask-the-manager".to_owned()])));
    world.step(old, "ask-the-manager", "").unwrap();
    world.close(old).unwrap();
}

#[test]
fn the_same_thing_is_one_case() {
    let mut world = World::new();
    let first = world.open(locked(1));
    let again = world.desk.open(House::builtin(), locked(1), AGENT);
    assert_eq!(again, Err(Refusal::Already(first)));
    let second = world.open(locked(2));
    world.pass_gates(first);
    world.close(first).unwrap();
    let third = world.open(locked(1));
    assert!(third > second);
    let about = |rrn: &str| desk::Opening {
        source: Source::Refusal,
        subject: Subject { rrn: Some(rrn.to_owned()), card: Some(card(1)), ..Subject::default() },
        ..locked(1)
    };
    let one = world.open(about("632610004417"));
    assert_eq!(world.desk.open(House::builtin(), about("632610004417"), AGENT), Err(Refusal::Already(one)));
    world.open(about("632610004418"));
}

#[test]
fn what_is_typed_is_masked_and_has_an_end() {
    let mut world = World::new();
    let mut opening = locked(1);
    opening.summary = "card 6216261000000000018 is locked".to_owned();
    opening.caller = "6216 2610 0000 0000 018".to_owned();
    let no = world.open(opening);
    let fact = world.case(no).note("says 6216-2610-0000-0000-018", AGENT);
    world.put(fact).unwrap();
    world.step(no, "paid", "paid with 6216261000000000018").unwrap();
    let all =
        serde_json::to_string(&world.case(no).history.iter().map(|(_, f)| f).collect::<Vec<_>>()).unwrap();
    let digits: String = all.chars().filter(char::is_ascii_digit).collect();
    assert!(!digits.contains("6216261000000000018"), "{all}");
    let long = "x".repeat(2001);
    assert!(matches!(world.case(no).note(&long, AGENT), Err(Refusal::NotUnderstood { part: "text", .. })));
    assert!(matches!(world.case(no).note("  ", AGENT), Err(Refusal::NotUnderstood { .. })));
}

#[test]
fn nobody_waits_for_a_customer_who_was_not_answered() {
    let mut world = World::new();
    let mut opening = locked(1);
    opening.source = Source::Refusal;
    let no = world.open(opening);
    assert!(world.case(no).wait(WaitsOn::Customer, "calls back", AGENT).is_err());
    world.later(2 * MINUTE);
    let fact = world.case(no).answer(House::builtin(), "", "we look into it", AGENT);
    world.put(fact).unwrap();
    let fact = world.case(no).wait(WaitsOn::Customer, "calls back", AGENT);
    world.put(fact).unwrap();
    assert_eq!(world.case(no).clocks(House::builtin(), world.now)[0].passed_min(), 2);
    assert!(world.case(no).answer(House::builtin(), "no-such-reply", "x", AGENT).is_err());
}

#[test]
fn the_question_is_answered_once_and_in_time() {
    let mut world = World::new();
    let no = world.open(locked(1));
    world.pass_gates(no);
    assert_eq!(world.case(no).rate(5, "", world.now), Err(Refusal::BadLink));
    let survey =
        desk::fact::Survey { hash: "h".to_owned(), sealed: "s".to_owned(), until: world.now.plus_s(3600) };
    let case = world.case(no);
    let closing = case.close(Outcome::Solved, "paid").unwrap();
    let fact = case.closing_fact(closing, Some(survey), AGENT);
    world.put(Ok(fact)).unwrap();
    assert_eq!(world.desk.of_survey("h").map(|case| case.no), Some(no));
    assert!(world.desk.of_survey("x").is_none());
    for score in [0, 6] {
        assert!(matches!(world.case(no).rate(score, "", world.now), Err(Refusal::NotUnderstood { .. })));
    }
    assert_eq!(world.case(no).rate(4, "", world.now.plus_s(3600)), Err(Refusal::BadLink));
    let fact = world.case(no).rate(4, "quick; my card is 6216261000000000018", world.now);
    world.put(fact).unwrap();
    assert_eq!(world.case(no).rated.as_ref().unwrap().2, "quick; my card is 621626*********0018");
    assert_eq!(world.case(no).rate(5, "", world.now), Err(Refusal::BadLink));
}
