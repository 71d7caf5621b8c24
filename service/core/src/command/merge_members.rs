//! MergeMembers: the other home program's half of the proof; both memberships become one member.

use serde::Serialize;

use super::draft::{Draft, Lines};
use super::register_membership::body_of;
use super::{Command, Context, Decision, named, standing};
use crate::canonical::{Hash, hex_hash};
use crate::ids::{MembershipId, ProgramId};
use crate::member::{LinkCode, Membership, MembershipStatus};
use crate::record::{Body, MergeBody, RecordKind};
use crate::rejections;
use crate::world::{FactQuery, Facts, Footprint, Lock, World};

/// Brings a link code with a membership of the caller's own.
#[derive(Debug, Clone, Serialize)]
pub struct MergeMembers {
    /// The hash of the code.
    #[serde(with = "hex_hash")]
    pub code_hash: Hash,
    /// The caller's membership.
    pub membership_id: MembershipId,
}

rejections! {
    /// Why members are not merged, in order of precedence (after the caller's standing).
    pub enum MergeMembersRejection {
        NotFound { id: MembershipId } => MembershipNotFound at "membership_id", "there is no membership {id} that you may know of";
        Inactive { id: MembershipId } => MembershipInactive at "membership_id", "membership {id} is not active";
        CodeInvalid => LinkCodeInvalid at "link_code", "the link code is unknown, used, over, or made for another partner: have the member's other program make a new one that names you";
        Conflict => MembersConflict, "the two members both have a membership in one program, so that they cannot be one person: have the program sort that out first";
    }
}

impl Command for MergeMembers {
    named!("MergeMembers");

    fn resolve(&self, _context: &Context, facts: &mut FactQuery) {
        facts.link_codes.insert(self.code_hash);
    }

    fn footprint(&self, _context: &Context, facts: &Facts, needs: &mut Footprint) {
        needs.link_codes.insert(self.code_hash);
        let linked = facts.link_codes.get(&self.code_hash).map(|code| code.membership_id);
        for membership in linked.into_iter().chain([self.membership_id]) {
            needs.membership(membership, Lock::Update);
            needs.families.insert(membership);
        }
    }

    fn decide(&self, context: &Context, world: &World) -> Decision {
        if let Err(refusal) = standing::to_start(&context.caller, world) {
            return refusal.into();
        }
        match self.check(context, world) {
            Ok((code, own, linked)) => merge(context, world, code, own, linked),
            Err(refusal) => refusal.into(),
        }
    }
}

impl MergeMembers {
    fn check<'a>(
        &self,
        context: &Context,
        world: &'a World,
    ) -> Result<(&'a LinkCode, &'a Membership, &'a Membership), MergeMembersRejection> {
        let own = standing::own_membership(&context.caller, world, self.membership_id)
            .ok_or(MergeMembersRejection::NotFound { id: self.membership_id })?;
        if own.status != MembershipStatus::Active {
            return Err(MergeMembersRejection::Inactive { id: self.membership_id });
        }
        let code = world.link_codes.get(&self.code_hash);
        let code = code
            .filter(|code| {
                code.used_by.is_none() && world.now < code.expires_at && code.partner == own.partner
            })
            .ok_or(MergeMembersRejection::CodeInvalid)?;
        let linked = world.memberships.get(&code.membership_id);
        let linked = linked
            .filter(|linked| linked.status == MembershipStatus::Active)
            .ok_or(MergeMembersRejection::CodeInvalid)?;
        let programs = |member| {
            world.family(member).map(|m| m.program_id).collect::<std::collections::BTreeSet<ProgramId>>()
        };
        let are_two = own.member_id != linked.member_id;
        if are_two && !programs(own.member_id).is_disjoint(&programs(linked.member_id)) {
            return Err(MergeMembersRejection::Conflict);
        }
        Ok((code, own, linked))
    }
}

fn merge(
    context: &Context,
    world: &World,
    code: &LinkCode,
    own: &Membership,
    linked: &Membership,
) -> Decision {
    let mut draft = Draft::new(context, world);
    for membership in world.family(own.member_id).filter(|_| own.member_id != linked.member_id) {
        let moved = Membership { member_id: linked.member_id, ..membership.clone() };
        draft.changes.memberships.insert(moved.membership_id, moved);
    }
    let used = LinkCode { used_by: Some(own.membership_id), ..code.clone() };
    draft.changes.link_codes.insert(used.link_code_id, used);
    let body = MergeBody {
        link_code_id: code.link_code_id,
        membership: body_of(own),
        linked_membership_id: linked.membership_id,
        linked_program_id: linked.program_id,
        linked_partner: linked.partner.clone(),
    };
    let parties = vec![own.partner.clone(), linked.partner.clone()];
    draft.done(RecordKind::MembersMerged, parties, Body::Merge(body), Lines::default())
}
