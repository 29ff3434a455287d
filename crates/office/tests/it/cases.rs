//! The desk's cases over a book: two hosts, a restart, a link that works once.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use desk::{House, Opening, Outcome, Refusal, Source, Subject};
use model::{CardId, Timestamp};
use office::{CaseDesk, CaseError};
use staff::Token;
use store::{Book, MemoryBook};

const MINUTE: i64 = 60_000;

struct World {
    book: Arc<dyn Book>,
    now: Arc<AtomicI64>,
}

impl World {
    fn new() -> Self {
        Self { book: Arc::new(MemoryBook::default()), now: Arc::new(AtomicI64::new(1_794_967_200_000)) }
    }

    /// A host of this store.
    fn host(&self) -> CaseDesk {
        let now = self.now.clone();
        CaseDesk::new(self.book.clone(), Arc::new(move || Timestamp(now.load(Ordering::SeqCst))))
    }

    fn later(&self, ms: i64) {
        self.now.fetch_add(ms, Ordering::SeqCst);
    }
}

fn opening(card: u8) -> Opening {
    Opening {
        source: Source::Phone,
        subject: Subject { card: Some(CardId([card; 16])), code: Some("75".into()), ..Subject::default() },
        priority: None,
        summary: "locked at the till".into(),
        caller: String::new(),
        evidence: Vec::new(),
    }
}

async fn open(desk: &CaseDesk, card: u8) -> u32 {
    desk.act(|desk, house, _| desk.open(house, opening(card), "li.na")).await.unwrap()
}

async fn pass_gates(desk: &CaseDesk, no: u32) {
    let gates = desk
        .look(|desk, _| desk.case(no).unwrap().open_gates().map(|s| s.id.clone()).collect::<Vec<_>>())
        .await
        .unwrap();
    for gate in gates {
        desk.act(|desk, house, now| desk.step(house, no, &gate, "done", "li.na", now)).await.unwrap();
    }
}

#[tokio::test]
async fn two_hosts_have_one_desk_and_a_restart_forgets_nothing() {
    let world = World::new();
    let (east, west) = (world.host(), world.host());
    let one = open(&east, 1).await;
    let two = open(&west, 2).await;
    assert_ne!(one, two);
    let again = west.act(|desk, house, _| desk.open(house, opening(1), "wang.wei")).await;
    assert!(matches!(again, Err(CaseError::Refused(Refusal::Already(no))) if no == one));
    east.act(|desk, _, _| desk.case(two)?.note("seen from the east", "li.na")).await.unwrap();
    let restarted = world.host();
    let (a, b) = (
        restarted.look(|desk, _| desk.clone()).await.unwrap(),
        west.look(|desk, _| desk.clone()).await.unwrap(),
    );
    assert_eq!(a, b);
    assert_eq!(a.cases().count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_hosts_lose_no_note() {
    let world = World::new();
    let no = open(&world.host(), 1).await;
    let writers = (0..4).map(|host| {
        let desk = world.host();
        tokio::spawn(async move {
            for n in 0..5 {
                let text = format!("{host}.{n}");
                desk.act(|desk, _, _| desk.case(no)?.note(&text, "li.na")).await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let facts = world.host().look(|desk, _| desk.case(no).unwrap().history.len()).await.unwrap();
    assert_eq!(facts, 1 + 20);
}

#[tokio::test]
async fn no_host_closes_over_a_gate_and_the_question_is_answered_once() {
    let world = World::new();
    let desk = world.host();
    let no = open(&desk, 1).await;
    let refused = desk.close(no, Outcome::Solved, "paid", "li.na").await;
    assert!(matches!(refused, Err(CaseError::Refused(Refusal::GatesOpen(_)))), "{refused:?}");
    pass_gates(&desk, no).await;
    assert_eq!(desk.survey_token(no).await.unwrap(), None);
    desk.close(no, Outcome::Solved, "paid", "li.na").await.unwrap();
    let sent = world.host().survey_token(no).await.unwrap().unwrap();
    let token = Token::sent(&sent).unwrap();
    let stranger = Token::new([9; staff::session::TOKEN_LEN]);
    assert!(desk.is_survey(&token).await.unwrap());
    assert!(!desk.is_survey(&stranger).await.unwrap());
    assert!(matches!(desk.rate(&stranger, 5, "").await, Err(CaseError::Refused(Refusal::BadLink))));
    desk.rate(&token, 5, "quick").await.unwrap();
    assert!(matches!(world.host().rate(&token, 1, "").await, Err(CaseError::Refused(Refusal::BadLink))));
    assert!(!desk.is_survey(&token).await.unwrap());
    assert_eq!(desk.survey_token(no).await.unwrap(), None);
    // The token itself stands nowhere in the book.
    let facts = world.book.read("cases", 0, 1000).await.unwrap();
    assert!(facts.iter().all(|fact| !String::from_utf8_lossy(&fact.body).contains(&sent)));
}

#[tokio::test]
async fn a_link_ends_and_a_reopened_case_has_none() {
    let world = World::new();
    let desk = world.host();
    let no = open(&desk, 1).await;
    pass_gates(&desk, no).await;
    desk.close(no, Outcome::Explained, "told", "li.na").await.unwrap();
    let token = Token::sent(&desk.survey_token(no).await.unwrap().unwrap()).unwrap();
    desk.act(|desk, _, _| desk.case(no)?.reopen("called again", "li.na")).await.unwrap();
    assert!(!desk.is_survey(&token).await.unwrap());
    desk.close(no, Outcome::Explained, "told", "li.na").await.unwrap();
    let token = Token::sent(&desk.survey_token(no).await.unwrap().unwrap()).unwrap();
    world.later(15 * 24 * 3_600_000);
    assert!(!desk.is_survey(&token).await.unwrap());
    assert_eq!(desk.survey_token(no).await.unwrap(), None);
}

#[tokio::test]
async fn a_step_of_escalation_is_taken_by_one_host() {
    let world = World::new();
    let (east, west) = (world.host(), world.host());
    let no = open(&east, 1).await;
    world.later(12 * MINUTE);
    let (a, b) = (east.due().await.unwrap(), west.due().await.unwrap());
    assert_eq!((a.len(), &a), (1, &b));
    east.escalated(&a[0]).await.unwrap();
    west.escalated(&b[0]).await.unwrap();
    let taken = west.look(|desk, _| desk.case(no).unwrap().escalated.len()).await.unwrap();
    assert_eq!(taken, 1);
    assert!(west.due().await.unwrap().is_empty());
    assert!(std::ptr::eq(east.house(), House::builtin()));
}
