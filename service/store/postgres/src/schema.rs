//! The schema: the migrations, embedded, and how far a database is behind them.

use std::collections::BTreeMap;

use pointbridge_store::StoreError;
use sqlx::PgConnection;
use sqlx::migrate::{Migration, Migrator};

use crate::error;
use crate::rows::Cells;
use crate::session::Session;

static MIGRATIONS: Migrator = sqlx::migrate!("../../../migrations/postgres");

/// Runs what is pending, each migration in a transaction of its own. Of several hubs that begin at once one does it, and the
/// others wait for it: the migrator takes an advisory lock.
pub(crate) async fn migrate(conn: &mut PgConnection) -> Result<(), StoreError> {
    // First as a look, so that an unknown schema is told in our words and nothing is written to it.
    if pending(conn).await?.is_empty() {
        return Ok(());
    }
    MIGRATIONS.run_direct(None, conn, false).await.map_err(|error| match error {
        sqlx::migrate::MigrateError::Execute(error)
        | sqlx::migrate::MigrateError::ExecuteMigration(error, _) => error::of(error),
        other => StoreError::Schema(other.to_string()),
    })
}

/// Refuses a database that has not all migrations.
pub(crate) async fn require_current(conn: &mut PgConnection) -> Result<(), StoreError> {
    let pending = pending(conn).await?;
    if pending.is_empty() {
        return Ok(());
    }
    Err(StoreError::Schema(format!("migrations are pending: {}", pending.join(", "))))
}

/// The names of the migrations that the database does not have yet.
///
/// # Errors
/// [`StoreError::Schema`] where it has one that this program does not know, or another one under the same number.
pub(crate) async fn pending(conn: &mut PgConnection) -> Result<Vec<String>, StoreError> {
    let applied = applied(conn).await?;
    let unknown = applied.keys().find(|version| !MIGRATIONS.version_exists(**version));
    if let Some(version) = unknown {
        let text = format!("migration {version:04} is newer than this program: use a newer program");
        return Err(StoreError::Schema(text));
    }
    let mut pending = Vec::new();
    for migration in MIGRATIONS.iter() {
        match applied.get(&migration.version) {
            None => pending.push(name(migration)),
            Some(checksum) if checksum.as_slice() == migration.checksum.as_ref() => {}
            Some(_) => {
                let text = format!(
                    "{} is in the database with other contents than in this program",
                    name(migration)
                );
                return Err(StoreError::Schema(text));
            }
        }
    }
    Ok(pending)
}

fn name(migration: &Migration) -> String {
    format!("{:04}_{}", migration.version, migration.description.replace(' ', "_"))
}

async fn applied(conn: &mut PgConnection) -> Result<BTreeMap<i64, Vec<u8>>, StoreError> {
    let mut session = Session::new(conn, None);
    let table = "select 1 as found where to_regclass('_sqlx_migrations') is not null";
    if session.row(table, Vec::new()).await?.is_none() {
        return Ok(BTreeMap::new());
    }
    let rows = session.rows("select version, checksum from _sqlx_migrations", Vec::new()).await?;
    rows.iter().map(|row| Ok((row.int("version")?, row.bytes("checksum")?))).collect()
}
