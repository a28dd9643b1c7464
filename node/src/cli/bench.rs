//! `node bench`.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::{Context, bench_live, value};
use crate::{
    bench::{
        Phase, Plan, SIZE_MIN,
        msg::{self, Role, Round, Topology},
    },
    errors::{Code, Exit, Failed, Problem},
    run::dev::random_hex,
};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  node bench msg
  node bench msg --topology relay --json
  node bench pub bench.a               and `node bench sub bench.a` before it
  node bench rpc echo                  calls what `node reply echo --echo` serves")]
pub(super) struct BenchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Messages between nodes on this machine: rate, latency, processor time; fails if one was lost
    Msg(MsgArgs),
    /// Publishing through the node that runs here
    Pub(bench_live::PubArgs),
    /// Receiving what `bench pub` publishes; fails if something was lost
    Sub(bench_live::SubArgs),
    /// Calling a service through the node that runs here
    Rpc(bench_live::RpcArgs),
}

#[derive(Debug, Args)]
struct MsgArgs {
    /// Publisher and subscriber as neighbours, or with a node between them that forwards
    #[arg(long, value_enum, default_value = "pair")]
    topology: Shape,
    /// Bytes of a message
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u64).range(SIZE_MIN as u64..))]
    size: u64,
    /// Messages sent as fast as possible
    #[arg(long, default_value_t = 2_000_000)]
    count: u64,
    /// Messages sent before that, and not measured
    #[arg(long, default_value_t = 200_000)]
    warmup: u64,
    /// Messages per second while latency is measured
    #[arg(long, default_value_t = 20_000)]
    rate: u64,
    /// How long latency is measured at that rate
    #[arg(long, default_value = "5s", value_parser = value::duration, value_name = "TIME")]
    paced: Duration,
    /// Play one part of a measurement that another process leads
    #[arg(long, value_enum, hide = true)]
    role: Option<Role>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// Two processes
    Pair,
    /// Three processes
    Relay,
}

pub(super) fn run(args: &BenchArgs, cx: &Context) -> Result<Exit, Failed> {
    let args = match &args.what {
        What::Msg(args) => args,
        What::Pub(args) => return cx.block_on(cx.bounded(bench_live::publish(args, cx))),
        What::Sub(args) => return cx.block_on(bench_live::subscribe(args, cx)),
        What::Rpc(args) => return cx.block_on(cx.bounded(bench_live::call(args, cx))),
    };
    if let Some(role) = args.role {
        let play = async { msg::play(role).await.map(|()| Exit::Done).map_err(|_| Failed::Said(Exit::Failed)) };
        return cx.block_on(play);
    }
    let failed = |what: String| Problem::new(Code::E0501, Exit::Failed, what);
    let program = std::env::current_exe().map_err(|why| failed(why.to_string()))?;
    let token = random_hex(32).map_err(|why| failed(why.to_string()))?;
    let topology = match args.topology {
        Shape::Pair => Topology::Pair,
        Shape::Relay => Topology::Relay,
    };
    let plan = Plan {
        size: usize::try_from(args.size).unwrap_or(usize::MAX),
        count: args.count,
        warmup: args.warmup,
        rate: args.rate,
        paced: args.paced,
    };
    let round = msg::run(&program, &token, topology, &plan).map_err(|why| failed(why.to_string()))?;
    let out = cx.output();
    if out.is_text() {
        out.text(&text(&round))?;
    } else {
        let mut all = json!({ "schema": "firelink.bench-msg/v1", "clean": round.figures.is_clean() });
        if let (Some(all), Ok(serde_json::Value::Object(fields))) = (all.as_object_mut(), serde_json::to_value(&round))
        {
            all.extend(fields);
        }
        out.json(&all)?;
    }
    if round.figures.is_clean() { Ok(Exit::Done) } else { Err(Failed::Said(Exit::Failed)) }
}

fn text(round: &Round) -> String {
    let who = match round.topology {
        Topology::Pair => "publisher -> subscriber, 2 processes",
        Topology::Relay => "publisher -> relay -> subscriber, 3 processes",
    };
    let mut out = format!("{}\n{who}, loopback, encrypted, {} B\n", round.machine.line(), round.size);
    for phase in round.figures.burst.iter().chain(&round.figures.paced) {
        out.push_str(&phase_text(phase));
    }
    out
}

fn phase_text(phase: &Phase) -> String {
    let how = phase.rate.map_or_else(|| "as fast as possible".to_owned(), |rate| format!("at {rate}/s"));
    let cpu = |name: &str, us: f64| format!("{name} {us:.3}");
    let middle = phase.middle_cpu_us.map(|us| cpu("relay", us));
    let cpus: Vec<_> = std::iter::once(cpu("publisher", phase.publisher_cpu_us))
        .chain(middle)
        .chain(std::iter::once(cpu("subscriber", phase.subscriber_cpu_us)))
        .collect();
    let latency = &phase.latency;
    format!(
        "\n{} messages {how}
  rate       {:.0}/s end to end, {:.0}/s published
  cpu        us per message: {}
  latency    us: p50 {:.0}  p99 {:.0}  p99.9 {:.0}  max {:.0}
  lost {}  duplicate {}  out of order {}\n",
        phase.count,
        phase.msgs_per_s,
        phase.published_per_s,
        cpus.join(", "),
        latency.p50_us,
        latency.p99_us,
        latency.p999_us,
        latency.max_us,
        phase.lost,
        phase.duplicates,
        phase.disordered,
    )
}
