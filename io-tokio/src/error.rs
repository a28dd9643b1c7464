//! What can go wrong for a user of the handle.

use std::io;

use bytes::Bytes;
use proto_core::{error::Rejected, id::BadName, node::Endpoint, pubsub::BadTopic, rpc::BadService};

use crate::{data::DataError, net::BadEndpoint, tls::TlsError};

/// Why a node cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No secret was given.
    #[error("a mesh needs a token")]
    NoPsk,
    /// Something to listen at or to dial is no endpoint.
    #[error("{endpoint}: {source}")]
    BadEndpoint {
        /// The text.
        endpoint: Endpoint,
        /// What is wrong with it.
        source: BadEndpoint,
    },
    /// A peer without any endpoint.
    #[error("a peer to dial needs an endpoint")]
    NoEndpoint,
    /// An address cannot be listened at.
    #[error("cannot listen at {endpoint}: {source}")]
    Listen {
        /// The endpoint.
        endpoint: Endpoint,
        /// What the operating system says.
        source: io::Error,
    },
    /// The data directory or a file in it cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The operating system gives no random bytes.
    #[error("no random bytes: {0}")]
    Entropy(io::Error),
}

/// The node is over: it was shut down, or its runtime is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the node has stopped")]
pub struct Stopped;

/// Why a message was not even handed to the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The receiver's name is none.
    #[error(transparent)]
    BadName(#[from] BadName),
    /// Messages to too many other receivers are under way already; try again later.
    #[error("messages to too many receivers are under way")]
    Busy,
    /// The node is over.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Why a request was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// A name is none.
    #[error(transparent)]
    BadName(#[from] BadName),
    /// The node refused it.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// The node is over.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Why a message was not posted at once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TryPostError {
    /// No room at present. The payload comes back.
    #[error("no room for another message at present")]
    Full(Bytes),
    /// The node is over.
    #[error("the node has stopped")]
    Stopped,
}

/// Why something was not published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The topic is none.
    #[error(transparent)]
    BadTopic(#[from] BadTopic),
    /// What should be published cannot be written as JSON.
    #[error("no JSON: {0}")]
    NoJson(String),
    /// There was no room for another publication, for as long as this one may take.
    #[error("too many publications wait to go out")]
    Busy,
    /// The node refused it.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// The node is over.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Why there is no subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubscribeError {
    /// The pattern or the group's name is none.
    #[error(transparent)]
    BadTopic(#[from] BadTopic),
    /// The node refused it.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// The node is over.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Why a service is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServeError {
    /// The service's name is none.
    #[error(transparent)]
    BadService(#[from] BadService),
    /// It is served here already, on behalf of the same client.
    #[error("the service is served here already")]
    Taken,
    /// The node refused it.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// The node is over.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Somebody takes these messages already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IncomingError {
    /// There is one consumer at a time.
    #[error("somebody takes these messages already")]
    Taken,
    /// The node refused the client's name, or is over.
    #[error(transparent)]
    Request(#[from] RequestError),
}
