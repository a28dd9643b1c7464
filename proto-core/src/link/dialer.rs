//! Keeps one configured peer linked: dials its endpoints in turn until a link to it lives, whoever opened that one.
//!
//! Life: the first endpoint is dialled at once. What fails is followed by the next endpoint at once, and after the last
//! of them by a pause from the ladder; by the longest pause if every endpoint failed in a way that only a person can mend.
//! While a link to the peer lives, nothing is dialled. When it goes down after it lasted [`STABLE_AFTER`], its endpoint
//! is dialled at once and the ladder begins anew; when it lasted shorter, the ladder goes on, so a flapping link is not
//! dialled in a loop. A peer without a name is whoever answered last.
//!
//! Bounds: one dial at a time; [`ENDPOINTS_MAX`] endpoints, so at most that many dials per pause.

use alloc::sync::Arc;
use core::time::Duration;

use super::{LinkId, backoff::Backoff};
use crate::{
    cx::Cx,
    error::{CloseReason, Violation},
    id::{DialId, NodeName},
    limits::{ENDPOINTS_MAX, STABLE_AFTER},
    node::{Endpoint, LinkConfig, Peer},
    time::Time,
};

/// One configured peer.
#[derive(Debug)]
pub(super) struct Dialer {
    peer: Peer,
    /// Who answered last.
    answered: Option<NodeName>,
    attempt: Attempt,
    /// The link to the peer that lives.
    live: Option<LinkId>,
    /// The endpoint that is dialled now, or next.
    endpoint: usize,
    /// Whether an endpoint of this round failed in a way that may mend itself.
    hopeful: bool,
    backoff: Backoff,
    last_reason: Option<CloseReason>,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// Nothing under way; the next dial comes then, unless a link lives.
    Waiting {
        /// When.
        next: Time,
    },
    /// A channel is being opened.
    Dialling {
        /// Which dial.
        dial: DialId,
        /// When it is given up.
        until: Time,
    },
    /// The channel is open; handshake and hello are under way.
    Securing {
        /// On this link.
        link: LinkId,
    },
}

/// What a deadline brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing.
    Nothing,
    /// Dial [`Dialer::endpoint`].
    Dial,
    /// The dial took too long.
    TimedOut,
}

impl Dialer {
    /// Dials as soon as it is woken.
    pub(super) fn new(mut peer: Peer, config: &LinkConfig) -> Self {
        peer.endpoints.truncate(ENDPOINTS_MAX);
        let backoff = Backoff::new(config.reconnect_initial, config.reconnect_max, config.reconnect_jitter_per_mille);
        Self {
            peer,
            answered: None,
            attempt: Attempt::Waiting { next: Time::ZERO },
            live: None,
            endpoint: 0,
            hopeful: false,
            backoff,
            last_reason: None,
        }
    }

    /// What is configured.
    pub(super) const fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Changes what is configured, and dials the new endpoints as soon as it is woken unless a link lives.
    pub(super) fn configure(&mut self, now: Time, mut peer: Peer) {
        peer.endpoints.truncate(ENDPOINTS_MAX);
        if peer.endpoints != self.peer.endpoints {
            self.endpoint = 0;
            self.backoff.reset();
            if let Attempt::Waiting { next } = &mut self.attempt {
                *next = now;
            }
        }
        self.peer = peer;
    }

    /// The node that it dials, as far as it is known.
    pub(super) const fn name(&self) -> Option<&NodeName> {
        match &self.peer.name {
            Some(name) => Some(name),
            None => self.answered.as_ref(),
        }
    }

    /// The endpoint that is dialled now, or next.
    pub(super) fn endpoint(&self) -> Option<&Endpoint> {
        self.peer.endpoints.get(self.endpoint)
    }

    /// The endpoint as text.
    pub(super) fn remote(&self) -> Arc<str> {
        self.endpoint().map_or_else(|| Arc::from(""), |endpoint| Arc::clone(&endpoint.0))
    }

    /// How far it is.
    pub(super) const fn attempt(&self) -> Attempt {
        self.attempt
    }

    /// The link to the peer that lives.
    pub(super) const fn live(&self) -> Option<LinkId> {
        self.live
    }

    /// Failures in a row.
    pub(super) const fn failures(&self) -> u32 {
        self.backoff.failures()
    }

    /// Why the last attempt or link ended.
    pub(super) const fn last_reason(&self) -> Option<CloseReason> {
        self.last_reason
    }

    /// The next deadline and who wants it.
    pub(super) fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        match self.attempt {
            Attempt::Dialling { until, .. } => Some((until, "dialer: dial timeout")),
            Attempt::Waiting { next } if self.live.is_none() && !self.peer.endpoints.is_empty() => {
                Some((next, "dialer: dial"))
            }
            Attempt::Waiting { .. } | Attempt::Securing { .. } => None,
        }
    }

    /// What the present moment brings.
    pub(super) fn due(&self, now: Time) -> Due {
        match (self.poll_timeout(), self.attempt) {
            (Some((due, _)), Attempt::Waiting { .. }) if due <= now => Due::Dial,
            (Some((due, _)), Attempt::Dialling { .. }) if due <= now => Due::TimedOut,
            (Some(_) | None, Attempt::Waiting { .. } | Attempt::Dialling { .. } | Attempt::Securing { .. }) => {
                Due::Nothing
            }
        }
    }

    /// A dial began.
    pub(super) const fn dialling(&mut self, dial: DialId, until: Time) {
        self.attempt = Attempt::Dialling { dial, until };
    }

    /// The dial led to a channel.
    pub(super) const fn opened(&mut self, link: LinkId) {
        self.attempt = Attempt::Securing { link };
    }

    /// Somebody proved a name at the endpoint. Says whether it may be the peer.
    pub(super) fn answered_by(&mut self, name: &NodeName) -> bool {
        if self.peer.name.as_ref().is_some_and(|expected| expected != name) {
            return false;
        }
        self.answered = Some(name.clone());
        true
    }

    /// The attempt came to nothing; `lasting` if only a person can mend that. Returns how long until the next.
    pub(super) fn failed(&mut self, cx: &mut Cx<'_>, reason: CloseReason, lasting: bool) -> Duration {
        self.last_reason = Some(reason);
        self.hopeful |= !lasting;
        let pause = if self.endpoint + 1 < self.peer.endpoints.len() {
            self.endpoint += 1;
            Duration::ZERO
        } else {
            self.endpoint = 0;
            if core::mem::take(&mut self.hopeful) { self.backoff.next(cx.rng) } else { self.backoff.longest(cx.rng) }
        };
        self.attempt = Attempt::Waiting { next: cx.now + pause };
        pause
    }

    /// The attempt is not needed any more: another link to the peer lives.
    pub(super) const fn abandoned(&mut self, now: Time, live: LinkId) {
        self.live = Some(live);
        self.attempt = Attempt::Waiting { next: now };
    }

    /// A link to the peer lives. If it is this one's own attempt, that is over.
    pub(super) fn up(&mut self, now: Time, link: LinkId) {
        self.live = Some(link);
        self.hopeful = false;
        if self.attempt == (Attempt::Securing { link }) {
            self.attempt = Attempt::Waiting { next: now };
        }
    }

    /// The link to the peer that lived is down, after this long. Returns how long until the next dial, unless an
    /// attempt is under way.
    pub(super) fn down(
        &mut self,
        cx: &mut Cx<'_>,
        reason: CloseReason,
        lasting: bool,
        lasted: Duration,
    ) -> Option<Duration> {
        self.live = None;
        self.last_reason = Some(reason);
        let stable = lasted >= STABLE_AFTER;
        if stable {
            self.backoff.reset();
        }
        let Attempt::Waiting { .. } = self.attempt else { return None };
        // The peer that calls a link superseded has a better one, which is about to arrive.
        let pause = if lasting {
            self.backoff.longest(cx.rng)
        } else if stable && reason != CloseReason::Superseded {
            self.backoff.first(cx.rng)
        } else {
            self.endpoint = (self.endpoint + 1) % self.peer.endpoints.len().max(1);
            self.backoff.next(cx.rng)
        };
        self.attempt = Attempt::Waiting { next: cx.now + pause };
        Some(pause)
    }
}

/// Whether only a person can mend this.
pub(super) const fn is_lasting(reason: CloseReason) -> bool {
    match reason {
        CloseReason::HandshakeFailed
        | CloseReason::KeyConflict
        | CloseReason::WrongPeer
        | CloseReason::SelfDial
        | CloseReason::NotAllowed
        | CloseReason::VersionMismatch
        | CloseReason::StaleIncarnation
        | CloseReason::Violation(
            Violation::Malformed { .. }
            | Violation::TooLong { .. }
            | Violation::Unexpected { .. }
            | Violation::BadSignature,
        ) => true,
        // A checksum of TCP lets one damaged segment in some thousands through: the next connection will do.
        CloseReason::Violation(Violation::BadSeal) => false,
        CloseReason::Local
        | CloseReason::Peer
        | CloseReason::ChannelLost
        | CloseReason::DialFailed
        | CloseReason::Silent
        | CloseReason::HandshakeTimeout
        | CloseReason::Superseded
        | CloseReason::TooManyLinks
        | CloseReason::TooSlow => false,
    }
}
