//! The names of refusals, as they stand in `google.rpc.ErrorInfo`.
//!
//! The enum in the API carries a prefix that the style of .proto files asks for; what callers compare does not. The
//! status code of each reason is absent here: the server decides it.

use crate::v1::ErrorReason;

/// The domain of every `ErrorInfo` of the hub.
pub const ERROR_DOMAIN: &str = "pointbridge";

/// What the names of the enum's values begin with, and the names in `ErrorInfo` do not.
const PREFIX: &str = "ERROR_REASON_";

impl ErrorReason {
    /// The stable name by which callers know the reason, for example `INSUFFICIENT_POINTS`.
    #[must_use]
    pub fn info_reason(self) -> &'static str {
        let name = self.as_str_name();
        name.strip_prefix(PREFIX).unwrap_or(name)
    }

    /// The reason of this stable name; `None` for a name that this version of the API does not have.
    #[must_use]
    pub fn from_info_reason(name: &str) -> Option<Self> {
        Self::from_str_name(&format!("{PREFIX}{name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_no_prefix_and_lead_back() {
        for number in 0.. {
            let Ok(reason) = ErrorReason::try_from(number) else {
                assert!(number > 50, "the list of reasons ended at {number}");
                break;
            };
            assert!(!reason.info_reason().starts_with(PREFIX), "{reason:?}");
            assert_eq!(ErrorReason::from_info_reason(reason.info_reason()), Some(reason));
        }
        assert_eq!(ErrorReason::InsufficientPoints.info_reason(), "INSUFFICIENT_POINTS");
        assert_eq!(ErrorReason::from_info_reason("NO_SUCH_REASON"), None);
    }
}
