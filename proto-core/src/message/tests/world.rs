//! Two nodes and a channel that may lose, delay, reorder and duplicate; every promise is checked as it runs.

use alloc::{collections::BTreeMap, vec, vec::Vec};

use super::*;
use crate::{error::Rejected, limits::MAILBOX_MESSAGES_MIN, rng::Rng};

/// What the channel does to frames.
#[derive(Clone, Copy, Debug)]
pub(super) struct Channel {
    /// Lost, in thousandths.
    pub(super) loss: u32,
    /// Doubled, in thousandths.
    pub(super) doubled: u32,
    /// Least and most time on the way, in milliseconds.
    pub(super) delay: (u64, u64),
}

pub(super) const PERFECT: Channel = Channel { loss: 0, doubled: 0, delay: (10, 10) };

const NAMES: [&str; 2] = ["left", "right"];

/// The two nodes. A message's payload is its number, and so is its token.
pub(super) struct World {
    nodes: [Node; 2],
    channel: Channel,
    rng: Rng,
    now: Time,
    frames: BTreeMap<(Time, u64), (usize, Frame)>,
    count: u64,
    sent: Vec<Sent>,
    /// Frames put on the channel.
    pub(super) carried: u64,
}

struct Node {
    bench: Bench<Messages>,
    incarnation: Incarnation,
    inbox: usize,
    /// What was handed over and not taken out, by mailbox.
    held: BTreeMap<Mailbox, u32>,
    /// Takes messages out of the inbox as they come.
    pub(super) eager: bool,
}

/// A message that was sent and taken.
struct Sent {
    from: usize,
    life: Incarnation,
    to: usize,
    deadline: Time,
    reported: bool,
    outcome: Option<Outcome>,
    deliveries: u32,
}

impl World {
    pub(super) fn new(seed: u64, inbox: usize) -> Self {
        let [a, b, c, d, e, f, g, h] = seed.to_le_bytes();
        let mut rng_seed = [0; 32];
        rng_seed[..8].copy_from_slice(&[a, b, c, d, e, f, g, h]);
        let node = |name| Node {
            bench: Bench::new(machine(name, MINE, inbox)),
            incarnation: MINE,
            inbox,
            held: BTreeMap::new(),
            eager: false,
        };
        Self {
            nodes: NAMES.map(node),
            channel: PERFECT,
            rng: Rng::new(rng_seed),
            now: Time::ZERO,
            frames: BTreeMap::new(),
            count: 0,
            sent: vec![],
            carried: 0,
        }
    }

    pub(super) fn set_channel(&mut self, channel: Channel) {
        self.channel = channel;
    }

    pub(super) fn set_eager(&mut self, node: usize) {
        self.nodes[node].eager = true;
        self.consume(node, u32::MAX);
    }

    /// Sends the next message; returns its number.
    pub(super) fn send(&mut self, from: usize, to: usize, deadline: u64, client: Option<&str>, reported: bool) -> u64 {
        let number = self.sent.len() as u64;
        let message = Send {
            to_client: client.map(Arc::from),
            report: reported,
            ..super::to(NAMES[to], &std::format!("{number}"), deadline)
        };
        let life = self.nodes[from].incarnation;
        let deadline = self.now + ms(deadline);
        self.sent.push(Sent { from, life, to, deadline, reported, outcome: None, deliveries: 0 });
        let fx = self.nodes[from].bench.with(self.now, |messages, cx, fx| {
            let taken = messages.send(cx, Token(number), message, fx);
            assert!(matches!(taken, Ok(()) | Err(Rejected::ShuttingDown)), "{taken:?}");
        });
        self.settle(from, fx);
        number
    }

    pub(super) fn outcome(&self, number: u64) -> Option<Outcome> {
        self.sent[number as usize].outcome
    }

    /// Takes messages out of every mailbox, at most as many of each.
    pub(super) fn consume(&mut self, node: usize, most: u32) {
        for (mailbox, held) in self.nodes[node].held.clone() {
            let messages = most.min(held);
            if messages > 0 {
                self.nodes[node].held.insert(mailbox, held - messages);
                self.event(node, Event::Consumed { mailbox, messages });
            }
        }
    }

    pub(super) fn event(&mut self, node: usize, event: Event<'static>) {
        let fx = self.nodes[node].bench.handle(self.now, event);
        self.settle(node, fx);
    }

    pub(super) fn set_client(&mut self, node: usize, client: &str, present: bool) {
        self.nodes[node].bench.machine.set_client(Arc::from(client), present).unwrap();
    }

    /// Tells a node that the other is within reach, as it lives now.
    pub(super) fn introduce(&mut self, node: usize) {
        let incarnation = self.nodes[1 - node].incarnation;
        self.event(node, reachable(NAMES[1 - node], incarnation));
    }

    pub(super) fn part(&mut self, node: usize) {
        self.event(node, Event::Unreachable { node: addr(NAMES[1 - node]) });
    }

    /// A node dies and lives again; nobody is told.
    pub(super) fn restart(&mut self, node: usize) {
        let Node { bench, incarnation, inbox, held, .. } = &mut self.nodes[node];
        *incarnation = incarnation.next();
        held.clear();
        bench.machine = machine(NAMES[node], *incarnation, *inbox);
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, millis: u64) {
        let until = self.now + ms(millis);
        loop {
            let frame = self.frames.first_key_value().map(|((due, _), _)| *due);
            let timers = self.nodes.iter().filter_map(|node| node.bench.machine.poll_timeout());
            let timer = timers.map(|(due, _)| due.max(self.now)).min();
            let Some(next) = frame.into_iter().chain(timer).min().filter(|next| *next <= until) else { break };
            self.now = next;
            if frame == Some(next)
                && let Some((_, (to, frame))) = self.frames.pop_first()
            {
                let fx = arrive(&mut self.nodes[to].bench, next, &frame);
                self.settle(to, fx);
                continue;
            }
            for node in 0..2 {
                let told = self.nodes[node].bench.run_until(next);
                self.settle(node, untimed(told));
            }
        }
        self.now = until;
    }

    /// Checks what must hold once nothing is under way any more.
    pub(super) fn check_settled(&self) {
        for node in &self.nodes {
            assert_eq!(node.bench.machine.unanswered(), 0);
        }
        for (number, sent) in self.sent.iter().enumerate() {
            let survived = self.nodes[sent.from].incarnation == sent.life;
            match sent.outcome {
                None => assert!(!survived || !sent.reported, "message {number} has no outcome"),
                Some(Outcome::Delivered) => assert_eq!(sent.deliveries, 1, "message {number} was not delivered"),
                Some(Outcome::Rejected(why)) => {
                    assert_eq!(sent.deliveries, 0, "message {number}: {why}, yet delivered")
                }
                Some(Outcome::Unknown) => {}
            }
        }
    }

    fn settle(&mut self, node: usize, fx: Vec<Effect>) {
        for effect in fx {
            match effect {
                Effect::Forward { dst, frame, .. } => {
                    assert_eq!(dst, addr(NAMES[1 - node]));
                    self.carry(1 - node, frame);
                }
                Effect::Deliver(message) => self.delivered(node, &message),
                Effect::Done { token, answer } => self.done(token, &answer),
            }
        }
        if self.nodes[node].eager {
            self.consume(node, u32::MAX);
        }
    }

    fn carry(&mut self, to: usize, frame: Frame) {
        self.carried += 1;
        let copies = 1 + u64::from(self.rng.chance(self.channel.doubled));
        for _ in 0..copies {
            let (least, most) = self.channel.delay;
            let due = self.now + ms(least + self.rng.below(most - least + 1));
            if !self.rng.chance(self.channel.loss) {
                self.count += 1;
                self.frames.insert((due, self.count), (to, frame.clone()));
            }
        }
    }

    fn delivered(&mut self, node: usize, message: &crate::node::Message) {
        let number: usize = text(&message.payload).parse().unwrap();
        let Node { held, inbox, .. } = &mut self.nodes[node];
        let held = held.entry(message.mailbox()).or_default();
        *held += 1;
        let places = match message.mailbox() {
            Mailbox::Node => *inbox,
            Mailbox::Client(_) => inbox.div_ceil(2).max(MAILBOX_MESSAGES_MIN),
        };
        assert!(*held as usize <= places, "more than the mailbox holds");
        let sent = &self.sent[number];
        assert_eq!((message.from, message.incarnation), (addr(NAMES[sent.from]), sent.life));
        assert_eq!((sent.to, sent.deliveries), (node, 0), "message {number} was delivered twice or elsewhere");
        let overtaken = self.sent[number + 1..]
            .iter()
            .any(|later| (later.from, later.life, later.to) == (sent.from, sent.life, sent.to) && later.deliveries > 0);
        assert!(!overtaken, "message {number} came after a later one");
        self.sent[number].deliveries += 1;
    }

    fn done(&mut self, token: Token, answer: &Answer) {
        let Answer::Sent(outcome) = answer else { panic!("{answer:?}") };
        let sent = &mut self.sent[token.0 as usize];
        assert!(sent.reported && sent.outcome.is_none(), "message {token} is answered again, or for nobody");
        assert!(self.now <= sent.deadline, "message {token} is answered after its deadline");
        if *outcome == Outcome::Delivered {
            assert_eq!(sent.deliveries, 1, "message {token} is not delivered yet");
        }
        sent.outcome = Some(*outcome);
    }
}

fn machine(name: &str, incarnation: Incarnation, inbox: usize) -> Messages {
    let mut config = config(name, incarnation);
    config.message.inbox = inbox;
    Messages::new(&config)
}
