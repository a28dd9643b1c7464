//! Joins a mesh, and prints every message that arrives: `embed-mio NAME TOKEN LISTEN [PEER]`.

use std::{io::Write as _, net::SocketAddr, process::ExitCode, sync::Arc};

use proto_core::{
    id::{Incarnation, NodeName},
    node::{Config, Endpoint, Event, Peer},
    secure::{AWS_LC, Identity, Psk},
};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "embed-mio: {error}\nusage: embed-mio NAME TOKEN LISTEN [PEER]");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let [name, token, listen, peers @ ..] = arguments else { return Err("too few arguments".into()) };
    let name = NodeName::new(name)?;
    let listen: SocketAddr = listen.parse()?;
    let handle = embed_mio::start(config(name, token.as_bytes(), peers)?, listen)?;
    let mut out = std::io::stdout();
    writeln!(out, "listening on {}", handle.local_addr())?;
    for event in handle.events() {
        if let Event::Message(message) = event {
            handle.consumed(1)?;
            writeln!(out, "{}: {}", message.from, String::from_utf8_lossy(&message.payload))?;
        }
    }
    Ok(())
}

fn config(name: NodeName, token: &[u8], peers: &[String]) -> Result<Config, Box<dyn std::error::Error>> {
    // A throw-away identity: an embedder keeps its seed in a file.
    let (identity_seed, secret_seed, seed) = (entropy()?, entropy()?, entropy()?);
    let identity = Arc::new(Identity::from_seed(identity_seed, AWS_LC));
    let mut config = Config::new(name, identity, Incarnation(1), AWS_LC);
    config.psks = vec![Psk::from_token(token)];
    config.seed = seed;
    config.secret_seed = secret_seed;
    config.peers = peers
        .iter()
        .map(|address| Peer { name: None, endpoints: vec![Endpoint::new(&format!("tcp://{address}"))], cost: 0 })
        .collect();
    Ok(config)
}

/// 32 bytes from the operating system.
fn entropy() -> std::io::Result<[u8; 32]> {
    use std::io::Read as _;
    let mut bytes = [0; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}
