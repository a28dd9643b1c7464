//! Several nodes as processes: what the README promises, and every command that needs a peer.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    process::Child,
};

use common::{Ran, Running, World, exit_code};
use serde_json::Value;

/// `b` dials `a`, `c` dials `b`, and so on.
fn line(world: &World, names: &[&str]) -> Vec<Running> {
    let mut nodes: Vec<Running> = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let connect = match nodes.last() {
            Some(before) => format!("  connect: [ {{ id: {}, url: \"tcp://{}\" }} ]", names[index - 1], before.addr()),
            None => String::new(),
        };
        let config = world.config(name, &format!("  listen: [tcp://127.0.0.1:0]\n{connect}"));
        nodes.push(world.start_config(&config));
    }
    for name in names {
        let others = names.len() - 1;
        world.until(&["routes", "--node", name, "--json"], |ran| {
            ran.json("firelink.routes/v1")["routes"].as_array().unwrap().len() == others
        });
    }
    nodes
}

/// What a process that runs on has printed by its end.
fn finish(mut child: Child) -> Ran {
    exit_code(&mut child);
    Ran::of(child.wait_with_output().unwrap())
}

#[test]
fn a_message_reaches_the_one_it_is_for_by_name() {
    let world = World::new();
    let _nodes = line(&world, &["a", "b"]);
    let sent = world.run(&["send", "b", "hello", "--node", "a"]);
    assert_eq!((sent.code, sent.out.as_str()), (0, "delivered b\n"), "{}", sent.err);
    let received = world.run(&["recv", "--count", "1", "--node", "b", "--timeout", "5s"]);
    assert_eq!((received.code, received.out.as_str()), (0, "a: hello\n"), "{}", received.err);
    let sent = world.run(&["send", "b", "again", "--as", "shop", "--node", "a", "--json"]);
    assert_eq!(sent.json("firelink.receipt/v1")["outcome"], "delivered");
    let received = world.run(&["recv", "--count", "1", "--node", "b", "--json", "--timeout", "5s"]);
    let message = received.json("firelink.message/v1");
    assert_eq!(
        (&message["from"], &message["from_client"], &message["body"]),
        (&"a".into(), &"shop".into(), &"again".into())
    );
}

#[test]
fn any_bytes_arrive_as_they_are() {
    let world = World::new();
    let _nodes = line(&world, &["a", "b"]);
    let payload: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let sent = world.run_with(&["send", "b", "-", "--node", "a"], &payload);
    assert_eq!(sent.code, 0, "{}", sent.err);
    let mut recv = world.command(&["recv", "--count", "1", "--raw", "--node", "b", "--timeout", "5s"]);
    assert_eq!(recv.output().unwrap().stdout, payload);
    let sent = world.run_with(&["send", "b", "-", "--node", "a"], &[0xff, 0x00]);
    assert_eq!(sent.code, 0);
    let hex = world.run(&["recv", "--count", "1", "--node", "b", "--json", "--timeout", "5s"]);
    assert_eq!(hex.json("firelink.message/v1")["body_hex"], "ff00");
    let large = world.run_with(&["send", "b", "-", "--node", "a", "--json"], &vec![0; 2 * 1024 * 1024]);
    assert_eq!((large.code, large.problem()["code"].as_str()), (1, Some("E0404")));
}

#[test]
fn messages_arrive_in_order_and_none_is_lost_between_two_receivers() {
    let world = World::new();
    let _nodes = line(&world, &["a", "b"]);
    for number in 0..6 {
        assert_eq!(world.run(&["send", "b", &number.to_string(), "--node", "a"]).code, 0);
    }
    let take = |count: &str| world.run(&["recv", "--count", count, "--node", "b", "--timeout", "5s"]).out;
    assert_eq!(take("2"), "a: 0\na: 1\n");
    assert_eq!(take("4"), "a: 2\na: 3\na: 4\na: 5\n");
    let none = world.run(&["recv", "--node", "b", "--timeout", "300ms"]);
    assert_eq!((none.code, none.out.as_str()), (9, ""));
}

#[test]
fn clients_get_their_own_messages_while_they_are_there() {
    let world = World::new();
    let _nodes = line(&world, &["a", "b"]);
    let absent = world.run(&["send", "b/till", "x", "--node", "a", "--json"]);
    assert_eq!((absent.code, absent.problem()["code"].as_str()), (7, Some("E0402")), "{}", absent.err);
    let recv = world.spawn(&["recv", "--client", "till", "--count", "1", "--node", "b", "--timeout", "10s"]);
    world.until(&["send", "b/till", "coins", "--node", "a"], |ran| ran.code == 0);
    assert_eq!(finish(recv).out, "a: coins\n");
    let first = world.spawn(&["recv", "--client", "till", "--node", "b", "--timeout", "3s"]);
    world.until(&["send", "b/till", "more coins", "--node", "a"], |ran| ran.code == 0);
    let second = world.run(&["recv", "--client", "till", "--node", "b", "--json"]);
    assert_eq!((second.code, second.problem()["code"].as_str()), (10, Some("E0413")), "{}", second.err);
    finish(first);
}

#[test]
fn what_a_client_did_not_take_waits_for_its_next_receiver_and_holds_up_nobody() {
    const INBOX: usize = 32;
    let world = World::new();
    let a = world.start_config(&world.config("a", "  listen: [tcp://127.0.0.1:0]"));
    let config = world.config("b", &format!("  connect: [ {{ id: a, url: \"tcp://{}\" }} ]", a.addr()));
    let b = world.start(&[config.to_str().unwrap(), "--set", &format!("messaging.inbox={INBOX}")]);
    let send = |to: &str, body: &str| {
        let sent = world.until(&["send", to, body, "--node", "a", "--timeout", "2s"], |ran| ran.code != 8);
        assert_eq!(sent.code, 0, "{}", sent.err);
    };
    // One who wants a single message, and is slow: nine more arrive meanwhile.
    let mut slow = UnixStream::connect(b.announcement["control"].as_str().unwrap()).unwrap();
    let request = r#"{"protocol":"firelink.control/v1","op":"recv","client":"till","count":1}"#;
    writeln!(slow, "{request}").unwrap();
    world.until(&["send", "b/till", "0", "--node", "a", "--timeout", "2s"], |ran| ran.code == 0);
    (1..10).for_each(|number| send("b/till", &number.to_string()));
    writeln!(slow, r#"{{"got":1}}"#).unwrap();
    let mut got = String::new();
    slow.read_to_string(&mut got).unwrap();
    assert!(got.contains("\n0{\"reply\":\"done\""), "the one message, and the end: {got}");

    let gone = world.run(&["send", "b/till", "x", "--node", "a", "--json"]);
    assert_eq!((gone.code, gone.problem()["code"].as_str()), (7, Some("E0402")), "{}", gone.err);
    (0..INBOX).for_each(|number| send("b", &format!("own {number}")));
    let till = world.run(&["recv", "--client", "till", "--count", "4", "--node", "b", "--timeout", "5s"]);
    assert_eq!(till.out, "a: 1\na: 2\na: 3\na: 4\n", "{}", till.err);
    let till = world.run(&["recv", "--client", "till", "--node", "b", "--timeout", "500ms"]);
    assert_eq!(till.out, "a: 5\na: 6\na: 7\na: 8\na: 9\n", "{}", till.err);
    let own = world.run(&["recv", "--node", "b", "--timeout", "500ms"]).out;
    assert_eq!(own, (0..INBOX).map(|number| format!("a: own {number}\n")).collect::<String>());
}

#[test]
fn three_nodes_in_a_line_reach_each_other_through_the_middle() {
    let world = World::new();
    let _nodes = line(&world, &["a", "b", "c"]);
    assert_eq!(world.run(&["send", "c", "far", "--node", "a"]).out, "delivered c\n");
    assert_eq!(world.run(&["recv", "--count", "1", "--node", "c", "--timeout", "5s"]).out, "a: far\n");

    let routes = world.run(&["routes", "--node", "a", "--json"]).json("firelink.routes/v1");
    let names: Vec<_> =
        routes["routes"].as_array().unwrap().iter().map(|route| route["id"].as_str().unwrap()).collect();
    assert_eq!(names, ["b", "c"]);
    assert_eq!((&routes["routes"][1]["via"][0], routes["routes"][1]["hops"].as_u64()), (&"b".into(), Some(2)));
    let lines = world.run(&["routes", "--node", "a", "-o", "jsonl"]);
    assert_eq!(lines.out.lines().count(), 2);
    for line in lines.out.lines() {
        assert_eq!(serde_json::from_str::<Value>(line).unwrap()["schema"], "firelink.route/v1");
    }

    let trace = world.run(&["trace", "c", "--node", "a", "--json"]).json("firelink.trace/v1");
    let hops: Vec<_> = trace["hops"].as_array().unwrap().iter().map(|hop| hop["id"].as_str().unwrap()).collect();
    assert_eq!((hops, trace["reached"].as_bool()), (vec!["b", "c"], Some(true)));
    assert_eq!(world.run(&["ping", "c", "--node", "a", "--json"]).json("firelink.ping/v1")["hops"], 2);
    let found = world.run(&["find", "c", "--node", "a", "--json"]).json("firelink.found/v1");
    assert_eq!((&found["id"], found["hops"].as_u64()), (&"c".into(), Some(2)));

    let all = world.run(&["broadcast", "all", "--node", "b", "--json"]);
    let receipts = all.json("firelink.receipts/v1");
    assert_eq!((receipts["delivered"].as_u64(), receipts["total"].as_u64()), (Some(2), Some(2)));
    assert_eq!(all.code, 0);
}

#[test]
fn peers_and_events_tell_what_happens_to_links() {
    let world = World::new();
    let mut nodes = line(&world, &["a", "b"]);
    let peers = world.run(&["peers", "--node", "b", "--json"]).json("firelink.peers/v1");
    assert_eq!((&peers["peers"][0]["id"], &peers["peers"][0]["state"]), (&"a".into(), &"up".into()));
    let status = world.run(&["status", "--node", "b", "--json"]).json("firelink.status/v1");
    assert_eq!((status["links_up"].as_u64(), status["reachable"].as_u64()), (Some(1), Some(1)));

    nodes.remove(0).signal("-KILL");
    world.until(&["routes", "--node", "b", "--json"], |ran| ran.out.contains("[]"));
    let peers = world.run(&["peers", "--json"]).json("firelink.peers/v1");
    assert_eq!(peers["peers"][0]["state"], "down");
    assert!(peers["peers"][0]["reason"].is_string(), "{peers}");
    let events = world.run(&["events", "-o", "jsonl"]);
    let kinds: Vec<_> = events
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .inspect(|event| assert_eq!(event["schema"], "firelink.event/v1"))
        .map(|event| event["kind"].as_str().unwrap().to_owned())
        .collect();
    for kind in ["link_up", "reachable", "link_down", "unreachable"] {
        assert!(kinds.iter().any(|other| other == kind), "{kind} in {kinds:?}");
    }
}

#[test]
fn what_cannot_be_delivered_says_so_with_its_own_exit_code() {
    let world = World::new();
    let _nodes = line(&world, &["a", "b"]);
    let code = |args: &[&str]| {
        let ran = world.run(&[args, &["--node", "a", "--json", "--timeout", "500ms"]].concat());
        (ran.code, ran.problem()["code"].as_str().unwrap().to_owned())
    };
    assert_eq!(code(&["send", "nobody", "x"]), (8, "E0401".to_owned()));
    assert_eq!(code(&["ping", "nobody"]), (8, "E0401".to_owned()));
    assert_eq!(code(&["find", "nobody"]), (7, "E0410".to_owned()));
    assert_eq!(code(&["send", "b/nobody", "x"]), (7, "E0402".to_owned()));
}

#[test]
fn a_misspelt_name_is_met_with_the_one_that_was_meant() {
    let world = World::new();
    let _nodes = line(&world, &["gz-01", "hk-01"]);
    for args in [&["ping", "hk-10"][..], &["send", "hk-10", "x"], &["find", "hk-10"]] {
        let ran = world.run(&[args, &["--node", "gz-01", "--timeout", "300ms"]].concat());
        assert!(ran.err.contains("did you mean `hk-01`?"), "{args:?}: {}", ran.err);
    }
    let ran = world.run(&["ping", "hk-10", "--node", "gz-01", "--timeout", "300ms"]);
    assert!(ran.err.starts_with("error[E0401]: no route to hk-10"), "it is not just silent: {}", ran.err);
    let ran = world.run(&["status", "--node", "gz-1"]);
    assert!(ran.code == 5 && ran.err.contains("gz-01, hk-01"), "{}", ran.err);
}

#[test]
fn a_time_limit_ends_what_would_go_on_for_ever() {
    let world = World::new();
    let _nodes = line(&world, &["a", "b"]);
    let events = world.run(&["events", "-f", "--node", "a", "--timeout", "300ms"]);
    assert!(events.code == 0 && events.out.contains("link_up"), "{}{}", events.out, events.err);
    world.run(&["send", "b", "x", "--node", "a"]);
    let some = world.run(&["recv", "--node", "b", "--timeout", "300ms"]);
    assert_eq!((some.code, some.out.as_str(), some.err.as_str()), (0, "a: x\n", ""));
    world.run(&["send", "b", "x", "--node", "a"]);
    let few = world.run(&["recv", "--node", "b", "--count", "2", "--timeout", "300ms"]);
    assert!(few.code == 9 && few.err.contains("1 of 2 messages within 300ms"), "{}", few.err);
    let status = world.run(&["status", "--node", "b", "--json"]).json("firelink.status/v1");
    assert_eq!((&status["messages_received"], &status["messages_sent"]), (&2.into(), &0.into()));
}

#[test]
fn a_broadcast_to_nobody_is_not_a_success() {
    let world = World::new();
    let _node = world.start_config(&world.config("a", "  listen: [tcp://127.0.0.1:0]"));
    let ran = world.run(&["broadcast", "x", "--json"]);
    assert_eq!((ran.code, ran.problem()["code"].as_str()), (8, Some("E0412")), "{}", ran.err);
}

#[test]
fn two_nodes_in_development_mode_find_each_other_by_address_alone() {
    let world = World::new();
    let first =
        world.start(&["--dev", "--set", "mesh.listen=[tcp://127.0.0.1:0]", "--set", "admin.listen=127.0.0.1:0"]);
    let second = world.start(&[
        "--dev",
        "--join",
        first.addr(),
        "--set",
        "mesh.listen=[tcp://127.0.0.1:0]",
        "--set",
        "admin.listen=127.0.0.1:0",
    ]);
    world.until(&["send", first.id(), "hi", "--node", second.id(), "--timeout", "2s"], |ran| ran.code == 0);
    let received = world.run(&["recv", "--count", "1", "--node", first.id(), "--timeout", "5s"]);
    assert_eq!(received.out, format!("{}: hi\n", second.id()));
    for node in [second, first] {
        node.signal("-TERM");
        assert_eq!(node.wait(), 0, "{}", world.logs());
    }
    let left: Vec<_> = fs::read_dir(world.path().join("run/firelink")).unwrap().collect();
    assert!(left.is_empty(), "throw-away identities and tokens are thrown away: {left:?}");
}

#[test]
fn another_token_is_kept_out() {
    let world = World::new();
    let a = world.start_config(&world.config("a", "  listen: [tcp://127.0.0.1:0]"));
    let stranger = world.config("s", &format!("  connect: [ {{ url: \"tcp://{}\" }} ]", a.addr()));
    let text = fs::read_to_string(&stranger).unwrap().replace("env: TEST_TOKEN", "env: OTHER");
    fs::write(&stranger, text).unwrap();
    let set = ["--set", "mesh.auth.tokens=[quite-another-token]"];
    let _stranger = world.start(&[&[stranger.to_str().unwrap()][..], &set[..]].concat());
    let peers = world.until(&["peers", "--node", "s", "--json"], |ran| ran.out.contains("\"down\""));
    let reason = peers.json("firelink.peers/v1")["peers"][0]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("handshake failed"), "{reason}");
    assert_eq!(world.run(&["send", "a", "x", "--node", "s", "--timeout", "500ms"]).code, 8);
}

#[test]
fn two_majula_files_link_as_they_did() {
    let world = World::new();
    let channel =
        "    tcp: { frame_size: 4096, inactive_seconds: 10, send_queue_size: 1000, max_connections_per_sec: 50 }\n";
    let file = |id: &str, rest: &str| {
        let text = format!(
            "node_id: {id}\ntoken: default_token\nmajula_servers: [ {{ port: 18080 }} ]\nchannels:\n{rest}{channel}"
        );
        world.file(&format!("{id}.yaml"), &text)
    };
    let set = |id: &str| format!("node.data_dir={}", world.path().join(id).display());
    let server = file("ash", "  - type: server\n    listen_addr: 127.0.0.1:0\n");
    let ash = world.start(&[server.to_str().unwrap(), "--set", &set("ash"), "--set", "admin.listen=127.0.0.1:0"]);
    let client = file("ember", &format!("  - type: client\n    remote_addr: {}\n", ash.addr()));
    let _ember = world.start(&[client.to_str().unwrap(), "--set", &set("ember"), "--set", "admin.listen=127.0.0.1:0"]);
    world.until(&["send", "ash", "old friend", "--node", "ember", "--timeout", "2s"], |ran| ran.code == 0);
    assert!(world.logs().contains("W0201"), "{}", world.logs());
}

#[test]
fn nodes_link_over_tls_where_certificates_are_configured() {
    let world = World::new();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let cert = world.file("cert.pem", &made.cert.pem());
    let key = world.file("key.pem", &made.signing_key.serialize_pem());
    let listen = format!("  listen: [tls://127.0.0.1:0]\n  tls: {{ cert: {cert:?}, key: {key:?} }}");
    let a = world.start_config(&world.config("a", &listen));
    let port = a.addr().rsplit_once(':').unwrap().1;
    let connect = format!("  connect: [ {{ id: a, url: \"tls://localhost:{port}\" }} ]\n  tls: {{ ca: {cert:?} }}");
    let _b = world.start_config(&world.config("b", &connect));
    world.until(&["send", "a", "sealed twice over", "--node", "b", "--timeout", "2s"], |ran| ran.code == 0);
}
