//! What the tasks that dial and accept hand to the engine's task.

use proto_core::{id::DialId, node::Endpoint};

use crate::{channel::Opened, dialer::DialError};

/// A stream that opened, or did not.
pub(crate) enum Arrival<S> {
    /// A dial is over.
    Dialled {
        /// Which.
        dial: DialId,
        /// Where to.
        endpoint: Endpoint,
        /// What came of it.
        result: Result<Opened<S>, DialError>,
    },
    /// A connection was accepted, and has its TLS handshake behind it where there is one.
    Accepted(Opened<S>),
}
