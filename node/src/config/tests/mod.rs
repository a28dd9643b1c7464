//! The whole way from text to configuration.

mod api;
mod files;
mod legacy;
mod topics;

use std::{collections::BTreeSet, path::Path, time::Duration};

use super::{Config, KEYS, Loaded, Request, default_file, load, show};
use crate::errors::{Code, Lang};

const TOKEN: &str = "a-token-of-many-characters";

fn loaded(text: &str, set: &[&str], env: &[(&str, &str)]) -> Loaded {
    let set: Vec<_> = set.iter().map(|one| (*one).to_owned()).collect();
    let mut env: Vec<_> = env.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    env.push(("FIRELINK_TOKEN".to_owned(), TOKEN.to_owned()));
    load(Request { name: "cfg.yaml", folder: Path::new("/etc/x"), text: Some(text.to_owned()), set: &set, env: &env })
}

fn codes(loaded: &Loaded) -> Vec<Code> {
    loaded.found.iter().map(|one| one.code).collect()
}

/// A file with nothing wrong, and `rest` as its `mesh.link`.
fn with_link(rest: &str) -> String {
    format!(
        "version: 1\nmesh:\n  listen: [tcp://127.0.0.1:0]\n  auth: {{ tokens: [ {{ env: FIRELINK_TOKEN }} ] }}\n  link:\n{rest}"
    )
}

fn good(text: &str) -> Config {
    let loaded = loaded(text, &[], &[]);
    assert_eq!(loaded.errors(), 0, "{}", loaded.text(Lang::En));
    loaded.config
}

#[test]
fn the_default_file_says_what_the_defaults_are() {
    let file = default_file();
    let least = "version: 1\nmesh: { auth: { tokens: [ { env: FIRELINK_TOKEN } ] } }\n";
    assert_eq!(good(&file), good(least), "{file}");
}

#[test]
fn the_list_of_keys_is_what_the_decoder_asks_for() {
    let full = "version: 1\nmesh: { auth: { tokens: [ { env: FIRELINK_TOKEN } ] } }\n";
    let asked: BTreeSet<_> = loaded(full, &[], &[]).asked.into_iter().filter(|path| !path.contains("[]")).collect();
    let listed: BTreeSet<_> = KEYS.iter().map(|key| key.path.to_owned()).collect();
    let leaves: BTreeSet<_> = asked
        .iter()
        .filter(|path| !asked.iter().any(|other| other.starts_with(&format!("{path}."))))
        .cloned()
        .collect();
    assert_eq!(leaves, listed);
}

#[test]
fn a_token_that_can_be_guessed_is_refused_unless_the_file_says_that_it_is_meant() {
    let with = |token: &str, more: &str| {
        let text = format!(
            "version: 1\nmesh: {{ listen: [tcp://127.0.0.1:0], auth: {{ tokens: [ {{ env: T }} ]{more} }} }}\n"
        );
        let loaded = loaded(&text, &[], &[("T", token)]);
        assert!(!loaded.text(Lang::En).contains("fifteen"), "the token is not shown");
        codes(&loaded)
    };
    const ALLOW: &str = ", allow_weak_tokens: true";
    assert_eq!(with("fifteen-letters", ""), [Code::E0127]);
    assert_eq!(with("default_token", ""), [Code::E0127]);
    assert_eq!(with("default_token", ", allow_weak_tokens: false"), [Code::E0127]);
    assert_eq!(with("fifteen-letters", ALLOW), [Code::W0111]);
    assert_eq!(with("default_token", ALLOW), [Code::W0201]);
    assert_eq!(with("sixteen--letters", ""), []);
}

#[test]
fn every_error_is_found_at_once_and_in_order() {
    let text = "\
version: 1
node: { id: 'gz 01' }
mesh:
  lisen: [tcp://0.0.0.0:1]
  auth: { tokens: [ { env: NOT_SET } ], allow_ips: [10.0.0.1/8] }
  link: { heartbeat: 30, dead_after: 40s }
  link: {}
raft: {}
messaging: { max_payload: 12 }
log: { format: xml, level: loud }
";
    let loaded = loaded(text, &[], &[]);
    let expected = [
        Code::E0111, // node.id
        Code::E0103, // lisen
        Code::E0117, // NOT_SET
        Code::E0113, // bits behind the prefix
        Code::E0107, // no unit
        Code::E0102, // link twice
        Code::E0114, // raft
        Code::E0108, // no unit
        Code::E0110, // xml
        Code::E0110, // loud
    ];
    assert_eq!(codes(&loaded), expected, "{}", loaded.text(Lang::En));
}

#[test]
fn a_message_shows_what_where_and_what_instead() {
    let text = with_link("    heartbeat: 30\n");
    let shown = loaded(&text, &[], &[]).text(Lang::En);
    let expected = "\
error[E0107]: duration needs a unit
 --> cfg.yaml:6:16
  |
6 |     heartbeat: 30
  |                ^^ write `30s` or `30ms`
";
    assert_eq!(shown, expected);
    assert!(loaded(&text, &[], &[]).text(Lang::Zh).starts_with("错误[E0107]: 时长格式不对"));
}

#[test]
fn one_lost_heartbeat_must_not_end_a_link() {
    let bad = loaded(&with_link("    heartbeat: 3s\n    dead_after: 5s\n"), &[], &[]);
    assert_eq!(codes(&bad), [Code::E0115]);
    assert_eq!(
        good(&with_link("    heartbeat: 2s\n    dead_after: 4s\n")).mesh.link.dead_after,
        Duration::from_secs(4)
    );
}

#[test]
fn what_is_missing_altogether_is_missing_in_the_file() {
    for (text, place) in [("version: 1\n", "cfg.yaml:1:1"), ("version: 1\nmesh:\n  listen: []\n", "cfg.yaml:3:3")] {
        let loaded = loaded(text, &[], &[]);
        assert!(codes(&loaded).contains(&Code::E0105));
        for found in &loaded.found {
            assert_eq!(found.place(&loaded.sources).as_deref(), Some(place), "{found:?}");
        }
    }
}

#[test]
fn of_very_many_errors_the_first_are_shown_and_all_are_counted() {
    let text: String = (0..250).map(|number| format!("k{number}: 1\n")).collect();
    let loaded = loaded(&format!("version: 1\n{text}"), &["mesh.auth.mode=open"], &[]);
    assert_eq!(loaded.errors(), 250);
    let shown = loaded.text(Lang::En);
    assert_eq!((shown.matches("error[").count(), shown.lines().last()), (100, Some("... and 151 more")), "{shown}");
}

#[test]
fn an_open_mesh_stays_on_loopback() {
    let text = |ip: &str| format!("version: 1\nmesh: {{ auth: {{ mode: open }}, listen: [tcp://{ip}:1] }}\n");
    assert_eq!(codes(&loaded(&text("0.0.0.0"), &[], &[])), [Code::E0116]);
    assert_eq!(codes(&loaded(&text("127.0.0.1"), &[], &[])), []);
}

#[test]
fn the_environment_wins_over_the_file_and_is_named_in_errors() {
    let text = with_link("    heartbeat: 1s\n");
    let name = "FIRELINK__MESH__LINK__HEARTBEAT";
    assert_eq!(loaded(&text, &[], &[(name, "2s")]).config.mesh.link.heartbeat, Duration::from_secs(2));
    let bad = loaded(&text, &[], &[(name, "2")]);
    assert_eq!(codes(&bad), [Code::E0107]);
    assert!(bad.text(Lang::En).contains("--> FIRELINK__MESH__LINK__HEARTBEAT:1:1"), "{}", bad.text(Lang::En));
}

#[test]
fn the_command_line_wins_over_the_environment() {
    let text = with_link("    heartbeat: 1s\n");
    let env = [("FIRELINK__MESH__LINK__HEARTBEAT", "2s")];
    let both = loaded(&text, &["mesh.link.heartbeat=3s"], &env);
    assert_eq!(both.config.mesh.link.heartbeat, Duration::from_secs(3));
    let origin = show(&both).into_iter().find(|key| key.path == "mesh.link.heartbeat").unwrap();
    assert_eq!((origin.value.as_str(), origin.origin.as_str()), ("3s", "--set mesh.link.heartbeat"));
}

#[test]
fn an_unknown_variable_is_a_warning_with_the_nearest_key() {
    let found = loaded(&with_link("    heartbeat: 1s\n"), &[], &[("FIRELINK__MESH__LINK__HEARTBEET", "2s")]);
    assert_eq!(codes(&found), [Code::W0105]);
    assert!(found.text(Lang::En).contains("did you mean `heartbeat`?"), "{}", found.text(Lang::En));
    assert_eq!(codes(&loaded(&with_link("    heartbeat: 1s\n"), &["mesh.link.heartbeet=2s"], &[])), [Code::E0103]);
}

#[test]
fn list_items_are_overridden_by_name() {
    let text = "version: 1\nmesh:\n  auth: { tokens: [ { env: FIRELINK_TOKEN } ] }\n  connect: [ { id: hk-01, url: tcp://a:1 } ]\n";
    let env = [("FIRELINK__MESH__CONNECT__HK_01__COST", "7")];
    assert_eq!(loaded(text, &[], &env).config.mesh.connect[0].cost, 7);
}

#[test]
fn secrets_are_shown_nowhere() {
    let text = "version: 1\nmesh:\n  auth: { tokens: [ s3cr3t-s3cr3t-s3cr3t, { fil: x } ], modes: 1 }\n";
    let loaded = loaded(text, &[], &[]);
    assert_eq!(codes(&loaded), [Code::W0110, Code::E0105, Code::E0103, Code::E0103]);
    for shown in [loaded.text(Lang::En), format!("{:?}", loaded.config), format!("{:?}", show(&loaded))] {
        assert!(!shown.contains("s3cr3t"), "{shown}");
    }
}

#[test]
fn a_node_does_not_connect_to_itself_nor_twice_to_another() {
    let text = "version: 1\nnode: { id: a }\nmesh:\n  auth: { tokens: [ { env: FIRELINK_TOKEN } ] }\n  connect:\n    - { id: a, url: tcp://h:1 }\n    - { id: b, url: tcp://h:2 }\n    - { id: b, url: tcp://h:3 }\n    - { id: c }\n";
    assert_eq!(codes(&loaded(text, &[], &[])), [Code::E0121, Code::E0122, Code::E0105]);
}

#[test]
fn no_text_makes_it_panic() {
    let text = with_link("    reconnect: { initial: 1s, max: 2s, jitter: 0.25 }\n");
    for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
        let _ = loaded(&text[..end], &[], &[]).text(Lang::Zh);
        let mut broken = text.clone();
        broken.replace_range(end..=end, "{\u{4e2d}\t");
        let _ = loaded(&broken, &[], &[]).text(Lang::En);
    }
}

#[test]
fn what_the_node_could_not_do_is_an_error_and_not_ignored() {
    let mesh = |rest: &str| format!("version: 1\nmesh: {{ listen: [tcp://127.0.0.1:0], {rest} }}\n");
    let tokens =
        |count: usize| mesh(&format!("auth: {{ tokens: [{}] }}", vec!["{ env: FIRELINK_TOKEN }"; count].join(", ")));
    let peers = |count: usize| {
        let peers: Vec<_> = (1..=count).map(|port| format!("{{ url: tcp://127.0.0.1:{port} }}")).collect();
        mesh(&format!("auth: {{ tokens: [{{ env: FIRELINK_TOKEN }}] }}, connect: [{}]", peers.join(", ")))
    };
    let allow = |key: &str, entry: &str| {
        let entries = vec![entry; 1_025].join(", ");
        mesh(&format!("auth: {{ tokens: [{{ env: FIRELINK_TOKEN }}], {key}: [{entries}] }}"))
    };
    let least = tokens(1);
    good(&tokens(8));
    good(&peers(1_024));
    good(&format!("{least}messaging: {{ deadline: 300s, max_payload: 16MiB }}\n"));
    for (text, code) in [
        (tokens(9), Code::E0109),
        (peers(1_025), Code::E0109),
        (allow("allow_ids", "a"), Code::E0109),
        (allow("allow_ips", "10.0.0.0/8"), Code::E0109),
        (mesh("auth: { mode: open, tokens: [{ env: FIRELINK_TOKEN }] }"), Code::E0115),
        (format!("{least}messaging: {{ deadline: 301s }}\n"), Code::E0109),
        (format!("{least}messaging: {{ max_payload: 17MiB }}\n"), Code::E0109),
        (format!("{least}node: {{ id: '..' }}\n"), Code::E0111),
        (format!("{least}node: {{ id: '.' }}\n"), Code::E0111),
    ] {
        let loaded = loaded(&text, &[], &[]);
        assert_eq!((loaded.errors(), codes(&loaded)), (1, vec![code]), "{}", loaded.text(Lang::En));
    }
}
