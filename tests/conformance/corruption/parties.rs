//! Damage to partners, programs, members, agreements and consents.

use serde_json::json;
use uuid::Uuid;

use super::bed::{Bed, Case, blob, forge, sql};

/// One case per change of a table's row.
pub(super) fn changes(expected: &str, table: &str, at: &str, changes: &[&str]) -> Vec<Case> {
    let case =
        |change: &&str| (expected.to_owned(), vec![sql(format!("update {table} set {change} where {at}"))]);
    changes.iter().map(case).collect()
}

/// Gives one membership the member of another.
fn joins(membership: Uuid, other: Uuid) -> String {
    format!(
        "update membership set member_id = (select member_id from membership where membership_id = {})
         where membership_id = {}",
        blob(other),
        blob(membership)
    )
}

impl Bed {
    pub(super) fn party_cases(&self) -> Vec<Case> {
        let cases = [
            self.partner_cases(),
            self.membership_cases(),
            self.merge_cases(),
            self.agreement_cases(),
            self.consent_cases(),
        ];
        cases.into_iter().flatten().collect()
    }

    fn partner_cases(&self) -> Vec<Case> {
        let partner =
            ["name = 'Another'", "status = 'SUSPENDED'", "created_at = 0", "updated_at = updated_at + 1"];
        let program = [
            "partner_code = 'airline'",
            "program_code = 'another'",
            "name = 'Another'",
            "scale = 3",
            "custody = 'PARTNER_HELD'",
            "points_expiry_months = 1",
            "created_at = 0",
            "updated_at = updated_at + 1",
        ];
        let stars = self.scene.stars;
        let at = format!("program_id = {}", blob(stars.uuid()));
        let mut cases =
            changes("partner-rows: partner market", "partner", "partner_code = 'market'", &partner);
        cases.extend(changes(&format!("program-rows: program {stars}"), "program", &at, &program));
        cases
    }

    fn membership_cases(&self) -> Vec<Case> {
        let flyer = self.scene.flyer;
        let at = format!("membership_id = {}", blob(flyer.uuid()));
        let rows = format!("membership-rows: membership {flyer}");
        let commitment = format!("reference-commitment: membership {flyer}");
        let own = ["program_id = zeroblob(16)", "status = 'FROZEN'", "created_at = 0"];
        let committed = ["external_reference = 'another'", "reference_salt = zeroblob(16)"];
        let mut cases = changes(&rows, "membership", &at, &own);
        cases.extend(changes(&commitment, "membership", &at, &committed));
        cases
    }

    fn merge_cases(&self) -> Vec<Case> {
        let shopper = self.scene.shopper;
        let other = self.stranger;
        let code = format!("link-code-rows: link code {}", self.link_code);
        let columns = [
            "membership_id = zeroblob(16)",
            "partner_code = 'airline'",
            "expires_at = expires_at + 1",
            "used_by_membership_id = null",
        ];
        let mut cases = changes(&code, "link_code", "used_by_membership_id is not null", &columns);
        cases.extend([
            (
                format!("link-code-rows: record {}", self.merge),
                vec![
                    forge(self.merge, move |content| {
                        content["body"]["merge"]["linked_membership_id"] = json!(other);
                    }),
                    sql(joins(shopper.uuid(), other.uuid())),
                ],
            ),
            (
                format!("member-merges: membership {shopper}"),
                vec![sql(format!(
                    "update membership set member_id = zeroblob(16) where membership_id = {}",
                    blob(shopper.uuid())
                ))],
            ),
            (format!("member-merges: membership {other}"), vec![sql(joins(other.uuid(), shopper.uuid()))]),
        ]);
        cases
    }

    fn agreement_cases(&self) -> Vec<Case> {
        let at = format!("agreement_id = {}", blob(self.agreement_bits));
        let head = [
            "low_code = 'a'",
            "high_code = 'z'",
            "latest_version = 2",
            "active_version = null, active_since = null",
            "active_since = active_since + 1",
            "pending_version = 1",
            "created_at = 0",
        ];
        let version =
            ["terms = zeroblob(8)", "terms_hash = zeroblob(32)", "author_code = 'market'", "proposed_at = 0"];
        let mut cases =
            changes(&format!("agreement-active: agreement {}", self.agreement), "agreement", &at, &head);
        let row = format!("terms-hash: agreement version {}/1", self.agreement);
        cases.extend(changes(&row, "agreement_version", &at, &version));
        cases
    }

    fn consent_cases(&self) -> Vec<Case> {
        let flyer = blob(self.scene.flyer.uuid());
        let other = format!("consent_id = {}", blob(self.other_consent));
        let other_consent = format!("cns_{}", self.other_consent.simple());
        let columns = [
            "membership_id = zeroblob(16)",
            "recipient_code = 'market'",
            "consent_scope = 'COUPON'",
            "purpose = 'ANOTHER'",
            "notice_version = 'another'",
            "evidence_hash = zeroblob(32)",
            "granted_at = 0",
            "expires_at = 1",
        ];
        let withdrawal = format!("consent-rows: consent withdrawal cns_{}", self.withdrawn.simple());
        let mut cases =
            changes(&format!("consent-rows: consent {other_consent}"), "consent", &other, &columns);
        let of_withdrawn = format!("consent_id = {}", blob(self.withdrawn));
        let ends = ["reason = 'ANOTHER'", "withdrawn_at = 0"];
        cases.extend(changes(&withdrawal, "consent_withdrawal", &of_withdrawn, &ends));
        cases.extend([
            (withdrawal, vec![sql(format!("delete from consent_withdrawal where {of_withdrawn}"))]),
            (
                format!("consent-rows: consent withdrawal {other_consent}"),
                vec![sql(format!(
                    "insert into consent_withdrawal values ({}, 'MEMBER_REQUEST', 0)",
                    blob(self.other_consent)
                ))],
            ),
            (
                format!("consent-in-force: consent in force {}/market/EXCHANGE", self.scene.flyer),
                vec![sql(format!(
                    "update consent_in_force set consent_id = {} where membership_id = {flyer}",
                    blob(self.other_consent)
                ))],
            ),
        ]);
        cases
    }
}
