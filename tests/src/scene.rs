//! A small alliance: an airline, a market and one person who is a member of both.
//!
//! Tests begin here and change one thing. Every part can be made alone, so that a test can leave one out.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use pointbridge_core::agreement::{Basis, ResidueOwner};
use pointbridge_core::canonical::{self, Domain, Hash};
use pointbridge_core::command::{
    AcceptAgreement, CreatePartner, CreateProgram, EnteredDirection, GrantConsent, IssueLinkCode,
    MergeMembers, ProposeAgreement, RegisterMembership,
};
use pointbridge_core::ids::{AgreementId, ConsentId, LinkCodeId, MembershipId, ProgramId};
use pointbridge_core::member::ConsentScope;
use pointbridge_core::partner::Custody;
use pointbridge_core::points::Scale;
use pointbridge_core::rate::{Rate, Rounding};
use pointbridge_core::record::Body;
use pointbridge_core::text::{DisplayName, NoticeVersion, PartnerCode, ProgramCode};
use pointbridge_store::Store;

use crate::hub::{Hub, Wish, code, entered, reason, reference};
use crate::script::{operator, till};

/// Who and what there is.
#[derive(Debug, Clone)]
pub struct Scene {
    /// The partner where points leave.
    pub airline: PartnerCode,
    /// The partner where points arrive.
    pub market: PartnerCode,
    /// The airline's program: no decimals, points never expire.
    pub miles: ProgramId,
    /// The market's program: no decimals, points never expire.
    pub stars: ProgramId,
    /// The person at the airline.
    pub flyer: MembershipId,
    /// The same person at the market.
    pub shopper: MembershipId,
}

impl Scene {
    /// From the flyer to the shopper.
    #[must_use]
    pub fn wish<'a>(&self, points: &'a str) -> Wish<'a> {
        Wish { source: self.flyer, destination: self.shopper, points }
    }

    /// The scene's direction, one to one.
    #[must_use]
    pub fn direction(&self) -> EnteredDirection {
        direction(self.miles, self.stars)
    }
}

/// A direction at one to one: 1 to 1,000,000 points in steps of 1, no fee, a hundredth of a yuan each, a limit of a
/// million yuan, 5 minutes of hold.
///
/// # Panics
/// Never.
#[must_use]
pub fn direction(source_program: ProgramId, destination_program: ProgramId) -> EnteredDirection {
    EnteredDirection {
        source_program,
        destination_program,
        rate: Rate::new(1, 1).unwrap(),
        rounding: Rounding::TowardZero,
        residue_owner: ResidueOwner::Nobody,
        minimum: entered("1"),
        maximum: entered("1000000"),
        step: entered("1"),
        fee: entered("0"),
        basis: Basis::Credited,
        price_money: entered("0.01"),
        price_points: entered("1"),
        exposure_limit: entered("1000000"),
        hold_seconds: 300,
        reversal_days: None,
    }
}

/// A consent EXCHANGE without an end.
///
/// # Panics
/// Never.
#[must_use]
pub fn consent(membership_id: MembershipId, recipient: &PartnerCode) -> GrantConsent {
    GrantConsent {
        membership_id,
        recipient: recipient.clone(),
        scope: ConsentScope::Exchange,
        purpose: reason("EXCHANGE_POINTS"),
        notice_version: NoticeVersion::new("2026-11-01").unwrap(),
        evidence_hash: [7; 32],
        expires_at: None,
    }
}

/// A partner to be registered.
///
/// # Panics
/// Where the code is none.
#[must_use]
pub fn company(text: &str) -> CreatePartner {
    CreatePartner { code: code(text), name: DisplayName::new(text).unwrap() }
}

/// A hosted program to be made; 0 months for points that never expire.
///
/// # Panics
/// Where the code is none.
#[must_use]
pub fn hosted(partner: &PartnerCode, text: &str, decimals: u8, expiry_months: u8) -> CreateProgram {
    CreateProgram {
        partner: partner.clone(),
        code: ProgramCode::new(text).unwrap(),
        name: DisplayName::new(text).unwrap(),
        scale: Scale::new(decimals).unwrap(),
        custody: Custody::Hosted,
        points_expiry_months: expiry_months,
    }
}

/// What stands for the hash of a link code here: a hub derives the code from its id under a key, tests need no key.
#[must_use]
pub fn code_hash(id: LinkCodeId) -> Hash {
    canonical::hash(Domain::Request, id.to_string().as_bytes())
}

impl<S: Store> Hub<S> {
    /// The whole scene: partners, programs, one linked member, consents both ways, an agreement in force.
    ///
    /// # Panics
    /// Where anything is refused.
    pub async fn scene(&self) -> Scene {
        let scene = self.strangers().await;
        self.link(&scene).await;
        self.consent(&scene.airline, scene.flyer, &scene.market).await;
        self.consent(&scene.market, scene.shopper, &scene.airline).await;
        self.agree(&scene.airline, &scene.market, vec![scene.direction()]).await;
        scene
    }

    /// Partners, programs and two memberships, and nothing between them.
    ///
    /// # Panics
    /// Where anything is refused.
    pub async fn strangers(&self) -> Scene {
        let airline = self.partner("airline").await;
        let market = self.partner("market").await;
        let miles = self.program(hosted(&airline, "miles", 0, 0)).await;
        let stars = self.program(hosted(&market, "stars", 0, 0)).await;
        let flyer = self.member(&airline, miles, "flyer-1").await;
        let shopper = self.member(&market, stars, "shopper-1").await;
        Scene { airline, market, miles, stars, flyer, shopper }
    }

    /// Registers a partner.
    ///
    /// # Panics
    /// Where it is refused.
    pub async fn partner(&self, text: &str) -> PartnerCode {
        self.does(&operator(), company(text)).await;
        code(text)
    }

    /// Makes a program, as its partner.
    ///
    /// # Panics
    /// Where it is refused.
    pub async fn program(&self, wanted: CreateProgram) -> ProgramId {
        match &self.does(&till(&wanted.partner), wanted.clone()).await.body {
            Body::Program(program) => program.program_id,
            other => panic!("no program: {other:?}"),
        }
    }

    /// Registers a membership.
    ///
    /// # Panics
    /// Where it is refused.
    pub async fn member(&self, partner: &PartnerCode, program_id: ProgramId, name: &str) -> MembershipId {
        let command = RegisterMembership { program_id, external_reference: reference(name) };
        match &self.does(&till(partner), command).await.body {
            Body::Membership(membership) => membership.membership_id,
            other => panic!("no membership: {other:?}"),
        }
    }

    /// A link code to be made at `membership` for `partner`.
    #[must_use]
    pub fn link_code(&self, membership: MembershipId, partner: &PartnerCode) -> IssueLinkCode {
        let link_code_id = LinkCodeId::new(self.script.id());
        IssueLinkCode {
            membership_id: membership,
            partner: partner.clone(),
            link_code_id,
            code_hash: code_hash(link_code_id),
        }
    }

    /// Makes the scene's two memberships one member.
    ///
    /// # Panics
    /// Where it is refused.
    pub async fn link(&self, scene: &Scene) {
        let made = self.link_code(scene.flyer, &scene.market);
        self.does(&till(&scene.airline), made.clone()).await;
        let brought = MergeMembers { code_hash: made.code_hash, membership_id: scene.shopper };
        self.does(&till(&scene.market), brought).await;
    }

    /// Records a consent EXCHANGE.
    ///
    /// # Panics
    /// Where it is refused.
    pub async fn consent(
        &self,
        home: &PartnerCode,
        membership: MembershipId,
        recipient: &PartnerCode,
    ) -> ConsentId {
        match &self.does(&till(home), consent(membership, recipient)).await.body {
            Body::Consent(consent) => consent.consent_id,
            other => panic!("no consent: {other:?}"),
        }
    }

    /// Proposes terms in CNY and has the other party accept them.
    ///
    /// # Panics
    /// Where either is refused.
    pub async fn agree(
        &self,
        author: &PartnerCode,
        other: &PartnerCode,
        directions: Vec<EnteredDirection>,
    ) -> (AgreementId, u32) {
        let accept = self.propose(author, other, directions).await;
        let agreed = (accept.agreement_id, accept.version);
        self.does(&till(other), accept).await;
        agreed
    }

    /// Proposes terms in CNY, and answers with what the other party may accept.
    ///
    /// # Panics
    /// Where it is refused.
    pub async fn propose(
        &self,
        author: &PartnerCode,
        other: &PartnerCode,
        directions: Vec<EnteredDirection>,
    ) -> AcceptAgreement {
        let command = ProposeAgreement {
            partner: other.clone(),
            settlement_currency: "CNY".parse().unwrap(),
            directions,
        };
        match &self.does(&till(author), command).await.body {
            Body::Agreement { agreement, version } => AcceptAgreement {
                agreement_id: agreement.agreement_id,
                version: version.version,
                terms_hash: version.terms_hash,
            },
            other => panic!("no agreement: {other:?}"),
        }
    }
}
