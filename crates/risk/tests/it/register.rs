//! Rule sets on their way from a draft to the live set, and the second person.

use model::Timestamp;
use risk::{
    Change,
    register::{Refusal, Register, State},
};

use crate::engine::rule;

const NOW: Timestamp = Timestamp(1_795_000_000_000);

fn file(amount: u32) -> String {
    let list = "[lists.stolen]\nzh = 'x'\nen = 'x'\n";
    format!("name = 'test'\n{}{list}", rule("a", &format!("amount > {amount}"), "decline", ""))
}

fn done(register: &mut Register, change: Result<Change, Refusal>) -> Change {
    let change = change.expect("allowed");
    register.apply(&change);
    change
}

/// A register with one live set.
fn live() -> (Register, String) {
    let mut register = Register::default();
    let change = register.draft(&file(1), "ada", NOW);
    let Change::Drafted { digest, .. } = done(&mut register, change) else { panic!("a draft") };
    let change = register.shadow(&digest, "ada", NOW);
    done(&mut register, change);
    let change = register.request(&digest, "ada", NOW);
    done(&mut register, change);
    let change = register.activate(&digest, "bo", NOW);
    done(&mut register, change);
    (register, digest)
}

#[test]
fn a_set_becomes_live_through_shadow_and_a_second_person() {
    let mut register = Register::default();
    let change = register.draft(&file(1), "ada", NOW);
    let Change::Drafted { digest, .. } = done(&mut register, change) else { panic!("a draft") };
    let too_early = register.request(&digest, "ada", NOW);
    assert_eq!(too_early, Err(Refusal::WrongState { is: "draft", must: "in shadow" }));
    let change = register.shadow(&digest, "ada", NOW);
    done(&mut register, change);
    assert_eq!(
        register.activate(&digest, "bo", NOW),
        Err(Refusal::WrongState { is: "in shadow", must: "requested" })
    );
    let change = register.request(&digest, "ada", NOW);
    done(&mut register, change);
    for same in ["ada", " Ada ", "ADA"] {
        assert_eq!(register.activate(&digest, same, NOW), Err(Refusal::SamePerson));
    }
    assert_eq!(register.activate(&digest, " ", NOW), Err(Refusal::Nobody));
    let change = register.activate(&digest, "bo", NOW);
    let activated = done(&mut register, change);
    assert!(matches!(&activated, Change::Activated { requested_by, approved_by, .. }
        if requested_by == "ada" && approved_by == "bo"));
    assert_eq!(register.live(), Some(digest.as_str()));
}

#[test]
fn the_next_live_set_replaces_the_one_before() {
    let (mut register, first) = live();
    assert_eq!(register.draft(&file(1), "cy", NOW), Err(Refusal::Known));
    let change = register.draft(&file(2), "cy", NOW);
    let Change::Drafted { digest: second, .. } = done(&mut register, change) else { panic!("a draft") };
    let change = register.shadow(&second, "cy", NOW);
    done(&mut register, change);
    let change = register.request(&second, "cy", NOW);
    done(&mut register, change);
    let change = register.activate(&second, "ada", NOW);
    done(&mut register, change);
    assert_eq!(register.live(), Some(second.as_str()));
    assert_eq!(register.version(&first).map(|v| &v.state), Some(&State::Withdrawn));
    let change = register.withdraw(&second, "ada", NOW);
    done(&mut register, change);
    assert_eq!(register.live(), None);
}

#[test]
fn a_demoted_rule_is_put_back_by_two_people() {
    let (mut register, digest) = live();
    assert_eq!(register.restore("a", "ada", "bo", NOW), Err(Refusal::NotDemoted));
    register.apply(&Change::Demoted { rule: "a".to_owned(), digest, declined: 9, events: 10, at: NOW });
    assert!(register.demoted().contains("a"));
    assert_eq!(register.restore("a", "ada", "ada", NOW), Err(Refusal::SamePerson));
    let change = register.restore("a", "ada", "bo", NOW);
    done(&mut register, change);
    assert!(register.demoted().is_empty());
}

#[test]
fn lists_and_snoozes_are_of_the_live_set_and_end() {
    let (register, _) = live();
    let who = ("ada", "phone");
    let day = NOW.plus_s(86_400);
    assert!(register.snooze("a", "T0000001", day, who, NOW).is_ok());
    assert_eq!(register.snooze("b", "T0000001", day, who, NOW), Err(Refusal::UnknownRule));
    assert_eq!(register.snooze("a", "T0000001", NOW, who, NOW), Err(Refusal::End));
    assert_eq!(register.snooze("a", "T0000001", NOW.plus_s(32 * 86_400), who, NOW), Err(Refusal::End));
    assert!(register.list("stolen", "T0000001", None, who, NOW).is_ok());
    assert_eq!(register.list("stole", "T0000001", None, who, NOW), Err(Refusal::UnknownList));
    assert_eq!(register.list("stolen", "T0000001", Some(NOW), who, NOW), Err(Refusal::End));
}

#[test]
fn a_file_that_is_no_rule_set_is_not_even_a_draft() {
    let bad = file(1).replace("amount >", "ammount >");
    let Err(Refusal::NotChecked(problems)) = Register::default().draft(&bad, "ada", NOW) else {
        panic!("taken");
    };
    assert_eq!(problems[0].suggestion.as_ref().map(|s| s.en()).as_deref(), Some("did you mean amount?"));
}

#[test]
fn the_register_is_the_fold_of_what_was_kept() {
    let (register, digest) = live();
    let kept = [
        Register::default().draft(&file(1), "ada", NOW).expect("a draft"),
        Change::Shadowed { digest: digest.clone(), by: "ada".to_owned(), at: NOW },
        Change::Requested { digest: digest.clone(), by: "ada".to_owned(), at: NOW },
        Change::Activated { digest, requested_by: "ada".to_owned(), approved_by: "bo".to_owned(), at: NOW },
    ];
    let mut again = Register::default();
    for change in kept {
        // as a store keeps it
        let text = serde_json::to_string(&change).expect("JSON");
        again.apply(&serde_json::from_str(&text).expect("the same change"));
    }
    assert_eq!(again, register);
}
