//! `mesh`: whom this node links with.

use std::collections::BTreeMap;

use proto_core::limits::{DIALERS_MAX, PSKS_MAX};

use super::{
    Reader, link, scalar,
    secret::{Weak, secret},
    section::{self, Section},
};
use crate::{
    config::{Auth, AuthMode, Connect, Diagnostic, Listen, Mesh, Node, Scheme, Span, Tls, text::Node as Tree},
    errors::Code,
};

/// Most entries of any list here. More is an error.
const LIST_MAX: usize = 1_024;

const _: () = assert!(LIST_MAX <= DIALERS_MAX, "every peer of the list must be dialled");

pub(super) fn decode(mut section: Section<'_>, node: &Node, reader: &mut Reader<'_>) -> Mesh {
    let defaults = Mesh::default();
    let before = reader.found.len();
    let network = section.read(reader, "network", network_name).unwrap_or(defaults.network);
    let listen_node = section.list(reader, "listen");
    let listen = listeners(listen_node, reader);
    let connect = peers(section.list(reader, "connect"), node, reader);
    let (auth, allow) = auth(section.section(reader, "auth"), &listen, reader);
    let tls = tls(section.section(reader, "tls"), &listen, &connect, reader);
    let mut link = link::decode(section.section(reader, "link"), reader);
    link.allow = allow;
    let (route, max_links) = link::routing(section.section(reader, "routing"), reader);
    link.max_links = max_links;
    let span = section.span();
    section.finish(reader);
    // An entry that could not be read is no reason to say that there are none.
    let readable = !reader.found.iter().skip(before).any(Diagnostic::is_error);
    if listen.is_empty() && connect.is_empty() && readable {
        let what = "the node neither listens nor connects";
        let mut diagnostic =
            Diagnostic::warning(Code::W0112, what).help("add `mesh.listen` or `mesh.connect`").hidden();
        diagnostic.span = span;
        reader.report(diagnostic);
    }
    let listen = listen.into_iter().map(|(listen, _)| listen).collect();
    Mesh { network, auth, listen, connect, tls, link, route }
}

fn network_name(text: &str) -> Result<String, scalar::Wrong> {
    scalar::node_name(text).map(|name| name.as_str().to_owned())
}

fn listeners(items: &[Tree], reader: &mut Reader<'_>) -> Vec<(Listen, Span)> {
    let mut found: Vec<(Listen, Span)> = Vec::new();
    for item in section::no_more_than(LIST_MAX, items, "mesh.listen", reader) {
        let Some(listen) = section::scalar(item, "mesh.listen", reader, scalar::listen) else { continue };
        match found.iter().find(|(other, _)| other.addr == listen.addr && listen.addr.port() != 0) {
            Some((_, first)) => reader.report(twice("this address", item.span, *first)),
            None => found.push((listen, item.span)),
        }
    }
    found
}

fn peers(items: &[Tree], node: &Node, reader: &mut Reader<'_>) -> Vec<Connect> {
    let mut found = Vec::new();
    let mut seen = BTreeMap::new();
    for item in section::no_more_than(LIST_MAX, items, "mesh.connect", reader) {
        let Some(mut section) = Section::item(item, "mesh.connect[]", reader) else { continue };
        let id = section.read(reader, "id", scalar::node_name);
        let had_url = item.get("url").is_some();
        let url = section.read(reader, "url", scalar::dial);
        let cost = section.read(reader, "cost", scalar::number(0..=1_000_000)).unwrap_or(0);
        if !had_url {
            let what = "an entry of `mesh.connect` needs a `url`";
            reader.report(
                Diagnostic::error(Code::E0105, what).at(item.span).label("for example `url: tcp://10.0.0.1:29090`"),
            );
        }
        if let Some(id) = id.as_ref().filter(|id| node.id.as_ref() == Some(*id)) {
            let what = format!("`{id}` is this node itself");
            reader.report(Diagnostic::error(Code::E0121, what).at(section.place("id").unwrap_or(item.span)));
        }
        let key = id.as_ref().map(|id| id.as_str().to_owned()).or_else(|| url.clone());
        if let Some(first) = key.and_then(|key| seen.insert(key, item.span)) {
            reader.report(twice("this peer", item.span, first));
        }
        section.finish(reader);
        if let Some(url) = url {
            found.push(Connect { id, url, cost: u32::try_from(cost).unwrap_or(u32::MAX) });
        }
    }
    found
}

fn auth(
    mut section: Section<'_>,
    listen: &[(Listen, Span)],
    reader: &mut Reader<'_>,
) -> (Auth, Vec<std::sync::Arc<str>>) {
    const MODES: &[(&str, AuthMode)] = &[("token", AuthMode::Token), ("open", AuthMode::Open)];
    let mode = section.read(reader, "mode", scalar::word(MODES)).unwrap_or_default();
    let weak = match section.read(reader, "allow_weak_tokens", scalar::boolean) {
        Some(true) => Weak::Allowed,
        Some(false) | None => Weak::Refused,
    };
    let items = section.list(reader, "tokens");
    let tokens = section::no_more_than(PSKS_MAX, items, "mesh.auth.tokens", reader);
    let tokens = tokens.iter().filter_map(|item| secret(item, "mesh.auth.tokens[]", weak, reader)).collect();
    let ids = section.list(reader, "allow_ids");
    let ids = section::no_more_than(LIST_MAX, ids, "mesh.auth.allow_ids", reader);
    let ids: Vec<_> =
        ids.iter().filter_map(|item| section::scalar(item, "mesh.auth.allow_ids", reader, pattern)).collect();
    let ips = section.list(reader, "allow_ips");
    let ips = section::no_more_than(LIST_MAX, ips, "mesh.auth.allow_ips", reader);
    let allow_ips =
        ips.iter().filter_map(|item| section::scalar(item, "mesh.auth.allow_ips", reader, scalar::network)).collect();
    match mode {
        AuthMode::Token if items.is_empty() => {
            let mut diagnostic = Diagnostic::error(Code::E0105, "`mesh.auth.tokens` needs at least one token")
                .help("mesh: { auth: { tokens: [ { file: /run/secrets/mesh_token } ] } }")
                .hidden();
            diagnostic.span = section.span();
            reader.report(diagnostic);
        }
        AuthMode::Open => {
            if let Some(token) = items.first() {
                let what = "`mesh.auth.mode` is `open`, so no token is asked for";
                reader.report(Diagnostic::error(Code::E0115, what).at(token.span).label("remove the tokens").hidden());
            }
            for (_, span) in listen.iter().filter(|(listen, _)| !listen.addr.ip().is_loopback()) {
                let what = "open to other machines, but `mesh.auth.mode` is `open`";
                reader.report(Diagnostic::error(Code::E0116, what).at(*span).label("use 127.0.0.1, or a token"));
            }
        }
        AuthMode::Token => {}
    }
    section.finish(reader);
    let everybody = ids.iter().any(|id| id == "*");
    let allow = if everybody { Vec::new() } else { ids.into_iter().map(Into::into).collect() };
    (Auth { mode, tokens, allow_ips }, allow)
}

/// A name, or a part of one with `*`.
fn pattern(text: &str) -> Result<String, scalar::Wrong> {
    scalar::node_name(&text.replace('*', "a")).map(|_| text.to_owned())
}

fn tls(mut section: Section<'_>, listen: &[(Listen, Span)], connect: &[Connect], reader: &mut Reader<'_>) -> Tls {
    let [cert, key, ca] = ["cert", "key", "ca"].map(|name| {
        let path = section.read(reader, name, scalar::text).filter(|text| !text.is_empty());
        path.map(|text| reader.path(&text))
    });
    let lone = match (&cert, &key) {
        (Some(_), None) => Some(("cert", "key")),
        (None, Some(_)) => Some(("key", "cert")),
        (Some(_), Some(_)) | (None, None) => None,
    };
    if let Some((given, missing)) = lone {
        let mut diagnostic = Diagnostic::error(Code::E0123, format!("`mesh.tls.{given}` without `mesh.tls.{missing}`"));
        diagnostic.span = section.place(given);
        reader.report(diagnostic);
    }
    if lone.is_none() && cert.is_none() {
        for (_, span) in listen.iter().filter(|(listen, _)| listen.scheme == Scheme::Tls) {
            let what = "a `tls://` listener needs `mesh.tls.cert` and `mesh.tls.key`";
            reader.report(Diagnostic::error(Code::E0123, what).at(*span));
        }
    }
    if let Some(peer) = connect.iter().find(|peer| ca.is_none() && peer.url.starts_with("tls://")) {
        let what = format!("dialling `{}` needs `mesh.tls.ca`: the roots that its certificate comes from", peer.url);
        let mut diagnostic = Diagnostic::error(Code::E0123, what).hidden();
        diagnostic.span = section.span();
        reader.report(diagnostic);
    }
    for (name, path) in [("cert", &cert), ("key", &key), ("ca", &ca)] {
        let Some(path) = path else { continue };
        if let Err(why) = std::fs::File::open(path) {
            let mut diagnostic = Diagnostic::error(Code::E0119, format!("cannot read {}: {why}", path.display()));
            diagnostic.span = section.place(name);
            reader.report(diagnostic);
        }
    }
    section.finish(reader);
    Tls { cert, key, ca }
}

fn twice(what: &str, at: Span, first: Span) -> Diagnostic {
    let note = format!("the first stands in line {}", first.line);
    Diagnostic::error(Code::E0122, format!("{what} is listed twice")).at(at).note(note)
}
