//! `messaging.topics`.

use std::time::Duration;

use proto_core::pubsub::Policy;

use super::{codes, good, loaded};
use crate::errors::{Code, Lang};

fn with(topics: &str) -> String {
    format!(
        "version: 1\nmesh: {{ listen: [tcp://127.0.0.1:0], auth: {{ tokens: [ {{ env: FIRELINK_TOKEN }} ] }} }}\nmessaging:\n  topics:\n{topics}\n"
    )
}

#[test]
fn a_rule_says_what_is_kept_and_who_makes_room() {
    let text = with(
        "    - { match: \"orders.>\", history: { size: 100, ttl: 5m }, slow_consumer: disconnect, ordered: true }
    - { match: \">\" }",
    );
    let topics = good(&text).messaging.topics;
    let (first, second) = (&topics[0], &topics[1]);
    assert_eq!((first.pattern.as_str(), first.slow_consumer), ("orders.>", Some(Policy::Disconnect)));
    assert_eq!((first.history.size, first.history.ttl), (100, Some(Duration::from_secs(300))));
    assert_eq!((second.history.size, second.history.ttl, second.slow_consumer), (0, None, None));
}

#[test]
fn every_mistake_is_found_where_it_stands() {
    let text = with(
        "    - { match: \"a..b\", history: { size: 1 } }
    - { match: a, slow_consumer: block }
    - { match: a, history: { ttl: 5, sise: 1 } }
    - { history: { size: 1 } }
    - { match: b, ordered: false }",
    );
    let loaded = loaded(&text, &[], &[]);
    let expected = [Code::E0130, Code::E0110, Code::E0122, Code::E0107, Code::E0103, Code::E0105, Code::E0114];
    assert_eq!(codes(&loaded), expected, "{}", loaded.text(Lang::En));
    let shown = loaded.text(Lang::En);
    assert!(shown.contains("`a..b` has an empty token at position 2\n --> cfg.yaml:5:16"), "{shown}");
    assert!(shown.contains("did you mean `size`?"), "{shown}");
}
