use std::{vec, vec::Vec};

use super::*;
use crate::testing::{Bench, Machine};

/// Answers arrive; questions are put by [`Bench::with`].
impl Machine for Traces {
    type Event = v1::ProbeReply;
    type Effect = Effect;

    fn handle(&mut self, cx: &mut Cx<'_>, event: v1::ProbeReply, effects: &mut Vec<Effect>) {
        self.on_reply(cx, event, effects);
    }

    fn handle_timeout(&mut self, cx: &mut Cx<'_>, effects: &mut Vec<Effect>) {
        Traces::handle_timeout(self, cx, effects);
    }

    fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        Traces::poll_timeout(self)
    }
}

const fn ms(millis: u64) -> Time {
    Time::from_millis(millis)
}

fn name(text: &str) -> NodeName {
    NodeName::new(text).unwrap()
}

fn question(every_hop: bool) -> Question {
    let (to, deadline) = (name("z").addr(), Duration::from_secs(5));
    Question { token: Token(7), to, every_hop, deadline, hops_max: 16 }
}

/// Starts a trace at time zero and returns its probe.
fn start(bench: &mut Bench<Traces>, every_hop: bool) -> v1::Probe {
    let me = name("me").addr();
    let effects = bench.with(ms(0), |traces, cx, fx| assert_eq!(traces.start(cx, me, question(every_hop), fx), Ok(())));
    let [Effect::Send { token: Token(7), dst, flow, frame }] = &effects[..] else { panic!("{effects:?}") };
    let probe: v1::Probe = frame.header().unwrap();
    assert_eq!((probe.transit.dst, probe.transit.flow, probe.transit.src), (*dst, *flow, me));
    probe
}

/// What `node` answers when the probe came to it over `hop` links.
fn reply(probe: &v1::Probe, hop: u8, node: &str, place: Place) -> v1::ProbeReply {
    let mut probe = *probe;
    probe.transit.hops_left -= hop - 1;
    answer_probe(&probe, &name(node), place, 16).unwrap().header().unwrap()
}

fn told(hop: u8, node: &str, millis: u64, last: bool, stopped: Option<Stopped>) -> Effect {
    let rtt = Duration::from_millis(millis);
    Effect::Hop { token: Token(7), hop: Hop { hop, name: name(node), rtt, last, stopped } }
}

fn done(reached: bool) -> Effect {
    Effect::Done { token: Token(7), reached }
}

#[test]
fn a_ping_ends_with_the_answer_of_the_destination() {
    let mut bench = Bench::new(Traces::new());
    let probe = start(&mut bench, false);
    assert_eq!(answer_probe(&probe, &name("a"), Place::Passing, 16), None);
    let effects = bench.handle(ms(30), reply(&probe, 3, "z", Place::Destination));
    assert_eq!(effects, [told(3, "z", 30, true, None), done(true)]);
    assert_eq!(bench.machine.poll_timeout(), None);
    assert_eq!(bench.handle(ms(31), reply(&probe, 3, "z", Place::Destination)), []);
}

#[test]
fn a_trace_tells_every_hop() {
    let mut bench = Bench::new(Traces::new());
    let probe = start(&mut bench, true);
    assert_eq!(bench.handle(ms(10), reply(&probe, 1, "a", Place::Passing)), [told(1, "a", 10, false, None)]);
    assert_eq!(bench.handle(ms(20), reply(&probe, 3, "z", Place::Destination)), [told(3, "z", 20, true, None)]);
    let effects = bench.handle(ms(25), reply(&probe, 2, "b", Place::Passing));
    assert_eq!(effects, [told(2, "b", 25, false, None), done(true)]);
}

#[test]
fn a_hop_that_does_not_answer_delays_the_end_only_a_little() {
    let mut bench = Bench::new(Traces::new());
    let probe = start(&mut bench, true);
    bench.handle(ms(200), reply(&probe, 2, "z", Place::Destination));
    assert_eq!(bench.run_until(ms(9_000)), [(ms(400), done(true))]);
}

#[test]
fn a_probe_that_goes_no_further_says_why() {
    let mut bench = Bench::new(Traces::new());
    let probe = start(&mut bench, false);
    let effects = bench.handle(ms(9), reply(&probe, 2, "b", Place::Stopped(DropReason::NoTransit)));
    assert_eq!(effects, [told(2, "b", 9, false, Some(Stopped::NoTransit)), done(false)]);
}

#[test]
fn a_probe_that_cannot_be_sent_stops_here() {
    let mut bench = Bench::new(Traces::new());
    start(&mut bench, false);
    let unsent = |traces: &mut Traces, _: &mut Cx<'_>, fx: &mut Vec<Effect>| {
        traces.unsent(Token(7), &name("me"), DropReason::NoRoute, fx);
    };
    assert_eq!(bench.with(ms(0), unsent), [told(0, "me", 0, false, Some(Stopped::NoRoute)), done(false)]);
    assert_eq!(bench.with(ms(0), unsent), []);
}

#[test]
fn silence_ends_at_the_deadline() {
    let mut bench = Bench::new(Traces::new());
    start(&mut bench, true);
    assert_eq!(bench.run_until(ms(9_000)), [(ms(5_000), done(false))]);
}

#[test]
fn answers_that_cannot_be_are_ignored() {
    let mut bench = Bench::new(Traces::new());
    let probe = start(&mut bench, true);
    let good = reply(&probe, 1, "a", Place::Passing);
    let other_trace = v1::ProbeReply { id: good.id ^ 1, ..good.clone() };
    let other_name = v1::ProbeReply { name: name("b"), ..good.clone() };
    let pretends = v1::ProbeReply { last: true, ..good.clone() };
    let too_far = v1::ProbeReply { hop: 17, ..good.clone() };
    for bad in [other_trace, other_name, pretends, too_far] {
        assert_eq!(bench.handle(ms(1), bad), []);
    }
    assert_eq!(bench.handle(ms(1), good.clone()).len(), 1);
    assert_eq!(bench.handle(ms(2), good), [], "each distance is told once");
}

#[test]
fn traces_are_bounded_and_need_time() {
    let mut bench = Bench::new(Traces::new());
    let me = name("me").addr();
    let mut ask = |question| {
        let mut result = Ok(());
        let effects = bench.with(ms(0), |traces, cx, fx| result = traces.start(cx, me, question, fx));
        (result, effects.len())
    };
    let late = Question { deadline: Duration::ZERO, ..question(false) };
    assert_eq!(ask(late), (Err(Rejected::DeadlinePassed), 0));
    for _ in 0..TRACES_MAX {
        assert_eq!(ask(question(false)), (Ok(()), 1));
    }
    assert_eq!(ask(question(false)), (Err(Rejected::Busy), 0));
}

#[test]
fn this_node_reaches_itself_without_a_probe() {
    let mut bench = Bench::new(Traces::new());
    let to_me = |traces: &mut Traces, cx: &mut Cx<'_>, fx: &mut Vec<Effect>| {
        assert_eq!(traces.start(cx, name("z").addr(), question(false), fx), Ok(()));
    };
    assert_eq!(bench.with(ms(0), to_me), vec![done(true)]);
    let transit = Transit { hops_left: 3, dst: name("z").addr(), src: name("a").addr(), flow: 0 };
    let own = v1::Probe { transit, id: 1, every_hop: true, hops_start: 9 };
    assert_eq!(answer_probe(&own, &name("a"), Place::Passing, 16), None, "its own probe came back");
}
