//! `messaging`: what messages may cost.

use std::time::Duration;

use proto_core::{limits, node::MessageConfig};

use super::{Reader, scalar, section::Section};
use crate::config::Messaging;

pub(super) fn decode(mut section: Section<'_>, reader: &mut Reader<'_>) -> Messaging {
    let default = Messaging::default();
    let payload = section.read(reader, "max_payload", scalar::size(1..=limits::PAYLOAD_HARD_MAX as u64));
    let deadline = Duration::from_millis(1)..=limits::MESSAGE_DEADLINE_MAX;
    let deadline = section.read(reader, "deadline", scalar::duration(deadline)).unwrap_or(default.deadline);
    let inbox = section.read(reader, "inbox", scalar::number(1..=1_048_576));
    section.finish(reader);
    let core = MessageConfig {
        max_payload: payload.and_then(|size| usize::try_from(size).ok()).unwrap_or(default.core.max_payload),
        inbox: inbox.and_then(|messages| usize::try_from(messages).ok()).unwrap_or(default.core.inbox),
        ..default.core
    };
    Messaging { core, deadline }
}
