//! What the shell counts on its own, beside the counters of the core.

use std::sync::atomic::{AtomicU64, Ordering};

/// A counter that any task may add to.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    /// Counts `amount` more.
    pub(crate) fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    /// How many so far.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Declares the shell's counters with their metric names.
macro_rules! shell_counters {
    ($($(#[$doc:meta])* $field:ident = $name:literal,)*) => {
        /// The shell's counters.
        #[derive(Debug, Default)]
        pub(crate) struct ShellCounters {
            $($(#[$doc])* pub(crate) $field: Count,)*
        }

        impl ShellCounters {
            /// Every counter by its name and value.
            pub(crate) fn all(&self) -> Vec<(&'static str, u64)> {
                vec![$(($name, self.$field.get()),)*]
            }
        }
    };
}

shell_counters! {
    /// Errors of listening sockets.
    accept_errors = "accept_errors",
    /// Connections refused: not on the allow list.
    refused_not_allowed = "accepts_refused_not_allowed",
    /// Connections refused: too many from one source, or of strangers, or in handshakes.
    refused_too_many = "accepts_refused_too_many",
    /// Connections refused: too many per second from one source, or in all.
    refused_too_fast = "accepts_refused_too_fast",
    /// TLS handshakes of accepted connections that failed.
    tls_failed = "accepts_tls_failed",
    /// Dials that came to nothing.
    dials_failed = "dials_failed",
    /// Channels that ended by an error of their socket.
    channels_failed = "channels_failed",
    /// Messages for a client of this node that nobody takes messages for any more.
    messages_discarded = "messages_discarded",
    /// Events that subscribers missed because they were too slow.
    events_missed = "events_missed",
}
