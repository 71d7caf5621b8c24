//! RegisterMembership: a program enrols a member under its own opaque reference.

use serde::Serialize;

use super::draft::{Draft, Lines};
use super::{Command, Context, Decision, named, standing};
use crate::canonical::{self, Domain};
use crate::ids::{MemberId, MembershipId, ProgramId};
use crate::ledger::Account;
use crate::member::{Membership, MembershipStatus};
use crate::record::{Body, MembershipBody, RecordKind};
use crate::rejections;
use crate::text::Reference;
use crate::world::{Facts, Footprint, Lock, World};

/// Registers a membership, and with it a member who is nobody else's yet.
#[derive(Debug, Clone, Serialize)]
pub struct RegisterMembership {
    /// The program.
    pub program_id: ProgramId,
    /// The partner's own opaque name for the member, unique in the program.
    pub external_reference: Reference,
}

rejections! {
    /// Why a membership is not registered, in order of precedence (after the caller's standing).
    pub enum RegisterMembershipRejection {
        NoProgram { id: ProgramId } => ProgramNotFound at "program_id", "there is no program {id} that you may know of";
        Exists => MembershipExists at "external_reference", "the program has a membership with this external reference already: read it with GetMembership";
    }
}

impl Command for RegisterMembership {
    named!("RegisterMembership");

    fn footprint(&self, _context: &Context, _facts: &Facts, needs: &mut Footprint) {
        needs.program(self.program_id, Lock::Share);
        needs.external_references.insert((self.program_id, self.external_reference.clone()));
    }

    fn decide(&self, context: &Context, world: &World) -> Decision {
        if let Err(refusal) = standing::to_start(&context.caller, world) {
            return refusal.into();
        }
        let owned = |p: &&crate::partner::Program| context.caller.partner() == Some(&p.partner);
        let Some(program) = world.programs.get(&self.program_id).filter(owned) else {
            return RegisterMembershipRejection::NoProgram { id: self.program_id }.into();
        };
        if world.external_references.contains(&(self.program_id, self.external_reference.clone())) {
            return RegisterMembershipRejection::Exists.into();
        }
        let membership = Membership {
            membership_id: MembershipId::new(context.seed.random_id("membership")),
            member_id: MemberId::new(context.seed.random_id("member")),
            program_id: self.program_id,
            partner: program.partner.clone(),
            external_reference: self.external_reference.clone(),
            reference_salt: context.seed.bits("reference-salt", ""),
            status: MembershipStatus::Active,
            created_at: world.now,
        };
        let mut draft = Draft::new(context, world);
        draft.changes.memberships.insert(membership.membership_id, membership.clone());
        draft.set_account(Account::open(membership.membership_id));
        let body = Body::Membership(body_of(&membership));
        draft.done(RecordKind::MembershipRegistered, vec![membership.partner], body, Lines::default())
    }
}

/// A membership as it stands in records: no external reference in clear.
pub(super) fn body_of(membership: &Membership) -> MembershipBody {
    let reference = membership.external_reference.as_str().as_bytes();
    MembershipBody {
        membership_id: membership.membership_id,
        program_id: membership.program_id,
        partner: membership.partner.clone(),
        reference_commitment: canonical::commit(Domain::Reference, &membership.reference_salt, reference),
        status: membership.status,
        created_at: membership.created_at,
    }
}
