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
