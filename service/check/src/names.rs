//! Names: ids and codes, each kept once however many rows repeat it.

use std::collections::BTreeSet;
use std::sync::Arc;

/// An id or code, shared.
pub(crate) type Name = Arc<str>;

/// The names seen so far.
#[derive(Debug, Default)]
pub(crate) struct Names(BTreeSet<Name>);

impl Names {
    /// The one shared copy of a text.
    pub(crate) fn of(&mut self, text: &str) -> Name {
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        let name: Name = Arc::from(text);
        self.0.insert(Arc::clone(&name));
        name
    }
}

/// An optional value as it stands in findings.
pub(crate) fn or_none(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| value.to_string())
}
