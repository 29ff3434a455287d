//! Tokens of programs: nobody gets more by one than they have, and a dead one is dead at once.

use office::OfficeError;
use staff::{
    Actor, Permission, Role, Token,
    api_token::{self, NewToken, NotMade},
};

use crate::{World, open, refused, system};

fn wanted(owner: &str, scopes: &[Permission]) -> NewToken {
    NewToken { name: "nightly".into(), owner: owner.into(), scopes: scopes.to_vec(), days: 30 }
}

fn not_made<T>(result: Result<T, OfficeError>) -> NotMade {
    match result {
        Err(OfficeError::NoToken(why)) => why,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was made"),
    }
}

#[tokio::test]
async fn a_token_gives_at_most_what_its_owner_and_its_maker_have() {
    let world = World::new().await;
    world.account("li.na", Role::Agent).await;
    world.account("root", Role::Administrator).await;
    let (_, agent) = world.sign_in("li.na").await;
    let (_, admin) = world.sign_in("root").await;
    let cards = [Permission::ViewCards];
    let theirs = not_made(world.office.make_token(&agent, &wanted("li.na", &[Permission::ViewAudit])).await);
    assert_eq!(theirs, NotMade::TooMuch(Permission::ViewAudit));
    let other = world.office.make_token(&agent, &wanted("root", &[Permission::ViewOverview])).await;
    assert!(matches!(other, Err(OfficeError::Forbidden(_))), "somebody else's");
    // Who opens accounts sees no card, not even through a token that belongs to somebody who does.
    let through = not_made(world.office.make_token(&admin, &wanted("li.na", &cards)).await);
    assert_eq!(through, NotMade::TooMuch(Permission::ViewCards));
    assert!(world.office.make_token(&admin, &wanted("li.na", &[Permission::ViewOverview])).await.is_ok());
    let (token, made) = world
        .office
        .make_token(&agent, &NewToken { name: "own".into(), ..wanted("li.na", &cards) })
        .await
        .unwrap();
    let program = world.office.program(&token).await.unwrap();
    assert_eq!((program.name.as_str(), program.person.as_str()), ("token:li.na/own", "li.na"));
    let table = world.office.permissions();
    assert!(program.may(table, Permission::ViewCards).is_ok());
    assert!(program.may(table, Permission::ViewTransactions).is_err(), "not among its scopes");
    let further = not_made(world.office.make_token(&program, &wanted("li.na", &cards)).await);
    assert_eq!(further, NotMade::Program);
    assert!(!api_token::reveal(&token).contains(made.hash.whole()));
    for (days, why) in [(0, NotMade::Days), (366, NotMade::Days)] {
        assert_eq!(
            not_made(world.office.make_token(&agent, &NewToken { days, ..wanted("li.na", &cards) }).await),
            why
        );
    }
    assert_eq!(not_made(world.office.make_token(&agent, &wanted("li.na", &[])).await), NotMade::NoScope);
}

#[tokio::test]
async fn a_token_ends_by_time_by_hand_and_with_its_owner_on_every_host() {
    let world = World::new().await;
    world.account("root", Role::Administrator).await;
    world.account("li.na", Role::Agent).await;
    let (_, agent) = world.sign_in("li.na").await;
    let other_host = open(&world.book, &world.now).await;
    let make = async |name: &str| {
        let new = NewToken { name: name.into(), ..wanted("li.na", &[Permission::ViewCards]) };
        world.office.make_token(&agent, &new).await.unwrap()
    };
    let (first, made) = make("first").await;
    let taken = NewToken { name: "first".into(), ..wanted("li.na", &[Permission::ViewCards]) };
    assert!(matches!(world.office.make_token(&agent, &taken).await, Err(OfficeError::Conflict(_))));
    assert!(other_host.program(&first).await.is_ok());
    let used = |tokens: Vec<staff::ApiToken>| tokens.into_iter().find(|t| t.id == made.id).unwrap().used;
    assert!(used(world.office.tokens(&agent).await.unwrap()).is_some());
    let stranger = Actor { name: "zhao.lei".into(), roles: vec![Role::Agent], ..system() };
    assert!(world.office.tokens(&stranger).await.unwrap().is_empty());
    let theirs = world.office.revoke_token(&stranger, &made.id).await;
    assert!(matches!(theirs, Err(OfficeError::Unknown(_))), "as if it were not there");
    world.office.revoke_token(&agent, &made.id).await.unwrap();
    assert!(refused(other_host.program(&first).await));
    let (second, _) = make("second").await;
    world.later(30 * 86_400 - 1);
    assert!(other_host.program(&second).await.is_ok());
    world.later(1);
    assert!(refused(world.office.program(&second).await));
    let (third, _) = make("third").await;
    let root = Actor { roles: vec![Role::Administrator], ..system() };
    world.office.renew_link(&root, "li.na").await.unwrap();
    assert!(refused(other_host.program(&third).await), "an account that is set up anew");
    world.office.close_account(&root, "li.na").await.unwrap();
    assert!(refused(world.office.program(&third).await));
    let made_up = Token::new([7; staff::session::TOKEN_LEN]);
    assert!(refused(world.office.program(&made_up).await));
    let mut out = Vec::new();
    world.office.export(&Actor { roles: vec![Role::Auditor], ..system() }, &mut out).await.unwrap();
    let log = String::from_utf8(out).unwrap();
    assert!(log.contains("token.make") && log.contains("token.revoke") && !log.contains(first.reveal()));
}
