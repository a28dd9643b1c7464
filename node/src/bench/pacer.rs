//! Publishing at a rate, to the microsecond: the runtime's own timers count milliseconds.

use std::io;

use super::monotonic;

/// Says when each message is due.
#[derive(Debug)]
pub struct Pacer {
    start: u64,
    rate: u64,
    number: u64,
    /// No later than the present moment.
    now: u64,
    timer: Timer,
}

impl Pacer {
    /// So many per second, the first one now.
    ///
    /// # Errors
    /// If there are no timers left.
    pub fn new(rate: u64) -> io::Result<Self> {
        let now = monotonic();
        Ok(Self { start: now, rate: rate.max(1), number: 0, now, timer: Timer::new()? })
    }

    /// Waits until the next message is due, and tells when that was. Late ones are due at once, one after the other.
    ///
    /// # Errors
    /// If the timer fails.
    pub async fn next(&mut self) -> io::Result<u64> {
        let since = u128::from(self.number) * 1_000_000_000 / u128::from(self.rate);
        let due = self.start.saturating_add(u64::try_from(since).unwrap_or(u64::MAX));
        self.number += 1;
        if due > self.now {
            self.now = monotonic();
        }
        while due > self.now {
            self.timer.wait_until(due).await?;
            self.now = monotonic();
        }
        Ok(due)
    }
}

#[cfg(target_os = "linux")]
use linux::Timer;
#[cfg(not(target_os = "linux"))]
use other::Timer;

#[cfg(target_os = "linux")]
mod linux {
    use std::{io, os::fd::OwnedFd};

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
    };
    use tokio::io::unix::AsyncFd;

    /// A timer of the kernel's that can be waited for like a socket.
    #[derive(Debug)]
    pub(super) struct Timer {
        fd: AsyncFd<OwnedFd>,
    }

    impl Timer {
        pub(super) fn new() -> io::Result<Self> {
            let fd = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
            #[allow(deprecated, reason = "sound for a descriptor that is owned; its successor is unsafe")]
            let fd = AsyncFd::new(fd)?;
            Ok(Self { fd })
        }

        pub(super) async fn wait_until(&self, at: u64) -> io::Result<()> {
            let part = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
            let it_value = Timespec { tv_sec: part(at / 1_000_000_000), tv_nsec: part(at % 1_000_000_000) };
            let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value };
            timerfd_settime(self.fd.get_ref(), TimerfdTimerFlags::ABSTIME, &once)?;
            loop {
                let mut ready = self.fd.readable().await?;
                let read = ready.try_io(|fd| Ok(rustix::io::read(fd.get_ref(), &mut [0; 8])?));
                match read {
                    Ok(read) => {
                        // It will not be ready again before it is set again.
                        ready.clear_ready();
                        return read.map(drop);
                    }
                    Err(_would_block) => {}
                }
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use std::{io, time::Duration};

    /// The runtime's timer.
    #[derive(Debug)]
    pub(super) struct Timer;

    impl Timer {
        pub(super) fn new() -> io::Result<Self> {
            Ok(Self)
        }

        pub(super) async fn wait_until(&self, at: u64) -> io::Result<()> {
            tokio::time::sleep(Duration::from_nanos(at.saturating_sub(crate::bench::monotonic()))).await;
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_are_due_one_interval_apart_and_never_early() {
        let mut pacer = Pacer::new(2_000).unwrap();
        let first = pacer.next().await.unwrap();
        for number in 1..=20 {
            let due = pacer.next().await.unwrap();
            assert_eq!(due - first, number * 500_000);
            assert!(monotonic() >= due);
        }
    }
}
