//! Remote calls: what an application asks for and is told, and what travels for it.

use alloc::{boxed::Box, sync::Arc};
use core::time::Duration;

use bytes::Bytes;

use super::{Answer, Event, Node, Outcome};
use crate::{
    cx::Cx,
    directory,
    error::Rejected,
    id::{Incarnation, NodeAddr, Token},
    probe::Counter,
    rpc::{self, Call, CallId, Entry, Invocation, InvocationId, Reply, Room, ServiceName, Stop},
    wire::v1::{self, Port},
};

/// What an application asks of the calls.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub enum CallCommand {
    /// Serves a service from now on, or serves it otherwise.
    Register(Box<Entry>),
    /// Serves it no more.
    Unregister {
        /// The service.
        service: ServiceName,
        /// The client that serves it; `None`: the node itself.
        client: Option<Arc<str>>,
    },
    /// Makes a call. Answered when it is complete.
    Call(Box<Call>),
    /// Wants no answer to a call any more. Answered by the call's completion.
    Cancel {
        /// The token that the call was made with.
        call: Token,
    },
    /// A handler answers. This is answered if it was an item, or if it was not taken.
    Reply {
        /// What it answers.
        invocation: InvocationId,
        /// The answer.
        reply: Reply,
    },
    /// Items of a streaming reply were taken in.
    Consumed {
        /// The token that the call was made with.
        call: Token,
        /// How many.
        items: u64,
        /// How many bytes they had.
        bytes: u64,
    },
}

/// What an application is told of calls.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "trace", derive(serde::Serialize, serde::Deserialize))]
pub enum CallEvent {
    /// A handler shall run a call.
    Invoke(Box<Invocation>),
    /// A handler shall stop.
    Stop {
        /// What it runs.
        invocation: InvocationId,
        /// Why.
        why: Stop,
    },
    /// The caller of a streaming reply has more room.
    Writable {
        /// The call that is answered.
        invocation: InvocationId,
        /// The room, in all. A handler that keeps to it need not wait to hear that an item was taken.
        room: Room,
    },
    /// An item of a streaming reply.
    Item {
        /// The token that the call was made with.
        call: Token,
        /// The item.
        payload: Bytes,
    },
}

impl Node {
    pub(super) fn call_command(&mut self, token: Token, command: CallCommand) -> Result<(), Rejected> {
        let Self { calls, calling, rngs, probe, fx, last_now, .. } = self;
        let mut cx = Cx { now: *last_now, rng: &mut rngs.calls, probe };
        match command {
            CallCommand::Register(entry) => {
                calls.register(&mut cx, *entry, &mut fx.calls)?;
                self.answer(token, Answer::Accepted);
            }
            CallCommand::Unregister { service, client } => {
                calls.unregister(&mut cx, &service, client.as_deref(), &mut fx.calls);
                self.answer(token, Answer::Accepted);
            }
            CallCommand::Call(call) => {
                let id = calls.call(&mut cx, token, *call, &mut fx.calls)?;
                calling.insert(token, id);
            }
            CallCommand::Cancel { call } => {
                if let Some(&id) = calling.get(&call) {
                    calls.cancel(&mut cx, id, &mut fx.calls);
                }
            }
            CallCommand::Reply { invocation, reply } => {
                let is_item = matches!(reply, Reply::Item(_));
                match calls.reply(&mut cx, invocation, reply, &mut fx.calls) {
                    Ok(()) if is_item => self.answer(token, Answer::Accepted),
                    Ok(()) => {}
                    Err(why) => self.answer(token, Answer::NotTaken(why)),
                }
            }
            CallCommand::Consumed { call, items, bytes } => {
                if let Some(&id) = calling.get(&call) {
                    calls.consumed(&mut cx, id, items, bytes, &mut fx.calls);
                }
            }
        }
        Ok(())
    }

    pub(super) fn tell_calls(&mut self, event: rpc::Event<'_>) {
        let Self { calls, rngs, probe, fx, last_now, .. } = self;
        calls.handle(&mut Cx { now: *last_now, rng: &mut rngs.calls, probe }, event, &mut fx.calls);
    }

    /// A parcel of another node's calls.
    pub(super) fn take_call(&mut self, from: NodeAddr, incarnation: Incarnation, head: &Bytes, body: Bytes) {
        match v1::Call::decode(head) {
            Ok(header) => self.tell_calls(rpc::Event::Received { from, incarnation, header, body }),
            Err(_) => self.probe.count(Counter::CallsMalformed),
        }
    }

    /// What became of a parcel of this node's calls.
    pub(super) fn call_settled(&mut self, id: u64, outcome: Outcome) {
        self.tell_calls(rpc::Event::Sent { id, outcome });
    }

    pub(super) fn settle_calls(&mut self) {
        if self.fx.calls.is_empty() {
            return;
        }
        let mut effects = core::mem::take(&mut self.fx.calls);
        for effect in effects.drain(..) {
            self.on_call_effect(effect);
        }
        super::settle::keep_larger(&mut self.fx.calls, effects);
    }

    fn on_call_effect(&mut self, effect: rpc::Effect) {
        match effect {
            rpc::Effect::Send { to, id, header, body, deadline } => {
                // What takes no time at all is not refused for it.
                let deadline = deadline.max(Duration::from_nanos(1));
                self.say(to, id, &header, body, deadline);
            }
            rpc::Effect::Invoke(invocation) => self.tell(Event::Call(CallEvent::Invoke(Box::new(invocation)))),
            rpc::Effect::CancelInvocation { invocation, why } => {
                self.tell(Event::Call(CallEvent::Stop { invocation, why }));
            }
            rpc::Effect::Writable { invocation, room } => {
                self.tell(Event::Call(CallEvent::Writable { invocation, room }));
            }
            rpc::Effect::Item { token, call: _, payload } => {
                self.tell(Event::Call(CallEvent::Item { call: token, payload }));
            }
            rpc::Effect::Completed { token, call, at, completion } => {
                self.forget_call(token, call);
                self.answer(token, Answer::Called { at, completion });
            }
            rpc::Effect::Announce { entry, present } => {
                let place = self.offers.set_service(entry, present);
                self.tell_directory(directory::Event::Changed { place });
            }
        }
    }

    /// Hands to the flow what the calls have to say.
    fn say(&mut self, to: NodeAddr, id: Option<u64>, header: &[u8], body: Bytes, deadline: Duration) {
        let Self { ports, heads, probe, last_now, .. } = self;
        let content = (heads.join(&[header]), body);
        match id {
            None => ports.say(Port::Calls, *last_now, probe, to, content, deadline),
            // What is not taken is told as its outcome.
            Some(_) => drop(ports.post(Port::Calls, *last_now, probe, to, id, content, deadline)),
        }
    }

    /// A token may have been used again for another call.
    fn forget_call(&mut self, token: Token, call: CallId) {
        if self.calling.get(&token) == Some(&call) {
            self.calling.remove(&token);
        }
    }
}
