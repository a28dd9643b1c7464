//! How fast topics and calls are between two nodes on loopback, in one process.
//!
//! `cargo run --release -p io-tokio --example speed`, and the names of parts if not all are wanted: `send`, `publish`,
//! `call`, `clients`.
#![allow(clippy::disallowed_methods, reason = "it measures real time")]
#![allow(clippy::print_stdout, reason = "it tells what it measured")]

use std::time::{Duration, Instant};

use io_tokio::{AppError, Mesh, MeshOptions, NodeName, Psk, Request, SubscribeOptions};

const MESSAGES: usize = 1_000_000;
const CALLS: usize = 50_000;
const CLIENTS: usize = 10_000;

type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Outcome {
    let token = Psk::from_token(b"a token for the speed of things");
    let options = |name: &str| {
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(MeshOptions::new(token.clone()).name(NodeName::new(name)?))
    };
    let a = Mesh::start(options("a")?.listen("tcp://127.0.0.1:0")).await?;
    let b = Mesh::start(options("b")?.connect(&format!("tcp://{}", a.local_addrs()[0]))).await?;
    while a.routes().await?.is_empty() || b.routes().await?.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let parts: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|wanted| wanted == part);
    if wanted("send") {
        send(&b, &a).await?;
    }
    if wanted("publish") {
        publish("within one node", &a, &a).await?;
        publish("between two nodes", &b, &a).await?;
    }
    if wanted("call") {
        let echo = |request: Request| async move { Ok::<_, AppError>(request.payload().clone()) };
        let _service = a.serve("echo", echo).await?;
        for callers in [1, 64] {
            call("within one node", &a, callers).await?;
            call("between two nodes", &b, callers).await?;
        }
    }
    if wanted("clients") {
        clients(&a, &b).await?;
    }
    Ok(())
}

/// Messages to one receiver, to compare publications with.
async fn send(from: &Mesh, to: &Mesh) -> Outcome {
    let mut incoming = to.incoming()?;
    let sender = from.sender(to.name().as_str())?;
    let begin = Instant::now();
    let sending = tokio::spawn(async move {
        let payload = bytes::Bytes::from(vec![7; 128]);
        for _ in 0..MESSAGES {
            sender.post(payload.clone()).await?;
        }
        Ok::<_, io_tokio::Stopped>(())
    });
    let mut batch = Vec::new();
    let mut got = 0;
    while got < MESSAGES {
        got += incoming.recv_many(&mut batch, 4_096).await;
        batch.clear();
    }
    sending.await??;
    println!("messages between two nodes: {:.0}/s", rate(got, begin.elapsed()));
    Ok(())
}

async fn publish(what: &str, from: &Mesh, to: &Mesh) -> Outcome {
    let all = SubscribeOptions::default().queue(MESSAGES, 1 << 30);
    let mut subscription = to.subscribe_with("speed", all).await?;
    let publisher = from.publisher("speed")?;
    let begin = Instant::now();
    let publishing = tokio::spawn(async move {
        let payload = bytes::Bytes::from(vec![7; 128]);
        for _ in 0..MESSAGES {
            publisher.publish(payload.clone()).await?;
        }
        Ok::<_, io_tokio::PublishError>(begin.elapsed())
    });
    let mut batch = Vec::new();
    let mut got = 0;
    while got < MESSAGES {
        let more = tokio::time::timeout(Duration::from_secs(5), subscription.recv_many(&mut batch, 4_096)).await;
        got += more.unwrap_or_default();
        if batch.is_empty() {
            break;
        }
        batch.clear();
    }
    let taken = begin.elapsed();
    let handed = publishing.await??;
    println!(
        "publish {what}: {got} of {MESSAGES}, handed over in {handed:?}, there in {taken:?}: {:.0}/s",
        rate(got, taken)
    );
    Ok(())
}

async fn call(what: &str, from: &Mesh, callers: usize) -> Outcome {
    let begin = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let from = from.clone();
            tokio::spawn(async move {
                let mut times = Vec::new();
                for _ in 0..CALLS / callers {
                    let begin = Instant::now();
                    from.call("echo", "0123456789abcdef").await?;
                    times.push(begin.elapsed());
                }
                Ok::<_, io_tokio::CallError>(times)
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await??);
    }
    let taken = begin.elapsed();
    times.sort_unstable();
    let (half, most) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    println!("call {what}, {callers} callers: {:.0}/s, p50 {half:?}, p99 {most:?}", rate(times.len(), taken));
    Ok(())
}

/// Many clients at one node, each with a feed of its own, as a server of WebSockets has them.
async fn clients(node: &Mesh, publisher: &Mesh) -> Outcome {
    let before = resident();
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let hub = node.hub();
        let options = SubscribeOptions::default().client(format!("client-{number}")).credit(16).queue(256, 1 << 20);
        let subscription = hub.subscribe("all", options).await?;
        clients.push((hub, subscription));
    }
    let each = (resident() - before) * 1_024 / CLIENTS;
    let begin = Instant::now();
    let tasks: Vec<_> = clients
        .into_iter()
        .map(|(mut hub, subscription)| {
            tokio::spawn(async move {
                let got = hub.recv().await;
                (begin.elapsed(), got.is_some(), hub, subscription)
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let published = begin.elapsed();
    let report = publisher.publish_acked("all", "hello").await?;
    let mut last = Duration::ZERO;
    for task in tasks {
        last = last.max(task.await?.0);
    }
    println!(
        "{CLIENTS} clients: {each} bytes each; one publication reached {} within {:?}",
        report.subscribers,
        last - published
    );
    Ok(())
}

fn rate(count: usize, taken: Duration) -> f64 {
    count as f64 / taken.as_secs_f64()
}

/// Resident memory in KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}
