//! One run of messages from a publisher to a subscriber, and its figures.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Arrived, Called, Latency, Note, Order, Worker, WorkerError, cpu_of, tally::median};

/// While messages come as fast as possible, the time of one in so many is taken: looking at the clock costs as much as a
/// good part of a message.
const SAMPLE: u64 = 64;

/// Who takes part.
#[derive(Debug)]
pub struct Cast {
    /// Publishes.
    pub publisher: Worker,
    /// Those that forward; none: publisher and subscribers are neighbours.
    pub middle: Vec<Middle>,
    /// Receive, each all of it.
    pub subscribers: Vec<Worker>,
    /// How many subscriptions each of them has.
    pub subscriptions: usize,
}

/// What stands between publisher and subscriber.
#[derive(Debug)]
pub enum Middle {
    /// A worker.
    Worker(Worker),
    /// A process that takes no orders.
    Process(u32),
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Bytes of each message.
    pub size: usize,
    /// Messages sent as fast as possible; none: that part is left out.
    pub count: u64,
    /// Messages sent before, and not measured.
    pub warmup: u64,
    /// Messages per second while latency is measured.
    pub rate: u64,
    /// How long latency is measured; zero: that part is left out.
    pub paced: Duration,
}

/// What was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// As fast as possible.
    pub burst: Option<Phase>,
    /// At a steady rate.
    pub paced: Option<Phase>,
}

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Load {
    count: u64,
    size: usize,
    rate: Option<u64>,
}

/// The figures of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// How many messages.
    pub count: u64,
    /// How many per second were asked for; `None`: as fast as possible.
    pub rate: Option<u64>,
    /// Messages per second from end to end; one that several subscriptions get counts as often.
    pub msgs_per_s: f64,
    /// Messages per second that were published, up to the answer for the last one.
    pub published_per_s: f64,
    /// Processor time per published message at the publisher, in microseconds.
    pub publisher_cpu_us: f64,
    /// The same at the processes in the middle together, if there are any.
    pub middle_cpu_us: Option<f64>,
    /// The same at the subscribers together.
    pub subscriber_cpu_us: f64,
    /// How long messages took.
    pub latency: Latency,
    /// Messages that never came.
    pub lost: u64,
    /// Messages that came more than once.
    pub duplicates: u64,
    /// Messages that came after a later one, or that nobody published.
    pub disordered: u64,
}

/// Calls to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calls {
    /// How many callers call, each one call after the other.
    pub callers: u64,
    /// How many calls, of all callers together.
    pub count: u64,
    /// Calls made before, and not measured.
    pub warmup: u64,
    /// Bytes of each.
    pub size: usize,
}

/// The figures of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CallPhase {
    /// How many callers there were.
    pub callers: u64,
    /// Calls per second that were answered.
    pub calls_per_s: f64,
    /// Processor time per call at the caller, in microseconds.
    pub caller_cpu_us: f64,
    /// The same at the processes in the middle together, if there are any.
    pub middle_cpu_us: Option<f64>,
    /// The same at the provider.
    pub provider_cpu_us: f64,
    /// How long calls took.
    pub latency: Latency,
    /// Calls that were not answered as they should have been.
    pub failed: u64,
}

impl Cast {
    /// Carries out a plan with the subscriber of this name.
    ///
    /// # Errors
    /// [`WorkerError`].
    pub fn measure(&mut self, to: &str, plan: &Plan) -> Result<Figures, WorkerError> {
        self.publisher.reach(to)?;
        let burst = |count| Load { count, size: plan.size, rate: None };
        if plan.warmup > 0 {
            self.run(to, burst(plan.warmup), SAMPLE)?;
        }
        let fast = if plan.count > 0 { Some(self.run(to, burst(plan.count), SAMPLE)?) } else { None };
        let count = u64::try_from(u128::from(plan.rate) * plan.paced.as_millis() / 1_000).unwrap_or(u64::MAX);
        let steady = Load { count, size: plan.size, rate: Some(plan.rate) };
        let paced = if count > 0 { Some(self.run(to, steady, 1)?) } else { None };
        Ok(Figures { burst: fast, paced })
    }

    /// Lets the publisher send a load to the subscriber of this name. The time of one message in `sample` is taken.
    ///
    /// # Errors
    /// [`WorkerError`].
    fn run(&mut self, to: &str, load: Load, sample: u64) -> Result<Phase, WorkerError> {
        let Load { count, size, rate } = load;
        let before = self.cpu()?;
        for subscriber in &mut self.subscribers {
            subscriber.order(&Order::Receive { subscriptions: self.subscriptions, count, sample })?;
        }
        self.subscribers.iter_mut().try_for_each(Worker::ready)?;
        self.publisher.order(&Order::Publish { to: to.to_owned(), count, size, rate, sample })?;
        let mut arrived = Arrived::default();
        for subscriber in &mut self.subscribers {
            arrived.join(subscriber.expect(|note| if let Note::Arrived(it) = note { Ok(it) } else { Err(note) })?);
        }
        let sent = self.publisher.expect(|note| if let Note::Sent(it) = note { Ok(it) } else { Err(note) })?;
        let used = self.cpu()?.since(before).per(count);
        let per_second = |done: u64, end: u64| ratio(done, end.saturating_sub(sent.start_ns)) * 1e9;
        Ok(Phase {
            count,
            rate,
            msgs_per_s: per_second(arrived.distinct, arrived.last_ns),
            published_per_s: per_second(if sent.confirmed { count } else { 0 }, sent.end_ns),
            publisher_cpu_us: used.publisher,
            subscriber_cpu_us: used.subscribers,
            middle_cpu_us: (!self.middle.is_empty()).then_some(used.middle),
            latency: arrived.latency,
            lost: arrived.lost,
            duplicates: arrived.duplicates,
            disordered: arrived.disordered + arrived.strange,
        })
    }

    /// Has the publisher call the first subscriber: so many callers at once.
    ///
    /// # Errors
    /// [`WorkerError`].
    pub fn call(&mut self, to: &str, load: Calls) -> Result<CallPhase, WorkerError> {
        let Calls { callers, count, warmup, size } = load;
        self.publisher.reach(to)?;
        if let Some(provider) = self.subscribers.first_mut() {
            provider.order(&Order::Serve)?;
            provider.ready()?;
        }
        self.ask(&Order::Call { callers, count: warmup.max(callers), size })?;
        let before = self.cpu()?;
        let called = self.ask(&Order::Call { callers, count, size })?;
        let used = self.cpu()?.since(before).per(called.answered);
        Ok(CallPhase {
            callers,
            calls_per_s: ratio(called.answered, called.end_ns.saturating_sub(called.start_ns)) * 1e9,
            caller_cpu_us: used.publisher,
            middle_cpu_us: (!self.middle.is_empty()).then_some(used.middle),
            provider_cpu_us: used.subscribers,
            latency: called.latency,
            failed: called.failed,
        })
    }

    fn ask(&mut self, order: &Order) -> Result<Called, WorkerError> {
        self.publisher.order(order)?;
        self.publisher.expect(|note| if let Note::Called(it) = note { Ok(it) } else { Err(note) })
    }

    /// Processor time so far.
    fn cpu(&mut self) -> Result<Used<u64>, WorkerError> {
        let mut used = Used { publisher: self.publisher.cpu()?, middle: 0, subscribers: 0 };
        for subscriber in &mut self.subscribers {
            used.subscribers += subscriber.cpu()?;
        }
        for middle in &mut self.middle {
            used.middle += match middle {
                Middle::Worker(worker) => worker.cpu()?,
                Middle::Process(pid) => {
                    cpu_of(*pid).map_err(|source| WorkerError::Io { name: format!("process {pid}"), source })?
                }
            };
        }
        Ok(used)
    }
}

/// Processor time of everybody.
#[derive(Clone, Copy, Debug)]
struct Used<T> {
    publisher: T,
    middle: T,
    subscribers: T,
}

impl Used<u64> {
    const fn since(self, before: Self) -> Self {
        Self {
            publisher: self.publisher.saturating_sub(before.publisher),
            middle: self.middle.saturating_sub(before.middle),
            subscribers: self.subscribers.saturating_sub(before.subscribers),
        }
    }

    /// Microseconds for each of `count`.
    fn per(self, count: u64) -> Used<f64> {
        let each = |nanos| ratio(nanos, count) / 1e3;
        Used { publisher: each(self.publisher), middle: each(self.middle), subscribers: each(self.subscribers) }
    }
}

impl Figures {
    /// The median of every figure, each for itself.
    #[must_use]
    pub fn median(all: &[Self]) -> Self {
        let phases = |pick: fn(&Self) -> Option<Phase>| Phase::median(&all.iter().filter_map(pick).collect::<Vec<_>>());
        Self { burst: phases(|it| it.burst), paced: phases(|it| it.paced) }
    }

    /// Whether every message came, once, and in order.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.burst.iter().chain(&self.paced).all(Phase::is_clean)
    }
}

impl Phase {
    /// The median of every figure, each for itself; `None` of nothing.
    #[must_use]
    pub fn median(all: &[Self]) -> Option<Self> {
        let of = |pick: fn(&Self) -> f64| median(all.iter().map(pick));
        let mut median = *all.first()?;
        median.msgs_per_s = of(|it| it.msgs_per_s);
        median.published_per_s = of(|it| it.published_per_s);
        median.publisher_cpu_us = of(|it| it.publisher_cpu_us);
        median.middle_cpu_us = median.middle_cpu_us.map(|_| of(|it| it.middle_cpu_us.unwrap_or(0.0)));
        median.subscriber_cpu_us = of(|it| it.subscriber_cpu_us);
        median.latency = Latency::median(all.iter().map(|it| it.latency));
        Some(median)
    }

    /// Processor time per published message of all processes together, in microseconds.
    #[must_use]
    pub fn cpu_us(&self) -> f64 {
        self.publisher_cpu_us + self.middle_cpu_us.unwrap_or(0.0) + self.subscriber_cpu_us
    }

    /// Whether every message came, once, and in order.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.lost == 0 && self.duplicates == 0 && self.disordered == 0
    }
}

impl CallPhase {
    /// The median of every figure, each for itself; `None` of nothing.
    #[must_use]
    pub fn median(all: &[Self]) -> Option<Self> {
        let of = |pick: fn(&Self) -> f64| median(all.iter().map(pick));
        let mut median = *all.first()?;
        median.calls_per_s = of(|it| it.calls_per_s);
        median.caller_cpu_us = of(|it| it.caller_cpu_us);
        median.middle_cpu_us = median.middle_cpu_us.map(|_| of(|it| it.middle_cpu_us.unwrap_or(0.0)));
        median.provider_cpu_us = of(|it| it.provider_cpu_us);
        median.latency = Latency::median(all.iter().map(|it| it.latency));
        median.failed = all.iter().map(|it| it.failed).sum();
        Some(median)
    }

    /// Processor time per call of all processes together, in microseconds.
    #[must_use]
    pub fn cpu_us(&self) -> f64 {
        self.caller_cpu_us + self.middle_cpu_us.unwrap_or(0.0) + self.provider_cpu_us
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
