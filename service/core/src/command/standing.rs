//! The first check of every command: who asks.

use crate::caller::{Caller, Party};
use crate::ids::MembershipId;
use crate::member::Membership;
use crate::partner::{Partner, PartnerStatus};
use crate::rejections;
use crate::text::PartnerCode;
use crate::world::World;

rejections! {
    /// Why a caller's standing does not allow a command, in order of precedence.
    pub enum StandingRejection {
        Unknown => CertificateUnknown, "your certificate names a partner that is not registered here: ask the operator to create it";
        Suspended => PartnerSuspended, "your partner is suspended: it may end what is open and start nothing";
    }
}

/// A partner that calls must be registered.
pub(super) fn of_caller(caller: &Caller, world: &World) -> Result<(), StandingRejection> {
    match &caller.party {
        Party::Partner(code) if !world.partners.contains_key(code) => Err(StandingRejection::Unknown),
        Party::Partner(_) | Party::Operator | Party::Auditor | Party::Hub => Ok(()),
    }
}

/// A partner that starts something new must be active. The operator always may.
pub(super) fn to_start(caller: &Caller, world: &World) -> Result<(), StandingRejection> {
    match caller.partner().and_then(|code| world.partners.get(code)) {
        Some(partner) if partner.status != PartnerStatus::Active => Err(StandingRejection::Suspended),
        _ => Ok(()),
    }
}

/// A partner that is known to be registered.
pub(super) fn registered<'a>(code: &PartnerCode, world: &'a World) -> Option<&'a Partner> {
    world.partners.get(code)
}

/// A membership, if it is of a program of the caller's.
pub(super) fn own_membership<'a>(
    caller: &Caller,
    world: &'a World,
    id: MembershipId,
) -> Option<&'a Membership> {
    world.memberships.get(&id).filter(|membership| caller.partner() == Some(&membership.partner))
}
