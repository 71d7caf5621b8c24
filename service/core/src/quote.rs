//! Quotes: what an exchange would give, locked for a while.
//!
//! A quote is no row: the hub seals [`Claims`] into a token, and a prepare brings it back. The arithmetic of an exchange is
//! here once, for the quote and for the prepare.

use uuid::Uuid;

use crate::agreement::{AgreementVersion, Basis, DirectionTerms};
use crate::caller::Caller;
use crate::exchange::{Leg, Residue, Side};
use crate::exposure::Obligation;
use crate::ids::{AgreementId, ExchangeId, MembershipId};
use crate::member::{Consent, Membership, MembershipStatus};
use crate::partner::{Custody, Partner, PartnerStatus, Program};
use crate::points::Amount;
use crate::rate;
use crate::rejection::{Reason, Rejection};
use crate::rejections;
use crate::text::PartnerCode;
use crate::time::Timestamp;

/// How long a quote lives, in seconds.
pub const QUOTE_TTL_SECONDS: u32 = 120;

/// What a quote's token holds. At most 130 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The exchange that the quote makes, if it makes one.
    pub exchange_id: ExchangeId,
    /// The partner that it was made for.
    pub initiator: PartnerCode,
    /// The store's epoch when it was made.
    pub epoch: u32,
    /// The agreement.
    pub agreement_id: AgreementId,
    /// Its version.
    pub agreement_version: u32,
    /// Where points leave.
    pub source: MembershipId,
    /// Where points arrive.
    pub destination: MembershipId,
    /// What is taken, in minor units.
    pub source_minor: i64,
    /// From then on it makes nothing.
    pub expires_at: Timestamp,
}

impl Claims {
    /// The bytes to seal: fixed fields in order, the partner's code last.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(128);
        bytes.extend_from_slice(self.exchange_id.uuid().as_bytes());
        bytes.extend_from_slice(&self.epoch.to_be_bytes());
        bytes.extend_from_slice(self.agreement_id.uuid().as_bytes());
        bytes.extend_from_slice(&self.agreement_version.to_be_bytes());
        bytes.extend_from_slice(self.source.uuid().as_bytes());
        bytes.extend_from_slice(self.destination.uuid().as_bytes());
        bytes.extend_from_slice(&self.source_minor.to_be_bytes());
        bytes.extend_from_slice(&self.expires_at.micros().to_be_bytes());
        bytes.extend_from_slice(self.initiator.as_str().as_bytes());
        bytes
    }

    /// Reads what [`Claims::to_bytes`] wrote; `None` for anything else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let exchange_id = ExchangeId::new(Uuid::from_bytes(take(&mut rest)?));
        let epoch = u32::from_be_bytes(take(&mut rest)?);
        let agreement_id = AgreementId::new(Uuid::from_bytes(take(&mut rest)?));
        let agreement_version = u32::from_be_bytes(take(&mut rest)?);
        let source = MembershipId::new(Uuid::from_bytes(take(&mut rest)?));
        let destination = MembershipId::new(Uuid::from_bytes(take(&mut rest)?));
        let source_minor = i64::from_be_bytes(take(&mut rest)?);
        let expires_at = Timestamp::from_micros(i64::from_be_bytes(take(&mut rest)?))?;
        let initiator = PartnerCode::new(std::str::from_utf8(rest).ok()?).ok()?;
        Some(Self {
            exchange_id,
            initiator,
            epoch,
            agreement_id,
            agreement_version,
            source,
            destination,
            source_minor,
            expires_at,
        })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

rejections! {
    /// Why the terms do not take an amount, in order of precedence.
    pub enum AmountRejection {
        TooLittle { minimum: Amount } => AmountOutOfRange at "source_points", "less than the agreed minimum of {minimum} points";
        TooMuch { maximum: Amount } => AmountOutOfRange at "source_points", "more than the agreed maximum of {maximum} points";
        Step { step: Amount } => AmountStep at "source_points", "not a multiple of the agreed step of {step} points";
        TooSmall => AmountTooSmall at "source_points", "after rate, rounding and fee nothing would be left: exchange more at a time";
        Overflow => Overflow at "source_points", "the result is beyond what the hub can count: exchange less at a time";
    }
}

/// What an amount of source points becomes under the terms of a direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Priced {
    /// Destination points before the fee.
    pub gross: i64,
    /// Destination points after the fee.
    pub credited: i64,
    /// What rounding left.
    pub residue: Residue,
    /// What they are worth, in the settlement currency.
    pub money: crate::money::Money,
}

/// Prices `minor` source units under `terms`: the one place where an exchange is computed.
///
/// # Errors
/// [`AmountRejection`], in its order.
pub fn price(terms: &DirectionTerms, minor: i64) -> Result<Priced, AmountRejection> {
    if minor < terms.minimum.minor() {
        return Err(AmountRejection::TooLittle { minimum: terms.minimum });
    }
    if minor > terms.maximum.minor() {
        return Err(AmountRejection::TooMuch { maximum: terms.maximum });
    }
    if minor.checked_rem(terms.step.minor()) != Some(0) {
        return Err(AmountRejection::Step { step: terms.step });
    }
    let converted = rate::convert(minor, terms.rate, terms.rounding).ok_or(AmountRejection::Overflow)?;
    let credited = converted.gross.checked_sub(terms.fee.minor()).ok_or(AmountRejection::Overflow)?;
    if credited <= 0 {
        return Err(AmountRejection::TooSmall);
    }
    let counted = match terms.basis {
        Basis::Credited => credited,
        Basis::Source => minor,
    };
    let money = terms.price.value_of(counted).ok_or(AmountRejection::Overflow)?;
    let residue = Residue {
        numerator: converted.residue_numerator,
        denominator: converted.residue_denominator,
        owner: terms.residue_owner,
    };
    Ok(Priced { gross: converted.gross, credited, residue, money })
}

/// Both ends of an exchange, as a quote or a prepare finds them.
#[derive(Debug, Clone, Copy)]
pub struct Ends<'a> {
    /// Where points leave.
    pub source: End<'a>,
    /// Where points arrive.
    pub destination: End<'a>,
}

/// One end: the membership, its program, and its partner.
#[derive(Debug, Clone, Copy)]
pub struct End<'a> {
    /// The membership.
    pub membership: &'a Membership,
    /// Its program.
    pub program: &'a Program,
    /// Its program's partner.
    pub partner: &'a Partner,
    /// The consent EXCHANGE that was given at this end for the partner of the other, if one is on record.
    pub consent: Option<&'a Consent>,
}

impl End<'_> {
    fn side(&self) -> Side {
        Side {
            program_id: self.program.program_id,
            partner: self.program.partner.clone(),
            membership_id: self.membership.membership_id,
            custody: self.program.custody,
        }
    }
}

rejections! {
    /// Why two ends do not make an exchange, in order of precedence. (That the agreement is in force comes first.)
    pub enum EndsRejection {
        NotOneMember => MembershipNotFound at "destination_membership_id", "destination_membership_id names nothing that you may know of";
        PartnerInactive { code: PartnerCode } => PartnerInactive, "partner {code} is suspended: nothing new can be exchanged with it now";
        PartnerHeld => NotServed, "a program whose partner keeps the balances itself cannot take part in exchanges yet";
        MembershipInactive { id: MembershipId } => MembershipInactive, "membership {id} is not active: its home program can say why";
        SourceConsent { partner: PartnerCode } => ConsentMissing, "the member has not consented at the source program to exchange with {partner}: ask for it and record it with GrantConsent";
        DestinationConsent { partner: PartnerCode } => ConsentMissing, "the member has not consented at the destination program to exchange with {partner}: its partner must record it with GrantConsent";
    }
}

impl Ends<'_> {
    /// Checks everything about the two ends that does not depend on the amount.
    ///
    /// # Errors
    /// [`EndsRejection`], in its order.
    pub fn check(&self, now: Timestamp) -> Result<(), EndsRejection> {
        if self.source.membership.member_id != self.destination.membership.member_id {
            return Err(EndsRejection::NotOneMember);
        }
        let both = [&self.source, &self.destination];
        if let Some(end) = both.iter().find(|end| end.partner.status != PartnerStatus::Active) {
            return Err(EndsRejection::PartnerInactive { code: end.partner.code.clone() });
        }
        if both.iter().any(|end| end.program.custody != Custody::Hosted) {
            return Err(EndsRejection::PartnerHeld);
        }
        if let Some(end) = both.iter().find(|end| end.membership.status != MembershipStatus::Active) {
            return Err(EndsRejection::MembershipInactive { id: end.membership.membership_id });
        }
        let has_consent = |end: &End<'_>| end.consent.is_some_and(|consent| consent.is_live(now));
        if !has_consent(&self.source) {
            return Err(EndsRejection::SourceConsent { partner: self.destination.partner.code.clone() });
        }
        if !has_consent(&self.destination) {
            return Err(EndsRejection::DestinationConsent { partner: self.source.partner.code.clone() });
        }
        Ok(())
    }

    /// The leg between the two ends for `minor` source units.
    ///
    /// # Errors
    /// [`AmountRejection`], in its order.
    pub fn leg(
        &self,
        version: &AgreementVersion,
        terms: &DirectionTerms,
        minor: i64,
    ) -> Result<Leg, AmountRejection> {
        let priced = price(terms, minor)?;
        let scale = self.destination.program.scale;
        Ok(Leg {
            number: 1,
            agreement_id: version.agreement_id,
            agreement_version: version.version,
            terms_hash: version.terms_hash,
            source: self.source.side(),
            destination: self.destination.side(),
            source_points: Amount::new(minor, self.source.program.scale),
            gross_points: Amount::new(priced.gross, scale),
            fee_points: terms.fee,
            credited_points: Amount::new(priced.credited, scale),
            residue: priced.residue,
            obligation: Obligation {
                debtor: self.source.program.partner.clone(),
                creditor: self.destination.program.partner.clone(),
                currency: version.terms.settlement_currency,
                money: priced.money,
            },
            reversal_days: terms.reversal_days,
        })
    }
}

/// The refusal of an amount with more decimals than the program's points, or too large: `field` says where it stood.
#[must_use]
pub fn refuse_amount(error: crate::points::AmountError, field: &str) -> Rejection {
    let reason = match error {
        crate::points::AmountError::Form => Reason::ValidationFailed,
        crate::points::AmountError::Scale(_) => Reason::AmountScale,
        crate::points::AmountError::Large => Reason::AmountOutOfRange,
    };
    Rejection::new(reason, format!("{field} {error}")).at(field)
}

/// What a quote is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuoteRequest {
    /// How many source points.
    pub source_points: crate::points::Entered,
    /// The most legs; 0 and 1 mean a direct exchange.
    pub legs_max: u32,
}

/// What a store found for a quote: the ends that the caller may know of, and the agreement in force between their partners.
#[derive(Debug, Clone, Copy)]
pub struct QuoteInputs<'a> {
    /// Both ends.
    pub ends: Ends<'a>,
    /// The version in force.
    pub version: Option<&'a AgreementVersion>,
    /// The caller's own partner.
    pub caller_status: PartnerStatus,
    /// The store's clock.
    pub now: Timestamp,
}

/// A quote before it is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quoted {
    /// What would move.
    pub leg: Leg,
    /// How long prepared points would stay held.
    pub hold_seconds: u32,
    /// When the quote is over.
    pub expires_at: Timestamp,
}

rejections! {
    /// Why nothing is quoted, in order of precedence; then [`EndsRejection`], the amount's scale, [`AmountRejection`].
    pub enum QuoteRejection {
        Suspended => PartnerSuspended, "your partner is suspended: it may end what is open and start nothing";
        Routes => NotServed at "max_legs", "exchanges over a third program are not served yet: leave max_legs at 0 or 1";
        NotActive => AgreementNotActive, "the two partners have no agreement in force for this direction: propose one, or have a proposal accepted";
    }
}

/// Decides a quote.
///
/// # Errors
/// [`QuoteRejection`], then [`EndsRejection`], then AMOUNT_SCALE, then [`AmountRejection`].
pub fn quote(request: QuoteRequest, inputs: &QuoteInputs<'_>) -> Result<Quoted, Rejection> {
    if inputs.caller_status != PartnerStatus::Active {
        return Err(QuoteRejection::Suspended.into());
    }
    if request.legs_max > 1 {
        return Err(QuoteRejection::Routes.into());
    }
    let (source, destination) = (inputs.ends.source.program, inputs.ends.destination.program);
    let version = inputs.version.ok_or(QuoteRejection::NotActive)?;
    let terms = version
        .terms
        .direction(source.program_id, destination.program_id)
        .ok_or(QuoteRejection::NotActive)?;
    inputs.ends.check(inputs.now)?;
    let amount =
        Amount::enter(request.source_points, source.scale).map_err(|e| refuse_amount(e, "source_points"))?;
    let leg = inputs.ends.leg(version, terms, amount.minor())?;
    Ok(Quoted {
        leg,
        hold_seconds: terms.hold_seconds,
        expires_at: inputs.now.plus_seconds(QUOTE_TTL_SECONDS),
    })
}

/// The claims of a quote that was decided.
#[must_use]
pub fn claims(caller: &Caller, quoted: &Quoted, exchange_id: ExchangeId, epoch: u32) -> Option<Claims> {
    Some(Claims {
        exchange_id,
        initiator: caller.partner()?.clone(),
        epoch,
        agreement_id: quoted.leg.agreement_id,
        agreement_version: quoted.leg.agreement_version,
        source: quoted.leg.source.membership_id,
        destination: quoted.leg.destination.membership_id,
        source_minor: quoted.leg.source_points.minor(),
        expires_at: quoted.expires_at,
    })
}
