//! The hub's state as its database tells it, read beside the serving hub: whether anything was written at all, and how many
//! requests left an effect.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection};

/// Somebody who looks at the database and writes nothing.
pub(crate) struct Witness(SqliteConnection);

impl Witness {
    /// Opens the database for reading.
    pub(crate) async fn of(database: &Path) -> Self {
        let options = SqliteConnectOptions::new().filename(database).read_only(true);
        Self(SqliteConnection::connect_with(&options).await.unwrap())
    }

    /// A number that changes with every write of another connection, and with nothing else.
    pub(crate) async fn version(&mut self) -> i64 {
        sqlx::query_scalar("pragma data_version").fetch_one(&mut self.0).await.unwrap()
    }

    /// How many requests the hub remembers; each is one effect.
    pub(crate) async fn requests(&mut self) -> usize {
        self.count("request").await
    }

    async fn count(&mut self, table: &'static str) -> usize {
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from {table}")))
            .fetch_one(&mut self.0)
            .await
            .unwrap();
        usize::try_from(count).unwrap()
    }

    /// Ends the looking, so that the hub's log file can be folded into its database.
    pub(crate) async fn leave(self) {
        self.0.close().await.unwrap();
    }
}
