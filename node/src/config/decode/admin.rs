//! `admin` and `control`: how the node itself is watched and commanded.

use std::net::SocketAddr;

use super::{Reader, scalar, section::Section};
use crate::{
    config::{Admin, Control},
    errors::Code,
};

pub(super) fn decode(mut section: Section<'_>, reader: &mut Reader<'_>) -> Admin {
    let listen = section.read(reader, "listen", listen).unwrap_or(Admin::default().listen);
    section.finish(reader);
    Admin { listen }
}

/// An address of this machine; empty: none.
fn listen(text: &str) -> Result<Option<SocketAddr>, scalar::Wrong> {
    if text.is_empty() {
        return Ok(None);
    }
    let addr = scalar::socket_addr(text)?;
    if addr.ip().is_loopback() {
        Ok(Some(addr))
    } else {
        let what = "the admin listener has no authentication and must stay on this machine";
        Err(scalar::wrong(Code::E0126, what, format!("write `127.0.0.1:{}`", addr.port())))
    }
}

pub(super) fn decode_control(mut section: Section<'_>, reader: &mut Reader<'_>) -> Control {
    let socket = section.read(reader, "socket", scalar::text).filter(|text| text != "auto");
    section.finish(reader);
    Control { socket: socket.map(|text| reader.path(&text)) }
}
