//! `pointbridge config`: what holds and who said so, every mistake at once, and the example that ships.

use serde_json::Value;
use tempfile::tempdir;

use crate::program::{bootstrap, run, run_well, text};

#[test]
fn each_value_tells_where_it_comes_from() {
    let folder = tempdir().unwrap();
    bootstrap(folder.path());
    let data = folder.path().to_str().unwrap();
    let said =
        run_well(&["config", "--data", data, "--json", "--listen", "127.0.0.1:9", "--reflection", "false"]);
    let answer: Value = serde_json::from_str(&said).unwrap();
    let row = |key: &str| {
        let settings = answer["settings"].as_array().unwrap();
        let found = settings.iter().find(|setting| setting["key"] == key).unwrap_or_else(|| panic!("{key}"));
        (found["value"].clone(), found["source"].as_str().unwrap().to_owned())
    };
    assert_eq!(row("listen"), ("127.0.0.1:9".into(), "flag".into()));
    assert_eq!(row("reflection"), (false.into(), "flag".into()));
    assert_eq!(row("trust_domain"), ("alliance.example".into(), "file".into()));
    assert_eq!(row("client_ca"), ("pki/client-ca.pem".into(), "default".into()));
    assert_eq!(row("data"), (data.into(), "flag".into()));
    assert_eq!(answer["mistakes"], serde_json::json!([]));
    // Nothing of a key's contents stands anywhere.
    let key = std::fs::read_to_string(folder.path().join("pki/server.key")).unwrap();
    assert!(key.lines().all(|line| !said.contains(line)));
}

#[test]
fn every_mistake_is_told_at_once_and_nothing_serves_with_them() {
    let folder = tempdir().unwrap();
    bootstrap(folder.path());
    let data = folder.path().to_str().unwrap();
    let file = "trust_domain = \"Not A Domain\"\nreflection = \"yes\"\nlisen = \"127.0.0.1:1\"\nkey = \"gone.key\"\n";
    std::fs::write(folder.path().join("pointbridge.toml"), file).unwrap();
    let output = run(&["config", "--data", data]);
    let (said, complaint) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(2), "{complaint}");
    for expected in ["lisen", "reflection", "trust_domain", "gone.key"] {
        assert!(complaint.contains(expected), "{expected}: {complaint}");
    }
    assert!(said.contains("│ listen"), "{said}");
    let output = run(&["serve", "--data", data, "--listen", "127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(1));
    let complaint = text(&output.stderr);
    assert!(complaint.contains("lisen") && complaint.contains("reflection"), "{complaint}");
}

#[test]
fn the_example_changes_nothing_for_a_hub_that_has_it() {
    let folder = tempdir().unwrap();
    bootstrap(folder.path());
    let data = folder.path().to_str().unwrap();
    let file = folder.path().join("pointbridge.toml");
    let before = run_well(&["config", "--data", data]);
    let example = run_well(&["config", "--example"]) + &std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, example).unwrap();
    assert_eq!(run_well(&["config", "--data", data]), before);
}
