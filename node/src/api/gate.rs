//! Who is let in: not while the node drains, no pages of others, nobody unknown, nobody too often.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::HeaderMap,
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::time::Instant;

use super::{
    Api,
    auth::{self, Caller},
    limits::Share,
    origin,
    problem::ApiError,
    server::Peer,
};
use crate::{config::MajulaToken, errors::Code};

/// The gate of `/api/v1`.
pub(super) async fn gate(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response {
    let Some(peer) = request.extensions().get::<Peer>().copied() else { return no_peer().into_response() };
    let shown = auth::bearer(request.headers());
    let (caller, share) = match enter(&api, peer, request.headers(), shown) {
        Ok(entered) => entered,
        Err(refused) => return refused.into_response(),
    };
    let under_way = api.begin();
    request.extensions_mut().insert(caller);
    let mut response = next.run(request).await;
    share.set_headers(response.headers_mut());
    response.extensions_mut().insert(under_way);
    response
}

/// Everything that is asked before a request of somebody who must be known.
fn enter(api: &Api, peer: Peer, headers: &HeaderMap, shown: Option<&str>) -> Result<(Caller, Share), Refused> {
    may_come(api, peer, headers, &api.config.cors)?;
    let caller = identify(api, peer, shown);
    let share = count(api, &caller)?;
    if caller.is_stranger() {
        return Err(Refused { error: unknown(shown), share: Some(share) });
    }
    Ok((caller, share))
}

/// A refusal, and what it says of the caller's share.
#[derive(Debug)]
pub(super) struct Refused {
    error: ApiError,
    share: Option<Share>,
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self { error, share: None }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = self.error.into_response();
        if let Some(share) = self.share {
            share.set_headers(response.headers_mut());
        }
        response
    }
}

/// Whether the node takes anything, and from this page.
///
/// # Errors
/// It does not.
pub(super) fn may_come(api: &Api, peer: Peer, headers: &HeaderMap, origins: &[String]) -> Result<(), ApiError> {
    if api.is_draining() {
        return Err(draining());
    }
    // With tokens, a page that got here under another name still has none.
    if peer.local && api.tokens.is_empty() && !origins.iter().any(|origin| origin == "*") {
        origin::check_host(headers)?;
    }
    origin::check(headers, origins)
}

/// Counts a request of a caller.
///
/// # Errors
/// The caller came too often.
pub(super) fn count(api: &Api, caller: &Caller) -> Result<Share, Refused> {
    api.limiter.take(&caller.who, Instant::now()).map_err(|wait| {
        let error = ApiError::new(Code::E1508, format!("too many requests of {}", caller.name())).retry_after(wait);
        Refused { error, share: Some(api.limiter.nothing_left()) }
    })
}

/// Who calls, by the token that was shown.
pub(super) fn identify(api: &Api, peer: Peer, shown: Option<&str>) -> Caller {
    let address = peer.addr.ip();
    match shown {
        Some(token) => api.tokens.bearer(token).unwrap_or_else(|| Caller::stranger(address)),
        None if api.tokens.is_empty() && peer.local => Caller::local(address),
        None => Caller::stranger(address),
    }
}

/// Who calls on a path of Majula: as everywhere, except that a token may not be needed.
pub(super) fn identify_majula(api: &Api, peer: Peer, shown: Option<&str>) -> Caller {
    let caller = identify(api, peer, shown);
    let optional = api.config.majula.token == MajulaToken::Optional;
    if shown.is_none() && optional && caller.is_stranger() { Caller::majula(peer.addr.ip()) } else { caller }
}

/// The refusal of somebody unknown.
pub(super) fn unknown(shown: Option<&str>) -> ApiError {
    let what = if shown.is_some() { "the token is not known here" } else { "a token is needed" };
    ApiError::new(Code::E1515, what)
}

/// The refusal while the node drains.
pub(super) fn draining() -> ApiError {
    ApiError::new(Code::E0407, "the node is shutting down and takes nothing new")
}

/// A request that did not come through a connection: there is none.
pub(super) fn no_peer() -> ApiError {
    ApiError::new(Code::E0310, "the request came from nowhere")
}

/// A path that exists, but not for this method.
pub(super) async fn method_not_allowed(request: Request) -> ApiError {
    ApiError::new(Code::E1505, format!("{} is not allowed here", request.method()))
}

/// A path of nobody.
pub(super) async fn not_found(request: Request) -> ApiError {
    ApiError::new(Code::E1506, format!("there is nothing under {}", request.uri().path()))
}
