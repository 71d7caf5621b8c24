//! How many statements a batch takes, and how the database finds their rows.

use std::collections::BTreeSet;
use std::sync::Arc;

use pointbridge_core::command::{AbortExchange, CommitExchange, Envelope};
use pointbridge_core::ids::{ExchangeId, MembershipId};
use pointbridge_core::text::ReasonCode;
use pointbridge_store::{ExchangeFilter, MembershipName, Page, Scope, Store, Views};
use sqlx::{Connection, Row, SqliteConnection};

use super::fixture::{Fixture, Pair, code, envelope, partner, run};

/// Tables of few rows, and the parameters themselves.
const MAY_BE_SCANNED: [&str; 5] = ["json_each", "asked", "linked", "store_state", "settlement_window"];

async fn count(fixture: &Fixture, batch: &[Arc<Envelope>]) -> Vec<String> {
    fixture.take_statements();
    let answers = run(&fixture.store, batch).await.unwrap();
    assert!(answers.iter().all(|a| matches!(a, pointbridge_core::command::Answer::Done(_))), "{answers:?}");
    fixture.take_statements()
}

async fn prepares(fixture: &Fixture, pair: &Pair, count: usize) -> Vec<Arc<Envelope>> {
    let mut batch = Vec::new();
    for _ in 0..count {
        batch.push(envelope(partner("airline"), fixture.prepare(pair, 2).await));
    }
    batch
}

fn exchanges(batch: &[Arc<Envelope>], answers: &[pointbridge_core::command::Answer]) -> Vec<ExchangeId> {
    assert_eq!(batch.len(), answers.len());
    let done = answers.iter().filter_map(|answer| match answer {
        pointbridge_core::command::Answer::Done(record) => record.exchange().map(|e| e.exchange_id),
        _ => None,
    });
    done.collect()
}

#[tokio::test]
async fn a_batch_of_a_thousand_takes_as_many_statements_as_a_batch_of_ten() {
    let fixture = Fixture::new().await;
    let pair = fixture.pair().await;
    let accruals =
        |n| vec![(); n].into_iter().map(|()| Fixture::accrual(pair.source, "1")).collect::<Vec<_>>();
    let few = count(&fixture, &accruals(10)).await;
    assert_eq!(
        few.first().map(String::as_str),
        Some(
            "select membership.membership_id, membership.program_id, program.partner_code
         from json_each(?1) as asked
         join membership on membership.membership_id = unhex(asked.value)
         join program on program.program_id = membership.program_id"
        )
    );
    assert_eq!(few.last().map(String::as_str), Some("commit"));
    assert_eq!(few, count(&fixture, &accruals(1_000)).await);

    let (ten, ninety) = (prepares(&fixture, &pair, 10).await, prepares(&fixture, &pair, 90).await);
    let few = count(&fixture, &ten).await;
    assert_eq!(few, count(&fixture, &ninety).await);

    // Answered again: the replays name the exchanges.
    let answers = run(&fixture.store, &ninety).await.unwrap();
    let ids = exchanges(&ninety, &answers);
    let commits = |ids: &[ExchangeId]| {
        ids.iter()
            .map(|id| envelope(partner("airline"), CommitExchange { exchange_id: *id }))
            .collect::<Vec<_>>()
    };
    let few = count(&fixture, &commits(&ids[..10])).await;
    assert_eq!(few, count(&fixture, &commits(&ids[10..])).await);
}

/// Every view and every kind of command once, so that every statement but the check's is seen.
async fn use_everything(fixture: &Fixture) {
    let pair = fixture.pair().await;
    let committed = fixture.committed(&pair, 30).await;
    fixture.reversed(committed, "9").await;
    let exchange_id = fixture.prepared(&pair, 3).await;
    let reason = ReasonCode::new("CHANGED_MIND").unwrap();
    fixture.done(partner("airline"), AbortExchange { exchange_id, reason }).await;
    views(fixture, pair.source, exchange_id).await;
    fixture.store.due(10).await.unwrap();
}

async fn views(fixture: &Fixture, membership: MembershipId, exchange: ExchangeId) {
    fn first<K>() -> Page<K> {
        Page { after: None, size: 10 }
    }
    let store = &fixture.store;
    let scope = Scope::Partner(code("airline"));
    let found = store.membership(&scope, &MembershipName::Id(membership)).await.unwrap().unwrap();
    let name =
        MembershipName::External(found.membership.program_id, found.membership.external_reference.clone());
    store.membership(&scope, &name).await.unwrap().unwrap();
    store.partners(&scope, &first()).await.unwrap();
    store.programs(&scope, None, &first()).await.unwrap();
    store.consents(&scope, membership, &first()).await.unwrap().unwrap();
    store.postings(&scope, membership, &first()).await.unwrap().unwrap();
    store.lots(&scope, membership, &first()).await.unwrap().unwrap();
    store.exchange(&scope, exchange).await.unwrap().unwrap();
    let order = Some(pointbridge_core::text::Reference::new("order-1").unwrap());
    for filter in [
        ExchangeFilter::default(),
        ExchangeFilter { membership_id: Some(membership), ..ExchangeFilter::default() },
        ExchangeFilter { order, ..ExchangeFilter::default() },
    ] {
        assert_eq!(store.exchanges(&scope, &filter, &first()).await.unwrap().rows.len(), 2, "{filter:?}");
    }
}

#[tokio::test]
async fn no_statement_walks_through_a_table_that_grows() {
    let fixture = Fixture::new().await;
    use_everything(&fixture).await;
    let statements: BTreeSet<String> = fixture.take_statements().into_iter().collect();
    assert!(statements.len() > 50, "{}", statements.len());
    let url = format!("sqlite://{}", fixture.path().display());
    let mut raw = SqliteConnection::connect(&url).await.unwrap();
    // The plan of an insert into a parent also has a search for children that were waiting for it. It is jumped over where
    // none was, which is always: children come later.
    sqlx::query("pragma foreign_keys = off").execute(&mut raw).await.unwrap();
    let mut walks = Vec::new();
    for statement in statements.iter().filter(|text| !["begin immediate", "commit"].contains(&text.as_str()))
    {
        let explain = sqlx::AssertSqlSafe(format!("explain query plan {statement}"));
        for row in sqlx::query(explain).fetch_all(&mut raw).await.unwrap() {
            let detail: String = row.get("detail");
            let table = detail.strip_prefix("SCAN ").map(|rest| rest.split(' ').next().unwrap_or_default());
            let is_bounded = |table: &str| {
                MAY_BE_SCANNED.contains(&table)
                    || table.starts_with('(')
                    // Pages of lists are read in the order of the key and stop at the limit.
                    || statement.contains(" limit ?")
            };
            if table.is_some_and(|table| !is_bounded(table)) {
                walks.push(format!("{detail}: {statement}"));
            }
            assert!(!detail.contains("AUTOMATIC"), "an index made for one statement: {detail}: {statement}");
        }
    }
    assert_eq!(walks, Vec::<String>::new());
}
