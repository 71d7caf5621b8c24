//! Damage to reservations and legs.

use serde_json::json;

use super::bed::{Bed, Case, blob, forge, record, sql};

impl Bed {
    pub(super) fn exchange_cases(&self) -> Vec<Case> {
        let cases = [self.state_cases(), self.column_cases(), self.time_cases()];
        cases.into_iter().flatten().collect()
    }

    fn state_cases(&self) -> Vec<Case> {
        let at = format!("where reservation_id = {}", blob(self.live_exchange.uuid()));
        let reservation = self.live_exchange.reservation();
        vec![
            (
                format!("reservation-state: reservation {reservation}"),
                vec![sql(format!("update reservation set state = 'COMMITTED' {at}"))],
            ),
            (
                format!("reservation-overdue: reservation {reservation}"),
                vec![sql("update store_state set last_now = last_now + 360000001")],
            ),
            (
                format!("phases-match: record {}", self.commit),
                vec![forge(self.commit, |content| {
                    content["body"]["exchange"]["references"]["order"] = json!("another");
                })],
            ),
            (
                format!("leg-terms: record {}", self.live),
                vec![
                    forge(self.live, |content| {
                        let obligation = &mut content["body"]["exchange"]["legs"][0]["obligation"];
                        obligation["money"] = json!("2.000001");
                    }),
                    sql(format!("update exchange_leg set money = 2000001 {at}")),
                    sql("update exposure set prepared_low = 2000001"),
                ],
            ),
        ]
    }

    fn column_cases(&self) -> Vec<Case> {
        let at = format!("where reservation_id = {}", blob(self.live_exchange.uuid()));
        let reservation = self.live_exchange.reservation();
        let leg = |change: &str| {
            let expected = format!("leg-rows: leg {reservation}/1");
            (expected, vec![sql(format!("update exchange_leg set {change} {at}"))])
        };
        let references = |change: &str| {
            let expected = format!("reservation-state: reservation {reservation}");
            (expected, vec![sql(format!("update reservation set {change} {at}"))])
        };
        let legs = [
            "agreement_id = zeroblob(16)",
            "agreement_version = 2",
            "source_program_id = zeroblob(16)",
            "source_partner_code = 'market'",
            "source_membership_id = zeroblob(16)",
            "source_custody = 'PARTNER_HELD'",
            "destination_program_id = zeroblob(16)",
            "destination_partner_code = 'airline'",
            "destination_membership_id = zeroblob(16)",
            "destination_custody = 'PARTNER_HELD'",
            "source_points = 1",
            "gross_points = 1",
            "fee_points = 1",
            "credited_points = 1",
            "residue_numerator = 1",
            "residue_denominator = 2",
            "residue_owner = 'SOURCE'",
            "debtor_code = 'market'",
            "creditor_code = 'airline'",
            "currency = 'EUR'",
            "money = 1",
        ];
        let columns = ["order_reference = 'another'", "store_reference = null", "till_reference = 'till-1'"];
        legs.into_iter().map(leg).chain(columns.into_iter().map(references)).collect()
    }

    /// A commit when the hold is over, and an expiry before it is.
    fn time_cases(&self) -> Vec<Case> {
        let (commit, abort) = (self.commit, self.abort);
        let late = self.clock.now().plus_seconds(300);
        let of_commit = record(commit);
        vec![
            (
                format!("phase-times: record {commit}"),
                vec![
                    forge(commit, move |content| {
                        content["decided_at"] = json!(late);
                        content["body"]["exchange"]["decided_at"] = json!(late);
                    }),
                    sql(format!(
                        "update record set decided_at = {} where record_id = {of_commit}",
                        late.micros()
                    )),
                    sql(format!(
                        "update reservation set decided_at = {} where last_record_id = {of_commit}",
                        late.micros()
                    )),
                ],
            ),
            (
                format!("phase-times: record {abort}"),
                vec![
                    forge(abort, |content| {
                        content["kind"] = json!("EXCHANGE_EXPIRED");
                        content["body"]["exchange"]["state"] = json!("EXPIRED");
                    }),
                    sql(format!(
                        "update record set kind = 'EXCHANGE_EXPIRED' where record_id = {}",
                        record(abort)
                    )),
                    sql(format!(
                        "update reservation set state = 'EXPIRED' where last_record_id = {}",
                        record(abort)
                    )),
                    sql(format!("delete from request where record_id = {}", record(abort))),
                ],
            ),
        ]
    }
}
