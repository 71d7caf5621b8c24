//! What the tests of this folder share: an authority in a folder of its own, and authorities of others.
#![cfg(test)]

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer, KeyIdMethod,
    KeyPair, KeyUsagePurpose, SanType,
};
use tempfile::TempDir;

use super::certificate::Certificate;
use super::{Ca, Inspection, Issued, LeafRequest, Verdict, read_certificates};
use crate::peer::{Principal, TrustDomain};

pub(super) const TILL: &str = "partner/airline/partner/till-7";

/// An authority and the folder that goes with it.
pub(super) struct Home {
    pub(super) folder: TempDir,
    pub(super) ca: Ca,
}

impl Home {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ca = Ca::init(folder.path(), &TrustDomain::parse("hub.test").unwrap()).unwrap();
        Self { folder, ca }
    }

    /// With an authority that ends in this year.
    pub(super) fn ending(year: i32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, "ending");
        params.subject_alt_names = vec![SanType::URI("spiffe://hub.test".try_into().unwrap())];
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        std::fs::write(folder.path().join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        crate::secret_file::create(&folder.path().join("ca.key"), &key.serialize_pem()).unwrap();
        Self { ca: Ca::open(folder.path()).unwrap(), folder }
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub(super) fn issue(&self, path: &str, days: u32) -> Issued {
        let principal = Principal::from_path(path, self.ca.trust_domain()).unwrap();
        self.ca.issue(&LeafRequest::client(principal, days)).unwrap()
    }

    /// What the hub would say to a file.
    pub(super) fn verdict(&self, path: &Path) -> Verdict {
        let inspection = Inspection::of(path, self.path()).unwrap();
        inspection.findings.into_iter().next().unwrap().verdict
    }

    pub(super) fn is_let_in(&self, path: &Path) -> bool {
        self.verdict(path).is_taken
    }

    /// The serial numbers on this authority's list, and its number.
    pub(super) fn list(&self) -> (Vec<String>, u64) {
        let lists = super::lists(self.path()).unwrap();
        let list = lists.iter().find(|list| list.is_signed_by(self.ca.certificate())).unwrap();
        let mut serials: Vec<String> = list.revoked.iter().map(|entry| entry.serial.clone()).collect();
        serials.sort();
        (serials, list.number.as_ref().unwrap().parse().unwrap())
    }
}

pub(super) fn certificate(path: &Path) -> Certificate {
    read_certificates(path).unwrap().remove(0)
}

/// An authority that is none of ours.
pub(super) struct Foreign {
    pub(super) folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Foreign {
    pub(super) fn new(name: &str) -> Self {
        Self::shaped(name, |_| {})
    }

    /// With parameters changed.
    pub(super) fn shaped(name: &str, change: impl Fn(&mut CertificateParams)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2090, 1, 1);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        std::fs::write(folder.path().join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { issuer: Issuer::new(params, key), folder }
    }

    pub(super) fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A list with this number that ends in this year.
    pub(super) fn crl(&self, number: u64, ends: i32) -> PathBuf {
        let params = CertificateRevocationListParams {
            this_update: rcgen::date_time_ymd(2020, 1, 1),
            next_update: rcgen::date_time_ymd(ends, 1, 1),
            crl_number: number.into(),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let path = self.folder.path().join(format!("crl-{number}.pem"));
        std::fs::write(&path, params.signed_by(&self.issuer).unwrap().pem().unwrap()).unwrap();
        path
    }

    /// A client's certificate with these URIs.
    pub(super) fn client(&self, uris: &[&str]) -> PathBuf {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::ExplicitNoCa;
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2090, 1, 1);
        params.subject_alt_names = uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())).collect();
        let signed = params.signed_by(&KeyPair::generate().unwrap(), &self.issuer).unwrap();
        let path = self.folder.path().join(format!("client-{}.pem", uris.len()));
        std::fs::write(&path, signed.pem()).unwrap();
        path
    }
}
