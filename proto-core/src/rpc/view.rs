//! What people may see of calls and providers.

use alloc::sync::Arc;
use core::time::Duration;

use super::{CallId, Entry, Progress, Provider, ServiceName};
use crate::id::NodeAddr;

/// A provider of this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServedView<'a> {
    /// What it registered.
    pub entry: &'a Entry,
    /// Calls that run.
    pub running: u32,
    /// Calls that wait.
    pub queued: u32,
    /// Calls that a handler was given.
    pub requests: u64,
    /// Those of them that ended with an error of the handler.
    pub errors: u64,
    /// Calls that were refused, because too many waited.
    pub refused: u64,
    /// Calls that were over before their turn came.
    pub expired: u64,
    /// How long its handlers took on average; `None` before the first answer.
    pub average: Option<Duration>,
}

/// A provider anywhere in the mesh, as this node knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProviderView<'a> {
    /// The node.
    pub node: NodeAddr,
    /// What it announced.
    pub entry: &'a Entry,
    /// What the way there costs; `None`: out of reach. 0: this node.
    pub cost: Option<u32>,
    /// Calls of this node that are pending there.
    pub pending: u32,
    /// Calls, of everybody, that ran or waited there when it last told.
    pub load: u32,
    /// Whether it refused a call a moment ago, and is chosen last.
    pub cooling: bool,
}

/// A call of this node that is not completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallView {
    /// The call.
    pub id: CallId,
    /// The service.
    pub service: ServiceName,
    /// The client that calls; `None`: the node itself.
    pub from_client: Option<Arc<str>>,
    /// The provider that it went to last.
    pub at: Option<Provider>,
    /// At how many providers it was tried.
    pub tries: u8,
    /// How far it got.
    pub progress: Progress,
    /// Time left until the deadline.
    pub left: Duration,
}
