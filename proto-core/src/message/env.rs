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
    id::{Incarnation, NodeAddr},
    limits::CLIENT_NAME_MAX,
    node::{Config, Outcome},
    probe::Probe,
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
}

impl Me {
    pub(super) fn new(config: &Config) -> Self {
        let hops_left = config.route.max_hops.saturating_sub(1);
        Self { addr: config.name.addr(), incarnation: config.incarnation, hops_left }
    }

    /// The route's part of a header for `dst`.
    pub(super) const fn transit(&self, dst: NodeAddr, path: u16) -> v1::Transit {
        v1::Transit { hops_left: self.hops_left, dst, src: self.addr, flow: path }
    }

    /// The path number of everything that goes from here to `dst`: one pair of nodes keeps to one path, so its messages
    /// stay in order; different pairs spread over the paths.
    pub(super) fn path_to(&self, dst: NodeAddr) -> u16 {
        let mixed = (self.addr.0 ^ dst.0.rotate_left(29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        u16::try_from(mixed >> 48).unwrap_or(u16::MAX)
    }
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
    /// Books the outcome of a message, and tells the application if it wants to know.
    pub(super) fn settle(&mut self, report: Report, outcome: Outcome) {
        self.ledger.settle(report, outcome, self.probe, self.fx);
    }

    /// Sends a frame on its way.
    #[inline]
    pub(super) fn forward(&mut self, dst: NodeAddr, path: u16, frame: Frame) {
        emplace(self.fx, || Effect::Forward { dst, flow: path, frame });
    }
}

/// A message of this node's application, as long as its outcome is open.
#[derive(Clone, Debug)]
pub(super) struct Parcel {
    pub(super) payload: Bytes,
    pub(super) to_client: Option<Arc<str>>,
    pub(super) from_client: Option<Arc<str>>,
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
