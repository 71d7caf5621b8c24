//! Partners and programs on the wire.

use pointbridge_core::command::{
    CreatePartner, CreateProgram, ResumePartner, SuspendPartner, UpdatePartner, UpdateProgram,
};
use pointbridge_core::partner::{Custody, Partner, PartnerStatus, Program};
use pointbridge_core::points::Scale;
use pointbridge_core::record::{Body, Record};
use pointbridge_core::rejection::Rejection;
use pointbridge_core::text::{DisplayName, PartnerCode, ProgramCode, ReasonCode};
use pointbridge_proto::v1;
use tonic::Status;

use super::{id, invalid, text, time, unexpected};

pub(crate) fn create(request: v1::CreatePartnerRequest) -> Result<CreatePartner, Rejection> {
    Ok(CreatePartner {
        code: text(PartnerCode::new(request.code), "code")?,
        name: text(DisplayName::new(request.name), "name")?,
    })
}

pub(crate) fn update(request: v1::UpdatePartnerRequest) -> Result<UpdatePartner, Rejection> {
    let name = request.name.map(|name| text(DisplayName::new(name), "name")).transpose()?;
    Ok(UpdatePartner { code: text(PartnerCode::new(request.code), "code")?, name })
}

pub(crate) fn suspend(request: v1::SuspendPartnerRequest) -> Result<SuspendPartner, Rejection> {
    Ok(SuspendPartner {
        code: text(PartnerCode::new(request.code), "code")?,
        reason: text(ReasonCode::new(request.reason_code), "reason_code")?,
    })
}

pub(crate) fn resume(request: v1::ResumePartnerRequest) -> Result<ResumePartner, Rejection> {
    Ok(ResumePartner {
        code: text(PartnerCode::new(request.code), "code")?,
        reason: text(ReasonCode::new(request.reason_code), "reason_code")?,
    })
}

pub(crate) fn create_program(request: v1::CreateProgramRequest) -> Result<CreateProgram, Rejection> {
    let custody = match request.custody() {
        v1::Custody::Hosted => Custody::Hosted,
        v1::Custody::PartnerHeld => Custody::PartnerHeld,
        v1::Custody::Unspecified => return Err(invalid("custody", "must be HOSTED or PARTNER_HELD")),
    };
    let scale = u8::try_from(request.scale).ok().and_then(Scale::new);
    Ok(CreateProgram {
        partner: text(PartnerCode::new(request.partner_code), "partner_code")?,
        code: text(ProgramCode::new(request.code), "code")?,
        name: text(DisplayName::new(request.name), "name")?,
        scale: scale.ok_or_else(|| invalid("scale", "must be 0 to 4"))?,
        custody,
        points_expiry_months: months(request.points_expiry_months)?,
    })
}

pub(crate) fn update_program(request: v1::UpdateProgramRequest) -> Result<UpdateProgram, Rejection> {
    Ok(UpdateProgram {
        program_id: id(&request.program_id, "program_id")?,
        name: request.name.map(|name| text(DisplayName::new(name), "name")).transpose()?,
        points_expiry_months: request.points_expiry_months.map(months).transpose()?,
    })
}

fn months(months: u32) -> Result<u8, Rejection> {
    let fits = u8::try_from(months).ok().filter(|months| *months <= Program::POINTS_EXPIRY_MONTHS_MAX);
    fits.ok_or_else(|| invalid("points_expiry_months", "must be 0 to 120"))
}

pub(crate) fn of_record(record: &Record) -> Result<v1::Partner, Status> {
    match &record.body {
        Body::Partner(partner) => Ok(self::partner(partner)),
        Body::Standing(standing) => Ok(partner(&standing.partner)),
        _ => Err(unexpected(record)),
    }
}

pub(crate) fn program_of_record(record: &Record) -> Result<v1::Program, Status> {
    match &record.body {
        Body::Program(program) => Ok(self::program(program)),
        _ => Err(unexpected(record)),
    }
}

pub(crate) fn partner(partner: &Partner) -> v1::Partner {
    let status = match partner.status {
        PartnerStatus::Active => v1::PartnerStatus::Active,
        PartnerStatus::Suspended => v1::PartnerStatus::Suspended,
    };
    v1::Partner {
        code: partner.code.to_string(),
        name: partner.name.to_string(),
        status: status.into(),
        create_time: time(partner.created_at),
        update_time: time(partner.updated_at),
    }
}

pub(crate) fn program(program: &Program) -> v1::Program {
    let custody = match program.custody {
        Custody::Hosted => v1::Custody::Hosted,
        Custody::PartnerHeld => v1::Custody::PartnerHeld,
    };
    v1::Program {
        program_id: program.program_id.to_string(),
        partner_code: program.partner.to_string(),
        code: program.code.to_string(),
        name: program.name.to_string(),
        scale: u32::from(program.scale.decimals()),
        custody: custody.into(),
        points_expiry_months: u32::from(program.points_expiry_months),
        create_time: time(program.created_at),
        update_time: time(program.updated_at),
    }
}
