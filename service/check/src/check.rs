//! The check: takes rows in the order in which a store shows them, and hands each to what it belongs to.

use std::collections::BTreeMap;

use pointbridge_store::AuditRow;

use crate::exchanges::{Exchanges, LegLine, ReservationRow};
use crate::form::{self, Homes};
use crate::invariant::Invariant;
use crate::ledger::{AccountRow, Ledger, LotSums, Origin};
use crate::lines::{Lines, LotKey, MemberLine, MovementLine, ObligationLine, PostingLine};
use crate::members::{Members, consent_key};
use crate::names::{Name, Names};
use crate::owed::{Exposure, Owed};
use crate::records::{Proven, RecordRow, Records};
use crate::report::{Findings, Report};
use crate::terms::{AgreementRow, Agreements};

/// A check under way: fed with rows by [`Check::see`], ended by [`Check::finish`].
#[derive(Debug)]
pub struct Check {
    names: Names,
    tables: BTreeMap<&'static str, u64>,
    findings: Findings,
    records: Records,
    homes: Homes,
    postings: Lines<PostingLine>,
    movements: Lines<MovementLine>,
    obligations: Lines<ObligationLine>,
    ledger: Ledger,
    exchanges: Exchanges,
    agreements: Agreements,
    members: Members,
    owed: Owed,
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
            homes: Homes::default(),
            postings: Lines::new(Invariant::PostingRows, "posting"),
            movements: Lines::new(Invariant::LotMovementRows, "lot movement"),
            obligations: Lines::new(Invariant::ObligationRows, "obligation"),
            ledger: Ledger::default(),
            exchanges: Exchanges::default(),
            agreements: Agreements::default(),
            members: Members::default(),
            owed: Owed::default(),
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
            row @ (AuditRow::Reservation { .. } | AuditRow::Leg { .. }) => self.exchange(row),
            row @ (AuditRow::Program { .. }
            | AuditRow::Membership { .. }
            | AuditRow::Agreement { .. }
            | AuditRow::AgreementVersion { .. }
            | AuditRow::ConsentInForce { .. }) => self.party(row),
            row => self.sum(row),
        }
    }

    /// Judges what only the whole can tell, with the store's clock at the snapshot in microseconds since 1970.
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
        self.ledger.finish(&self.exchanges.holds(), findings);
        self.owed.finish(&self.exchanges, findings);
        self.agreements.finish(&self.records, findings);
        self.members.finish(&self.records, findings);
        self.records.finish(now_micros, findings);
        Report {
            rows: self.tables.values().sum(),
            tables: self.tables,
            invariants: self.findings.into_results(),
        }
    }

    fn record(&mut self, row: &RecordRow) {
        let Some(proven) = self.records.read(row, &mut self.names, &mut self.findings) else { return };
        self.bodies(&proven);
        let Proven { name, content, value } = proven;
        form::judge(&content, &self.homes, &mut self.findings);
        let window = content.window_id.as_deref().map(|id| self.names.of(id));
        self.owed.record(&name, &content, window, &mut self.findings);
        let names = &mut self.names;
        let postings: Vec<_> = content.postings.iter().map(|line| PostingLine::of(line, names)).collect();
        for (line, number) in postings.iter().zip(1_i64..) {
            self.ledger.post((name.clone(), number), line, Origin::Record);
        }
        self.postings.expect(&name, postings);
        let lots: Vec<_> = content.lots.iter().map(|line| MovementLine::of(line, names)).collect();
        for line in &lots {
            self.ledger.move_lot(line);
        }
        self.movements.expect(&name, lots);
        let window = content.window_id.as_deref().unwrap_or("none");
        let owed = content.obligations.iter().map(|line| ObligationLine::of(line, window, names));
        let owed: Vec<_> = owed.collect();
        for line in &owed {
            self.owed.owe(line);
        }
        self.obligations.expect(&name, owed);
        self.exchanges.phase(&name, &content, &value, &mut self.names, &mut self.findings);
        if let Some(agreement) = content.body.agreement {
            self.agreements.record(&name, agreement, &mut self.findings);
        }
    }

    fn bodies(&mut self, proven: &Proven) {
        let Proven { name, content, .. } = proven;
        if let Some(program) = &content.body.program {
            self.members.program(program);
            self.homes.scales.insert(program.program_id.clone(), program.scale);
        }
        if let Some(membership) = &content.body.membership {
            self.members.membership(membership);
            let home = (membership.membership_id.clone(), membership.program_id.clone());
            self.homes.programs.extend([home]);
            let account = self.names.of(&membership.membership_id);
            self.ledger.open(&account);
        }
        if let Some(consent) = &content.body.consent {
            self.members.granted(consent);
        }
        if let Some(withdrawal) = &content.body.withdrawal {
            self.members.withdrawn(&withdrawal.consent);
        }
        let prepared = content.body.exchange.as_ref().filter(|_| content.kind == "EXCHANGE_PREPARED");
        if let Some(exchange) = prepared {
            self.agreements.judge_legs(name, exchange, &self.records, &mut self.findings);
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
                prepared_at,
                hold_expires_at,
                decided_at,
                prepare_record_id,
                last_record_id,
            } => {
                let row = ReservationRow {
                    state,
                    initiator: initiator_code,
                    prepared_at,
                    hold_expires_at,
                    decided_at,
                    prepare_record: prepare_record_id,
                    last_record: last_record_id,
                };
                let id = names.of(&reservation_id);
                exchanges.row(&id, &row, records, names, findings);
            }
            AuditRow::Leg {
                reservation_id,
                number,
                source_membership_id,
                destination_membership_id,
                source_points,
                credited_points,
                debtor_code,
                creditor_code,
                currency,
                money,
            } => {
                let line = LegLine {
                    source: names.of(&source_membership_id),
                    destination: names.of(&destination_membership_id),
                    source_points,
                    credited_points,
                    debtor: names.of(&debtor_code),
                    creditor: names.of(&creditor_code),
                    currency: names.of(&currency),
                    money,
                };
                exchanges.leg_row(&names.of(&reservation_id), number, line, findings);
            }
            _ => {}
        }
    }

    fn party(&mut self, row: AuditRow) {
        match row {
            AuditRow::Program { program_id, partner_code, scale } => {
                self.members.program_row(program_id, &partner_code, scale);
            }
            AuditRow::Membership { membership_id, program_id, external_reference, reference_salt } => {
                self.members.membership_row(membership_id, &program_id, &external_reference, &reference_salt);
            }
            AuditRow::Agreement { agreement_id, low_code, high_code, active_version, latest_version } => {
                let row = AgreementRow { low: low_code, high: high_code, active_version, latest_version };
                self.agreements.row(agreement_id, &row);
            }
            AuditRow::AgreementVersion { agreement_id, version, terms, terms_hash } => {
                self.agreements.version_row((agreement_id, version), &terms, &terms_hash);
            }
            AuditRow::ConsentInForce { membership_id, recipient_code, scope, consent_id, is_withdrawn } => {
                let key = consent_key(&membership_id, &recipient_code, &scope);
                self.members.consent_row(key, consent_id, is_withdrawn);
            }
            _ => {}
        }
    }

    fn sum(&mut self, row: AuditRow) {
        let Self { names, .. } = self;
        match row {
            AuditRow::Window { window_id, opens_at, closes_at } => {
                self.owed.window_row(names.of(&window_id), opens_at, closes_at);
            }
            AuditRow::Request { scope, method, request_id, record_id } => {
                self.records.request((scope, method, request_id), &record_id, &mut self.findings);
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
        AuditRow::Program { .. } => "program",
        AuditRow::Membership { .. } => "membership",
        AuditRow::Agreement { .. } => "agreement",
        AuditRow::AgreementVersion { .. } => "agreement_version",
        AuditRow::Record { .. } => "record",
        AuditRow::Posting { .. } => "posting",
        AuditRow::LotMovement { .. } => "lot_movement",
        AuditRow::Obligation { .. } => "obligation",
        AuditRow::Request { .. } => "request",
        AuditRow::Reservation { .. } => "reservation",
        AuditRow::Leg { .. } => "exchange_leg",
        AuditRow::Account { .. } => "account",
        AuditRow::Lot { .. } => "lot",
        AuditRow::Exposure { .. } => "exposure",
        AuditRow::Initiator { .. } => "initiator",
        AuditRow::ConsentInForce { .. } => "consent_in_force",
    }
}
