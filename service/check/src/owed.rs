//! What partners owe: exposures, windows, and the live holds that each initiator is allowed a number of.
//!
//! Kept: three sums per pair and currency, the earliest and the latest record per window, a count per initiator.

use std::collections::{BTreeMap, BTreeSet};

use crate::content::Content;
use crate::exchanges::Exchanges;
use crate::invariant::Invariant;
use crate::lines::ObligationLine;
use crate::names::{Name, or_none};
use crate::report::Findings;

/// A row of `exposure`, or what it should be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Exposure {
    pub(crate) committed_low: i128,
    pub(crate) prepared_low: i128,
    pub(crate) prepared_high: i128,
}

/// A pair, the lower code first, and a currency.
pub(crate) type ExposureKey = (Name, Name, Name);

#[derive(Debug)]
struct Window {
    opens_at: i64,
    closes_at: Option<i64>,
}

/// When a record was decided, and which it is.
type Moment = (i64, Name);

/// Exposures, windows and initiators.
#[derive(Debug, Default)]
pub(crate) struct Owed {
    exposures: BTreeMap<ExposureKey, Exposure>,
    exposure_rows: BTreeMap<ExposureKey, Exposure>,
    windows: BTreeMap<Name, Window>,
    /// The earliest and the latest record of each window.
    spans: BTreeMap<Name, (Moment, Moment)>,
    initiators: BTreeMap<Name, i64>,
}

impl Owed {
    pub(crate) fn window_row(&mut self, id: Name, opens_at: i64, closes_at: Option<i64>) {
        self.windows.insert(id, Window { opens_at, closes_at });
    }

    pub(crate) fn exposure_row(&mut self, key: ExposureKey, row: Exposure) {
        self.exposure_rows.insert(key, row);
    }

    pub(crate) fn initiator_row(&mut self, partner: Name, live_holds: i64) {
        self.initiators.insert(partner, live_holds);
    }

    /// Takes in the window of a record: there is one where something is owed, and only there.
    pub(crate) fn record(
        &mut self,
        record: &Name,
        content: &Content,
        window: Option<Name>,
        findings: &mut Findings,
    ) {
        let is_owed = !content.obligations.is_empty();
        if is_owed || window.is_some() {
            findings.checked(Invariant::ObligationWindow);
        }
        match window {
            Some(window) if is_owed => {
                let moment = (content.decided_at.0, record.clone());
                let span = self.spans.entry(window).or_insert_with(|| (moment.clone(), moment.clone()));
                if moment.0 < span.0.0 {
                    span.0 = moment;
                } else if moment.0 > span.1.0 {
                    span.1 = moment;
                }
            }
            None if !is_owed => {}
            window => {
                let expected = if is_owed { "a window" } else { "no window" };
                let row = format!("record {record}");
                findings.add(Invariant::ObligationWindow, row, expected, or_none(window));
            }
        }
    }

    /// An obligation came about.
    pub(crate) fn owe(&mut self, line: &ObligationLine) {
        let (exposure, is_low) = self.exposure(&line.debtor, &line.creditor, &line.currency);
        let money = i128::from(line.money);
        exposure.committed_low += if is_low { money } else { -money };
    }

    fn exposure(&mut self, debtor: &Name, creditor: &Name, currency: &Name) -> (&mut Exposure, bool) {
        let is_low = debtor < creditor;
        let (low, high) = if is_low { (debtor, creditor) } else { (creditor, debtor) };
        let key = (low.clone(), high.clone(), currency.clone());
        (self.exposures.entry(key).or_default(), is_low)
    }

    /// Judges everything; what is prepared is what `exchanges` has live.
    pub(crate) fn finish(&mut self, exchanges: &Exchanges, findings: &mut Findings) {
        let mut live_holds: BTreeMap<Name, i64> = BTreeMap::new();
        for (initiator, legs) in exchanges.live() {
            *live_holds.entry(initiator.clone()).or_default() += 1;
            for leg in legs {
                let (exposure, is_low) = self.exposure(&leg.debtor, &leg.creditor, &leg.currency);
                let prepared = if is_low { &mut exposure.prepared_low } else { &mut exposure.prepared_high };
                *prepared += i128::from(leg.money);
            }
        }
        self.judge_exposures(findings);
        let partners: BTreeSet<&Name> = live_holds.keys().chain(self.initiators.keys()).collect();
        for partner in partners {
            // A row that is not there counts nothing.
            let [expected, found] =
                [&live_holds, &self.initiators].map(|side| side.get(partner).copied().unwrap_or_default());
            findings.compare(
                Invariant::InitiatorLiveHolds,
                format!("initiator {partner}"),
                &expected,
                &found,
            );
        }
        self.judge_windows(findings);
    }

    fn judge_exposures(&self, findings: &mut Findings) {
        let keys: BTreeSet<_> = self.exposures.keys().chain(self.exposure_rows.keys()).collect();
        for key in keys {
            let sums = |side: &BTreeMap<ExposureKey, Exposure>| side.get(key).copied().unwrap_or_default();
            let text = |exposure: Exposure| {
                let Exposure { committed_low, prepared_low, prepared_high } = exposure;
                format!("committed {committed_low}, prepared {prepared_low} and {prepared_high}")
            };
            let [expected, found] = [&self.exposures, &self.exposure_rows].map(|side| text(sums(side)));
            let row = format!("exposure {}/{}/{}", key.0, key.1, key.2);
            findings.compare(Invariant::ExposureRows, row, &expected, &found);
        }
    }

    fn judge_windows(&self, findings: &mut Findings) {
        for (id, (first, last)) in &self.spans {
            findings.checked(Invariant::ObligationWindow);
            let row = format!("window {id}");
            let Some(window) = self.windows.get(id) else {
                findings.add(
                    Invariant::ObligationWindow,
                    row,
                    format!("a window for record {}", first.1),
                    "none",
                );
                continue;
            };
            if first.0 < window.opens_at {
                let expected = format!("open by {} for record {}", first.0, first.1);
                findings.add(
                    Invariant::ObligationWindow,
                    row,
                    expected,
                    format!("opens at {}", window.opens_at),
                );
            } else if let Some(closes_at) = window.closes_at.filter(|at| *at <= last.0) {
                let expected = format!("open after {} for record {}", last.0, last.1);
                findings.add(Invariant::ObligationWindow, row, expected, format!("closes at {closes_at}"));
            }
        }
    }
}
