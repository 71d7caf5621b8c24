//! Tables of SPIFFE ids and of certificates: which name a principal, and why the others do not.

use rcgen::{CertificateParams, KeyPair, SanType};

use super::*;

fn home() -> TrustDomain {
    TrustDomain::parse("hub.test").unwrap()
}

#[test]
fn a_well_formed_id_names_its_principal_and_prints_back() {
    let longest_code = format!("p{}", "x".repeat(30));
    let longest_subject = "s".repeat(63);
    let cases = [
        ("partner/airline/partner/till-7", Role::Partner, Some("airline"), "till-7"),
        ("partner/airline/finance/anna", Role::Finance, Some("airline"), "anna"),
        ("operator/alice", Role::Operator, None, "alice"),
        ("auditor/7.b_c-d", Role::Auditor, None, "7.b_c-d"),
        ("partner/b2/partner/0", Role::Partner, Some("b2"), "0"),
        ("partner/partner/partner/partner", Role::Partner, Some("partner"), "partner"),
        (&format!("partner/{longest_code}/partner/a"), Role::Partner, Some(longest_code.as_str()), "a"),
        (&format!("operator/{longest_subject}"), Role::Operator, None, longest_subject.as_str()),
    ];
    for (path, role, code, subject) in cases {
        let uri = format!("spiffe://hub.test/{path}");
        let principal = Principal::parse(&uri, &home()).unwrap_or_else(|error| panic!("{uri}: {error}"));
        assert_eq!(principal.role(), role, "{uri}");
        assert_eq!(principal.partner_code(), code, "{uri}");
        assert_eq!(principal.subject(), subject, "{uri}");
        assert_eq!(principal.to_string(), path);
        assert_eq!(principal.uri(), uri);
        assert_eq!(Principal::from_path(path, &home()), Ok(principal));
    }
}

#[test]
fn a_malformed_id_is_refused_for_its_reason() {
    use PrincipalError::*;
    let long_code = format!("spiffe://hub.test/partner/p{}/partner/a", "x".repeat(31));
    let long_subject = format!("spiffe://hub.test/operator/{}", "s".repeat(64));
    let cases = [
        ("", SchemeUnknown),
        ("https://hub.test/operator/alice", SchemeUnknown),
        ("SPIFFE://hub.test/operator/alice", SchemeUnknown),
        (" spiffe://hub.test/operator/alice", SchemeUnknown),
        ("spiffe://hub.test/operator/alice?x=1", CharacterForbidden),
        ("spiffe://hub.test/operator/alice#top", CharacterForbidden),
        ("spiffe://hub.test/operator/al%69ce", CharacterForbidden),
        ("spiffe://hub.test/operator/alice\0", CharacterForbidden),
        ("spiffe://hub.test/operator/alice ", CharacterForbidden),
        ("spiffe://hub.test/operator/аlice", CharacterForbidden),
        ("spiffe://", TrustDomainForeign),
        ("spiffe:///operator/alice", TrustDomainForeign),
        ("spiffe://hub.test.evil/operator/alice", TrustDomainForeign),
        ("spiffe://Hub.test/operator/alice", TrustDomainForeign),
        ("spiffe://hub.test:443/operator/alice", TrustDomainForeign),
        ("spiffe://me@hub.test/operator/alice", TrustDomainForeign),
        ("spiffe://hub.test", PathUnknown),
        ("spiffe://hub.test/", PathUnknown),
        ("spiffe://hub.test/operator", PathUnknown),
        ("spiffe://hub.test//operator/alice", PathUnknown),
        ("spiffe://hub.test/operator/alice/", PathUnknown),
        ("spiffe://hub.test/operator/alice/more", PathUnknown),
        ("spiffe://hub.test/Operator/alice", PathUnknown),
        ("spiffe://hub.test/admin/alice", PathUnknown),
        ("spiffe://hub.test/partner/airline", PathUnknown),
        ("spiffe://hub.test/partner/airline/partner", PathUnknown),
        ("spiffe://hub.test/partner/airline/operator/a", PathUnknown),
        ("spiffe://hub.test/partner/airline/partner/a/", PathUnknown),
        ("spiffe://hub.test/partner/airline/partner/a/b/c", PathUnknown),
        ("spiffe://hub.test/partner//partner/a", CodeMalformed),
        ("spiffe://hub.test/partner/a/partner/a", CodeMalformed),
        ("spiffe://hub.test/partner/7up/partner/a", CodeMalformed),
        ("spiffe://hub.test/partner/-air/partner/a", CodeMalformed),
        ("spiffe://hub.test/partner/Air/partner/a", CodeMalformed),
        ("spiffe://hub.test/partner/air_line/partner/a", CodeMalformed),
        ("spiffe://hub.test/partner/../partner/a", CodeMalformed),
        (&long_code, CodeMalformed),
        ("spiffe://hub.test/operator/", SubjectMalformed),
        ("spiffe://hub.test/operator/.", SubjectMalformed),
        ("spiffe://hub.test/operator/-alice", SubjectMalformed),
        ("spiffe://hub.test/operator/Alice", SubjectMalformed),
        ("spiffe://hub.test/operator/alice@home", SubjectMalformed),
        ("spiffe://hub.test/partner/airline/partner/", SubjectMalformed),
        (&long_subject, SubjectMalformed),
    ];
    for (uri, expected) in cases {
        assert_eq!(Principal::parse(uri, &home()), Err(expected), "{uri:?}");
    }
}

#[test]
fn a_trust_domain_has_one_spelling() {
    for good in ["hub", "hub.test", "a-b_c.9", &"d".repeat(255)] {
        assert_eq!(TrustDomain::parse(good).unwrap().to_string(), good);
    }
    for bad in ["", "Hub", "hub/test", "hub:1", "hub test", "hüb", &"d".repeat(256)] {
        assert_eq!(TrustDomain::parse(bad), Err(PrincipalError::TrustDomainMalformed), "{bad:?}");
    }
}

fn certificate(names: &[SanType]) -> Vec<u8> {
    let mut params = CertificateParams::default();
    // A common name that would pass as an id, to show that nobody looks at it.
    params.distinguished_name.push(rcgen::DnType::CommonName, "spiffe://hub.test/operator/root");
    params.subject_alt_names = names.to_vec();
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

#[test]
fn a_certificate_names_its_principal_by_its_only_uri() {
    let alice = uri("spiffe://hub.test/operator/alice");
    let bob = uri("spiffe://hub.test/operator/bob");
    let host = SanType::DnsName("alice.hub.test".try_into().unwrap());
    let foreign = uri("spiffe://other.test/operator/alice");
    let web = uri("https://hub.test/operator/alice");
    let cases: [(&[SanType], Result<&str, PrincipalError>); 8] = [
        (std::slice::from_ref(&alice), Ok("operator/alice")),
        (&[host.clone(), alice.clone()], Ok("operator/alice")),
        (&[], Err(PrincipalError::UriMissing)),
        (&[host], Err(PrincipalError::UriMissing)),
        (&[alice.clone(), bob], Err(PrincipalError::UriNotAlone)),
        (&[alice.clone(), alice.clone()], Err(PrincipalError::UriNotAlone)),
        (&[foreign], Err(PrincipalError::TrustDomainForeign)),
        (&[web], Err(PrincipalError::SchemeUnknown)),
    ];
    for (names, expected) in cases {
        let found = Principal::from_certificate(&certificate(names), &home());
        assert_eq!(found.map(|principal| principal.to_string()), expected.map(str::to_owned), "{names:?}");
    }
}

#[test]
fn bytes_that_are_no_certificate_name_nobody() {
    let good = certificate(&[uri("spiffe://hub.test/operator/alice")]);
    let longer = [good.as_slice(), &[0]].concat();
    for bytes in [&[][..], b"text", &good[..good.len() - 1], &longer] {
        let found = Principal::from_certificate(bytes, &home());
        assert_eq!(found, Err(PrincipalError::CertificateMalformed));
    }
}
