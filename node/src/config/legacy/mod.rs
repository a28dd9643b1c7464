//! Files of Majula and FFMesh, rewritten in memory as a tree of ours. Every value keeps the place where it stands in the
//! old file, so later errors still point there. What has no counterpart yet is gathered into one warning.

mod build;
mod ffmesh;
mod majula;

use build::Absent;

use super::{Diagnostic, text::Node};

/// The tree in our grammar, if this is a file of another system.
pub(super) fn convert(tree: &Node, found: &mut Vec<Diagnostic>) -> Option<Node> {
    let has = |key: &str| tree.get(key).is_some();
    if has("version") || has("node") || has("mesh") || !has("node_id") && !has("channels") && !has("quic") {
        return None;
    }
    let mut absent = Absent::default();
    let (system, converted) = if has("quic") || has("proxies") {
        ("FFMesh", ffmesh::convert(tree, &mut absent))
    } else {
        ("Majula", majula::convert(tree, found, &mut absent))
    };
    found.extend(absent.warning(system, tree.span));
    Some(converted)
}
