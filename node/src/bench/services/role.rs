//! One node of a measurement, in a process of its own.

use std::{io, sync::Arc};

use bytes::Bytes;
use io_tokio::{AppError, Mesh, Publication, Publisher, Request, Service, SubscribeOptions, Subscription};

use super::{SERVICE, TOPIC};
use crate::bench::{
    Caller, Inbox, Note, Order, Orders, Outbox, Spec, call, cpu_own,
    msg::{reach, start_mesh},
    note, publish, receive_all,
};

/// Publications taken out of a subscription at once.
const BATCH: usize = 256;
/// What a subscription's queue holds: all that is published as fast as possible, so that nothing is dropped.
const QUEUE: (usize, usize) = (1 << 24, 1 << 40);

/// Is a node: takes orders from standard input until it ends. What goes wrong is said to the measuring process.
///
/// # Errors
/// If there is nobody to say it to.
pub async fn play() -> io::Result<()> {
    let mut orders = Orders::read();
    let Some(spec) = orders.next::<Spec>().await else { return Ok(()) };
    match serve(&spec, &mut orders).await {
        Ok(()) => Ok(()),
        Err(why) => note(&Note::Failed(why.to_string())),
    }
}

async fn serve(spec: &Spec, orders: &mut Orders) -> io::Result<()> {
    let mesh = start_mesh(spec).await?;
    // Serves as long as it is held.
    let mut service: Option<Service> = None;
    while let Some(order) = orders.next().await {
        match order {
            Order::Cpu => note(&Note::Cpu(cpu_own()))?,
            // A topic is reached when its subscriptions are known, which those wait for themselves.
            Order::Reach(name) if name == TOPIC => note(&Note::Reached)?,
            Order::Reach(name) => {
                reach(&mesh, &name).await?;
                note(&Note::Reached)?;
            }
            Order::Receive { subscriptions, count, sample } => {
                let mut inboxes = Vec::new();
                for _ in 0..subscriptions {
                    let options = SubscribeOptions::default().queue(QUEUE.0, QUEUE.1);
                    let subscription = mesh.subscribe_with(TOPIC, options).await.map_err(io::Error::other)?;
                    inboxes.push(Taking { subscription, batch: Vec::new() });
                }
                note(&Note::Ready)?;
                note(&Note::Arrived(receive_all(&mut inboxes, count, sample).await?))?;
            }
            Order::Publish { to, count, size, rate, sample } => {
                let mut outbox = Printing(mesh.publisher(&to).map_err(io::Error::other)?);
                note(&Note::Sent(publish(&mut outbox, count, size, rate, sample).await?))?;
            }
            Order::Serve => {
                let echo = |request: Request| async move { Ok::<_, AppError>(request.payload().clone()) };
                service = Some(mesh.serve(SERVICE, echo).await.map_err(io::Error::other)?);
                note(&Note::Ready)?;
            }
            Order::Call { callers, count, size } => {
                note(&Note::Called(call(&Calling(mesh.clone()), callers, count, size).await?))?;
            }
        }
    }
    drop(service);
    Ok(())
}

/// Publishes to one topic.
struct Printing(Publisher);

impl Outbox for Printing {
    async fn post(&mut self, payload: Bytes) -> io::Result<()> {
        self.0.publish(payload).await.map_err(io::Error::other)
    }

    /// Publications arrive in order: the last one's receipt stands for all.
    async fn last(&mut self, payload: Bytes) -> io::Result<bool> {
        let report = self.0.publish_acked(payload).await.map_err(io::Error::other)?;
        Ok(report.missing.is_empty() && report.subscribers > 0)
    }
}

/// Takes what arrives at a subscription.
struct Taking {
    subscription: Subscription,
    batch: Vec<Arc<Publication>>,
}

impl Inbox for Taking {
    async fn take(&mut self, mut each: impl FnMut(&[u8])) -> bool {
        let some = self.subscription.recv_many(&mut self.batch, BATCH).await > 0;
        self.batch.drain(..).for_each(|publication| each(&publication.payload));
        some
    }
}

/// Calls the service.
#[derive(Clone)]
struct Calling(Mesh);

impl Caller for Calling {
    async fn call(&self, payload: Bytes) -> io::Result<Bytes> {
        let response = self.0.call(SERVICE, payload).await;
        response.map(|response| response.payload).map_err(io::Error::other)
    }
}
