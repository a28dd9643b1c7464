//! `node run`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::{Context, check};
use crate::{
    config,
    errors::{Code, Exit, Failed, Problem},
    run::{self, Start, dev},
};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  node run cfg.yaml
  node run --dev                       loopback only, throw-away identity; prints how to join
  node run --dev --join 127.0.0.1:29090
  node run cfg.yaml --set log.level=debug --check-only")]
pub(super) struct RunArgs {
    /// The configuration (also: the variable FIRELINK_CONFIG)
    #[arg(value_name = "CFG", value_hint = ValueHint::FilePath, conflicts_with = "dev")]
    file: Option<PathBuf>,
    /// Run without a file: loopback only, with an identity and a token that end with the process
    #[arg(long)]
    dev: bool,
    /// Dial this node as well: HOST:PORT, tcp://HOST:PORT or tls://HOST:PORT; may be repeated
    #[arg(long, value_name = "URL")]
    join: Vec<String>,
    /// With --dev: the file with the token of the node to join, if it is not one of this user
    #[arg(long, value_name = "PATH", requires = "dev", value_hint = ValueHint::FilePath)]
    token_file: Option<PathBuf>,
    /// Lay a value over the file; may be repeated
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Check the configuration and start nothing
    #[arg(long)]
    check_only: bool,
}

pub(super) fn run(args: RunArgs, cx: &Context) -> Result<Exit, Failed> {
    let join = args.join.iter().map(|url| config::dial_url(url)).collect::<Result<Vec<_>, _>>();
    let join = join.map_err(|why| Problem::new(Code::E0411, Exit::Usage, format!("--join: {why}")))?;
    let named = || std::env::var_os("FIRELINK_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
    let file = args.file.or_else(named);
    let (mut loaded, dev) = match (&file, args.dev) {
        (Some(file), false) => (check::load(file, &args.set, cx)?, None),
        (_, true) => {
            let dev = dev::Dev::prepare(&join, args.token_file.as_deref())?;
            (dev.load(&args.set, &check::environment()), Some(dev))
        }
        (None, false) => {
            let what = "`node run` needs a configuration file, or --dev";
            let problem = Problem::new(Code::E0411, Exit::Usage, what).try_this("node run --dev");
            return Err(problem.try_this("node config default > cfg.yaml").into());
        }
    };
    if !join.is_empty() {
        loaded.found.retain(|one| one.code != Code::W0112);
    }
    check::say(&loaded, cx);
    if loaded.errors() > 0 {
        return Ok(Exit::Config);
    }
    if args.check_only {
        return Ok(Exit::Done);
    }
    run::run(Start { config: loaded.config, join, dev }, cx)
}
