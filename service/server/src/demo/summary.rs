//! The run as one JSON object, and its exit code.
//!
//! Counts of states come from the exchanges that the hub lists, balances and debts from its answers. Amounts are
//! strings, as everywhere in the API.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::closing::{BalanceLine, Closing, PairDebt};
use super::stage::{Failure, Row};

/// Everything that a program may want to know of a run.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    /// Steps that were played, a failed one included.
    steps: usize,
    outcomes: Outcomes,
    balances: Vec<Value>,
    obligations: Vec<Value>,
    /// What `check` printed, and its exit code.
    check: Value,
    /// The step that went otherwise than expected; absent where none did.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
}

/// How many exchanges stand where, and how many calls were refused why.
#[derive(Debug, Serialize)]
struct Outcomes {
    #[serde(flatten)]
    states: BTreeMap<String, u32>,
    refused: BTreeMap<String, u32>,
}

impl Summary {
    /// Sums a run up.
    pub(super) fn new(rows: &[Row], closing: &Closing, check: Value, failure: Option<Failure>) -> Self {
        let states = ["COMMITTED", "ABORTED", "EXPIRED", "PREPARED"].map(|state| (state.to_owned(), 0));
        let mut states = BTreeMap::from(states);
        for exchange in &closing.exchanges {
            count(&mut states, &exchange.state);
        }
        let mut refused = BTreeMap::new();
        for reason in rows.iter().filter_map(|row| row.refusal.as_ref()) {
            count(&mut refused, reason);
        }
        Self {
            steps: rows.len(),
            outcomes: Outcomes { states, refused },
            balances: closing.balances.iter().map(balance).collect(),
            obligations: closing.debts.iter().map(obligation).collect(),
            check,
            failure,
        }
    }

    /// Whether each step went as expected and `check` found nothing.
    pub(super) fn is_good(&self) -> bool {
        self.failure.is_none() && self.check.get("exit_code").and_then(Value::as_i64) == Some(0)
    }

    /// The one JSON object, on several lines.
    ///
    /// # Errors
    /// It cannot be written as JSON; only a broken build has such a summary.
    pub(super) fn to_json(&self) -> anyhow::Result<String> {
        Ok(serde_json::to_string_pretty(self)?)
    }

    /// The run in two sentences.
    pub(super) fn sentences(&self) -> String {
        let refused: u32 = self.outcomes.refused.values().sum();
        let states: Vec<String> =
            self.outcomes.states.iter().map(|(state, count)| format!("{count} {state}")).collect();
        let steps = match &self.failure {
            None => format!("{} steps, all as expected", self.steps),
            Some(failure) => format!("step {} went otherwise than expected", failure.step),
        };
        let check = match self.check.get("exit_code").and_then(Value::as_i64) {
            Some(0) => "check found nothing wrong".to_owned(),
            Some(code) => format!("check FOUND FAULTS (exit code {code})"),
            None => "check was cut off".to_owned(),
        };
        format!("{steps}, {refused} of them refused; {check}.\nExchanges: {}.", states.join(", "))
    }
}

fn count(counts: &mut BTreeMap<String, u32>, name: &str) {
    let counted = counts.entry(name.to_owned()).or_default();
    *counted = counted.saturating_add(1);
}

fn balance(line: &BalanceLine) -> Value {
    json!({
        "membership_id": line.membership_id,
        "member": line.member,
        "partner": line.partner,
        "program": line.program,
        "posted": line.posted,
        "held": line.held,
        "available": line.available,
    })
}

fn obligation(pair: &PairDebt) -> Value {
    let net = pair.net();
    json!({
        "partners": [pair.low, pair.high],
        "currency": pair.currency,
        "legs": pair.legs,
        "owed": [
            {"debtor": pair.low, "creditor": pair.high, "amount": pair.low_owes.to_string()},
            {"debtor": pair.high, "creditor": pair.low, "amount": pair.high_owes.to_string()},
        ],
        "net": {"debtor": net.debtor, "creditor": net.creditor, "amount": net.amount.to_string()},
    })
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;

    use super::*;
    use crate::demo::closing::ExchangeLine;

    fn row(number: usize, refusal: Option<&str>) -> Row {
        let refusal = refusal.map(str::to_owned);
        Row { number, who: "till", what: "prepares", answer: String::new(), refusal }
    }

    fn closing() -> Closing {
        let exchange = |state: &str| ExchangeLine {
            order: String::new(),
            place: String::new(),
            state: state.to_owned(),
            takes: String::new(),
            credits: String::new(),
            given_back: String::new(),
            debt: String::new(),
        };
        let debt = PairDebt {
            low: "airline".to_owned(),
            high: "supermarket".to_owned(),
            currency: "CNY".to_owned(),
            legs: 2,
            low_owes: Decimal::new(5_000_000, 6),
            high_owes: Decimal::new(111_000_000, 6),
        };
        Closing {
            balances: Vec::new(),
            exchanges: vec![exchange("COMMITTED"), exchange("COMMITTED"), exchange("EXPIRED")],
            debts: vec![debt],
        }
    }

    #[test]
    fn outcomes_are_counted_by_state_and_by_reason() {
        let rows = [row(1, None), row(2, Some("QUOTE_USED")), row(3, Some("QUOTE_USED"))];
        let summary = Summary::new(&rows, &closing(), json!({"exit_code": 0}), None);
        assert!(summary.is_good());
        let json: Value = serde_json::from_str(&summary.to_json().unwrap()).unwrap();
        let expected = json!({
            "COMMITTED": 2, "ABORTED": 0, "EXPIRED": 1, "PREPARED": 0, "refused": {"QUOTE_USED": 2},
        });
        assert_eq!(json.get("outcomes"), Some(&expected));
        assert_eq!(json.get("steps"), Some(&json!(3)));
        assert_eq!(json.pointer("/obligations/0/net/amount"), Some(&json!("106.000000")));
        assert_eq!(json.pointer("/obligations/0/owed/0/amount"), Some(&json!("5.000000")));
        assert_eq!(json.get("failure"), None);
    }

    #[test]
    fn a_failure_or_a_finding_makes_a_run_bad() {
        let failure = Failure {
            step: 3,
            who: "till".to_owned(),
            what: "commits".to_owned(),
            expected: "credits 4444".to_owned(),
            got: "credits 4443".to_owned(),
        };
        let failed = Summary::new(&[], &closing(), json!({"exit_code": 0}), Some(failure));
        assert!(!failed.is_good());
        assert!(failed.to_json().unwrap().contains("credits 4443"));
        for check in [json!({"exit_code": 1}), json!({"exit_code": null}), json!({})] {
            assert!(!Summary::new(&[], &closing(), check, None).is_good());
        }
    }
}
