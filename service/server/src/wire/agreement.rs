//! Agreements on the wire.

use pointbridge_core::agreement::{
    Agreement, AgreementVersion, Basis, DirectionTerms, Funding, ResidueOwner, Terms,
};
use pointbridge_core::canonical::{hex, parse_hash};
use pointbridge_core::command::{AcceptAgreement, EnteredDirection, ProposeAgreement};
use pointbridge_core::money::Currency;
use pointbridge_core::rate::{Rate, Rounding};
use pointbridge_core::record::{Body, Record};
use pointbridge_core::rejection::Rejection;
use pointbridge_core::text::PartnerCode;
use pointbridge_proto::v1;
use pointbridge_store::AgreementView;
use tonic::Status;

use super::{amount, id, invalid, text, time, unexpected};

pub(crate) fn propose(request: v1::ProposeAgreementRequest) -> Result<ProposeAgreement, Rejection> {
    let terms = request.terms.ok_or_else(|| invalid("terms", "must be given"))?;
    let directions = terms.directions.into_iter().enumerate();
    Ok(ProposeAgreement {
        partner: text(PartnerCode::new(request.partner_code), "partner_code")?,
        settlement_currency: text(
            terms.settlement_currency.parse::<Currency>(),
            "terms.settlement_currency",
        )?,
        directions: directions
            .map(|(index, entered)| direction(&entered, index))
            .collect::<Result<_, _>>()?,
    })
}

pub(crate) fn accept(request: v1::AcceptAgreementRequest) -> Result<AcceptAgreement, Rejection> {
    let hash = parse_hash(&request.terms_hash);
    Ok(AcceptAgreement {
        agreement_id: id(&request.agreement_id, "agreement_id")?,
        version: request.version,
        terms_hash: hash.ok_or_else(|| invalid("terms_hash", "must be 64 lower-case hexadecimal digits"))?,
    })
}

fn direction(entered: &v1::DirectionTerms, index: usize) -> Result<EnteredDirection, Rejection> {
    let at = |field: &str| format!("terms.directions[{index}].{field}");
    let missing = |field: &str| invalid(&at(field), "must be given");
    let rate = entered.rate.ok_or_else(|| missing("rate"))?;
    let price = entered.price.as_ref().ok_or_else(|| missing("price"))?;
    let Some(v1::direction_terms::Funding::Postpaid(postpaid)) = &entered.funding else {
        return Err(missing("postpaid"));
    };
    let hold_seconds = match entered.hold_seconds {
        0 => DirectionTerms::HOLD_SECONDS_DEFAULT,
        seconds => seconds,
    };
    Ok(EnteredDirection {
        source_program: id(&entered.source_program_id, &at("source_program_id"))?,
        destination_program: id(&entered.destination_program_id, &at("destination_program_id"))?,
        rate: Rate::new(rate.give, rate.get)
            .ok_or_else(|| invalid(&at("rate"), "must be two numbers of 1 to 10^12"))?,
        rounding: rounding(entered.rounding()).ok_or_else(|| missing("rounding"))?,
        residue_owner: residue_owner(entered.residue_owner()).ok_or_else(|| missing("residue_owner"))?,
        minimum: amount(&entered.minimum_source_points, &at("minimum_source_points"))?,
        maximum: amount(&entered.maximum_source_points, &at("maximum_source_points"))?,
        step: amount(&entered.step_source_points, &at("step_source_points"))?,
        fee: amount(&entered.fee_points, &at("fee_points"))?,
        basis: basis(entered.basis()).ok_or_else(|| missing("basis"))?,
        price_money: amount(&price.money, &at("price.money"))?,
        price_points: amount(&price.points, &at("price.points"))?,
        exposure_limit: amount(&postpaid.exposure_limit, &at("postpaid.exposure_limit"))?,
        hold_seconds,
        reversal_days: entered.reversal_days,
    })
}

const fn rounding(rounding: v1::Rounding) -> Option<Rounding> {
    match rounding {
        v1::Rounding::TowardZero => Some(Rounding::TowardZero),
        v1::Rounding::HalfEven => Some(Rounding::HalfEven),
        v1::Rounding::Unspecified => None,
    }
}

const fn residue_owner(owner: v1::ResidueOwner) -> Option<ResidueOwner> {
    match owner {
        v1::ResidueOwner::Nobody => Some(ResidueOwner::Nobody),
        v1::ResidueOwner::Source => Some(ResidueOwner::Source),
        v1::ResidueOwner::Destination => Some(ResidueOwner::Destination),
        v1::ResidueOwner::Unspecified => None,
    }
}

pub(crate) const fn owner_on_wire(owner: ResidueOwner) -> v1::ResidueOwner {
    match owner {
        ResidueOwner::Nobody => v1::ResidueOwner::Nobody,
        ResidueOwner::Source => v1::ResidueOwner::Source,
        ResidueOwner::Destination => v1::ResidueOwner::Destination,
    }
}

const fn basis(basis: v1::SettlementBasis) -> Option<Basis> {
    match basis {
        v1::SettlementBasis::Credited => Some(Basis::Credited),
        v1::SettlementBasis::Source => Some(Basis::Source),
        v1::SettlementBasis::Unspecified => None,
    }
}

/// The agreement with the one version that the record is about.
pub(crate) fn of_record(record: &Record) -> Result<v1::Agreement, Status> {
    let Body::Agreement { agreement, version } = &record.body else { return Err(unexpected(record)) };
    let is_active = agreement.active_version == Some(version.version);
    let version = Some(&**version);
    Ok(on_wire(agreement, version.filter(|_| is_active), version.filter(|_| !is_active)))
}

pub(crate) fn of_view(view: &AgreementView) -> v1::Agreement {
    on_wire(&view.agreement, view.active.as_ref(), view.pending.as_ref())
}

fn on_wire(
    agreement: &Agreement,
    active: Option<&AgreementVersion>,
    pending: Option<&AgreementVersion>,
) -> v1::Agreement {
    let active = active.map(|active| v1::AgreementVersion {
        accept_time: agreement.active_since.and_then(time),
        ..version(active, v1::AgreementVersionState::Active)
    });
    v1::Agreement {
        agreement_id: agreement.agreement_id.to_string(),
        low_partner_code: agreement.pair.low().to_string(),
        high_partner_code: agreement.pair.high().to_string(),
        active,
        pending: pending.map(|pending| version(pending, v1::AgreementVersionState::Proposed)),
        create_time: time(agreement.created_at),
    }
}

fn version(version: &AgreementVersion, state: v1::AgreementVersionState) -> v1::AgreementVersion {
    v1::AgreementVersion {
        version: version.version,
        state: state.into(),
        author_partner_code: version.author.to_string(),
        terms: Some(terms(&version.terms)),
        terms_hash: hex(&version.terms_hash),
        propose_time: time(version.proposed_at),
        accept_time: None,
    }
}

fn terms(terms: &Terms) -> v1::AgreementTerms {
    v1::AgreementTerms {
        settlement_currency: terms.settlement_currency.to_string(),
        directions: terms.directions.iter().map(direction_on_wire).collect(),
    }
}

fn direction_on_wire(terms: &DirectionTerms) -> v1::DirectionTerms {
    let rounding = match terms.rounding {
        Rounding::TowardZero => v1::Rounding::TowardZero,
        Rounding::HalfEven => v1::Rounding::HalfEven,
    };
    let basis = match terms.basis {
        Basis::Credited => v1::SettlementBasis::Credited,
        Basis::Source => v1::SettlementBasis::Source,
    };
    let Funding::Postpaid { exposure_limit } = terms.funding;
    let postpaid = v1::Postpaid { exposure_limit: exposure_limit.to_string() };
    v1::DirectionTerms {
        source_program_id: terms.source_program.to_string(),
        destination_program_id: terms.destination_program.to_string(),
        rate: Some(v1::Rate { give: terms.rate.give(), get: terms.rate.get() }),
        rounding: rounding.into(),
        residue_owner: owner_on_wire(terms.residue_owner).into(),
        minimum_source_points: terms.minimum.to_string(),
        maximum_source_points: terms.maximum.to_string(),
        step_source_points: terms.step.to_string(),
        fee_points: terms.fee.to_string(),
        basis: basis.into(),
        price: Some(v1::Price {
            money: terms.price.money.to_string(),
            points: terms.price.points.to_string(),
        }),
        hold_seconds: terms.hold_seconds,
        reversal_days: terms.reversal_days,
        funding: Some(v1::direction_terms::Funding::Postpaid(postpaid)),
    }
}
