//! The production substrate: everything that the engine's loop does to the outside world.
//!
//! One task runs the loop and owns all of it. [`Substrate::wait`] collects from every source that is ready, beginning
//! with another one each time, and never more than the engine asks for. The sources: sockets, opened channels, requests
//! of handles, posted messages, the store, the calendar. Nothing here waits for one source alone.

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    mem,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll, ready},
};

use proto_core::{
    drive::Substrate,
    engine::{Engine, Sink},
    error::Rejected,
    id::Token,
    node::{Answer, CallCommand, CallEvent, Command, Event, Input, Message, Output, TopicEvent},
    time::Time,
};
use tokio::{sync::mpsc, task::JoinSet};
use tracing::{debug, error, info, warn};

use crate::{
    admission::Admission,
    alarm::{Alarm, Calendar},
    arrival::Arrival,
    calls::CallDesk,
    channels::Channels,
    clock::Clock,
    common::Common,
    data::{DataDir, Store},
    dialer::Dialer,
    egress::Egress,
    net::Net,
    orders::Order,
    pending::Pending,
    request::{Inspection, Request},
    stop::Stop,
    topics::{Pacing, TopicDesk},
};

/// How many sources take turns in being asked first.
const SOURCES: usize = 6;

/// The substrate of one node. Dropped in this order: whoever learns that the node is over can start it again.
pub(crate) struct Shell<N: Net, C: Clock> {
    pub(crate) store: Store,
    /// Held so that no other process uses the directory.
    pub(crate) _data_dir: Option<DataDir>,
    pub(crate) clock: C,
    pub(crate) common: Arc<Common>,
    pub(crate) channels: Channels<N::Stream>,
    pub(crate) dialer: Dialer<N>,
    pub(crate) listeners: JoinSet<()>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) arrivals: mpsc::Receiver<Arrival<N::Stream>>,
    pub(crate) egress: Egress,
    pub(crate) state: ShellState,
    pub(crate) requests: mpsc::Receiver<Request>,
    pub(crate) _end: End,
}

/// Tells the handles that the node is over, when it is dropped.
pub(crate) struct End(pub(crate) Arc<Common>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// What the loop remembers from turn to turn.
pub(crate) struct ShellState {
    now: Time,
    alarm: Alarm,
    calendar: Calendar,
    pending: Pending,
    inspections: Vec<Inspection>,
    messages: VecDeque<Message>,
    events: VecDeque<Event>,
    orders: VecDeque<Order>,
    /// What the shell itself tells the node.
    own: VecDeque<Input>,
    topics: TopicDesk,
    calls: CallDesk,
    pacing: Pacing,
    stop: Stop,
    /// How many handlers were given a call, and callers their answer, that had no turn since.
    answerable: usize,
    first: usize,
}

impl ShellState {
    /// Nothing happened yet. No payload is larger than `max_payload`.
    pub(crate) fn new(max_payload: usize) -> Self {
        Self {
            now: Time::ZERO,
            alarm: Alarm::new(),
            calendar: Calendar::default(),
            pending: Pending::new(),
            inspections: Vec::new(),
            messages: VecDeque::new(),
            events: VecDeque::new(),
            orders: VecDeque::new(),
            own: VecDeque::new(),
            topics: TopicDesk::new(),
            calls: CallDesk::new(max_payload),
            pacing: Pacing::default(),
            stop: Stop::new(),
            answerable: 0,
            first: 0,
        }
    }
}

impl<N: Net, C: Clock> Sink for Shell<N, C> {
    fn output(&mut self, output: Output) {
        match output {
            Output::Dial { dial, endpoint } => self.dialer.dial(dial, endpoint),
            Output::Write { channel, bytes } => self.channels.write(channel, bytes),
            Output::Close { channel } => self.channels.close(channel, self.state.now),
            Output::Persist { ticket, record } => self.store.persist(ticket, record),
            Output::Event(Event::Message(message)) => self.deliver(message),
            Output::Event(Event::Topic(TopicEvent::Publication { subscription, publication })) => {
                self.state.topics.publication(subscription, publication);
            }
            Output::Event(Event::Call(event)) => self.call_event(event),
            Output::Event(Event::Done { token, answer }) => self.answer(token, *answer),
            Output::Event(Event::Hop { token, hop }) => self.state.pending.hop(token, hop),
            Output::Event(event) => {
                if let Event::Topic(event) = &event {
                    self.state.topics.event(event);
                }
                self.note(&event);
                self.state.events.push_back(event);
            }
        }
    }
}

impl<N: Net, C: Clock> Substrate for Shell<N, C> {
    fn now(&mut self) -> Time {
        self.state.now = self.clock.now();
        self.state.now
    }

    fn flush(&mut self) {
        self.channels.flush(self.state.now);
        if !self.state.messages.is_empty() {
            self.common.inboxes.main.push_all(&mut self.state.messages);
        }
        if !self.state.events.is_empty() {
            self.common.publish(&mut self.state.events);
        }
        self.state.topics.flush();
    }

    fn inspect(&mut self, engine: &Engine) {
        let node = engine.node();
        for look in self.state.inspections.drain(..) {
            look(node, self.state.now);
        }
        self.egress.refresh(|to| node.messages().backlog(to));
        if self.state.pacing.must_look() {
            self.state.pacing.look(self.state.now, node.publication_flows());
        }
        self.common.consumed.set_awaited(node.messages().holds_back());
    }

    fn wait(&mut self, until: Option<Time>, max: usize, into: &mut Vec<Input>) -> impl Future<Output = bool> {
        poll_fn(move |cx| self.poll_wait(cx, until, max, into))
    }
}

impl<N: Net, C: Clock> Shell<N, C> {
    fn poll_wait(
        &mut self,
        cx: &mut Context<'_>,
        until: Option<Time>,
        max: usize,
        into: &mut Vec<Input>,
    ) -> Poll<bool> {
        // Sources that are always ready must not keep the runtime's other tasks from running.
        let coop = ready!(tokio::task::coop::poll_proceed(cx));
        if self.state.topics.must_yield() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let now = self.now();
        let before = into.len();
        loop {
            self.collect(cx, now, max.saturating_sub(into.len() - before), into);
            // After collecting, so that a wish to stop that was just collected has its effect now.
            if self.stop(now, into) {
                return Poll::Ready(false);
            }
            let due = until.is_some_and(|until| until <= now);
            let look = !self.state.inspections.is_empty() || self.egress.must_ask() || self.state.pacing.must_ask();
            if into.len() > before || due || look {
                coop.made_progress();
                return Poll::Ready(true);
            }
            // Those who answer at once have their answers go out together with what waits already. For one alone that
            // would not pay: the sooner the other end is awake, the sooner it has the answer.
            if mem::take(&mut self.state.answerable) > 1 && self.channels.has_unwritten() {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            // Nothing more comes at once: what was held back goes out now.
            let busy = self.channels.is_busy() || self.egress.is_busy() || self.state.pacing.is_busy();
            if !self.channels.flush_all(now) && !busy {
                break;
            }
        }
        let own = [self.channels.deadline(), self.state.stop.deadline(), self.state.pacing.deadline()];
        let until = own.into_iter().flatten().chain(until).min();
        ready!(self.state.alarm.poll(cx, now, until));
        coop.made_progress();
        Poll::Ready(true)
    }

    fn collect(&mut self, cx: &mut Context<'_>, now: Time, max: usize, into: &mut Vec<Input>) {
        let end = into.len() + max;
        if max == 0 {
            return;
        }
        if let Some(wall) = self.state.calendar.check(now, || self.clock.wall()) {
            into.push(Input::Clock { wall });
        }
        let room = |into: &Vec<Input>| end.saturating_sub(into.len());
        if room(into) > 0
            && let Some(persisted) = self.store.poll(cx)
        {
            into.push(persisted);
        }
        // Whoever consumes from here on wakes this task, so that nothing consumed is left lying until something else does.
        self.common.ready.listen(cx);
        // A share is left to the other sources, however many subscriptions consume.
        self.common.consumed.take(room(into).div_ceil(2), into);
        self.state.first = (self.state.first + 1) % SOURCES;
        for turn in 0..SOURCES {
            match (self.state.first + turn) % SOURCES {
                0 => self.channels.poll(cx, now, room(into), into),
                1 => self.poll_arrivals(cx, room(into), into),
                2 => self.poll_requests(cx, room(into), into),
                3 => self.poll_orders(room(into), into),
                4 => self.poll_publications(room(into), into),
                _ => self.poll_egress(cx, room(into), into),
            }
        }
        self.egress.release(room(into), into);
    }

    fn poll_arrivals(&mut self, cx: &mut Context<'_>, max: usize, into: &mut Vec<Input>) {
        for _ in 0..max {
            let Poll::Ready(Some(arrival)) = self.arrivals.poll_recv(cx) else { return };
            match arrival {
                Arrival::Accepted(opened) if self.state.stop.is_asked() => drop(opened),
                Arrival::Accepted(opened) => self.channels.open(None, opened),
                Arrival::Dialled { dial, endpoint, result: Ok(opened) } => {
                    self.common.note_dial(&endpoint, None);
                    self.channels.open(Some(dial), opened);
                }
                Arrival::Dialled { dial, endpoint, result: Err(error) } => {
                    debug!(%endpoint, %error, "a dial failed");
                    self.common.counters.dials_failed.add(1);
                    self.common.note_dial(&endpoint, Some(error.to_string()));
                    into.push(Input::DialFailed { dial });
                }
            }
        }
    }

    fn poll_requests(&mut self, cx: &mut Context<'_>, max: usize, into: &mut Vec<Input>) {
        for _ in 0..max {
            match self.requests.poll_recv(cx) {
                Poll::Pending => return,
                Poll::Ready(Some(Request::Command { command, answer, hops })) => {
                    let token = self.state.pending.track(answer, hops);
                    self.request(cx, token, command, into);
                }
                Poll::Ready(Some(Request::Inspect(look))) => self.state.inspections.push(look),
                Poll::Ready(Some(Request::Shutdown { deadline, report })) => {
                    self.begin_stop(self.state.now + deadline);
                    self.state.stop.report_to(report);
                }
                // Every handle is gone, and with them everybody who could want something.
                Poll::Ready(None) => return self.begin_stop(self.state.now),
            }
        }
    }

    /// Passes a request on, or has it wait for what was posted before it.
    fn request(&mut self, cx: &Context<'_>, token: Token, command: Command, into: &mut Vec<Input>) {
        match command {
            Command::SendMany { .. } | Command::Broadcast { .. } => {
                if !self.egress.hold(cx, token, command) {
                    self.state.pending.answer(token, Answer::Rejected(Rejected::Busy));
                }
            }
            Command::Send(_)
            | Command::Trace { .. }
            | Command::FindNode { .. }
            | Command::Connect(_)
            | Command::Disconnect { .. }
            | Command::SetClient { .. }
            | Command::Topic(_)
            | Command::Call(_)
            | Command::AwaitKnown { .. }
            | Command::Drain { .. } => into.push(Input::Command { token, command }),
        }
    }

    fn poll_egress(&mut self, cx: &Context<'_>, max: usize, into: &mut Vec<Input>) {
        // A share is left to the other sources, however fast the application posts.
        let max = max - max / 4;
        let pending = &mut self.state.pending;
        self.egress.poll(cx, max, into, |report| match report {
            Some(report) => pending.track(report, None),
            None => Pending::NOBODY,
        });
    }

    fn poll_publications(&mut self, max: usize, into: &mut Vec<Input>) {
        // A share is left to the other sources, however fast the application publishes.
        let max = max - max / 4;
        let before = into.len();
        let pending = &mut self.state.pending;
        self.state.pacing.poll(&self.common.press, max, into, |receipt| match receipt {
            Some(receipt) => pending.track(receipt, None),
            None => Pending::NOBODY,
        });
        self.state.topics.note_published(into.len() - before);
    }

    fn poll_orders(&mut self, max: usize, into: &mut Vec<Input>) {
        let end = into.len() + max;
        if self.state.orders.is_empty() {
            self.common.orders.take(&mut self.state.orders);
        }
        while into.len() < end
            && let Some(input) = self.state.own.pop_front()
        {
            into.push(input);
        }
        while into.len() < end
            && let Some(order) = self.state.orders.pop_front()
        {
            into.extend(self.take_order(order));
        }
    }

    /// What the node is told for an order.
    fn take_order(&mut self, order: Order) -> Option<Input> {
        let ShellState { pending, topics, calls, .. } = &mut self.state;
        let call = |token, command| Some(Input::Command { token, command: Command::Call(command) });
        match order {
            Order::Command { command, answer } => Some(Input::Command { token: pending.track(answer, None), command }),
            Order::Subscribe { subscribe, to, answer } => {
                Some(topics.subscribe(pending.fresh(), subscribe, to, answer))
            }
            Order::Unsubscribe(subscription) => Some(topics.unsubscribe(subscription)),
            Order::Serve { token, entry, handler, answer } => calls.serve(token, entry, handler, answer),
            Order::Withdraw { token, service, client } => calls.withdraw(token, service, client),
            Order::Call { token, call: made, items, answer } => {
                pending.track_as(token, answer);
                if let Some(items) = items {
                    calls.stream(token, items);
                }
                call(token, CallCommand::Call(made))
            }
            Order::Cancel(token) => call(Pending::NOBODY, CallCommand::Cancel { call: token }),
            Order::ItemsTaken { token, items, bytes } => {
                call(Pending::NOBODY, CallCommand::Consumed { call: token, items, bytes })
            }
            Order::Reply { invocation, reply } => Some(calls.reply(Pending::NOBODY, invocation, reply)),
        }
    }

    /// Passes an answer of the node to whoever waits for it.
    fn answer(&mut self, token: Token, answer: Answer) {
        let state = &mut self.state;
        if token == Pending::NOBODY || state.stop.drained(state.now, token, &answer) {
            return;
        }
        state.answerable += usize::from(matches!(answer, Answer::Called { .. }));
        let rest = state.topics.answer(&self.common, token, answer);
        if let Some(answer) = rest.and_then(|answer| state.calls.answer(token, answer)) {
            state.pending.answer(token, answer);
        }
    }

    fn call_event(&mut self, event: CallEvent) {
        self.state.answerable += usize::from(matches!(event, CallEvent::Invoke(_)));
        if let Some((invocation, reply)) = self.state.calls.event(&self.common, event) {
            let input = self.state.calls.reply(Pending::NOBODY, invocation, reply);
            self.state.own.push_back(input);
        }
    }

    fn note_topic(&self, event: &TopicEvent) {
        match event {
            TopicEvent::Slow { subscription, client, dropped, queued } => {
                let client = client.as_deref();
                info!(?subscription, client, dropped, queued, "a subscription does not keep up");
            }
            TopicEvent::SlowNode { node, dropped } => {
                let name = self.common.name_of(*node);
                let name = name.as_ref().map_or("?", |name| name.as_str());
                warn!(node = name, dropped, "a node does not keep up with what is published here");
            }
            TopicEvent::Ended { subscription, client, reason } => {
                info!(?subscription, client = client.as_deref(), %reason, "a subscription was ended");
            }
            TopicEvent::Publication { .. } => {}
        }
    }

    fn begin_stop(&mut self, deadline: Time) {
        if self.state.stop.begin(deadline) {
            self.listeners.abort_all();
            self.common.seal_outlets();
        }
    }

    /// Takes the next step of a shutdown. Whether it is over.
    fn stop(&mut self, now: Time, into: &mut Vec<Input>) -> bool {
        if !self.state.stop.is_asked() {
            return false;
        }
        let unsent = self.egress.waiting() + self.state.pacing.waiting() + self.common.posted();
        if let Some(deadline) = self.state.stop.must_drain(now, unsent) {
            let token = self.state.pending.fresh();
            self.state.stop.draining(now, token, deadline, unsent);
            into.push(Input::Command { token, command: Command::Drain { deadline } });
        }
        self.state.stop.is_over(now, self.channels.is_empty() && self.store.is_idle())
    }

    fn deliver(&mut self, message: Message) {
        let Some(client) = &message.to_client else { return self.state.messages.push_back(message) };
        match self.common.inboxes.client(client) {
            Some(feed) => {
                let mut batch = VecDeque::from([message]);
                feed.push_all(&mut batch);
                // It is left over if the client's consumer went away this moment.
                self.state.messages.append(&mut batch);
            }
            None => self.state.messages.push_back(message),
        }
    }

    fn note(&self, event: &Event) {
        match event {
            Event::LinkUp { peer, incarnation, remote } => {
                self.common.note_name(peer);
                if let Ok(remote) = remote.parse::<SocketAddr>() {
                    self.admission.proven(remote);
                }
                info!(%peer, %incarnation, %remote, "link up");
            }
            Event::LinkDown { peer, reason } => info!(%peer, %reason, "link down"),
            Event::LinkFailed { peer, remote, reason, retry_in } => {
                let peer = peer.as_ref().map_or("?", |peer| peer.as_str());
                let error = self.common.dial_error(remote);
                let retry_in_ms = retry_in.map(|pause| u64::try_from(pause.as_millis()).unwrap_or(u64::MAX));
                info!(peer, %remote, %reason, error = error.as_deref(), retry_in_ms, "no link");
            }
            Event::Reachable { node, incarnation } => {
                self.common.note_name(node);
                debug!(%node, %incarnation, "reachable");
            }
            Event::Unreachable { node } => debug!(%node, "unreachable"),
            Event::KeyConflict { name, pinned, shown } => {
                warn!(%name, %pinned, %shown, "another key than the one the name is pinned to");
            }
            Event::IdentityInUse { incarnation } => {
                error!(%incarnation, "another process uses this node's identity");
            }
            Event::Unpinned { name, key } => {
                warn!(%name, %key, "no room for another name: this one is no longer pinned to its key");
            }
            Event::StoreFailed => error!("the store failed"),
            Event::Misuse(misuse) => error!(%misuse, "the shell broke the contract of the core"),
            Event::Topic(event) => self.note_topic(event),
            Event::Message(_) | Event::Done { .. } | Event::Hop { .. } | Event::Call(_) => {}
        }
    }
}
