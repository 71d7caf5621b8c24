//! What every party may ask of the hub at a time, counted before a request's body is read.
//!
//! | limit | default | beyond it |
//! | --- | --- | --- |
//! | calls per second of a party | 2,000, and 4,000 at once | RATE_LIMITED, with the time until the next one |
//! | calls under way of a party | 256 | CONCURRENCY_LIMITED |
//! | bytes that the hub waits for, of a party | a quarter of all | CONCURRENCY_LIMITED |
//! | bytes that the hub waits for, in all | 64 MiB | OVERLOADED |
//! | calls per second from an address, of callers that are not registered or that are refused as unknown | 200, and 2,000 at once | RATE_LIMITED |
//! | calls under way from an address, of such callers | 64 | CONCURRENCY_LIMITED |
//!
//! A party is a partner with all its systems and people, the operator, or the auditors. Only those that are registered have a
//! share of their own, so that certificates that name nobody take no memory.
//!
//! A call holds its place until its answer is sent, and a write until it is written, even where its caller went away: who
//! cancels writes as fast as it asks for them would else fill the queue from one place.
//!
//! Absent on purpose: a limit over several hubs, and a share that depends on what a call costs.

mod share;
mod table;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pointbridge_core::caller::{Caller, Party};
use pointbridge_core::rejection::Reason;
use pointbridge_engine::Kept;
use tonic::Status;

use self::share::{Share, Ticks};
use self::table::Table;
use crate::quota::{self, Quotas};
use crate::status::{self, Limit};

/// The largest message that a caller may send: 256 KiB. The largest that the interface allows, an agreement of 16 directions,
/// has 12 KiB. Whoever announces more is refused for that.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;

/// What the hub waits for at most: 256 messages of the largest size, each of which takes its room from its first bytes on.
pub const UNDECODED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The part of it that one party may take: a quarter, so that slow senders of one party leave room for all others.
const UNDECODED_BYTES_PER_PARTY_MAX: usize = UNDECODED_BYTES_MAX / 4;

/// Parties with a share of their own. Each has about 300 bytes.
const PARTIES_MAX: usize = 4_096;

/// Addresses with a share of their own.
const ADDRESSES_MAX: usize = 1_024;

/// What callers that are not registered may do, per address: enough for a monitor, and for a whole company behind one address
/// whose certificates are not registered yet.
const STRANGERS: Allowance = Allowance::of(200, 2_000, 64);

/// The largest rate, burst and number of calls under way that can be configured.
pub const ALLOWANCE_MAX: u32 = 1_000_000;

/// How much a party may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Calls per second, in the long run; 1 to [`ALLOWANCE_MAX`].
    pub rate_per_second: NonZeroU32,
    /// Calls at once after a rest; 1 to [`ALLOWANCE_MAX`].
    pub rate_burst: NonZeroU32,
    /// Calls under way; 1 to [`ALLOWANCE_MAX`].
    pub calls_in_flight_max: NonZeroU32,
}

impl Allowance {
    /// An allowance; what is 0 counts as 1.
    #[must_use]
    pub const fn of(rate_per_second: u32, rate_burst: u32, calls_in_flight_max: u32) -> Self {
        const fn at_least_one(number: u32) -> NonZeroU32 {
            match NonZeroU32::new(number) {
                Some(number) => number,
                None => NonZeroU32::MIN,
            }
        }
        Self {
            rate_per_second: at_least_one(rate_per_second),
            rate_burst: at_least_one(rate_burst),
            calls_in_flight_max: at_least_one(calls_in_flight_max),
        }
    }
}

impl Default for Allowance {
    /// Generous for one partner: half of what a small machine serves in all.
    fn default() -> Self {
        Self::of(2_000, 4_000, 256)
    }
}

/// What a party has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaStanding {
    /// What it may in all.
    pub allowance: Allowance,
    /// Calls that it could make at once, as of its last call.
    pub tokens_left: u32,
    /// Its calls under way, writes included whose callers went away.
    pub calls_in_flight: u32,
}

/// The limits of one hub.
#[derive(Debug)]
pub struct CallLimits {
    parties: Table<Party>,
    strangers: Table<IpAddr>,
    undecoded: Arc<AtomicUsize>,
}

/// A call that was let in. Clones are the same call; its place is free when the last one is dropped.
#[derive(Debug, Clone)]
pub struct Admission(Arc<Place>);

#[derive(Debug)]
struct Place {
    share: Arc<Share>,
    undecoded: Arc<AtomicUsize>,
}

/// Room for the bytes of a message that is on its way, given back when dropped.
#[derive(Debug)]
pub struct Room {
    place: Arc<Place>,
    bytes: usize,
}

impl CallLimits {
    /// Limits under which every party may have as much as `allowance`.
    #[must_use]
    pub fn new(allowance: Allowance) -> Self {
        Self::on(allowance, Ticks::of_host())
    }

    fn on(allowance: Allowance, ticks: Ticks) -> Self {
        Self {
            parties: Table::new(allowance, PARTIES_MAX, ticks.clone()),
            strangers: Table::new(STRANGERS, ADDRESSES_MAX, ticks),
            undecoded: Arc::default(),
        }
    }

    /// Lets a call of a registered party in.
    ///
    /// # Errors
    /// RATE_LIMITED, then CONCURRENCY_LIMITED, each with when to come back.
    pub fn enter(&self, caller: &Caller) -> Result<Admission, Status> {
        let share = self.parties.share(caller.party.clone(), || caller.request_scope());
        self.admit(share)
    }

    /// Lets a call in whose caller is not known to be registered.
    ///
    /// # Errors
    /// As [`CallLimits::enter`], by the address.
    pub fn enter_from(&self, address: IpAddr) -> Result<Admission, Status> {
        self.admit(self.stranger(address))
    }

    /// Counts a call of nobody that is known, or a question whether somebody is.
    ///
    /// # Errors
    /// RATE_LIMITED, with when to come back.
    pub fn charge(&self, address: IpAddr) -> Result<(), Status> {
        take_token(&self.stranger(address))
    }

    /// Whether the party was let in before: it is registered then, and needs nobody to pay for the question.
    #[must_use]
    pub fn knows(&self, party: &Party) -> bool {
        !matches!(party, Party::Partner(_)) || self.parties.find(party).is_some()
    }

    /// What a party has left.
    #[must_use]
    pub fn standing(&self, party: &Party) -> QuotaStanding {
        let share = self.parties.find(party);
        let unused = || QuotaStanding {
            allowance: self.parties.allowance,
            tokens_left: self.parties.allowance.rate_burst.get(),
            calls_in_flight: 0,
        };
        share.map_or_else(unused, |share| standing(&share))
    }

    fn stranger(&self, address: IpAddr) -> Arc<Share> {
        let address = network(address);
        self.strangers.share(address, || address.to_string())
    }

    fn admit(&self, share: Arc<Share>) -> Result<Admission, Status> {
        take_token(&share)?;
        if !share.take_place() {
            let max = share.allowance.calls_in_flight_max;
            let what = format!(
                "you have {max} calls under way, as many as you may: wait for answers, and retry with the same request_id"
            );
            let description = format!("{max} calls under way");
            return Err(refuse(Reason::ConcurrencyLimited, &what, &share, description));
        }
        Ok(Admission(Arc::new(Place { share, undecoded: Arc::clone(&self.undecoded) })))
    }
}

impl Admission {
    /// What the party has left, this call included.
    #[must_use]
    pub fn standing(&self) -> QuotaStanding {
        standing(&self.0.share)
    }

    /// The same as WhoAmI tells it.
    #[must_use]
    pub fn quotas(&self) -> Quotas {
        let QuotaStanding { allowance, tokens_left, calls_in_flight } = self.standing();
        let (rate, burst) = (allowance.rate_per_second.get(), allowance.rate_burst.get());
        let places = allowance.calls_in_flight_max.get();
        let quota = |name, limit: u32, remaining: u32| quota::Quota {
            name,
            limit: limit.into(),
            remaining: remaining.into(),
        };
        Quotas(vec![
            quota("calls_per_second", rate, tokens_left.min(rate)),
            quota("calls_at_once", burst, tokens_left),
            quota("calls_under_way", places, places.saturating_sub(calls_in_flight)),
        ])
    }

    /// Its place, to be kept by a write until it is done.
    #[must_use]
    pub fn kept(&self) -> Kept {
        let place: Arc<Place> = Arc::clone(&self.0);
        place
    }

    /// Takes room for a message of so many bytes that is on its way.
    ///
    /// # Errors
    /// CONCURRENCY_LIMITED where the party has the hub wait for too much, then OVERLOADED where all of them together do.
    pub fn reserve(&self, bytes: usize) -> Result<Room, Status> {
        let Place { share, undecoded } = &*self.0;
        if !add(share.bytes(), bytes, UNDECODED_BYTES_PER_PARTY_MAX) {
            let what = "your calls under way announce more bytes than you may send at a time: send each message at once, and \
                        retry with the same request_id";
            let description = format!("{UNDECODED_BYTES_PER_PARTY_MAX} bytes on their way");
            return Err(refuse(Reason::ConcurrencyLimited, what, share, description));
        }
        if !add(undecoded, bytes, UNDECODED_BYTES_MAX) {
            share.bytes().fetch_sub(bytes, Ordering::AcqRel);
            return Err(status::of_overload());
        }
        Ok(Room { place: Arc::clone(&self.0), bytes })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.share.give_place_back();
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.place.share.bytes().fetch_sub(self.bytes, Ordering::AcqRel);
        self.place.undecoded.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

fn standing(share: &Share) -> QuotaStanding {
    QuotaStanding {
        allowance: share.allowance,
        tokens_left: share.tokens_left(),
        calls_in_flight: share.in_flight(),
    }
}

fn take_token(share: &Share) -> Result<(), Status> {
    share.take_token().map_err(|wait| {
        let Allowance { rate_per_second, rate_burst, .. } = share.allowance;
        let what = format!(
            "you make more than {rate_per_second} calls per second: retry with the same request_id after the time in RetryInfo"
        );
        let description = format!("{rate_per_second} calls per second, {rate_burst} at once");
        let limit = Limit { subject: share.name.clone(), description, retry_after: Some(wait) };
        status::of_limit(Reason::RateLimited, &what, &limit)
    })
}

fn refuse(reason: Reason, what: &str, share: &Share, description: String) -> Status {
    let limit = Limit { subject: share.name.clone(), description, retry_after: None };
    status::of_limit(reason, what, &limit)
}

/// Adds, unless that were more than `max`.
fn add(counter: &AtomicUsize, amount: usize, max: usize) -> bool {
    let next = |held: usize| held.checked_add(amount).filter(|next| *next <= max);
    counter.fetch_update(Ordering::AcqRel, Ordering::Acquire, next).is_ok()
}

/// The network that one customer has: an address of version 4, the first 64 bits of one of version 6.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let mask = u128::from(u64::MAX) << u64::BITS;
            IpAddr::V6((address.to_bits() & mask).into())
        }
        address @ IpAddr::V4(_) => address,
    }
}
