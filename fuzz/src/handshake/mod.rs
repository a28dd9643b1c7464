//! Handshakes and sessions whose every byte passes through the hands of an attacker.
//!
//! The input is a script. It lets nodes dial each other, interrupts them anywhere, and delivers what anybody ever said to
//! anybody: whole, in parts, altered, spliced, again, to the wrong one, or made up.
//!
//! Properties:
//! * Nothing panics; no end buffers more than a message or record, writes more than the protocol has, or answers a
//!   stranger with much more than it said.
//! * An end that is done has a partner: it consumed exactly what a node said that holds the secret key of the identity
//!   shown, shares token and network, is on the same channel, and itself has heard nothing else. Both sessions have one
//!   number.
//! * A sealed session opens the partner's records, in order, each once, and nothing else.
//! * Two nodes that may link and are left alone, whatever the pieces in which bytes arrive, are both done. Two that may
//!   not never are.

mod cast;
mod end;

use arbitrary::{Result, Unstructured};
use bytes::Bytes;

use cast::{Node, cast};
use end::{End, Role};

/// Most pairs that one script starts. More: the rest of the script goes on without.
const PAIRS_MAX: usize = 6;
/// Most deliveries of one script. More: it ends.
const OPS_MAX: usize = 64;
/// Most things said that are remembered. More: they are not.
const FLIGHTS_MAX: usize = 96;
/// The number of steps that stands for "to the end".
const TO_THE_END: u8 = u8::MAX;

/// Runs a script.
///
/// # Panics
/// If a property does not hold.
pub fn run(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let mut network = Network { ends: Vec::new(), flights: Vec::new(), partners: Vec::new() };
    for _ in 0..OPS_MAX {
        if input.is_empty() || network.op(&mut input).is_err() {
            break;
        }
    }
}

/// Everybody's channels, in the attacker's hands. Ends come in pairs: the one that dialled, then the one that accepted.
struct Network {
    ends: Vec<End>,
    /// Everything said.
    flights: Vec<Bytes>,
    /// The other end of each end that is done.
    partners: Vec<Option<usize>>,
}

impl Network {
    /// One line of the script.
    fn op(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        match u.arbitrary::<u8>()? % 8 {
            0 => self.pair(u)?,
            1 => {
                let (flight, to) = (self.flight(u)?, self.end(u)?);
                self.deliver(to, &flight);
            }
            2 => {
                let (flight, to) = (self.flight(u)?, self.end(u)?);
                let (from, len) = (usize::from(u.arbitrary::<u8>()?), usize::from(u.arbitrary::<u8>()?));
                let part = flight.iter().skip(from).take(len).copied().collect::<Vec<_>>();
                self.deliver(to, &part);
            }
            3 => {
                let (flight, to) = (self.flight(u)?, self.end(u)?);
                let (at, mask) = (usize::from(u.arbitrary::<u16>()?), u.arbitrary::<u8>()?);
                let mut altered = flight.to_vec();
                if let Some(byte) = altered.get_mut(at) {
                    *byte ^= mask;
                }
                self.deliver(to, &altered);
            }
            4 => {
                let (one, other, to) = (self.flight(u)?, self.flight(u)?, self.end(u)?);
                let cut = usize::from(u.arbitrary::<u8>()?);
                let spliced: Vec<u8> = one.iter().take(cut).chain(other.iter().skip(cut)).copied().collect();
                self.deliver(to, &spliced);
            }
            5 => {
                let (to, len) = (self.end(u)?, u.arbitrary::<u8>()?);
                let made_up = u.bytes(usize::from(len).min(u.len()))?;
                self.deliver(to, made_up);
            }
            6 => {
                let (to, len) = (self.end(u)?, u.arbitrary::<u8>()?);
                let made_up = u.bytes(usize::from(len).min(u.len()))?;
                let prefix = u16::from(len).to_le_bytes();
                self.deliver(to, &[&prefix, made_up].concat());
            }
            _ => {
                let (from, len) = (self.end(u)?, usize::from(u.arbitrary::<u16>()?));
                if let Some(record) = self.ends.get_mut(from).and_then(|end| end.seal(len)) {
                    self.note(record);
                }
            }
        }
        Ok(())
    }

    /// Something that was said; nothing if nothing was.
    fn flight(&self, u: &mut Unstructured<'_>) -> Result<Bytes> {
        let number = usize::from(u.arbitrary::<u8>()?);
        Ok(self.flights.get(number % self.flights.len().max(1)).cloned().unwrap_or_default())
    }

    fn end(&self, u: &mut Unstructured<'_>) -> Result<usize> {
        Ok(usize::from(u.arbitrary::<u8>()?) % self.ends.len().max(1))
    }

    fn note(&mut self, flight: Bytes) {
        if !flight.is_empty() && self.flights.len() < FLIGHTS_MAX {
            self.flights.push(flight);
        }
    }

    /// Lets one node dial another and carries what they say, in pieces, for a number of steps.
    fn pair(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let (dialler, acceptor) = (u.arbitrary::<u8>()?, u.arbitrary::<u8>()?);
        let (mode, piece, steps) = (u.arbitrary::<u8>()?, u.arbitrary::<u8>()?, u.arbitrary::<u8>()?);
        if self.ends.len() >= 2 * PAIRS_MAX {
            return Ok(());
        }
        let (dialler, acceptor) = (node(dialler), node(acceptor));
        let here = self.ends.len();
        let number = u8::try_from(here).unwrap_or_default();
        // No two channels have the same keying material; at mismatched ends an attacker sits in the middle of one.
        let exporters = match mode % 4 {
            0 | 1 => [None, None],
            2 => [Some([number; 32]); 2],
            _ => [Some([number; 32]), Some([!number; 32])],
        };
        let (end, first) = End::dial(dialler, number, exporters[0]);
        self.ends.push(end);
        self.ends.push(End::accept(acceptor, number, exporters[1]));
        self.partners.extend([None, None]);
        self.note(first.clone());
        self.carry(here, first, piece, steps);
        if steps == TO_THE_END {
            let may = dialler.may_dial(acceptor) && exporters[0] == exporters[1];
            self.left_alone(here, may);
        }
        Ok(())
    }

    /// Carries what a pair says between them.
    fn carry(&mut self, dialler: usize, first: Bytes, piece: u8, steps: u8) {
        let piece = if piece == 0 { usize::MAX } else { usize::from(piece) };
        let mut left = if steps == TO_THE_END { usize::MAX } else { usize::from(steps) };
        let (mut to, mut flight) = (dialler + 1, first);
        while !flight.is_empty() {
            let mut answer = Vec::new();
            for bytes in flight.chunks(piece) {
                if left == 0 {
                    return;
                }
                left -= 1;
                answer.extend_from_slice(&self.deliver(to, bytes));
            }
            flight = answer.into();
            to = if to == dialler { dialler + 1 } else { dialler };
        }
    }

    /// What became of a pair that nobody disturbed.
    fn left_alone(&mut self, dialler: usize, may: bool) {
        let acceptor = dialler + 1;
        let [honest, answered] = [dialler, acceptor].map(|end| self.ends[end].node.honest);
        let done = [dialler, acceptor].map(|end| self.ends[end].is_done());
        match (honest, answered) {
            (true, true) => assert_eq!(done, [may, may]),
            // Who dials a forger finds out after having shown its own name.
            (true, false) => assert_eq!(done, [false, may]),
            (false, _) => assert_eq!(done, [false, false]),
        }
        if done == [true, true] {
            for (from, to) in [(dialler, acceptor), (acceptor, dialler)] {
                let Some(record) = self.ends[from].seal(1) else { panic!("a session seals") };
                self.deliver(to, &record);
                assert!(self.ends[to].is_done(), "and what it sealed opens");
            }
        }
    }

    /// Hands bytes to an end, and holds it to the properties.
    fn deliver(&mut self, to: usize, bytes: &[u8]) -> Bytes {
        let Some(end) = self.ends.get_mut(to) else { return Bytes::new() };
        let write = end.receive(bytes);
        self.note(write.clone());
        let end = &self.ends[to];
        if end.proven.is_some() {
            let partner = *self.partners[to].get_or_insert_with(|| partner(&self.ends, end));
            // On a channel that is encrypted already, records are as safe as the channel.
            let sealed = &self.ends[partner].sealed;
            assert!(end.exporter.is_some() || sealed.starts_with(&end.opened), "a record from nowhere");
        }
        write
    }
}

/// The other end of one that is done. There must be one.
fn partner(ends: &[End], done: &End) -> usize {
    let partner = ends.iter().position(|other| is_partner(done, other));
    let Some(partner) = partner else { panic!("{:?} {:?} is done with nobody", done.role, done.proven) };
    if let (Some((_, here)), Some((_, there))) = (&done.proven, &ends[partner].proven) {
        assert_eq!(here, there, "a session has one number");
    }
    partner
}

/// Whether `other` is whom `end` believes to be talking to.
fn is_partner(end: &End, other: &End) -> bool {
    let Some((peer, _)) = &end.proven else { return false };
    let (dialler, acceptor) = match end.role {
        Role::Dialler => (end, other),
        Role::Acceptor => (other, end),
    };
    other.role != end.role
        && other.node.honest
        && other.node.shown() == *peer
        && dialler.node.may_dial(acceptor.node)
        && dialler.exporter == acceptor.exporter
        && other.sent.starts_with(&end.received)
        && end.sent.starts_with(&other.received)
}

fn node(number: u8) -> &'static Node {
    &cast()[usize::from(number) % cast().len()]
}
