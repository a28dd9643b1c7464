//! What became of publications that were to be remembered: `node pub --trace`, then `node why message`.
//!
//! Bounds: the last [`KEPT`] publications.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{Published, Receivers};
use crate::{clock, errors::Problem};

/// Publications that are remembered.
const KEPT: usize = 1_024;

/// What became of publications.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    traces: VecDeque<Trace>,
    last: u64,
}

/// What is remembered of one publication.
#[derive(Clone, Debug)]
pub(super) struct Trace {
    number: u64,
    /// What it is called.
    pub(super) id: String,
    /// When it was given to the node.
    pub(super) at: String,
    /// Its length.
    pub(super) bytes: u64,
    /// Who should have got it by then.
    pub(super) before: Receivers,
    /// What became of it, and when that was known.
    pub(super) end: Option<(String, Result<Published, Problem>)>,
}

impl Memory {
    /// A publication is made. Answers its number.
    pub(super) fn begin(&self, node: &str, before: Receivers, bytes: u64) -> u64 {
        let at = clock::rfc3339(clock::wall());
        let mut inner = self.lock();
        inner.last += 1;
        let number = inner.last;
        if inner.traces.len() == KEPT {
            inner.traces.pop_front();
        }
        // The time keeps numbers of one run apart from those of the next.
        let id = format!("{node}-{}-{number}", at.chars().filter(char::is_ascii_digit).take(14).collect::<String>());
        inner.traces.push_back(Trace { number, id, at, bytes, before, end: None });
        number
    }

    /// What became of it is known. Answers its id.
    pub(super) fn end(&self, number: u64, end: &Result<Published, Problem>) -> String {
        let at = clock::rfc3339(clock::wall());
        let mut inner = self.lock();
        let Some(trace) = inner.traces.iter_mut().find(|trace| trace.number == number) else { return String::new() };
        trace.end = Some((at, end.clone()));
        trace.id.clone()
    }

    /// What is remembered of a publication.
    pub(super) fn get(&self, id: &str) -> Option<Trace> {
        self.lock().traces.iter().find(|trace| trace.id == id).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_publications_are_remembered() {
        let memory = Memory::default();
        let mut ids = Vec::new();
        for _ in 0..=KEPT {
            let number = memory.begin("a", Receivers::default(), 0);
            ids.push(memory.end(number, &Ok(Published::default())));
        }
        assert!(memory.get(&ids[0]).is_none());
        assert!(memory.get(&ids[1]).is_some_and(|trace| trace.end.is_some()));
        assert!(ids[0].starts_with("a-20") && ids[0] != ids[1], "{}", ids[0]);
    }
}
