//! Readings: statements that do not need each other's rows, run in one go.
//!
//! A statement on its own costs a way to the thread that has the connection and a way back. What is read together is therefore
//! asked twice: once to note the statements, and once to be answered with their rows. Whoever reads is written as if each
//! statement ran at once; one that needs another's rows asks for nothing the first time, or for something else, and then runs on
//! its own.
//!
//! Absent: statements that change rows.

use std::collections::VecDeque;

use pointbridge_store::StoreError;
use sqlx::sqlite::SqliteRow;

use crate::session::Bind;

/// A statement and its values.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) sql: &'static str,
    binds: Vec<Bind>,
}

/// What becomes of a statement.
pub(crate) enum Reading {
    /// It was noted, and runs later.
    Noted,
    /// It has run, with these rows.
    Answered(Vec<SqliteRow>),
    /// It is to run now, with these values.
    Unknown(Vec<Bind>),
}

/// The statements of one group.
#[derive(Default)]
pub(crate) enum Readings {
    /// Each runs when it is asked.
    #[default]
    Single,
    /// They are noted.
    Noting(Vec<Asked>),
    /// They have run.
    Answering(VecDeque<(Asked, Vec<SqliteRow>)>),
}

impl Readings {
    pub(crate) fn noting() -> Self {
        Self::Noting(Vec::new())
    }

    /// What was noted.
    pub(crate) fn noted(self) -> Vec<Asked> {
        match self {
            Self::Noting(noted) => noted,
            Self::Single | Self::Answering(_) => Vec::new(),
        }
    }

    /// What was noted, with the rows of each.
    ///
    /// # Errors
    /// [`StoreError::Broken`] where not every statement has run.
    pub(crate) fn answering(noted: Vec<Asked>, found: Vec<Vec<SqliteRow>>) -> Result<Self, StoreError> {
        if noted.len() != found.len() {
            let (ran, all) = (found.len(), noted.len());
            return Err(StoreError::Broken(format!("{ran} of {all} statements were answered")));
        }
        Ok(Self::Answering(noted.into_iter().zip(found).collect()))
    }

    /// Notes a statement, or answers it.
    pub(crate) fn of(&mut self, sql: &'static str, binds: Vec<Bind>) -> Reading {
        let asked = Asked { sql, binds };
        match self {
            Self::Single => Reading::Unknown(asked.binds),
            Self::Noting(noted) => {
                noted.push(asked);
                Reading::Noted
            }
            Self::Answering(answers) => {
                // What is asked for differently now is passed over: its rows are not those of what was noted.
                let place = answers.iter().position(|(known, _)| *known == asked);
                match place.and_then(|place| answers.remove(place)) {
                    Some((_, rows)) => Reading::Answered(rows),
                    None => Reading::Unknown(asked.binds),
                }
            }
        }
    }
}

/// The text of all statements, and their values in the order in which they stand there: numbers of parameters would count
/// through the whole text.
pub(crate) fn text(noted: &[Asked]) -> (String, Vec<Bind>) {
    let (mut text, mut values) = (String::new(), Vec::new());
    for asked in noted {
        let mut parts = asked.sql.split('?');
        text.push_str(parts.next().unwrap_or_default());
        for part in parts {
            let digits = part.bytes().take_while(u8::is_ascii_digit).count();
            let (number, rest) = part.split_at_checked(digits).unwrap_or(("", part));
            let place = number.parse::<usize>().unwrap_or_default().saturating_sub(1);
            values.push(asked.binds.get(place).cloned().unwrap_or(Bind::Null));
            text.push('?');
            text.push_str(rest);
        }
        text.push_str(";\n");
    }
    (text, values)
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection, SqliteConnection};

    use super::*;
    use crate::rows::Cells;
    use crate::session::Session;

    /// Asks for two rows that need nothing, and for one that needs the first of them.
    async fn ask(session: &mut Session<'_>) -> Result<Vec<String>, StoreError> {
        let pair = "select ?2 || ?1 || ?2 as told";
        let one = session.rows(pair, vec![Bind::Text("a".to_owned()), Bind::Text("b".to_owned())]).await?;
        let other = session.rows(pair, vec![Bind::Text("c".to_owned()), Bind::Text("d".to_owned())]).await?;
        let needs = one.first().map(|row| row.text("told")).transpose()?.unwrap_or_default();
        let third = session.rows("select 'after ' || ?1 as told", vec![Bind::Text(needs)]).await?;
        one.iter().chain(&other).chain(&third).map(|row| row.text("told")).collect()
    }

    #[tokio::test]
    async fn what_is_read_together_is_what_each_statement_finds_alone() {
        let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let mut session = Session::new(&mut conn, None);
        let alone = ask(&mut session).await.unwrap();
        assert_eq!(alone, ["bab", "dcd", "after bab"]);
        session.note_readings();
        assert!(ask(&mut session).await.unwrap().is_empty(), "nothing has run yet");
        session.read_noted().await.unwrap();
        assert_eq!(
            ask(&mut session).await.unwrap(),
            alone,
            "the third is asked for differently, and runs anew"
        );
        // An answer counts once: who asks again reads again.
        assert_eq!(ask(&mut session).await.unwrap(), alone);
    }
}
