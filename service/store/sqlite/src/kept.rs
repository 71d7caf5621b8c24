//! What is kept in memory of the database: rows that batches keep asking for, so that a batch reads only what is not kept.
//!
//! ```text
//! batch ──► fill (what is kept) ──► load (what is missing) ──► learn ──► decide ──► write ──► written (what changed)
//! ```
//!
//! What is kept is what the last commit left, and nothing else: it changes only after a commit, and all of it is forgotten
//! where a batch may or may not have been written. Should another process have written (an operator's own SQL, a second hub on the
//! same file), the database's count of such writes tells before a batch writes or is answered, and it is decided anew on what is
//! read then.
//!
//! Kept is only what a command asks for after its facts have shown that its caller may: whether another's object exists must not
//! show in what is read. Facts, parties, memberships, consents and requests are read each time, and of exchanges only the bytes are kept.
//!
//! An entry is a row that exists. That there is none is never kept: who asks for what does not exist reads.

mod batch;
mod recent;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pointbridge_core::exposure::{Exposure, ExposureKey};
use pointbridge_core::ids::{ExchangeId, MembershipId, WindowId};
use pointbridge_core::ledger::{Account, Lot, LotKey};
use pointbridge_core::record::Record;
use pointbridge_core::text::PartnerCode;
use pointbridge_core::time::Timestamp;

use recent::Recent;

pub(crate) use batch::Missing;

/// Members in each of two generations, with accounts and lots: about 300 bytes each where there are few lots.
const MEMBERSHIPS_KEPT: usize = 24_576;

/// Exchanges in each of two generations, 2 to 3 KiB each: what tills have under way.
const EXCHANGES_KEPT: usize = 2_048;

/// Sums of partners and pairs in each of two generations.
const PARTIES_KEPT: usize = 1_024;

/// Lots of an account that are kept: an account with more is read each time.
const LOTS_KEPT: usize = 24;

/// What is kept.
pub(crate) struct Kept(Mutex<Known>);

/// The database as a whole, as its last commit left it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    pub(crate) window: WindowId,
    pub(crate) epoch: u32,
    /// The latest time that a batch wrote with.
    pub(crate) last_now: Timestamp,
    /// The number of the last record.
    pub(crate) last_record_number: i64,
    /// What SQLite counts up on this connection whenever another one has written.
    pub(crate) data_version: i64,
}

struct Known {
    head: Option<Head>,
    accounts: Recent<MembershipId, Account>,
    /// All lots of an account that have something free. Others may be among them.
    lots: Recent<MembershipId, BTreeMap<LotKey, Lot>>,
    /// The records that prepared exchanges, while these are not ended.
    prepared: Recent<ExchangeId, Arc<Record>>,
    exposures: Recent<ExposureKey, Exposure>,
    live_holds: Recent<PartnerCode, i64>,
}

impl Known {
    fn nothing() -> Self {
        Self {
            head: None,
            accounts: Recent::new(MEMBERSHIPS_KEPT),
            lots: Recent::new(MEMBERSHIPS_KEPT),
            prepared: Recent::new(EXCHANGES_KEPT),
            exposures: Recent::new(PARTIES_KEPT),
            live_holds: Recent::new(PARTIES_KEPT),
        }
    }
}

impl Kept {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Known::nothing()))
    }

    /// Forgets everything: something else than the batches that were told of may be in the database.
    pub(crate) fn forget(&self) {
        *self.lock() = Known::nothing();
    }

    pub(crate) fn head(&self) -> Option<Head> {
        self.lock().head
    }

    pub(crate) fn keep_head(&self, head: Head) {
        self.lock().head = Some(head);
    }

    /// Nothing is left half done between two statements, so a panic elsewhere leaves nothing to distrust.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
