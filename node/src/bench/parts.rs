//! The two parts of a measurement, whatever carries the messages.

use std::{future::Future, io, time::Duration};

use bytes::Bytes;
use futures_util::future::try_join_all;
use tokio::time::Instant;

use super::{Arrived, Called, Latency, Pacer, Payloads, Sent, Tally, monotonic, tally::histogram};

/// A subscriber to which nothing comes for so long waits no more: longer than a node tries to deliver a message.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// Where messages are published.
pub trait Outbox {
    /// Publishes a message, waiting only for room.
    fn post(&mut self, payload: Bytes) -> impl Future<Output = io::Result<()>>;

    /// Publishes the last message, and waits until it is known that all published so far have been taken over. Whether
    /// they have.
    fn last(&mut self, payload: Bytes) -> impl Future<Output = io::Result<bool>>;
}

/// Where messages arrive.
pub trait Inbox {
    /// Waits for messages, and hands over those that are there. `false`: there will be no more.
    fn take(&mut self, each: impl FnMut(&[u8])) -> impl Future<Output = bool>;
}

/// Publishes `count` messages of `size` bytes at `rate` per second, or as fast as possible. One in `sample` has its time
/// taken.
///
/// # Errors
/// What the outbox says.
pub async fn publish(
    outbox: &mut impl Outbox,
    count: u64,
    size: usize,
    rate: Option<u64>,
    sample: u64,
) -> io::Result<Sent> {
    let mut payloads = Payloads::new(size);
    let mut pacer = rate.map(Pacer::new).transpose()?;
    let start_ns = monotonic();
    let mut confirmed = true;
    for number in 0..count {
        let due = match &mut pacer {
            Some(pacer) => pacer.next().await?,
            None if number.is_multiple_of(sample.max(1)) => monotonic(),
            None => 0,
        };
        let payload = payloads.make(number, due);
        if number + 1 < count {
            outbox.post(payload).await?;
        } else {
            confirmed = outbox.last(payload).await?;
        }
    }
    Ok(Sent { start_ns, end_ns: monotonic(), confirmed })
}

/// Who makes calls.
pub trait Caller: Clone + Send + 'static {
    /// Makes one call, and waits for the answer.
    fn call(&self, payload: Bytes) -> impl Future<Output = io::Result<Bytes>> + Send;
}

/// Makes `count` calls of `size` bytes, shared among so many callers, each of which makes one after the other.
///
/// # Errors
/// If a caller comes to an end before its last call.
pub async fn call(caller: &impl Caller, callers: u64, count: u64, size: usize) -> io::Result<Called> {
    let start_ns = monotonic();
    let each = count / callers.max(1);
    let calling = (0..callers).map(|_| {
        let caller = caller.clone();
        tokio::spawn(async move {
            let (mut times, mut payloads) = (Vec::new(), Payloads::new(size));
            for number in 0..each {
                let (payload, before) = (payloads.make(number, 0), monotonic());
                let answer = caller.call(payload.clone()).await;
                times.push((monotonic() - before, answer.is_ok_and(|answer| answer == payload)));
            }
            times
        })
    });
    let calling: Vec<_> = calling.collect();
    let (mut latency, mut answered, mut failed) = (histogram()?, 0, 0);
    for caller in calling {
        for (took, answers) in caller.await.map_err(io::Error::other)? {
            answered += u64::from(answers);
            failed += u64::from(!answers);
            latency.saturating_record(took);
        }
    }
    Ok(Called { answered, failed, start_ns, end_ns: monotonic(), latency: Latency::of(&latency) })
}

/// Takes messages from several inboxes until `count` have come to each, or none comes any more.
///
/// # Errors
/// If it cannot be counted.
pub async fn receive_all(inboxes: &mut [impl Inbox], count: u64, sample: u64) -> io::Result<Arrived> {
    let all = inboxes.iter_mut().map(|inbox| tally(inbox, count, sample));
    let mut tallies = try_join_all(all).await?.into_iter();
    let Some(mut together) = tallies.next() else { return Ok(Arrived::default()) };
    tallies.try_for_each(|tally| together.join(&tally))?;
    Ok(together.finish())
}

/// Takes messages until `count` have come, or none comes any more.
///
/// # Errors
/// If it cannot be counted.
pub async fn receive(inbox: &mut impl Inbox, count: u64, sample: u64) -> io::Result<Arrived> {
    Ok(tally(inbox, count, sample).await?.finish())
}

async fn tally(inbox: &mut impl Inbox, count: u64, sample: u64) -> io::Result<Tally> {
    let mut tally = Tally::new(count, sample)?;
    let mut done = count == 0;
    let (mut taken, mut looked) = (0_u64, 0);
    // Looks now and then, which costs messages nothing: so silence may last up to twice as long before it is noticed.
    let mut look = tokio::time::interval_at(Instant::now() + SILENCE_MAX, SILENCE_MAX);
    while !done {
        let some = inbox.take(|payload| {
            taken += 1;
            done |= tally.take(payload);
        });
        tokio::select! {
            biased;
            more = some => if !more { break },
            _ = look.tick() => if std::mem::replace(&mut looked, taken) == taken { break },
        }
    }
    Ok(tally)
}
