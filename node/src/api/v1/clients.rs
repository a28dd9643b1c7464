//! The programs that are here through the API.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};

use super::{
    may_read,
    page::{Page, Which},
};
use crate::api::{
    Api,
    auth::Caller,
    clients::ClientDoc,
    extract::{NodePath, Params},
    problem::ApiError,
};

/// Every client.
#[utoipa::path(get, path = "/clients", tag = "system", params(Which), responses((status = 200, body = Page<ClientDoc>)))]
pub(super) async fn clients(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Params(which): Params<Which>,
) -> Result<Json<Page<ClientDoc>>, ApiError> {
    may_read(&caller)?;
    which.page(api.clients.list(), ClientDoc::key).map(Json)
}

/// One client.
#[utoipa::path(
    get,
    path = "/clients/{id}",
    tag = "system",
    params(("id" = String, Path, pattern = "^[A-Za-z0-9._-]{1,64}$", description = "The client.")),
    responses((status = 200, body = ClientDoc), (status = 404))
)]
pub(super) async fn client(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    NodePath(id): NodePath,
) -> Result<Json<ClientDoc>, ApiError> {
    may_read(&caller)?;
    api.clients.get(id.as_str()).map(Json)
}
