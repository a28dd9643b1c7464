//! Links, routes, and other nodes.

use std::{sync::Arc, time::Duration};

use axum::{Extension, Json, extract::State};
use proto_core::{limits::TRACE_TIMEOUT, node::Node, time::Time};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    may_read,
    page::{Page, Which},
};
use crate::{
    api::{
        Api,
        auth::Caller,
        extract::{self, NodePath, Params},
        problem::ApiError,
    },
    control::{self, FoundDoc, PeerDoc, PingDoc, RouteDoc, TraceDoc, views},
    errors::Code,
};

/// Longest time that a question to another node may take.
const QUESTION_MAX: Duration = Duration::from_secs(60);

/// How long to wait.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Patience {
    /// How long to wait for an answer, in milliseconds.
    #[param(minimum = 1, maximum = 60000, default = 5000)]
    timeout_ms: Option<u64>,
}

/// What every node says of its links.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Topology {
    /// Every node known, in order of name.
    nodes: Vec<TopologyNode>,
}

/// What a node says of its links.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TopologyNode {
    /// The node.
    id: String,
    /// How long ago it said so.
    age_ms: u64,
    /// Whether it forwards for others.
    transit: bool,
    /// Its links.
    links: Vec<TopologyLink>,
}

/// A link, as the node at one end sees it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TopologyLink {
    /// The node at the other end; its address if the name is not known.
    to: String,
    /// What crossing it costs.
    cost: u64,
}

/// Every link, and every peer that is dialled.
#[utoipa::path(get, path = "/peers", tag = "mesh", params(Which), responses((status = 200, body = Page<PeerDoc>)))]
pub(super) async fn peers(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Params(which): Params<Which>,
) -> Result<Json<Page<PeerDoc>>, ApiError> {
    may_read(&caller)?;
    let peers = api.ask(views::peers(&api.session.mesh)).await?.peers;
    which.page(peers, key).map(Json)
}

/// One link, by the name of its other end.
#[utoipa::path(
    get,
    path = "/peers/{id}",
    tag = "mesh",
    params(("id" = String, Path, pattern = "^[A-Za-z0-9._-]{1,64}$", description = "The peer.")),
    responses((status = 200, body = PeerDoc), (status = 404))
)]
pub(super) async fn peer(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    NodePath(id): NodePath,
) -> Result<Json<PeerDoc>, ApiError> {
    may_read(&caller)?;
    let peers = api.ask(views::peers(&api.session.mesh)).await?.peers;
    let found = peers.into_iter().find(|peer| peer.id.as_deref() == Some(id.as_str()));
    let missing = || ApiError::new(Code::E1506, format!("`{id}` is no peer of this node")).hint("GET /api/v1/peers");
    found.map(Json).ok_or_else(missing)
}

/// The way to every node within reach.
#[utoipa::path(get, path = "/routes", tag = "mesh", params(Which), responses((status = 200, body = Page<RouteDoc>)))]
pub(super) async fn routes(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Params(which): Params<Which>,
) -> Result<Json<Page<RouteDoc>>, ApiError> {
    may_read(&caller)?;
    let routes = api.ask(views::routes(&api.session.mesh)).await?.routes;
    which.page(routes, |route| route.id.clone()).map(Json)
}

/// Every node with its links, as far as this node knows.
#[utoipa::path(get, path = "/topology", tag = "mesh", responses((status = 200, body = Topology)))]
pub(super) async fn topology(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Topology>, ApiError> {
    may_read(&caller)?;
    let mut nodes = api.ask(api.session.mesh.inspect(adverts)).await?;
    nodes.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(Json(Topology { nodes }))
}

/// Looks a node up, also among the neighbours.
#[utoipa::path(
    get,
    path = "/nodes/{id}",
    tag = "mesh",
    params(("id" = String, Path, pattern = "^[A-Za-z0-9._-]{1,64}$", description = "The node."), Patience),
    responses((status = 200, body = FoundDoc), (status = 404), (status = 502))
)]
pub(super) async fn node(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    NodePath(id): NodePath,
    Params(patience): Params<Patience>,
) -> Result<Json<FoundDoc>, ApiError> {
    may_read(&caller)?;
    Ok(Json(api.session.find(id.as_str(), patience.time()?).await?))
}

/// Asks a node for an answer.
#[utoipa::path(
    get,
    path = "/nodes/{id}/ping",
    tag = "mesh",
    params(("id" = String, Path, pattern = "^[A-Za-z0-9._-]{1,64}$", description = "The node."), Patience),
    responses((status = 200, body = PingDoc), (status = 502))
)]
pub(super) async fn ping(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    NodePath(id): NodePath,
    Params(patience): Params<Patience>,
) -> Result<Json<PingDoc>, ApiError> {
    may_read(&caller)?;
    Ok(Json(api.session.ping(id.as_str(), patience.time()?).await?))
}

/// Asks every node on the way to one.
#[utoipa::path(
    get,
    path = "/nodes/{id}/trace",
    tag = "mesh",
    params(("id" = String, Path, pattern = "^[A-Za-z0-9._-]{1,64}$", description = "The node."), Patience),
    responses((status = 200, body = TraceDoc), (status = 502))
)]
pub(super) async fn trace(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    NodePath(id): NodePath,
    Params(patience): Params<Patience>,
) -> Result<Json<TraceDoc>, ApiError> {
    may_read(&caller)?;
    Ok(Json(api.session.trace(id.as_str(), patience.time()?).await?))
}

impl Patience {
    fn time(&self) -> Result<Duration, ApiError> {
        Ok(extract::millis(self.timeout_ms, QUESTION_MAX)?.unwrap_or(TRACE_TIMEOUT))
    }
}

/// Several links may lead to unknown peers; their addresses tell them apart.
fn key(peer: &PeerDoc) -> String {
    format!("{}\0{}", peer.id.as_deref().unwrap_or_default(), peer.remote.as_deref().unwrap_or_default())
}

fn adverts(node: &Node, now: Time) -> Vec<TopologyNode> {
    let name = |addr| node.name_of(addr).map_or_else(|| control::address(addr), ToString::to_string);
    node.router()
        .adverts(now)
        .map(|advert| TopologyNode {
            id: advert.origin.to_string(),
            age_ms: views::millis(advert.age),
            transit: advert.transit,
            links: advert
                .neighbours
                .iter()
                .map(|link| TopologyLink { to: name(link.node), cost: u64::from(link.cost) })
                .collect(),
        })
        .collect()
}
