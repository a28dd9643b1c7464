//! `mesh.link` and `mesh.routing`.

use std::time::Duration;

use proto_core::{
    limits,
    node::{LinkConfig, Metric, RouteConfig},
};

use super::{Reader, scalar, section::Section};
use crate::{
    config::{Diagnostic, Mesh},
    errors::Code,
};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3_600);

pub(super) fn decode(mut section: Section<'_>, reader: &mut Reader<'_>) -> LinkConfig {
    let default = Mesh::default().link;
    let duration = |least: Duration| scalar::duration(least..=HOUR);
    let heartbeat = section.read(reader, "heartbeat", duration(10 * MS)).unwrap_or(default.heartbeat);
    let dead_after = section.read(reader, "dead_after", duration(20 * MS)).unwrap_or(default.dead_after);
    let handshake = section.read(reader, "handshake_timeout", duration(100 * MS));
    let queue = section.read(reader, "send_queue", scalar::number(16..=1_048_576));
    let accepts = section.read(reader, "max_accepts_per_sec", scalar::number(1..=1_000_000));
    if dead_after < heartbeat * 2 {
        let what = format!("`dead_after` is {dead_after:?}, less than twice `heartbeat` ({heartbeat:?})");
        let mut diagnostic = Diagnostic::error(Code::E0115, what)
            .label(format!("at least {:?}", heartbeat * 2))
            .note("one lost heartbeat must not end a link");
        diagnostic.span = section.place("dead_after");
        reader.report(diagnostic);
    }
    let mut reconnect = section.section(reader, "reconnect");
    let initial = reconnect.read(reader, "initial", duration(MS)).unwrap_or(default.reconnect_initial);
    let max = reconnect.read(reader, "max", duration(MS)).unwrap_or(default.reconnect_max);
    let jitter = reconnect.read(reader, "jitter", scalar::per_mille(0..=1_000));
    if max < initial {
        let what = format!("`reconnect.max` is {max:?}, less than `reconnect.initial` ({initial:?})");
        let mut diagnostic = Diagnostic::error(Code::E0115, what).label(format!("at least {initial:?}"));
        diagnostic.span = reconnect.place("max");
        reader.report(diagnostic);
    }
    reconnect.finish(reader);
    section.finish(reader);
    LinkConfig {
        heartbeat,
        dead_after,
        handshake_timeout: handshake.unwrap_or(default.handshake_timeout),
        reconnect_initial: initial,
        reconnect_max: max,
        reconnect_jitter_per_mille: jitter.unwrap_or(default.reconnect_jitter_per_mille),
        accepts_per_sec: accepts.map_or(default.accepts_per_sec, narrow),
        send_queue: queue.map_or(default.send_queue, |frames| narrow(frames) as usize),
        ..default
    }
}

/// The routes, and how many links there may be.
pub(super) fn routing(mut section: Section<'_>, reader: &mut Reader<'_>) -> (RouteConfig, usize) {
    const METRICS: &[(&str, Metric)] = &[("latency", Metric::Latency), ("hops", Metric::Hops), ("cost", Metric::Cost)];
    let default = RouteConfig::default();
    let metric = section.read(reader, "metric", scalar::word(METRICS)).unwrap_or(default.metric);
    let transit = section.read(reader, "transit", scalar::boolean).unwrap_or(default.transit);
    let hops = section.read(reader, "max_hops", scalar::number(1..=64));
    let peers = section.read(reader, "max_peers", scalar::number(1..=limits::LINKS_MAX as u64));
    section.finish(reader);
    let max_hops = hops.and_then(|hops| u8::try_from(hops).ok()).unwrap_or(default.max_hops);
    let max_links = peers.map_or(Mesh::default().link.max_links, |peers| narrow(peers) as usize);
    (RouteConfig { metric, transit, max_hops, ..default }, max_links)
}

/// A number whose range was checked.
fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
