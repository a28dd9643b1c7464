//! A log file that is put away when it is full: `node.log` becomes `node.log.1`, that one `node.log.2`, and so on.
//!
//! Whoever moves or deletes the file while it is written (another program that puts logs away) loses no more than what
//! is written until it would have been full: then a new one is begun. If a full file cannot be put away it grows on, since
//! a line that is in the wrong place is better than one that is nowhere.
//!
//! Bounds: `keep` old files; a file is larger than `max_size` only by a line that is, or as long as it cannot be put away.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use crate::config::LogFile;

/// The file that is written, and how it is put away.
#[derive(Debug)]
pub(super) struct Rolling {
    options: LogFile,
    file: File,
    size: u64,
}

impl Rolling {
    /// Goes on with a file, or begins one. Old files that are too many by now are deleted.
    pub(super) fn open(options: &LogFile) -> io::Result<Self> {
        if let Some(folder) = options.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder)?;
        }
        let (file, size) = open(&options.path)?;
        let this = Self { options: options.clone(), file, size };
        // There is no gap between the old files.
        (options.keep + 1..).map(|number| this.old(number)).take_while(|old| fs::remove_file(old).is_ok()).count();
        Ok(this)
    }

    fn old(&self, number: u64) -> PathBuf {
        let mut path = self.options.path.clone().into_os_string();
        path.push(format!(".{number}"));
        path.into()
    }

    /// Puts the file away and begins a new one. The oldest makes room.
    fn roll(&mut self) -> io::Result<()> {
        let oldest = (1..self.options.keep).find(|number| !self.old(*number).exists()).unwrap_or(self.options.keep);
        for number in (1..oldest).rev() {
            fs::rename(self.old(number), self.old(number + 1))?;
        }
        match fs::rename(&self.options.path, self.old(1)) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
            Ok(()) | Err(_) => {}
        }
        (self.file, self.size) = open(&self.options.path)?;
        Ok(())
    }
}

impl Write for Rolling {
    /// Writes a whole line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let len = line.len() as u64;
        if self.size > 0 && self.size + len > self.options.max_size && self.roll().is_err() {
            // To be tried again when it has grown by as much once more.
            self.size = 0;
        }
        self.file.write_all(line)?;
        self.size += len;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new().append(true).create(true).mode(0o640).open(path)?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn options(folder: &Path, max_size: u64, keep: u64) -> LogFile {
        LogFile { path: folder.join("sub/node.log"), max_size, keep }
    }

    /// Lines of ten bytes.
    fn write(log: &mut Rolling, lines: std::ops::Range<u32>) {
        lines.for_each(|line| log.write_all(format!("line {line:04}\n").as_bytes()).unwrap());
    }

    fn read(folder: &Path, name: &str) -> Option<String> {
        fs::read_to_string(folder.join("sub").join(name)).ok()
    }

    fn first_and_last(folder: &Path, name: &str) -> (String, String) {
        let text = read(folder, name).unwrap();
        (text.lines().next().unwrap().to_owned(), text.lines().last().unwrap().to_owned())
    }

    #[test]
    fn no_line_is_lost_or_cut_when_the_file_is_put_away() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Rolling::open(&options(folder.path(), 95, 1_000)).unwrap();
        write(&mut log, 0..1_000);
        let names = (1..=111).rev().map(|number| format!("node.log.{number}")).chain(["node.log".to_owned()]);
        let all: String = names.map(|name| read(folder.path(), &name).unwrap()).collect();
        let wanted: String = (0..1_000).map(|line| format!("line {line:04}\n")).collect();
        assert_eq!(all, wanted, "nine lines a file");
        assert!(read(folder.path(), "node.log.112").is_none());
    }

    #[test]
    fn as_many_old_files_are_kept_as_were_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Rolling::open(&options(folder.path(), 100, 2)).unwrap();
        write(&mut log, 0..45);
        assert_eq!(first_and_last(folder.path(), "node.log"), ("line 0040".into(), "line 0044".into()));
        assert_eq!(first_and_last(folder.path(), "node.log.1"), ("line 0030".into(), "line 0039".into()));
        assert_eq!(first_and_last(folder.path(), "node.log.2"), ("line 0020".into(), "line 0029".into()));
        assert_eq!(fs::read_dir(folder.path().join("sub")).unwrap().count(), 3);
        drop(log);
        Rolling::open(&options(folder.path(), 100, 1)).unwrap();
        assert_eq!(fs::read_dir(folder.path().join("sub")).unwrap().count(), 2, "fewer are asked for now");
        let mode = fs::metadata(folder.path().join("sub/node.log")).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode & !0o640, 0, "{mode:o}");
    }

    #[test]
    fn a_restart_goes_on_with_the_file() {
        let folder = tempfile::tempdir().unwrap();
        write(&mut Rolling::open(&options(folder.path(), 100, 3)).unwrap(), 0..7);
        write(&mut Rolling::open(&options(folder.path(), 100, 3)).unwrap(), 7..12);
        assert_eq!(first_and_last(folder.path(), "node.log.1"), ("line 0000".into(), "line 0009".into()));
        assert_eq!(first_and_last(folder.path(), "node.log"), ("line 0010".into(), "line 0011".into()));
    }

    #[test]
    fn a_file_that_was_moved_away_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Rolling::open(&options(folder.path(), 100, 3)).unwrap();
        write(&mut log, 0..5);
        fs::rename(folder.path().join("sub/node.log"), folder.path().join("sub/mine")).unwrap();
        write(&mut log, 5..13);
        assert_eq!(first_and_last(folder.path(), "mine"), ("line 0000".into(), "line 0009".into()));
        assert_eq!(first_and_last(folder.path(), "node.log"), ("line 0010".into(), "line 0012".into()));
    }

    #[test]
    fn a_file_that_cannot_be_put_away_grows_on() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Rolling::open(&options(folder.path(), 100, 1)).unwrap();
        let obstacle = folder.path().join("sub/node.log.1");
        fs::create_dir(&obstacle).unwrap();
        write(&mut log, 0..15);
        assert_eq!(first_and_last(folder.path(), "node.log"), ("line 0000".into(), "line 0014".into()));
        fs::remove_dir(obstacle).unwrap();
        write(&mut log, 15..25);
        assert_eq!(first_and_last(folder.path(), "node.log.1"), ("line 0000".into(), "line 0019".into()));
    }

    #[test]
    fn a_line_larger_than_a_file_has_one_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Rolling::open(&options(folder.path(), 15, 3)).unwrap();
        write(&mut log, 0..1);
        log.write_all(b"a line that is longer than the file may be\n").unwrap();
        write(&mut log, 1..2);
        assert_eq!(read(folder.path(), "node.log.1").unwrap().lines().count(), 1);
        assert_eq!(read(folder.path(), "node.log").unwrap(), "line 0001\n");
    }
}
