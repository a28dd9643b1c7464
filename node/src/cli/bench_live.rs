//! `node bench pub`, `sub` and `rpc`: what goes through the node that runs here, as a program behind its control socket sees
//! it. Unlike `bench msg`, which starts nodes of its own, it measures what is there.

use std::{io, time::Duration};

use clap::Args;
use hdrhistogram::Histogram;
use serde_json::json;

use super::{Context, value};
use crate::{
    bench::{Arrived, Machine, Pacer, Payloads, SIZE_MIN, Tally, monotonic},
    control::{
        About, CallEnd, CallWish, Client, Document as _, Op, Piece, PublishedMany, Replies, Reply, SubscribedDoc,
        Teller, read_document,
    },
    errors::{Code, Exit, Failed, Problem},
};

/// One of so many publications has its time taken, where no rate is given.
const SAMPLE: u64 = 100;
/// Longest latency that is told apart, in nanoseconds.
const LATENCY_MAX: u64 = 600_000_000_000;
/// A subscriber to which nothing comes for so long waits no more.
const SILENCE_MAX: Duration = Duration::from_secs(15);

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  node bench pub bench.a
  node bench pub bench.a --count 100000 --size 1024 --rate 20000")]
pub(super) struct PubArgs {
    /// The topic
    #[arg(value_parser = value::topic)]
    topic: String,
    /// Publications
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// Bytes of each
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u64).range(SIZE_MIN as u64..=16 << 20))]
    size: u64,
    /// Publications per second; otherwise as fast as possible
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    rate: Option<u64>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  node bench sub bench.a               waits for `node bench pub bench.a`
  node bench sub bench.a --count 1000 --json")]
pub(super) struct SubArgs {
    /// The topic
    #[arg(value_parser = value::topic)]
    topic: String,
    /// Publications that are to come
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    count: u64,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  node bench rpc echo                  calls what `node reply echo --echo` serves
  node bench rpc echo --count 10000 --concurrency 64 --size 1024")]
pub(super) struct RpcArgs {
    /// The service
    #[arg(value_parser = value::service)]
    service: String,
    /// Calls
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// Bytes of each
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u64).range(SIZE_MIN as u64..=16 << 20))]
    size: u64,
    /// Calls under way at a time
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u64).range(1..=1_024))]
    concurrency: u64,
}

/// Publishes.
pub(super) async fn publish(args: &PubArgs, cx: &Context) -> Result<Exit, Failed> {
    let op = Op::PublishMany {
        topic: args.topic.clone(),
        about: About { deadline_ms: cx.deadline_ms(), ..About::default() },
    };
    let (mut replies, mut teller) = Client::ask(&cx.target, op, b"", None).await?.split();
    let mut pacer = args.rate.map(Pacer::new).transpose().map_err(|why| broken(&why))?;
    let mut payloads = Payloads::new(usize::try_from(args.size).unwrap_or(usize::MAX));
    let start = monotonic();
    for number in 0..args.count {
        let due = match &mut pacer {
            Some(pacer) => pacer.next().await.map_err(|why| broken(&why))?,
            None if number.is_multiple_of(SAMPLE) => monotonic(),
            None => 0,
        };
        let body = payloads.make(number, due);
        let piece = Piece { body: body.len() as u64, last: number + 1 == args.count, only_end: false };
        if teller.tell(&piece, &body).await.is_err() {
            break;
        }
    }
    let published: PublishedMany = match replies.next().await? {
        (Reply::Done { data } | Reply::Item { data, .. }, _) => read_document(data)?,
        (Reply::Problem { problem }, _) => return Err(problem.into()),
    };
    let seconds = seconds(start, monotonic());
    let last = published.last.unwrap_or_default();
    let machine = Machine::this();
    let rate = args.count as f64 / seconds;
    let out = cx.output();
    if out.is_text() {
        out.text(&format!(
            "{}\n{} publications of {} B in {seconds:.3} s: {rate:.0}/s; {} subscriptions had the last one",
            machine.line(),
            args.count,
            args.size,
            last.subscribers
        ))?;
    } else {
        out.json(&json!({
            "schema": "firelink.bench-pub/v1", "topic": args.topic, "count": args.count, "size": args.size,
            "rate": args.rate, "seconds": seconds, "msgs_per_s": rate, "subscribers": last.subscribers,
            "clean": last.is_complete(),
        }))?;
    }
    if last.is_complete() { Ok(Exit::Done) } else { Err(Failed::Said(Exit::Failed)) }
}

/// Subscribes.
pub(super) async fn subscribe(args: &SubArgs, cx: &Context) -> Result<Exit, Failed> {
    let patterns = vec![args.topic.clone()];
    let op = Op::Subscribe { patterns, group: None, client: None, last: None, count: None };
    let mut client = Client::ask(&cx.target, op, b"", None).await?;
    let mut tally = Tally::new(args.count, 1).map_err(|why| broken(&why))?;
    let mut first = None;
    let begin = cx.timeout.unwrap_or(Duration::from_secs(3_600));
    loop {
        // Until the first one comes, whoever publishes may take its time.
        let patience = if first.is_some() { SILENCE_MAX } else { begin };
        let Ok(next) = tokio::time::timeout(patience, client.next()).await else { break };
        match next? {
            (Reply::Item { data, .. }, _) if data["schema"] == SubscribedDoc::SCHEMA => {
                cx.hint(&format!("waiting for `node bench pub {} --count {}`", args.topic, args.count));
            }
            (Reply::Item { .. }, body) => {
                first.get_or_insert_with(monotonic);
                if tally.take(&body) {
                    break;
                }
            }
            (Reply::Done { .. }, _) => break,
            (Reply::Problem { problem }, _) => return Err(problem.into()),
        }
    }
    let arrived = tally.finish();
    let seconds = first.map_or(0.0, |first| seconds(first, arrived.last_ns));
    show_arrived(args, &arrived, seconds, cx)?;
    if arrived.is_clean() { Ok(Exit::Done) } else { Err(Failed::Said(Exit::Failed)) }
}

fn show_arrived(args: &SubArgs, arrived: &Arrived, seconds: f64, cx: &Context) -> Result<(), Failed> {
    let rate = if seconds > 0.0 { arrived.distinct as f64 / seconds } else { 0.0 };
    let out = cx.output();
    if !out.is_text() {
        let mut all = json!({
            "schema": "firelink.bench-sub/v1", "topic": args.topic, "count": args.count, "seconds": seconds,
            "msgs_per_s": rate, "clean": arrived.is_clean(),
        });
        if let (Some(all), Ok(serde_json::Value::Object(fields))) = (all.as_object_mut(), serde_json::to_value(arrived))
        {
            all.extend(fields);
        }
        return out.json(&all);
    }
    let latency = &arrived.latency;
    out.text(&format!(
        "{}\n{} publications in {seconds:.3} s: {rate:.0}/s\n  latency    us, if published on this machine: p50 {:.0}  p99 {:.0}  p99.9 {:.0}  max {:.0}\n  lost {}  duplicate {}  out of order {}",
        Machine::this().line(),
        arrived.distinct,
        latency.p50_us,
        latency.p99_us,
        latency.p999_us,
        latency.max_us,
        arrived.lost,
        arrived.duplicates,
        arrived.disordered,
    ))
}

/// Calls.
pub(super) async fn call(args: &RpcArgs, cx: &Context) -> Result<Exit, Failed> {
    let how = CallWish { deadline_ms: cx.deadline_ms(), ..CallWish::default() };
    let op = Op::CallMany { service: args.service.clone(), how };
    let (mut replies, mut teller) = Client::ask(&cx.target, op, b"", None).await?.split();
    let mut calls = Calls::new(args)?;
    let start = monotonic();
    while calls.ended < args.count {
        while calls.sent < args.count && calls.sent - calls.ended < args.concurrency {
            calls.send(&mut teller).await?;
        }
        calls.hear(&mut replies).await?;
    }
    let seconds = seconds(start, monotonic());
    let rate = args.count as f64 / seconds;
    let us = |quantile| calls.latency.value_at_quantile(quantile) as f64 / 1e3;
    let out = cx.output();
    if out.is_text() {
        out.text(&format!(
            "{}\n{} calls of {} B, {} at a time, in {seconds:.3} s: {rate:.0}/s\n  latency    us: p50 {:.0}  p99 {:.0}  p99.9 {:.0}  max {:.0}\n  failed {}{}",
            Machine::this().line(),
            args.count,
            args.size,
            args.concurrency,
            us(0.5),
            us(0.99),
            us(0.999),
            us(1.0),
            calls.failed,
            calls.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default(),
        ))?;
    } else {
        out.json(&json!({
            "schema": "firelink.bench-rpc/v1", "service": args.service, "count": args.count, "size": args.size,
            "concurrency": args.concurrency, "seconds": seconds, "calls_per_s": rate, "failed": calls.failed,
            "why": calls.why, "p50_us": us(0.5), "p99_us": us(0.99), "p999_us": us(0.999), "max_us": us(1.0),
            "clean": calls.failed == 0,
        }))?;
    }
    if calls.failed == 0 { Ok(Exit::Done) } else { Err(Failed::Said(Exit::Failed)) }
}

/// Calls under way.
struct Calls {
    payloads: Payloads,
    count: u64,
    begun: std::collections::BTreeMap<u64, u64>,
    sent: u64,
    ended: u64,
    failed: u64,
    why: Option<String>,
    latency: Histogram<u64>,
}

impl Calls {
    fn new(args: &RpcArgs) -> Result<Self, Problem> {
        let latency = Histogram::new_with_bounds(100, LATENCY_MAX, 3).map_err(|why| broken(&io::Error::other(why)))?;
        let payloads = Payloads::new(usize::try_from(args.size).unwrap_or(usize::MAX));
        let begun = std::collections::BTreeMap::new();
        Ok(Self { payloads, count: args.count, begun, sent: 0, ended: 0, failed: 0, why: None, latency })
    }

    async fn send(&mut self, teller: &mut Teller) -> Result<(), Problem> {
        let body = self.payloads.make(self.sent, 0);
        self.begun.insert(self.sent, monotonic());
        self.sent += 1;
        let last = self.sent == self.count;
        teller.tell(&Piece { body: body.len() as u64, last, only_end: false }, &body).await
    }

    async fn hear(&mut self, replies: &mut Replies) -> Result<(), Problem> {
        let (Reply::Item { data, .. } | Reply::Done { data }) = replies.next().await?.0 else { return Ok(()) };
        let end: CallEnd = read_document(data)?;
        self.ended += 1;
        let Some(begun) = self.begun.remove(&end.number) else { return Ok(()) };
        match end.detail {
            None => self.latency.saturating_record(monotonic().saturating_sub(begun)),
            Some(detail) => {
                self.failed += 1;
                self.why.get_or_insert(detail);
            }
        }
        Ok(())
    }
}

fn seconds(from: u64, to: u64) -> f64 {
    (to.saturating_sub(from).max(1)) as f64 / 1e9
}

fn broken(why: &io::Error) -> Problem {
    Problem::new(Code::E0501, Exit::Failed, why.to_string())
}
