//! What a restore does again: whoever was shut out after the backup was made stays shut out.
//!
//! Pinned and revoked certificates, suspended partners and withdrawn consents of the database that goes are decided again on
//! the one that comes, by the same rules, for the same principals, under the same request ids, at the time of the restore. A
//! retry of such a request is then answered like any other. A consent that was renewed after the backup and then withdrawn is
//! not in it, but the one that it renewed is, and holds there: that one is withdrawn in its place, under a request id of its own.
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
use pointbridge_core::ids::ConsentId;
use pointbridge_core::member::ConsentKey;
use pointbridge_core::record::{Body, Record};
use pointbridge_core::rejection::{Reason, Rejection};
use pointbridge_core::text::PartnerCode;
use pointbridge_core::world::{Changes, FactQuery, Footprint, Lock};
use pointbridge_store::Store;
use pointbridge_store_sqlite::{Ending, SqliteStore};
use uuid::Uuid;

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
            Ok(caller) => fate_of(store, caller, ending, command).await?,
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

async fn fate_of(
    store: &SqliteStore,
    caller: Caller,
    ending: &Ending,
    command: Box<dyn Command>,
) -> anyhow::Result<Fate> {
    let No { reason, why } = match again(store, caller.clone(), ending.request_id, command).await? {
        Ok(()) => return Ok(Fate::Again),
        Err(no) => no,
    };
    match &ending.record.body {
        Body::Withdrawal { consent, withdrawal } if reason == Some(Reason::ConsentNotFound) => {
            let Some(consent_id) = in_force(store, consent.key()).await? else {
                return Ok(Fate::NothingLeft);
            };
            let older = Box::new(WithdrawConsent { consent_id, reason: withdrawal.reason.clone() });
            // It holds, so that no refusal means that there is nothing left to do.
            let done = again(store, caller, Uuid::new_v4(), older).await?;
            Ok(done.map_or_else(|no| Fate::Refused(no.why), |()| Fate::Again))
        }
        _ if reason.is_some_and(leaves_nothing) => Ok(Fate::NothingLeft),
        _ => Ok(Fate::Refused(why)),
    }
}

/// The consent that holds for a key.
async fn in_force(store: &SqliteStore, key: ConsentKey) -> anyhow::Result<Option<ConsentId>> {
    let mut footprint = Footprint::default();
    footprint.consent(key.clone(), Lock::Share);
    let found = store
        .transact(&footprint, |world| {
            (Changes::default(), world.consents.get(&key).map(|consent| consent.consent_id))
        })
        .await?;
    Ok(found)
}

/// Why a command was not done.
struct No {
    reason: Option<Reason>,
    why: String,
}

/// Does one command.
async fn again(
    store: &SqliteStore,
    caller: Caller,
    request_id: Uuid,
    command: Box<dyn Command>,
) -> anyhow::Result<Result<(), No>> {
    let context = Context { caller, seed: draw_seed() };
    let envelope = Envelope::new(context, request_id, false, command).context("a request has no form")?;
    let batch = [Arc::new(envelope)];
    let no = |why: &str| Ok(Err(No { reason: None, why: why.to_owned() }));
    for _ in 0..RERUNS_MAX {
        match decided(store, &batch).await? {
            Some(Answer::Done(_)) => return Ok(Ok(())),
            Some(Answer::Refused(refusal)) => {
                return Ok(Err(No { reason: Some(refusal.reason), why: refusal.message }));
            }
            Some(Answer::Rerun) => {}
            Some(Answer::Idle) | None => return no("it was not answered"),
        }
    }
    no("it kept being overtaken")
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
