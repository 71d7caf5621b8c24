//! Approvals, certificates, signing keys, and what is asked about a caller with every call.
//!
//! A list of approvals or certificates has two statements: the whole list in the order of its key, and the part that a
//! state or an owner names by the index that begins with it. What waits and what is over by time are stored alike and
//! told apart row by row.

use pointbridge_core::approval::{Approval, ApprovalState};
use pointbridge_core::canonical::Hash;
use pointbridge_core::certificate::{Certificate, CertificateKey};
use pointbridge_core::ids::{ApprovalId, ProgramId};
use pointbridge_core::signing_key::SigningKey;
use pointbridge_core::text::PartnerCode;
use pointbridge_core::time::Timestamp;
use pointbridge_store::{Admission, Page, Paged, Scope, StoreError};
use uuid::Uuid;

use super::{limit, paged, scope_bind};
use crate::columns;
use crate::due;
use crate::error;
use crate::rows::{self, Cells};
use crate::session::{Bind, Session};
use crate::time::{self, Time};

/// $1: the scope's partner, which no approval is shown to. $2: before this id. $3: how many.
const APPROVALS: &str = "select * from approval where $1 is null and approval_id < $2
     order by approval_id desc limit $3";

/// $4: the state that is stored. $5: whether they are over by time, or null for both. $6: now.
const APPROVALS_OF_STATE: &str = "select * from approval
     where $1 is null and state = $4 and approval_id < $2 and ($5 is null or (expires_at <= $6) = $5)
     order by approval_id desc limit $3";

/// $1: the scope's partner. $2 and $3: after this fingerprint and owner. $4: how many.
const CERTIFICATES: &str = "select * from certificate where $1 is null and (fingerprint, owner) > ($2, $3)
     order by fingerprint, owner limit $4";

/// $5: the owner, which the scope has to have as well.
const CERTIFICATES_OF_OWNER: &str = "select * from certificate
     where owner = $5 and ($1 is null or owner = $1) and (fingerprint, owner) > ($2, $3)
     order by fingerprint, owner limit $4";

pub(super) async fn approvals(
    session: &mut Session<'_>,
    time: &Time,
    scope: &Scope,
    state: Option<ApprovalState>,
    page: &Page<ApprovalId>,
) -> Result<(Paged<Approval, ApprovalId>, Timestamp), StoreError> {
    let (now, _) = due::now(session, time).await?;
    // Every id that was made is before it.
    let newest = || Bind::id(Uuid::max());
    let after = page.after.map_or_else(newest, |id| Bind::id(id.uuid()));
    let mut binds = vec![scope_bind(scope), after, limit(page)];
    let sql = match state {
        None => APPROVALS,
        Some(state) => {
            // What is over by time is stored as it was decided last.
            let (stored, is_over) = match state {
                ApprovalState::Pending => (ApprovalState::Pending, Some(false)),
                ApprovalState::Expired => (ApprovalState::Pending, Some(true)),
                state => (state, None),
            };
            binds.push(Bind::text(stored.as_str().to_owned()));
            binds.extend([Bind::Flag(is_over), Bind::int(now.micros())]);
            APPROVALS_OF_STATE
        }
    };
    let found = session.rows(sql, binds).await?;
    Ok((paged(&found, page, rows::approval, |approval| approval.approval_id)?, now))
}

pub(super) async fn certificates(
    session: &mut Session<'_>,
    scope: &Scope,
    partner: Option<&PartnerCode>,
    page: &Page<CertificateKey>,
) -> Result<Paged<Certificate, CertificateKey>, StoreError> {
    let (fingerprint, owner) = match &page.after {
        Some(key) => {
            let owner = key.owner.as_ref().map_or_else(String::new, PartnerCode::to_string);
            (Bind::Bytes(key.fingerprint.to_vec()), Bind::text(owner))
        }
        None => (Bind::Bytes(Vec::new()), Bind::text(String::new())),
    };
    let mut binds = vec![scope_bind(scope), fingerprint, owner, limit(page)];
    let sql = match partner.or(scope.partner()) {
        None => CERTIFICATES,
        Some(owner) => {
            binds.push(Bind::text(owner.to_string()));
            CERTIFICATES_OF_OWNER
        }
    };
    let found = session.rows(sql, binds).await?;
    paged(&found, page, rows::certificate, Certificate::key)
}

pub(super) async fn signing_keys(
    session: &mut Session<'_>,
    scope: &Scope,
    program: ProgramId,
) -> Result<Option<Vec<SigningKey>>, StoreError> {
    let sql = "select program_id from program where ($1 is null or partner_code = $1) and program_id = $2";
    if session.row(sql, vec![scope_bind(scope), Bind::id(program.uuid())]).await?.is_none() {
        return Ok(None);
    }
    let sql = "select * from signing_key where program_id = $1 order by key_id";
    let found = session.rows(sql, vec![Bind::id(program.uuid())]).await?;
    found.iter().map(rows::signing_key).collect::<Result<Vec<_>, _>>().map(Some)
}

pub(super) async fn admission(
    session: &mut Session<'_>,
    time: &Time,
    partner: Option<&PartnerCode>,
    fingerprint: &Hash,
) -> Result<Admission, StoreError> {
    let sql = concat!(
        time::moment!(),
        " select moment.now,
             exists (select 1 from certificate
                 where fingerprint = $3 and owner in ($4, '') and revoked_at is not null) as is_revoked,
             exists (select 1 from certificate
                 where fingerprint = $3 and owner = $4 and pinned_at is not null and revoked_at is null
             ) as is_pinned,
             exists (select 1 from certificate
                 where owner = $4 and pinned_at is not null and revoked_at is null) as has_pins, ",
        columns::partner!(),
        " from moment left join partner on partner.partner_code = $4"
    );
    // Nobody's code is empty, and nothing is pinned for nobody.
    let code = partner.map_or_else(String::new, PartnerCode::to_string);
    let mut binds = time.binds();
    binds.extend([Bind::Bytes(fingerprint.to_vec()), Bind::text(code)]);
    let row = session.row(sql, binds).await?;
    let row = row.ok_or_else(|| error::broken("the store has no state"))?;
    let is_known = row.text_or_null("partner_code")?.is_some();
    Ok(Admission {
        partner: is_known.then(|| rows::partner(&row)).transpose()?,
        is_revoked: row.flag("is_revoked")?,
        is_pinned: row.flag("is_pinned")?,
        has_pins: row.flag("has_pins")?,
        now: time.now(row.time("now")?),
    })
}
