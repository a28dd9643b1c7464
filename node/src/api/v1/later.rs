//! Paths of parts that this version does not have yet, and of none at all.

use axum::extract::Request;

use super::{ROOT, not_yet};
use crate::{api::problem::ApiError, errors::Code};

/// First parts of paths, and what they belong to.
const LATER: &[(&str, &str)] = &[
    ("kv", "the replicated store"),
    ("raft", "the replicated store"),
    ("elections", "election"),
    ("tunnels", "tunnelling"),
    ("proxy", "the reverse proxy"),
    ("transfers", "file transfer"),
    ("exports", "file transfer"),
    ("hub", "the hub"),
    ("actors", "the actor framework"),
    ("signal", "signalling"),
    ("recorder", "the recorder"),
    ("netcheck", "the network check"),
    ("why", "the explanation of decisions"),
    ("config", "configuration over the API"),
    ("logs", "the stream of the log"),
];

/// 501 for what is to come, 404 for the rest.
pub(super) async fn later(request: Request) -> ApiError {
    let path = request.uri().path();
    let first = path.strip_prefix(ROOT).unwrap_or(path).trim_start_matches('/').split(['/', ':']).next();
    match LATER.iter().find(|(name, _)| Some(*name) == first) {
        Some((_, what)) => not_yet(what),
        None => ApiError::new(Code::E1506, format!("there is nothing under {path}")),
    }
}
