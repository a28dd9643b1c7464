//! Joins a mesh, and prints every message that arrives: `embed-mio STATE-DIR NAME TOKEN LISTEN [PEER]`. Started again with
//! the same directory, it is the same node.

mod state;

use std::{io::Write as _, net::SocketAddr, path::Path, process::ExitCode, sync::Arc};

use proto_core::{
    id::NodeName,
    node::{Config, Endpoint, Event, Peer},
    secure::{AWS_LC, Identity, Psk},
};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ =
                writeln!(std::io::stderr(), "embed-mio: {error}\nusage: embed-mio STATE-DIR NAME TOKEN LISTEN [PEER]");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let [dir, name, token, listen, peers @ ..] = arguments else { return Err("too few arguments".into()) };
    let name = NodeName::new(name)?;
    let listen: SocketAddr = listen.parse()?;
    let handle = embed_mio::start(config(dir.as_ref(), name, token.as_bytes(), peers)?, listen)?;
    let mut out = std::io::stdout();
    writeln!(out, "listening on {}", handle.local_addr())?;
    for event in handle.events() {
        if let Event::Message(message) = event {
            handle.consumed(message.mailbox(), 1)?;
            writeln!(out, "{}: {}", message.from, String::from_utf8_lossy(&message.payload))?;
        }
    }
    Ok(())
}

fn config(dir: &Path, name: NodeName, token: &[u8], peers: &[String]) -> std::io::Result<Config> {
    let state = state::load(dir)?;
    let (secret_seed, seed) = (state::entropy()?, state::entropy()?);
    let identity = Arc::new(Identity::from_seed(state.seed, AWS_LC));
    let mut config = Config::new(name, identity, state.incarnation, AWS_LC);
    config.psks = vec![Psk::from_token(token)];
    config.seed = seed;
    config.secret_seed = secret_seed;
    config.peers = peers
        .iter()
        .map(|address| Peer { name: None, endpoints: vec![Endpoint::new(&format!("tcp://{address}"))], cost: 0 })
        .collect();
    Ok(config)
}
