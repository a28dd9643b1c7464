//! Frames: [`decode`] takes bytes for a frame, [`roundtrip`] makes headers and takes them through the wire.
//!
//! Properties of decoding: it never panics; head and body are exactly the bytes that were given; a header that decodes
//! encodes again, to no more bytes, and what it then encodes to is a fixpoint; what a forwarding node reads is what
//! the receiver reads, and it changes one byte; the decoder of messages that is written by hand says what postcard says.
//!
//! Property of the round trip: a header within its limits encodes within [`HEADER_MAX`] and decodes to itself, and to
//! nothing when it is cut short or drawn out.

use core::fmt::Debug;

use arbitrary::{Arbitrary, Result, Unstructured};
use bytes::{Bytes, BytesMut};
use proto_core::{
    id::{Incarnation, NodeAddr, NodeName, Seq},
    limits::{CAST_NODES_MAX, CLIENT_NAME_MAX, HEADER_MAX, NEIGHBOURS_MAX, REFUSALS_PER_ACK},
    rpc::Entry,
    wire::{self, Encoded, Frame, Head, Kind, PRELUDE_LEN, Prelude, v1},
};
use serde::{Deserialize, Serialize};

/// Length of an encoded [`v1::Transit`].
const TRANSIT_LEN: usize = 19;
/// Length of the signature behind an [`v1::AdvertBody`].
const SIGNATURE_LEN: usize = 64;

/// Arbitrary bytes as a frame.
///
/// # Panics
/// If decoding breaks one of its properties.
pub fn decode(bytes: &[u8]) {
    if let Ok((prelude, rest)) = Prelude::decode(bytes) {
        assert_eq!([&prelude.encode(), rest].concat(), bytes, "a prelude has one form");
    }
    let Ok(Some(encoded)) = Encoded::parse(Bytes::copy_from_slice(bytes)) else { return };
    let frame = encoded.clone().into_frame();
    assert_eq!((frame.len(), encoded.len()), (bytes.len(), bytes.len()));
    assert_eq!([&bytes[..PRELUDE_LEN], &frame.head, &frame.body].concat(), bytes, "nothing is lost or made up");
    forwarded(&encoded, bytes);
    if frame.kind == Kind::Data {
        assert_eq!(encoded.data_header(), encoded.header::<v1::Data<'_>>(), "both decoders say the same");
    }

    if let Some(again) = header_again(frame.kind, &frame.head) {
        // postcard takes a varint in more bytes than it needs; everything else has one form.
        assert!(again.len() <= frame.head.len(), "{frame:?} grows to {again:?}");
        assert_eq!(header_again(frame.kind, &again), Some(again.clone()), "the canonical form is a fixpoint");
        if frame.kind.is_end_to_end() {
            assert_eq!(frame.head[..TRANSIT_LEN], again[..TRANSIT_LEN], "what is forwarded has one form");
        }
    }
    if let (Kind::Advert, Some((body, _))) = (frame.kind, frame.body.split_last_chunk::<SIGNATURE_LEN>())
        && let Ok(advert) = wire::decode::<v1::AdvertBody>(body)
    {
        assert_eq!(wire::decode(&wire::encode(&advert)), Ok(advert));
    }
}

/// What a forwarding node reads is what the receiver reads, and it changes one byte.
fn forwarded(encoded: &Encoded, bytes: &[u8]) {
    let read = encoded.head().get(..TRANSIT_LEN).and_then(|front| wire::decode::<v1::Transit>(front).ok());
    assert_eq!(encoded.transit().ok(), read);
    let Some(transit) = read else { return };
    let mut expected = bytes.to_vec();
    expected[PRELUDE_LEN] = !transit.hops_left;
    let mut out = BytesMut::new();
    encoded.clone().with_hops_left(!transit.hops_left).put(&mut out);
    assert_eq!(out, expected);
}

/// A header decoded and encoded again; `None` if it is malformed.
fn header_again(kind: Kind, head: &[u8]) -> Option<Head> {
    fn again<'a, H: Deserialize<'a> + Serialize>(head: &'a [u8]) -> Option<Head> {
        wire::decode::<H>(head).ok().map(|header| wire::encode(&header))
    }
    match kind {
        Kind::Hello => again::<v1::Hello>(head),
        Kind::Ping => again::<v1::Ping>(head),
        Kind::Pong => again::<v1::Pong>(head),
        Kind::Bye => again::<v1::Bye>(head),
        Kind::Advert => again::<v1::Advert>(head),
        Kind::Summary => again::<v1::Summary>(head),
        Kind::Want => again::<v1::Want>(head),
        Kind::Find => again::<v1::Find>(head),
        Kind::Data => again::<v1::Data<'_>>(head),
        Kind::Ack => again::<v1::Ack>(head),
        Kind::Probe => again::<v1::Probe>(head),
        Kind::ProbeReply => again::<v1::ProbeReply>(head),
        Kind::ParcelAck => again::<v1::ParcelAck>(head),
        Kind::Parcel => before_the_ports_part::<v1::Parcel>(head),
        Kind::Cast => before_the_ports_part::<v1::Cast>(head),
    }
}

/// The same for a header that goes on with what only a machine reads. Whatever that is, it is read or refused.
fn before_the_ports_part<'a, H: Deserialize<'a> + Serialize>(head: &'a [u8]) -> Option<Head> {
    let (header, rest) = postcard::take_from_bytes::<H>(head).ok()?;
    let mut again = wire::encode(&header);
    again.extend_from_slice(rest);
    let ours = v1::Publication::split_from(rest);
    assert_eq!(ours, postcard::take_from_bytes(rest).ok(), "both decoders say the same");
    let _ =
        (wire::decode::<v1::Call<'_>>(rest), wire::decode::<v1::Notice>(rest), wire::decode::<v1::Receipt<'_>>(rest));
    let _ = (Entry::decode(rest), postcard::take_from_bytes::<v1::Offer<'_>>(rest));
    Some(again)
}

/// An arbitrary header and payload through the wire and back.
///
/// # Panics
/// If another header comes back.
pub fn roundtrip(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    // An input that ends early makes a header of zeros; there is nothing to learn from an error.
    let _ = header(&mut input);
}

fn header(u: &mut Unstructured<'_>) -> Result<()> {
    let kind = *u.choose(Kind::ALL)?;
    match kind {
        Kind::Hello => check(kind, &hello(u)?, u),
        Kind::Ping => check(kind, &v1::Ping { id: u.arbitrary()?, stamp: u.arbitrary()? }, u),
        Kind::Pong => check(kind, &v1::Pong { id: u.arbitrary()?, stamp: u.arbitrary()? }, u),
        Kind::Bye => check(kind, &v1::Bye { code: bye_code(u)? }, u),
        Kind::Advert => {
            let body = advert_body(u)?;
            assert_eq!(wire::decode(&wire::encode(&body)), Ok(body));
            check(kind, &v1::Advert { age_ms: u.arbitrary()? }, u);
        }
        Kind::Summary => check(kind, &v1::Summary { scope: scope(u)? }, u),
        Kind::Want => check(kind, &v1::Want {}, u),
        Kind::Find => check(kind, &v1::Find { target: addr(u)?, hops_left: u.arbitrary()? }, u),
        Kind::Data => data(u)?,
        Kind::Ack => check(kind, &ack(u)?, u),
        Kind::Probe => {
            let (transit, id, every_hop, hops_start) = (transit(u)?, u.arbitrary()?, u.arbitrary()?, u.arbitrary()?);
            check(kind, &v1::Probe { transit, id, every_hop, hops_start }, u);
        }
        Kind::ProbeReply => {
            let (transit, id, hop, name) = (transit(u)?, u.arbitrary()?, u.arbitrary()?, name(u)?);
            let (last, stopped) = (u.arbitrary()?, stopped(u)?);
            check(kind, &v1::ProbeReply { transit, id, hop, name, last, stopped }, u);
        }
        Kind::Parcel => parcel(u)?,
        Kind::ParcelAck => check(kind, &v1::ParcelAck { ack: ack(u)?, port: port(u)? }, u),
        Kind::Cast => cast(u)?,
    }
    Ok(())
}

fn port(u: &mut Unstructured<'_>) -> Result<v1::Port> {
    u.choose(&[v1::Port::Directory, v1::Port::Calls, v1::Port::Topics]).copied()
}

/// A parcel comes apart as it was put together.
fn parcel(u: &mut Unstructured<'_>) -> Result<()> {
    let (transit, port, src_incarnation, dst_incarnation) = (transit(u)?, port(u)?, life(u)?, life(u)?);
    let (seq, behind) = (Seq(u.arbitrary()?), u.arbitrary()?);
    let parcel = v1::Parcel { transit, port, src_incarnation, dst_incarnation, seq, behind };
    let (head, body) = (ports_part(u)?, Bytes::copy_from_slice(u.bytes(u.len())?));
    let encoded = encoded(&Frame::parcel(&parcel, &head, body.clone()));
    assert_eq!(encoded.into_parcel(), Ok((parcel, Bytes::from(head), body)));
    Ok(())
}

/// The same for several receivers.
fn cast(u: &mut Unstructured<'_>) -> Result<()> {
    let (transit, src_incarnation) = (transit(u)?, life(u)?);
    let count = u.int_in_range(0..=CAST_NODES_MAX)?;
    let receiver = |u: &mut Unstructured<'_>| {
        let (node, incarnation) = (addr(u)?, life(u)?);
        Ok(v1::CastTo { node, incarnation, seq: Seq(u.arbitrary()?), behind: u.arbitrary()? })
    };
    let to = (0..count).map(|_| receiver(u)).collect::<Result<_>>()?;
    let cast = v1::Cast { transit, src_incarnation, to };
    let (head, body) = (ports_part(u)?, Bytes::copy_from_slice(u.bytes(u.len())?));
    let encoded = encoded(&Frame::cast(&cast.transit, cast.src_incarnation, &cast.to, &head, body.clone()));
    assert_eq!(encoded.into_cast(), Ok((cast, Bytes::from(head), body)));
    Ok(())
}

fn ports_part(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let len = usize::from(u.arbitrary::<u8>()?).min(u.len());
    Ok(u.bytes(len)?.to_vec())
}

fn encoded(frame: &Frame) -> Encoded {
    assert!(frame.head.len() <= HEADER_MAX, "{frame:?}");
    let mut bytes = BytesMut::new();
    frame.put(&mut bytes);
    let Ok(Some(encoded)) = Encoded::parse(bytes.freeze()) else { panic!("{frame:?} does not parse") };
    encoded
}

/// The header comes back as it was, and is not to be had from fewer or more bytes.
fn check<H>(kind: Kind, header: &H, u: &mut Unstructured<'_>)
where
    H: Serialize + for<'a> Deserialize<'a> + PartialEq + Debug,
{
    let body = Bytes::copy_from_slice(u.bytes(u.len()).unwrap_or_default());
    let frame = through_the_wire(&Frame::with_body(kind, header, body));
    assert_eq!(frame.header::<H>().as_ref(), Ok(header));
    if let Some((_, shorter)) = frame.head.split_last() {
        assert!(wire::decode::<H>(shorter).is_err(), "{header:?} without its last byte");
    }
    let mut longer = frame.head.clone();
    longer.push(0);
    assert!(wire::decode::<H>(&longer).is_err(), "{header:?} with a byte more");
}

/// The frame, by way of its bytes.
fn through_the_wire(frame: &Frame) -> Frame {
    assert!(frame.head.len() <= HEADER_MAX, "{frame:?}");
    let mut bytes = BytesMut::new();
    frame.put(&mut bytes);
    let Ok(Some(parsed)) = Frame::parse(bytes.freeze()) else { panic!("{frame:?} does not parse") };
    assert_eq!(parsed, *frame);
    parsed
}

/// Apart from the others, since it borrows its names.
fn data(u: &mut Unstructured<'_>) -> Result<()> {
    let (transit, src_incarnation, dst_incarnation) = (transit(u)?, life(u)?, life(u)?);
    let (seq, behind) = (Seq(u.arbitrary()?), u.arbitrary()?);
    let (to_client, from_client) = (client(u)?, client(u)?);
    let data = v1::Data { transit, src_incarnation, dst_incarnation, seq, behind, to_client, from_client };
    let body = Bytes::copy_from_slice(u.bytes(u.len())?);
    let frame = Frame::data(&data, body.clone());
    assert_eq!(frame, Frame::with_body(Kind::Data, &data, body), "both encoders say the same");
    assert_eq!(through_the_wire(&frame).header::<v1::Data<'_>>(), Ok(data));
    Ok(())
}

fn hello(u: &mut Unstructured<'_>) -> Result<v1::Hello> {
    Ok(v1::Hello {
        version_min: u.arbitrary()?,
        version_max: u.arbitrary()?,
        features: u.arbitrary()?,
        incarnation: life(u)?,
        heartbeat_ms: u.arbitrary()?,
        dead_after_ms: u.arbitrary()?,
    })
}

fn ack(u: &mut Unstructured<'_>) -> Result<v1::Ack> {
    let (transit, src_incarnation, dst_incarnation) = (transit(u)?, life(u)?, life(u)?);
    let (upto, beyond, window) = (Seq(u.arbitrary()?), u.arbitrary()?, u.arbitrary()?);
    let count = u.int_in_range(0..=REFUSALS_PER_ACK)?;
    let refused = (0..count).map(|_| Ok(v1::Refusal { seq: Seq(u.arbitrary()?), code: refusal_code(u)? }));
    let refused = refused.collect::<Result<_>>()?;
    Ok(v1::Ack { transit, src_incarnation, dst_incarnation, upto, beyond, window, refused })
}

fn advert_body(u: &mut Unstructured<'_>) -> Result<v1::AdvertBody> {
    let (origin, key, incarnation, seq, transit) = (name(u)?, u.arbitrary()?, life(u)?, u.arbitrary()?, u.arbitrary()?);
    let count = u.int_in_range(0..=NEIGHBOURS_MAX)?.min(u.len() / 9);
    let neighbours = (0..count).map(|_| Ok(v1::Neighbour { node: addr(u)?, cost: u.arbitrary()? }));
    let neighbours = neighbours.collect::<Result<_>>()?;
    Ok(v1::AdvertBody { origin, key, incarnation, seq, transit, neighbours })
}

fn scope(u: &mut Unstructured<'_>) -> Result<v1::SummaryScope> {
    Ok(match u.arbitrary()? {
        true => v1::SummaryScope::Range { first: addr(u)?, last: addr(u)? },
        false => v1::SummaryScope::Digest(u.arbitrary()?),
    })
}

fn transit(u: &mut Unstructured<'_>) -> Result<v1::Transit> {
    Ok(v1::Transit { hops_left: u.arbitrary()?, dst: addr(u)?, src: addr(u)?, flow: u.arbitrary()? })
}

fn addr(u: &mut Unstructured<'_>) -> Result<NodeAddr> {
    u64::arbitrary(u).map(NodeAddr)
}

fn life(u: &mut Unstructured<'_>) -> Result<Incarnation> {
    u64::arbitrary(u).map(Incarnation)
}

/// A name of 1 to 64 allowed characters.
fn name(u: &mut Unstructured<'_>) -> Result<NodeName> {
    const ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    let len = u.int_in_range(1..=NodeName::MAX_LEN)?;
    let text = (0..len).map(|_| u.choose(ALPHABET).map(|byte| char::from(*byte))).collect::<Result<String>>()?;
    NodeName::new(&text).map_err(|_| arbitrary::Error::IncorrectFormat)
}

/// A client's name: any text that is short enough, or none.
fn client<'a>(u: &mut Unstructured<'a>) -> Result<&'a str> {
    let len = u.int_in_range(0..=CLIENT_NAME_MAX)?;
    core::str::from_utf8(u.bytes(len)?).map_err(|_| arbitrary::Error::IncorrectFormat)
}

fn bye_code(u: &mut Unstructured<'_>) -> Result<v1::ByeCode> {
    use v1::ByeCode::{
        Closed, KeyConflict, NotAllowed, SelfDial, Silent, StaleIncarnation, Superseded, TooManyLinks, TooSlow,
        VersionMismatch, Violation, WrongPeer,
    };
    const ALL: &[v1::ByeCode] = &[
        Closed,
        Superseded,
        StaleIncarnation,
        VersionMismatch,
        NotAllowed,
        KeyConflict,
        SelfDial,
        TooManyLinks,
        Violation,
        TooSlow,
        WrongPeer,
        Silent,
    ];
    u.choose(ALL).copied()
}

fn refusal_code(u: &mut Unstructured<'_>) -> Result<v1::RefusalCode> {
    use v1::RefusalCode::{Forbidden, NoSuchClient, ReceiverBusy, ShuttingDown, TooLarge};
    u.choose(&[NoSuchClient, ReceiverBusy, ShuttingDown, Forbidden, TooLarge]).copied()
}

fn stopped(u: &mut Unstructured<'_>) -> Result<Option<v1::Stopped>> {
    use v1::Stopped::{HopLimit, NoRoute, NoTransit, QueueFull, WouldReturn};
    u.choose(&[None, Some(NoRoute), Some(HopLimit), Some(WouldReturn), Some(NoTransit), Some(QueueFull)]).copied()
}
