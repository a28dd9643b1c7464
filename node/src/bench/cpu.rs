//! Clocks of a measurement: what time it is, and how much of it processes have used.

use std::{fs, io, path::Path};

use rustix::time::{ClockId, Timespec, clock_gettime};

/// Nanoseconds on the machine's monotonic clock, which all processes share.
#[must_use]
pub fn monotonic() -> u64 {
    nanos(clock_gettime(ClockId::Monotonic))
}

/// Nanoseconds of processor time that this process has used, kernel included.
#[must_use]
pub fn cpu_own() -> u64 {
    nanos(clock_gettime(ClockId::ProcessCPUTime))
}

/// Nanoseconds of processor time that another process's threads have used, kernel included. Threads that have ended do
/// not count.
///
/// # Errors
/// Where there is no `/proc`, or no such process.
pub fn cpu_of(pid: u32) -> io::Result<u64> {
    let mut total = 0;
    for thread in fs::read_dir(Path::new("/proc").join(pid.to_string()).join("task"))? {
        // Its first number is the time on a processor. A thread may end while we look.
        let text = fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
        total += text.split(' ').next().and_then(|first| first.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(total)
}

fn nanos(time: Timespec) -> u64 {
    let whole = u64::try_from(time.tv_sec).unwrap_or(0).saturating_mul(1_000_000_000);
    whole.saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_monotonic_clock_counts_nanoseconds() {
        let began = monotonic();
        std::thread::sleep(std::time::Duration::from_millis(5));
        assert!(monotonic() - began >= 5_000_000);
    }

    #[test]
    fn working_uses_processor_time() {
        let before = cpu_own();
        let mut sum = 0_u64;
        while cpu_own() - before < 5_000_000 {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(cpu_of(std::process::id()).unwrap() > 0);
    }
}
