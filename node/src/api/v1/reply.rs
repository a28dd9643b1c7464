//! The answers of handlers: as they are, or item by item as server-sent events.

use std::{convert::Infallible, sync::Arc};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use bytes::Bytes;
use futures_util::stream;
use io_tokio::ReplyStream;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{EVENT_STREAM, events::PING};
use crate::{
    api::{
        Api, UnderWay,
        payload::{self, Encoding},
        problem::ApiError,
    },
    control::ResponseDoc,
    errors::Lang,
};

/// Names who answered a call.
const ANSWERED_BY: HeaderName = HeaderName::from_static("x-mesh-answered-by");

/// Whether the caller asked for a stream, by name.
pub(super) fn wants_stream(headers: &HeaderMap) -> bool {
    let kinds = headers.get_all(header::ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    kinds
        .flat_map(|value| value.split(','))
        .any(|kind| kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(EVENT_STREAM)))
}

/// A whole answer, as what it is: JSON, other text, or bytes.
pub(super) fn whole(response: &ResponseDoc, payload: Bytes) -> Response {
    let kind = match str::from_utf8(&payload) {
        Ok(text) if serde_json::from_str::<&RawValue>(text).is_ok() => "application/json",
        Ok(_) => "text/plain; charset=utf-8",
        Err(_) => "application/octet-stream",
    };
    let mut answer = Response::new(Body::from(payload));
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    // It is of whoever wrote the handler: a browser must not make a page of it.
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(by) = answered_by(response) {
        headers.insert(ANSWERED_BY, by);
    }
    answer
}

/// `NODE` or `NODE/CLIENT`; what a header cannot hold is percent-encoded.
fn answered_by(response: &ResponseDoc) -> Option<HeaderValue> {
    let mut by = response.node.clone()?;
    if let Some(client) = &response.client {
        by.push('/');
        for byte in client.bytes() {
            match byte {
                b'!'..=b'~' if byte != b'%' => by.push(char::from(byte)),
                _ => by.push_str(&format!("%{byte:02X}")),
            }
        }
    }
    HeaderValue::from_str(&by).ok()
}

/// A reply under way. The node waits for it when it drains.
struct Reader {
    api: Arc<Api>,
    service: String,
    items: ReplyStream,
    lang: Lang,
    over: bool,
    _under_way: UnderWay,
}

/// An item, or the answer that ends a reply.
#[derive(Serialize)]
struct Told {
    content: Box<RawValue>,
    encoding: Encoding,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<String>,
}

/// The items as events, then how the call ended. A caller that leaves cancels the call.
pub(super) fn stream(api: Arc<Api>, service: String, items: ReplyStream, lang: Lang) -> Response {
    let under_way = api.begin();
    let reader = Reader { api, service, items, lang, over: false, _under_way: under_way };
    let events = Sse::new(stream::unfold(reader, next));
    events.keep_alive(KeepAlive::new().interval(PING).text("ping")).into_response()
}

async fn next(mut reader: Reader) -> Option<(Result<Event, Infallible>, Reader)> {
    if reader.over {
        return None;
    }
    let event = match reader.items.recv().await {
        Some(Ok(item)) => event("item", &told(&item)),
        Some(Err(why)) => {
            reader.over = true;
            let error = ApiError::from(reader.api.session.call_failed(why, &reader.service).await);
            event("error", &error.document(reader.lang, "", ""))
        }
        None => {
            reader.over = true;
            let response = reader.items.response()?;
            let ResponseDoc { node, client, .. } = reader.api.session.response(&reader.service, response);
            event("done", &Told { node, client, ..told(&response.payload) })
        }
    };
    Some((Ok(event), reader))
}

fn told(payload: &[u8]) -> Told {
    let (content, encoding) = payload::decode(payload);
    Told { content, encoding, node: None, client: None }
}

fn event(kind: &str, data: &impl Serialize) -> Event {
    Event::default().event(kind).data(serde_json::to_string(data).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(payload: &'static [u8]) -> String {
        let answer = whole(&ResponseDoc::default(), Bytes::from_static(payload));
        answer.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned()
    }

    #[test]
    fn an_answer_says_what_it_is() {
        assert_eq!(kind(b"{\"a\":1}"), "application/json");
        assert_eq!(kind(b"hello"), "text/plain; charset=utf-8");
        assert_eq!(kind(b""), "text/plain; charset=utf-8");
        assert_eq!(kind(b"\xff"), "application/octet-stream");
    }

    #[test]
    fn whoever_answered_is_named_in_a_header() {
        let by = |client: Option<&str>| {
            let response =
                ResponseDoc { node: Some("hk-01".into()), client: client.map(str::to_owned), ..ResponseDoc::default() };
            answered_by(&response).unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(
            (by(None), by(Some("till")), by(Some("门\r%"))),
            ("hk-01".into(), "hk-01/till".into(), "hk-01/%E9%97%A8%0D%25".into())
        );
    }

    #[test]
    fn a_stream_is_asked_for_by_name() {
        let wants = |accept: &str| wants_stream(&HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]));
        assert!(wants("text/event-stream") && wants("application/json, Text/Event-Stream;q=0.9"));
        assert!(!wants("*/*") && !wants("text/*") && !wants_stream(&HeaderMap::new()));
    }
}
