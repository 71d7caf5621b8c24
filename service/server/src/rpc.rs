//! The services' handlers: each parses, hands over, and answers. Nothing is decided here.

mod agreement;
mod approval;
mod exchange;
mod ledger;
mod member;
mod partner;

use std::sync::Arc;

use pointbridge_core::rejection::{Reason, Rejection};
use pointbridge_store::{Paged, StoreError};
use tonic::Status;

use crate::hub::Hub;
use crate::status;
use crate::wire::page::{PageKey, next_token};

/// The services on one hub. Cheap to clone.
pub struct Services<S> {
    hub: Arc<Hub<S>>,
}

impl<S> Clone for Services<S> {
    fn clone(&self) -> Self {
        Self { hub: Arc::clone(&self.hub) }
    }
}

impl<S> Services<S> {
    /// The services of a hub.
    #[must_use]
    pub const fn new(hub: Arc<Hub<S>>) -> Self {
        Self { hub }
    }
}

/// Turns a parsing refusal into its status.
fn parsed<T>(result: Result<T, Rejection>) -> Result<T, Status> {
    result.map_err(|rejection| status::of_rejection(&rejection))
}

/// Turns a read's error into its status.
fn read<T>(result: Result<T, StoreError>) -> Result<T, Status> {
    result.map_err(|error| status::of_read_error(&error))
}

/// What a read found; what is not in the caller's scope is refused exactly as what does not exist.
fn found<T>(result: Result<Option<T>, StoreError>, reason: Reason, field: &str) -> Result<T, Status> {
    read(result)?.ok_or_else(|| not_found(reason, field))
}

fn not_found(reason: Reason, field: &str) -> Status {
    let what = format!("{field} names nothing that you may know of");
    status::of_rejection(&Rejection::new(reason, what).at(field))
}

/// A page's rows on the wire, and the token of the next page.
fn page_of<T, K: PageKey, M>(paged: &Paged<T, K>, row: impl FnMut(&T) -> M) -> (Vec<M>, String) {
    (paged.rows.iter().map(row).collect(), next_token(paged.next.as_ref()))
}
