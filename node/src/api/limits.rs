//! How often a caller may come: a bucket of tokens each, refilled at the configured rate, twice as many in a burst.
//!
//! Bounds: [`CALLERS_MAX`] callers are remembered. More: those whose bucket is full again are forgotten, and if there are
//! none, newcomers are told to wait.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use axum::http::{HeaderMap, HeaderValue};
use tokio::time::Instant;

use super::auth::Who;

/// Callers that are remembered.
const CALLERS_MAX: usize = 65_536;
/// Parts of a request that a bucket counts in.
const PARTS: u64 = 1_000_000;

/// One caller's share. A rate of 0 allows everything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    rate: u32,
    /// Parts of requests.
    left: u64,
    at: Instant,
}

impl Bucket {
    /// A full one.
    pub(crate) fn new(rate: u32, now: Instant) -> Self {
        Self { rate, left: capacity(rate), at: now }
    }

    /// Takes one; otherwise how long until there is one.
    pub(crate) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        if self.rate == 0 {
            return Ok(());
        }
        self.refill(now);
        match self.left.checked_sub(PARTS) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                let micros = (PARTS - self.left).div_ceil(u64::from(self.rate));
                Err(Duration::from_micros(micros))
            }
        }
    }

    fn refill(&mut self, now: Instant) {
        let micros = u64::try_from(now.saturating_duration_since(self.at).as_micros()).unwrap_or(u64::MAX);
        // A rate per second is as many parts per microsecond.
        self.left = self.left.saturating_add(micros.saturating_mul(u64::from(self.rate))).min(capacity(self.rate));
        self.at = now;
    }

    fn is_full(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.left == capacity(self.rate)
    }
}

fn capacity(rate: u32) -> u64 {
    u64::from(rate) * 2 * PARTS
}

/// The buckets of all callers.
#[derive(Debug)]
pub(crate) struct Limiter {
    rate: u32,
    callers: Mutex<BTreeMap<Who, Bucket>>,
}

/// What a caller has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    rate: u32,
    left: u64,
}

impl Limiter {
    /// So many requests per second for each caller; 0: any number.
    pub(crate) const fn new(rate: u32) -> Self {
        Self { rate, callers: Mutex::new(BTreeMap::new()) }
    }

    /// Counts a request of a caller.
    ///
    /// # Errors
    /// How long the caller has to wait.
    pub(crate) fn take(&self, who: &Who, now: Instant) -> Result<Share, Duration> {
        if self.rate == 0 {
            return Ok(Share { rate: 0, left: 0 });
        }
        let who = coarse(who);
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if !callers.contains_key(&who) && callers.len() >= CALLERS_MAX {
            callers.retain(|_, bucket| !bucket.is_full(now));
            if callers.len() >= CALLERS_MAX {
                return Err(Duration::from_secs(1));
            }
        }
        let bucket = callers.entry(who).or_insert_with(|| Bucket::new(self.rate, now));
        bucket.take(now)?;
        Ok(Share { rate: self.rate, left: bucket.left / PARTS })
    }

    /// The share of somebody who has none.
    pub(crate) const fn nothing_left(&self) -> Share {
        Share { rate: self.rate, left: 0 }
    }
}

impl Share {
    /// Tells the caller.
    pub(crate) fn set_headers(self, headers: &mut HeaderMap) {
        if self.rate == 0 {
            return;
        }
        let mut set = |name: &'static str, text: String| {
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.insert(name, value);
            }
        };
        set("ratelimit-policy", format!("\"caller\";q={};w=1", self.rate));
        set("ratelimit", format!("\"caller\";r={};t=1", self.left));
    }
}

/// One network of IPv6 is one caller: whoever has one address of it has all.
fn coarse(who: &Who) -> Who {
    match who {
        Who::Address(IpAddr::V6(address)) if address.to_ipv4_mapped().is_none() => {
            let network = u128::from(*address) & !u128::from(u64::MAX);
            Who::Address(IpAddr::V6(Ipv6Addr::from(network)))
        }
        Who::Address(_) | Who::Token(_) => who.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Who {
        Who::Address(text.parse().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_twice_the_rate_and_then_it_takes_time() {
        let limiter = Limiter::new(2);
        let (who, now) = (address("10.0.0.1"), Instant::now());
        for left in [3, 2, 1, 0] {
            assert_eq!(limiter.take(&who, now), Ok(Share { rate: 2, left }));
        }
        assert_eq!(limiter.take(&who, now), Err(Duration::from_millis(500)));
        assert!(limiter.take(&address("10.0.0.2"), now).is_ok(), "another caller has a share of its own");
        assert!(limiter.take(&who, now + Duration::from_millis(499)).is_err());
        assert!(limiter.take(&who, now + Duration::from_millis(500)).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_of_ipv6_is_one_caller() {
        let limiter = Limiter::new(1);
        let now = Instant::now();
        assert!(limiter.take(&address("2001:db8::1"), now).is_ok());
        assert!(limiter.take(&address("2001:db8::2"), now).is_ok());
        assert!(limiter.take(&address("2001:db8::3"), now).is_err());
        assert!(limiter.take(&address("2001:db8:0:1::1"), now).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn very_many_callers_are_forgotten_once_they_have_rested() {
        let limiter = Limiter::new(1);
        let now = Instant::now();
        for number in 0..CALLERS_MAX as u32 {
            assert!(limiter.take(&Who::Address(IpAddr::from(number.to_be_bytes())), now).is_ok());
        }
        let newcomer = address("255.0.0.1");
        assert_eq!(limiter.take(&newcomer, now), Err(Duration::from_secs(1)));
        assert!(limiter.take(&newcomer, now + Duration::from_secs(2)).is_ok());
        assert_eq!(limiter.callers.lock().unwrap().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn no_rate_is_no_limit() {
        let limiter = Limiter::new(0);
        let now = Instant::now();
        assert!((0..10_000).all(|_| limiter.take(&address("10.0.0.1"), now).is_ok()));
    }
}
