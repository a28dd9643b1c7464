//! The links of two nodes, and of nodes with peers that break every rule after they have proven who they are.
//!
//! The input is a script. It lets time pass, dials come to something, bytes through, whole, in pieces or altered;
//! breaks channels, restarts hosts, commands them; and has puppets, which hold the token, send any plaintext in valid
//! records.
//!
//! Properties, after every line:
//! * Nothing panics, and law L5 holds (by [`Bench`](proto_core::testing::Bench)).
//! * At most one link to a peer is up; it is up between [`Effect::Up`](proto_core::link::Effect::Up) and `Down`; only then
//!   does it deliver; and the one at its other end has the name that it shows and holds the token.
//! * What one host sent arrives at the other in the order of its lane, each frame at most once, and nothing else does.
//! * Never more than the window of a channel is on the way, and nothing is written to a channel after its close.
//!
//! Properties at the end, once everything is let through: the hosts are linked, unless somebody who has a name of theirs
//! took part or one was told to leave; and nothing is left of one that shut down.

mod cast;
mod host;
mod network;
mod puppet;

use std::sync::Arc;

use arbitrary::{Result, Unstructured};
use bytes::BytesMut;
use core::time::Duration;
use proto_core::{
    error::{CloseReason, Misuse},
    id::{ChannelId, DialId, Incarnation},
    link::{Effect, Event, Lane, LinkId},
    wire::{self, Encoded, Frame, Kind, v1},
};

use cast::{cast, peer};
use network::Network;

/// Most lines of one script. More: it ends.
const OPS_MAX: usize = 128;
/// Most bytes that one frame of a script has.
const FRAME_MAX: usize = 128 * 1024;
/// The longest pause before a node dials again, with its jitter, and a handshake.
const HEALED_IN: Duration = Duration::from_secs(60);
/// Numbers that no channel and no dial ever has.
const NEVER: u64 = u64::MAX;

/// Runs a script.
///
/// # Panics
/// If a property does not hold.
pub fn run(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let mut script = Script { network: Network::new(input.arbitrary().unwrap_or_default()), shut: [false; 2] };
    for _ in 0..OPS_MAX {
        if input.is_empty() || script.op(&mut input).is_err() {
            break;
        }
    }
    script.end();
}

struct Script {
    network: Network,
    /// The hosts that were told to shut down.
    shut: [bool; 2],
}

impl Script {
    /// One line.
    fn op(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let now = self.network.now;
        match u.arbitrary::<u8>()? % 16 {
            0 => self.network.advance(now + Duration::from_millis(u64::from(u.arbitrary::<u16>()?))),
            1 => {
                let (end, most) = (self.end_of(u)?, usize::from(u.arbitrary::<u16>()?));
                self.network.pump(end, most);
            }
            2 | 3 => self.network.settle(),
            4 => self.network.settle_dial(u.arbitrary()?),
            5 => self.network.settle_dial(0),
            6 => {
                let (end, most) = (self.end_of(u)?, u64::from(u.arbitrary::<u16>()?));
                self.network.written(end, most);
            }
            7 => self.send(u)?,
            8 => {
                let end = self.end_of(u)?;
                self.network.break_channel(end);
            }
            9 => {
                let (host, role) = (host(u)?, usize::from(u.arbitrary::<u8>()?));
                self.network.puppet_dials(host, role);
            }
            10 | 11 => self.say(u)?,
            12 => {
                let (end, at, mask) = (self.end_of(u)?, usize::from(u.arbitrary::<u16>()?), u.arbitrary()?);
                self.network.alter(end, at, mask);
            }
            13 => self.command(u)?,
            14 => self.misuse(u)?,
            _ => {
                let host = host(u)?;
                self.network.restart(host);
                self.shut[host] = false;
            }
        }
        Ok(())
    }

    fn end_of(&self, u: &mut Unstructured<'_>) -> Result<usize> {
        Ok(usize::from(u.arbitrary::<u8>()?) % self.network.ends().max(1))
    }

    /// A link of a host that is up.
    fn link(&self, host: usize, u: &mut Unstructured<'_>) -> Result<Option<LinkId>> {
        let (links, chosen) = (self.network.watches[host].links(), usize::from(u.arbitrary::<u8>()?));
        Ok(links.get(chosen % links.len().max(1)).copied())
    }

    /// A host sends a frame.
    fn send(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let host = host(u)?;
        let link = self.link(host, u)?;
        let (how, len) = (u.arbitrary::<u8>()? % 4, usize::from(u.arbitrary::<u16>()?) * 2);
        // The fourth way is that of frames of other nodes, on the data lane.
        let (lane, is_passing) = if how == 3 { (1, true) } else { (how, false) };
        let network = &mut self.network;
        let Some(link) = link else { return Ok(()) };
        network.sent += 1;
        let frame = host::numbered(lane, network.sent, len.min(FRAME_MAX));
        let lane = [Lane::Control, Lane::Data, Lane::Bulk][usize::from(lane)];
        network.hosts[host].with(network.now, |machine, cx, _| {
            let sent = match passing(&frame).filter(|_| is_passing) {
                Some(passing) => machine.links.forward(cx, link, passing),
                None => machine.links.send(cx, link, lane, frame),
            };
            assert!(sent.is_ok(), "{link:?} is up, and lanes hold more than a script sends: {sent:?}");
        });
        network.turn(host);
        Ok(())
    }

    /// A puppet says something in a record.
    fn say(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        /// Lane 0, first and last piece.
        const WHOLE: u8 = 0b1100;
        let puppet = usize::from(u.arbitrary::<u8>()?) % self.network.puppets.len().max(1);
        let plaintext = match u.arbitrary::<u8>()? % 8 {
            0 | 1 => puppet::segment(WHOLE, &hello(u)?),
            2 => {
                let (id, stamp) = (u32::from(u.arbitrary::<u8>()?), u.arbitrary()?);
                puppet::segment(WHOLE, &puppet::frame(Kind::Pong as u8, &wire::encode(&v1::Pong { id, stamp }), 0))
            }
            3 => puppet::segment(
                WHOLE,
                &puppet::frame(Kind::Ping as u8, &wire::encode(&v1::Ping { id: 1, stamp: 2 }), 0),
            ),
            4 => puppet::segment(WHOLE, &puppet::frame(Kind::Bye as u8, &[u.arbitrary()?], 0)),
            5 => {
                let (flags, kind) = (u.arbitrary()?, u.arbitrary()?);
                let (head, body) = (some_bytes(u)?, usize::from(u.arbitrary::<u16>()?));
                puppet::segment(flags, &puppet::frame(kind, head, body))
            }
            6 => puppet::segment(u.arbitrary()?, some_bytes(u)?),
            _ => some_bytes(u)?.to_vec(),
        };
        if let Some(speaker) = self.network.puppets.get_mut(puppet) {
            let bytes = speaker.record(&plaintext);
            self.network.say(puppet, &bytes);
        }
        Ok(())
    }

    /// A host is told to do something.
    fn command(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let host = host(u)?;
        let other = &cast()[1 - host];
        match u.arbitrary::<u8>()? % 4 {
            0 => {
                let peer = peer(other, u.arbitrary()?);
                self.network.connect(host, peer);
            }
            1 => {
                self.network.poisoned = true;
                self.network.tell(host, Event::Disconnect { peer: other.name.clone() });
            }
            2 => {
                self.shut[host] = true;
                self.network.poisoned = true;
                self.network.tell(host, Event::Shutdown);
            }
            _ => {
                let Some(link) = self.link(host, u)? else { return Ok(()) };
                self.network.close(host, link, CloseReason::TooSlow);
            }
        }
        Ok(())
    }

    /// The substrate breaks the contract: the host says so, and nothing else happens.
    fn misuse(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let host = host(u)?;
        let (channel, dial) = (ChannelId(NEVER), DialId(NEVER));
        let (event, misuse) = match u.arbitrary::<u8>()? % 5 {
            0 => (Event::Received { channel, bytes: BytesMut::zeroed(9) }, Misuse::NoSuchChannel),
            1 => (Event::Written { channel, bytes: 1 }, Misuse::NoSuchChannel),
            2 => (Event::Closed { channel }, Misuse::NoSuchChannel),
            3 => (Event::DialFailed { dial }, Misuse::NoSuchDial),
            _ => {
                let remote = Arc::from("nowhere");
                (Event::Opened { channel, dial: Some(dial), remote, exporter: None }, Misuse::NoSuchDial)
            }
        };
        let refused = matches!(event, Event::Opened { .. });
        let bench = &mut self.network.hosts[host];
        let mut expected = vec![Effect::Misuse(misuse)];
        expected.extend(refused.then_some(Effect::Close { channel }));
        assert_eq!(bench.handle(self.network.now, event), expected);
        if refused {
            assert_eq!(bench.handle(self.network.now, Event::Closed { channel }), []);
        }
        self.network.turn(host);
        Ok(())
    }

    /// What must be true in the end.
    fn end(mut self) {
        let until = self.network.now + HEALED_IN;
        if self.network.poisoned || !self.network.dials_at_all() {
            let shut = self.shut;
            self.network.heal(self.network.now + Duration::from_secs(12), |_| shut == [false; 2]);
        } else {
            self.network.heal(until, Network::is_linked);
            assert!(self.network.is_linked(), "the hosts did not find each other");
        }
        for (host, shut) in self.network.hosts.iter().zip(self.shut) {
            assert!(!shut || host.machine.links.is_empty(), "something is left after the shutdown");
        }
    }
}

/// A frame as it is when it comes from another node.
fn passing(frame: &Frame) -> Option<Encoded> {
    let mut bytes = BytesMut::new();
    frame.put(&mut bytes);
    Encoded::parse(bytes.freeze()).ok().flatten()
}

fn host(u: &mut Unstructured<'_>) -> Result<usize> {
    Ok(usize::from(u.arbitrary::<u8>()? % 2))
}

/// Up to 255 bytes of the script.
fn some_bytes<'a>(u: &mut Unstructured<'a>) -> Result<&'a [u8]> {
    let len = usize::from(u.arbitrary::<u8>()?).min(u.len());
    u.bytes(len)
}

/// A hello that may well be accepted.
fn hello(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let (version_min, version_max) = (u.arbitrary::<u8>()? % 4, u.arbitrary::<u8>()? % 4);
    let incarnation = Incarnation(u64::from(u.arbitrary::<u8>()?));
    let (heartbeat_ms, dead_after_ms) = (u.arbitrary()?, u.arbitrary()?);
    Ok(puppet::hello(&v1::Hello { version_min, version_max, features: 0, incarnation, heartbeat_ms, dead_after_ms }))
}
