//! One run of messages from a publisher to a subscriber, and its figures.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Latency, Note, Order, Worker, WorkerError, cpu_of};

/// While messages come as fast as possible, the time of one in so many is taken: looking at the clock costs as much as a
/// good part of a message.
const SAMPLE: u64 = 64;

/// Who takes part.
#[derive(Debug)]
pub struct Cast {
    /// Publishes.
    pub publisher: Worker,
    /// Forwards, if anybody does.
    pub middle: Middle,
    /// Receives.
    pub subscriber: Worker,
}

/// What stands between publisher and subscriber.
#[derive(Debug)]
pub enum Middle {
    /// Nothing: they are neighbours.
    None,
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
    /// Messages per second from end to end.
    pub msgs_per_s: f64,
    /// Messages per second that were published, up to the answer for the last one.
    pub published_per_s: f64,
    /// Processor time per message at the publisher, in microseconds.
    pub publisher_cpu_us: f64,
    /// The same at the process in the middle, if there is one.
    pub middle_cpu_us: Option<f64>,
    /// The same at the subscriber.
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
        self.subscriber.order(&Order::Receive { count, sample })?;
        self.subscriber.expect(|note| if note == Note::Ready { Ok(()) } else { Err(note) })?;
        self.publisher.order(&Order::Publish { to: to.to_owned(), count, size, rate, sample })?;
        let arrived = self.subscriber.expect(|note| if let Note::Arrived(it) = note { Ok(it) } else { Err(note) })?;
        let sent = self.publisher.expect(|note| if let Note::Sent(it) = note { Ok(it) } else { Err(note) })?;
        let after = self.cpu()?;
        let per_message = |index: usize| match (before.get(index), after.get(index)) {
            (Some(before), Some(after)) => ratio(after.saturating_sub(*before), count) / 1e3,
            (_, _) => 0.0,
        };
        let per_second = |done: u64, end: u64| ratio(done, end.saturating_sub(sent.start_ns)) * 1e9;
        Ok(Phase {
            count,
            rate,
            msgs_per_s: per_second(arrived.distinct, arrived.last_ns),
            published_per_s: per_second(if sent.confirmed { count } else { 0 }, sent.end_ns),
            publisher_cpu_us: per_message(0),
            subscriber_cpu_us: per_message(1),
            middle_cpu_us: (before.len() > 2).then(|| per_message(2)),
            latency: arrived.latency,
            lost: arrived.lost,
            duplicates: arrived.duplicates,
            disordered: arrived.disordered + arrived.strange,
        })
    }

    /// Processor time so far: publisher, subscriber, middle.
    fn cpu(&mut self) -> Result<Vec<u64>, WorkerError> {
        let mut used = vec![self.publisher.cpu()?, self.subscriber.cpu()?];
        match &mut self.middle {
            Middle::None => {}
            Middle::Worker(worker) => used.push(worker.cpu()?),
            Middle::Process(pid) => {
                used.push(cpu_of(*pid).map_err(|source| WorkerError::Io { name: format!("process {pid}"), source })?);
            }
        }
        Ok(used)
    }
}

impl Figures {
    /// Whether every message came, once, and in order.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.burst.iter().chain(&self.paced).all(Phase::is_clean)
    }
}

impl Phase {
    /// Whether every message came, once, and in order.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.lost == 0 && self.duplicates == 0 && self.disordered == 0
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
