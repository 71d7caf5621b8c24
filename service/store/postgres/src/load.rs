//! Loading: a footprint becomes a world, in three ways to the server and back.
//!
//! | way | statement | locks |
//! | --- | --- | --- |
//! | 1 | `begin`; the open window and the epoch | the window's row, to share |
//! | 2 | [`locks`]: the rows of the footprint that are there, and the holds that are over of accounts whose lots are needed | in the footprint's order, by key within each table: to share, or to change without changing the key |
//! | 3 | [`nouns`]: the time, and everything that the footprint names, in one union; what nobody asked for is left out | none: what may change is locked |
//!
//! The third statement begins after the second has its locks. It therefore sees what whoever held a lock before has committed,
//! and its time is no earlier. A row that is missing cannot be locked: whoever makes it meanwhile makes the batch's own
//! insert fail, and the batch is decided again.
//!
//! Lots are guarded by their account's lock, ends of exchanges by their own and by that of the accounts.
//!
//! Absent on purpose: facts; who calls `transact` has read them before and knows which.

mod fill;
mod locks;
mod nouns;

use std::collections::BTreeSet;

use pointbridge_core::agreement::Pair;
use pointbridge_core::certificate::CertificateKey;
use pointbridge_core::exposure::ExposureKey;
use pointbridge_core::ids::{ApprovalId, LinkCodeId, MembershipId, ProgramId, WindowId};
use pointbridge_core::member::ConsentKey;
use pointbridge_core::text::PartnerCode;
use pointbridge_core::world::{Footprint, World};
use pointbridge_store::StoreError;

use crate::error;
use crate::rows::Cells;
use crate::session::Session;
use crate::time::Time;

/// Which rows there were when a batch was loaded: what is written of these changes a row, and anything else makes one.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) partners: BTreeSet<PartnerCode>,
    pub(crate) programs: BTreeSet<ProgramId>,
    pub(crate) memberships: BTreeSet<MembershipId>,
    pub(crate) link_codes: BTreeSet<LinkCodeId>,
    pub(crate) agreements: BTreeSet<Pair>,
    pub(crate) consents: BTreeSet<ConsentKey>,
    pub(crate) accounts: BTreeSet<MembershipId>,
    pub(crate) initiators: BTreeSet<PartnerCode>,
    pub(crate) exposures: BTreeSet<ExposureKey>,
    pub(crate) approvals: BTreeSet<ApprovalId>,
    pub(crate) certificates: BTreeSet<CertificateKey>,
}

impl Known {
    fn of(world: &World) -> Self {
        Self {
            partners: world.partners.keys().cloned().collect(),
            programs: world.programs.keys().copied().collect(),
            memberships: world.memberships.keys().copied().collect(),
            link_codes: world.link_codes.values().map(|code| code.link_code_id).collect(),
            agreements: world.agreements.keys().cloned().collect(),
            consents: world.consents.keys().cloned().collect(),
            accounts: world.accounts.keys().copied().collect(),
            initiators: world.live_holds.keys().cloned().collect(),
            exposures: world.exposures.keys().cloned().collect(),
            approvals: world.approvals.keys().copied().collect(),
            certificates: world.certificates.keys().cloned().collect(),
        }
    }
}

/// The open window and the epoch.
#[derive(Debug, Clone, Copy)]
struct Head {
    window: WindowId,
    epoch: u32,
}

/// Begins the transaction and loads what a footprint names.
pub(crate) async fn world(
    session: &mut Session<'_>,
    footprint: &Footprint,
    time: &Time,
) -> Result<(World, Known), StoreError> {
    let head = begin(session).await?;
    let locked = locks::take(session, footprint, time).await?;
    let reading = nouns::of(footprint, time);
    let found = reading.read(session).await?;
    let now = found.of(&nouns::MOMENT)?;
    let now = now.first().ok_or_else(|| error::broken("the store has no state"))?.time("now")?;
    let mut world = World::empty(now, head.window, head.epoch);
    fill::world(&found, footprint, &mut world)?;
    locks::require(&locked, footprint, &world)?;
    let known = Known::of(&world);
    Ok((world, known))
}

/// A batch waits here for nobody but who moves the store to its next window.
async fn begin(session: &mut Session<'_>) -> Result<Head, StoreError> {
    let rows = session
        .plain(
            "begin isolation level read committed, read write;
             select settlement_window.window_id, store_state.epoch
             from settlement_window cross join store_state
             where settlement_window.closes_at is null for share of settlement_window",
        )
        .await?;
    match rows.as_slice() {
        [row] => Ok(Head { window: row.id("window_id", WindowId::new)?, epoch: row.number("epoch")? }),
        // The window that was waited for has closed: the next one is open now.
        [] => Err(StoreError::Conflict("the settlement window was closed meanwhile".to_owned())),
        _ => Err(error::broken("there is more than one open settlement window")),
    }
}
