//! Whether the node takes messages, as `/readyz` tells it.

use std::sync::atomic::{AtomicBool, Ordering};

/// Shared between the process and its admin listener.
#[derive(Debug)]
pub(crate) struct Readiness {
    draining: AtomicBool,
    wants_links: bool,
}

impl Readiness {
    /// Ready. `wants_links`: only while a link is up, since some are configured.
    pub(super) const fn new(wants_links: bool) -> Self {
        Self { draining: AtomicBool::new(false), wants_links }
    }

    /// Not ready any more.
    pub(super) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the node is shutting down.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Whether links are configured.
    pub(crate) const fn wants_links(&self) -> bool {
        self.wants_links
    }
}
