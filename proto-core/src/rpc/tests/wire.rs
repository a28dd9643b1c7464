//! Golden vectors: every word of a call as it is on the wire, checked both ways, for ever.

use std::{collections::BTreeMap, format, string::ToString as _};

use super::*;
use crate::{
    limits::{CALL_ERROR_MESSAGE_MAX, CLIENT_NAME_MAX, HEADER_MAX, IDEMPOTENCY_KEY_MAX, SERVICE_NAME_MAX},
    wire::encode,
};

const GOLDEN: &str = include_str!("../../wire/golden/calls.hex");

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn words() -> Vec<(&'static str, v1::Call<'static>)> {
    let bare = v1::Request {
        call: 65_536,
        service: "geo.lookup",
        to: None,
        from_client: "",
        left_us: 10_000_000,
        key: b"",
        window: None,
    };
    let full = v1::Request { to: Some("ui"), from_client: "cli", key: b"k1", window: None, ..bare };
    let streaming = v1::Request { to: Some(""), window: Some((64, 1_048_576)), ..bare };
    let mut all = Vec::from([
        ("request", v1::Call::Request(bare)),
        ("request.clients", v1::Call::Request(full)),
        ("request.streaming", v1::Call::Request(streaming)),
        ("item", v1::Call::Item { call: 65_536, seq: 300 }),
        ("done", v1::Call::Done { call: 65_536, items: 0, load: 3 }),
        ("failed", v1::Call::Failed { call: 65_536, items: 0, load: 3, code: 404, message: "no such place" }),
        ("lost.handler_gone", v1::Call::Lost { call: 65_536, why: v1::CallLoss::HandlerGone }),
        ("lost.answer_lost", v1::Call::Lost { call: 65_536, why: v1::CallLoss::AnswerLost }),
        ("lost.result_forgotten", v1::Call::Lost { call: 65_536, why: v1::CallLoss::ResultForgotten }),
        ("progress.queued", v1::Call::Progress { call: 65_536, stage: v1::CallStage::Queued { behind: 34 } }),
        ("progress.running", v1::Call::Progress { call: 65_536, stage: v1::CallStage::Running { for_us: 4_100_000 } }),
        ("cancel", v1::Call::Cancel { call: 65_536 }),
        ("credit", v1::Call::Credit { call: 65_536, items: 96, bytes: 1_048_608 }),
    ]);
    for (name, why) in [
        ("refused.no_such_service", v1::CallRefusal::NoSuchService),
        ("refused.queue_full", v1::CallRefusal::QueueFull),
        ("refused.too_many_calls", v1::CallRefusal::TooManyCalls),
        ("refused.too_many_keys", v1::CallRefusal::TooManyKeys),
        ("refused.shutting_down", v1::CallRefusal::ShuttingDown),
        ("refused.malformed", v1::CallRefusal::Malformed),
    ] {
        all.push((name, v1::Call::Refused { call: 65_536, why, load: 3 }));
    }
    all
}

fn described() -> Entry {
    let field = |name: &str, kind: &str, note: &str| Field { name: name.into(), kind: kind.into(), note: note.into() };
    let meta = Meta {
        note: "where an address is".into(),
        parameters: [field("address", "string", "IPv4 or IPv6")].into(),
        results: [field("country", "string", ""), field("city", "string", "may be empty")].into(),
    };
    Entry {
        capacity: Capacity { concurrency: 64, queue: 256 },
        meta: Arc::new(meta),
        ..Entry::new(ServiceName::new("geo.lookup").unwrap(), Some(Arc::from("ui")))
    }
}

#[test]
fn every_word_is_on_the_wire_as_it_was_frozen() {
    let mut made: BTreeMap<String, String> = BTreeMap::new();
    for (name, word) in words() {
        let head = encode(&word);
        assert_eq!(decode::<v1::Call<'_>>(&head), Ok(word), "{name} decodes to itself");
        made.insert(name.to_string(), hex(&head));
    }
    assert_eq!(Entry::decode(&described().encode()), Some(described()));
    made.insert("provider".to_string(), hex(&described().encode()));
    let lines = GOLDEN.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let frozen: BTreeMap<_, _> = lines
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, hex)| (name.to_string(), hex.to_string()))
        .collect();
    let now: Vec<_> = made.iter().map(|(name, hex)| format!("{name} = {hex}")).collect();
    assert_eq!(made, frozen, "the code now makes:\n{}\n", now.join("\n"));
}

#[test]
fn every_word_cut_short_is_malformed() {
    for (name, word) in words() {
        let head = encode(&word);
        for end in 0..head.len() {
            assert!(decode::<v1::Call<'_>>(&head[..end]).is_err(), "{name} cut to {end} bytes");
        }
    }
}

#[test]
fn the_largest_words_leave_room_for_the_header_around_them() {
    let (service, client) = ("x".repeat(SERVICE_NAME_MAX), "x".repeat(CLIENT_NAME_MAX));
    let request = v1::Request {
        call: u64::MAX,
        service: &service,
        to: Some(&client),
        from_client: &client,
        left_us: u64::MAX,
        key: &[0; IDEMPOTENCY_KEY_MAX],
        window: Some((u32::MAX, u32::MAX)),
    };
    assert!(encode(&v1::Call::Request(request)).len() <= HEADER_MAX / 2);
    let message = "x".repeat(CALL_ERROR_MESSAGE_MAX);
    let failed =
        v1::Call::Failed { call: u64::MAX, items: u64::MAX, load: u32::MAX, code: u32::MAX, message: &message };
    assert!(encode(&failed).len() <= HEADER_MAX - 128 - 64);
}

#[test]
fn an_answer_without_its_payload_says_that_it_is_lost() {
    for (name, word) in words() {
        let head = Bytes::copy_from_slice(&encode(&word));
        let without = crate::rpc::without_payload(&head);
        match word {
            v1::Call::Item { call, .. } | v1::Call::Done { call, .. } | v1::Call::Failed { call, .. } => {
                let lost = v1::Call::Lost { call, why: v1::CallLoss::AnswerLost };
                assert_eq!(decode::<v1::Call<'_>>(&without).unwrap(), lost, "{name}");
            }
            v1::Call::Request(_)
            | v1::Call::Cancel { .. }
            | v1::Call::Credit { .. }
            | v1::Call::Refused { .. }
            | v1::Call::Lost { .. }
            | v1::Call::Progress { .. } => assert_eq!(without, head, "{name}"),
        }
    }
}

#[test]
fn a_small_request_stays_inline() {
    let request = v1::Request { service: "geo.lookup", ..request(u64::MAX >> 2, 86_400_000) };
    assert!(!encode(&v1::Call::Request(request)).spilled());
}
