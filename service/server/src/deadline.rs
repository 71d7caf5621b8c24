//! Deadlines: how long a call may take, its reading included.
//!
//! A caller says so in `grpc-timeout`; the hub has a limit of its own. The caller's library ends the call by itself when the
//! time is over: ours ends a little earlier, so that callers get the hub's DEADLINE_EXCEEDED and what to do. A deadline ends
//! the waiting, never a write: the engine has it by then, and a retry with the same request id tells.

use std::time::Duration;

use http::HeaderMap;

/// The longest that the hub lets a unary call take.
const CALL_MAX: Duration = Duration::from_secs(10);

/// How much earlier than the caller's own clock ours ends: timers go by milliseconds.
const MARGIN: Duration = Duration::from_millis(3);

/// The header of a caller's deadline.
const HEADER: &str = "grpc-timeout";

/// How long a call may take. A caller that leaves less than the margin has left nothing.
#[must_use]
pub fn of_call(headers: &HeaderMap) -> Duration {
    let asked = headers.get(HEADER).and_then(|value| parse(value.to_str().ok()?));
    asked.map_or(CALL_MAX, |asked| asked.saturating_sub(MARGIN).min(CALL_MAX))
}

/// Reads at most eight digits and a unit, as gRPC over HTTP/2 has it. What is malformed is no deadline.
fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let is_number = (1..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let count: u64 = digits.parse().ok().filter(|_| is_number)?;
    match unit {
        "H" => count.checked_mul(3600).map(Duration::from_secs),
        "M" => count.checked_mul(60).map(Duration::from_secs),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_can_shorten_the_hubs_limit_and_not_lengthen_it() {
        for (header, allowed) in [
            (None, CALL_MAX),
            (Some("2S"), Duration::from_millis(1997)),
            (Some("250m"), Duration::from_millis(247)),
            (Some("1u"), Duration::ZERO),
            (Some("3m"), Duration::ZERO),
            (Some("99999999H"), CALL_MAX),
            (Some("1M"), CALL_MAX),
            (Some(""), CALL_MAX),
            (Some("S"), CALL_MAX),
            (Some("-1S"), CALL_MAX),
            (Some("123456789S"), CALL_MAX),
            (Some("1x"), CALL_MAX),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(text) = header {
                headers.insert(HEADER, text.parse().unwrap());
            }
            assert_eq!(of_call(&headers), allowed, "{header:?}");
        }
    }
}
