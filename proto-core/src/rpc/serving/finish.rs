//! How calls that are served here come to their end.

use alloc::vec::Vec;

use super::{
    Answer, Bytes, Counter, Effect, Env, InvocationId, NodeAddr, Serving, State,
    run::{Run, Stream},
};
use crate::{
    id::Incarnation,
    limits::{CALL_ERROR_MESSAGE_MAX, HANDLER_STOP},
    rpc::{AppError, NotTaken, Reply, Stop, keys::Stored},
    wire::v1::{CallLoss, CallRefusal},
};

impl Serving {
    /// A handler answers.
    ///
    /// # Errors
    /// [`NotTaken`]: the answer counts for nothing.
    pub(in super::super) fn reply(
        &mut self,
        env: &mut Env<'_>,
        id: InvocationId,
        reply: Reply,
    ) -> Result<(), NotTaken> {
        let run = self.runs.get_mut(id.0).filter(|run| !run.is_waiting()).ok_or(NotTaken::Over)?;
        let (len, limit) = (payload_of(&reply).len() as u64, env.me.max_payload as u64);
        if len > limit {
            return Err(NotTaken::TooLarge { len, limit });
        }
        match reply {
            Reply::Item(payload) => return item(env, run, payload),
            Reply::Done(payload) => self.finish(env, id.0, Stored::Done(payload)),
            Reply::Error(error) => self.finish(env, id.0, Stored::Failed(shortened(error))),
        }
        Ok(())
    }

    /// A caller is in another life now: nobody waits for what it called before.
    pub(in super::super) fn caller_restarted(&mut self, env: &mut Env<'_>, node: NodeAddr, life: Incarnation) {
        let waits = |run: &Run| run.waiters.iter().find(|w| w.node == node && w.life < life).map(|w| w.call);
        let theirs = self.runs.iter().filter_map(|(number, run)| waits(run).map(|call| (number, call)));
        for (number, mut call) in theirs.collect::<Vec<_>>() {
            loop {
                self.leave(env, number, (node, call), Stop::CallerRestarted);
                // With a key, several calls of one caller may wait for one run.
                match self.runs.get(number).and_then(waits) {
                    Some(next) => call = next,
                    None => break,
                }
            }
        }
    }

    /// Somebody waits no more. What nobody waits for is stopped; but a caller that restarted may ask again with its key.
    pub(super) fn leave(&mut self, env: &mut Env<'_>, number: u64, (node, call): (NodeAddr, u64), why: Stop) {
        let Some(run) = self.runs.get_mut(number) else { return };
        run.waiters.retain(|waiter| (waiter.node, waiter.call) != (node, call));
        self.by_call.remove(&(node, call));
        env.peers.serving_ends(node);
        let wanted = !run.waiters.is_empty() || (run.key.is_some() && why == Stop::CallerRestarted);
        if wanted {
            self.set_alarm(number);
        } else if run.is_waiting() {
            self.unqueue(number);
            self.drop_unbegun(env, number);
        } else {
            self.stop(env, number, why);
        }
    }

    /// Something is due for a call.
    pub(super) fn wake(&mut self, env: &mut Env<'_>, number: u64) {
        let Some(run) = self.runs.get_mut(number) else { return };
        match run.state {
            State::Running { stopped: Some(stopped), .. } if stopped + HANDLER_STOP <= env.now => {
                env.probe.count(Counter::InvocationsAbandoned);
                self.lose(env, number);
                return;
            }
            State::Waiting { .. } if run.deadline <= env.now => {
                self.unqueue(number);
                self.expire(env, number);
                return;
            }
            State::Running { stopped: None, .. } if run.deadline <= env.now => {
                self.stop(env, number, Stop::DeadlinePassed);
                return;
            }
            State::Waiting { .. } | State::Running { stopped: None, .. } if run.note <= env.now => {
                let endpoint = self.registry.get(run.endpoint);
                let place = endpoint.and_then(|endpoint| endpoint.waiting.iter().position(|other| *other == number));
                let behind = place.and_then(|place| u32::try_from(place).ok()).unwrap_or_default();
                run.tell(env, behind);
            }
            State::Waiting { .. } | State::Running { .. } => {}
        }
        self.set_alarm(number);
    }

    /// A call that waits is past its deadline. Its callers know by themselves.
    pub(super) fn expire(&mut self, env: &mut Env<'_>, number: u64) {
        env.probe.count(Counter::InvocationsExpired);
        let endpoint = self.runs.get(number).map(|run| run.endpoint);
        if let Some(endpoint) = endpoint.and_then(|handle| self.registry.get_mut(handle)) {
            endpoint.stats.expired += 1;
        }
        self.drop_unbegun(env, number);
    }

    /// A call that waits, and is in no queue any more, is refused.
    pub(super) fn refuse_waiting(&mut self, env: &mut Env<'_>, number: u64, why: CallRefusal) {
        env.probe.count(Counter::InvocationsRefused);
        if let Some(run) = self.drop_unbegun(env, number) {
            for waiter in run.waiters {
                env.answer(waiter, Answer::Refused { why, load: 0 });
            }
        }
    }

    /// The handler of a call is gone.
    pub(super) fn lose(&mut self, env: &mut Env<'_>, number: u64) {
        self.finish(env, number, Stored::Lost(CallLoss::HandlerGone));
    }

    /// Tells a handler to stop; nobody waits for its answer any more.
    fn stop(&mut self, env: &mut Env<'_>, number: u64, why: Stop) {
        let Some(run) = self.runs.get_mut(number) else { return };
        if let State::Running { stopped: stopped @ None, .. } = &mut run.state {
            *stopped = Some(env.now);
            env.fx.push(Effect::CancelInvocation { invocation: InvocationId(number), why });
        }
        for waiter in run.waiters.drain(..) {
            self.by_call.remove(&(waiter.node, waiter.call));
            env.peers.serving_ends(waiter.node);
        }
        self.set_alarm(number);
    }

    /// A call that has begun is over: everybody who waits is answered, and the next ones begin.
    fn finish(&mut self, env: &mut Env<'_>, number: u64, result: Stored) {
        let Some(run) = self.runs.remove(number) else { return };
        let mut load = 0;
        if let Some(endpoint) = self.registry.get_mut(run.endpoint)
            && let State::Running { since, .. } = run.state
        {
            endpoint.running -= 1;
            endpoint.stats.answered += 1;
            endpoint.stats.busy += env.now - since;
            endpoint.stats.errors += u64::from(!matches!(result, Stored::Done(_)));
            load = endpoint.load();
        }
        let items = run.stream.map_or(0, |stream| stream.sent.items);
        for waiter in &run.waiters {
            self.by_call.remove(&(waiter.node, waiter.call));
            env.peers.serving_ends(waiter.node);
        }
        match (run.key, &*run.waiters) {
            (None, [waiter]) => env.answer(*waiter, answer(result, items, load)),
            (key, waiters) => {
                for waiter in waiters {
                    env.answer(*waiter, answer(result.clone(), items, load));
                }
                if let Some(key) = key {
                    self.keys.close(key, result, env.now);
                }
            }
        }
        self.serve_next(env, run.endpoint);
    }

    /// A call that was never begun, and is in no queue any more, is over.
    fn drop_unbegun(&mut self, env: &mut Env<'_>, number: u64) -> Option<Run> {
        let run = self.runs.remove(number)?;
        for waiter in &run.waiters {
            self.by_call.remove(&(waiter.node, waiter.call));
            env.peers.serving_ends(waiter.node);
        }
        if let Some(key) = run.key {
            self.keys.withdraw(&key);
        }
        Some(run)
    }
}

/// Sends an item, if the caller has room for it.
fn item(env: &mut Env<'_>, run: &mut Run, payload: Bytes) -> Result<(), NotTaken> {
    if run.is_stopped() {
        return Err(NotTaken::Over);
    }
    let stream: &mut Stream = run.stream.as_mut().ok_or(NotTaken::NotStreaming)?;
    if !stream.room.takes_more(stream.sent) {
        return Err(NotTaken::NoCredit);
    }
    let seq = stream.sent.items;
    stream.sent.items += 1;
    stream.sent.bytes += payload.len() as u64;
    if let [waiter] = *run.waiters {
        env.answer(waiter, Answer::Item { seq, payload });
    }
    Ok(())
}

fn answer(result: Stored, items: u64, load: u32) -> Answer {
    match result {
        Stored::Done(payload) => Answer::Done { items, load, payload },
        Stored::Failed(error) => Answer::Failed { items, load, error },
        Stored::Lost(why) => Answer::Lost { why },
    }
}

fn payload_of(reply: &Reply) -> &Bytes {
    match reply {
        Reply::Item(payload) | Reply::Done(payload) => payload,
        Reply::Error(error) => &error.payload,
    }
}

/// The error with a message that fits a header.
fn shortened(error: AppError) -> AppError {
    if error.message.len() <= CALL_ERROR_MESSAGE_MAX {
        return error;
    }
    AppError { message: error.message[..error.message.floor_char_boundary(CALL_ERROR_MESSAGE_MAX)].into(), ..error }
}
