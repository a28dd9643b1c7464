//! Who is let in, as Majula's clients show it: a token in the query, in a header of that name, or as everywhere.

use std::sync::Arc;

use axum::{
    extract::{Query, Request, State},
    http::{HeaderMap, Method, Uri},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::later;
use crate::{
    api::{
        Api,
        auth::{self, Caller},
        gate::{self, Refused},
        limits::Share,
        problem::ApiError,
        server::Peer,
    },
    errors::Code,
};

/// Paths that change nothing, or nothing but what the caller gets.
const HARMLESS: [&str; 8] = ["/ws", "/h", "/sub", "/list_rpc", "/node", "/elect/status", "/raft/get", "/map/list"];

/// The gate.
pub(super) async fn gate(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response {
    let Some(peer) = request.extensions().get::<Peer>().copied() else { return gate::no_peer().into_response() };
    let (caller, share) = match enter(&api, peer, request.headers(), request.uri()) {
        Ok(entered) => entered,
        Err(refused) => return refused.into_response(),
    };
    if request.method() != Method::POST && !api.config.majula.get_changes_state && changes(request.uri().path()) {
        let what = "GET changes nothing here; use POST, or set `api.majula.get_changes_state`";
        return ([(axum::http::header::ALLOW, "POST")], ApiError::new(Code::E1505, what)).into_response();
    }
    let under_way = api.begin();
    request.extensions_mut().insert(caller);
    let mut response = next.run(request).await;
    share.set_headers(response.headers_mut());
    response.extensions_mut().insert(under_way);
    response
}

fn enter(api: &Api, peer: Peer, headers: &HeaderMap, uri: &Uri) -> Result<(Caller, Share), Refused> {
    let path = uri.path();
    let socket = path == "/ws" || path.starts_with("/ws/");
    let origins = if socket { &api.config.origins } else { &api.config.cors };
    // Without tokens, a page could do here what its reader can.
    gate::may_come(api, peer, headers, origins)?;
    let query = Query::<Vec<(String, String)>>::try_from_uri(uri).map(|Query(pairs)| pairs).unwrap_or_default();
    let in_query = query.iter().find(|(name, _)| name == "token").map(|(_, token)| token.as_str());
    let in_header = headers.get("token").and_then(|token| token.to_str().ok());
    let shown = auth::bearer(headers).or(in_header).or(in_query);
    let caller = gate::identify_majula(api, peer, shown);
    let share = gate::count(api, &caller)?;
    if caller.is_stranger() {
        return Err(gate::unknown(shown).into());
    }
    Ok((caller, share))
}

/// Whether a path may change something.
fn changes(path: &str) -> bool {
    let known = |known: &str| path == known || path.strip_prefix(known).is_some_and(|rest| rest.starts_with('/'));
    !HARMLESS.iter().any(|harmless| known(harmless))
        && (later::is_path(path) || ["/pub", "/send", "/rpc"].iter().any(|changing| known(changing)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sends_or_sets_something_changes_something() {
        for path in ["/pub", "/pub/c1", "/send", "/rpc/c1", "/map/start", "/raft/put", "/elect/join", "/upload"] {
            assert!(changes(path), "{path}");
        }
        for path in ["/h", "/h/c1", "/sub", "/list_rpc/c1", "/map/list", "/raft/get", "/elect/status", "/ws/c1", "/x"] {
            assert!(!changes(path), "{path}");
        }
    }
}
