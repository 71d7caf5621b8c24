//! What is append-only stays as it was, whoever asks.

use sqlx::{Connection, SqliteConnection};

use pointbridge_core::command::WithdrawConsent;
use pointbridge_core::text::ReasonCode;
use pointbridge_store::{Page, Scope, Views};

use super::fixture::{Fixture, partner};

const APPEND_ONLY: [(&str, &str); 10] = [
    ("agreement_version", "version"),
    ("consent", "purpose"),
    ("consent_withdrawal", "reason"),
    ("record", "bytes"),
    ("exchange_leg", "money"),
    ("posting", "amount"),
    ("lot_movement", "held"),
    ("obligation", "money"),
    ("reversal", "source_points"),
    ("request", "body_hash"),
];

#[tokio::test]
async fn append_only_tables_can_be_neither_changed_nor_emptied() {
    let fixture = Fixture::new().await;
    let pair = fixture.pair().await;
    let committed = fixture.committed(&pair, 30).await;
    fixture.reversed(committed, "9").await;
    let page = Page { after: None, size: 1 };
    let consents = fixture.store.consents(&Scope::All, pair.source, &page).await.unwrap().unwrap();
    let consent_id = consents.rows[0].consent.consent_id;
    let reason = ReasonCode::new("MOVED").unwrap();
    fixture.done(partner("airline"), WithdrawConsent { consent_id, reason }).await;

    let url = format!("sqlite://{}", fixture.path().display());
    let mut raw = SqliteConnection::connect(&url).await.unwrap();
    for (table, column) in APPEND_ONLY {
        for statement in [format!("update {table} set {column} = {column}"), format!("delete from {table}")] {
            let result = sqlx::query(sqlx::AssertSqlSafe(statement.clone())).execute(&mut raw).await;
            let text = result.unwrap_err().to_string();
            assert!(text.contains(&format!("append-only: {table}")), "{statement}: {text}");
        }
    }
}

#[tokio::test]
async fn a_reservation_that_ended_stays_as_it_ended() {
    let fixture = Fixture::new().await;
    let pair = fixture.pair().await;
    fixture.committed(&pair, 30).await;
    let url = format!("sqlite://{}", fixture.path().display());
    let mut raw = SqliteConnection::connect(&url).await.unwrap();
    for (statement, said) in [
        ("update reservation set state = 'PREPARED', decided_at = null", "final: reservation"),
        ("delete from reservation", "append-only: reservation"),
    ] {
        let text = sqlx::query(statement).execute(&mut raw).await.unwrap_err().to_string();
        assert!(text.contains(said), "{statement}: {text}");
    }
}

#[tokio::test]
async fn replacing_a_row_does_not_go_around_the_guards() {
    let fixture = Fixture::new().await;
    let pair = fixture.pair().await;
    fixture.committed(&pair, 30).await;
    let transaction = fixture.store.transaction().await;
    let mut transaction = transaction.unwrap();
    let replace = "insert or replace into record select * from record where record_number = 1";
    let result = transaction.session().unwrap().run(replace, Vec::new()).await;
    let text = result.unwrap_err().to_string();
    assert!(text.contains("append-only: record"), "{text}");
}

/// Rows of `reversal` as nobody but a faulty program would write them: each names what is wrong with it.
#[tokio::test]
async fn a_part_that_does_not_follow_the_one_before_is_not_taken() {
    let fixture = Fixture::new().await;
    let pair = fixture.pair().await;
    let committed = fixture.committed(&pair, 30).await;
    let prepared = fixture.prepared(&pair, 30).await;
    let record = fixture.reversed(committed, "9").await.record_id;
    let url = format!("sqlite://{}", fixture.path().display());
    let mut raw = SqliteConnection::connect(&url).await.unwrap();
    for (line, exchange, [number, part, reversed], is_taken) in [
        ("the number before", committed, [1, 3, 12], false),
        ("a number too far", committed, [3, 3, 12], false),
        ("another sum before", committed, [2, 3, 13], false),
        ("more than the whole", committed, [2, 22, 31], false),
        ("not committed", prepared, [1, 3, 3], false),
        ("in line", committed, [2, 21, 30], true),
    ] {
        let blob = |bits: uuid::Uuid| format!("x'{}'", bits.simple());
        let statement = format!(
            "insert into reversal values ({}, {number}, {}, {}, {part}, {reversed})",
            blob(exchange.uuid()),
            blob(uuid::Uuid::from_u128(7)),
            blob(record.uuid()),
        );
        let result = sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut raw).await;
        let text = result.map_or_else(|error| error.to_string(), |_| String::new());
        assert_eq!(text.contains("out of line: reversal"), !is_taken, "{line}: {text}");
        assert_eq!(text.is_empty(), is_taken, "{line}: {text}");
    }
}

#[tokio::test]
async fn what_was_decided_or_revoked_stays_so_and_keys_never_change() {
    let fixture = Fixture::new().await;
    let pair = fixture.pair().await;
    let url = format!("sqlite://{}", fixture.path().display());
    let mut raw = SqliteConnection::connect(&url).await.unwrap();
    let made = [
        "insert into approval values (zeroblob(16), 'ResumePartner', x'7b7d', zeroblob(32), 0, 'operator/wang', 0, 9,
             'APPROVED', 'operator/zhao', 1, null)",
        "insert into approval values (x'00000000000000000000000000000001', 'ResumePartner', x'7b7d', zeroblob(32), 0, 'operator/wang', 0,
             9, 'PENDING', null, null, null)",
        "insert into certificate values (zeroblob(32), '', null, null, null, null, null, null, 'operator/wang', 1, 'LOST')",
        "insert into certificate values (zeroblob(32), 'airline', 'partner/airline/partner/till-7', '01', 0, 9,
             'operator/wang', 0, null, null, null)",
    ];
    for statement in made {
        sqlx::query(statement).execute(&mut raw).await.unwrap();
    }
    let program = fixture.program_of(pair.source).await.uuid().simple();
    let key = format!("insert into signing_key values (x'{program}', 'a', zeroblob(32), 'operator/wang', 0)");
    sqlx::query(sqlx::AssertSqlSafe(key)).execute(&mut raw).await.unwrap();
    for (statement, said) in [
        ("update approval set decided_at = 2 where state = 'APPROVED'", "final: approval"),
        ("update approval set proposal = x'00' where state = 'PENDING'", "append-only: approval"),
        ("update approval set expires_at = 99 where state = 'PENDING'", "append-only: approval"),
        (
            "update approval set state = 'APPROVED', decided_by = requested_by, decided_at = 1 where state = 'PENDING'",
            "approval_two_people",
        ),
        (
            "update approval set state = 'APPROVED', decided_by = 'operator/zhao', decided_at = 9 where state = 'PENDING'",
            "final: approval",
        ),
        ("delete from approval", "append-only: approval"),
        ("update certificate set owner = 'market' where revoked_at is null", "append-only: certificate"),
        (
            "update certificate set revoked_at = null, revoked_by = null, revocation_reason = null",
            "final: certificate",
        ),
        ("delete from certificate", "append-only: certificate"),
        ("update signing_key set public_key = zeroblob(32)", "append-only: signing_key"),
        ("delete from signing_key", "append-only: signing_key"),
    ] {
        let text = sqlx::query(statement).execute(&mut raw).await.unwrap_err().to_string();
        assert!(text.contains(said), "{statement}: {text}");
    }
}
