//! From a request to a socket: whose page, which protocol, which token, under which name.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{
        State, WebSocketUpgrade,
        ws::{WebSocket, rejection::WebSocketUpgradeRejection},
    },
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use futures_util::{FutureExt as _, future::BoxFuture};
use proto_core::limits::CLIENT_NAME_MAX;
use serde::Deserialize;

use super::{PROTOCOL, native::Native};
use crate::{
    api::{
        Api, auth,
        clients::{Kind, Present},
        extract::{self, Params},
        gate,
        problem::ApiError,
        server::{Peer, Slot},
        socket,
        talk::{Party, Talk},
    },
    config::Verb,
    errors::Code,
};

/// How a token stands among the subprotocols, for browsers, which can set no headers.
const BEARER: &str = "bearer.";

/// What may stand behind the `?`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wishes {
    /// The name to be present under.
    client: Option<String>,
    /// A token, for browsers.
    token: Option<String>,
}

/// Answers the request for a socket.
pub(super) async fn upgrade(
    State(api): State<Arc<Api>>,
    Extension(peer): Extension<Peer>,
    Extension(slot): Extension<Slot>,
    Params(wishes): Params<Wishes>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, gate::Refused> {
    gate::may_come(&api, peer, &headers, &api.config.origins)?;
    let among = among_protocols(&headers);
    let shown = auth::bearer(&headers).or(wishes.token.as_deref()).or(among);
    let caller = gate::identify(&api, peer, shown);
    gate::count(&api, &caller)?;
    if shown.is_some() && caller.is_stranger() {
        return Err(gate::unknown(shown).into());
    }
    let upgrade = upgrade.map_err(|why| extract::wrong(why.body_text()).status(why.status()))?;
    let mut upgrade = socket::sized(upgrade, &api.config.limits);
    if !upgrade.requested_protocols().any(|protocol| protocol == PROTOCOL) {
        let what = "clients of other hubs are not supported in this version";
        let hint = format!("ask for the subprotocol `{PROTOCOL}` (Sec-WebSocket-Protocol)");
        return Err(ApiError::new(Code::E1512, what).hint(hint).into());
    }
    upgrade.set_selected_protocol(HeaderValue::from_static(PROTOCOL));
    let id = wishes.client.unwrap_or_else(|| format!("ws-{}", api.fresh_id()));
    if id.is_empty() || id.len() > CLIENT_NAME_MAX {
        return Err(extract::wrong(format!("the name of a client has 1 to {CLIENT_NAME_MAX} bytes")).into());
    }
    let present = if caller.is_stranger() {
        // A token may still come, in `authenticate`.
        None
    } else {
        caller.may(Verb::Receive, &id)?;
        Some(Present::new(&api, &id, Kind::Native, peer.addr, &caller).await?)
    };
    let party = Party { api, caller, peer: peer.addr, slot };
    Ok(upgrade.on_upgrade(move |ws| talk(party, id, ws, present)))
}

/// Boxed, since what waits for the upgrade would keep room for it beside it.
fn talk(party: Party, id: String, ws: WebSocket, present: Option<Present>) -> BoxFuture<'static, ()> {
    let api = Arc::clone(&party.api);
    let native = Native::new(party, id);
    let hello = native.hello();
    Talk::new(&api, ws, native, present).run(Some(hello)).boxed()
}

fn among_protocols(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).into_iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(',')).find_map(|protocol| protocol.trim().strip_prefix(BEARER))
}
