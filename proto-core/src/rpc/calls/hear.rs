//! What is heard of calls: from providers, from the transport, from the routes.

use super::{Calls, Completion, Env, NodeAddr, Overload, pending::Stage};
use crate::{
    error::Rejected,
    id::Incarnation,
    node::Outcome,
    probe::Counter,
    rpc::{CallId, Effect, Loss, Progress, env::Answer},
    wire::v1::{CallLoss, CallRefusal, CallStage},
};

use core::time::Duration;

impl Calls {
    /// A provider answers.
    pub(in super::super) fn answered(
        &mut self,
        env: &mut Env<'_>,
        (from, life): (NodeAddr, Incarnation),
        number: u64,
        answer: Answer,
    ) {
        let Some(pending) = self.pending.get_mut(number) else {
            env.probe.count(Counter::CallsLate);
            return;
        };
        let asked = pending.stage != Stage::NotSent && pending.at.as_ref().is_some_and(|at| at.node == from);
        if !asked || pending.life.is_some_and(|before| life < before) {
            env.probe.count(Counter::CallsLate);
            return;
        }
        pending.life = Some(life);
        let whole = |items: u64| pending.inbound.is_none_or(|inbound| inbound.items == items);
        match answer {
            Answer::Progress { stage } => {
                pending.stage = match stage {
                    CallStage::Queued { behind } => Stage::Queued { behind },
                    CallStage::Running { for_us } => Stage::Running { time: Duration::from_micros(for_us) },
                };
                pending.told = env.now;
            }
            Answer::Item { seq, payload } => {
                if pending.inbound.as_mut().is_some_and(|inbound| inbound.arrive(seq, payload.len())) {
                    env.fx.push(Effect::Item { token: pending.token, call: CallId(number), payload });
                } else {
                    pending.call_off(env, number);
                    self.end(env, number, Completion::Lost(Loss::ItemsMissing));
                }
            }
            Answer::Done { items, load, payload } => {
                let whole = whole(items);
                self.told(number, load);
                let missing = Completion::Lost(Loss::ItemsMissing);
                self.end(env, number, if whole { Completion::Ok(payload) } else { missing });
            }
            Answer::Failed { items, load, error } => {
                let whole = whole(items);
                self.told(number, load);
                let missing = Completion::Lost(Loss::ItemsMissing);
                self.end(env, number, if whole { Completion::AppError(error) } else { missing });
            }
            Answer::Refused { why, load } => {
                self.told(number, load);
                self.refused(env, number, refusal(why), from == env.me.addr);
            }
            Answer::Lost { why: CallLoss::HandlerGone } => {
                self.end(env, number, Completion::Lost(Loss::HandlerGone));
            }
            Answer::Lost { why: CallLoss::ResultForgotten } => {
                self.end(env, number, Completion::Lost(Loss::ResultForgotten));
            }
            Answer::Lost { why: CallLoss::AnswerLost } => {
                pending.call_off(env, number);
                self.end(env, number, Completion::Lost(Loss::AnswerLost));
            }
        }
    }

    /// The transport tells what became of a request. An answer may have come before, or the call may be elsewhere by now.
    pub(in super::super) fn sent(&mut self, env: &mut Env<'_>, id: u64, outcome: Outcome) {
        let (number, one_try) = (id >> super::TRY_BITS, id & ((1 << super::TRY_BITS) - 1));
        let Some(pending) = self.pending.get_mut(number) else { return };
        if u64::from(pending.tries) != one_try + 1 || pending.stage != Stage::Sent {
            return;
        }
        let late = pending.deadline <= env.now;
        match outcome {
            Outcome::Delivered => {
                pending.stage = Stage::Delivered;
                pending.told = env.now;
            }
            Outcome::Rejected(Rejected::NoRoute | Rejected::DeadlinePassed) if late => {
                self.end(env, number, Completion::Timeout(Progress::NotSent));
            }
            Outcome::Rejected(why) => self.refused(env, number, unsent(why), false),
            Outcome::Unknown if late => {
                let progress = pending.progress(env.now);
                self.end(env, number, Completion::Timeout(progress));
            }
            Outcome::Unknown => self.end(env, number, Completion::PeerRestarted),
        }
    }

    /// A node is in another life now. What is only on its way will be told by the transport.
    pub(in super::super) fn restarted(&mut self, env: &mut Env<'_>, node: NodeAddr, life: Incarnation) {
        let there = |pending: &super::Pending| {
            !matches!(pending.stage, Stage::NotSent | Stage::Sent) && pending.life.is_none_or(|before| before < life)
        };
        for number in self.at(node, there) {
            self.end(env, number, Completion::PeerRestarted);
        }
    }

    /// A node has been out of reach for too long.
    pub(in super::super) fn lost(&mut self, env: &mut Env<'_>, node: NodeAddr) {
        for number in self.at(node, |pending| pending.stage != Stage::NotSent) {
            if let Some(pending) = self.pending.get(number) {
                pending.call_off(env, number);
            }
            self.end(env, number, Completion::Unreachable { sent: true });
        }
    }

    fn told(&mut self, number: u64, load: u32) {
        if let Some(known) = self.pending.get(number).and_then(|pending| pending.known) {
            self.directory.told(known, load);
        }
    }
}

/// What a provider's refusal means to the caller.
const fn refusal(why: CallRefusal) -> Completion {
    match why {
        CallRefusal::NoSuchService => Completion::NoResponder,
        CallRefusal::QueueFull => Completion::Overloaded(Overload::QueueFull),
        CallRefusal::TooManyCalls => Completion::Overloaded(Overload::TooManyCalls),
        CallRefusal::TooManyKeys => Completion::Overloaded(Overload::TooManyKeys),
        CallRefusal::ShuttingDown => Completion::Overloaded(Overload::ShuttingDown),
        CallRefusal::Malformed => Completion::Rejected(Rejected::Other(why as u8)),
    }
}

/// What it means to the caller that a request will never arrive.
const fn unsent(why: Rejected) -> Completion {
    match why {
        Rejected::NoRoute => Completion::Unreachable { sent: false },
        Rejected::Busy | Rejected::ReceiverBusy => Completion::Overloaded(Overload::Transport),
        Rejected::ShuttingDown => Completion::Overloaded(Overload::ShuttingDown),
        Rejected::TooLarge { .. }
        | Rejected::NoSuchClient
        | Rejected::DeadlinePassed
        | Rejected::NoReceiver
        | Rejected::Forbidden
        | Rejected::Other(_) => Completion::Rejected(why),
    }
}
