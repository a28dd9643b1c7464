//! Topics: `subscribe`, `unsubscribe`, `publish`, and the `message` that subscribers get.

use std::sync::Arc;

use io_tokio::{Mesh, Position, Publication, PublishOptions, Recovery, SubscribeOptions, Topic};
use proto_core::{
    id::{Incarnation, Seq},
    limits::MESSAGE_DEADLINE_MAX,
};
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};

use super::{direct::From, envelope, native};
use crate::{
    api::{
        extract,
        held::{Gain, Held, Wanted},
        payload::{self, Encoding},
        problem::ApiError,
        refusals,
        talk::{Outcome, Party, Said},
    },
    config::{SlowPolicy, Verb},
    control::{
        address,
        headers::{self, Headers},
        refusal,
    },
    errors::Code,
};

/// A subscription that a client wants.
#[derive(Debug, Deserialize)]
struct Subscribe {
    topic: String,
    /// The queue group.
    queue: Option<String>,
    slow_consumer: Option<SlowConsumer>,
    /// The last that it has of the topic.
    since: Option<Place>,
    /// How many of the last of each topic it wants to begin with.
    last: Option<usize>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SlowConsumer {
    Disconnect,
    DropOldest,
    DropNewest,
}

/// A position in a node's history of a topic.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct Place {
    epoch: u64,
    seq: u64,
}

/// A subscription that a client has.
#[derive(Debug, Deserialize)]
struct Unsubscribe {
    topic: String,
    queue: Option<String>,
}

/// Something to publish.
#[derive(Debug, Deserialize)]
struct Publish {
    topic: String,
    data: Box<RawValue>,
    #[serde(default)]
    encoding: Encoding,
    #[serde(default)]
    headers: Headers,
    /// Whether the client's own subscriptions get it.
    #[serde(default = "yes")]
    echo: bool,
    /// Whether it waits until it is known who got it.
    #[serde(default = "yes")]
    ack: bool,
    timeout_ms: Option<u64>,
}

const fn yes() -> bool {
    true
}

/// What a subscriber is told.
#[derive(Debug, Serialize)]
struct Told<'a> {
    topic: &'a str,
    /// What was subscribed to.
    subscription: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<&'a str>,
    data: &'a RawValue,
    encoding: Encoding,
    headers: Headers,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers_base64: Option<String>,
    sender_id: &'a str,
    from: From<'a>,
    seq: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<Place>,
}

/// Subscribes.
pub(super) fn subscribe(
    party: &Party,
    id: &str,
    held: &mut Held,
    request: &envelope::Request<'_>,
    number: Option<Box<RawValue>>,
) -> Result<Said, ApiError> {
    let wish: Subscribe = native::data(request)?;
    party.caller.may(Verb::Subscribe, &wish.topic)?;
    let options = wish.options()?;
    let name = name_of(&wish.topic, wish.queue.as_deref());
    let ticket = held.subscribe(&name).map_err(|why| refusals::held(why, &format!("a subscription to `{name}`")))?;
    let (api, id) = (Arc::clone(&party.api), id.to_owned());
    Ok(Said::Later(Box::pin(async move {
        let policy = wish.slow_consumer.map(SlowConsumer::policy);
        match Wanted::make(&api, &id, &wish.topic, policy, options).await {
            Ok(wanted) => {
                let data = json!({
                    "topic": wish.topic,
                    "queue": wish.queue,
                    "known": wanted.subscription().was_known(),
                    "recovery": wanted.subscription().recovery().map(recovery),
                });
                let say = Some(envelope::message("ack", number.as_deref(), data));
                Outcome { say, gain: Gain::Subscription(ticket, Some(Box::new(wanted))) }
            }
            Err(problem) => {
                let say = Some(envelope::error(&problem.into(), number.as_deref()));
                Outcome { say, gain: Gain::Subscription(ticket, None) }
            }
        }
    })))
}

/// Ends a subscription.
pub(super) fn unsubscribe(
    held: &mut Held,
    request: &envelope::Request<'_>,
    number: Option<&RawValue>,
) -> Result<Said, ApiError> {
    let Unsubscribe { topic, queue } = native::data(request)?;
    let name = name_of(&topic, queue.as_deref());
    if !held.unsubscribe(&name) {
        return Err(extract::wrong(format!("there is no subscription to `{name}`")));
    }
    Ok(Said::Reply(envelope::message("ack", number, json!({ "topic": topic, "queue": queue }))))
}

/// Publishes.
pub(super) fn publish(
    party: &Party,
    id: &str,
    request: &envelope::Request<'_>,
    number: Option<Box<RawValue>>,
) -> Result<Said, ApiError> {
    let wish: Publish = native::data(request)?;
    party.caller.may(Verb::Publish, &wish.topic)?;
    let payload = payload::encode(&wish.data, wish.encoding)?;
    let deadline = extract::millis(wish.timeout_ms, MESSAGE_DEADLINE_MAX)?;
    let headers = headers::encode(&wish.headers);
    let options = PublishOptions { headers, client: Some(id.into()), deadline, echo: wish.echo };
    let (session, topic) = (Arc::clone(&party.api.session), wish.topic);
    if wish.ack {
        return Ok(Said::Later(Box::pin(async move {
            let published = session.publish(&topic, payload, options).await;
            Outcome::from(match published {
                Ok(published) => envelope::message("ack", number.as_deref(), published),
                Err(problem) => envelope::error(&problem.into(), number.as_deref()),
            })
        })));
    }
    let publisher = session.mesh.publisher(&topic).map_err(|why| refusal::publish(why, &topic))?.with(options);
    Ok(Said::Later(Box::pin(async move {
        let published = publisher.publish(payload).await;
        Outcome::from(match published {
            // Whoever gave a number waits for something.
            Ok(()) => number.map(|number| envelope::message("ack", Some(&number), json!({ "topic": topic }))),
            Err(why) => Some(envelope::error(&refusal::publish(why, &topic).into(), number.as_deref())),
        })
    })))
}

/// A publication for a subscription.
pub(super) fn told(mesh: &Mesh, subscription: &str, publication: &Publication) -> String {
    let node = mesh.name_of(publication.from).map_or_else(|| address(publication.from), |name| name.to_string());
    let client = publication.from_client.as_deref();
    let sender = client.map_or_else(|| node.clone(), |client| format!("{node}/{client}"));
    let (data, encoding) = payload::decode(&publication.payload);
    let (headers, headers_base64) = headers::decode(&publication.headers);
    let (subscription, queue) = match subscription.split_once(' ') {
        Some((pattern, queue)) => (pattern, Some(queue)),
        None => (subscription, None),
    };
    let told = Told {
        topic: publication.topic.as_str(),
        subscription,
        queue,
        data: &data,
        encoding,
        headers,
        headers_base64,
        sender_id: &sender,
        from: From { node: &node, client },
        seq: publication.seq.0,
        position: publication.position.map(|at| Place { epoch: at.epoch.0, seq: at.seq.0 }),
    };
    envelope::message("message", None, told)
}

/// What a subscription is called: neither a pattern nor a group has spaces.
fn name_of(topic: &str, queue: Option<&str>) -> String {
    queue.map_or_else(|| topic.to_owned(), |queue| format!("{topic} {queue}"))
}

fn recovery(recovery: Recovery) -> serde_json::Value {
    json!({ "recovered": recovery.recovered, "replayed": recovery.replayed, "missing": recovery.missing })
}

impl Subscribe {
    fn options(&self) -> Result<SubscribeOptions, ApiError> {
        let options = SubscribeOptions { group: self.queue.clone(), ..SubscribeOptions::default() };
        match (&self.since, self.last) {
            (None, None) => Ok(options),
            (None, Some(last)) => Ok(options.last(last)),
            (Some(since), None) => {
                let topic = Topic::new(&self.topic).map_err(|why| {
                    ApiError::new(Code::E0415, format!("`{}` {why}; `since` is about one topic", self.topic))
                })?;
                Ok(options.since([(topic, Position { epoch: Incarnation(since.epoch), seq: Seq(since.seq) })]))
            }
            (Some(_), Some(_)) => Err(extract::wrong("either `since` or `last`")),
        }
    }
}

impl SlowConsumer {
    const fn policy(self) -> SlowPolicy {
        match self {
            Self::Disconnect => SlowPolicy::Disconnect,
            Self::DropOldest => SlowPolicy::DropOldest,
            Self::DropNewest => SlowPolicy::DropNewest,
        }
    }
}
