//! Who may connect at all: decided from the source address alone, before a byte is read.
//!
//! Four questions, cheapest first: is the address on the allow list, has its source few enough connections without a link,
//! does it come slowly enough, and do all sources together. A refused connection is closed without a word, counted, and
//! takes nothing from anybody's share. IPv6 sources are counted by their /64, since that is what one machine is given.
//!
//! A connection counts until a link is up on it: whoever proves who it is may come in any number from one address, as the
//! nodes behind one router do. How many links there are is not decided here.
//!
//! Sources are strangers until a link with them has been up, or a peer is dialled there, by address or by name. Whoever is
//! no stranger has a share of its own beside what all have in common, so strangers, however many addresses they have, keep
//! no peer out: not by coming fast, and not by holding connections on which nothing is ever proven. A node that has just
//! started knows only the peers that it dials: others, who only dial it, are strangers once more until their first link,
//! and find a place as the connections of strangers end with the time limit of the handshake.
//!
//! Bounds: [`SOURCES_MAX`] sources are remembered. Room is made by those without a connection, strangers first, and among
//! them by whoever was seen longest ago; while all have one, a new source is refused. [`STRANGERS_AT_ONCE`] connections of
//! strangers without a link.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ipnet::IpNet;
use proto_core::{
    limits::{CHANNELS_MAX, HALF_OPEN_MAX},
    time::Time,
};

/// Default of accepted connections per second of all sources together. What one handshake costs, a share of this does not hurt.
pub const ACCEPTS_PER_SEC: u32 = 200;

/// Most sources remembered.
const SOURCES_MAX: usize = 8_192;
/// Most connections of strangers without a link at a time. More are refused, so that handshakes of peers find a place.
const STRANGERS_AT_ONCE: u32 = (HALF_OPEN_MAX / 4 * 3) as u32;
/// A rate may be ahead by so much: bursts are two seconds' worth.
const BURST: Duration = Duration::from_secs(2);

const _: () =
    assert!(SOURCES_MAX > CHANNELS_MAX, "every link may be with a source of its own, and peers are remembered");

/// The rules for accepted connections of one source. How many all together may make per second is
/// [`LinkConfig::accepts_per_sec`](proto_core::node::LinkConfig::accepts_per_sec).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdmissionOptions {
    /// Networks that may connect; empty: any.
    pub allow_ips: Vec<IpNet>,
    /// Most connections from one source at a time on which no link is up.
    pub per_source: u32,
    /// Connections per second from one source, though never more than a quarter of those of all, which is the default;
    /// twice as many in a burst.
    pub per_source_per_sec: Option<u32>,
}

impl Default for AdmissionOptions {
    fn default() -> Self {
        Self { allow_ips: Vec::new(), per_source: 32, per_source_per_sec: None }
    }
}

/// Why a connection was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Not on the allow list.
    NotAllowed,
    /// Too many connections without a link of this source, or of strangers, or too many sources.
    TooMany,
    /// Too many connections per second of this source, or of all together.
    TooFast,
}

/// Applies the rules. Shared by all listeners of a node.
#[derive(Debug)]
pub(crate) struct Admission {
    options: AdmissionOptions,
    per_source: Rate,
    /// Of all sources together.
    common: Rate,
    /// What peers have beside it.
    reserved: Rate,
    /// Where peers are configured.
    configured: BTreeSet<IpAddr>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    sources: BTreeMap<IpAddr, Source>,
    /// Sources without connections in the order in which they make room: strangers first, then as they were last seen.
    idle: BTreeMap<(bool, u64), IpAddr>,
    seen: u64,
    last_permit: u64,
    common: Debt,
    reserved: Debt,
    /// Connections of strangers without a link.
    strangers: u32,
}

#[derive(Debug, Default)]
struct Source {
    connections: u32,
    /// Those of them on which no link has been up, by their permits.
    unproven: BTreeMap<u64, SocketAddr>,
    debt: Debt,
    /// A link with it has been up, or it is dialled.
    known: bool,
    /// Its place among the idle ones.
    idle_since: u64,
}

/// So many per second.
#[derive(Clone, Copy, Debug)]
struct Rate {
    interval: Duration,
}

/// When what was taken at some rate will be paid off.
#[derive(Clone, Copy, Debug, Default)]
struct Debt(Time);

/// One admitted connection. Dropping it makes room for another.
#[derive(Debug)]
pub(crate) struct Permit {
    admission: Arc<Admission>,
    source: IpAddr,
    id: u64,
    /// Whether it is not from a stranger.
    pub(crate) known: bool,
}

impl Admission {
    /// Rules without any connection yet, for `per_sec` connections of all sources together, and peers at `configured`.
    pub(crate) fn new(options: AdmissionOptions, per_sec: u32, configured: impl IntoIterator<Item = IpAddr>) -> Self {
        Self {
            per_source: Rate::new(options.per_source_per_sec.map_or(per_sec / 4, |rate| rate.min(per_sec / 4))),
            common: Rate::new(per_sec),
            reserved: Rate::new(per_sec / 4),
            configured: configured.into_iter().map(source_of).collect(),
            options,
            state: Mutex::default(),
        }
    }

    /// Connections per second that are never exceeded here, for those who have a limit of their own behind this one. It
    /// leaves room for connections that come through late, and so closer together.
    pub(crate) fn ceiling(per_sec: u32) -> u32 {
        per_sec.max(1).saturating_mul(3)
    }

    /// Admits a connection from `remote`, or says why not.
    pub(crate) fn admit(self: &Arc<Self>, now: Time, remote: SocketAddr) -> Result<Permit, Refusal> {
        let (allow, ip) = (&self.options.allow_ips, remote.ip());
        if !allow.is_empty() && !allow.iter().any(|net| contains(net, ip.to_canonical())) {
            return Err(Refusal::NotAllowed);
        }
        let source = source_of(ip);
        let state = &mut *self.lock();
        let known = self.is_known(state, source);
        let (unproven, debt) = state.sources.get(&source).map_or_else(Default::default, Source::load);
        let crowded = !known && state.strangers >= STRANGERS_AT_ONCE;
        if unproven >= self.options.per_source as usize || !state.has_room_for(source) || crowded {
            return Err(Refusal::TooMany);
        }
        let debt = debt.with_one_more(now, self.per_source).ok_or(Refusal::TooFast)?;
        if let Some(common) = state.common.with_one_more(now, self.common) {
            state.common = common;
        } else {
            let reserved = state.reserved.with_one_more(now, self.reserved).filter(|_| known);
            state.reserved = reserved.ok_or(Refusal::TooFast)?;
        }
        state.strangers += u32::from(!known);
        let id = state.enter(source, canonical(remote), debt);
        Ok(Permit { admission: Arc::clone(self), source, id, known })
    }

    /// A link over the connection with `remote` is up.
    pub(crate) fn proven(&self, remote: SocketAddr) {
        let (source, remote) = (source_of(remote.ip()), canonical(remote));
        let state = &mut *self.lock();
        self.know(state, source);
        if let Some(entry) = state.sources.get_mut(&source) {
            entry.unproven.retain(|_, other| *other != remote);
        }
    }

    /// A peer is dialled at `ip`.
    pub(crate) fn dialled(&self, ip: IpAddr) {
        self.know(&mut self.lock(), source_of(ip));
    }

    /// The source is no stranger from here on, nor are the connections that it has.
    fn know(&self, state: &mut State, source: IpAddr) {
        let was_known = self.is_known(state, source);
        if !state.has_room_for(source) {
            return;
        }
        let unproven = state.know(source);
        if !was_known {
            state.strangers = state.strangers.saturating_sub(unproven);
        }
    }

    fn is_known(&self, state: &State, source: IpAddr) -> bool {
        self.configured.contains(&source) || state.sources.get(&source).is_some_and(|source| source.known)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let state = &mut *self.admission.lock();
        let known = self.admission.is_known(state, self.source);
        if state.leave(self.source, self.id) && !known {
            state.strangers = state.strangers.saturating_sub(1);
        }
    }
}

impl State {
    fn has_room_for(&self, source: IpAddr) -> bool {
        self.sources.len() < SOURCES_MAX || !self.idle.is_empty() || self.sources.contains_key(&source)
    }

    /// One connection more. The number of its permit.
    fn enter(&mut self, source: IpAddr, remote: SocketAddr, debt: Debt) -> u64 {
        self.last_permit += 1;
        let id = self.last_permit;
        let entry = self.entry(source);
        entry.connections += 1;
        entry.unproven.insert(id, remote);
        entry.debt = debt;
        id
    }

    /// One connection less. Whether no link has been up on it.
    fn leave(&mut self, source: IpAddr, id: u64) -> bool {
        let Some(entry) = self.sources.get_mut(&source) else { return false };
        entry.connections = entry.connections.saturating_sub(1);
        let unproven = entry.unproven.remove(&id).is_some();
        self.rest(source);
        unproven
    }

    /// Remembers that the source is no stranger. How many connections without a link it has.
    fn know(&mut self, source: IpAddr) -> u32 {
        let entry = self.entry(source);
        entry.known = true;
        let unproven = u32::try_from(entry.unproven.len()).unwrap_or(u32::MAX);
        self.rest(source);
        unproven
    }

    /// The entry of a source, which is not idle meanwhile. If it is new and the table is full, one that is idle is forgotten.
    fn entry(&mut self, source: IpAddr) -> &mut Source {
        if self.sources.len() >= SOURCES_MAX
            && !self.sources.contains_key(&source)
            && let Some((_, forgotten)) = self.idle.pop_first()
        {
            self.sources.remove(&forgotten);
        }
        let entry = self.sources.entry(source).or_default();
        self.idle.remove(&(entry.known, entry.idle_since));
        entry
    }

    /// Puts a source without connections among the idle ones.
    fn rest(&mut self, source: IpAddr) {
        let Some(entry) = self.sources.get_mut(&source).filter(|entry| entry.connections == 0) else { return };
        self.seen += 1;
        entry.idle_since = self.seen;
        self.idle.insert((entry.known, self.seen), source);
    }
}

impl Source {
    fn load(&self) -> (usize, Debt) {
        (self.unproven.len(), self.debt)
    }
}

impl Rate {
    /// So many per second, at least one.
    fn new(per_sec: u32) -> Self {
        Self { interval: Duration::from_secs(1) / per_sec.max(1) }
    }
}

impl Debt {
    /// The debt after one more; `None` if that would be too fast.
    fn with_one_more(self, now: Time, rate: Rate) -> Option<Self> {
        let paid_off = self.0.max(now) + rate.interval;
        (paid_off - now <= BURST).then_some(Self(paid_off))
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

/// The same address however it was written.
fn canonical(remote: SocketAddr) -> SocketAddr {
    SocketAddr::new(remote.ip().to_canonical(), remote.port())
}

/// What is counted as one source.
fn source_of(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
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
        let allow_ips = allow.iter().map(|net| net.parse().unwrap()).collect();
        let options = AdmissionOptions { allow_ips, per_source, per_source_per_sec: Some(per_sec) };
        Arc::new(Admission::new(options, 1_000_000, []))
    }

    /// Any number of connections per source, and `per_sec` of all together; a peer is configured at 10.9.9.9.
    fn for_all(per_sec: u32) -> Arc<Admission> {
        let options =
            AdmissionOptions { per_source: u32::MAX, per_source_per_sec: Some(10), ..AdmissionOptions::default() };
        Arc::new(Admission::new(options, per_sec, [ip("10.9.9.9").ip()]))
    }

    fn stranger(number: u32) -> SocketAddr {
        SocketAddr::new(IpAddr::V4((0xcb00_0000 + number).into()), 9)
    }

    /// How many of `tries` connections, by as many strangers, are let in at `millis`.
    fn strangers(rules: &Arc<Admission>, millis: u64, tries: std::ops::Range<u32>) -> usize {
        tries.filter(|number| rules.admit(Time::from_millis(millis), stranger(*number)).is_ok()).count()
    }

    /// A connection from there.
    fn ip(text: &str) -> SocketAddr {
        SocketAddr::new(text.parse().unwrap(), 9)
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
    fn two_strangers_do_not_use_up_what_all_have() {
        let rules = for_all(50);
        let from = |number: u32| (0..100).filter(|_| rules.admit(Time::ZERO, stranger(number)).is_ok()).count();
        assert_eq!((from(1), from(2)), (20, 20));
        assert_eq!(from(3), 20, "what the two were refused was taken from nobody");
    }

    #[test]
    fn one_source_has_no_more_than_a_quarter_of_what_all_have() {
        let rules = for_all(8);
        assert_eq!((0..100).filter(|_| rules.admit(Time::ZERO, stranger(1)).is_ok()).count(), 4);
    }

    #[test]
    fn all_sources_together_come_no_faster_than_their_rate_after_a_burst() {
        let rules = for_all(4);
        assert_eq!(strangers(&rules, 0, 0..100), 8, "two seconds' worth at once");
        assert_eq!(strangers(&rules, 249, 100..200), 0);
        assert_eq!(strangers(&rules, 250, 200..300), 1);
        assert_eq!(strangers(&rules, 1_000, 300..400), 3);
    }

    #[test]
    fn peers_have_a_share_that_strangers_cannot_use_up() {
        let rules = for_all(8);
        rules.proven(ip("2001:db8::1"));
        assert_eq!(strangers(&rules, 0, 0..100), 16);
        let at = |millis, from| rules.admit(Time::from_millis(millis), ip(from));
        for peer in ["10.9.9.9", "2001:db8::2", "::ffff:10.9.9.9", "2001:db8::3"] {
            assert!(at(0, peer).is_ok(), "{peer}: two a second, and two seconds' worth at once");
        }
        assert_eq!(at(0, "10.9.9.9").err(), Some(Refusal::TooFast));
        assert_eq!(at(0, "10.9.9.8").err(), Some(Refusal::TooFast));
        assert_eq!(strangers(&rules, 125, 100..200), 1, "and strangers have theirs");
        assert!(at(500, "10.9.9.9").is_ok());
    }

    #[test]
    fn strangers_that_prove_nothing_leave_room_for_peers() {
        let rules = for_all(1_000_000);
        let mut held: Vec<_> = (0..STRANGERS_AT_ONCE).map(|n| rules.admit(Time::ZERO, stranger(n)).unwrap()).collect();
        assert_eq!(rules.admit(Time::ZERO, ip("9.9.9.9")).err(), Some(Refusal::TooMany));
        assert!(rules.admit(Time::ZERO, ip("10.9.9.9")).is_ok(), "a peer");
        held.pop();
        assert!(rules.admit(Time::ZERO, ip("9.9.9.9")).is_ok());
        // Whoever has a link is no stranger, and its connections are not counted as one's.
        rules.proven(stranger(0));
        rules.proven(stranger(0));
        assert_eq!(
            (0..9).filter(|n| rules.admit(Time::ZERO, stranger(5_000 + n)).map(|p| held.push(p)).is_ok()).count(),
            2
        );
        drop(held);
        assert_eq!(rules.lock().strangers, 0);
    }

    #[test]
    fn links_leave_room_for_strangers_and_stay_known_however_many_they_are() {
        let rules = for_all(1_000_000);
        let links = u32::try_from(proto_core::limits::LINKS_MAX).unwrap();
        let linked = |number| {
            let permit = rules.admit(Time::from_secs(u64::from(number)), stranger(number)).unwrap();
            rules.proven(stranger(number));
            permit
        };
        let mut held: Vec<_> = (0..links).map(linked).collect();
        assert_eq!(rules.lock().strangers, 0);
        let later = Time::from_secs(10_000);
        held.push(rules.admit(later, ip("9.9.9.9")).unwrap());
        // The first of them comes back.
        held.remove(0);
        assert!(rules.admit(later, stranger(0)).unwrap().known);
    }

    #[test]
    fn many_nodes_behind_one_address_are_let_in_as_their_links_come_up() {
        let rules = Arc::new(Admission::new(AdmissionOptions::default(), ACCEPTS_PER_SEC, []));
        let from = |port| SocketAddr::new(ip("10.0.0.1").ip(), port);
        let linked = |port| {
            let permit = rules.admit(Time::ZERO, from(port)).unwrap();
            rules.proven(from(port));
            permit
        };
        let _links: Vec<_> = (1..=40).map(linked).collect();
        let silent: Vec<_> = (41..=99).map_while(|port| rules.admit(Time::ZERO, from(port)).ok()).collect();
        assert_eq!(silent.len(), 32, "connections without a link are few");
    }

    #[test]
    fn a_dialled_address_is_no_strangers() {
        let rules = for_all(1_000_000);
        let _held = rules.admit(Time::ZERO, stranger(1)).unwrap();
        rules.dialled(stranger(1).ip());
        assert_eq!(rules.lock().strangers, 0);
        assert!(rules.admit(Time::ZERO, stranger(1)).unwrap().known);
        assert!(!rules.admit(Time::ZERO, stranger(2)).unwrap().known);
    }

    #[test]
    fn strangers_make_room_before_peers_do() {
        let rules = for_all(1_000_000);
        rules.proven(stranger(0));
        let more = 1..u32::try_from(SOURCES_MAX).unwrap() + 9;
        more.for_each(|number| drop(rules.admit(Time::from_secs(u64::from(number)), stranger(number)).unwrap()));
        assert_eq!(rules.lock().sources.len(), SOURCES_MAX);
        assert!(rules.is_known(&rules.lock(), stranger(0).ip()));
    }

    #[test]
    fn a_full_table_forgets_whoever_was_seen_longest_ago_and_never_one_with_a_connection() {
        let rules = admission(&[], 1, 1);
        let last = u32::try_from(SOURCES_MAX).unwrap();
        let _busy = rules.admit(Time::ZERO, stranger(0)).unwrap();
        (1..last).for_each(|number| drop(rules.admit(Time::ZERO, stranger(number)).unwrap()));
        // The first of them comes again, so the second was seen longest ago.
        drop(rules.admit(Time::ZERO, stranger(1)).unwrap());
        drop(rules.admit(Time::ZERO, stranger(last)).unwrap());
        let state = rules.lock();
        let remembered = |number| state.sources.contains_key(&stranger(number).ip());
        assert_eq!([0, 1, 2, 3, last].map(remembered), [true, true, false, true, true]);
        assert_eq!((state.sources.len(), state.idle.len()), (SOURCES_MAX, SOURCES_MAX - 1));
    }

    #[test]
    fn while_every_source_has_a_connection_a_new_one_is_refused() {
        let rules = admission(&[], 1, 1);
        let sources = 0..u32::try_from(SOURCES_MAX).unwrap();
        let mut state = rules.lock();
        sources.for_each(|number| _ = state.enter(stranger(number).ip(), stranger(number), Debt::default()));
        drop(state);
        assert_eq!(rules.admit(Time::ZERO, ip("9.9.9.9")).err(), Some(Refusal::TooMany));
    }
}
