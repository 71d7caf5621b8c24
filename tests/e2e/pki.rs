//! `pointbridge pki` as an operator uses it: the real program, and the verifier of the transport as the judge.
//!
//! A change of CA is run from the manual as it stands there. Absent: how soon a serving hub takes what was written; that
//! is the transport's own test.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::SystemTime;

use pointbridge::peer::{Principal, TrustDomain};
use pointbridge::pki::{Ca, KeyChoice, LeafRequest, Reason, Target, lists, read_certificates};
use pointbridge_client::v1::ListProgramsRequest;
use proptest::prelude::*;
use rustls::server::WebPkiClientVerifier;
use rustls::{CertificateError, Error, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use serde_json::Value;
use tempfile::tempdir;

use crate::asks;
use crate::program::{Serving, bootstrap, command_of, issue_partner, path, run_ill, run_well, text};

/// The manual that has the change of CA.
const MANUAL: &str = include_str!("../../deploy/CERTIFICATES.md");

/// What a handshake says to a client's certificate, with the folder's authorities and lists.
fn handshake(pki: &Path, certificate: &Path) -> Result<(), Error> {
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_file_iter(pki.join("client-ca.pem")).unwrap() {
        roots.add(authority.unwrap()).unwrap();
    }
    let lists: Vec<_> = CertificateRevocationListDer::pem_file_iter(pki.join("crl.pem")).unwrap().collect();
    assert!(!lists.is_empty(), "without a list the verifier asks for none");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .with_crls(lists.into_iter().map(Result::unwrap))
        .enforce_revocation_expiration()
        .build()
        .unwrap();
    let leaf = CertificateDer::from_pem_file(certificate).unwrap();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    verifier.verify_client_cert(&leaf, &[], UnixTime::since_unix_epoch(now)).map(drop)
}

const REVOKED: Result<(), Error> = Err(Error::InvalidCertificate(CertificateError::Revoked));

fn is_unknown(answer: &Result<(), Error>) -> bool {
    matches!(answer, Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)))
}

/// Findings of `inspect --json` by the names of their files.
fn inspect(pki: &str, what: &str) -> Vec<Value> {
    serde_json::from_str(&run_well(&["pki", "inspect", "--dir", pki, what, "--json"])).unwrap()
}

#[test]
fn a_certificate_is_issued_inspected_renewed_and_revoked() {
    let folder = tempdir().unwrap();
    let pki = folder.path().join("pki");
    let at = |name: &str| pki.join(name);
    let dir = pki.to_str().unwrap();
    run_well(&["pki", "init", "--dir", dir, "--trust-domain", "alliance.example", "--crl-days", "7"]);
    for subject in ["till-7", "till-8", "till-9"] {
        run_well(&["pki", "partner", "--dir", dir, "--code", "airline", "--subject", subject]);
    }
    let till = |number: u32| at(&format!("partner.airline.partner.till-{number}.pem"));
    for number in [7, 8, 9] {
        assert_eq!(handshake(&pki, &till(number)), Ok(()));
    }
    let found = inspect(dir, dir);
    let shown = |file: &Path| found.iter().find(|one| one["file"] == file.to_str().unwrap()).unwrap();
    assert_eq!(shown(&till(7))["name"], "partner/airline/partner/till-7");
    assert_eq!(shown(&till(7))["verdict"]["is_taken"], true);
    assert_eq!(shown(&at("crl.pem"))["serial"], "1");
    let serial = shown(&till(9))["serial"].as_str().unwrap().to_owned();

    let (old, key) = (folder.path().join("old.pem"), std::fs::read(till(7).with_extension("key")).unwrap());
    std::fs::copy(till(7), &old).unwrap();
    let said = run_well(&["pki", "renew", "--dir", dir, till(7).to_str().unwrap()]);
    assert!(said.contains("partner/airline/partner/till-7"), "{said}");
    assert_ne!(std::fs::read(till(7).with_extension("key")).unwrap(), key);
    assert_eq!((handshake(&pki, &till(7)), handshake(&pki, &old)), (Ok(()), Ok(())));

    run_well(&["pki", "revoke", "--dir", dir, old.to_str().unwrap(), "--reason", "superseded"]);
    let said = run_well(&["pki", "revoke", "--dir", dir, "--principal", "partner/airline/partner/till-8"]);
    assert!(said.contains("within seconds"), "{said}");
    run_well(&["pki", "revoke", "--dir", dir, "--serial", &serial, "--reason", "key-compromise"]);
    let again = run_well(&["pki", "revoke", "--dir", dir, "--serial", &serial]);
    assert!(again.contains("was revoked before"), "{again}");
    for refused in [old.clone(), till(8), till(9)] {
        assert_eq!(handshake(&pki, &refused), REVOKED, "{}", refused.display());
    }
    assert_eq!(handshake(&pki, &till(7)), Ok(()), "a bystander is refused");

    run_well(&["pki", "crl", "--dir", dir, "--days", "14"]);
    let list: Value =
        serde_json::from_str(&run_well(&["pki", "crl", "--dir", dir, "--show", "--json"])).unwrap();
    assert_eq!(list[0]["number"], "6");
    assert_eq!(list[0]["revoked"].as_array().unwrap().len(), 3);
    assert_eq!(handshake(&pki, &till(8)), REVOKED);
    assert!(
        run_ill(1, &["pki", "renew", "--dir", dir, till(8).to_str().unwrap()]).contains("was revoked on")
    );
    let renewed = run_well(&["pki", "renew", "--dir", dir, "--all", "--within-days", "31"]);
    assert!(renewed.contains("till-7") && !renewed.contains("till-8"), "{renewed}");
}

#[test]
fn what_the_hub_reads_is_for_everybody_whatever_the_mode_of_the_callers_files() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempdir().unwrap();
    bootstrap(folder.path());
    let pki = folder.path().join("pki");
    let line = "umask 077; exec \"$0\" pki revoke --dir \"$1\" --principal operator/wang";
    let program = path();
    let arguments = ["-c", line, program.to_str().unwrap(), pki.to_str().unwrap()];
    let output = command_of(Path::new("/bin/sh"), &arguments).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let mode = |name: &str| std::fs::metadata(pki.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("crl.pem"), mode("journal.jsonl")), (0o644, 0o600));
}

#[tokio::test]
async fn another_authoritys_clients_call_the_hub_from_the_import_to_the_removal() {
    let folder = tempdir().unwrap();
    let (data, theirs) = (folder.path().join("hub"), folder.path().join("theirs"));
    bootstrap(&data);
    let pki = data.join("pki");
    let (dir, their_dir) = (pki.to_str().unwrap(), theirs.to_str().unwrap());
    run_well(&["pki", "init", "--dir", their_dir, "--trust-domain", "alliance.example"]);
    run_well(&["pki", "partner", "--dir", their_dir, "--code", "airline", "--subject", "till-7"]);
    let till = theirs.join("partner.airline.partner.till-7.pem");
    assert!(is_unknown(&handshake(&pki, &till)));
    let (ca, crl) = (theirs.join("ca.pem"), theirs.join("crl.pem"));
    let (ca, crl) = (ca.to_str().unwrap(), crl.to_str().unwrap());
    assert!(
        run_ill(1, &["pki", "import", "--dir", dir, till.to_str().unwrap()]).contains("basic constraints")
    );
    let said = run_well(&["pki", "import", "--dir", dir, ca, "--crl", crl]);
    assert!(said.contains("can sign for every name") && said.contains("operators"), "{said}");
    assert!(run_ill(1, &["pki", "import", "--dir", dir, ca]).contains("imported already"));
    assert_eq!(handshake(&pki, &till), Ok(()));

    let hub = Serving::start(&data).await;
    let operator = hub.client("operator.wang").await;
    operator.partners().create_partner(asks::create_partner("airline")).await.unwrap();
    let airline =
        hub.client_from(&theirs, "partner.airline.partner.till-7", &pki.join("ca.pem")).await.unwrap();
    airline.partners().list_programs(ListProgramsRequest::default()).await.unwrap();
    assert_eq!(hub.terminate().await.code(), Some(0));

    // Their next list, as a timer brings it, refuses whom they revoked.
    run_well(&["pki", "revoke", "--dir", their_dir, till.to_str().unwrap()]);
    assert_eq!(handshake(&pki, &till), Ok(()));
    run_well(&["pki", "import", "--dir", dir, ca, "--crl", crl]);
    assert_eq!(handshake(&pki, &till), REVOKED);
    run_well(&["pki", "remove", "--dir", dir, ca]);
    assert!(is_unknown(&handshake(&pki, &till)));
    assert_eq!(handshake(&pki, &pki.join("operator.wang.pem")), Ok(()));
}

/// The commands of the manual's change of CA.
fn change_of_ca() -> Vec<&'static str> {
    let (_, section) = MANUAL.split_once("## Change the CA").expect("the manual tells how to change the CA");
    let (_, block) = section.split_once("```sh\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    block.lines().collect()
}

/// Runs a line of the manual in a folder, with the program in the search path.
fn run_line(folder: &Path, line: &str) {
    let program = path();
    let inherited = std::env::var("PATH").unwrap_or_default();
    let search = format!("{}:{inherited}", program.parent().unwrap().display());
    let mut shell = Command::new("sh");
    shell.args(["-ec", line]).current_dir(folder).env("PATH", search).env_remove("POINTBRIDGE_PKI");
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Whether a client with these files reaches the hub and gets an answer.
async fn reaches(data: &Path, folder: &Path, ca_pem: &Path) -> bool {
    let hub = Serving::start(data).await;
    let answered = match hub.client_from(folder, "partner.airline.partner.till-7", ca_pem).await {
        Ok(client) => client.partners().list_programs(ListProgramsRequest::default()).await.is_ok(),
        Err(_) => false,
    };
    assert_eq!(hub.terminate().await.code(), Some(0));
    answered
}

#[tokio::test]
async fn the_change_of_ca_is_as_the_manual_tells_it_and_no_partner_is_refused_before_its_end() {
    let folder = tempdir().unwrap();
    let (data, old) = (folder.path().join("hub"), folder.path().join("partner"));
    bootstrap(&data);
    issue_partner(&data, "airline");
    let pki = data.join("pki");
    let hub = Serving::start(&data).await;
    let operator = hub.client("operator.wang").await;
    operator.partners().create_partner(asks::create_partner("airline")).await.unwrap();
    assert_eq!(hub.terminate().await.code(), Some(0));
    // What the partner was given before the change.
    std::fs::create_dir(&old).unwrap();
    for name in ["ca.pem", "partner.airline.partner.till-7.pem", "partner.airline.partner.till-7.key"] {
        std::fs::copy(pki.join(name), old.join(name)).unwrap();
    }
    let (old_ca, both) = (old.join("ca.pem"), pki.join("hub-ca.pem"));

    let [keep, rotate, clients, server, remove] = change_of_ca().try_into().expect("five steps");
    assert!(reaches(&data, &old, &old_ca).await);
    run_line(folder.path(), keep);
    run_line(folder.path(), rotate);
    assert!(reaches(&data, &old, &old_ca).await, "the change is noticed at its beginning");
    run_line(folder.path(), clients);
    assert!(reaches(&data, &old, &old_ca).await, "who was not yet given anything is refused");
    assert!(reaches(&data, &pki, &both).await, "who was given its new certificate is refused");
    run_line(folder.path(), server);
    assert!(reaches(&data, &pki, &both).await);
    assert!(reaches(&data, &old, &both).await, "an old certificate is refused before the end");
    run_line(folder.path(), remove);
    assert!(reaches(&data, &pki, &both).await);
    assert!(!reaches(&data, &old, &both).await, "the old CA is still taken");
}

/// One step of an operator's life.
#[derive(Debug, Clone)]
enum Step {
    Issue,
    Renew(prop::sample::Index),
    Revoke(prop::sample::Index),
    RevokePrincipal(prop::sample::Index),
    Sign,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let one = prop_oneof![
        2 => Just(Step::Issue),
        2 => any::<prop::sample::Index>().prop_map(Step::Renew),
        2 => any::<prop::sample::Index>().prop_map(Step::Revoke),
        1 => any::<prop::sample::Index>().prop_map(Step::RevokePrincipal),
        1 => Just(Step::Sign),
    ];
    prop::collection::vec(one, 1..14)
}

/// The serial numbers on the folder's list, and the list's number.
fn listed(folder: &Path) -> (BTreeSet<String>, u64) {
    let list = lists(folder).unwrap().remove(0);
    (list.revoked.into_iter().map(|entry| entry.serial).collect(), list.number.unwrap().parse().unwrap())
}

fn serial_of(path: &Path) -> String {
    read_certificates(path).unwrap().remove(0).serial
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_done_the_list_has_what_was_revoked_and_its_number_grows(steps in steps()) {
        let folder = tempdir().unwrap();
        let domain = TrustDomain::parse("alliance.example").unwrap();
        let ca = Ca::init(folder.path(), &domain).unwrap();
        let (mut files, mut revoked, mut number) = (Vec::<PathBuf>::new(), BTreeSet::new(), 1);
        // Every serial number that a principal ever had.
        let mut serials = Vec::<BTreeSet<String>>::new();
        for step in steps {
            let signs = match step {
                Step::Issue => {
                    let name = Principal::from_path(&format!("operator/o{}", files.len()), &domain).unwrap();
                    let issued = ca.issue(&LeafRequest::client(name, 1)).unwrap().certificate_pem;
                    serials.push(BTreeSet::from([serial_of(&issued)]));
                    files.push(issued);
                    false
                }
                Step::Renew(index) if !files.is_empty() => {
                    let index = index.index(files.len());
                    let is_revoked = revoked.contains(&serial_of(&files[index]));
                    let renewed = ca.renew(&files[index], None, KeyChoice::Fresh);
                    prop_assert_eq!(renewed.is_err(), is_revoked);
                    serials[index].insert(serial_of(&files[index]));
                    false
                }
                Step::Revoke(index) if !files.is_empty() => {
                    let file = &files[index.index(files.len())];
                    ca.revoke(&Target::File(file.clone()), Reason::Superseded).unwrap();
                    revoked.insert(serial_of(file));
                    true
                }
                Step::RevokePrincipal(index) if !files.is_empty() => {
                    let index = index.index(files.len());
                    ca.revoke(&Target::Principal(format!("operator/o{index}")), Reason::KeyCompromise).unwrap();
                    revoked.extend(serials[index].iter().cloned());
                    true
                }
                Step::Sign => !ca.renew_crl(None).unwrap().is_empty(),
                Step::Renew(_) | Step::Revoke(_) | Step::RevokePrincipal(_) => false,
            };
            let (list, after) = listed(folder.path());
            prop_assert_eq!(&list, &revoked);
            prop_assert!(if signs { after > number } else { after == number }, "from {} to {}", number, after);
            number = after;
            for file in &files {
                let expected = if revoked.contains(&serial_of(file)) { REVOKED } else { Ok(()) };
                prop_assert_eq!(handshake(folder.path(), file), expected);
            }
        }
    }
}

#[test]
fn each_name_in_the_examples_for_other_authorities_is_one_that_the_hub_takes() {
    let domain = TrustDomain::parse("alliance.example").unwrap();
    let examples = [
        include_str!("../../deploy/pki/cert-manager/partner.yaml"),
        include_str!("../../deploy/pki/spire/entries.json"),
    ];
    let mut roles = BTreeSet::new();
    for example in examples {
        for (at, _) in example.match_indices("spiffe://") {
            let uri: &str = example[at..].split(['"', '\n', ' ']).next().unwrap();
            // The hub and SPIRE's own agents are no callers.
            if uri.ends_with("/hub") || uri.contains("/spire/") {
                continue;
            }
            let principal = Principal::parse(uri, &domain).unwrap_or_else(|error| panic!("{uri}: {error}"));
            roles.insert(principal.role().as_str());
        }
    }
    assert_eq!(roles, BTreeSet::from(["auditor", "finance", "operator", "partner"]));
}
