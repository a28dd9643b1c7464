//! The calls that this node serves: taken in, refused, queued, run, stopped, answered.
//!
//! A call is taken in when it arrives, and kept until its handler has answered, went away, or did not stop in time. While
//! it waits it may leave without a trace: cancelled, or past its deadline.
//!
//! Bounds: [`INVOCATIONS_MAX`] and [`INVOCATIONS_PER_NODE_MAX`](crate::limits::INVOCATIONS_PER_NODE_MAX) calls; per
//! provider what it registered; [`SERVICE_QUEUE_BYTES`](crate::limits::SERVICE_QUEUE_BYTES) of payload that waits;
//! [`IDEMPOTENCY_JOINED_MAX`](crate::limits::IDEMPOTENCY_JOINED_MAX) callers of one run.

mod arrive;
mod finish;
mod run;

use alloc::{sync::Arc, vec::Vec};

use bytes::Bytes;

use super::{
    Caller, Effect, Entry, Invocation, InvocationId, ServiceName,
    alarms::Alarms,
    env::{Answer, Env, Waiter},
    keys::Keys,
    registry::{Endpoint, Registry},
    slots::Slots,
    view::ServedView,
};
use crate::{
    arena::Handle, collections::DetMap, error::Rejected, id::NodeAddr, limits::INVOCATIONS_MAX, probe::Counter,
    time::Time, timers::earlier, wire::v1,
};
pub(super) use arrive::Arrival;
use run::{Run, State};

/// Everything that this node serves. See the module's first lines.
#[derive(Debug)]
pub(super) struct Serving {
    registry: Registry,
    runs: Slots<Run>,
    by_call: DetMap<(NodeAddr, u64), u64>,
    alarms: Alarms,
    keys: Keys,
    waiting_bytes: usize,
    draining: bool,
}

impl Serving {
    /// No providers. `seed` varies where the tables keep things.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            registry: Registry::new(seed),
            runs: Slots::with_limit(INVOCATIONS_MAX),
            by_call: DetMap::with_seed(seed),
            alarms: Alarms::default(),
            keys: Keys::new(seed),
            waiting_bytes: 0,
            draining: false,
        }
    }

    /// Adds a provider of this node, or changes what it says and allows.
    ///
    /// # Errors
    /// [`Rejected::Busy`] if there are too many.
    pub(super) fn register(&mut self, env: &mut Env<'_>, entry: Entry) -> Result<(), Rejected> {
        let handle = self.registry.register(entry)?;
        self.serve_next(env, handle);
        Ok(())
    }

    /// Takes a provider back: what waits is refused, what runs may finish.
    pub(super) fn unregister(&mut self, env: &mut Env<'_>, service: &str, client: Option<&str>) -> Option<Entry> {
        let endpoint = self.registry.unregister(service, client)?;
        for number in endpoint.waiting {
            self.refuse_waiting(env, number, v1::CallRefusal::NoSuchService);
        }
        Some(endpoint.entry)
    }

    /// What a client serves.
    pub(super) fn services_of(&self, client: &str) -> Vec<ServiceName> {
        self.registry.services_of(client)
    }

    /// The handlers of a client are gone: what they ran is lost.
    pub(super) fn client_gone(&mut self, env: &mut Env<'_>, client: &str) {
        let of_client = self.runs.iter().filter(|(_, run)| run.client.as_deref() == Some(client));
        for number in of_client.map(|(number, _)| number).collect::<Vec<_>>() {
            self.lose(env, number);
        }
    }

    /// The node shuts down: what waits is refused, what runs may finish. Returns what is not served any more.
    pub(super) fn drain(&mut self, env: &mut Env<'_>) -> Vec<Entry> {
        self.draining = true;
        let waiting = self.runs.iter().filter(|(_, run)| run.is_waiting()).map(|(number, _)| number);
        for number in waiting.collect::<Vec<_>>() {
            self.unqueue(number);
            self.refuse_waiting(env, number, v1::CallRefusal::ShuttingDown);
        }
        self.registry.iter().map(|(_, endpoint)| endpoint.entry.clone()).collect()
    }

    /// Whether a call is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.runs.len() == 0
    }

    /// Whose handler runs a call.
    pub(super) fn handler_of(&self, id: InvocationId) -> Option<Option<&Arc<str>>> {
        self.runs.get(id.0).map(|run| run.client.as_ref())
    }

    /// What people may see of the providers.
    pub(super) fn views(&self) -> impl Iterator<Item = ServedView<'_>> {
        self.registry.views()
    }

    /// Acts on deadlines that have come.
    pub(super) fn handle_timeout(&mut self, env: &mut Env<'_>) {
        while let Some((due, number)) = self.alarms.take_due(env.now) {
            if self.runs.get_mut(number).is_some_and(|run| run.alarm.take_if(|alarm| *alarm == due).is_some()) {
                self.wake(env, number);
            }
        }
        self.keys.expire(env.now);
    }

    /// The next deadline and what for.
    pub(super) fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        let runs = self.alarms.first().map(|due| (due, "rpc: a call served here"));
        earlier(runs, self.keys.next_due().map(|due| (due, "rpc: forget a result")))
    }

    /// Drops alarms that do not count any more.
    pub(super) fn tidy(&mut self) {
        let Self { runs, alarms, .. } = self;
        alarms.tidy(runs.len(), |due, number| runs.get(number).is_some_and(|run| run.alarm == Some(due)));
    }

    /// Lets a handler begin.
    fn start(&mut self, env: &mut Env<'_>, number: u64) {
        let Some(run) = self.runs.get_mut(number) else { return };
        let begun = State::Running { since: env.now, stopped: None };
        let State::Waiting { caller, payload } = core::mem::replace(&mut run.state, begun) else { return };
        let Some(endpoint) = self.registry.get_mut(run.endpoint) else { return };
        endpoint.running += 1;
        endpoint.stats.requests += 1;
        env.probe.count(Counter::Invocations);
        env.fx.push(Effect::Invoke(Invocation {
            id: InvocationId(number),
            service: endpoint.entry.service.clone(),
            client: run.client.clone(),
            caller,
            payload,
            left: run.deadline - env.now,
            room: run.stream.map(|stream| stream.room),
        }));
        if run.told_queued {
            run.tell(env, 0);
        }
    }

    /// Lets those begin whose turn has come.
    fn serve_next(&mut self, env: &mut Env<'_>, handle: Handle<Endpoint>) {
        while let Some(endpoint) = self.registry.get_mut(handle)
            && endpoint.running < endpoint.entry.capacity.concurrency
            && let Some(number) = endpoint.waiting.pop_front()
        {
            let Some(run) = self.runs.get(number) else { continue };
            self.waiting_bytes -= run.waiting_bytes();
            if run.deadline <= env.now {
                self.expire(env, number);
            } else {
                self.start(env, number);
            }
        }
    }

    /// Sets the alarm of a call to what it waits for next.
    fn set_alarm(&mut self, number: u64) {
        let Some(run) = self.runs.get_mut(number) else { return };
        let due = run.next_due();
        if run.alarm != Some(due) {
            run.alarm = Some(due);
            self.alarms.set(due, number);
        }
    }

    /// Takes a call that waits out of the queue.
    fn unqueue(&mut self, number: u64) {
        let Some(run) = self.runs.get(number).filter(|run| run.is_waiting()) else { return };
        if let Some(endpoint) = self.registry.get_mut(run.endpoint) {
            endpoint.waiting.retain(|other| *other != number);
        }
        self.waiting_bytes -= run.waiting_bytes();
    }
}
