//! What this node offers the others, numbered for the [`directory`](crate::directory): its interest in topics, and its
//! services.
//!
//! An offer that is gone keeps its number until that was told; then the number is free. Bounds: those of the machines
//! whose offers these are.

use alloc::{collections::BTreeMap, sync::Arc, vec::Vec};

use crate::{
    directory::{Offers, Place, Section},
    pubsub::{Group, Pattern},
    rpc::{Entry, ServiceName},
    wire::{self, v1::Offer},
};

/// How [`Offer::Service`] begins.
const SERVICE: u8 = 1;

/// All that this node offers.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// With the number of members; 0: gone.
    topics: Shelf<(Pattern, Option<Group>), u32>,
    /// `None`: gone.
    services: Shelf<(ServiceName, Option<Arc<str>>), Option<Entry>>,
}

/// One section.
#[derive(Debug)]
struct Shelf<K, V> {
    numbers: BTreeMap<K, u32>,
    offers: BTreeMap<u32, (K, V)>,
    free: Vec<u32>,
    gone: Vec<u32>,
}

impl<K, V> Default for Shelf<K, V> {
    fn default() -> Self {
        Self { numbers: BTreeMap::new(), offers: BTreeMap::new(), free: Vec::new(), gone: Vec::new() }
    }
}

impl Book {
    /// So many members want this now; 0: nobody any more. Returns its place.
    pub(super) fn set_interest(&mut self, pattern: Pattern, group: Option<Group>, members: u32) -> Place {
        (Section::Topics, self.topics.set((pattern, group), members, members == 0))
    }

    /// A provider is there, or is gone. Returns its place.
    pub(super) fn set_service(&mut self, entry: Entry, present: bool) -> Place {
        let key = (entry.service.clone(), entry.client.clone());
        (Section::Services, self.services.set(key, present.then_some(entry), !present))
    }

    /// What is gone was told: its numbers are free.
    pub(super) fn sweep(&mut self) {
        self.topics.sweep(|members| *members == 0);
        self.services.sweep(Option::is_none);
    }
}

impl<K: Ord + Clone, V> Shelf<K, V> {
    fn set(&mut self, key: K, value: V, gone: bool) -> u32 {
        let number = self.numbers.get(&key).copied().unwrap_or_else(|| {
            let next = u32::try_from(self.offers.len()).unwrap_or(u32::MAX);
            self.free.pop().unwrap_or(next)
        });
        if gone {
            self.gone.push(number);
        }
        self.numbers.insert(key.clone(), number);
        self.offers.insert(number, (key, value));
        number
    }

    fn sweep(&mut self, is_gone: impl Fn(&V) -> bool) {
        for number in core::mem::take(&mut self.gone) {
            // It may have come back meanwhile, or be noted twice.
            if let Some((key, _)) = self.offers.get(&number).filter(|(_, value)| is_gone(value)) {
                self.numbers.remove(key);
                self.offers.remove(&number);
                self.free.push(number);
            }
        }
    }

    fn next(&self, from: u32) -> Option<u32> {
        self.offers.range(from..).next().map(|(number, _)| *number)
    }
}

impl Offers for Book {
    fn next(&self, (section, number): Place) -> Option<Place> {
        let topic = (section == Section::Topics).then(|| self.topics.next(number)).flatten();
        if let Some(number) = topic {
            return Some((Section::Topics, number));
        }
        let from = if section == Section::Services { number } else { 0 };
        self.services.next(from).map(|number| (Section::Services, number))
    }

    fn write(&self, (section, number): Place, out: &mut Vec<u8>) {
        match section {
            Section::Topics => {
                let Some(((pattern, group), members)) = self.topics.offers.get(&number) else { return };
                let group = group.as_ref().map_or("", Group::as_str);
                let offer = Offer::Interest { pattern: pattern.as_str(), group, members: *members };
                out.extend_from_slice(&wire::encode(&offer));
            }
            Section::Services => {
                let Some(((service, client), entry)) = self.services.offers.get(&number) else { return };
                match entry {
                    // A service is written as the enum's variant and then the provider.
                    Some(entry) => {
                        out.push(SERVICE);
                        out.extend_from_slice(&entry.encode());
                    }
                    None => {
                        let client = client.as_deref().unwrap_or_default();
                        let gone = Offer::NoService { service: service.as_str(), client };
                        out.extend_from_slice(&wire::encode(&gone));
                    }
                }
            }
        }
    }
}
