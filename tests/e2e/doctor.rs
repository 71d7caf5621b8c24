//! `pointbridge doctor` on real folders: each finding provoked once, and a hub in order called so.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use pointbridge_store_sqlite::copy;
use serde_json::Value;

use crate::program::{Serving, bootstrap, run, run_well, text};

/// What the doctor says of a folder: its exit code, and its findings.
fn examined(data: &Path, more: &[&str]) -> (i32, Vec<Value>) {
    let mut arguments = vec!["doctor", "--data", data.to_str().unwrap(), "--json"];
    arguments.extend(more);
    let output = run(&arguments);
    let said: Value =
        serde_json::from_str(&text(&output.stdout)).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    (output.status.code().unwrap(), said["findings"].as_array().unwrap().clone())
}

/// The worst finding of a check.
fn verdict(findings: &[Value], check: &str) -> (String, String) {
    let rank = |finding: &Value| match finding["verdict"].as_str().unwrap() {
        "fail" => 2,
        "warn" => 1,
        _ => 0,
    };
    let worst =
        findings.iter().filter(|finding| finding["check"] == check).max_by_key(|finding| rank(finding));
    let worst = worst.unwrap_or_else(|| panic!("{check} was not looked at: {findings:?}"));
    (worst["verdict"].as_str().unwrap().to_owned(), worst["found"].as_str().unwrap().to_owned())
}

/// Where tests run, what the machine itself is like is not ours to say.
const MACHINE: [&str; 3] = ["file system", "disk", "clock"];

fn assert_in_order(findings: &[Value], but: &[&str]) {
    for finding in findings {
        let check = finding["check"].as_str().unwrap();
        assert!(MACHINE.contains(&check) || but.contains(&check) || finding["verdict"] == "ok", "{finding}");
    }
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_in_order_is_called_so_whether_it_serves_or_not_and_so_is_one_that_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    bootstrap(&data);
    let port = "127.0.0.1:0";
    let (_, findings) = examined(&data, &["--listen", port]);
    assert_in_order(&findings, &[]);
    let expected = [
        "configuration",
        "data folder",
        "key files",
        "database",
        "write-ahead log",
        "secret keys",
        "file system",
        "disk",
        "clock",
        "certificates",
        "hub certificate",
        "client authorities",
        "revocation lists",
        "address",
    ];
    let checks: Vec<&str> = findings.iter().map(|finding| finding["check"].as_str().unwrap()).collect();
    assert_eq!(checks, expected);

    let hub = Serving::start_logging(&data, "info").await;
    let address = hub.address().to_string();
    let (_, findings) = examined(&data, &["--listen", &address]);
    assert_in_order(&findings, &[]);
    assert!(verdict(&findings, "address").1.contains("takes connections"));
    hub.kill().await;
    let (_, findings) = examined(&data, &["--listen", port]);
    assert_in_order(&findings, &["database"]);
    let (how, what) = verdict(&findings, "database");
    assert!(how == "warn" && what.contains("did not end in order"), "{what}");
    // The look itself moved the log into the database.
    let (_, findings) = examined(&data, &["--listen", port]);
    assert_in_order(&findings, &[]);
    let table = run_well(&["doctor", "--data", data.to_str().unwrap(), "--listen", port]);
    assert!(table.contains("hub certificate") && table.contains("that must be mended"), "{table}");
}

/// A check, what is done to the folder, the flags, the verdict, and words of what is found.
type Line = (&'static str, fn(&Path), &'static [&'static str], &'static str, &'static [&'static str]);

const NOTHING: fn(&Path) = |_| ();

const LINES: [Line; 17] = [
    (
        "configuration",
        |data| std::fs::write(data.join("pointbridge.toml"), "listen = 5\nfoo = 1").unwrap(),
        &[],
        "fail",
        &["listen", "foo"],
    ),
    (
        "configuration",
        NOTHING,
        &["--environment", "test", "--listen", "0.0.0.0:0"],
        "warn",
        &["does not count"],
    ),
    ("configuration", NOTHING, &["--rate-burst", "10"], "warn", &["rate_burst 10 is below"]),
    ("data folder", |data| set_mode(data, 0o777), &[], "fail", &["others may write", "chmod 700"]),
    ("data folder", |data| set_mode(data, 0o755), &[], "warn", &["others may look", "chmod 700"]),
    (
        "key files",
        |data| set_mode(&data.join("pki/server.key"), 0o644),
        &[],
        "fail",
        &["server.key", "chmod 600"],
    ),
    ("key files", |data| set_mode(&data.join("keys.json"), 0o640), &[], "fail", &["keys.json", "chmod 600"]),
    (
        "secret keys",
        |data| std::fs::remove_file(data.join("keys.json")).unwrap(),
        &[],
        "fail",
        &["keys.json"],
    ),
    (
        "database",
        |data| std::fs::remove_file(data.join("pointbridge.db")).unwrap(),
        &[],
        "fail",
        &["restore a backup"],
    ),
    (
        "database",
        |data| std::fs::write(data.join("pointbridge.db"), "no database").unwrap(),
        &[],
        "fail",
        &["cannot be read as a database"],
    ),
    (
        "database",
        |data| std::fs::write(data.join("pointbridge.db-open"), "").unwrap(),
        &[],
        "fail",
        &["its log is gone"],
    ),
    (
        "left by restores",
        |data| std::fs::write(data.join("pointbridge.db.before-restore-1"), vec![0; 1_500_000]).unwrap(),
        &[],
        "warn",
        &["pointbridge.db.before-restore-1 (2 MB)"],
    ),
    (
        "left by restores",
        |data| {
            std::fs::create_dir(data.join("restoring")).unwrap();
            std::fs::write(data.join("restoring/pointbridge.db"), vec![0; 2_500_000]).unwrap();
        },
        &[],
        "warn",
        &["restoring/ (3 MB)"],
    ),
    ("certificates", |data| std::fs::write(data.join("pki/crl.pem"), "").unwrap(), &[], "fail", &[]),
    (
        "hub certificate",
        |data| std::fs::write(data.join("pki/server.pem"), "no PEM").unwrap(),
        &[],
        "fail",
        &["server.pem"],
    ),
    ("hub certificate", short_lived, &[], "warn", &["pointbridge pki renew"]),
    (
        "client authorities",
        |data| std::fs::write(data.join("pki/client-ca.pem"), "").unwrap(),
        &[],
        "fail",
        &["client-ca.pem"],
    ),
];

fn short_lived(data: &Path) {
    let pki = data.join("pki");
    let pki = pki.to_str().unwrap();
    // Backdated by the authority, so that a day's certificate has little more than a day in all.
    run_well(&[
        "pki",
        "server",
        "--dir",
        pki,
        "--host",
        "127.0.0.1",
        "--days",
        "1",
        "--name",
        "server",
        "--replace",
    ]);
}

#[test]
fn each_finding_is_made_where_it_is_provoked() {
    let folder = tempfile::tempdir().unwrap();
    for (number, (check, provoke, flags, how, words)) in LINES.into_iter().enumerate() {
        let data = folder.path().join(number.to_string());
        bootstrap(&data);
        provoke(&data);
        let mut arguments = flags.to_vec();
        if !flags.contains(&"--listen") && check != "configuration" {
            arguments.extend(["--listen", "127.0.0.1:0"]);
        }
        let (code, findings) = examined(&data, &arguments);
        let (found, what) = verdict(&findings, check);
        assert_eq!(found, how, "{number} {check}: {what}");
        for word in words {
            assert!(what.contains(word), "{number} {check}: {word:?} is not in {what}");
        }
        if how == "fail" {
            assert_eq!(code, 1, "{check}");
        }
        arguments.push("--strict");
        assert_eq!(examined(&data, &arguments).0, 1, "{check}: with --strict a warning counts");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_another_hub_and_a_taken_port_are_found() {
    let other = crate::scene::Scene::open().await.hub.stop().await;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    bootstrap(&data);
    // A database in which another hub's keys have made a link code.
    let database = data.join("pointbridge.db");
    std::fs::remove_file(&database).unwrap();
    copy(&other.database(), &database).await.unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, findings) = examined(&data, &["--listen", &address]);
    assert_eq!(code, 1);
    let (how, what) = verdict(&findings, "secret keys");
    assert!(how == "fail" && what.contains("did not make the link codes"), "{what}");
    let (how, what) = verdict(&findings, "address");
    assert!(how == "fail" && what.contains("cannot be taken"), "{what}");
}
