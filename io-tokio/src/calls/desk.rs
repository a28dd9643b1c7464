//! The engine's side of calls and services: which handler runs a call, and who gets the items of a reply.
//!
//! Bounds: one entry per service of this node, per call that runs here and per streaming call of this node, all of which
//! the node bounds.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use proto_core::{
    collections::DetMap,
    id::Token,
    node::{Answer, CallCommand, CallEvent, Command, Input},
    rpc::{AppError, Entry, Invocation, InvocationId, Reply, ServiceName, Stop},
};
use tokio::sync::oneshot;

use super::{
    ItemFeed,
    flight::{Flight, Handler},
    request::HANDLER_GONE,
};
use crate::{common::Common, pending::Pending};

/// A service of this node: its name, and on whose behalf it is served.
type Served = (ServiceName, Option<Arc<str>>);

/// Handlers and callers. See the module's first lines.
pub(crate) struct CallDesk {
    max_payload: u64,
    asked: DetMap<Token, Asked>,
    services: DetMap<Served, (Token, Handler)>,
    flights: DetMap<InvocationId, Arc<Flight>>,
    streams: DetMap<Token, Arc<ItemFeed>>,
}

struct Asked {
    served: Served,
    answer: oneshot::Sender<Answer>,
}

impl CallDesk {
    /// Nothing is served, nothing called. No payload is larger than `max_payload`.
    pub(crate) fn new(max_payload: usize) -> Self {
        Self {
            max_payload: max_payload as u64,
            asked: DetMap::with_seed(0),
            services: DetMap::with_seed(0),
            flights: DetMap::with_seed(0),
            streams: DetMap::with_seed(0),
        }
    }

    /// Asks the node to serve a service. `None` if it is served already: `answer` is dropped.
    pub(crate) fn serve(
        &mut self,
        token: Token,
        entry: Box<Entry>,
        handler: Handler,
        answer: oneshot::Sender<Answer>,
    ) -> Option<Input> {
        let served = (entry.service.clone(), entry.client.clone());
        if self.services.contains_key(&served) {
            return None;
        }
        self.services.insert(served.clone(), (token, handler));
        self.asked.insert(token, Asked { served, answer });
        Some(Input::Command { token, command: Command::Call(CallCommand::Register(entry)) })
    }

    /// Serves a service no more, if it is the one that was asked for with this token.
    pub(crate) fn withdraw(&mut self, token: Token, service: ServiceName, client: Option<Arc<str>>) -> Option<Input> {
        let served = (service, client);
        self.services.get(&served).filter(|(of, _)| *of == token)?;
        self.services.remove(&served);
        let (service, client) = served;
        Some(Input::Command {
            token: Pending::NOBODY,
            command: Command::Call(CallCommand::Unregister { service, client }),
        })
    }

    /// Has the items of a call go to `items`.
    pub(crate) fn stream(&mut self, token: Token, items: Arc<ItemFeed>) {
        self.streams.insert(token, items);
    }

    /// A handler answers: with anything but an item, the call is over.
    pub(crate) fn reply(&mut self, token: Token, invocation: InvocationId, reply: Reply) -> Input {
        if !matches!(reply, Reply::Item(_)) {
            self.flights.remove(&invocation);
        }
        Input::Command { token, command: Command::Call(CallCommand::Reply { invocation, reply }) }
    }

    /// Takes an answer of the node, unless it is somebody else's.
    pub(crate) fn answer(&mut self, token: Token, answer: Answer) -> Option<Answer> {
        if !self.streams.is_empty() {
            self.streams.remove(&token);
        }
        let Some(Asked { served, answer: whom }) = self.asked.remove(&token) else { return Some(answer) };
        if matches!(answer, Answer::Rejected(_)) {
            self.services.remove(&served);
        }
        // One who gave up waiting dropped the guard that withdraws the service.
        let _ = whom.send(answer);
        None
    }

    /// The node has something for a handler or a caller. Answers what it is told at once.
    pub(crate) fn event(&mut self, common: &Arc<Common>, event: CallEvent) -> Option<(InvocationId, Reply)> {
        match event {
            CallEvent::Invoke(invocation) => return self.invoke(common, invocation),
            CallEvent::Stop { invocation, why } => {
                if let Some(flight) = self.flights.get(&invocation) {
                    flight.stop(why);
                }
            }
            CallEvent::Writable { invocation, room } => {
                if let Some(flight) = self.flights.get(&invocation) {
                    flight.has_room(room);
                }
            }
            CallEvent::Item { call, payload } => self.item(call, payload),
        }
        None
    }

    fn invoke(&mut self, common: &Arc<Common>, invocation: Box<Invocation>) -> Option<(InvocationId, Reply)> {
        let id = invocation.id;
        let Some((_, handler)) = self.services.get(&(invocation.service.clone(), invocation.client.clone())) else {
            return Some((id, Reply::Error(AppError::new(HANDLER_GONE, "the handler has just gone"))));
        };
        let flight = Arc::new(Flight::new(&invocation, self.max_payload, Arc::clone(common)));
        self.flights.insert(id, Arc::clone(&flight));
        handler(flight, invocation);
        None
    }

    fn item(&self, call: Token, payload: Bytes) {
        if let Some(items) = self.streams.get(&call)
            && items.push(payload)
        {
            items.wake();
        }
    }
}

/// The node is over: nobody waits for what still runs.
impl Drop for CallDesk {
    fn drop(&mut self) {
        self.flights.retain(|_, flight| {
            flight.stop(Stop::Cancelled);
            false
        });
    }
}

impl fmt::Debug for CallDesk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { max_payload: _, asked: _, services, flights, streams } = self;
        write!(f, "CallDesk({} services, {} running, {} streams)", services.len(), flights.len(), streams.len())
    }
}
