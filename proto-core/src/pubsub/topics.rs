//! All topics of a node.

use alloc::{collections::BTreeMap, vec::Vec};

use super::{
    Effect, Event,
    api::{Config, Ended, Publish, Recovery, Subscribe, Subscribed, SubscriptionId},
    arrive::{self, Arrival},
    history::{History, Replay, Resume},
    interest::{InterestId, Interests},
    matches::Cache,
    open::Open,
    peers::Peers,
    publish::{self, Author},
    subscription::{Env, Shared, Subscription},
    subscriptions::{Doomed, Size, Subscriptions},
    topic::{Pattern, Topic},
};
use crate::{
    cx::Cx,
    error::Rejected,
    id::{NodeAddr, Seq, Token},
    limits::{CLIENT_NAME_MAX, OWNERS_MAX, SLOW_INTERVAL},
    node::{self, Outcome},
    probe::Counter,
    time::Time,
    timers::earlier,
};

/// The topics that this node subscribes to, publishes to and keeps. See the module's first lines.
#[derive(Debug)]
pub struct Topics {
    author: Author,
    draining: bool,
    pub(super) interests: Interests,
    cache: Cache,
    pub(super) subscriptions: Subscriptions,
    pub(super) history: History,
    pub(super) open: Open,
    peers: Peers,
    /// The nodes that did not get publications.
    pub(super) slow: BTreeMap<NodeAddr, Slow>,
    /// The interests of the history rules, until they were told.
    untold: Vec<Pattern>,
}

/// How slow a node is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slow {
    pub(super) dropped: u64,
    told: Option<Time>,
}

impl Topics {
    /// No subscriptions yet. The interests of history rules are told at the first timeout, which is due at once.
    #[must_use]
    pub fn new(config: &node::Config, topics: &Config) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = config.seed;
        let seed = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        let mut this = Self {
            author: Author::new(config),
            draining: false,
            interests: Interests::new(seed),
            cache: Cache::new(seed),
            subscriptions: Subscriptions::new(seed),
            history: History::new(config.incarnation, topics.history.clone(), seed),
            open: Open::new(),
            peers: Peers::default(),
            slow: BTreeMap::new(),
            untold: Vec::new(),
        };
        for rule in &topics.history {
            let Ok(id) = this.interests.put(None, &rule.pattern, None, 1) else { continue };
            if this.subscriptions.size(id).is_empty() {
                this.untold.push(rule.pattern.clone());
            }
            this.subscriptions.add_rule(id);
        }
        this
    }

    /// Publishes. With a receipt, who got it comes as [`Effect::Published`]. `cost` tells what the way to a node costs,
    /// `None` if there is none. Answers the publication's number.
    ///
    /// # Errors
    /// [`Rejected`]: nobody got it.
    pub fn publish(
        &mut self,
        cx: &mut Cx<'_>,
        token: Token,
        publish: Publish,
        cost: impl Fn(NodeAddr) -> Option<u32>,
        fx: &mut Vec<Effect>,
    ) -> Result<Seq, Rejected> {
        let Self { author, interests, cache, subscriptions, history, open, draining, .. } = self;
        if *draining {
            return Err(Rejected::ShuttingDown);
        }
        if publish.receipt && open.is_full() {
            return Err(Rejected::Busy);
        }
        author.admit(&publish)?;
        let topic = &publish.topic;
        let found = cache.look_up(topic.as_str(), interests, || Some((topic.clone(), history.rule(topic))));
        let matches = found.ok_or(Rejected::Busy)?;
        let mut env = Env { now: cx.now, probe: cx.probe, fx };
        env.probe.count(Counter::Published);
        let mut doomed = Doomed::new();
        let seq = publish::publish(
            &mut publish::Step { env: &mut env, author, interests, subscriptions, history, open, doomed: &mut doomed },
            matches,
            token,
            publish,
            cost,
        );
        self.end_all(&mut env, doomed);
        Ok(seq)
    }

    /// Subscribes. What is replayed comes as [`Effect::Deliver`] before anything newer.
    ///
    /// # Errors
    /// [`Rejected`]: too many subscriptions, or nobody can have this client name.
    pub fn subscribe(
        &mut self,
        cx: &mut Cx<'_>,
        subscribe: &Subscribe,
        fx: &mut Vec<Effect>,
    ) -> Result<Subscribed, Rejected> {
        if self.draining {
            return Err(Rejected::ShuttingDown);
        }
        if subscribe.client.as_ref().is_some_and(|name| name.is_empty() || name.len() > CLIENT_NAME_MAX) {
            return Err(Rejected::NoSuchClient);
        }
        if self.subscriptions.is_full() {
            return Err(Rejected::Busy);
        }
        let Subscribe { pattern, group, .. } = subscribe;
        let held = self.interests.held(pattern, group.as_ref());
        let before = held.map_or(Size::default(), |id| self.subscriptions.size(id));
        let after = Size { subscriptions: before.subscriptions + 1, ..before };
        let members = u32::try_from(after.subscriptions).unwrap_or(u32::MAX);
        let weight = if group.is_some() { members } else { 1 };
        let interest = self.interests.put(None, pattern, group.as_ref(), weight).map_err(|_| Rejected::Busy)?;
        let joined = self.subscriptions.join(Subscription::new(subscribe, interest));
        let id = joined.ok_or(Rejected::Busy)?;
        if before.is_empty() || group.is_some() {
            let (pattern, group) = (pattern.clone(), group.clone());
            fx.push(Effect::Interest { pattern, group, present: true, members: weight });
        }
        let recovery = match (&subscribe.resume, group) {
            (Resume::Live, _) => None,
            (Resume::Last(_) | Resume::After(_), Some(_)) => Some(NOTHING_RECOVERED),
            (resume @ (Resume::Last(_) | Resume::After(_)), None) => {
                let replay = self.history.replay(cx.now, pattern, resume);
                let mut env = Env { now: cx.now, probe: cx.probe, fx };
                Some(self.bring_up_to_date(&mut env, id, subscribe, replay))
            }
        };
        Ok(Subscribed { id, recovery })
    }

    /// Ends a subscription. Nothing is delivered to it any more. Answers whether there was one.
    pub fn unsubscribe(&mut self, id: SubscriptionId, fx: &mut Vec<Effect>) -> bool {
        let left = self.subscriptions.leave(id);
        if let Some(subscription) = &left {
            self.shrink(subscription.interest, fx);
        }
        left.is_some()
    }

    /// Takes in what happened.
    pub fn handle(&mut self, cx: &mut Cx<'_>, event: Event<'_>, fx: &mut Vec<Effect>) {
        let mut env = Env { now: cx.now, probe: cx.probe, fx };
        match event {
            Event::Interest { node, .. } if node == self.author.addr => {}
            Event::Interest { node, pattern, group, present: true, members } => {
                if self.interests.set(Some(node), &pattern, group.as_ref(), members).is_err() {
                    env.probe.count(Counter::InterestsRefused);
                }
            }
            Event::Interest { node, pattern, group, present: false, members: _ } => {
                self.interests.unset(Some(node), &pattern, group.as_ref());
            }
            Event::Forget { node } => {
                self.interests.forget(node);
                self.slow.remove(&node);
            }
            Event::Arrived { from, incarnation, header, groups, body } => {
                self.arrived(&mut env, Arrival { from, incarnation, header, groups, body });
            }
            Event::Receipt { from, receipt } if receipt.incarnation == self.author.incarnation => {
                self.open.receipt(&mut env, from, &receipt);
            }
            Event::Receipt { .. } => {}
            Event::Outcome { seq, part, node, outcome } => {
                if outcome != Outcome::Delivered {
                    self.lost(&mut env, node);
                }
                self.open.outcome(&mut env, (seq, part), node, outcome);
            }
            Event::Reachable { node, incarnation } => {
                if self.peers.reached(node, incarnation) {
                    self.open.lost(&mut env, node, true);
                }
            }
            Event::Unreachable { node } => self.peers.lost_reach(node, env.now, self.open.awaits(node)),
            Event::Consumed { subscription: id, messages } => {
                if let Some(subscription) = self.subscriptions.get_mut(id) {
                    subscription.consumed(&mut env, id, messages);
                }
            }
            Event::ClientGone { client } => {
                for id in self.subscriptions.of_client(client) {
                    self.end(&mut env, id, |_| Ended::ClientGone);
                }
            }
            Event::Drain => self.draining = true,
        }
    }

    /// Acts on deadlines that have come.
    pub fn handle_timeout(&mut self, cx: &mut Cx<'_>, fx: &mut Vec<Effect>) {
        let mut env = Env { now: cx.now, probe: cx.probe, fx };
        for pattern in self.untold.drain(..) {
            env.fx.push(Effect::Interest { pattern, group: None, present: true, members: 1 });
        }
        while let Some(node) = self.peers.take_lost(env.now) {
            self.open.lost(&mut env, node, false);
        }
        self.open.handle_timeout(&mut env);
        self.history.handle_timeout(cx.now);
    }

    /// The next deadline and who wants it.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        let untold = (!self.untold.is_empty()).then_some((Time::ZERO, "topics: tell what history wants"));
        let lost = self.peers.next_lost().map(|due| (due, "topics: a node out of reach"));
        earlier(earlier(untold, lost), earlier(self.open.poll_timeout(), self.history.poll_timeout()))
    }

    /// Whether the arrival of publications is to be told.
    #[must_use]
    pub const fn awaits_receipts(&self) -> bool {
        self.open.awaits_any()
    }

    /// Takes in a publication of another node.
    fn arrived(&mut self, env: &mut Env<'_>, arrival: Arrival<'_>) {
        env.probe.count(Counter::PublicationsArrived);
        let Self { interests, cache, subscriptions, history, .. } = self;
        let text = arrival.header.topic;
        let make = || {
            let topic = Topic::new(text).ok()?;
            let rule = history.rule(&topic);
            Some((topic, rule))
        };
        let sound = arrival.is_sound().then_some(());
        let Some(matches) = sound.and_then(|()| cache.look_up(text, interests, make)) else {
            env.probe.count(Counter::PublicationsMalformed);
            return;
        };
        let mut doomed = Doomed::new();
        arrival.deliver(&mut arrive::Step { env, interests, subscriptions, history, doomed: &mut doomed }, matches);
        self.end_all(env, doomed);
    }

    /// Hands what was replayed to a new subscription: what fits, and of that the newest.
    fn bring_up_to_date(
        &mut self,
        env: &mut Env<'_>,
        id: SubscriptionId,
        subscribe: &Subscribe,
        replay: Replay,
    ) -> Recovery {
        let Replay { publications, missing, unknown } = replay;
        let mut bytes = 0;
        let queued = publications.iter().rev().take(subscribe.queue.count).take_while(|publication| {
            bytes += publication.weight();
            bytes <= subscribe.queue.weight
        });
        let fits = queued.count() + subscribe.credit.max(1) as usize;
        let skipped = publications.len().saturating_sub(fits);
        let replayed = publications.len() - skipped;
        let mut doomed = Doomed::new();
        for publication in publications.into_iter().skip(skipped) {
            self.subscriptions.deliver_to(env, id, &mut Shared::new(publication), &mut doomed);
        }
        let missing = missing + skipped as u64;
        Recovery { recovered: missing == 0 && !unknown, replayed, missing }
    }

    /// Counts a publication that a node did not get, and names the node unless that was done a moment ago.
    fn lost(&mut self, env: &mut Env<'_>, node: NodeAddr) {
        env.probe.count(Counter::PublicationsLost);
        if self.slow.len() >= OWNERS_MAX && !self.slow.contains_key(&node) {
            return;
        }
        let slow = self.slow.entry(node).or_default();
        slow.dropped += 1;
        if slow.told.is_none_or(|told| env.now >= told + SLOW_INTERVAL) {
            slow.told = Some(env.now);
            env.fx.push(Effect::SlowNode { node, dropped: slow.dropped });
        }
    }

    /// Ends subscriptions as their policy demands.
    fn end_all(&mut self, env: &mut Env<'_>, doomed: Doomed) {
        for id in doomed {
            self.end(env, id, Subscription::overrun);
        }
    }

    /// Ends a subscription that nobody asked to end.
    fn end(&mut self, env: &mut Env<'_>, id: SubscriptionId, why: impl FnOnce(&Subscription) -> Ended) {
        if let Some(mut subscription) = self.subscriptions.leave(id) {
            let reason = why(&subscription);
            subscription.end(env, id, reason);
            self.shrink(subscription.interest, env.fx);
        }
    }

    /// An interest of this node has a subscription less.
    fn shrink(&mut self, interest: InterestId, fx: &mut Vec<Effect>) {
        let size = self.subscriptions.size(interest);
        let grouped = self.interests.is_grouped(interest);
        if !size.is_empty() && !grouped {
            return;
        }
        let (text, group) = self.interests.describe(interest);
        let members = u32::try_from(size.subscriptions).unwrap_or(u32::MAX);
        if size.is_empty() {
            self.interests.remove(interest);
        } else {
            self.interests.resize(interest, members);
        }
        fx.push(Effect::Interest { pattern: Pattern::trusted(text), group, present: !size.is_empty(), members });
    }
}

/// What a member of a group, or a subscription to what nobody keeps, gets from before.
const NOTHING_RECOVERED: Recovery = Recovery { recovered: false, replayed: 0, missing: 0 };
