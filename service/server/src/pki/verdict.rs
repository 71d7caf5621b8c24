//! What a hub says to a certificate, a revocation list or an authority: taken, or refused and why.
//!
//! A client's certificate goes through the transport's own verifier and through the parser of principals, as in a
//! connection. Absent: everything that is asked with each call (registered, suspended, pinned).

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;
use rustls::{CertificateError, RootCertStore};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use serde::Serialize;

use super::ca::trust_domain_of;
use super::certificate::{Certificate, read_certificates};
use super::crl::{RevocationList, RevokedCertificate};
use super::folder::CA_PEM;
use super::inspect::KeyFile;
use super::{Moment, PkiError, trusted};
use crate::peer::{Principal, TrustDomain};

const LIST_MISSING: &str = "its authority has no revocation list: `pointbridge pki crl` signs one of your own, `pointbridge pki import` takes \
     another's; or allow that in allow_ca_without_crl";

/// What the hub would say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Whether it would be used.
    pub is_taken: bool,
    /// Why, or why not and what to do.
    pub says: String,
}

impl Verdict {
    pub(super) fn taken(says: impl Into<String>) -> Self {
        Self { is_taken: true, says: says.into() }
    }

    pub(super) fn refused(says: impl Into<String>) -> Self {
        Self { is_taken: false, says: says.into() }
    }
}

/// What a hub's folder takes.
pub(super) struct Taken {
    authorities: Vec<Certificate>,
    lists: Vec<RevocationList>,
    /// Nothing where the folder has no authority of its own, which would name it.
    trust_domain: Option<TrustDomain>,
    pub(super) now: Moment,
}

impl Taken {
    /// Of a folder; one that does not exist takes nobody.
    pub(super) fn of(folder: &Path, now: Moment) -> Result<Self, PkiError> {
        let own = folder.join(CA_PEM);
        let own = if own.exists() { read_certificates(&own)? } else { Vec::new() };
        Ok(Self {
            authorities: trusted::authorities(folder)?,
            lists: trusted::lists(folder)?,
            trust_domain: own.first().and_then(|own| trust_domain_of(own).ok()),
            now,
        })
    }

    /// Where a list of the certificate's issuer has it.
    pub(super) fn revocation_of(&self, certificate: &Certificate) -> Option<&RevokedCertificate> {
        let issuer = self.authorities.iter().find(|ca| certificate.is_signed_by(ca))?;
        let mut entries =
            self.lists.iter().filter(|list| list.is_signed_by(issuer)).flat_map(|list| &list.revoked);
        entries.find(|entry| entry.serial == certificate.serial)
    }

    pub(super) fn on_authority(&self, ca: &Certificate) -> Verdict {
        if !self.authorities.contains(ca) {
            return Verdict::refused("not among client-ca.pem: `pointbridge pki import` adds it");
        }
        if let Some(refusal) = self.outside_of(ca.not_before, ca.not_after) {
            return Verdict::refused(refusal);
        }
        match self.lists.iter().find(|list| list.is_signed_by(ca)) {
            None => Verdict::refused(format!(
                "it has no revocation list: import one, or name {} in allow_ca_without_crl",
                ca.fingerprint
            )),
            Some(list) if list.next_update.is_none_or(|end| end <= self.now) => {
                Verdict::refused("its revocation list is over: renew that, see `pointbridge pki crl`")
            }
            Some(_) => Verdict::taken("client certificates by it are taken"),
        }
    }

    pub(super) fn on_list(&self, list: &RevocationList) -> Verdict {
        if !self.authorities.iter().any(|ca| list.is_signed_by(ca)) {
            return Verdict::refused("no authority of client-ca.pem signed it");
        }
        match list.next_update {
            None => Verdict::refused("it names no end (nextUpdate)"),
            Some(end) if end <= self.now => {
                Verdict::refused("it is over: renew it with `pointbridge pki crl`, or import a newer one")
            }
            Some(_) => Verdict::taken("in force"),
        }
    }

    pub(super) fn on_server(&self, certificate: &Certificate, key: Option<&KeyFile>) -> Verdict {
        if let Some(refusal) = self.outside_of(certificate.not_before, certificate.not_after) {
            return Verdict::refused(refusal);
        }
        match key {
            None => Verdict::taken("good for a server; its key is not beside it"),
            Some(key) if key.is_its_key == Some(true) => Verdict::taken("the hub can serve with it"),
            Some(key) if key.is_its_key == Some(false) => {
                Verdict::refused("the key beside it is another's: renew it with `pointbridge pki renew`")
            }
            Some(key) => Verdict::refused(format!(
                "the key beside it cannot be used (mode {}): it must be its owner's alone, mode 600",
                key.mode
            )),
        }
    }

    pub(super) fn on_client(&self, certificate: &Certificate, above: &[Certificate]) -> Verdict {
        match self.verified(certificate, above) {
            Ok(()) => self.principal_of(certificate),
            Err(refusal) => Verdict::refused(refusal),
        }
    }

    fn principal_of(&self, certificate: &Certificate) -> Verdict {
        let Some(trust_domain) = &self.trust_domain else {
            return Verdict::taken(
                "its authority is taken; the hub's trust domain stands in its configuration",
            );
        };
        match Principal::from_certificate(&certificate.der, trust_domain) {
            Ok(principal) => Verdict::taken(format!("let in as {principal}")),
            Err(error) => Verdict::refused(format!("connects, and each call is refused: {error}")),
        }
    }

    /// What the handshake says.
    fn verified(&self, certificate: &Certificate, above: &[Certificate]) -> Result<(), String> {
        if self.authorities.is_empty() {
            return Err(
                "there are no authorities to hold it against: name the hub's folder with --dir".to_owned()
            );
        }
        let der = |certificate: &Certificate| CertificateDer::from(certificate.der.clone());
        let mut roots = RootCertStore::empty();
        for authority in &self.authorities {
            roots.add(der(authority)).map_err(|error| format!("client-ca.pem cannot be used: {error}"))?;
        }
        let lists = self.lists.iter().map(|list| CertificateRevocationListDer::from(list.der.clone()));
        let verifier = WebPkiClientVerifier::builder_with_provider(
            Arc::new(roots),
            Arc::new(aws_lc_rs::default_provider()),
        )
        .with_crls(lists)
        .enforce_revocation_expiration()
        .build()
        .map_err(|error| format!("the authorities or their lists cannot be used: {error}"))?;
        let seconds = u64::try_from(self.now.seconds()).unwrap_or_default();
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        let chain: Vec<_> = above.iter().map(der).collect();
        let answer = verifier.verify_client_cert(&der(certificate), &chain, now);
        answer.map_err(|error| self.in_words(certificate, &error))?;
        // Without any list the verifier asks for none.
        if self.lists.is_empty() { Err(LIST_MISSING.to_owned()) } else { Ok(()) }
    }

    fn in_words(&self, certificate: &Certificate, error: &rustls::Error) -> String {
        if let Some(refusal) = self.outside_of(certificate.not_before, certificate.not_after) {
            return refusal;
        }
        match error {
            rustls::Error::InvalidCertificate(CertificateError::Revoked) => "it is revoked".to_owned(),
            rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
                "no authority of client-ca.pem signed it: `pointbridge pki import` adds one".to_owned()
            }
            rustls::Error::InvalidCertificate(CertificateError::UnknownRevocationStatus) => {
                "its authority has no revocation list: import one, or allow that in allow_ca_without_crl"
                    .to_owned()
            }
            rustls::Error::InvalidCertificate(
                CertificateError::ExpiredRevocationList
                | CertificateError::ExpiredRevocationListContext { .. },
            ) => "its authority's revocation list is over: `pointbridge pki crl` renews it".to_owned(),
            rustls::Error::InvalidCertificate(
                CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. },
            ) => "it is not for clients (extended key usage)".to_owned(),
            other => other.to_string(),
        }
    }

    fn outside_of(&self, from: Moment, to: Moment) -> Option<String> {
        if self.now < from {
            Some(format!("it begins on {from} only"))
        } else if self.now >= to {
            Some(format!("it ended on {to}"))
        } else {
            None
        }
    }
}
