//! A real hub in this process, on a free port of the loopback, in a data folder made at run time; and clients of it.
//!
//! Every hub has two authorities: its own, and one of another trust domain whose certificates are let in and name
//! nobody. Absent on purpose: sleeps, fixed ports, and any way to the hub's state but its interface and its check.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pointbridge::config::{Config, ConfigFile, DATABASE_FILE, PKI_FOLDER};
use pointbridge::keys::KeyRing;
use pointbridge::peer::{Principal, TrustDomain};
use pointbridge::pki::{Ca, LeafRequest};
use pointbridge::serve::{Ready, Stopped, Tweaks};
use pointbridge_client::{Client, Config as ClientConfig, ConnectError};
use pointbridge_core::time::Timestamp;
use pointbridge_store_sqlite::{Options, SqliteStore};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The trust domain of the alliance.
pub(crate) const TRUST_DOMAIN: &str = "alliance.example";
/// The trust domain of the authority whose certificates name nobody here.
const FOREIGN_DOMAIN: &str = "elsewhere.example";
/// The foreign authority's folder.
const FOREIGN_FOLDER: &str = "foreign";
/// The authorities of client certificates, as one file.
const CLIENT_CA: &str = "clients.pem";
/// The authorities' revocation lists, as one file.
const CLIENT_CRL: &str = "revoked.pem";
/// How long something that must happen may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
/// How often it is looked at.
const GLANCE: Duration = Duration::from_millis(20);

/// A data folder with keys and certificates, removed with its owner.
pub(crate) struct Folder(TempDir);

impl Folder {
    /// A folder as a new hub needs it, without a database.
    pub(crate) fn fresh() -> Self {
        let folder = tempfile::tempdir().unwrap();
        KeyRing::create(folder.path()).unwrap();
        let authority = |name: &str, domain: &str| {
            let ca = Ca::init(&folder.path().join(name), &TrustDomain::parse(domain).unwrap()).unwrap();
            let read = |file: &str| std::fs::read_to_string(ca.folder().join(file)).unwrap();
            (read("ca.pem"), read("crl.pem"), ca)
        };
        let (own, own_list, ca) = authority(PKI_FOLDER, TRUST_DOMAIN);
        ca.issue(&LeafRequest::server(&["127.0.0.1"], 1)).unwrap();
        let (foreign, foreign_list, _) = authority(FOREIGN_FOLDER, FOREIGN_DOMAIN);
        std::fs::write(folder.path().join(CLIENT_CRL), own_list + &foreign_list).unwrap();
        std::fs::write(folder.path().join(CLIENT_CA), own + &foreign).unwrap();
        Self(folder)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// The database's file.
    pub(crate) fn database(&self) -> PathBuf {
        self.path().join(DATABASE_FILE)
    }

    fn config(&self) -> Config {
        let file = ConfigFile {
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
            trust_domain: Some(TRUST_DOMAIN.to_owned()),
            client_ca: Some(PathBuf::from(CLIENT_CA)),
            client_crl: Some(PathBuf::from(CLIENT_CRL)),
            lame_duck_seconds: Some(0),
            ..ConfigFile::default()
        };
        file.resolve(self.path()).unwrap()
    }

    /// The client configuration of a principal, whose certificate is issued on first use.
    fn client_config(
        &self,
        authority: &str,
        domain: &str,
        principal: &str,
        address: SocketAddr,
    ) -> ClientConfig {
        let folder = self.path().join(authority);
        let stem = principal.replace('/', ".");
        let certificate_pem = folder.join(format!("{stem}.pem"));
        if !certificate_pem.exists() {
            let named = Principal::from_path(principal, &TrustDomain::parse(domain).unwrap()).unwrap();
            Ca::open(&folder).unwrap().issue(&LeafRequest::client(named, 1)).unwrap();
        }
        ClientConfig {
            endpoint: format!("https://{address}"),
            ca_pem: self.path().join(PKI_FOLDER).join("ca.pem"),
            key_pem: certificate_pem.with_extension("key"),
            certificate_pem,
            server_name: None,
        }
    }

    /// Proves the books on what is on the disk, with a clock that runs ahead by `offset_seconds`.
    pub(crate) async fn assert_books_hold(&self, offset_seconds: i64) {
        let system = pointbridge_store_sqlite::system_clock().unwrap();
        let offset = offset_seconds * 1_000_000;
        let clock = Arc::new(move || Timestamp::from_micros(system().micros() + offset).unwrap());
        let path = self.database();
        let options = Options { path, clock, statement_hook: None, readers: 1, migrate: false };
        let store = SqliteStore::open(options).await.unwrap();
        let report = pointbridge_check::run(&store).await.unwrap();
        store.close().await;
        assert!(report.is_clean(), "{:#}", report.to_json());
        assert!(report.rows > 0, "the check read nothing");
    }
}

/// A serving hub.
pub(crate) struct Hub {
    folder: Folder,
    offset_seconds: i64,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Stopped>,
}

impl Hub {
    /// A new hub.
    pub(crate) async fn start() -> Self {
        Self::start_in(Folder::fresh(), 0).await
    }

    /// A hub on a data folder, whose clock runs ahead by `offset_seconds`.
    pub(crate) async fn start_in(folder: Folder, offset_seconds: i64) -> Self {
        let tweaks = Tweaks { clock_offset_seconds: offset_seconds, ..Tweaks::default() };
        let ready = Ready::prepare(folder.config(), tweaks).await.unwrap();
        let address = ready.address;
        let (stop, asked) = oneshot::channel();
        let stop_asked = async move {
            let _ = asked.await;
        };
        let serving = tokio::spawn(async move { ready.serve(stop_asked).await.unwrap() });
        Self { folder, offset_seconds, address, stop, serving }
    }

    /// A client whose certificate names `principal`, such as `partner/airline/partner/till-7`.
    pub(crate) async fn client(&self, principal: &str) -> Client {
        let config = self.folder.client_config(PKI_FOLDER, TRUST_DOMAIN, principal, self.address);
        Client::bare(&config).await.unwrap()
    }

    /// The certificate of a principal, in PEM; issued on first use.
    pub(crate) fn certificate_pem(&self, principal: &str) -> String {
        let config = self.folder.client_config(PKI_FOLDER, TRUST_DOMAIN, principal, self.address);
        std::fs::read_to_string(config.certificate_pem).unwrap()
    }

    /// The certificate of a principal of another trust domain, and the authority's own, in PEM.
    pub(crate) fn useless_pems(&self) -> [String; 2] {
        let foreign = self.folder.client_config(
            FOREIGN_FOLDER,
            FOREIGN_DOMAIN,
            "partner/airline/partner/till-7",
            self.address,
        );
        [foreign.certificate_pem, foreign.ca_pem].map(|file| std::fs::read_to_string(file).unwrap())
    }

    /// A client whose certificate a known authority signed, and that names nobody of this trust domain.
    pub(crate) async fn nobody(&self) -> Client {
        let config = self.folder.client_config(FOREIGN_FOLDER, FOREIGN_DOMAIN, "operator/wang", self.address);
        Client::bare(&config).await.unwrap()
    }

    /// A client that trusts this hub, with a certificate that only another hub's authority vouches for.
    pub(crate) async fn client_of_another(
        &self,
        other: &Self,
        principal: &str,
    ) -> Result<Client, ConnectError> {
        let theirs = other.folder.client_config(PKI_FOLDER, TRUST_DOMAIN, principal, self.address);
        Client::bare(&ClientConfig { ca_pem: self.folder.path().join(PKI_FOLDER).join("ca.pem"), ..theirs })
            .await
    }

    /// The operator's client.
    pub(crate) async fn operator(&self) -> Client {
        self.client("operator/wang").await
    }

    /// A client of a partner's systems.
    pub(crate) async fn partner(&self, code: &str) -> Client {
        self.client(&format!("partner/{code}/partner/till-7")).await
    }

    /// A client of a partner's finance people.
    pub(crate) async fn finance(&self, code: &str) -> Client {
        self.client(&format!("partner/{code}/finance/zhou")).await
    }

    /// An auditor's client.
    pub(crate) async fn auditor(&self) -> Client {
        self.client("auditor/li").await
    }

    /// Asks the hub to stop, without waiting for it.
    pub(crate) fn ask_to_stop(self) -> Stopping {
        let _ = self.stop.send(());
        Stopping { folder: self.folder, serving: self.serving }
    }

    /// Stops the hub in order, and gives its data folder back.
    pub(crate) async fn stop(self) -> Folder {
        let (stopped, folder) = self.ask_to_stop().end().await;
        assert_eq!(stopped, Stopped::Asked);
        folder
    }

    /// Stops the hub in order and proves its books.
    pub(crate) async fn settle(self) {
        let offset_seconds = self.offset_seconds;
        self.stop().await.assert_books_hold(offset_seconds).await;
    }
}

/// A hub that was asked to stop.
pub(crate) struct Stopping {
    folder: Folder,
    serving: JoinHandle<Stopped>,
}

impl Stopping {
    /// Waits for its end.
    pub(crate) async fn end(self) -> (Stopped, Folder) {
        let ended = tokio::time::timeout(PATIENCE, self.serving).await;
        let stopped = ended.expect("the hub ends within a minute").unwrap();
        (stopped, self.folder)
    }
}

/// Looks again and again until `look` finds something, for a minute at most.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "{what}: not within a minute");
        tokio::time::sleep(GLANCE).await;
    }
}
