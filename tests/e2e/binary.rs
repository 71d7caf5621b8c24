//! The program as people use it: from nothing to a serving hub, to its proof, and what it says to a wrong command.

use std::path::Path;

use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tempfile::tempdir;

use crate::asks;
use crate::program::{Serving, bootstrap, issue_partner, run, run_ill, run_well, text};
use crate::scene::{balance, member, program};

/// Every command, and every command below one.
const COMMANDS: &[&[&str]] = &[
    &[],
    &["demo"],
    &["serve"],
    &["bootstrap"],
    &["pki"],
    &["pki", "init"],
    &["pki", "partner"],
    &["pki", "operator"],
    &["pki", "auditor"],
    &["pki", "server"],
    &["pki", "renew"],
    &["pki", "revoke"],
    &["pki", "crl"],
    &["pki", "import"],
    &["pki", "remove"],
    &["pki", "rotate-ca"],
    &["pki", "inspect"],
    &["config"],
    &["check"],
    &["migrate"],
];

#[test]
fn every_command_explains_itself() {
    for command in COMMANDS {
        let help = run_well(&[command, &["--help"][..]].concat());
        assert!(help.contains("Usage: pointbridge") && help.contains("--help"), "{command:?}:\n{help}");
        let (about, _) = help.split_once("Usage:").unwrap();
        assert!(about.trim().len() > 20, "{command:?} does not say what it does:\n{help}");
    }
    let help = run_well(&["--help"]);
    for command in COMMANDS.iter().filter_map(|command| command.first()) {
        assert!(help.contains(&format!("\n  {command} ")), "{command} is not listed:\n{help}");
    }
    assert!(run_well(&["--version"]).starts_with("pointbridge "));
}

#[test]
fn a_wrong_command_is_told_what_is_right() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (empty, pki) = (at("empty"), at("pki"));
    std::fs::create_dir(&empty).unwrap();
    let usage: [(&[&str], &str); 5] = [
        (&[], "Usage"),
        (&["serv"], "serve"),
        (&["serve", "--prot", "7"], "--prot"),
        (&["pki", "partner", "--code", "airline"], "--subject"),
        (&["bootstrap", "--data", &empty], "--trust-domain"),
    ];
    for (arguments, expected) in usage {
        let complaint = run_ill(2, arguments);
        assert!(complaint.contains(expected), "{arguments:?}: {complaint}");
    }
    run_well(&["pki", "init", "--dir", &pki, "--trust-domain", "alliance.example"]);
    let refused: [(&[&str], &str); 7] = [
        (&["serve", "--data", &empty], "trust_domain: it is not set"),
        (&["check", "--data", &empty], "there is no database"),
        (&["pki", "init", "--dir", &pki, "--trust-domain", "alliance.example"], "has an authority already"),
        (&["pki", "partner", "--dir", &pki, "--code", "Airline", "--subject", "a"], "partner code"),
        (&["pki", "operator", "--dir", &pki, "--subject", "Mr Wang"], "subject"),
        (&["pki", "operator", "--dir", &empty, "--subject", "wang"], "pointbridge pki init"),
        (&["bootstrap", "--data", &at("new"), "--trust-domain", "A B", "--operator", "wang"], "trust domain"),
    ];
    for (arguments, expected) in refused {
        let complaint = run_ill(1, arguments);
        assert!(complaint.contains(expected), "{arguments:?}: {complaint}");
        assert!(!complaint.contains("panicked"), "{arguments:?}: {complaint}");
    }
}

/// Opens a database for writing, as nobody but a test does.
async fn open(path: &Path) -> SqliteConnection {
    SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(path)).await.unwrap()
}

#[tokio::test]
async fn a_hub_comes_from_nothing_serves_ends_in_order_and_is_proved() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("hub");
    let told = bootstrap(&data);
    assert!(told.contains("operator.wang.pem") && told.contains("pointbridge serve --data"), "{told}");
    let uri = issue_partner(&data, "airline");
    assert!(uri.starts_with("spiffe://alliance.example/partner/airline/partner/till-7\n"), "{uri}");

    let hub = Serving::start(&data).await;
    let operator = hub.client("operator.wang").await;
    operator.partners().create_partner(asks::create_partner("airline")).await.unwrap();
    let airline = hub.client("partner.airline.partner.till-7").await;
    let miles = program(&airline, asks::create_program("airline", "miles", 0)).await;
    let li = member(&airline, &miles, "crane/li").await;
    airline.ledger().accrue_points(asks::accrue(&li, "100")).await.unwrap();
    assert_eq!(balance(&airline, &li).await, ["100", "0", "100"]);
    // The proof may run beside a hub that serves.
    let folder_of_hub = data.to_str().unwrap().to_owned();
    assert!(run_well(&["check", "--data", &folder_of_hub]).contains("everything adds up"));
    let ended = hub.terminate().await;
    assert_eq!(ended.code(), Some(0));

    assert!(run_well(&["migrate", "--data", &folder_of_hub]).contains("is up to date"));
    let report: serde_json::Value =
        serde_json::from_str(&run_well(&["check", "--data", &folder_of_hub, "--json"])).unwrap();
    assert_eq!(report["clean"], true);
    let hub = Serving::start(&data).await;
    assert_eq!(balance(&hub.client("partner.airline.partner.till-7").await, &li).await[0], "100");
    assert_eq!(hub.terminate().await.code(), Some(0));

    let mut database = open(&data.join("pointbridge.db")).await;
    let changed = sqlx::query("update account set posted = posted + 1").execute(&mut database).await.unwrap();
    assert_eq!(changed.rows_affected(), 1);
    database.close().await.unwrap();
    let output = run(&["check", "--data", &folder_of_hub]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("account {li}: expected 100, found 101")), "{said}");
}

#[test]
fn bootstrap_keeps_what_is_there_and_gives_a_lost_certificate_back() {
    let folder = tempdir().unwrap();
    bootstrap(folder.path());
    let at = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    let kept =
        ["keys.json", "pointbridge.db", "pki/ca.pem", "pki/ca.key", "pki/server.pem", "pointbridge.toml"];
    let before = kept.map(at);
    let data = folder.path().to_str().unwrap();
    let again = ["bootstrap", "--data", data, "--trust-domain", "alliance.example", "--operator"];
    let lost = at("pki/operator.wang.key");
    run_well(&[&again[..], &["wang"]].concat());
    assert_eq!(at("pki/operator.wang.key"), lost, "a certificate is not replaced unasked");
    std::fs::remove_file(folder.path().join("pki/operator.wang.pem")).unwrap();
    run_well(&[&again[..], &["wang"]].concat());
    assert_ne!(at("pki/operator.wang.key"), lost, "half of a pair is worth nothing");
    let lost = at("pki/operator.wang.key");
    run_well(&[&again[..], &["wang", "--replace"]].concat());
    assert_ne!(at("pki/operator.wang.key"), lost);
    run_well(&[&again[..], &["zhao"]].concat());
    assert!(before == kept.map(at), "bootstrap changed what was there");
    for secret in ["keys.json", "pki/ca.key", "pki/operator.wang.key", "pki/server.key"] {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(folder.path().join(secret)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{secret}");
    }
    run_well(&["keys", "rotate", "--data", data]);
    assert_ne!(at("keys.json"), before[0]);
    std::fs::remove_file(folder.path().join("keys.json")).unwrap();
    let said = run_ill(1, &[&again[..], &["wang"]].concat());
    assert!(said.contains("put back the keys"), "{said}");
}

#[test]
fn bootstrap_finishes_what_a_power_cut_left() {
    use std::fs;
    let folder = tempdir().unwrap();
    bootstrap(folder.path());
    let at = |name: &str| folder.path().join(name);
    let read = |name: &str| fs::read(at(name)).unwrap();
    // Between the key and the certificate of the CA, of the hub and of the operator.
    let made = ["pki/ca.pem", "pki/server.pem", "pki/operator.wang.pem"];
    let before = made.map(read);
    for name in made {
        fs::rename(at(name), at(&format!("{name}.next"))).unwrap();
    }
    bootstrap(folder.path());
    assert!(before == made.map(read), "what was made already is thrown away");
    // The key alone, as it was left by a program that did not finish.
    fs::remove_file(at("pki/server.pem")).unwrap();
    bootstrap(folder.path());
    assert_ne!(read("pki/server.pem"), before[1]);
    // The configuration that was begun beside its place.
    let config = read("pointbridge.toml");
    fs::rename(at("pointbridge.toml"), at("pointbridge.toml.next")).unwrap();
    fs::write(at("pointbridge.toml.next"), "trust_dom").unwrap();
    bootstrap(folder.path());
    assert_eq!(read("pointbridge.toml"), config);
    assert!(!at("pointbridge.toml.next").exists());
    run_well(&["pki", "inspect", "--dir", at("pki").to_str().unwrap(), at("pki").to_str().unwrap()]);
}
