//! ProposeAgreement: one party of a pair writes a version.

use serde::Serialize;

use super::draft::{Draft, Lines, broken};
use super::{Command, Context, Decision, named, standing};
use crate::agreement::{
    Agreement, AgreementVersion, Basis, DirectionTerms, Funding, Pair, ResidueOwner, Terms,
};
use crate::ids::{AgreementId, ProgramId};
use crate::money::{Currency, Money, Price};
use crate::partner::{PartnerStatus, Program};
use crate::points::{Amount, AmountError, Entered};
use crate::rate::{Rate, Rounding};
use crate::record::{Body, RecordKind};
use crate::rejections;
use crate::text::PartnerCode;
use crate::world::{Facts, Footprint, Lock, World};

/// Proposes a version of the pair's agreement. A version that waits is superseded by it.
#[derive(Debug, Clone, Serialize)]
pub struct ProposeAgreement {
    /// The other party.
    pub partner: PartnerCode,
    /// What everything is settled in.
    pub settlement_currency: Currency,
    /// The directions, as entered.
    pub directions: Vec<EnteredDirection>,
}

/// The terms of a direction before the programs' scales are known. Fields as in [`DirectionTerms`].
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)]
pub struct EnteredDirection {
    pub source_program: ProgramId,
    pub destination_program: ProgramId,
    pub rate: Rate,
    pub rounding: Rounding,
    pub residue_owner: ResidueOwner,
    pub minimum: Entered,
    pub maximum: Entered,
    pub step: Entered,
    pub fee: Entered,
    pub basis: Basis,
    pub price_money: Entered,
    pub price_points: Entered,
    pub exposure_limit: Entered,
    pub hold_seconds: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reversal_days: Option<u32>,
}

rejections! {
    /// Why a version is not proposed, in order of precedence (after the caller's standing).
    pub enum ProposeAgreementRejection {
        SamePartner => SamePartner at "partner_code", "an agreement needs another partner than yourself";
        NoPartner { code: PartnerCode } => PartnerNotFound at "partner_code", "there is no partner {code}";
        PartnerInactive { code: PartnerCode } => PartnerInactive at "partner_code", "partner {code} is suspended: nothing new can be agreed with it now";
    }
}

/// What is wrong with a direction's terms.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Flaw {
    field: &'static str,
    sentence: String,
}

impl Command for ProposeAgreement {
    named!("ProposeAgreement");

    fn footprint(&self, context: &Context, _facts: &Facts, needs: &mut Footprint) {
        needs.partner(&self.partner, Lock::Share);
        if let Some(pair) = context.caller.partner().and_then(|caller| Pair::new(caller, &self.partner)) {
            needs.agreement(&pair, Lock::Update);
        }
        for direction in &self.directions {
            needs.program(direction.source_program, Lock::Share);
            needs.program(direction.destination_program, Lock::Share);
        }
    }

    fn decide(&self, context: &Context, world: &World) -> Decision {
        if let Err(refusal) = standing::to_start(&context.caller, world) {
            return refusal.into();
        }
        let Some((author, pair)) =
            context.caller.partner().and_then(|c| Some((c, Pair::new(c, &self.partner)?)))
        else {
            return ProposeAgreementRejection::SamePartner.into();
        };
        match standing::registered(&self.partner, world) {
            None => return ProposeAgreementRejection::NoPartner { code: self.partner.clone() }.into(),
            Some(other) if other.status != PartnerStatus::Active => {
                return ProposeAgreementRejection::PartnerInactive { code: self.partner.clone() }.into();
            }
            Some(_) => {}
        }
        match self.terms(&pair, world) {
            Ok(terms) => propose(context, world, author, &pair, terms),
            Err(rejection) => Decision::refuse(rejection),
        }
    }
}

fn propose(context: &Context, world: &World, author: &PartnerCode, pair: &Pair, terms: Terms) -> Decision {
    let Ok((_, terms_hash)) = terms.seal() else {
        return Decision::refuse(broken("terms without canonical bytes"));
    };
    let known = world.agreements.get(pair).cloned();
    let mut agreement = known.unwrap_or_else(|| Agreement {
        agreement_id: AgreementId::new(context.seed.id()),
        pair: pair.clone(),
        latest_version: 0,
        active_version: None,
        active_since: None,
        pending_version: None,
        created_at: world.now,
    });
    agreement.latest_version = agreement.latest_version.saturating_add(1);
    agreement.pending_version = Some(agreement.latest_version);
    let version = AgreementVersion {
        agreement_id: agreement.agreement_id,
        version: agreement.latest_version,
        author: author.clone(),
        terms,
        terms_hash,
        proposed_at: world.now,
    };
    let mut draft = Draft::new(context, world);
    draft.changes.agreements.insert(pair.clone(), agreement.clone());
    draft.changes.versions.push(version.clone());
    let parties = vec![pair.low().clone(), pair.high().clone()];
    let body = Body::Agreement { agreement, version: Box::new(version) };
    draft.done(RecordKind::AgreementProposed, parties, body, Lines::default())
}

impl ProposeAgreement {
    fn terms(&self, pair: &Pair, world: &World) -> Result<Terms, crate::rejection::Rejection> {
        if self.directions.is_empty() || self.directions.len() > Terms::DIRECTIONS_MAX {
            let what = format!("terms.directions: must be 1 to {}", Terms::DIRECTIONS_MAX);
            let reason = crate::rejection::Reason::TermsInvalid;
            return Err(crate::rejection::Rejection::new(reason, what).at("terms.directions"));
        }
        let mut directions: Vec<DirectionTerms> = Vec::with_capacity(self.directions.len());
        for (index, entered) in self.directions.iter().enumerate() {
            let terms = entered.terms(pair, world).map_err(|flaw| refuse(index, &flaw))?;
            let twice = directions.iter().any(|known| {
                known.source_program == terms.source_program
                    && known.destination_program == terms.destination_program
            });
            if twice {
                let sentence = "this direction stands in the terms twice".to_owned();
                return Err(refuse(index, &Flaw { field: "source_program_id", sentence }));
            }
            directions.push(terms);
        }
        Ok(Terms {
            schema: Terms::SCHEMA.to_owned(),
            settlement_currency: self.settlement_currency,
            directions,
        })
    }
}

fn refuse(index: usize, flaw: &Flaw) -> crate::rejection::Rejection {
    let field = format!("terms.directions[{index}].{}", flaw.field);
    let message = format!("{field}: {}", flaw.sentence);
    crate::rejection::Rejection::new(crate::rejection::Reason::TermsInvalid, message).at(field)
}

impl EnteredDirection {
    fn terms(&self, pair: &Pair, world: &World) -> Result<DirectionTerms, Flaw> {
        let source = program(self.source_program, "source_program_id", pair, world)?;
        let destination = program(self.destination_program, "destination_program_id", pair, world)?;
        if source.partner == destination.partner {
            return flaw(
                "destination_program_id",
                "must be a program of the other partner than the source program",
            );
        }
        let basis_scale = match self.basis {
            Basis::Credited => destination.scale,
            Basis::Source => source.scale,
        };
        let amount =
            |entered: Entered, scale, field| Amount::enter(entered, scale).map_err(|e| amount_flaw(field, e));
        let money = |entered: Entered, field| Money::enter(entered).map_err(|e| amount_flaw(field, e));
        let terms = DirectionTerms {
            source_program: source.program_id,
            destination_program: destination.program_id,
            rate: self.rate,
            rounding: self.rounding,
            residue_owner: self.residue_owner,
            minimum: amount(self.minimum, source.scale, "minimum_source_points")?,
            maximum: amount(self.maximum, source.scale, "maximum_source_points")?,
            step: amount(self.step, source.scale, "step_source_points")?,
            fee: amount(self.fee, destination.scale, "fee_points")?,
            basis: self.basis,
            price: Price {
                money: money(self.price_money, "price.money")?,
                points: amount(self.price_points, basis_scale, "price.points")?,
            },
            funding: Funding::Postpaid {
                exposure_limit: money(self.exposure_limit, "postpaid.exposure_limit")?,
            },
            hold_seconds: self.hold_seconds,
            reversal_days: self.reversal_days,
        };
        check_amounts(&terms)?;
        Ok(terms)
    }
}

fn program<'a>(
    id: ProgramId,
    field: &'static str,
    pair: &Pair,
    world: &'a World,
) -> Result<&'a Program, Flaw> {
    let known = world.programs.get(&id).filter(|program| pair.has(&program.partner));
    known.ok_or_else(|| Flaw {
        field,
        sentence: format!("{id} is not a program of {} or {}", pair.low(), pair.high()),
    })
}

fn check_amounts(terms: &DirectionTerms) -> Result<(), Flaw> {
    let Funding::Postpaid { exposure_limit } = terms.funding;
    if terms.minimum.minor() <= 0 {
        return flaw("minimum_source_points", "must be above zero");
    }
    if terms.maximum.minor() < terms.minimum.minor() {
        return flaw("maximum_source_points", "must not be below the minimum");
    }
    if terms.step.minor() <= 0 {
        return flaw("step_source_points", "must be above zero");
    }
    if terms.fee.minor() < 0 {
        return flaw("fee_points", "must not be below zero");
    }
    if terms.price.money.millionths() <= 0 {
        return flaw("price.money", "must be above zero");
    }
    if terms.price.points.minor() <= 0 {
        return flaw("price.points", "must be above zero");
    }
    if exposure_limit.millionths() <= 0 {
        return flaw("postpaid.exposure_limit", "must be above zero");
    }
    if !(DirectionTerms::HOLD_SECONDS_MIN..=DirectionTerms::HOLD_SECONDS_MAX).contains(&terms.hold_seconds) {
        return flaw("hold_seconds", "must be between 1 and 3600");
    }
    if terms.reversal_days.is_some_and(|days| days > DirectionTerms::REVERSAL_DAYS_MAX) {
        return flaw("reversal_days", "must be between 0 and 365");
    }
    Ok(())
}

fn flaw<T>(field: &'static str, sentence: &str) -> Result<T, Flaw> {
    Err(Flaw { field, sentence: sentence.to_owned() })
}

fn amount_flaw(field: &'static str, error: AmountError) -> Flaw {
    Flaw { field, sentence: error.to_string() }
}
