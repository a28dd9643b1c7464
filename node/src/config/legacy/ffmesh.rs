//! FFMesh's node file: `node_id`, `proxies`, `quic`. Its links are QUIC, which does not exist here yet, so nothing but
//! the name comes over; the node starts, says what is missing, and is ready for `--join`.

use super::build::{Absent, items, list, others, scalar, section, text};
use crate::config::text::Node;

pub(super) fn convert(tree: &Node, absent: &mut Absent) -> Node {
    let span = tree.span;
    if let Some(quic) = tree.get("quic") {
        if let Some(port) = quic.get("listen_port") {
            absent.add(port.span, "`quic.listen_port`: listening over QUIC is not available yet");
        }
        for upstream in items(quic.get("upstreams")) {
            let name = upstream.get("node_id").and_then(text).unwrap_or("?");
            absent.add(upstream.span, format!("upstream `{name}`: links over QUIC are not available yet"));
        }
    }
    for proxy in items(tree.get("proxies")) {
        let name = proxy.get("name").and_then(text).unwrap_or("?");
        absent.add(proxy.span, format!("proxy `{name}`: tunnels are not available yet"));
    }
    for entry in others(tree, &["node_id", "proxies", "quic"]) {
        absent.add(entry.key_span, format!("`{}`: unknown", entry.key));
    }
    let id = tree.get("node_id").filter(|id| text(id).is_some_and(|text| !text.is_empty()));
    let node = section([("id", id.cloned())], span);
    // FFMesh has no shared secret. Without listeners, nobody can use that.
    let auth = section([("mode", Some(scalar("open", span)))], span);
    let mesh = section([("auth", Some(auth))], span);
    // Nor has it an API.
    let api = section([("listen", Some(list(Vec::new(), span)))], span);
    let version = Some(scalar("1", span));
    section([("version", version), ("node", Some(node)), ("mesh", Some(mesh)), ("api", Some(api))], span)
}
