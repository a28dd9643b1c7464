//! Starting a node: files, certificates, listeners, then the engine's task.

use std::{io, sync::Arc};

use proto_core::{
    drive::drive,
    engine::Engine,
    id::{Incarnation, NodeName},
    node::{Config, Endpoint, Node},
    rng::Rng,
    secure::{Identity, PublicKey},
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use crate::{
    admission::Admission,
    arrival::Arrival,
    channels::Channels,
    clock::Clock,
    common::Common,
    counters::ShellCounters,
    data::{DataDir, KnownNodes, Store, fresh_seed, load_or_create_identity, next_incarnation},
    dialer::Dialer,
    egress::Egress,
    error::StartError,
    listener::{Listener, Places, Reception},
    mesh::Inner,
    net::{Host, Net, Target},
    options::MeshOptions,
    request::Request,
    shell::{End, Shell, ShellState},
    tls::Tls,
};

/// Requests of handles that wait for the engine. More: the handles wait.
const REQUESTS: usize = 1_024;
/// Streams that wait for the engine. More: accepting and dialling waits.
const ARRIVALS: usize = 64;

/// What the files say about a node.
struct Kept {
    dir: Option<DataDir>,
    identity: Identity,
    incarnation: Incarnation,
    pins: Vec<(NodeName, PublicKey)>,
    file: Option<KnownNodes>,
}

/// Starts a node on the current runtime.
pub(crate) async fn start<N: Net, C: Clock>(options: MeshOptions, net: N, mut clock: C) -> Result<Inner, StartError> {
    check(&options)?;
    let tls = Tls::load(&options.tls)?;
    let Kept { dir, identity, incarnation, pins, file } = load(&options, &mut clock)?;
    let identity = Arc::new(identity);
    let listeners = bind(&net, &options.listen, &tls).await?;
    let name = options.name.clone().map_or_else(|| name_of(&identity), Ok)?;
    let key = identity.public();
    let config = config(&options, name.clone(), identity, incarnation, pins)?;

    let counters = Arc::new(ShellCounters::default());
    let addrs = listeners.iter().map(|listener| listener.addr).collect();
    let common = Arc::new(Common::new(name, key, addrs, Arc::clone(&counters)));
    let (request_sender, requests) = mpsc::channel::<Request>(REQUESTS);
    let (arrival_sender, arrivals) = mpsc::channel::<Arrival<N::Stream>>(ARRIVALS);
    let admission = Arc::new(admission(&options));
    let reception = Reception {
        tls: tls.clone(),
        limit: options.link.handshake_timeout,
        admission: Arc::clone(&admission),
        places: Places::new(),
        counters,
        arrivals: arrival_sender.clone(),
    };
    let mut tasks = JoinSet::new();
    for listener in listeners {
        tasks.spawn(listener.run(clock.clone(), reception.clone()));
    }
    let shell = Shell {
        clock,
        common: Arc::clone(&common),
        channels: Channels::new(Arc::clone(&common.counters)),
        dialer: Dialer::new(net, tls, options.link.dial_timeout, Arc::clone(&admission), arrival_sender),
        listeners: tasks,
        admission,
        arrivals,
        requests,
        egress: Egress::new(Arc::clone(&common.ready), options.deadline),
        store: Store::new(file, options.memory.unwrap_or_default()),
        _data_dir: dir,
        state: ShellState::new(options.message.max_payload),
        _end: End(Arc::clone(&common)),
    };
    let engine = Engine::new(Node::new(config));
    tokio::spawn(async move {
        drop(drive(engine, shell).await);
    });
    let (requests, deadline) = (request_sender, options.deadline);
    let max_payload = options.message.max_payload;
    Ok(Inner { common, requests, deadline, max_payload, late: watch::Sender::new(0) })
}

fn check(options: &MeshOptions) -> Result<(), StartError> {
    if options.psks.is_empty() {
        return Err(StartError::NoPsk);
    }
    for peer in &options.peers {
        if peer.endpoints.is_empty() {
            return Err(StartError::NoEndpoint);
        }
        peer.endpoints.iter().try_for_each(|endpoint| parse(endpoint).map(drop))?;
    }
    Ok(())
}

/// Peers whose address is configured are no strangers. Those that are configured by name become none as they are dialled.
fn admission(options: &MeshOptions) -> Admission {
    let endpoints = options.peers.iter().flat_map(|peer| &peer.endpoints);
    let peers = endpoints.filter_map(|endpoint| match parse(endpoint).ok()?.host {
        Host::Ip(ip) => Some(ip),
        Host::Name(_) => None,
    });
    Admission::new(options.admission.clone(), options.link.accepts_per_sec, peers)
}

fn parse(endpoint: &Endpoint) -> Result<Target, StartError> {
    endpoint.0.parse().map_err(|source| StartError::BadEndpoint { endpoint: endpoint.clone(), source })
}

fn load(options: &MeshOptions, clock: &mut impl Clock) -> Result<Kept, StartError> {
    let dir = options.data_dir.as_deref().map(DataDir::open).transpose()?;
    let in_dir = dir.as_ref().map(|dir| dir.file("identity.key"));
    let seed = match (options.identity_file.as_ref().or(in_dir.as_ref()), options.seed) {
        (Some(file), _) => load_or_create_identity(file)?,
        (None, Some(seed)) => seed.into(),
        (None, None) => fresh_seed().map_err(StartError::Entropy)?,
    };
    let identity = Identity::from_seed(*seed, options.provider);
    let wall = clock.wall();
    let (incarnation, file, pins) = match (&dir, &options.memory) {
        (Some(dir), _) => {
            let incarnation = next_incarnation(&dir.file("incarnation"), wall)?;
            let (file, pins) = KnownNodes::open(&dir.file("known_nodes"))?;
            (incarnation, Some(file), pins)
        }
        (None, Some(memory)) => {
            let (incarnation, pins) = memory.start();
            (incarnation, None, pins)
        }
        (None, None) => (Incarnation(wall.0), None, Vec::new()),
    };
    Ok(Kept { dir, identity, incarnation, pins, file })
}

async fn bind<N: Net>(net: &N, endpoints: &[Endpoint], tls: &Tls) -> Result<Vec<Listener<N>>, StartError> {
    let mut listeners = Vec::new();
    for endpoint in endpoints {
        let target = parse(endpoint)?;
        tls.check(target.scheme)?;
        let failed = |source: io::Error| StartError::Listen { endpoint: endpoint.clone(), source };
        listeners.push(Listener::bind(net.clone(), &target).await.map_err(failed)?);
    }
    Ok(listeners)
}

fn config(
    options: &MeshOptions,
    name: NodeName,
    identity: Arc<Identity>,
    incarnation: Incarnation,
    pins: Vec<(NodeName, PublicKey)>,
) -> Result<Config, StartError> {
    let mut config = Config::new(name, identity, incarnation, options.provider);
    config.network = Arc::clone(&options.network);
    config.psks.clone_from(&options.psks);
    config.pins = pins;
    config.peers.clone_from(&options.peers);
    config.link = options.link.clone();
    // The shell has decided before the core hears of a connection, and knows better whom to let in.
    config.link.accepts_per_sec = Admission::ceiling(options.link.accepts_per_sec);
    config.route = options.route.clone();
    config.message = options.message.clone();
    config.topics.history.clone_from(&options.history);
    if let Some(seed) = options.seed {
        config.seed = seed;
        // Another life must not use the keys of this one.
        config.secret_seed = secrets_of(seed, incarnation);
    } else {
        config.seed = *fresh_seed().map_err(StartError::Entropy)?;
        config.secret_seed = *fresh_seed().map_err(StartError::Entropy)?;
    }
    Ok(config)
}

fn secrets_of(seed: [u8; 32], incarnation: Incarnation) -> [u8; 32] {
    let mut rng = Rng::new(seed).fork(&format!("secrets of {incarnation}"));
    let mut secret = [0; 32];
    secret.chunks_exact_mut(8).for_each(|chunk| chunk.copy_from_slice(&rng.next_u64().to_le_bytes()));
    secret
}

/// The name of a node that was given none.
fn name_of(identity: &Identity) -> Result<NodeName, StartError> {
    let mut digits = identity.public().to_string();
    digits.truncate(10);
    NodeName::new(&digits).map_err(|error| StartError::Entropy(io::Error::other(error)))
}
