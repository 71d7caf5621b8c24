//! What a restore does again: whoever was shut out after the backup was made stays shut out.
//!
//! Pinned and revoked certificates, suspended partners and withdrawn consents of the database that goes are decided again on
//! the one that comes, by the same rules, for the same principals, under the same request ids, at the time of the restore. A
//! retry of such a request is then answered like any other.
//!
//! Absent on purpose: everything that gives trust or moves value. What was resumed, registered or granted after the backup is
//! lost with the rest, and asked for anew by people.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use pointbridge_core::caller::Caller;
use pointbridge_core::canonical;
use pointbridge_core::command::{
    AddCertificate, Answer, Command, Context, Envelope, RevokeCertificate, SuspendPartner, WithdrawConsent,
    decide_batch,
};
use pointbridge_core::record::{Body, Record};
use pointbridge_core::rejection::{Reason, Rejection};
use pointbridge_core::text::PartnerCode;
use pointbridge_core::world::{FactQuery, Footprint};
use pointbridge_store::Store;
use pointbridge_store_sqlite::{Ending, SqliteStore};

use crate::authz;
use crate::hub::draw_seed;
use crate::peer::{Principal, TrustDomain};

/// How often a command is decided again that asks for it: each time loads what it lacked.
const RERUNS_MAX: u32 = 8;

/// What became of one ending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It holds again.
    Again,
    /// What it is about is not in the backup, or is as it should be already.
    NothingLeft,
    /// It could not be done again, and why.
    Refused(String),
}

/// An ending and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// What was ended, in words.
    pub what: String,
    /// Who ended it.
    pub who: String,
    /// When that was.
    pub at: String,
    /// What became of it.
    pub fate: Fate,
}

/// Does endings again, in their order.
///
/// # Errors
/// Where the store fails. What the rules refuse is no error: the answer says it.
pub(super) async fn carry(store: &SqliteStore, endings: &[Ending]) -> anyhow::Result<Vec<Carried>> {
    let last = last_suspensions(endings);
    let mut carried = Vec::new();
    for (number, ending) in endings.iter().enumerate() {
        let suspended = suspended_in(&ending.record);
        // A partner that was suspended twice was resumed between: only the last time counts.
        if suspended.is_some_and(|code| last.get(code) != Some(&number)) {
            continue;
        }
        let record = &ending.record;
        let Some((what, command)) = command_of(record) else { continue };
        let fate = match caller_of(&record.who) {
            Ok(caller) => again(store, caller, ending, command).await?,
            Err(rejection) => Fate::Refused(rejection.message),
        };
        carried.push(Carried { what, who: record.who.clone(), at: record.decided_at.to_string(), fate });
    }
    Ok(carried)
}

fn last_suspensions(endings: &[Ending]) -> BTreeMap<&PartnerCode, usize> {
    let suspensions = endings.iter().enumerate();
    suspensions.filter_map(|(number, ending)| Some((suspended_in(&ending.record)?, number))).collect()
}

fn suspended_in(record: &Record) -> Option<&PartnerCode> {
    match &record.body {
        Body::Standing(body) => Some(&body.partner.code),
        _ => None,
    }
}

/// The command that made a record, and what it ended in words.
fn command_of(record: &Record) -> Option<(String, Box<dyn Command>)> {
    match &record.body {
        Body::Standing(body) => {
            let code = body.partner.code.clone();
            let what = format!("partner {code} suspended");
            Some((what, Box::new(SuspendPartner { code, reason: body.reason.clone() })))
        }
        Body::Withdrawal { withdrawal, .. } => {
            let (consent_id, reason) = (withdrawal.consent_id, withdrawal.reason.clone());
            Some((
                format!("consent {consent_id} withdrawn"),
                Box::new(WithdrawConsent { consent_id, reason }),
            ))
        }
        Body::Certificate(certificate) => {
            let fingerprint = certificate.fingerprint;
            let hex = canonical::hex(&fingerprint);
            match (&certificate.revocation, &certificate.pin) {
                (Some(revocation), _) => {
                    let reason = revocation.reason.clone();
                    let command = RevokeCertificate { fingerprint, reason };
                    Some((format!("certificate {hex} revoked"), Box::new(command)))
                }
                (None, Some(pin)) => {
                    let command = AddCertificate {
                        partner: certificate.owner.clone()?,
                        fingerprint,
                        named_partner: certificate.owner.clone(),
                        principal: pin.principal.clone(),
                        serial: pin.serial.clone(),
                        not_before: pin.not_before,
                        not_after: pin.not_after,
                        // Whoever pinned it was not shut out by it then.
                        calling_with: Some(fingerprint),
                    };
                    Some((format!("certificate {hex} pinned"), Box::new(command)))
                }
                (None, None) => None,
            }
        }
        _ => None,
    }
}

/// The caller that a record names. Records leave the trust domain out, and a caller has none.
fn caller_of(who: &str) -> Result<Caller, Rejection> {
    let unknown = |error| Rejection::new(Reason::CertificateUnknown, format!("{who} names nobody: {error}"));
    let domain = TrustDomain::parse("any").map_err(unknown)?;
    authz::caller(&Principal::from_path(who, &domain).map_err(unknown)?)
}

async fn again(
    store: &SqliteStore,
    caller: Caller,
    ending: &Ending,
    command: Box<dyn Command>,
) -> anyhow::Result<Fate> {
    let context = Context { caller, seed: draw_seed() };
    let envelope =
        Envelope::new(context, ending.request_id, false, command).context("a request has no form")?;
    let batch = [Arc::new(envelope)];
    for _ in 0..RERUNS_MAX {
        match decided(store, &batch).await? {
            Some(Answer::Done(_)) => return Ok(Fate::Again),
            Some(Answer::Refused(refusal)) if leaves_nothing(refusal.reason) => return Ok(Fate::NothingLeft),
            Some(Answer::Refused(refusal)) => return Ok(Fate::Refused(refusal.message)),
            Some(Answer::Rerun) => {}
            Some(Answer::Idle) | None => return Ok(Fate::NothingLeft),
        }
    }
    Ok(Fate::Refused("it kept being overtaken".to_owned()))
}

/// Decides as the engine does, without its tasks: what time asks for waits until the hub serves.
async fn decided(store: &SqliteStore, batch: &[Arc<Envelope>; 1]) -> anyhow::Result<Option<Answer>> {
    let [envelope] = batch;
    let mut query = FactQuery::default();
    envelope.command.resolve(&envelope.context, &mut query);
    let facts = store.facts(&query).await?;
    let mut footprint = Footprint::default();
    envelope.footprint(&facts, &mut footprint);
    let answers = store
        .transact(&footprint, |mut world| {
            world.facts = facts.clone();
            decide_batch(&mut world, batch)
        })
        .await?;
    Ok(answers.into_iter().next())
}

/// Whether a refusal says that there is nothing to end: it is ended, or it came after the backup and is gone.
const fn leaves_nothing(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::PartnerNotActive
            | Reason::PartnerNotFound
            | Reason::CertificateAlreadyRevoked
            | Reason::CertificateExists
            | Reason::ConsentWithdrawn
            | Reason::ConsentNotFound
    )
}
