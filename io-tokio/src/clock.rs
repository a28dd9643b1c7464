//! Clocks: the one place of the shell that asks what time it is.

use std::time::Duration;

use proto_core::time::{Time, WallTime};

/// Where a shell reads the time. Clones tell the same time.
pub trait Clock: Clone + Send + 'static {
    /// Time since the clock was made. Never goes back, and counts on while the machine sleeps.
    fn now(&mut self) -> Time;

    /// What the calendar says.
    fn wall(&mut self) -> WallTime;
}

/// The machine's clock. On Linux it counts the time that the machine was suspended (`CLOCK_BOOTTIME`): a laptop that
/// wakes up knows at once that its peers have given it up. Elsewhere it is the platform's monotonic clock.
#[derive(Clone, Debug)]
pub struct SystemClock {
    start: Duration,
    last: Time,
}

impl SystemClock {
    /// A clock that starts now.
    #[must_use]
    pub fn new() -> Self {
        Self { start: monotonic(), last: Time::ZERO }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&mut self) -> Time {
        let elapsed = monotonic().saturating_sub(self.start);
        self.last = self.last.max(Time::ZERO + elapsed);
        self.last
    }

    fn wall(&mut self) -> WallTime {
        system_wall()
    }
}

/// tokio's clock: virtual where tokio's time is paused, as in a simulation.
#[derive(Clone, Debug)]
pub struct RuntimeClock {
    start: tokio::time::Instant,
    wall: WallTime,
}

impl RuntimeClock {
    /// A clock that starts now, when the calendar says `wall`.
    #[must_use]
    pub fn new(wall: WallTime) -> Self {
        Self { start: tokio::time::Instant::now(), wall }
    }
}

impl Clock for RuntimeClock {
    fn now(&mut self) -> Time {
        Time::ZERO + self.start.elapsed()
    }

    fn wall(&mut self) -> WallTime {
        let elapsed = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        WallTime(self.wall.0.saturating_add(elapsed))
    }
}

/// What the machine's calendar says; zero before 1970.
#[allow(clippy::disallowed_methods, reason = "the one place where the calendar is read")]
pub(crate) fn system_wall() -> WallTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    WallTime(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn monotonic() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let secs = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanos = u32::try_from(now.tv_nsec).unwrap_or(0);
    Duration::new(secs, nanos)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[allow(clippy::disallowed_methods, reason = "the one place where the monotonic clock is read")]
fn monotonic() -> Duration {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_starts_at_zero_and_moves_on() {
        let mut clock = SystemClock::new();
        let first = clock.now();
        assert!(first < Time::from_secs(5), "{first}");
        std::thread::sleep(Duration::from_millis(3));
        assert!(clock.now() - first >= Duration::from_millis(3));
    }

    #[test]
    fn the_calendar_is_past_2020() {
        assert!(SystemClock::new().wall() > WallTime(1_577_836_800_000));
    }

    #[tokio::test(start_paused = true)]
    async fn the_runtime_clock_follows_paused_time() {
        let mut clock = RuntimeClock::new(WallTime(1_000));
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(clock.now(), Time::from_secs(60));
        assert_eq!(clock.wall(), WallTime(61_000));
    }
}
