//! `messaging`: what messages may cost.

use std::{collections::BTreeMap, time::Duration};

use proto_core::{
    limits,
    node::MessageConfig,
    pubsub::{Pattern, Policy},
};

use super::{
    Reader, scalar,
    section::{self, Section},
};
use crate::{
    config::{Diagnostic, Messaging, TopicHistory, TopicRule, text::Node},
    errors::Code,
};

/// Most rules for topics.
const TOPICS_MAX: usize = 1_024;
/// Longest time that a publication may be kept.
const TTL_MAX: Duration = Duration::from_secs(366 * 24 * 3_600);

pub(super) fn decode(mut section: Section<'_>, reader: &mut Reader<'_>) -> Messaging {
    let default = Messaging::default();
    let payload = section.read(reader, "max_payload", scalar::size(1..=limits::PAYLOAD_HARD_MAX as u64));
    let deadline = Duration::from_millis(1)..=limits::MESSAGE_DEADLINE_MAX;
    let deadline = section.read(reader, "deadline", scalar::duration(deadline)).unwrap_or(default.deadline);
    let inbox = section.read(reader, "inbox", scalar::number(1..=1_048_576));
    let topics = topics(section.list(reader, "topics"), reader);
    section.finish(reader);
    let core = MessageConfig {
        max_payload: payload.and_then(|size| usize::try_from(size).ok()).unwrap_or(default.core.max_payload),
        inbox: inbox.and_then(|messages| usize::try_from(messages).ok()).unwrap_or(default.core.inbox),
        ..default.core
    };
    Messaging { core, deadline, topics }
}

fn topics(items: &[Node], reader: &mut Reader<'_>) -> Vec<TopicRule> {
    const POLICIES: &[(&str, Policy)] = &[
        ("drop_oldest", Policy::DropOldest),
        ("drop_newest", Policy::DropNewest),
        ("disconnect", Policy::Disconnect),
    ];
    let mut found = Vec::new();
    let mut seen = BTreeMap::new();
    for item in section::no_more_than(TOPICS_MAX, items, "messaging.topics", reader) {
        let Some(mut section) = Section::item(item, "messaging.topics[]", reader) else { continue };
        let pattern = section.read(reader, "match", pattern);
        let history = history(section.section(reader, "history"), reader);
        let slow_consumer = section.read(reader, "slow_consumer", scalar::word(POLICIES));
        if section.read(reader, "ordered", scalar::boolean) == Some(false) {
            let what = "`ordered: false` is not available: each publisher's publications come in order";
            let mut diagnostic = Diagnostic::error(Code::E0114, what).label("remove it");
            diagnostic.span = section.place("ordered");
            reader.report(diagnostic);
        }
        if item.get("match").is_none() {
            let what = "an entry of `messaging.topics` needs a `match`";
            reader.report(Diagnostic::error(Code::E0105, what).at(item.span).label("for example `match: \"orders.>\"`"));
        }
        if let Some(first) = pattern.as_ref().and_then(|pattern: &Pattern| seen.insert(pattern.clone(), item.span)) {
            let note = format!("the first stands in line {}, and counts", first.line);
            let what = "this pattern is listed twice";
            reader.report(Diagnostic::error(Code::E0122, what).at(section.place("match").unwrap_or(item.span)).note(note));
        }
        section.finish(reader);
        if let Some(pattern) = pattern {
            found.push(TopicRule { pattern, history, slow_consumer });
        }
    }
    found
}

fn history(mut section: Section<'_>, reader: &mut Reader<'_>) -> TopicHistory {
    let default = TopicHistory::default();
    let count = |value: Option<u64>, default: usize| value.and_then(|v| usize::try_from(v).ok()).unwrap_or(default);
    let size = section.read(reader, "size", scalar::number(0..=1_000_000));
    let bytes = section.read(reader, "bytes", scalar::size(1_024..=limits::HISTORY_BYTES as u64));
    let ttl = section.read(reader, "ttl", scalar::duration(Duration::ZERO..=TTL_MAX));
    section.finish(reader);
    TopicHistory {
        size: count(size, default.size),
        bytes: count(bytes, default.bytes),
        ttl: ttl.filter(|ttl| !ttl.is_zero()),
    }
}

fn pattern(text: &str) -> Result<Pattern, scalar::Wrong> {
    Pattern::new(text).map_err(|why| {
        scalar::wrong(Code::E0130, format!("`{}` {why}", text.escape_debug()), "write for example `\"orders.>\"`")
    })
}
