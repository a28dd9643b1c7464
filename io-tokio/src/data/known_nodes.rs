//! The file of pinned keys: `name ed25519:<64 hex digits>` per line, comments after `#`. Made to be read and, to forget a
//! node, edited by people. `name forgotten` takes back what the lines above it say of that name; such lines go when the
//! file is next opened, with what they took back.
//!
//! Lines are only ever appended while the node runs. A crash may leave a last line without its end: it was never acknowledged, and is cut
//! off. Any other line that makes no sense stops the node: leaving it out would unpin a name without a word.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use proto_core::{id::NodeName, node::Record, secure::PublicKey};
use tracing::warn;

use super::{
    dir::{self, DataError},
    hex,
};

const KEY_PREFIX: &str = "ed25519:";
const FORGOTTEN: &str = "forgotten";

/// The open file, positioned at its end.
#[derive(Debug)]
pub(crate) struct KnownNodes {
    file: File,
}

impl KnownNodes {
    /// Opens or makes the file, and reads what is in it.
    pub(crate) fn open(path: &Path) -> Result<(Self, Vec<(NodeName, PublicKey)>), DataError> {
        let failed = || DataError::io(path);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(failed())?;
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(failed())?;
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        if whole < text.len() {
            warn!(file = %path.display(), "cut off an unfinished last line");
            file.set_len(whole as u64).and_then(|()| file.sync_all()).map_err(failed())?;
            file.seek(io::SeekFrom::End(0)).map_err(failed())?;
        }
        dir::sync_parent(path)?;
        let text = &text[..whole];
        let pins = parse(path, text)?;
        if let Some(rest) = without_forgotten(text) {
            dir::replace(path, rest.as_bytes())?;
            file = OpenOptions::new().append(true).open(path).map_err(failed())?;
        }
        Ok((Self { file }, pins))
    }

    /// Appends records and makes them durable.
    pub(crate) fn append(&mut self, records: &[Record]) -> io::Result<()> {
        let mut text = String::new();
        for record in records {
            match record {
                Record::Pin { name, key } => {
                    text.push_str(&format!("{name} {KEY_PREFIX}{}\n", hex::encode(&key.0)));
                }
                Record::Unpin { name } => text.push_str(&format!("{name} {FORGOTTEN}\n")),
            }
        }
        self.file.write_all(text.as_bytes())?;
        self.file.sync_data()
    }
}

#[cfg(test)]
impl KnownNodes {
    /// A file that every write to fails.
    pub(super) fn read_only(path: &Path) -> Self {
        Self { file: OpenOptions::new().read(true).open(path).unwrap() }
    }
}

fn parse(path: &Path, text: &str) -> Result<Vec<(NodeName, PublicKey)>, DataError> {
    let mut pins: BTreeMap<NodeName, PublicKey> = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let corrupt = |problem| DataError::Corrupt { path: path.to_owned(), line: index + 1, problem };
        let line = meaning(line);
        if line.is_empty() {
            continue;
        }
        let (name, key) = line.split_once(' ').ok_or_else(|| corrupt("expected: name ed25519:key"))?;
        let name = NodeName::new(name).map_err(|_| corrupt("not a node name"))?;
        if key.trim() == FORGOTTEN {
            pins.remove(&name);
            continue;
        }
        let key = key.trim().strip_prefix(KEY_PREFIX).and_then(hex::decode).map(PublicKey);
        let key = key.ok_or_else(|| corrupt("expected ed25519: and 64 hexadecimal digits"))?;
        if pins.insert(name, key).is_some_and(|before| before != key) {
            return Err(corrupt("a second key for a name that has one"));
        }
    }
    Ok(pins.into_iter().collect())
}

/// The text without the lines that forget, and without what they forget; `None` if there is none.
fn without_forgotten(text: &str) -> Option<String> {
    let mut forgotten = BTreeSet::new();
    let mut kept = Vec::new();
    for line in text.lines().rev() {
        match meaning(line).split_once(' ') {
            Some((name, key)) if key.trim() == FORGOTTEN => _ = forgotten.insert(name),
            Some((name, _)) if forgotten.contains(name) => {}
            Some(_) | None => kept.push(line),
        }
    }
    let rest = || kept.iter().rev().flat_map(|line| [line, "\n"]).collect();
    (!forgotten.is_empty()).then(rest)
}

/// A line without its comment.
fn meaning(line: &str) -> &str {
    line.split('#').next().unwrap_or("").trim()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn pin(name: &str, key: u8) -> (NodeName, PublicKey) {
        (NodeName::new(name).unwrap(), PublicKey([key; 32]))
    }

    fn record(name: &str, key: u8) -> Record {
        let (name, key) = pin(name, key);
        Record::Pin { name, key }
    }

    #[test]
    fn what_was_appended_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("known_nodes");
        let (mut file, pins) = KnownNodes::open(&path).unwrap();
        assert_eq!(pins, []);
        file.append(&[record("b", 2), record("a", 1)]).unwrap();
        file.append(&[record("c", 3)]).unwrap();
        drop(file);
        let (mut file, pins) = KnownNodes::open(&path).unwrap();
        assert_eq!(pins, [pin("a", 1), pin("b", 2), pin("c", 3)]);
        file.append(&[record("d", 4)]).unwrap();
        drop(file);
        assert_eq!(KnownNodes::open(&path).unwrap().1.len(), 4);
    }

    #[test]
    fn what_is_forgotten_is_gone_when_the_file_is_opened_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("known_nodes");
        fs::write(&path, format!("# by hand\na ed25519:{} # old\n", "01".repeat(32))).unwrap();
        let (mut file, _) = KnownNodes::open(&path).unwrap();
        let forget = |name: &str| Record::Unpin { name: NodeName::new(name).unwrap() };
        file.append(&[record("b", 2), forget("a"), record("c", 3), forget("b"), record("a", 9)]).unwrap();
        drop(file);
        let (mut file, pins) = KnownNodes::open(&path).unwrap();
        assert_eq!(pins, [pin("a", 9), pin("c", 3)]);
        let keys = ["03", "09"].map(|byte| byte.repeat(32));
        let expected = format!("# by hand\nc ed25519:{}\na ed25519:{}\n", keys[0], keys[1]);
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        file.append(&[record("d", 4)]).unwrap();
        drop(file);
        assert_eq!(KnownNodes::open(&path).unwrap().1.len(), 3);
    }

    #[test]
    fn a_crash_in_the_middle_of_a_line_loses_that_line_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("known_nodes");
        KnownNodes::open(&path).unwrap().0.append(&[record("a", 1), record("b", 2)]).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, &text[..text.len() - 1]).unwrap();
        let (mut file, pins) = KnownNodes::open(&path).unwrap();
        assert_eq!(pins, [pin("a", 1)]);
        file.append(&[record("c", 3)]).unwrap();
        drop(file);
        assert_eq!(KnownNodes::open(&path).unwrap().1, [pin("a", 1), pin("c", 3)]);
    }

    #[test]
    fn a_bad_line_is_reported_with_its_number() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("known_nodes");
        let key = "11".repeat(32);
        let other = "22".repeat(32);
        let cases = [
            ("a\n".to_owned(), 1),
            (format!("# hand-made\n\na ed25519:{key} # the first\nb {key}\n"), 4),
            (format!("a! ed25519:{key}\n"), 1),
            (format!("a ed25519:{}\n", &key[1..]), 1),
            (format!("a ed25519:{key}\na ed25519:{key}\na ed25519:{other}\n"), 3),
        ];
        for (text, expected) in cases {
            fs::write(&path, &text).unwrap();
            let found = match KnownNodes::open(&path) {
                Err(DataError::Corrupt { line, .. }) => line,
                other => panic!("{text:?} gave {other:?}"),
            };
            assert_eq!(found, expected, "{text:?}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text, "the file is left as it was");
        }
    }
}
