//! What the handlers share: the store for reads, the engine for writes, the keys, and who is registered.

use std::sync::Arc;
use std::time::Instant;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use pointbridge_core::caller::Caller;
use pointbridge_core::command::{Command, Context, Envelope};
use pointbridge_core::record::{Record, RecordKind};
use pointbridge_core::rejection::{Reason, Rejection};
use pointbridge_core::seed::Seed;
use pointbridge_engine::Engine;
use pointbridge_store::{Scope, Store};
use tonic::{Request, Status};
use uuid::Uuid;

use crate::admission::{Admissions, Next, Verdict};
use crate::authz::caller_of;
use crate::config::Environment;
use crate::gate::Registry;
use crate::keys::KeyRing;
use crate::limits::Admission;
use crate::peer::PeerCertificate;
use crate::status;

/// What the handlers share.
pub struct Hub<S> {
    /// For reads.
    pub store: Arc<S>,
    /// For writes.
    pub engine: Engine,
    /// For quotes and link codes.
    pub keys: Arc<KeyRing>,
    /// Whether what the hub does counts.
    pub environment: Environment,
    admissions: Admissions,
}

/// A writing request: what it has in common with all others.
pub trait Mutation {
    /// The caller's id for it; its form was checked with the message.
    fn request_id(&self) -> &str;
    /// Whether it is only to be decided.
    fn validate_only(&self) -> bool;
}

/// Draws a seed from the system's randomness.
///
/// # Panics
/// Never: where the system has no randomness to give, the process ends, because nothing secret could be made any more.
#[must_use]
pub fn draw_seed() -> Seed {
    let mut secret = [0; 32];
    if SystemRandom::new().fill(&mut secret).is_err() {
        tracing::error!("the system gives no randomness");
        std::process::abort();
    }
    Seed::new(Uuid::now_v7(), secret)
}

impl<S: Store> Hub<S> {
    /// A hub on a store.
    pub fn new(store: Arc<S>, engine: Engine, keys: Arc<KeyRing>, environment: Environment) -> Self {
        Self { store, engine, keys, environment, admissions: Admissions::default() }
    }

    /// Carries out a writing request, and answers with its record.
    ///
    /// # Errors
    /// The status of its refusal or failure.
    pub async fn write<R: Mutation, C: Command + 'static>(
        &self,
        request: Request<R>,
        parse: impl FnOnce(R) -> Result<C, Rejection>,
    ) -> Result<Arc<Record>, Status> {
        let caller = caller_of(&request)?;
        // A write counts among its caller's calls until it is done, whoever still waits for it.
        let place = request.extensions().get::<Admission>().map(Admission::kept);
        let message = request.into_inner();
        let request_id = Uuid::try_parse(message.request_id()).map_err(|_| refuse_request_id())?;
        let validate_only = message.validate_only();
        let command = parse(message).map_err(|rejection| status::of_rejection(&rejection))?;
        let context = Context { caller: (*caller).clone(), seed: draw_seed() };
        let envelope = Envelope::new(context, request_id, validate_only, Box::new(command));
        let envelope = envelope.map_err(|_| status::of_fault("the request has no canonical form"))?;
        let record = self
            .engine
            .submit_keeping(envelope, place)
            .await
            .map_err(|failure| status::of_failure(&failure))?;
        if changes_admission(record.kind) {
            self.admissions.forget();
        }
        Ok(record)
    }
}

/// Whether a record may change who is let in.
const fn changes_admission(kind: RecordKind) -> bool {
    matches!(kind, RecordKind::CertificatePinned | RecordKind::CertificateRevoked)
}

impl<S: Store> Registry for Hub<S> {
    async fn require(&self, caller: &Caller, certificate: &PeerCertificate) -> Result<(), Status> {
        let partner = caller.partner();
        let question = (partner.cloned(), certificate.fingerprint);
        let asked_at = Instant::now();
        let verdict = match self.admissions.next(&question, asked_at) {
            Next::Take(verdict) => verdict,
            Next::Ask(number) => match self.store.admission(partner, &certificate.fingerprint).await {
                Ok(admission) => {
                    let verdict = Verdict::of(&admission, partner.is_some());
                    self.admissions.remember(question, verdict, asked_at, number);
                    verdict
                }
                Err(error) => match self.admissions.fall_back(&question, Instant::now()) {
                    Some(verdict) => verdict,
                    None => return Err(status::of_read_error(&error)),
                },
            },
        };
        verdict.admit().map_err(|rejection| status::of_rejection(&rejection))
    }
}

/// The scope of a reading caller.
///
/// # Errors
/// CERTIFICATE_UNKNOWN where the call did not come through the gate.
pub fn scope<T>(request: &Request<T>) -> Result<Scope, Status> {
    caller_of(request).map(|caller| Scope::of(&caller))
}

fn refuse_request_id() -> Status {
    let what = "request_id must be a UUID";
    status::of_rejection(&Rejection::new(Reason::ValidationFailed, what).at("request_id"))
}
