//! The links that are up, and which adverts wait to be sent over each.
//!
//! What waits is a set of origins, not of frames: an advert that is replaced while it waits is sent once, in its newest
//! version. Each link sends at most [`FLOOD_FRAMES`] and [`FLOOD_BYTES`] per [`FLOOD_PACE`]; usually that is everything,
//! at once. In the long run it is no more than the neighbour checks ([`SIGNATURES_PER_SEC`](crate::limits::SIGNATURES_PER_SEC)).
//!
//! Bounds: as many links as the link machine has, as many waiting origins per link as the database has nodes.

use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};
use core::ops::Bound;

use super::{
    Effect,
    budget::Account,
    database::Database,
    ports::{Port, Ports},
    summary,
};
use crate::{
    id::NodeAddr,
    limits::{
        ANTI_ENTROPY, CALL_FRAMES, FINDS_MAX, FLOOD_BYTES, FLOOD_FRAMES, FLOOD_PACE, NEIGHBOURS_MAX, NODES_MAX,
        SUMMARY_INTERVAL_MIN,
    },
    link::LinkId,
    rng::Rng,
    time::Time,
    timers::{DeadlineIndex, earlier},
    wire::{Frame, v1},
};

/// Spread of the times between digests, in thousandths, so that neighbours do not compare all at once.
const DIGEST_JITTER_PER_MILLE: u32 = 200;

/// All links that are up.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    by_link: BTreeMap<LinkId, Neighbour>,
    by_peer: BTreeMap<NodeAddr, LinkId>,
    ports: Ports,
    deadlines: DeadlineIndex<LinkId>,
    /// What neighbours without a link have not paid off; brought up to date when a link comes up.
    gone: BTreeMap<NodeAddr, Account>,
    /// Frames that the call under way may still send.
    left: usize,
    /// When what it may not send goes on.
    resume: Time,
    /// Questions that not everybody has got yet.
    questions: VecDeque<Question>,
    /// When they go on.
    questions_at: Time,
}

/// A frame for everybody.
#[derive(Debug)]
struct Question {
    frame: Frame,
    /// Where it came from.
    except: Option<LinkId>,
    /// The last link that got it.
    after: Option<LinkId>,
}

/// One link that is up.
#[derive(Debug)]
struct Neighbour {
    peer: NodeAddr,
    cost: u32,
    port: Port,
    waiting: BTreeSet<NodeAddr>,
    /// The origin sent last: the next one after it is next, so that none starves.
    cursor: NodeAddr,
    /// Since when `frames` and `bytes` are counted.
    paced_from: Time,
    frames: usize,
    bytes: usize,
    /// When what waits goes on.
    resume_at: Time,
    digest_at: Time,
    summary_at: Option<Time>,
    account: Account,
}

impl Neighbours {
    /// A call of the router begins. What it does not get to send goes on at `resume`.
    pub(super) const fn begin_call(&mut self, resume: Time) {
        self.left = CALL_FRAMES;
        self.resume = resume;
    }

    /// A link came up. It replaces an earlier one to the same node. Whether there is room for it.
    pub(super) fn up(&mut self, now: Time, rng: &mut Rng, link: LinkId, peer: NodeAddr, cost: u32) -> Option<Port> {
        if let Some(old) = self.by_peer.get(&peer).copied() {
            self.down(old);
        }
        let port = self.ports.open(peer, link)?;
        self.gone.retain(|_, account| !account.is_paid_off(now));
        let account = self.gone.remove(&peer).unwrap_or(Account::new());
        let neighbour = Neighbour {
            peer,
            cost: cost.max(1),
            port,
            waiting: BTreeSet::new(),
            cursor: peer,
            paced_from: now,
            frames: 0,
            bytes: 0,
            resume_at: now,
            digest_at: now + rng.jitter(ANTI_ENTROPY, DIGEST_JITTER_PER_MILLE),
            summary_at: None,
            account,
        };
        self.deadlines.set(link, neighbour.deadline());
        self.by_link.insert(link, neighbour);
        self.by_peer.insert(peer, link);
        Some(port)
    }

    /// A link is down. Whether it was one of these.
    pub(super) fn down(&mut self, link: LinkId) -> bool {
        let Some(neighbour) = self.by_link.remove(&link) else { return false };
        self.by_peer.remove(&neighbour.peer);
        self.ports.close(neighbour.port);
        self.deadlines.set(link, None);
        if self.gone.len() < NODES_MAX {
            self.gone.insert(neighbour.peer, neighbour.account);
        }
        true
    }

    /// A link costs something else. Whether that is news.
    pub(super) fn set_cost(&mut self, link: LinkId, cost: u32) -> bool {
        let Some(neighbour) = self.by_link.get_mut(&link) else { return false };
        let before = core::mem::replace(&mut neighbour.cost, cost.max(1));
        before != neighbour.cost
    }

    /// The port of a link.
    pub(super) fn port(&self, link: LinkId) -> Option<Port> {
        self.by_link.get(&link).map(|neighbour| neighbour.port)
    }

    /// The port of a neighbour.
    pub(super) fn port_of(&self, peer: NodeAddr) -> Option<Port> {
        self.by_peer.get(&peer).and_then(|link| self.port(*link))
    }

    /// Whether the neighbour may have another signature checked. If so, it has.
    pub(super) fn may_check(&mut self, now: Time, link: LinkId) -> bool {
        let Some(neighbour) = self.by_link.get_mut(&link) else { return false };
        let may = neighbour.account.signatures.is_left(now);
        if may {
            neighbour.account.signatures.spend(now, 1);
        }
        may
    }

    /// Whether the neighbour may make this node look at adverts. How many it looked at is told afterwards.
    pub(super) fn may_look(&self, now: Time, link: LinkId) -> bool {
        self.by_link.get(&link).is_none_or(|neighbour| neighbour.account.looks.is_left(now))
    }

    /// The neighbour made this node look at as many adverts.
    pub(super) fn looked(&mut self, now: Time, link: LinkId, adverts: usize) {
        if let Some(neighbour) = self.by_link.get_mut(&link) {
            neighbour.account.looks.spend(now, adverts);
        }
    }

    /// As if as many adverts had been sent over a link.
    #[cfg(test)]
    pub(super) fn spend_sending(&mut self, now: Time, link: LinkId, adverts: usize) {
        if let Some(neighbour) = self.by_link.get_mut(&link) {
            neighbour.account.sending.spend(now, adverts);
        }
    }

    /// Which links lead through which ports.
    pub(super) const fn ports(&self) -> &Ports {
        &self.ports
    }

    /// Frees the ports of links that are down. Only while no table names them.
    pub(super) fn sweep(&mut self) {
        self.ports.sweep();
    }

    /// Asks everybody, but for where the question came from.
    pub(super) fn ask(&mut self, frame: Frame, except: Option<LinkId>, fx: &mut Vec<Effect>) {
        if self.questions.len() < FINDS_MAX {
            self.questions.push_back(Question { frame, except, after: None });
        }
        self.pass_on_questions(fx);
    }

    /// This node's own links as its advert lists them. Beyond [`NEIGHBOURS_MAX`] those with the highest addresses are
    /// left out, and carry no traffic of others.
    pub(super) fn edges(&self) -> Vec<v1::Neighbour> {
        let edge = |(peer, link): (&NodeAddr, &LinkId)| {
            self.by_link.get(link).map(|neighbour| v1::Neighbour { node: *peer, cost: neighbour.cost })
        };
        self.by_peer.iter().filter_map(edge).take(NEIGHBOURS_MAX).collect()
    }

    /// Sends the advert of `origin` to every neighbour that is not known to hold it.
    pub(super) fn flood(&mut self, now: Time, origin: NodeAddr, database: &mut Database, fx: &mut Vec<Effect>) {
        let Some(entry) = database.get(origin) else { return };
        let lacking = |(link, neighbour): (&LinkId, &mut Neighbour)| {
            let lacks = !entry.is_held_by(neighbour.port);
            lacks.then(|| neighbour.waiting.insert(origin)).map(|_| *link)
        };
        let links: Vec<LinkId> = self.by_link.iter_mut().filter_map(lacking).collect();
        for link in links {
            self.pump(now, link, database, fx);
        }
    }

    /// Lets the advert of `origin` wait to be sent over one link; [`Neighbours::pump`] sends it.
    pub(super) fn offer(&mut self, link: LinkId, origin: NodeAddr) {
        if let Some(neighbour) = self.by_link.get_mut(&link) {
            neighbour.waiting.insert(origin);
        }
    }

    /// Sends over one link what waits, as far as its pace and the call allow.
    pub(super) fn pump(&mut self, now: Time, link: LinkId, database: &mut Database, fx: &mut Vec<Effect>) {
        let Some(neighbour) = self.by_link.get_mut(&link) else { return };
        if now >= neighbour.paced_from + FLOOD_PACE {
            (neighbour.paced_from, neighbour.frames, neighbour.bytes) = (now, 0, 0);
        }
        neighbour.resume_at = self.resume;
        while self.left > 0 {
            if neighbour.frames >= FLOOD_FRAMES || neighbour.bytes >= FLOOD_BYTES {
                neighbour.resume_at = neighbour.paced_from + FLOOD_PACE;
                break;
            }
            if !neighbour.account.sending.is_left(now) {
                neighbour.resume_at = neighbour.account.sending.left_at().max(self.resume);
                break;
            }
            let Some(origin) = neighbour.next_waiting() else { break };
            let Some(frame) = database.send_to(now, origin, neighbour.port) else { continue };
            self.left -= 1;
            neighbour.frames += 1;
            neighbour.bytes += frame.len();
            neighbour.account.sending.spend(now, 1);
            fx.push(Effect::Send { link, frame });
        }
        self.deadlines.set(link, neighbour.deadline());
    }

    /// Sends a full summary over one link, unless `unless_recent` and one went out a moment ago.
    pub(super) fn summarise(
        &mut self,
        now: Time,
        link: LinkId,
        unless_recent: bool,
        database: &Database,
        fx: &mut Vec<Effect>,
    ) {
        let Some(neighbour) = self.by_link.get_mut(&link) else { return };
        if unless_recent && neighbour.has_summarised(now) {
            return;
        }
        neighbour.summary_at = Some(now);
        let frames = summary::full(database.iter().map(super::database::Entry::held));
        fx.extend(frames.into_iter().map(|frame| Effect::Send { link, frame }));
    }

    /// Whether the neighbour has got a full summary a moment ago: it sends what this node lacks without being asked.
    pub(super) fn has_summarised(&self, now: Time, link: LinkId) -> bool {
        self.by_link.get(&link).is_some_and(|neighbour| neighbour.has_summarised(now))
    }

    /// Sends the digests that are due, and what waited for its link's pace.
    pub(super) fn handle_timeout(&mut self, now: Time, rng: &mut Rng, database: &mut Database, fx: &mut Vec<Effect>) {
        while let Some((_, link, _)) = self.deadlines.first().filter(|(due, _, _)| *due <= now) {
            let Some(neighbour) = self.by_link.get_mut(&link) else {
                self.deadlines.set(link, None);
                continue;
            };
            if neighbour.digest_at <= now && self.left == 0 {
                neighbour.digest_at = self.resume;
            } else if neighbour.digest_at <= now {
                self.left -= 1;
                neighbour.digest_at = now + rng.jitter(ANTI_ENTROPY, DIGEST_JITTER_PER_MILLE);
                fx.push(Effect::Send { link, frame: summary::digest(database.digest()) });
            }
            self.pump(now, link, database, fx);
        }
        if !self.questions.is_empty() && self.questions_at <= now {
            self.pass_on_questions(fx);
        }
    }

    /// The next deadline and who wants it.
    pub(super) fn poll_timeout(&self) -> Option<(Time, &'static str)> {
        let questions = (!self.questions.is_empty()).then_some((self.questions_at, "route: questions"));
        earlier(self.deadlines.first().map(|(due, _, why)| (due, why)), questions)
    }

    fn pass_on_questions(&mut self, fx: &mut Vec<Effect>) {
        self.questions_at = self.resume;
        while let Some(question) = self.questions.front_mut() {
            let after = question.after.map_or(Bound::Unbounded, Bound::Excluded);
            for (&link, _) in self.by_link.range((after, Bound::Unbounded)) {
                if self.left == 0 {
                    return;
                }
                question.after = Some(link);
                if question.except != Some(link) {
                    self.left -= 1;
                    fx.push(Effect::Send { link, frame: question.frame.clone() });
                }
            }
            self.questions.pop_front();
        }
    }
}

impl Neighbour {
    fn next_waiting(&mut self) -> Option<NodeAddr> {
        let after = (Bound::Excluded(self.cursor), Bound::Unbounded);
        let origin = self.waiting.range(after).next().or_else(|| self.waiting.first()).copied()?;
        self.waiting.remove(&origin);
        self.cursor = origin;
        Some(origin)
    }

    fn has_summarised(&self, now: Time) -> bool {
        self.summary_at.is_some_and(|at| now - at < SUMMARY_INTERVAL_MIN)
    }

    fn deadline(&self) -> Option<(Time, &'static str)> {
        let flood = (!self.waiting.is_empty()).then_some((self.resume_at, "route: flood"));
        earlier(Some((self.digest_at, "route: digest")), flood)
    }
}
