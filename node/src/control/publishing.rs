//! Publishing for commands: one, one that is remembered, or many.

use std::time::Duration;

use bytes::Bytes;
use io_tokio::PublishOptions;

use super::{
    About, Document as _, Lines, Piece, Published, PublishedMany, Session, framing::Reader, headers, refusal,
    session::Answered,
};
use crate::errors::{Code, Exit, Problem};

impl From<About> for PublishOptions {
    fn from(about: About) -> Self {
        Self {
            headers: headers::encode(&about.headers),
            client: about.from_client.map(Into::into),
            deadline: about.deadline_ms.map(Duration::from_millis),
            echo: true,
        }
    }
}

impl Session {
    /// Publishes, and remembers what was known before and what became of it.
    pub(super) async fn publish_traced(&self, topic: &str, body: Bytes, about: About) -> Result<Published, Problem> {
        let before = self.receivers(topic).await?;
        let bytes = body.len() as u64;
        let trace = self.memory.begin(self.mesh.name().as_str(), before, bytes);
        let published = self.publish(topic, body, about.into()).await;
        let id = self.memory.end(trace, &published);
        published.map(|published| Published { id: Some(id), ..published })
    }

    /// Publishes what the caller sends, as fast as there is room. The last one is accounted for, if it is known to be: the
    /// others went before it.
    pub(super) async fn publish_many(&self, topic: &str, about: About, lines: &mut Lines) -> Answered {
        let publisher = self.mesh.publisher(topic).map_err(|why| refusal::publish(why, topic))?.with(about.into());
        let mut count = 0;
        let published = |count, last| Ok(Some(PublishedMany { topic: topic.to_owned(), count, last }.json()));
        loop {
            let Some((piece, body)) = piece(&mut lines.reader).await? else { return Ok(None) };
            if piece.only_end {
                return published(count, None);
            }
            count += 1;
            if piece.last {
                let report = publisher.publish_acked(body).await.map_err(|why| refusal::publish(why, topic))?;
                return published(count, Some(self.published(topic, report)));
            }
            publisher.publish(body).await.map_err(|why| refusal::publish(why, topic))?;
        }
    }
}

/// The next piece that a caller sends; `None` if the caller has left. Must not be dropped
/// halfway.
pub(super) async fn piece(reader: &mut Reader) -> Result<Option<(Piece, Bytes)>, Problem> {
    let read = async {
        let Some(piece) = reader.line::<Piece>().await? else { return Ok(None) };
        Ok(Some((piece, reader.body(piece.body).await?)))
    };
    read.await.map_err(|why: std::io::Error| {
        Problem::new(Code::E0306, Exit::Failed, format!("what the caller sends makes no sense: {why}"))
    })
}
