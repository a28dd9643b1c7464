//! Services: who offers what, and calling it.

use axum::{Extension, response::Response};

use super::not_yet;
use crate::{
    api::{auth::Caller, extract::Parts1, problem::ApiError},
    config::Verb,
};

/// Every service of the mesh.
#[utoipa::path(get, path = "/services", tag = "rpc", responses((status = 501)))]
pub(super) async fn services(Extension(caller): Extension<Caller>) -> Result<Response, ApiError> {
    super::may_read(&caller)?;
    Err(not_yet("the list of services"))
}

/// One service with its methods and providers.
#[utoipa::path(
    get,
    path = "/services/{service}",
    tag = "rpc",
    params(("service" = String, Path, description = "The service.")),
    responses((status = 501))
)]
pub(super) async fn service(Extension(caller): Extension<Caller>) -> Result<Response, ApiError> {
    super::may_read(&caller)?;
    Err(not_yet("the list of services"))
}

/// Calls a method.
#[utoipa::path(
    post,
    path = "/services/{service}/{method}",
    tag = "rpc",
    params(
        ("service" = String, Path, description = "The service."),
        ("method" = String, Path, description = "Its method."),
    ),
    request_body(content((serde_json::Value = "application/json"))),
    responses((status = 501))
)]
pub(super) async fn call(
    Extension(caller): Extension<Caller>,
    Parts1((service, method)): Parts1<(String, String)>,
) -> Result<Response, ApiError> {
    caller.may(Verb::Call, &format!("{service}.{method}"))?;
    Err(not_yet("calling services"))
}
