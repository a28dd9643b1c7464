//! From the configuration to what the mesh is started with.

use std::{
    env,
    path::{Path, PathBuf},
};

use io_tokio::{Endpoint, MeshOptions, Peer, Psk, TlsOptions};

use crate::config::{AuthMode, Config, TopicRule};

/// What every open mesh uses in place of a token: no secret, and no protection.
const OPEN: &[u8] = b"";

/// The options of a configuration and of further nodes to dial.
pub(super) fn options(config: &Config, join: &[String]) -> MeshOptions {
    let mesh = &config.mesh;
    let psks = match mesh.auth.mode {
        AuthMode::Token => mesh.auth.tokens.iter().map(|token| Psk::from_token(token.expose().as_bytes())).collect(),
        AuthMode::Open => vec![Psk::from_token(OPEN)],
    };
    let listen =
        mesh.listen.iter().map(|listen| Endpoint::new(&format!("{}://{}", listen.scheme.as_str(), listen.addr)));
    let configured = mesh.connect.iter().map(|peer| Peer {
        name: peer.id.clone(),
        endpoints: vec![Endpoint::new(&peer.url)],
        cost: peer.cost,
    });
    let joined = join.iter().map(|url| Peer { name: None, endpoints: vec![Endpoint::new(url)], cost: 0 });
    let data_dir = data_dir(config);
    let mut options = MeshOptions::new(Psk::from_token(OPEN));
    options.psks = psks;
    options.name = config.node.id.clone();
    options.network = mesh.network.as_str().into();
    options.listen = listen.collect();
    options.peers = configured.chain(joined).collect();
    options.identity_file = Some(data_dir.join(&config.node.identity_file));
    options.data_dir = Some(data_dir);
    options.admission.allow_ips = mesh.auth.allow_ips.clone();
    options.tls = TlsOptions {
        cert: mesh.tls.cert.clone(),
        key: mesh.tls.key.clone(),
        ca: mesh.tls.ca.clone(),
        ..TlsOptions::default()
    };
    options.deadline = config.messaging.deadline;
    options.link = mesh.link.clone();
    options.route = mesh.route.clone();
    options.message = config.messaging.core.clone();
    options.history = TopicRule::history(&config.messaging.topics);
    options
}

/// Where the node keeps what must survive: as configured, or in the place usual for the user, one folder per name.
fn data_dir(config: &Config) -> PathBuf {
    if let Some(dir) = &config.node.data_dir {
        return dir.clone();
    }
    let state = if rustix::process::geteuid().is_root() {
        PathBuf::from("/var/lib")
    } else {
        let home = env::var_os("HOME").map_or_else(env::temp_dir, PathBuf::from);
        env::var_os("XDG_STATE_HOME").map_or_else(|| home.join(".local/state"), PathBuf::from)
    };
    let id = config.node.id.as_ref().map_or("node", |id| id.as_str());
    state.join("firelink").join(Path::new(id))
}
