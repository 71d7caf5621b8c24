//! Who and what has come up in a play so far, learnt from the answers.

use std::sync::Arc;

use pointbridge_core::agreement::AgreementVersion;
use pointbridge_core::canonical::Hash;
use pointbridge_core::command::{AcceptAgreement, Answer, Envelope};
use pointbridge_core::ids::{ConsentId, ExchangeId, MembershipId, ProgramId};
use pointbridge_core::record::{Body, Record, RecordKind};
use pointbridge_core::text::PartnerCode;
use pointbridge_tests::scene::code_hash;

/// A membership and whose it is.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) id: MembershipId,
    pub(crate) program: ProgramId,
    pub(crate) partner: PartnerCode,
}

/// An exchange and who is on it.
#[derive(Clone)]
pub(crate) struct Made {
    pub(crate) id: ExchangeId,
    pub(crate) initiator: PartnerCode,
    pub(crate) other: PartnerCode,
}

/// Everything that has come up.
#[derive(Default)]
pub(crate) struct Cast {
    pub(crate) partners: Vec<PartnerCode>,
    pub(crate) programs: Vec<(ProgramId, PartnerCode)>,
    pub(crate) members: Vec<Member>,
    pub(crate) consents: Vec<(ConsentId, MembershipId)>,
    /// Whoever may accept, with what.
    pub(crate) proposals: Vec<(PartnerCode, AcceptAgreement)>,
    pub(crate) versions: Vec<AgreementVersion>,
    /// The membership that a code was made for, the partner that may bring it, and the hash of the code.
    pub(crate) link_codes: Vec<(MembershipId, PartnerCode, Hash)>,
    pub(crate) exchanges: Vec<Made>,
    /// Those that were committed, in the order of that.
    pub(crate) committed: Vec<Made>,
    /// What was asked, to be asked again.
    pub(crate) asked: Vec<Arc<Envelope>>,
}

impl Cast {
    /// Learns from a batch that was run.
    pub(crate) fn learn(&mut self, batch: &[Arc<Envelope>], answers: &[Answer]) {
        for (envelope, answer) in batch.iter().zip(answers) {
            if let Answer::Done(record) = answer
                && !envelope.validate_only
            {
                self.learn_from(record);
                // What time asks for has no request id to be known by.
                self.asked.extend(envelope.request.is_some().then(|| Arc::clone(envelope)));
            }
        }
    }

    fn learn_from(&mut self, record: &Record) {
        match &record.body {
            Body::Partner(partner) if !self.partners.contains(&partner.code) => {
                self.partners.push(partner.code.clone());
            }
            Body::Program(program) if self.programs.iter().all(|(id, _)| *id != program.program_id) => {
                self.programs.push((program.program_id, program.partner.clone()));
            }
            Body::Membership(membership) => self.members.push(Member {
                id: membership.membership_id,
                program: membership.program_id,
                partner: membership.partner.clone(),
            }),
            Body::LinkCode(code) => {
                let hash = code_hash(code.link_code_id);
                self.link_codes.push((code.membership_id, code.partner.clone(), hash));
            }
            Body::Consent(consent) => self.consents.push((consent.consent_id, consent.membership_id)),
            Body::Agreement { agreement, version } => {
                let other = if version.author == *agreement.pair.low() {
                    agreement.pair.high()
                } else {
                    agreement.pair.low()
                };
                let accept = AcceptAgreement {
                    agreement_id: agreement.agreement_id,
                    version: version.version,
                    terms_hash: version.terms_hash,
                };
                self.proposals.push((other.clone(), accept));
                self.versions.push((**version).clone());
            }
            Body::Exchange(exchange) if record.kind == RecordKind::ExchangeCommitted => {
                let made = self.exchanges.iter().find(|made| made.id == exchange.exchange_id);
                self.committed.extend(made.cloned());
            }
            Body::Exchange(exchange) if self.exchanges.iter().all(|made| made.id != exchange.exchange_id) => {
                let other = exchange.legs[0].destination.partner.clone();
                let initiator = exchange.initiator.clone();
                self.exchanges.push(Made { id: exchange.exchange_id, initiator, other });
            }
            _ => {}
        }
    }
}
