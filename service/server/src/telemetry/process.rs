//! What the system says of this process. On a system without `/proc` nothing is known, and nothing is told.

use std::time::Duration;

/// The unit of processor time in `/proc`: 100 to a second, on every machine that Linux's interface is promised for.
const TICK: Duration = Duration::from_millis(10);
/// Fields of `/proc/self/stat` between the name's bracket and the time in user mode.
const FIELDS_BEFORE_TIME: usize = 11;
const BYTES_PER_KIBIBYTE: u64 = 1024;

/// Processor time in user mode and in the system.
pub(super) fn cpu_times() -> Option<[Duration; 2]> {
    parse_stat(&std::fs::read_to_string("/proc/self/stat").ok()?)
}

/// Memory that is resident, in bytes.
pub(super) fn resident_bytes() -> Option<u64> {
    parse_status(&std::fs::read_to_string("/proc/self/status").ok()?)
}

/// How many files and sockets are open.
pub(super) fn open_files() -> Option<u64> {
    // The folder itself is open while it is counted.
    let all = std::fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
    u64::try_from(all).ok()
}

fn parse_stat(text: &str) -> Option<[Duration; 2]> {
    // The program's name may hold blanks and brackets: the last bracket ends it.
    let (_, fields) = text.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(FIELDS_BEFORE_TIME);
    let mut next = || Some(TICK.saturating_mul(fields.next()?.parse().ok()?));
    Some([next()?, next()?])
}

fn parse_status(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes.saturating_mul(BYTES_PER_KIBIBYTE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_words_are_read() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9 0 100 0 0";
        assert_eq!(parse_stat(stat), Some([Duration::from_millis(2_500), Duration::from_millis(500)]));
        assert_eq!(parse_stat("7 a S"), None);
        assert_eq!(parse_status("Name:\ta\nVmRSS:\t   2048 kB\n"), Some(2 * 1024 * 1024));
        assert_eq!(parse_status("Name:\ta\n"), None);
    }

    #[test]
    fn a_process_knows_itself() {
        assert!(cpu_times().is_some());
        assert!(resident_bytes() > Some(1024 * 1024));
        assert!(open_files() > Some(2));
    }
}
