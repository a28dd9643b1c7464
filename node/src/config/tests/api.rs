//! `api`.

use super::{codes, good, loaded};
use crate::{
    config::{Verb, show},
    errors::{Code, Lang},
};

/// A file with nothing wrong but perhaps its `api`.
fn with(api: &str) -> String {
    format!(
        "version: 1\nmesh: {{ listen: [tcp://127.0.0.1:0], auth: {{ tokens: [ {{ env: FIRELINK_TOKEN }} ] }} }}\napi:\n{api}\n"
    )
}

const APP: &str = "  tokens: [ { name: app, secret: { env: FIRELINK_TOKEN }, allow: [read, \"send:db-*\"] } ]";

#[test]
fn an_api_without_tokens_stays_on_this_machine() {
    let open = loaded(&with("  listen: 0.0.0.0:1"), &[], &[]);
    assert_eq!(codes(&open), [Code::E0128], "{}", open.text(Lang::En));
    assert_eq!(codes(&loaded(&with("  listen: [127.0.0.1:1, \"[::1]:1\"]"), &[], &[])), []);
    assert_eq!(codes(&loaded(&with(&format!("  listen: 0.0.0.0:1\n{APP}")), &[], &[])), []);
    let optional = "  listen: 0.0.0.0:1\n  majula: { token: optional }";
    assert_eq!(codes(&loaded(&with(optional), &[], &[])), [Code::W0202]);
    let off = "  listen: 0.0.0.0:1\n  majula: { enabled: false, token: optional }";
    assert_eq!(codes(&loaded(&with(off), &[], &[])), [Code::E0128], "what is off opens nothing");
}

#[test]
fn one_address_several_or_none() {
    let listen = |text: &str| good(&with(&format!("  listen: {text}"))).api.listen.len();
    assert_eq!((listen("127.0.0.1:1"), listen("[127.0.0.1:1, 127.0.0.1:2]")), (1, 2));
    assert_eq!((listen("\"\""), listen("[]")), (0, 0));
    let set = loaded(&with("  listen: []"), &["api.listen=127.0.0.1:5"], &[]);
    assert_eq!(set.config.api.listen, ["127.0.0.1:5".parse().unwrap()]);
}

#[test]
fn every_mistake_is_found() {
    let text = with(
        "  listen: [somewhere, 127.0.0.1:1, 127.0.0.1:1]
  tokens:
    - { name: app, allow: [fly] }
    - { name: app, secret: { env: FIRELINK_TOKEN }, allow: [\"read:x\"] }
  cors: [example.com]
  origins: [\"https://a.example/path\"]
  limits: { body: 17MiB, connections: 0 }
  slow_client: { policy: shrug }
  majula: { token: maybe }
  tls: {}",
    );
    let expected = [
        Code::E0112, // somewhere
        Code::E0122, // the address twice
        Code::E0105, // no secret
        Code::E0129, // fly
        Code::E0122, // the name twice
        Code::E0129, // read takes no pattern
        Code::E0112, // no scheme
        Code::E0112, // a path
        Code::E0109, // 17MiB
        Code::E0109, // 0
        Code::E0110, // shrug
        Code::E0110, // maybe
        Code::E0114, // tls
    ];
    let loaded = loaded(&text, &[], &[]);
    assert_eq!(codes(&loaded), expected, "{}", loaded.text(Lang::En));
}

#[test]
fn a_token_says_what_it_allows() {
    let api = good(&with(APP)).api;
    let allows = |verb, object: &str| api.tokens[0].allow.iter().any(|permission| permission.allows(verb, object));
    assert!(allows(Verb::Read, "") && allows(Verb::Send, "db-1"));
    assert!(!allows(Verb::Send, "web-1") && !allows(Verb::Broadcast, ""));
}

#[test]
fn secrets_of_the_api_are_shown_nowhere() {
    let text = with("  tokens: [ { name: app, secret: s3cr3t-s3cr3t-s3cr3t, allow: [read], colour: 1 } ]\n  tokenz: 1");
    let loaded = loaded(&text, &[], &[]);
    assert_eq!(codes(&loaded), [Code::W0110, Code::E0103, Code::E0103]);
    let shown = show(&loaded);
    for shown in [loaded.text(Lang::En), format!("{:?}", loaded.config), format!("{shown:?}")] {
        assert!(!shown.contains("s3cr3t"), "{shown}");
    }
    assert!(shown.iter().any(|key| key.path == "api.tokens" && key.value.contains("name: app")), "{shown:?}");
}
