//! The check: takes rows in the order in which a store shows them, and hands each to what it belongs to.

use std::collections::BTreeMap;

use pointbridge_store::AuditRow;

use crate::approvals::Approvals;
use crate::consents::Consents;
use crate::content::Content;
use crate::credentials::Credentials;
use crate::exchanges::{Exchanges, ReservationRow, references_text};
use crate::form::{self, Homes};
use crate::invariant::Invariant;
use crate::ledger::{AccountRow, Ledger, LotSums, Origin};
use crate::legs::LegLine;
use crate::lines::{Lines, LotKey, MemberLine, MovementLine, ObligationLine, PostingLine};
use crate::members::Members;
use crate::names::{Name, Names};
use crate::owed::{Exposure, Owed};
use crate::parties::Parties;
use crate::records::{Proven, RecordRow, Records};
use crate::report::{Findings, Report};
use crate::requests::{RequestRow, Requests};
use crate::reversals::Reversals;
use crate::terms::Agreements;

/// A check under way: fed with rows by [`Check::see`], ended by [`Check::finish`].
#[derive(Debug)]
pub struct Check {
    names: Names,
    tables: BTreeMap<&'static str, u64>,
    findings: Findings,
    records: Records,
    requests: Requests,
    homes: Homes,
    postings: Lines<PostingLine>,
    movements: Lines<MovementLine>,
    obligations: Lines<ObligationLine>,
    ledger: Ledger,
    exchanges: Exchanges,
    agreements: Agreements,
    parties: Parties,
    members: Members,
    consents: Consents,
    approvals: Approvals,
    credentials: Credentials,
    owed: Owed,
    reversals: Reversals,
}

impl Default for Check {
    fn default() -> Self {
        Self::new()
    }
}

impl Check {
    /// A check that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self {
            names: Names::default(),
            tables: BTreeMap::new(),
            findings: Findings::none(),
            records: Records::default(),
            requests: Requests::default(),
            homes: Homes::default(),
            postings: Lines::new(Invariant::PostingRows, "posting"),
            movements: Lines::new(Invariant::LotMovementRows, "lot movement"),
            obligations: Lines::new(Invariant::ObligationRows, "obligation"),
            ledger: Ledger::default(),
            exchanges: Exchanges::default(),
            agreements: Agreements::default(),
            parties: Parties::default(),
            members: Members::default(),
            consents: Consents::default(),
            approvals: Approvals::default(),
            credentials: Credentials::default(),
            owed: Owed::default(),
            reversals: Reversals::default(),
        }
    }

    /// Takes in one row. Rows come in the order of [`AuditRow`]'s variants, records in the order in which they were
    /// written, requests by key.
    pub fn see(&mut self, row: AuditRow) {
        let table = self.tables.entry(table(&row)).or_default();
        *table = table.saturating_add(1);
        match row {
            AuditRow::Record { record_id, kind, decided_at, window_id, bytes, hash } => {
                self.record(&RecordRow { record_id, kind, decided_at, window_id, bytes, hash });
            }
            row @ (AuditRow::Posting { .. } | AuditRow::LotMovement { .. } | AuditRow::Obligation { .. }) => {
                self.line(row);
            }
            row @ (AuditRow::Reservation { .. } | AuditRow::Leg(_)) => self.exchange(row),
            row @ AuditRow::Reversal { .. } => {
                self.reversals.row(row, &self.records, &mut self.findings);
            }
            row @ (AuditRow::Partner { .. } | AuditRow::Program { .. }) => {
                self.parties.row(&row, &self.records, &mut self.findings);
            }
            row @ (AuditRow::Membership { .. } | AuditRow::LinkCode { .. }) => {
                self.members.row(row, &self.records, &mut self.names, &mut self.findings);
            }
            row @ (AuditRow::Agreement { .. } | AuditRow::AgreementVersion { .. }) => {
                self.agreements.row(row, &self.records, &mut self.findings);
            }
            row @ (AuditRow::Consent { .. }
            | AuditRow::ConsentWithdrawal { .. }
            | AuditRow::ConsentInForce { .. }) => {
                self.consents.row(row, &self.records, &mut self.findings);
            }
            AuditRow::Approval(row) => self.approvals.row(&row, &self.records, &mut self.findings),
            row @ (AuditRow::Certificate(_) | AuditRow::SigningKey { .. }) => {
                self.credentials.row(&row, &self.records, &mut self.findings);
            }
            row => self.sum(row),
        }
    }

    /// Judges what only the whole can tell, with the store's latest time at the snapshot in microseconds since 1970: what
    /// is late is late by what the store has decided since, and not by how long it has been standing still.
    #[must_use]
    pub fn finish(mut self, now_micros: i64) -> Report {
        let findings = &mut self.findings;
        self.postings.finish(findings);
        self.movements.finish(findings);
        self.obligations.finish(findings);
        self.exchanges.finish(now_micros, findings);
        if self.records.have_gap(&["MEMBERSHIP_REGISTERED"]) {
            self.ledger.open_all_stored();
        }
        self.ledger.finish(&self.exchanges.holds(), &self.records, findings);
        self.owed.finish(&self.exchanges, findings);
        self.reversals.finish(&self.records, findings);
        self.parties.finish(&self.records, findings);
        self.agreements.finish(&self.records, findings);
        self.members.finish(&self.records, findings);
        self.consents.finish(&self.records, findings);
        self.approvals.finish(&self.records, findings);
        self.credentials.finish(&self.records, findings);
        self.requests.finish(now_micros, &self.records, findings);
        Report {
            rows: self.tables.values().sum(),
            tables: self.tables,
            invariants: self.findings.into_results(),
        }
    }

    fn record(&mut self, row: &RecordRow) {
        let Some(proven) = self.records.read(row, &mut self.names, &mut self.findings) else {
            self.requests.doubtful(self.names.of(&row.record_id), &row.kind, row.decided_at);
            return;
        };
        let Proven { name, content, value } = proven;
        self.requests.record(&name, &content, &mut self.names);
        self.homes(&name, &content);
        form::judge(&content, &self.homes, &mut self.findings);
        for (membership, change) in
            self.exchanges.phase(&name, &content, &value, &mut self.names, &mut self.findings)
        {
            self.ledger.hold(&membership, change);
        }
        self.reversals.record(&name, &content, &mut self.names, &mut self.findings);
        self.lines(&name, &content);
        self.approvals.record(&content, &value, &mut self.records, &mut self.findings);
        self.bodies(&name, content);
    }

    /// Takes in a record's lines, to be compared with rows.
    fn lines(&mut self, name: &Name, content: &Content) {
        let window = content.window_id.as_deref().map(|id| self.names.of(id));
        self.owed.record(name, content, window, &mut self.findings);
        let names = &mut self.names;
        let postings: Vec<_> = content.postings.iter().map(|line| PostingLine::of(line, names)).collect();
        for (line, number) in postings.iter().zip(1_i64..) {
            self.ledger.post((name.clone(), number), line, Origin::Record);
        }
        self.postings.expect(name, postings);
        let lots: Vec<_> = content.lots.iter().map(|line| MovementLine::of(line, names)).collect();
        for line in &lots {
            self.ledger.move_lot(line);
        }
        self.movements.expect(name, lots);
        let window = content.window_id.as_deref().unwrap_or("none");
        let owed = content.obligations.iter().map(|line| ObligationLine::of(line, window, names));
        let owed: Vec<_> = owed.collect();
        for line in &owed {
            self.owed.owe(line);
        }
        self.obligations.expect(name, owed);
    }

    /// Takes in what a record's form and lines are judged by.
    fn homes(&mut self, name: &Name, content: &Content) {
        if let Some(program) = &content.body.program {
            self.homes.scales.insert(program.program_id.clone(), program.scale);
        }
        if let Some(membership) = &content.body.membership {
            let home = (membership.membership_id.clone(), membership.program_id.clone());
            self.homes.programs.extend([home]);
            let account = self.names.of(&membership.membership_id);
            self.ledger.open(&account);
        }
        let prepared = content.body.exchange.as_ref().filter(|_| content.kind == "EXCHANGE_PREPARED");
        if let Some(exchange) = prepared {
            self.agreements.judge_legs(name, exchange, &self.records, &mut self.findings);
        }
    }

    /// Takes in what a record is about, to be compared with rows.
    fn bodies(&mut self, name: &Name, content: Content) {
        let body = content.body;
        if let Some(partner) = body.partner {
            self.parties.partner(name, &content.kind, partner, &mut self.findings);
        }
        if let Some(standing) = body.standing {
            self.parties.partner(name, &content.kind, standing.partner, &mut self.findings);
        }
        self.credentials.record(body.certificate.as_ref(), body.signing_key.as_ref());
        if let Some(program) = &body.program {
            self.parties.program(program);
        }
        if let Some(membership) = &body.membership {
            self.members.membership(membership);
        }
        if let Some(code) = body.link_code {
            self.members.link_code(code);
        }
        if let Some(merge) = body.merge {
            self.members.merge(name, merge, &mut self.names);
        }
        if let Some(agreement) = body.agreement {
            self.agreements.record(name, agreement, &mut self.findings);
        }
        if let Some(consent) = &body.consent {
            self.consents.granted(consent);
        }
        if let Some(withdrawal) = body.withdrawal {
            self.consents.withdrawn(withdrawal);
        }
    }

    fn posting(&mut self, row: AuditRow) {
        let AuditRow::Posting {
            record_id,
            number,
            program_id,
            account,
            amount,
            membership_id,
            sequence,
            balance_after,
        } = row
        else {
            return;
        };
        let names = &mut self.names;
        // A column that is empty where a member's posting needs it reads as a number that no posting has.
        let member = membership_id.map(|id| MemberLine {
            membership: names.of(&id),
            sequence: sequence.unwrap_or_default(),
            balance_after: balance_after.unwrap_or(i64::MIN),
        });
        let line =
            PostingLine { program: names.of(&program_id), account: names.of(&account), amount, member };
        let key = (names.of(&record_id), number);
        let adopted = self.postings.compare(&key, line, &mut self.records, &mut self.findings);
        if let Some(line) = adopted {
            self.ledger.post(key, &line, Origin::Row);
        }
    }

    fn line(&mut self, row: AuditRow) {
        let Self { names, records, findings, .. } = self;
        match row {
            AuditRow::LotMovement {
                record_id,
                number,
                membership_id,
                expires_at,
                origin_month,
                exchangeable,
                remaining,
                held,
            } => {
                let membership = names.of(&membership_id);
                let lot = LotKey { membership, expires_at, origin_month, exchangeable };
                let line = MovementLine { lot, remaining, held };
                let key = (names.of(&record_id), number);
                if let Some(line) = self.movements.compare(&key, line, records, findings) {
                    self.ledger.move_lot(&line);
                }
            }
            AuditRow::Obligation {
                record_id,
                number,
                debtor_code,
                creditor_code,
                currency,
                money,
                window_id,
            } => {
                let [debtor, creditor, currency, window] =
                    [debtor_code, creditor_code, currency, window_id].map(|text| names.of(&text));
                let line = ObligationLine { debtor, creditor, currency, money, window };
                let key = (names.of(&record_id), number);
                if let Some(line) = self.obligations.compare(&key, line, records, findings) {
                    self.owed.owe(&line);
                }
            }
            row => self.posting(row),
        }
    }

    fn exchange(&mut self, row: AuditRow) {
        let Self { names, records, findings, exchanges, .. } = self;
        match row {
            AuditRow::Reservation {
                reservation_id,
                state,
                initiator_code,
                order_reference,
                store_reference,
                till_reference,
                prepared_at,
                hold_expires_at,
                decided_at,
                prepare_record_id,
                last_record_id,
            } => {
                let row = ReservationRow {
                    state,
                    initiator: initiator_code,
                    references: references_text(
                        &order_reference,
                        store_reference.as_deref(),
                        till_reference.as_deref(),
                    ),
                    prepared_at,
                    hold_expires_at,
                    decided_at,
                    prepare_record: prepare_record_id,
                    last_record: last_record_id,
                };
                let id = names.of(&reservation_id);
                exchanges.row(&id, &row, records, names, findings);
            }
            AuditRow::Leg(leg) => {
                let line = LegLine::of_row(&leg, names);
                exchanges.leg_row(&names.of(&leg.reservation_id), leg.number, line, findings);
            }
            _ => {}
        }
    }

    fn sum(&mut self, row: AuditRow) {
        let Self { names, records, requests, findings, .. } = self;
        match row {
            AuditRow::Window { window_id, opens_at, closes_at } => {
                self.owed.window_row(names.of(&window_id), opens_at, closes_at);
            }
            AuditRow::Request { scope, method, request_id, record_id } => {
                let row = RequestRow { scope, method, request_id };
                requests.row(row, &record_id, records, names, findings);
            }
            AuditRow::Account { membership_id, posted, held, postings, live_holds } => {
                let row = AccountRow { posted, held, postings, live_holds };
                self.ledger.account_row(names.of(&membership_id), row);
            }
            AuditRow::Lot { membership_id, expires_at, origin_month, exchangeable, remaining, held } => {
                let membership = names.of(&membership_id);
                let lot = LotKey { membership, expires_at, origin_month, exchangeable };
                let sums = LotSums { remaining: i128::from(remaining), held: i128::from(held) };
                self.ledger.lot_row(lot, sums);
            }
            AuditRow::Exposure {
                low_code,
                high_code,
                currency,
                committed_low,
                prepared_low,
                prepared_high,
            } => {
                let key: (Name, Name, Name) =
                    (names.of(&low_code), names.of(&high_code), names.of(&currency));
                let [committed_low, prepared_low, prepared_high] =
                    [committed_low, prepared_low, prepared_high].map(i128::from);
                self.owed.exposure_row(key, Exposure { committed_low, prepared_low, prepared_high });
            }
            AuditRow::Initiator { partner_code, live_holds } => {
                self.owed.initiator_row(names.of(&partner_code), live_holds);
            }
            _ => {}
        }
    }
}

/// The table that a row is of.
const fn table(row: &AuditRow) -> &'static str {
    match row {
        AuditRow::Window { .. } => "settlement_window",
        AuditRow::Record { .. } => "record",
        AuditRow::Posting { .. } => "posting",
        AuditRow::LotMovement { .. } => "lot_movement",
        AuditRow::Obligation { .. } => "obligation",
        AuditRow::Request { .. } => "request",
        AuditRow::Partner { .. } => "partner",
        AuditRow::Program { .. } => "program",
        AuditRow::Membership { .. } => "membership",
        AuditRow::LinkCode { .. } => "link_code",
        AuditRow::Agreement { .. } => "agreement",
        AuditRow::AgreementVersion { .. } => "agreement_version",
        AuditRow::Consent { .. } => "consent",
        AuditRow::ConsentWithdrawal { .. } => "consent_withdrawal",
        AuditRow::ConsentInForce { .. } => "consent_in_force",
        AuditRow::Approval(_) => "approval",
        AuditRow::Certificate(_) => "certificate",
        AuditRow::SigningKey { .. } => "signing_key",
        AuditRow::Reservation { .. } => "reservation",
        AuditRow::Leg(_) => "exchange_leg",
        AuditRow::Reversal { .. } => "reversal",
        AuditRow::Account { .. } => "account",
        AuditRow::Lot { .. } => "lot",
        AuditRow::Exposure { .. } => "exposure",
        AuditRow::Initiator { .. } => "initiator",
    }
}
