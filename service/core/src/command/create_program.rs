//! CreateProgram: a loyalty program and its points currency.

use serde::Serialize;

use super::draft::{Draft, Lines};
use super::{Command, Context, Decision, named, standing};
use crate::ids::ProgramId;
use crate::partner::{Custody, Program};
use crate::points::Scale;
use crate::record::{Body, RecordKind};
use crate::rejections;
use crate::text::{DisplayName, PartnerCode, ProgramCode};
use crate::world::{Facts, Footprint, Lock, World};

/// Makes a program.
#[derive(Debug, Clone, Serialize)]
pub struct CreateProgram {
    /// Whose it is.
    pub partner: PartnerCode,
    /// Unique within the partner.
    pub code: ProgramCode,
    /// Its name.
    pub name: DisplayName,
    /// Decimals of its points, for ever.
    pub scale: Scale,
    /// Who keeps the balances, for ever.
    pub custody: Custody,
    /// See [`Program::points_expiry_months`].
    pub points_expiry_months: u8,
}

rejections! {
    /// Why a program is not made, in order of precedence (after the caller's standing).
    pub enum CreateProgramRejection {
        NoPartner { code: PartnerCode } => PartnerNotFound at "partner_code", "there is no partner {code} that you may know of";
        PartnerHeld => NotServed at "custody", "programs whose partner keeps the balances itself are not served yet: use HOSTED";
        Exists { code: ProgramCode } => ProgramExists at "code", "the partner has a program {code} already: take another code, or update that one";
    }
}

impl Command for CreateProgram {
    named!("CreateProgram");

    fn footprint(&self, _context: &Context, _facts: &Facts, needs: &mut Footprint) {
        needs.partner(&self.partner, Lock::Share);
        needs.program_codes.insert((self.partner.clone(), self.code.clone()));
    }

    fn decide(&self, context: &Context, world: &World) -> Decision {
        if let Err(refusal) = standing::to_start(&context.caller, world) {
            return refusal.into();
        }
        if !world.partners.contains_key(&self.partner) || !context.caller.may_read(&self.partner) {
            return CreateProgramRejection::NoPartner { code: self.partner.clone() }.into();
        }
        if self.custody == Custody::PartnerHeld {
            return CreateProgramRejection::PartnerHeld.into();
        }
        if world.program_codes.contains(&(self.partner.clone(), self.code.clone())) {
            return CreateProgramRejection::Exists { code: self.code.clone() }.into();
        }
        let program = Program {
            program_id: ProgramId::new(context.seed.id()),
            partner: self.partner.clone(),
            code: self.code.clone(),
            name: self.name.clone(),
            scale: self.scale,
            custody: self.custody,
            points_expiry_months: self.points_expiry_months,
            created_at: world.now,
            updated_at: world.now,
        };
        let mut draft = Draft::new(context, world);
        draft.changes.programs.insert(program.program_id, program.clone());
        draft.done(
            RecordKind::ProgramCreated,
            vec![self.partner.clone()],
            Body::Program(program),
            Lines::default(),
        )
    }
}
