//! The same shell on a simulator's sockets and time.

use std::{io, net::SocketAddr, time::Duration};

use proto_core::{
    id::NodeName,
    node::{Endpoint, Outcome, Peer},
    secure::{Psk, SOFTWARE},
    time::WallTime,
};
use turmoil::net::{TcpListener, TcpStream};

use crate::{Mesh, MeshOptions, clock::RuntimeClock, net::Net};

/// turmoil's network.
#[derive(Clone, Debug)]
struct Turmoil;

impl Net for Turmoil {
    type Stream = TcpStream;
    type Listener = TcpListener;

    async fn resolve(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(vec![SocketAddr::new(turmoil::lookup(name), port)])
    }

    async fn connect(&self, addr: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(addr).await
    }

    async fn bind(&self, addr: SocketAddr) -> io::Result<TcpListener> {
        TcpListener::bind(addr).await
    }

    async fn accept(&self, listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
        listener.accept().await
    }

    fn local_addr(&self, listener: &TcpListener) -> io::Result<SocketAddr> {
        listener.local_addr()
    }
}

fn options(name: &str, seed: u8) -> MeshOptions {
    let mut options = MeshOptions::new(Psk::from_token(b"simulated")).name(NodeName::new(name).unwrap());
    options.provider = SOFTWARE;
    options.seed = Some([seed; 32]);
    options
}

async fn start(options: MeshOptions) -> Mesh {
    Mesh::start_on(options, Turmoil, RuntimeClock::new(WallTime(1_700_000_000_000))).await.unwrap()
}

#[test]
fn publications_and_calls_cross_a_simulated_network_before_and_after_a_partition() {
    let mut sim = turmoil::Builder::new()
        .rng_seed(11)
        .epoch(std::time::UNIX_EPOCH)
        .simulation_duration(Duration::from_secs(120))
        .build();
    sim.host("a", || async {
        let mesh = start(options("a", 1).listen("tcp://0.0.0.0:9000")).await;
        let echo = |request: crate::Request| async move { Ok::<_, crate::AppError>(request.payload().clone()) };
        let _service = mesh.serve("echo", echo).await?;
        let mut numbers = mesh.subscribe("number.*").await?;
        let mut last = 0;
        while let Some(publication) = numbers.recv().await {
            let number: u32 = std::str::from_utf8(&publication.payload)?.parse()?;
            assert!(number > last, "{number} after {last}");
            last = number;
            mesh.publish("seen", number.to_string()).await?;
        }
        Ok(())
    });
    sim.client("b", async {
        let peer = Peer { name: None, endpoints: vec![Endpoint::new("tcp://a:9000")], cost: 0 };
        let mesh = start(MeshOptions { peers: vec![peer], ..options("b", 2) }).await;
        let mut seen = mesh.subscribe("seen").await?;
        while mesh.call("echo", "hello").await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(mesh.publish_acked("number.1", "1").await?.subscribers, 1);
        assert_eq!(seen.recv().await.map(|said| said.payload.clone()).as_deref(), Some(&b"1"[..]));
        turmoil::partition("a", "b");
        let cut = mesh.call("echo", "cut").await.err();
        assert!(cut.is_some_and(|cut| cut.may_have_run()), "it was on its way");
        let report = mesh.publish_acked("number.2", "2").await?;
        assert_eq!((report.subscribers, report.missing.len()), (0, 1), "{report:?}");
        turmoil::repair("a", "b");
        while mesh.call("echo", "again").await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        while mesh.publish_acked("number.3", "3").await?.subscribers == 0 {}
        while seen.recv().await.is_some_and(|said| &said.payload[..] != b"3") {}
        assert!(mesh.shutdown(Duration::from_secs(5)).await?.clean);
        Ok(())
    });
    sim.run().unwrap();
}

#[test]
fn a_node_that_takes_nothing_holds_publishers_up_only_for_a_moment() {
    const COUNT: u32 = 100_000;
    let mut sim = turmoil::Builder::new()
        .rng_seed(13)
        .epoch(std::time::UNIX_EPOCH)
        .simulation_duration(Duration::from_secs(120))
        .build();
    sim.host("a", || async {
        let mesh = start(options("a", 1).listen("tcp://0.0.0.0:9000")).await;
        let mut all = mesh.subscribe("n").await?;
        while all.recv().await.is_some() {}
        Ok(())
    });
    sim.client("b", async {
        let peer = Peer { name: None, endpoints: vec![Endpoint::new("tcp://a:9000")], cost: 0 };
        let mesh = start(MeshOptions { peers: vec![peer], ..options("b", 2) }).await;
        while mesh.publish_acked("n", "is anybody there?").await?.nodes == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let all = crate::SubscribeOptions::default().queue(COUNT as usize, 1 << 30);
        let mut here = mesh.subscribe_with("n", all).await?;
        let publisher = mesh.publisher("n")?;
        turmoil::partition("a", "b");
        let begin = tokio::time::Instant::now();
        let publishing = tokio::spawn(async move {
            for number in 0..COUNT {
                publisher.publish(number.to_le_bytes().to_vec()).await.unwrap();
            }
        });
        for number in 0..COUNT {
            assert_eq!(here.recv().await.map(|said| said.payload.to_vec()), Some(number.to_le_bytes().to_vec()));
        }
        publishing.await?;
        let taken = begin.elapsed();
        assert!(taken >= Duration::from_millis(250), "the way is waited for: {taken:?}");
        assert!(taken < Duration::from_secs(2), "but not for long: {taken:?}");
        assert_eq!(mesh.topics().await?.slow_nodes.len(), 1);
        Ok(())
    });
    sim.run().unwrap();
}

#[test]
fn messages_cross_a_simulated_network_before_and_after_a_partition() {
    let mut sim = turmoil::Builder::new()
        .rng_seed(7)
        .epoch(std::time::UNIX_EPOCH)
        .simulation_duration(Duration::from_secs(120))
        .build();
    sim.host("a", || async {
        let mesh = start(options("a", 1).listen("tcp://0.0.0.0:9000")).await;
        let mut incoming = mesh.incoming()?;
        while let Some(message) = incoming.recv().await {
            assert_eq!(mesh.name_of(message.from), Some(NodeName::new("b")?));
        }
        Ok(())
    });
    sim.client("b", async {
        let peer = Peer { name: None, endpoints: vec![Endpoint::new("tcp://a:9000")], cost: 0 };
        let mesh = start(MeshOptions { peers: vec![peer], ..options("b", 2) }).await;
        assert_eq!(mesh.send("a", "hello").await, Ok(Outcome::Delivered));
        turmoil::partition("a", "b");
        let cut = mesh.send_with("a", "lost?", crate::SendOptions::default()).await?;
        assert!(matches!(cut, Outcome::Unknown | Outcome::Rejected(_)), "{cut:?}");
        turmoil::repair("a", "b");
        while mesh.send("a", "again").await? != Outcome::Delivered {}
        let report = mesh.shutdown(Duration::from_secs(5)).await?;
        assert!(report.clean, "{report:?}");
        Ok(())
    });
    sim.run().unwrap();
}
