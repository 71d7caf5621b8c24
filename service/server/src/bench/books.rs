//! What the store says was done: exchanges by the moment at which their batch was decided.
//!
//! All commands of a batch are decided at one moment, and no two batches at the same, so that the moments of the records
//! tell how large batches were. Read from the records that the check reads, so that nobody's count has to be believed.

use std::collections::BTreeMap;

use pointbridge_core::record::RecordKind;
use pointbridge_store::{AuditRow, Store};
use serde::Serialize;

/// What a store's records say of exchanges.
#[derive(Debug, Default)]
pub(super) struct Books {
    /// By moment: prepared and committed.
    batches: BTreeMap<i64, Batch>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Batch {
    prepared: u64,
    committed: u64,
}

/// How many commands made a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct BatchSizes {
    /// How many batches there were.
    pub(super) batches: u64,
    /// Half of all batches had no more commands.
    pub(super) p50: u64,
    /// 90 of 100.
    pub(super) p90: u64,
    /// The largest.
    pub(super) max: u64,
    /// Commands by batches.
    pub(super) mean: u64,
}

impl Books {
    /// Reads all records.
    ///
    /// # Errors
    /// The store failed.
    pub(super) async fn read<S: Store>(store: &S) -> anyhow::Result<Self> {
        let mut books = Self::default();
        store.audit(&mut |row| books.note(&row)).await?;
        Ok(books)
    }

    fn note(&mut self, row: &AuditRow) {
        let AuditRow::Record { kind, decided_at, .. } = row else { return };
        if kind == RecordKind::ExchangePrepared.as_str() {
            self.batches.entry(*decided_at).or_default().prepared += 1;
        } else if kind == RecordKind::ExchangeCommitted.as_str() {
            self.batches.entry(*decided_at).or_default().committed += 1;
        }
    }

    /// How many exchanges were committed from one moment to another, both included; microseconds since 1970.
    pub(super) fn committed(&self, from: i64, to: i64) -> u64 {
        self.batches.range(from..=to).map(|(_, batch)| batch.committed).sum()
    }

    /// How many were committed in all.
    pub(super) fn committed_in_all(&self) -> u64 {
        self.committed(i64::MIN, i64::MAX)
    }

    /// The sizes of the batches of several spans of time.
    pub(super) fn sizes(&self, spans: &[(i64, i64)]) -> BatchSizes {
        let of_span = |(from, to): &(i64, i64)| self.batches.range(*from..=*to);
        let mut sizes: Vec<u64> =
            spans.iter().flat_map(of_span).map(|(_, batch)| batch.prepared + batch.committed).collect();
        sizes.sort_unstable();
        let at =
            |per_cent: usize| sizes.get((sizes.len() * per_cent / 100).min(sizes.len().saturating_sub(1)));
        let batches = u64::try_from(sizes.len()).unwrap_or(u64::MAX);
        BatchSizes {
            batches,
            p50: at(50).copied().unwrap_or_default(),
            p90: at(90).copied().unwrap_or_default(),
            max: sizes.last().copied().unwrap_or_default(),
            mean: sizes.iter().sum::<u64>().checked_div(batches).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: RecordKind, decided_at: i64) -> AuditRow {
        AuditRow::Record {
            record_id: String::new(),
            kind: kind.as_str().to_owned(),
            decided_at,
            window_id: None,
            bytes: Vec::new(),
            hash: Vec::new(),
        }
    }

    #[test]
    fn batches_are_told_apart_by_their_moment_and_only_commits_count() {
        let mut books = Books::default();
        for (kind, at) in [
            (RecordKind::PointsAccrued, 5),
            (RecordKind::ExchangePrepared, 10),
            (RecordKind::ExchangePrepared, 10),
            (RecordKind::ExchangeCommitted, 20),
            (RecordKind::ExchangePrepared, 20),
            (RecordKind::ExchangeCommitted, 20),
            (RecordKind::ExchangeAborted, 30),
            (RecordKind::ExchangeCommitted, 40),
        ] {
            books.note(&record(kind, at));
        }
        assert_eq!((books.committed(10, 20), books.committed(20, 40), books.committed_in_all()), (2, 3, 3));
        let sizes = books.sizes(&[(0, 20), (40, 40)]);
        assert_eq!(sizes, BatchSizes { batches: 3, p50: 2, p90: 3, max: 3, mean: 2 });
        assert_eq!(books.sizes(&[(50, 60)]), BatchSizes::default());
    }
}
