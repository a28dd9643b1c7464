//! The log: one line per thing, for people or as JSON, to standard error or to a file that is put away by size.
//!
//! Nothing secret is ever passed to it: secrets have a type that prints nothing.

mod rolling;

use std::{
    io::{self, Write as _},
    panic::PanicHookInfo,
};

use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{EnvFilter, Layer, Registry, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::{
    config::{Log, LogFormat},
    errors::{Code, Exit, Problem},
};
use rolling::Rolling;

/// Lines that wait to be written. More are dropped rather than hold the node up, and the last line says how many.
const LINES_WAITING: usize = 65_536;

/// What a run wants of its log beside the configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wishes {
    /// How often `-v` was said.
    pub(crate) verbose: u8,
    /// Whether `-q` was said.
    pub(crate) quiet: bool,
    /// Whether standard error takes colours.
    pub(crate) colour: bool,
}

/// Writes what still waits when it is dropped. Hold it until the end.
#[derive(Debug)]
#[must_use]
pub(crate) struct Guard {
    worker: Option<WorkerGuard>,
    dropped: ErrorCounter,
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.worker.take());
        let lines = self.dropped.dropped_lines();
        if lines > 0 {
            // Without standard error nobody is left to tell.
            let _ = writeln!(
                io::stderr(),
                "{lines} lines of the log were dropped: they came faster than they were written"
            );
        }
    }
}

/// Starts the log of this process.
///
/// # Errors
/// The file cannot be opened, or there is a log already.
pub(crate) fn start(log: &Log, wishes: Wishes) -> Result<Guard, Problem> {
    let failed = |why: String| Problem::new(Code::E0309, Exit::CannotStart, why);
    let filter = std::env::var("FIRELINK_LOG").ok().filter(|text| !text.is_empty());
    let filter = match (filter, wishes.verbose, wishes.quiet) {
        (Some(text), _, _) => text,
        (None, 0, true) => "warn".to_owned(),
        (None, 0, false) => log.level.clone(),
        (None, 1, _) => "debug".to_owned(),
        (None, _, _) => "trace".to_owned(),
    };
    let filter = EnvFilter::try_new(&filter).map_err(|why| failed(format!("log filter `{filter}`: {why}")))?;
    let (writer, worker) = match &log.file {
        None => non_blocking(io::stderr()),
        Some(file) => {
            let rolling = Rolling::open(file).map_err(|why| failed(format!("{}: {why}", file.path.display())))?;
            non_blocking(rolling)
        }
    };
    let dropped = writer.error_counter();
    let colour = wishes.colour && log.file.is_none();
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(colour).with_target(wishes.verbose > 0);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match log.format {
        LogFormat::Text => lines.with_filter(filter).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_filter(filter).boxed(),
    };
    tracing_subscriber::registry().with(lines).try_init().map_err(|why| failed(why.to_string()))?;
    std::panic::set_hook(hook(std::panic::take_hook(), log.file.is_none()));
    Ok(Guard { worker: Some(worker), dropped })
}

/// What is done at a panic.
type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

/// A panic is a line of the log like any other: in its file, and in its format. Where that is not on standard error, it is
/// said there too, as `previous` does.
fn hook(previous: Hook, on_stderr: bool) -> Hook {
    Box::new(move |panic| {
        let what = panic.payload_as_str().unwrap_or("no message");
        let at = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(at, "panicked: {what}");
        if !on_stderr || !tracing::enabled!(tracing::Level::ERROR) {
            previous(panic);
        }
    })
}

fn non_blocking(writer: impl io::Write + Send + 'static) -> (NonBlocking, WorkerGuard) {
    NonBlockingBuilder::default().buffered_lines_limit(LINES_WAITING).lossy(true).finish(writer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        panic,
        sync::{Arc, Mutex},
    };

    #[test]
    fn a_panic_is_said_on_standard_error_unless_the_log_says_it_there() {
        // The hook is that of the whole process: other tests may panic meanwhile.
        let said = Arc::new(Mutex::new(Vec::new()));
        let standard: Arc<Hook> = Arc::new(panic::take_hook());
        let panic_with = |on_stderr: bool, what: &'static str| {
            let (said, standard) = (Arc::clone(&said), Arc::clone(&standard));
            let previous: Hook = Box::new(move |panic| match panic.payload_as_str() {
                Some(what @ ("to a file" | "to nowhere" | "to standard error")) => {
                    said.lock().unwrap().push(what.to_owned())
                }
                Some(_) | None => standard(panic),
            });
            panic::set_hook(hook(previous, on_stderr));
            assert!(panic::catch_unwind(|| panic::panic_any(what)).is_err());
            drop(panic::take_hook());
        };
        let log = tracing_subscriber::fmt().with_writer(io::sink).finish();
        tracing::subscriber::with_default(log, || {
            panic_with(false, "to a file");
            panic_with(true, "to standard error");
        });
        panic_with(true, "to nowhere");
        panic::set_hook(Box::new(move |panic| standard(panic)));
        assert_eq!(*said.lock().unwrap(), ["to a file", "to nowhere"]);
    }
}
