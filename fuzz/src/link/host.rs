//! A host, and what may be told of its links and when.

use std::collections::BTreeMap;

use proto_core::{
    cx::Cx,
    id::{ChannelId, NodeName},
    limits::LINK_COST_MAX,
    link::{Effect, Event, LinkId, Links},
    secure::Pins,
    testing::Machine,
    time::Time,
    wire::{Encoded, Frame, Kind, v1},
};

/// The links of one node and its pins, as one machine.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) links: Links,
    pub(super) pins: Pins,
}

impl Machine for Host {
    type Event = Event;
    type Effect = Effect;

    fn handle(&mut self, cx: &mut Cx<'_>, event: Event, effects: &mut Vec<Effect>) {
        self.links.handle(cx, &mut self.pins, event, effects);
    }

    fn handle_timeout(&mut self, cx: &mut Cx<'_>, effects: &mut Vec<Effect>) {
        self.links.handle_timeout(cx, effects);
    }

    fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        self.links.poll_timeout()
    }
}

/// A frame that says on which lane it was sent and as which.
pub(super) fn numbered(lane: u8, number: u32, len: usize) -> Frame {
    Frame::with_body(Kind::Advert, &v1::Advert { age_ms: number * 3 + u32::from(lane % 3) }, vec![0; len].into())
}

/// What one host told of its links.
#[derive(Default)]
pub(super) struct Watch {
    /// The links that are up.
    up: BTreeMap<LinkId, NodeName>,
    /// The number of the last frame of each link and lane.
    last: BTreeMap<(LinkId, u32), u32>,
}

impl Watch {
    /// Links come up and go down one after the other, one to a peer, and deliver only between.
    pub(super) fn up(&mut self, link: LinkId, peer: NodeName, cost: u32) {
        assert!((1..=LINK_COST_MAX).contains(&cost));
        assert!(!self.up.values().any(|other| *other == peer), "a second link to {peer} is up");
        assert!(self.up.insert(link, peer).is_none(), "{link:?} comes up twice");
    }

    /// A link went down.
    pub(super) fn down(&mut self, link: LinkId, peer: &NodeName) {
        assert_eq!(self.up.remove(&link).as_ref(), Some(peer), "{link:?} goes down");
    }

    /// The cost of a link changed.
    pub(super) fn cost(&self, link: LinkId, cost: u32) {
        assert!((1..=LINK_COST_MAX).contains(&cost));
        assert!(self.up.contains_key(&link), "the cost of {link:?}, which is down");
    }

    /// A frame arrived; `sent` if the other end is a host, and how many frames it has sent so far.
    pub(super) fn frame(&mut self, link: LinkId, frame: &Encoded, sent: Option<u32>) {
        assert!(self.up.contains_key(&link), "a frame over {link:?}, which is down");
        let Some(sent) = sent else { return };
        let Ok(v1::Advert { age_ms }) = frame.header() else { panic!("{frame:?} was never sent") };
        let (number, lane) = (age_ms / 3, age_ms % 3);
        assert!(number <= sent, "frame {number} of {sent}");
        let last = self.last.insert((link, lane), number);
        assert!(last.is_none_or(|last| last < number), "frame {number} of lane {lane} comes after {last:?}");
    }

    /// What the host shows is what it told. Returns the channel of each link that is up, with its peer.
    pub(super) fn check(&self, host: &Host) -> Vec<(ChannelId, NodeName)> {
        let shown: BTreeMap<LinkId, NodeName> = host.links.views().map(|view| (view.link, view.peer.clone())).collect();
        assert_eq!(shown, self.up);
        host.links.views().map(|view| (view.channel, view.peer.clone())).collect()
    }

    /// The links that are up.
    pub(super) fn links(&self) -> Vec<LinkId> {
        self.up.keys().copied().collect()
    }
}
