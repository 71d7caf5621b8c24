//! What time asks for: holds that are over, and accounts with lots that are; and how much is held at all.
//!
//! All statements read an index that has only what is open, in the order of time, and stop at the limit.

use pointbridge_core::ids::{ExchangeId, MembershipId};
use pointbridge_core::time::Timestamp;
use pointbridge_store::{Due, Pulse, StoreError};

use crate::error;
use crate::reading::Kind::{Id, Int};
use crate::reading::{Noun, Reading};
use crate::rows::Cells;
use crate::session::{Bind, Session};
use crate::time::{self, Time};

/// What time it is. $1 and $2: the clock.
const NOW: &str = time::moment!();

static MOMENT: Noun =
    Noun { columns: &[("now", Int, "moment.now"), ("epoch", Int, "moment.epoch")], from: "from moment" };

static HOLD: Noun = Noun {
    columns: &[("reservation_id", Id, "over.reservation_id")],
    from: "from (select reservation_id from reservation, moment
            where reservation.decided_at is null and reservation.hold_expires_at <= moment.now
            order by hold_expires_at, reservation_id limit $1) as over",
};

/// An account counts with the first of its lots that is over.
static LOTS: Noun = Noun {
    columns: &[("membership_id", Id, "over.membership_id")],
    from: "from (select membership_id from lot, moment
            where lot.has_free and lot.expires_at < 9223372036854775807 and lot.expires_at <= moment.now
            group by membership_id order by min(expires_at), membership_id limit $1) as over",
};

pub(crate) async fn read(session: &mut Session<'_>, time: &Time, limit: u32) -> Result<Vec<Due>, StoreError> {
    let mut reading = Reading::beginning_with(NOW, time.binds());
    reading.ask(&HOLD, vec![Bind::int(i64::from(limit))]);
    reading.ask(&LOTS, vec![Bind::int(i64::from(limit))]);
    let found = reading.read(session).await?;
    let holds = found.of(&HOLD)?;
    let holds = holds.iter().map(|row| row.id("reservation_id", ExchangeId::new).map(Due::Hold));
    let lots = found.of(&LOTS)?;
    let lots = lots.iter().map(|row| row.id("membership_id", MembershipId::new).map(Due::Lots));
    holds.chain(lots).collect()
}

static OPEN: Noun = Noun {
    columns: &[
        ("holds_open", Int, "held.holds_open"),
        ("oldest_hold_at", Int, "held.oldest_hold_at"),
        ("first_hold_ends_at", Int, "held.first_hold_ends_at"),
    ],
    from: "from (select count(*) as holds_open, min(prepared_at) as oldest_hold_at,
             min(hold_expires_at) as first_hold_ends_at
         from reservation where decided_at is null) as held",
};

pub(crate) async fn pulse(session: &mut Session<'_>, time: &Time) -> Result<Pulse, StoreError> {
    let mut reading = Reading::beginning_with(NOW, time.binds());
    reading.ask(&MOMENT, Vec::new());
    reading.ask(&OPEN, Vec::new());
    let found = reading.read(session).await?;
    let (moments, sums) = (found.of(&MOMENT)?, found.of(&OPEN)?);
    let (Some(moment), Some(held)) = (moments.first(), sums.first()) else {
        return Err(error::broken("the store has no state"));
    };
    Ok(Pulse {
        holds_open: held.int("holds_open")?,
        oldest_hold_at: held.time_or_null("oldest_hold_at")?,
        first_hold_ends_at: held.time_or_null("first_hold_ends_at")?,
        now: time.now(moment.time("now")?),
    })
}

/// The store's clock and its epoch.
pub(crate) async fn now(session: &mut Session<'_>, time: &Time) -> Result<(Timestamp, u32), StoreError> {
    let mut reading = Reading::beginning_with(NOW, time.binds());
    reading.ask(&MOMENT, Vec::new());
    let found = reading.read(session).await?;
    let moments = found.of(&MOMENT)?;
    let moment = moments.first().ok_or_else(|| error::broken("the store has no state"))?;
    Ok((time.now(moment.time("now")?), moment.number("epoch")?))
}
