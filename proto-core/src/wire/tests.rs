//! Golden vectors: every header as it is on the wire, checked both ways, for ever.

use std::{
    collections::BTreeMap,
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use smallvec::smallvec;

use super::{Frame, Kind, PRELUDE_LEN, v1};
use crate::{
    error::{Part, Violation},
    id::{Incarnation, NodeAddr, NodeName, Seq},
    limits::HEADER_MAX,
};

const GOLDEN: &str = include_str!("golden/v1.hex");

const TRANSIT: v1::Transit = v1::Transit {
    hops_left: 16,
    dst: NodeAddr(0x1122_3344_5566_7788),
    src: NodeAddr(0x99aa_bbcc_ddee_ff00),
    flow: 0xbeef,
};

/// The golden file: `name = hex` a line; `#` begins a remark.
fn golden() -> BTreeMap<String, Vec<u8>> {
    let lines = GOLDEN.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_once(" = ").unwrap()).map(|(name, hex)| (name.to_string(), unhex(hex))).collect()
}

fn unhex(hex: &str) -> Vec<u8> {
    hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Collects vectors as the code makes them now, and checks that they decode to what they were made of.
#[derive(Default)]
struct Vectors(BTreeMap<String, Vec<u8>>);

impl Vectors {
    fn header<H: Serialize + DeserializeOwned + PartialEq + core::fmt::Debug>(
        &mut self,
        name: &str,
        kind: Kind,
        header: H,
    ) {
        let frame = Frame::new(kind, &header);
        assert_eq!(frame.header::<H>(), Ok(header), "{name} decodes to itself");
        self.bytes(name, &frame);
    }

    fn bytes(&mut self, name: &str, frame: &Frame) {
        let mut bytes = frame.prelude().encode().to_vec();
        bytes.extend_from_slice(&frame.head);
        bytes.extend_from_slice(&frame.body);
        assert_eq!(Frame::parse(Bytes::from(bytes.clone())), Ok(Some(frame.clone())), "{name} parses to itself");
        assert_eq!(self.0.insert(name.to_string(), bytes), None, "{name} is there twice");
    }
}

fn vectors() -> BTreeMap<String, Vec<u8>> {
    let mut all = Vectors::default();
    link_vectors(&mut all);
    route_vectors(&mut all);
    message_vectors(&mut all);
    parcel_vectors(&mut all);
    all.0
}

fn link_vectors(all: &mut Vectors) {
    all.header(
        "hello",
        Kind::Hello,
        v1::Hello {
            version_min: 1,
            version_max: 1,
            features: 0,
            incarnation: Incarnation(1_700_000_000_000),
            heartbeat_ms: 1_000,
            dead_after_ms: 10_000,
        },
    );
    all.header("ping", Kind::Ping, v1::Ping { id: 7, stamp: 123_456_789 });
    all.header("pong", Kind::Pong, v1::Pong { id: 7, stamp: 123_456_789 });
    for (name, code) in [
        ("closed", v1::ByeCode::Closed),
        ("superseded", v1::ByeCode::Superseded),
        ("stale_incarnation", v1::ByeCode::StaleIncarnation),
        ("version_mismatch", v1::ByeCode::VersionMismatch),
        ("not_allowed", v1::ByeCode::NotAllowed),
        ("key_conflict", v1::ByeCode::KeyConflict),
        ("self_dial", v1::ByeCode::SelfDial),
        ("too_many_links", v1::ByeCode::TooManyLinks),
        ("violation", v1::ByeCode::Violation),
        ("too_slow", v1::ByeCode::TooSlow),
        ("wrong_peer", v1::ByeCode::WrongPeer),
        ("silent", v1::ByeCode::Silent),
    ] {
        all.header(&format!("bye.{name}"), Kind::Bye, v1::Bye { code });
    }
}

fn route_vectors(all: &mut Vectors) {
    let body = v1::AdvertBody {
        origin: NodeName::new("gz-01").unwrap(),
        key: [0x5a; 32],
        incarnation: Incarnation(3),
        seq: 300,
        transit: true,
        neighbours: [v1::Neighbour { node: NodeAddr(1), cost: 1 }, v1::Neighbour { node: NodeAddr(2), cost: 400 }]
            .into(),
    };
    let body = postcard::to_allocvec(&body).unwrap();
    all.bytes("advert", &Frame::with_body(Kind::Advert, &v1::Advert { age_ms: 250 }, body.into()));
    all.header("summary.digest", Kind::Summary, v1::Summary { scope: v1::SummaryScope::Digest(0x0102_0304_0506_0708) });
    let scope = v1::SummaryScope::Range { first: NodeAddr(0), last: NodeAddr(u64::MAX) };
    let held = v1::Held { origin: NodeAddr(1), incarnation: Incarnation(3), seq: 300 };
    let held = postcard::to_allocvec(&held).unwrap();
    all.bytes("summary.range", &Frame::with_body(Kind::Summary, &v1::Summary { scope }, held.into()));
    let wanted = postcard::to_allocvec(&NodeAddr(1)).unwrap();
    all.bytes("want", &Frame::with_body(Kind::Want, &v1::Want {}, wanted.into()));
    all.header("find", Kind::Find, v1::Find { target: NodeAddr(1), hops_left: 3 });
    all.header("probe", Kind::Probe, v1::Probe { transit: TRANSIT, id: 9, every_hop: true, hops_start: 16 });
    for (name, stopped) in [
        ("passed", None),
        ("no_route", Some(v1::Stopped::NoRoute)),
        ("hop_limit", Some(v1::Stopped::HopLimit)),
        ("would_return", Some(v1::Stopped::WouldReturn)),
        ("no_transit", Some(v1::Stopped::NoTransit)),
        ("queue_full", Some(v1::Stopped::QueueFull)),
    ] {
        let name_of_node = NodeName::new("hk-01").unwrap();
        let reply = v1::ProbeReply { transit: TRANSIT, id: 9, hop: 2, name: name_of_node, last: false, stopped };
        all.header(&format!("probe_reply.{name}"), Kind::ProbeReply, reply);
    }
}

fn message_vectors(all: &mut Vectors) {
    let data = v1::Data {
        transit: TRANSIT,
        src_incarnation: Incarnation(3),
        dst_incarnation: Incarnation(4),
        seq: Seq(1_000),
        behind: 2,
        to_client: "",
        from_client: "",
    };
    all.bytes("data", &Frame::with_body(Kind::Data, &data, Bytes::from_static(b"hello")));
    let to_client = v1::Data { to_client: "screen", from_client: "sensor", ..data.clone() };
    all.bytes("data.clients", &Frame::with_body(Kind::Data, &to_client, Bytes::from_static(b"hello")));
    assert_eq!(Frame::new(Kind::Data, &to_client).header::<v1::Data<'_>>(), Ok(to_client));
    let ack = v1::Ack {
        transit: TRANSIT,
        src_incarnation: Incarnation(4),
        dst_incarnation: Incarnation(3),
        upto: Seq(999),
        beyond: 0b101,
        window: 4_096,
        refused: smallvec![],
    };
    all.header("ack", Kind::Ack, ack.clone());
    for (name, code) in [
        ("no_such_client", v1::RefusalCode::NoSuchClient),
        ("receiver_busy", v1::RefusalCode::ReceiverBusy),
        ("shutting_down", v1::RefusalCode::ShuttingDown),
        ("forbidden", v1::RefusalCode::Forbidden),
        ("too_large", v1::RefusalCode::TooLarge),
    ] {
        let refused = smallvec![v1::Refusal { seq: Seq(998), code }];
        all.header(&format!("ack.{name}"), Kind::Ack, v1::Ack { refused, ..ack.clone() });
    }
}

fn parcel_vectors(all: &mut Vectors) {
    let (src_incarnation, dst_incarnation) = (Incarnation(3), Incarnation(4));
    let parcel =
        |port| v1::Parcel { transit: TRANSIT, port, src_incarnation, dst_incarnation, seq: Seq(1_000), behind: 2 };
    for (name, port) in [("directory", v1::Port::Directory), ("calls", v1::Port::Calls), ("topics", v1::Port::Topics)] {
        let frame = Frame::parcel(&parcel(port), b"head", Bytes::from_static(b"body"));
        all.bytes(&format!("parcel.{name}"), &frame);
        let ack = v1::Ack {
            transit: TRANSIT,
            src_incarnation,
            dst_incarnation,
            upto: Seq(999),
            beyond: 0,
            window: 4_096,
            refused: smallvec![],
        };
        all.header(&format!("parcel_ack.{name}"), Kind::ParcelAck, v1::ParcelAck { ack, port });
    }
    let to = |node| v1::CastTo { node: NodeAddr(node), incarnation: dst_incarnation, seq: Seq(node), behind: 0 };
    let transit = v1::Transit { dst: NodeAddr::MANY, ..TRANSIT };
    let cast = Frame::cast(&transit, src_incarnation, &[to(1), to(2)], b"head", Bytes::from_static(b"body"));
    all.bytes("cast", &cast);
    for (name, notice) in [
        ("want", v1::Notice::Want { round: 7 }),
        ("begin", v1::Notice::Begin { round: 7 }),
        ("offers", v1::Notice::Offers { round: 7 }),
    ] {
        let provider = v1::Provider {
            service: "sum",
            client: "",
            concurrency: 8,
            queue: 100,
            note: "adds",
            parameters: [].into(),
            results: [].into(),
        };
        let offers = [
            v1::Offer::Interest { pattern: "a.*.>", group: "workers", members: 2 },
            v1::Offer::Service(provider),
            v1::Offer::NoService { service: "sum", client: "till" },
        ];
        let body: Vec<u8> = offers.iter().flat_map(super::encode).collect();
        let frame = Frame::parcel(&parcel(v1::Port::Directory), &super::encode(&notice), body.into());
        all.bytes(&format!("notice.{name}"), &frame);
    }
}

#[test]
fn every_header_is_on_the_wire_as_it_was_frozen() {
    let (made, frozen) = (vectors(), golden());
    let lines: Vec<String> = made.iter().map(|(name, bytes)| format!("{name} = {}", hex(bytes))).collect();
    assert_eq!(made, frozen, "the code now makes:\n{}\n", lines.join("\n"));
}

#[test]
fn every_kind_has_a_golden_vector() {
    let golden = golden();
    for kind in Kind::ALL {
        assert!(golden.values().any(|bytes| bytes.get(1) == Some(&(*kind as u8))), "{kind:?} has none");
    }
}

#[test]
fn every_golden_vector_cut_short_is_malformed_or_only_lacks_payload() {
    for (name, bytes) in golden() {
        let header_end = PRELUDE_LEN + usize::from(u16::from_le_bytes([bytes[2], bytes[3]]));
        for end in 0..header_end {
            let cut = Frame::parse(Bytes::copy_from_slice(&bytes[..end]));
            assert!(matches!(cut, Err(Violation::Malformed { .. })), "{name} cut to {end} bytes: {cut:?}");
        }
    }
}

#[test]
fn an_unknown_kind_is_no_violation() {
    assert_eq!(Frame::parse(Bytes::from_static(&[0x10, 0xee, 0, 0])), Ok(None));
}

#[test]
fn bytes_left_over_in_a_header_are_malformed() {
    let mut frame = Frame::new(Kind::Ping, &v1::Ping { id: 1, stamp: 2 });
    frame.head.push(0);
    assert_eq!(frame.header::<v1::Ping>(), Err(Violation::Malformed { what: Part::Header }));
}

#[test]
fn the_largest_header_fits_its_limit() {
    let client = "x".repeat(crate::limits::CLIENT_NAME_MAX);
    let data = v1::Data {
        transit: TRANSIT,
        src_incarnation: Incarnation(u64::MAX),
        dst_incarnation: Incarnation(u64::MAX),
        seq: Seq(u64::MAX),
        behind: u32::MAX,
        to_client: &client,
        from_client: &client,
    };
    assert!(super::encode(&data).len() <= HEADER_MAX);
    let bare = v1::Data { to_client: "", from_client: "", ..data };
    assert!(super::encode(&bare).len() <= 64, "a header without clients stays inline");
}

#[test]
fn the_hop_limit_is_the_first_byte_of_a_forwarded_header() {
    let head = super::encode(&TRANSIT);
    assert_eq!((head.len(), head[0]), (19, TRANSIT.hops_left));
}
