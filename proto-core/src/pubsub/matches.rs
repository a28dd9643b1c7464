//! Who gets a topic: found once in the table of interests, and remembered until an interest changes.
//!
//! A publication to a topic that is remembered costs one hash and one comparison, and allocates nothing. Bounds:
//! [`MATCH_SLOTS`] topics, of two that fall on one slot the later; a match of more than [`MATCH_KEPT_MAX`] interests is
//! remembered for the last such topic only; [`MATCH_GROUPS_MAX`] groups of other nodes.

use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::hash::BuildHasher as _;

use foldhash::fast::FixedState;

use super::{
    Destination,
    interest::{InterestId, Interests},
    pool::NONE,
    topic::Topic,
};
use crate::{
    collections::DetMap,
    id::NodeAddr,
    limits::{MATCH_GROUPS_MAX, MATCH_KEPT_MAX, MATCH_SLOTS},
};

/// Everybody who wants one topic.
#[derive(Clone, Debug)]
pub(super) struct Matches {
    /// The topic.
    pub(super) topic: Topic,
    /// This node's interests without a group.
    pub(super) here: Vec<InterestId>,
    /// The other nodes with subscriptions without a group, in order of address.
    pub(super) there: Arc<[Destination]>,
    /// Every group once, whatever the patterns of its members.
    pub(super) groups: Vec<GroupMatch>,
    /// The history rule that keeps it.
    pub(super) rule: Option<usize>,
    generation: u64,
}

/// One group that wants a topic.
#[derive(Clone, Debug)]
pub(super) struct GroupMatch {
    /// The group's number in the table.
    pub(super) group: u32,
    /// This node's interests in it.
    pub(super) here: Vec<InterestId>,
    /// The other nodes with members, and how many: in order of address.
    pub(super) there: Vec<(NodeAddr, u64)>,
}

/// What was found lately. See the module's first lines.
#[derive(Debug)]
pub(super) struct Cache {
    slots: Vec<Option<Box<Matches>>>,
    large: Option<Box<Matches>>,
    state: FixedState,
}

impl Matches {
    /// Looks a topic up in the table.
    pub(super) fn find(topic: Topic, interests: &Interests, rule: Option<usize>) -> Self {
        let (mut here, mut there) = (Vec::new(), Vec::new());
        let mut groups: Vec<GroupMatch> = Vec::new();
        // A group costs a parcel's header and a choice, and any node may say that it has a million.
        let mut places: DetMap<u32, usize> = DetMap::with_seed(0);
        interests.matches(topic.as_str(), |found| {
            if found.group == NONE {
                match found.node {
                    None => here.push(found.interest),
                    Some(node) => there.push(node),
                }
                return;
            }
            let place = match places.get(&found.group) {
                Some(&place) => place,
                None if found.node.is_some() && groups.len() >= MATCH_GROUPS_MAX => return,
                None => {
                    places.insert(found.group, groups.len());
                    groups.push(GroupMatch { group: found.group, here: Vec::new(), there: Vec::new() });
                    groups.len() - 1
                }
            };
            match found.node {
                None => groups[place].here.push(found.interest),
                Some(node) => groups[place].there.push((node, u64::from(found.members))),
            }
        });
        there.sort_unstable();
        there.dedup();
        for group in &mut groups {
            group.there.sort_unstable();
            // A node whose members have several patterns counts once, with all of them.
            group.there.dedup_by(|later, earlier| {
                let same = later.0 == earlier.0;
                earlier.1 += if same { later.1 } else { 0 };
                same
            });
        }
        let there = there.into_iter().map(Destination::plain).collect();
        Self { topic, here, there, groups, rule, generation: interests.generation() }
    }

    /// How much it remembers.
    fn size(&self) -> usize {
        let grouped: usize = self.groups.iter().map(|group| 1 + group.here.len() + group.there.len()).sum();
        self.here.len() + self.there.len() + grouped
    }
}

impl Cache {
    /// Nothing yet.
    pub(super) const fn new(seed: u64) -> Self {
        Self { slots: Vec::new(), large: None, state: FixedState::with_seed(seed) }
    }

    /// Everybody who wants a topic. `make` makes the topic if it is not remembered, and tells the history rule that keeps
    /// it; without one there is no such topic.
    #[inline]
    pub(super) fn look_up(
        &mut self,
        topic: &str,
        interests: &Interests,
        make: impl FnOnce() -> Option<(Topic, Option<usize>)>,
    ) -> Option<&Matches> {
        let slot = usize::try_from(self.state.hash_one(topic)).unwrap_or_default() % MATCH_SLOTS;
        let generation = interests.generation();
        let fresh = |found: &Option<Box<Matches>>| {
            found.as_ref().is_some_and(|found| found.topic.as_str() == topic && found.generation == generation)
        };
        if self.slots.get(slot).is_some_and(fresh) {
            return self.slots[slot].as_deref();
        }
        if fresh(&self.large) {
            return self.large.as_deref();
        }
        self.find(slot, topic, interests, make)
    }

    #[cold]
    fn find(
        &mut self,
        slot: usize,
        topic: &str,
        interests: &Interests,
        make: impl FnOnce() -> Option<(Topic, Option<usize>)>,
    ) -> Option<&Matches> {
        self.slots.resize_with(MATCH_SLOTS, || None);
        let known = self.slots[slot].take().filter(|known| known.topic.as_str() == topic);
        let (topic, rule) = match known {
            Some(known) => (known.topic.clone(), known.rule),
            None => make()?,
        };
        let found = Box::new(Matches::find(topic, interests, rule));
        let place = if found.size() > MATCH_KEPT_MAX { &mut self.large } else { &mut self.slots[slot] };
        Some(place.insert(found))
    }
}
