//! Arrays as parameters: what a statement takes, one array per column, that `unnest` puts side by side.

use std::fmt::Display;

use pointbridge_core::agreement::Pair;
use pointbridge_core::canonical::Hash;
use pointbridge_store::StoreError;
use serde::Serialize;
use uuid::Uuid;

use crate::error;
use crate::session::Bind;

/// The bits of ids. A macro because each id is a type of its own.
macro_rules! ids {
    ($ids:expr) => {
        $crate::session::Bind::Ids($ids.into_iter().map(|id| id.uuid()).collect())
    };
}
pub(crate) use ids;

/// Texts as they print.
pub(crate) fn texts<T: Display>(texts: impl IntoIterator<Item = T>) -> Bind {
    Bind::Texts(texts.into_iter().map(|text| text.to_string()).collect())
}

/// Texts that may be absent.
pub(crate) fn texts_or_null<T: Display>(texts: impl IntoIterator<Item = Option<T>>) -> Bind {
    Bind::TextsOrNull(texts.into_iter().map(|text| text.map(|text| text.to_string())).collect())
}

/// Hashes.
pub(crate) fn hashes<'a>(hashes: impl IntoIterator<Item = &'a Hash>) -> Bind {
    Bind::Blobs(hashes.into_iter().map(|hash| hash.to_vec()).collect())
}

/// Whole numbers that may be absent.
pub(crate) fn ints_or_null<T: Into<i64>>(ints: impl IntoIterator<Item = Option<T>>) -> Bind {
    Bind::IntsOrNull(ints.into_iter().map(|int| int.map(Into::into)).collect())
}

/// Whole numbers.
pub(crate) fn ints<T: Into<i64>>(ints: impl IntoIterator<Item = T>) -> Bind {
    Bind::Ints(ints.into_iter().map(Into::into).collect())
}

/// The two codes of pairs.
pub(crate) fn pairs<'a>(pairs: impl IntoIterator<Item = &'a Pair>) -> [Bind; 2] {
    let (low, high) = pairs.into_iter().map(|pair| (pair.low().to_string(), pair.high().to_string())).unzip();
    [Bind::Texts(low), Bind::Texts(high)]
}

/// 128 bits that are no id.
pub(crate) fn bits(bits: impl IntoIterator<Item = [u8; 16]>) -> Bind {
    Bind::Ids(bits.into_iter().map(Uuid::from_bytes).collect())
}

/// The names of enums' values, as records spell them.
///
/// # Errors
/// [`StoreError::Broken`] where a value is no name: a fault in our own types.
pub(crate) fn names<T: Serialize>(values: impl IntoIterator<Item = T>) -> Result<Bind, StoreError> {
    values.into_iter().map(|value| name(&value)).collect::<Result<Vec<_>, _>>().map(Bind::Texts)
}

/// The name of an enum's value.
///
/// # Errors
/// As [`names`].
pub(crate) fn name<T: Serialize>(value: &T) -> Result<String, StoreError> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => Ok(name),
        _ => Err(error::broken("a value that should be a name is none")),
    }
}
