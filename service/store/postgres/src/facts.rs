//! Facts: what never changes, read before the batch's transaction begins and without locks.
//!
//! One statement for all kinds of facts, and one before it where approvals are asked for, because what is approved names facts
//! of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pointbridge_core::agreement::Pair;
use pointbridge_core::exposure::ExposureKey;
use pointbridge_core::ids::{AgreementId, ApprovalId, ConsentId, ExchangeId, MembershipId, ProgramId};
use pointbridge_core::text::PartnerCode;
use pointbridge_core::world::{ConsentFact, ExchangeFact, FactQuery, Facts, LinkCodeFact, MembershipFact};
use pointbridge_store::StoreError;

use crate::columns;
use crate::error;
use crate::keys;
use crate::reading::Kind::{Bytes, Id, Text};
use crate::reading::{Found, Noun, Reading};
use crate::rows::{self, Cells};
use crate::session::Session;

static APPROVAL: Noun = Noun {
    columns: &[("approval_id", Id, "approval.approval_id"), ("proposal", Bytes, "approval.proposal")],
    from: "from unnest($1) as asked (id) join approval on approval.approval_id = asked.id",
};

static MEMBERSHIP: Noun = Noun {
    columns: &[
        ("membership_id", Id, "membership.membership_id"),
        ("program_id", Id, "membership.program_id"),
        ("partner_code", Text, "program.partner_code"),
    ],
    from: "from unnest($1) as asked (id)
        join membership on membership.membership_id = asked.id
        join program on program.program_id = membership.program_id",
};

static LINK_CODE: Noun = Noun {
    columns: &[("code_hash", Bytes, "link_code.code_hash"), ("membership_id", Id, "link_code.membership_id")],
    from: "from unnest($1) as asked (hash) join link_code on link_code.code_hash = asked.hash",
};

static AGREEMENT: Noun = Noun {
    columns: &[
        ("agreement_id", Id, "agreement.agreement_id"),
        ("low_code", Text, "agreement.low_code"),
        ("high_code", Text, "agreement.high_code"),
    ],
    from: "from unnest($1) as asked (id) join agreement on agreement.agreement_id = asked.id",
};

static VERSION: Noun = Noun {
    columns: columns::VERSION,
    from: "from unnest($1, $2) as asked (id, version)
        join agreement_version on agreement_version.agreement_id = asked.id
            and agreement_version.version = asked.version",
};

static EXCHANGE: Noun = Noun {
    columns: &[
        ("reservation_id", Id, "reservation.reservation_id"),
        ("initiator_code", Text, "reservation.initiator_code"),
        ("source_membership_id", Id, "exchange_leg.source_membership_id"),
        ("source_program_id", Id, "exchange_leg.source_program_id"),
        ("destination_membership_id", Id, "exchange_leg.destination_membership_id"),
        ("destination_program_id", Id, "exchange_leg.destination_program_id"),
        ("debtor_code", Text, "exchange_leg.debtor_code"),
        ("creditor_code", Text, "exchange_leg.creditor_code"),
        ("currency", Text, "exchange_leg.currency"),
    ],
    from: "from unnest($1) as asked (id)
        join reservation on reservation.reservation_id = asked.id
        join exchange_leg on exchange_leg.reservation_id = reservation.reservation_id",
};

static CONSENT: Noun = Noun {
    columns: &[
        ("consent_id", Id, "consent.consent_id"),
        ("membership_id", Id, "consent.membership_id"),
        ("recipient_code", Text, "consent.recipient_code"),
        ("consent_scope", Text, "consent.consent_scope"),
        ("partner_code", Text, "program.partner_code"),
    ],
    from: "from unnest($1) as asked (id) join consent on consent.consent_id = asked.id
        join membership on membership.membership_id = consent.membership_id
        join program on program.program_id = membership.program_id",
};

static CERTIFICATE: Noun = Noun {
    columns: &[("fingerprint", Bytes, "certificate.fingerprint"), ("owner", Text, "certificate.owner")],
    from: "from unnest($1) as asked (hash)
        join certificate on certificate.fingerprint = asked.hash and certificate.pinned_at is not null",
};

pub(crate) async fn read(session: &mut Session<'_>, query: &FactQuery) -> Result<Facts, StoreError> {
    let mut facts = Facts::default();
    let query = approvals(session, query, &mut facts).await?;
    let found = asked(&query).read(session).await?;
    members(&found, &mut facts)?;
    agreements(&found, &mut facts)?;
    exchanges(&found, &mut facts)?;
    consents(&found, &mut facts)?;
    Ok(facts)
}

fn asked(query: &FactQuery) -> Reading {
    let mut reading = Reading::default();
    let ids = &query.memberships;
    reading.ask_if(!ids.is_empty(), &MEMBERSHIP, || vec![keys::ids!(ids.iter())]);
    reading.ask_if(!query.link_codes.is_empty(), &LINK_CODE, || vec![keys::hashes(&query.link_codes)]);
    let ids = &query.agreements;
    reading.ask_if(!ids.is_empty(), &AGREEMENT, || vec![keys::ids!(ids.iter())]);
    let versions = &query.versions;
    reading.ask_if(!versions.is_empty(), &VERSION, || {
        vec![
            keys::ids!(versions.iter().map(|(id, _)| *id)),
            keys::ints(versions.iter().map(|(_, version)| *version)),
        ]
    });
    let ids = &query.exchanges;
    reading.ask_if(!ids.is_empty(), &EXCHANGE, || vec![keys::ids!(ids.iter())]);
    let ids = &query.consents;
    reading.ask_if(!ids.is_empty(), &CONSENT, || vec![keys::ids!(ids.iter())]);
    reading.ask_if(!query.certificates.is_empty(), &CERTIFICATE, || vec![keys::hashes(&query.certificates)]);
    reading
}

/// Approvals, and the query with what carrying them out needs.
async fn approvals(
    session: &mut Session<'_>,
    query: &FactQuery,
    facts: &mut Facts,
) -> Result<FactQuery, StoreError> {
    let mut query = query.clone();
    let mut reading = Reading::default();
    reading.ask_if(!query.approvals.is_empty(), &APPROVAL, || vec![keys::ids!(query.approvals.iter())]);
    let found = reading.read(session).await?;
    for row in found.of(&APPROVAL)? {
        let proposal = rows::proposal(&row)?;
        proposal.resolve(&mut query);
        facts.approvals.insert(row.id("approval_id", ApprovalId::new)?, proposal);
    }
    Ok(query)
}

fn members(found: &Found, facts: &mut Facts) -> Result<(), StoreError> {
    for row in found.of(&MEMBERSHIP)? {
        let fact = MembershipFact {
            program_id: row.id("program_id", ProgramId::new)?,
            partner: row.coded("partner_code")?,
        };
        facts.memberships.insert(row.id("membership_id", MembershipId::new)?, fact);
    }
    for row in found.of(&LINK_CODE)? {
        let fact = LinkCodeFact { membership_id: row.id("membership_id", MembershipId::new)? };
        facts.link_codes.insert(row.hash("code_hash")?, fact);
    }
    Ok(())
}

fn agreements(found: &Found, facts: &mut Facts) -> Result<(), StoreError> {
    for row in found.of(&AGREEMENT)? {
        facts.agreements.insert(row.id("agreement_id", AgreementId::new)?, rows::pair(&row)?);
    }
    for row in found.of(&VERSION)? {
        if let Some(version) = rows::version(&row, "")? {
            facts.versions.insert((version.agreement_id, version.version), Arc::new(version));
        }
    }
    Ok(())
}

fn exchanges(found: &Found, facts: &mut Facts) -> Result<(), StoreError> {
    for row in found.of(&EXCHANGE)? {
        let initiator = row.coded("initiator_code")?;
        let id = row.id("reservation_id", ExchangeId::new)?;
        let fact = facts.exchanges.entry(id).or_insert_with(|| ExchangeFact {
            initiator,
            memberships: BTreeMap::new(),
            exposures: BTreeSet::new(),
        });
        add_leg(fact, &row)?;
    }
    Ok(())
}

fn add_leg(fact: &mut ExchangeFact, row: &impl Cells) -> Result<(), StoreError> {
    for (membership, program) in [
        ("source_membership_id", "source_program_id"),
        ("destination_membership_id", "destination_program_id"),
    ] {
        let membership = row.id(membership, MembershipId::new)?;
        fact.memberships.insert(membership, row.id(program, ProgramId::new)?);
    }
    let [debtor, creditor]: [PartnerCode; 2] = [row.coded("debtor_code")?, row.coded("creditor_code")?];
    let pair = Pair::new(&debtor, &creditor).ok_or_else(|| error::broken("one partner owes itself"))?;
    fact.exposures.insert(ExposureKey { pair, currency: row.coded("currency")? });
    Ok(())
}

fn consents(found: &Found, facts: &mut Facts) -> Result<(), StoreError> {
    for row in found.of(&CONSENT)? {
        let fact = ConsentFact { key: rows::consent_key(&row)?, partner: row.coded("partner_code")? };
        facts.consents.insert(row.id("consent_id", ConsentId::new)?, fact);
    }
    for row in found.of(&CERTIFICATE)? {
        facts.certificates.insert(row.hash("fingerprint")?, row.coded("owner")?);
    }
    Ok(())
}
