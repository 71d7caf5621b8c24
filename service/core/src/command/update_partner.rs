//! UpdatePartner: the operator, or the partner itself, changes how it is called.

use serde::Serialize;

use super::draft::{Draft, Lines};
use super::{Command, Context, Decision, named, standing};
use crate::partner::Partner;
use crate::record::{Body, RecordKind};
use crate::rejections;
use crate::text::{DisplayName, PartnerCode};
use crate::world::{Facts, Footprint, Lock, World};

/// Changes a partner.
#[derive(Debug, Clone, Serialize)]
pub struct UpdatePartner {
    /// Which.
    pub code: PartnerCode,
    /// Its new name; absent to keep it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<DisplayName>,
}

rejections! {
    /// Why a partner is not changed, in order of precedence (after the caller's standing).
    pub enum UpdatePartnerRejection {
        NotFound { code: PartnerCode } => PartnerNotFound at "code", "there is no partner {code} that you may know of";
    }
}

impl Command for UpdatePartner {
    named!("UpdatePartner");

    fn footprint(&self, _context: &Context, _facts: &Facts, needs: &mut Footprint) {
        needs.partner(&self.code, Lock::Update);
    }

    fn decide(&self, context: &Context, world: &World) -> Decision {
        if let Err(refusal) = standing::to_start(&context.caller, world) {
            return refusal.into();
        }
        let Some(partner) = world.partners.get(&self.code).filter(|p| context.caller.may_read(&p.code))
        else {
            return UpdatePartnerRejection::NotFound { code: self.code.clone() }.into();
        };
        let name = self.name.clone().unwrap_or_else(|| partner.name.clone());
        let updated_at = world.now.after(partner.updated_at);
        let partner = Partner { name, updated_at, ..partner.clone() };
        let mut draft = Draft::new(context, world);
        draft.changes.partners.insert(partner.code.clone(), partner.clone());
        draft.done(
            RecordKind::PartnerUpdated,
            vec![self.code.clone()],
            Body::Partner(partner),
            Lines::default(),
        )
    }
}
