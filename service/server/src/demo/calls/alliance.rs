//! Partners, programs and agreements.

use anyhow::Context;
use pointbridge_client::v1;

use super::{Asking, short_name};
use crate::demo::answer::{Answer, Stop, present};
use crate::demo::book::{Book, Kind};
use crate::demo::script::{Direction, NewProgram};

/// Characters of a terms hash that the table shows; the whole hash is what is sent.
const HASH_CHARS_SHOWN: usize = 12;

pub(super) async fn create_partner(asking: Asking<'_>, code: &str, name: &str) -> Result<Answer, Stop> {
    let request = v1::CreatePartnerRequest {
        request_id: asking.writing.request_id,
        validate_only: asking.writing.validate_only,
        code: code.to_owned(),
        name: name.to_owned(),
    };
    let response = asking.client.partners().create_partner(request).await?.into_inner();
    let partner = present(response.partner.as_ref(), "partner")?;
    let status = short_name(partner.status().as_str_name(), "PARTNER_STATUS_");
    Ok(Answer::of(&response)
        .phrase(format!("{} “{}” is {status}", partner.code, partner.name))
        .fact("status", status))
}

pub(super) async fn create_program(asking: Asking<'_>, program: NewProgram) -> Result<Answer, Stop> {
    let request = v1::CreateProgramRequest {
        request_id: asking.writing.request_id,
        validate_only: asking.writing.validate_only,
        partner_code: program.partner.to_owned(),
        code: program.code.to_owned(),
        name: program.name.to_owned(),
        scale: program.scale,
        custody: program.custody.into(),
        points_expiry_months: program.expiry_months,
    };
    let response = asking.client.partners().create_program(request).await?.into_inner();
    let program = present(response.program.as_ref(), "program")?;
    asking.book.note_program(&program.code, &program.program_id);
    let custody = short_name(program.custody().as_str_name(), "CUSTODY_");
    let expiry = match program.points_expiry_months {
        0 => "never expire".to_owned(),
        months => format!("expire after {months} months"),
    };
    let phrase = format!(
        "{} of {}: {custody}, {} decimals, {expiry}",
        program.code, program.partner_code, program.scale
    );
    Ok(Answer::of(&response)
        .fact("custody", custody)
        .fact("decimals", program.scale.to_string())
        .phrase(phrase))
}

pub(super) async fn propose(
    asking: Asking<'_>,
    with: &str,
    currency: &str,
    directions: &[Direction],
) -> Result<Answer, Stop> {
    let terms = directions.iter().map(|direction| terms_of(asking.book, direction));
    let request = v1::ProposeAgreementRequest {
        request_id: asking.writing.request_id,
        validate_only: asking.writing.validate_only,
        partner_code: with.to_owned(),
        terms: Some(v1::AgreementTerms {
            settlement_currency: currency.to_owned(),
            directions: terms.collect::<anyhow::Result<_>>()?,
        }),
    };
    let response = asking.client.agreements().propose_agreement(request).await?.into_inner();
    let agreement = present(response.agreement.as_ref(), "agreement")?;
    let version = present(agreement.pending.as_ref(), "pending version")?;
    Ok(told(Answer::of(&response), asking.book, version))
}

fn terms_of(book: &Book, direction: &Direction) -> anyhow::Result<v1::DirectionTerms> {
    let text = ToOwned::to_owned;
    Ok(v1::DirectionTerms {
        source_program_id: book.find(Kind::Program, direction.from)?,
        destination_program_id: book.find(Kind::Program, direction.to)?,
        rate: Some(v1::Rate { give: direction.give, get: direction.get }),
        rounding: direction.rounding.into(),
        residue_owner: direction.residue_owner.into(),
        minimum_source_points: text(direction.minimum),
        maximum_source_points: text(direction.maximum),
        step_source_points: text(direction.step),
        fee_points: text(direction.fee),
        basis: direction.basis.into(),
        price: Some(v1::Price { money: text(direction.price.money), points: text(direction.price.points) }),
        funding: Some(v1::direction_terms::Funding::Postpaid(v1::Postpaid {
            exposure_limit: text(direction.exposure_limit),
        })),
        hold_seconds: direction.hold_seconds,
        // The usual term: 30 days.
        reversal_days: None,
    })
}

pub(super) async fn accept(asking: Asking<'_>, with: &str) -> Result<Answer, Stop> {
    let request = v1::ListAgreementsRequest {
        partner_code: Some(with.to_owned()),
        ..v1::ListAgreementsRequest::default()
    };
    let read = asking.client.agreements().list_agreements(request).await?.into_inner();
    let agreement = read.agreements.first().with_context(|| format!("no agreement with {with} is listed"))?;
    let waiting = present(agreement.pending.as_ref(), "pending version")?;
    let request = v1::AcceptAgreementRequest {
        request_id: asking.writing.request_id,
        validate_only: asking.writing.validate_only,
        agreement_id: agreement.agreement_id.clone(),
        version: waiting.version,
        terms_hash: waiting.terms_hash.clone(),
    };
    let response = asking.client.agreements().accept_agreement(request).await?.into_inner();
    let agreement = present(response.agreement.as_ref(), "agreement")?;
    let version = present(agreement.active.as_ref(), "active version")?;
    Ok(told(Answer::of(&response), asking.book, version))
}

/// State, rates and hash of a version. The rates are facts, too: "points → miles" is "3:2".
fn told(answer: Answer, book: &Book, version: &v1::AgreementVersion) -> Answer {
    let state = short_name(version.state().as_str_name(), "AGREEMENT_VERSION_STATE_");
    let hash: String = version.terms_hash.chars().take(HASH_CHARS_SHOWN).collect();
    let mut answer = answer.fact("state", &state).fact("version", version.version.to_string());
    let mut rates = Vec::new();
    for direction in version.terms.iter().flat_map(|terms| &terms.directions) {
        let way = format!(
            "{} → {}",
            book.program_code(&direction.source_program_id),
            book.program_code(&direction.destination_program_id)
        );
        let rate = direction.rate.unwrap_or_default();
        let rate = format!("{}:{}", rate.give, rate.get);
        rates.push(format!("{way} {rate}"));
        answer = answer.fact(way, rate);
    }
    answer.phrase(format!("v{} {state}: {}; hash {hash}…", version.version, rates.join(", ")))
}
