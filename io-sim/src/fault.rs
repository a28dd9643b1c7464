//! What can go wrong, as data. A scenario is a list of these with their times.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    host::HostId,
    net::{LinkSpec, Partition},
};

/// Something that goes wrong, or right again. One that makes no sense at the moment (stopping a host that is down, a host
/// that does not exist) changes nothing, so any part of a list of faults is a list of faults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// The machine loses power: its node is gone, unsynced writes with it, and it answers nothing until it starts again.
    Crash {
        /// Which.
        host: HostId,
    },
    /// The process dies and its kernel resets all its connections.
    Kill {
        /// Which.
        host: HostId,
    },
    /// The node is asked to drain, and ends when it has. The machine stays up and refuses connections.
    Stop {
        /// Which.
        host: HostId,
    },
    /// A host that is down starts, in a new life.
    Restart {
        /// Which.
        host: HostId,
    },
    /// The process stands still; what is for it piles up and comes all at once.
    Pause {
        /// Which.
        host: HostId,
        /// For how many milliseconds.
        for_ms: u64,
    },
    /// The network falls apart.
    Partition {
        /// How.
        kind: Partition,
    },
    /// Every partition ends.
    Heal,
    /// A path changes.
    Link {
        /// From this host
        from: HostId,
        /// to that one.
        to: HostId,
        /// What it is like from now on.
        spec: LinkSpec,
    },
    /// A clock runs at another rate.
    ClockRate {
        /// Whose.
        host: HostId,
        /// Parts per million too fast.
        ppm: i32,
    },
    /// Every connection between two hosts is reset, at both ends at once.
    CutStreams {
        /// One host.
        a: HostId,
        /// The other.
        b: HostId,
    },
    /// A bit flips in the next bytes of a stream that arrive, and no checksum notices.
    Corrupt {
        /// From this host
        from: HostId,
        /// to that one.
        to: HostId,
    },
    /// The application takes its messages more slowly, or faster.
    SlowApplication {
        /// Whose.
        host: HostId,
        /// How long it leaves them lying and its handlers run, in milliseconds.
        consume_after_ms: u64,
    },
    /// A client of an application takes no messages any more, or takes all that lie before it. It goes on when its
    /// process ends or when it leaves, too.
    StuckClient {
        /// Whose.
        host: HostId,
        /// The client's name.
        client: Arc<str>,
        /// Whether it is stuck from now on.
        stuck: bool,
    },
    /// The next write to the disk fails, and with it the store until the next start.
    FailDisk {
        /// Whose.
        host: HostId,
    },
}
