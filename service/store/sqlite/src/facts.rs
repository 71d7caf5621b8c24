//! Facts: what never changes, read by a reader before the writer's lock is taken. For the same reason no snapshot is needed.
//!
//! One statement per kind of fact, none where nothing is asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pointbridge_core::agreement::Pair;
use pointbridge_core::exposure::ExposureKey;
use pointbridge_core::ids::{AgreementId, ApprovalId, ConsentId, ExchangeId, MembershipId, ProgramId};
use pointbridge_core::text::PartnerCode;
use pointbridge_core::world::{ConsentFact, ExchangeFact, FactQuery, Facts, LinkCodeFact, MembershipFact};
use pointbridge_store::StoreError;
use sqlx::sqlite::SqliteRow;

use crate::error;
use crate::keys;
use crate::rows::{self, Cells};
use crate::session::Session;

pub(crate) async fn read(session: &mut Session<'_>, query: &FactQuery) -> Result<Facts, StoreError> {
    let mut facts = Facts::default();
    // First, because what is approved names facts of its own.
    let query = &approvals(session, query, &mut facts).await?;
    session.note_readings();
    named(session, query, &mut facts).await?;
    session.read_noted().await?;
    named(session, query, &mut facts).await?;
    Ok(facts)
}

async fn named(session: &mut Session<'_>, query: &FactQuery, facts: &mut Facts) -> Result<(), StoreError> {
    memberships(session, query, facts).await?;
    agreements(session, query, facts).await?;
    exchanges(session, query, facts).await?;
    consents(session, query, facts).await?;
    certificates(session, query, facts).await
}

/// Approvals, and the query with what carrying them out needs.
async fn approvals(
    session: &mut Session<'_>,
    query: &FactQuery,
    facts: &mut Facts,
) -> Result<FactQuery, StoreError> {
    let mut query = query.clone();
    let sql = "select approval.approval_id, approval.proposal from jsonb_each(?1) as asked
         join approval on approval.approval_id = unhex(asked.value)";
    for row in session.found(sql, query.approvals.iter().map(|id| keys::id!(id)).collect()).await? {
        let proposal = rows::proposal(&row)?;
        proposal.resolve(&mut query);
        facts.approvals.insert(row.id("approval_id", ApprovalId::new)?, proposal);
    }
    Ok(query)
}

async fn certificates(
    session: &mut Session<'_>,
    query: &FactQuery,
    facts: &mut Facts,
) -> Result<(), StoreError> {
    let sql = "select certificate.fingerprint, certificate.owner from jsonb_each(?1) as asked
         join certificate on certificate.fingerprint = unhex(asked.value) and certificate.pinned_at is not null";
    for row in session.found(sql, query.certificates.iter().map(keys::hash).collect()).await? {
        facts.certificates.insert(row.hash("fingerprint")?, row.coded("owner")?);
    }
    Ok(())
}

async fn memberships(
    session: &mut Session<'_>,
    query: &FactQuery,
    facts: &mut Facts,
) -> Result<(), StoreError> {
    let sql = "select membership.membership_id, membership.program_id, program.partner_code
         from jsonb_each(?1) as asked
         join membership on membership.membership_id = unhex(asked.value)
         join program on program.program_id = membership.program_id";
    for row in session.found(sql, query.memberships.iter().map(|id| keys::id!(id)).collect()).await? {
        let fact = MembershipFact {
            program_id: row.id("program_id", ProgramId::new)?,
            partner: row.coded("partner_code")?,
        };
        facts.memberships.insert(row.id("membership_id", MembershipId::new)?, fact);
    }
    let sql = "select link_code.code_hash, link_code.membership_id from jsonb_each(?1) as asked
         join link_code on link_code.code_hash = unhex(asked.value)";
    for row in session.found(sql, query.link_codes.iter().map(keys::hash).collect()).await? {
        let fact = LinkCodeFact { membership_id: row.id("membership_id", MembershipId::new)? };
        facts.link_codes.insert(row.hash("code_hash")?, fact);
    }
    Ok(())
}

async fn agreements(
    session: &mut Session<'_>,
    query: &FactQuery,
    facts: &mut Facts,
) -> Result<(), StoreError> {
    let sql = "select agreement.agreement_id, agreement.low_code, agreement.high_code
         from jsonb_each(?1) as asked join agreement on agreement.agreement_id = unhex(asked.value)";
    for row in session.found(sql, query.agreements.iter().map(|id| keys::id!(id)).collect()).await? {
        facts.agreements.insert(row.id("agreement_id", AgreementId::new)?, rows::pair(&row)?);
    }
    let sql = "select agreement_version.* from jsonb_each(?1) as asked
         join agreement_version on agreement_version.agreement_id = unhex(asked.value ->> 0)
             and agreement_version.version = asked.value ->> 1";
    let asked = query.versions.iter().map(|(id, version)| (keys::id!(id), version)).collect();
    for row in session.found(sql, asked).await? {
        if let Some(version) = rows::version(&row, "")? {
            facts.versions.insert((version.agreement_id, version.version), Arc::new(version));
        }
    }
    Ok(())
}

async fn exchanges(
    session: &mut Session<'_>,
    query: &FactQuery,
    facts: &mut Facts,
) -> Result<(), StoreError> {
    let sql =
        "select reservation.reservation_id, reservation.initiator_code, exchange_leg.source_membership_id,
             exchange_leg.source_program_id, exchange_leg.destination_membership_id,
             exchange_leg.destination_program_id, exchange_leg.debtor_code, exchange_leg.creditor_code,
             exchange_leg.currency
         from jsonb_each(?1) as asked
         join reservation on reservation.reservation_id = unhex(asked.value)
         join exchange_leg on exchange_leg.reservation_id = reservation.reservation_id";
    for row in session.found(sql, query.exchanges.iter().map(|id| keys::id!(id)).collect()).await? {
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

fn add_leg(fact: &mut ExchangeFact, row: &SqliteRow) -> Result<(), StoreError> {
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

async fn consents(session: &mut Session<'_>, query: &FactQuery, facts: &mut Facts) -> Result<(), StoreError> {
    let sql =
        "select consent.consent_id, consent.membership_id, consent.recipient_code, consent.consent_scope,
             program.partner_code
         from jsonb_each(?1) as asked join consent on consent.consent_id = unhex(asked.value)
         join membership on membership.membership_id = consent.membership_id
         join program on program.program_id = membership.program_id";
    for row in session.found(sql, query.consents.iter().map(|id| keys::id!(id)).collect()).await? {
        let fact = ConsentFact { key: rows::consent_key(&row)?, partner: row.coded("partner_code")? };
        facts.consents.insert(row.id("consent_id", ConsentId::new)?, fact);
    }
    Ok(())
}
