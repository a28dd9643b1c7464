//! Messages on their way to a `recv`: sent with a window, and kept until the receiver says that it has them. What it
//! has not when it leaves, the next one gets first.
//!
//! A client leaves with its receiver: what was accepted for it until then is left over too.
//!
//! Bounds: [`WINDOW`] messages under way per receiver; leftovers for [`MAILBOXES_MAX`] mailboxes, of at most [`LEFT_MAX`]
//! messages each. Everything else waits in the node's inbox, which holds senders back.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use io_tokio::{Incoming, Mesh, Message};
use proto_core::limits::INBOX_MESSAGES;

use super::{
    Document as _, Got, Lines, MessageDoc, Reply, refusal,
    session::{Answered, address},
};

/// Messages that a receiver may have without having acknowledged them.
const WINDOW: usize = 256;
/// Mailboxes whose leftovers are kept. More: they are dropped, and the log says so.
const MAILBOXES_MAX: usize = 1_024;

/// Messages kept in one mailbox. More: the newest are dropped, and the log says so.
const LEFT_MAX: usize = INBOX_MESSAGES;

/// Leftovers by client; `None` is the node itself.
#[derive(Debug, Default)]
pub(crate) struct Mailboxes {
    left: Mutex<BTreeMap<Option<String>, VecDeque<Message>>>,
}

/// One receiver at work.
struct Delivery<'a> {
    mesh: &'a Mesh,
    incoming: Incoming,
    /// Left by an earlier receiver; to be sent first.
    first: VecDeque<Message>,
    /// Sent, and not acknowledged.
    unheard: VecDeque<Message>,
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
        let mailbox = client.clone().unwrap_or_else(|| mesh.name().to_string());
        let incoming = match &client {
            None => mesh.incoming(),
            Some(client) => mesh.client(client).await,
        };
        let incoming = incoming.map_err(|why| refusal::incoming(why, &mailbox))?;
        let first = self.lock().remove(&client).unwrap_or_default();
        let mut delivery = Delivery {
            mesh,
            incoming,
            first,
            unheard: VecDeque::new(),
            sent: 0,
            heard: 0,
            count: count.unwrap_or(u64::MAX),
        };
        let result = delivery.run(lines).await;
        let Delivery { mut incoming, first, unheard, .. } = delivery;
        let mut left = unheard;
        left.extend(first);
        left.extend(incoming.leave().await);
        self.keep(client, left);
        // Only now: the next receiver must find the leftovers.
        drop(incoming);
        result
    }

    fn keep(&self, client: Option<String>, mut left: VecDeque<Message>) {
        let mut all = self.lock();
        if left.len() > LEFT_MAX {
            tracing::warn!(messages = left.len() - LEFT_MAX, ?client, "messages of a receiver that left are dropped");
            left.truncate(LEFT_MAX);
        }
        if left.is_empty() {
            return;
        }
        if all.len() >= MAILBOXES_MAX {
            tracing::warn!(messages = left.len(), ?client, "messages of a receiver that left are dropped");
            return;
        }
        all.insert(client, left);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Option<String>, VecDeque<Message>>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Delivery<'_> {
    async fn run(&mut self, lines: &mut Lines) -> Answered {
        while self.heard < self.count {
            let room = self.unheard.len() < WINDOW && self.sent < self.count;
            if let Some(message) = self.first.pop_front_if(|_| room) {
                if self.send(message, lines).await.is_err() {
                    return Ok(None);
                }
                continue;
            }
            tokio::select! {
                message = self.incoming.recv(), if room => match message {
                    Some(message) => {
                        if self.send(message, lines).await.is_err() {
                            return Ok(None);
                        }
                    }
                    None => return Err(refusal::stopped()),
                },
                got = lines.reader.line::<Got>() => match got {
                    Ok(Some(got)) => self.heard_up_to(got.got),
                    Ok(None) | Err(_) => return Ok(None),
                },
            }
        }
        Ok(Some(serde_json::Value::Null))
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
        self.unheard.push_back(message);
        self.sent += 1;
        lines.writer.line(&reply, &payload).await
    }

    fn heard_up_to(&mut self, got: u64) {
        let got = got.min(self.sent);
        while self.heard < got {
            self.heard += 1;
            self.unheard.pop_front();
        }
    }
}
