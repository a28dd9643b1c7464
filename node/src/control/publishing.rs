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

    /// Publishes what the caller sends, as fast as there is room. The last one is accounted for: the others went before it.
    pub(super) async fn publish_many(&self, topic: &str, about: About, lines: &mut Lines) -> Answered {
        let publisher = self.mesh.publisher(topic).map_err(|why| refusal::publish(why, topic))?.with(about.into());
        let mut count = 0;
        loop {
            let Some((body, last)) = piece(&mut lines.reader).await? else { return Ok(None) };
            count += 1;
            if last {
                let report = publisher.publish_acked(body).await.map_err(|why| refusal::publish(why, topic))?;
                let last = Some(self.published(topic, report));
                return Ok(Some(PublishedMany { topic: topic.to_owned(), count, last }.json()));
            }
            publisher.publish(body).await.map_err(|why| refusal::publish(why, topic))?;
        }
    }
}

/// The next piece that a caller sends, and whether it is the last; `None` if the caller has left. Must not be dropped
/// halfway.
pub(super) async fn piece(reader: &mut Reader) -> Result<Option<(Bytes, bool)>, Problem> {
    let read = async {
        let Some(Piece { body, last }) = reader.line::<Piece>().await? else { return Ok(None) };
        Ok(Some((reader.body(body).await?, last)))
    };
    read.await.map_err(|why: std::io::Error| {
        Problem::new(Code::E0306, Exit::Failed, format!("what the caller sends makes no sense: {why}"))
    })
}
