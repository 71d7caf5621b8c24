//! How long the tests go on: the short form with every run of the tests, the long form when it is asked for.

/// Asks for the long form with the word `long`.
const ASK: &str = "POINTBRIDGE_HOSTILE";

/// Short or long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// About a minute on two busy cores.
    Short,
    /// Hours: what figures come from.
    Long,
}

/// The form of this run.
pub(crate) fn form() -> Form {
    match std::env::var(ASK).as_deref() {
        Ok("long") => Form::Long,
        Ok(other) => panic!("{ASK}={other}: the only word that it takes is long"),
        Err(_) => Form::Short,
    }
}
