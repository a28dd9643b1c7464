//! The handle of a running node.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use proto_core::{
    id::{NodeAddr, NodeName},
    limits::TRACE_TIMEOUT,
    node::{Answer, Command, Endpoint, Found, Hop, Node, Outcome, Peer},
    probe::Counter,
    secure::PublicKey,
    time::Time,
};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    clock::{Clock, SystemClock},
    common::Common,
    error::{IncomingError, RequestError, SendError, StartError, Stopped},
    events::Events,
    incoming::Incoming,
    info::{self, PeerInfo, RouteInfo},
    net::{Net, TokioNet},
    options::MeshOptions,
    request::{Request, ShutdownReport},
    sender::{SendOptions, Sender},
    start,
};

/// Hops of a trace that wait for the application. More are dropped.
const HOPS: usize = 256;

/// A node of the mesh in this process. Cheap to clone. The node runs on the runtime it was started on until
/// [`Mesh::shutdown`], or until every handle, [`Sender`] and [`Incoming`] is gone: then it says goodbye and ends.
#[derive(Clone, Debug)]
pub struct Mesh {
    pub(crate) inner: Arc<Inner>,
}

/// What keeps a node running.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) common: Arc<Common>,
    pub(crate) requests: mpsc::Sender<Request>,
    pub(crate) deadline: Duration,
    pub(crate) max_payload: usize,
    /// How many requests of [`Inner::tell`] still wait for room in the queue.
    pub(crate) late: watch::Sender<usize>,
}

/// What became of a message to several receivers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryReport {
    /// Those who have it, in order of address.
    pub acknowledged: Vec<Receiver>,
    /// Those who do not, or may not, and why.
    pub failed: Vec<(Receiver, Outcome)>,
}

/// A receiver of a message to several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// Its address.
    pub addr: NodeAddr,
    /// Its name, if this node has met it.
    pub name: Option<NodeName>,
}

impl Mesh {
    /// Starts a node on the current tokio runtime. Its listeners are bound when this returns.
    ///
    /// # Errors
    /// [`StartError`]; nothing runs then.
    pub async fn start(options: MeshOptions) -> Result<Self, StartError> {
        Self::start_on(options, TokioNet, SystemClock::new()).await
    }

    /// Starts a node with sockets and time of another kind: those of a simulator.
    ///
    /// # Errors
    /// [`StartError`]; nothing runs then.
    pub async fn start_on<N: Net, C: Clock>(options: MeshOptions, net: N, clock: C) -> Result<Self, StartError> {
        start::start(options, net, clock).await.map(|inner| Self { inner: Arc::new(inner) })
    }

    /// The node's name.
    #[must_use]
    pub fn name(&self) -> &NodeName {
        &self.inner.common.name
    }

    /// The node's public key.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.inner.common.key
    }

    /// Where it listens, in the order of [`MeshOptions::listen`], with the ports that were taken.
    #[must_use]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.inner.common.local_addrs
    }

    /// Sends to one node, and waits until it is known what became of the message.
    ///
    /// # Errors
    /// [`SendError`] if it was not sent, or if the node ended meanwhile.
    pub async fn send(&self, to: &str, payload: impl Into<Bytes>) -> Result<Outcome, SendError> {
        Ok(self.sender(to)?.send(payload).await?)
    }

    /// Sends to one node, with more said about it, and waits until it is known what became of the message.
    ///
    /// # Errors
    /// [`SendError`] if it was not sent, or if the node ended meanwhile.
    pub async fn send_with(
        &self,
        to: &str,
        payload: impl Into<Bytes>,
        options: SendOptions,
    ) -> Result<Outcome, SendError> {
        Ok(self.sender(to)?.send_with(payload, options).await?)
    }

    /// Sends without asking what becomes of the message: see [`Sender::post`]. Many messages to one receiver go faster
    /// through a [`Sender`].
    ///
    /// # Errors
    /// [`SendError`] if it was not sent.
    pub async fn post(&self, to: &str, payload: impl Into<Bytes>) -> Result<(), SendError> {
        Ok(self.sender(to)?.post(payload).await?)
    }

    /// A sender to one node. It need not be within reach.
    ///
    /// # Errors
    /// [`SendError`] if the name is none, or the node is over.
    pub fn sender(&self, to: &str) -> Result<Sender, SendError> {
        let outlet = self.inner.common.outlet(to)?;
        Ok(Sender::new(outlet, Arc::clone(&self.inner)))
    }

    /// Sends one message to several nodes, and waits until every outcome is known. It arrives after everything that was
    /// sent to the same receivers before.
    ///
    /// # Errors
    /// [`RequestError`] if nothing was sent, or if the node ended meanwhile.
    pub async fn send_many<'a>(
        &self,
        to: impl IntoIterator<Item = &'a str>,
        payload: impl Into<Bytes>,
    ) -> Result<DeliveryReport, RequestError> {
        let to = to.into_iter().map(NodeName::new).collect::<Result<Vec<_>, _>>()?;
        to.iter().for_each(|name| self.inner.common.note_name(name));
        let to = to.iter().map(NodeName::addr).collect();
        let command = Command::SendMany { to, payload: payload.into(), deadline: self.inner.deadline };
        Ok(self.delivery_report(self.inner.ask(command).await?))
    }

    /// Sends one message to every node within reach, and waits until every outcome is known. It arrives after everything
    /// that was sent before.
    ///
    /// # Errors
    /// [`RequestError`] if nothing was sent, or if the node ended meanwhile.
    pub async fn broadcast(&self, payload: impl Into<Bytes>) -> Result<DeliveryReport, RequestError> {
        self.broadcast_within(payload, self.inner.deadline).await
    }

    /// As [`Mesh::broadcast`], with a deadline of its own.
    ///
    /// # Errors
    /// [`RequestError`] if nothing was sent, or if the node ended meanwhile.
    pub async fn broadcast_within(
        &self,
        payload: impl Into<Bytes>,
        deadline: Duration,
    ) -> Result<DeliveryReport, RequestError> {
        let command = Command::Broadcast { payload: payload.into(), deadline };
        Ok(self.delivery_report(self.inner.ask(command).await?))
    }

    /// The messages for this node, and for those of its clients that nobody else takes the messages of.
    ///
    /// # Errors
    /// [`IncomingError::Taken`] while another [`Incoming`] of this kind exists.
    pub fn incoming(&self) -> Result<Incoming, IncomingError> {
        let feed = self.inner.common.inboxes.claim_main().ok_or(IncomingError::Taken)?;
        Ok(Incoming::new(feed, None, Arc::clone(&self.inner)))
    }

    /// The messages for one client of this node, which is present as long as the [`Incoming`] exists.
    ///
    /// # Errors
    /// [`IncomingError`].
    pub async fn client(&self, client: &str) -> Result<Incoming, IncomingError> {
        let client: Arc<str> = Arc::from(client);
        let feed = self.inner.common.inboxes.claim_client(&client).ok_or(IncomingError::Taken)?;
        let incoming = Incoming::new(feed, Some(Arc::clone(&client)), Arc::clone(&self.inner));
        self.inner.told().await;
        self.set_client(&client, true).await?;
        Ok(incoming)
    }

    /// Says whether a client is at this node. Messages for it come through [`Mesh::incoming`].
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn set_client(&self, client: &str, present: bool) -> Result<(), RequestError> {
        self.inner.ask(Command::SetClient { client: Arc::from(client), present }).await.map(drop)
    }

    /// Dials a peer from now on, or changes how.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn connect(&self, peer: Peer) -> Result<(), RequestError> {
        self.inner.ask(Command::Connect(peer)).await.map(drop)
    }

    /// Dials a peer no longer, and closes its link.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn disconnect(&self, peer: &str) -> Result<(), RequestError> {
        self.inner.ask(Command::Disconnect { peer: NodeName::new(peer)? }).await.map(drop)
    }

    /// Looks a node up.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn find_node(&self, name: &str) -> Result<Option<Found>, RequestError> {
        self.find_node_within(name, TRACE_TIMEOUT).await
    }

    /// As [`Mesh::find_node`], with a deadline of its own.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn find_node_within(&self, name: &str, deadline: Duration) -> Result<Option<Found>, RequestError> {
        let command = Command::FindNode { name: NodeName::new(name)?, deadline };
        match self.inner.ask(command).await? {
            Answer::Found(found) => Ok(found),
            Answer::Sent(_)
            | Answer::SentMany(_)
            | Answer::Traced { .. }
            | Answer::Published(_)
            | Answer::Subscribed(_)
            | Answer::Called { .. }
            | Answer::NotTaken(_)
            | Answer::Accepted
            | Answer::Rejected(_)
            | Answer::Drained { .. } => Ok(None),
        }
    }

    /// Asks every node on the way to one, and waits for the answers. In order of distance; the last is the destination
    /// if [`Hop::last`] says so.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn trace(&self, to: &str) -> Result<Vec<Hop>, RequestError> {
        self.trace_within(to, TRACE_TIMEOUT).await
    }

    /// As [`Mesh::trace`], with a deadline of its own.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn trace_within(&self, to: &str, deadline: Duration) -> Result<Vec<Hop>, RequestError> {
        let mut hops = self.probe(to, true, deadline).await?;
        hops.sort_by_key(|hop| hop.hop);
        Ok(hops)
    }

    /// Asks a node for an answer; `None` if it gave none in time.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn ping(&self, to: &str) -> Result<Option<Hop>, RequestError> {
        self.ping_within(to, TRACE_TIMEOUT).await
    }

    /// As [`Mesh::ping`], with a deadline of its own.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn ping_within(&self, to: &str, deadline: Duration) -> Result<Option<Hop>, RequestError> {
        Ok(self.probe(to, false, deadline).await?.into_iter().find(|hop| hop.last))
    }

    /// Every neighbour, and every peer that is dialled.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn peers(&self) -> Result<Vec<PeerInfo>, Stopped> {
        let mut peers = self.inspect(info::peers).await?;
        let errors = self.dial_errors();
        for dial in peers.iter_mut().filter_map(|peer| peer.dial.as_mut()) {
            let said = errors.iter().find(|(endpoint, _)| Some(endpoint) == dial.endpoint.as_ref());
            dial.last_error = said.map(|(_, error)| error.clone());
        }
        Ok(peers)
    }

    /// The ways to all other nodes within reach.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn routes(&self) -> Result<Vec<RouteInfo>, Stopped> {
        self.inspect(|node, _| info::routes(node)).await
    }

    /// What happens to the node from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        Events::new(self.inner.common.watch())
    }

    /// Every counter of node and shell by its name.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn counters(&self) -> Result<BTreeMap<&'static str, u64>, Stopped> {
        let core = |node: &Node, _: Time| -> BTreeMap<&'static str, u64> {
            Counter::ALL.iter().map(|counter| (counter.name(), node.probe().get(*counter))).collect()
        };
        let mut all = self.inspect(core).await?;
        all.extend(self.inner.common.counters.all());
        Ok(all)
    }

    /// Why endpoints could not be reached when they were last tried. An endpoint that was reached since is not in it.
    #[must_use]
    pub fn dial_errors(&self) -> Vec<(Endpoint, String)> {
        self.inner.common.dial_errors()
    }

    /// The name of a node's address, if this node has met it.
    #[must_use]
    pub fn name_of(&self, addr: NodeAddr) -> Option<NodeName> {
        self.inner.common.name_of(addr)
    }

    /// Looks at the node between two of its turns, and tells it the present moment on the node's clock. Be quick: the
    /// node stands still meanwhile.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn inspect<R: Send + 'static>(
        &self,
        look: impl FnOnce(&Node, Time) -> R + Send + 'static,
    ) -> Result<R, Stopped> {
        let (sender, seen) = oneshot::channel();
        let look = Box::new(move |node: &Node, now: Time| {
            // One who gave up waiting misses nothing.
            let _ = sender.send(look(node, now));
        });
        self.inner.requests.send(Request::Inspect(look)).await.map_err(|_| Stopped)?;
        seen.await.map_err(|_| Stopped)
    }

    /// Shuts the node down: takes nothing new, waits up to `deadline` until everything under way is answered, says
    /// goodbye on every link and waits until the sockets are empty. A second call waits for the first.
    ///
    /// # Errors
    /// [`Stopped`] if the node had ended already.
    pub async fn shutdown(&self, deadline: Duration) -> Result<ShutdownReport, Stopped> {
        let (report, told) = oneshot::channel();
        self.inner.requests.send(Request::Shutdown { deadline, report }).await.map_err(|_| Stopped)?;
        told.await.map_err(|_| Stopped)
    }

    /// Waits until the node has ended: because it was shut down, or because its task failed. A program that serves others
    /// through the node watches this, and does not go on without one.
    pub async fn ended(&self) {
        self.inner.requests.closed().await;
    }

    async fn probe(&self, to: &str, every_hop: bool, deadline: Duration) -> Result<Vec<Hop>, RequestError> {
        let to = NodeName::new(to)?;
        if to == *self.name() {
            // No frame leaves for this node itself: it answers right here, unless it is over.
            self.inspect(|_, _| ()).await?;
            return Ok(vec![Hop { hop: 0, name: to, rtt: Duration::ZERO, last: true, stopped: None }]);
        }
        let (sender, mut hops) = mpsc::channel(HOPS);
        let command = Command::Trace { to: to.addr(), every_hop, deadline };
        self.inner.request(command, Some(sender)).await?;
        let mut all = Vec::new();
        while let Ok(hop) = hops.try_recv() {
            all.push(hop);
        }
        Ok(all)
    }

    fn delivery_report(&self, answer: Answer) -> DeliveryReport {
        let mut report = DeliveryReport::default();
        if let Answer::SentMany(outcomes) = answer {
            for (addr, outcome) in outcomes {
                let receiver = Receiver { addr, name: self.name_of(addr) };
                match outcome {
                    Outcome::Delivered => report.acknowledged.push(receiver),
                    Outcome::Rejected(_) | Outcome::Unknown => report.failed.push((receiver, outcome)),
                }
            }
        }
        report
    }
}

impl Inner {
    /// Has the node do something, and waits for its answer.
    pub(crate) async fn ask(&self, command: Command) -> Result<Answer, RequestError> {
        self.request(command, None).await
    }

    async fn request(&self, command: Command, hops: Option<mpsc::Sender<Hop>>) -> Result<Answer, RequestError> {
        let (sender, answer) = oneshot::channel();
        let request = Request::Command { command, answer: sender, hops };
        self.requests.send(request).await.map_err(|_| Stopped)?;
        match answer.await.map_err(|_| Stopped)? {
            Answer::Rejected(rejected) => Err(rejected.into()),
            answer @ (Answer::Sent(_)
            | Answer::SentMany(_)
            | Answer::Traced { .. }
            | Answer::Found(_)
            | Answer::Published(_)
            | Answer::Subscribed(_)
            | Answer::Called { .. }
            | Answer::NotTaken(_)
            | Answer::Accepted
            | Answer::Drained { .. }) => Ok(answer),
        }
    }

    /// Has the node do something as soon as it can, without waiting for an answer. What must not overtake it waits for
    /// [`Inner::told`].
    pub(crate) fn tell(self: &Arc<Self>, command: Command) {
        let request = Request::Command { command, answer: oneshot::channel().0, hops: None };
        let Err(mpsc::error::TrySendError::Full(request)) = self.requests.try_send(request) else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let inner = Arc::clone(self);
            inner.late.send_modify(|late| *late += 1);
            runtime.spawn(async move {
                // It fails only when the node is over, and then there is nobody to tell.
                drop(inner.requests.send(request).await);
                inner.late.send_modify(|late| *late -= 1);
            });
        }
    }

    /// Waits until everything that [`Inner::tell`] was given before is in the queue.
    async fn told(&self) {
        // It fails only when there is no sender, which `self` has.
        drop(self.late.subscribe().wait_for(|late| *late == 0).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        future::Future as _,
        pin::pin,
        task::{Context, Waker},
    };

    #[tokio::test]
    async fn a_client_does_not_come_back_before_the_node_knows_that_it_went() {
        let (requests, mut queue) = mpsc::channel(1);
        let name = NodeName::new("a").unwrap();
        let common = Arc::new(Common::new(name, PublicKey([1; 32]), Vec::new(), Arc::default()));
        let inner =
            Arc::new(Inner { common, requests, deadline: Duration::ZERO, max_payload: 0, late: watch::Sender::new(0) });
        let (mesh, client) = (Mesh { inner: Arc::clone(&inner) }, Arc::from("desk"));
        let feed = inner.common.inboxes.claim_client(&client).unwrap();
        inner.tell(Command::SetClient { client: Arc::from("other"), present: true });
        // The queue is full by now.
        drop(Incoming::new(feed, Some(client), inner));
        let mut back = pin!(mesh.client("desk"));
        assert!(back.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        let mut told = Vec::new();
        while told.len() < 3 {
            tokio::select! {
                request = queue.recv() => {
                    let Some(Request::Command { command: Command::SetClient { client, present }, answer, .. }) = request
                    else {
                        panic!("nothing else is asked for");
                    };
                    told.push((client, present));
                    let _ = answer.send(Answer::Accepted);
                }
                _ = &mut back => panic!("nobody has let it in"),
            }
        }
        let told: Vec<_> = told.iter().map(|(client, present)| (&**client, *present)).collect();
        assert_eq!(told, [("other", true), ("desk", false), ("desk", true)]);
    }
}
