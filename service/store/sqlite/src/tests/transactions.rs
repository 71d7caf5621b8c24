//! A batch is written whole or not at all, whatever becomes of its caller.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use pointbridge_core::command::{Answer, CommitExchange, CreatePartner, Envelope, ExpireLots};
use pointbridge_core::exchange::ReservationState;
use pointbridge_core::ids::MembershipId;
use pointbridge_core::ledger::{Account, LotDelta, LotKey};
use pointbridge_core::text::DisplayName;
use pointbridge_core::time::{Expiry, Month};
use pointbridge_core::world::{AccountNeed, Changes, Footprint, ReservationEnd};
use pointbridge_store::{AuditRow, Due, Scope, Store, StoreError, Views};
use sqlx::{Connection, SqliteConnection};
use uuid::Uuid;

use super::fixture::{Fixture, START, code, envelope, partner, run};

async fn posted(fixture: &Fixture, membership: MembershipId) -> i64 {
    fixture.store.balance(&Scope::All, membership).await.unwrap().unwrap().0.posted
}

/// Polls a future some times, lets others work in between, and drops it. Answers whether it was ready.
async fn poll_and_drop<F: Future>(future: F, times: u32) -> bool {
    let mut future = pin!(future);
    for _ in 0..times {
        if future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

#[tokio::test]
async fn a_dropped_batch_is_there_whole_or_not_at_all_and_the_next_one_works() {
    let fixture = Fixture::new().await;
    let program = fixture.program("airline").await;
    let membership = fixture.membership("airline", program, "flyer-1").await;
    let (mut lost, mut kept) = (0, 0);
    for times in 0..400 {
        let before = posted(&fixture, membership).await;
        fixture.take_statements();
        let is_answered =
            poll_and_drop(run(&fixture.store, &[Fixture::accrual(membership, "7")]), times).await;
        let was_sent = fixture.take_statements().iter().any(|statement| statement == "commit");
        run(&fixture.store, &[Fixture::accrual(membership, "1")]).await.unwrap();
        let gained = posted(&fixture, membership).await - before;
        match (is_answered, was_sent, gained) {
            (true, true, 8) | (false, false, 1) => {}
            (false, true, 1) => lost += 1,
            (false, true, 8) => kept += 1,
            other => panic!("dropped after {times} polls: {other:?}"),
        }
    }
    assert!(lost + kept > 10, "too few batches were dropped while they were written: {lost} and {kept}");
    let mut sum = 0;
    let mut visit = |row| {
        if let AuditRow::Posting { amount, membership_id: Some(_), .. } = row {
            sum += amount;
        }
    };
    fixture.store.audit(&mut visit).await.unwrap();
    assert_eq!(sum, posted(&fixture, membership).await, "the account has what its postings say");
}

#[tokio::test]
async fn what_a_constraint_refuses_is_broken_and_leaves_nothing() {
    let fixture = Fixture::new().await;
    let program = fixture.program("airline").await;
    let membership = fixture.membership("airline", program, "flyer-1").await;
    let lot = LotKey { expiry: Expiry::Never, origin: Month::from_number(24_000), exchangeable: true };
    let account = |posted, held| {
        let account = Account { posted, held, ..Account::open(membership) };
        Changes { accounts: [(membership, account)].into(), ..Changes::default() }
    };
    let moved = |remaining, held| Changes {
        lots: [((membership, lot), LotDelta { remaining, held })].into(),
        ..Changes::default()
    };
    let stranger = MembershipId::new(Uuid::nil());
    let unknown = Changes { accounts: [(stranger, Account::open(stranger))].into(), ..Changes::default() };
    let end = ReservationEnd {
        state: ReservationState::Aborted,
        decided_at: pointbridge_core::time::Timestamp::from_micros(START).unwrap(),
        record_id: pointbridge_core::ids::RecordId::new(Uuid::nil()),
    };
    let exchange = pointbridge_core::ids::ExchangeId::new(Uuid::nil());
    let ended = Changes { ended: [(exchange, end)].into(), ..Changes::default() };
    for (changes, said) in [
        (account(-1, 0), "account_held"),
        (account(5, 6), "account_held"),
        (account(5, -1), "account_held"),
        (moved(-1, 0), "1 rows of lot were to change, and others did"),
        (moved(1, 2), "1 rows of lot were to change, and others did"),
        (unknown, "1 rows of account were to change, and others did"),
        (ended, "1 rows of reservation were to change, and others did"),
    ] {
        let result = fixture.store.transact(&Footprint::default(), |_| (changes.clone(), ())).await;
        let Err(StoreError::Broken(text)) = result else { panic!("{said}: {result:?}") };
        assert!(text.contains(said), "{said}: {text}");
        assert_eq!(posted(&fixture, membership).await, 0);
    }
    run(&fixture.store, &[Fixture::accrual(membership, "1")]).await.unwrap();
    assert_eq!(posted(&fixture, membership).await, 1);
}

#[tokio::test]
async fn a_replay_answers_with_the_record_of_then() {
    let fixture = Fixture::new().await;
    let program = fixture.program("airline").await;
    let membership = fixture.membership("airline", program, "flyer-1").await;
    let accrual = Fixture::accrual(membership, "7");
    let first = run(&fixture.store, std::slice::from_ref(&accrual)).await.unwrap();
    run(&fixture.store, &[Fixture::accrual(membership, "1")]).await.unwrap();
    assert_eq!(run(&fixture.store, &[accrual]).await.unwrap(), first);
    assert_eq!(posted(&fixture, membership).await, 8);
}

#[tokio::test]
async fn time_never_goes_back_even_when_nothing_was_written() {
    let fixture = Fixture::new().await;
    let now = async || {
        let footprint = Footprint::default();
        fixture.store.transact(&footprint, |world| (Changes::default(), world.now.micros())).await
    };
    fixture.pass(10);
    assert_eq!(now().await, Ok(START + 10_000_000));
    fixture.pass(-20);
    assert_eq!(now().await, Ok(START + 10_000_000));
}

#[tokio::test]
async fn a_hold_that_is_over_is_due_and_ends_before_its_points_are_needed() {
    let fixture = Fixture::new().await;
    let pair = fixture.pair().await;
    let first = fixture.prepared(&pair, 900).await;
    assert_eq!(fixture.store.due(10).await, Ok(Vec::new()));
    fixture.pass(301);
    assert_eq!(fixture.store.due(10).await, Ok(vec![Due::Hold(first)]));
    let second = fixture.prepared(&pair, 900).await;
    assert_eq!(fixture.store.due(10).await, Ok(Vec::new()));
    let exchange = fixture.store.exchange(&Scope::All, first).await.unwrap().unwrap().0.exchange;
    assert_eq!(exchange.state, ReservationState::Expired);
    let commit = |exchange_id| envelope(partner("airline"), CommitExchange { exchange_id });
    let answers = run(&fixture.store, &[commit(first), commit(second)]).await.unwrap();
    assert!(matches!(answers.as_slice(), [Answer::Refused(_), Answer::Done(_)]), "{answers:?}");
    // 1,000 came in at the month's lot, 900 left, the rest is over in a year.
    fixture.pass(400 * 86_400);
    let due = fixture.store.due(10).await.unwrap();
    assert_eq!(due.len(), 2, "{due:?}");
    assert_eq!(fixture.store.due(1).await.unwrap().len(), 1);
    assert!(due.contains(&Due::Lots(pair.source)) && due.contains(&Due::Lots(pair.destination)), "{due:?}");
    assert_eq!(lots_told_wrongly(&fixture).await, 0);
    let expire = |membership_id| {
        Arc::new(Envelope::from_hub(super::fixture::seed(), Box::new(ExpireLots { membership_id })))
    };
    run(&fixture.store, &[expire(pair.source), expire(pair.destination)]).await.unwrap();
    assert_eq!(fixture.store.due(10).await, Ok(Vec::new()), "nothing is free any more");
    assert_eq!(lots_told_wrongly(&fixture).await, 0);
}

/// How many lots say that they have something free and have not, or the other way.
async fn lots_told_wrongly(fixture: &Fixture) -> i64 {
    let url = format!("sqlite://{}", fixture.path().display());
    let mut conn = SqliteConnection::connect(&url).await.unwrap();
    let sql = "select count(*) from lot where has_free <> (remaining > held)";
    sqlx::query_scalar(sql).fetch_one(&mut conn).await.unwrap()
}

#[tokio::test]
async fn a_refused_neighbour_does_not_sink_the_batch() {
    let fixture = Fixture::new().await;
    let program = fixture.program("airline").await;
    let membership = fixture.membership("airline", program, "flyer-1").await;
    let again = CreatePartner { code: code("airline"), name: DisplayName::new("Again").unwrap() };
    let batch = [
        Fixture::accrual(membership, "2"),
        envelope(partner("airline"), again),
        Fixture::accrual(membership, "3"),
    ];
    let answers = run(&fixture.store, &batch).await.unwrap();
    assert!(
        matches!(answers.as_slice(), [Answer::Done(_), Answer::Refused(_), Answer::Done(_)]),
        "{answers:?}"
    );
    assert_eq!(posted(&fixture, membership).await, 5);
}

#[tokio::test]
async fn what_somebody_else_has_written_is_what_the_next_batch_is_decided_on() {
    let fixture = Fixture::new().await;
    let program = fixture.program("airline").await;
    let membership = fixture.membership("airline", program, "flyer-1").await;
    run(&fixture.store, &[Fixture::accrual(membership, "7")]).await.unwrap();
    let url = format!("sqlite://{}", fixture.path().display());
    let mut other = SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("update account set posted = posted + 100").execute(&mut other).await.unwrap();
    // Before it is answered, too, where nothing is to be written.
    let footprint =
        Footprint { accounts: [(membership, AccountNeed::Balance)].into(), ..Footprint::default() };
    let read = fixture.store.transact(&footprint, |world| (Changes::default(), world.account(membership)));
    assert_eq!(read.await.unwrap().unwrap().posted, 107);
    sqlx::query("update account set posted = posted + 100").execute(&mut other).await.unwrap();
    run(&fixture.store, &[Fixture::accrual(membership, "7")]).await.unwrap();
    assert_eq!(posted(&fixture, membership).await, 214);
}
