//! What applications ask for while things break.

use std::sync::Arc;

use io_sim::HostId;

use super::{draw::Draw, services};
use crate::scenario::{Op, TimedOp};

/// How much is asked for, and how large it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    /// Least and largest mean pause between two requests, in milliseconds.
    pub gap_ms: (u64, u64),
    /// Largest payload, in bytes.
    pub bytes_max: u32,
    /// Longest deadline, in milliseconds.
    pub deadline_max_ms: u32,
    /// How many requests in a hundred are about topics.
    pub topics: u64,
    /// How many in a hundred are about calls.
    pub calls: u64,
}

impl Load {
    /// A mesh in ordinary use.
    pub(super) const ORDINARY: Self =
        Self { gap_ms: (10, 200), bytes_max: 4_096, deadline_max_ms: 8_000, topics: 0, calls: 0 };
}

/// The clients that any node may have, now and then.
const CLIENTS: [&str; 3] = ["ann", "bob", "cleo"];

#[derive(Clone, Copy)]
enum Kind {
    Send,
    ToClient,
    Client,
    Unreported,
    Burst,
    Many,
    Broadcast,
    Trace,
    Find,
}

/// Requests up to `until_ms`, in order of time.
pub(super) fn requests(draw: &mut Draw, hosts: u32, load: Load, until_ms: u64) -> Vec<TimedOp> {
    let weights = [
        (Kind::Send, 60),
        (Kind::ToClient, draw.between_u32(0, 30)),
        (Kind::Client, draw.between_u32(1, 10)),
        (Kind::Unreported, draw.between_u32(0, 20)),
        (Kind::Burst, draw.between_u32(0, 10)),
        (Kind::Many, draw.between_u32(0, 10)),
        (Kind::Broadcast, draw.between_u32(0, 10)),
        (Kind::Trace, draw.between_u32(0, 5)),
        (Kind::Find, draw.between_u32(0, 5)),
    ];
    let gap = draw.scale(load.gap_ms.0, load.gap_ms.1);
    let mut ops: Vec<_> = (0..hosts).map(|at| TimedOp { at_ms: 0, op: comes(draw, HostId(at), true) }).collect();
    let mut at_ms = 0;
    loop {
        at_ms += draw.between(1, 2 * gap);
        if at_ms >= until_ms {
            return ops;
        }
        // Families without topics and calls draw nothing for them.
        if load.topics + load.calls > 0 {
            let turn = draw.between(0, 99);
            if turn < load.topics {
                services::topics(draw, hosts, load, at_ms, &mut ops);
                continue;
            }
            if turn < load.topics + load.calls {
                services::calls(draw, hosts, load, at_ms, &mut ops);
                continue;
            }
        }
        let kind = draw.weighted(&weights).unwrap_or(Kind::Send);
        request(draw, hosts, load, kind, at_ms, &mut ops);
    }
}

fn request(draw: &mut Draw, hosts: u32, load: Load, kind: Kind, at_ms: u64, ops: &mut Vec<TimedOp>) {
    let (from, to) = draw.pair(hosts);
    let deadline_ms = draw.scale_u32(50, load.deadline_max_ms);
    let bytes = if draw.percent(80) { draw.between_u32(16, 256) } else { draw.scale_u32(256, load.bytes_max.max(257)) };
    let send = |report| Op::Send { from, to, bytes, deadline_ms, report };
    let op = match kind {
        Kind::Send => send(true),
        Kind::ToClient => {
            let (from_client, to_client) =
                (draw.percent(50).then(|| client(draw)), draw.percent(80).then(|| client(draw)));
            Op::SendToClient { from, from_client, to, to_client, bytes, deadline_ms }
        }
        Kind::Client => {
            let present = draw.percent(70);
            comes(draw, from, present)
        }
        Kind::Unreported => send(false),
        Kind::Burst => {
            ops.extend((1..draw.between(2, 30)).map(|_| TimedOp { at_ms, op: send(true) }));
            send(true)
        }
        Kind::Many => {
            let mut to = draw.some(hosts, 1, hosts - 1);
            to.retain(|host| *host != from);
            if to.is_empty() {
                to.push(HostId((from.0 + 1) % hosts));
            }
            Op::SendMany { from, to, bytes, deadline_ms }
        }
        Kind::Broadcast => Op::Broadcast { from, bytes, deadline_ms },
        Kind::Trace => Op::Trace { from, to, every_hop: draw.percent(50), deadline_ms },
        Kind::Find => Op::FindNode { from, to, deadline_ms },
    };
    ops.push(TimedOp { at_ms, op });
}

fn comes(draw: &mut Draw, at: HostId, present: bool) -> Op {
    Op::Client { at, client: client(draw), present }
}

/// One of the clients, mostly the first: so that what lies before one that is stuck becomes more than it may hold.
pub(super) fn client(draw: &mut Draw) -> Arc<str> {
    Arc::from(if draw.percent(70) { CLIENTS[0] } else { CLIENTS[draw.place(CLIENTS.len())] })
}
