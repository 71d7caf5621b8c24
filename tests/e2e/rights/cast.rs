//! The kinds of principals, each with the certificate that makes it one.
//!
//! A kind of certificate that the hub must not serve is one line here; the walk then tries it on everything.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use data_encoding::HEXLOWER;
use hyper_util::rt::TokioIo;
use pointbridge::peer::{Role, TrustDomain};
use pointbridge::pki::Ca;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair, SanType};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore};
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

use super::stage::{LISTED, Stage};
use crate::harness::TRUST_DOMAIN;

/// What a caller shows of itself.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shows {
    /// A certificate in order, that names this principal of the hub's trust domain.
    Principal(&'static str),
    /// A certificate in order that names this principal, and that the operator has revoked.
    Revoked(&'static str),
    /// The certificate that stands on the authority's revocation list.
    Listed,
    /// A certificate by the hub's authority with these URIs.
    Uris(&'static [&'static str]),
    /// No certificate.
    Nothing,
    /// A certificate of another authority that names the market's till.
    OfAnotherAuthority,
    /// The market's till, for a time that is over.
    Expired,
    /// The market's till, for a time that has not begun.
    NotYetValid,
    /// The market's till, in a certificate that is for servers.
    ForServers,
}

/// A kind of principal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) shows: Shows,
}

const fn kind(name: &'static str, shows: Shows) -> Kind {
    Kind { name, shows }
}

const TILL: &str = "partner/market/partner/till-7";
const FINANCE: &str = "partner/market/finance/zhou";
/// The kinds that a suspension concerns, with the market suspended.
pub(crate) const WHEN_SUSPENDED: [Kind; 2] = [
    kind("suspended market", Shows::Principal(TILL)),
    kind("suspended market's finance", Shows::Principal(FINANCE)),
];

/// All others.
pub(crate) const KINDS: [Kind; 25] = [
    kind("operator", Shows::Principal("operator/wang")),
    // A second person, who may decide what the first one asked for.
    kind("second operator", Shows::Principal("operator/zhao")),
    kind("auditor", Shows::Principal("auditor/li")),
    kind("market", Shows::Principal(TILL)),
    kind("market's finance", Shows::Principal(FINANCE)),
    // The party with which the market has an agreement and an exchange.
    kind("airline", Shows::Principal("partner/airline/partner/till-7")),
    kind("airline's finance", Shows::Principal("partner/airline/finance/zhou")),
    // A partner that has nothing to do with the market.
    kind("bakery", Shows::Principal("partner/bakery/partner/till-7")),
    kind("bakery's finance", Shows::Principal("partner/bakery/finance/zhou")),
    // A company whose certificate is in order, and that nobody registered.
    kind("pirate", Shows::Principal("partner/pirate/partner/till-7")),
    kind("pirate's finance", Shows::Principal("partner/pirate/finance/zhou")),
    kind("market's revoked till", Shows::Revoked("partner/market/partner/till-8")),
    kind("market's listed till", Shows::Listed),
    kind("cinema's unpinned till", Shows::Principal("partner/cinema/partner/till-8")),
    kind("no URI", Shows::Uris(&[])),
    kind(
        "two URIs",
        Shows::Uris(&[
            "spiffe://alliance.example/partner/market/partner/till-7",
            "spiffe://alliance.example/operator/wang",
        ]),
    ),
    kind(
        "one URI twice",
        Shows::Uris(&[
            "spiffe://alliance.example/partner/market/partner/till-7",
            "spiffe://alliance.example/partner/market/partner/till-7",
        ]),
    ),
    kind("foreign trust domain", Shows::Uris(&["spiffe://elsewhere.example/operator/wang"])),
    kind("unknown role", Shows::Uris(&["spiffe://alliance.example/partner/market/admin/till-7"])),
    kind("no SPIFFE id", Shows::Uris(&["https://alliance.example/operator/wang"])),
    kind("no certificate", Shows::Nothing),
    kind("another authority", Shows::OfAnotherAuthority),
    kind("expired", Shows::Expired),
    kind("not yet valid", Shows::NotYetValid),
    kind("for servers", Shows::ForServers),
];

impl Kind {
    /// The role that its certificate names, where it is in order.
    pub(crate) fn role(&self) -> Option<Role> {
        let (Shows::Principal(path) | Shows::Revoked(path)) = self.shows else { return None };
        let parts: Vec<&str> = path.split('/').collect();
        match parts.as_slice() {
            ["operator", _] => Some(Role::Operator),
            ["auditor", _] => Some(Role::Auditor),
            ["partner", _, "finance", _] => Some(Role::Finance),
            _ => Some(Role::Partner),
        }
    }

    /// The partner for whom it acts.
    pub(crate) fn partner(&self) -> Option<&'static str> {
        match self.shows {
            Shows::Principal(path) | Shows::Revoked(path) => path.strip_prefix("partner/")?.split('/').next(),
            _ => None,
        }
    }

    /// What the hub's end of TLS says when it refuses the connection.
    pub(crate) fn alert(&self) -> Option<&'static str> {
        match self.shows {
            Shows::Principal(_) | Shows::Revoked(_) | Shows::Uris(_) => None,
            Shows::Listed => Some("CertificateRevoked"),
            Shows::Nothing => Some("CertificateRequired"),
            Shows::OfAnotherAuthority => Some("UnknownCA"),
            Shows::Expired | Shows::NotYetValid => Some("CertificateExpired"),
            Shows::ForServers => Some("UnsupportedCertificate"),
        }
    }

    /// A channel that connects as this kind, anew with each call where it is refused.
    pub(crate) async fn connect(&self, stage: &Stage) -> Channel {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(stage.pki().join("ca.pem")).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots);
        let certificate = self.certificate(&stage.pki());
        let fingerprint = certificate.as_ref().map(|(der, _)| HEXLOWER.encode(&Sha256::digest(der)));
        let mut config = match certificate {
            Some((certificate, key)) => config.with_client_auth_cert(vec![certificate], key).unwrap(),
            None => config.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        let (address, tls) = (stage.address(), TlsConnector::from(Arc::new(config)));
        let open = move |_| {
            let tls = tls.clone();
            async move {
                let tcp = TcpStream::connect(address).await?;
                Ok::<_, std::io::Error>(TokioIo::new(tls.connect(address.ip().into(), tcp).await?))
            }
        };
        let endpoint = Endpoint::from_shared(format!("https://{address}")).unwrap();
        let channel = endpoint.connect_with_connector_lazy(service_fn(open));
        if let (Shows::Revoked(_), Some(fingerprint)) = (self.shows, fingerprint) {
            stage.revoke(&fingerprint, &channel).await;
        }
        channel
    }

    fn certificate(&self, pki: &Path) -> Option<(CertificateDer<'static>, PrivateKeyDer<'static>)> {
        if matches!(self.shows, Shows::Listed) {
            let file = pki.join(LISTED.replace('/', "."));
            let certificate = CertificateDer::from_pem_file(file.with_added_extension("pem")).unwrap();
            return Some((
                certificate,
                PrivateKeyDer::from_pem_file(file.with_added_extension("key")).unwrap(),
            ));
        }
        let till = [format!("spiffe://{TRUST_DOMAIN}/{TILL}")];
        let mut params = CertificateParams::default();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let (now, hour, day) = (SystemTime::now(), Duration::from_hours(1), Duration::from_hours(24));
        (params.not_before, params.not_after) = ((now - hour).into(), (now + day).into());
        let mut uris = till.to_vec();
        let mut authority = pki.to_owned();
        match self.shows {
            Shows::Nothing | Shows::Listed => return None,
            Shows::Principal(path) | Shows::Revoked(path) => {
                uris = vec![format!("spiffe://{TRUST_DOMAIN}/{path}")];
            }
            Shows::Uris(named) => uris = named.iter().map(|uri| (*uri).to_owned()).collect(),
            Shows::OfAnotherAuthority => authority = another_authority(pki),
            Shows::Expired => {
                (params.not_before, params.not_after) = ((now - day).into(), (now - hour).into());
            }
            Shows::NotYetValid => params.not_before = (now + hour).into(),
            Shows::ForServers => params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth],
        }
        params.subject_alt_names =
            uris.iter().map(|uri| SanType::URI(uri.as_str().try_into().unwrap())).collect();
        let read = |name: &str| std::fs::read_to_string(authority.join(name)).unwrap();
        let signer = KeyPair::from_pem(&read("ca.key")).unwrap();
        let issuer = Issuer::from_ca_cert_pem(&read("ca.pem"), signer).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Some((certificate.der().clone(), key))
    }
}

/// An authority of the same trust domain, that the hub was never told of.
fn another_authority(pki: &Path) -> std::path::PathBuf {
    let folder = pki.with_file_name("another-authority");
    if !folder.exists() {
        Ca::init(&folder, &TrustDomain::parse(TRUST_DOMAIN).unwrap()).unwrap();
    }
    folder
}
