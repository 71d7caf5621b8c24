//! What SQLite itself answers to faults, and what the seam makes of it.

use pointbridge_core::command::Answer;
use pointbridge_core::ids::MembershipId;
use pointbridge_store::{Scope, StoreError, Views};
use sqlx::{Connection, SqliteConnection};

use super::fixture::{Fixture, run};
use crate::error;

async fn connect(fixture: &Fixture) -> SqliteConnection {
    let url = format!("sqlite://{}", fixture.path().display());
    let mut conn = SqliteConnection::connect(&url).await.unwrap();
    answer(&mut conn, "pragma busy_timeout = 0").await.unwrap();
    conn
}

async fn answer(conn: &mut SqliteConnection, sql: &'static str) -> Result<(), StoreError> {
    sqlx::query(sql).execute(conn).await.map(|_| ()).map_err(error::of)
}

#[tokio::test]
async fn a_database_at_its_limit_is_full() {
    let fixture = Fixture::new().await;
    let mut conn = connect(&fixture).await;
    answer(&mut conn, "pragma max_page_count = 1").await.unwrap();
    let sql = "insert into partner values ('airline', hex(zeroblob(1000000)), 'ACTIVE', 0, 0)";
    let result = answer(&mut conn, sql).await;
    assert!(matches!(result, Err(StoreError::Full(_))), "{result:?}");
}

/// Tells the writer how many pages the database may have.
async fn limit_pages(fixture: &Fixture, sql: &'static str) {
    let mut transaction = fixture.store.transaction().await.unwrap();
    transaction.session().unwrap().run(sql, Vec::new()).await.unwrap();
    transaction.commit().await.unwrap();
}

async fn posted(fixture: &Fixture, membership: MembershipId) -> i64 {
    fixture.store.balance(&Scope::All, membership).await.unwrap().unwrap().0.posted
}

#[tokio::test]
async fn a_full_store_refuses_whole_batches_and_goes_on_reading_and_writes_again_with_the_room() {
    let fixture = Fixture::new().await;
    let program = fixture.program("airline").await;
    let membership = fixture.membership("airline", program, "flyer-1").await;
    // As many pages as there are: what fits into them is still written.
    limit_pages(&fixture, "pragma max_page_count = 1").await;
    let mut written = 0;
    let refused = loop {
        match run(&fixture.store, &[Fixture::accrual(membership, "1"), Fixture::accrual(membership, "1")])
            .await
        {
            Ok(_) => written += 2,
            Err(error) => break error,
        }
        assert!(written < 1_000, "the limit is none");
    };
    assert!(matches!(refused, StoreError::Full(_)), "{refused:?}");
    assert_eq!(posted(&fixture, membership).await, written, "a batch is written whole or not at all");
    limit_pages(&fixture, "pragma max_page_count = 1073741823").await;
    let answers = run(&fixture.store, &[Fixture::accrual(membership, "1")]).await.unwrap();
    assert!(matches!(answers.as_slice(), [Answer::Done(_)]), "{answers:?}");
    assert_eq!(posted(&fixture, membership).await, written + 1);
}

#[tokio::test]
async fn a_database_that_another_writes_to_is_unavailable() {
    let fixture = Fixture::new().await;
    let mut first = connect(&fixture).await;
    let mut second = connect(&fixture).await;
    answer(&mut first, "begin immediate").await.unwrap();
    let result = answer(&mut second, "begin immediate").await;
    assert!(matches!(result, Err(StoreError::Unavailable(_))), "{result:?}");
    answer(&mut first, "rollback").await.unwrap();
    assert_eq!(answer(&mut second, "begin immediate").await, Ok(()));
}

#[tokio::test]
async fn what_the_schema_refuses_is_broken_and_named() {
    let fixture = Fixture::new().await;
    fixture.program("airline").await;
    let mut conn = connect(&fixture).await;
    for (sql, said) in [
        ("insert into settlement_window values (randomblob(16), 0, null)", "settlement_window_open"),
        ("insert into settlement_window values (randomblob(15), 0, 1)", "settlement_window_id_size"),
        ("insert into settlement_window values (randomblob(16), 0, 'x')", "INTEGER"),
        ("insert into partner values ('airline', 'Again', 'ACTIVE', 0, 0)", "partner.partner_code"),
        ("update partner set status = 'GONE'", "partner_status"),
        ("insert into initiator values ('cinema', 0)", "FOREIGN KEY"),
        ("delete from record", "append-only: record"),
    ] {
        let Err(StoreError::Broken(text)) = answer(&mut conn, sql).await else { panic!("{sql}") };
        assert!(text.contains(said), "{sql}: {text}");
    }
    let result = answer(&mut conn, "select * from coupon").await;
    assert!(matches!(result, Err(StoreError::Schema(_))), "{result:?}");
}
