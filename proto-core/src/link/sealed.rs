//! Frames over an authenticated session: the lanes and the record sealer on the way out, the record opener and the
//! reassembly on the way in.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use super::{
    Lane,
    channel::has_window,
    lanes::{Lanes, Outgoing},
    reassembly::Reassembly,
    segment::SEGMENT_LEN,
};
use crate::{
    cx::Cx,
    error::{Part, Violation},
    limits::RECORD_MAX,
    probe::Counter,
    queue::Pushed,
    secure::{PeerIdentity, Session},
    wire::{Encoded, Frame},
};

/// A session with its lanes.
#[derive(Debug)]
pub(super) struct Sealed {
    session: Session,
    peer: PeerIdentity,
    lanes: Lanes,
    reassembly: Reassembly,
    /// What is left of the record that was opened last.
    record: Bytes,
}

impl Sealed {
    /// A fresh session with empty lanes.
    pub(super) fn new(session: Session, peer: PeerIdentity, data_frames: usize, max_frame: usize) -> Self {
        let (lanes, reassembly) = (Lanes::new(data_frames), Reassembly::new(max_frame));
        Self { session, peer, lanes, reassembly, record: Bytes::new() }
    }

    /// Who is at the other end.
    pub(super) const fn peer(&self) -> &PeerIdentity {
        &self.peer
    }

    /// The session's number, equal at both ends.
    pub(super) const fn session_id(&self) -> u64 {
        self.session.id()
    }

    /// What waits to be sealed.
    pub(super) const fn lanes(&self) -> &Lanes {
        &self.lanes
    }

    /// Puts a frame on a lane; counts the older ones that it pushed out.
    #[inline]
    pub(super) fn push(&mut self, cx: &mut Cx<'_>, lane: Lane, frame: impl Into<Outgoing>) -> Pushed {
        let frame = frame.into();
        let len = frame.len() as u64;
        let pushed = self.lanes.push(lane, frame);
        match pushed {
            Pushed::Kept => cx.probe.count(Counter::FramesOut),
            Pushed::Dropped(older) => {
                cx.probe.count(Counter::FramesOut);
                cx.probe.add(Counter::DroppedQueueFull, older as u64);
            }
            Pushed::Refused => return pushed,
        }
        if lane == Lane::Control {
            cx.probe.count(Counter::ControlFramesOut);
            cx.probe.add(Counter::ControlBytesOut, len);
        }
        pushed
    }

    /// Forgets what waits.
    pub(super) fn discard(&mut self) {
        self.lanes = Lanes::new(0);
    }

    /// Seals records of what waits, one after the other, until nothing does or the window is full.
    pub(super) fn seal_all(&mut self, cx: &mut Cx<'_>, scratch: &mut BytesMut, outstanding: u64) -> Bytes {
        debug_assert!(scratch.is_empty(), "the scratch buffer is taken over after each use");
        while !self.lanes.is_empty() && has_window(outstanding + scratch.len() as u64) {
            self.seal(cx, scratch);
        }
        scratch.split().freeze()
    }

    /// Seals one record of nothing but `frame`.
    pub(super) fn seal_alone(&mut self, cx: &mut Cx<'_>, scratch: &mut BytesMut, frame: Frame) -> Bytes {
        self.discard();
        let _kept = self.lanes.push(Lane::Control, frame);
        self.seal(cx, scratch);
        scratch.split().freeze()
    }

    fn seal(&mut self, cx: &mut Cx<'_>, out: &mut BytesMut) {
        let start = out.len();
        let [control, data, bulk] = self.lanes.queued();
        let plaintext = self.lanes.bytes() + (control + data + bulk) * SEGMENT_LEN;
        out.reserve(Session::PREFIX + plaintext.min(RECORD_MAX) + Session::TAG);
        out.put_bytes(0, Session::PREFIX);
        self.lanes.fill(out);
        self.session.seal(out, start);
        cx.probe.count(Counter::RecordsOut);
    }

    /// The next frame of a known kind in `input`; `Ok(None)` when it takes more bytes.
    ///
    /// # Errors
    /// [`Violation`]; the channel is of no more use then.
    pub(super) fn next(&mut self, cx: &mut Cx<'_>, input: &mut BytesMut) -> Result<Option<Encoded>, Violation> {
        loop {
            while self.record.has_remaining() {
                let Some(bytes) = self.reassembly.take(&mut self.record)? else { continue };
                match Encoded::parse(bytes)? {
                    Some(frame) => return Ok(Some(frame)),
                    None => cx.probe.count(Counter::UnknownKind),
                }
            }
            match self.session.open(input)? {
                None => return Ok(None),
                Some(record) if record.is_empty() => return Err(Violation::Malformed { what: Part::Record }),
                Some(record) => self.record = record,
            }
            cx.probe.count(Counter::RecordsIn);
        }
    }
}
