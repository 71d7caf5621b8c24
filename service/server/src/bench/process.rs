//! What the system knows of a process: the time on processors of each thread, and its memory.
//!
//! Read from `/proc`, in nanoseconds and KiB, and so on Linux only. Threads that ended are not counted; the hub's own and
//! the driver's live as long as they do.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, ensure};

/// The time on processors that the threads of a process have had so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// By thread: its name, and nanoseconds.
    threads: BTreeMap<u32, (String, u64)>,
}

/// The time on processors between two moments, in nanoseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct CpuTime {
    /// By the threads' name; threads of one name together.
    pub(super) by_name: BTreeMap<String, u64>,
}

impl CpuTime {
    /// Of all threads.
    pub(super) fn nanos(&self) -> u64 {
        self.by_name.values().sum()
    }

    /// Adds another's.
    pub(super) fn add(&mut self, other: &Self) {
        for (name, nanos) in &other.by_name {
            *self.by_name.entry(name.clone()).or_default() += nanos;
        }
    }
}

impl Usage {
    /// What a process has used so far.
    ///
    /// # Errors
    /// The process is gone, or this is no Linux.
    pub(super) fn of(pid: u32) -> anyhow::Result<Self> {
        let folder = PathBuf::from(format!("/proc/{pid}/task"));
        let listed = fs::read_dir(&folder);
        let listed =
            listed.with_context(|| format!("{} cannot be read: the bench needs Linux", folder.display()))?;
        let mut threads = BTreeMap::new();
        for entry in listed {
            let path = entry?.path();
            let number = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
            // A thread may end between the listing and the look.
            let read = |file: &str| fs::read_to_string(path.join(file)).ok();
            let Some((number, (name, times))) = number.zip(read("comm").zip(read("schedstat"))) else {
                continue;
            };
            let nanos =
                times.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or_default();
            threads.insert(number, (name.trim().to_owned(), nanos));
        }
        ensure!(!threads.is_empty(), "the threads of process {pid} cannot be read");
        Ok(Self { threads })
    }

    /// What was used since an earlier look.
    pub(super) fn since(&self, earlier: &Self) -> CpuTime {
        let mut time = CpuTime::default();
        for (number, (name, nanos)) in &self.threads {
            let before = earlier.threads.get(number).map_or(0, |(_, before)| *before);
            *time.by_name.entry(name.clone()).or_default() += nanos.saturating_sub(before);
        }
        time
    }
}

/// The memory of a process, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Memory {
    /// Now.
    pub(super) resident: u64,
    /// The most so far.
    pub(super) peak: u64,
}

impl Memory {
    /// Of a process.
    ///
    /// # Errors
    /// The process is gone, or this is no Linux.
    pub(super) fn of(pid: u32) -> anyhow::Result<Self> {
        let path = format!("/proc/{pid}/status");
        let text = fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))?;
        let found = kibibytes(&text, "VmRSS:").zip(kibibytes(&text, "VmHWM:"));
        let (resident, peak) = found.with_context(|| format!("{path} tells no memory"))?;
        Ok(Self { resident: resident * 1024, peak: peak * 1024 })
    }
}

fn kibibytes(status: &str, key: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_shows_as_time_of_its_own_thread() {
        let own = std::process::id();
        let before = Usage::of(own).unwrap();
        let worker = std::thread::Builder::new().name("busy-bee".to_owned()).spawn(move || {
            let mut sum = 0_u64;
            while Usage::of(own)
                .unwrap()
                .since(&Usage::default())
                .by_name
                .get("busy-bee")
                .is_none_or(|n| *n < 1_000_000)
            {
                sum = sum.wrapping_add(1);
            }
            (sum, Usage::of(own).unwrap())
        });
        let (_, after) = worker.unwrap().join().unwrap();
        let used = after.since(&before);
        assert!(used.by_name["busy-bee"] >= 1_000_000, "{used:?}");
        assert!(used.nanos() >= used.by_name["busy-bee"]);
    }

    #[test]
    fn the_peak_is_never_below_what_is_resident() {
        let memory = Memory::of(std::process::id()).unwrap();
        assert!(memory.resident > 0 && memory.peak >= memory.resident, "{memory:?}");
        assert_eq!(kibibytes("VmPeak: 9 kB\nVmHWM:\t  12 kB\nVmRSS:\t 7 kB\n", "VmHWM:"), Some(12));
        assert_eq!(kibibytes("VmRSS:\t x kB\n", "VmRSS:"), None);
    }
}
