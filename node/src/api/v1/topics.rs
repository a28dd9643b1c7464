//! Topics: who subscribed, and publishing. Subscribing is in [`subscribe`](super::subscribe).

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use io_tokio::PublishOptions;
use proto_core::limits::MESSAGE_DEADLINE_MAX;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    messages::client_name,
    page::{Page, Which},
    payload::Payload,
};
use crate::{
    api::{
        Api,
        auth::Caller,
        extract::{self, HEADER_PREFIX, Params, Parts1},
        problem::ApiError,
    },
    config::Verb,
    control::{
        Published, Receivers, TopicDoc,
        headers::{self, Headers},
        refusal,
    },
};

/// Which page of all patterns, or which topic.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Question {
    /// A topic: who would get a publication to it now, instead of the list.
    #[param(min_length = 1, max_length = 255)]
    who: Option<String>,
    /// Most items of the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u64>,
    /// The `next_cursor` of the page before.
    #[param(pattern = "^([0-9a-f]{2})*$", max_length = 1024)]
    cursor: Option<String>,
}

/// A page of all patterns, or who would get a publication.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Answer {
    /// Without `who`.
    All(Page<TopicDoc>),
    /// With it.
    Who(Box<Receivers>),
}

/// What may be said about a publication.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wish {
    /// The client of this node that publishes.
    #[param(min_length = 1, max_length = 64)]
    from_client: Option<String>,
    /// How long it may take, in milliseconds.
    #[param(minimum = 1, maximum = 300000)]
    timeout_ms: Option<u64>,
    /// Whether the subscriptions of the one who publishes get it as well.
    #[param(default = true)]
    echo: Option<bool>,
    /// Whether to wait until it is known who got it. If not, the answer comes as soon as the node has it.
    #[param(default = true)]
    wait: Option<bool>,
}

/// A publication that the node has taken.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Taken {
    /// The topic.
    topic: String,
}

/// What the mesh subscribes to, in order of pattern; or, with `who`, who would get a publication to that topic now.
#[utoipa::path(get, path = "/topics", tag = "topics", params(Question), responses((status = 200, body = Answer)))]
pub(super) async fn topics(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Params(question): Params<Question>,
) -> Result<Json<Answer>, ApiError> {
    super::may_read(&caller)?;
    let Question { who, limit, cursor } = question;
    if let Some(topic) = who {
        if limit.is_some() || cursor.is_some() {
            return Err(extract::wrong("`who` has one answer, and no pages"));
        }
        let receivers = api.answer(api.session.receivers(&topic)).await?;
        return Ok(Json(Answer::Who(Box::new(receivers))));
    }
    let topics = api.answer(api.session.topics()).await?.topics;
    let key = |topic: &TopicDoc| format!("{}\0{}", topic.pattern, topic.group.as_deref().unwrap_or_default());
    Which { limit, cursor }.page(topics, key).map(|page| Json(Answer::All(page)))
}

/// Publishes a message, and tells who got it. Nobody need have subscribed. A request header `X-Header-NAME: VALUE` becomes
/// the header `name` of the publication.
#[utoipa::path(
    post,
    path = "/topics/{topic}/messages",
    tag = "topics",
    params(("topic" = String, Path, min_length = 1, max_length = 255, description = "The topic."), Wish),
    request_body(content = Payload, description = "The payload."),
    responses(
        (status = 200, description = "Everybody who should have it does, if anybody should.", body = Published),
        (status = 202, description = "The node has it: the answer to `wait=false`.", body = Taken),
        (status = 207, description = "Some nodes or groups do not have it, or may not; they are named.", body = Published),
        (status = 415)
    )
)]
pub(super) async fn publish(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Parts1(topic): Parts1<String>,
    Params(wish): Params<Wish>,
    headers: HeaderMap,
    Payload(payload): Payload,
) -> Result<Response, ApiError> {
    caller.may(Verb::Publish, &topic)?;
    let client = wish.from_client.map(client_name).transpose()?;
    if let Some(client) = &client {
        caller.may(Verb::Receive, client)?;
    }
    let options = PublishOptions {
        headers: headers::encode(&meant(&headers)?),
        client: client.map(Into::into),
        deadline: extract::millis(wish.timeout_ms, MESSAGE_DEADLINE_MAX)?,
        echo: wish.echo.unwrap_or(true),
    };
    if wish.wait == Some(false) {
        let publisher = api.session.mesh.publisher(&topic).map_err(|why| refusal::publish(why, &topic))?;
        publisher.with(options).publish(payload).await.map_err(|why| refusal::publish(why, &topic))?;
        return Ok((StatusCode::ACCEPTED, Json(Taken { topic })).into_response());
    }
    let published = api.session.publish(&topic, payload, options).await?;
    let status = if published.is_complete() { StatusCode::OK } else { StatusCode::MULTI_STATUS };
    Ok((status, Json(published)).into_response())
}

/// The headers that are meant for the publication.
fn meant(headers: &HeaderMap) -> Result<Headers, ApiError> {
    let meant = headers.iter().filter_map(|(name, value)| Some((name.as_str().strip_prefix(HEADER_PREFIX)?, value)));
    meant
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, value)| {
            let value = str::from_utf8(value.as_bytes());
            let value = value.map_err(|_| extract::wrong(format!("`{HEADER_PREFIX}{name}` is no UTF-8")))?;
            Ok((name.to_owned(), value.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_with_the_prefix_are_meant_for_the_publication() {
        let mut headers = HeaderMap::new();
        headers.insert("x-header-trace", "1-2".parse().unwrap());
        headers.insert("x-header-", "nothing".parse().unwrap());
        headers.insert("x-request-id", "7".parse().unwrap());
        assert_eq!(meant(&headers).unwrap(), Headers::from([("trace".to_owned(), "1-2".to_owned())]));
        headers.insert("x-header-bad", axum::http::HeaderValue::from_bytes(b"\xff").unwrap());
        assert_eq!(meant(&headers).unwrap_err().status, StatusCode::BAD_REQUEST);
    }
}
