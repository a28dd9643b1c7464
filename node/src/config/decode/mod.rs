//! From the tree to a [`Config`], gathering every error on the way.

mod admin;
mod api;
mod link;
mod log;
mod mesh;
mod messaging;
mod node;
mod reader;
mod scalar;
mod secret;
mod section;

pub(super) use reader::Reader;

use super::{
    Config, Diagnostic,
    text::{Kind, Node},
};
use crate::errors::Code;
use section::Section;

pub(crate) use section::nearest;

/// A duration with unit, such as `1m30s`, or what is wrong with it.
pub(crate) fn parse_duration(text: &str) -> Result<std::time::Duration, String> {
    scalar::parse_duration(text).map_err(scalar::Wrong::sentence)
}

/// An address to dial, with or without transport, or what is wrong with it.
pub(crate) fn dial_url(text: &str) -> Result<String, String> {
    let text = if text.contains("://") { text.to_owned() } else { format!("tcp://{text}") };
    scalar::dial(&text).map_err(scalar::Wrong::sentence)
}

/// Decodes a whole tree. The result is to be used only if `reader` has found no error.
pub(super) fn config(root: &Node, reader: &mut Reader<'_>) -> Config {
    if let Kind::Scalar { .. } | Kind::List(_) = root.kind {
        let what = format!("the file must be a section with keys, found {}", root.describe());
        reader.report(Diagnostic::error(Code::E0104, what).at(root.span));
        return Config::default();
    }
    let mut section = Section::root(root);
    version(&mut section, root, reader);
    let node = node::decode(section.section(reader, "node"), reader);
    let mesh = mesh::decode(section.section(reader, "mesh"), &node, reader);
    let messaging = messaging::decode(section.section(reader, "messaging"), reader);
    let api = api::decode(section.section(reader, "api"), reader);
    let admin = admin::decode(section.section(reader, "admin"), reader);
    let control = admin::decode_control(section.section(reader, "control"), reader);
    let log = log::decode(section.section(reader, "log"), reader);
    section.finish(reader);
    Config { node, mesh, messaging, api, admin, control, log }
}

fn version(section: &mut Section<'_>, root: &Node, reader: &mut Reader<'_>) {
    let present = root.get("version").is_some();
    let version = section.read(reader, "version", |text| match text {
        "1" => Ok(()),
        _ => Err(scalar::wrong(Code::E0120, "this program reads version 1 of the configuration", "write `1`")),
    });
    if version.is_none() && !present {
        let what = "the file does not say its version";
        reader.report(
            Diagnostic::error(Code::E0120, what).at(root.span).help("begin the file with `version: 1`").hidden(),
        );
    }
}
