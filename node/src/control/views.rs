//! Links and routes as documents.

use std::time::Duration;

use io_tokio::{Mesh, PeerInfo, RouteInfo, Stopped};

use super::{PeerDoc, Peers, RouteDoc, Routes, session::micros};

/// The state of a link that is up.
pub(crate) const UP: &str = "up";

/// Every link and every peer that is dialled, in order of name.
pub(crate) async fn peers(mesh: &Mesh) -> Result<Peers, Stopped> {
    let mut peers: Vec<_> = mesh.peers().await?.iter().map(peer).collect();
    peers.sort_by(|a, b| (&a.id, &a.remote).cmp(&(&b.id, &b.remote)));
    Ok(Peers { peers })
}

/// The way to every node, in order of name.
pub(crate) async fn routes(mesh: &Mesh) -> Result<Routes, Stopped> {
    let mut routes: Vec<_> = mesh.routes().await?.iter().map(route).collect();
    routes.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(Routes { routes })
}

fn peer(peer: &PeerInfo) -> PeerDoc {
    let id = peer.name.as_ref().map(ToString::to_string);
    if let Some(link) = &peer.link {
        return PeerDoc {
            id,
            state: UP.to_owned(),
            remote: Some(link.remote.to_string()),
            dialled: link.dialled,
            rtt_us: link.rtt.map(micros),
            loss_per_mille: Some(u64::from(link.loss_per_mille)),
            cost: Some(u64::from(link.cost)),
            up_ms: Some(millis(link.up_for)),
            bytes_in: link.bytes_in,
            bytes_out: link.bytes_out,
            ..PeerDoc::default()
        };
    }
    let dial = peer.dial.as_ref();
    let reason = dial.and_then(|dial| {
        let reason = dial.last_reason.map(|reason| reason.to_string());
        match (reason, &dial.last_error) {
            (Some(reason), Some(error)) => Some(format!("{reason}: {error}")),
            (reason, error) => reason.or_else(|| error.clone()),
        }
    });
    PeerDoc {
        id,
        state: if reason.is_some() { "down" } else { "connecting" }.to_owned(),
        remote: dial.and_then(|dial| dial.endpoint.as_ref()).map(ToString::to_string),
        dialled: true,
        reason,
        failures: dial.map_or(0, |dial| u64::from(dial.failures)),
        retry_in_ms: dial.and_then(|dial| dial.retry_in).map(millis),
        ..PeerDoc::default()
    }
}

fn route(route: &RouteInfo) -> RouteDoc {
    RouteDoc {
        id: route.node.to_string(),
        via: route.via.iter().map(ToString::to_string).collect(),
        cost: u64::from(route.cost),
        hops: u64::from(route.hops),
    }
}

/// A time in whole milliseconds.
pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
