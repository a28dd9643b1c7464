//! Topics and calls between whole nodes.

use std::{
    boxed::Box,
    string::{String, ToString as _},
};

use super::*;
use crate::{
    limits::FLOW_QUEUE_MESSAGES,
    node::{CallCommand, CallEvent, TopicCommand, TopicEvent},
    pubsub::{Group, Pattern, Publish, Report, Subscribe, Topic},
    rpc::{
        Balance, Call, Completion, Entry, InvocationId, Mode, Overload, Progress, Provider, Reply, ServiceName, Target,
    },
    wire::v1::Port,
};

fn subscribe(pattern: &str, group: Option<&str>) -> Command {
    let group = group.map(|group| Group::new(group).unwrap());
    let subscribe = Subscribe { group, ..Subscribe::new(Pattern::new(pattern).unwrap()) };
    Command::Topic(TopicCommand::Subscribe(Box::new(subscribe)))
}

fn publish(topic: &str, payload: &str, receipt: bool) -> Command {
    let payload = Bytes::copy_from_slice(payload.as_bytes());
    let publish = Publish { receipt, ..Publish::new(Topic::new(topic).unwrap(), payload) };
    Command::Topic(TopicCommand::Publish(Box::new(publish)))
}

/// Which node got which payloads.
fn publications(told: &[Told]) -> Vec<(usize, String)> {
    let payload = |(node, _, event): &Told| match event {
        Event::Topic(TopicEvent::Publication { publication, .. }) => {
            Some((*node, String::from_utf8_lossy(&publication.payload).to_string()))
        }
        _ => None,
    };
    told.iter().filter_map(payload).collect()
}

fn receipt(told: &[Told], token: u64) -> &Report {
    let answers = answers(told, token);
    let [Answer::Published(report)] = answers[..] else { panic!("{answers:?}") };
    report
}

/// Node 0 - node 1 - nodes 2 and 3.
fn fork() -> Fabric {
    let mut fabric = Fabric::new(MS);
    for (node, dials) in [(0, vec![]), (1, vec![0]), (2, vec![1]), (3, vec![1])] {
        fabric.add(config(node, &dials));
    }
    fabric.run_until(Time::from_secs(2));
    fabric
}

fn sent_by(fabric: &Fabric, node: usize) -> u64 {
    fabric.node(node).unwrap().probe().get(Counter::FramesOut)
}

#[test]
fn a_publication_crosses_each_link_once_and_its_receipt_counts_everybody() {
    let mut fabric = fork();
    for node in [2, 3] {
        fabric.command(node, 1, subscribe("door.*", None));
        fabric.command(node, 2, subscribe("door.>", None));
        fabric.command(node, 3, subscribe("window.*", None));
    }
    fabric.command(2, 4, Command::AwaitKnown { deadline: SOON });
    fabric.command(3, 4, Command::AwaitKnown { deadline: SOON });
    let told = fabric.run_until(Time::from_secs(3));
    assert_eq!(answers(&told, 4), [&Answer::Accepted, &Answer::Accepted]);

    let before = (sent_by(&fabric, 0), sent_by(&fabric, 1));
    fabric.command(0, 5, publish("door.7", "open", false));
    let told = fabric.run_until(Time::from_millis(3_004));
    let mut got = publications(&told);
    got.sort();
    let open = |node: usize| (node, "open".to_string());
    assert_eq!(got, [open(2), open(2), open(3), open(3)]);
    // One frame from 0; from 1 one for each of the two, and the answers of both.
    assert_eq!((sent_by(&fabric, 0) - before.0, sent_by(&fabric, 1) - before.1), (1, 4));

    fabric.command(0, 6, publish("door.8", "shut", true));
    let told = fabric.run_until(Time::from_secs(4));
    let report = receipt(&told, 6);
    assert_eq!((report.subscribers, report.nodes, report.missing.len()), (4, 2, 0));
}

#[test]
fn one_member_of_a_queue_group_in_the_mesh_gets_each_publication() {
    let mut fabric = fork();
    for node in [2, 3] {
        fabric.command(node, 1, subscribe("work", Some("workers")));
    }
    fabric.run_until(Time::from_secs(3));
    (0..10).for_each(|number| fabric.command(0, 10 + number, publish("work", &number.to_string(), true)));
    let told = fabric.run_until(Time::from_secs(4));
    let mut got: Vec<(usize, String)> = publications(&told);
    let by = |node: usize| got.iter().filter(|(at, _)| *at == node).count();
    assert_eq!((by(2), by(3)), (5, 5), "equally near, so in turns");
    got.sort_by(|a, b| a.1.cmp(&b.1));
    assert_eq!(got.iter().map(|(_, payload)| payload.as_str()).collect::<String>(), "0123456789");
    assert_eq!(receipt(&told, 13).subscribers, 1);
}

#[test]
fn whoever_comes_within_reach_later_is_told_of_every_subscription() {
    let mut fabric = Fabric::new(MS);
    fabric.add(config(0, &[]));
    fabric.command(0, 1, subscribe("a.b", None));
    fabric.run_until(Time::from_secs(1));
    fabric.add(config(1, &[0]));
    fabric.run_until(Time::from_secs(2));
    fabric.command(1, 2, publish("a.b", "hello", false));
    assert_eq!(publications(&fabric.run_until(Time::from_secs(3))), [(0, "hello".to_string())]);
}

fn register(service: &str) -> Command {
    Command::Call(CallCommand::Register(Box::new(Entry::new(ServiceName::new(service).unwrap(), None))))
}

fn call(service: &str, to: Target, payload: &'static str) -> Command {
    Command::Call(CallCommand::Call(Box::new(Call {
        service: ServiceName::new(service).unwrap(),
        to,
        from_client: None,
        payload: Bytes::from_static(payload.as_bytes()),
        deadline: SOON,
        mode: Mode::Unary { key: None },
    })))
}

fn invoked(told: &[Told]) -> Vec<(usize, InvocationId, Bytes)> {
    let invocation = |(node, _, event): &Told| match event {
        Event::Call(CallEvent::Invoke(invocation)) => Some((*node, invocation.id, invocation.payload.clone())),
        _ => None,
    };
    told.iter().filter_map(invocation).collect()
}

#[test]
fn a_call_finds_its_provider_by_name_over_a_relay() {
    let (mut fabric, _) = line(3);
    fabric.command(2, 1, register("sum"));
    fabric.run_until(Time::from_secs(2));
    fabric.command(0, 2, call("sum", Target::Balanced(Balance::Nearest), "1 2"));
    let told = fabric.run_until(Time::from_millis(2_010));
    let [(node, invocation, payload)] = &invoked(&told)[..] else { panic!("{told:?}") };
    assert_eq!((*node, &payload[..]), (2, &b"1 2"[..]));
    let reply = Reply::Done(Bytes::from_static(b"3"));
    fabric.command(2, 3, Command::Call(CallCommand::Reply { invocation: *invocation, reply }));
    let told = fabric.run_until(Time::from_millis(2_020));
    let at = Some(Provider { node: addr(2), client: None });
    let completion = Completion::Ok(Bytes::from_static(b"3"));
    assert_eq!(answers(&told, 2), [&Answer::Called { at, completion }]);
}

/// More answers at once than may wait in the flow to their caller.
#[test]
fn answers_that_the_flow_has_no_room_for_come_all_the_same() {
    let (mut fabric, _) = line(2);
    fabric.command(1, 1, register("sum"));
    fabric.run_until(Time::from_secs(2));
    let asked = 80;
    (0..asked).for_each(|number| fabric.command(0, 10 + number, call("sum", Target::Node(addr(1)), "1 2")));
    let told = fabric.run_until(Time::from_millis(2_010));
    let answer = Bytes::from(vec![0; 1_024 * 1_024]);
    // 64 run at once, the rest when these have answered.
    let (mut told, mut ran) = (told, 0);
    for _ in 0..2 {
        for (_, invocation, _) in invoked(&told) {
            ran += 1;
            let reply = Reply::Done(answer.clone());
            fabric.command(1, 3, Command::Call(CallCommand::Reply { invocation, reply }));
        }
        told = fabric.run_until(fabric.now());
    }
    assert_eq!(ran, asked);
    assert!(fabric.node(1).unwrap().ports.is_holding(Port::Calls, addr(0)), "or this shows nothing");
    let told = fabric.run_until(Time::from_secs(4));
    let done = |token| answers(&told, 10 + token).iter().filter(|answer| is_ok(answer)).count();
    assert_eq!((0..asked).map(done).sum::<usize>(), asked as usize);
}

/// More publications at once than may wait in the flow to whoever asks for a receipt.
#[test]
fn a_receipt_that_the_flow_has_no_room_for_comes_all_the_same() {
    let (mut fabric, _) = line(2);
    fabric.command(0, 1, subscribe("flood", None));
    fabric.command(1, 1, subscribe("news", None));
    fabric.run_until(Time::from_secs(2));
    fabric.command(0, 2, publish("news", "1", true));
    (0..FLOW_QUEUE_MESSAGES + 1).for_each(|_| fabric.command(1, 3, publish("flood", "", false)));
    fabric.run_until(Time::from_millis(2_002));
    assert!(fabric.node(1).unwrap().ports.is_holding(Port::Topics, addr(0)), "or this shows nothing");
    let told = fabric.run_until(Time::from_secs(4));
    let report = receipt(&told, 2);
    assert_eq!((report.subscribers, report.nodes, report.missing.len()), (1, 1, 0));
}

/// More calls at once than a flow sends before it hears of the first, and no time to wait for that.
#[test]
fn a_timeout_knows_that_a_call_never_left() {
    let (mut fabric, _) = line(2);
    fabric.run_until(Time::from_secs(2));
    for token in 0..300 {
        let Command::Call(CallCommand::Call(mut one)) = call("sum", Target::Node(addr(1)), "1 2") else { panic!() };
        one.deadline = MS;
        fabric.command(0, 10 + token, Command::Call(CallCommand::Call(one)));
    }
    let told = fabric.run_until(Time::from_secs(3));
    let ends = |token| match answers(&told, 10 + token)[..] {
        [Answer::Called { completion, .. }] => completion.clone(),
        ref other => panic!("{other:?}"),
    };
    let left = (0_u64..300).filter(|token| ends(*token) == Completion::Timeout(Progress::Sent)).count();
    let stayed = (0..300).filter(|token| ends(*token) == Completion::Overloaded(Overload::Transport)).count();
    assert_eq!((left, stayed), (256, 44));
}

fn is_ok(answer: &Answer) -> bool {
    matches!(answer, Answer::Called { completion: Completion::Ok(_), .. })
}

#[test]
fn a_node_that_shuts_down_says_first_what_it_has_to_say() {
    let (mut fabric, _) = line(2);
    fabric.command(1, 1, subscribe("news", None));
    fabric.run_until(Time::from_secs(2));
    // More than a flow sends before it hears of the first.
    (0..1_000).for_each(|number| fabric.command(0, 2, publish("news", &number.to_string(), false)));
    fabric.command(0, 3, Command::Drain { deadline: SOON });
    let told = fabric.run_until(Time::from_secs(4));
    assert_eq!(publications(&told).len(), 1_000);
    assert_eq!(answers(&told, 3), [&Answer::Drained { unanswered: 0 }]);
}

#[test]
fn a_call_that_nobody_serves_ends_at_once() {
    let (mut fabric, _) = line(2);
    fabric.command(0, 2, call("sum", Target::Balanced(Balance::RoundRobin), "1 2"));
    let told = fabric.run_until(Time::from_millis(1_001));
    let [Answer::Called { completion, .. }] = answers(&told, 2)[..] else { panic!("{told:?}") };
    assert_eq!(*completion, Completion::NoResponder);
}

#[test]
fn a_service_that_is_withdrawn_is_gone_everywhere() {
    let (mut fabric, _) = line(3);
    fabric.command(2, 1, register("sum"));
    fabric.run_until(Time::from_secs(2));
    assert_eq!(fabric.node(0).unwrap().calls().providers(fabric.now()).count(), 1);
    let service = ServiceName::new("sum").unwrap();
    fabric.command(2, 2, Command::Call(CallCommand::Unregister { service, client: None }));
    fabric.run_until(Time::from_secs(3));
    assert_eq!(fabric.node(0).unwrap().calls().providers(fabric.now()).count(), 0);
}
