//! The tables that people read. They need no colours, and fit a terminal of 100 columns.
//!
//! What is absent: printing, and any number that is not in what it is given.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use serde_json::Value;

use super::closing::{BalanceLine, ExchangeLine, PairDebt};
use super::stage::Row;

/// Columns where the output is no terminal, and the most where it is one: longer lines are hard to follow.
const WIDTH: u16 = 100;

/// The steps of a chapter.
pub(super) fn steps(rows: &[Row]) -> String {
    let mut table = table(["#", "who", "what", "the hub's answer"]);
    align_right(&mut table, [0]);
    for row in rows {
        let answer = match &row.refusal {
            Some(_) => format!("✗ {}", row.answer),
            None => row.answer.clone(),
        };
        table.add_row([row.number.to_string(), row.who.to_owned(), row.what.to_owned(), answer]);
    }
    text(&table)
}

/// What each membership has.
pub(super) fn balances(lines: &[BalanceLine]) -> String {
    let mut table = table(["member", "partner", "program", "posted", "held", "available"]);
    align_right(&mut table, [3, 4, 5]);
    for line in lines {
        table.add_row([
            &line.member,
            &line.partner,
            &line.program,
            &line.posted,
            &line.held,
            &line.available,
        ]);
    }
    text(&table)
}

/// Every exchange and how it ended.
pub(super) fn exchanges(lines: &[ExchangeLine]) -> String {
    let mut table = table(["order", "store, till", "state", "takes", "credits", "debt"]);
    align_right(&mut table, [3, 4]);
    for line in lines {
        let mut takes = line.takes.clone();
        if !line.given_back.is_empty() {
            takes = format!("{takes}\n({} back)", line.given_back);
        }
        table.add_row([&line.order, &line.place, &line.state, &takes, &line.credits, &line.debt]);
    }
    text(&table)
}

/// What each pair owes each other.
pub(super) fn debts(pairs: &[PairDebt]) -> String {
    let mut table = table(["between", "first owes", "second owes", "", "net debtor", "net", "exchanges"]);
    align_right(&mut table, [1, 2, 5, 6]);
    for pair in pairs {
        let net = pair.net();
        table.add_row([
            format!("{} and {}", pair.low, pair.high),
            pair.low_owes.to_string(),
            pair.high_owes.to_string(),
            pair.currency.clone(),
            net.debtor.to_owned(),
            net.amount.to_string(),
            pair.legs.to_string(),
        ]);
    }
    text(&table)
}

/// What `check` looked at and found, from its JSON.
pub(super) fn check(report: &Value) -> String {
    let mut table = table(["what must hold", "checked", "wrong"]);
    align_right(&mut table, [1, 2]);
    for invariant in report.get("invariants").and_then(Value::as_array).into_iter().flatten() {
        let cell = |name: &str| match invariant.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        table.add_row(["sentence", "checked", "findings_total"].map(cell));
    }
    text(&table)
}

/// The rows that `check` found wrong, a line for each.
pub(super) fn findings(report: &Value) -> String {
    let mut lines = Vec::new();
    for invariant in report.get("invariants").and_then(Value::as_array).into_iter().flatten() {
        for finding in invariant.get("findings").and_then(Value::as_array).into_iter().flatten() {
            let part =
                |of: &Value, name: &str| of.get(name).and_then(Value::as_str).unwrap_or("?").to_owned();
            let [row, expected, found] = ["row", "expected", "found"].map(|name| part(finding, name));
            let name = part(invariant, "name");
            lines.push(format!("{name}: {row}: expected {expected}, found {found}\n"));
        }
    }
    lines.concat()
}

fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    let width = table.width().unwrap_or(WIDTH).min(WIDTH);
    table.set_width(width).set_header(header);
    table
}

fn align_right<const N: usize>(table: &mut Table, columns: [usize; N]) {
    for index in columns {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// The table without blanks at the ends of its lines.
fn text(table: &Table) -> String {
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;
    use serde_json::json;

    use super::*;

    fn row(answer: &str, refusal: Option<&str>) -> Row {
        Row {
            number: 12,
            who: "supermarket till 7",
            what: "prepares the exchange of 6666 points at the till and waits for the member to nod",
            answer: answer.to_owned(),
            refusal: refusal.map(str::to_owned),
        }
    }

    #[test]
    fn a_wide_table_fits_100_columns_and_loses_nothing() {
        let long = "PREPARED: 6666 points → 4444 miles, ".repeat(8);
        let text =
            steps(&[row(&long, None), row("INSUFFICIENT_POINTS: too few", Some("INSUFFICIENT_POINTS"))]);
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        assert_eq!(text.matches("PREPARED:").count(), 8, "{text}");
        assert_eq!(text.matches('✗').count(), 1, "{text}");
    }

    #[test]
    fn each_cell_of_the_balances_is_told() {
        let line = BalanceLine {
            membership_id: "mbs_1".to_owned(),
            member: "li-77".to_owned(),
            partner: "babycare".to_owned(),
            program: "stars".to_owned(),
            posted: "158.36".to_owned(),
            held: "12.50".to_owned(),
            available: "145.86".to_owned(),
        };
        let text = balances(&[line]);
        for cell in ["li-77", "babycare", "stars", "158.36", "12.50", "145.86"] {
            assert_eq!(text.matches(cell).count(), 1, "{cell} in {text}");
        }
    }

    #[test]
    fn a_pair_shows_both_debts_and_the_net() {
        let pair = PairDebt {
            low: "airline".to_owned(),
            high: "supermarket".to_owned(),
            currency: "CNY".to_owned(),
            legs: 3,
            low_owes: Decimal::new(20_664_716, 6),
            high_owes: Decimal::new(111_000_000, 6),
        };
        let text = debts(&[pair]);
        let line = text.lines().find(|line| line.contains("airline and supermarket")).unwrap();
        for cell in ["20.664716", "111.000000", "CNY", "90.335284", "3"] {
            assert!(line.contains(cell), "{cell} in {text}");
        }
    }

    #[test]
    fn the_check_counts_findings() {
        let report = json!({"invariants": [
            {"name": "postings-balance", "sentence": "postings sum to zero", "checked": 42, "findings_total": 1,
             "findings": [{"row": "account mbs_1", "expected": "5", "found": "6"}]},
        ]});
        let text = check(&report);
        let line = text.lines().find(|line| line.contains("postings sum to zero")).unwrap();
        let cells: Vec<&str> = line.split(['│', '┆']).map(str::trim).collect();
        assert_eq!(cells, ["", "postings sum to zero", "42", "1", ""], "{text}");
        assert_eq!(findings(&report), "postings-balance: account mbs_1: expected 5, found 6\n");
    }
}
