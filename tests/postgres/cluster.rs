//! The cluster that tests make their databases on, and one database of a test's own.
//!
//! The cluster is the one that `POINTBRIDGE_TEST_POSTGRES` names by the URL of its superuser, as `tests/run` sets it; without it,
//! each test program starts a throw-away one by `tests/with_postgres` and holds its input, so that it ends with the program.
//! Where no server is installed, tests fail and say how to get one: none passes for want of a database.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use pointbridge_store_postgres::{Clock, GivenClock, Migration, Options, PostgresStore, StatementHook};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// The role that hubs run as in tests: it owns nothing.
pub(crate) const HUB_ROLE: &str = "pointbridge_hub";

/// A cluster that lives as long as its input is held.
pub(crate) struct Cluster {
    url: String,
    _process: Option<Child>,
}

impl Cluster {
    /// Starts one of the caller's own.
    pub(crate) fn start(environment: &[(&str, &Path)]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("with_postgres");
        let mut command = Command::new(&script);
        command.envs(environment.iter().copied()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("tests/with_postgres runs");
        let mut url = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut url).unwrap();
        assert!(
            !url.is_empty(),
            "no PostgreSQL could be started: install it with `apt-get install postgresql`"
        );
        Self { url: url.trim().to_owned(), _process: Some(process) }
    }

    /// The one that the tests of this program share.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| match std::env::var("POINTBRIDGE_TEST_POSTGRES") {
            Ok(url) if !url.is_empty() => Self { url, _process: None },
            _ => Self::start(&[]),
        })
    }

    /// The URL of a database, for a role.
    pub(crate) fn url_of(&self, database: &str, role: &str) -> String {
        let (_, rest) = self.url.split_once("://").unwrap();
        let (_, place) = rest.split_once('@').unwrap();
        let (place, _) = place.split_once('/').unwrap();
        format!("postgres://{role}@{place}/{database}")
    }

    fn superuser(&self) -> &str {
        let (_, rest) = self.url.split_once("://").unwrap();
        rest.split_once('@').unwrap().0
    }
}

/// A database of a test's own, which goes away with it.
pub(crate) struct Database {
    cluster: &'static Cluster,
    name: String,
}

impl Database {
    /// An empty database on the shared cluster.
    pub(crate) async fn empty() -> Self {
        let cluster = Cluster::shared();
        let name = format!("test_{}", uuid::Uuid::new_v4().simple());
        let mut conn = PgConnection::connect(&cluster.url).await.unwrap();
        run(&mut conn, format!("create database {name}")).await.unwrap();
        // Of tests that begin at once one makes the role.
        let role = format!("create role {HUB_ROLE} login");
        if let Err(error) = run(&mut conn, role).await {
            let code =
                error.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap_or_default();
            assert!(["42710", "23505"].contains(&code.as_ref()), "{error}");
        }
        conn.close().await.unwrap();
        Self { cluster, name }
    }

    /// The URL for the role that owns everything.
    pub(crate) fn owner(&self) -> String {
        self.cluster.url_of(&self.name, self.cluster.superuser())
    }

    /// The URL for the role that hubs run as.
    pub(crate) fn hub(&self) -> String {
        self.cluster.url_of(&self.name, HUB_ROLE)
    }

    /// Makes the tables, for a store that reads this clock.
    pub(crate) async fn migrate(&self, clock: Clock) {
        let migration = Migration { url: self.owner(), hub_role: Some(HUB_ROLE.to_owned()), clock };
        PostgresStore::migrate(&migration).await.unwrap();
    }

    /// A store on it, as the role that hubs run as.
    pub(crate) async fn open(&self, clock: Clock, statement_hook: Option<StatementHook>) -> PostgresStore {
        let options =
            Options { url: self.hub(), clock, statement_hook, readers: 2, writers: 2, migrate: false };
        PostgresStore::open(options).await.unwrap()
    }

    /// A connection of the owner's, behind the back of every store.
    #[allow(dead_code, reason = "not every test program looks behind the store")]
    pub(crate) async fn raw(&self) -> PgConnection {
        PgConnection::connect(&self.owner()).await.unwrap()
    }
}

impl Drop for Database {
    /// On a thread of its own, because a test's runtime may be going down.
    fn drop(&mut self) {
        let (url, text) =
            (self.cluster.url.clone(), format!("drop database if exists {} with (force)", self.name));
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut conn = PgConnection::connect(&url).await?;
                run(&mut conn, text).await?;
                conn.close().await
            })
        });
        if let Ok(Err(error)) = dropped.join() {
            eprintln!("a test's database stays: {error}");
        }
    }
}

/// A migrated database and a store on it that reads this clock.
pub(crate) async fn store(
    clock: GivenClock,
    statement_hook: Option<StatementHook>,
) -> (PostgresStore, Database) {
    let database = Database::empty().await;
    let clock = Clock::Given(clock);
    database.migrate(clock.clone()).await;
    (database.open(clock, statement_hook).await, database)
}

pub(crate) async fn run(conn: &mut PgConnection, text: String) -> Result<u64, sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(text)).execute(conn).await.map(|done| done.rows_affected())
}
