//! One suite for every engine: what the memory store does, the others do.

use std::sync::Arc;

use authorization::{
    Effect, Forward, Forwarded,
    forward::{Stage, Undo},
    terminal::TerminalEffect,
};
use model::{Amount, BatchNumber, ReasonCode, Timestamp};
use store::{
    AppendError, Engine, Entry, Event, Subject,
    journal::{UpstreamEvent, UpstreamStep},
    memory::MemoryEngine,
};

use crate::world::*;

#[tokio::test]
async fn the_memory_store_behaves() {
    behaves(Arc::new(MemoryEngine::default())).await;
}

on_both_engines!(it_behaves);

async fn it_behaves(bench: Bench) {
    behaves(bench.engine.clone()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_on_a_database_behaves_with_no_room_in_memory_and_states_saved_all_the_time() {
    let url = crate::server::Server::shared().database().await;
    let dir = tempfile::tempdir().unwrap();
    let limits = store_sql::postgres::Limits {
        cards_cached: 1,
        terminals_cached: 1,
        batch_entries: 3,
        save_after: 1,
        archive_round: 2,
        lanes: 5,
        ..few_partitions()
    };
    behaves(store_sql::postgres::open(dir.path(), &url, limits).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_store_behaves_with_no_room_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    behaves(store_sql::sqlite::open_with(dir.path(), hectic()).unwrap()).await;
}

async fn behaves(engine: Arc<dyn Engine>) {
    let engine = &*engine;
    nobody_is_known_at_first(engine).await;
    engine.register(everybody(40, 3)).await.unwrap();
    an_entry_continues_its_subject(engine).await;
    an_answer_is_kept(engine).await;
    a_registered_card_keeps_its_state(engine).await;
    totals_are_exact(engine).await;
    a_transaction_leads_to_its_card(engine).await;
    terminals_have_their_own_numbers(engine).await;
    many_cards_are_told_apart(engine).await;
    what_is_outstanding_is_found_again(engine).await;
}

async fn nobody_is_known_at_first(engine: &dyn Engine) {
    engine.check().await.unwrap();
    assert_eq!(engine.card(&engine.card_id(&pan(1))).await.unwrap(), None);
    assert_eq!(engine.terminal(&terminal_id(1)).await.unwrap(), None);
    assert_eq!(engine.entry(1).await.unwrap(), None);
    let stranger = at_terminal(1, 1, T0, TerminalEffect::SignOut, ReasonCode::Approved);
    assert_eq!(engine.append(stranger).await, Err(AppendError::UnknownSubject));
}

async fn an_entry_continues_its_subject(engine: &dyn Engine) {
    let card = get(engine, 1).await;
    assert_eq!(card.state.seq, 0);
    assert_eq!(card.record.product, "debit");
    assert!(card.reference.is_some());
    let entry = sale(&card, Tx { stan: 1, amount: 100, ..Tx::default() });
    let place = engine.append(entry.clone()).await.unwrap();
    assert_eq!(engine.append(entry).await, Err(AppendError::Collision));
    let after = get(engine, 1).await;
    assert_eq!((after.state.seq, after.state.balance), (1, Amount(999_900)));
    assert_eq!(after.state.traces[0].journal_seq, place);
    let mut ahead = sale(&after, Tx { stan: 2, ..Tx::default() });
    ahead.seq = 3;
    assert_eq!(engine.append(ahead).await, Err(AppendError::Collision));
}

async fn an_answer_is_kept(engine: &dyn Engine) {
    let card = get(engine, 1).await;
    let entry = sale(&card, Tx { stan: 3, ..Tx::default() });
    let place = engine.append(entry.clone()).await.unwrap();
    assert_eq!(engine.entry(place).await.unwrap(), Some(entry));
    assert_eq!(engine.entry(place + 1).await.unwrap(), None);
    assert_eq!(engine.entry(0).await.unwrap(), None);
    assert_ne!(engine.digest(&[b"ab", b"c"]), engine.digest(&[b"a", b"bc"]));
}

async fn a_registered_card_keeps_its_state(engine: &dyn Engine) {
    let before = get(engine, 1).await;
    let mut record = record(&pan(1));
    record.product = "gold".into();
    record.opening_balance = Amount(5);
    let again = store::Registration::Card { pan: pan(1), record, reference: None };
    engine.register(vec![again, terminal(1)]).await.unwrap();
    let after = get(engine, 1).await;
    assert_eq!(after.state, before.state);
    assert_eq!((after.record.product.as_str(), after.reference.is_some()), ("gold", false));
}

async fn totals_are_exact(engine: &dyn Engine) {
    let batch = BatchNumber::new(1).unwrap();
    let before = engine.batch_totals(&terminal_id(2), batch).await.unwrap();
    assert_eq!(before.debit_count, 0);
    for stan in 10..20 {
        pay(engine, stan, Tx { terminal: 2, stan, amount: 100, ..Tx::default() }).await;
    }
    let after = engine.batch_totals(&terminal_id(2), batch).await.unwrap();
    assert_eq!((after.debit_count, after.debit_sum), (10, Amount(1000)));
    assert_eq!(engine.batch_totals(&terminal_id(2), batch.next()).await.unwrap().debit_count, 0);
}

async fn a_transaction_leads_to_its_card(engine: &dyn Engine) {
    let found = engine.card_of(&key(2, 1, 12)).await.unwrap();
    assert_eq!(found, Some(engine.card_id(&pan(12))));
    assert_eq!(engine.card_of(&key(2, 1, 999)).await.unwrap(), None);
    assert_eq!(engine.card_of(&key(2, 2, 12)).await.unwrap(), None);
}

async fn terminals_have_their_own_numbers(engine: &dyn Engine) {
    let suspend = |seq, suspended| {
        at_terminal(3, seq, T0, TerminalEffect::Suspend { suspended }, ReasonCode::TerminalSuspended)
    };
    engine.append(suspend(1, true)).await.unwrap();
    assert_eq!(engine.append(suspend(1, false)).await, Err(AppendError::Collision));
    let terminal = engine.terminal(&terminal_id(3)).await.unwrap().unwrap();
    assert_eq!((terminal.state.seq, terminal.state.suspended), (1, true));
    engine.append(suspend(2, false)).await.unwrap();
}

async fn many_cards_are_told_apart(engine: &dyn Engine) {
    for n in 20..40 {
        pay(engine, n, Tx { stan: 100 + n, amount: i64::from(n), ..Tx::default() }).await;
    }
    for n in 20..40 {
        assert_eq!(get(engine, n).await.state.balance, Amount(1_000_000 - i64::from(n)));
    }
}

async fn what_is_outstanding_is_found_again(engine: &dyn Engine) {
    assert_eq!(engine.outstanding().await.unwrap(), []);
    let ids = [7, 8].map(|n| engine.card_id(&pan(n)));
    assert_eq!(engine.pan(&ids[0]).await.unwrap().unwrap().reveal(), pan(7).reveal());
    assert!(engine.pan(&engine.card_id(&pan(4711))).await.unwrap().is_none());
    for id in &ids {
        engine.note_outstanding(id, Timestamp(T0)).await.unwrap();
    }
    let card = get(engine, 7).await;
    let key = key(1, 1, 900);
    let undo = Undo { stan: key.stan, at: Timestamp(T0), why: ReasonCode::IssuerTimeout, said: false };
    let forward = Forward {
        key,
        kind: model::Kind::Sale,
        sent: Forwarded { route: "other".to_owned(), stan: key.stan, at: Timestamp(T0), code: None },
        merchant: merchant(),
        amount: Amount(100),
        currency: model::Currency::CNY,
        rrn: rrn(900),
        approval: None,
        stage: Stage::Undo(undo),
    };
    let effects = vec![Effect::Forward { forward: Box::new(forward.clone()) }];
    let event = UpstreamEvent {
        step: UpstreamStep::GivenUp,
        key,
        sent: forward.sent.clone(),
        pan: card.record.pan.clone(),
        merchant: merchant(),
        amount: Amount(100),
        currency: model::Currency::CNY,
        rrn: rrn(900),
        reason: ReasonCode::IssuerTimeout,
        code: None,
        took_ms: None,
        effects,
    };
    let entry = Entry {
        subject: Subject::Card(card.id),
        seq: card.state.seq + 1,
        at: Timestamp(T0),
        event: Event::Upstream(Box::new(event)),
        exchange: None,
    };
    drop(card);
    engine.append(entry).await.unwrap();

    let found = engine.outstanding().await.unwrap();
    assert_eq!(found.len(), 2);
    let of = |id| found.iter().find(|found| found.card.id == id).unwrap();
    assert_eq!(of(ids[0]).card.state.forwards(), [forward]);
    assert_eq!(of(ids[1]).card.state.forwards(), []);
    engine.note_outstanding(&ids[0], Timestamp(T0 + 5)).await.unwrap();
    for id in &ids {
        engine.forget_outstanding(id, Timestamp(T0)).await.unwrap();
    }
    let left: Vec<_> = engine.outstanding().await.unwrap().iter().map(|o| (o.card.id, o.noted)).collect();
    assert_eq!(left, [(ids[0], Timestamp(T0 + 5))], "noted again since");
}
