//! Not more often than once in a while per subject: reports and questions that a peer could provoke at will.

use alloc::collections::BTreeMap;
use core::time::Duration;

use crate::time::Time;

/// Allows each key once per interval, and at most `limit` different keys at a time. At the bound the answer is no.
#[derive(Clone, Debug)]
pub(super) struct Seldom<K> {
    every: Duration,
    limit: usize,
    allowed_at: BTreeMap<K, Time>,
}

impl<K: Ord> Seldom<K> {
    /// Nothing was allowed yet.
    pub(super) const fn new(every: Duration, limit: usize) -> Self {
        Self { every, limit, allowed_at: BTreeMap::new() }
    }

    /// Whether it is time for `key` again; if so, the interval begins anew.
    #[must_use]
    pub(super) fn allow(&mut self, now: Time, key: K) -> bool {
        if self.allowed_at.get(&key).is_some_and(|at| now - *at < self.every) {
            return false;
        }
        if self.allowed_at.len() >= self.limit {
            let every = self.every;
            self.allowed_at.retain(|_, at| now - *at < every);
        }
        if self.allowed_at.len() >= self.limit && !self.allowed_at.contains_key(&key) {
            return false;
        }
        self.allowed_at.insert(key, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_own_interval_and_keys_are_bounded() {
        let mut seldom = Seldom::new(Duration::from_secs(10), 2);
        assert!(seldom.allow(Time::from_secs(0), 'a'));
        assert!(!seldom.allow(Time::from_secs(9), 'a'));
        assert!(seldom.allow(Time::from_secs(9), 'b'));
        assert!(!seldom.allow(Time::from_secs(9), 'c'), "full");
        assert!(seldom.allow(Time::from_secs(10), 'c'), "the first has made room");
        assert!(!seldom.allow(Time::from_secs(10), 'a'), "full again");
    }
}
