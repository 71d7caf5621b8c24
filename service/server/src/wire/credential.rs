//! Certificates, signing keys, and who somebody is, on the wire.

use curve25519_dalek::edwards::CompressedEdwardsY;
use pointbridge_core::canonical::{hex, parse_hash};
use pointbridge_core::certificate::Certificate;
use pointbridge_core::command::{AddCertificate, RegisterSigningKey, RevokeCertificate};
use pointbridge_core::record::{Body, Record};
use pointbridge_core::rejection::{Reason, Rejection};
use pointbridge_core::signing_key::SigningKey;
use pointbridge_core::text::{KeyId, PartnerCode, ReasonCode};
use pointbridge_core::time::Timestamp;
use pointbridge_proto::v1;
use pointbridge_store::Admission;
use tonic::Status;

use super::{id, invalid, partner, text, time, unexpected};
use crate::config::Environment;
use crate::peer::leaf::LeafCertificate;
use crate::peer::{PeerInfo, Principal};
use crate::quota::Quotas;

/// Reads the certificate as one of the trust domain that the caller itself is of.
pub(crate) fn add(request: v1::AddCertificateRequest, peer: &PeerInfo) -> Result<AddCertificate, Rejection> {
    let named = text(PartnerCode::new(request.partner_code), "partner_code")?;
    let caller = peer.principal.as_ref().map_err(|error| refuse(&error.to_string()))?;
    let leaf = LeafCertificate::from_pem(&request.certificate_pem, caller.trust_domain());
    let leaf = leaf.map_err(|error| refuse(&format!("certificate_pem {error}")))?;
    Ok(AddCertificate {
        partner: named,
        fingerprint: leaf.fingerprint,
        named_partner: leaf.principal.partner_code().and_then(|code| PartnerCode::new(code).ok()),
        principal: leaf.principal.to_string(),
        serial: leaf.serial,
        not_before: second(leaf.not_before),
        not_after: second(leaf.not_after),
        calling_with: Some(peer.certificate.fingerprint),
    })
}

fn refuse(what: &str) -> Rejection {
    Rejection::new(Reason::CertificateInvalid, what).at("certificate_pem")
}

/// A certificate's second as a moment; one that the hub has no moment for becomes the nearest that it has.
fn second(seconds: i64) -> Timestamp {
    let micros = seconds.saturating_mul(1_000_000);
    let nearest = if seconds < 0 { Timestamp::EARLIEST } else { Timestamp::LATEST };
    Timestamp::from_micros(micros).unwrap_or(nearest)
}

pub(crate) fn revoke(request: v1::RevokeCertificateRequest) -> Result<RevokeCertificate, Rejection> {
    Ok(RevokeCertificate {
        fingerprint: digits(&request.fingerprint, "fingerprint")?,
        reason: text(ReasonCode::new(request.reason_code), "reason_code")?,
    })
}

/// Reads a key, and refuses bytes that are no point of the curve, one of small order, or not in the one canonical form:
/// signatures under such keys prove nothing.
pub(crate) fn register(request: v1::RegisterSigningKeyRequest) -> Result<RegisterSigningKey, Rejection> {
    let public_key = digits(&request.public_key, "public_key")?;
    let compressed = CompressedEdwardsY(public_key);
    let point = compressed.decompress();
    let point = point.filter(|point| point.compress() == compressed && point.is_torsion_free());
    if point.is_none_or(|point| point.is_small_order()) {
        return Err(invalid("public_key", "is no sound Ed25519 public key"));
    }
    Ok(RegisterSigningKey {
        program_id: id(&request.program_id, "program_id")?,
        key_id: text(KeyId::new(request.key_id), "key_id")?,
        public_key,
    })
}

fn digits(text: &str, field: &str) -> Result<[u8; 32], Rejection> {
    parse_hash(text).ok_or_else(|| invalid(field, "must be 64 lower-case hexadecimal digits"))
}

pub(crate) fn of_record(record: &Record) -> Result<v1::Certificate, Status> {
    match &record.body {
        Body::Certificate(known) => Ok(certificate(known)),
        _ => Err(unexpected(record)),
    }
}

pub(crate) fn key_of_record(record: &Record) -> Result<v1::SigningKey, Status> {
    match &record.body {
        Body::SigningKey(key) => Ok(signing_key(key)),
        _ => Err(unexpected(record)),
    }
}

pub(crate) fn certificate(certificate: &Certificate) -> v1::Certificate {
    let (pin, end) = (certificate.pin.as_ref(), certificate.revocation.as_ref());
    let status = if end.is_some() { v1::CertificateStatus::Revoked } else { v1::CertificateStatus::Pinned };
    v1::Certificate {
        fingerprint: hex(&certificate.fingerprint),
        partner_code: certificate.owner.as_ref().map(ToString::to_string).unwrap_or_default(),
        status: status.into(),
        principal: pin.map(|pin| pin.principal.clone()).unwrap_or_default(),
        serial: pin.map(|pin| pin.serial.clone()).unwrap_or_default(),
        not_before_time: pin.and_then(|pin| time(pin.not_before)),
        not_after_time: pin.and_then(|pin| time(pin.not_after)),
        pinned_by: pin.map(|pin| pin.by.clone()).unwrap_or_default(),
        pin_time: pin.and_then(|pin| time(pin.at)),
        revoked_by: end.map(|end| end.by.clone()).unwrap_or_default(),
        revoke_time: end.and_then(|end| time(end.at)),
        reason_code: end.map(|end| end.reason.to_string()).unwrap_or_default(),
    }
}

pub(crate) fn signing_key(key: &SigningKey) -> v1::SigningKey {
    v1::SigningKey {
        key_id: key.key_id.to_string(),
        public_key: hex(&key.public_key),
        registered_by: key.by.clone(),
        create_time: time(key.at),
    }
}

/// Who a caller is: its principal, its connection, and what the hub knows.
pub(crate) struct Somebody<'a> {
    pub(crate) principal: &'a Principal,
    pub(crate) peer: &'a PeerInfo,
    pub(crate) admission: &'a Admission,
    pub(crate) environment: Environment,
    pub(crate) quotas: Quotas,
}

pub(crate) fn somebody(somebody: Somebody<'_>) -> v1::WhoAmIResponse {
    let Somebody { principal, peer, admission, environment, quotas } = somebody;
    let environment = match environment {
        Environment::Live => v1::Environment::Live,
        Environment::Test => v1::Environment::Test,
    };
    let quota = |quota: crate::quota::Quota| v1::Quota {
        name: quota.name.to_owned(),
        limit: quota.limit,
        remaining: quota.remaining,
    };
    v1::WhoAmIResponse {
        principal: principal.to_string(),
        role: principal.role().to_string(),
        partner: admission.partner.as_ref().map(partner::partner),
        certificate_fingerprint: hex(&peer.certificate.fingerprint),
        certificate_not_after_time: peer.certificate.not_after.and_then(|seconds| time(second(seconds))),
        certificate_pinned: admission.is_pinned,
        server_version: env!("CARGO_PKG_VERSION").to_owned(),
        environment: environment.into(),
        server_time: time(admission.now),
        quotas: quotas.0.into_iter().map(quota).collect(),
    }
}
