//! Approvals: what needs two people had two, was done once and as it was asked for, and is never done without.
//!
//! A record of an approval is judged by the first of its rules that it breaks. Kept: per approval what it is about and
//! whether it was decided, and per record that needs an approval what it says that it did.

use std::collections::{BTreeMap, BTreeSet};

use pointbridge_store::AuditApproval;

use crate::content::{Approval, ApprovalBody, Content, Proposal};
use crate::invariant::Invariant;
use crate::names::or_none;
use crate::records::Records;
use crate::register::Register;
use crate::report::Findings;
use crate::values::{canonical, hex, sha256};

/// What content hashes begin with.
const PREFIX: &[u8] = b"pointbridge/approval/v1\0";

/// The kinds of records that effects are proven by.
const EFFECT_KINDS: &[&str] = &["APPROVAL_APPROVED", "POINTS_ADJUSTED", "PARTNER_RESUMED"];

/// What is kept of an approval until its row comes.
#[derive(Debug)]
struct Open {
    /// What no later record may change.
    about: String,
    expires_at: i64,
    is_decided: bool,
}

/// Approvals, and what needs them.
#[derive(Debug)]
pub(crate) struct Approvals {
    rows: Register<String>,
    open: BTreeMap<String, Open>,
    /// By the effect's record, what it should say that it did.
    expected: BTreeMap<String, String>,
    /// By the effect's record, what it says.
    found: BTreeMap<String, String>,
}

impl Default for Approvals {
    fn default() -> Self {
        let kinds = &["APPROVAL_REQUESTED", "APPROVAL_APPROVED", "APPROVAL_REJECTED"];
        Self {
            rows: Register::new(Invariant::ApprovalRows, "approval", kinds),
            open: BTreeMap::new(),
            expected: BTreeMap::new(),
            found: BTreeMap::new(),
        }
    }
}

/// The method that asked for an approval; none where its content is of no known kind.
pub(crate) fn method(approval: &Approval) -> Option<&'static str> {
    match proposal(approval)? {
        Proposal::ResumePartner { .. } => Some("ResumePartner"),
        Proposal::AdjustPoints { .. } => Some("AdjustPoints"),
    }
}

fn proposal(approval: &Approval) -> Option<Proposal> {
    serde_json::from_value(approval.proposal.clone()).ok()
}

impl Approvals {
    /// Takes in a record that can be trusted.
    pub(crate) fn record(&mut self, content: &Content, findings: &mut Findings) {
        if let Some(text) = effect(content) {
            self.found.insert(content.record_id.clone(), text);
        }
        let Some(body) = &content.body.approval else { return };
        let approval = &body.approval;
        self.rows.expect(approval.approval_id.clone(), row_of(approval));
        let row = format!("record {}", content.record_id);
        let _first_flaw_ends_it = self.is_about_the_same(approval, &row, findings)
            && self.is_in_its_turn(content, approval, &row, findings)
            && has_two_people(approval, &row, findings);
        self.expect(content, body);
    }

    /// Compares a row.
    pub(crate) fn row(&mut self, row: &AuditApproval, records: &Records, findings: &mut Findings) {
        self.rows.row(&row.approval_id, &text_of(row), records, findings);
    }

    /// Reports what has no row, and what was done without an approval or not at all.
    pub(crate) fn finish(&self, records: &Records, findings: &mut Findings) {
        self.rows.finish(records, findings);
        if records.have_gap(EFFECT_KINDS) {
            return;
        }
        let all: BTreeSet<&String> = self.expected.keys().chain(self.found.keys()).collect();
        for record in all {
            let [expected, found] = [self.expected.get(record), self.found.get(record)];
            findings.checked(Invariant::ApprovalEffect);
            if expected != found {
                let row = format!("record {record}");
                let expected = expected.map_or("an approval that names it", String::as_str);
                findings.add(Invariant::ApprovalEffect, row, expected, or_none(found));
            }
        }
    }

    fn is_about_the_same(&self, approval: &Approval, row: &str, findings: &mut Findings) -> bool {
        let bytes = canonical(&approval.proposal);
        let hash = hex(&sha256(&[PREFIX, bytes.as_bytes()]));
        if !findings.compare(Invariant::ApprovalContent, row, &hash, &approval.content_hash) {
            return false;
        }
        let Some(open) = self.open.get(&approval.approval_id) else { return true };
        findings.compare(Invariant::ApprovalContent, row, &open.about, &about(approval))
    }

    /// Asked for first, then decided at most once, in time, and by who made the record.
    fn is_in_its_turn(
        &mut self,
        content: &Content,
        approval: &Approval,
        row: &str,
        findings: &mut Findings,
    ) -> bool {
        let at = content.decided_at.0;
        let verdict = approval.verdict.as_ref();
        let known = self.open.get_mut(&approval.approval_id);
        let (expected, actor, moment) = match (content.kind.as_str(), &known) {
            ("APPROVAL_REQUESTED", None) => ("PENDING", &approval.requested_by, approval.requested_at.0),
            ("APPROVAL_APPROVED" | "APPROVAL_REJECTED", Some(open))
                if !open.is_decided && at < open.expires_at =>
            {
                let state = if content.kind == "APPROVAL_APPROVED" { "APPROVED" } else { "REJECTED" };
                let (by, at) =
                    verdict.map_or((&content.who, i64::MIN), |verdict| (&verdict.by, verdict.at.0));
                (state, by, at)
            }
            _ => ("a record in its turn", &content.who, at),
        };
        let is_reasoned = verdict.is_some_and(|verdict| verdict.reason.is_some());
        let expected = format!("{expected} by {} at {at}, {}", content.who, expected == "REJECTED");
        let found = format!("{} by {actor} at {moment}, {is_reasoned}", approval.state);
        let is_fit = findings.compare(Invariant::ApprovalDecision, row, &expected, &found);
        if let Some(open) = known {
            open.is_decided = true;
        } else {
            let (about, expires_at) = (about(approval), approval.expires_at.0);
            let open = Open { about, expires_at, is_decided: verdict.is_some() };
            self.open.insert(approval.approval_id.clone(), open);
        }
        is_fit
    }

    /// Notes what an approval must have done.
    fn expect(&mut self, content: &Content, body: &ApprovalBody) {
        let approval = &body.approval;
        let Some(effect) = body.effect.as_ref().filter(|_| content.kind == "APPROVAL_APPROVED") else {
            return;
        };
        let Some(proposal) = proposal(approval) else { return };
        let (who, id) = (&content.who, &approval.approval_id);
        let text = match proposal {
            Proposal::ResumePartner { code, reason } => resumption_text(&code, &reason, who, id),
            Proposal::AdjustPoints { membership_id, amount, reason, reference } => {
                let amount = plain(amount.units, amount.decimals);
                adjustment_text([&membership_id, &amount, &reason, &reference], who, id)
            }
        };
        self.expected.insert(effect.record_id.clone(), text);
    }
}

/// What a record says that it did, where it needs an approval or names one.
fn effect(content: &Content) -> Option<String> {
    let none = || "none".to_owned();
    if let Some(standing) = content.body.standing.as_ref().filter(|_| content.kind == "PARTNER_RESUMED") {
        let approval = standing.approval_id.clone().unwrap_or_else(none);
        return Some(resumption_text(&standing.partner.code, &standing.reason, &content.who, &approval));
    }
    let points = content.body.points.as_ref()?;
    let is_by_operator = content.kind == "POINTS_ADJUSTED" && content.who.starts_with("operator/");
    if points.approval_id.is_none() && !is_by_operator {
        return None;
    }
    let [reason, reference] = [&points.reason, &points.reference].map(|text| or_none(text.as_ref()));
    let amount = plain(points.amount.units, points.amount.decimals);
    let approval = points.approval_id.clone().unwrap_or_else(none);
    Some(adjustment_text([&points.membership_id, &amount, &reason, &reference], &content.who, &approval))
}

fn resumption_text(code: &str, reason: &str, who: &str, approval: &str) -> String {
    format!("{code} resumed for {reason} by {who} with {approval}")
}

fn adjustment_text([membership, amount, reason, reference]: [&str; 4], who: &str, approval: &str) -> String {
    format!("{amount} on {membership} for {reason}, {reference}, by {who} with {approval}")
}

/// An amount without the zeros at its end, so that what was entered reads as what was booked.
fn plain(mut units: i64, mut decimals: i64) -> String {
    while decimals > 0 && units % 10 == 0 {
        (units, decimals) = (units / 10, decimals - 1);
    }
    format!("{units}e-{decimals}")
}

/// Who asked and who agreed, as roles and persons.
fn has_two_people(approval: &Approval, row: &str, findings: &mut Findings) -> bool {
    let Some(verdict) = approval.verdict.as_ref().filter(|_| approval.state == "APPROVED") else {
        return true;
    };
    let role = |principal: &str| principal.split('/').next().unwrap_or_default().to_owned();
    findings.checked(Invariant::ApprovalTwoPeople);
    let is_second = verdict.by != approval.requested_by && role(&verdict.by) == role(&approval.requested_by);
    if !is_second {
        let expected = format!("another person of the role of {}", approval.requested_by);
        findings.add(Invariant::ApprovalTwoPeople, row, expected, &verdict.by);
    }
    is_second
}

/// What no later record may change.
fn about(approval: &Approval) -> String {
    let times = [approval.subject_changed_at.0, approval.requested_at.0, approval.expires_at.0];
    about_text(&canonical(&approval.proposal), &approval.content_hash, &approval.requested_by, times)
}

fn about_text(proposal: &str, hash: &str, by: &str, [changed, requested, expires]: [i64; 3]) -> String {
    format!("{proposal}, hash {hash}, of {changed}, asked for by {by} at {requested}, over at {expires}")
}

fn verdict_text(state: &str, by: Option<&str>, at: Option<i64>, reason: Option<&str>) -> String {
    format!("{state} by {} at {}, reason {}", or_none(by), or_none(at), or_none(reason))
}

fn row_of(approval: &Approval) -> String {
    let verdict = approval.verdict.as_ref();
    let decided = verdict_text(
        &approval.state,
        verdict.map(|verdict| verdict.by.as_str()),
        verdict.map(|verdict| verdict.at.0),
        verdict.and_then(|verdict| verdict.reason.as_deref()),
    );
    format!("{} {}, {decided}", or_none(method(approval)), about(approval))
}

fn text_of(row: &AuditApproval) -> String {
    // Compared as it is stored: other bytes of the same content are another text.
    let proposal = String::from_utf8_lossy(&row.proposal);
    let times = [row.subject_changed_at, row.requested_at, row.expires_at];
    let about = about_text(&proposal, &hex(&row.content_hash), &row.requested_by, times);
    let decided = verdict_text(&row.state, row.decided_by.as_deref(), row.decided_at, row.reason.as_deref());
    format!("{} {about}, {decided}", row.method)
}
