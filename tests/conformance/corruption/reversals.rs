//! Damage to reversals.

use serde_json::json;

use super::bed::{Bed, Case, LOT, NEW_YEAR_MICROS, blob, forge, lines_of, record, sql};

impl Bed {
    pub(super) fn reversal_cases(&self) -> Vec<Case> {
        let cases = [self.reversal_rows(), self.reversal_sums(), self.reversal_lots()];
        cases.into_iter().flatten().collect()
    }

    fn reversal_rows(&self) -> Vec<Case> {
        let at = format!("where reservation_id = {}", blob(self.exchange.uuid()));
        let reservation = self.exchange.reservation();
        let case = |number: u32, change: &str| {
            let expected = format!("reversal-rows: reversal {reservation}/{number}");
            (expected, vec![sql(format!("{change} {at} and reversal_number = {number}"))])
        };
        let live = blob(self.live_exchange.uuid());
        let another = format!(
            "insert into reversal select {live}, 1, zeroblob(16), record_id, 1, 1 from reversal {at} limit 1"
        );
        vec![
            case(1, "update reversal set reversal_id = zeroblob(16)"),
            case(1, &format!("update reversal set record_id = {}", record(self.rest))),
            case(2, "update reversal set source_points = 41"),
            case(2, "update reversal set reversed_source_points = 101"),
            case(2, "delete from reversal"),
            (format!("reversal-rows: reversal {}/1", self.live_exchange.reservation()), vec![sql(another)]),
        ]
    }

    fn reversal_sums(&self) -> Vec<Case> {
        let (reversal, rest) = (self.reversal, self.rest);
        let at = format!("where reservation_id = {}", blob(self.exchange.uuid()));
        vec![
            (
                format!("reversal-sums: record {reversal}"),
                vec![forge(reversal, |content| {
                    content["body"]["reversal"]["legs"][0]["reversed"]["money"] = json!("0.600001");
                })],
            ),
            (
                format!("reversal-sums: record {rest}"),
                vec![forge(rest, |content| {
                    content["body"]["reversal"]["legs"][0]["reversed"]["credited_points"] = json!("99");
                })],
            ),
            (
                format!("reversal-sums: record {rest}"),
                vec![forge(rest, |content| content["body"]["reversal"]["reverser"] = json!("market"))],
            ),
            // By a third partner, in everything that is written.
            (
                format!("reversal-sums: record {rest}"),
                vec![
                    forge(rest, |content| {
                        content["who"] = json!("partner/cinema/partner/till-7");
                        content["body"]["reversal"]["reverser"] = json!("cinema");
                    }),
                    sql(format!("update request set scope = 'cinema' where record_id = {}", record(rest))),
                ],
            ),
            (
                format!("reversal-sums: record {rest}"),
                vec![
                    forge(rest, |content| content["body"]["reversal"]["number"] = json!(3)),
                    sql(format!("update reversal set reversal_number = 3 {at} and reversal_number = 2")),
                ],
            ),
            (
                format!("reversal-sums: record {rest}"),
                vec![
                    // As if the part before had not been: more comes back than one reversal would give.
                    forge(rest, |content| {
                        let leg = &mut content["body"]["reversal"]["legs"][0];
                        leg["reversed"] = leg["part"].clone();
                    }),
                    sql(format!(
                        "update reversal set reversed_source_points = 40 {at} and reversal_number = 2"
                    )),
                ],
            ),
        ]
    }

    /// Points that come back for a shorter time.
    fn reversal_lots(&self) -> Vec<Case> {
        let month = self.clock.now().month().number();
        let flyer = blob(self.scene.flyer.uuid());
        let steps = vec![
            forge(self.rest, |content| {
                content["lots"][1]["expires_at"] = json!("2027-01-01T00:00:00.000000Z");
            }),
            sql(format!(
                "update lot_movement set expires_at = {NEW_YEAR_MICROS} where {} and movement_number = 2",
                lines_of(self.rest)
            )),
            sql(format!("update lot set remaining = remaining - 40 where membership_id = {flyer}")),
            sql(format!("insert into lot {LOT} values ({flyer}, {NEW_YEAR_MICROS}, {month}, 1, 40, 0)")),
        ];
        vec![(format!("reversal-lots: record {}", self.rest), steps)]
    }
}
