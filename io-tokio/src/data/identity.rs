//! The identity key file: the seed of a node's key pair, for its owner's eyes only.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use rustix::rand::{GetRandomFlags, getrandom};
use zeroize::Zeroizing;

use super::{
    dir::{self, DataError},
    hex,
};

/// What the file's one line begins with.
const PREFIX: &str = "firelink-identity-v1 ";

/// Reads the seed from a key file, or makes a new one where there is no file.
pub(crate) fn load_or_create(path: &Path) -> Result<Zeroizing<[u8; 32]>, DataError> {
    let mut file = match OpenOptions::new().read(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return create(path),
        Err(error) => return Err(DataError::io(path)(error)),
    };
    let mode = file.metadata().map_err(DataError::io(path))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(DataError::KeyExposed { path: path.to_owned(), mode });
    }
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text).map_err(DataError::io(path))?;
    let seed = text.trim_end().strip_prefix(PREFIX).and_then(hex::decode);
    let corrupt = || DataError::Corrupt { path: path.to_owned(), line: 1, problem: "no identity key" };
    seed.map(Zeroizing::new).ok_or_else(corrupt)
}

/// 32 random bytes from the operating system.
pub(crate) fn fresh_seed() -> io::Result<Zeroizing<[u8; 32]>> {
    let mut seed = Zeroizing::new([0; 32]);
    let mut filled = 0;
    while filled < seed.len() {
        match getrandom(&mut seed[filled..], GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(seed)
}

fn create(path: &Path) -> Result<Zeroizing<[u8; 32]>, DataError> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(parent).map_err(DataError::io(parent))?;
    }
    let seed = fresh_seed().map_err(DataError::io(path))?;
    let digits = Zeroizing::new(hex::encode(&seed));
    let line = Zeroizing::new(format!("{PREFIX}{}\n", *digits));
    dir::replace(path, line.as_bytes())?;
    Ok(seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("identity.key");
        let made = load_or_create(&path).unwrap();
        assert_ne!(*made, [0; 32]);
        assert_eq!(*load_or_create(&path).unwrap(), *made);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("identity.key");
        load_or_create(&path).unwrap();
        for mode in [0o640, 0o604, 0o660] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(matches!(load_or_create(&path), Err(DataError::KeyExposed { mode: found, .. }) if found == mode));
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        assert!(load_or_create(&path).is_ok());
    }

    #[test]
    fn a_damaged_key_is_refused_and_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("identity.key");
        load_or_create(&path).unwrap();
        let whole = fs::read_to_string(&path).unwrap();
        for damaged in ["", "firelink-identity-v1 ", &whole[..40], &whole.replace("v1", "v2")] {
            fs::write(&path, damaged).unwrap();
            assert!(matches!(load_or_create(&path), Err(DataError::Corrupt { line: 1, .. })), "{damaged:?}");
            assert_eq!(fs::read_to_string(&path).unwrap(), damaged);
        }
    }
}
