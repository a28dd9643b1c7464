//! The trace of a run: one hash over everything every node was told and did, and enough of the way there to find where
//! two runs part.
//!
//! Every turn feeds its host, the host's local time and the postcard encodings of its inputs and outputs into the hash.
//! Two runs of one scenario must have the same hash on every machine and in every build. When they do not, both are run
//! again with [`WorldOptions::record`](crate::WorldOptions::record), and [`first_divergence`] names the step.

use core::fmt;
use std::collections::VecDeque;

use proto_core::{
    node::{ChannelEvent, Event, Input, Output},
    time::Time,
};

use crate::{hash::Hash64, host::HostId, time::SimTime};

/// Steps that are kept when not all are recorded.
const RING: usize = 128;

/// One turn of one host, as the trace keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its number, from 1.
    pub number: u64,
    /// When.
    pub at: SimTime,
    /// Whose.
    pub host: HostId,
    /// How many inputs.
    pub inputs: u16,
    /// How many outputs.
    pub outputs: u16,
    /// What the first input was.
    pub first_input: &'static str,
    /// What the first output was.
    pub first_output: &'static str,
    /// The hash of everything up to and including this step.
    pub hash: u64,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, at, host, inputs, outputs, first_input, first_output, hash } = self;
        write!(f, "step {number} at {at}, {host}: {inputs} in ({first_input}), {outputs} out ({first_output})")?;
        write!(f, ", hash {hash:016x}")
    }
}

/// Where two runs part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// The last step that both have, if there is one.
    pub common: Option<Step>,
    /// The first run's next step.
    pub one: Option<Step>,
    /// The second run's next step.
    pub other: Option<Step>,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, step) in [("common", self.common), ("one", self.one), ("other", self.other)] {
            match step {
                Some(step) => writeln!(f, "{what}: {step}")?,
                None => writeln!(f, "{what}: nothing")?,
            }
        }
        Ok(())
    }
}

/// The first step in which two recorded runs differ.
#[must_use]
pub fn first_divergence(one: &[Step], other: &[Step]) -> Option<Divergence> {
    // Hashes are cumulative: once different, always different.
    let same = |(a, b): &(&Step, &Step)| a == b;
    let common = one.iter().zip(other).take_while(same).count();
    let (next, other_next) = (one.get(common).copied(), other.get(common).copied());
    if next.is_none() && other_next.is_none() {
        return None;
    }
    let common = common.checked_sub(1).and_then(|last| one.get(last).copied());
    Some(Divergence { common, one: next, other: other_next })
}

/// The trace in the making.
#[derive(Debug)]
pub(crate) struct Trace {
    hash: Hash64,
    steps: u64,
    keep_all: bool,
    kept: VecDeque<Step>,
}

impl Trace {
    pub(crate) fn new(keep_all: bool) -> Self {
        Self { hash: Hash64::new(), steps: 0, keep_all, kept: VecDeque::with_capacity(RING) }
    }

    /// A turn is about to be taken with these inputs.
    pub(crate) fn begin<'a>(&mut self, host: HostId, local: Time, inputs: impl Iterator<Item = &'a Input>) {
        self.hash.word(u64::from(host.0));
        self.hash.word(local.as_nanos());
        inputs.for_each(|input| self.hash.value(input));
    }

    /// It was taken, with these outputs.
    pub(crate) fn end(&mut self, at: SimTime, host: HostId, inputs: &[Input], outputs: &[Output]) {
        outputs.iter().for_each(|output| self.hash.value(output));
        self.steps += 1;
        if !self.keep_all && self.kept.len() == RING {
            self.kept.pop_front();
        }
        self.kept.push_back(Step {
            number: self.steps,
            at,
            host,
            inputs: u16::try_from(inputs.len()).unwrap_or(u16::MAX),
            outputs: u16::try_from(outputs.len()).unwrap_or(u16::MAX),
            first_input: inputs.first().map_or("nothing", input_kind),
            first_output: outputs.first().map_or("nothing", output_kind),
            hash: self.hash.finish(),
        });
    }

    pub(crate) const fn hash(&self) -> u64 {
        self.hash.finish()
    }

    pub(crate) const fn steps(&self) -> u64 {
        self.steps
    }

    /// The last steps; all of them if they are recorded.
    pub(crate) fn kept(&self) -> impl DoubleEndedIterator<Item = &Step> {
        self.kept.iter()
    }
}

const fn input_kind(input: &Input) -> &'static str {
    match input {
        Input::Command { .. } => "command",
        Input::Consumed { .. } => "consumed",
        Input::Channel { event, .. } => match event {
            ChannelEvent::Opened { .. } => "opened",
            ChannelEvent::Received { .. } => "received",
            ChannelEvent::Written { .. } => "written",
            ChannelEvent::Closed => "closed",
        },
        Input::DialFailed { .. } => "dial failed",
        Input::Persisted { .. } => "persisted",
        Input::Clock { .. } => "clock",
    }
}

const fn output_kind(output: &Output) -> &'static str {
    match output {
        Output::Dial { .. } => "dial",
        Output::Write { .. } => "write",
        Output::Close { .. } => "close",
        Output::Persist { .. } => "persist",
        Output::Event(event) => match event {
            Event::Message(_) => "message",
            Event::Topic(_) => "topic",
            Event::Call(_) => "call",
            Event::Done { .. } => "done",
            Event::Hop { .. } => "hop",
            Event::LinkUp { .. } => "link up",
            Event::LinkDown { .. } => "link down",
            Event::LinkFailed { .. } => "link failed",
            Event::Reachable { .. } => "reachable",
            Event::Unreachable { .. } => "unreachable",
            Event::KeyConflict { .. } => "key conflict",
            Event::IdentityInUse { .. } => "identity in use",
            Event::Unpinned { .. } => "unpinned",
            Event::StoreFailed => "store failed",
            Event::Misuse(_) => "misuse",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto_core::node::Mailbox;

    fn step(number: u64, hash: u64) -> Step {
        let at = SimTime::from_millis(number);
        Step { number, at, host: HostId(0), inputs: 1, outputs: 0, first_input: "clock", first_output: "nothing", hash }
    }

    #[test]
    fn the_first_difference_is_named_with_what_came_before() {
        let one = [step(1, 10), step(2, 20), step(3, 30)];
        let other = [step(1, 10), step(2, 21), step(3, 31)];
        let found = first_divergence(&one, &other);
        assert_eq!(found, Some(Divergence { common: Some(one[0]), one: Some(one[1]), other: Some(other[1]) }));
        assert_eq!(first_divergence(&one, &one), None);
        let shorter = first_divergence(&one, &one[..2]);
        assert_eq!(shorter, Some(Divergence { common: Some(one[1]), one: Some(one[2]), other: None }));
    }

    #[test]
    fn inputs_outputs_host_and_time_all_count() {
        let run = |host, local, messages| {
            let mut trace = Trace::new(false);
            let inputs = [Input::Consumed { mailbox: Mailbox::Node, messages }];
            trace.begin(HostId(host), Time::from_nanos(local), inputs.iter());
            trace.end(SimTime::ZERO, HostId(host), &inputs, &[]);
            trace.hash()
        };
        let plain = run(1, 2, 3);
        assert_eq!(plain, run(1, 2, 3));
        assert!([run(2, 2, 3), run(1, 3, 3), run(1, 2, 4)].iter().all(|other| *other != plain));
    }

    #[test]
    fn only_the_last_steps_are_kept_unless_all_are_recorded() {
        for (keep_all, kept) in [(false, RING), (true, 500)] {
            let mut trace = Trace::new(keep_all);
            for _ in 0..500 {
                trace.end(SimTime::ZERO, HostId(0), &[], &[]);
            }
            assert_eq!((trace.steps(), trace.kept().count()), (500, kept));
        }
    }
}
