//! The incarnation file: which life of the node this is, larger than every earlier one, even if the calendar went back.

use std::{fs, io, path::Path};

use proto_core::{id::Incarnation, time::WallTime};

use super::dir::{self, DataError};

/// The next incarnation: the calendar's milliseconds, or one more than the last if that is larger. Durable on return.
pub(crate) fn next(path: &Path, wall: WallTime) -> Result<Incarnation, DataError> {
    let last = match fs::read_to_string(path) {
        Ok(text) => text.trim_end().parse::<u64>().map_err(|_| DataError::Corrupt {
            path: path.to_owned(),
            line: 1,
            problem: "no incarnation: a number is expected",
        })?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(DataError::io(path)(error)),
    };
    let next = last.saturating_add(1).max(wall.0);
    dir::replace(path, format!("{next}\n").as_bytes())?;
    Ok(Incarnation(next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incarnations_grow_even_when_the_calendar_goes_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("incarnation");
        assert_eq!(next(&path, WallTime(5_000)).unwrap(), Incarnation(5_000));
        assert_eq!(next(&path, WallTime(4_000)).unwrap(), Incarnation(5_001));
        assert_eq!(next(&path, WallTime(5_001)).unwrap(), Incarnation(5_002));
        assert_eq!(next(&path, WallTime(9_000)).unwrap(), Incarnation(9_000));
    }

    #[test]
    fn a_crash_before_the_rename_leaves_the_last_one_in_force() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("incarnation");
        next(&path, WallTime(7)).unwrap();
        fs::write(dir.path().join("incarnation.new"), "99").unwrap();
        assert_eq!(next(&path, WallTime(0)).unwrap(), Incarnation(8));
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("incarnation");
        for damaged in ["", "x", "-1"] {
            fs::write(&path, damaged).unwrap();
            assert!(matches!(next(&path, WallTime(1)), Err(DataError::Corrupt { .. })), "{damaged:?}");
        }
    }
}
