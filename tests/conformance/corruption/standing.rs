//! Damage to approvals, certificates and signing keys.

use serde_json::json;

use super::bed::{Bed, Case, blob, forge, record, sql};
use super::parties::changes;

impl Bed {
    pub(super) fn standing_cases(&self) -> Vec<Case> {
        let cases = [
            self.approval_rows(),
            self.approval_cases(),
            self.effect_cases(),
            self.told_cases(),
            self.credential_cases(),
        ];
        cases.into_iter().flatten().collect()
    }

    fn at_approval(&self) -> String {
        format!("approval_id = {}", blob(self.approved.approval_id))
    }

    fn approval_rows(&self) -> Vec<Case> {
        let columns = [
            "method = 'ResumePartner'",
            "proposal = zeroblob(8)",
            "content_hash = zeroblob(32)",
            "subject_changed_at = subject_changed_at + 1",
            "requested_by = 'operator/li'",
            "requested_at = 0",
            "expires_at = expires_at + 1",
            "state = 'REJECTED'",
            "decided_by = 'operator/li'",
            "decided_at = null",
            "reason = 'ANOTHER'",
        ];
        let row = format!("approval-rows: approval apr_{}", self.approved.approval_id.simple());
        let mut cases = changes(&row, "approval", &self.at_approval(), &columns);
        cases.push((row, vec![sql(format!("delete from approval where {}", self.at_approval()))]));
        cases
    }

    fn approval_cases(&self) -> Vec<Case> {
        let approved = &self.approved;
        let (at, last) = (self.at_approval(), approved.record);
        let of_row = |set: &str| sql(format!("update approval set {set} where {at}"));
        vec![
            (
                format!("approval-content: record {last}"),
                vec![
                    forge(last, |content| {
                        content["body"]["approval"]["approval"]["content_hash"] = json!("0".repeat(64));
                    }),
                    of_row("content_hash = zeroblob(32)"),
                ],
            ),
            (
                format!("approval-decision: record {last}"),
                vec![
                    forge(last, |content| {
                        content["body"]["approval"]["approval"]["verdict"]["by"] = json!("operator/li");
                    }),
                    of_row("decided_by = 'operator/li'"),
                ],
            ),
            // One person alone, under the names of two requests.
            (
                format!("approval-two-people: record {last}"),
                vec![
                    forge(last, |content| {
                        content["who"] = json!("operator/wang");
                        content["body"]["approval"]["approval"]["verdict"]["by"] = json!("operator/wang");
                    }),
                    forge(approved.effect, |content| content["who"] = json!("operator/wang")),
                    of_row("decided_by = 'operator/wang'"),
                ],
            ),
            (
                format!("request-record: record {last}"),
                vec![sql(format!("delete from request where record_id = {}", record(last)))],
            ),
        ]
    }

    fn effect_cases(&self) -> Vec<Case> {
        let approved = &self.approved;
        vec![
            (
                format!("approval-effect: record {}", approved.effect),
                vec![forge(approved.effect, |content| {
                    content["body"]["points"].as_object_mut().unwrap().remove("approval_id");
                })],
            ),
            (
                format!("approval-effect: record {}", approved.effect),
                vec![forge(approved.effect, |content| {
                    content["body"]["points"]["reference"] = json!("ticket-2");
                })],
            ),
            // Another amount than the one that was agreed to, in everything that is written.
            (
                format!("approval-effect: record {}", approved.effect),
                vec![
                    forge(approved.effect, |content| {
                        let points = &mut content["body"]["points"];
                        (points["amount"], points["posted"]) = (json!("70"), json!("70"));
                        content["postings"][0]["amount"] = json!("70");
                        content["postings"][0]["member"]["balance_after"] = json!("70");
                        content["postings"][1]["amount"] = json!("-70");
                        content["lots"][0]["remaining"] = json!("70");
                    }),
                    sql(format!(
                        "update posting set amount = amount * 10, balance_after = balance_after * 10 where {}",
                        super::bed::lines_of(approved.effect)
                    )),
                    sql(format!(
                        "update lot_movement set remaining = 70 where {}",
                        super::bed::lines_of(approved.effect)
                    )),
                    sql(format!(
                        "update lot set remaining = 70 where membership_id = {}",
                        blob(self.stranger.uuid())
                    )),
                    sql(format!(
                        "update account set posted = 70 where membership_id = {}",
                        blob(self.stranger.uuid())
                    )),
                ],
            ),
        ]
    }

    /// What records tell of what was done, and was not.
    fn told_cases(&self) -> Vec<Case> {
        let last = self.approved.record;
        let approval = || format!("approval-effect: record {last}");
        vec![
            (
                approval(),
                vec![forge(last, |content| {
                    content["body"]["approval"].as_object_mut().unwrap().remove("effect").unwrap();
                })],
            ),
            (
                approval(),
                vec![forge(last, |content| {
                    content["body"]["approval"]["effect"]["outcome"]["points"]["posted"] = json!("70");
                })],
            ),
            (
                format!("partner-rows: record {}", self.suspension),
                vec![forge(self.suspension, |content| {
                    content["body"]["standing"]["partner"]["status"] = json!("ACTIVE");
                })],
            ),
        ]
    }

    fn credential_cases(&self) -> Vec<Case> {
        let fingerprint = "07".repeat(32);
        let certificate = [
            "principal = 'operator/wang'",
            "serial = '08'",
            "not_before = 0",
            "not_after = 0",
            "pinned_by = 'operator/wang'",
            "pinned_at = 0",
            "revoked_at = 1, revoked_by = 'operator/wang', revocation_reason = 'ANOTHER'",
        ];
        let row = format!("certificate-rows: certificate {fingerprint}/airline");
        let mut cases =
            changes(&row, "certificate", &format!("fingerprint = x'{fingerprint}'"), &certificate);
        let key = ["public_key = zeroblob(32)", "registered_by = 'operator/wang'", "registered_at = 0"];
        let row = format!("signing-key-rows: signing key {}/2026-11", self.scene.miles);
        cases.extend(changes(&row, "signing_key", "key_id = '2026-11'", &key));
        cases
    }
}
