//! Scripts: a transaction whose statements all go to the database's thread at once.
//!
//! A statement on its own costs a way to the thread that has the connection and a way back, 0.1 ms and more where both have
//! to be woken; a script costs one for all. Its parameters stand as `?` in the statements, in the order of its values, because
//! numbered ones would count through the whole script. Scripts are few (which tables a kind of batch changes), so that the
//! connection keeps them compiled.
//!
//! What has to be so before a script may commit is said in statements as well: an insert into `refused`, a view of the connection's
//! own that nothing can be put into, ends the script where its condition is met.
//!
//! Absent: statements that answer with rows.

use pointbridge_store::StoreError;
use sqlx::SqliteConnection;

use crate::session::{Bind, Session};

/// What a script says where another process has written.
const OVERTAKEN: &str = "another process has written to the database";

/// What became of a script that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// It is on the disk.
    Wholly,
    /// Nothing of it was done, because another process has written.
    Overtaken,
}

/// Statements that run one after the other, from the beginning of a transaction to its end.
#[derive(Debug, Default)]
pub(crate) struct Script {
    lines: Vec<&'static str>,
    binds: Vec<Bind>,
}

impl Script {
    /// A transaction, if nobody but this connection has written since `data_version` was read.
    pub(crate) fn begin(data_version: i64) -> Self {
        let mut script = Self::default();
        script.add("begin immediate", Vec::new());
        script.add(
            "insert into refused select ? from pragma_data_version where data_version <> ?",
            vec![Bind::Text(OVERTAKEN.to_owned()), Bind::Int(data_version)],
        );
        script
    }

    /// Adds a statement with its values.
    pub(crate) fn add(&mut self, sql: &'static str, binds: Vec<Bind>) {
        self.lines.push(sql);
        self.binds.extend(binds);
    }

    /// Adds a statement that must change exactly so many rows of a table.
    pub(crate) fn add_exact(&mut self, sql: &'static str, binds: Vec<Bind>, table: &str, rows: i64) {
        self.add(sql, binds);
        let said = format!("{rows} rows of {table} were to change, and others did");
        self.add(
            "insert into refused select ? where changes() <> ?",
            vec![Bind::Text(said), Bind::Int(rows)],
        );
    }

    /// Adds the end.
    pub(crate) fn commit(&mut self) {
        self.add("commit", Vec::new());
    }

    /// The statements one by one.
    pub(crate) fn statements(&self) -> &[&'static str] {
        &self.lines
    }

    /// The text of all statements, and their values.
    pub(crate) fn into_text(self) -> (String, Vec<Bind>) {
        (self.lines.join(";\n"), self.binds)
    }
}

/// Whether an error says that another process has written.
pub(crate) fn is_overtaken(error: &StoreError) -> bool {
    matches!(error, StoreError::Broken(said) if said == OVERTAKEN)
}

/// Makes what scripts refuse with, for one connection.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn enable(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    let mut session = Session::new(conn, None);
    session.run("create temp view refused as select null as what where false", Vec::new()).await?;
    let sql = "create temp trigger refused_at_once instead of insert on refused begin
             select raise(abort, new.what);
         end";
    session.run(sql, Vec::new()).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use sqlx::Connection;

    use super::*;
    use crate::rows::Cells;

    const INSERT: &str = "insert into t (a, b) values (?, ?)";

    async fn connect(path: &std::path::Path) -> SqliteConnection {
        SqliteConnection::connect(&format!("sqlite://{}?mode=rwc", path.display())).await.unwrap()
    }

    async fn told(conn: &mut SqliteConnection) -> Vec<(i64, String)> {
        let rows = Session::new(conn, None).rows("select a, b from t order by a", Vec::new()).await.unwrap();
        rows.iter().map(|row| (row.int("a").unwrap(), row.text("b").unwrap())).collect()
    }

    async fn data_version(conn: &mut SqliteConnection) -> i64 {
        let sql = "select data_version from pragma_data_version";
        let rows = Session::new(conn, None).rows(sql, Vec::new()).await.unwrap();
        rows[0].int("data_version").unwrap()
    }

    /// Inserts two rows and changes the second, which must change `expected` rows.
    fn filled(data_version: i64, expected: i64) -> Script {
        let mut script = Script::begin(data_version);
        script.add(INSERT, vec![Bind::Int(1), Bind::Text("one".to_owned())]);
        script.add(INSERT, vec![Bind::Int(2), Bind::Text("two".to_owned())]);
        let binds = vec![Bind::Text("new".to_owned()), Bind::Int(2)];
        script.add_exact("update t set b = ? where a >= ?", binds, "t", expected);
        script.commit();
        script
    }

    #[tokio::test]
    async fn every_statement_runs_with_its_own_values_and_is_held_to_what_it_must_change() {
        let folder = tempfile::tempdir().unwrap();
        let mut conn = connect(&folder.path().join("a.db")).await;
        enable(&mut conn).await.unwrap();
        let mut session = Session::new(&mut conn, None);
        session.run("create table t (a integer not null, b text not null)", Vec::new()).await.unwrap();
        let version = data_version(&mut conn).await;
        let written = Session::new(&mut conn, None).transaction(filled(version, 1)).await;
        assert_eq!(written, Ok(Written::Wholly));
        let before = [(1, "one".to_owned()), (2, "new".to_owned())];
        assert_eq!(told(&mut conn).await, before);
        // The second time two rows match.
        let error = Session::new(&mut conn, None).transaction(filled(version, 1)).await.unwrap_err();
        assert_eq!(error, StoreError::Broken("1 rows of t were to change, and others did".to_owned()));
        Session::new(&mut conn, None).run("rollback", Vec::new()).await.unwrap();
        assert_eq!(told(&mut conn).await, before);
        let mut failing = Script::begin(version);
        failing.add("insert into t (a, b) values (?, null)", vec![Bind::Int(9)]);
        failing.add(INSERT, vec![Bind::Int(10), Bind::Text("ten".to_owned())]);
        failing.commit();
        assert!(Session::new(&mut conn, None).transaction(failing).await.is_err());
        Session::new(&mut conn, None).run("rollback", Vec::new()).await.unwrap();
        assert_eq!(told(&mut conn).await, before, "what stands behind a failure does not run");
    }

    #[tokio::test]
    async fn who_was_overtaken_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let mut conn = connect(&path).await;
        enable(&mut conn).await.unwrap();
        let mut session = Session::new(&mut conn, None);
        session.run("create table t (a integer not null, b text not null)", Vec::new()).await.unwrap();
        let before = data_version(&mut conn).await;
        let mut other = connect(&path).await;
        let mut session = Session::new(&mut other, None);
        session.run("insert into t (a, b) values (0, 'zero')", Vec::new()).await.unwrap();
        let written = Session::new(&mut conn, None).transaction(filled(before, 1)).await;
        assert_eq!(written, Ok(Written::Overtaken));
        Session::new(&mut conn, None).run("rollback", Vec::new()).await.unwrap();
        assert_eq!(told(&mut conn).await, [(0, "zero".to_owned())]);
        let version = data_version(&mut conn).await;
        assert_ne!(version, before);
        let written = Session::new(&mut conn, None).transaction(filled(version, 1)).await;
        assert_eq!(written, Ok(Written::Wholly));
        assert_eq!(data_version(&mut conn).await, version, "what it writes itself does not count");
    }
}
