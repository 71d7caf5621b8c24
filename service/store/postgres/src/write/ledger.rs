//! Writing records with their lines, accounts and lots.

use pointbridge_core::ledger::{Account, MemberPosting, Posting};
use pointbridge_core::record::SealedRecord;
use pointbridge_core::time::{Expiry, Timestamp};
use pointbridge_core::world::Changes;
use pointbridge_store::StoreError;

use super::party::split;
use crate::error;
use crate::keys;
use crate::load::Known;
use crate::session::Bind;
use crate::writing::Script;

/// Writes the records; the first gets the number `first`.
pub(super) fn records(script: &mut Script, changes: &Changes, first: i64) {
    let rows = || changes.records.iter();
    script.put(
        "insert into record (record_number, record_id, kind, decided_at, window_id, bytes, hash, salt)
         select * from unnest($1, $2, $3, $4, $5, $6, $7, $8)",
        changes.records.len(),
        || {
            let window = |sealed: &SealedRecord| sealed.record.window_id.map(|id| id.uuid());
            vec![
                Bind::Ints((first..).zip(rows()).map(|(number, _)| number).collect()),
                keys::ids!(rows().map(|sealed| sealed.record.record_id)),
                keys::texts(rows().map(|sealed| sealed.record.kind.as_str())),
                keys::ints(rows().map(|sealed| sealed.record.decided_at.micros())),
                Bind::IdsOrNull(rows().map(window).collect()),
                Bind::Blobs(rows().map(|sealed| sealed.bytes.clone()).collect()),
                keys::hashes(rows().map(|sealed| &sealed.hash)),
                keys::bits(rows().map(|sealed| sealed.salt)),
            ]
        },
    );
}

/// Writes accounts and lots as they are now.
pub(super) fn balances(script: &mut Script, changes: &Changes, known: &Known) -> Result<(), StoreError> {
    let (old, new) = split(&changes.accounts, |key| known.accounts.contains(key));
    script.put(
        "insert into account (membership_id, posted, held, postings, live_holds)
         select * from unnest($1, $2, $3, $4, $5)",
        new.len(),
        || account_binds(&new),
    );
    script.put_each(
        "update account set posted = new.posted, held = new.held, postings = new.postings, live_holds = new.live_holds
         from unnest($1, $2, $3, $4, $5) as new (id, posted, held, postings, live_holds)
         where account.membership_id = new.id",
        old.len(),
        "account",
        || account_binds(&old),
    )?;
    lots(script, changes);
    Ok(())
}

fn account_binds(rows: &[&Account]) -> Vec<Bind> {
    vec![
        keys::ids!(rows.iter().map(|a| a.membership_id)),
        Bind::Ints(rows.iter().map(|a| a.posted).collect()),
        Bind::Ints(rows.iter().map(|a| a.held).collect()),
        Bind::Ints(rows.iter().map(|a| a.postings).collect()),
        keys::ints(rows.iter().map(|a| a.live_holds)),
    ]
}

/// Lots that are there get their deltas, the others are made of them: every lot is one or the other, because its account is
/// locked. A delta below zero for a lot that is not there is refused by its constraint.
fn lots(script: &mut Script, changes: &Changes) {
    let binds = || {
        let rows = || changes.lots.iter();
        vec![
            keys::ids!(rows().map(|((membership, _), _)| *membership)),
            Bind::Ints(rows().map(|((_, key), _)| key.expiry.micros()).collect()),
            keys::ints(rows().map(|((_, key), _)| key.origin.number())),
            Bind::Flags(rows().map(|((_, key), _)| key.exchangeable).collect()),
            Bind::Ints(rows().map(|(_, delta)| delta.remaining).collect()),
            Bind::Ints(rows().map(|(_, delta)| delta.held).collect()),
        ]
    };
    script.put(
        "update lot set remaining = lot.remaining + delta.remaining, held = lot.held + delta.held
         from unnest($1, $2, $3, $4, $5, $6) as delta (id, expires_at, origin_month, exchangeable, remaining, held)
         where lot.membership_id = delta.id and lot.expires_at = delta.expires_at
             and lot.origin_month = delta.origin_month and lot.exchangeable = delta.exchangeable",
        changes.lots.len(),
        binds,
    );
    script.put(
        "insert into lot (membership_id, expires_at, origin_month, exchangeable, remaining, held)
         select delta.* from unnest($1, $2, $3, $4, $5, $6)
             as delta (id, expires_at, origin_month, exchangeable, remaining, held)
         where not exists (
             select 1 from lot where lot.membership_id = delta.id and lot.expires_at = delta.expires_at
                 and lot.origin_month = delta.origin_month and lot.exchangeable = delta.exchangeable)",
        changes.lots.len(),
        binds,
    );
}

/// Writes what the records say line by line; the first record has the number `first`.
pub(super) fn lines(script: &mut Script, changes: &Changes, first: i64) -> Result<(), StoreError> {
    postings(script, changes, first);
    lot_movements(script, changes, first);
    obligations(script, changes, first)
}

/// The records with their numbers.
fn numbered(changes: &Changes, first: i64) -> impl Iterator<Item = (i64, &SealedRecord)> {
    (first..).zip(&changes.records)
}

fn postings(script: &mut Script, changes: &Changes, first: i64) {
    let rows: Vec<(i64, i64, &Posting)> = numbered(changes, first)
        .flat_map(|(record, sealed)| {
            (1_i64..).zip(&sealed.record.postings).map(move |(number, posting)| (record, number, posting))
        })
        .collect();
    script.put(
        "insert into posting (
             record_number, posting_number, program_id, account, amount, membership_id, member_sequence, balance_after)
         select * from unnest($1, $2, $3, $4, $5, $6, $7, $8)",
        rows.len(),
        || {
            let of_member = |read: fn(&MemberPosting) -> i64| {
                Bind::IntsOrNull(rows.iter().map(|(_, _, line)| line.member.as_ref().map(read)).collect())
            };
            let membership = |line: &Posting| line.member.as_ref().map(|m| m.membership_id.uuid());
            vec![
                Bind::Ints(rows.iter().map(|(record, _, _)| *record).collect()),
                Bind::Ints(rows.iter().map(|(_, number, _)| *number).collect()),
                keys::ids!(rows.iter().map(|(_, _, line)| line.program_id)),
                keys::texts(rows.iter().map(|(_, _, line)| line.account.as_str())),
                Bind::Ints(rows.iter().map(|(_, _, line)| line.amount.minor()).collect()),
                Bind::IdsOrNull(rows.iter().map(|(_, _, line)| membership(line)).collect()),
                of_member(|member| member.sequence),
                of_member(|member| member.balance_after.minor()),
            ]
        },
    );
}

fn lot_movements(script: &mut Script, changes: &Changes, first: i64) {
    let rows: Vec<_> = numbered(changes, first)
        .flat_map(|(record, sealed)| {
            (1_i64..).zip(&sealed.record.lots).map(move |(number, moved)| (record, number, moved))
        })
        .collect();
    script.put(
        "insert into lot_movement (
             record_number, movement_number, membership_id, expires_at, origin_month, exchangeable, remaining, held)
         select * from unnest($1, $2, $3, $4, $5, $6, $7, $8)",
        rows.len(),
        || {
            let lines = || rows.iter().map(|(_, _, moved)| moved);
            let expiry = |at: Option<Timestamp>| at.map_or(Expiry::NEVER_MICROS, Timestamp::micros);
            vec![
                Bind::Ints(rows.iter().map(|(record, _, _)| *record).collect()),
                Bind::Ints(rows.iter().map(|(_, number, _)| *number).collect()),
                keys::ids!(lines().map(|moved| moved.membership_id)),
                Bind::Ints(lines().map(|moved| expiry(moved.expires_at)).collect()),
                keys::ints(lines().map(|moved| moved.origin_month)),
                Bind::Flags(lines().map(|moved| moved.exchangeable).collect()),
                Bind::Ints(lines().map(|moved| moved.remaining.minor()).collect()),
                Bind::Ints(lines().map(|moved| moved.held.minor()).collect()),
            ]
        },
    );
}

fn obligations(script: &mut Script, changes: &Changes, first: i64) -> Result<(), StoreError> {
    let mut rows = Vec::new();
    for (record, sealed) in numbered(changes, first) {
        for (number, owed) in (1_i64..).zip(&sealed.record.obligations) {
            let window = sealed.record.window_id;
            let window = window.ok_or_else(|| error::broken("an obligation without a window"))?;
            rows.push((record, number, owed, window));
        }
    }
    script.put(
        "insert into obligation (
             record_number, obligation_number, debtor_code, creditor_code, currency, money, window_id)
         select * from unnest($1, $2, $3, $4, $5, $6, $7)",
        rows.len(),
        || {
            let owed = || rows.iter().map(|(_, _, owed, _)| owed);
            vec![
                Bind::Ints(rows.iter().map(|(record, _, _, _)| *record).collect()),
                Bind::Ints(rows.iter().map(|(_, number, _, _)| *number).collect()),
                keys::texts(owed().map(|owed| &owed.debtor)),
                keys::texts(owed().map(|owed| &owed.creditor)),
                keys::texts(owed().map(|owed| owed.currency)),
                Bind::Ints(owed().map(|owed| owed.money.millionths()).collect()),
                keys::ids!(rows.iter().map(|(_, _, _, window)| *window)),
            ]
        },
    );
    Ok(())
}
