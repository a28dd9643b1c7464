//! What a flow needs from the node around it, and what it keeps of a message.

use alloc::{sync::Arc, vec::Vec};

use bytes::Bytes;

use super::{
    Effect,
    ledger::{Ledger, Report},
    lives::Lives,
};
use crate::{
    collections::emplace,
    error::Rejected,
    id::{Incarnation, NodeAddr, Seq},
    limits::CLIENT_NAME_MAX,
    node::{Client, Config, Message, Outcome},
    probe::{Counter, Probe},
    time::Time,
    wire::{
        Frame,
        v1::{self, RefusalCode},
    },
};

/// Who this node is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Me {
    pub(super) addr: NodeAddr,
    pub(super) incarnation: Incarnation,
    /// Links that a frame may cross after the one it is sent on.
    hops_left: u8,
    /// Whose flows these are; `None`: the application's.
    pub(super) port: Option<v1::Port>,
}

impl Me {
    pub(super) fn new(config: &Config, port: Option<v1::Port>) -> Self {
        let hops_left = config.route.max_hops.saturating_sub(1);
        Self { addr: config.name.addr(), incarnation: config.incarnation, hops_left, port }
    }

    /// The route's part of a header for `dst`.
    pub(super) const fn transit(&self, dst: NodeAddr, path: u16) -> v1::Transit {
        v1::Transit { hops_left: self.hops_left, dst, src: self.addr, flow: path }
    }

    /// The path number of everything that goes from here to `dst`.
    pub(super) fn path_to(&self, dst: NodeAddr) -> u16 {
        path_between(self.addr, dst)
    }
}

/// The path number of everything that goes from one node to another: one pair of nodes keeps to one path, so what it says
/// stays in order; different pairs spread over the paths.
pub(crate) fn path_between(src: NodeAddr, dst: NodeAddr) -> u16 {
    let mixed = (src.0 ^ dst.0.rotate_left(29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    u16::try_from(mixed >> 48).unwrap_or(u16::MAX)
}

/// Where a message or parcel belongs: its flow, and its place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The sender.
    pub src: NodeAddr,
    /// The sender's life.
    pub src_incarnation: Incarnation,
    /// The life of this node that the flow is with.
    pub dst_incarnation: Incarnation,
    /// The number in the flow.
    pub seq: Seq,
    /// How far below `seq` the oldest one lies whose outcome the sender still awaits.
    pub behind: u32,
}

impl From<&v1::Data<'_>> for Place {
    fn from(data: &v1::Data<'_>) -> Self {
        let v1::Data { transit, src_incarnation, dst_incarnation, seq, behind, to_client: _, from_client: _ } = *data;
        Self { src: transit.src, src_incarnation, dst_incarnation, seq, behind }
    }
}

impl From<&v1::Parcel> for Place {
    fn from(parcel: &v1::Parcel) -> Self {
        let v1::Parcel { transit, port: _, src_incarnation, dst_incarnation, seq, behind } = *parcel;
        Self { src: transit.src, src_incarnation, dst_incarnation, seq, behind }
    }
}

/// What a message says beside its payload, as it arrives.
#[derive(Debug)]
pub(super) enum Heading<'a> {
    /// The clients at both ends; empty: the node itself.
    Clients { to: &'a str, from: &'a str },
    /// A machine's part of the header.
    Machine(Bytes),
}

/// The same, to keep.
#[derive(Clone, Debug)]
pub(super) enum Label {
    Clients { to: Option<Arc<str>>, from: Option<Arc<str>> },
    Machine(Bytes),
}

impl Heading<'_> {
    pub(super) fn into_label(self) -> Label {
        let owned = |client: &str| (!client.is_empty()).then(|| Arc::from(client));
        match self {
            Heading::Clients { to, from } => Label::Clients { to: owned(to), from: owned(from) },
            Heading::Machine(head) => Label::Machine(Bytes::copy_from_slice(&head)),
        }
    }
}

impl Label {
    pub(super) fn heading(&self) -> Heading<'_> {
        match self {
            Self::Clients { to, from } => {
                Heading::Clients { to: to.as_deref().unwrap_or_default(), from: from.as_deref().unwrap_or_default() }
            }
            Self::Machine(head) => Heading::Machine(head.clone()),
        }
    }
}

/// The counter of messages, or the one of parcels that stands for the same.
pub(super) const fn counter_of(port: Option<v1::Port>, messages: Counted) -> Counter {
    match (port, messages) {
        (None, Counted::Sent) => Counter::MessagesSent,
        (None, Counted::Delivered) => Counter::MessagesDelivered,
        (None, Counted::Refused) => Counter::MessagesRefused,
        (None, Counted::Unknown) => Counter::MessagesUnknown,
        (None, Counted::Retransmitted) => Counter::MessagesRetransmitted,
        (None, Counted::Duplicate) => Counter::MessagesDuplicate,
        (Some(_), Counted::Sent) => Counter::ParcelsSent,
        (Some(_), Counted::Delivered) => Counter::ParcelsDelivered,
        (Some(_), Counted::Refused) => Counter::ParcelsRefused,
        (Some(_), Counted::Unknown) => Counter::ParcelsUnknown,
        (Some(_), Counted::Retransmitted) => Counter::ParcelsRetransmitted,
        (Some(_), Counted::Duplicate) => Counter::ParcelsDuplicate,
    }
}

/// What is counted of a flow.
#[derive(Clone, Copy, Debug)]
pub(super) enum Counted {
    Sent,
    Delivered,
    Refused,
    Unknown,
    Retransmitted,
    Duplicate,
}

/// What every step of a flow may use. Lives for one call.
#[derive(Debug)]
pub(super) struct Env<'a> {
    pub(super) now: Time,
    pub(super) me: &'a Me,
    pub(super) lives: &'a Lives,
    pub(super) ledger: &'a mut Ledger,
    pub(super) probe: &'a mut Probe,
    pub(super) fx: &'a mut Vec<Effect>,
}

impl Env<'_> {
    /// Counts.
    #[inline]
    pub(super) fn count(&mut self, what: Counted) {
        self.probe.count(counter_of(self.me.port, what));
    }

    /// Books the outcome of a message, and tells the application if it wants to know.
    pub(super) fn settle(&mut self, report: Report, node: NodeAddr, outcome: Outcome) {
        match outcome {
            Outcome::Delivered => {}
            Outcome::Rejected(_) => self.count(Counted::Refused),
            Outcome::Unknown => self.count(Counted::Unknown),
        }
        self.ledger.settle(report, node, outcome, self.fx);
    }

    /// Hands a message over to whoever it is for.
    #[inline]
    pub(super) fn deliver(
        &mut self,
        from: NodeAddr,
        incarnation: Incarnation,
        seq: Seq,
        to_client: Option<Client>,
        heading: Heading<'_>,
        payload: Bytes,
    ) {
        match heading {
            Heading::Clients { to: _, from: client } => {
                let from_client = (!client.is_empty()).then(|| Arc::from(client));
                emplace(self.fx, || {
                    Effect::Deliver(Message { from, incarnation, seq, from_client, to_client, payload })
                });
            }
            Heading::Machine(head) => {
                emplace(self.fx, || Effect::Received { from, incarnation, seq, head, body: payload });
            }
        }
    }

    /// Sends a frame on its way.
    #[inline]
    pub(super) fn forward(&mut self, dst: NodeAddr, path: u16, frame: Frame) {
        emplace(self.fx, || Effect::Forward { dst, flow: path, frame });
    }
}

/// A message of this node, as long as its outcome is open.
#[derive(Clone, Debug)]
pub(super) struct Parcel {
    pub(super) payload: Bytes,
    pub(super) label: Label,
    pub(super) deadline: Time,
    pub(super) report: Report,
}

/// A client's name as messages keep it: the empty one means the node itself.
///
/// # Errors
/// [`Rejected::NoSuchClient`] if no client can have it.
pub(super) fn client(name: Option<Arc<str>>) -> Result<Option<Arc<str>>, Rejected> {
    match name {
        Some(name) if name.len() > CLIENT_NAME_MAX => Err(Rejected::NoSuchClient),
        Some(name) if name.is_empty() => Ok(None),
        name => Ok(name),
    }
}

/// What a refusal of a message of `len` bytes means to its sender.
pub(super) fn refused(code: RefusalCode, len: usize) -> Rejected {
    match code {
        RefusalCode::NoSuchClient => Rejected::NoSuchClient,
        RefusalCode::ReceiverBusy => Rejected::ReceiverBusy,
        RefusalCode::ShuttingDown => Rejected::ShuttingDown,
        RefusalCode::Forbidden => Rejected::Forbidden,
        // The receiver's limit does not travel; all that is known is that it is smaller.
        RefusalCode::TooLarge => Rejected::TooLarge { len: len as u64, limit: (len as u64).saturating_sub(1) },
    }
}
