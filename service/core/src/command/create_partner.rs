//! CreatePartner: the operator registers a merchant company.

use serde::Serialize;

use super::draft::{Draft, Lines};
use super::{Command, Context, Decision, named};
use crate::partner::{Partner, PartnerStatus};
use crate::record::{Body, RecordKind};
use crate::rejections;
use crate::text::{DisplayName, PartnerCode};
use crate::world::{Facts, Footprint, Lock, World};

/// Registers a partner.
#[derive(Debug, Clone, Serialize)]
pub struct CreatePartner {
    /// Its code: immutable, never reused.
    pub code: PartnerCode,
    /// Its name.
    pub name: DisplayName,
}

rejections! {
    /// Why a partner is not registered, in order of precedence.
    pub enum CreatePartnerRejection {
        Exists { code: PartnerCode } => PartnerExists at "code", "there is a partner {code} already, and codes are never reused: take another code";
    }
}

impl Command for CreatePartner {
    named!("CreatePartner");

    fn footprint(&self, _context: &Context, _facts: &Facts, needs: &mut Footprint) {
        needs.partner(&self.code, Lock::Update);
    }

    fn decide(&self, context: &Context, world: &World) -> Decision {
        if world.partners.contains_key(&self.code) {
            return CreatePartnerRejection::Exists { code: self.code.clone() }.into();
        }
        let partner = Partner {
            code: self.code.clone(),
            name: self.name.clone(),
            status: PartnerStatus::Active,
            created_at: world.now,
            updated_at: world.now,
        };
        let mut draft = Draft::new(context, world);
        draft.changes.partners.insert(partner.code.clone(), partner.clone());
        draft.done(
            RecordKind::PartnerCreated,
            vec![self.code.clone()],
            Body::Partner(partner),
            Lines::default(),
        )
    }
}
