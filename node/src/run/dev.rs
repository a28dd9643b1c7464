//! Development mode: a node on loopback with an identity and a token that end with the process. The token is left in a
//! private file of the user, named after the address, so that another node of the same user can join by address alone.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use crate::{
    config::{self, Loaded, Request},
    control,
    errors::{Code, Exit, Problem},
};

/// Where a first node listens. Later ones on the same machine take any free port.
const USUAL_PORT: u16 = 29_090;
/// The variable that the generated configuration takes its token from.
const TOKEN_VARIABLE: &str = "FIRELINK_DEV_TOKEN";

/// One run in development mode. Its files go away with it.
#[derive(Debug)]
pub(crate) struct Dev {
    id: String,
    token: String,
    /// Everything of this run.
    folder: PathBuf,
    /// The file with the token, once the address is known.
    join_file: Option<PathBuf>,
}

impl Dev {
    /// A new identity, and a token: that of the node to join, or a new one.
    pub(crate) fn prepare(join: &[String], token_file: Option<&Path>) -> Result<Self, Problem> {
        let failed = |why: io::Error| Problem::new(Code::E0303, Exit::CannotStart, why.to_string());
        let runtime = control::dir_for_us().map_err(failed)?;
        let token = match (token_file, join.first()) {
            (Some(file), _) => read_token(file)?,
            (None, Some(url)) => read_token(&join_file(&runtime, url))?,
            (None, None) => random_hex(32).map_err(failed)?,
        };
        let id = format!("dev-{}", random_hex(2).map_err(failed)?);
        let folder = runtime.join(&id);
        fs::DirBuilder::new().mode(0o700).create(&folder).map_err(failed)?;
        Ok(Self { id, token, folder, join_file: None })
    }

    /// The configuration of this run, with the overrides of the user.
    pub(crate) fn load(&self, set: &[String], env: &[(String, String)]) -> Loaded {
        let text = format!(
            "version: 1
node: {{ id: {}, data_dir: {:?} }}
mesh:
  network: dev
  auth: {{ tokens: [ {{ env: {TOKEN_VARIABLE} }} ], allow_weak_tokens: true }}
  listen: [\"tcp://127.0.0.1:{USUAL_PORT}\"]
log: {{ level: warn }}
",
            self.id,
            self.folder.display().to_string(),
        );
        let mut env = env.to_vec();
        env.push((TOKEN_VARIABLE.to_owned(), self.token.clone()));
        config::load(Request { name: "development mode", folder: Path::new(""), text: Some(text), set, env: &env })
    }

    /// Leaves the token where a node that joins `listen` looks for it.
    pub(super) fn publish(&mut self, listen: &str) -> Result<(), Problem> {
        let failed = |why: io::Error| Problem::new(Code::E0303, Exit::CannotStart, why.to_string());
        let runtime = control::dir_for_us().map_err(failed)?;
        let path = join_file(&runtime, listen);
        // What a killed node left there, perhaps with other rights.
        let _ = fs::remove_file(&path);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
        io::Write::write_all(&mut file, self.token.as_bytes()).map_err(failed)?;
        self.join_file = Some(path);
        Ok(())
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        if let Some(file) = &self.join_file {
            let _ = fs::remove_file(file);
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The file with the token of the node that listens at `url`.
fn join_file(runtime: &Path, url: &str) -> PathBuf {
    let addr = url.split_once("://").map_or(url, |(_, addr)| addr).replace("localhost:", "127.0.0.1:");
    runtime.join(format!("join-{}.token", addr.replace('/', "_")))
}

fn read_token(file: &Path) -> Result<String, Problem> {
    let problem = |what: String| {
        Problem::new(Code::E0206, Exit::Config, what)
            .try_this("node run --dev, in another terminal, first")
            .try_this("node run --dev --join HOST:PORT --token-file FILE")
    };
    match fs::read_to_string(file) {
        Ok(token) if !token.trim().is_empty() => Ok(token.trim().to_owned()),
        Ok(_) => Err(problem(format!("{} is empty", file.display()))),
        Err(why) => Err(problem(format!("no token in {}: {why}", file.display()))),
    }
}

/// So many random bytes of the operating system, in hexadecimal digits.
pub(crate) fn random_hex(bytes: usize) -> io::Result<String> {
    let mut random = vec![0; bytes];
    let mut filled = 0;
    while filled < bytes {
        match rustix::rand::getrandom(&mut random[filled..], rustix::rand::GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}
