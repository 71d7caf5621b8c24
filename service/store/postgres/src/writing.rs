//! Scripts: several statements that change rows, as one.
//!
//! Each is a common table of one statement, which counts what they changed, in their order. All of them see the rows as they
//! were before; what has to see another's rows stands behind a [`Script::then`], in a statement of its own.

use std::fmt::Write;

use pointbridge_store::StoreError;
use sqlx::Row as _;

use crate::error;
use crate::reading::{numbered, unwritten};
use crate::session::{Bind, Session};

/// A statement, and how many rows of which table it must change.
struct Line {
    sql: &'static str,
    binds: Vec<Bind>,
    must_change: Option<(&'static str, u64)>,
}

/// Statements that change rows, in stages that follow one another.
pub(crate) struct Script {
    stages: Vec<Vec<Line>>,
}

impl Script {
    pub(crate) fn new() -> Self {
        Self { stages: vec![Vec::new()] }
    }

    /// What comes from here on sees what came before.
    pub(crate) fn then(&mut self) {
        self.stages.push(Vec::new());
    }

    /// Adds a statement over arrays of rows. Empty arrays need no statement.
    pub(crate) fn put(&mut self, sql: &'static str, rows: usize, binds: impl FnOnce() -> Vec<Bind>) {
        self.add(sql, rows, binds, None);
    }

    /// As [`Script::put`], where every row of the arrays must change one of the table.
    pub(crate) fn put_each(
        &mut self,
        sql: &'static str,
        rows: usize,
        table: &'static str,
        binds: impl FnOnce() -> Vec<Bind>,
    ) -> Result<(), StoreError> {
        let expected = u64::try_from(rows).map_err(|_| error::broken("a bound beyond 64 bits"))?;
        self.add(sql, rows, binds, Some((table, expected)));
        Ok(())
    }

    fn add(
        &mut self,
        sql: &'static str,
        rows: usize,
        binds: impl FnOnce() -> Vec<Bind>,
        must_change: Option<(&'static str, u64)>,
    ) {
        if rows == 0 {
            return;
        }
        if let Some(stage) = self.stages.last_mut() {
            stage.push(Line { sql, binds: binds(), must_change });
        }
    }

    /// Runs the stages.
    ///
    /// # Errors
    /// [`StoreError::Broken`] where a statement changed fewer rows or more than it must; else [`StoreError`].
    pub(crate) async fn run(self, session: &mut Session<'_>) -> Result<(), StoreError> {
        for stage in self.stages.into_iter().filter(|stage| !stage.is_empty()) {
            run_stage(stage, session).await?;
        }
        Ok(())
    }
}

async fn run_stage(stage: Vec<Line>, session: &mut Session<'_>) -> Result<(), StoreError> {
    let mut text = String::with_capacity(4_096);
    let mut binds = Vec::new();
    let mut expected = Vec::with_capacity(stage.len());
    for (place, line) in stage.into_iter().enumerate() {
        let before = if place == 0 { "with" } else { ",\n" };
        write!(text, "{before} line_{place} as (").map_err(unwritten)?;
        numbered(line.sql, binds.len(), &mut text)?;
        text.push_str(" returning 1)");
        binds.extend(line.binds);
        expected.push(line.must_change);
    }
    for place in 0..expected.len() {
        let before = if place == 0 { "\nselect array[" } else { ", " };
        write!(text, "{before}(select count(*) from line_{place})").map_err(unwritten)?;
    }
    text.push(']');
    let rows = session.group(text, binds).await?;
    let counts: Vec<i64> = match rows.first() {
        Some(row) => row.try_get(0).map_err(error::of)?,
        None => Vec::new(),
    };
    if counts.len() != expected.len() {
        let (ran, all) = (counts.len(), expected.len());
        return Err(StoreError::Broken(format!("{ran} of a script's {all} statements ran")));
    }
    for (changed, must_change) in counts.into_iter().zip(expected) {
        if let Some((table, expected)) =
            must_change.filter(|(_, expected)| i64::try_from(*expected) != Ok(changed))
        {
            return Err(StoreError::Broken(format!(
                "{expected} rows of {table} were to change, and {changed} did"
            )));
        }
    }
    Ok(())
}
