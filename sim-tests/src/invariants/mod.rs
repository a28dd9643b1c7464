//! What must always hold, and what must hold once the mesh has settled. One file each; the file's name is the
//! invariant's id. `docs/INVARIANTS.md` lists them with their sources.
//!
//! An invariant sees facts (what a node did, one at a time), snapshots (what all nodes believe, and what is really so),
//! and the [`Oracle`]. It never sees the simulator, so a test can make up what a correct node would never do, and does.

mod eng_bounds;
mod eng_no_misuse;
mod eng_progress;
mod eng_quiet;
mod lk_backoff;
mod lk_clean_close;
mod lk_dead_peer;
mod lk_identity;
mod lk_reconnects;
mod lk_single_session;
mod msg_delivered_after_calm;
mod msg_fifo;
mod msg_no_duplicate;
mod msg_no_phantom;
mod msg_one_answer;
mod msg_outcome_truth;
mod ps_complete_after_calm;
mod ps_credit;
mod ps_filter;
mod ps_no_duplicate;
mod ps_no_gap;
mod ps_no_phantom;
mod ps_order;
mod ps_receipt_truth;
mod rc_answered_after_calm;
mod rc_at_most_once;
mod rc_capacity;
mod rc_deadline;
mod rc_definite;
mod rc_one_completion;
mod rc_progress;
mod rc_stream;
mod rt_agreed;
mod rt_complete;
mod rt_hop_limit;
mod rt_loop_free;
mod rt_no_ghosts;
mod rt_no_return;
mod rt_policy;
mod rt_sequence;
#[cfg(test)]
mod sample;

use io_sim::{Fault, HostId, HostSpec};
use proto_core::{
    id::{Incarnation, Token},
    node::{Answer, CallEvent, Event, Message, TopicEvent},
    pubsub::Publication,
    rpc::{Completion, Invocation},
    time::Time,
};

use crate::{
    oracle::{Key, Oracle, topics::SubscriptionKey},
    snapshot::Snapshot,
    verdict::Violation,
};

/// What a check finds: nothing, or what is wrong, for people.
pub type Held = Result<(), String>;

/// Something that a node did, or that the world did to it.
#[derive(Clone, Copy, Debug)]
pub struct Fact<'a> {
    /// The simulated moment.
    pub at_ms: u64,
    /// Whose.
    pub node: HostId,
    /// Which life of it.
    pub life: Incarnation,
    /// The moment on the node's own clock.
    pub local: Time,
    /// How the node is set.
    pub spec: &'a HostSpec,
    /// What.
    pub what: What<'a>,
}

impl Fact<'_> {
    /// The publication that is handed over, if that is the fact, and the subscription that gets it.
    fn publication(&self) -> Option<(SubscriptionKey, &Publication)> {
        let What::Told(Event::Topic(TopicEvent::Publication { subscription, publication })) = self.what else {
            return None;
        };
        Some((SubscriptionKey { node: self.node, life: self.life, id: *subscription }, publication))
    }

    /// The call that a handler is given, if that is the fact.
    const fn invocation(&self) -> Option<&Invocation> {
        match self.what {
            What::Told(Event::Call(CallEvent::Invoke(invocation))) => Some(invocation),
            What::Started
            | What::Struck(_)
            | What::Dialled { .. }
            | What::Told(_)
            | What::Handed { .. }
            | What::Answered { .. }
            | What::Turned { .. } => None,
        }
    }

    /// The end of a call, if that is the fact.
    fn completion(&self, oracle: &Oracle) -> Option<(Key, &Completion)> {
        let What::Answered { token, answer: Answer::Called { completion, .. } } = self.what else { return None };
        Some((oracle.request(self.node, token)?.message?, completion))
    }
}

/// What a [`Fact`] is about.
#[derive(Clone, Copy, Debug)]
pub enum What<'a> {
    /// The node's process started.
    Started,
    /// A fault strikes the node, alone or with others.
    Struck(&'a Fault),
    /// The node dials.
    Dialled {
        /// Whom.
        to: HostId,
    },
    /// The node told its application something that is none of the following.
    Told(&'a Event),
    /// The application was handed a message. The oracle knows of it already.
    Handed {
        /// The message as the application got it.
        message: &'a Message,
        /// The message that its payload names.
        key: Option<Key>,
        /// The serial that was handed over before it in the same flow.
        before: Option<u32>,
    },
    /// The application got an answer. The oracle knows of it already.
    Answered {
        /// To what.
        token: Token,
        /// The answer.
        answer: &'a Answer,
    },
    /// A turn of the node's engine is over.
    Turned {
        /// When it wants to be woken.
        due: Option<Time>,
    },
}

/// One invariant. A check that does not apply to it holds.
pub trait Invariant: std::fmt::Debug {
    /// Its id in `docs/INVARIANTS.md`.
    fn id(&self) -> &'static str;

    /// Checked whenever something happens.
    fn fact(&mut self, _fact: &Fact<'_>, _oracle: &Oracle) -> Held {
        Ok(())
    }

    /// Checked at every snapshot.
    fn always(&mut self, _snapshot: &Snapshot) -> Held {
        Ok(())
    }

    /// Must hold at some moment soon after the calm, and again at the end.
    fn settled(&mut self, _snapshot: &Snapshot) -> Held {
        Ok(())
    }

    /// Told at each look in the calm whether everything settled holds.
    fn looked(&mut self, _settled: bool) {}

    /// Checked after a time in which nothing was asked for.
    fn idle(&mut self, _before: &Snapshot, _after: &Snapshot) -> Held {
        Ok(())
    }

    /// Checked at the end.
    fn finally(&mut self, _snapshot: &Snapshot, _oracle: &Oracle) -> Held {
        Ok(())
    }
}

/// All invariants.
#[derive(Debug)]
pub struct Suite(Vec<Box<dyn Invariant>>);

impl Default for Suite {
    fn default() -> Self {
        Self(vec![
            Box::new(lk_single_session::LkSingleSession),
            Box::new(lk_identity::LkIdentity),
            Box::new(lk_dead_peer::LkDeadPeer),
            Box::new(lk_reconnects::LkReconnects),
            Box::new(lk_backoff::LkBackoff::default()),
            Box::new(lk_clean_close::LkCleanClose::default()),
            Box::new(rt_hop_limit::RtHopLimit::default()),
            Box::new(rt_no_return::RtNoReturn),
            Box::new(rt_loop_free::RtLoopFree),
            Box::new(rt_agreed::RtAgreed),
            Box::new(rt_complete::RtComplete),
            Box::new(rt_no_ghosts::RtNoGhosts),
            Box::new(rt_sequence::RtSequence::default()),
            Box::new(rt_policy::RtPolicy),
            Box::new(msg_no_phantom::MsgNoPhantom),
            Box::new(msg_no_duplicate::MsgNoDuplicate),
            Box::new(msg_fifo::MsgFifo),
            Box::new(msg_outcome_truth::MsgOutcomeTruth::default()),
            Box::new(msg_one_answer::MsgOneAnswer::default()),
            Box::new(msg_delivered_after_calm::MsgDeliveredAfterCalm),
            Box::new(ps_no_phantom::PsNoPhantom),
            Box::new(ps_filter::PsFilter),
            Box::new(ps_no_duplicate::PsNoDuplicate),
            Box::new(ps_order::PsOrder::default()),
            Box::new(ps_no_gap::PsNoGap::default()),
            Box::new(ps_credit::PsCredit),
            Box::new(ps_receipt_truth::PsReceiptTruth),
            Box::new(ps_complete_after_calm::PsCompleteAfterCalm),
            Box::new(rc_one_completion::RcOneCompletion),
            Box::new(rc_at_most_once::RcAtMostOnce),
            Box::new(rc_definite::RcDefinite),
            Box::new(rc_capacity::RcCapacity),
            Box::new(rc_stream::RcStream),
            Box::new(rc_progress::RcProgress),
            Box::new(rc_deadline::RcDeadline),
            Box::new(rc_answered_after_calm::RcAnsweredAfterCalm),
            Box::new(eng_progress::EngProgress::default()),
            Box::new(eng_bounds::EngBounds),
            Box::new(eng_quiet::EngQuiet),
            Box::new(eng_no_misuse::EngNoMisuse::default()),
        ])
    }
}

impl Suite {
    /// Every id.
    pub fn ids(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|invariant| invariant.id())
    }

    /// Checks a fact.
    ///
    /// # Errors
    /// The first violation.
    pub fn fact(&mut self, fact: &Fact<'_>, oracle: &Oracle) -> Result<(), Violation> {
        self.all(fact.at_ms, |invariant| invariant.fact(fact, oracle))
    }

    /// Checks a snapshot.
    ///
    /// # Errors
    /// The first violation.
    pub fn always(&mut self, snapshot: &Snapshot) -> Result<(), Violation> {
        self.all(snapshot.at_ms, |invariant| invariant.always(snapshot))
    }

    /// Checks a snapshot of a mesh that should have settled.
    ///
    /// # Errors
    /// The first violation.
    pub fn settled(&mut self, snapshot: &Snapshot) -> Result<(), Violation> {
        let held = self.all(snapshot.at_ms, |invariant| invariant.settled(snapshot));
        self.0.iter_mut().for_each(|invariant| invariant.looked(held.is_ok()));
        held
    }

    /// Checks what happened between two snapshots of an idle mesh.
    ///
    /// # Errors
    /// The first violation.
    pub fn idle(&mut self, before: &Snapshot, after: &Snapshot) -> Result<(), Violation> {
        self.all(after.at_ms, |invariant| invariant.idle(before, after))
    }

    /// Checks the end of a run.
    ///
    /// # Errors
    /// The first violation.
    pub fn finally(&mut self, snapshot: &Snapshot, oracle: &Oracle) -> Result<(), Violation> {
        self.all(snapshot.at_ms, |invariant| invariant.finally(snapshot, oracle))
    }

    fn all(&mut self, at_ms: u64, mut check: impl FnMut(&mut dyn Invariant) -> Held) -> Result<(), Violation> {
        for invariant in &mut self.0 {
            if let Err(detail) = check(invariant.as_mut()) {
                return Err(Violation { invariant: invariant.id().to_owned(), at_ms, detail });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The base of every test that breaks something: unbroken, nothing fires.
    #[test]
    fn a_sound_mesh_breaks_nothing() {
        let mut suite = Suite::default();
        let snapshot = sample::line();
        assert_eq!(suite.always(&snapshot), Ok(()));
        assert_eq!(suite.settled(&snapshot), Ok(()));
        assert_eq!(suite.idle(&snapshot, &sample::later(&snapshot, 10_000)), Ok(()));
        assert_eq!(suite.finally(&snapshot, &sample::oracle()), Ok(()));
    }
}
