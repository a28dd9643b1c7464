//! What `signal run` is told.

use std::{fs, io, os::unix::fs::PermissionsExt as _, path::PathBuf};

use clap::{Args, Parser, Subcommand};
use io_tokio::{MeshOptions, NodeName, Psk};

/// The meeting point of a mesh.
#[derive(Debug, Parser)]
#[command(
    name = "signal",
    version,
    after_help = "Examples:\n  signal run --token-file mesh.token\n  signal run --listen tcp://0.0.0.0:29090 --name sig1 --token-file mesh.token --data-dir /var/lib/firelink-signal"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Runs the server until SIGTERM.
    Run(Run),
}

/// How to run.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Where to listen; may be given several times.
    #[arg(long, value_name = "URL", default_value = "tcp://127.0.0.1:29090")]
    listen: Vec<String>,
    /// The server's name in the mesh.
    #[arg(long, default_value = "signal")]
    name: NodeName,
    /// The mesh's network.
    #[arg(long, default_value = "default")]
    network: String,
    /// A file with the mesh's token, readable by its owner only.
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,
    /// Take a token that can be guessed: one of less than 16 characters, or the published default of Majula.
    #[arg(long)]
    allow_weak_token: bool,
    /// Where identity and known nodes are kept; without it the server is another one with every start.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// What to log, as `level` or `target=level,...`.
    #[arg(long, env = "FIRELINK_LOG", default_value = "info")]
    pub(crate) log: String,
}

impl Run {
    /// The options of the relay.
    pub(crate) fn options(self) -> Result<MeshOptions, BadToken> {
        let psk = token(&self.token_file, self.allow_weak_token)?;
        let mut options = MeshOptions::new(psk).name(self.name);
        for url in &self.listen {
            options = options.listen(url);
        }
        options.network = self.network.into();
        options.data_dir = self.data_dir;
        Ok(options)
    }
}

/// Why the token cannot be used.
#[derive(Debug)]
pub(crate) enum BadToken {
    /// The file cannot be read.
    Unreadable(PathBuf, io::Error),
    /// Others may read the file.
    Exposed(PathBuf),
    /// Nothing is in it.
    Empty(PathBuf),
    /// What is in it can be guessed.
    Weak(PathBuf),
}

impl std::fmt::Display for BadToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreadable(path, error) => write!(f, "the token file {} cannot be read: {error}", path.display()),
            Self::Exposed(path) => write!(f, "others may read the token: chmod 600 {}", path.display()),
            Self::Empty(path) => write!(f, "the token file {} is empty", path.display()),
            Self::Weak(path) => write!(
                f,
                "the token in {} can be guessed: make one with `node token create`, or add --allow-weak-token",
                path.display()
            ),
        }
    }
}

fn token(path: &PathBuf, allow_weak: bool) -> Result<Psk, BadToken> {
    let unreadable = |error| BadToken::Unreadable(path.clone(), error);
    let mode = fs::metadata(path).map_err(unreadable)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(BadToken::Exposed(path.clone()));
    }
    let text = fs::read_to_string(path).map_err(unreadable)?;
    match text.trim() {
        "" => Err(BadToken::Empty(path.clone())),
        token if !allow_weak && Psk::weakness(token).is_some() => Err(BadToken::Weak(path.clone())),
        token => Ok(Psk::from_token(token.as_bytes())),
    }
}
