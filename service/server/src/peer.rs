//! Who calls: the principal that a client certificate names.
//!
//! A certificate carries exactly one URI, a SPIFFE id of one of four forms:
//!
//! | form | role |
//! | --- | --- |
//! | `spiffe://<trust domain>/partner/<code>/partner/<subject>` | a partner's systems |
//! | `spiffe://<trust domain>/partner/<code>/finance/<subject>` | a partner's finance people |
//! | `spiffe://<trust domain>/operator/<subject>` | the operator's people and systems |
//! | `spiffe://<trust domain>/auditor/<subject>` | an auditor |
//!
//! It is parsed once per connection, strictly: one spelling per principal, so that two spellings never make two
//! people. The common name is never looked at. Whether the partner exists, or is suspended, is asked per request
//! elsewhere, and so is what a role may do.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use aws_lc_rs::digest;
use thiserror::Error;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

const SCHEME: &str = "spiffe://";

/// The longest trust domain, in bytes, as the SPIFFE id standard has it.
const TRUST_DOMAIN_BYTES_MAX: usize = 255;

/// The longest subject, in bytes.
const SUBJECT_BYTES_MAX: usize = 63;

/// The shortest and the longest partner code, in bytes.
const CODE_BYTES: std::ops::RangeInclusive<usize> = 2..=31;

/// What a principal may be at all; what each may call stands in the authorization table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// The company that runs the hub.
    Operator,
    /// A partner's systems.
    Partner,
    /// A partner's finance people.
    Finance,
    /// Reads everything, changes nothing.
    Auditor,
}

impl Role {
    /// The role's one word, as it stands in a SPIFFE id.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Partner => "partner",
            Self::Finance => "finance",
            Self::Auditor => "auditor",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// For whom a principal acts, and as what.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PrincipalKind {
    /// For the operator.
    Operator,
    /// For a partner, as one of its systems.
    Partner {
        /// The partner's code.
        code: String,
    },
    /// For a partner, as one of its finance people.
    Finance {
        /// The partner's code.
        code: String,
    },
    /// For an auditor.
    Auditor,
}

/// The alliance's name in every SPIFFE id: lower-case letters, digits, dots, dashes and underscores, 1–255 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TrustDomain(Arc<str>);

impl TrustDomain {
    /// Parses a trust domain.
    ///
    /// ```
    /// use pointbridge::peer::TrustDomain;
    /// assert_eq!(TrustDomain::parse("alliance.example")?.as_str(), "alliance.example");
    /// assert!(TrustDomain::parse("Alliance").is_err());
    /// # Ok::<(), pointbridge::peer::PrincipalError>(())
    /// ```
    ///
    /// # Errors
    /// [`PrincipalError::TrustDomainMalformed`] where it is empty, too long, or has another character.
    pub fn parse(text: &str) -> Result<Self, PrincipalError> {
        let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_');
        if text.is_empty() || text.len() > TRUST_DOMAIN_BYTES_MAX || !text.bytes().all(allowed) {
            return Err(PrincipalError::TrustDomainMalformed);
        }
        Ok(Self(text.into()))
    }

    /// The trust domain's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Who acts. Two people are two different subjects of one kind.
///
/// `Display` shows the path without the trust domain, such as `partner/airline/partner/till-7`: the form that
/// records and logs keep.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Principal {
    trust_domain: TrustDomain,
    kind: PrincipalKind,
    subject: String,
}

/// Why a certificate, a URI or a path names no principal. It never repeats what it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PrincipalError {
    /// The bytes are no X.509 certificate, or its subject alternative names cannot be read.
    #[error("the certificate cannot be read")]
    CertificateMalformed,
    /// The certificate carries no URI.
    #[error("the certificate carries no URI; exactly one SPIFFE id is needed")]
    UriMissing,
    /// The certificate carries two URIs or more.
    #[error("the certificate carries more than one URI; exactly one SPIFFE id is needed")]
    UriNotAlone,
    /// The URI does not begin with `spiffe://`.
    #[error("the URI is no SPIFFE id: it begins with `spiffe://`")]
    SchemeUnknown,
    /// A query, a fragment, a percent sign, or a character outside printable ASCII.
    #[error("the SPIFFE id holds a query, a fragment, an escape or another character that is not allowed")]
    CharacterForbidden,
    /// A trust domain that breaks the rule for its form.
    #[error("a trust domain is 1 to 255 lower-case letters, digits, dots, dashes and underscores")]
    TrustDomainMalformed,
    /// The id belongs to another trust domain than the hub's.
    #[error("the SPIFFE id is of another trust domain")]
    TrustDomainForeign,
    /// The path is none of the four forms.
    #[error(
        "the SPIFFE id's path is none of partner/<code>/partner/<subject>, partner/<code>/finance/<subject>, \
         operator/<subject>, auditor/<subject>"
    )]
    PathUnknown,
    /// The partner code is malformed.
    #[error("a partner code is a lower-case letter and then 1 to 30 lower-case letters, digits and dashes")]
    CodeMalformed,
    /// The subject is malformed.
    #[error(
        "a subject is 1 to 63 lower-case letters, digits, dots, dashes and underscores, a letter or digit first"
    )]
    SubjectMalformed,
}

impl Principal {
    /// A principal from its parts.
    ///
    /// # Errors
    /// The code, then the subject, is malformed.
    pub fn new(
        trust_domain: &TrustDomain,
        kind: PrincipalKind,
        subject: &str,
    ) -> Result<Self, PrincipalError> {
        match &kind {
            PrincipalKind::Partner { code } | PrincipalKind::Finance { code } if !is_code(code) => {
                return Err(PrincipalError::CodeMalformed);
            }
            _ => {}
        }
        if !is_subject(subject) {
            return Err(PrincipalError::SubjectMalformed);
        }
        Ok(Self { trust_domain: trust_domain.clone(), kind, subject: subject.to_owned() })
    }

    /// Parses a SPIFFE id of the given trust domain.
    ///
    /// ```
    /// use pointbridge::peer::{Principal, Role, TrustDomain};
    /// let home = TrustDomain::parse("alliance.example")?;
    /// let till = Principal::parse("spiffe://alliance.example/partner/airline/partner/till-7", &home)?;
    /// assert_eq!(till.role(), Role::Partner);
    /// assert_eq!(till.partner_code(), Some("airline"));
    /// assert_eq!(till.to_string(), "partner/airline/partner/till-7");
    /// # Ok::<(), pointbridge::peer::PrincipalError>(())
    /// ```
    ///
    /// # Errors
    /// In this order: no SPIFFE id, a forbidden character, another trust domain, an unknown path, a malformed code,
    /// a malformed subject.
    pub fn parse(uri: &str, trust_domain: &TrustDomain) -> Result<Self, PrincipalError> {
        let rest = uri.strip_prefix(SCHEME).ok_or(PrincipalError::SchemeUnknown)?;
        let forbidden = |byte: u8| !byte.is_ascii_graphic() || matches!(byte, b'?' | b'#' | b'%');
        if rest.bytes().any(forbidden) {
            return Err(PrincipalError::CharacterForbidden);
        }
        let (domain, path) = rest.split_once('/').unwrap_or((rest, ""));
        if domain != trust_domain.as_str() {
            return Err(PrincipalError::TrustDomainForeign);
        }
        Self::from_path(path, trust_domain)
    }

    /// Parses the path form, such as `operator/alice`, as `Display` writes it.
    ///
    /// # Errors
    /// In this order: an unknown path, a malformed code, a malformed subject.
    pub fn from_path(path: &str, trust_domain: &TrustDomain) -> Result<Self, PrincipalError> {
        let mut segments = path.split('/');
        // Five, so that a fifth segment shows and is refused.
        let parts = [(); 5].map(|()| segments.next());
        let (kind, subject) = match parts {
            [Some("operator"), Some(subject), None, ..] => (PrincipalKind::Operator, subject),
            [Some("auditor"), Some(subject), None, ..] => (PrincipalKind::Auditor, subject),
            [Some("partner"), Some(code), Some("partner"), Some(subject), None] => {
                (PrincipalKind::Partner { code: code.to_owned() }, subject)
            }
            [Some("partner"), Some(code), Some("finance"), Some(subject), None] => {
                (PrincipalKind::Finance { code: code.to_owned() }, subject)
            }
            _ => return Err(PrincipalError::PathUnknown),
        };
        Self::new(trust_domain, kind, subject)
    }

    /// Reads the principal from a leaf certificate in DER: its only URI among the subject alternative names.
    ///
    /// # Errors
    /// The certificate is malformed, has no URI or several, or the URI names no principal (see
    /// [`Principal::parse`]).
    pub fn from_certificate(der: &[u8], trust_domain: &TrustDomain) -> Result<Self, PrincipalError> {
        let (rest, certificate) =
            X509Certificate::from_der(der).map_err(|_| PrincipalError::CertificateMalformed)?;
        if !rest.is_empty() {
            return Err(PrincipalError::CertificateMalformed);
        }
        let names =
            certificate.subject_alternative_name().map_err(|_| PrincipalError::CertificateMalformed)?;
        let names = names.as_ref().map_or(&[][..], |extension| extension.value.general_names.as_slice());
        let mut uris = names.iter().filter_map(|name| match name {
            GeneralName::URI(uri) => Some(*uri),
            _ => None,
        });
        match (uris.next(), uris.next()) {
            (Some(uri), None) => Self::parse(uri, trust_domain),
            (None, _) => Err(PrincipalError::UriMissing),
            (Some(_), Some(_)) => Err(PrincipalError::UriNotAlone),
        }
    }

    /// For whom the principal acts, and as what.
    #[must_use]
    pub fn kind(&self) -> &PrincipalKind {
        &self.kind
    }

    /// The role that the authorization table knows.
    #[must_use]
    pub fn role(&self) -> Role {
        match self.kind {
            PrincipalKind::Operator => Role::Operator,
            PrincipalKind::Partner { .. } => Role::Partner,
            PrincipalKind::Finance { .. } => Role::Finance,
            PrincipalKind::Auditor => Role::Auditor,
        }
    }

    /// The code of the partner for whom it acts; `None` for the operator and auditors.
    #[must_use]
    pub fn partner_code(&self) -> Option<&str> {
        match &self.kind {
            PrincipalKind::Partner { code } | PrincipalKind::Finance { code } => Some(code),
            PrincipalKind::Operator | PrincipalKind::Auditor => None,
        }
    }

    /// The person or system.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The trust domain.
    #[must_use]
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// The whole SPIFFE id.
    #[must_use]
    pub fn uri(&self) -> String {
        format!("{SCHEME}{}/{self}", self.trust_domain)
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.partner_code() {
            Some(code) => write!(out, "partner/{code}/{}/{}", self.role(), self.subject),
            None => write!(out, "{}/{}", self.role(), self.subject),
        }
    }
}

/// What a connection knows of its other end; every request on it carries a copy among its extensions.
#[derive(Debug, Clone)]
pub struct PeerInfo {
    /// Who calls, or why the certificate names nobody. A connection of the second kind stays open, so that its
    /// calls can be answered with a reason.
    pub principal: Result<Arc<Principal>, PrincipalError>,
    /// The certificate that the connection was made with.
    pub certificate: Arc<PeerCertificate>,
    /// The address from which the connection came.
    pub remote: SocketAddr,
}

/// What is asked about a certificate again with every call: a connection outlives what was decided when it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    /// SHA-256 of the certificate's DER.
    pub fingerprint: [u8; 32],
    /// Until when it is valid, in seconds since 1970; absent where that cannot be read.
    pub not_after: Option<i64>,
}

impl PeerCertificate {
    /// Of a leaf certificate in DER.
    #[must_use]
    pub fn of(der: &[u8]) -> Self {
        let parsed = X509Certificate::from_der(der).ok();
        let not_after = parsed.map(|(_, certificate)| certificate.validity().not_after.timestamp());
        Self { fingerprint: fingerprint(der), not_after }
    }
}

/// SHA-256 of a certificate's DER.
fn fingerprint(der: &[u8]) -> [u8; 32] {
    // SHA-256 always has 32 bytes.
    let digest = digest::digest(&digest::SHA256, der);
    digest.as_ref().first_chunk::<32>().copied().unwrap_or_default()
}

fn is_code(text: &str) -> bool {
    CODE_BYTES.contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

fn is_subject(text: &str) -> bool {
    text.len() <= SUBJECT_BYTES_MAX
        && text.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_'))
}

pub mod leaf;

#[cfg(test)]
mod tests;
