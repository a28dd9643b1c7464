//! What a node must not forget between two runs: who it is, and how often it has started.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

use proto_core::id::Incarnation;

/// What the state directory keeps.
pub(crate) struct State {
    /// Makes the identity.
    pub(crate) seed: [u8; 32],
    /// Greater with every start, so that others take this run for a later life of the same node.
    pub(crate) incarnation: Incarnation,
}

/// Reads the state in `dir` for another start. The first start makes it.
pub(crate) fn load(dir: &Path) -> io::Result<State> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let at = dir.join("identity.seed");
    let seed = match fs::read(&at) {
        Ok(bytes) => bytes.try_into().map_err(|_| io::Error::other(format!("{} is damaged", at.display())))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let seed = entropy()?;
            replace(&at, &seed)?;
            seed
        }
        Err(error) => return Err(error),
    };
    let at = dir.join("incarnation");
    let last: u64 = match fs::read_to_string(&at) {
        Ok(text) => text.trim().parse().map_err(|_| io::Error::other(format!("{} is damaged", at.display())))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    let incarnation = last.saturating_add(1);
    replace(&at, incarnation.to_string().as_bytes())?;
    Ok(State { seed, incarnation: Incarnation(incarnation) })
}

/// 32 bytes from the operating system.
pub(crate) fn entropy() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Writes a file for its owner alone. After a crash it is there whole, or as it was before.
fn replace(at: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = at.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, at)?;
    at.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn a_second_start_is_a_later_life_of_the_same_node() {
        let dir = std::env::temp_dir().join(format!("embed-mio-state-{}", std::process::id()));
        let (first, second) = (load(&dir).unwrap(), load(&dir).unwrap());
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!(first.seed, second.seed);
        assert!(first.incarnation < second.incarnation);
    }
}
