//! Writing records with their lines, accounts and lots.

use pointbridge_core::ids::MembershipId;
use pointbridge_core::ledger::{Account, LotDelta, LotKey};
use pointbridge_core::record::SealedRecord;
use pointbridge_core::time::{Expiry, Timestamp};
use pointbridge_core::world::Changes;
use pointbridge_store::StoreError;
use serde::Serialize;

use super::{put, put_each};
use crate::error;
use crate::keys;
use crate::script::Script;
use crate::session::Bind;

/// Writes the records; the first gets the number `first`. Their bytes go as one parameter of their own that the rows name
/// parts of: within JSON, every quotation mark of theirs would be escaped and read again.
pub(super) fn records(script: &mut Script, changes: &Changes, first: i64) -> Result<(), StoreError> {
    let mut rows = Vec::with_capacity(changes.records.len());
    let mut bytes = Vec::with_capacity(changes.records.iter().map(|sealed| sealed.bytes.len()).sum());
    for (number, sealed) in (first..).zip(&changes.records) {
        let record = &sealed.record;
        let begin: usize = bytes.len();
        bytes.extend_from_slice(&sealed.bytes);
        rows.push((
            number,
            keys::id!(record.record_id),
            record.kind.as_str(),
            record.decided_at.micros(),
            record.window_id.map(|id| keys::id!(id)),
            (begin, sealed.bytes.len()),
            keys::hash(&sealed.hash),
            keys::bits(sealed.salt),
        ));
    }
    if rows.is_empty() {
        return Ok(());
    }
    let sql = "insert or rollback into record (record_number, record_id, kind, decided_at, window_id, bytes, hash, salt)
         select value ->> 0, unhex(value ->> 1), value ->> 2, value ->> 3, unhex(value ->> 4),
             substr(?, 1 + (value ->> '$[5][0]'), value ->> '$[5][1]'), unhex(value ->> 6), unhex(value ->> 7)
         from jsonb_each(?)";
    script.add(sql, vec![Bind::Bytes(bytes), keys::array(&rows)?]);
    Ok(())
}

/// Writes accounts and lots as they are now.
pub(super) fn balances(script: &mut Script, changes: &Changes) -> Result<(), StoreError> {
    let (new, known): (Vec<_>, Vec<_>) = changes
        .accounts
        .values()
        .partition(|account| changes.memberships.contains_key(&account.membership_id));
    put(
        script,
        "insert into account (membership_id, posted, held, postings, live_holds)
         select unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4
         from jsonb_each(?) where true
         on conflict (membership_id) do update set
             posted = excluded.posted, held = excluded.held, postings = excluded.postings,
             live_holds = excluded.live_holds",
        new.into_iter().map(account_row).collect(),
    )?;
    put_each(
        script,
        "update or rollback account set
             posted = next.posted, held = next.held, postings = next.postings, live_holds = next.live_holds
         from (
             select unhex(value ->> 0) as membership_id, value ->> 1 as posted, value ->> 2 as held,
                 value ->> 3 as postings, value ->> 4 as live_holds
             from jsonb_each(?)
         ) as next
         where account.membership_id = next.membership_id",
        known.into_iter().map(account_row).collect(),
        "account",
    )?;
    lots(script, changes)
}

/// Lots, and last which of them have something free now.
fn lots(script: &mut Script, changes: &Changes) -> Result<(), StoreError> {
    // What comes may come to a lot that is new; what comes and leaves again within the batch has made its lot all the same.
    let (come, leave): (Vec<_>, Vec<_>) =
        changes.lots.iter().partition(|(_, delta)| 0 <= delta.held && delta.held <= delta.remaining);
    put(
        script,
        "insert into lot (membership_id, expires_at, origin_month, exchangeable, remaining, held)
         select unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
         from jsonb_each(?) where true
         on conflict (membership_id, expires_at, origin_month, exchangeable) do update set
             remaining = lot.remaining + excluded.remaining, held = lot.held + excluded.held",
        come.into_iter().map(lot_row).collect(),
    )?;
    put_each(
        script,
        "update or rollback lot set remaining = lot.remaining + delta.remaining, held = lot.held + delta.held
         from (
             select unhex(value ->> 0) as membership_id, value ->> 1 as expires_at, value ->> 2 as origin_month,
                 value ->> 3 as exchangeable, value ->> 4 as remaining, value ->> 5 as held
             from jsonb_each(?)
         ) as delta
         where lot.membership_id = delta.membership_id and lot.expires_at = delta.expires_at
             and lot.origin_month = delta.origin_month and lot.exchangeable = delta.exchangeable",
        leave.into_iter().map(lot_row).collect(),
        "lot",
    )?;
    put(
        script,
        "update or rollback lot set has_free = (lot.remaining > lot.held)
         from (
             select unhex(value ->> 0) as membership_id, value ->> 1 as expires_at, value ->> 2 as origin_month,
                 value ->> 3 as exchangeable
             from jsonb_each(?)
         ) as moved
         where lot.membership_id = moved.membership_id and lot.expires_at = moved.expires_at
             and lot.origin_month = moved.origin_month and lot.exchangeable = moved.exchangeable
             and lot.has_free <> (lot.remaining > lot.held)",
        changes.lots.iter().map(lot_key).collect(),
    )
}

fn account_row(account: &Account) -> impl Serialize + use<> {
    let id = keys::id!(account.membership_id);
    (id, account.posted, account.held, account.postings, account.live_holds)
}

fn lot_key(((membership, key), _): (&(MembershipId, LotKey), &LotDelta)) -> impl Serialize + use<> {
    (keys::id!(membership), key.expiry.micros(), key.origin.number(), key.exchangeable)
}

fn lot_row(((membership, key), delta): (&(MembershipId, LotKey), &LotDelta)) -> impl Serialize + use<> {
    let (expires_at, origin) = (key.expiry.micros(), key.origin.number());
    (keys::id!(membership), expires_at, origin, key.exchangeable, delta.remaining, delta.held)
}

/// Writes what the records say line by line; the first record has the number `first`.
pub(super) fn lines(script: &mut Script, changes: &Changes, first: i64) -> Result<(), StoreError> {
    postings(script, changes, first)?;
    lot_movements(script, changes, first)?;
    obligations(script, changes, first)
}

/// The records with their numbers.
fn numbered(changes: &Changes, first: i64) -> impl Iterator<Item = (i64, &SealedRecord)> {
    (first..).zip(&changes.records)
}

fn postings(script: &mut Script, changes: &Changes, first: i64) -> Result<(), StoreError> {
    let rows = numbered(changes, first).flat_map(|(record_number, sealed)| {
        (1_i64..).zip(&sealed.record.postings).map(move |(number, posting)| {
            let member = posting.member.as_ref();
            (
                record_number,
                number,
                keys::id!(posting.program_id),
                posting.account.as_str(),
                posting.amount.minor(),
                member.map(|m| (keys::id!(m.membership_id), m.sequence, m.balance_after.minor())),
            )
        })
    });
    put(
        script,
        "insert or rollback into posting (
             record_number, posting_number, program_id, account, amount, membership_id, member_sequence, balance_after)
         select value ->> 0, value ->> 1, unhex(value ->> 2), value ->> 3, value ->> 4, unhex(value ->> '$[5][0]'),
             value ->> '$[5][1]', value ->> '$[5][2]'
         from jsonb_each(?)",
        rows.collect(),
    )
}

fn lot_movements(script: &mut Script, changes: &Changes, first: i64) -> Result<(), StoreError> {
    let rows = numbered(changes, first).flat_map(|(record_number, sealed)| {
        (1_i64..).zip(&sealed.record.lots).map(move |(number, moved)| {
            (
                record_number,
                number,
                keys::id!(moved.membership_id),
                moved.expires_at.map_or(Expiry::NEVER_MICROS, Timestamp::micros),
                moved.origin_month,
                moved.exchangeable,
                moved.remaining.minor(),
                moved.held.minor(),
            )
        })
    });
    put(
        script,
        "insert or rollback into lot_movement (
             record_number, movement_number, membership_id, expires_at, origin_month, exchangeable, remaining, held)
         select value ->> 0, value ->> 1, unhex(value ->> 2), value ->> 3, value ->> 4, value ->> 5, value ->> 6,
             value ->> 7
         from jsonb_each(?)",
        rows.collect(),
    )
}

fn obligations(script: &mut Script, changes: &Changes, first: i64) -> Result<(), StoreError> {
    let mut rows = Vec::new();
    for (record_number, sealed) in numbered(changes, first) {
        for (number, owed) in (1_i64..).zip(&sealed.record.obligations) {
            let window = sealed.record.window_id;
            let window = window.ok_or_else(|| error::broken("an obligation without a window"))?;
            rows.push((
                record_number,
                number,
                &owed.debtor,
                &owed.creditor,
                owed.currency,
                owed.money.millionths(),
                keys::id!(window),
            ));
        }
    }
    put(
        script,
        "insert or rollback into obligation (
             record_number, obligation_number, debtor_code, creditor_code, currency, money, window_id)
         select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, unhex(value ->> 6)
         from jsonb_each(?)",
        rows,
    )
}
