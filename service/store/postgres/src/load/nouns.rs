//! What a batch reads, noun by noun, and which of them a footprint needs.

use pointbridge_core::ledger::LOTS_PER_COMMAND_MAX;
use pointbridge_core::text::PartnerCode;
use pointbridge_core::time::Timestamp;
use pointbridge_core::world::{AccountNeed, Footprint};

use super::locks::{certificate_keys, consent_keys, exposure_keys};
use crate::columns;
use crate::keys;
use crate::reading::Kind::{Bytes, Id, Int, Text};
use crate::reading::{Noun, Reading};
use crate::session::Bind;
use crate::time::{self, Time};

/// The time, and the holds that are over of accounts whose lots are needed. $1 and $2: the clock. $3: this hub. $4: the
/// latest time of this process. $5: those accounts. From the few holds that are over to their legs, because an account may have
/// had any number of exchanges.
pub(super) const COMMON: &str = concat!(
    "with moment as materialized (
         select greatest(",
    time::clock!(),
    ", $4, store_state.created_at,
             (select max(case when hub_id = $3 then last_now else last_now + 1 end) from clock_slot)) as now
         from store_state
     ),
     overdue as materialized (
         select reservation.reservation_id, reservation.initiator_code, reservation.last_record_id,
             exchange_leg.source_membership_id, exchange_leg.currency,
             least(exchange_leg.debtor_code, exchange_leg.creditor_code) as low,
             greatest(exchange_leg.debtor_code, exchange_leg.creditor_code) as high
         from moment
         cross join reservation
         join exchange_leg on exchange_leg.reservation_id = reservation.reservation_id
         where cardinality($5) > 0
             and reservation.decided_at is null and reservation.hold_expires_at <= moment.now
             and exchange_leg.source_membership_id = any($5)
     )"
);

/// The values of [`COMMON`].
pub(super) fn common(footprint: &Footprint, time: &Time) -> Vec<Bind> {
    let lots = footprint.accounts.iter().filter(|(_, need)| **need == AccountNeed::Lots);
    let mut binds = time.binds();
    binds.extend([
        time.hub(),
        Bind::Int(time.latest().map(Timestamp::micros)),
        keys::ids!(lots.map(|(id, _)| *id)),
    ]);
    binds
}

pub(super) static MOMENT: Noun = Noun { columns: &[("now", Int, "moment.now")], from: "from moment" };

pub(super) static REQUEST: Noun = Noun {
    columns: &[("place", Int, "asked.place"), ("body_hash", Bytes, "request.body_hash"), ("bytes", Bytes, "record.bytes")],
    from: "from unnest($1, $2, $3) with ordinality as asked (scope, method, id, place)
        join request on request.scope = asked.scope and request.method = asked.method and request.request_id = asked.id
        join record on record.record_id = request.record_id",
};

pub(super) static PARTNER: Noun = Noun {
    columns: columns::PARTNER,
    from: "from unnest($1) as asked (code) join partner on partner.partner_code = asked.code",
};

pub(super) static PROGRAM: Noun = Noun {
    columns: columns::PROGRAM,
    from: "from unnest($1) as asked (id) join program on program.program_id = asked.id",
};

pub(super) static PROGRAM_CODE: Noun = Noun {
    columns: &[
        ("partner_code", Text, "program.partner_code"),
        ("program_code", Text, "program.program_code"),
    ],
    from: "from unnest($1, $2) as asked (partner, code)
        join program on program.partner_code = asked.partner and program.program_code = asked.code",
};

pub(super) static AGREEMENT: Noun = Noun {
    columns: columns::AGREEMENT,
    from: "from unnest($1, $2) as asked (low, high)
        join agreement on agreement.low_code = asked.low and agreement.high_code = asked.high",
};

pub(super) static MEMBERSHIP: Noun = Noun {
    columns: columns::MEMBERSHIP,
    from: "from unnest($1) as asked (id)
        join membership on membership.membership_id = asked.id
        join program on program.program_id = membership.program_id",
};

pub(super) static FAMILY: Noun = Noun {
    columns: columns::MEMBERSHIP,
    from: "from unnest($1) as asked (id)
        join membership as named on named.membership_id = asked.id
        join membership on membership.member_id = named.member_id
        join program on program.program_id = membership.program_id",
};

pub(super) static EXTERNAL_REFERENCE: Noun = Noun {
    columns: &[("program_id", Id, "membership.program_id"), ("external_reference", Text, "membership.external_reference")],
    from: "from unnest($1, $2) as asked (program, reference)
        join membership on membership.program_id = asked.program and membership.external_reference = asked.reference",
};

pub(super) static LINK_CODE: Noun = Noun {
    columns: columns::LINK_CODE,
    from: "from unnest($1) as asked (hash) join link_code on link_code.code_hash = asked.hash",
};

pub(super) static CONSENT_IN_FORCE: Noun = Noun {
    columns: columns::CONSENT,
    from: "from unnest($1, $2, $3) as asked (id, recipient, scope)
        join consent_in_force on consent_in_force.membership_id = asked.id
            and consent_in_force.recipient_code = asked.recipient and consent_in_force.consent_scope = asked.scope
        join consent on consent.consent_id = consent_in_force.consent_id",
};

pub(super) static CONSENT_BY_ID: Noun = Noun {
    columns: columns::CONSENT_WITH_END,
    from: "from unnest($1) as asked (id) join consent on consent.consent_id = asked.id
        left join consent_withdrawal on consent_withdrawal.consent_id = consent.consent_id",
};

pub(super) static EXCHANGE: Noun = Noun {
    columns: &[("reservation_id", Id, "reservation.reservation_id"), ("bytes", Bytes, "record.bytes")],
    from: "from (select unnest($1) as id union select overdue.reservation_id from overdue) as asked
        join reservation on reservation.reservation_id = asked.id
        join record on record.record_id = reservation.last_record_id",
};

pub(super) static OVERDUE: Noun = Noun {
    columns: &[
        ("reservation_id", Id, "overdue.reservation_id"),
        ("source_membership_id", Id, "overdue.source_membership_id"),
    ],
    from: "from overdue",
};

pub(super) static PROGRESS: Noun = Noun {
    columns: &[
        ("reservation_id", Id, "asked.id"),
        ("parts", Int, "last.reversal_number"),
        ("reversed_source_points", Int, "last.reversed_source_points"),
    ],
    from: "from unnest($1) as asked (id) cross join lateral (
            select reversal.reversal_number, reversal.reversed_source_points from reversal
            where reversal.reservation_id = asked.id order by reversal.reversal_number desc limit 1
        ) as last",
};

pub(super) static CREDITED_LOT: Noun = Noun {
    columns: columns::LOT,
    from: "from unnest($1) as asked (id)
        join reservation on reservation.reservation_id = asked.id
        join record on record.record_id = reservation.last_record_id
        join lot_movement on lot_movement.record_number = record.record_number and lot_movement.remaining > 0
        join lot on lot.membership_id = lot_movement.membership_id and lot.expires_at = lot_movement.expires_at
            and lot.origin_month = lot_movement.origin_month and lot.exchangeable = lot_movement.exchangeable",
};

pub(super) static ACCOUNT: Noun = Noun {
    columns: columns::ACCOUNT,
    from: "from unnest($1) as asked (id) join account on account.membership_id = asked.id",
};

/// The lots with something free, the first to be spent first, and one more than a command may touch: it only tells that there
/// are more.
pub(super) static LOT: Noun = Noun {
    columns: columns::LOT,
    from: "from unnest($1) as asked (id) cross join lateral (
            select one.* from lot as one where one.membership_id = asked.id and one.remaining > one.held
            order by one.expires_at, one.origin_month, one.exchangeable limit $2
        ) as lot",
};

pub(super) static INITIATOR: Noun = Noun {
    columns: &[("partner_code", Text, "initiator.partner_code"), ("live_holds", Int, "initiator.live_holds")],
    from: "from (select unnest($1) as code union select overdue.initiator_code from overdue) as asked
        join initiator on initiator.partner_code = asked.code",
};

pub(super) static EXPOSURE: Noun = Noun {
    columns: columns::EXPOSURE,
    from: "from (
            select asked.low, asked.high, asked.currency from unnest($1, $2, $3) as asked (low, high, currency)
            union select overdue.low, overdue.high, overdue.currency from overdue
        ) as asked
        join exposure on exposure.low_code = asked.low and exposure.high_code = asked.high
            and exposure.currency = asked.currency",
};

pub(super) static APPROVAL: Noun = Noun {
    columns: columns::APPROVAL,
    from: "from unnest($1) as asked (id) join approval on approval.approval_id = asked.id",
};

pub(super) static CERTIFICATE: Noun = Noun {
    columns: columns::CERTIFICATE,
    from: "from unnest($1, $2) as asked (hash, owner)
        join certificate on certificate.fingerprint = asked.hash and certificate.owner = asked.owner",
};

pub(super) static PINS: Noun = Noun {
    columns: &[("owner", Text, "asked.owner"), ("pins", Int, "pins.count")],
    from: "from unnest($1) as asked (owner) cross join lateral (
            select count(*) as count from certificate
            where certificate.owner = asked.owner and pinned_at is not null and revoked_at is null
        ) as pins",
};

pub(super) static SIGNING_KEY: Noun = Noun {
    columns: columns::SIGNING_KEY,
    from: "from unnest($1) as asked (id) join signing_key on signing_key.program_id = asked.id",
};

/// What a footprint needs.
pub(super) fn of(footprint: &Footprint, time: &Time) -> Reading {
    let mut reading = Reading::beginning_with(COMMON, common(footprint, time));
    reading.ask(&MOMENT, Vec::new());
    parties(footprint, &mut reading);
    points(footprint, &mut reading);
    standing(footprint, &mut reading);
    reading
}

fn parties(footprint: &Footprint, reading: &mut Reading) {
    let requests = || footprint.requests.iter();
    reading.ask_if(!footprint.requests.is_empty(), &REQUEST, || {
        vec![
            keys::texts(requests().map(|key| &key.scope)),
            keys::texts(requests().map(|key| key.method)),
            Bind::Ids(requests().map(|key| key.request_id).collect()),
        ]
    });
    let (partners, programs) = (&footprint.partners, &footprint.programs);
    reading.ask_if(!partners.is_empty(), &PARTNER, || vec![keys::texts(partners.keys())]);
    reading.ask_if(!programs.is_empty(), &PROGRAM, || vec![keys::ids!(programs.keys())]);
    let codes = &footprint.program_codes;
    reading.ask_if(!codes.is_empty(), &PROGRAM_CODE, || {
        vec![
            keys::texts(codes.iter().map(|(partner, _)| partner)),
            keys::texts(codes.iter().map(|(_, code)| code)),
        ]
    });
    let agreements = &footprint.agreements;
    reading.ask_if(!agreements.is_empty(), &AGREEMENT, || keys::pairs(agreements.keys()).to_vec());
    let memberships = &footprint.memberships;
    reading.ask_if(!memberships.is_empty(), &MEMBERSHIP, || vec![keys::ids!(memberships.keys())]);
    let families = &footprint.families;
    reading.ask_if(!families.is_empty(), &FAMILY, || vec![keys::ids!(families.iter())]);
    let references = &footprint.external_references;
    reading.ask_if(!references.is_empty(), &EXTERNAL_REFERENCE, || {
        vec![
            keys::ids!(references.iter().map(|(program, _)| *program)),
            keys::texts(references.iter().map(|(_, reference)| reference)),
        ]
    });
    let link_codes = &footprint.link_codes;
    reading.ask_if(!link_codes.is_empty(), &LINK_CODE, || vec![keys::hashes(link_codes)]);
    reading.ask_if(!footprint.consents.is_empty(), &CONSENT_IN_FORCE, || consent_keys(footprint));
    let by_id = &footprint.consents_by_id;
    reading.ask_if(!by_id.is_empty(), &CONSENT_BY_ID, || vec![keys::ids!(by_id.iter())]);
}

fn points(footprint: &Footprint, reading: &mut Reading) {
    let lots: Vec<_> = footprint
        .accounts
        .iter()
        .filter(|(_, need)| **need == AccountNeed::Lots)
        .map(|(id, _)| *id)
        .collect();
    let has_lots = !lots.is_empty();
    let exchanges = &footprint.exchanges;
    reading.ask_if(has_lots || !exchanges.is_empty(), &EXCHANGE, || vec![keys::ids!(exchanges.iter())]);
    reading.ask_if(has_lots, &OVERDUE, Vec::new);
    let reversals = &footprint.reversals;
    reading.ask_if(!reversals.is_empty(), &PROGRESS, || vec![keys::ids!(reversals.iter())]);
    reading.ask_if(!reversals.is_empty(), &CREDITED_LOT, || vec![keys::ids!(reversals.iter())]);
    let accounts = &footprint.accounts;
    reading.ask_if(!accounts.is_empty(), &ACCOUNT, || vec![keys::ids!(accounts.keys())]);
    reading.ask_if(has_lots, &LOT, || {
        let most = i64::try_from(LOTS_PER_COMMAND_MAX).unwrap_or(i64::MAX).saturating_add(1);
        vec![keys::ids!(lots.iter()), Bind::int(most)]
    });
    let initiators = &footprint.initiators;
    reading.ask_if(has_lots || !initiators.is_empty(), &INITIATOR, || {
        vec![keys::texts::<&PartnerCode>(initiators)]
    });
    reading.ask_if(has_lots || !footprint.exposures.is_empty(), &EXPOSURE, || exposure_keys(footprint));
}

fn standing(footprint: &Footprint, reading: &mut Reading) {
    let approvals = &footprint.approvals;
    reading.ask_if(!approvals.is_empty(), &APPROVAL, || vec![keys::ids!(approvals.iter())]);
    reading.ask_if(!footprint.certificates.is_empty(), &CERTIFICATE, || certificate_keys(footprint));
    let pins = &footprint.pins;
    reading.ask_if(!pins.is_empty(), &PINS, || vec![keys::texts::<&PartnerCode>(pins)]);
    let programs = &footprint.signing_keys;
    reading.ask_if(!programs.is_empty(), &SIGNING_KEY, || vec![keys::ids!(programs.iter())]);
}
