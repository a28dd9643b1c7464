//! What happens to the node, as a stream of server-sent events. A reader that comes back says in `Last-Event-ID` how far
//! it got; what the journal has since is told first, and if it has forgotten some, or the node was restarted, an event
//! `reset` says so.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::State,
    http::HeaderMap,
    response::sse::{Event, KeepAlive, Sse},
};
use futures_util::{Stream, stream};
use tokio::sync::{broadcast, watch};

use super::may_read;
use crate::{
    api::{Api, auth::Caller, problem::ApiError},
    control::EventDoc,
};

/// Silence after which a comment is sent, so that nobody takes the stream for dead.
pub(super) const PING: Duration = Duration::from_secs(15);

/// One reader.
struct Reader {
    api: Arc<Api>,
    waiting: VecDeque<Event>,
    news: broadcast::Receiver<EventDoc>,
    draining: watch::Receiver<bool>,
}

/// Streams what happened since `Last-Event-ID`, or everything that is remembered, and what happens from now on.
#[utoipa::path(
    get,
    path = "/events",
    tag = "system",
    params(("Last-Event-ID" = Option<String>, Header, description = "The `id` of the last event that was read.")),
    responses((
        status = 200,
        description = "Events: `event` is the sort of event, `data` a document as `node events --json` prints it.",
        content_type = "text/event-stream",
        body = String,
    ))
)]
pub(super) async fn events(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    may_read(&caller)?;
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let (past, news) = api.session.journal.follow();
    let mut waiting = VecDeque::new();
    let read = match last {
        None => 0,
        Some(last) => match last.rsplit_once('.').filter(|(epoch, _)| *epoch == api.epoch) {
            Some((_, number)) if number.parse::<u64>().is_ok_and(|read| continues(&past, read)) => {
                number.parse().unwrap_or(0)
            }
            Some(_) | None => {
                waiting.push_back(Event::default().event("reset").data("{\"reason\":\"events were forgotten\"}"));
                0
            }
        },
    };
    waiting.extend(past.iter().filter(|event| event.number > read).map(|event| told(&api.epoch, event)));
    let draining = api.draining.subscribe();
    let reader = Reader { api, waiting, news, draining };
    Ok(Sse::new(stream::unfold(reader, next)).keep_alive(KeepAlive::new().interval(PING).text("ping")))
}

/// Whether nothing is missing between what was read and what is remembered.
fn continues(past: &VecDeque<EventDoc>, read: u64) -> bool {
    let newest = past.back().map_or(0, |event| event.number);
    let oldest = past.front().map_or(1, |event| event.number);
    read <= newest && read + 1 >= oldest
}

async fn next(mut reader: Reader) -> Option<(Result<Event, Infallible>, Reader)> {
    let event = match reader.waiting.pop_front() {
        Some(event) => event,
        None => tokio::select! {
            news = reader.news.recv() => match news {
                Ok(event) => told(&reader.api.epoch, &event),
                Err(broadcast::error::RecvError::Lagged(missed)) => {
                    Event::default().event("missed").data(format!("{{\"count\":{missed}}}"))
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            },
            _ = reader.draining.wait_for(|draining| *draining) => return None,
        },
    };
    Some((Ok(event), reader))
}

fn told(epoch: &str, event: &EventDoc) -> Event {
    let data = serde_json::to_string(event).unwrap_or_default();
    Event::default().id(format!("{epoch}.{}", event.number)).event(&event.kind).data(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_continues_only_where_nothing_is_missing() {
        let past: VecDeque<_> = (5..=9).map(|number| EventDoc { number, ..EventDoc::default() }).collect();
        for (read, whole) in [(3, false), (4, true), (7, true), (9, true), (10, false)] {
            assert_eq!(continues(&past, read), whole, "{read}");
        }
        assert!(continues(&VecDeque::new(), 0));
    }
}
