//! The office over a book in memory: signing in, being two, and the log of it, against whoever would like to get round it.

mod cases;
mod passkeys;
mod tokens;

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use model::Timestamp;
use office::{NewAccount, Noted, Office, OfficeError, Proposed, Request};
use staff::{Actor, Permission, Role, SessionPolicy, Token, proposal::NotApproved, session::TOKEN_LEN, totp};
use store::{MemoryBook, book::Book};

const T0: i64 = 1_700_000_000_000;
const PASSWORD: &str = "correct horse battery";

struct World {
    office: Arc<Office>,
    book: Arc<dyn Book>,
    now: Arc<AtomicI64>,
}

fn system() -> Actor {
    Actor {
        name: "system".into(),
        person: "system".into(),
        roles: Vec::new(),
        session: String::new(),
        device: String::new(),
        scopes: None,
    }
}

impl World {
    async fn new() -> Self {
        let now = Arc::new(AtomicI64::new(T0));
        let book: Arc<dyn Book> = Arc::new(MemoryBook::default());
        let office = open(&book, &now).await;
        Self { office, book, now }
    }

    fn later(&self, seconds: i64) {
        self.now.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    fn code(&self, name: &str) -> String {
        totp::code(&secret(name), totp::step(Timestamp(self.now.load(Ordering::SeqCst))))
    }

    /// Opens and sets up an account; the first needs nobody's permission, the others are opened by it.
    async fn account(&self, name: &str, role: Role) {
        let by = Actor { roles: vec![Role::Administrator], ..system() };
        let new =
            NewAccount { name: name.into(), display: name.into(), person: name.into(), roles: vec![role] };
        let link = self.office.open_account(&by, &new).await.unwrap();
        self.office.set_up_with(&link, PASSWORD, &secret(name)).await.unwrap();
    }

    async fn sign_in(&self, name: &str) -> (Token, Actor) {
        self.later(31);
        let device = format!("device of {name}");
        let signed_in = self.office.sign_in(name, PASSWORD, &self.code(name), &device).await.unwrap();
        (signed_in.token, signed_in.actor)
    }
}

async fn open(book: &Arc<dyn Book>, now: &Arc<AtomicI64>) -> Arc<Office> {
    let clock = {
        let now = now.clone();
        Arc::new(move || Timestamp(now.load(Ordering::SeqCst)))
    };
    Arc::new(Office::open(book.clone(), clock, SessionPolicy::default()).await.unwrap())
}

fn secret(name: &str) -> [u8; totp::SECRET_LEN] {
    let mut secret = [b'x'; totp::SECRET_LEN];
    secret[..name.len()].copy_from_slice(name.as_bytes());
    secret
}

fn refused<T>(result: Result<T, OfficeError>) -> bool {
    matches!(result, Err(OfficeError::NotSignedIn))
}

#[tokio::test]
async fn an_account_is_set_up_by_its_link_and_signs_in_with_both_factors() {
    let world = World::new().await;
    assert!(!world.office.has_accounts().await);
    let new = NewAccount {
        name: "li.na".into(),
        display: "Li Na".into(),
        person: "p1".into(),
        roles: vec![Role::Administrator],
    };
    let link = world.office.open_account(&system(), &new).await.unwrap();
    assert!(matches!(world.office.open_account(&system(), &new).await, Err(OfficeError::Forbidden(_))));
    assert!(matches!(
        world.office.begin_set_up(&Token::new([9; TOKEN_LEN])).await,
        Err(OfficeError::BadLink)
    ));
    let enrolment = world.office.begin_set_up(&link).await.unwrap();
    assert_eq!(*enrolment.secret, *world.office.begin_set_up(&link).await.unwrap().secret, "asked for twice");
    assert!(matches!(world.office.set_up(&link, "password1234", "000000").await, Err(OfficeError::Weak(_))));
    let wrong = world.office.set_up(&link, PASSWORD, "abcdef").await;
    assert!(matches!(wrong, Err(OfficeError::WrongCode)));
    world.later(16 * 60);
    assert!(matches!(world.office.begin_set_up(&link).await, Err(OfficeError::BadLink)), "too late");
}

#[tokio::test]
async fn whatever_is_wrong_the_answer_is_the_same_and_a_code_works_once() {
    let world = World::new().await;
    world.account("li.na", Role::Agent).await;
    world.later(31);
    let code = world.code("li.na");
    assert!(refused(world.office.sign_in("li.na", "wrong horse battery", &code, "d").await));
    assert!(refused(world.office.sign_in("li.na", PASSWORD, "000000", "d").await));
    assert!(refused(world.office.sign_in("nobody", PASSWORD, &code, "d").await));
    assert!(world.office.sign_in("li.na", PASSWORD, &code, "d").await.is_ok());
    assert!(refused(world.office.sign_in("li.na", PASSWORD, &code, "d").await), "the code was used");
}

#[tokio::test]
async fn guesses_are_counted_before_they_are_looked_at_over_all_hosts() {
    let world = World::new().await;
    world.account("li.na", Role::Agent).await;
    let other_host = open(&world.book, &world.now).await;
    world.later(31);
    let mut guesses = Vec::new();
    for n in 0..24 {
        let office = if n % 2 == 0 { world.office.clone() } else { other_host.clone() };
        guesses.push(tokio::spawn(
            async move { office.sign_in("li.na", "wrong horse battery", "1", "d").await },
        ));
    }
    for guess in guesses {
        assert!(refused(guess.await.unwrap()));
    }
    let failures = world.book.read("staff/li.na", 0, 1000).await.unwrap().len() - 2;
    assert_eq!(failures, 5, "of 24 guesses at once only five are looked at");
    assert!(refused(world.office.sign_in("li.na", PASSWORD, &world.code("li.na"), "d").await), "it waits");
    world.later(61);
    assert!(world.office.sign_in("li.na", PASSWORD, &world.code("li.na"), "d").await.is_ok());
}

#[tokio::test]
async fn a_session_ends_idle_signed_out_revoked_and_with_its_account() {
    let world = World::new().await;
    world.account("boss", Role::Administrator).await;
    world.account("li.na", Role::Agent).await;
    let (token, actor) = world.sign_in("li.na").await;
    assert_eq!(world.office.actor(&token, "device of li.na").await.unwrap().roles, [Role::Agent]);
    assert!(refused(world.office.actor(&token, "another device").await), "stolen");
    world.later(14 * 60);
    assert!(world.office.actor(&token, &actor.device).await.is_ok(), "kept alive");
    world.later(15 * 60);
    assert!(refused(world.office.actor(&token, &actor.device).await), "idle");

    let (token, _) = world.sign_in("li.na").await;
    let other_host = open(&world.book, &world.now).await;
    assert!(other_host.actor(&token, &actor.device).await.is_ok(), "on every host");
    world.office.sign_out(&token).await.unwrap();
    assert!(refused(other_host.actor(&token, &actor.device).await));

    let (_, boss) = world.sign_in("boss").await;
    let (token, li_na) = world.sign_in("li.na").await;
    assert!(matches!(world.office.revoke(&li_na, "boss").await, Err(OfficeError::Forbidden(_))));
    assert_eq!(world.office.revoke(&boss, "li.na").await.unwrap(), 1);
    assert!(refused(world.office.actor(&token, &actor.device).await));

    let (token, _) = world.sign_in("li.na").await;
    world.office.close_account(&boss, "li.na").await.unwrap();
    assert!(refused(other_host.actor(&token, &actor.device).await));
    world.later(31);
    assert!(refused(world.office.sign_in("li.na", PASSWORD, &world.code("li.na"), "d").await));
}

#[tokio::test]
async fn an_account_has_a_few_sessions_at_once() {
    let world = World::new().await;
    world.account("li.na", Role::Agent).await;
    let mut tokens = Vec::new();
    for _ in 0..4 {
        tokens.push(world.sign_in("li.na").await.0);
    }
    let alive: Vec<bool> = {
        let mut alive = Vec::new();
        for token in &tokens {
            alive.push(world.office.actor(token, "device of li.na").await.is_ok());
        }
        alive
    };
    assert_eq!(alive, [false, true, true, true], "the oldest ended");
}

fn reset() -> Request {
    Request {
        permission: Permission::ResetPin,
        action: "{\"card\":\"c1\"}".into(),
        consequence: "card *0018 gets a link to choose a new PIN".into(),
        why: "forgotten".into(),
    }
}

#[tokio::test]
async fn what_needs_two_is_done_once_by_two() {
    let world = World::new().await;
    for (name, role) in
        [("li.na", Role::Agent), ("wang.wei", Role::Supervisor), ("zhao.lei", Role::Supervisor)]
    {
        world.account(name, role).await;
    }
    let (_, agent) = world.sign_in("li.na").await;
    let (_, boss) = world.sign_in("wang.wei").await;
    let (_, other) = world.sign_in("zhao.lei").await;
    let Proposed::Waits(id) = world.office.propose(&agent, &reset(), true).await.unwrap() else {
        panic!("a reset needs two whatever a policy says")
    };
    let shown = world.office.proposal(&id).await.unwrap().shown();
    let own = world.office.approve(&agent, &id, &shown).await;
    assert!(matches!(own, Err(OfficeError::NotApproved(NotApproved::Role))));
    assert!(
        matches!(world.office.done(&boss, &id, "x").await, Err(OfficeError::Conflict(_))),
        "not approved"
    );
    let approved = world.office.approve(&boss, &id, &shown).await.unwrap();
    assert_eq!(approved.read(|a| Some(a.to_owned())), Some(reset().action));
    let late = world.office.approve(&other, &id, &shown).await;
    assert!(matches!(late, Err(OfficeError::NotApproved(NotApproved::NotOpen))));
    world.office.done(&boss, &id, "link sent").await.unwrap();
    assert!(matches!(world.office.done(&boss, &id, "again").await, Err(OfficeError::Conflict(_))));

    let unlock = Request { permission: Permission::UnlockCard, ..reset() };
    assert_eq!(world.office.propose(&agent, &unlock, true).await.unwrap(), Proposed::DoIt, "by policy");
    assert!(matches!(world.office.propose(&agent, &unlock, false).await.unwrap(), Proposed::Waits(_)));
    let rules = Request { permission: Permission::PublishRules, ..reset() };
    assert!(matches!(world.office.propose(&agent, &rules, true).await, Err(OfficeError::Forbidden(_))));
    let silent = Request { why: " ".into(), ..reset() };
    assert!(matches!(world.office.propose(&agent, &silent, true).await, Err(OfficeError::Invalid(_))));
    let Proposed::Waits(id) = world.office.propose(&agent, &reset(), true).await.unwrap() else { panic!() };
    let shown = world.office.proposal(&id).await.unwrap().shown();
    world.later(30 * 60);
    let expired = world.office.approve(&boss, &id, &shown).await;
    assert!(matches!(expired, Err(OfficeError::NotApproved(NotApproved::Expired))));
}

#[tokio::test]
async fn everything_is_in_the_log_and_the_log_verifies() {
    let world = World::new().await;
    world.account("audit", Role::Auditor).await;
    let (_, auditor) = world.sign_in("audit").await;
    assert!(refused(world.office.sign_in("audit", "wrong horse battery", "1", "d").await));
    let secret_typed = world.office.sign_in("hunter2hunter2", "x", "1", "d").await;
    assert!(refused(secret_typed));
    let other_host = open(&world.book, &world.now).await;
    let (a, b) = tokio::join!(
        world.office.note(&auditor, Noted::done("card.view").about("card", "c1").because("case 7")),
        other_host.note(&auditor, Noted::done("card.view").about("card", "c2").because("case 7")),
    );
    a.unwrap();
    b.unwrap();
    let mut out = Vec::new();
    let records = world.office.export(&auditor, &mut out).await.unwrap();
    let key = audit::Verifier::read(&world.office.audit_key()).unwrap();
    let trusted = audit::export::Trusted { key: Some(key), checkpoint: None };
    let report = audit::export::verify(out.as_slice(), &trusted).unwrap();
    assert_eq!(report.records, records);
    let text = String::from_utf8(out).unwrap();
    for part in
        ["staff.open", "staff.set-up", "session.begin", "\"refused\"", "card.view", "card:c2", "audit.export"]
    {
        assert!(text.contains(part), "{part}");
    }
    assert!(!text.contains("hunter2"), "a password in the field of the name is not written down");
    let newest = world.office.records(None, 3).await.unwrap();
    assert_eq!(newest[0].1.action, "audit.export");
    let again = open(&world.book, &world.now).await;
    assert_eq!(again.audit_key(), world.office.audit_key(), "the key survives");
}
