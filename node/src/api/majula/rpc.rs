//! `/rpc` and `/list_rpc`.

use axum::Json;
use serde_json::Value;

use super::{later::not_yet, params::Params};
use crate::{
    api::{extract, problem::ApiError},
    config::Verb,
};

/// `/rpc`: calls `fun` of `provider` at `target_node`.
pub(super) async fn call(params: Params) -> Result<Json<Value>, ApiError> {
    let [fun, _node, provider] = params.required(["fun", "target_node", "provider"])?;
    if params.text("args").is_some_and(|args| serde_json::from_str::<serde_json::Map<String, Value>>(&args).is_err()) {
        return Err(extract::wrong("invalid args JSON"));
    }
    params.may(Verb::Call, &format!("{provider}.{fun}"))?;
    Err(not_yet("remote calls"))
}

/// `/list_rpc`: what `provider` at `target_node` offers.
pub(super) async fn list(params: Params) -> Result<Json<Value>, ApiError> {
    let [_node, _provider] = params.required(["target_node", "provider"])?;
    params.may(Verb::Read, "")?;
    Err(not_yet("the list of remote calls"))
}
