//! Subscribing.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_core::Stream;
use proto_core::{
    node::{Answer, Command, Mailbox},
    pubsub::{
        Ended, Group, Pattern, Policy, Position, Publication, Recovery, Resume, Subscribe, SubscriptionId, Topic,
    },
    queue::Limit,
};
use tokio::sync::oneshot;

use super::subscriber::{Delivery, Item, Registered, Subscriber, What};
use crate::{
    error::{Stopped, SubscribeError},
    mesh::{Inner, Mesh},
    orders::Order,
};

/// How many publications a subscription's owner is handed before it has taken any.
const CREDIT: u32 = 4_096;
/// Most publications that wait at the node beyond that.
const QUEUE_MESSAGES: usize = 65_536;
/// What they weigh at most.
const QUEUE_BYTES: usize = 64 * 1_024 * 1_024;
/// How long a new subscription waits until every node within reach knows it.
const KNOWN_WITHIN: Duration = Duration::from_secs(1);

/// What may be said about a subscription beside its pattern. [`SubscribeOptions::default`] gives every default; change
/// what differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscribeOptions {
    /// The queue group, if only one of its members in the mesh shall get each publication.
    pub group: Option<String>,
    /// The client of this node that it belongs to.
    pub client: Option<Arc<str>>,
    /// What happens when its queue is full.
    pub policy: Policy,
    /// Most publications, and most bytes, that wait at the node for a subscription that does not keep up.
    pub queue: Limit,
    /// How many publications wait here, beside that, until they are taken; at least 1.
    pub credit: u32,
    /// What it gets from before, of what the node keeps.
    pub resume: Resume,
    /// How long subscribing waits until every node within reach knows of it. `None`: not at all.
    pub known_within: Option<Duration>,
}

impl Default for SubscribeOptions {
    fn default() -> Self {
        Self {
            group: None,
            client: None,
            policy: Policy::DropOldest,
            queue: Limit { count: QUEUE_MESSAGES, weight: QUEUE_BYTES },
            credit: CREDIT,
            resume: Resume::Live,
            known_within: Some(KNOWN_WITHIN),
        }
    }
}

impl SubscribeOptions {
    /// As a member of a queue group.
    #[must_use]
    pub fn group(mut self, group: &str) -> Self {
        self.group = Some(group.to_owned());
        self
    }

    /// On behalf of a client of this node.
    #[must_use]
    pub fn client(mut self, client: impl Into<Arc<str>>) -> Self {
        self.client = Some(client.into());
        self
    }

    /// With this rule for a full queue.
    #[must_use]
    pub const fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// With a queue of so many publications and bytes.
    #[must_use]
    pub const fn queue(mut self, messages: usize, bytes: usize) -> Self {
        self.queue = Limit { count: messages, weight: bytes };
        self
    }

    /// With so many publications handed over before any is taken.
    #[must_use]
    pub const fn credit(mut self, credit: u32) -> Self {
        self.credit = credit;
        self
    }

    /// Beginning with the last publications of each topic.
    #[must_use]
    pub fn last(mut self, publications: usize) -> Self {
        self.resume = Resume::Last(publications);
        self
    }

    /// Beginning after these positions, each the last that the subscriber has of its topic.
    #[must_use]
    pub fn since(mut self, positions: impl IntoIterator<Item = (Topic, Position)>) -> Self {
        self.resume = Resume::After(positions.into_iter().collect());
        self
    }

    /// What the node is asked for.
    fn subscribe(&self, pattern: &str) -> Result<Subscribe, SubscribeError> {
        Ok(Subscribe {
            pattern: Pattern::new(pattern)?,
            group: self.group.as_deref().map(Group::new).transpose()?,
            client: self.client.clone(),
            policy: self.policy,
            queue: self.queue,
            credit: self.credit.max(1),
            resume: self.resume.clone(),
        })
    }
}

/// The publications of one subscription, in the order in which they were published by each publisher. Dropping it ends the
/// subscription.
///
/// What the owner does not take waits: first here, then at the node, up to the bounds of [`SubscribeOptions`]; then its
/// policy decides. Nobody else is slowed down.
#[derive(Debug)]
pub struct Subscription {
    registered: Registered,
    subscriber: Arc<Subscriber>,
    taken: VecDeque<Item>,
    /// Given to the application and not told to the node.
    untold: u32,
    known: bool,
    ended: Option<Ended>,
    inner: Arc<Inner>,
}

impl Subscription {
    /// The next publication; `None` once the subscription was ended, see [`Subscription::ended`], or the node is over.
    pub async fn recv(&mut self) -> Option<Arc<Publication>> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// Appends the publications that are there, at most `max`, and waits for the first if there is none. Answers how many;
    /// zero as [`Subscription::recv`] says `None`.
    pub async fn recv_many(&mut self, into: &mut Vec<Arc<Publication>>, max: usize) -> usize {
        let Some(first) = self.recv().await else { return 0 };
        into.push(first);
        let mut count = 1;
        while count < max
            && let Some(next) = self.give()
        {
            into.push(next);
            count += 1;
        }
        count
    }

    /// The next publication, if there is one now.
    pub fn try_recv(&mut self) -> Option<Arc<Publication>> {
        if self.taken.is_empty() {
            self.subscriber.feed.try_take(&mut self.taken);
        }
        self.give()
    }

    /// Names it in what [`Mesh::topics`] and events tell.
    #[must_use]
    pub const fn id(&self) -> SubscriptionId {
        self.registered.id
    }

    /// How it was brought up to date, if that was asked for.
    #[must_use]
    pub const fn recovery(&self) -> Option<Recovery> {
        self.registered.recovery
    }

    /// Whether every node within reach knew of it when it was returned. If not, publications of some nodes come later.
    #[must_use]
    pub const fn was_known(&self) -> bool {
        self.known
    }

    /// Why the node has ended it, once [`Subscription::recv`] said `None`; `None` if it did not, or the node is over.
    #[must_use]
    pub const fn ended(&self) -> Option<Ended> {
        self.ended
    }

    /// How many publications were dropped because they were not taken, as far as the node has told: it tells when it
    /// begins, and then now and then.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.subscriber.dropped()
    }

    fn poll_recv(&mut self, cx: &Context<'_>) -> Poll<Option<Arc<Publication>>> {
        if self.ended.is_some() {
            return Poll::Ready(None);
        }
        if self.taken.is_empty() && ready!(self.subscriber.feed.poll_take(cx, &mut self.taken)).is_none() {
            return Poll::Ready(None);
        }
        Poll::Ready(self.give())
    }

    /// Hands a publication to the application. The node is told before it could have to wait for that.
    fn give(&mut self) -> Option<Arc<Publication>> {
        let Item { tell_at, what, .. } = self.taken.pop_front()?;
        match what {
            What::Publication(publication) => {
                self.untold += 1;
                if self.untold >= tell_at {
                    self.inner.common.consume(Mailbox::Subscription(self.id()), u64::from(self.untold));
                    self.untold = 0;
                }
                Some(publication)
            }
            What::Ended(reason) => {
                self.ended = Some(reason);
                None
            }
            // Whoever ended it does not take from it any more.
            What::Gone => None,
        }
    }
}

impl Stream for Subscription {
    type Item = Arc<Publication>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Arc<Publication>>> {
        self.get_mut().poll_recv(cx)
    }
}

impl Mesh {
    /// Subscribes to the topics that a pattern matches: `site.*.door`, or `site.>` for all that begin so. When this
    /// returns, every node within reach knows of it; [`Subscription::was_known`] says if one did not within a second.
    ///
    /// # Errors
    /// [`SubscribeError`].
    pub async fn subscribe(&self, pattern: &str) -> Result<Subscription, SubscribeError> {
        self.subscribe_with(pattern, SubscribeOptions::default()).await
    }

    /// Subscribes as a member of a queue group: each publication goes to one of its members in the whole mesh.
    ///
    /// # Errors
    /// [`SubscribeError`].
    pub async fn queue_subscribe(&self, pattern: &str, group: &str) -> Result<Subscription, SubscribeError> {
        self.subscribe_with(pattern, SubscribeOptions::default().group(group)).await
    }

    /// Subscribes with more said about it.
    ///
    /// # Errors
    /// [`SubscribeError`].
    pub async fn subscribe_with(
        &self,
        pattern: &str,
        options: SubscribeOptions,
    ) -> Result<Subscription, SubscribeError> {
        let subscriber = Arc::new(Subscriber::new());
        self.inner.common.close_at_end(&subscriber);
        let (registered, known) = self.inner.register(pattern, &options, &subscriber).await?;
        let inner = Arc::clone(&self.inner);
        Ok(Subscription { registered, subscriber, taken: VecDeque::new(), untold: 0, known, ended: None, inner })
    }
}

impl Inner {
    /// Makes a subscription that delivers to `subscriber`, and waits until it is known. Whether it is.
    pub(super) async fn register(
        &self,
        pattern: &str,
        options: &SubscribeOptions,
        subscriber: &Arc<Subscriber>,
    ) -> Result<(Registered, bool), SubscribeError> {
        let subscribe = Box::new(options.subscribe(pattern)?);
        let to = Delivery { to: Arc::clone(subscriber), tell_at: (subscribe.credit / 2).max(1) };
        let (answer, registered) = oneshot::channel();
        self.common.order(Order::Subscribe { subscribe, to, answer })?;
        // Right behind it, so that waiting costs no turn of its own.
        let known = options.known_within.map(|deadline| self.await_known(deadline));
        let registered = match registered.await.map_err(|_| Stopped)? {
            Ok(registered) => registered,
            Err(Answer::Rejected(rejected)) => return Err(rejected.into()),
            // The node answers a subscription with nothing else.
            Err(
                Answer::Sent(_)
                | Answer::SentMany(_)
                | Answer::Traced { .. }
                | Answer::Found(_)
                | Answer::Published(_)
                | Answer::Subscribed(_)
                | Answer::Called { .. }
                | Answer::NotTaken(_)
                | Answer::Accepted
                | Answer::Drained { .. },
            ) => return Err(Stopped.into()),
        };
        let known = match known {
            Some(known) => matches!(known.await, Ok(Answer::Accepted)),
            None => false,
        };
        Ok((registered, known))
    }

    /// Asks to be told when every node within reach knows what this one offers by now.
    pub(crate) fn await_known(&self, deadline: Duration) -> oneshot::Receiver<Answer> {
        let (answer, known) = oneshot::channel();
        // A node that is over drops the sender.
        let _ = self.common.order(Order::Command { command: Command::AwaitKnown { deadline }, answer });
        known
    }
}
