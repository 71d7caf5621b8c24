//! AcceptAgreement: the party that did not write a version brings it into force.

use serde::Serialize;

use super::draft::{Draft, Lines};
use super::{Command, Context, Decision, named, standing};
use crate::agreement::{Agreement, AgreementVersion};
use crate::canonical::{Hash, hex_hash};
use crate::ids::AgreementId;
use crate::partner::PartnerStatus;
use crate::record::{Body, RecordKind};
use crate::rejections;
use crate::text::PartnerCode;
use crate::world::{FactQuery, Facts, Footprint, Lock, World};

/// Accepts a version by the hash of its terms.
#[derive(Debug, Clone, Serialize)]
pub struct AcceptAgreement {
    /// Which agreement.
    pub agreement_id: AgreementId,
    /// Which version.
    pub version: u32,
    /// The terms that the caller read.
    #[serde(with = "hex_hash")]
    pub terms_hash: Hash,
}

rejections! {
    /// Why a version does not come into force, in order of precedence (after the caller's standing).
    pub enum AcceptAgreementRejection {
        NotFound { id: AgreementId } => AgreementNotFound at "agreement_id", "there is no agreement {id} that you may know of";
        NotPending { version: u32 } => AgreementNotPending at "version", "version {version} does not wait for acceptance: read the agreement and accept the version that is pending";
        OwnProposal => OwnProposal, "your own side wrote this version: the other party accepts it";
        TermsChanged => TermsChanged at "terms_hash", "the hash is not that of this version's terms: read the agreement, check its terms, and accept by its terms_hash";
        PartnerInactive { code: PartnerCode } => PartnerInactive, "partner {code} is suspended: nothing new can be agreed with it now";
    }
}

impl Command for AcceptAgreement {
    named!("AcceptAgreement");

    fn resolve(&self, _context: &Context, facts: &mut FactQuery) {
        facts.agreements.insert(self.agreement_id);
        facts.versions.insert((self.agreement_id, self.version));
    }

    fn footprint(&self, context: &Context, facts: &Facts, needs: &mut Footprint) {
        // Nothing more is read for another's agreement than for one that does not exist: the work would tell them apart.
        let pair = facts.agreements.get(&self.agreement_id);
        if let Some(pair) =
            pair.filter(|pair| context.caller.partner().is_some_and(|caller| pair.has(caller)))
        {
            needs.agreement(pair, Lock::Update);
            needs.partner(pair.low(), Lock::Share);
            needs.partner(pair.high(), Lock::Share);
        }
    }

    fn decide(&self, context: &Context, world: &World) -> Decision {
        if let Err(refusal) = standing::to_start(&context.caller, world) {
            return refusal.into();
        }
        let (agreement, version) = match self.check(context, world) {
            Ok(found) => found,
            Err(refusal) => return refusal.into(),
        };
        let agreement = Agreement {
            active_version: Some(self.version),
            active_since: Some(world.now),
            pending_version: None,
            ..agreement.clone()
        };
        let mut draft = Draft::new(context, world);
        draft.changes.agreements.insert(agreement.pair.clone(), agreement.clone());
        let parties = vec![agreement.pair.low().clone(), agreement.pair.high().clone()];
        let body = Body::Agreement { agreement, version: Box::new(version.clone()) };
        draft.done(RecordKind::AgreementAccepted, parties, body, Lines::default())
    }
}

impl AcceptAgreement {
    fn check<'a>(
        &self,
        context: &Context,
        world: &'a World,
    ) -> Result<(&'a Agreement, &'a AgreementVersion), AcceptAgreementRejection> {
        let caller = context.caller.partner();
        let pair = world.facts.agreements.get(&self.agreement_id);
        let agreement = pair.and_then(|pair| world.agreements.get(pair));
        let mine = agreement.filter(|agreement| caller.is_some_and(|caller| agreement.pair.has(caller)));
        let agreement = mine.ok_or(AcceptAgreementRejection::NotFound { id: self.agreement_id })?;
        let version = world.facts.versions.get(&(self.agreement_id, self.version));
        let version = version
            .filter(|version| agreement.pending_version == Some(version.version))
            .ok_or(AcceptAgreementRejection::NotPending { version: self.version })?;
        if caller == Some(&version.author) {
            return Err(AcceptAgreementRejection::OwnProposal);
        }
        if version.terms_hash != self.terms_hash {
            return Err(AcceptAgreementRejection::TermsChanged);
        }
        let both = [agreement.pair.low(), agreement.pair.high()];
        let active =
            |code: &PartnerCode| world.partners.get(code).is_some_and(|p| p.status == PartnerStatus::Active);
        match both.into_iter().find(|code| !active(code)) {
            Some(code) => Err(AcceptAgreementRejection::PartnerInactive { code: code.clone() }),
            None => Ok((agreement, version)),
        }
    }
}
