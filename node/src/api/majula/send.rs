//! Private messages, and what the node says of itself.

use std::sync::Arc;

use axum::{Json, extract::State};
use io_tokio::SendOptions;
use serde_json::{Value, json};

use super::params::Params;
use crate::{
    api::{Api, extract, problem::ApiError},
    config::Verb,
    control::views,
};

/// `/send`: a message to a client of any node, this one too.
pub(super) async fn send(State(api): State<Arc<Api>>, params: Params) -> Result<Json<Value>, ApiError> {
    let [node, client, message] = params.required(["target_node", "target_client", "msg"])?;
    post(&api, &params, &node, &client, message.clone()).await?;
    Ok(Json(json!({
        "status": "sent",
        "source_client": params.client,
        "target_node": node,
        "target_client": client,
        "message": message,
    })))
}

async fn post(api: &Api, params: &Params, node: &str, client: &str, message: String) -> Result<(), ApiError> {
    extract::node_name(node)?;
    params.may(Verb::Send, &format!("{node}/{client}"))?;
    params.may_speak()?;
    let options =
        SendOptions { client: Some(client.into()), from_client: Some(params.client.as_str().into()), deadline: None };
    api.session.send(node, message.into(), options).await?;
    Ok(())
}

/// `/node`: who this node is, who is here, and who is within reach.
pub(super) async fn node(State(api): State<Arc<Api>>, params: Params) -> Result<Json<Value>, ApiError> {
    params.may(Verb::Read, "")?;
    let routes = api.ask(views::routes(&api.session.mesh)).await?.routes;
    let nodes: Vec<_> = routes.into_iter().map(|route| route.id).collect();
    let clients: Vec<_> = api.clients.list().iter().map(|client| client.key()).collect();
    Ok(Json(json!({
        "node_id": api.session.mesh.name(),
        "version": env!("CARGO_PKG_VERSION"),
        "clients": clients,
        "nodes": nodes,
    })))
}
