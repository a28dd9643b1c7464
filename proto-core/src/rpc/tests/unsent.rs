//! What the flow does not take is said again.

use super::*;
use crate::limits::CALLS_UNSENT_BYTES;

/// What is said to another node, in order.
fn said(effects: &[Effect]) -> Vec<(Head, Bytes, Duration)> {
    let one = |effect: &Effect| match effect {
        Effect::Send { to, id: None, header, body, deadline } if *to == addr("b") => {
            Some((header.clone(), body.clone(), *deadline))
        }
        _ => None,
    };
    effects.iter().filter_map(one).collect()
}

fn refuse(bench: &mut Bench<Rpc>, now: Time, effects: &[Effect]) {
    for (header, body, deadline) in said(effects) {
        assert_eq!(bench.handle(now, Event::NotTaken { to: addr("b"), header, body, deadline }), []);
    }
}

/// A provider that runs calls of node `b`, with these deadlines in milliseconds.
fn running(deadlines: &[u64]) -> (Bench<Rpc>, Vec<InvocationId>) {
    running_with(1_000, deadlines)
}

/// Likewise, with answers of so many bytes at most.
fn running_with(max_payload: usize, deadlines: &[u64]) -> (Bench<Rpc>, Vec<InvocationId>) {
    let identity = Arc::new(Identity::from_seed([0; 32], PROVIDER));
    let mut config = Config::new(NodeName::new("me").unwrap(), identity, MINE, PROVIDER);
    config.message.max_payload = max_payload;
    let mut bench = Bench::new(Rpc::new(&config));
    bench.with(at(0), |rpc, cx, fx| rpc.register(cx, entry(None, 64, 0), fx).unwrap());
    bench.handle(at(0), reachable("b", 1));
    let ids = deadlines.iter().zip(1..).map(|(deadline, call)| {
        let effects = bench.handle(at(0), received("b", v1::Call::Request(request(call, *deadline)), "1+1"));
        invoked(&effects)[0].id
    });
    let ids = ids.collect();
    (bench, ids)
}

fn answer(bench: &mut Bench<Rpc>, now: Time, id: InvocationId, payload: Bytes) -> Vec<Effect> {
    bench.with(now, |rpc, cx, fx| rpc.reply(cx, id, Reply::Done(payload), fx).unwrap())
}

fn words(said: &[(Head, Bytes, Duration)]) -> Vec<v1::Call<'_>> {
    said.iter().map(|(header, ..)| decode(header).unwrap()).collect()
}

#[test]
fn an_answer_that_the_flow_does_not_take_is_given_again_until_it_does() {
    let (mut bench, ids) = running(&[10_000]);
    let effects = answer(&mut bench, at(10), ids[0], bytes("2"));
    refuse(&mut bench, at(10), &effects);
    assert!(bench.machine.is_holding(addr("b")) && !bench.machine.is_idle());
    for now in [at(60), at(110)] {
        let told = bench.run_until(now);
        assert_eq!(told.iter().map(|(when, _)| *when).collect::<Vec<_>>(), [now]);
        let effects: Vec<_> = told.into_iter().map(|(_, effect)| effect).collect();
        assert_eq!(said(&effects)[0].1, bytes("2"));
        assert!(!bench.machine.is_holding(addr("b")), "until it is refused again");
        refuse(&mut bench, now, &effects);
    }
    assert_eq!(bench.run_until(at(160)).len(), 1);
    assert_eq!(bench.run_until(at(60_000)), [], "taken");
    assert!(bench.machine.is_idle());
}

#[test]
fn nothing_is_said_after_the_deadline_and_the_order_stays() {
    let (mut bench, ids) = running(&[10_000, 40, 10_000]);
    for (id, payload) in ids.iter().zip(["1", "2", "3"]) {
        let effects = answer(&mut bench, at(10), *id, bytes(payload));
        refuse(&mut bench, at(10), &effects);
    }
    let effects: Vec<_> = bench.run_until(at(60)).into_iter().map(|(_, effect)| effect).collect();
    let said = said(&effects);
    let [v1::Call::Done { call: 1, .. }, v1::Call::Done { call: 3, .. }] = words(&said)[..] else { panic!("{said:?}") };
    assert_eq!(said[0].2, ms(9_940), "the time that is left");
}

#[test]
fn what_is_too_much_to_keep_is_told_as_lost() {
    let (mut bench, ids) = running_with(CALLS_UNSENT_BYTES / 2, &[10_000; 3]);
    let large = Bytes::from(std::vec![0; CALLS_UNSENT_BYTES / 2]);
    for id in ids {
        let effects = answer(&mut bench, at(10), id, large.clone());
        refuse(&mut bench, at(10), &effects);
    }
    let effects: Vec<_> = bench.run_until(at(60)).into_iter().map(|(_, effect)| effect).collect();
    let said = said(&effects);
    let lost = v1::Call::Lost { call: 3, why: v1::CallLoss::AnswerLost };
    assert_eq!(words(&said)[2], lost);
    assert_eq!(said.iter().map(|(_, body, _)| body.len()).collect::<Vec<_>>(), [large.len(), large.len(), 0]);
}

#[test]
fn a_caller_learns_that_its_answer_was_lost() {
    let mut bench = bench();
    bench.handle(at(0), reachable("b", 1));
    let (id, _) = call(&mut bench, at(0), 1, to_node("b", 10_000));
    let lost = v1::Call::Lost { call: id.0, why: v1::CallLoss::AnswerLost };
    let effects = bench.handle(at(10), received("b", lost, ""));
    assert_eq!(ended(&effects), [(1, Completion::Lost(Loss::AnswerLost))]);
}

#[test]
fn the_numbers_of_a_life_are_not_those_of_the_life_before() {
    let first = |incarnation| {
        let mut bench = Bench::new(machine("me", incarnation));
        bench.handle(at(0), reachable("b", 1));
        call(&mut bench, at(0), 1, to_node("b", 10_000)).0
    };
    assert_ne!(first(Incarnation(10)), first(Incarnation(11)));
}
