//! Damage to partners, programs, members, agreements and consents.

use pointbridge_store::AuditRow;
use serde_json::json;

use crate::book::{self, at};
use crate::changes::{Case, case, change, forge, record};
use crate::rows::{id, micros};

pub(super) fn cases() -> Vec<Case> {
    [partners(), members(), people(), agreements(), consents()].into_iter().flatten().collect()
}

fn partners() -> Vec<Case> {
    macro_rules! partner {
        ($field:ident, $value:expr) => {
            case("partner-rows: partner market", |rows| {
                change!(rows, AuditRow::Partner { partner_code, $field, .. } if partner_code == "market" => *$field = $value);
            })
        };
    }
    macro_rules! program {
        ($field:ident, $value:expr) => {
            case(format!("program-rows: program {}", id("prg", 2)), |rows| {
                change!(rows, AuditRow::Program { program_id, $field, .. } if *program_id == id("prg", 2) => *$field = $value);
            })
        };
    }
    vec![
        partner!(name, "Another".to_owned()),
        partner!(status, "SUSPENDED".to_owned()),
        partner!(created_at, 1),
        partner!(updated_at, micros(3)),
        program!(partner_code, "airline".to_owned()),
        program!(program_code, "stars".to_owned()),
        program!(name, "Stars".to_owned()),
        program!(scale, 3),
        program!(custody, "PARTNER_HELD".to_owned()),
        program!(points_expiry_months, 12),
        program!(created_at, 1),
        program!(updated_at, micros(5)),
    ]
}

fn members() -> Vec<Case> {
    let commitment = format!("reference-commitment: membership {}", book::airline());
    macro_rules! membership {
        ($field:ident, $value:expr) => {
            case(format!("membership-rows: membership {}", id("mbs", 3)), |rows| {
                change!(rows, AuditRow::Membership { membership_id, $field, .. } if *membership_id == id("mbs", 3) => *$field = $value);
            })
        };
    }
    macro_rules! code {
        ($field:ident, $value:expr) => {
            case(format!("link-code-rows: link code {}", id("lnk", 1)), |rows| {
                change!(rows, AuditRow::LinkCode { $field, .. } => *$field = $value);
            })
        };
    }
    vec![
        case(commitment.clone(), |rows| {
            change!(rows, AuditRow::Membership { external_reference, .. } if external_reference == "FF-1" => *external_reference = "FF-2".to_owned());
        }),
        case(commitment, |rows| {
            change!(rows, AuditRow::Membership { external_reference, reference_salt, .. } if external_reference == "FF-1" => reference_salt[0] = 0);
        }),
        membership!(program_id, id("prg", 1)),
        membership!(status, "FROZEN".to_owned()),
        membership!(created_at, 1),
        code!(membership_id, id("mbs", 3)),
        code!(partner_code, "airline".to_owned()),
        code!(expires_at, micros(609)),
        code!(used_by_membership_id, None),
        code!(used_by_membership_id, Some(id("mbs", 3))),
        // A merge of people for whom the code was not made; the rows are as such a merge would leave them.
        case(format!("link-code-rows: {}", record(at::MERGE)), |rows| {
            forge(rows, at::MERGE, |content| {
                content["body"]["merge"]["linked_membership_id"] = json!(id("mbs", 3));
            });
            change!(rows, AuditRow::Membership { membership_id, member_id, .. } if *membership_id == book::market() => *member_id = id("mem", 3));
        }),
    ]
}

fn people() -> Vec<Case> {
    macro_rules! member {
        ($expected:literal, $changed:literal, $member:literal) => {
            case(format!("member-merges: membership {}", id("mbs", $expected)), |rows| {
                change!(rows, AuditRow::Membership { membership_id, member_id, .. } if *membership_id == id("mbs", $changed) => *member_id = id("mem", $member));
            })
        };
    }
    vec![
        // Parted from the one that it was joined to, to be nobody's or a stranger's.
        member!(2, 2, 2),
        member!(2, 2, 3),
        // The head of the two is a stranger's: it alone disagrees with what nobody else uses.
        member!(1, 1, 3),
        // A stranger joined to the two without a merge.
        member!(3, 3, 1),
    ]
}

fn agreements() -> Vec<Case> {
    let version = format!("terms-hash: agreement version {}/1", id("agr", 1));
    macro_rules! agreement {
        ($field:ident, $value:expr) => {
            case(format!("agreement-active: agreement {}", id("agr", 1)), |rows| {
                change!(rows, AuditRow::Agreement { $field, .. } => *$field = $value);
            })
        };
    }
    macro_rules! version {
        ($field:ident => $change:expr) => {
            case(version.clone(), |rows| change!(rows, AuditRow::AgreementVersion { $field, .. } => $change))
        };
    }
    vec![
        agreement!(low_code, "baby".to_owned()),
        agreement!(high_code, "zoo".to_owned()),
        agreement!(active_version, None),
        agreement!(active_since, Some(micros(16))),
        agreement!(pending_version, Some(1)),
        agreement!(latest_version, 2),
        agreement!(created_at, micros(15)),
        version!(terms => *terms = String::from_utf8_lossy(terms).replace("5000", "6000").into_bytes()),
        version!(terms_hash => terms_hash[0] ^= 1),
        version!(author_code => *author_code = "market".to_owned()),
        version!(proposed_at => *proposed_at = 1),
        // What was accepted is not what was proposed.
        case(format!("terms-hash: {}", record(at::ACCEPTANCE)), |rows| {
            forge(rows, at::ACCEPTANCE, |content| {
                content["body"]["agreement"]["version"]["author"] = json!("market");
            });
        }),
    ]
}

fn consents() -> Vec<Case> {
    let in_force = format!("consent-in-force: consent in force {}/market/EXCHANGE", book::airline());
    let withdrawal = format!("consent-rows: consent withdrawal {}", id("cns", 3));
    macro_rules! consent {
        ($field:ident => $change:expr) => {
            case(format!("consent-rows: consent {}", id("cns", 2)), |rows| {
                change!(rows, AuditRow::Consent { consent_id, $field, .. } if *consent_id == id("cns", 2) => $change);
            })
        };
    }
    vec![
        consent!(membership_id => *membership_id = id("mbs", 3)),
        consent!(recipient_code => *recipient_code = "baby".to_owned()),
        consent!(scope => *scope = "COUPON".to_owned()),
        consent!(purpose => *purpose = "ANOTHER".to_owned()),
        consent!(notice_version => *notice_version = "2027-01-01".to_owned()),
        consent!(evidence_hash => evidence_hash[0] ^= 1),
        consent!(granted_at => *granted_at = 1),
        consent!(expires_at => *expires_at = None),
        case(withdrawal.clone(), |rows| {
            change!(rows, AuditRow::ConsentWithdrawal { reason, .. } => *reason = "ANOTHER".to_owned());
        }),
        case(
            withdrawal,
            |rows| change!(rows, AuditRow::ConsentWithdrawal { withdrawn_at, .. } => *withdrawn_at = 1),
        ),
        case(format!("consent-rows: consent withdrawal {}", id("cns", 2)), |rows| {
            rows.push(AuditRow::ConsentWithdrawal {
                consent_id: id("cns", 2),
                reason: "MEMBER_REQUEST".to_owned(),
                withdrawn_at: micros(13),
            });
        }),
        case(in_force, |rows| {
            change!(rows, AuditRow::ConsentInForce { consent_id, .. } => *consent_id = id("cns", 1));
        }),
        case(format!("consent-in-force: consent in force {}/airline/EXCHANGE", book::market()), |rows| {
            rows.push(AuditRow::ConsentInForce {
                membership_id: book::market(),
                recipient_code: "airline".to_owned(),
                scope: "EXCHANGE".to_owned(),
                consent_id: id("cns", 3),
            });
        }),
    ]
}
