//! Approvals: what needs two people had two, was done once and as it was asked for, and is never done without.
//!
//! A record of an approval is judged by the first of its rules that it breaks. Kept: per approval what it is about and
//! whether it was decided, and per record that needs an approval what it says that it did.

use std::collections::BTreeMap;

use pointbridge_store::AuditApproval;
use serde_json::{Value, json};

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

/// What a record says that it did.
#[derive(Debug)]
struct Done {
    /// In words that what was asked for can be put in too.
    text: String,
    /// What the record is about, as canonical bytes: whoever approves is answered with it, also again.
    outcome: String,
}

/// Approvals, and what needs them.
#[derive(Debug)]
pub(crate) struct Approvals {
    rows: Register<String>,
    open: BTreeMap<String, Open>,
    /// Records that decide what nobody had asked for, as far as is known.
    unasked: Vec<String>,
    /// By record, what it says that it did, until the approval comes that names it: effects come first.
    effects: BTreeMap<String, Done>,
}

impl Default for Approvals {
    fn default() -> Self {
        let kinds = &["APPROVAL_REQUESTED", "APPROVAL_APPROVED", "APPROVAL_REJECTED"];
        Self {
            rows: Register::new(Invariant::ApprovalRows, "approval", kinds),
            open: BTreeMap::new(),
            unasked: Vec::new(),
            effects: BTreeMap::new(),
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
    pub(crate) fn record(
        &mut self,
        content: &Content,
        value: &Value,
        records: &mut Records,
        findings: &mut Findings,
    ) {
        if let Some(text) = effect(content) {
            self.effects.insert(content.record_id.clone(), Done { text, outcome: outcome(value) });
        }
        let Some(body) = &content.body.approval else { return };
        let approval = &body.approval;
        self.rows.expect(approval.approval_id.clone(), row_of(approval));
        let row = format!("record {}", content.record_id);
        let _first_flaw_ends_it = self.is_about_the_same(approval, &row, findings)
            && self.is_in_its_turn(content, approval, &row, findings)
            && has_two_people(approval, &row, findings);
        self.take_effect(content, body, records, findings);
    }

    /// Compares a row.
    pub(crate) fn row(&mut self, row: &AuditApproval, records: &Records, findings: &mut Findings) {
        self.rows.row(&row.approval_id, &text_of(row), records, findings);
    }

    /// Reports what has no row, what was decided unasked, and what was done without an approval.
    pub(crate) fn finish(&self, records: &Records, findings: &mut Findings) {
        self.rows.finish(records, findings);
        if !records.have_gap(&["APPROVAL_REQUESTED"]) {
            for row in &self.unasked {
                findings.add(Invariant::ApprovalDecision, row, "an approval that was asked for", "none");
            }
        }
        if records.have_gap(EFFECT_KINDS) {
            return;
        }
        for (record, done) in &self.effects {
            findings.checked(Invariant::ApprovalEffect);
            let row = format!("record {record}");
            findings.add(Invariant::ApprovalEffect, row, "an approval that names it", &done.text);
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
        let verdict = approval.verdict.as_ref();
        let known = self.open.get_mut(&approval.approval_id);
        let is_request = content.kind == "APPROVAL_REQUESTED";
        if known.is_none() && !is_request {
            self.unasked.push(row.to_owned());
        }
        let is_timely =
            known.as_ref().is_none_or(|open| !open.is_decided && content.decided_at.0 < open.expires_at);
        let state = match content.kind.as_str() {
            "APPROVAL_REQUESTED" if known.is_none() => "PENDING",
            "APPROVAL_APPROVED" if is_timely => "APPROVED",
            "APPROVAL_REJECTED" if is_timely => "REJECTED",
            _ => "no record after the approval's end",
        };
        let asked = (&approval.requested_by, approval.requested_at.0);
        let actor = verdict.map_or(asked, |verdict| (&verdict.by, verdict.at.0));
        let is_reasoned = verdict.is_some_and(|verdict| verdict.reason.is_some());
        let text = |state: &str, (by, at): (&String, i64), is_reasoned: bool| {
            format!("{state} by {by} at {at}{}", if is_reasoned { ", with a reason" } else { "" })
        };
        let expected = text(state, (&content.who, content.decided_at.0), state == "REJECTED");
        let found = text(&approval.state, actor, is_reasoned);
        let is_decided = !is_request || known.is_some();
        let open = Open { about: about(approval), expires_at: approval.expires_at.0, is_decided };
        self.open.insert(approval.approval_id.clone(), open);
        findings.compare(Invariant::ApprovalDecision, row, &expected, &found)
    }

    /// Compares what an approval asked for with what its effect's record says that it did, and that with what the approval
    /// says that it came to.
    fn take_effect(
        &mut self,
        content: &Content,
        body: &ApprovalBody,
        records: &mut Records,
        findings: &mut Findings,
    ) {
        if content.kind != "APPROVAL_APPROVED" {
            return;
        }
        let expected =
            asked_for(&body.approval, &content.who).unwrap_or_else(|| "something that is known".to_owned());
        let own_row = format!("record {}", content.record_id);
        let Some(effect) = &body.effect else {
            findings.checked(Invariant::ApprovalEffect);
            findings.add(Invariant::ApprovalEffect, own_row, "an effect", "none");
            // What was done for it lacks nothing else.
            self.effects.retain(|_, done| done.text != expected);
            return;
        };
        let row = format!("record {}", effect.record_id);
        if let Some(done) = self.effects.remove(&effect.record_id) {
            if findings.compare(Invariant::ApprovalEffect, row, &expected, &done.text) {
                let told = canonical(&effect.outcome);
                findings.compare(Invariant::ApprovalEffect, own_row, &done.outcome, &told);
            }
        } else if !records.have_gap(EFFECT_KINDS) {
            findings.checked(Invariant::ApprovalEffect);
            findings.add(Invariant::ApprovalEffect, row, expected, "none");
            // What it would have changed is in doubt.
            records.miss(&effect.record_id);
        }
    }
}

/// What an approval asked for, as its effect must say it.
fn asked_for(approval: &Approval, who: &str) -> Option<String> {
    let id = &approval.approval_id;
    Some(match proposal(approval)? {
        Proposal::ResumePartner { code, reason } => resumption_text(&code, &reason, who, id),
        Proposal::AdjustPoints { membership_id, amount, reason, reference } => {
            let amount = plain(amount.units, amount.decimals);
            adjustment_text([&membership_id, &amount, &reason, &reference], who, id)
        }
    })
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

/// What a record that needs an approval is about, in the form in which the approval repeats it.
fn outcome(record: &Value) -> String {
    let part = |path| record.pointer(path);
    let partner = part("/body/standing/partner").map(|partner| json!({ "partner": partner }));
    let outcome = partner.or_else(|| part("/body/points").map(|points| json!({ "points": points })));
    outcome.as_ref().map(canonical).unwrap_or_default()
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
