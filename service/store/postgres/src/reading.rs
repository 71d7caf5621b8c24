//! Readings: many nouns in one statement, each a branch of one union.
//!
//! A way to the server and back costs more than most reads do, and the protocol's library sends no statement before the last
//! one's answer. What a batch reads is therefore put together: each noun names its columns and where they come from, and the
//! union carries them in columns by type, with the noun's number before them. A row then reads as if its noun had been asked
//! alone. Which nouns are asked decides the statement's text, and never how many rows each has, so that a connection keeps
//! few of them prepared.
//!
//! Absent: statements that change or lock rows.

use std::fmt::Write;

use pointbridge_store::StoreError;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::error;
use crate::rows::Cells;
use crate::session::{Bind, Session};

/// A column's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Id,
    Text,
    Int,
    Bytes,
    Flag,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Id, Self::Text, Self::Int, Self::Bytes, Self::Flag];

    const fn sql(self) -> &'static str {
        match self {
            Self::Id => "uuid",
            Self::Text => "text",
            Self::Int => "bigint",
            Self::Bytes => "bytea",
            Self::Flag => "boolean",
        }
    }
}

/// A column: its name, its type, and what it is in the noun's statement.
pub(crate) type Column = (&'static str, Kind, &'static str);

/// What can be read together with others: columns, and all of a select from its `from` on. Parameters are $1 and so on.
#[derive(Debug)]
pub(crate) struct Noun {
    pub(crate) columns: &'static [Column],
    pub(crate) from: &'static str,
}

/// Nouns to be read.
#[derive(Default)]
pub(crate) struct Reading {
    head: Option<(&'static str, Vec<Bind>)>,
    asked: Vec<(&'static Noun, Vec<Bind>)>,
}

impl Reading {
    /// A reading that begins with these common tables, which every noun may name; their parameters come first.
    pub(crate) fn beginning_with(common: &'static str, binds: Vec<Bind>) -> Self {
        Self { head: Some((common, binds)), asked: Vec::new() }
    }

    /// Asks for a noun.
    pub(crate) fn ask(&mut self, noun: &'static Noun, binds: Vec<Bind>) {
        self.asked.push((noun, binds));
    }

    /// Asks for a noun where there is something to ask for.
    pub(crate) fn ask_if(&mut self, is_needed: bool, noun: &'static Noun, binds: impl FnOnce() -> Vec<Bind>) {
        if is_needed {
            self.ask(noun, binds());
        }
    }

    /// Reads all that was asked, in one statement; in none where nothing was.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn read(self, session: &mut Session<'_>) -> Result<Found, StoreError> {
        let nouns: Vec<&'static Noun> = self.asked.iter().map(|(noun, _)| *noun).collect();
        if nouns.is_empty() {
            return Ok(Found { rows: Vec::new(), nouns, layout: Layout::default() });
        }
        let layout = Layout::of(&nouns);
        let (text, binds) = self.statement(layout)?;
        let rows = session.group(text, binds).await?;
        Ok(Found { rows, nouns, layout })
    }

    fn statement(self, layout: Layout) -> Result<(String, Vec<Bind>), StoreError> {
        let mut text = String::with_capacity(4_096);
        let mut binds = Vec::new();
        if let Some((common, values)) = self.head {
            text.push_str(common);
            binds = values;
        }
        for (place, (noun, values)) in self.asked.into_iter().enumerate() {
            if place > 0 {
                text.push_str("\nunion all ");
            }
            write!(text, "select {place}::bigint as noun").map_err(unwritten)?;
            layout.columns(noun, &mut text)?;
            text.push(' ');
            numbered(noun.from, binds.len(), &mut text)?;
            binds.extend(values);
        }
        Ok((text, binds))
    }
}

/// How many columns of each type the union has.
#[derive(Debug, Clone, Copy, Default)]
struct Layout {
    widths: [usize; Kind::ALL.len()],
}

impl Layout {
    fn of(nouns: &[&'static Noun]) -> Self {
        let widest = |kind| {
            let width = |noun: &&Noun| noun.columns.iter().filter(|(_, of, _)| *of == kind).count();
            nouns.iter().map(width).max().unwrap_or(0)
        };
        Self { widths: Kind::ALL.map(widest) }
    }

    /// Writes a noun's columns into those of the union, and nothing into what is left.
    fn columns(self, noun: &Noun, text: &mut String) -> Result<(), StoreError> {
        for (kind, width) in Kind::ALL.into_iter().zip(self.widths) {
            let mut own = noun.columns.iter().filter(|(_, of, _)| *of == kind);
            for _ in 0..width {
                match own.next() {
                    Some((_, _, expression)) => write!(text, ", ({expression})::{}", kind.sql()),
                    None => write!(text, ", null::{}", kind.sql()),
                }
                .map_err(unwritten)?;
            }
        }
        Ok(())
    }

    /// Where a noun's column stands in the union.
    fn place(self, noun: &Noun, column: &str) -> Option<usize> {
        let (_, kind, _) = noun.columns.iter().find(|(name, _, _)| *name == column)?;
        let own = noun.columns.iter().filter(|(_, of, _)| of == kind);
        let turn = own.take_while(|(name, _, _)| *name != column).count();
        let before = Kind::ALL.iter().zip(self.widths).take_while(|(of, _)| *of != kind);
        // The noun's number stands first.
        Some(before.map(|(_, width)| width).sum::<usize>().saturating_add(turn).saturating_add(1))
    }
}

/// What was found.
pub(crate) struct Found {
    rows: Vec<PgRow>,
    nouns: Vec<&'static Noun>,
    layout: Layout,
}

impl Found {
    /// The rows of a noun; none where it was not asked for.
    ///
    /// # Errors
    /// [`StoreError::Broken`] where a row is of no noun.
    pub(crate) fn of(&self, noun: &'static Noun) -> Result<Vec<NounRow<'_>>, StoreError> {
        let Some(place) = self.nouns.iter().position(|asked| std::ptr::eq(*asked, noun)) else {
            return Ok(Vec::new());
        };
        let place = i64::try_from(place).map_err(|_| error::broken("a bound beyond 64 bits"))?;
        let mut rows = Vec::new();
        for row in &self.rows {
            let told: i64 = row.try_get(0).map_err(error::of)?;
            if told == place {
                rows.push(NounRow { row, noun, layout: self.layout });
            }
        }
        Ok(rows)
    }
}

/// A row of one noun.
#[derive(Clone, Copy)]
pub(crate) struct NounRow<'a> {
    row: &'a PgRow,
    noun: &'static Noun,
    layout: Layout,
}

impl<'a> NounRow<'a> {
    fn cell<T>(&self, column: &str) -> Result<T, StoreError>
    where
        T: sqlx::Decode<'a, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        let place = self.layout.place(self.noun, column);
        let place = place.ok_or_else(|| StoreError::Broken(format!("the noun has no column {column}")))?;
        self.row.try_get(place).map_err(error::of)
    }
}

impl Cells for NounRow<'_> {
    fn int_or_null(&self, column: &str) -> Result<Option<i64>, StoreError> {
        self.cell(column)
    }

    fn text_or_null(&self, column: &str) -> Result<Option<String>, StoreError> {
        self.cell(column)
    }

    fn bytes_or_null(&self, column: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.cell(column)
    }

    fn bits_or_null(&self, column: &str) -> Result<Option<Uuid>, StoreError> {
        self.cell(column)
    }

    fn flag(&self, column: &str) -> Result<bool, StoreError> {
        self.cell(column)
    }
}

/// Writes a statement whose parameters begin after those that there are.
///
/// # Errors
/// [`StoreError::Broken`] never: a text takes whatever is written to it.
pub(crate) fn numbered(sql: &str, before: usize, text: &mut String) -> Result<(), StoreError> {
    let mut parts = sql.split('$');
    text.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let (number, rest) = part.split_at(end);
        let number: usize = number.parse().map_err(|_| error::broken("a parameter without a number"))?;
        write!(text, "${}{rest}", number.saturating_add(before)).map_err(unwritten)?;
    }
    Ok(())
}

pub(crate) fn unwritten(error: std::fmt::Error) -> StoreError {
    StoreError::Broken(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    static ACCOUNT: Noun = Noun {
        columns: &[
            ("id", Kind::Id, "a.id"),
            ("posted", Kind::Int, "a.posted"),
            ("held", Kind::Int, "a.held"),
        ],
        from: "from unnest($1) as asked(id) join a on a.id = asked.id where $12 > $2",
    };
    static CODE: Noun = Noun { columns: &[("code", Kind::Text, "c.code")], from: "from c where c.code = $1" };

    #[test]
    fn nouns_share_columns_by_type_and_keep_their_own_parameters() {
        let mut reading = Reading::default();
        reading.ask(&ACCOUNT, vec![Bind::Ids(Vec::new()), Bind::Int(None)]);
        reading.ask(&CODE, vec![Bind::Text(None)]);
        let layout = Layout::of(&[&ACCOUNT, &CODE]);
        let (text, binds) = reading.statement(layout).unwrap();
        assert_eq!(binds.len(), 3);
        assert_eq!(
            text,
            "select 0::bigint as noun, (a.id)::uuid, null::text, (a.posted)::bigint, (a.held)::bigint \
             from unnest($1) as asked(id) join a on a.id = asked.id where $12 > $2\n\
             union all select 1::bigint as noun, null::uuid, (c.code)::text, null::bigint, null::bigint \
             from c where c.code = $3"
        );
        assert_eq!(layout.place(&ACCOUNT, "held"), Some(4));
        assert_eq!(layout.place(&CODE, "code"), Some(2));
        assert_eq!(layout.place(&CODE, "held"), None);
    }
}
