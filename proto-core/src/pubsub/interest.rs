//! Who wants what: every pattern that somebody in the mesh subscribed to, and which nodes, in which groups.
//!
//! An interest is (pattern, group, node): the node has at least one subscription of that pattern in that group. It begins
//! when its node says so, changes when the group's members there become more or fewer, and ends when its node says so or is
//! forgotten. This node's own interests are among them.
//!
//! Bounds: [`INTERESTS_MAX`] interests, [`INTERESTS_PER_NODE_MAX`] of one node, [`OWNERS_MAX`] nodes. A million interests
//! take less than 100 bytes each, with the text of their patterns, where patterns share what they begin with.

use alloc::string::String;

use super::{
    groups::Groups,
    index::Index,
    pool::{NONE, Pool},
    topic::{Group, Pattern, Topic},
    trie::Trie,
};
use crate::{
    collections::DetMap,
    id::NodeAddr,
    limits::{INTERESTS_MAX, INTERESTS_PER_NODE_MAX, OWNERS_MAX},
};

/// This node among the owners.
const HERE: u16 = 0;

/// The table of interests. See the module's first lines.
#[derive(Clone, Debug)]
pub struct Interests {
    trie: Trie,
    interests: Pool<Interest>,
    index: Index,
    owners: Pool<Owner>,
    by_node: DetMap<NodeAddr, u16>,
    groups: Groups,
    generation: u64,
}

/// One interest; in two rings of neighbours: those of its pattern and those of its owner.
#[derive(Clone, Copy, Debug, Default)]
struct Interest {
    /// The place in the tree at which the pattern ends.
    place: u32,
    /// [`NONE`] for the subscriptions without a group.
    group: u32,
    owner: u16,
    /// How many subscriptions of a group; what is beyond the range weighs like its end.
    members: u16,
    of_place: Neighbours,
    of_owner: Neighbours,
}

#[derive(Clone, Copy, Debug)]
struct Neighbours {
    before: u32,
    after: u32,
}

impl Default for Neighbours {
    fn default() -> Self {
        Self { before: NONE, after: NONE }
    }
}

const _: () = assert!(size_of::<Interest>() == 28, "an interest is small");
const _: () = assert!(OWNERS_MAX < u16::MAX as usize, "owners have small numbers");
const _: () = assert!(INTERESTS_MAX < (NONE / 32) as usize, "numbers do not run out: a pattern has at most 16 tokens");

#[derive(Clone, Copy, Debug)]
struct Owner {
    node: Option<NodeAddr>,
    head: u32,
    count: u32,
}

impl Default for Owner {
    fn default() -> Self {
        Self { node: None, head: NONE, count: 0 }
    }
}

/// Names an interest of this node while it lasts.
pub(super) type InterestId = u32;

/// The table, or its node's part of it, is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Somebody who wants a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Which interest.
    pub(super) interest: InterestId,
    /// The group's number; [`NONE`] for none.
    pub(super) group: u32,
    /// The node; `None` for this one.
    pub(super) node: Option<NodeAddr>,
    /// How many members the group has there.
    pub(super) members: u16,
}

/// One interest, to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterestView {
    /// The node that wants it; `None` for this one.
    pub node: Option<NodeAddr>,
    /// What it wants.
    pub pattern: Pattern,
    /// In which group.
    pub group: Option<Group>,
    /// How many members the group has there, as far as it matters; 1 without a group.
    pub members: u32,
}

impl Interests {
    /// Nobody wants anything. `seed` varies where the tables keep things.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut owners = Pool::new();
        owners.insert(Owner::default());
        Self {
            trie: Trie::new(seed),
            interests: Pool::new(),
            index: Index::new(seed),
            owners,
            by_node: DetMap::with_seed(seed),
            groups: Groups::new(),
            generation: 0,
        }
    }

    /// How many interests there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.interests.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A node, or this one, wants a pattern, with so many members.
    ///
    /// # Errors
    /// [`Full`]: it was not taken in.
    pub fn set(
        &mut self,
        node: Option<NodeAddr>,
        pattern: &Pattern,
        group: Option<&Group>,
        members: u32,
    ) -> Result<(), Full> {
        self.put(node, pattern, group, members).map(|_| ())
    }

    /// A node, or this one, wants a pattern no more. Answers whether it did.
    pub fn unset(&mut self, node: Option<NodeAddr>, pattern: &Pattern, group: Option<&Group>) -> bool {
        let found = self.find(node, pattern, group);
        if let Some(id) = found {
            self.remove(id);
        }
        found.is_some()
    }

    /// Nothing is known any more of what a node wants.
    pub fn forget(&mut self, node: NodeAddr) {
        while let Some(&owner) = self.by_node.get(&node) {
            self.remove(self.owners.get(u32::from(owner)).head);
        }
    }

    /// Every interest of every node, those of one node after those of another.
    pub fn iter(&self) -> impl Iterator<Item = InterestView> {
        // Numbers that are free have no interests.
        (0..self.owners.end()).flat_map(|owner| self.of_owner(owner))
    }

    /// Every interest of a node, or of this one.
    pub fn of(&self, node: Option<NodeAddr>) -> impl Iterator<Item = InterestView> {
        let owner = node.map_or(Some(HERE), |node| self.by_node.get(&node).copied());
        owner.into_iter().flat_map(|owner| self.of_owner(u32::from(owner)))
    }

    /// How many interests of how many nodes want a topic, found in the tree: what a look-up costs that no cache answers.
    #[must_use]
    pub fn count(&self, topic: &Topic) -> usize {
        let mut count = 0;
        self.matches(topic.as_str(), |_| count += 1);
        count
    }

    /// Counts the changes: what was found stays true as long as this stays the same.
    #[inline]
    pub(super) const fn generation(&self) -> u64 {
        self.generation
    }

    /// [`Interests::set`], and which interest it is.
    ///
    /// # Errors
    /// [`Full`]: it was not taken in.
    pub(super) fn put(
        &mut self,
        node: Option<NodeAddr>,
        pattern: &Pattern,
        group: Option<&Group>,
        members: u32,
    ) -> Result<InterestId, Full> {
        let members = u16::try_from(members).unwrap_or(u16::MAX);
        if let Some(id) = self.find(node, pattern, group) {
            let interest = self.interests.get_mut(id);
            if interest.members != members {
                interest.members = members;
                // Members here are counted where they are.
                self.generation += u64::from(node.is_some());
            }
            return Ok(id);
        }
        if self.interests.len() >= INTERESTS_MAX {
            return Err(Full);
        }
        let owner = self.owner(node)?;
        let place = self.trie.insert(pattern.as_str());
        let group = group.map_or(NONE, |group| self.groups.acquire(group));
        Ok(self.link(Interest { place, group, owner, members, ..Interest::default() }))
    }

    /// This node's interest in a pattern, if it has one.
    pub(super) fn held(&self, pattern: &Pattern, group: Option<&Group>) -> Option<InterestId> {
        self.find(None, pattern, group)
    }

    /// An interest of this node has so many members now. What was found stays true: they are counted where they are.
    pub(super) fn resize(&mut self, id: InterestId, members: u32) {
        self.interests.get_mut(id).members = u16::try_from(members).unwrap_or(u16::MAX);
    }

    /// Takes an interest out.
    pub(super) fn remove(&mut self, id: InterestId) {
        let Self { trie, interests, index, owners, by_node, groups, generation } = self;
        *generation += 1;
        index.remove(index.hash(&interests.get(id).key()), id, |id| interests.get(id).key());
        let Interest { place, group, owner, of_place, of_owner, .. } = interests.remove(id);
        if of_place.before == NONE {
            trie.hang(place, of_place.after);
        } else {
            interests.get_mut(of_place.before).of_place.after = of_place.after;
        }
        if of_place.after != NONE {
            interests.get_mut(of_place.after).of_place.before = of_place.before;
        }
        let holder = owners.get_mut(u32::from(owner));
        holder.count -= 1;
        if of_owner.before == NONE {
            holder.head = of_owner.after;
        } else {
            interests.get_mut(of_owner.before).of_owner.after = of_owner.after;
        }
        if of_owner.after != NONE {
            interests.get_mut(of_owner.after).of_owner.before = of_owner.before;
        }
        trie.release(place);
        if group != NONE {
            groups.release(group);
        }
        if let Owner { node: Some(node), count: 0, .. } = *holder {
            by_node.remove(&node);
            owners.remove(u32::from(owner));
        }
    }

    /// Calls `found` with everybody who wants this topic.
    #[inline]
    pub(super) fn matches(&self, topic: &str, mut found: impl FnMut(Found)) {
        self.trie.matches(topic, |head| {
            let mut id = head;
            while id != NONE {
                let Interest { group, owner, members, of_place, .. } = *self.interests.get(id);
                let node = self.owners.get(u32::from(owner)).node;
                found(Found { interest: id, group, node, members });
                id = of_place.after;
            }
        });
    }

    /// The name of a group that somebody is in.
    pub(super) fn group(&self, number: u32) -> &Group {
        self.groups.name(number)
    }

    /// Whose turn it is in a group: one more every time.
    pub(super) fn turn(&mut self, group: u32) -> u64 {
        self.groups.turn(group)
    }

    /// Whether an interest is one of a group.
    pub(super) fn is_grouped(&self, id: InterestId) -> bool {
        self.interests.get(id).group != NONE
    }

    /// The text of the pattern of an interest, and its group.
    pub(super) fn describe(&self, id: InterestId) -> (String, Option<Group>) {
        let interest = self.interests.get(id);
        let group = (interest.group != NONE).then(|| self.groups.name(interest.group).clone());
        (self.trie.text(interest.place), group)
    }

    /// Whether it holds nothing at all.
    #[cfg(test)]
    pub(super) fn is_bare(&self) -> bool {
        self.is_empty() && self.trie.is_bare() && self.groups.is_empty() && self.owners.len() == 1
    }

    fn find(&self, node: Option<NodeAddr>, pattern: &Pattern, group: Option<&Group>) -> Option<InterestId> {
        let owner = node.map_or(Some(HERE), |node| self.by_node.get(&node).copied())?;
        let group = group.map_or(Some(NONE), |group| self.groups.find(group))?;
        let place = self.trie.find(pattern.as_str())?;
        let key = (place, group, owner);
        self.index.find(self.index.hash(&key), |id| self.interests.get(id).key() == key)
    }

    /// The owner's number; a new one if nothing is known of the node yet.
    fn owner(&mut self, node: Option<NodeAddr>) -> Result<u16, Full> {
        let Some(node) = node else { return Ok(HERE) };
        if let Some(&owner) = self.by_node.get(&node) {
            let full = self.owners.get(u32::from(owner)).count as usize >= INTERESTS_PER_NODE_MAX;
            return if full { Err(Full) } else { Ok(owner) };
        }
        if self.owners.len() > OWNERS_MAX {
            return Err(Full);
        }
        let number = self.owners.insert(Owner { node: Some(node), ..Owner::default() });
        let owner = u16::try_from(number).map_err(|_| Full)?;
        self.by_node.insert(node, owner);
        Ok(owner)
    }

    /// Puts an interest in front of its two rings.
    fn link(&mut self, mut interest: Interest) -> InterestId {
        let Self { trie, interests, index, owners, generation, .. } = self;
        *generation += 1;
        let owner = owners.get_mut(u32::from(interest.owner));
        interest.of_place.after = trie.hung(interest.place);
        interest.of_owner.after = owner.head;
        let (next_of_place, next_of_owner) = (interest.of_place.after, interest.of_owner.after);
        let id = interests.insert(interest);
        trie.hang(interest.place, id);
        owner.head = id;
        owner.count += 1;
        if next_of_place != NONE {
            interests.get_mut(next_of_place).of_place.before = id;
        }
        if next_of_owner != NONE {
            interests.get_mut(next_of_owner).of_owner.before = id;
        }
        index.insert(index.hash(&interest.key()), id, |id| interests.get(id).key());
        id
    }

    fn of_owner(&self, owner: u32) -> impl Iterator<Item = InterestView> {
        let owner = self.owners.get(owner);
        let first = (owner.head != NONE).then_some(owner.head);
        let next = |&id: &u32| Some(self.interests.get(id).of_owner.after).filter(|&id| id != NONE);
        core::iter::successors(first, next).map(|id| {
            let (text, group) = self.describe(id);
            let members = u32::from(self.interests.get(id).members);
            InterestView { node: owner.node, pattern: Pattern::trusted(text), group, members }
        })
    }
}

impl Interest {
    const fn key(&self) -> (u32, u32, u16) {
        (self.place, self.group, self.owner)
    }
}
