//! Where the hub is and by which certificate it knows the caller: from PEM files to a TLS configuration.
//!
//! TLS 1.3 and HTTP/2 only, as the hub asks for. The system's own authorities are never trusted: only the one that
//! the caller names.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use http::Uri;
use rustls::crypto::aws_lc_rs;
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use thiserror::Error;
use zeroize::Zeroizing;

/// What to look at where the hub was not reached.
pub(crate) const UNREACHED: &str =
    "check the address, that the hub serves, and that both sides trust each other's certificate";

/// How to reach the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The hub's address: `https://host:port`, without a path.
    pub endpoint: String,
    /// The authorities that may sign the hub's certificate.
    pub ca_pem: PathBuf,
    /// The caller's certificate, leaf first, then any intermediates.
    pub certificate_pem: PathBuf,
    /// The private key of the caller's certificate.
    pub key_pem: PathBuf,
    /// The DNS name or IP address that the hub's certificate must carry; `None` for the endpoint's host.
    pub server_name: Option<String>,
}

/// Why there is no connection to the hub.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The endpoint is no address of a hub.
    #[error("{endpoint:?} is no address of a hub: write https://host:port")]
    EndpointMalformed {
        /// The endpoint as given.
        endpoint: String,
    },
    /// The server name is neither a DNS name nor an IP address.
    #[error("{name:?} is no DNS name and no IP address")]
    ServerNameMalformed {
        /// The name as given, or the endpoint's host.
        name: String,
    },
    /// A PEM file is missing or cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    FileUnreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A PEM file holds nothing of what it is for, or a damaged block.
    #[error("{} holds no well-formed {expected}: is it the right file?", path.display())]
    FileMalformed {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
    },
    /// The certificate and its key are not of one pair, or of a kind that cannot be used.
    #[error("{} does not go with {} ({reason})", key.display(), certificate.display())]
    PairRefused {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong.
        reason: rustls::Error,
    },
    /// The cryptography of this build lacks TLS 1.3; only a broken build does.
    #[error("this build cannot speak TLS 1.3: {0}")]
    ProviderRefused(rustls::Error),
    /// The hub is not there, or its certificate is not what was asked for.
    #[error("cannot connect to {endpoint}: {reason}; {UNREACHED}")]
    Unreachable {
        /// The endpoint.
        endpoint: String,
        /// What went wrong, from the outside in.
        reason: String,
    },
}

/// What the files hold.
#[derive(PartialEq, Eq)]
pub(crate) struct Pem {
    authorities: Vec<u8>,
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

/// A configuration that was read and checked, before anything went over the network.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) uri: Uri,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) server_name: ServerName<'static>,
    pub(crate) tls: Arc<ClientConfig>,
}

impl Config {
    /// The files of a folder as `pointbridge pki` makes it: `ca.pem`, and `<name>.pem` with `<name>.key`, such as
    /// `partner.airline.partner.till-7.pem`.
    ///
    /// ```
    /// use pointbridge_client::Config;
    ///
    /// let config = Config::in_folder("https://127.0.0.1:7443", "hub/pki", "airline");
    /// assert_eq!(config.key_pem, std::path::Path::new("hub/pki/airline.key"));
    /// ```
    #[must_use]
    pub fn in_folder(endpoint: impl Into<String>, folder: impl AsRef<Path>, name: &str) -> Self {
        let at = |file: &str| folder.as_ref().join(file);
        Self {
            endpoint: endpoint.into(),
            ca_pem: at("ca.pem"),
            certificate_pem: at(&format!("{name}.pem")),
            key_pem: at(&format!("{name}.key")),
            server_name: None,
        }
    }

    /// Reads the files.
    ///
    /// # Errors
    /// Of the authorities, the certificate and the key, the first that cannot be read.
    pub(crate) fn read(&self) -> Result<Pem, ConnectError> {
        Ok(Pem {
            authorities: read(&self.ca_pem)?,
            certificate: read(&self.certificate_pem)?,
            key: Zeroizing::new(read(&self.key_pem)?),
        })
    }

    /// Checks every part, with what the files hold.
    ///
    /// # Errors
    /// The endpoint, the server name, the authorities, the certificate, the key, in this order.
    pub(crate) fn target(&self, pem: &Pem) -> Result<Target, ConnectError> {
        let (uri, host, port) = self.address()?;
        let name = self.server_name.as_deref().unwrap_or(&host);
        let server_name = ServerName::try_from(name.to_owned())
            .map_err(|_| ConnectError::ServerNameMalformed { name: name.to_owned() })?;
        Ok(Target { uri, port, server_name, tls: self.tls(pem)?, host })
    }

    fn address(&self) -> Result<(Uri, String, u16), ConnectError> {
        let malformed = || ConnectError::EndpointMalformed { endpoint: self.endpoint.clone() };
        let uri: Uri = self.endpoint.parse().map_err(|_| malformed())?;
        let is_plain = uri.path() == "/" && uri.query().is_none();
        let authority = uri.authority().ok_or_else(malformed)?;
        let port = authority.port_u16().ok_or_else(malformed)?;
        if uri.scheme() != Some(&http::uri::Scheme::HTTPS) || !is_plain || authority.as_str().contains('@') {
            return Err(malformed());
        }
        // An IPv6 address stands in brackets in a URI, and without them everywhere else.
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok((uri, host, port))
    }

    fn tls(&self, pem: &Pem) -> Result<Arc<ClientConfig>, ConnectError> {
        let mut roots = RootCertStore::empty();
        for authority in certificates(&self.ca_pem, &pem.authorities)? {
            roots.add(authority).map_err(|_| malformed(&self.ca_pem, "authority's certificate"))?;
        }
        let chain = certificates(&self.certificate_pem, &pem.certificate)?;
        let key =
            PrivateKeyDer::from_pem_slice(&pem.key).map_err(|_| malformed(&self.key_pem, "private key"))?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .map_err(ConnectError::ProviderRefused)?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .map_err(|reason| ConnectError::PairRefused {
                certificate: self.certificate_pem.clone(),
                key: self.key_pem.clone(),
                reason,
            })?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        // The hub resumes nothing, so there is nothing to keep.
        config.resumption = rustls::client::Resumption::disabled();
        Ok(Arc::new(config))
    }
}

fn certificates(path: &Path, bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    let found = CertificateDer::pem_slice_iter(bytes).collect::<Result<Vec<_>, _>>();
    found.ok().filter(|found| !found.is_empty()).ok_or_else(|| malformed(path, "certificate"))
}

fn read(path: &Path) -> Result<Vec<u8>, ConnectError> {
    fs::read(path).map_err(|source| ConnectError::FileUnreadable { path: path.to_owned(), source })
}

fn malformed(path: &Path, expected: &'static str) -> ConnectError {
    ConnectError::FileMalformed { path: path.to_owned(), expected }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertifiedKey, generate_simple_self_signed};

    use super::*;

    fn target(config: &Config) -> Result<Target, ConnectError> {
        config.target(&config.read()?)
    }

    struct Files {
        _folder: tempfile::TempDir,
        config: Config,
    }

    /// A configuration whose authority is the caller's own certificate: enough to be read.
    fn files() -> Files {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(vec!["hub.test".to_owned()]).unwrap();
        fs::write(at("own.pem"), cert.pem()).unwrap();
        fs::write(at("own.key"), signing_key.serialize_pem()).unwrap();
        fs::write(at("empty.pem"), "").unwrap();
        let config = Config {
            endpoint: "https://127.0.0.1:7443".to_owned(),
            ca_pem: at("own.pem"),
            certificate_pem: at("own.pem"),
            key_pem: at("own.key"),
            server_name: None,
        };
        Files { _folder: folder, config }
    }

    #[test]
    fn an_endpoint_gives_host_port_and_the_name_to_verify() {
        let files = files();
        let cases = [
            ("https://127.0.0.1:7443", None, "127.0.0.1", "127.0.0.1"),
            ("https://[::1]:7443", None, "::1", "::1"),
            ("https://hub.test:7443/", None, "hub.test", "hub.test"),
            ("https://127.0.0.1:7443", Some("hub.test"), "127.0.0.1", "hub.test"),
        ];
        for (endpoint, server_name, host, verified) in cases {
            let config = Config {
                endpoint: endpoint.to_owned(),
                server_name: server_name.map(str::to_owned),
                ..files.config.clone()
            };
            let target = target(&config).unwrap();
            assert_eq!((target.host.as_str(), target.port), (host, 7443), "{endpoint}");
            assert_eq!(target.server_name.to_str(), verified, "{endpoint}");
        }
    }

    #[test]
    fn an_endpoint_that_is_no_hubs_is_refused() {
        let files = files();
        let cases = [
            "",
            "127.0.0.1:7443",
            "http://127.0.0.1:7443",
            "https://127.0.0.1",
            "https://127.0.0.1:7443/v1",
            "https://127.0.0.1:7443/?x=1",
            "https://me@127.0.0.1:7443",
            "https://:7443",
            "https://127.0.0.1:99999",
        ];
        for endpoint in cases {
            let config = Config { endpoint: endpoint.to_owned(), ..files.config.clone() };
            assert!(target(&config).is_err(), "{endpoint}");
        }
        let config = Config { server_name: Some("hub test".to_owned()), ..files.config };
        assert!(matches!(target(&config), Err(ConnectError::ServerNameMalformed { .. })));
    }

    #[test]
    fn tls_speaks_http2_and_resumes_nothing() {
        let files = files();
        let tls = target(&files.config).unwrap().tls;
        assert_eq!(tls.alpn_protocols, [b"h2".to_vec()]);
        assert!(!tls.enable_early_data);
        let debug = format!("{:?}", tls.resumption);
        assert_eq!(debug, format!("{:?}", rustls::client::Resumption::disabled()));
    }

    #[test]
    fn each_bad_file_is_named() {
        let files = files();
        let folder = files.config.ca_pem.parent().unwrap().to_owned();
        let stranger = self::files();
        let cases: [(&str, Config); 7] = [
            ("gone.pem", Config { ca_pem: folder.join("gone.pem"), ..files.config.clone() }),
            ("gone.pem", Config { certificate_pem: folder.join("gone.pem"), ..files.config.clone() }),
            ("gone.key", Config { key_pem: folder.join("gone.key"), ..files.config.clone() }),
            ("empty.pem", Config { ca_pem: folder.join("empty.pem"), ..files.config.clone() }),
            ("empty.pem", Config { certificate_pem: folder.join("empty.pem"), ..files.config.clone() }),
            ("private key", Config { key_pem: folder.join("own.pem"), ..files.config.clone() }),
            ("does not go with", Config { key_pem: stranger.config.key_pem.clone(), ..files.config.clone() }),
        ];
        for (expected, config) in cases {
            let said = target(&config).unwrap_err().to_string();
            assert!(said.contains(expected), "{said:?} lacks {expected:?}");
        }
    }

    #[tokio::test]
    async fn a_hub_that_is_not_there_is_told_by_its_address() {
        let files = files();
        // A port that was free a moment ago, and that nobody listens on.
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let endpoint = format!("https://{}", listener.local_addr().unwrap());
        drop(listener);
        let config = Config { endpoint: endpoint.clone(), ..files.config };
        let said = crate::Client::connect(&config).await.unwrap_err().to_string();
        assert!(said.contains(&endpoint) && said.contains("refused"), "{said}");
    }
}
