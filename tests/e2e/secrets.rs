//! What must not be found where it is not needed: looked for as bytes in everything that a hub leaves behind.

use std::path::Path;

use data_encoding::HEXLOWER;
use pointbridge_client::v1;
use tempfile::tempdir;

use crate::asks;
use crate::program::{Serving, bootstrap, issue_partner};
use crate::scene::{agree, grant, member, program};

/// References and names that occur nowhere else.
const EXTERNAL: &str = "canary-external-7f3a";
const ORDER: &str = "canary-order-51c9";

/// A file of the data folder and its bytes.
type Left = (String, Vec<u8>);

/// The database with whatever lies beside it.
fn database_files(data: &Path) -> Vec<Left> {
    let mut files: Vec<Left> = Vec::new();
    for entry in std::fs::read_dir(data).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with("pointbridge.db") {
            files.push((name, std::fs::read(path).unwrap()));
        }
    }
    assert!(files.iter().any(|(name, _)| name == "pointbridge.db"), "no database in {}", data.display());
    files
}

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

fn assert_absent(files: &[Left], what: &str, needle: &[u8]) {
    for (name, bytes) in files {
        assert!(!holds(bytes, needle), "{what} stands in {name}");
    }
}

/// The secret keys as they stand in their file, in hexadecimal and as bytes.
fn keys(data: &Path) -> Vec<(String, Vec<u8>)> {
    let text = std::fs::read_to_string(data.join("keys.json")).unwrap();
    let file: serde_json::Value = serde_json::from_str(&text).unwrap();
    let quote_keys = file["quote_keys"].as_array().unwrap().iter().map(|key| key["key"].as_str().unwrap());
    let all = quote_keys.chain([file["link_code_key"].as_str().unwrap()]);
    let keys: Vec<_> = all.map(|hex| (hex.to_owned(), HEXLOWER.decode(hex.as_bytes()).unwrap())).collect();
    assert_eq!(keys.len(), 2);
    keys
}

/// A hub that did some of everything; answers with the link code and the quote token that went through it.
async fn work(hub: &Serving) -> (String, String) {
    let operator = hub.client("operator.wang").await;
    for code in ["airline", "market"] {
        operator.partners().create_partner(asks::create_partner(code)).await.unwrap();
    }
    let airline = hub.client("partner.airline.partner.till-7").await;
    let market = hub.client("partner.market.partner.till-7").await;
    let miles = program(&airline, asks::create_program("airline", "miles", 0)).await;
    let points = program(&market, asks::create_program("market", "points", 0)).await;
    let there = member(&airline, &miles, "crane/li").await;
    let here = member(&market, &points, EXTERNAL).await;
    let answer = airline.members().issue_link_code(asks::issue_link_code(&there, "market")).await.unwrap();
    let code = answer.into_inner().link_code;
    market.members().merge_members(asks::merge(&code, &here)).await.unwrap();
    grant(&market, &here, "airline").await;
    grant(&airline, &there, "market").await;
    agree(&market, ("airline", &airline), vec![asks::direction(&points, &miles)]).await;
    market.ledger().accrue_points(asks::accrue(&here, "6666")).await.unwrap();
    let request = asks::quote(&here, &there, "6666");
    let quote = market.exchanges().quote_exchange(request).await.unwrap().into_inner().quote.unwrap();
    let request = asks::prepare(&quote.quote_token, ORDER);
    let prepared = market.exchanges().prepare_exchange(request).await.unwrap().into_inner().exchange.unwrap();
    market.exchanges().commit_exchange(asks::commit(&prepared.exchange_id)).await.unwrap();
    // Refused calls are logged, too.
    let again = v1::MergeMembersRequest { link_code: code.clone(), ..asks::merge(&code, &here) };
    market.members().merge_members(again).await.unwrap_err();
    market.members().register_membership(asks::register(&points, EXTERNAL)).await.unwrap_err();
    (code, quote.quote_token)
}

#[tokio::test]
async fn codes_keys_tokens_and_references_are_not_where_they_are_not_needed() {
    let folder = tempdir().unwrap();
    let data = folder.path();
    bootstrap(data);
    for code in ["airline", "market"] {
        issue_partner(data, code);
    }
    let hub = Serving::start(data).await;
    let (code, token) = work(&hub).await;
    // While it serves, what was written last stands in the write-ahead log.
    let mut left = database_files(data);
    let log = hub.logged();
    assert!(log.contains("PrepareExchange"), "the log is not detailed enough to prove anything");
    assert_eq!(hub.terminate().await.code(), Some(0));
    left.extend(database_files(data));
    assert!(
        left.iter().any(|(_, bytes)| holds(bytes, ORDER.as_bytes())),
        "the database holds what it should"
    );
    let logged = [("the log".to_owned(), log.into_bytes())];

    let digits = code.replace('-', "");
    for files in [&left[..], &logged[..]] {
        assert_absent(files, "a link code", code.as_bytes());
        assert_absent(files, "a link code", digits.as_bytes());
        assert_absent(files, "a quote token", token.as_bytes());
        for (hex, bytes) in keys(data) {
            assert_absent(files, "a secret key", hex.as_bytes());
            assert_absent(files, "a secret key", &bytes);
        }
    }
    assert_absent(&logged, "an external reference", EXTERNAL.as_bytes());
    assert_absent(&logged, "an order", ORDER.as_bytes());
    records_are_clean(&data.join("pointbridge.db")).await;
}

/// Holds that the external reference stands on its membership and in no record.
async fn records_are_clean(path: &Path) {
    use sqlx::Connection;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).read_only(true);
    let mut database = sqlx::sqlite::SqliteConnection::connect_with(&options).await.unwrap();
    let memberships: Vec<String> = sqlx::query_scalar("select external_reference from membership")
        .fetch_all(&mut database)
        .await
        .unwrap();
    assert!(memberships.iter().any(|reference| reference == EXTERNAL), "{memberships:?}");
    let records: Vec<Vec<u8>> =
        sqlx::query_scalar("select bytes from record").fetch_all(&mut database).await.unwrap();
    assert!(records.len() > 10, "{} records", records.len());
    assert!(
        !records.iter().any(|body| holds(body, EXTERNAL.as_bytes())),
        "a record holds the external reference"
    );
    assert!(records.iter().any(|body| holds(body, ORDER.as_bytes())), "records hold the order");
    database.close().await.unwrap();
}
