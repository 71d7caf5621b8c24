//! Whether the clock can be believed: against the store's last decision, and by what the system says of its synchronization.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use pointbridge_store_sqlite::Contents;

use super::Finding;

const CHECK: &str = "clock";

/// Where systemd's own time service says that it is at work, and that it has the time.
const TIMESYNC_FOLDER: &str = "/run/systemd/timesync";
const SYNCHRONIZED: &str = "/run/systemd/timesync/synchronized";

const MICROS: i64 = 1_000_000;
/// A clock so far behind the last decision is behind: decisions wait for nothing, but all bear the same time.
const BEHIND_WARN: i64 = 5 * MICROS;
/// And so far behind makes holds and quotes live too long to be called a nuisance.
const BEHIND_FAIL: i64 = 300 * MICROS;

pub(super) fn look(contents: Option<&Contents>, findings: &mut Vec<Finding>) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok();
    let now = now.and_then(|now| i64::try_from(now.as_micros()).ok());
    let Some(now) = now else {
        findings.push(Finding::fail(CHECK, "the machine's clock is not between 1970 and 9999: set it"));
        return;
    };
    let last = contents.map(|contents| contents.last_decided_at.micros());
    findings.push(of(now, last, Sync::told(Path::new(TIMESYNC_FOLDER), Path::new(SYNCHRONIZED))));
}

/// What the system says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sync {
    Is,
    IsNot,
    Untold,
}

impl Sync {
    fn told(folder: &Path, flag: &Path) -> Self {
        match (flag.exists(), folder.exists()) {
            (true, _) => Self::Is,
            (false, true) => Self::IsNot,
            (false, false) => Self::Untold,
        }
    }
}

fn of(now: i64, last: Option<i64>, sync: Sync) -> Finding {
    let behind = last.unwrap_or(now).saturating_sub(now);
    let seconds = behind / MICROS;
    if behind > BEHIND_WARN {
        let what = format!(
            "the clock is {seconds} s behind the last decision: until it has caught up the hub decides with the time of then, \
             and holds last longer; set the clock by NTP, and never back"
        );
        return if behind > BEHIND_FAIL { Finding::fail(CHECK, what) } else { Finding::warn(CHECK, what) };
    }
    match sync {
        Sync::Is => Finding::ok(CHECK, "synchronized, and not behind the last decision"),
        Sync::Untold => Finding::ok(
            CHECK,
            "not behind the last decision; the system does not tell whether it is synchronized",
        ),
        Sync::IsNot => Finding::warn(
            CHECK,
            "the system says that the clock is not synchronized: see `timedatectl`, because holds and quotes live by it",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn each_state_of_the_clock_has_its_verdict() {
        let now = 1_000_000 * MICROS;
        for (last, sync, verdict) in [
            (None, Sync::Is, Verdict::Ok),
            (Some(now), Sync::Is, Verdict::Ok),
            (Some(now - 9_000 * MICROS), Sync::Untold, Verdict::Ok),
            (Some(now), Sync::IsNot, Verdict::Warn),
            (Some(now + 6 * MICROS), Sync::Is, Verdict::Warn),
            (Some(now + 301 * MICROS), Sync::Is, Verdict::Fail),
        ] {
            assert_eq!(of(now, last, sync).verdict, verdict, "{last:?} {sync:?}");
        }
        let folder = tempfile::tempdir().unwrap();
        let flag = folder.path().join("synchronized");
        assert_eq!(Sync::told(folder.path(), &flag), Sync::IsNot);
        std::fs::write(&flag, b"").unwrap();
        assert_eq!(Sync::told(folder.path(), &flag), Sync::Is);
        assert_eq!(Sync::told(&folder.path().join("none"), &folder.path().join("none/at-all")), Sync::Untold);
    }
}
