//! The hub's state as its database tells it, read beside the serving hub: whether anything was written at all, and how many
//! requests left an effect.

use std::path::Path;

use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

/// Somebody who looks at the database and writes nothing.
pub(crate) struct Witness(SqliteConnection);

/// What there was to see at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sight {
    /// A number that changes with every write of another connection, and with nothing else.
    version: i64,
    /// How many requests the hub remembers; each is one effect.
    pub(crate) requests: usize,
    /// Records that nobody asked for: the hub's own, such as those of holds that are over.
    unasked: usize,
}

impl Sight {
    /// Holds that nothing was written since `before`, unless the hub itself had something to do.
    pub(crate) fn assert_unchanged_since(self, before: Self, what: &str) {
        if self.unasked == before.unasked {
            assert_eq!(self, before, "{what}: something was written");
        }
        assert_eq!(self.requests, before.requests, "{what}: an effect is remembered");
    }
}

impl Witness {
    /// Opens the database for reading.
    pub(crate) async fn of(database: &Path) -> Self {
        let options = SqliteConnectOptions::new().filename(database).read_only(true);
        Self(SqliteConnection::connect_with(&options).await.unwrap())
    }

    /// Looks.
    pub(crate) async fn look(&mut self) -> Sight {
        let unasked = "select count(*) from record where record_id not in (select record_id from request)";
        Sight {
            version: sqlx::query_scalar("pragma data_version").fetch_one(&mut self.0).await.unwrap(),
            requests: self.count("select count(*) from request").await,
            unasked: self.count(unasked).await,
        }
    }

    async fn count(&mut self, question: &'static str) -> usize {
        let count: i64 = sqlx::query_scalar(question).fetch_one(&mut self.0).await.unwrap();
        usize::try_from(count).unwrap()
    }

    /// Ends the looking, so that the hub's log file can be folded into its database.
    pub(crate) async fn leave(self) {
        self.0.close().await.unwrap();
    }
}
