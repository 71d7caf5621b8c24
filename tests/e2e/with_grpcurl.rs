//! The hub as an operator's shell sees it: the real grpcurl, which finds everything by the hub's own reflection.
//!
//! `tests/run` installs the pinned grpcurl and leaves these tests out, by name and aloud, where it cannot. Absent: any
//! .proto file on grpcurl's side, and anything that passes when grpcurl is missing.

mod operator;
mod tour;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pointbridge::peer::TrustDomain;
use pointbridge::pki::Ca;
use tempfile::TempDir;

use crate::asks;
use crate::harness::TRUST_DOMAIN;
use crate::program::{Serving, bootstrap, issue_partner, run_well, text};

/// Names the program; else it is looked for where `tests/run` puts it.
const PROGRAM: &str = "POINTBRIDGE_GRPCURL";

fn grpcurl() -> PathBuf {
    let cache = || match std::env::var_os("XDG_CACHE_HOME").filter(|folder| !folder.is_empty()) {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(std::env::var_os("HOME").expect("there is a home folder")).join(".cache"),
    };
    let named = std::env::var_os(PROGRAM).map(PathBuf::from);
    let path = named.unwrap_or_else(|| cache().join("pointbridge/tools/bin/grpcurl"));
    assert!(
        path.is_file(),
        "{} is missing: let tests/run install it, or name another one in {PROGRAM}",
        path.display()
    );
    path
}

/// A serving hub with the partner market, and grpcurl to ask it.
struct Desk {
    folder: TempDir,
    hub: Serving,
}

impl Desk {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("hub");
        bootstrap(&data);
        issue_partner(&data, "market");
        let hub = Serving::start(&data).await;
        let operator = hub.client("operator.wang").await;
        operator.partners().create_partner(asks::create_partner("market")).await.unwrap();
        Self { folder, hub }
    }

    fn pki(&self) -> PathBuf {
        self.folder.path().join("hub/pki")
    }

    /// Runs grpcurl against the hub, with these arguments before and after its address.
    fn run(&self, before: &[&str], after: &[&str]) -> Output {
        let mut command = Command::new(grpcurl());
        command.args(["-max-time", "60", "-cacert"]).arg(self.pki().join("ca.pem"));
        command.args(before).arg(self.hub.address.to_string()).args(after).output().unwrap()
    }

    /// The same, showing the market's certificate.
    fn run_as_market(&self, before: &[&str], after: &[&str]) -> Output {
        self.run(&[&certificate(&self.pki()).each_ref().map(String::as_str)[..], before].concat(), after)
    }

    /// What grpcurl prints for the market, where it must end well.
    fn told(&self, before: &[&str], after: &[&str]) -> String {
        let output = self.run_as_market(before, after);
        assert!(output.status.success(), "{after:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// What grpcurl complains of for the market, where it must end with this gRPC code.
    fn refused(&self, code: i32, data: &str, method: &str) -> String {
        let output = self.run_as_market(&["-d", data], &[method]);
        // grpcurl ends with 64 and the call's code.
        assert_eq!(output.status.code(), Some(64 + code), "{method}: {}", text(&output.stderr));
        text(&output.stderr)
    }

    async fn close(self) {
        assert_eq!(self.hub.terminate().await.code(), Some(0));
    }
}

/// The options that show the market's certificate of an authority.
fn certificate(pki: &Path) -> [String; 4] {
    let file =
        |ending: &str| pki.join(format!("partner.market.partner.till-7.{ending}")).display().to_string();
    ["-cert".to_owned(), file("pem"), "-key".to_owned(), file("key")]
}

fn assert_has(said: &str, expected: &[&str]) {
    for expected in expected {
        assert!(said.contains(expected), "{expected:?} is not in:\n{said}");
    }
}

#[tokio::test]
async fn services_methods_and_messages_are_listed_and_described() {
    let desk = Desk::open().await;
    let services = desk.told(&[], &["list"]);
    let names = ["Agreement", "Exchange", "Ledger", "Member", "Partner"];
    for name in names {
        assert_has(&services, &[&format!("pointbridge.v1.{name}Service\n")]);
    }
    assert_has(&services, &["grpc.health.v1.Health\n", "grpc.reflection.v1.ServerReflection\n"]);
    let methods = desk.told(&[], &["list", "pointbridge.v1.ExchangeService"]);
    assert_has(&methods, &["pointbridge.v1.ExchangeService.PrepareExchange\n"]);
    let service = desk.told(&[], &["describe", "pointbridge.v1.ExchangeService"]);
    let rpc = "rpc CommitExchange ( .pointbridge.v1.CommitExchangeRequest ) returns ( .pointbridge.v1.CommitExchangeResponse );";
    assert_has(&service, &["pointbridge.v1.ExchangeService is a service:", rpc]);
    let message = desk.told(&[], &["describe", "pointbridge.v1.AccruePointsRequest"]);
    assert_has(
        &message,
        &["pointbridge.v1.AccruePointsRequest is a message:", "string amount = 4", "pattern:"],
    );
    let template = desk.told(&["-msg-template"], &["describe", "pointbridge.v1.GetBalanceRequest"]);
    assert_has(&template, &["\"membershipId\": \"\""]);
    desk.close().await;
}

#[tokio::test]
async fn a_call_with_data_is_answered_and_so_is_the_question_for_health() {
    let desk = Desk::open().await;
    let data = format!(
        r#"{{"request_id": "{}", "partner_code": "market", "code": "points", "name": "会员积分", "scale": 2, "custody": "CUSTODY_HOSTED"}}"#,
        pointbridge_client::request_id()
    );
    let told = desk.told(&["-d", &data], &["pointbridge.v1.PartnerService/CreateProgram"]);
    let program: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(program["program"]["name"], "会员积分");
    assert_eq!(program["program"]["scale"], 2);
    // Sent again, the same bytes are answered, and there is one program.
    assert_eq!(desk.told(&["-d", &data], &["pointbridge.v1.PartnerService/CreateProgram"]), told);
    let listed = desk.told(&["-d", "{}"], &["pointbridge.v1.PartnerService/ListPrograms"]);
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["programs"].as_array().unwrap().as_slice(), [program["program"].clone()]);
    for service in ["", "pointbridge.v1.ExchangeService"] {
        let data = format!(r#"{{"service": "{service}"}}"#);
        assert_has(&desk.told(&["-d", &data], &["grpc.health.v1.Health/Check"]), &["\"SERVING\""]);
    }
    desk.close().await;
}

#[tokio::test]
async fn the_details_of_a_refusal_are_printed_in_clear() {
    let desk = Desk::open().await;
    let said = desk.refused(3, r#"{"membership_id": "Li"}"#, "pointbridge.v1.LedgerService/GetBalance");
    assert_has(
        &said,
        &["Code: InvalidArgument", "google.rpc.ErrorInfo", "\"reason\": \"VALIDATION_FAILED\""],
    );
    assert_has(
        &said,
        &["\"domain\": \"pointbridge\"", "google.rpc.BadRequest", "\"field\": \"membership_id\""],
    );
    let missing = format!(r#"{{"membership_id": "mbs_{}"}}"#, "0".repeat(32));
    let said = desk.refused(5, &missing, "pointbridge.v1.LedgerService/GetBalance");
    assert_has(
        &said,
        &["Code: NotFound", "\"reason\": \"MEMBERSHIP_NOT_FOUND\"", "\"field\": \"membership_id\""],
    );
    let create = format!(
        r#"{{"request_id": "{}", "code": "cinema", "name": "Cinema"}}"#,
        pointbridge_client::request_id()
    );
    let said = desk.refused(7, &create, "pointbridge.v1.PartnerService/CreatePartner");
    assert_has(&said, &["Code: PermissionDenied", "\"reason\": \"ROLE_NOT_ALLOWED\"", "it is for operator"]);
    for bytes in ["value\":", "\\u00"] {
        assert!(!said.contains(bytes), "details that grpcurl cannot read: {said}");
    }
    desk.close().await;
}

#[tokio::test]
async fn a_wrong_certificate_and_none_get_no_answer() {
    let desk = Desk::open().await;
    let elsewhere = desk.folder.path().join("elsewhere");
    Ca::init(&elsewhere, &TrustDomain::parse(TRUST_DOMAIN).unwrap()).unwrap();
    run_well(&[
        "pki",
        "partner",
        "--dir",
        elsewhere.to_str().unwrap(),
        "--code",
        "market",
        "--subject",
        "till-7",
    ]);
    let wrong = certificate(&elsewhere);
    let shown: [&[&str]; 2] = [&wrong.each_ref().map(String::as_str), &[]];
    for before in shown {
        let output = desk.run(before, &["list"]);
        let said = text(&output.stderr);
        assert!(!output.status.success() && output.stdout.is_empty(), "{before:?}: {said}");
        assert_has(&said, &["Failed to dial target host"]);
        assert!(!said.contains("ErrorInfo"), "the hub spoke to a stranger: {said}");
    }
    // The same question with the right one is answered.
    assert_has(&desk.told(&[], &["list"]), &["pointbridge.v1.PartnerService"]);
    desk.close().await;
}
