//! Exchanges as their last records have them.
//!
//! A list starts from the narrowest thing that is asked for, each with an index that ends in the reservation's id: the order,
//! a membership, the scope's partner, or everything. Where both ends of an exchange count, the newest of each end are
//! taken, which together have the newest of both.

use pointbridge_core::exchange::ReservationState;
use pointbridge_core::ids::{ExchangeId, RecordId, WindowId};
use pointbridge_core::text::Reference;
use pointbridge_store::{
    ExchangeFilter, ExchangeView, ExchangeWithReversals, Page, Paged, ReversalView, Scope, StoreError,
};
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::{limit, paged, scope_bind};
use crate::error;
use crate::rows::{self, Cells};
use crate::session::{Bind, Session};

/// $1: the scope's partner. Every statement here has it.
macro_rules! in_scope {
    () => {
        "($1 is null or exists (
             select 1 from exchange_leg as party where party.reservation_id = reservation.reservation_id
                 and $1 in (party.source_partner_code, party.destination_partner_code)))"
    };
}

/// $2: before this id. $4: the state. $5: the membership. $6: the order's reference.
macro_rules! wanted {
    () => {
        concat!(
            in_scope!(),
            " and reservation.reservation_id < $2 and ($4 is null or reservation.state = $4)
             and ($5 is null or exists (
                 select 1 from exchange_leg as touched where touched.reservation_id = reservation.reservation_id
                     and $5 in (touched.source_membership_id, touched.destination_membership_id)))
             and ($6 is null or reservation.order_reference = $6)"
        )
    };
}

macro_rules! select {
    () => {
        "select reservation.reservation_id, record.record_id, record.window_id, record.bytes,
             (select max(reversal.reversed_source_points) from reversal
              where reversal.reservation_id = reservation.reservation_id) as reversed_source_points
         from reservation join record on record.record_id = reservation.last_record_id"
    };
}

/// $3: how many.
macro_rules! newest {
    () => {
        " order by reservation.reservation_id desc limit $3"
    };
}

/// The newest of one end of legs, by the end's column and what it must be.
macro_rules! of_end {
    ($column:literal, $key:literal) => {
        concat!(
            "select * from (select distinct exchange_leg.reservation_id from exchange_leg
             join reservation on reservation.reservation_id = exchange_leg.reservation_id
             where exchange_leg.",
            $column,
            " = ",
            $key,
            " and exchange_leg.reservation_id < $2 and ",
            wanted!(),
            " order by exchange_leg.reservation_id desc limit $3) as newest"
        )
    };
}

/// The newest of both ends of legs.
macro_rules! of_ends {
    ($source:literal, $destination:literal, $key:literal) => {
        concat!(
            select!(),
            " where reservation.reservation_id in (",
            of_end!($source, $key),
            " union ",
            of_end!($destination, $key),
            ")",
            newest!()
        )
    };
}

const OF_ALL: &str = concat!(select!(), " where ", wanted!(), newest!());
const OF_ORDER: &str =
    concat!(select!(), " where reservation.order_reference = $6 and ", wanted!(), newest!());
const OF_MEMBERSHIP: &str = of_ends!("source_membership_id", "destination_membership_id", "$5");
const OF_PARTNER: &str = of_ends!("source_partner_code", "destination_partner_code", "$1");

pub(super) async fn one(
    session: &mut Session<'_>,
    scope: &Scope,
    id: ExchangeId,
) -> Result<Option<ExchangeWithReversals>, StoreError> {
    let sql = concat!(select!(), " where ", in_scope!(), " and reservation.reservation_id = $2");
    let row = session.row(sql, vec![scope_bind(scope), Bind::id(id.uuid())]).await?;
    let Some(exchange) = row.as_ref().map(view).transpose()? else { return Ok(None) };
    let sql = "select record.record_id, record.window_id, record.bytes
         from reversal join record on record.record_id = reversal.record_id
         where reversal.reservation_id = $1 order by reversal.reversal_number";
    let rows = session.rows(sql, vec![Bind::id(id.uuid())]).await?;
    Ok(Some((exchange, rows.iter().map(reversal).collect::<Result<_, _>>()?)))
}

fn reversal(row: &PgRow) -> Result<ReversalView, StoreError> {
    let record = rows::record(row)?;
    let reversal = record.reversal().cloned();
    let reversal = reversal.ok_or_else(|| error::broken("a reversal's record is of no reversal"))?;
    let window_id = row.id_or_null("window_id", WindowId::new)?;
    Ok(ReversalView { reversal, record_id: record.record_id, window_id })
}

pub(super) async fn list(
    session: &mut Session<'_>,
    scope: &Scope,
    filter: &ExchangeFilter,
    page: &Page<ExchangeId>,
) -> Result<Paged<ExchangeView, ExchangeId>, StoreError> {
    let sql = match (&filter.order, filter.membership_id, scope.partner()) {
        (Some(_), _, _) => OF_ORDER,
        (None, Some(_), _) => OF_MEMBERSHIP,
        (None, None, Some(_)) => OF_PARTNER,
        (None, None, None) => OF_ALL,
    };
    // Every id that was made is before it.
    let newest = || Bind::id(Uuid::max());
    let binds = vec![
        scope_bind(scope),
        page.after.map_or_else(newest, |id| Bind::id(id.uuid())),
        limit(page),
        Bind::text_or_null(filter.state.map(ReservationState::as_str)),
        Bind::Id(filter.membership_id.map(|id| id.uuid())),
        Bind::text_or_null(filter.order.as_ref().map(Reference::as_str)),
    ];
    let found = session.rows(sql, binds).await?;
    paged(&found, page, view, |view| view.exchange.exchange_id)
}

fn view(row: &PgRow) -> Result<ExchangeView, StoreError> {
    let record = rows::record(row)?;
    let exchange = record.exchange().cloned();
    let exchange = exchange.ok_or_else(|| error::broken("a reservation's last record is of no exchange"))?;
    Ok(ExchangeView {
        exchange,
        record_id: row.id("record_id", RecordId::new)?,
        window_id: row.id_or_null("window_id", WindowId::new)?,
        reversed_source: row.int_or_null("reversed_source_points")?.unwrap_or_default(),
    })
}
