//! Whether a client's certificate is to be trusted: asked by every handshake, and by every call on a connection that is open.
//!
//! Each authority has a verifier of its own: a chain passes if one of them vouches for it as a whole. Under its own name a
//! verifier knows its own list alone, so that two authorities of one name are two, and what is revoked is bound to the key that
//! really signed. It knows the lists of all other names: an authority of the bundle may stand between as well, below another
//! one, and what it revoked is revoked by that way too. Supported are leaves that an authority of the bundle signed, and chains
//! with authorities between that the client sends along; each of those needs a list too, where the one of the bundle has one.
//! Times and lists are enforced: a list that is over vouches for nobody.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use pointbridge_core::rejection::{Reason, Rejection};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, UnixTime};

use super::authority::Authority;
use super::crl::{self, Crl};
use crate::tls::{Fingerprint, TlsError};

/// Why a certificate that was taken once is trusted no longer. In the order of what is told where several apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Distrust {
    /// It was revoked, or an authority between was.
    Revoked,
    /// The list that would tell is over.
    CrlExpired,
    /// It is not valid now, or its authority's certificate is not.
    Expired,
    /// No authority of the bundle vouches for it any more.
    Unknown,
}

impl Distrust {
    /// The refusal that a call gets.
    #[must_use]
    pub fn rejection(self) -> Rejection {
        let (reason, what) = match self {
            Self::Revoked => (
                Reason::CertificateRevoked,
                "your certificate was revoked: use another one, or ask the operator",
            ),
            Self::CrlExpired => (
                Reason::CrlExpired,
                "the hub has no revocation list in force of your certificate's authority: ask the operator",
            ),
            Self::Expired => (
                Reason::CertificateExpired,
                "your certificate, or that of its authority, is not valid now: renew it and connect again",
            ),
            Self::Unknown => (
                Reason::CertificateUnknown,
                "the hub no longer trusts the authority of your certificate: connect with one of another authority",
            ),
        };
        Rejection::new(reason, what)
    }

    fn of(error: &Error) -> Self {
        let Error::InvalidCertificate(error) = error else { return Self::Unknown };
        match error {
            CertificateError::Revoked => Self::Revoked,
            CertificateError::ExpiredRevocationList
            | CertificateError::ExpiredRevocationListContext { .. } => Self::CrlExpired,
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => Self::Expired,
            _ => Self::Unknown,
        }
    }
}

/// An authority, and what vouches in its name.
struct Voucher {
    authority: Authority,
    verifier: Arc<dyn ClientCertVerifier>,
}

/// Vouches for client certificates in the name of all authorities.
pub(super) struct ClientVerifier {
    vouchers: Vec<Voucher>,
    names: Vec<DistinguishedName>,
    provider: Arc<CryptoProvider>,
}

impl fmt::Debug for ClientVerifier {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ClientVerifier").field("authorities", &self.vouchers.len()).finish_non_exhaustive()
    }
}

/// What a verifier is made of.
pub(super) struct Material<'a> {
    pub(super) authorities: &'a [Authority],
    pub(super) authorities_path: &'a Path,
    pub(super) lists: &'a [Crl],
    pub(super) lists_path: &'a Path,
    pub(super) without_list: &'a BTreeSet<Fingerprint>,
}

impl ClientVerifier {
    /// A verifier of these authorities, each of which has its list or is exempt.
    pub(super) fn new(material: &Material<'_>) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let Material { authorities, authorities_path, lists, lists_path, without_list } = *material;
        let algorithms = provider.signature_verification_algorithms;
        let own = crl::assign(lists_path, authorities, lists, &algorithms)?;
        let mut vouchers = Vec::new();
        let mut names = Vec::new();
        for (authority, own) in authorities.iter().zip(own) {
            if own.is_none() && !without_list.contains(&authority.fingerprint) {
                return Err(TlsError::CrlMissing {
                    path: lists_path.to_owned(),
                    authority: authority.name.clone(),
                    fingerprint: data_encoding::HEXLOWER.encode(&authority.fingerprint),
                });
            }
            let verifier = voucher(authority, own, lists, &provider)
                .map_err(|reason| TlsError::AuthorityRefused { path: authorities_path.to_owned(), reason })?;
            names.extend_from_slice(verifier.root_hint_subjects());
            vouchers.push(Voucher { authority: authority.clone(), verifier });
        }
        Ok(Self { vouchers, names, provider })
    }

    /// Whether an authority vouches for the chain now. Of several complaints the gravest counts.
    pub(super) fn vouch(&self, chain: &[CertificateDer<'_>], now: UnixTime) -> Result<(), Distrust> {
        let (leaf, between) = chain.split_first().ok_or(Distrust::Unknown)?;
        self.verify(leaf, between, now).map_err(|error| Distrust::of(&error))
    }

    fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let mut gravest = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        for Voucher { authority, verifier } in &self.vouchers {
            let vouched = verifier.verify_client_cert(leaf, between, now);
            let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
            let error = match (vouched, authority.validity.amiss(seconds)) {
                (Ok(_), None) => return Ok(()),
                (Ok(_), Some(_)) => Error::InvalidCertificate(CertificateError::Expired),
                (Err(error), _) => error,
            };
            // Any complaint says more than that another authority did not sign.
            let says_nothing = matches!(gravest, Error::InvalidCertificate(CertificateError::UnknownIssuer));
            if says_nothing || Distrust::of(&error) < Distrust::of(&gravest) {
                gravest = error;
            }
        }
        Err(gravest)
    }
}

fn voucher(
    authority: &Authority,
    own: Option<&Crl>,
    lists: &[Crl],
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let mut root = RootCertStore::empty();
    root.add(authority.der.clone()).map_err(|reason| reason.to_string())?;
    // The library takes the first list of a name, and refuses where another key of that name signed it.
    let others = lists.iter().filter(|list| list.issuer != authority.subject);
    let lists = own.into_iter().chain(others).map(|list| list.der.clone());
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(root), Arc::clone(provider))
        .with_crls(lists)
        .enforce_revocation_expiration();
    // Without any list the library would look at none: only an exempt authority gets that far.
    let builder = if own.is_some() { builder } else { builder.allow_unknown_revocation_status() };
    builder.build().map_err(|reason| reason.to_string())
}

impl ClientCertVerifier for ClientVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.names
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.verify(end_entity, intermediates, now).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
