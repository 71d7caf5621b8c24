//! Who exchanges: two partners under one agreement, and members of both with points at each.
//!
//! They are written by the rules' own commands in large batches, as a hub would have written them; only the way in is
//! shorter. Members are kept in a file for the driver.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use pointbridge_core::agreement::{Basis, ResidueOwner};
use pointbridge_core::command::{
    AcceptAgreement, AccruePoints, Command, CreatePartner, CreateProgram, EnteredDirection, GrantConsent,
    IssueLinkCode, MergeMembers, ProposeAgreement, RegisterMembership,
};
use pointbridge_core::ids::{AgreementId, LinkCodeId, MembershipId, ProgramId};
use pointbridge_core::member::ConsentScope;
use pointbridge_core::partner::Custody;
use pointbridge_core::points::{Entered, Scale};
use pointbridge_core::rate::{Rate, Rounding};
use pointbridge_core::record::{Body, Record};
use pointbridge_core::text::{DisplayName, NoticeVersion, PartnerCode, ProgramCode, ReasonCode, Reference};
use pointbridge_store::Store;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::batches::{ask, carry_out, operator, till};
use super::order::PARTNERS;
use crate::keys::link_code_hash;

/// How many commands are written at a time.
const BATCH: usize = 1024;
/// Points that each membership begins with: enough for 10,000 exchanges of 10 points.
const POINTS: &str = "100000";
/// How far apart members are that take turns: a prime, so that all do.
const STRIDE: usize = 7919;

/// Members: the membership at the first partner, and at the second.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Members {
    pairs: Vec<(MembershipId, MembershipId)>,
    #[serde(skip)]
    texts: Vec<(String, String)>,
}

impl Members {
    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be read, or holds nobody.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let mut members: Self = serde_json::from_str(&text)?;
        ensure!(!members.pairs.is_empty(), "{} holds no members", path.display());
        members.texts =
            members.pairs.iter().map(|(one, other)| (one.to_string(), other.to_string())).collect();
        Ok(members)
    }

    /// Writes the file.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn write(&self, path: &Path) -> anyhow::Result<()> {
        Ok(std::fs::write(path, serde_json::to_vec(self)?)?)
    }

    /// The memberships of the member whose turn it is, as texts.
    pub(super) fn in_turn(&self, turn: usize) -> (&str, &str) {
        let place = place(turn, self.texts.len());
        self.texts.get(place).map_or(("", ""), |(one, other)| (one, other))
    }

    /// The same as ids.
    pub(super) fn ids_in_turn(&self, turn: usize) -> Option<(MembershipId, MembershipId)> {
        self.pairs.get(place(turn, self.pairs.len())).copied()
    }
}

fn place(turn: usize, count: usize) -> usize {
    turn.wrapping_mul(STRIDE).checked_rem(count).unwrap_or_default()
}

/// What exchanges are made under.
#[derive(Debug, Clone)]
pub(super) struct Alliance {
    pub(super) partners: [PartnerCode; 2],
    pub(super) agreement_id: AgreementId,
    pub(super) agreement_version: u32,
    pub(super) members: Members,
}

/// Makes partners, agreement and so many members in an empty store.
///
/// # Errors
/// The store failed, or holds something already.
pub(super) async fn found<S: Store>(store: &S, count: usize) -> anyhow::Result<Alliance> {
    let [first, second] = PARTNERS;
    let partners = [PartnerCode::new(first)?, PartnerCode::new(second)?];
    let mut programs = Vec::new();
    for code in &partners {
        let name = DisplayName::new(code.as_str())?;
        one(store, ask(&operator(), CreatePartner { code: code.clone(), name: name.clone() })?).await?;
        let command = CreateProgram {
            partner: code.clone(),
            code: ProgramCode::new("points")?,
            name,
            scale: Scale::new(0).context("no decimals")?,
            custody: Custody::Hosted,
            points_expiry_months: 24,
        };
        match &one(store, ask(&till(code), command)?).await?.body {
            Body::Program(program) => programs.push(program.program_id),
            other => bail!("no program: {other:?}"),
        }
    }
    let programs: [ProgramId; 2] = programs.try_into().map_err(|_| anyhow::anyhow!("no two programs"))?;
    let (agreement_id, agreement_version) = agree(store, &partners, programs).await?;
    let members = enrol(store, &partners, programs, count).await?;
    Ok(Alliance { partners, agreement_id, agreement_version, members })
}

async fn one<S: Store>(
    store: &S,
    envelope: Arc<pointbridge_core::command::Envelope>,
) -> anyhow::Result<Arc<Record>> {
    carry_out(store, &[envelope]).await?.pop().context("a command without a record")
}

async fn agree<S: Store>(
    store: &S,
    [first, second]: &[PartnerCode; 2],
    [one_program, other_program]: [ProgramId; 2],
) -> anyhow::Result<(AgreementId, u32)> {
    let directions = vec![direction(one_program, other_program)?, direction(other_program, one_program)?];
    let proposal =
        ProposeAgreement { partner: second.clone(), settlement_currency: "EUR".parse()?, directions };
    let record = one(store, ask(&till(first), proposal)?).await?;
    let Body::Agreement { version, .. } = &record.body else { bail!("no agreement") };
    let acceptance = AcceptAgreement {
        agreement_id: version.agreement_id,
        version: version.version,
        terms_hash: version.terms_hash,
    };
    one(store, ask(&till(second), acceptance)?).await?;
    Ok((version.agreement_id, version.version))
}

/// Three for two, a fee of one point, a cent each: every part of the arithmetic has something to do.
fn direction(source_program: ProgramId, destination_program: ProgramId) -> anyhow::Result<EnteredDirection> {
    Ok(EnteredDirection {
        source_program,
        destination_program,
        rate: Rate::new(3, 2).context("no rate")?,
        rounding: Rounding::TowardZero,
        residue_owner: ResidueOwner::Nobody,
        minimum: entered("1")?,
        maximum: entered("1000000")?,
        step: entered("1")?,
        fee: entered("1")?,
        basis: Basis::Credited,
        price_money: entered("0.01")?,
        price_points: entered("1")?,
        exposure_limit: entered("1000000000")?,
        hold_seconds: 600,
        reversal_days: None,
    })
}

fn entered(text: &str) -> anyhow::Result<Entered> {
    Entered::parse(text).map_err(|error| anyhow::anyhow!("{text} {error}"))
}

async fn enrol<S: Store>(
    store: &S,
    partners: &[PartnerCode; 2],
    programs: [ProgramId; 2],
    count: usize,
) -> anyhow::Result<Members> {
    let mut sides = Vec::new();
    for (partner, program_id) in partners.iter().zip(programs) {
        let register = |number| {
            let external_reference = Reference::new(format!("member-{number}"))?;
            Ok(RegisterMembership { program_id, external_reference })
        };
        let mut side = Vec::new();
        for record in each(store, partner, 0..count, register).await? {
            let Body::Membership(membership) = &record.body else { bail!("no membership") };
            side.push(membership.membership_id);
        }
        sides.push(side);
    }
    let [first, second]: [Vec<MembershipId>; 2] =
        sides.try_into().map_err(|_| anyhow::anyhow!("no two sides"))?;
    let pairs: Vec<_> = first.into_iter().zip(second).collect();
    link(store, partners, &pairs).await?;
    for (number, partner) in partners.iter().enumerate() {
        let own = pairs.iter().map(|(one, other)| if number == 0 { *one } else { *other });
        let other = partners.iter().find(|code| *code != partner).context("no other partner")?;
        each(store, partner, own.clone(), |membership_id| consent(membership_id, other)).await?;
        each(store, partner, own, accrual).await?;
    }
    Ok(Members { pairs, texts: Vec::new() })
}

/// Makes the two memberships of each pair one person's.
async fn link<S: Store>(
    store: &S,
    [first, second]: &[PartnerCode; 2],
    pairs: &[(MembershipId, MembershipId)],
) -> anyhow::Result<()> {
    // No code is ever shown, so that its hash may be that of any bits.
    let codes: Vec<_> = pairs.iter().map(|pair| (*pair, Uuid::new_v4())).collect();
    let hash = |code: Uuid| link_code_hash(*code.as_bytes());
    each(store, first, codes.iter(), |((one, _), code)| {
        Ok(IssueLinkCode {
            membership_id: *one,
            partner: second.clone(),
            link_code_id: LinkCodeId::new(*code),
            code_hash: hash(*code),
        })
    })
    .await?;
    each(store, second, codes.iter(), |((_, other), code)| {
        Ok(MergeMembers { code_hash: hash(*code), membership_id: *other })
    })
    .await?;
    Ok(())
}

fn consent(membership_id: MembershipId, recipient: &PartnerCode) -> anyhow::Result<GrantConsent> {
    Ok(GrantConsent {
        membership_id,
        recipient: recipient.clone(),
        scope: ConsentScope::Exchange,
        purpose: ReasonCode::new("EXCHANGE_POINTS")?,
        notice_version: NoticeVersion::new("notice-1")?,
        evidence_hash: [7; 32],
        expires_at: None,
    })
}

fn accrual(membership_id: MembershipId) -> anyhow::Result<AccruePoints> {
    Ok(AccruePoints {
        membership_id,
        amount: entered(POINTS)?,
        reason: ReasonCode::new("PURCHASE")?,
        reference: Reference::new("receipt-1")?,
        expires_at: None,
    })
}

/// A partner's command for each of many things, in batches.
async fn each<S: Store, T, C: Command + 'static>(
    store: &S,
    partner: &PartnerCode,
    things: impl Iterator<Item = T>,
    command: impl Fn(T) -> anyhow::Result<C>,
) -> anyhow::Result<Vec<Arc<Record>>> {
    let caller = till(partner);
    let mut records = Vec::new();
    let mut batch = Vec::new();
    for thing in things {
        batch.push(ask(&caller, command(thing)?)?);
        if batch.len() == BATCH {
            records.extend(carry_out(store, &std::mem::take(&mut batch)).await?);
        }
    }
    records.extend(carry_out(store, &batch).await?);
    Ok(records)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_member_has_its_turn() {
        for count in [1, 2, 50, 10_000] {
            let places: BTreeSet<usize> = (0..count).map(|turn| place(turn, count)).collect();
            assert_eq!(places.len(), count);
        }
    }
}
