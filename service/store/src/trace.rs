//! Spans of what is traced: their one target, and what is said of a statement.
//!
//! Whether a call is traced is decided where it comes in, before any span is made. Behind that, a span is made only beneath
//! another one of this target, so that what is not traced costs a look at the current span and nothing more. Absent on
//! purpose: who collects the spans, and values of any kind: a statement is told by its verb and its table.

use tracing::Span;

/// The target of every span that is traced, and of nothing else.
pub const TARGET: &str = "pointbridge::trace";

/// The span of this target that one is in; a disabled one where what happens is not traced.
#[must_use]
pub fn current() -> Span {
    let span = Span::current();
    if span.metadata().is_some_and(|metadata| metadata.target() == TARGET) { span } else { Span::none() }
}

/// A span for a statement of a database of this kind (`sqlite`), disabled where nothing around it is traced.
#[must_use]
pub fn statement(system: &'static str, sql: &str) -> Span {
    if current().is_disabled() {
        return Span::none();
    }
    let (operation, table) = summary(sql);
    let space = if table.is_empty() { "" } else { " " };
    tracing::info_span!(
        target: TARGET,
        "statement",
        otel.name = format!("{operation}{space}{table}"),
        otel.kind = "client",
        db.system.name = system,
        db.operation.name = operation,
        db.collection.name = table,
    )
}

/// A statement's verb, and the table that it is about: the first that is neither a parameter nor a query of its own.
fn summary(sql: &str) -> (&str, &str) {
    let mut words = sql.split_whitespace();
    let operation = words.next().unwrap_or_default();
    let mut table = "";
    let mut before = operation;
    for word in words {
        // What to do in a conflict stands between verb and table.
        if word == "or" || before == "or" {
            before = if word == "or" { "or" } else { operation };
            continue;
        }
        let is_named = matches!(before, "from" | "join" | "into" | "update");
        let is_parameter =
            ["json_each", "jsonb_each", "unnest", "pragma_"].iter().any(|of| word.starts_with(of));
        if is_named && !word.starts_with('(') && !is_parameter {
            table = word.trim_end_matches([',', ')', ';']);
            break;
        }
        before = word;
    }
    (operation, table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_told_by_its_verb_and_its_table() {
        for (sql, expected) in [
            ("select a from reservation where b = 1", ("select", "reservation")),
            ("insert into lot (a)\n select value from json_each(?1)", ("insert", "lot")),
            ("select x from json_each(?1) as asked\n join membership on true", ("select", "membership")),
            ("select count(*) from (select a from posting)", ("select", "posting")),
            ("select 0 from unnest($1) as asked (id) join account on true", ("select", "account")),
            ("update account set posted = 1", ("update", "account")),
            ("update or rollback account set posted = 1", ("update", "account")),
            ("insert or rollback into posting (a) select value from jsonb_each(?)", ("insert", "posting")),
            ("select data_version from pragma_data_version", ("select", "")),
            ("select x from jsonb_each(?1) as asked join lot on true", ("select", "lot")),
            ("begin immediate", ("begin", "")),
            ("commit", ("commit", "")),
            ("", ("", "")),
        ] {
            assert_eq!(summary(sql), expected, "{sql}");
        }
    }

    #[test]
    fn no_span_is_made_where_nothing_is_traced() {
        assert!(statement("sqlite", "select 1").is_disabled());
        assert!(current().is_disabled());
    }
}
