//! What the process tells its caller when it ends.

use std::process::ExitCode;

/// The exit codes of both binaries. One table; a number never changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// 0: done.
    Done,
    /// 1: failed, or the answer is "no".
    Failed,
    /// 2: a bad flag, a missing argument, an ambiguous one.
    Usage,
    /// 3: the configuration is invalid; nothing was started.
    Config,
    /// 4: cannot start: port taken, data directory locked, identity unusable.
    CannotStart,
    /// 5: no running node to talk to.
    NoNode,
    /// 6: not authorised.
    NotAuthorised,
    /// 7: not found.
    NotFound,
    /// 8: no route, no responder, peer offline.
    NoRoute,
    /// 9: timed out, the outcome is unknown.
    Unknown,
    /// 10: conflict: it exists already, or changed in between.
    Conflict,
    /// 11: some of many failed.
    Partial,
    /// 12: a hash, signature or pinned identity does not match.
    Integrity,
    /// 130: interrupted before it was done.
    Interrupted,
    /// 143: terminated before it was done.
    Terminated,
}

impl Exit {
    /// The number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Config => 3,
            Self::CannotStart => 4,
            Self::NoNode => 5,
            Self::NotAuthorised => 6,
            Self::NotFound => 7,
            Self::NoRoute => 8,
            Self::Unknown => 9,
            Self::Conflict => 10,
            Self::Partial => 11,
            Self::Integrity => 12,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, path::Path};

    #[test]
    fn the_table_for_users_has_every_code() {
        let all = [
            Exit::Done,
            Exit::Failed,
            Exit::Usage,
            Exit::Config,
            Exit::CannotStart,
            Exit::NoNode,
            Exit::NotAuthorised,
            Exit::NotFound,
            Exit::NoRoute,
            Exit::Unknown,
            Exit::Conflict,
            Exit::Partial,
            Exit::Integrity,
            Exit::Interrupted,
            Exit::Terminated,
        ];
        let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/CLI.md")).unwrap();
        let codes = page.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" |")?.0.parse().ok());
        assert_eq!(codes.collect::<Vec<u8>>(), all.map(Exit::number));
    }
}
