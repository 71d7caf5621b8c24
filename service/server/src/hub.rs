//! What the handlers share: the store for reads, the engine for writes, the keys, and who is registered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use pointbridge_core::caller::Caller;
use pointbridge_core::command::{Command, Context, Envelope};
use pointbridge_core::record::Record;
use pointbridge_core::rejection::{Reason, Rejection};
use pointbridge_core::seed::Seed;
use pointbridge_core::text::PartnerCode;
use pointbridge_engine::Engine;
use pointbridge_store::{Scope, Store};
use tonic::{Request, Status};
use uuid::Uuid;

use crate::authz::caller_of;
use crate::gate::Registry;
use crate::keys::KeyRing;
use crate::limits::Admission;
use crate::peer::PeerCertificate;
use crate::status;

/// How long it is remembered that a partner is registered. A partner is never removed, so that this only bounds memory.
const REGISTERED_TTL: Duration = Duration::from_mins(1);

/// What the handlers share.
pub struct Hub<S> {
    /// For reads.
    pub store: Arc<S>,
    /// For writes.
    pub engine: Engine,
    /// For quotes and link codes.
    pub keys: Arc<KeyRing>,
    registered: Mutex<HashMap<PartnerCode, Instant>>,
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
    pub fn new(store: Arc<S>, engine: Engine, keys: Arc<KeyRing>) -> Self {
        Self { store, engine, keys, registered: Mutex::new(HashMap::new()) }
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
        self.engine.submit_keeping(envelope, place).await.map_err(|failure| status::of_failure(&failure))
    }
}

impl<S: Store> Registry for Hub<S> {
    async fn require(&self, caller: &Caller, _certificate: &PeerCertificate) -> Result<(), Status> {
        let Some(code) = caller.partner() else { return Ok(()) };
        let is_fresh = |at: &Instant| at.elapsed() < REGISTERED_TTL;
        if self.registered.lock().is_ok_and(|seen| seen.get(code).is_some_and(is_fresh)) {
            return Ok(());
        }
        let found = self.store.partner(&Scope::of(caller), code).await;
        if found.map_err(|error| status::of_read_error(&error))?.is_none() {
            let what =
                "your certificate names a partner that is not registered here: ask the operator to create it";
            return Err(status::of_rejection(&Rejection::new(Reason::CertificateUnknown, what)));
        }
        if let Ok(mut seen) = self.registered.lock() {
            seen.insert(code.clone(), Instant::now());
        }
        Ok(())
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
