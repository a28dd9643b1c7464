//! Files of Majula and FFMesh.

use std::time::Duration;

use super::{codes, loaded};
use crate::{
    config::{AuthMode, MajulaToken, Scheme},
    errors::{Code, Lang},
};

const MAJULA: &str = r#"
node_id: "kiln"
token: "default_token"
signaling_server:
  enabled: true
  url: "ws://127.0.0.1:8080/ws"
  udp_port: 8081
  reconnect_interval: 30s
  heartbeat_interval: 30s
majula_servers:
  - port: 18080
channels:
  - type: "server"
    listen_addr: "127.0.0.1:29090"
    tcp:
      frame_size: 4096
      inactive_seconds: 10
      send_queue_size: 1000
      max_connections_per_sec: 5
      ip_whitelist: ["127.0.0.1", "10.0.0.0/8"]
  - type: "client"
    protocol: "tcp"
    remote_addr: "localhost:29091"
    tcp:
      frame_size: 4096
      inactive_seconds: 10
      send_queue_size: 1000
      max_connections_per_sec: 5
  - type: "server"
    protocol: "kcp"
    listen_addr: "127.0.0.1:30090"
    kcp:
      frame_size: 4096
      inactive_seconds: 10
      send_queue_size: 1000
      max_connections_per_sec: 5
raft:
  - group: "embers"
    peers: ["kiln", "forge"]
    dbpath: "./db"
"#;

#[test]
fn a_majula_file_runs_unchanged() {
    let loaded = loaded(MAJULA, &[], &[]);
    assert_eq!(loaded.errors(), 0, "{}", loaded.text(Lang::En));
    assert_eq!(codes(&loaded), [Code::W0113, Code::W0201, Code::W0202]);
    let config = &loaded.config;
    assert_eq!(config.node.id.as_ref().unwrap().as_str(), "kiln");
    assert_eq!(config.mesh.auth.tokens[0].expose(), "default_token");
    assert_eq!(config.mesh.auth.allow_ips.len(), 2);
    assert_eq!(config.mesh.listen.len(), 1, "the channel without a protocol is TCP, the one over KCP is left out");
    assert_eq!((config.mesh.listen[0].scheme, config.mesh.listen[0].addr.port()), (Scheme::Tcp, 29_090));
    assert_eq!(config.mesh.connect[0].url, "tcp://localhost:29091");
    assert_eq!(config.mesh.link.dead_after, Duration::from_secs(10));
    assert_eq!(config.api.listen, ["0.0.0.0:18080".parse().unwrap()]);
    assert_eq!((config.api.majula.token, config.api.majula.get_changes_state), (MajulaToken::Optional, true));
    assert_eq!((config.mesh.link.send_queue, config.mesh.link.accepts_per_sec), (1_000, 5));
}

#[test]
fn a_short_token_of_a_majula_file_is_a_warning() {
    let loaded = loaded(&MAJULA.replace("default_token", "hunter2"), &[], &[]);
    assert_eq!(codes(&loaded), [Code::W0113, Code::W0110, Code::W0111, Code::W0202]);
}

#[test]
fn what_a_majula_file_does_not_get_is_one_warning() {
    let text = loaded(MAJULA, &[], &[]).text(Lang::En);
    for part in ["`signaling_server`", "`kcp`", "`raft`"] {
        assert_eq!(text.matches(part).count(), 1, "{part} in\n{text}");
    }
    assert_eq!(text.matches("warning[W0113]").count(), 1, "{text}");
}

#[test]
fn errors_in_a_majula_file_point_into_it() {
    let text = loaded(&MAJULA.replace("127.0.0.1:29090", "nowhere"), &[], &[]).text(Lang::En);
    assert!(text.contains("error[E0112]") && text.contains("--> cfg.yaml:14:18"), "{text}");
    let text = loaded("channels: []\n", &[], &[]);
    assert!(codes(&text).contains(&Code::E0125));
}

#[test]
fn an_ffmesh_file_starts_and_says_what_is_missing() {
    let text = r#"
node_id: "c0ffee0001"
proxies:
  - name: "intranet"
    local_port: 4000
    target_node_id: "c0ffee0002"
    target_address: "127.0.0.1:80"
quic:
  listen_port: 4001
  upstreams:
    - name: "north"
      node_id: "c0ffee0002"
      address: "mesh.example.org:4001"
"#;
    let loaded = loaded(text, &[], &[]);
    assert_eq!(loaded.errors(), 0, "{}", loaded.text(Lang::En));
    assert_eq!(codes(&loaded), [Code::W0112, Code::W0113]);
    assert_eq!(loaded.config.node.id.as_ref().unwrap().as_str(), "c0ffee0001");
    assert_eq!((loaded.config.mesh.auth.mode, loaded.config.mesh.listen.len()), (AuthMode::Open, 0));
    assert!(loaded.config.api.listen.is_empty(), "it had no API, and gets none");
    let shown = loaded.text(Lang::En);
    for part in ["proxy `intranet`", "upstream `c0ffee0002`", "`quic.listen_port`"] {
        assert_eq!(shown.matches(part).count(), 1, "{part} in\n{shown}");
    }
}
