//! Calling, and serving calls.

mod call;
mod desk;
mod error;
mod flight;
mod request;
mod service;
mod stream;

pub(crate) use call::ItemFeed;
pub(crate) use desk::CallDesk;
pub(crate) use flight::Handler;

pub use call::{CallBuilder, CallFuture, Response};
pub use error::CallError;
pub use request::{BAD_REQUEST, HANDLER_GONE, HANDLER_PANICKED, HANDLER_STOPPED, ItemError, OpenRequest, Request};
pub use service::{Requests, ServeOptions, Service};
pub use stream::ReplyStream;
