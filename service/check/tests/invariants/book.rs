//! A small book in which everything agrees, written by hand: the parties of its neighbour file, points earned and expired, and three exchanges: one committed, one aborted, one still prepared.
//!
//! Every number is a literal that was worked out apart from the check.

use pointbridge_store::AuditRow;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::parties;
use crate::rows::{self, Ending, NEVER, id, micros, time};
use crate::standing;

/// Points that an exchange takes, and what they make at 7 : 2, half-even, less a fee of 1, at 111 for 66.66.
#[derive(Clone, Copy)]
pub(crate) struct Deal {
    pub(crate) taken: i64,
    pub(crate) gross: i64,
    pub(crate) rest: i64,
    pub(crate) credited: i64,
    pub(crate) money: i64,
}

pub(crate) const DEAL_300: Deal = Deal { taken: 300, gross: 86, rest: -2, credited: 85, money: 1_415_392 };
pub(crate) const DEAL_100: Deal = Deal { taken: 100, gross: 29, rest: -3, credited: 28, money: 466_247 };
pub(crate) const DEAL_200: Deal = Deal { taken: 200, gross: 57, rest: 1, credited: 56, money: 932_493 };
/// More than the account has.
pub(crate) const DEAL_1300: Deal = Deal { taken: 1300, gross: 371, rest: 3, credited: 370, money: 6_161_116 };

/// The check's `now`: 100 seconds in.
pub(crate) fn now() -> i64 {
    micros(100)
}

/// When lots B and C are over.
pub(crate) const SOON: i64 = 1_798_761_600_000_000;
/// November 2026.
pub(crate) const MONTH: i64 = 24_322;

pub(crate) fn airline() -> String {
    id("mbs", 1)
}

pub(crate) fn market() -> String {
    id("mbs", 2)
}

pub(crate) const SALT: [u8; 16] = [7; 16];

pub(crate) fn sha256(parts: &[&[u8]]) -> Vec<u8> {
    parts.iter().fold(Sha256::new(), Digest::chain_update).finalize().to_vec()
}

const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|nibble| DIGITS[usize::from(nibble)]).collect()
}

/// Points of the market's program, which has two decimals.
pub(crate) fn cents(minor: i64) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", minor.abs() / 100, minor.abs() % 100)
}

fn money(millionths: i64) -> String {
    format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000)
}

pub(crate) fn terms() -> Value {
    json!({
        "schema": "pointbridge.terms.v1",
        "settlement_currency": "CNY",
        "directions": [{
            "source_program": id("prg", 1), "destination_program": id("prg", 2),
            "rate": {"give": 7, "get": 2}, "rounding": "HALF_EVEN", "residue_owner": "NOBODY",
            "minimum": "100", "maximum": "5000", "step": "100", "fee": "0.01", "basis": "CREDITED",
            "price": {"money": "111.000000", "points": "66.66"},
            "funding": {"postpaid": {"exposure_limit": "1000.000000"}}, "hold_seconds": 300,
        }],
    })
}

pub(crate) fn terms_hash() -> Vec<u8> {
    sha256(&[b"pointbridge/terms/v1\0", &serde_json::to_vec(&terms()).unwrap()])
}

fn exchange(number: u128, prepared_second: i64, deal: Deal) -> Value {
    let side = |program: u128, partner: &str, membership: String| json!({"program_id": id("prg", program), "partner": partner, "membership_id": membership, "custody": "HOSTED"});
    json!({
        "exchange_id": id("exc", number), "reservation_id": id("rsv", number), "state": "PREPARED",
        "initiator": "airline", "references": {"order": format!("order-{number}"), "store": "store-12"},
        "prepared_at": time(prepared_second), "hold_expires_at": time(prepared_second + 300),
        "legs": [{
            "number": 1, "agreement_id": id("agr", 1), "agreement_version": 1, "terms_hash": hex(&terms_hash()),
            "source": side(1, "airline", airline()), "destination": side(2, "market", market()),
            "source_points": deal.taken.to_string(), "gross_points": cents(deal.gross), "fee_points": "0.01",
            "credited_points": cents(deal.credited),
            "residue": {"numerator": deal.rest.to_string(), "denominator": "7", "owner": "NOBODY"},
            "obligation": obligation(deal),
        }],
    })
}

fn obligation(deal: Deal) -> Value {
    json!({"debtor": "airline", "creditor": "market", "currency": "CNY", "money": money(deal.money)})
}

fn ended(mut exchange: Value, state: &str, second: i64) -> Value {
    exchange["state"] = json!(state);
    exchange["decided_at"] = json!(time(second));
    exchange
}

fn member(amount: i64, sequence: i64, balance: i64) -> Value {
    json!({
        "program_id": id("prg", 1), "account": "MEMBER", "amount": amount.to_string(),
        "member": {"membership_id": airline(), "sequence": sequence, "balance_after": balance.to_string()},
    })
}

fn chart(program: u128, account: &str, amount: &str) -> Value {
    json!({"program_id": id("prg", program), "account": account, "amount": amount})
}

/// A movement of one of the airline membership's lots; `expires_at` as text, or none.
fn lot(expires_at: Option<&str>, remaining: i64, held: i64) -> Value {
    let mut movement = json!({
        "membership_id": airline(), "origin_month": MONTH, "exchangeable": true,
        "remaining": remaining.to_string(), "held": held.to_string(),
    });
    if let Some(at) = expires_at {
        movement["expires_at"] = json!(at);
    }
    movement
}

/// When lot B is over, and lot C an hour before.
const B: Option<&str> = Some("2027-01-01T00:00:00.000000Z");
const C: Option<&str> = Some("2026-12-31T23:00:00.000000Z");
pub(crate) const C_MICROS: i64 = SOON - 3_600_000_000;

pub(crate) fn points(kind: &str, against: &str, change: (i64, i64, i64), expires_at: Option<&str>) -> Value {
    let (amount, sequence, balance) = change;
    json!({
        "kind": kind,
        "body": {"points": {
            "membership_id": airline(), "program_id": id("prg", 1), "amount": amount.to_string(),
            "posted": balance.to_string(), "held": "0", "postings": sequence,
        }},
        "postings": [member(amount, sequence, balance), chart(1, against, &(-amount).to_string())],
        "lots": [lot(expires_at, amount, 0)],
    })
}

fn exchanges(aborted: Deal, live: Deal) -> Vec<Value> {
    let body = |exchange: Value| json!({"exchange": exchange});
    let prepared = |number, second, deal: Deal| {
        let body = body(exchange(number, second, deal));
        json!({"kind": "EXCHANGE_PREPARED", "body": body, "lots": [lot(B, 0, deal.taken)]})
    };
    let mut credit = lot(None, 0, 0);
    credit["membership_id"] = json!(market());
    credit["remaining"] = json!("0.85");
    credit["held"] = json!("0.00");
    let mut credited = chart(2, "MEMBER", "0.85");
    credited["member"] = json!({"membership_id": market(), "sequence": 1, "balance_after": "0.85"});
    vec![
        prepared(1, 20, DEAL_300),
        json!({
            "kind": "EXCHANGE_COMMITTED",
            "window_id": id("wnd", 1),
            "body": body(ended(exchange(1, 20, DEAL_300), "COMMITTED", 21)),
            "postings": [
                member(-300, 5, 1200), chart(1, "EXCHANGE_OUT", "300"),
                credited, chart(2, "FEE", "0.01"), chart(2, "EXCHANGE_IN", "-0.86"),
            ],
            "lots": [lot(B, -300, -300), credit],
            "obligations": [obligation(DEAL_300)],
        }),
        prepared(2, 22, aborted),
        json!({
            "kind": "EXCHANGE_ABORTED",
            "body": body(ended(exchange(2, 22, aborted), "ABORTED", 23)),
            "lots": [lot(B, 0, -aborted.taken)],
        }),
        prepared(3, 24, live),
    ]
}

/// The records' contents, the first decided one second in.
fn records(aborted: Deal, live: Deal) -> Vec<Value> {
    let earned = vec![
        points("POINTS_ACCRUED", "ISSUANCE", (1000, 1, 1000), None),
        points("POINTS_ACCRUED", "ISSUANCE", (500, 2, 1500), B),
        points("POINTS_ACCRUED", "ISSUANCE", (40, 3, 1540), C),
        points("POINTS_EXPIRED", "EXPIRED", (-40, 4, 1500), C),
    ];
    [parties::contents(), earned, exchanges(aborted, live)].concat()
}

/// The ids of records, by what they are of.
pub(crate) mod at {
    pub(crate) const MERGE: u128 = 9;
    pub(crate) const ACCEPTANCE: u128 = 15;
    pub(crate) const ACCRUAL_A: u128 = 16;
    pub(crate) const PREPARE: u128 = 20;
    pub(crate) const COMMIT: u128 = 21;
    pub(crate) const SECOND: u128 = 22;
    pub(crate) const ABORT: u128 = 23;
    pub(crate) const LIVE: u128 = 24;
    pub(crate) const REVERSAL: u128 = 25;
}

/// All rows of the book, in the order in which a store shows them.
pub(crate) fn book() -> Vec<AuditRow> {
    book_with(DEAL_100, DEAL_200)
}

/// The same with another exchange that was aborted, and another that is still prepared.
pub(crate) fn book_with(aborted: Deal, live: Deal) -> Vec<AuditRow> {
    let mut rows = vec![AuditRow::Window { window_id: id("wnd", 1), opens_at: micros(0), closes_at: None }];
    let records = records(aborted, live).into_iter().zip(1_u128..);
    let records = records.chain(standing::contents().into_iter().zip(standing::FIRST..));
    let records: Vec<Value> = records.map(|(content, number)| rows::complete(content, number)).collect();
    rows.extend(records.iter().map(rows::sealed));
    for lines in [rows::postings, rows::movements, rows::obligations] {
        rows.extend(records.iter().flat_map(lines));
    }
    rows.extend(records.iter().filter_map(rows::request));
    rows.extend(parties::rows());
    rows.extend(standing::rows());
    rows.extend([
        rows::reservation(1, 20, Some(&Ending { state: "COMMITTED", second: 21 })),
        rows::reservation(2, 22, Some(&Ending { state: "ABORTED", second: 23 })),
        rows::reservation(3, 24, None),
    ]);
    rows.extend([(1, DEAL_300), (2, aborted), (3, live)].map(|(number, deal)| rows::leg(number, deal)));
    rows.extend(sums(live));
    rows
}

/// Adds a record and what is written beside it, each behind its like.
pub(crate) fn append(rows: &mut Vec<AuditRow>, content: Value, number: u128) {
    let content = rows::complete(content, number);
    let lines = rows::postings(&content).into_iter().chain(rows::movements(&content));
    let lines = lines.chain(rows::obligations(&content));
    for row in [rows::sealed(&content)].into_iter().chain(lines).chain(rows::request(&content)) {
        let kind = std::mem::discriminant(&row);
        let last = rows.iter().rposition(|other| std::mem::discriminant(other) == kind).unwrap();
        rows.insert(last + 1, row);
    }
}

/// What comes back with 100 of the 300: 28 of the 85 and nothing of the fee of 1, a third of the money.
fn reversal() -> Value {
    let side = |program: u128, partner: &str, membership: String| json!({"program_id": id("prg", program), "partner": partner, "membership_id": membership, "custody": "HOSTED"});
    let share =
        json!({"source_points": "100", "fee_points": "0.00", "credited_points": "0.28", "money": "0.471797"});
    let owed = json!({"debtor": "market", "creditor": "airline", "currency": "CNY", "money": "0.471797"});
    let mut taken = lot(None, 0, 0);
    taken["membership_id"] = json!(market());
    taken["remaining"] = json!("-0.28");
    taken["held"] = json!("0.00");
    let mut debited = chart(2, "MEMBER", "-0.28");
    debited["member"] = json!({"membership_id": market(), "sequence": 2, "balance_after": "0.57"});
    json!({
        "kind": "EXCHANGE_REVERSED",
        "window_id": id("wnd", 1),
        "body": {"reversal": {
            "reversal_id": id("rev", 1), "exchange_id": id("exc", 1), "number": 1, "reverser": "airline",
            "reason": "GOODS_RETURNED", "reference": "return-1", "reversed_at": time(25),
            "legs": [{
                "number": 1, "agreement_id": id("agr", 1), "agreement_version": 1,
                "source": side(1, "airline", airline()), "destination": side(2, "market", market()),
                "part": share, "reversed": share, "obligation": owed,
            }],
        }},
        "postings": [
            debited, chart(2, "EXCHANGE_IN", "0.28"),
            member(100, 6, 1300), chart(1, "EXCHANGE_OUT", "-100"),
        ],
        "lots": [taken, lot(B, 100, 0)],
        "obligations": [owed],
    })
}

/// The book with a part of the committed exchange reversed.
pub(crate) fn reversed() -> Vec<AuditRow> {
    let mut rows = book();
    append(&mut rows, reversal(), at::REVERSAL);
    let legs = rows.iter().rposition(|row| matches!(row, AuditRow::Leg(_))).unwrap();
    let part = AuditRow::Reversal {
        reservation_id: id("rsv", 1),
        number: 1,
        reversal_id: id("rev", 1),
        record_id: id("rec", at::REVERSAL),
        source_points: 100,
        reversed_source_points: 100,
    };
    rows.insert(legs + 1, part);
    for row in &mut rows {
        match row {
            AuditRow::Account { membership_id, posted, postings, .. } if *membership_id == airline() => {
                (*posted, *postings) = (1300, 6);
            }
            AuditRow::Account { membership_id, posted, postings, .. } if *membership_id == market() => {
                (*posted, *postings) = (57, 2);
            }
            AuditRow::Lot { expires_at: SOON, remaining, .. } => *remaining = 300,
            AuditRow::Lot { remaining, .. } if *remaining == 85 => *remaining = 57,
            AuditRow::Exposure { committed_low, .. } => *committed_low = 943_595,
            _ => {}
        }
    }
    rows
}

fn sums(live: Deal) -> Vec<AuditRow> {
    let account = |membership_id, [posted, held, postings, live_holds]: [i64; 4]| AuditRow::Account {
        membership_id,
        posted,
        held,
        postings,
        live_holds,
    };
    let lot = |membership_id, expires_at, remaining, held| AuditRow::Lot {
        membership_id,
        expires_at,
        origin_month: MONTH,
        exchangeable: true,
        remaining,
        held,
    };
    vec![
        account(airline(), [1200, live.taken, 5, 1]),
        account(market(), [85, 0, 1, 0]),
        account(id("mbs", 3), [0, 0, 0, 0]),
        lot(airline(), SOON, 200, live.taken),
        lot(airline(), NEVER, 1000, 0),
        lot(market(), NEVER, 85, 0),
        AuditRow::Exposure {
            low_code: "airline".to_owned(),
            high_code: "market".to_owned(),
            currency: "CNY".to_owned(),
            committed_low: 1_415_392,
            prepared_low: live.money,
            prepared_high: 0,
        },
        AuditRow::Initiator { partner_code: "airline".to_owned(), live_holds: 1 },
    ]
}
