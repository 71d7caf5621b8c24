//! `pointbridge config`: what holds and who said so, every mistake at once, and the example that ships.

use serde_json::Value;
use tempfile::tempdir;

use crate::program::{bootstrap, command_of, path, run, run_well, text};

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

#[test]
fn file_environment_and_flags_are_told_of_in_one_answer_each_with_its_place() {
    let folder = tempdir().unwrap();
    bootstrap(folder.path());
    let data = folder.path().to_str().unwrap();
    let file =
        "# hub\nlisten = 7\nlame_duck_seconds = 99\ncertificate = \"gone.pem\"\nlog = \"info\nlisen = 1\n";
    std::fs::write(folder.path().join("pointbridge.toml"), file).unwrap();
    for (program, code) in [("config", 2), ("serve", 1)] {
        let arguments = [program, "--data", data, "--rate-burst", "many", "--client-crl", "gone.crl"];
        let output = command_of(&path(), &arguments)
            .env("POINTBRIDGE_TRUST_DOMAIN", "Not A Domain")
            .env("POINTBRIDGE_REFLECTION", "maybe")
            .env("POINTBRIDGE_ENVIRONMENT", "prod")
            .env("POINTBRIDGE_LOG", "hub=loud")
            .output()
            .unwrap();
        let complaint = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{complaint}");
        let expected = [
            "pointbridge.toml line 2: listen: ",
            "pointbridge.toml line 3: lame_duck_seconds: 99 ",
            "pointbridge.toml line 4: certificate: there is no file ",
            "pointbridge.toml line 5: this is no TOML: ",
            "pointbridge.toml line 6: lisen: there is no such key; did you mean listen?",
            "--rate-burst: rate_burst: \"many\" cannot be used: ",
            "--client-crl: client_crl: there is no file ",
            "POINTBRIDGE_TRUST_DOMAIN: trust_domain: ",
            "POINTBRIDGE_REFLECTION: reflection: \"maybe\" cannot be used: ",
            "POINTBRIDGE_ENVIRONMENT: environment: \"prod\" cannot be used: write live or test",
            "POINTBRIDGE_LOG: log: ",
        ];
        for expected in expected {
            assert!(complaint.contains(expected), "{program} does not say {expected}\n{complaint}");
        }
        assert_eq!(
            complaint.lines().filter(|line| line.starts_with("  ")).count(),
            expected.len(),
            "{complaint}"
        );
    }
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let folder = tempdir().unwrap();
    bootstrap(folder.path());
    let data = folder.path().to_str().unwrap();
    let file = folder.path().join("pointbridge.toml");
    let all = "rate_burst = 11\nrate_per_second = 12\ncalls_in_flight_max = 13\n";
    std::fs::write(&file, all.to_owned() + &std::fs::read_to_string(&file).unwrap()).unwrap();
    let output = command_of(&path(), &["config", "--data", data, "--json", "--rate-burst", "31"])
        .env("POINTBRIDGE_RATE_BURST", "21")
        .env("POINTBRIDGE_RATE_PER_SECOND", "22")
        .output()
        .unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let told = |key: &str| {
        let setting = answer["settings"].as_array().unwrap().iter().find(|setting| setting["key"] == key);
        let setting = setting.unwrap();
        (setting["value"].as_i64().unwrap(), setting["source"].as_str().unwrap().to_owned())
    };
    assert_eq!(told("rate_burst"), (31, "flag".to_owned()));
    assert_eq!(told("rate_per_second"), (22, "environment".to_owned()));
    assert_eq!(told("calls_in_flight_max"), (13, "file".to_owned()));
    assert_eq!(told("lame_duck_seconds"), (5, "default".to_owned()));
}

#[test]
fn a_key_and_a_certificate_of_two_pairs_are_told_before_anything_serves() {
    let folder = tempdir().unwrap();
    bootstrap(folder.path());
    let data = folder.path().to_str().unwrap();
    let output = run(&["config", "--data", data, "--key", &format!("{data}/pki/operator.wang.key")]);
    let complaint = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{complaint}");
    assert!(complaint.contains("certificates: ") && complaint.contains("operator.wang.key"), "{complaint}");
}

#[test]
fn two_keys_that_cannot_both_hold_are_a_mistake() {
    let folder = tempdir().unwrap();
    bootstrap(folder.path());
    let data = folder.path().to_str().unwrap();
    let output =
        run(&["config", "--data", data, "--listen", "127.0.0.1:9", "--metrics-listen", "127.0.0.1:9"]);
    let complaint = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{complaint}");
    assert_eq!(complaint.matches("--metrics-listen: metrics_listen: ").count(), 1, "{complaint}");
}
