//! What of a scenario this tier cannot play.

use std::fmt;

use io_sim::Fault;

use crate::scenario::{Op, Scenario};

/// Something of a scenario that is left out, or goes otherwise than written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unsupported {
    /// Requests to many, traces and look-ups end by the handle's own deadline: it takes none.
    RequestDeadlines,
    /// Disks take no time, so a crash never takes a write that was under way.
    TornWrites,
    /// The timers of a frozen process's dials go on: a dial may fail in a pause.
    DialsInPauses,
    /// Shells wake up for nothing when a socket does, never at a time of their own.
    SpuriousTimers,
    /// The application takes the messages of all its clients out of one queue, so none of them can be stuck alone.
    StuckClients,
    /// Applications ask for no topics and no calls.
    Services,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RequestDeadlines => "deadlines of requests to many, traces and look-ups: the handle has its own",
            Self::TornWrites => "writes that a crash tears: memory takes no time",
            Self::DialsInPauses => "dials that stand still in a pause: their timers go on",
            Self::SpuriousTimers => "wake-ups for nothing without a socket",
            Self::StuckClients => "clients that are stuck: one queue is for all of them",
            Self::Services => "topics and calls: the applications of this tier do not ask for them",
        })
    }
}

/// What of a scenario is left out on this tier, in order, each thing once.
#[must_use]
pub fn unsupported(scenario: &Scenario) -> Vec<Unsupported> {
    let any_fault = |wanted: fn(&Fault) -> bool| scenario.faults.iter().any(|timed| wanted(&timed.fault));
    let service = |op: &Op| matches!(op, Op::Service(_));
    let single = |op: &Op| matches!(op, Op::Send { .. } | Op::SendToClient { .. } | Op::Client { .. });
    let all = [
        (
            Unsupported::RequestDeadlines,
            scenario.workload.iter().any(|timed| !single(&timed.op) && !service(&timed.op)),
        ),
        (Unsupported::TornWrites, any_fault(|fault| matches!(fault, Fault::Crash { .. }))),
        (Unsupported::DialsInPauses, any_fault(|fault| matches!(fault, Fault::Pause { .. }))),
        (Unsupported::SpuriousTimers, scenario.network.options.spurious_wakes_per_mille > 0),
        (Unsupported::StuckClients, any_fault(|fault| matches!(fault, Fault::StuckClient { .. }))),
        (Unsupported::Services, scenario.workload.iter().any(|timed| service(&timed.op))),
    ];
    all.into_iter().filter_map(|(what, is_there)| is_there.then_some(what)).collect()
}
