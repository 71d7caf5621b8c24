//! The tests' workbench: authorities of any age, what they sign, and a folder with the four files.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
};

use super::super::{Standing, Trust, UnixTime};
use super::{Arc, CertificateDer, CrlFile};
use crate::peer::PeerCertificate;
use crate::secret_file;
use crate::tls::{Fingerprint, ServerFiles};

pub(super) const DAY: i64 = 86_400;

pub(super) fn now() -> i64 {
    UnixTime::now().as_secs().try_into().unwrap()
}

pub(super) fn time(seconds: i64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds.try_into().unwrap()))
}

/// A certificate's times, in days from now; all begin an hour earlier.
fn with_days(mut params: CertificateParams, days: Range<i64>) -> CertificateParams {
    let at = |day: i64| {
        let seconds = (now() - 3_600 + day * DAY).try_into().unwrap();
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds)
    };
    (params.not_before, params.not_after) = (at(days.start), at(days.end));
    params
}

pub(super) struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pub(super) der: CertificateDer<'static>,
    pub(super) pem: String,
}

impl Ca {
    pub(super) fn new(name: &str, days: Range<i64>) -> Self {
        Self::of(name, KeyPair::generate().unwrap(), days)
    }

    /// Another edition of it: the same name and key, other times.
    pub(super) fn again(&self, name: &str, days: Range<i64>) -> Self {
        Self::of(name, KeyPair::from_pem(&self.issuer.key().serialize_pem()).unwrap(), days)
    }

    fn of(name: &str, key: KeyPair, days: Range<i64>) -> Self {
        let params = Self::params(name, days);
        let certificate = params.self_signed(&key).unwrap();
        let (pem, der) = (certificate.pem(), certificate.der().clone());
        Self { issuer: Issuer::new(params, key), der, pem }
    }

    fn params(name: &str, days: Range<i64>) -> CertificateParams {
        let mut params = with_days(CertificateParams::default(), days);
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
    }

    /// Another authority that this one signs.
    pub(super) fn between(&self, name: &str, serial: u64, days: Range<i64>) -> Self {
        let mut params = Self::params(name, days);
        params.serial_number = Some(SerialNumber::from(serial));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let (pem, der) = (certificate.pem(), certificate.der().clone());
        Self { issuer: Issuer::new(params, key), der, pem }
    }

    /// Its revocation list, PEM.
    pub(super) fn list(&self, number: u64, revoked: &[u64], days: Range<i64>) -> String {
        let times = with_days(CertificateParams::default(), days);
        let entry = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: times.not_before,
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: times.not_before,
            next_update: times.not_after,
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).unwrap().pem().unwrap()
    }

    pub(super) fn fingerprint(&self) -> Fingerprint {
        PeerCertificate::of(&self.der).fingerprint
    }
}

/// A certificate with a fresh key, signed.
pub(super) fn sign(
    ca: &Ca,
    serial: u64,
    params: CertificateParams,
    days: Range<i64>,
) -> (CertificateDer<'static>, KeyPair) {
    let mut params = with_days(params, days);
    params.serial_number = Some(SerialNumber::from(serial));
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, &ca.issuer).unwrap().der().clone(), key)
}

/// A client's certificate.
pub(super) fn leaf(ca: &Ca, serial: u64, days: Range<i64>) -> CertificateDer<'static> {
    let mut params = CertificateParams::default();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    sign(ca, serial, params, days).0
}

pub(super) fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", data_encoding::BASE64.encode(der))
}

/// A folder with the four files, and the trust that was read from them.
pub(super) struct Bench {
    pub(super) folder: tempfile::TempDir,
    pub(super) files: ServerFiles,
    pub(super) ca: Ca,
    pub(super) trust: Arc<Trust>,
}

impl Bench {
    /// One authority that is good for 35 days, with an empty list that is good for 30.
    pub(super) fn new() -> Self {
        Self::of(BTreeSet::new(), Ca::new("first", 0..35))
    }

    /// One authority without a list that may be so.
    pub(super) fn exempt() -> Self {
        let ca = Ca::new("first", 0..35);
        Self::of(BTreeSet::from([ca.fingerprint()]), ca)
    }

    fn of(authorities_without_crl: BTreeSet<Fingerprint>, ca: Ca) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let client_crl = match authorities_without_crl.len() {
            0 => CrlFile::Named(at("crl.pem")),
            _ => CrlFile::IfThere(at("crl.pem")),
        };
        let files = ServerFiles {
            certificate_pem: at("server.pem"),
            key_pem: at("server.key"),
            client_ca_pem: at("ca.pem"),
            client_crl,
            authorities_without_crl,
        };
        write_pair(folder.path(), &ca, 1, 0..9);
        std::fs::write(&files.client_ca_pem, &ca.pem).unwrap();
        if files.authorities_without_crl.is_empty() {
            std::fs::write(files.client_crl.path(), ca.list(1, &[], 0..30)).unwrap();
        }
        let trust = Trust::load(files.clone()).unwrap();
        Self { folder, files, ca, trust }
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    pub(super) fn write_authorities(&self, authorities: &[&Ca]) {
        self.write("ca.pem", &authorities.iter().map(|ca| ca.pem.as_str()).collect::<String>());
    }

    pub(super) fn write_lists(&self, lists: &[&String]) {
        self.write("crl.pem", &lists.iter().map(|list| list.as_str()).collect::<String>());
    }

    /// A new certificate and key of the server's.
    pub(super) fn write_pair(&self, serial: u64, days: Range<i64>) {
        write_pair(self.folder.path(), &self.ca, serial, days);
    }

    /// A client with a certificate of the first authority.
    pub(super) fn leaf(&self, serial: u64) -> Standing {
        self.standing(&[leaf(&self.ca, serial, 0..9)])
    }

    pub(super) fn standing(&self, chain: &[CertificateDer<'static>]) -> Standing {
        Standing::new(Arc::clone(&self.trust), chain)
    }

    pub(super) fn assert_reloads(&self) {
        assert_eq!(self.faults(), Vec::<String>::new());
    }

    /// What a reload finds amiss.
    pub(super) fn faults(&self) -> Vec<String> {
        faults_of(&self.trust)
    }
}

/// What a reload of a trust finds amiss.
pub(super) fn faults_of(trust: &Trust) -> Vec<String> {
    trust.reload().iter().map(ToString::to_string).collect()
}

fn write_pair(folder: &Path, ca: &Ca, serial: u64, days: Range<i64>) {
    let (der, key) = sign(ca, serial, CertificateParams::new(vec!["localhost".to_owned()]).unwrap(), days);
    std::fs::write(folder.join("server.pem"), pem("CERTIFICATE", &der)).unwrap();
    let key_path = folder.join("server.key");
    let _ = std::fs::remove_file(&key_path);
    secret_file::create(&key_path, &key.serialize_pem()).unwrap();
}
