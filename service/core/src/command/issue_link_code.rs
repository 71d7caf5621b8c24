//! IssueLinkCode: one home program's half of the proof that two memberships are one person.

use serde::Serialize;

use super::draft::{Draft, Lines};
use super::{Command, Context, Decision, named, standing};
use crate::canonical::Hash;
use crate::ids::{LinkCodeId, MembershipId};
use crate::member::{LINK_CODE_TTL_SECONDS, LinkCode, MembershipStatus};
use crate::record::{Body, LinkCodeBody, RecordKind};
use crate::rejections;
use crate::text::PartnerCode;
use crate::world::{Facts, Footprint, Lock, World};

/// Makes a link code for one partner. Its id and the code's hash are the hub's, not the caller's.
#[derive(Debug, Clone, Serialize)]
pub struct IssueLinkCode {
    /// The membership that it is made for.
    pub membership_id: MembershipId,
    /// The only partner that may bring it.
    pub partner: PartnerCode,
    /// Its id, drawn at random.
    #[serde(skip)]
    pub link_code_id: LinkCodeId,
    /// The hash of the code, which derives from the id under a key of the hub.
    #[serde(skip)]
    pub code_hash: Hash,
}

rejections! {
    /// Why no link code is made, in order of precedence (after the caller's standing).
    pub enum IssueLinkCodeRejection {
        NotFound { id: MembershipId } => MembershipNotFound at "membership_id", "there is no membership {id} that you may know of";
        Inactive { id: MembershipId } => MembershipInactive at "membership_id", "membership {id} is not active";
        SamePartner => SamePartner at "partner_code", "a link code is for another partner than yourself";
        NoPartner { code: PartnerCode } => PartnerNotFound at "partner_code", "there is no partner {code}";
    }
}

impl Command for IssueLinkCode {
    named!("IssueLinkCode");

    fn footprint(&self, _context: &Context, _facts: &Facts, needs: &mut Footprint) {
        needs.partner(&self.partner, Lock::Share);
        needs.membership(self.membership_id, Lock::Share);
    }

    fn decide(&self, context: &Context, world: &World) -> Decision {
        if let Err(refusal) = standing::to_start(&context.caller, world) {
            return refusal.into();
        }
        let Some(membership) = standing::own_membership(&context.caller, world, self.membership_id) else {
            return IssueLinkCodeRejection::NotFound { id: self.membership_id }.into();
        };
        if membership.status != MembershipStatus::Active {
            return IssueLinkCodeRejection::Inactive { id: self.membership_id }.into();
        }
        if membership.partner == self.partner {
            return IssueLinkCodeRejection::SamePartner.into();
        }
        if standing::registered(&self.partner, world).is_none() {
            return IssueLinkCodeRejection::NoPartner { code: self.partner.clone() }.into();
        }
        let code = LinkCode {
            link_code_id: self.link_code_id,
            code_hash: self.code_hash,
            membership_id: self.membership_id,
            partner: self.partner.clone(),
            expires_at: world.now.plus_seconds(LINK_CODE_TTL_SECONDS),
            used_by: None,
        };
        let body = LinkCodeBody {
            link_code_id: code.link_code_id,
            membership_id: code.membership_id,
            partner: code.partner.clone(),
            expires_at: code.expires_at,
        };
        let mut draft = Draft::new(context, world);
        draft.changes.link_codes.insert(code.link_code_id, code);
        let parties = vec![membership.partner.clone()];
        draft.done(RecordKind::LinkCodeIssued, parties, Body::LinkCode(body), Lines::default())
    }
}
