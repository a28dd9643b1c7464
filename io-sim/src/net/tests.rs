//! The network without nodes: scripted ends on real paths.

use std::collections::BTreeMap;

use core::time::Duration;

use proto_core::node::ChannelEvent;

use super::*;
use crate::rng::Label;
use stream::{CONNECT_TIMEOUT, RECEIVE_BUFFER, SEND_BUFFER, USER_TIMEOUT};

const A: HostId = HostId(0);
const B: HostId = HostId(1);

/// Ten milliseconds and nothing else.
fn plain() -> LinkSpec {
    LinkSpec::with_latency(Duration::from_millis(10))
}

fn ms(millis: u64) -> SimTime {
    SimTime::from_millis(millis)
}

/// What an end was told.
#[derive(Clone, Debug, Default)]
struct Told {
    opened: Option<SimTime>,
    dial: Option<u64>,
    bytes: Vec<u8>,
    chunks: Vec<usize>,
    first_at: Option<SimTime>,
    last_at: Option<SimTime>,
    written: u64,
    closed: Option<SimTime>,
}

/// Two or more hosts whose nodes are this test.
struct Bench {
    net: Net,
    schedule: Schedule,
    inbound: Vec<Inbound>,
    stats: Stats,
    ends: BTreeMap<(HostId, u64, ChannelId), Told>,
    failed: Vec<(SimTime, HostId, DialId)>,
    dials: u64,
    lives: Vec<u64>,
}

impl Bench {
    fn new(spec: LinkSpec, hosts: u32, seed: u64) -> Self {
        let mut bench = Self {
            net: Net::new(spec, Dice::new(seed), 100, false),
            schedule: Schedule::new(),
            inbound: vec![],
            stats: Stats::default(),
            ends: BTreeMap::new(),
            failed: vec![],
            dials: 0,
            lives: vec![0; hosts as usize],
        };
        for host in (0..hosts).map(HostId) {
            bench.net.add_host(host, &format!("n{}", host.0));
            bench.start(host);
        }
        bench
    }

    fn start(&mut self, host: HostId) {
        self.lives[host.index()] += 1;
        self.net.start(host, self.lives[host.index()]);
    }

    fn with<R>(&mut self, act: impl FnOnce(&mut Net, &mut NetCx<'_>) -> R) -> R {
        let Self { net, schedule, inbound, stats, .. } = self;
        let result = act(net, &mut NetCx { schedule, inbound, stats });
        self.note();
        result
    }

    fn note(&mut self) {
        let now = self.schedule.now();
        for Inbound { host, input } in core::mem::take(&mut self.inbound) {
            let life = self.lives[host.index()];
            match input {
                Input::Channel { channel, event } => {
                    let told = self.ends.entry((host, life, channel)).or_default();
                    assert_eq!(told.closed, None, "told after the end");
                    assert_eq!(
                        told.opened.is_none(),
                        matches!(event, ChannelEvent::Opened { .. }),
                        "opened first, once"
                    );
                    match event {
                        ChannelEvent::Opened { dial, .. } => {
                            (told.opened, told.dial) = (Some(now), dial.map(|dial| dial.0));
                        }
                        ChannelEvent::Received { bytes } => {
                            told.bytes.extend_from_slice(&bytes);
                            told.chunks.push(bytes.len());
                            told.first_at.get_or_insert(now);
                            told.last_at = Some(now);
                        }
                        ChannelEvent::Written { bytes } => told.written += bytes,
                        ChannelEvent::Closed => told.closed = Some(now),
                    }
                }
                Input::DialFailed { dial } => self.failed.push((now, host, dial)),
                Input::Command { .. } | Input::Consumed { .. } | Input::Persisted { .. } | Input::Clock { .. } => {
                    panic!("not the network's business: {input:?}")
                }
            }
        }
    }

    fn run(&mut self, until: SimTime) {
        while self.schedule.advance(until) {
            while let Some(what) = self.schedule.pop() {
                let Happening::Net(event) = what else { panic!("{what:?}") };
                self.with(|net, cx| net.handle(cx, event));
            }
        }
        self.schedule.pass(until);
    }

    fn dial(&mut self, from: HostId, to: &str) -> DialId {
        self.dials += 1;
        let dial = DialId(self.dials);
        self.with(|net, cx| net.dial(cx, from, dial, &Endpoint::new(to)));
        dial
    }

    fn write(&mut self, host: HostId, channel: u64, bytes: Vec<u8>) {
        self.with(|net, cx| net.write(cx, host, ChannelId(channel), Bytes::from(bytes)));
    }

    fn close(&mut self, host: HostId, channel: u64) {
        self.with(|net, cx| net.close(cx, host, ChannelId(channel)));
    }

    /// What the end of a host's present life was told.
    fn told(&self, host: HostId, channel: u64) -> Told {
        let key = (host, self.lives[host.index()], ChannelId(channel));
        self.ends.get(&key).cloned().unwrap_or_default()
    }

    fn cut(&mut self, from: HostId, to: HostId) {
        self.net.partition(&Partition::OneWay { from: vec![from], to: vec![to] });
    }

    fn isolate(&mut self, host: HostId) {
        self.net.partition(&Partition::Isolate { host });
    }
}

/// Two hosts with a connection, dialled by A at time zero, and 100 ms gone.
fn connected(spec: LinkSpec, seed: u64) -> Bench {
    let mut bench = Bench::new(spec, 2, seed);
    bench.dial(A, "tcp://n1:29090");
    bench.run(ms(100));
    assert!(bench.told(A, 1).opened.is_some() && bench.told(B, 1).opened.is_some(), "connected");
    bench
}

/// `len` bytes of which each is known.
fn text(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index % 251) as u8).collect()
}

#[test]
fn a_dial_opens_both_ends() {
    let bench = connected(plain(), 1);
    assert_eq!((bench.told(A, 1).opened, bench.told(A, 1).dial), (Some(ms(20)), Some(1)));
    assert_eq!((bench.told(B, 1).opened, bench.told(B, 1).dial), (Some(ms(30)), None));
}

#[test]
fn a_host_can_dial_itself() {
    let mut bench = Bench::new(plain(), 1, 1);
    bench.dial(A, "tcp://n0:29090");
    bench.run(ms(1));
    bench.write(A, 1, text(10));
    bench.run(ms(2));
    assert_eq!(bench.told(A, 2).bytes, text(10));
}

#[test]
fn a_dial_to_nobody_fails_at_once_and_to_a_dead_machine_after_a_while() {
    let mut bench = Bench::new(plain(), 3, 1);
    bench.with(|net, cx| net.kill(cx, B));
    bench.with(|net, cx| net.power_off(cx, HostId(2)));
    let unknown = [bench.dial(A, "tcp://nobody:1"), bench.dial(A, "udp://n1:1"), bench.dial(A, "tcp://n1:no")];
    let (refused, dead) = (bench.dial(A, "tcp://n1:1"), bench.dial(A, "tcp://n2:1"));
    bench.run(ms(60_000));
    let times: Vec<_> = bench.failed.iter().map(|(at, _, dial)| (*dial, *at)).collect();
    assert!(unknown.iter().all(|dial| times.iter().any(|(failed, at)| failed == dial && *at < ms(1))), "{times:?}");
    assert!(
        times.contains(&(refused, ms(20))) && times.contains(&(dead, SimTime::ZERO + CONNECT_TIMEOUT)),
        "{times:?}"
    );
    assert_eq!((times.len(), bench.net.streams.len()), (5, 0));
}

#[test]
fn a_dial_gets_through_a_partition_that_ends_in_time() {
    let mut bench = Bench::new(plain(), 2, 1);
    bench.isolate(B);
    bench.dial(A, "tcp://n1:1");
    bench.run(ms(2_000));
    bench.net.heal();
    bench.run(ms(5_000));
    // The third SYN leaves after three seconds.
    assert_eq!(bench.told(A, 1).opened, Some(ms(3_020)));
}

#[test]
fn bytes_arrive_whole_and_in_order_whatever_is_lost() {
    for seed in 0..20 {
        let spec = LinkSpec { jitter: Duration::from_millis(5), ..plain() }.with_loss(300);
        let mut bench = Bench::new(spec, 2, seed);
        bench.dial(A, "tcp://n1:1");
        bench.run(ms(9_000));
        if bench.told(B, 1).opened.is_none() {
            continue;
        }
        let sent = text(100_000);
        for piece in sent.chunks(977) {
            bench.write(A, 1, piece.to_vec());
            let next = bench.schedule.now() + Duration::from_millis(3);
            bench.run(next);
        }
        bench.run(ms(120_000));
        let told = bench.told(B, 1);
        assert!(told.bytes == sent, "seed {seed}: {} of {} bytes", told.bytes.len(), sent.len());
        assert_eq!(bench.told(A, 1).written, sent.len() as u64);
        assert!(bench.stats.retransmits > 10, "seed {seed}: nothing was lost");
    }
}

#[test]
fn chunks_are_cut_and_joined_anywhere() {
    let mut bench = connected(plain(), 3);
    (0..1_000).for_each(|_| bench.write(A, 1, text(100)));
    bench.run(ms(1_000));
    let told = bench.told(B, 1);
    assert_eq!(told.bytes.len(), 100_000);
    assert!(told.chunks.iter().any(|len| *len < 100), "some are cut");
    assert!(told.chunks.iter().any(|len| *len > 100), "some are joined");
}

#[test]
fn a_partition_delays_a_stream_and_takes_what_is_on_its_way() {
    let mut bench = connected(plain(), 1);
    bench.write(A, 1, text(10));
    bench.run(ms(105));
    bench.isolate(A);
    bench.run(ms(200));
    assert_eq!(bench.told(B, 1).bytes, [], "it was on its way when the path was cut");
    bench.write(A, 1, text(10));
    bench.run(ms(5_000));
    bench.net.heal();
    bench.run(ms(15_000));
    let told = bench.told(B, 1);
    assert_eq!(told.bytes, [text(10), text(10)].concat());
    assert!(told.first_at > Some(ms(5_000)) && told.closed.is_none());
}

#[test]
fn a_long_partition_ends_the_sender_and_leaves_the_other_half_open() {
    let mut bench = connected(plain(), 1);
    bench.isolate(B);
    bench.write(A, 1, text(10));
    bench.run(ms(100_000));
    let (sender, receiver) = (bench.told(A, 1), bench.told(B, 1));
    let gave_up = sender.closed.map(|at| at.since(ms(100)));
    assert!(gave_up.is_some_and(|after| after >= USER_TIMEOUT && after < USER_TIMEOUT * 2), "{gave_up:?}");
    assert_eq!(receiver.closed, None);
    bench.net.heal();
    bench.run(ms(200_000));
    assert_eq!(bench.told(B, 1).closed, None, "it sends nothing, so it learns nothing");
    bench.write(B, 1, text(10));
    bench.run(ms(201_000));
    assert_eq!(bench.told(B, 1).closed, Some(ms(200_020)), "a reset answers");
    assert_eq!(bench.net.streams.len(), 0);
}

#[test]
fn data_gets_through_one_way_but_the_sender_does_not_learn_of_it() {
    let mut bench = connected(plain(), 1);
    bench.cut(B, A);
    bench.write(A, 1, text(10));
    bench.run(ms(60_000));
    assert_eq!(bench.told(B, 1).bytes, text(10));
    assert!(bench.told(A, 1).closed.is_some_and(|at| at.since(ms(100)) >= USER_TIMEOUT));
}

#[test]
fn a_cut_acknowledgement_that_comes_in_time_does_no_harm() {
    let mut bench = connected(plain(), 1);
    bench.cut(B, A);
    bench.write(A, 1, text(10));
    bench.run(ms(3_000));
    bench.net.heal();
    bench.write(A, 1, text(20));
    bench.run(ms(60_000));
    assert_eq!(bench.told(B, 1).bytes, [text(10), text(20)].concat());
    assert_eq!(bench.told(A, 1).closed, None);
}

#[test]
fn a_peer_that_lost_power_says_nothing_until_it_is_back_and_resets() {
    let mut bench = connected(plain(), 1);
    bench.with(|net, cx| net.power_off(cx, B));
    bench.run(ms(10_000));
    assert_eq!(bench.told(A, 1).closed, None, "nobody told it");
    bench.start(B);
    bench.run(ms(20_000));
    assert_eq!(bench.told(A, 1).closed, None, "still nobody");
    bench.write(A, 1, text(10));
    bench.run(ms(30_000));
    assert_eq!(bench.told(A, 1).closed, Some(ms(20_020)));
    assert_eq!(bench.net.streams.len(), 0);
}

#[test]
fn what_a_dying_machine_had_sent_still_arrives() {
    let mut bench = connected(plain(), 1);
    bench.write(A, 1, text(10));
    bench.run(ms(101));
    bench.with(|net, cx| net.power_off(cx, A));
    bench.run(ms(1_000));
    assert_eq!((bench.told(B, 1).bytes, bench.told(B, 1).closed), (text(10), None));
}

#[test]
fn a_killed_process_resets_its_connections() {
    let mut bench = connected(plain(), 1);
    bench.with(|net, cx| net.kill(cx, B));
    bench.run(ms(1_000));
    assert_eq!(bench.told(A, 1).closed, Some(ms(110)));
    assert_eq!(bench.net.streams.len(), 0);
}

#[test]
fn a_close_comes_after_everything_written() {
    let mut bench = connected(plain().with_loss(200), 5);
    bench.write(A, 1, text(50_000));
    bench.close(A, 1);
    bench.write(A, 1, text(1));
    bench.run(ms(101));
    assert!(bench.told(A, 1).closed.is_some(), "the kernel has taken over");
    bench.run(ms(60_000));
    let told = bench.told(B, 1);
    assert!(told.bytes == text(50_000) && told.closed >= told.last_at, "{:?}", told.closed);
    assert_eq!(bench.net.streams.len(), 0);
}

#[test]
fn both_ends_may_close_at_once() {
    let mut bench = connected(plain(), 1);
    bench.close(A, 1);
    bench.close(B, 1);
    bench.run(ms(1_000));
    assert!(bench.told(A, 1).closed.is_some() && bench.told(B, 1).closed.is_some());
    assert_eq!(bench.net.streams.len(), 0);
}

#[test]
fn a_leaving_process_gets_its_last_words_out() {
    let mut bench = connected(plain(), 1);
    bench.write(B, 1, text(500_000));
    bench.with(|net, cx| net.leave(cx, B));
    bench.run(ms(5_000));
    assert!(bench.told(A, 1).bytes == text(500_000));
    assert!(bench.told(A, 1).closed.is_some());
    assert_eq!(bench.net.streams.len(), 0);
}

#[test]
fn a_slow_path_limits_what_is_taken_over_and_delivered() {
    let spec = LinkSpec { rate_bytes_per_s: 1_000_000, ..plain() };
    let mut bench = connected(spec, 1);
    (0..64).for_each(|_| bench.write(A, 1, text(32 * 1_024)));
    bench.run(ms(101));
    let taken = bench.told(A, 1).written;
    assert!((SEND_BUFFER as u64..SEND_BUFFER as u64 + 32 * 1_024).contains(&taken), "{taken}");
    bench.run(ms(60_000));
    let told = bench.told(B, 1);
    assert_eq!((told.bytes.len(), bench.told(A, 1).written), (64 * 32 * 1_024, 64 * 32 * 1_024));
    let took = told.last_at.unwrap().since(ms(100)).as_millis();
    // Two MiB and headers at a megabyte per second.
    assert!((2_100..2_300).contains(&took), "{took}");
}

#[test]
fn a_paused_process_takes_a_bounded_amount_and_the_rest_when_it_goes_on() {
    let mut bench = connected(plain(), 1);
    bench.net.pause(B);
    (0..64).for_each(|_| bench.write(A, 1, text(16 * 1_024)));
    bench.run(ms(60_000));
    assert!((RECEIVE_BUFFER - 16 * 1_024..=RECEIVE_BUFFER).contains(&bench.told(B, 1).bytes.len()));
    assert_eq!(bench.told(A, 1).closed, None, "the kernel is there and answers");
    bench.with(|net, cx| net.resume(cx, B));
    bench.run(ms(61_000));
    assert_eq!(bench.told(B, 1).bytes.len(), 64 * 16 * 1_024);
}

#[test]
fn one_bit_flips_when_told_to() {
    let mut bench = connected(plain(), 1);
    bench.net.flip_next(A, B);
    bench.write(A, 1, vec![0; 100]);
    bench.run(ms(200));
    bench.write(A, 1, vec![0; 100]);
    bench.run(ms(300));
    let ones: u32 = bench.told(B, 1).bytes.iter().map(|byte| byte.count_ones()).sum();
    assert_eq!((bench.told(B, 1).bytes.len(), ones), (200, 1));
}

#[test]
fn cut_streams_end_at_both_ends_at_once() {
    let mut bench = connected(plain(), 1);
    bench.dial(B, "tcp://n0:1");
    bench.with(|net, cx| net.cut_streams(cx, B, A));
    assert_eq!((bench.told(A, 1).closed, bench.told(B, 1).closed), (Some(ms(100)), Some(ms(100))));
    assert_eq!((bench.failed.len(), bench.net.streams.len()), (1, 0));
}

#[test]
fn lossy_bursts_do_not_hold_a_stream_for_ever() {
    let loss =
        Loss::GilbertElliott { to_bad_per_mille: 50, to_good_per_mille: 400, good_per_mille: 5, bad_per_mille: 800 };
    let mut bench = connected(plain(), 2);
    bench.net.paths.get_mut(A.0, B.0).spec.loss = loss;
    (0..100).for_each(|_| bench.write(A, 1, text(1_000)));
    bench.run(ms(100_000));
    assert_eq!(bench.told(B, 1).bytes.len(), 100_000);
}

/// Everything at once, at random: no end is told anything out of order ([`Bench::note`] checks), what arrives is what was
/// sent, and when all is healed and closed nothing is left over.
#[test]
fn whatever_happens_streams_stay_streams() {
    let delivered: u64 = (0..60).map(whatever).sum();
    assert!(delivered > 10_000_000, "{delivered}");
}

/// One such run; tells how many bytes were delivered.
fn whatever(seed: u64) -> u64 {
    let spec = LinkSpec { jitter: Duration::from_millis(20), ..plain() }.with_loss(100);
    let mut bench = Bench::new(spec, 4, seed);
    let mut draws = Dice::new(seed).draws(Label::Local, 99, 99, 0);
    let mut up = [true; 4];
    let mut written = BTreeMap::new();
    for _ in 0..400 {
        let number = u32::try_from(draws.below(4)).unwrap();
        let (host, running) = (HostId(number), up[number as usize]);
        match draws.below(40) {
            0..10 if running => _ = bench.dial(host, &format!("tcp://n{}:1", draws.below(4))),
            10..25 if running => {
                let len = usize::try_from(1 + draws.below(20_000)).unwrap();
                let channel = ChannelId(1 + draws.below(8));
                if bench.told(host, channel.0).opened.is_some() {
                    let so_far = written.entry((host, bench.lives[host.index()], channel)).or_insert(0);
                    bench.write(host, channel.0, text(*so_far + len).split_off(*so_far));
                    *so_far += len;
                }
            }
            25..29 if running => bench.close(host, 1 + draws.below(8)),
            29 => bench.isolate(host),
            30 => bench.cut(host, HostId((number + 1) % 4)),
            31..34 => bench.net.heal(),
            34 if running => bench.net.pause(host),
            35..37 if running => bench.with(|net, cx| net.resume(cx, host)),
            37 if running => {
                up[number as usize] = false;
                match draws.below(3) {
                    0 => bench.with(|net, cx| net.power_off(cx, host)),
                    1 => bench.with(|net, cx| net.kill(cx, host)),
                    _ => bench.with(|net, cx| net.leave(cx, host)),
                }
            }
            38..40 if !running => {
                up[number as usize] = true;
                bench.start(host);
            }
            _ => {}
        }
        let next = bench.schedule.now() + draws.up_to(Duration::from_millis(500));
        bench.run(next);
    }
    bench.net.heal();
    for host in (0..4).map(HostId) {
        match up[host.index()] {
            true => bench.with(|net, cx| net.resume(cx, host)),
            false => bench.start(host),
        }
    }
    let settled = bench.schedule.now() + Duration::from_secs(200);
    bench.run(settled);
    let open: Vec<_> = bench.ends.iter().filter(|(_, told)| told.closed.is_none()).map(|(key, _)| *key).collect();
    for (host, life, channel) in open {
        if life == bench.lives[host.index()] {
            bench.close(host, channel.0);
        }
    }
    let settled = bench.schedule.now() + Duration::from_secs(200);
    bench.run(settled);
    assert_eq!(bench.net.streams.len(), 0, "seed {seed}: {:?}", bench.net.streams);
    for ((host, life, channel), told) in &bench.ends {
        let present = *life == bench.lives[host.index()];
        assert!(!present || told.closed.is_some(), "seed {seed}: {host} {channel} was never closed");
        assert!(told.bytes == text(told.bytes.len()), "seed {seed}: {host} {channel} got something else");
    }
    bench.stats.bytes_delivered
}
