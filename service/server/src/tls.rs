//! The server's TLS: three PEM files in, one configuration out.
//!
//! TLS 1.3 only, a client certificate always, HTTP/2 only. There is no resumption of any kind (no session storage,
//! no tickets, no early data): a resumed session skips the verifier, and with it whatever was revoked since. The
//! one provider of cryptography is aws-lc-rs. Reloading and revocation lists are absent so far.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier};
use rustls::version::TLS13;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;

use crate::secret_file::{self, SecretFileError};

/// The protocol's name in the TLS handshake; gRPC is served over HTTP/2 alone.
pub const ALPN_HTTP2: &[u8] = b"h2";

/// Where the server's certificate, its key and the clients' authorities lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFiles {
    /// The server's certificate, leaf first, then any intermediates.
    pub certificate_pem: PathBuf,
    /// The private key of the leaf; mode 0600.
    pub key_pem: PathBuf,
    /// The authorities that sign client certificates, one or more (two while one replaces the other).
    pub client_ca_pem: PathBuf,
}

/// Why the TLS configuration could not be made.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A certificate file is missing or cannot be read.
    #[error("cannot read {}: {source}; `pointbridge pki` makes certificates for development", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The key file is missing, unreadable, or open to others.
    #[error(transparent)]
    Key(#[from] SecretFileError),
    /// The file is no PEM, or a block in it is damaged.
    #[error("{} is not well-formed PEM ({reason}): write it anew", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file holds no certificate.
    #[error("{} holds no CERTIFICATE block: is it the right file?", path.display())]
    CertificateMissing {
        /// The file.
        path: PathBuf,
    },
    /// The key file holds no private key.
    #[error("{} holds no private key: is it the right file?", path.display())]
    KeyMissing {
        /// The file.
        path: PathBuf,
    },
    /// Certificate and key are not of one pair, or of a kind that cannot be used.
    #[error("{} does not go with {} ({reason}): issue both together", key.display(), certificate.display())]
    PairRefused {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong.
        reason: rustls::Error,
    },
    /// An authority's certificate cannot be used.
    #[error("{} holds an authority that cannot be used ({reason})", path.display())]
    AuthorityRefused {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The cryptography of this build lacks TLS 1.3; only a broken build does.
    #[error("this build cannot speak TLS 1.3: {0}")]
    ProviderRefused(rustls::Error),
}

/// Reads the files and makes the configuration that every connection uses.
///
/// # Errors
/// Names the file at fault and what to do, the clients' authorities first, then the certificate, then the key.
pub fn server_config(files: &ServerFiles) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(
        Arc::new(authorities(&files.client_ca_pem)?),
        Arc::clone(&provider),
    )
    .build()
    .map_err(|reason: VerifierBuilderError| TlsError::AuthorityRefused {
        path: files.client_ca_pem.clone(),
        reason: reason.to_string(),
    })?;
    let chain = certificates(&files.certificate_pem)?;
    let key = private_key(&files.key_pem)?;
    let mut config = builder(provider)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(|reason| TlsError::PairRefused {
            certificate: files.certificate_pem.clone(),
            key: files.key_pem.clone(),
            reason,
        })?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    config.alpn_protocols = vec![ALPN_HTTP2.to_vec()];
    Ok(Arc::new(config))
}

fn builder(
    provider: Arc<CryptoProvider>,
) -> Result<rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier>, TlsError> {
    ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(TlsError::ProviderRefused)
}

fn authorities(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(path)? {
        // One bad authority refuses the file: a bundle that shrinks in silence locks partners out.
        store.add(certificate).map_err(|reason| TlsError::AuthorityRefused {
            path: path.to_owned(),
            reason: reason.to_string(),
        })?;
    }
    Ok(store)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes = fs::read(path).map_err(|source| TlsError::Unreadable { path: path.to_owned(), source })?;
    let found = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|reason| TlsError::Malformed { path: path.to_owned(), reason: reason.to_string() })?;
    if found.is_empty() {
        return Err(TlsError::CertificateMissing { path: path.to_owned() });
    }
    Ok(found)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = secret_file::read(path)?;
    PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|reason| match reason {
        pem::Error::NoItemsFound => TlsError::KeyMissing { path: path.to_owned() },
        // The parser's words could repeat a line of the key.
        _ => TlsError::Malformed { path: path.to_owned(), reason: "a damaged key block".to_owned() },
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::peer::TrustDomain;
    use crate::pki::{Ca, LeafRequest};

    struct Fixture {
        folder: tempfile::TempDir,
        files: ServerFiles,
    }

    fn fixture() -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let ca = Ca::init(folder.path(), &TrustDomain::parse("hub.test").unwrap()).unwrap();
        let issued = ca.issue(&LeafRequest::server(&["localhost", "127.0.0.1"], 1)).unwrap();
        let files = ServerFiles {
            certificate_pem: issued.certificate_pem,
            key_pem: issued.key_pem,
            client_ca_pem: issued.ca_pem,
        };
        Fixture { folder, files }
    }

    #[test]
    fn good_files_make_a_configuration_without_resumption() {
        let Fixture { folder: _folder, files } = fixture();
        let config = server_config(&files).unwrap();
        assert_eq!(config.alpn_protocols, [b"h2".to_vec()]);
        assert_eq!(config.send_tls13_tickets, 0);
        assert_eq!(config.max_early_data_size, 0);
        assert!(!config.session_storage.can_cache());
        assert!(!config.ticketer.enabled());
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let Fixture { folder: _folder, files } = fixture();
        fs::set_permissions(&files.key_pem, fs::Permissions::from_mode(0o644)).unwrap();
        let said = server_config(&files).unwrap_err().to_string();
        assert!(said.contains("server.key") && said.contains("chmod 600"), "{said}");
    }

    #[test]
    fn each_bad_file_is_named_with_a_remedy() {
        let Fixture { folder, files } = fixture();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("empty.pem"), "").unwrap();
        fs::write(at("damaged.pem"), "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n")
            .unwrap();
        let no_authority = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        fs::write(at("bytes.pem"), no_authority).unwrap();
        secret_file::create(&at("empty.key"), "").unwrap();
        let other = fixture();
        let with = |change: &dyn Fn(&mut ServerFiles)| {
            let mut files = files.clone();
            change(&mut files);
            server_config(&files).unwrap_err().to_string()
        };
        let cases = [
            (with(&|files| files.certificate_pem = at("gone.pem")), "gone.pem", "pki"),
            (with(&|files| files.client_ca_pem = at("gone.pem")), "gone.pem", "pki"),
            (with(&|files| files.key_pem = at("gone.key")), "gone.key", "cannot read"),
            (with(&|files| files.certificate_pem = at("empty.pem")), "empty.pem", "right file"),
            (with(&|files| files.client_ca_pem = at("empty.pem")), "empty.pem", "right file"),
            (with(&|files| files.client_ca_pem = at("damaged.pem")), "damaged.pem", "write it anew"),
            (with(&|files| files.client_ca_pem = at("bytes.pem")), "bytes.pem", "cannot be used"),
            (with(&|files| files.key_pem = at("empty.key")), "empty.key", "right file"),
            (with(&|files| files.key_pem = other.files.key_pem.clone()), "server.key", "issue both together"),
        ];
        for (said, file, remedy) in cases {
            assert!(said.contains(file) && said.contains(remedy), "{said:?} lacks {file:?} or {remedy:?}");
        }
    }
}
