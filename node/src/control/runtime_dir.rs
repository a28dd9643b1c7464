//! Where sockets live: `$XDG_RUNTIME_DIR/firelink`, `/run/firelink` for root, or a private folder in `/tmp`.

use std::{
    env, fs, io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

/// Every folder in which a node that this user may command can have its socket, the one for our own nodes first.
pub(crate) fn candidates() -> Vec<PathBuf> {
    let uid = rustix::process::geteuid();
    let mut all = Vec::new();
    if let Some(dir) = env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty()) {
        all.push(PathBuf::from(dir).join("firelink"));
    }
    if uid.is_root() {
        all.push(PathBuf::from("/run/firelink"));
    } else {
        all.push(env::temp_dir().join(format!("firelink-{}", uid.as_raw())));
    }
    all
}

/// The folder for our own sockets. It is made if it is not there, and it is ours alone: anything else is an error, since
/// in `/tmp` somebody else might have been first.
///
/// # Errors
/// It cannot be made, or is not ours alone.
pub(crate) fn dir_for_us() -> io::Result<PathBuf> {
    let dir = candidates().into_iter().next().unwrap_or_default();
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir);
    made.map_err(|why| said(&dir, &why.to_string()))?;
    let meta = fs::symlink_metadata(&dir)?;
    if !meta.is_dir() || meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(said(&dir, "it belongs to somebody else"));
    }
    if meta.mode() & 0o077 != 0 {
        return Err(said(&dir, "others may enter it; run: chmod 700"));
    }
    Ok(dir)
}

/// Whether only this user or root can have put sockets into a folder.
pub(crate) fn is_trusted(dir: &Path) -> bool {
    fs::symlink_metadata(dir).is_ok_and(|meta| meta.is_dir() && is_us(meta.uid()) && meta.mode() & 0o022 == 0)
}

/// Whether a user is this one, or root.
pub(crate) fn is_us(uid: u32) -> bool {
    uid == 0 || uid == rustix::process::geteuid().as_raw()
}

/// The socket of a node in a folder.
pub(crate) fn socket_in(dir: &Path, id: &str) -> PathBuf {
    dir.join(format!("{id}.sock"))
}

/// Removes a socket, if it is one.
pub(crate) fn remove_socket(path: &Path) {
    use std::os::unix::fs::FileTypeExt as _;
    if fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket()) {
        let _ = fs::remove_file(path);
    }
}

fn said(dir: &Path, what: &str) -> io::Error {
    io::Error::other(format!("{}: {what}", dir.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_others_can_write_to_or_that_is_a_link_is_not_trusted() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("dir");
        fs::create_dir(&dir).unwrap();
        for (mode, trusted) in [(0o700, true), (0o755, true), (0o770, false), (0o702, false), (0o777, false)] {
            fs::set_permissions(&dir, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(is_trusted(&dir), trusted, "{mode:o}");
        }
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
        symlink(&dir, root.path().join("link")).unwrap();
        assert!(!is_trusted(&root.path().join("link")));
        assert!(!is_trusted(&root.path().join("nothing")));
    }

    #[test]
    fn another_user_is_not_us() {
        assert!(is_us(0) && is_us(rustix::process::geteuid().as_raw()));
        assert!(!is_us(rustix::process::geteuid().as_raw() + 1));
    }
}
