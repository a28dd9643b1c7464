//! `/ws`: from a request to a socket. A client of the same name makes room.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, State, WebSocketUpgrade, ws::rejection::WebSocketUpgradeRejection},
    response::Response,
};
use futures_util::FutureExt as _;
use proto_core::limits::CLIENT_NAME_MAX;

use super::native::Native;
use crate::{
    api::{
        Api,
        auth::Caller,
        clients::{Kind, Present},
        extract,
        problem::ApiError,
        server::{Peer, Slot},
        socket,
        talk::{Party, Talk},
    },
    config::Verb,
};

/// Answers the request for a socket.
pub(super) async fn upgrade(
    State(api): State<Arc<Api>>,
    Extension(peer): Extension<Peer>,
    Extension(slot): Extension<Slot>,
    Extension(caller): Extension<Caller>,
    target: Option<Path<String>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let upgrade = upgrade.map_err(|why| extract::wrong(why.body_text()).status(why.status()))?;
    let id = target.map_or_else(|| format!("client-{}", api.fresh_id()), |Path(target)| target);
    if id.is_empty() || id.len() > CLIENT_NAME_MAX {
        return Err(extract::wrong(format!("the name of a client has 1 to {CLIENT_NAME_MAX} bytes")));
    }
    caller.may(Verb::Receive, &id)?;
    let present = Present::replace(&api, &id, Kind::Majula, peer.addr, &caller).await?;
    let upgrade = socket::sized(upgrade, &api.config.limits);
    let party = Party { api: Arc::clone(&api), caller, peer: peer.addr, slot };
    Ok(upgrade.on_upgrade(move |ws| Talk::new(&api, ws, Native::new(party, id), Some(present)).run(None).boxed()))
}
