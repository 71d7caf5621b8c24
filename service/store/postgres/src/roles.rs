//! Rights: what the hub's own role may do, which is less than what the schema's owner may.
//!
//! The role that migrates owns the tables. The hub runs as another one, which adds to append-only tables and reads them, and
//! changes of all other rows only the columns that may change: a second wall behind the guards, which the owner could drop.
//! Absent: making the role. It needs a password, which is not the hub's to choose.

use pointbridge_store::StoreError;
use sqlx::{AssertSqlSafe, PgConnection};

use crate::error;
use crate::rows::Cells;
use crate::session::{Bind, Session};

/// Tables that are only ever added to.
pub(crate) const APPEND_ONLY: [&str; 11] = [
    "agreement_version",
    "consent",
    "consent_withdrawal",
    "record",
    "exchange_leg",
    "posting",
    "lot_movement",
    "obligation",
    "request",
    "reversal",
    "signing_key",
];

/// Tables whose rows change, and the columns that do. A right to change any column is also what locking a row takes.
pub(crate) const CHANGING: [(&str, &str); 12] = [
    ("partner", "name, status, updated_at"),
    ("program", "name, points_expiry_months, updated_at"),
    ("membership", "member_id, status"),
    ("link_code", "used_by_membership_id"),
    ("agreement", "latest_version, active_version, active_since, pending_version"),
    ("reservation", "state, decided_at, last_record_id"),
    ("account", "posted, held, postings, live_holds"),
    ("lot", "remaining, held"),
    ("initiator", "live_holds"),
    ("exposure", "committed_low, prepared_low, prepared_high"),
    ("approval", "state, decided_by, decided_at, reason"),
    ("certificate", "revoked_by, revoked_at, revocation_reason"),
];

/// What is granted beside these. A consent in force is no longer when it is withdrawn; the first rows of the store are its
/// owner's to make.
const FURTHER: [&str; 5] = [
    "select, insert, update (consent_id), delete on consent_in_force",
    "select, insert, update (closes_at) on settlement_window",
    "select, update (last_now, hub_id) on clock_slot",
    "select on store_state, _sqlx_migrations",
    "usage on sequence record_number",
];

/// Grants a role what the hub needs and takes everything else from it.
///
/// # Errors
/// [`StoreError::Schema`] where there is no such role, or it owns the tables itself.
pub(crate) async fn grant(conn: &mut PgConnection, role: &str) -> Result<(), StoreError> {
    let quoted = quoted(conn, role).await?;
    let mut text = format!(
        "revoke all on all tables in schema public from {quoted};
         revoke all on all sequences in schema public from {quoted};
         grant usage on schema public to {quoted};"
    );
    let lines = APPEND_ONLY.iter().map(|table| format!("select, insert on {table}"));
    let lines = lines.chain(
        CHANGING.iter().map(|(table, columns)| format!("select, insert, update ({columns}) on {table}")),
    );
    for line in lines.chain(FURTHER.iter().map(|line| (*line).to_owned())) {
        text.push_str(&["grant ", &line, " to ", &quoted, ";\n"].concat());
    }
    sqlx::raw_sql(AssertSqlSafe(format!("begin; {text} commit;"))).execute(conn).await.map_err(error::of)?;
    Ok(())
}

/// The role's name as SQL takes it.
async fn quoted(conn: &mut PgConnection, role: &str) -> Result<String, StoreError> {
    let sql = "select quote_ident(rolname) as quoted, rolsuper or rolname = current_user as is_too_much
         from pg_roles where rolname = $1";
    let row = Session::new(conn, None).row(sql, vec![Bind::text(role)]).await?;
    let Some(row) = row else {
        return Err(StoreError::Schema(format!(
            "there is no role {role}: make it with `create role \"{role}\" login password '…'`, then migrate again"
        )));
    };
    if row.flag("is_too_much")? {
        return Err(StoreError::Schema(format!(
            "the role {role} is a superuser or the one that migrates, which no right can be taken from: name another one for \
             the hub"
        )));
    }
    row.text("quoted")
}
