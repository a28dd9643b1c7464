//! The configuration: one YAML file, overrides from the environment and the command line, and **all** errors at once.
//!
//! The way of a text: `text` makes a tree in which every value knows its place; variables are put in; a file of another
//! system is rewritten as a tree of ours (`legacy`); overrides are laid over; `decode` makes a [`Config`] of it and
//! gathers every error on the way. A key is accepted only if something comes of it: what nobody asked for is refused.

mod api;
mod decode;
mod default_file;
mod diagnostic;
mod keys;
mod legacy;
mod load;
mod permission;
mod secret;
mod show;
#[cfg(test)]
mod tests;
mod text;
mod topics;
mod types;

pub use api::{Api, ApiLimits, ApiMajula, ApiToken, MajulaToken, SlowClient, SlowPolicy};
pub(crate) use decode::{dial_url, nearest, parse_duration};
pub use default_file::default_file;
pub use diagnostic::Diagnostic;
pub use keys::{KEYS, Key};
pub use load::{Loaded, Request, load};
pub use permission::{Permission, Verb};
pub use secret::Secret;
pub use show::{Shown, show};
pub use text::{Bytes, Source, SourceId, SourceKind, Sources, Span};
pub use topics::{TopicHistory, TopicRule};
pub use types::{
    Admin, Auth, AuthMode, Config, Connect, Control, Listen, Log, LogFile, LogFormat, Mesh, Messaging, Node, Scheme,
    Tls,
};
