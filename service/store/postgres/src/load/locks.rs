//! Locks: every row of a footprint, in one statement and one order.
//!
//! Each table's rows are a common table of their own, sorted by key and locked one by one; the select names these tables in the
//! footprint's order, and each is locked in full before the next one begins. Where any row of a table is to change, all of its
//! rows are locked as if they were: two orders within one table would be none.
//!
//! Absent: rows that do not exist, which nobody can lock.

use std::collections::BTreeSet;
use std::fmt::Write;

use pointbridge_core::ids::{ExchangeId, MembershipId};
use pointbridge_core::text::PartnerCode;
use pointbridge_core::world::{AccountNeed, Footprint, Lock, World};
use pointbridge_store::StoreError;
use sqlx::Row;

use super::nouns::{COMMON, common};
use crate::error;
use crate::keys;
use crate::reading::{numbered, unwritten};
use crate::session::{Bind, Session};
use crate::time::Time;

/// What the footprint alone does not name, and was found and locked.
#[derive(Debug, Default)]
pub(super) struct Locked {
    exchanges: BTreeSet<ExchangeId>,
    memberships: BTreeSet<MembershipId>,
}

/// A table's locks: the statement without its end, how its rows are locked, and the key's name where it is wanted.
struct Table {
    table: &'static str,
    sql: &'static str,
    strength: &'static str,
    wanted: Option<&'static str>,
    binds: Vec<Bind>,
}

const SHARE: &str = " for share of ";
const UPDATE: &str = " for no key update of ";

fn strength<'a>(locks: impl IntoIterator<Item = &'a Lock>) -> &'static str {
    if locks.into_iter().any(|lock| *lock == Lock::Update) { UPDATE } else { SHARE }
}

/// Takes the locks.
pub(super) async fn take(
    session: &mut Session<'_>,
    footprint: &Footprint,
    time: &Time,
) -> Result<Locked, StoreError> {
    let tables: Vec<Table> = parties(footprint)
        .into_iter()
        .chain(members(footprint))
        .chain(points(footprint))
        .chain(standing(footprint))
        .collect();
    if tables.is_empty() {
        return Ok(Locked::default());
    }
    let mut text = String::with_capacity(4_096);
    text.push_str(COMMON);
    let mut binds = common(footprint, time);
    for (place, table) in tables.iter().enumerate() {
        write!(text, ",\nlocked_{place} as materialized (").map_err(unwritten)?;
        numbered(table.sql, binds.len(), &mut text)?;
        write!(text, "{}{})", table.strength, table.table).map_err(unwritten)?;
        binds.extend(table.binds.iter().cloned());
    }
    for (place, table) in tables.iter().enumerate() {
        let before = if place == 0 { "\nselect" } else { "," };
        match table.wanted {
            Some(key) => write!(text, "{before} (select array_agg({key}) from locked_{place}) as {key}"),
            None => write!(text, "{before} (select count(*) from locked_{place}) as locked_{place}"),
        }
        .map_err(unwritten)?;
    }
    let rows = session.group(text, binds).await?;
    let row = rows.first().ok_or_else(|| error::broken("a select of locks has no row"))?;
    let mut locked = Locked::default();
    for key in tables.iter().filter_map(|table| table.wanted) {
        let ids: Option<Vec<uuid::Uuid>> = row.try_get(key).map_err(error::of)?;
        let ids = ids.unwrap_or_default().into_iter();
        match key {
            "reservation_id" => locked.exchanges.extend(ids.map(ExchangeId::new)),
            _ => locked.memberships.extend(ids.map(MembershipId::new)),
        }
    }
    Ok(locked)
}

/// Holds that are over by now and were not yet when the locks were taken, and members who became one meanwhile, ask for the
/// batch to begin again.
pub(super) fn require(locked: &Locked, footprint: &Footprint, world: &World) -> Result<(), StoreError> {
    let mut overdue = world.overdue.values().flatten();
    if overdue.any(|id| !locked.exchanges.contains(id)) {
        return Err(StoreError::Conflict("a hold was over while locks were waited for".to_owned()));
    }
    let has_families = !footprint.families.is_empty();
    if has_families && world.memberships.keys().any(|id| !locked.memberships.contains(id)) {
        return Err(StoreError::Conflict("members became one while locks were waited for".to_owned()));
    }
    Ok(())
}

fn parties(footprint: &Footprint) -> Vec<Table> {
    let mut tables = Vec::new();
    let mut add = |is_needed: bool, table, sql, strength, wanted, binds: &dyn Fn() -> Vec<Bind>| {
        if is_needed {
            tables.push(Table { table, sql, strength, wanted, binds: binds() });
        }
    };
    add(
        !footprint.partners.is_empty(),
        "partner",
        "select 1 from unnest($1) as asked (code) join partner on partner.partner_code = asked.code
         order by partner.partner_code",
        strength(footprint.partners.values()),
        None,
        &|| vec![keys::texts(footprint.partners.keys())],
    );
    add(
        !footprint.programs.is_empty(),
        "program",
        "select 1 from unnest($1) as asked (id) join program on program.program_id = asked.id
         order by program.program_id",
        strength(footprint.programs.values()),
        None,
        &|| vec![keys::ids!(footprint.programs.keys())],
    );
    add(
        !footprint.agreements.is_empty(),
        "agreement",
        "select 1 from unnest($1, $2) as asked (low, high)
         join agreement on agreement.low_code = asked.low and agreement.high_code = asked.high
         order by agreement.low_code, agreement.high_code",
        strength(footprint.agreements.values()),
        None,
        &|| keys::pairs(footprint.agreements.keys()).to_vec(),
    );
    tables
}

fn members(footprint: &Footprint) -> Vec<Table> {
    let mut tables = Vec::new();
    let mut add = |is_needed: bool, table, sql, strength, wanted, binds: &dyn Fn() -> Vec<Bind>| {
        if is_needed {
            tables.push(Table { table, sql, strength, wanted, binds: binds() });
        }
    };
    let has_families = !footprint.families.is_empty();
    add(
        !footprint.memberships.is_empty() || has_families,
        "membership",
        "select membership.membership_id from (
             select unnest($1) as id union
             select family.membership_id from unnest($2) as named (id)
             cross join lateral (select member_id from membership as one where one.membership_id = named.id) as member
             cross join lateral (
                 select other.membership_id from membership as other where other.member_id = member.member_id) as family
         ) as asked join membership on membership.membership_id = asked.id order by membership.membership_id",
        if has_families { UPDATE } else { strength(footprint.memberships.values()) },
        Some("membership_id"),
        &|| vec![keys::ids!(footprint.memberships.keys()), keys::ids!(footprint.families.iter())],
    );
    add(
        !footprint.link_codes.is_empty(),
        "link_code",
        "select 1 from unnest($1) as asked (hash) join link_code on link_code.code_hash = asked.hash
         order by link_code.code_hash",
        UPDATE,
        None,
        &|| vec![keys::hashes(&footprint.link_codes)],
    );
    add(
        !footprint.consents.is_empty(),
        "consent_in_force",
        "select 1 from unnest($1, $2, $3) as asked (id, recipient, scope)
         join consent_in_force on consent_in_force.membership_id = asked.id
             and consent_in_force.recipient_code = asked.recipient and consent_in_force.consent_scope = asked.scope
         order by consent_in_force.membership_id, consent_in_force.recipient_code, consent_in_force.consent_scope",
        strength(footprint.consents.values()),
        None,
        &|| consent_keys(footprint),
    );
    tables
}

/// The keys of the consents in force.
pub(super) fn consent_keys(footprint: &Footprint) -> Vec<Bind> {
    let keys = || footprint.consents.keys();
    vec![
        keys::ids!(keys().map(|key| key.membership_id)),
        keys::texts(keys().map(|key| &key.recipient)),
        keys::texts(keys().map(|key| key.scope.as_str())),
    ]
}

fn points(footprint: &Footprint) -> Vec<Table> {
    let has_lots = footprint.accounts.values().any(|need| *need == AccountNeed::Lots);
    let mut tables = Vec::new();
    let mut add = |is_needed: bool, table, sql, wanted, binds: &dyn Fn() -> Vec<Bind>| {
        if is_needed {
            tables.push(Table { table, sql, strength: UPDATE, wanted, binds: binds() });
        }
    };
    add(
        !footprint.exchanges.is_empty() || has_lots,
        "reservation",
        "select reservation.reservation_id from (
             select unnest($1) as id union select overdue.reservation_id from overdue
         ) as asked join reservation on reservation.reservation_id = asked.id order by reservation.reservation_id",
        Some("reservation_id"),
        &|| vec![keys::ids!(footprint.exchanges.iter())],
    );
    add(
        !footprint.accounts.is_empty(),
        "account",
        "select 1 from unnest($1) as asked (id) join account on account.membership_id = asked.id
         order by account.membership_id",
        None,
        &|| vec![keys::ids!(footprint.accounts.keys())],
    );
    add(
        !footprint.initiators.is_empty() || has_lots,
        "initiator",
        "select 1 from (
             select unnest($1) as code union select overdue.initiator_code from overdue
         ) as asked join initiator on initiator.partner_code = asked.code order by initiator.partner_code",
        None,
        &|| vec![keys::texts::<&PartnerCode>(&footprint.initiators)],
    );
    add(
        !footprint.exposures.is_empty() || has_lots,
        "exposure",
        "select 1 from (
             select asked.low, asked.high, asked.currency from unnest($1, $2, $3) as asked (low, high, currency)
              union select overdue.low, overdue.high, overdue.currency from overdue
         ) as asked join exposure on exposure.low_code = asked.low and exposure.high_code = asked.high
             and exposure.currency = asked.currency
         order by exposure.low_code, exposure.high_code, exposure.currency",
        None,
        &|| exposure_keys(footprint),
    );
    tables
}

/// The keys of the exposures.
pub(super) fn exposure_keys(footprint: &Footprint) -> Vec<Bind> {
    let [low, high] = keys::pairs(footprint.exposures.iter().map(|key| &key.pair));
    vec![low, high, keys::texts(footprint.exposures.iter().map(|key| key.currency))]
}

fn standing(footprint: &Footprint) -> Vec<Table> {
    let mut tables = Vec::new();
    if !footprint.approvals.is_empty() {
        tables.push(Table {
            wanted: None,
            table: "approval",
            sql: "select 1 from unnest($1) as asked (id) join approval on approval.approval_id = asked.id
                  order by approval.approval_id",
            strength: UPDATE,
            binds: vec![keys::ids!(footprint.approvals.iter())],
        });
    }
    if !footprint.certificates.is_empty() {
        tables.push(Table {
            wanted: None,
            table: "certificate",
            sql: "select 1 from unnest($1, $2) as asked (hash, owner)
                  join certificate on certificate.fingerprint = asked.hash and certificate.owner = asked.owner
                  order by certificate.fingerprint, certificate.owner",
            strength: UPDATE,
            binds: certificate_keys(footprint),
        });
    }
    tables
}

/// The keys of the certificates. Nobody's code is empty.
pub(super) fn certificate_keys(footprint: &Footprint) -> Vec<Bind> {
    let owner = |owner: &Option<PartnerCode>| owner.as_ref().map_or_else(String::new, PartnerCode::to_string);
    let keys = || footprint.certificates.iter();
    vec![keys::hashes(keys().map(|key| &key.fingerprint)), keys::texts(keys().map(|key| owner(&key.owner)))]
}
