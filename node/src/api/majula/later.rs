//! Paths and methods of parts that this version does not have yet.

use axum::Json;
use serde_json::Value;

use super::params::Params;
use crate::{api::problem::ApiError, errors::Code};

/// Paths, and what they belong to.
pub(super) const PATHS: &[(&str, &str)] = &[
    ("/map/{target}", "the reverse proxy"),
    ("/frp", "tunnelling"),
    ("/upload", "file transfer"),
    ("/download", "file transfer"),
    ("/join_raft_learner", "the replicated store"),
    ("/join_raft_learner_with_fast_sync", "the replicated store"),
    ("/leave_raft_learner", "the replicated store"),
    ("/elect/join", "election"),
    ("/elect/giveup", "election"),
    ("/elect/leave", "election"),
    ("/elect/status", "election"),
    ("/raft/put", "the replicated store"),
    ("/raft/delete", "the replicated store"),
    ("/raft/get", "the replicated store"),
    ("/connect_to_node", "NAT traversal"),
];

/// WebSocket methods, the method that their answer has, and what they belong to.
pub(super) const METHODS: &[(&str, &str, &str)] = &[
    ("REGISTER_FRP", "ERROR", "tunnelling"),
    ("REGISTER_FRP_WITH_ADDR", "ERROR", "tunnelling"),
    ("REGISTER_FRP_TWO_SIDE", "ERROR", "tunnelling"),
    ("REGISTER_FRP_AND_RUN", "ERROR", "tunnelling"),
    ("START_FRP_LISTENER_WITH_REGISTRATION", "ERROR", "tunnelling"),
    ("START_FRP_LISTENER_WITHOUT_REGISTRATION", "ERROR", "tunnelling"),
    ("START_FRP_LISTENER_WITH_LOCAL_ADDR", "ERROR", "tunnelling"),
    ("REGISTER_NGINX_FRP_AND_RUN", "ERROR", "the reverse proxy"),
    ("UNREGISTER_NGINX_FRP", "ERROR", "the reverse proxy"),
    ("UPLOAD_FILE", "ERROR", "file transfer"),
    ("DOWNLOAD_FILE", "ERROR", "file transfer"),
    ("JOIN_RAFT_LEARNER", "ERROR", "the replicated store"),
    ("JOIN_RAFT_LEARNER_WITH_FAST_SYNC", "ERROR", "the replicated store"),
    ("LEAVE_RAFT_LEARNER", "ERROR", "the replicated store"),
    ("PUT_IN_GROUP", "PUT_IN_GROUP_RESPONSE", "the replicated store"),
    ("DELETE_FROM_GROUP", "DELETE_FROM_GROUP_RESPONSE", "the replicated store"),
    ("GET_FROM_GROUP", "GET_FROM_GROUP_RESPONSE", "the replicated store"),
    ("JOIN_ELECTION", "ERROR", "election"),
    ("GIVEUP_ELECTION", "ERROR", "election"),
    ("LEAVE_ELECTION", "ERROR", "election"),
    ("GET_ELECTION_STATUS", "ELECTION_STATUS_RESULT", "election"),
    ("CONNECT_TO_NODE", "CONNECT_TO_NODE_RESPONSE", "NAT traversal"),
];

/// Answers a path.
pub(super) async fn answer(what: &'static str, _params: Params) -> Result<Json<Value>, ApiError> {
    Err(not_yet(what))
}

/// Whether a path is one of them.
pub(super) fn is_path(path: &str) -> bool {
    PATHS.iter().any(|(known, _)| *known == path) || path.starts_with("/map/")
}

/// The refusal of what this version does not have yet.
pub(super) fn not_yet(what: &str) -> ApiError {
    ApiError::new(Code::E1512, format!("{what} is not available in this version"))
}
