//! Messages on their way to a `recv`: sent with a window, and kept until the receiver says that it has them. What it
//! has not when it leaves, the next one gets first.
//!
//! A client is at the node from when its receiver has everything that was left over for it until the receiver leaves. So
//! what one stay leaves is handed over before the next brings more, however short the stays are and however fast senders
//! are. What was accepted when the receiver leaves is left over too.
//!
//! Bounds: [`WINDOW`] messages under way per receiver, and [`WINDOW_BYTES`], which one message may exceed; leftovers as
//! [`leftovers`](super::leftovers) says. Everything else waits in the node's inbox: senders to the node are held back, and
//! refused when nothing was taken out for some seconds; senders to a client are refused as soon as its share is full.

use std::{
    collections::VecDeque,
    future::pending,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use io_tokio::{Incoming, IncomingError, Mesh, Message};
use tokio::time::timeout;

use super::{
    Document as _, Got, Lines, MessageDoc, Reply,
    leftovers::{Leftovers, Size},
    refusal,
    session::{Answered, address},
};

/// Messages that a receiver may have without having acknowledged them.
const WINDOW: usize = 256;
/// Payload bytes of such messages at which no more are sent.
const WINDOW_BYTES: usize = 16 * 1024 * 1024;
/// How long to wait for the end of what a receiver has said that takes nothing more.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What receivers left behind.
#[derive(Debug, Default)]
pub(crate) struct Mailboxes {
    left: Mutex<Leftovers>,
    dropped: AtomicU64,
}

/// One receiver at work.
struct Delivery<'a> {
    mesh: &'a Mesh,
    /// `None` until nothing is left over any more.
    incoming: Option<Incoming>,
    /// Left by an earlier receiver; to be sent first.
    first: VecDeque<Message>,
    /// Sent, and not acknowledged.
    unheard: VecDeque<Message>,
    unheard_size: Size,
    sent: u64,
    heard: u64,
    count: u64,
}

impl Mailboxes {
    /// Streams messages until `count` were acknowledged or the receiver leaves.
    pub(super) async fn serve(
        &self,
        mesh: &Mesh,
        client: Option<String>,
        count: Option<u64>,
        lines: &mut Lines,
    ) -> Answered {
        let mailbox = client.as_deref().unwrap_or(mesh.name().as_str());
        let Some(mut taken) = self.lock().take(&client) else {
            return Err(refusal::incoming(IncomingError::Taken, mailbox));
        };
        let mut delivery = Delivery {
            mesh,
            incoming: None,
            first: std::mem::take(&mut taken.messages),
            unheard: VecDeque::new(),
            unheard_size: Size::default(),
            sent: 0,
            heard: 0,
            count: count.unwrap_or(u64::MAX),
        };
        let result = delivery.run(client.as_deref(), lines).await;
        let Delivery { mut incoming, first, unheard, .. } = delivery;
        taken.messages = unheard;
        taken.messages.extend(first);
        if let Some(incoming) = &mut incoming {
            taken.messages.extend(incoming.leave().await);
        }
        // Before the leftovers: whoever finds them must find the client free too.
        drop(incoming);
        let dropped = self.lock().give_back(taken);
        if dropped > 0 {
            self.dropped.fetch_add(dropped, Relaxed);
            tracing::warn!(messages = dropped, ?client, "too much was left over: messages were dropped");
        }
        result
    }

    /// How many messages were dropped that had been left over.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Leftovers> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Delivery<'_> {
    async fn run(&mut self, client: Option<&str>, lines: &mut Lines) -> Answered {
        while self.heard < self.count {
            if self.incoming.is_none() && self.first.is_empty() && self.unheard.is_empty() {
                self.incoming = Some(self.arrive(client).await?);
            }
            let in_window = self.unheard.len() < WINDOW && self.unheard_size.bytes < WINDOW_BYTES;
            let room = in_window && self.sent < self.count;
            tokio::select! {
                // What was acknowledged counts, however much there is to send.
                biased;
                got = lines.reader.line::<Got>() => match got {
                    Ok(Some(got)) => self.heard_up_to(got.got),
                    Ok(None) | Err(_) => return Ok(None),
                },
                message = next(&mut self.first, self.incoming.as_mut()), if room => {
                    let Some(message) = message else { return Err(refusal::stopped()) };
                    if self.send(message, lines).await.is_err() {
                        self.hear_out(lines).await;
                        return Ok(None);
                    }
                }
            }
        }
        Ok(Some(serde_json::Value::Null))
    }

    /// From here on messages are accepted.
    async fn arrive(&self, client: Option<&str>) -> Result<Incoming, crate::errors::Problem> {
        let incoming = match client {
            None => self.mesh.incoming(),
            Some(client) => self.mesh.client(client).await,
        };
        incoming.map_err(|why| refusal::incoming(why, client.unwrap_or(self.mesh.name().as_str())))
    }

    async fn send(&mut self, message: Message, lines: &mut Lines) -> std::io::Result<()> {
        let from = self.mesh.name_of(message.from).map_or_else(|| address(message.from), |name| name.to_string());
        let document = MessageDoc {
            from,
            from_client: message.from_client.as_deref().map(str::to_owned),
            to_client: message.to_client.as_deref().map(str::to_owned),
            seq: message.seq.0,
            bytes: message.payload.len() as u64,
        };
        let reply = Reply::Item { data: document.json(), body: document.bytes };
        let payload = message.payload.clone();
        self.unheard_size += [&message].into_iter().collect();
        self.unheard.push_back(message);
        self.sent += 1;
        lines.writer.line(&reply, &payload).await
    }

    /// Reads what a receiver said before it went away: it must not get again what it has dealt with.
    async fn hear_out(&mut self, lines: &mut Lines) {
        let rest = async {
            while let Ok(Some(got)) = lines.reader.line::<Got>().await {
                self.heard_up_to(got.got);
            }
        };
        // One who stays and takes nothing has had its time.
        let _ = timeout(LAST_WORDS, rest).await;
    }

    fn heard_up_to(&mut self, got: u64) {
        let got = got.min(self.sent);
        while self.heard < got {
            self.heard += 1;
            self.unheard_size -= self.unheard.pop_front().iter().collect();
        }
    }
}

/// The next message: one that was left over, or one that arrives. `None` once the node is over. Nothing is lost if the
/// future is dropped.
async fn next(first: &mut VecDeque<Message>, incoming: Option<&mut Incoming>) -> Option<Message> {
    if let Some(message) = first.pop_front() {
        return Some(message);
    }
    match incoming {
        Some(incoming) => incoming.recv().await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{
        framing::{REPLY_MAX, REQUEST_MAX},
        leftovers::tests::messages,
    };
    use bytes::Bytes;
    use io_tokio::{MeshOptions, NodeName, Outcome, Psk, SendOptions};
    use proto_core::error::Rejected;
    use std::sync::Arc;
    use tokio::{net::UnixStream, task::JoinHandle};

    /// A node, a client `till` of it for which so many messages are left over, and its receiver.
    struct Stay {
        mesh: Mesh,
        boxes: Arc<Mailboxes>,
    }

    impl Stay {
        async fn with(left: u64, payload: &Bytes) -> Self {
            let options = MeshOptions::new(Psk::from_token(b"a token of the tests"));
            let mesh = Mesh::start(options.name(NodeName::new("a").unwrap())).await.unwrap();
            let boxes = Arc::new(Mailboxes::default());
            let mut taken = boxes.lock().take(&Some("till".to_owned())).unwrap();
            taken.messages = messages(left, payload);
            boxes.lock().give_back(taken);
            Self { mesh, boxes }
        }

        fn receive(&self, count: Option<u64>) -> (Lines, JoinHandle<bool>) {
            let (here, there) = UnixStream::pair().unwrap();
            let (mesh, boxes) = (self.mesh.clone(), Arc::clone(&self.boxes));
            let serving = tokio::spawn(async move {
                let mut lines = Lines::new(here, REQUEST_MAX);
                boxes.serve(&mesh, Some("till".to_owned()), count, &mut lines).await.is_ok()
            });
            (Lines::new(there, REPLY_MAX), serving)
        }

        fn left(&self) -> Vec<u64> {
            let taken = self.boxes.lock().take(&Some("till".to_owned())).unwrap();
            let left = taken.messages.iter().map(|message| message.seq.0).collect();
            self.boxes.lock().give_back(taken);
            left
        }

        async fn send(&self) -> Outcome {
            let options = SendOptions { client: Some("till".into()), ..SendOptions::default() };
            self.mesh.send_with("a", "coins", options).await.unwrap()
        }
    }

    async fn read(lines: &mut Lines) {
        let Some(Reply::Item { body, .. }) = lines.reader.line::<Reply>().await.unwrap() else { panic!("a message") };
        lines.reader.body(body).await.unwrap();
    }

    async fn got(lines: &mut Lines, got: u64) {
        lines.writer.line(&Got { got }, b"").await.unwrap();
    }

    #[tokio::test]
    async fn what_was_acknowledged_before_the_receiver_went_away_does_not_come_again() {
        let stay = Stay::with(100, &Bytes::from(vec![0; 64 * 1024])).await;
        let (mut lines, serving) = stay.receive(None);
        for _ in 0..10 {
            read(&mut lines).await;
        }
        // The node waits for room to write in: nobody has read what it has said since.
        tokio::time::sleep(Duration::from_millis(100)).await;
        for number in 1..=10 {
            got(&mut lines, number).await;
        }
        drop(lines);
        assert!(serving.await.unwrap());
        assert_eq!(stay.left(), (11..=100).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_client_is_there_once_nothing_is_left_over() {
        let stay = Stay::with(2, &Bytes::new()).await;
        let absent = Outcome::Rejected(Rejected::NoSuchClient);
        let (mut lines, serving) = stay.receive(Some(1));
        read(&mut lines).await;
        assert_eq!(stay.send().await, absent, "what was left over comes first");
        got(&mut lines, 1).await;
        assert!(serving.await.unwrap());
        assert_eq!(stay.left(), [2], "a short stay brings no more than it takes");

        let (mut lines, serving) = stay.receive(None);
        read(&mut lines).await;
        assert_eq!(stay.send().await, absent, "nor before it is acknowledged");
        got(&mut lines, 1).await;
        while stay.send().await == absent {}
        read(&mut lines).await;
        drop(lines);
        assert!(serving.await.unwrap());
        assert_eq!(stay.left(), [1], "the one that was not acknowledged");
    }

    #[tokio::test]
    async fn a_receiver_that_has_many_bytes_to_acknowledge_gets_no_more() {
        let stay = Stay::with(20, &Bytes::from(vec![0; WINDOW_BYTES / 4])).await;
        let (mut lines, serving) = stay.receive(None);
        for _ in 0..4 {
            read(&mut lines).await;
        }
        let more = timeout(Duration::from_millis(100), lines.reader.line::<Reply>()).await;
        assert!(more.is_err(), "nothing more is sent");
        got(&mut lines, 1).await;
        read(&mut lines).await;
        drop(lines);
        assert!(serving.await.unwrap());
        assert_eq!(stay.left(), (2..=20).collect::<Vec<_>>());
    }
}
