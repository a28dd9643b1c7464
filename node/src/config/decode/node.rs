//! `node`: who this node is.

use super::{Reader, scalar, section::Section};
use crate::config::Node;

pub(super) fn decode(mut section: Section<'_>, reader: &mut Reader<'_>) -> Node {
    let id = section.read(reader, "id", scalar::node_name);
    let name = section.read(reader, "name", scalar::text).unwrap_or_default();
    let data_dir = section.read(reader, "data_dir", scalar::text).map(|text| reader.path(&text));
    let mut identity = section.section(reader, "identity");
    let file = identity.read(reader, "file", scalar::text).unwrap_or_else(|| "identity.key".to_owned());
    identity.finish(reader);
    section.finish(reader);
    Node { id, name, data_dir, identity_file: file.into() }
}
