//! Subscribing: what is published, as a stream of server-sent events.
//!
//! First comes `subscribed`, then `message` for each publication, in the order of each publisher. Where this node keeps the
//! topics, every event has an `id`; a reader that comes back with it in `Last-Event-ID` misses nothing that is still kept,
//! and is told by `reset` before everything else if something is gone. A reader that is too slow loses what
//! `messaging.topics` or `api.slow_client` says, and is told how much by `missed`, or is told by `disconnect` and cut off.
//!
//! Bounds: [`CREDIT`] publications here, and `api.slow_client` at the node.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::State,
    http::HeaderMap,
    response::sse::{Event, KeepAlive, Sse},
};
use futures_util::{Stream, stream};
use io_tokio::{Ended, Pattern, Policy, Publication, Resume, SubscribeOptions, Subscription};
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};
use tokio::sync::watch;
use utoipa::IntoParams;

use super::{
    cursor::{Cursor, TOPICS_MAX},
    events::PING,
    messages::client_name,
};
use crate::{
    api::{
        Api,
        auth::Caller,
        extract::{self, Params, Parts1},
        payload::{self, Encoding},
        problem::ApiError,
    },
    config::{SlowPolicy, TopicRule, Verb},
    control::{PublicationDoc, refusal},
    errors::Code,
};

/// Publications that are taken for a reader before it has read any.
const CREDIT: u32 = 64;
/// How long a new subscription waits until every node within reach knows it.
const KNOWN_WITHIN: Duration = Duration::from_secs(1);
/// Most publications from before that may be asked for.
const LAST_MAX: usize = 1_000_000;

/// What may be said about a subscription.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wish {
    /// The queue group, if only one of its members in the mesh shall get each publication.
    #[param(min_length = 1, max_length = 64)]
    group: Option<String>,
    /// The client of this node that subscribes.
    #[param(min_length = 1, max_length = 64)]
    client: Option<String>,
    /// How many publications of each topic from before, of what this node keeps.
    #[param(minimum = 1, maximum = 1000000)]
    last: Option<usize>,
}

/// One reader.
struct Reader {
    api: Arc<Api>,
    subscription: Subscription,
    waiting: VecDeque<Event>,
    /// `None`: this node does not keep the topics.
    cursor: Option<Cursor>,
    dropped: u64,
    ended: bool,
    draining: watch::Receiver<bool>,
}

/// A publication as an event tells it.
#[derive(Serialize)]
struct Told {
    #[serde(flatten)]
    publication: PublicationDoc,
    content: Box<RawValue>,
    encoding: Encoding,
}

/// Subscribes, and streams what is published.
#[utoipa::path(
    get,
    path = "/topics/{topic}/messages",
    tag = "topics",
    params(
        ("topic" = String, Path, min_length = 1, max_length = 255, description = "The topic, or a pattern of topics."),
        Wish,
        ("Last-Event-ID" = Option<String>, Header, description = "The `id` of the last event that was read."),
    ),
    responses((
        status = 200,
        description = "Events: `subscribed`, `message` for each publication, and `reset`, `missed` or `disconnect`.",
        content_type = "text/event-stream",
        body = String,
    ))
)]
pub(super) async fn messages(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Parts1(topic): Parts1<String>,
    Params(wish): Params<Wish>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>> + use<>>, ApiError> {
    caller.may(Verb::Subscribe, &topic)?;
    let client = wish.client.map(client_name).transpose()?;
    if let Some(client) = &client {
        caller.may(Verb::Receive, client)?;
    }
    if wish.last.is_some_and(|last| !(1..=LAST_MAX).contains(&last)) {
        return Err(extract::wrong(format!("`last` must be from 1 to {LAST_MAX}")));
    }
    let pattern = Pattern::new(&topic).map_err(|why| refusal::subscribe(why.into(), &topic))?;
    let last_id = headers.get("last-event-id").map(|id| id.to_str().unwrap_or_default());
    let (cursor, lost) = cursor(&api, &pattern, last_id).await?;
    let resume = match (&cursor, last_id, wish.last) {
        (Some(cursor), Some(_), _) if !lost => Resume::After(cursor.positions().collect()),
        (_, Some(_), _) => Resume::After(Vec::new()),
        (_, None, Some(last)) => Resume::Last(last),
        (_, None, None) => Resume::Live,
    };
    let slow = &api.config.slow_client;
    let usual = match slow.policy {
        SlowPolicy::Disconnect => Policy::Disconnect,
        SlowPolicy::DropOldest => Policy::DropOldest,
        SlowPolicy::DropNewest => Policy::DropNewest,
    };
    let options = SubscribeOptions {
        group: wish.group,
        client: client.map(Into::into),
        policy: api.session.slow_policy(&topic, usual),
        credit: CREDIT,
        resume,
        known_within: Some(KNOWN_WITHIN),
        ..SubscribeOptions::default()
    };
    let options = options.queue(slow.messages, slow.bytes);
    let subscription = api.answer(api.session.subscribe(&topic, options)).await?;
    let reader = Reader::new(api, subscription, cursor, lost);
    Ok(Sse::new(stream::unfold(reader, next)).keep_alive(KeepAlive::new().interval(PING).text("ping")))
}

/// Where the reader is, if this node keeps the topics; and whether what it read before is not known any more.
async fn cursor(api: &Api, pattern: &Pattern, last_id: Option<&str>) -> Result<(Option<Cursor>, bool), ApiError> {
    if !TopicRule::keep(&api.session.facts.topics, pattern.as_str()) {
        return Ok((None, last_id.is_some()));
    }
    // Before the subscription begins: whoever comes back with this gets what came in between, too.
    let wanted = pattern.clone();
    let look = api.session.mesh.inspect(move |node, _| {
        let there = node.topics().history().filter(|view| wanted.matches(&view.topic));
        let there = there.map(|view| (view.topic.to_string(), view.next.0.saturating_sub(1)));
        let there: Vec<_> = there.take(TOPICS_MAX + 1).collect();
        (node.incarnation().0, there)
    });
    let (epoch, there) = api.ask(look).await?;
    Ok(match last_id.map(|id| Cursor::read(epoch, pattern, id)) {
        None => (Some(Cursor::new(epoch, pattern, there)), false),
        Some(Some(cursor)) => (Some(cursor), false),
        Some(None) => (Some(Cursor::new(epoch, pattern, [])), true),
    })
}

impl Reader {
    fn new(api: Arc<Api>, subscription: Subscription, cursor: Option<Cursor>, lost: bool) -> Self {
        let recovery = subscription.recovery();
        let mut waiting = VecDeque::new();
        let mut begin = json!({ "known": subscription.was_known() });
        if let (Some(recovery), Some(begin)) = (recovery, begin.as_object_mut()) {
            begin.insert("replayed".to_owned(), recovery.replayed.into());
        }
        let gone = recovery.filter(|recovery| !recovery.recovered).map(|recovery| recovery.missing);
        let reset = match gone {
            _ if lost => Some(json!({ "reason": "what was read before is not known here", "missing": null })),
            Some(0) => Some(json!({ "reason": "what was published meanwhile is not known", "missing": null })),
            Some(missing) => Some(json!({ "reason": "publications are gone", "missing": missing })),
            None => None,
        };
        if let Some(reset) = reset {
            waiting.push_back(Event::default().event("reset").data(reset.to_string()));
        }
        let mut subscribed = Event::default().event("subscribed").data(begin.to_string());
        if let Some(cursor) = &cursor {
            subscribed = subscribed.id(cursor.id());
        }
        waiting.push_back(subscribed);
        let draining = api.draining.subscribe();
        Self { api, subscription, waiting, cursor, dropped: 0, ended: false, draining }
    }

    /// A publication, and what was missed before it.
    fn tell(&mut self, publication: &Publication) {
        let dropped = self.subscription.dropped();
        if dropped > self.dropped {
            let missed = json!({ "count": dropped - self.dropped });
            self.waiting.push_back(Event::default().event("missed").data(missed.to_string()));
            self.dropped = dropped;
        }
        let (content, encoding) = payload::decode(&publication.payload);
        let told = Told { publication: self.api.session.publication(publication), content, encoding };
        let mut event = Event::default().event("message").data(serde_json::to_string(&told).unwrap_or_default());
        if let (Some(cursor), Some(position)) = (&mut self.cursor, publication.position) {
            cursor.see(publication.topic.as_str(), position.seq.0);
            event = event.id(cursor.id());
        }
        self.waiting.push_back(event);
    }

    /// Why the node has ended it.
    fn tell_end(&mut self) {
        self.ended = true;
        if let Some(Ended::TooSlow { queued, bytes }) = self.subscription.ended() {
            let detail = format!("too slow: {queued} messages of {bytes} bytes waited");
            let end = json!({ "code": Code::E1514, "detail": detail });
            self.waiting.push_back(Event::default().event("disconnect").data(end.to_string()));
        }
    }
}

async fn next(mut reader: Reader) -> Option<(Result<Event, Infallible>, Reader)> {
    loop {
        if let Some(event) = reader.waiting.pop_front() {
            return Some((Ok(event), reader));
        }
        if reader.ended {
            return None;
        }
        let publication = tokio::select! {
            publication = reader.subscription.recv() => publication,
            _ = reader.draining.wait_for(|draining| *draining) => return None,
        };
        match publication {
            Some(publication) => reader.tell(&publication),
            None => reader.tell_end(),
        }
    }
}
