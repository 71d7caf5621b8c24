//! How many statements a batch takes, and how the database finds their rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use pointbridge_core::approval::ApprovalState;
use pointbridge_core::caller::{Caller, Party};
use pointbridge_core::command::{
    AbortExchange, AddCertificate, AdjustPoints, Approve, CommitExchange, Envelope, RegisterSigningKey,
    RevokeCertificate,
};
use pointbridge_core::ids::{ExchangeId, MembershipId};
use pointbridge_core::points::Entered;
use pointbridge_core::record::Body;
use pointbridge_core::text::{KeyId, ReasonCode, Reference};
use pointbridge_store::{ExchangeFilter, MembershipName, Page, Scope, Store, Views};
use sqlx::{Connection, Row, SqliteConnection};

use super::fixture::{Fixture, Pair, code, envelope, partner, run};

/// Tables of few rows, and the parameters themselves.
const MAY_BE_SCANNED: [&str; 6] =
    ["jsonb_each", "asked", "linked", "store_state", "settlement_window", "pragma_data_version"];

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
    // The first reads the account, which is kept from then on.
    count(&fixture, &accruals(1)).await;
    let few = count(&fixture, &accruals(10)).await;
    assert_eq!(few.last().map(String::as_str), Some("commit"));
    assert_eq!(few, count(&fixture, &accruals(1_000)).await);

    // What the first of them reads is kept, and not asked for again.
    let first = prepares(&fixture, &pair, 5).await;
    let first = count(&fixture, &first).await;
    let (ten, eighty) = (prepares(&fixture, &pair, 10).await, prepares(&fixture, &pair, 80).await);
    let few = count(&fixture, &ten).await;
    let reads = |statements: &[String]| statements.iter().filter(|text| text.starts_with("select")).count();
    assert!(reads(&few) < reads(&first), "{few:#?}");
    assert_eq!(few, count(&fixture, &eighty).await);

    // Answered again: the replays name the exchanges.
    let answers = run(&fixture.store, &eighty).await.unwrap();
    let ids = exchanges(&eighty, &answers);
    let commits = |ids: &[ExchangeId]| {
        ids.iter()
            .map(|id| envelope(partner("airline"), CommitExchange { exchange_id: *id }))
            .collect::<Vec<_>>()
    };
    count(&fixture, &commits(&ids[..1])).await;
    let few = count(&fixture, &commits(&ids[1..10])).await;
    assert_eq!(few, count(&fixture, &commits(&ids[10..])).await);
}

/// Every view and every kind of command once, so that with `parts` every statement but the check's is seen. Answers with a
/// membership that has lots, postings and exchanges.
async fn use_everything(fixture: &Fixture) -> MembershipId {
    let pair = fixture.pair().await;
    let committed = fixture.committed(&pair, 30).await;
    fixture.reversed(committed, "9").await;
    let exchange_id = fixture.prepared(&pair, 3).await;
    let reason = ReasonCode::new("CHANGED_MIND").unwrap();
    fixture.done(partner("airline"), AbortExchange { exchange_id, reason }).await;
    standing(fixture, &pair).await;
    views(fixture, pair.source, exchange_id).await;
    fixture.store.due(10).await.unwrap();
    pair.source
}

/// Two people, a certificate that is pinned and revoked, and a key.
async fn standing(fixture: &Fixture, pair: &Pair) {
    let person = |name: &str| Caller { party: Party::Operator, principal: format!("operator/{name}") };
    let reason = || ReasonCode::new("CORRECTION").unwrap();
    let correct = AdjustPoints {
        membership_id: pair.source,
        amount: Entered::parse("1").unwrap(),
        reason: reason(),
        reference: Reference::new("ticket-1").unwrap(),
    };
    let asked = fixture.done(person("wang"), correct).await;
    let Body::Approval(body) = &asked.body else { panic!("no approval: {asked:?}") };
    let (approval_id, content_hash) = (body.approval.approval_id, body.approval.content_hash);
    fixture.done(person("zhao"), Approve { approval_id, content_hash }).await;
    let now = asked.decided_at;
    let pin = AddCertificate {
        partner: code("airline"),
        fingerprint: [7; 32],
        named_partner: Some(code("airline")),
        principal: "partner/airline/partner/till-7".to_owned(),
        serial: "07".to_owned(),
        not_before: now,
        not_after: now.plus_seconds(3600),
        calling_with: Some([7; 32]),
    };
    fixture.done(partner("airline"), pin).await;
    fixture.done(person("wang"), RevokeCertificate { fingerprint: [7; 32], reason: reason() }).await;
    let program_id = fixture.program_of(pair.source).await;
    let key = RegisterSigningKey { program_id, key_id: KeyId::new("a").unwrap(), public_key: [1; 32] };
    fixture.done(partner("airline"), key).await;
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
    store.approvals(&Scope::All, None, &first()).await.unwrap();
    store.certificates(&Scope::All, None, &first()).await.unwrap();
    store.signing_keys(&scope, found.membership.program_id).await.unwrap().unwrap();
    store.admission(scope.partner(), &[7; 32]).await.unwrap();
    store.programs(&scope, None, &first()).await.unwrap();
    store.exchange(&scope, exchange).await.unwrap().unwrap();
    let everyones = store.exchanges(&Scope::All, &ExchangeFilter::default(), &first()).await.unwrap();
    assert_eq!(everyones.rows.len(), 2);
}

/// Every list of tables that grow, of a part that the caller or the filter names.
async fn parts(fixture: &Fixture, membership: MembershipId) {
    fn first<K>() -> Page<K> {
        Page { after: None, size: 10 }
    }
    let store = &fixture.store;
    let scope = Scope::Partner(code("airline"));
    for (state, count) in [
        (ApprovalState::Pending, 0),
        (ApprovalState::Expired, 0),
        (ApprovalState::Approved, 1),
        (ApprovalState::Rejected, 0),
    ] {
        let (found, _) = store.approvals(&Scope::All, Some(state), &first()).await.unwrap();
        assert_eq!(found.rows.len(), count, "{state:?}");
    }
    let (airline, market) = (code("airline"), code("market"));
    for (scope, partner, count) in [
        (&Scope::All, Some(&airline), 1),
        (&scope, None, 1),
        (&scope, Some(&airline), 1),
        (&scope, Some(&market), 0),
    ] {
        let found = store.certificates(scope, partner, &first()).await.unwrap();
        assert_eq!(found.rows.len(), count, "{scope:?} {partner:?}");
    }
    store.consents(&scope, membership, &first()).await.unwrap().unwrap();
    store.postings(&scope, membership, &first()).await.unwrap().unwrap();
    store.lots(&scope, membership, &first()).await.unwrap().unwrap();
    let order = Some(Reference::new("order-1").unwrap());
    for filter in [
        ExchangeFilter::default(),
        ExchangeFilter { membership_id: Some(membership), ..ExchangeFilter::default() },
        ExchangeFilter { order, ..ExchangeFilter::default() },
    ] {
        assert_eq!(store.exchanges(&scope, &filter, &first()).await.unwrap().rows.len(), 2, "{filter:?}");
    }
}

/// What is wrong with how a statement's plan finds the rows of a table that grows. Whole lists are read in the order of
/// their key and stop at the limit; a part of a list is found by what names it, and is in order where it is found.
fn fault(detail: &str, statement: &str, of_a_part: bool) -> Option<&'static str> {
    if detail.contains("AUTOMATIC") {
        return Some("an index made for one statement");
    }
    if of_a_part && detail.starts_with("USE TEMP B-TREE") && detail.contains("ORDER BY") {
        return Some("everything that is found is sorted");
    }
    let table = |verb: &str| {
        let rest = detail.strip_prefix(verb).and_then(|rest| rest.split(' ').next());
        rest.filter(|table| !MAY_BE_SCANNED.contains(table) && !table.starts_with('('))
    };
    if table("SCAN ").is_some() && (of_a_part || !statement.contains(" limit ?")) {
        return Some("a walk");
    }
    // From some key on, or up to one, is a walk as well.
    (of_a_part && table("SEARCH ").is_some() && !detail.contains("=?")).then_some("a walk from a key")
}

#[tokio::test]
async fn no_statement_walks_through_a_table_that_grows() {
    let fixture = Fixture::new().await;
    let membership = use_everything(&fixture).await;
    let mut statements: BTreeMap<String, bool> =
        fixture.take_statements().into_iter().map(|text| (text, false)).collect();
    parts(&fixture, membership).await;
    // One that serves a whole list too is held to what a part takes.
    statements.extend(fixture.take_statements().into_iter().map(|text| (text, true)));
    assert!(statements.len() > 50, "{}", statements.len());
    let is_frame =
        |text: &str| ["begin immediate", "commit"].contains(&text) || text.contains("into refused");
    statements.retain(|text, _| !is_frame(text));
    let url = format!("sqlite://{}", fixture.path().display());
    let mut raw = SqliteConnection::connect(&url).await.unwrap();
    // The plan of an insert into a parent also has a search for children that were waiting for it. It is jumped over where
    // none was, which is always: children come later.
    sqlx::query("pragma foreign_keys = off").execute(&mut raw).await.unwrap();
    let mut faults = Vec::new();
    for (statement, of_a_part) in &statements {
        let explain = sqlx::AssertSqlSafe(format!("explain query plan {statement}"));
        for row in sqlx::query(explain).fetch_all(&mut raw).await.unwrap() {
            let detail: String = row.get("detail");
            if let Some(fault) = fault(&detail, statement, *of_a_part) {
                faults.push(format!("{fault}: {detail}: {statement}"));
            }
        }
    }
    assert_eq!(faults, Vec::<String>::new());
}
