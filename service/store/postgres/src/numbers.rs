//! Numbers of records: taken from the database by the block, given out one batch after the other.
//!
//! A batch takes its numbers once it has its rows, so that of two batches of one hub that touch the same row the later one has
//! the higher numbers. Across hubs the times tell the order, which is why those of two hubs never tie. What a batch that fails
//! had taken is lost: numbers are unique, and have gaps.

use pointbridge_store::StoreError;
use tokio::sync::Mutex;

use crate::error;
use crate::rows::Cells;
use crate::session::Session;

/// How many numbers a block has: what the sequence grows by. A batch has far fewer records.
const BLOCK: i64 = 4_096;

/// How many blocks a batch may ask for: 64 × 4,096 records.
const BLOCKS_MAX: i64 = 64;

/// What is left of a block.
#[derive(Debug, Default)]
pub(crate) struct Numbers(Mutex<Left>);

/// The next number, and the first one that is not ours.
#[derive(Debug, Default, Clone, Copy)]
struct Left {
    next: i64,
    end: i64,
}

impl Left {
    /// The first of so many numbers, where they are left.
    fn take(&mut self, count: i64) -> Option<i64> {
        let first = self.next;
        let next = first.checked_add(count).filter(|next| *next <= self.end)?;
        self.next = next;
        Some(first)
    }

    /// Adds a block: to what is left, where it follows; else in its place.
    fn add(&mut self, first: i64) {
        if first != self.end {
            self.next = first;
        }
        self.end = first.saturating_add(BLOCK);
    }
}

impl Numbers {
    /// The first of so many numbers in a row. Who has to fetch a block lets others wait, so that numbers only grow.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn take(&self, session: &mut Session<'_>, count: usize) -> Result<i64, StoreError> {
        let count = i64::try_from(count).map_err(|_| error::broken("a bound beyond 64 bits"))?;
        let mut left = self.0.lock().await;
        for _ in 0..=BLOCKS_MAX {
            if let Some(first) = left.take(count) {
                return Ok(first);
            }
            let row = session.row("select nextval('record_number') as first", Vec::new()).await?;
            left.add(row.ok_or_else(|| error::broken("a sequence has no value"))?.int("first")?);
        }
        Err(error::broken("a batch has more records than there are numbers in a row"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_and_blocks_that_follow_one_another_are_one() {
        let mut left = Left::default();
        assert_eq!(left.take(1), None);
        left.add(1);
        assert_eq!(left.take(4_000), Some(1));
        assert_eq!(left.take(97), None, "96 are left");
        left.add(4_097);
        assert_eq!(left.take(97), Some(4_001), "over the edge");
        left.add(100_001);
        assert_eq!(left.take(1), Some(100_001), "another hub was in between");
        assert_eq!(left.take(4_095), Some(100_002));
        assert_eq!(left.take(1), None);
    }
}
