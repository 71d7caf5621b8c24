//! UpdateProgram: its name, and how long its points live from now on.

use serde::Serialize;

use super::draft::{Draft, Lines};
use super::{Command, Context, Decision, named, standing};
use crate::ids::ProgramId;
use crate::partner::Program;
use crate::record::{Body, RecordKind};
use crate::rejections;
use crate::text::DisplayName;
use crate::world::{Facts, Footprint, Lock, World};

/// Changes a program. Points that came before keep their expiry.
#[derive(Debug, Clone, Serialize)]
pub struct UpdateProgram {
    /// Which.
    pub program_id: ProgramId,
    /// Its new name; absent to keep it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<DisplayName>,
    /// The new rule for points that come from now on; absent to keep it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub points_expiry_months: Option<u8>,
}

rejections! {
    /// Why a program is not changed, in order of precedence (after the caller's standing).
    pub enum UpdateProgramRejection {
        NotFound { id: ProgramId } => ProgramNotFound at "program_id", "there is no program {id} that you may know of";
    }
}

impl Command for UpdateProgram {
    named!("UpdateProgram");

    fn footprint(&self, _context: &Context, _facts: &Facts, needs: &mut Footprint) {
        needs.program(self.program_id, Lock::Update);
    }

    fn decide(&self, context: &Context, world: &World) -> Decision {
        if let Err(refusal) = standing::to_start(&context.caller, world) {
            return refusal.into();
        }
        let Some(program) =
            world.programs.get(&self.program_id).filter(|p| context.caller.may_read(&p.partner))
        else {
            return UpdateProgramRejection::NotFound { id: self.program_id }.into();
        };
        let program = Program {
            name: self.name.clone().unwrap_or_else(|| program.name.clone()),
            points_expiry_months: self.points_expiry_months.unwrap_or(program.points_expiry_months),
            updated_at: world.now.after(program.updated_at),
            ..program.clone()
        };
        let mut draft = Draft::new(context, world);
        draft.changes.programs.insert(program.program_id, program.clone());
        draft.done(
            RecordKind::ProgramUpdated,
            vec![program.partner.clone()],
            Body::Program(program),
            Lines::default(),
        )
    }
}
