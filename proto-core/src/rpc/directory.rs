//! Every provider in the mesh, this node's own among them, and which of them is called.
//!
//! A provider is known while its node announces it. Bounds: [`PROVIDERS_MAX`] in all, [`REGISTRATIONS_MAX`] of one node;
//! what is announced beyond that is ignored and counted.

use alloc::{collections::BTreeMap, sync::Arc, vec::Vec};

use super::{Balance, Entry, Key, Provider, ServiceName, view::ProviderView};
use crate::{
    arena::{Arena, Handle},
    collections::DetMap,
    id::NodeAddr,
    limits::{PROVIDERS_MAX, REFUSED_COOL_DOWN, REGISTRATIONS_MAX},
    time::Time,
};

/// Every provider that is known. See the module's first lines.
#[derive(Debug)]
pub(super) struct Directory {
    providers: Arena<Known>,
    by_service: DetMap<ServiceName, Serving>,
    by_node: BTreeMap<NodeAddr, BTreeMap<Name, Handle<Known>>>,
}

/// What names a provider at its node.
type Name = (ServiceName, Option<Arc<str>>);

/// A provider.
#[derive(Debug)]
pub(super) struct Known {
    node: NodeAddr,
    entry: Entry,
    /// `None`: out of reach.
    cost: Option<u32>,
    pending: u32,
    load: u32,
    /// It refused a call; until then it is chosen last.
    cooling: Time,
}

/// The providers of one service, in the order of node and client, and whose turn it is.
#[derive(Debug, Default)]
struct Serving {
    providers: Vec<Handle<Known>>,
    turn: usize,
}

/// The least is chosen: whether it refused a moment ago, what the rule goes by first and second, how far its turn is.
type Rank = (bool, u64, u32, usize);

/// What came of a choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// This one.
    Chosen(Handle<Known>, Provider),
    /// There are providers, and none is within reach.
    NoneInReach,
    /// There is no provider, or none that was not tried.
    Nobody,
}

impl Directory {
    /// Nobody. `seed` varies where the table keeps things.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            providers: Arena::with_limit(PROVIDERS_MAX),
            by_service: DetMap::with_seed(seed),
            by_node: BTreeMap::new(),
        }
    }

    /// A node has a provider, reached at this cost. Returns whether it was taken in.
    pub(super) fn announced(&mut self, node: NodeAddr, entry: Entry, cost: Option<u32>) -> bool {
        let name = (entry.service.clone(), entry.client.clone());
        let of_node = self.by_node.entry(node).or_default();
        if let Some(known) = of_node.get(&name).and_then(|handle| self.providers.get_mut(*handle)) {
            known.entry = entry;
            return true;
        }
        let service = entry.service.clone();
        let room = of_node.len() < REGISTRATIONS_MAX;
        let known = Known { node, entry, cost, pending: 0, load: 0, cooling: Time::ZERO };
        let Some(handle) = room.then(|| self.providers.insert(known).ok()).flatten() else {
            if of_node.is_empty() {
                self.by_node.remove(&node);
            }
            return false;
        };
        of_node.insert(name, handle);
        let serving = self.by_service.get_or_insert_with(service, Serving::default);
        let place = |known: &Known| (known.node, known.entry.client.clone());
        let new = self.providers.get(handle).map(place);
        let at = serving.providers.partition_point(|other| self.providers.get(*other).map(place) < new);
        serving.providers.insert(at, handle);
        true
    }

    /// A node has a provider no more.
    pub(super) fn withdrawn(&mut self, node: NodeAddr, service: &ServiceName, client: Option<Arc<str>>) {
        let Some(of_node) = self.by_node.get_mut(&node) else { return };
        let handle = of_node.remove(&(service.clone(), client));
        if of_node.is_empty() {
            self.by_node.remove(&node);
        }
        if let Some(handle) = handle {
            self.remove(handle);
        }
    }

    /// Nothing is known of a node's providers any more.
    pub(super) fn forget(&mut self, node: NodeAddr) {
        let Self { providers, by_service, by_node } = self;
        let mut last = None;
        for ((service, _), handle) in by_node.remove(&node).unwrap_or_default() {
            providers.remove(handle);
            if last.as_ref().is_none_or(|last| *last != service) {
                forget_gone(by_service, providers, last.replace(service));
            }
        }
        forget_gone(by_service, providers, last);
    }

    /// The way to a node costs this much now, or it is out of reach.
    pub(super) fn set_cost(&mut self, node: NodeAddr, cost: Option<u32>) {
        let Self { providers, by_node, .. } = self;
        for handle in by_node.get(&node).into_iter().flat_map(BTreeMap::values) {
            if let Some(known) = providers.get_mut(*handle) {
                known.cost = cost;
            }
        }
    }

    /// Chooses a provider that was not tried. With a key the choice depends on it and on who there is, and on nothing
    /// else.
    pub(super) fn choose(
        &mut self,
        service: &ServiceName,
        balance: Balance,
        key: Option<&Key>,
        tried: &[Handle<Known>],
        now: Time,
    ) -> Choice {
        let Some(serving) = self.by_service.get_mut(service.as_str()) else { return Choice::Nobody };
        let count = serving.providers.len();
        let mut best: Option<(Rank, usize, Handle<Known>)> = None;
        let mut anybody = false;
        for (index, &handle) in serving.providers.iter().enumerate() {
            if tried.contains(&handle) {
                continue;
            }
            anybody = true;
            let Some(known) = self.providers.get(handle) else { continue };
            let Some(cost) = known.cost else { continue };
            let turn = (index + count - serving.turn.min(count)) % count;
            let cooling = known.is_cooling(now);
            let rank = match (key, balance) {
                (Some(key), _) => (false, u64::MAX - affinity(key, known), 0, 0),
                (None, Balance::Nearest) => (cooling, u64::from(cost), known.pending, turn),
                (None, Balance::RoundRobin) => (cooling, 0, 0, turn),
                (None, Balance::LeastPending) => (cooling, u64::from(known.pending), known.load, turn),
            };
            if best.is_none_or(|(least, ..)| rank < least) {
                best = Some((rank, index, handle));
            }
        }
        let Some((_, index, handle)) = best else {
            return if anybody { Choice::NoneInReach } else { Choice::Nobody };
        };
        serving.turn = (index + 1) % count;
        match self.providers.get(handle) {
            Some(known) => Choice::Chosen(handle, Provider { node: known.node, client: known.entry.client.clone() }),
            None => Choice::Nobody,
        }
    }

    /// A call to a provider begins.
    pub(super) fn call_begins(&mut self, handle: Handle<Known>) {
        if let Some(known) = self.providers.get_mut(handle) {
            known.pending += 1;
        }
    }

    /// A call to a provider is over there.
    pub(super) fn call_ends(&mut self, handle: Handle<Known>) {
        if let Some(known) = self.providers.get_mut(handle) {
            known.pending = known.pending.saturating_sub(1);
        }
    }

    /// A provider tells its load.
    pub(super) fn told(&mut self, handle: Handle<Known>, load: u32) {
        if let Some(known) = self.providers.get_mut(handle) {
            known.load = load;
        }
    }

    /// A provider refused a call.
    pub(super) fn refused(&mut self, handle: Handle<Known>, now: Time) {
        if let Some(known) = self.providers.get_mut(handle) {
            known.cooling = now + REFUSED_COOL_DOWN;
        }
    }

    /// Every provider, in the order of node, service and client.
    pub(super) fn views(&self, now: Time) -> impl Iterator<Item = ProviderView<'_>> {
        let all = self.by_node.values().flat_map(BTreeMap::values);
        all.filter_map(|handle| self.providers.get(*handle)).map(move |known| ProviderView {
            node: known.node,
            entry: &known.entry,
            cost: known.cost,
            pending: known.pending,
            load: known.load,
            cooling: known.is_cooling(now),
        })
    }

    fn remove(&mut self, handle: Handle<Known>) {
        let Some(known) = self.providers.remove(handle) else { return };
        let service = known.entry.service.as_str();
        let Some(serving) = self.by_service.get_mut(service) else { return };
        serving.providers.retain(|other| *other != handle);
        if serving.providers.is_empty() {
            self.by_service.remove(service);
        }
    }
}

/// Takes those that are gone out of the list of a service: all at once, since one node may have tens of thousands there.
fn forget_gone(by_service: &mut DetMap<ServiceName, Serving>, all: &Arena<Known>, service: Option<ServiceName>) {
    let Some(service) = service else { return };
    let Some(serving) = by_service.get_mut(service.as_str()) else { return };
    serving.providers.retain(|handle| all.get(*handle).is_some());
    if serving.providers.is_empty() {
        by_service.remove(service.as_str());
    }
}

impl Known {
    fn is_cooling(&self, now: Time) -> bool {
        self.cooling > now
    }
}

/// How much a key belongs to a provider (rendezvous hashing): when providers come or go, only their own keys move.
/// FNV-1a with a final mix; it only has to spread.
fn affinity(key: &Key, known: &Known) -> u64 {
    let client = known.entry.client.as_deref().unwrap_or_default();
    let parts = [&known.node.0.to_le_bytes()[..], client.as_bytes(), &[0], key.as_bytes()];
    let bytes = parts.into_iter().flatten();
    let hash = bytes
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let mixed = (hash ^ hash >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ mixed >> 29
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use std::vec;

    const NOW: Time = Time::from_millis(1);

    fn service() -> ServiceName {
        ServiceName::new("s").unwrap()
    }

    fn directory(costs: &[(u64, Option<u32>)]) -> Directory {
        let mut directory = Directory::new(0);
        for (node, cost) in costs {
            assert!(directory.announced(NodeAddr(*node), Entry::new(service(), None), *cost));
        }
        directory
    }

    fn choose(directory: &mut Directory, balance: Balance, tried: &[Handle<Known>]) -> Option<(u64, Handle<Known>)> {
        match directory.choose(&service(), balance, None, tried, NOW) {
            Choice::Chosen(handle, provider) => Some((provider.node.0, handle)),
            Choice::NoneInReach | Choice::Nobody => None,
        }
    }

    #[test]
    fn the_nearest_is_chosen_and_equals_take_turns() {
        let mut directory = directory(&[(1, Some(5)), (2, Some(3)), (3, Some(3)), (4, None)]);
        let nodes: Vec<_> =
            (0..4).filter_map(|_| choose(&mut directory, Balance::Nearest, &[])).map(|(node, _)| node).collect();
        assert_eq!(nodes, vec![2, 3, 2, 3]);
    }

    #[test]
    fn round_robin_passes_over_who_is_out_of_reach() {
        let mut directory = directory(&[(1, Some(5)), (2, None), (3, Some(3))]);
        let nodes: Vec<_> =
            (0..4).filter_map(|_| choose(&mut directory, Balance::RoundRobin, &[])).map(|(node, _)| node).collect();
        assert_eq!(nodes, vec![1, 3, 1, 3]);
    }

    #[test]
    fn the_one_with_the_fewest_pending_is_chosen() {
        let mut directory = directory(&[(1, Some(1)), (2, Some(9))]);
        let (node, first) = choose(&mut directory, Balance::LeastPending, &[]).unwrap();
        assert_eq!(node, 1);
        directory.call_begins(first);
        let (node, second) = choose(&mut directory, Balance::LeastPending, &[]).unwrap();
        assert_eq!(node, 2);
        directory.told(second, 7);
        directory.call_ends(first);
        assert_eq!(choose(&mut directory, Balance::LeastPending, &[]), Some((1, first)));
    }

    #[test]
    fn one_that_refused_is_chosen_last() {
        let mut directory = directory(&[(1, Some(1)), (2, Some(9))]);
        let (_, nearest) = choose(&mut directory, Balance::Nearest, &[]).unwrap();
        directory.refused(nearest, NOW);
        assert_eq!(choose(&mut directory, Balance::Nearest, &[]).map(|(node, _)| node), Some(2));
        let (_, other) = choose(&mut directory, Balance::Nearest, &[]).unwrap();
        assert_eq!(choose(&mut directory, Balance::Nearest, &[other]).map(|(node, _)| node), Some(1));
        assert_eq!(choose(&mut directory, Balance::Nearest, &[other, nearest]), None);
    }

    #[test]
    fn a_key_stays_where_it_is_when_another_provider_goes() {
        let mut directory = directory(&[(1, Some(1)), (2, Some(1)), (3, Some(1)), (4, Some(1))]);
        let at = |directory: &mut Directory, key: u8| {
            let key = Key::new(Bytes::from(vec![key])).unwrap();
            match directory.choose(&service(), Balance::Nearest, Some(&key), &[], NOW) {
                Choice::Chosen(_, provider) => provider.node.0,
                Choice::NoneInReach | Choice::Nobody => 0,
            }
        };
        let before: Vec<_> = (0..100).map(|key| at(&mut directory, key)).collect();
        for node in 1..=4 {
            assert!(before.iter().filter(|at| **at == node).count() > 10, "node {node} has hardly any keys");
        }
        directory.forget(NodeAddr(4));
        for (key, before) in before.iter().enumerate().filter(|(_, before)| **before != 4) {
            assert_eq!(at(&mut directory, u8::try_from(key).unwrap()), *before);
        }
    }

    #[test]
    fn a_node_with_very_many_providers_is_forgotten_all_at_once() {
        let mut directory = directory(&[(1, Some(1)), (3, Some(1))]);
        for number in 0..REGISTRATIONS_MAX {
            // In descending order, which is the slow one for the others to keep sorted.
            let client = std::format!("{:06}", REGISTRATIONS_MAX - number);
            let name = ServiceName::new(["s", "t"][number % 2]).unwrap();
            assert!(directory.announced(NodeAddr(2), Entry::new(name, Some(client.as_str().into())), Some(9)));
        }
        directory.forget(NodeAddr(2));
        assert_eq!(directory.views(NOW).map(|view| view.node.0).collect::<Vec<_>>(), vec![1, 3]);
        assert_eq!(directory.by_service.get("s").map(|serving| serving.providers.len()), Some(2));
        assert!(directory.by_service.get("t").is_none());
    }

    #[test]
    fn who_is_forgotten_is_nobody() {
        let mut directory = directory(&[(1, None)]);
        let choice = |directory: &mut Directory| directory.choose(&service(), Balance::Nearest, None, &[], NOW);
        assert_eq!(choice(&mut directory), Choice::NoneInReach);
        directory.forget(NodeAddr(1));
        assert_eq!(choice(&mut directory), Choice::Nobody);
    }
}
