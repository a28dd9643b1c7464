//! The node itself.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use super::may_read;
use crate::{
    api::{Api, auth::Caller, problem::ApiError},
    control::Status,
};

/// Which program this is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Version {
    /// The name of the program.
    name: &'static str,
    /// Its version.
    version: &'static str,
    /// The version of this API.
    api: &'static str,
}

/// How the node is.
#[utoipa::path(get, path = "/status", tag = "system", responses((status = 200, body = Status)))]
pub(super) async fn status(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Status>, ApiError> {
    may_read(&caller)?;
    api.ask(api.session.status()).await.map(Json)
}

/// Which program this is.
#[utoipa::path(get, path = "/version", tag = "system", responses((status = 200, body = Version)))]
pub(super) async fn version(Extension(caller): Extension<Caller>) -> Result<Json<Version>, ApiError> {
    may_read(&caller)?;
    Ok(Json(Version { name: "firelink", version: env!("CARGO_PKG_VERSION"), api: "v1" }))
}
