//! One publication of another node, to everybody here who wants it.

use alloc::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

use super::{
    Effect,
    api::{Publication, SubscriptionId},
    history::History,
    interest::Interests,
    matches::Matches,
    subscription::{Env, Shared},
    subscriptions::{Doomed, Except, Subscriptions},
    topic::Group,
};
use crate::{
    id::{Incarnation, NodeAddr},
    limits::CLIENT_NAME_MAX,
    probe::Counter,
    wire::v1,
};

/// A publication of another node.
#[derive(Debug)]
pub(super) struct Arrival<'a> {
    pub(super) from: NodeAddr,
    pub(super) incarnation: Incarnation,
    pub(super) header: v1::Publication<'a>,
    pub(super) groups: SmallVec<[&'a str; 2]>,
    pub(super) body: Bytes,
}

/// What an arrival may use. Lives for one call.
#[derive(Debug)]
pub(super) struct Step<'a, 'env> {
    pub(super) env: &'a mut Env<'env>,
    pub(super) interests: &'a mut Interests,
    pub(super) subscriptions: &'a mut Subscriptions,
    pub(super) history: &'a mut History,
    pub(super) doomed: &'a mut Doomed,
}

impl Arrival<'_> {
    /// Whether its lengths make sense. Its topic is judged where it is looked up.
    pub(super) fn is_sound(&self) -> bool {
        self.header.headers as usize <= self.body.len() && self.header.from_client.len() <= CLIENT_NAME_MAX
    }

    /// Hands it to the subscriptions and the history, and answers if the publisher wants an answer or needs one.
    pub(super) fn deliver(self, step: &mut Step<'_, '_>, matches: &Matches) {
        let Self { from, incarnation, .. } = self;
        let v1::Publication { seq, receipt, groups_only, .. } = self.header;
        let (members, vacant) = self.choose(step, matches);
        let everybody = if groups_only { &[][..] } else { &matches.here };
        let rule = matches.rule.filter(|_| !groups_only);
        let mut subscriptions = 0;
        if !everybody.is_empty() || !members.is_empty() || rule.is_some() {
            let publication = self.publication(step, matches, rule);
            let mut shared = Shared::new(publication);
            subscriptions += step.subscriptions.deliver(step.env, everybody, Except::NOBODY, &mut shared, step.doomed);
            for member in members {
                subscriptions += step.subscriptions.deliver_to(step.env, member, &mut shared, step.doomed);
            }
        } else {
            step.env.probe.count(Counter::PublicationsUnwanted);
        }
        if receipt || !vacant.is_empty() {
            step.env.fx.push(Effect::Receipt { to: from, incarnation, seq, subscriptions, vacant });
        }
    }

    /// A member of each named group, and the groups without one.
    fn choose(
        &self,
        step: &mut Step<'_, '_>,
        matches: &Matches,
    ) -> (SmallVec<[SubscriptionId; 2]>, SmallVec<[Group; 1]>) {
        let (mut members, mut vacant) = (SmallVec::new(), SmallVec::new());
        for (index, name) in self.groups.iter().enumerate() {
            if self.groups[..index].contains(name) {
                continue;
            }
            let group = matches.groups.iter().find(|group| step.interests.group(group.group).as_str() == *name);
            let member = group.and_then(|group| {
                let turn = step.interests.turn(group.group);
                step.subscriptions.choose(&group.here, turn, Except::NOBODY, self.body.len())
            });
            match member {
                Some(member) => members.push(member),
                None => vacant.extend(Group::new(name)),
            }
        }
        (members, vacant)
    }

    /// The publication as it is shared here, kept if a rule says so.
    fn publication(self, step: &mut Step<'_, '_>, matches: &Matches, rule: Option<usize>) -> Arc<Publication> {
        let Self { from, incarnation, header, mut body, .. } = self;
        let headers = body.split_to(header.headers as usize);
        let from_client = (!header.from_client.is_empty()).then(|| Arc::from(header.from_client));
        let (topic, seq) = (matches.topic.clone(), header.seq);
        let mut publication =
            Publication { topic, headers, payload: body, from, incarnation, from_client, seq, position: None };
        match rule {
            Some(rule) => {
                publication.compact();
                step.history.keep(step.env.now, rule, publication)
            }
            None => Arc::new(publication),
        }
    }
}
