//! Topics: `SUBSCRIBE`, `UNSUBSCRIBE`, `PUBLISH`, `/pub` and `/sub`. Arguments go over a topic as a JSON object; what
//! others publish is that, too, or else the argument `message`.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Json,
    extract::State,
    response::sse::{Event, Sse},
};
use bytes::Bytes;
use futures_util::Stream;
use io_tokio::{Publication, PublishOptions, SubscribeOptions};
use serde_json::{Map, Value, json};

use super::{
    names,
    package::Package,
    params::Params,
    stream::{self, Shelf},
};
use crate::{
    api::{
        Api, extract,
        held::{Gain, Held, Wanted},
        payload::{self, Encoding},
        problem::ApiError,
        refusals,
        talk::{Outcome, Party, Said},
    },
    config::Verb,
    control::{Published, refusal},
};

/// Subscribes; a second time changes nothing.
pub(super) fn subscribe(party: &Party, id: &str, held: &mut Held, package: &Package) -> Result<Said, ApiError> {
    let topic = mapped(package)?;
    party.caller.may(Verb::Subscribe, &topic)?;
    let ticket = match held.subscribe(&package.topic) {
        Ok(ticket) => ticket,
        Err(refusals::Refused::Double) => return Ok(package.done(json!({ "topic": package.topic })).into()),
        Err(why) => return Err(refusals::held(why, "another subscription")),
    };
    let (api, id, asked) = (Arc::clone(&party.api), id.to_owned(), package.clone());
    Ok(Said::Later(Box::pin(async move {
        match Wanted::make(&api, &id, &topic, None, SubscribeOptions::default()).await {
            Ok(wanted) => {
                let say = asked.done(json!({ "topic": asked.topic })).map(|answer| answer.text());
                Outcome { say, gain: Gain::Subscription(ticket, Some(Box::new(wanted))) }
            }
            Err(problem) => {
                let say = Some(asked.failed(&problem.into()).text());
                Outcome { say, gain: Gain::Subscription(ticket, None) }
            }
        }
    })))
}

/// Ends a subscription; to end none is no mistake.
pub(super) fn unsubscribe(held: &mut Held, package: &Package) -> Result<Said, ApiError> {
    mapped(package)?;
    held.unsubscribe(&package.topic);
    Ok(package.done(json!({ "topic": package.topic })).into())
}

/// Publishes. Whoever gives a number is told who got it.
pub(super) fn publish(party: &Party, id: &str, package: &Package) -> Result<Said, ApiError> {
    let topic = mapped(package)?;
    party.caller.may(Verb::Publish, &topic)?;
    let payload = Value::Object(package.args.clone().unwrap_or_default()).to_string();
    let options = PublishOptions::default().client(id);
    let (api, asked) = (Arc::clone(&party.api), package.clone());
    if package.invokeid == 0 {
        let publisher = api.session.mesh.publisher(&topic).map_err(|why| refusal::publish(why, &topic))?.with(options);
        return Ok(Said::Later(Box::pin(async move {
            let published = publisher.publish(payload).await;
            let failed = published.err().map(|why| asked.failed(&refusal::publish(why, &topic).into()).text());
            failed.into()
        })));
    }
    Ok(Said::Later(Box::pin(async move {
        let say = match api.session.publish(&topic, payload.into(), options).await {
            Ok(published) => asked.done(outcome(&asked.topic, &published)).map(|answer| answer.text()),
            Err(problem) => Some(asked.failed(&problem.into()).text()),
        };
        say.into()
    })))
}

/// A publication for a subscription to this topic.
pub(super) fn told(method: &str, topic: &str, publication: &Publication) -> String {
    let args = Some(args(&publication.payload));
    Package { method: method.to_owned(), topic: topic.to_owned(), args, ..Package::default() }.text()
}

/// `/pub`: publishes `msg` on `topic`.
pub(super) async fn over_http(State(api): State<Arc<Api>>, params: Params) -> Result<Json<Value>, ApiError> {
    let [text, message] = params.required(["topic", "msg"])?;
    let topic = names::topic(&text);
    params.may(Verb::Publish, &topic)?;
    params.may_speak()?;
    let options = PublishOptions::default().client(params.client.as_str());
    let published = api.session.publish(&topic, Bytes::from(message.clone()), options).await?;
    let mut answer = outcome(&text, &published);
    answer["client"] = params.client.into();
    answer["message"] = message.into();
    Ok(Json(answer))
}

/// `/sub`: streams what is published on `topic`.
pub(super) async fn as_stream(
    State(api): State<Arc<Api>>,
    params: Params,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let [text] = params.required(["topic"])?;
    let topic = names::topic(&text);
    params.may(Verb::Subscribe, &topic)?;
    params.may_speak()?;
    let mut wanted = Wanted::make(&api, &params.client, &topic, None, SubscribeOptions::default()).await?;
    let shelf = Arc::new(Shelf::new(api.config.slow_client));
    let (reader, mut left) = stream::reader(&shelf);
    tokio::spawn(async move {
        let mut draining = api.draining.subscribe();
        loop {
            let publication = tokio::select! {
                publication = wanted.recv() => publication,
                _ = draining.wait_for(|draining| *draining) => None,
                _ = &mut left => None,
            };
            let Some(publication) = publication else { break };
            if shelf.put(told("PUBLISH", &text, &publication), wanted.policy).is_none() {
                break;
            }
        }
        shelf.end();
    });
    Ok(stream::events(reader))
}

fn mapped(package: &Package) -> Result<String, ApiError> {
    if package.topic.is_empty() {
        return Err(extract::wrong("missing topic"));
    }
    Ok(names::topic(&package.topic))
}

fn outcome(topic: &str, published: &Published) -> Value {
    json!({
        "status": "published",
        "topic": topic,
        "subscribers": published.subscribers,
        "nodes": published.nodes,
        "missing": published.missing.iter().map(|receipt| &receipt.id).collect::<Vec<_>>(),
    })
}

/// A payload as arguments: the object that it is, or else `message`.
pub(super) fn args(payload: &[u8]) -> Map<String, Value> {
    if let Ok(args) = serde_json::from_slice(payload) {
        return args;
    }
    let (value, encoding) = payload::decode(payload);
    let mut args = Map::new();
    args.insert("message".to_owned(), serde_json::from_str(value.get()).unwrap_or_default());
    if encoding == Encoding::Base64 {
        args.insert("encoding".to_owned(), "base64".into());
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_published_has_arguments() {
        let args = |payload: &[u8]| Value::Object(args(payload));
        assert_eq!(args(b"{\"a\":1}"), json!({ "a": 1 }));
        assert_eq!(args(b"hello"), json!({ "message": "hello" }));
        assert_eq!(args(b"[1]"), json!({ "message": [1] }));
        assert_eq!(args(b"\xff"), json!({ "message": "/w==", "encoding": "base64" }));
    }
}
