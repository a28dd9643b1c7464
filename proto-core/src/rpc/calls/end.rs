//! How calls of this node end, or go on elsewhere.

use alloc::vec::Vec;

use super::{Calls, Completion, Env, pending::Stage};
use crate::{
    probe::Counter,
    rpc::{CallId, Effect},
};

impl Calls {
    /// The application wants no answer any more. Returns whether the call was pending.
    pub(in super::super) fn cancel(&mut self, env: &mut Env<'_>, id: CallId) -> bool {
        let Some(pending) = self.pending.get(id.0) else { return false };
        let progress = pending.progress(env.now);
        pending.call_off(env, id.0);
        self.end(env, id.0, Completion::Cancelled(progress));
        true
    }

    /// A client is gone, and so is who would hear of its calls.
    pub(in super::super) fn client_gone(&mut self, env: &mut Env<'_>, client: &str) {
        let of_client = self.pending.iter().filter(|(_, pending)| pending.from_client.as_deref() == Some(client));
        for number in of_client.map(|(number, _)| number).collect::<Vec<_>>() {
            self.cancel(env, CallId(number));
        }
    }

    /// No handler has seen the call at its provider, and none will there: it goes on elsewhere, if it may. A provider of
    /// this node is asked for free, so trying another costs nothing of the budget.
    pub(super) fn refused(&mut self, env: &mut Env<'_>, number: u64, why: Completion, here: bool) {
        let Some(pending) = self.pending.get_mut(number) else { return };
        if let Some(known) = pending.known {
            self.directory.refused(known, env.now);
        }
        self.release(env, number);
        let Some(pending) = self.pending.get(number) else { return };
        let may = pending.may_move() && pending.kept > 0 && env.now < pending.deadline;
        if may && (here || self.budget.spend()) {
            env.probe.count(Counter::CallsRetried);
            self.attempt(env, number, Some(why));
            return;
        }
        if may {
            env.probe.count(Counter::CallsNotRetried);
        }
        self.end(env, number, why);
    }

    /// The one completion of a call.
    pub(super) fn end(&mut self, env: &mut Env<'_>, number: u64, completion: Completion) {
        self.release(env, number);
        let Some(pending) = self.pending.remove(number) else { return };
        self.kept_bytes -= pending.kept;
        if !matches!(completion, Completion::Ok(_) | Completion::AppError(_)) {
            env.probe.count(Counter::CallsFailed);
        }
        env.fx.push(Effect::Completed { token: pending.token, call: CallId(number), at: pending.at, completion });
    }

    /// The provider has the call no more.
    fn release(&mut self, env: &mut Env<'_>, number: u64) {
        let Some(pending) = self.pending.get_mut(number) else { return };
        if pending.stage == Stage::NotSent {
            return;
        }
        pending.stage = Stage::NotSent;
        pending.life = None;
        if let Some(known) = pending.known.take() {
            self.directory.call_ends(known);
        }
        if let Some(at) = &pending.at {
            env.peers.call_ends(at.node);
        }
    }
}
