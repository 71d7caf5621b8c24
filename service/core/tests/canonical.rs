//! The canonical bytes of records: one golden file per kind, compared byte for byte.
//!
//! What is stored, hashed and handed to partners must never change by accident. Where it changes on purpose,
//! `POINTBRIDGE_GOLDEN=write` writes the files anew (and fails, so that nobody leaves it set).

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod fixture;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use fixture::{Scene, at, credentials, entered, name, reason, reference};
use pointbridge_core::canonical::{self, Domain};
use pointbridge_core::command::{
    AbortExchange, AdjustPoints, Approve, CommitExchange, ExpireExchange, ExpireLots, Reject,
    RevokeCertificate, UpdatePartner, UpdateProgram, WithdrawConsent,
};
use pointbridge_core::record::{Record, RecordKind, RecordKind::*, SealedRecord};

const KINDS: [RecordKind; 27] = [
    PartnerCreated,
    PartnerUpdated,
    ProgramCreated,
    ProgramUpdated,
    AgreementProposed,
    AgreementAccepted,
    MembershipRegistered,
    LinkCodeIssued,
    MembersMerged,
    ConsentGranted,
    ConsentWithdrawn,
    PointsAccrued,
    PointsAdjusted,
    PointsExpired,
    ExchangePrepared,
    ExchangeCommitted,
    ExchangeAborted,
    ExchangeExpired,
    ExchangeReversed,
    PartnerSuspended,
    PartnerResumed,
    CertificatePinned,
    CertificateRevoked,
    SigningKeyRegistered,
    ApprovalRequested,
    ApprovalApproved,
    ApprovalRejected,
];

/// A new kind does not compile until it stands here, and does not pass until it has a golden file.
const fn place(kind: RecordKind) -> usize {
    match kind {
        PartnerCreated => 0,
        PartnerUpdated => 1,
        ProgramCreated => 2,
        ProgramUpdated => 3,
        AgreementProposed => 4,
        AgreementAccepted => 5,
        MembershipRegistered => 6,
        LinkCodeIssued => 7,
        MembersMerged => 8,
        ConsentGranted => 9,
        ConsentWithdrawn => 10,
        PointsAccrued => 11,
        PointsAdjusted => 12,
        PointsExpired => 13,
        ExchangePrepared => 14,
        ExchangeCommitted => 15,
        ExchangeAborted => 16,
        ExchangeExpired => 17,
        ExchangeReversed => 18,
        PartnerSuspended => 19,
        PartnerResumed => 20,
        CertificatePinned => 21,
        CertificateRevoked => 22,
        SigningKeyRegistered => 23,
        ApprovalRequested => 24,
        ApprovalApproved => 25,
        ApprovalRejected => 26,
    }
}

/// A history with a record of each kind.
fn history() -> Scene {
    let mut scene = Scene::with_points();
    let (airline, baby) = (scene.airline.clone(), scene.baby.clone());
    let mut ending = Scene::accrual(scene.parent, "12.5");
    ending.expires_at = Some(at("2026-12-01T00:00:00.000000Z"));
    scene.done(&baby, ending);
    let adjust = AdjustPoints {
        membership_id: scene.parent,
        amount: entered("-0.75"),
        reason: reason("CORRECTION"),
        reference: reference("ticket-3"),
    };
    scene.done(&baby, adjust);
    let committed = scene.prepared(1000).exchange_id;
    scene.done(&airline, CommitExchange { exchange_id: committed });
    let aborted = scene.prepared(2000).exchange_id;
    scene.done(&airline, AbortExchange { exchange_id: aborted, reason: reason("ORDER_CANCELLED") });
    let expired = scene.prepared(3000).exchange_id;
    scene.tick(300);
    scene.sweep(ExpireExchange { exchange_id: expired });
    scene.set_now(at("2026-12-01T00:00:00.000001Z"));
    scene.sweep(ExpireLots { membership_id: scene.parent });
    let consent_id = scene.consent_id(scene.flyer, "baby");
    scene.done(&airline, WithdrawConsent { consent_id, reason: reason("MEMBER_REQUEST") });
    let code = fixture::code("airline");
    scene.done(&airline, UpdatePartner { code, name: Some(name("蓝天航空 Blue Sky")) });
    let program_id = scene.miles;
    scene.done(&airline, UpdateProgram { program_id, name: None, points_expiry_months: Some(36) });
    let market = scene.market.clone();
    scene.done(&market, Scene::reversal(committed, Some("300")));
    scene.done(&market, Scene::reversal(committed, None));
    standing(&mut scene);
    scene
}

/// Two people, a certificate and a key.
fn standing(scene: &mut Scene) {
    let (airline, operator) = (scene.airline.clone(), scene.operator.clone());
    scene.done(&operator, credentials::suspension("baby"));
    let refused = credentials::approval_of(&scene.done(&operator, credentials::resumption("baby")));
    let (approval_id, content_hash) = (refused.approval_id, Some(refused.content_hash));
    scene.done(&operator, Reject { approval_id, content_hash, reason: reason("NOT_YET") });
    let asked = credentials::approval_of(&scene.done(&operator, credentials::resumption("baby")));
    let (approval_id, content_hash) = (asked.approval_id, asked.content_hash);
    scene.done(&credentials::second_person(), Approve { approval_id, content_hash });
    let pinned = credentials::certificate(scene, "airline", 7);
    scene.done(&airline, pinned);
    scene.done(&airline, RevokeCertificate { fingerprint: [7; 32], reason: reason("KEY_LOST") });
    let key = credentials::signing_key(scene, "2026-11");
    scene.done(&airline, key);
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// The last record of each kind.
fn by_kind(scene: &Scene) -> BTreeMap<RecordKind, &SealedRecord> {
    scene.records.iter().map(|sealed| (sealed.record.kind, sealed)).collect()
}

#[test]
fn every_kind_of_record_has_the_bytes_of_its_golden_file() {
    let scene = history();
    let found = by_kind(&scene);
    let write = std::env::var("POINTBRIDGE_GOLDEN").is_ok_and(|value| value == "write");
    let mut wrong = Vec::new();
    for (index, kind) in KINDS.into_iter().enumerate() {
        assert_eq!(place(kind), index);
        let sealed = found.get(&kind).unwrap_or_else(|| panic!("the history makes no {kind:?}"));
        let path = folder().join(format!("{}.json", kind.as_str().to_lowercase()));
        let bytes = [&sealed.bytes[..], b"\n"].concat();
        if write {
            std::fs::write(&path, &bytes).unwrap();
        }
        if write || std::fs::read(&path).unwrap_or_default() != bytes {
            wrong.push(format!("{}: {}", path.display(), String::from_utf8_lossy(&bytes)));
        }
    }
    assert!(wrong.is_empty(), "{} golden files written or different:\n{}", wrong.len(), wrong.join(""));
}

#[test]
fn there_is_a_golden_file_for_each_kind_and_no_other() {
    let files: BTreeSet<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let expected = KINDS.map(|kind| format!("{}.json", kind.as_str().to_lowercase()));
    assert_eq!(files, expected.into_iter().collect());
}

#[test]
fn a_record_reads_back_from_its_golden_file() {
    let scene = history();
    for (kind, sealed) in by_kind(&scene) {
        let path = folder().join(format!("{}.json", kind.as_str().to_lowercase()));
        let bytes = std::fs::read(path).unwrap();
        let record = Record::from_bytes(&bytes).unwrap();
        assert_eq!(record, *sealed.record, "{kind:?}");
        let again = SealedRecord::seal(record, sealed.salt).unwrap();
        assert_eq!(again, *sealed, "{kind:?}: the same bytes and hash when sealed again");
    }
}

#[test]
fn every_record_of_a_history_is_canonical() {
    for sealed in &history().records {
        let value: serde_json::Value = serde_json::from_slice(&sealed.bytes).unwrap();
        assert_eq!(canonical::to_bytes(&value).unwrap(), sealed.bytes, "keys in order, no spaces");
        assert_eq!(sealed.hash, canonical::hash(Domain::Record, &sealed.bytes));
        assert_eq!(value["schema"], Record::SCHEMA);
        assert_eq!(value["kind"], sealed.record.kind.as_str());
        check_values(&value);
    }
}

#[test]
fn what_is_made_most_often_is_written_in_order() {
    let scene = history();
    let found = by_kind(&scene);
    for kind in
        [ExchangePrepared, ExchangeCommitted, ExchangeAborted, ExchangeExpired, PointsAccrued, PointsExpired]
    {
        let sealed = found[&kind];
        let declared = String::from_utf8(serde_json::to_vec(&*sealed.record).unwrap()).unwrap();
        let written = String::from_utf8(sealed.bytes.clone()).unwrap();
        assert_eq!(declared, written, "{kind:?}: its fields are not declared in the order of their names");
    }
}

/// Absent fields are left out, and numbers are small integers.
fn check_values(value: &serde_json::Value) {
    match value {
        serde_json::Value::Null => panic!("an absent field is left out, not null"),
        serde_json::Value::Number(number) => {
            let small = number.as_u64().is_some_and(|number| number <= 1 << 53);
            assert!(small, "{number} loses digits in readers elsewhere");
        }
        serde_json::Value::Array(items) => items.iter().for_each(check_values),
        serde_json::Value::Object(fields) => fields.values().for_each(check_values),
        serde_json::Value::String(_) | serde_json::Value::Bool(_) => {}
    }
}

#[test]
fn no_record_tells_who_a_member_is() {
    let scene = history();
    let references: Vec<&str> =
        scene.world.memberships.values().map(|m| m.external_reference.as_str()).collect();
    assert_eq!(references.len(), 3);
    let members: BTreeSet<String> =
        scene.world.memberships.values().map(|m| m.member_id.to_string()).collect();
    let codes: Vec<String> = scene.world.link_codes.keys().map(|hash| canonical::hex(hash)).collect();
    for sealed in &scene.records {
        let text = std::str::from_utf8(&sealed.bytes).unwrap();
        for reference in &references {
            assert!(!text.contains(reference), "{reference} in {text}");
        }
        for secret in members.iter().chain(&codes) {
            assert!(!text.contains(secret.as_str()), "{secret} in {text}");
        }
        assert!(!text.contains("mem_"), "a member's id in {text}");
    }
}

#[test]
fn a_reference_stands_as_a_commitment_that_its_salt_opens() {
    let scene = history();
    let mut seen = BTreeSet::new();
    for membership in scene.world.memberships.values() {
        let external = membership.external_reference.as_str().as_bytes();
        let commitment = canonical::commit(Domain::Reference, &membership.reference_salt, external);
        let unsalted = canonical::hash(Domain::Reference, external);
        let (commitment, unsalted) = (canonical::hex(&commitment), canonical::hex(&unsalted));
        let stands = |digits: &str| {
            scene.records.iter().any(|sealed| String::from_utf8_lossy(&sealed.bytes).contains(digits))
        };
        assert!(stands(&commitment) && !stands(&unsalted));
        assert!(seen.insert(commitment));
    }
}

#[test]
fn what_is_no_record_does_not_read_as_one() {
    let scene = history();
    let bytes = &scene.records[0].bytes;
    assert!(Record::from_bytes(bytes).is_ok());
    for bad in [&b""[..], b"{}", b"null", &bytes[..bytes.len() - 1], &[&bytes[..], b"{}"].concat()] {
        assert!(Record::from_bytes(bad).is_err(), "{}", String::from_utf8_lossy(bad));
    }
}
