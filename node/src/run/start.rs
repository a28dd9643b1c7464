//! Brings everything up, or says what stood in the way.

use std::{io, net::SocketAddr, sync::Arc};

use io_tokio::{DataError, Mesh, MeshOptions, StartError};
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet, time::Instant};

use super::{Readiness, Start, dev::Dev, options};
use crate::{
    admin, api,
    cli::{Context, Format},
    clock,
    config::Config,
    control::{self, Facts, Journal, Mailboxes, Server, Session, Stop},
    errors::{Code, Exit, Problem},
};

/// A node with everything around it.
pub(super) struct Running {
    /// What answers commands.
    pub(super) session: Arc<Session>,
    /// What runs beside the node. Ends when it is dropped.
    pub(super) tasks: JoinSet<()>,
    /// What programs talk to.
    pub(super) api: Arc<api::Api>,
    /// What `/readyz` tells.
    pub(super) readiness: Arc<Readiness>,
    /// The files of development mode.
    pub(super) dev: Option<Dev>,
}

/// Starts a node and everything around it.
pub(super) async fn start(start: Start, stop: mpsc::Sender<Stop>) -> Result<Running, Problem> {
    let Start { config, join, mut dev } = start;
    let started = Instant::now();
    let options = options::options(&config, &join);
    let mesh = start_mesh(options, dev.is_some()).await?;
    let events = mesh.events();
    let listener = bind_admin(&config, dev.is_some()).await?;
    let api_listeners = api::bind(&config.api, dev.is_some()).await?;
    let server = Server::bind(&socket_path(&config, mesh.name().as_str())?)?;
    let schemes = config.mesh.listen.iter().map(|listen| listen.scheme.as_str());
    let listen: Vec<_> = schemes.zip(mesh.local_addrs()).map(|(scheme, addr)| format!("{scheme}://{addr}")).collect();
    if let (Some(dev), Some(first)) = (&mut dev, listen.first()) {
        dev.publish(first)?;
    }
    let facts = Facts {
        name: config.node.name.clone(),
        network: config.mesh.network.clone(),
        key: mesh.public_key().to_string(),
        listen,
        admin: listener.as_ref().and_then(|listener| listener.local_addr().ok()).map(|addr| addr.to_string()),
        api: api_listeners
            .iter()
            .filter_map(|listener| listener.local_addr().ok())
            .map(|addr| addr.to_string())
            .collect(),
        control: server.path().to_owned(),
        deadline: config.messaging.deadline,
        topics: config.messaging.topics.clone(),
        started,
    };
    let readiness = Arc::new(Readiness::new(!config.mesh.connect.is_empty() || !join.is_empty()));
    let journal = Journal::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(Arc::clone(&journal).watch(events));
    let mailboxes = Arc::new(Mailboxes::default());
    if let Some(listener) = listener {
        let (mesh, mailboxes) = (mesh.clone(), Arc::clone(&mailboxes));
        tasks.spawn(admin::serve(listener, admin::Admin { mesh, mailboxes, readiness: Arc::clone(&readiness) }));
    }
    let session = Arc::new(Session { mesh, facts, journal, mailboxes, readiness: Arc::clone(&readiness), stop });
    tasks.spawn(server.run(Arc::clone(&session)));
    let api = api::Api::new(Arc::clone(&session), config.api)?;
    if !api_listeners.is_empty() {
        tasks.spawn(Arc::clone(&api).serve(api_listeners));
    }
    Ok(Running { session, tasks, api, readiness, dev })
}

/// Development mode takes any free port if the usual one is taken: by another such node, most likely.
async fn start_mesh(options: MeshOptions, dev: bool) -> Result<Mesh, Problem> {
    let again = dev.then(|| options.clone());
    match (Mesh::start(options).await, again) {
        (Err(StartError::Listen { source, .. }), Some(mut options)) if source.kind() == io::ErrorKind::AddrInUse => {
            let any = |endpoint: &io_tokio::Endpoint| match endpoint.0.rsplit_once(':') {
                Some((host, _)) => io_tokio::Endpoint::new(&format!("{host}:0")),
                None => endpoint.clone(),
            };
            options.listen = options.listen.iter().map(any).collect();
            Mesh::start(options).await.map_err(cannot_start)
        }
        (result, _) => result.map_err(cannot_start),
    }
}

fn cannot_start(why: StartError) -> Problem {
    let what = why.to_string();
    let problem = |code| Problem::new(code, Exit::CannotStart, what.clone());
    match why {
        StartError::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse => {
            problem(Code::E0301).try_this("ss -ltnp").try_this("another port, or port 0 for any free one")
        }
        StartError::Listen { .. } => problem(Code::E0301),
        StartError::Data(DataError::Locked { .. }) => problem(Code::E0302).try_this("node status"),
        StartError::Data(DataError::KeyExposed { .. }) => problem(Code::E0202),
        StartError::Data(DataError::Corrupt { .. }) => problem(Code::E0201),
        StartError::Data(DataError::Io { .. }) => problem(Code::E0303),
        StartError::Tls(_) => problem(Code::E0207),
        StartError::NoPsk | StartError::BadEndpoint { .. } | StartError::NoEndpoint | StartError::Entropy(_) => {
            problem(Code::E0310)
        }
    }
}

async fn bind_admin(config: &Config, dev: bool) -> Result<Option<TcpListener>, Problem> {
    let Some(addr) = config.admin.listen else { return Ok(None) };
    let bound = match TcpListener::bind(addr).await {
        Err(why) if dev && why.kind() == io::ErrorKind::AddrInUse => {
            TcpListener::bind(SocketAddr::new(addr.ip(), 0)).await
        }
        bound => bound,
    };
    bound.map(Some).map_err(|why| {
        Problem::new(Code::E0301, Exit::CannotStart, format!("cannot listen at {addr} (admin.listen): {why}"))
            .try_this("--set admin.listen=127.0.0.1:0")
    })
}

fn socket_path(config: &Config, id: &str) -> Result<std::path::PathBuf, Problem> {
    if let Some(path) = &config.control.socket {
        return Ok(path.clone());
    }
    let dir = control::dir_for_us();
    let dir = dir.map_err(|why| Problem::new(Code::E0307, Exit::CannotStart, why.to_string()))?;
    Ok(control::socket_in(&dir, id))
}

impl Running {
    /// Says that the node is up, where, and how others join.
    pub(super) fn announce(&self, cx: &Context) {
        let facts = &self.session.facts;
        let id = self.session.mesh.name();
        let out = cx.output();
        if cx.format != Format::Table {
            // A node whose output nobody reads runs all the same.
            let _ = out.json(&serde_json::json!({
                "schema": "firelink.run/v1",
                "id": id,
                "listen": facts.listen,
                "api": facts.api,
                "admin": facts.admin,
                "control": facts.control,
                "pid": std::process::id(),
                "dev": self.dev.is_some(),
            }));
            return;
        }
        let mode = if self.dev.is_some() { "  (development mode: loopback only, throw-away identity)" } else { "" };
        let listen = if facts.listen.is_empty() { "nowhere".to_owned() } else { facts.listen.join("  ") };
        let mut text = format!("firelink {}  node {id}{mode}\n  listen    {listen}\n", env!("CARGO_PKG_VERSION"));
        for api in &facts.api {
            text.push_str(&format!("  api       http://{api}/api/v1\n"));
        }
        if let Some(admin) = &facts.admin {
            text.push_str(&format!("  metrics   http://{admin}/metrics\n"));
        }
        text.push_str(&format!("  control   {}\n", facts.control.display()));
        if let (Some(_), Some(url)) = (&self.dev, facts.listen.first()) {
            let addr = url.split_once("://").map_or(url.as_str(), |(_, addr)| addr);
            text.push_str(&format!("  join with node run --dev --join {addr}\n"));
            text.push_str(&format!("  try       node --node {id} recv\n"));
        }
        text.push_str(&format!("ready in {}\n", clock::humane(facts.started.elapsed())));
        let _ = out.text(&text);
    }
}
