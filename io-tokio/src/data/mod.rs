//! What a node keeps on disk: `identity.key`, `incarnation`, `known_nodes`, and a lock against a second process.

mod dir;
mod hex;
mod identity;
mod incarnation;
mod known_nodes;
mod memory;
mod store;

pub(crate) use dir::DataDir;
pub use dir::DataError;
pub(crate) use identity::{fresh_seed, load_or_create as load_or_create_identity};
pub(crate) use incarnation::next as next_incarnation;
pub(crate) use known_nodes::KnownNodes;
pub use memory::MemoryDisk;
pub(crate) use store::Store;
