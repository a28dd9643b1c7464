//! Every table and queue keeps to its bound, a node knows no more nodes than there are, and no neighbour that keeps the
//! protocol is taken for one that asks too much.
//!
//! What grows without a bound is a leak or an attack (C4; law L9 of the core).

use proto_core::limits;

use super::{Held, Invariant};
use crate::snapshot::{NodeSnap, Snapshot};

/// Channels to one other node that may be there at once: one that lives, and those of either side that are dead, closing,
/// or in a handshake that will come to nothing, for as long as it may take.
const CHANNELS_PER_NODE: usize = 40;

#[derive(Debug)]
pub(super) struct EngBounds;

impl Invariant for EngBounds {
    fn id(&self) -> &'static str {
        "eng_bounds"
    }

    fn always(&mut self, snapshot: &Snapshot) -> Held {
        let mesh = snapshot.nodes.len();
        snapshot.running().try_for_each(|(_, node)| check(node, mesh))
    }
}

fn check(node: &NodeSnap, mesh: usize) -> Held {
    let lanes = limits::LANE_CONTROL_FRAMES + limits::LANE_DATA_FRAMES + limits::LANE_BULK_FRAMES;
    let queued = node.links.iter().map(|link| link.queued as usize).max().unwrap_or(0);
    let (sizes, most) = (&node.sizes, &node.bounds);
    let measured = [
        ("links that are up", node.links.len(), mesh - 1),
        ("routes", node.routes.len(), mesh - 1),
        ("adverts", node.adverts.len(), mesh),
        ("frames on the lanes of one link", queued, lanes),
        ("requests of neighbours dropped as too many", node.counts.over_budget as usize, 0),
        ("unanswered messages", node.counts.unanswered as usize, mesh * limits::FLOW_QUEUE_MESSAGES),
        ("messages in its mailbox", sizes.inbox, most.inbox),
        ("bytes in its mailbox", sizes.inbox_bytes, limits::INBOX_BYTES + most.payload),
        ("messages for clients", sizes.clients_messages, most.inbox + most.clients * limits::MAILBOX_MESSAGES_MIN),
        // It takes a place only while at least as many are free.
        ("messages for one client", sizes.clients_most, most.inbox.div_ceil(2).max(limits::MAILBOX_MESSAGES_MIN)),
        (
            "bytes for clients",
            sizes.clients_bytes,
            limits::INBOX_BYTES + most.payload + most.clients * limits::MAILBOX_BYTES_MIN,
        ),
        ("bytes of messages that wait", sizes.waiting_bytes, limits::INBOX_WAITING_BYTES),
        ("clients", sizes.clients, most.clients),
        ("receivers", sizes.flows_out, mesh - 1),
        ("senders", sizes.flows_in, mesh - 1),
        ("messages in flight to one receiver", sizes.in_flight, limits::FLOW_WINDOW),
        ("messages for one receiver", sizes.backlog, limits::FLOW_QUEUE_MESSAGES),
        ("bytes for one receiver", sizes.backlog_bytes, limits::FLOW_QUEUE_BYTES),
        ("messages of one sender that wait", sizes.early, limits::FLOW_WINDOW),
        ("refusals for one sender", sizes.refused, limits::FLOW_WINDOW),
        ("pins", sizes.pins, mesh - 1),
        ("peers to dial", sizes.dialers, node.dials.len()),
        ("dials under way", sizes.dials, node.dials.len()),
        ("channels", sizes.channels, limits::LINKS_MAX.min(mesh * CHANNELS_PER_NODE)),
    ];
    match measured.iter().find(|(_, has, most)| has > most) {
        Some((what, has, most)) => Err(format!("{} has {has} {what}; the most is {most}", node.name)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};
    use crate::snapshot::Sizes;

    fn after(change: impl FnOnce(&mut NodeSnap)) -> Held {
        let mut snapshot = sample::line();
        change(&mut snapshot.nodes[0]);
        EngBounds.always(&snapshot)
    }

    #[test]
    fn fires_on_every_bound() {
        assert!(after(|node| node.links = vec![sample::link(1); 3]).is_err());
        assert!(after(|node| node.routes = vec![sample::route(1, 1, 1); 3]).is_err());
        assert!(after(|node| node.adverts = vec![sample::advert(1, 1, &[]); 4]).is_err());
        assert!(after(|node| node.links[0].queued = 1_000_000).is_err());
        assert!(after(|node| node.counts.unanswered = 1_000_000).is_err());
        assert!(after(|node| node.counts.over_budget = 1).is_err());
    }

    #[test]
    fn fires_on_every_size_that_is_out_of_bounds() {
        let grow: [fn(&mut Sizes); 18] = [
            |sizes| sizes.inbox = 65_537,
            |sizes| sizes.inbox_bytes = 258 << 20,
            |sizes| sizes.waiting_bytes = 257 << 20,
            |sizes| sizes.clients = 1,
            |sizes| sizes.clients_messages = 65_537,
            |sizes| sizes.clients_most = 32_769,
            |sizes| sizes.clients_bytes = 258 << 20,
            |sizes| sizes.flows_out = 3,
            |sizes| sizes.flows_in = 3,
            |sizes| sizes.in_flight = 4_097,
            |sizes| sizes.backlog = 65_537,
            |sizes| sizes.backlog_bytes = 65 << 20,
            |sizes| sizes.early = 4_097,
            |sizes| sizes.refused = 4_097,
            |sizes| sizes.pins = 3,
            |sizes| sizes.dialers = 2,
            |sizes| sizes.dials = 2,
            |sizes| sizes.channels = 121,
        ];
        for (place, grow) in grow.iter().enumerate() {
            assert!(after(|node| grow(&mut node.sizes)).is_err(), "{place}");
        }
        assert_eq!(after(|node| (node.sizes.inbox, node.sizes.pins, node.sizes.dials) = (65_536, 2, 1)), Ok(()));
    }
}
