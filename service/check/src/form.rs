//! What one record must be in itself: its lines balance, and are those that its body calls for.
//!
//! A record is judged by the first of these that it breaks: the later ones build on the earlier. Absent: sums over
//! records, which are the ledger's.

use std::collections::{BTreeMap, BTreeSet};

use crate::content::{Content, Exchange, Points, Reversal};
use crate::invariant::Invariant;
use crate::names::or_none;
use crate::report::Findings;

/// The account of a program's chart that stands for its members.
const MEMBER: &str = "MEMBER";

/// What programs and memberships are known by: decimals by program, program by membership.
#[derive(Debug, Default)]
pub(crate) struct Homes {
    pub(crate) scales: BTreeMap<String, i64>,
    pub(crate) programs: BTreeMap<String, String>,
}

/// Judges one record in itself.
pub(crate) fn judge(content: &Content, homes: &Homes, findings: &mut Findings) {
    let row = format!("record {}", content.record_id);
    let _first_flaw_ends_it = balances(content, &row, findings)
        && in_their_programs(content, homes, &row, findings)
        && lots_follow(content, &row, findings)
        && lines_follow(content, &row, findings);
}

fn balances(content: &Content, row: &str, findings: &mut Findings) -> bool {
    let mut sums: BTreeMap<&str, i128> = BTreeMap::new();
    for posting in &content.postings {
        *sums.entry(&posting.program_id).or_default() += i128::from(posting.amount.units);
    }
    let mut is_sound = true;
    for (program, sum) in sums {
        findings.checked(Invariant::PostingsBalance);
        if sum != 0 {
            let found = format!("{sum} in {program}");
            findings.add(Invariant::PostingsBalance, row, format!("a sum of 0 in {program}"), found);
            is_sound = false;
        }
    }
    is_sound
}

fn in_their_programs(content: &Content, homes: &Homes, row: &str, findings: &mut Findings) -> bool {
    for posting in &content.postings {
        findings.checked(Invariant::PostingProgram);
        let program = &posting.program_id;
        let home = posting.member.as_ref().and_then(|member| homes.programs.get(&member.membership_id));
        let expected =
            (home.unwrap_or(program), homes.scales.get(program).unwrap_or(&posting.amount.decimals));
        let found = (program, &posting.amount.decimals);
        if expected != found {
            let text = |(program, decimals): (&String, &i64)| format!("{decimals} decimals of {program}");
            findings.add(Invariant::PostingProgram, row, text(expected), text(found));
            return false;
        }
    }
    true
}

/// What postings do to each account, and what lots do.
type Effects<'a> = BTreeMap<&'a str, (i128, i128)>;

fn lot_effects(content: &Content) -> Effects<'_> {
    let mut effects = Effects::new();
    for lot in &content.lots {
        let effect = effects.entry(&lot.membership_id).or_default();
        effect.0 += i128::from(lot.remaining.units);
        effect.1 += i128::from(lot.held.units);
    }
    effects
}

fn lots_follow(content: &Content, row: &str, findings: &mut Findings) -> bool {
    let mut posted: BTreeMap<&str, i128> = BTreeMap::new();
    for posting in &content.postings {
        if let Some(member) = &posting.member {
            *posted.entry(&member.membership_id).or_default() += i128::from(posting.amount.units);
        }
    }
    let lots = lot_effects(content);
    let memberships: BTreeSet<&str> = posted.keys().chain(lots.keys()).copied().collect();
    let mut is_sound = true;
    for membership in memberships {
        let expected = posted.get(membership).copied().unwrap_or_default();
        let (found, _) = lots.get(membership).copied().unwrap_or_default();
        findings.checked(Invariant::LotsOfRecord);
        if expected != found {
            let text = |sum| format!("{sum} on {membership}");
            findings.add(Invariant::LotsOfRecord, row, text(expected), text(found));
            is_sound = false;
        }
    }
    is_sound
}

fn lines_follow(content: &Content, row: &str, findings: &mut Findings) -> bool {
    let body = &content.body;
    let (postings, held) = match (&body.points, &body.exchange, &body.reversal) {
        (Some(points), _, _) => (points_postings(content, points), Effects::new()),
        (_, Some(exchange), _) => exchange_lines(&content.kind, exchange),
        (_, _, Some(reversal)) => (reversal_postings(reversal), Effects::new()),
        _ => (Vec::new(), Effects::new()),
    };
    let expected = [text(postings), text(held), text(expected_obligations(content))];
    let found_held = lot_effects(content).into_iter().filter(|(_, (_, held))| *held != 0);
    let held = found_held.map(|(membership, (_, held))| (membership, (0, held))).collect::<Effects<'_>>();
    let owed = content.obligations.iter().map(obligation_text).collect();
    let found = [text(found_postings(content)), text(held), text::<Vec<String>>(owed)];
    findings.checked(Invariant::RecordLines);
    let what = ["postings", "held lots", "obligations"];
    for (what, (expected, found)) in what.iter().zip(expected.iter().zip(&found)) {
        if expected != found {
            let [expected, found] = [expected, found].map(|side| format!("{what} {side}"));
            findings.add(Invariant::RecordLines, row, expected, found);
            return false;
        }
    }
    true
}

fn text<T: std::fmt::Debug>(lines: T) -> String {
    format!("{lines:?}")
}

/// One posting as `program account membership amount`.
fn posting_text(program: &str, account: &str, membership: Option<&str>, amount: i128) -> String {
    format!("{program} {account} {} {amount}", or_none(membership))
}

fn found_postings(content: &Content) -> Vec<String> {
    let texts = content.postings.iter().map(|posting| {
        let membership = posting.member.as_ref().map(|member| member.membership_id.as_str());
        posting_text(&posting.program_id, &posting.account, membership, i128::from(posting.amount.units))
    });
    sorted(texts.collect())
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts
}

fn points_postings(content: &Content, points: &Points) -> Vec<String> {
    let against = match content.kind.as_str() {
        "POINTS_ACCRUED" => "ISSUANCE",
        "POINTS_ADJUSTED" => "ADJUSTMENT",
        _ => "EXPIRED",
    };
    let amount = i128::from(points.amount.units);
    // The body repeats the account as the posting leaves it; where it does not, no posting is the expected one.
    let is_repeated = content.postings.iter().filter_map(|posting| posting.member.as_ref()).all(|member| {
        member.balance_after.units == points.posted.units && member.sequence == points.postings
    });
    let account = if is_repeated { MEMBER } else { "MEMBER with the body's balance and number" };
    sorted(vec![
        posting_text(&points.program_id, account, Some(&points.membership_id), amount),
        posting_text(&points.program_id, against, None, -amount),
    ])
}

/// The postings of a phase, and by how much it changes what is held.
fn exchange_lines<'a>(kind: &str, exchange: &'a Exchange) -> (Vec<String>, Effects<'a>) {
    let mut postings = Vec::new();
    let mut held = Effects::new();
    for leg in &exchange.legs {
        let taken = i128::from(leg.source_points.units);
        let effect = held.entry(&leg.source.membership_id).or_default();
        effect.1 += if kind == "EXCHANGE_PREPARED" { taken } else { -taken };
        if kind != "EXCHANGE_COMMITTED" {
            continue;
        }
        let (source, destination) = (&leg.source, &leg.destination);
        let [gross, fee, credited] = [&leg.gross_points, &leg.fee_points, &leg.credited_points];
        let [gross, fee, credited] = [gross, fee, credited].map(|points| i128::from(points.units));
        let to = &destination.program_id;
        postings.extend([
            posting_text(&source.program_id, MEMBER, Some(&source.membership_id), -taken),
            posting_text(&source.program_id, "EXCHANGE_OUT", None, taken),
            posting_text(to, MEMBER, Some(&destination.membership_id), credited),
            posting_text(to, "EXCHANGE_IN", None, -gross),
        ]);
        postings.extend((fee != 0).then(|| posting_text(to, "FEE", None, fee)));
    }
    (sorted(postings), held)
}

/// Those of the commit with the opposite sign, each by its share.
fn reversal_postings(reversal: &Reversal) -> Vec<String> {
    let mut postings = Vec::new();
    for leg in &reversal.legs {
        let (source, destination) = (&leg.source, &leg.destination);
        let (from, to) = (&source.program_id, &destination.program_id);
        let [given, fee, credited] =
            [&leg.part.source_points, &leg.part.fee_points, &leg.part.credited_points];
        let [given, fee, credited] = [given, fee, credited].map(|points| i128::from(points.units));
        postings.extend([
            posting_text(from, MEMBER, Some(&source.membership_id), given),
            posting_text(from, "EXCHANGE_OUT", None, -given),
            posting_text(to, MEMBER, Some(&destination.membership_id), -credited),
            posting_text(to, "EXCHANGE_IN", None, fee + credited),
        ]);
        postings.extend((fee != 0).then(|| posting_text(to, "FEE", None, -fee)));
    }
    sorted(postings)
}

fn expected_obligations(content: &Content) -> Vec<String> {
    if let Some(reversal) = &content.body.reversal {
        return reversal.legs.iter().map(|leg| obligation_text(&leg.obligation)).collect();
    }
    let committed = content.body.exchange.as_ref().filter(|_| content.kind == "EXCHANGE_COMMITTED");
    let legs = committed.into_iter().flat_map(|exchange| &exchange.legs);
    legs.map(|leg| obligation_text(&leg.obligation)).collect()
}

fn obligation_text(obligation: &crate::content::Obligation) -> String {
    let money = obligation.money.0;
    format!("{} owes {} {money} {}", obligation.debtor, obligation.creditor, obligation.currency)
}
