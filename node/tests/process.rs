//! One node as a process: starting, what stands in its way, ending.

mod common;

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::{fs::PermissionsExt as _, net::UnixDatagram},
};

use common::{World, exit_code};

#[test]
fn a_node_ends_in_order_on_either_signal() {
    let world = World::new();
    let config = world.config("a", "  listen: [tcp://127.0.0.1:0]");
    for signal in ["-TERM", "-INT"] {
        let node = world.start_config(&config);
        assert_eq!(world.run(&["status", "--json"]).json("firelink.status/v1")["id"], "a");
        node.signal(signal);
        assert_eq!(node.wait(), 0, "{}", world.logs());
        assert_eq!(world.run(&["status"]).code, 5, "the socket is gone");
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let world = World::new();
    let config = world.config("a", "  listen: [tcp://127.0.0.1:0]");
    for (signal, code) in [("-TERM", 143), ("-INT", 130)] {
        let node = world.start_config(&config);
        // Nobody of this name comes, so draining waits for the message's deadline.
        let mut send = world.spawn(&["send", "nobody", "x", "--timeout", "60s"]);
        world.until(&["status", "--json"], |ran| ran.json("firelink.status/v1")["messages_sent"] == 1);
        node.signal(signal);
        world.until(&["status", "--json"], |ran| ran.json("firelink.status/v1")["ready"] == false);
        node.signal(signal);
        assert_eq!(node.wait(), code);
        assert_eq!(exit_code(&mut send), 5, "whoever waits is told that the node is gone");
    }
}

#[test]
fn a_node_ends_when_it_is_told_to() {
    let world = World::new();
    let node = world.start_config(&world.config("a", "  listen: [tcp://127.0.0.1:0]"));
    let stopped = world.run(&["stop", "--json"]);
    assert_eq!(stopped.code, 0, "{}", stopped.err);
    assert_eq!(stopped.json("firelink.stop/v1")["id"], "a");
    assert_eq!(node.wait(), 0);
}

#[test]
fn whoever_was_told_that_a_node_stopped_does_not_find_it() {
    let world = World::new();
    let config = world.config("a", "  listen: [tcp://127.0.0.1:0]");
    for _ in 0..3 {
        let node = world.start_config(&config);
        assert_eq!(world.run(&["stop"]).code, 0);
        assert_eq!(world.run(&["status"]).code, 5);
        assert_eq!(node.wait(), 0);
    }
}

#[test]
fn hanging_up_does_not_end_it() {
    let world = World::new();
    let node = world.start_config(&world.config("a", "  listen: [tcp://127.0.0.1:0]"));
    for signal in ["-HUP", "-USR1", "-USR2"] {
        node.signal(signal);
    }
    assert_eq!(world.run(&["status"]).code, 0);
    world.until(&["status"], |_| world.logs().contains("reloading is not available"));
}

#[test]
fn a_node_keeps_its_identity_and_shows_it() {
    let world = World::new();
    let config = world.config("a", "  listen: [tcp://127.0.0.1:0]");
    let id = || {
        let _node = world.start_config(&config);
        world.run(&["id", "--json"]).json("firelink.id/v1")["key"].as_str().unwrap().to_owned()
    };
    let first = id();
    assert_eq!(first.len(), 64);
    assert_eq!(id(), first);
    let mode = fs::metadata(world.path().join("a/identity.key")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
}

#[test]
fn what_stands_in_the_way_of_a_start_is_said() {
    let world = World::new();
    let config = world.config("a", "  listen: [tcp://127.0.0.1:0]");
    let node = world.start_config(&config);
    let refused = |file: &str, set: &[&str], code: &str| {
        let mut args = vec!["run", file, "--json"];
        args.extend(set.iter().flat_map(|set| ["--set", set]));
        let ran = world.run(&args);
        assert_eq!((ran.code, ran.problem()["code"].as_str().unwrap()), (4, code), "{}", ran.err);
    };
    let file = config.to_str().unwrap();
    refused(file, &[], "E0302");
    refused(file, &["node.data_dir=other"], "E0307");
    refused(file, &["node.data_dir=other", "node.id=b", &format!("mesh.listen=[tcp://{}]", node.addr())], "E0301");
    refused(file, &["node.data_dir=other", "node.id=b", &format!("admin.listen={}", node.admin())], "E0301");
    refused(file, &["node.data_dir=/proc/none", "node.id=b"], "E0303");
    fs::create_dir(world.path().join("bad")).unwrap();
    let key = world.file("bad/identity.key", "no key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    refused(file, &["node.data_dir=bad", "node.id=b"], "E0201");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    refused(file, &["node.data_dir=bad", "node.id=b"], "E0202");
    assert_eq!(world.run(&["status"]).code, 0, "the first node is not disturbed");
}

#[test]
fn a_killed_node_leaves_nothing_that_stops_the_next() {
    let world = World::new();
    let config = world.config("a", "  listen: [tcp://127.0.0.1:0]");
    let node = world.start_config(&config);
    node.signal("-KILL");
    node.wait();
    assert_eq!(world.run(&["status"]).code, 5);
    let _node = world.start_config(&config);
    assert_eq!(world.run(&["status"]).code, 0);
}

#[test]
fn with_several_nodes_a_command_asks_which() {
    let world = World::new();
    let _a = world.start_config(&world.config("a", "  listen: [tcp://127.0.0.1:0]"));
    let b = world.start_config(&world.config("b", "  listen: [tcp://127.0.0.1:0]"));
    let ran = world.run(&["status"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("error[E0305]: 2 nodes run here: a, b"), "{}", ran.err);
    assert_eq!(world.run(&["status", "--node", "b", "--json"]).json("firelink.status/v1")["id"], "b");
    let socket = b.announcement["control"].as_str().unwrap();
    assert_eq!(world.run(&["status", "--socket", socket, "--json"]).json("firelink.status/v1")["id"], "b");
}

#[test]
fn the_control_socket_is_private_and_speaks_one_protocol() {
    let world = World::new();
    let node = world.start_config(&world.config("a", "  listen: [tcp://127.0.0.1:0]"));
    let path = node.announcement["control"].as_str().unwrap();
    assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    for line in ["nonsense\n", "{\"protocol\":\"firelink.control/v0\",\"op\":\"status\"}\n", "{\"op\":\"status\"}\n"] {
        let mut stream = std::os::unix::net::UnixStream::connect(path).unwrap();
        stream.write_all(line.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.contains("\"E0306\""), "{line} {answer}");
    }
    assert_eq!(world.run(&["status"]).code, 0);
}

#[test]
fn metrics_and_health_are_there_for_this_machine() {
    let world = World::new();
    let node = world.start_config(&world.config("a", "  listen: [tcp://127.0.0.1:0]"));
    let get = |path: &str, host: &str| {
        let mut stream = TcpStream::connect(node.admin()).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let metrics = get("/metrics", node.admin());
    assert!(metrics.starts_with("HTTP/1.1 200") && metrics.contains("openmetrics-text"), "{metrics}");
    assert!(metrics.contains("\nfirelink_leftovers_dropped_total 0\n"), "{metrics}");
    assert!(metrics.contains("\nfirelink_links 0\n") && metrics.ends_with("# EOF\n"), "{metrics}");
    assert!(get("/livez", "localhost").starts_with("HTTP/1.1 200"));
    assert!(get("/readyz", "localhost").starts_with("HTTP/1.1 200"), "no link is configured, so none is needed");
    assert!(get("/metrics", "rebound.example").starts_with("HTTP/1.1 421"));
    assert!(get("/", "localhost").starts_with("HTTP/1.1 404"));
}

#[test]
fn the_service_manager_is_told() {
    let world = World::new();
    let path = world.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
    let config = world.config("a", "  listen: [tcp://127.0.0.1:0]");
    let mut command = world.command(&["run", config.to_str().unwrap()]);
    let mut child = command.env("NOTIFY_SOCKET", &path).spawn().unwrap();
    let told = || {
        let mut buffer = [0; 64];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    };
    assert_eq!(told(), "READY=1");
    assert_eq!(world.run(&["stop"]).code, 0);
    assert_eq!(told(), "STOPPING=1");
    assert_eq!(exit_code(&mut child), 0);
}

#[test]
fn a_full_log_is_put_away_and_the_configured_number_is_kept() {
    let world = World::new();
    // Nobody listens there, and every attempt is a line of the log.
    let config = world.config("a", "  connect: [ { url: \"tcp://127.0.0.1:1\" } ]");
    let often = "mesh.link.reconnect={ initial: 1ms, max: 1ms }";
    let set = ["log.file.path=out/node.log", "log.file.max_size=4KiB", "log.file.keep=2", "log.level=trace", often];
    let args: Vec<_> =
        [config.to_str().unwrap()].into_iter().chain(set.iter().flat_map(|set| ["--set", set])).collect();
    let node = world.start(&args);
    let size = |name: &str| fs::metadata(world.path().join("out").join(name)).map_or(0, |meta| meta.len());
    world.until(&["status"], |_| size("node.log.2") > 0);
    node.signal("-TERM");
    assert_eq!(node.wait(), 0);
    let mut names: Vec<_> =
        fs::read_dir(world.path().join("out")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["node.log", "node.log.1", "node.log.2"]);
    for name in ["node.log.1", "node.log.2"] {
        assert!((3_000..=4_096).contains(&size(name)), "{name}: {}", size(name));
    }
    let last = fs::read_to_string(world.path().join("out/node.log")).unwrap();
    assert!(last.contains("stopped"), "{last}");
}

#[test]
fn the_log_goes_to_a_file_as_json_without_secrets() {
    let world = World::new();
    let config = world.config("a", "  listen: [tcp://127.0.0.1:0]");
    let set = ["--set", "log.file.path=out/node.log", "--set", "log.format=json", "--set", "log.level=trace"];
    let node = world.start(&[&[config.to_str().unwrap()][..], &set[..]].concat());
    node.signal("-TERM");
    assert_eq!(node.wait(), 0);
    let log = fs::read_to_string(world.path().join("out/node.log")).unwrap();
    assert!(log.lines().count() >= 2 && log.contains("\"stopped\""), "{log}");
    for line in log.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
    assert!(!log.contains("a-token-of-many-characters"));
}
