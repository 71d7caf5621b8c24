//! Scripts: several statements that change rows, sent to the database's thread at once.
//!
//! A statement on its own costs a way to the thread that has the connection and a way back, 0.1 ms and more where both have
//! to be woken; a script costs one for all. Its parameters stand as `?` in the statements, in the order of its values, because
//! numbered ones would count through the whole script. Scripts are few (which tables a kind of batch changes), so that the
//! connection keeps them compiled.
//!
//! Absent: statements that answer with rows.

use pointbridge_store::StoreError;
use sqlx::sqlite::SqliteQueryResult;

use crate::session::Bind;

/// A statement, and how many rows of which table it must change.
#[derive(Debug)]
struct Line {
    sql: &'static str,
    must_change: Option<(&'static str, u64)>,
}

/// Statements that run one after the other.
#[derive(Debug, Default)]
pub(crate) struct Script {
    lines: Vec<Line>,
    binds: Vec<Bind>,
}

impl Script {
    /// Adds a statement with its values, and how many rows of which table it must change.
    pub(crate) fn add(
        &mut self,
        sql: &'static str,
        binds: Vec<Bind>,
        must_change: Option<(&'static str, u64)>,
    ) {
        self.lines.push(Line { sql, must_change });
        self.binds.extend(binds);
    }

    /// The statements one by one.
    pub(crate) fn statements(&self) -> impl Iterator<Item = &'static str> {
        self.lines.iter().map(|line| line.sql)
    }

    /// The text of all statements, and their values.
    pub(crate) fn text(&mut self) -> (String, Vec<Bind>) {
        let statements: Vec<&str> = self.statements().collect();
        (statements.join(";\n"), std::mem::take(&mut self.binds))
    }

    /// Compares what the statements did with what they must have done.
    ///
    /// # Errors
    /// [`StoreError::Broken`] where one changed fewer rows or more, or where one has not run.
    pub(crate) fn judge(&self, done: &[SqliteQueryResult]) -> Result<(), StoreError> {
        if done.len() != self.lines.len() {
            let (ran, all) = (done.len(), self.lines.len());
            return Err(StoreError::Broken(format!("{ran} of a script's {all} statements ran")));
        }
        for (line, result) in self.lines.iter().zip(done) {
            let changed = result.rows_affected();
            if let Some((table, expected)) = line.must_change.filter(|(_, expected)| *expected != changed) {
                return Err(StoreError::Broken(format!(
                    "{expected} rows of {table} were to change, and {changed} did"
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection, SqliteConnection};

    use super::*;
    use crate::rows::Cells;
    use crate::session::Session;

    #[tokio::test]
    async fn every_statement_runs_with_its_own_values_and_is_held_to_what_it_must_change() {
        let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let mut session = Session::new(&mut conn, None);
        session.run("create table t (a integer not null, b text not null)", Vec::new()).await.unwrap();
        let insert = "insert into t (a, b) values (?, ?)";
        let change = "update t set b = ? where a >= ?";
        let filled = |expected| {
            let mut script = Script::default();
            script.add(insert, vec![Bind::Int(1), Bind::Text("one".to_owned())], None);
            script.add(insert, vec![Bind::Int(2), Bind::Text("two".to_owned())], None);
            script.add(change, vec![Bind::Text("new".to_owned()), Bind::Int(2)], Some(("t", expected)));
            script
        };
        session.script(filled(1)).await.unwrap();
        let rows = session.rows("select a, b from t order by a", Vec::new()).await.unwrap();
        let told: Vec<_> = rows.iter().map(|row| (row.int("a").unwrap(), row.text("b").unwrap())).collect();
        assert_eq!(told, [(1, "one".to_owned()), (2, "new".to_owned())]);
        let error = session.script(filled(1)).await.unwrap_err();
        assert_eq!(error, StoreError::Broken("1 rows of t were to change, and 2 did".to_owned()));
        let mut failing = Script::default();
        failing.add("insert into t (a, b) values (?, null)", vec![Bind::Int(9)], None);
        failing.add(insert, vec![Bind::Int(10), Bind::Text("ten".to_owned())], None);
        assert!(session.script(failing).await.is_err());
        let rows = session.rows("select a from t where a >= 9", Vec::new()).await.unwrap();
        assert!(rows.is_empty(), "what stands behind a failure does not run");
    }
}
