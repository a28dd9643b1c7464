//! One channel's life as a link: securing, greeting, up, closing.
//!
//! * **Securing**: the handshake. Then the table judges who is there.
//! * **Greeting**: hello goes out and is awaited. Then the table judges which of two links to one node lives.
//! * **Up**: frames flow, and a ping each heartbeat.
//! * **Closing**: what waits may still go out (on an orderly shutdown), then goodbye, then the channel is closed.
//! * **Closed**: until the substrate says that the channel has ended.
//!
//! Securing and greeting together last at most the handshake timeout, closing at most [`CLOSE_TIMEOUT`]. Nothing goes up
//! before the link is up, or after it began to close.
//!
//! Bounds: the lanes; [`CHANNEL_WINDOW`] sealed bytes that the channel has not taken over, beyond which only a goodbye is
//! sealed.

use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::{mem, time::Duration};

use bytes::{Bytes, BytesMut};

use super::{
    Effect, Lane, LinkId,
    dialers::DialerId,
    lanes::Outgoing,
    live::{Due, Live},
    own::Own,
    sealed::Sealed,
};
use crate::{
    collections::emplace,
    cx::Cx,
    error::{CloseReason, DropReason, Violation},
    id::ChannelId,
    limits::{CHANNEL_WINDOW, CLOSE_TIMEOUT, RECORD_MAX},
    probe::Counter,
    queue::Pushed,
    rng::Secrets,
    secure::{Handshake, PeerIdentity, Session, Step},
    time::Time,
    wire::{
        Encoded, Frame, Kind,
        v1::{Bye, ByeCode, Hello, Ping, Pong},
    },
};

/// The longest record with everything around it.
const SEALED_MAX: usize = Session::PREFIX + RECORD_MAX + Session::TAG;

/// One channel and the link on it.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) origin: Origin,
    pub(super) traffic: Traffic,
    /// Whether it is on the table's list of those that have something to seal.
    pub(super) listed: bool,
    stage: Stage,
    input: BytesMut,
    /// Bytes handed to the channel that it has not taken over.
    outstanding: u64,
    /// A control frame found no room; the link is to be closed.
    overflowed: bool,
    /// The peer said goodbye.
    left: bool,
}

/// Where a channel comes from.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    /// Its number.
    pub(super) id: ChannelId,
    /// The other end's transport address.
    pub(super) remote: Arc<str>,
    /// Whose dial opened it; `None` if it was accepted.
    pub(super) dialer: Option<DialerId>,
    /// Counts the channels that opened at this node.
    pub(super) order: u64,
}

/// Frames and bytes of a link, for people.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Traffic {
    pub(super) frames_in: u64,
    pub(super) frames_out: u64,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
}

#[derive(Debug)]
enum Stage {
    Securing {
        /// `None` once it failed.
        handshake: Option<Box<Handshake>>,
        until: Time,
        /// When the last message was written.
        asked: Time,
        /// Whether the peer has spoken.
        answered: bool,
    },
    Greeting {
        sealed: Box<Sealed>,
        until: Time,
        /// What the handshake told of the round trip.
        rtt: Duration,
    },
    Up {
        sealed: Box<Sealed>,
        live: Box<Live>,
    },
    Closing {
        sealed: Option<Box<Sealed>>,
        bye: Option<ByeCode>,
        until: Time,
    },
    Closed,
}

/// What the table has to decide.
#[derive(Debug)]
pub(super) enum Progress {
    /// Nothing.
    Idle,
    /// The handshake is done: [`Channel::greet`] the peer, or close.
    Secured(PeerIdentity),
    /// The peer said hello: [`Channel::bring_up`], or close.
    Greeted(Hello),
    /// It is over: close.
    Over(CloseReason),
}

impl Channel {
    /// A channel that just opened. The side that dialled speaks first.
    pub(super) fn open(
        cx: &mut Cx<'_>,
        own: &Own,
        secrets: &mut Secrets,
        origin: Origin,
        exporter: Option<[u8; 32]>,
        fx: &mut Vec<Effect>,
    ) -> Self {
        let local = own.local();
        let (handshake, write) = match origin.dialer {
            Some(_) => Handshake::dial(&local, secrets, exporter),
            None => (Handshake::accept(&local, secrets, exporter), Bytes::new()),
        };
        let until = cx.now + own.link.handshake_timeout;
        let stage = Stage::Securing { handshake: Some(Box::new(handshake)), until, asked: cx.now, answered: false };
        let mut channel = Self {
            origin,
            traffic: Traffic::default(),
            listed: false,
            stage,
            input: BytesMut::new(),
            outstanding: 0,
            overflowed: false,
            left: false,
        };
        channel.write(cx, write, fx);
        channel
    }

    /// Takes bytes in. [`Channel::advance`] says what they mean.
    pub(super) fn receive(&mut self, cx: &mut Cx<'_>, bytes: BytesMut) {
        if self.is_closing() {
            return;
        }
        self.traffic.bytes_in += bytes.len() as u64;
        cx.probe.add(Counter::BytesIn, bytes.len() as u64);
        if self.input.is_empty() {
            self.input = bytes;
        } else {
            self.input.unsplit(bytes);
        }
    }

    /// Reads what was received, up to what the table has to decide.
    pub(super) fn advance(&mut self, cx: &mut Cx<'_>, own: &Own, link: LinkId, fx: &mut Vec<Effect>) -> Progress {
        let progress = match &mut self.stage {
            Stage::Securing { .. } => self.secure(cx, own, fx),
            Stage::Greeting { sealed, .. } => match sealed.next(cx, &mut self.input) {
                Ok(None) => Progress::Idle,
                Ok(Some(frame)) => {
                    self.left = frame.kind() == Kind::Bye;
                    greeted(own, &frame)
                }
                Err(violation) => Progress::Over(violation.into()),
            },
            Stage::Up { .. } => match self.read_frames(cx, link, fx) {
                Ok(progress) => progress,
                Err(violation) => Progress::Over(violation.into()),
            },
            Stage::Closing { .. } | Stage::Closed => Progress::Idle,
        };
        if self.input.is_empty() {
            // Keeps no hold of a buffer that the substrate may want to use again.
            self.input = BytesMut::new();
        }
        progress
    }

    /// Says hello.
    pub(super) fn greet(&mut self, cx: &mut Cx<'_>, own: &Own) {
        self.push(cx, Lane::Control, Frame::new(Kind::Hello, &own.hello()));
    }

    /// The link is up from now on.
    pub(super) fn bring_up(&mut self, make: impl FnOnce(Duration) -> Live) {
        self.stage = match mem::replace(&mut self.stage, Stage::Closed) {
            Stage::Greeting { sealed, rtt, .. } => Stage::Up { sealed, live: Box::new(make(rtt)) },
            other @ (Stage::Securing { .. } | Stage::Up { .. } | Stage::Closing { .. } | Stage::Closed) => other,
        };
    }

    /// Puts a frame of the machines above on a lane.
    ///
    /// # Errors
    /// [`DropReason`] if the link is not up, or the lane refuses.
    #[inline]
    pub(super) fn send(&mut self, cx: &mut Cx<'_>, lane: Lane, frame: impl Into<Outgoing>) -> Result<(), DropReason> {
        if self.live().is_none() || self.overflowed {
            return Err(DropReason::NoRoute);
        }
        if self.push(cx, lane, frame) { Ok(()) } else { Err(DropReason::QueueFull) }
    }

    /// The channel has taken over bytes.
    pub(super) const fn written(&mut self, bytes: u64) {
        self.outstanding = self.outstanding.saturating_sub(bytes);
    }

    /// Begins to close: with a goodbye where the peer can read one, after everything that waits if `in_order`.
    pub(super) fn close(&mut self, now: Time, reason: CloseReason, in_order: bool) {
        let until = now + CLOSE_TIMEOUT;
        let bye = if self.left { None } else { goodbye(reason) };
        self.input = BytesMut::new();
        self.stage = match mem::replace(&mut self.stage, Stage::Closed) {
            Stage::Securing { .. } => Stage::Closing { sealed: None, bye, until },
            Stage::Greeting { mut sealed, .. } | Stage::Up { mut sealed, .. } => {
                if !in_order {
                    sealed.discard();
                }
                Stage::Closing { sealed: Some(sealed), bye, until }
            }
            closing @ (Stage::Closing { .. } | Stage::Closed) => closing,
        };
    }

    /// Acts on a deadline that has come.
    pub(super) fn handle_timeout(&mut self, cx: &mut Cx<'_>) -> Progress {
        match &mut self.stage {
            Stage::Securing { until, .. } | Stage::Greeting { until, .. } if *until <= cx.now => {
                Progress::Over(CloseReason::HandshakeTimeout)
            }
            Stage::Up { live, .. } => match live.handle_timeout(cx) {
                Due::Nothing => Progress::Idle,
                Due::GiveUp => Progress::Over(CloseReason::Silent),
                Due::Ping(ping) => {
                    self.push(cx, Lane::Control, Frame::new(Kind::Ping, &ping));
                    Progress::Idle
                }
            },
            // The end of closing is a matter of `flush`.
            Stage::Securing { .. } | Stage::Greeting { .. } | Stage::Closing { .. } | Stage::Closed => Progress::Idle,
        }
    }

    /// The next deadline and who wants it. What waits to be sealed is the table's business.
    pub(super) fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        match &self.stage {
            Stage::Securing { until, .. } | Stage::Greeting { until, .. } => Some((*until, "link: handshake")),
            Stage::Up { live, .. } => live.poll_timeout(),
            Stage::Closing { until, .. } => Some((*until, "link: close")),
            Stage::Closed => None,
        }
    }

    /// Whether [`Channel::flush`] would do something now.
    pub(super) fn wants_flush(&self, now: Time) -> bool {
        match &self.stage {
            Stage::Securing { .. } | Stage::Closed => false,
            Stage::Greeting { sealed, .. } | Stage::Up { sealed, .. } => self.may_seal(sealed),
            Stage::Closing { sealed, until, .. } => {
                sealed.as_ref().is_none_or(|sealed| sealed.lanes().is_empty() || self.may_seal(sealed) || *until <= now)
            }
        }
    }

    /// Seals what waits, as far as the window allows, into one write; ends a close that has nothing left to wait for.
    pub(super) fn flush(&mut self, cx: &mut Cx<'_>, scratch: &mut BytesMut, fx: &mut Vec<Effect>) {
        let outstanding = self.outstanding;
        match &mut self.stage {
            Stage::Securing { .. } | Stage::Closed => {}
            Stage::Greeting { sealed, .. } | Stage::Up { sealed, .. } => {
                let bytes = sealed.seal_all(cx, scratch, outstanding);
                self.write(cx, bytes, fx);
            }
            Stage::Closing { sealed, bye, until } => {
                let mut bytes = Bytes::new();
                let mut done = true;
                if let Some(sealed) = sealed {
                    bytes = sealed.seal_all(cx, scratch, outstanding);
                    done = sealed.lanes().is_empty() || *until <= cx.now;
                }
                let last = match (sealed, *bye) {
                    (Some(sealed), Some(code)) if done => {
                        sealed.seal_alone(cx, scratch, Frame::new(Kind::Bye, &Bye { code }))
                    }
                    (Some(_) | None, Some(_) | None) => Bytes::new(),
                };
                self.write(cx, bytes, fx);
                self.write(cx, last, fx);
                if done {
                    self.stage = Stage::Closed;
                    fx.push(Effect::Close { channel: self.origin.id });
                }
            }
        }
    }

    /// What there is of it as a link that is up.
    pub(super) fn live(&self) -> Option<&Live> {
        match &self.stage {
            Stage::Up { live, .. } => Some(live),
            Stage::Securing { .. } | Stage::Greeting { .. } | Stage::Closing { .. } | Stage::Closed => None,
        }
    }

    /// What there is of it as a link that is up, to change.
    pub(super) fn live_mut(&mut self) -> Option<&mut Live> {
        match &mut self.stage {
            Stage::Up { live, .. } => Some(live),
            Stage::Securing { .. } | Stage::Greeting { .. } | Stage::Closing { .. } | Stage::Closed => None,
        }
    }

    /// The session, between the handshake and the close.
    pub(super) fn sealed(&self) -> Option<&Sealed> {
        match &self.stage {
            Stage::Greeting { sealed, .. } | Stage::Up { sealed, .. } => Some(sealed),
            Stage::Securing { .. } | Stage::Closing { .. } | Stage::Closed => None,
        }
    }

    /// Who is at the other end, between the handshake and the close.
    pub(super) fn peer(&self) -> Option<&PeerIdentity> {
        self.sealed().map(Sealed::peer)
    }

    /// Whether it has begun to close.
    pub(super) const fn is_closing(&self) -> bool {
        matches!(self.stage, Stage::Closing { .. } | Stage::Closed)
    }

    /// Whether it is to be closed because a control frame found no room.
    pub(super) const fn is_doomed(&self) -> bool {
        self.overflowed && !self.is_closing()
    }

    /// Why the channel ended, where it ended by itself: a peer that hangs up on a handshake refuses it.
    pub(super) const fn why_lost(&self) -> CloseReason {
        match self.stage {
            Stage::Securing { answered: true, .. } => CloseReason::HandshakeFailed,
            Stage::Securing { .. }
            | Stage::Greeting { .. }
            | Stage::Up { .. }
            | Stage::Closing { .. }
            | Stage::Closed => CloseReason::ChannelLost,
        }
    }

    fn secure(&mut self, cx: &mut Cx<'_>, own: &Own, fx: &mut Vec<Effect>) -> Progress {
        let Stage::Securing { handshake, until, asked, answered } = &mut self.stage else { return Progress::Idle };
        if self.input.is_empty() {
            return Progress::Idle;
        }
        let Some(under_way) = handshake.take() else { return Progress::Idle };
        *answered = true;
        match under_way.receive(&own.local(), &mut self.input) {
            Step::More { handshake: next, write } => {
                *handshake = Some(Box::new(next));
                if !write.is_empty() {
                    *asked = cx.now;
                }
                self.write(cx, write, fx);
                Progress::Idle
            }
            Step::Done { session, peer, write } => {
                let sealed = Sealed::new(session, peer.clone(), own.link.send_queue, own.max_frame);
                let (until, rtt) = (*until, cx.now.since(*asked));
                self.stage = Stage::Greeting { sealed: Box::new(sealed), until, rtt };
                self.write(cx, write, fx);
                Progress::Secured(peer)
            }
            Step::Failed(error) => Progress::Over(error.into()),
        }
    }

    fn read_frames(&mut self, cx: &mut Cx<'_>, link: LinkId, fx: &mut Vec<Effect>) -> Result<Progress, Violation> {
        let Stage::Up { sealed, live } = &mut self.stage else { return Ok(Progress::Idle) };
        while let Some(frame) = sealed.next(cx, &mut self.input)? {
            live.heard(cx.now);
            self.traffic.frames_in += 1;
            cx.probe.count(Counter::FramesIn);
            match frame.kind() {
                Kind::Data
                | Kind::Ack
                | Kind::Advert
                | Kind::Summary
                | Kind::Want
                | Kind::Find
                | Kind::Probe
                | Kind::ProbeReply => emplace(fx, || Effect::Frame { link, frame }),
                Kind::Ping => {
                    let Ping { id, stamp } = frame.header()?;
                    let pong = Frame::new(Kind::Pong, &Pong { id, stamp });
                    if matches!(sealed.push(cx, Lane::Control, pong), Pushed::Refused) {
                        return Ok(Progress::Over(CloseReason::TooSlow));
                    }
                    self.traffic.frames_out += 1;
                }
                Kind::Pong => {
                    if let Some(cost) = live.answered(cx.now, frame.header()?) {
                        fx.push(Effect::Cost { link, cost });
                    }
                }
                Kind::Bye => {
                    self.left = true;
                    return Ok(Progress::Over(farewell(frame.header()?)));
                }
                Kind::Hello => return Err(Violation::Unexpected { kind: frame.kind() as u8 }),
            }
        }
        Ok(Progress::Idle)
    }

    /// Puts a frame on a lane, and says whether it is in. A control lane that is full dooms the link.
    #[inline]
    fn push(&mut self, cx: &mut Cx<'_>, lane: Lane, frame: impl Into<Outgoing>) -> bool {
        let (Stage::Greeting { sealed, .. } | Stage::Up { sealed, .. }) = &mut self.stage else { return false };
        match sealed.push(cx, lane, frame) {
            Pushed::Kept | Pushed::Dropped(_) => {
                self.traffic.frames_out += 1;
                true
            }
            Pushed::Refused => {
                self.overflowed |= lane == Lane::Control;
                false
            }
        }
    }

    fn may_seal(&self, sealed: &Sealed) -> bool {
        !sealed.lanes().is_empty() && has_window(self.outstanding)
    }

    fn write(&mut self, cx: &mut Cx<'_>, bytes: Bytes, fx: &mut Vec<Effect>) {
        if bytes.is_empty() {
            return;
        }
        self.outstanding += bytes.len() as u64;
        self.traffic.bytes_out += bytes.len() as u64;
        cx.probe.add(Counter::BytesOut, bytes.len() as u64);
        fx.push(Effect::Write { channel: self.origin.id, bytes });
    }
}

/// Whether the largest record still fits the window.
pub(super) const fn has_window(outstanding: u64) -> bool {
    outstanding + SEALED_MAX as u64 <= CHANNEL_WINDOW as u64
}

/// What the first frame of a peer means.
fn greeted(own: &Own, frame: &Encoded) -> Progress {
    let decoded = match frame.kind() {
        Kind::Hello => frame.header::<Hello>().map(|hello| match own.versions.agree(&hello) {
            Some(_) => Progress::Greeted(hello),
            None => Progress::Over(CloseReason::VersionMismatch),
        }),
        Kind::Bye => frame.header().map(|bye| Progress::Over(farewell(bye))),
        Kind::Ping
        | Kind::Pong
        | Kind::Advert
        | Kind::Summary
        | Kind::Want
        | Kind::Find
        | Kind::Data
        | Kind::Ack
        | Kind::Probe
        | Kind::ProbeReply => Err(Violation::Unexpected { kind: frame.kind() as u8 }),
    };
    decoded.unwrap_or_else(|violation| Progress::Over(violation.into()))
}

/// Why the link ended, by what the peer said.
const fn farewell(bye: Bye) -> CloseReason {
    match bye.code {
        ByeCode::Closed | ByeCode::Violation => CloseReason::Peer,
        ByeCode::Superseded => CloseReason::Superseded,
        ByeCode::StaleIncarnation => CloseReason::StaleIncarnation,
        ByeCode::VersionMismatch => CloseReason::VersionMismatch,
        ByeCode::NotAllowed => CloseReason::NotAllowed,
        ByeCode::KeyConflict => CloseReason::KeyConflict,
        ByeCode::SelfDial => CloseReason::SelfDial,
        ByeCode::TooManyLinks => CloseReason::TooManyLinks,
        ByeCode::TooSlow => CloseReason::TooSlow,
        ByeCode::WrongPeer => CloseReason::WrongPeer,
        ByeCode::Silent => CloseReason::Silent,
    }
}

/// What to tell the peer; nothing where it is gone.
const fn goodbye(reason: CloseReason) -> Option<ByeCode> {
    match reason {
        CloseReason::Local | CloseReason::HandshakeTimeout => Some(ByeCode::Closed),
        CloseReason::Silent => Some(ByeCode::Silent),
        CloseReason::KeyConflict => Some(ByeCode::KeyConflict),
        CloseReason::WrongPeer => Some(ByeCode::WrongPeer),
        CloseReason::SelfDial => Some(ByeCode::SelfDial),
        CloseReason::NotAllowed => Some(ByeCode::NotAllowed),
        CloseReason::VersionMismatch => Some(ByeCode::VersionMismatch),
        CloseReason::Superseded => Some(ByeCode::Superseded),
        CloseReason::StaleIncarnation => Some(ByeCode::StaleIncarnation),
        CloseReason::TooManyLinks => Some(ByeCode::TooManyLinks),
        CloseReason::TooSlow => Some(ByeCode::TooSlow),
        CloseReason::Violation(_) => Some(ByeCode::Violation),
        CloseReason::Peer | CloseReason::ChannelLost | CloseReason::DialFailed | CloseReason::HandshakeFailed => None,
    }
}
