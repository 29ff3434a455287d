//! Two pairs of eyes: every way in which one might pass for two.

use model::Timestamp;
use staff::{
    Actor, Permission, Permissions, Proposal, ProposalFact, Role,
    proposal::{NotApproved, OPEN_S, Party, Status},
};

const T0: Timestamp = Timestamp(1_700_000_000_000);

fn actor(name: &str, role: Role) -> Actor {
    Actor {
        name: name.into(),
        person: format!("person of {name}"),
        roles: vec![role],
        session: format!("session of {name}"),
        scopes: None,
        device: format!("device of {name}"),
    }
}

fn proposal() -> Proposal {
    let fact = ProposalFact::Proposed {
        permission: Permission::ResetPin,
        action: "{\"card\":\"c1\"}".into(),
        consequence: "card *0018 gets a link to choose a new PIN".into(),
        why: "forgotten".into(),
        maker: Party::from(&actor("li.na", Role::Agent)),
        until: T0.plus_s(OPEN_S),
    };
    Proposal::open(T0, &fact).unwrap()
}

fn tried(by: &Actor, now: Timestamp) -> Result<ProposalFact, NotApproved> {
    let proposal = proposal();
    proposal.approve(Permissions::builtin(), by, &proposal.shown(), now)
}

#[test]
fn another_person_of_the_right_role_approves_in_time() {
    let boss = actor("wang.wei", Role::Supervisor);
    let fact = tried(&boss, T0.plus_s(OPEN_S - 1)).unwrap();
    let mut proposal = proposal();
    assert_eq!(proposal.read(|text| Some(text.len())), None, "nothing is done before it is approved");
    proposal.apply(&fact);
    assert!(matches!(&proposal.status, Status::Approved { checker } if checker.name == "wang.wei"));
    assert_eq!(proposal.read(|text| Some(text.to_owned())), Some("{\"card\":\"c1\"}".to_owned()));
    proposal.apply(&ProposalFact::Done { result: "done".into() });
    assert_eq!(proposal.read(|text| Some(text.to_owned())), None, "it is done once");
    assert_eq!(
        proposal.approve(Permissions::builtin(), &boss, &proposal.shown(), T0),
        Err(NotApproved::NotOpen)
    );
}

#[test]
fn one_does_not_pass_for_two() {
    let boss = || actor("wang.wei", Role::Supervisor);
    let program = Actor { scopes: Some(Permission::ALL.to_vec()), ..boss() };
    assert_eq!(tried(&program, T0), Err(NotApproved::Role), "a program has no eyes");
    assert_eq!(tried(&boss(), T0.plus_s(OPEN_S)), Err(NotApproved::Expired));
    assert_eq!(tried(&actor("zhao.lei", Role::Agent), T0), Err(NotApproved::Role));
    assert_eq!(tried(&actor("root", Role::Administrator), T0), Err(NotApproved::Role));
    assert_eq!(tried(&Actor { name: "li.na".into(), ..boss() }, T0), Err(NotApproved::SamePerson));
    let second_account = Actor { person: "person of li.na".into(), ..boss() };
    assert_eq!(tried(&second_account, T0), Err(NotApproved::SamePerson));
    assert_eq!(
        tried(&Actor { session: "session of li.na".into(), ..boss() }, T0),
        Err(NotApproved::SameSession)
    );
    assert_eq!(
        tried(&Actor { device: "device of li.na".into(), ..boss() }, T0),
        Err(NotApproved::SameDevice)
    );
}

#[test]
fn what_was_shown_is_what_happens() {
    let shown = proposal().shown();
    let changes: [fn(&mut Proposal); 4] = [
        |p| p.action = "{\"card\":\"c2\"}".into(),
        |p| p.consequence = "nothing much".into(),
        |p| p.permission = Permission::UnlockCard,
        |p| p.why.push('!'),
    ];
    for change in changes {
        let mut proposal = proposal();
        change(&mut proposal);
        let by = actor("wang.wei", Role::Supervisor);
        assert_eq!(proposal.approve(Permissions::builtin(), &by, &shown, T0), Err(NotApproved::Changed));
    }
}

#[test]
fn facts_out_of_turn_change_nothing() {
    let mut proposal = proposal();
    proposal.apply(&ProposalFact::Done { result: "at once".into() });
    assert_eq!(proposal.status, Status::Open, "not done before it is approved");
    proposal.apply(&ProposalFact::Withdrawn);
    let checker = Party::from(&actor("wang.wei", Role::Supervisor));
    proposal.apply(&ProposalFact::Approved { checker });
    assert_eq!(proposal.status, Status::Withdrawn);
}
