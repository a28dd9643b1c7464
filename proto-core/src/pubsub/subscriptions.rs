//! All subscriptions of this node, by the interest that they make up together.
//!
//! Bounds: [`SUBSCRIPTIONS_MAX`] subscriptions; their queues have their own.

use alloc::{sync::Arc, vec::Vec};

use smallvec::SmallVec;

use super::{
    api::SubscriptionId,
    interest::InterestId,
    subscription::{Env, Offered, Shared, Subscription},
};
use crate::{
    arena::{Arena, Handle},
    collections::DetMap,
    limits::{GROUP_MEMBERS_ASKED, SUBSCRIPTIONS_MAX},
};

/// The subscriptions. See the module's first lines.
#[derive(Debug)]
pub(super) struct Subscriptions {
    all: Arena<Subscription>,
    members: DetMap<InterestId, Members>,
    by_client: DetMap<Arc<str>, Vec<Handle<Subscription>>>,
}

/// Who makes up one interest of this node.
#[derive(Debug, Default)]
struct Members {
    list: Vec<Handle<Subscription>>,
    /// How many history rules want it as well.
    rules: usize,
}

/// Subscriptions that must be ended, once nobody looks at the lists any more.
pub(super) type Doomed = SmallVec<[SubscriptionId; 1]>;

/// Whose subscriptions a publication is not for: those of its own client, if it shall not come back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Except<'a> {
    /// Whether anybody is left out.
    pub(super) active: bool,
    /// Whose subscriptions; `None`: the node's.
    pub(super) client: Option<&'a Arc<str>>,
}

/// How many make up an interest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) subscriptions: usize,
    pub(super) rules: usize,
}

impl Size {
    /// Whether nobody does.
    pub(super) const fn is_empty(self) -> bool {
        self.subscriptions == 0 && self.rules == 0
    }
}

impl Subscriptions {
    /// None.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            all: Arena::with_limit(SUBSCRIPTIONS_MAX),
            members: DetMap::with_seed(seed),
            by_client: DetMap::with_seed(seed),
        }
    }

    /// Whether one more would be refused.
    pub(super) fn is_full(&self) -> bool {
        self.all.is_full()
    }

    /// Takes a subscription in; the interest that it is part of exists.
    pub(super) fn join(&mut self, mut subscription: Subscription) -> Option<SubscriptionId> {
        let members = self.members.get_or_insert_with(subscription.interest, Members::default);
        subscription.place = members.list.len();
        let of_client = subscription.client.clone().map(|client| self.by_client.get_or_insert_with(client, Vec::new));
        subscription.place_of_client = of_client.as_ref().map_or(0, |list| list.len());
        let handle = self.all.insert(subscription).ok()?;
        members.list.push(handle);
        if let Some(list) = of_client {
            list.push(handle);
        }
        Some(SubscriptionId(handle))
    }

    /// Takes a subscription out.
    pub(super) fn leave(&mut self, id: SubscriptionId) -> Option<Subscription> {
        let subscription = self.all.remove(id.0)?;
        self.leave_client(&subscription);
        let Some(members) = self.members.get_mut(&subscription.interest) else { return Some(subscription) };
        members.list.swap_remove(subscription.place);
        if let Some(moved) = members.list.get(subscription.place).and_then(|&handle| self.all.get_mut(handle)) {
            moved.place = subscription.place;
        }
        if members.list.is_empty() && members.rules == 0 {
            self.members.remove(&subscription.interest);
        }
        Some(subscription)
    }

    /// The subscriptions of a client, in no order that means anything.
    pub(super) fn of_client(&self, client: &str) -> Doomed {
        let list = self.by_client.get(client);
        list.into_iter().flatten().map(|&handle| SubscriptionId(handle)).collect()
    }

    /// A history rule wants this interest.
    pub(super) fn add_rule(&mut self, interest: InterestId) {
        self.members.get_or_insert_with(interest, Members::default).rules += 1;
    }

    /// How many make up an interest.
    pub(super) fn size(&self, interest: InterestId) -> Size {
        let members = self.members.get(&interest);
        members.map_or(Size::default(), |members| Size { subscriptions: members.list.len(), rules: members.rules })
    }

    /// Offers a publication to everybody in these interests. Answers how many took it.
    #[inline]
    pub(super) fn deliver(
        &mut self,
        env: &mut Env<'_>,
        interests: &[InterestId],
        except: Except<'_>,
        shared: &mut Shared,
        doomed: &mut Doomed,
    ) -> u32 {
        let mut taken = 0;
        for interest in interests {
            let Some(members) = self.members.get(interest) else { continue };
            for &handle in &members.list {
                let Some(subscription) = self.all.get_mut(handle) else { continue };
                if !except.leaves_out(subscription) {
                    taken += offer(subscription, env, handle, shared, doomed);
                }
            }
        }
        taken
    }

    /// Offers a publication to one subscription. Answers whether it took it, as a number.
    pub(super) fn deliver_to(
        &mut self,
        env: &mut Env<'_>,
        id: SubscriptionId,
        shared: &mut Shared,
        doomed: &mut Doomed,
    ) -> u32 {
        self.all.get_mut(id.0).map_or(0, |subscription| offer(subscription, env, id.0, shared, doomed))
    }

    /// The member of a group whose turn it is, of those that have room; if nobody who is asked has, whose turn it is all the
    /// same.
    pub(super) fn choose(
        &self,
        interests: &[InterestId],
        turn: u64,
        except: Except<'_>,
        weight: usize,
    ) -> Option<SubscriptionId> {
        let lists: SmallVec<[&Members; 4]> = interests.iter().filter_map(|id| self.members.get(id)).collect();
        let total: usize = lists.iter().map(|members| members.list.len()).sum();
        let first = usize::try_from(turn.checked_rem(total as u64)?).unwrap_or_default();
        let mut in_turn = None;
        for number in 0..total {
            let asked = (first + number) % total;
            let Some((handle, subscription)) = nth(&lists, asked).and_then(|id| Some((id, self.all.get(id)?))) else {
                continue;
            };
            if except.leaves_out(subscription) {
                continue;
            }
            if number < GROUP_MEMBERS_ASKED && subscription.has_room(weight) {
                return Some(SubscriptionId(handle));
            }
            in_turn = in_turn.or(Some(SubscriptionId(handle)));
            if number >= GROUP_MEMBERS_ASKED {
                break;
            }
        }
        in_turn
    }

    /// A subscription that is taken out is none of its client's any more.
    fn leave_client(&mut self, subscription: &Subscription) {
        let Some(client) = &subscription.client else { return };
        let Some(list) = self.by_client.get_mut(client) else { return };
        let place = subscription.place_of_client;
        list.swap_remove(place);
        if let Some(moved) = list.get(place).and_then(|&handle| self.all.get_mut(handle)) {
            moved.place_of_client = place;
        }
        if list.is_empty() {
            self.by_client.remove(client);
        }
    }

    /// The subscription, to change.
    pub(super) fn get_mut(&mut self, id: SubscriptionId) -> Option<&mut Subscription> {
        self.all.get_mut(id.0)
    }

    /// Every subscription.
    pub(super) fn iter(&self) -> impl Iterator<Item = (SubscriptionId, &Subscription)> {
        self.all.iter().map(|(handle, subscription)| (SubscriptionId(handle), subscription))
    }

    /// Everybody in an interest.
    pub(super) fn of(&self, interest: InterestId) -> impl Iterator<Item = SubscriptionId> {
        let members = self.members.get(&interest);
        members.into_iter().flat_map(|members| members.list.iter().map(|&handle| SubscriptionId(handle)))
    }
}

impl Except<'_> {
    /// Nobody is left out.
    pub(super) const NOBODY: Self = Self { active: false, client: None };

    fn leaves_out(self, subscription: &Subscription) -> bool {
        self.active && subscription.client.as_ref() == self.client
    }
}

#[inline]
fn offer(
    subscription: &mut Subscription,
    env: &mut Env<'_>,
    handle: Handle<Subscription>,
    shared: &mut Shared,
    doomed: &mut Doomed,
) -> u32 {
    match subscription.offer(env, SubscriptionId(handle), shared) {
        Offered::Taken => 1,
        Offered::Dropped => 0,
        Offered::Overrun => {
            doomed.push(SubscriptionId(handle));
            0
        }
    }
}

/// The member of this number, counted through all lists.
fn nth(lists: &[&Members], mut number: usize) -> Option<Handle<Subscription>> {
    for members in lists {
        match members.list.get(number) {
            Some(&handle) => return Some(handle),
            None => number -= members.list.len(),
        }
    }
    None
}
