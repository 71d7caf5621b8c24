//! Damage to records, requests, lines, balances and sums.

use serde_json::{Value, json};

use super::bed::{Bed, Case, LOT, NEW_YEAR_MICROS, Step, blob, forge, lines_of, record, sql};

/// Makes an exchange's record one of 1300 points, of which its lot holds so many more or less.
fn take_1300(content: &mut Value, held: &str) {
    let leg = &mut content["body"]["exchange"]["legs"][0];
    for field in ["source_points", "gross_points", "credited_points"] {
        leg[field] = json!("1300");
    }
    leg["obligation"]["money"] = json!("13.000000");
    content["lots"][0]["held"] = json!(held);
}

impl Bed {
    pub(super) fn ledger_cases(&self) -> Vec<Case> {
        let cases = [
            self.record_cases(),
            self.request_cases(),
            self.line_cases(),
            self.forged_line_cases(),
            self.balance_cases(),
        ];
        cases.into_iter().flatten().collect()
    }

    fn record_cases(&self) -> Vec<Case> {
        let (accrual, commit) = (self.accrual, self.commit);
        let at = record(commit);
        vec![
            (
                format!("record-hash: record {commit}"),
                vec![sql(format!("update record set hash = zeroblob(32) where record_id = {at}"))],
            ),
            (
                format!("record-form: record {accrual}"),
                vec![forge(accrual, |content| content["schema"] = json!("pointbridge.record.v2"))],
            ),
            (
                "record-missing: record rec_#999".to_owned(),
                vec![sql(format!(
                    "insert into posting (record_number, posting_number, program_id, account, amount)
                     select 999, 1, program_id, 'ISSUANCE', 1 from posting where {} limit 1",
                    lines_of(accrual)
                ))],
            ),
            (
                format!("record-columns: record {commit}"),
                vec![sql(format!("update record set kind = 'EXCHANGE_ABORTED' where record_id = {at}"))],
            ),
            (
                format!("record-lines: record {accrual}"),
                vec![forge(accrual, |content| content["body"]["points"]["amount"] = json!("999"))],
            ),
        ]
    }

    /// Changes of the commit's request. It is named by its key as it is after that.
    fn request_cases(&self) -> Vec<Case> {
        let case = |key: &str, change: &str| {
            let expected = format!("request-record: request {key}/{}", self.commit_request);
            let at = record(self.commit);
            (expected, vec![sql(format!("update request set {change} where record_id = {at}"))])
        };
        vec![
            case("airline/CommitExchange", "record_id = zeroblob(16)"),
            case("airline/CommitExchange", &format!("record_id = {}", record(self.live))),
            case("airline/AbortExchange", "method = 'AbortExchange'"),
            case("market/CommitExchange", "scope = 'market'"),
            case("@operator/CommitExchange", "scope = '@operator'"),
        ]
    }

    fn line_cases(&self) -> Vec<Case> {
        let commit = self.commit;
        let of_commit = lines_of(commit);
        vec![
            (
                format!("posting-rows: posting {commit}/1"),
                vec![sql(format!(
                    "update posting set amount = -299 where {of_commit} and posting_number = 1"
                ))],
            ),
            (
                format!("lot-movement-rows: lot movement {commit}/1"),
                vec![sql(format!(
                    "update lot_movement set held = 0 where {of_commit} and movement_number = 1"
                ))],
            ),
            (
                format!("obligation-rows: obligation {commit}/1"),
                vec![sql(format!("update obligation set money = 1 where {of_commit}"))],
            ),
        ]
    }

    fn forged_line_cases(&self) -> Vec<Case> {
        let (accrual, commit) = (self.accrual, self.commit);
        let (of_accrual, of_commit) = (lines_of(accrual), lines_of(commit));
        let stars = blob(self.scene.stars.uuid());
        let other = self.scene.stars.to_string();
        vec![
            (
                format!("postings-balance: record {accrual}"),
                vec![
                    forge(accrual, |content| content["postings"][1]["amount"] = json!("-999")),
                    sql(format!(
                        "update posting set amount = -999 where {of_accrual} and posting_number = 2"
                    )),
                ],
            ),
            (
                format!("account-sequence: posting {commit}/3"),
                vec![
                    forge(commit, |content| {
                        content["postings"][2]["member"]["balance_after"] = json!("306");
                    }),
                    sql(format!(
                        "update posting set balance_after = 306 where {of_commit} and posting_number = 3"
                    )),
                ],
            ),
            (
                format!("lots-of-record: record {accrual}"),
                vec![
                    forge(accrual, |content| content["lots"][0]["remaining"] = json!("1001")),
                    sql(format!("update lot_movement set remaining = 1001 where {of_accrual}")),
                    sql(format!(
                        "update lot set remaining = remaining + 1 where membership_id = {}",
                        blob(self.scene.flyer.uuid())
                    )),
                ],
            ),
            (
                format!("posting-program: record {accrual}"),
                vec![
                    forge(accrual, move |content| {
                        for number in 0..2 {
                            content["postings"][number]["program_id"] = json!(other);
                        }
                    }),
                    sql(format!("update posting set program_id = {stars} where {of_accrual}")),
                ],
            ),
        ]
    }

    fn balance_cases(&self) -> Vec<Case> {
        let flyer = blob(self.scene.flyer.uuid());
        let account = |invariant: &str, change: &str| {
            let found = format!("{invariant}: account {}", self.scene.flyer);
            (found, vec![sql(format!("update account set {change} where membership_id = {flyer}"))])
        };
        let month = self.clock.now().month().number();
        let lot = |expiry: &str| format!("{}/{expiry}/{month}/exchangeable", self.scene.flyer);
        vec![
            account("account-posted", "posted = posted + 1"),
            account("account-held", "held = held + 1"),
            account("account-postings", "postings = postings + 1"),
            account("account-live-holds", "live_holds = live_holds + 1"),
            (
                format!("lot-rows: lot {}", lot("never")),
                vec![sql(format!("update lot set remaining = remaining + 1 where membership_id = {flyer}"))],
            ),
            (
                format!("lot-available: lot {}", lot(&NEW_YEAR_MICROS.to_string())),
                vec![
                    forge(self.live, |content| {
                        content["lots"][0]["expires_at"] = json!("2027-01-01T00:00:00.000000Z");
                    }),
                    sql(format!(
                        "update lot_movement set expires_at = {NEW_YEAR_MICROS} where {}",
                        lines_of(self.live)
                    )),
                    sql(format!("update lot set held = 0 where membership_id = {flyer}")),
                    sql(format!(
                        "insert into lot {LOT} values ({flyer}, {NEW_YEAR_MICROS}, {month}, 1, 0, 200)"
                    )),
                ],
            ),
            (format!("account-available: account {}", self.scene.flyer), self.overdrawn()),
            (format!("account-available: account {}", self.scene.flyer), self.overdrawn_meanwhile()),
            (
                "exposure-rows: exposure airline/market/CNY".to_owned(),
                vec![sql("update exposure set committed_low = committed_low + 1")],
            ),
            (
                "initiator-live-holds: initiator airline".to_owned(),
                vec![sql("update initiator set live_holds = 0")],
            ),
            (
                format!("obligation-window: window {}", self.window),
                vec![sql(format!(
                    "update settlement_window set opens_at = {}",
                    self.clock.now().plus_seconds(1).micros()
                ))],
            ),
        ]
    }

    /// A hold of more than the account has, forged wherever it stands.
    fn overdrawn(&self) -> Vec<Step> {
        let leg = format!("where reservation_id = {}", blob(self.live_exchange.uuid()));
        let flyer = blob(self.scene.flyer.uuid());
        vec![
            forge(self.live, |content| take_1300(content, "1300")),
            sql(format!(
                "update exchange_leg set source_points = 1300, gross_points = 1300, credited_points = 1300,
                 money = 13000000 {leg}"
            )),
            sql(format!("update lot_movement set held = 1300 where {}", lines_of(self.live))),
            sql(format!("update lot set held = 1300 where membership_id = {flyer}")),
            sql(format!("update account set held = 1300 where membership_id = {flyer}")),
            sql("update exposure set prepared_low = 13000000"),
        ]
    }

    /// The same with a hold that was let go again, so that the account has enough in the end.
    fn overdrawn_meanwhile(&self) -> Vec<Step> {
        let leg = format!("where reservation_id = {}", blob(self.second_exchange.uuid()));
        vec![
            forge(self.second, |content| take_1300(content, "1300")),
            forge(self.abort, |content| take_1300(content, "-1300")),
            sql(format!(
                "update exchange_leg set source_points = 1300, gross_points = 1300, credited_points = 1300,
                 money = 13000000 {leg}"
            )),
            sql(format!("update lot_movement set held = 1300 where {}", lines_of(self.second))),
            sql(format!("update lot_movement set held = -1300 where {}", lines_of(self.abort))),
        ]
    }
}
