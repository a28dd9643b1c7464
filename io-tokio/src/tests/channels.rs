//! The table of channels over TCP: order, backpressure, endings.

use std::{
    future::poll_fn,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use proto_core::{
    id::ChannelId,
    node::{ChannelEvent, Input},
    time::Time,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::{
    channel::Opened,
    channels::Channels,
    counters::ShellCounters,
    net::{Net as _, TokioNet},
    transport::Transport,
};

/// What the link layer keeps unwritten at most; the tests keep to it where it matters.
const WINDOW: u64 = 256 * 1024;

/// Channels and the loop around them.
struct Bed {
    channels: Channels<TcpStream>,
    counters: Arc<ShellCounters>,
    now: Time,
}

impl Bed {
    fn new() -> Self {
        let counters = Arc::new(ShellCounters::default());
        Self { channels: Channels::new(Arc::clone(&counters)), counters, now: Time::ZERO }
    }

    /// Takes a stream in, and tells which channel it became.
    async fn open(&mut self, stream: TcpStream) -> ChannelId {
        let opened =
            Opened { transport: Transport::Plain(stream), remote: "test".into(), exporter: None, permit: None };
        self.channels.open(None, opened);
        match self.next(1).await.pop() {
            Some(Input::Channel { channel, event: ChannelEvent::Opened { .. } }) => channel,
            other => panic!("expected an opening, got {other:?}"),
        }
    }

    /// What the node would be told next, having written what was held back.
    async fn next(&mut self, max: usize) -> Vec<Input> {
        let mut inputs = Vec::new();
        let polled = poll_fn(|cx| {
            loop {
                self.channels.poll(cx, self.now, max, &mut inputs);
                if !inputs.is_empty() {
                    return Poll::Ready(());
                }
                if !self.channels.flush_all(self.now) && !self.channels.is_busy() {
                    return Poll::Pending;
                }
            }
        });
        timeout(Duration::from_secs(20), polled).await.expect("something happens");
        inputs
    }

    /// What the node would be told without waiting.
    fn poll_now(&mut self) -> Vec<Input> {
        let mut inputs = Vec::new();
        self.channels.poll(&Context::from_waker(Waker::noop()), self.now, 64, &mut inputs);
        inputs
    }
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TokioNet.bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let addr = TokioNet.local_addr(&listener).unwrap();
    let (dialled, accepted) = tokio::join!(TokioNet.connect(addr), TokioNet.accept(&listener));
    (dialled.unwrap(), accepted.unwrap().0)
}

/// Bytes whose value tells their position, with a period that no buffer size is a multiple of.
fn pattern(from: u64, len: usize) -> Bytes {
    let period: Vec<u8> = (0..251).collect();
    let start = usize::try_from(from % 251).unwrap();
    Bytes::from(period.repeat(len / 251 + 2)).slice(start..start + len)
}

fn written_bytes(input: &Input) -> u64 {
    let Input::Channel { event: ChannelEvent::Written { bytes }, .. } = input else { panic!("unexpected {input:?}") };
    *bytes
}

async fn send_all(bed: &mut Bed, channel: ChannelId, total: u64) {
    let (mut written, mut credited) = (0, 0);
    while credited < total {
        while written < total && written - credited < WINDOW {
            let len = (1 + written % 40_000).min(total - written);
            bed.channels.write(channel, pattern(written, usize::try_from(len).unwrap()));
            written += len;
        }
        bed.channels.flush(bed.now);
        for input in bed.next(8).await {
            credited += written_bytes(&input);
        }
    }
    assert_eq!(credited, total, "every byte is credited once");
}

async fn receive_all(bed: &mut Bed, total: u64) {
    let mut received = 0;
    while received < total {
        for input in bed.next(8).await {
            let Input::Channel { event: ChannelEvent::Received { bytes }, .. } = input else {
                panic!("unexpected {input:?}")
            };
            assert_eq!(bytes, pattern(received, bytes.len()), "at {received}");
            received += bytes.len() as u64;
        }
    }
    assert_eq!(received, total);
}

#[tokio::test]
async fn sixty_four_mebibytes_arrive_in_order() {
    const TOTAL: u64 = 64 * 1024 * 1024;
    let (left, right) = pair().await;
    let (mut sender, mut receiver) = (Bed::new(), Bed::new());
    let channel = sender.open(left).await;
    receiver.open(right).await;
    tokio::join!(send_all(&mut sender, channel, TOTAL), receive_all(&mut receiver, TOTAL));
}

#[tokio::test]
async fn what_a_slow_reader_does_not_take_waits_and_is_not_lost() {
    const TOTAL: usize = 32 * 1024 * 1024;
    let (left, mut right) = pair().await;
    let mut bed = Bed::new();
    let channel = bed.open(left).await;
    for at in (0..TOTAL).step_by(1 << 20) {
        bed.channels.write(channel, pattern(at as u64, 1 << 20));
    }
    bed.channels.flush(bed.now);
    let taken = match &bed.next(1).await[..] {
        [Input::Channel { event: ChannelEvent::Written { bytes }, .. }] => *bytes,
        other => panic!("unexpected {other:?}"),
    };
    assert!(taken > 0 && taken < TOTAL as u64, "the kernel took {taken}");
    let mut all = vec![0; TOTAL];
    let read = right.read_exact(&mut all);
    let feed = async {
        let mut credited = taken;
        while credited < TOTAL as u64 {
            for input in bed.next(1).await {
                credited += written_bytes(&input);
            }
        }
        assert_eq!(credited, TOTAL as u64);
    };
    let (read, ()) = tokio::join!(read, feed);
    read.unwrap();
    assert!(all == pattern(0, TOTAL), "in order");
}

#[tokio::test]
async fn small_writes_are_held_back_for_a_few_turns_only() {
    let (left, mut right) = pair().await;
    let mut bed = Bed::new();
    let channel = bed.open(left).await;
    let mut byte = [0];
    bed.channels.write(channel, Bytes::from_static(b"a"));
    bed.channels.flush(bed.now);
    assert!(timeout(Duration::from_millis(20), right.read_exact(&mut byte)).await.is_err(), "held back");
    for _ in 0..3 {
        bed.channels.flush(bed.now);
    }
    timeout(Duration::from_secs(5), right.read_exact(&mut byte)).await.expect("written after some turns").unwrap();
    bed.channels.write(channel, Bytes::from_static(b"b"));
    bed.channels.flush_all(bed.now);
    timeout(Duration::from_secs(5), right.read_exact(&mut byte)).await.expect("written before parking").unwrap();
    bed.channels.write(channel, Bytes::from(vec![0; 40_000]));
    bed.channels.flush(bed.now);
    timeout(Duration::from_secs(5), right.read_exact(&mut byte)).await.expect("much is written at once").unwrap();
}

#[tokio::test]
async fn closing_writes_everything_first_and_ends_both_sides() {
    const TOTAL: usize = 4 * 1024 * 1024;
    let (left, mut right) = pair().await;
    let mut bed = Bed::new();
    let channel = bed.open(left).await;
    // Unread bytes on this side would make the kernel reset the connection if it were closed at once.
    right.write_all(b"never read by the node").await.unwrap();
    bed.channels.write(channel, pattern(0, TOTAL));
    bed.channels.close(channel, bed.now);
    bed.channels.write(channel, Bytes::from_static(b"too late"));
    let mut all = Vec::new();
    let (read, inputs) = tokio::join!(right.read_to_end(&mut all), bed.next(8));
    read.unwrap();
    assert!(all == pattern(0, TOTAL), "{} bytes", all.len());
    assert_eq!(inputs, [Input::Channel { channel, event: ChannelEvent::Closed }]);
    assert!(!bed.channels.is_empty(), "lingers until the other end closes");
    drop(right);
    let emptied = async {
        while !bed.channels.is_empty() {
            assert_eq!(bed.poll_now(), [], "the node heard of the end already");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(5), emptied).await.expect("gone when the other end closes");
}

#[tokio::test]
async fn a_channel_whose_peer_takes_nothing_is_given_up_when_closed() {
    let (left, _right) = pair().await;
    let mut bed = Bed::new();
    let channel = bed.open(left).await;
    bed.channels.write(channel, Bytes::from(vec![0; 32 * 1024 * 1024]));
    bed.channels.close(channel, bed.now);
    bed.channels.flush_all(bed.now);
    assert_eq!(bed.poll_now(), []);
    assert_eq!(bed.channels.deadline(), Some(Time::from_secs(1)));
    bed.now = Time::from_secs(1);
    assert_eq!(bed.poll_now(), [Input::Channel { channel, event: ChannelEvent::Closed }]);
    assert!(bed.channels.is_empty());
}

#[tokio::test]
async fn a_lingering_channel_is_given_up_in_time() {
    let (left, _right) = pair().await;
    let mut bed = Bed::new();
    let channel = bed.open(left).await;
    bed.channels.close(channel, bed.now);
    assert_eq!(bed.next(8).await, [Input::Channel { channel, event: ChannelEvent::Closed }]);
    bed.now = Time::from_millis(999);
    assert_eq!(bed.poll_now(), []);
    assert!(!bed.channels.is_empty());
    bed.now = Time::from_secs(1);
    assert_eq!(bed.poll_now(), []);
    assert!(bed.channels.is_empty());
}

#[tokio::test]
async fn the_end_of_the_other_side_and_a_reset_are_told_once() {
    for reset in [false, true] {
        let (left, right) = pair().await;
        let mut bed = Bed::new();
        let channel = bed.open(left).await;
        if reset {
            socket2::SockRef::from(&right).set_linger(Some(Duration::ZERO)).unwrap();
        }
        drop(right);
        assert_eq!(bed.next(8).await, [Input::Channel { channel, event: ChannelEvent::Closed }]);
        bed.channels.write(channel, Bytes::from_static(b"into the void"));
        bed.channels.close(channel, bed.now);
        assert!(!bed.channels.flush_all(bed.now));
        assert_eq!(bed.poll_now(), []);
        assert!(bed.channels.is_empty());
        assert_eq!(bed.counters.channels_failed.get(), u64::from(reset));
    }
}

#[tokio::test]
async fn a_busy_channel_does_not_delay_another() {
    let mut bed = Bed::new();
    let (left, mut busy) = pair().await;
    let (other, mut quiet) = pair().await;
    let busy_channel = bed.open(left).await;
    let quiet_channel = bed.open(other).await;
    let flood = tokio::spawn(async move { while busy.write_all(&[7; 65_536]).await.is_ok() {} });
    let mut from_busy = 0;
    while from_busy < 100 {
        from_busy += bed.next(1).await.len();
    }
    quiet.write_all(b"hello").await.unwrap();
    // The readiness of the quiet socket may take a moment to come through the runtime.
    let mut reads_until_heard = 0;
    loop {
        tokio::task::yield_now().await;
        let Some(Input::Channel { channel, event: ChannelEvent::Received { bytes } }) = bed.next(1).await.pop() else {
            panic!("only bytes arrive")
        };
        if channel == quiet_channel {
            assert_eq!(bytes, BytesMut::from(&b"hello"[..]));
            break;
        }
        assert_eq!(channel, busy_channel);
        reads_until_heard += 1;
    }
    assert!(reads_until_heard < 500, "{reads_until_heard}");
    flood.abort();
}
