//! Certificates, authorities and revocation lists that change while the real program serves: whoever is not meant notices
//! nothing, and whoever is, is refused within five seconds, on connections that are open too.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pointbridge::peer::{Principal, TrustDomain};
use pointbridge::pki::{Ca, LeafRequest};
use pointbridge_client::{Client, Refusal};
use rcgen::{CertificateRevocationListParams, Issuer, KeyIdMethod, KeyPair, RevokedCertParams, SerialNumber};
use tempfile::TempDir;
use tonic::{Code, Status};

use crate::asks;
use crate::harness::{PATIENCE, TRUST_DOMAIN, until};
use crate::load::{Bystander, assert_unharmed, config, replace, settle_in};
use crate::program::{Serving, bootstrap, run_ill};
use crate::raw::refused;

/// What the promise allows from a change of a file to the refusal of whom it concerns.
const REFUSED_WITHIN: Duration = Duration::from_secs(5);
const AIRLINE: &str = "partner.airline.partner.till-7";
const MARKET: &str = "partner.market.partner.till-7";
const OPERATOR: &str = "operator.wang";

/// A data folder with an authority of its own, and the files of the clients' authorities beside it.
struct Stage {
    folder: TempDir,
}

/// A serving hub with two partners that are settled in.
struct Scene {
    stage: Stage,
    hub: Serving,
    airline: Client,
    market_member: String,
    airline_member: String,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let stage = Self { folder };
        bootstrap(&stage.data());
        for code in ["airline", "market"] {
            stage.issue("pki", &format!("partner/{code}/partner/till-7"));
        }
        stage.write_authorities(&["pki"]);
        stage.write_lists(&[list(&stage.at("pki"), 1_000, &[], 3_600)]);
        stage
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("hub")
    }

    fn at(&self, name: &str) -> PathBuf {
        self.data().join(name)
    }

    fn issue(&self, authority: &str, principal: &str) {
        let named = Principal::from_path(principal, &TrustDomain::parse(TRUST_DOMAIN).unwrap()).unwrap();
        Ca::open(&self.at(authority)).unwrap().issue(&LeafRequest::client(named, 1)).unwrap();
    }

    fn write_authorities(&self, folders: &[&str]) {
        let read = |folder: &&str| std::fs::read_to_string(self.at(folder).join("ca.pem")).unwrap();
        replace(&self.at("clients.pem"), &folders.iter().map(read).collect::<String>());
    }

    fn write_lists(&self, lists: &[String]) {
        replace(&self.at("revoked.pem"), &lists.concat());
    }

    async fn serve(&self) -> Serving {
        let file = |name: &str| self.at(name).display().to_string();
        let (authorities, lists) = (file("clients.pem"), file("revoked.pem"));
        let arguments = ["--client-ca", &authorities, "--client-crl", &lists, "--lame-duck-seconds", "0"];
        Serving::start_with(&self.data(), &arguments).await
    }

    async fn client(&self, hub: &Serving, authority: &str, stem: &str) -> Result<Client, String> {
        let config = config(hub, &self.at("pki").join("ca.pem"), &self.at(authority), stem);
        Client::bare(&config).await.map_err(|error| error.to_string())
    }
}

impl Scene {
    async fn open() -> Self {
        let stage = Stage::new();
        let hub = stage.serve().await;
        let operator = stage.client(&hub, "pki", OPERATOR).await.unwrap();
        let airline = stage.client(&hub, "pki", AIRLINE).await.unwrap();
        let market = stage.client(&hub, "pki", MARKET).await.unwrap();
        let airline_member = settle_in(&operator, &airline, "airline").await;
        let market_member = settle_in(&operator, &market, "market").await;
        Self { stage, hub, airline, market_member, airline_member }
    }

    /// Three clients of the market with certificates of an authority.
    fn bystanders(&self, authority: &str) -> Vec<Bystander> {
        let start = |_| {
            let hubs = self.stage.at("pki").join("ca.pem");
            let config = config(&self.hub, &hubs, &self.stage.at(authority), MARKET);
            Bystander::start(config, self.market_member.clone())
        };
        (0..3).map(start).collect()
    }

    /// A call of the airline on the connection that it has had from the beginning.
    async fn airline_calls(&self) -> Result<(), Status> {
        self.airline.ledger().get_balance(asks::get_balance(&self.airline_member)).await.map(drop)
    }

    /// Waits until the airline is refused, and prints how long that took.
    async fn assert_airline_refused(&self, what: &str, reason: &str) {
        let began = Instant::now();
        let status = until(what, async || self.airline_calls().await.err()).await;
        let took = began.elapsed();
        assert_eq!(refused::<()>(Err(status), Code::Unauthenticated, reason).reason, reason);
        assert!(took <= REFUSED_WITHIN, "{what}: only after {took:?}");
        eprintln!("{what}: refused after {} ms on an open connection", took.as_millis());
    }

    async fn logged(&self, what: &str, words: &[&str]) -> String {
        until(what, async || {
            let lines = self.hub.logged();
            lines.lines().find(|line| words.iter().all(|word| line.contains(word))).map(str::to_owned)
        })
        .await
    }

    async fn end(self) {
        assert_eq!(self.hub.terminate().await.code(), Some(0));
    }
}

/// The serial number of a certificate's file, in hex.
fn serial_text(certificate_pem: &Path) -> String {
    use rustls_pki_types::CertificateDer;
    use rustls_pki_types::pem::PemObject;
    let der = CertificateDer::from_pem_file(certificate_pem).unwrap();
    pointbridge::peer::PeerCertificate::of(&der).serial
}

/// The same, as its authority counts it.
fn serial(certificate_pem: &Path) -> SerialNumber {
    let hex = serial_text(certificate_pem);
    let even = if hex.len().is_multiple_of(2) { hex } else { format!("0{hex}") };
    SerialNumber::from(data_encoding::HEXLOWER.decode(even.as_bytes()).unwrap())
}

/// A revocation list of an authority's folder that is good for some seconds from now.
fn list(folder: &Path, number: u64, revoked: &[SerialNumber], seconds: u64) -> String {
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let key = KeyPair::from_pem(&read("ca.key")).unwrap();
    let issuer = Issuer::from_ca_cert_pem(&read("ca.pem"), key).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let now = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(now.as_secs());
    let entry = |serial_number: &SerialNumber| RevokedCertParams {
        serial_number: serial_number.clone(),
        revocation_time: now,
        reason_code: None,
        invalidity_date: None,
    };
    let list = CertificateRevocationListParams {
        this_update: now - Duration::from_hours(1),
        next_update: now + Duration::from_secs(seconds),
        crl_number: SerialNumber::from(number),
        issuing_distribution_point: None,
        revoked_certs: revoked.iter().map(entry).collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    list.signed_by(&issuer).unwrap().pem().unwrap()
}

/// A handshake that fails, or a first call that does: with TLS 1.3 a client learns of its refusal when it reads.
async fn assert_shut_out(scene: &Scene, authority: &str, stem: &str) {
    if let Ok(client) = scene.stage.client(&scene.hub, authority, stem).await {
        let request = pointbridge_client::v1::GetPartnerRequest { code: "airline".to_owned() };
        let answer = client.partners().get_partner(request).await;
        let refusal = Refusal::from(&answer.expect_err("the handshake must fail"));
        // Said by the client's own library, whatever it calls a wire that was cut: the hub's answers have reasons.
        assert!(refusal.reason.is_empty(), "{refusal:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_certificate_is_refused_on_open_connections_and_nobody_else_notices() {
    let scene = Scene::open().await;
    let bystanders = scene.bystanders("pki");
    scene.airline_calls().await.unwrap();
    let pki = scene.stage.at("pki");
    let victim = serial(&pki.join(format!("{AIRLINE}.pem")));
    scene.stage.write_lists(&[list(&pki, 1_001, &[victim], 3_600)]);
    scene.assert_airline_refused("revocation", "CERTIFICATE_REVOKED").await;
    assert_shut_out(&scene, "pki", AIRLINE).await;
    assert_unharmed("revocation", bystanders).await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn authorities_change_over_with_both_in_between_and_nobody_who_moved_notices() {
    let scene = Scene::open().await;
    Ca::init(&scene.stage.at("new"), &TrustDomain::parse(TRUST_DOMAIN).unwrap()).unwrap();
    scene.stage.issue("new", "partner/market/partner/till-7");
    scene.stage.issue("new", "partner/airline/partner/till-7");
    assert_shut_out(&scene, "new", AIRLINE).await;

    let before = scene.bystanders("pki");
    let lists = ["pki", "new"].map(|folder| list(&scene.stage.at(folder), 1_001, &[], 3_600));
    scene.stage.write_lists(&lists);
    scene.stage.write_authorities(&["pki", "new"]);
    scene.logged("both authorities are in force", &["\"authorities\":2", "taken"]).await;
    let after = scene.bystanders("new");
    scene.airline_calls().await.unwrap();
    let moved = scene.stage.client(&scene.hub, "new", AIRLINE).await.unwrap();
    moved.ledger().get_balance(asks::get_balance(&scene.airline_member)).await.unwrap();
    assert_unharmed("two authorities", before).await;

    scene.stage.write_authorities(&["new"]);
    scene.assert_airline_refused("the old authority's end", "CERTIFICATE_UNKNOWN").await;
    assert_shut_out(&scene, "pki", AIRLINE).await;
    moved.ledger().get_balance(asks::get_balance(&scene.airline_member)).await.unwrap();
    assert_unharmed("the change of authorities", after).await;
    scene.end().await;
}

/// The serial number of the certificate that the hub shows to new connections.
async fn shown(scene: &Scene) -> String {
    use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
    let pki = scene.stage.at("pki");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(pki.join("ca.pem")).unwrap()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = tokio::net::TcpStream::connect(scene.hub.address()).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    // The hub shows its certificate first, and asks for the client's then.
    let tls = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config)).connect(name, tcp).await.unwrap();
    let chain = tls.get_ref().1.peer_certificates().unwrap();
    pointbridge::peer::PeerCertificate::of(&chain[0]).serial
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_hubs_own_certificate_is_renewed_and_what_is_half_written_is_told_and_left() {
    let scene = Scene::open().await;
    let bystanders = scene.bystanders("pki");
    let (pki, old) = (scene.stage.at("pki"), shown(&scene).await);
    let request = LeafRequest::server(&["localhost", "127.0.0.1"], 1).named("next");
    Ca::open(&pki).unwrap().issue(&request).unwrap();
    let next = |ending: &str| std::fs::read_to_string(pki.join(format!("next.{ending}"))).unwrap();
    let (certificate, key) = (next("pem"), next("key"));

    // The certificate, half; then whole, with the key of the one before it.
    std::fs::write(pki.join("server.pem"), &certificate[..certificate.len() / 2]).unwrap();
    scene.logged("half a file", &["ERROR", "server.pem", "not well-formed PEM"]).await;
    assert_eq!(shown(&scene).await, old);
    replace(&pki.join("server.pem"), &certificate);
    scene.logged("a key that does not match", &["ERROR", "server.key", "issue both together"]).await;
    assert_eq!(shown(&scene).await, old);
    std::fs::remove_file(pki.join("server.pem")).unwrap();
    scene.logged("a file that is gone", &["ERROR", "cannot read", "server.pem"]).await;
    assert_eq!(shown(&scene).await, old);

    replace(&pki.join("server.pem"), &certificate);
    std::fs::write(pki.join("server.key"), &key).unwrap();
    scene.logged("everything is in order", &["INFO", "in order again"]).await;
    let renewed = shown(&scene).await;
    assert_ne!(renewed, old);
    assert_eq!(renewed, serial_text(&pki.join("next.pem")));
    assert_unharmed("renewal", bystanders).await;
    let faults = scene.hub.logged().lines().filter(|line| line.contains("cannot be reloaded")).count();
    assert_eq!(faults, 3, "each fault is told once");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hangup_has_the_files_read_at_once() {
    let scene = Scene::open().await;
    let victim = serial(&scene.stage.at("pki").join(format!("{AIRLINE}.pem")));
    scene.stage.write_lists(&[list(&scene.stage.at("pki"), 1_001, &[victim], 3_600)]);
    scene.hub.signal("HUP");
    scene.logged("the hangup", &["as asked"]).await;
    scene.assert_airline_refused("a hangup", "CERTIFICATE_REVOKED").await;
    scene.hub.signal("HUP");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_is_over_fails_closed_with_an_alarm_and_a_new_one_opens_again() {
    let scene = Scene::open().await;
    let pki = scene.stage.at("pki");
    scene.stage.write_lists(&[list(&pki, 1_001, &[], 4)]);
    scene.logged("the short list", &["WARN", "revocation list", "soon over"]).await;
    scene.airline_calls().await.unwrap();
    let status = until("the list is over", async || scene.airline_calls().await.err()).await;
    let refusal = refused::<()>(Err(status), Code::Unauthenticated, "CRL_EXPIRED");
    assert!(refusal.message.contains("ask the operator"), "{refusal:?}");
    assert_shut_out(&scene, "pki", MARKET).await;
    scene.logged("the alarm", &["ERROR", "revocation list", "over, or not valid yet"]).await;
    scene.stage.write_lists(&[list(&pki, 1_002, &[], 3_600)]);
    until("the new list is taken", async || scene.airline_calls().await.ok()).await;
    scene.end().await;
}

#[test]
fn an_authority_without_a_list_serves_only_where_the_configuration_says_so() {
    let stage = Stage::new();
    std::fs::remove_file(stage.at("pki").join("crl.pem")).unwrap();
    let data = stage.data().display().to_string();
    let authority = stage.at("pki").join("ca.pem").display().to_string();
    let serve = ["serve", "--data", &data, "--listen", "127.0.0.1:0", "--client-ca", &authority];
    let said = run_ill(1, &serve);
    assert!(said.contains("no revocation list") && said.contains("pointbridge pki crl"), "{said}");
    let (_, rest) = said.split_once("allow_ca_without_crl = [\"").expect("it says what to write");
    let fingerprint = rest.split('"').next().unwrap().to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let allowed = ["--client-ca", &authority, "--allow-ca-without-crl", &fingerprint];
        let hub = Serving::start_with(&stage.data(), &allowed).await;
        let operator = stage.client(&hub, "pki", OPERATOR).await.unwrap();
        operator.partners().create_partner(asks::create_partner("airline")).await.unwrap();
        let ended = tokio::time::timeout(PATIENCE, hub.terminate()).await.unwrap();
        assert_eq!(ended.code(), Some(0));
    });
}
