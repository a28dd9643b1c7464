//! Wakes the engine's task in time, and notices when the calendar jumps.

use std::{
    future::Future as _,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use proto_core::time::{Time, WallTime};
use tokio::time::{Instant, Sleep, sleep_until};

/// Longest sleep. tokio's timers stand still while the machine is suspended: after it wakes up, a deadline that has
/// passed is noticed within this time.
const NAP_MAX: Duration = Duration::from_secs(1);
/// Least difference between calendar and clock that counts as a jump.
const JUMP_MIN: u64 = 1_000;
/// How often the calendar is looked at.
const CALENDAR_INTERVAL: Duration = Duration::from_secs(1);

/// The task's one timer. It only wakes; what is due is decided by the clock.
#[derive(Debug)]
pub(crate) struct Alarm {
    sleep: Pin<Box<Sleep>>,
    armed: Option<Time>,
}

impl Alarm {
    /// Not set.
    pub(crate) fn new() -> Self {
        Self { sleep: Box::pin(sleep_until(Instant::now())), armed: None }
    }

    /// Ready when `until` has come, or somewhat earlier. A deadline that moves later is not worth setting the timer
    /// anew: the early wake-up sets it.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, now: Time, until: Option<Time>) -> Poll<()> {
        let at = until.map_or(now + NAP_MAX, |until| until.min(now + NAP_MAX));
        if at <= now {
            return Poll::Ready(());
        }
        if self.armed.is_none_or(|armed| at < armed) {
            self.sleep.as_mut().reset(Instant::now() + (at - now));
            self.armed = Some(at);
        }
        let polled = self.sleep.as_mut().poll(cx);
        if polled.is_ready() {
            self.armed = None;
        }
        polled
    }
}

/// Compares the calendar with the clock.
#[derive(Debug, Default)]
pub(crate) struct Calendar {
    told: Option<(Time, WallTime)>,
    next: Time,
}

impl Calendar {
    /// The calendar's time if the node must be told: at the start, and when it jumped. `wall` is asked at most once a
    /// second.
    pub(crate) fn check(&mut self, now: Time, wall: impl FnOnce() -> WallTime) -> Option<WallTime> {
        if now < self.next {
            return None;
        }
        self.next = now + CALENDAR_INTERVAL;
        let wall = wall();
        if let Some((then, told)) = self.told {
            let elapsed = u64::try_from((now - then).as_millis()).unwrap_or(u64::MAX);
            if told.0.saturating_add(elapsed).abs_diff(wall.0) < JUMP_MIN {
                return None;
            }
        }
        self.told = Some((now, wall));
        Some(wall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    #[test]
    fn the_calendar_is_told_at_the_start_and_when_it_jumps() {
        let mut calendar = Calendar::default();
        let mut check = |at: u64, wall: u64| calendar.check(Time::from_millis(at), || WallTime(wall));
        assert_eq!(check(0, 50_000), Some(WallTime(50_000)));
        assert_eq!(check(500, 99_000), None, "not looked at");
        assert_eq!(check(1_000, 51_900), None, "less than a jump");
        assert_eq!(check(2_000, 60_000), Some(WallTime(60_000)));
        assert_eq!(check(3_000, 61_000), None);
        assert_eq!(check(4_000, 10_000), Some(WallTime(10_000)));
    }

    #[tokio::test(start_paused = true)]
    async fn the_alarm_wakes_in_time_and_naps_are_short() {
        let start = Instant::now();
        let mut alarm = Alarm::new();
        poll_fn(|cx| alarm.poll(cx, Time::ZERO, Some(Time::from_millis(300)))).await;
        assert_eq!(start.elapsed().as_millis(), 300);
        poll_fn(|cx| alarm.poll(cx, Time::from_millis(300), None)).await;
        assert!(start.elapsed() <= Duration::from_millis(1_301), "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn an_earlier_deadline_moves_the_alarm_forward() {
        let start = Instant::now();
        let mut alarm = Alarm::new();
        poll_fn(|cx| {
            assert!(alarm.poll(cx, Time::ZERO, Some(Time::from_millis(900))).is_pending());
            Poll::Ready(())
        })
        .await;
        poll_fn(|cx| alarm.poll(cx, Time::ZERO, Some(Time::from_millis(10)))).await;
        assert_eq!(start.elapsed().as_millis(), 10);
    }
}
