//! A list of things that are ready, filled from anywhere, emptied by the one task that handles them.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Waker},
};

/// Things that are ready and the task that waits for them. Whoever pushes keeps a thing from being listed twice, which
/// bounds the list by the number of things.
#[derive(Debug)]
pub(crate) struct ReadyList<T> {
    inner: Mutex<Inner<T>>,
}

#[derive(Debug)]
struct Inner<T> {
    ready: Vec<T>,
    task: Option<Waker>,
}

impl<T> ReadyList<T> {
    /// Nothing is ready.
    pub(crate) const fn new() -> Self {
        Self { inner: Mutex::new(Inner { ready: Vec::new(), task: None }) }
    }

    /// Lists a thing and wakes the task.
    pub(crate) fn push(&self, item: T) {
        let mut inner = self.lock();
        inner.ready.push(item);
        let task = inner.task.take();
        drop(inner);
        if let Some(task) = task {
            task.wake();
        }
    }

    /// Wakes the task without listing anything.
    pub(crate) fn ring(&self) {
        let task = self.lock().task.take();
        if let Some(task) = task {
            task.wake();
        }
    }

    /// Remembers the task for what comes later.
    pub(crate) fn listen(&self, cx: &Context<'_>) {
        self.lock().listen(cx);
    }

    /// Moves what is ready to the end of `into`, and remembers the task for what comes later.
    pub(crate) fn take(&self, cx: &Context<'_>, into: &mut impl Extend<T>) {
        let mut inner = self.lock();
        into.extend(inner.ready.drain(..));
        inner.listen(cx);
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Inner<T> {
    fn listen(&mut self, cx: &Context<'_>) {
        if !self.task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            self.task = Some(cx.waker().clone());
        }
    }
}
