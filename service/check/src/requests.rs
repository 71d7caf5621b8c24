//! Requests: each is stored once, names its record, and is of the caller and the method that made it.
//!
//! A request that does not fit its record may be the one that another record misses; such a record is then not accused.
//!
//! Kept: per record who asked for it by which method, and when those were decided that no request has named yet.

use std::collections::BTreeMap;

use crate::approvals;
use crate::content::Content;
use crate::invariant::Invariant;
use crate::names::{Name, Names};
use crate::records::Records;
use crate::report::Findings;

/// Kinds of records and the methods that ask for them. Kinds that are not here come by time or by an approval, whose own
/// record is asked for instead; or, as what waits for a second person, by a method that the content names.
const METHODS: [(&str, &str); 23] = [
    ("PARTNER_CREATED", "CreatePartner"),
    ("PARTNER_UPDATED", "UpdatePartner"),
    ("PROGRAM_CREATED", "CreateProgram"),
    ("PROGRAM_UPDATED", "UpdateProgram"),
    ("AGREEMENT_PROPOSED", "ProposeAgreement"),
    ("AGREEMENT_ACCEPTED", "AcceptAgreement"),
    ("MEMBERSHIP_REGISTERED", "RegisterMembership"),
    ("LINK_CODE_ISSUED", "IssueLinkCode"),
    ("MEMBERS_MERGED", "MergeMembers"),
    ("CONSENT_GRANTED", "GrantConsent"),
    ("CONSENT_WITHDRAWN", "WithdrawConsent"),
    ("POINTS_ACCRUED", "AccruePoints"),
    ("POINTS_ADJUSTED", "AdjustPoints"),
    ("EXCHANGE_PREPARED", "PrepareExchange"),
    ("EXCHANGE_COMMITTED", "CommitExchange"),
    ("EXCHANGE_ABORTED", "AbortExchange"),
    ("EXCHANGE_REVERSED", "ReverseExchange"),
    ("PARTNER_SUSPENDED", "SuspendPartner"),
    ("CERTIFICATE_PINNED", "AddCertificate"),
    ("CERTIFICATE_REVOKED", "RevokeCertificate"),
    ("SIGNING_KEY_REGISTERED", "RegisterSigningKey"),
    ("APPROVAL_APPROVED", "Approve"),
    ("APPROVAL_REJECTED", "Reject"),
];

/// How long a request is kept at least: 400 days, in microseconds.
const REQUEST_KEPT_MICROS: i64 = 400 * 24 * 3600 * 1_000_000;

/// A row of `request`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestRow {
    pub(crate) scope: String,
    pub(crate) method: String,
    pub(crate) request_id: String,
}

/// Who asked for a record, and how.
#[derive(Debug)]
struct Cause {
    /// The scope of whoever made it; none where its bytes cannot be read.
    scope: Option<Name>,
    /// None for what time brings.
    method: Option<&'static str>,
    /// Others that are answered with the record when they ask for what is so already: either party may abort.
    others: Box<[Name]>,
    /// When it was decided.
    at: i64,
    /// Whether a request names it.
    is_answered: bool,
}

/// What is kept of records for the sake of their requests.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    causes: BTreeMap<Name, Cause>,
    last: Option<RequestRow>,
    /// Scopes and methods of requests that do not fit the record that they name, and how many.
    strays: BTreeMap<(Name, String), usize>,
}

/// The scope of a principal's requests: a partner's code, or `@` and what it is.
fn scope_of(principal: &str) -> String {
    let mut parts = principal.split('/');
    match (parts.next(), parts.next()) {
        (Some("partner"), Some(code)) => code.to_owned(),
        (role, _) => format!("@{}", role.unwrap_or_default()),
    }
}

fn method_of(kind: &str) -> Option<&'static str> {
    METHODS.iter().find(|(of, _)| *of == kind).map(|(_, method)| *method)
}

/// The method that must have asked for a record. What the operator adjusts, an approval did.
fn method_of_content(content: &Content) -> Option<&'static str> {
    let is_by_operator = content.who.starts_with("operator/");
    match content.kind.as_str() {
        "POINTS_ADJUSTED" if is_by_operator => None,
        "APPROVAL_REQUESTED" => {
            content.body.approval.as_ref().and_then(|body| approvals::method(&body.approval))
        }
        kind => method_of(kind),
    }
}

impl Requests {
    /// Takes in a record that can be trusted.
    pub(crate) fn record(&mut self, name: &Name, content: &Content, names: &mut Names) {
        let scope = names.of(&scope_of(&content.who));
        let may_others = content.kind == "EXCHANGE_ABORTED";
        let others = content.parties.iter().filter(|party| may_others && ***party != *scope);
        let others = others.map(|party| names.of(party)).collect();
        let (method, at) = (method_of_content(content), content.decided_at.0);
        let cause = Cause { scope: Some(scope), method, others, at, is_answered: false };
        self.causes.insert(name.clone(), cause);
    }

    /// Takes in a record of which only the columns are known.
    pub(crate) fn doubtful(&mut self, name: Name, kind: &str, at: i64) {
        let method = method_of(kind);
        let cause = Cause { scope: None, method, others: Box::default(), at, is_answered: false };
        self.causes.insert(name, cause);
    }

    /// Reads a request. They come in the order of their keys, so that the same key twice stands side by side.
    pub(crate) fn row(
        &mut self,
        row: RequestRow,
        record: &str,
        records: &mut Records,
        names: &mut Names,
        findings: &mut Findings,
    ) {
        findings.checked(Invariant::RequestRecord);
        let name = format!("request {}/{}/{}", row.scope, row.method, row.request_id);
        if self.last.as_ref() == Some(&row) {
            findings.add(Invariant::RequestRecord, name, "one row with this key", "another one");
            return;
        }
        self.last = Some(row.clone());
        let Some(cause) = self.causes.get_mut(record) else {
            // Lines that miss the same record have told of it already.
            if records.miss(record) {
                findings.add(Invariant::RequestRecord, name, "a record that exists", record);
            }
            return;
        };
        let Some(maker) = &cause.scope else {
            cause.is_answered = true;
            return;
        };
        let is_method = cause.method == Some(row.method.as_str());
        if is_method && *row.scope == **maker {
            cause.is_answered = true;
        } else if !is_method || !cause.others.iter().any(|other| *row.scope == **other) {
            cause.is_answered = true;
            let expected = cause.method.map_or_else(
                || format!("no request, because time brought record {record}"),
                |method| format!("{method} of {maker}, as record {record} says"),
            );
            let found = format!("{} of {}", row.method, row.scope);
            findings.add(Invariant::RequestRecord, name, expected, found);
            *self.strays.entry((names.of(&row.scope), row.method)).or_default() += 1;
        }
    }

    /// Reports the records that a caller must have asked for and that no request names. Where a request names a record
    /// that is not there, it may have been theirs: then nobody is accused.
    pub(crate) fn finish(&mut self, now_micros: i64, records: &Records, findings: &mut Findings) {
        if records.have_missing() {
            return;
        }
        for (record, cause) in &self.causes {
            let is_recent = now_micros.saturating_sub(cause.at) < REQUEST_KEPT_MICROS;
            let Some(method) = cause.method.filter(|_| is_recent && !cause.is_answered) else { continue };
            let stray = cause.scope.as_ref().and_then(|scope| {
                self.strays.get_mut(&(scope.clone(), method.to_owned())).filter(|count| **count > 0)
            });
            if let Some(count) = stray {
                *count -= 1;
                continue;
            }
            let row = format!("record {record}");
            findings.add(Invariant::RequestRecord, row, "a request that it answers", "none");
        }
    }
}
