//! Who may connect at all: decided from the source address alone, before a byte is read.
//!
//! Three questions, cheapest first: is the address on the allow list, has it few enough connections, does it come slowly
//! enough. A refused connection is closed without a word and counted. IPv6 sources are counted by their /64, since that
//! is what one machine is given.
//!
//! Bounds: [`SOURCES_MAX`] sources are remembered, each while it has connections or its bucket is not full again. A new
//! source is refused beyond that.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ipnet::IpNet;
use proto_core::time::Time;

/// Most sources remembered.
const SOURCES_MAX: usize = 4_096;

/// The rules for accepted connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdmissionOptions {
    /// Networks that may connect; empty: any.
    pub allow_ips: Vec<IpNet>,
    /// Most connections from one source at a time.
    pub per_source: u32,
    /// Connections per second from one source; twice as many in a burst.
    pub per_source_per_sec: u32,
}

impl Default for AdmissionOptions {
    fn default() -> Self {
        Self { allow_ips: Vec::new(), per_source: 32, per_source_per_sec: 25 }
    }
}

/// Why a connection was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Not on the allow list.
    NotAllowed,
    /// Too many connections from this source.
    TooMany,
    /// Too many connections per second from this source, or too many sources.
    TooFast,
}

/// Applies the rules. Shared by all listeners of a node.
#[derive(Debug)]
pub(crate) struct Admission {
    options: AdmissionOptions,
    sources: Mutex<BTreeMap<IpAddr, Source>>,
}

#[derive(Debug)]
struct Source {
    connections: u32,
    /// When the bucket will be full again. The bucket is empty when that is a whole burst away.
    full_at: Time,
}

/// One admitted connection. Dropping it makes room for another of the same source.
#[derive(Debug)]
pub(crate) struct Permit {
    admission: Arc<Admission>,
    source: IpAddr,
}

impl Admission {
    /// Rules without any connection yet.
    pub(crate) const fn new(options: AdmissionOptions) -> Self {
        Self { options, sources: Mutex::new(BTreeMap::new()) }
    }

    /// Admits a connection from `ip`, or says why not.
    pub(crate) fn admit(self: &Arc<Self>, now: Time, ip: IpAddr) -> Result<Permit, Refusal> {
        let ip = ip.to_canonical();
        let allow = &self.options.allow_ips;
        if !allow.is_empty() && !allow.iter().any(|net| contains(net, ip)) {
            return Err(Refusal::NotAllowed);
        }
        let source = source_of(ip);
        let interval = Duration::from_secs(1) / self.options.per_source_per_sec.max(1);
        let burst = Duration::from_secs(2);
        let mut sources = self.lock();
        if sources.len() >= SOURCES_MAX && !sources.contains_key(&source) {
            sources.retain(|_, entry| entry.connections > 0 || entry.full_at > now);
            if sources.len() >= SOURCES_MAX {
                return Err(Refusal::TooFast);
            }
        }
        let entry = sources.entry(source).or_insert(Source { connections: 0, full_at: now });
        if entry.connections >= self.options.per_source {
            return Err(Refusal::TooMany);
        }
        let full_at = entry.full_at.max(now) + interval;
        if full_at - now > burst {
            return Err(Refusal::TooFast);
        }
        entry.full_at = full_at;
        entry.connections += 1;
        Ok(Permit { admission: Arc::clone(self), source })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<IpAddr, Source>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(entry) = self.admission.lock().get_mut(&self.source) {
            entry.connections = entry.connections.saturating_sub(1);
        }
    }
}

/// Whether a network contains an address, where a network of IPv4-mapped addresses means the IPv4 network.
fn contains(net: &IpNet, ip: IpAddr) -> bool {
    if net.contains(&ip) {
        return true;
    }
    match (net, ip) {
        (IpNet::V6(net), IpAddr::V4(ip)) => net.contains(&ip.to_ipv6_mapped()),
        (IpNet::V6(_), IpAddr::V6(_)) | (IpNet::V4(_), IpAddr::V4(_) | IpAddr::V6(_)) => false,
    }
}

fn source_of(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(allow: &[&str], per_source: u32, per_sec: u32) -> Arc<Admission> {
        Arc::new(Admission::new(AdmissionOptions {
            allow_ips: allow.iter().map(|net| net.parse().unwrap()).collect(),
            per_source,
            per_source_per_sec: per_sec,
        }))
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_allow_list_is_matched_by_network_not_by_text() {
        let rules = admission(&["10.1.0.0/16", "2001:db8::/32"], 9, 99);
        for good in ["10.1.255.255", "::ffff:10.1.2.3", "2001:db8:9::1"] {
            assert!(rules.admit(Time::ZERO, ip(good)).is_ok(), "{good}");
        }
        for bad in ["10.2.0.1", "110.1.0.1", "::ffff:10.2.0.1", "2001:db9::1", "::1"] {
            assert_eq!(rules.admit(Time::ZERO, ip(bad)).err(), Some(Refusal::NotAllowed), "{bad}");
        }
    }

    #[test]
    fn a_network_written_as_mapped_addresses_means_ipv4() {
        let rules = admission(&["::ffff:10.0.0.0/104"], 9, 99);
        assert!(rules.admit(Time::ZERO, ip("10.200.0.1")).is_ok());
        assert!(rules.admit(Time::ZERO, ip("11.0.0.1")).is_err());
    }

    #[test]
    fn an_empty_list_allows_any() {
        assert!(admission(&[], 1, 99).admit(Time::ZERO, ip("203.0.113.9")).is_ok());
    }

    #[test]
    fn one_source_has_a_bounded_number_of_connections_at_a_time() {
        let rules = admission(&[], 2, 99);
        let first = rules.admit(Time::ZERO, ip("10.0.0.1")).unwrap();
        let _second = rules.admit(Time::ZERO, ip("::ffff:10.0.0.1")).unwrap();
        assert_eq!(rules.admit(Time::ZERO, ip("10.0.0.1")).err(), Some(Refusal::TooMany));
        let _other = rules.admit(Time::ZERO, ip("10.0.0.2")).unwrap();
        drop(first);
        assert!(rules.admit(Time::ZERO, ip("10.0.0.1")).is_ok());
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one_source() {
        let rules = admission(&[], 1, 99);
        let _held = rules.admit(Time::ZERO, ip("2001:db8::1")).unwrap();
        assert_eq!(rules.admit(Time::ZERO, ip("2001:db8::ffff:1")).err(), Some(Refusal::TooMany));
        assert!(rules.admit(Time::ZERO, ip("2001:db8:0:1::1")).is_ok());
    }

    #[test]
    fn one_source_comes_no_faster_than_its_rate_after_a_burst() {
        let rules = admission(&[], 99, 2);
        let from = ip("10.0.0.1");
        let admitted = |at: u64| rules.admit(Time::from_millis(at), from).is_ok();
        assert_eq!((0..6).filter(|_| admitted(0)).count(), 4, "two seconds' worth at once");
        assert!(!admitted(499));
        assert!(admitted(500));
        assert!(!admitted(500));
        assert!(rules.admit(Time::from_millis(500), ip("10.0.0.2")).is_ok(), "others are not held up");
    }

    #[test]
    fn a_full_table_refuses_strangers_until_entries_are_idle() {
        let rules = admission(&[], 1, 1);
        for host in 0..SOURCES_MAX {
            let host = u32::try_from(host).unwrap();
            drop(rules.admit(Time::ZERO, IpAddr::V4(host.into())).unwrap());
        }
        assert_eq!(rules.admit(Time::ZERO, ip("9.9.9.9")).err(), Some(Refusal::TooFast));
        assert!(rules.admit(Time::from_secs(2), ip("9.9.9.9")).is_ok());
    }
}
