//! The server's TLS: PEM files in, one configuration out.
//!
//! TLS 1.3 only, a client certificate always, HTTP/2 only. There is no resumption of any kind (no session storage,
//! no tickets, no early data): a resumed session skips the verifier, and with it whatever was revoked since. The
//! one provider of cryptography is aws-lc-rs, which prefers a key exchange that also holds against quantum computers
//! (X25519MLKEM768) where the client offers it. Who is trusted, and reloading, are `trust`'s.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::TLS13;
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;

use crate::secret_file::{self, SecretFileError};

/// The protocol's name in the TLS handshake; gRPC is served over HTTP/2 alone.
pub const ALPN_HTTP2: &[u8] = b"h2";

/// SHA-256 of a certificate's DER.
pub type Fingerprint = [u8; 32];

/// Where the server's certificate, its key, the clients' authorities and their revocation lists lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFiles {
    /// The server's certificate, leaf first, then any intermediates.
    pub certificate_pem: PathBuf,
    /// The private key of the leaf; mode 0600.
    pub key_pem: PathBuf,
    /// The authorities that sign client certificates, one or more (two while one replaces the other).
    pub client_ca_pem: PathBuf,
    /// The authorities' revocation lists.
    pub client_crl: CrlFile,
    /// Authorities that may be without a revocation list. Every other one must have one.
    pub authorities_without_crl: BTreeSet<Fingerprint>,
}

/// The file of revocation lists: PEM blocks `X509 CRL`, one per authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CrlFile {
    /// Named by the configuration: it must be there.
    Named(PathBuf),
    /// Where it is looked for if nothing else is said; without it no authority has a list.
    IfThere(PathBuf),
}

impl CrlFile {
    /// Where it is, or would be.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Named(path) | Self::IfThere(path) => path,
        }
    }
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
    #[error("{} does not go with {} ({reason}): mend them with `pointbridge pki renew`, or issue both together", key.display(), certificate.display())]
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
    /// The server's certificate is not valid now, and the one that it would replace is.
    #[error("{} is {state}: issue a new certificate with its key, and look at this machine's clock", path.display())]
    CertificateNotInForce {
        /// The file.
        path: PathBuf,
        /// Over, or not valid yet.
        state: &'static str,
    },
    /// A revocation list cannot be used.
    #[error("{} holds a revocation list that cannot be used ({reason}): have its authority make it anew", path.display())]
    CrlRefused {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// An authority has no revocation list and is not exempt.
    #[error(
        "{} has no revocation list of the authority {authority}: add it (`pointbridge pki crl` makes that of a development \
         CA), or accept that its certificates cannot be revoked by naming it: allow_ca_without_crl = [\"{fingerprint}\"]",
        path.display()
    )]
    CrlMissing {
        /// The file of the lists.
        path: PathBuf,
        /// The authority's name.
        authority: String,
        /// SHA-256 of its certificate, in hex.
        fingerprint: String,
    },
    /// The cryptography of this build lacks TLS 1.3; only a broken build does.
    #[error("this build cannot speak TLS 1.3: {0}")]
    ProviderRefused(rustls::Error),
}

/// The server's certificate chain and key, read and found to be of one pair.
///
/// # Errors
/// Names the file at fault and what to do, the certificate first, then the key.
pub fn identity(files: &ServerFiles) -> Result<Arc<CertifiedKey>, TlsError> {
    let chain = certificates(&files.certificate_pem)?;
    let key = private_key(&files.key_pem)?;
    let identity = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider());
    identity.map(Arc::new).map_err(|reason| TlsError::PairRefused {
        certificate: files.certificate_pem.clone(),
        key: files.key_pem.clone(),
        reason,
    })
}

/// Makes the configuration that every new connection uses.
///
/// # Errors
/// [`TlsError::ProviderRefused`] in a broken build.
pub fn server_config(
    identity: Arc<CertifiedKey>,
    verifier: Arc<dyn ClientCertVerifier>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let mut config = builder(Arc::new(aws_lc_rs::default_provider()))?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(identity)));
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    config.alpn_protocols = vec![ALPN_HTTP2.to_vec()];
    Ok(Arc::new(config))
}

/// Every certificate of a PEM file; at least one.
///
/// # Errors
/// The file is missing, damaged, or holds none.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes = fs::read(path).map_err(|source| TlsError::Unreadable { path: path.to_owned(), source })?;
    let found = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|reason| TlsError::Malformed { path: path.to_owned(), reason: reason.to_string() })?;
    if found.is_empty() {
        return Err(TlsError::CertificateMissing { path: path.to_owned() });
    }
    Ok(found)
}

fn builder(
    provider: Arc<CryptoProvider>,
) -> Result<rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier>, TlsError> {
    ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(TlsError::ProviderRefused)
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
            client_crl: CrlFile::Named(folder.path().join("crl.pem")),
            authorities_without_crl: BTreeSet::new(),
        };
        Fixture { folder, files }
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let Fixture { folder: _folder, files } = fixture();
        fs::set_permissions(&files.key_pem, fs::Permissions::from_mode(0o644)).unwrap();
        let said = identity(&files).unwrap_err().to_string();
        assert!(said.contains("server.key") && said.contains("chmod 600"), "{said}");
    }

    #[test]
    fn each_bad_file_is_named_with_a_remedy() {
        let Fixture { folder, files } = fixture();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("empty.pem"), "").unwrap();
        fs::write(at("half.pem"), "-----BEGIN CERTIFICATE-----\nMIIB").unwrap();
        secret_file::create(&at("empty.key"), "").unwrap();
        let other = fixture();
        let with = |change: &dyn Fn(&mut ServerFiles)| {
            let mut files = files.clone();
            change(&mut files);
            identity(&files).unwrap_err().to_string()
        };
        let cases = [
            (with(&|files| files.certificate_pem = at("gone.pem")), "gone.pem", "pki"),
            (with(&|files| files.key_pem = at("gone.key")), "gone.key", "cannot read"),
            (with(&|files| files.certificate_pem = at("empty.pem")), "empty.pem", "right file"),
            (with(&|files| files.certificate_pem = at("half.pem")), "half.pem", "write it anew"),
            (with(&|files| files.key_pem = at("empty.key")), "empty.key", "right file"),
            (with(&|files| files.key_pem = other.files.key_pem.clone()), "server.key", "issue both together"),
        ];
        for (said, file, remedy) in cases {
            assert!(said.contains(file) && said.contains(remedy), "{said:?} lacks {file:?} or {remedy:?}");
        }
        assert!(identity(&files).is_ok());
    }
}
