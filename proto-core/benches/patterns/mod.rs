//! Many subscriptions as they might be: patterns of nodes that watch units of sites, half of them with wildcards.

use proto_core::{
    id::NodeAddr,
    pubsub::{Pattern, Topic},
};

/// How many subscriptions the table has to take.
pub(crate) const MANY: u32 = 1_000_000;
/// Nodes that they belong to.
const NODES: u32 = 100;

/// The pattern of this number; each is another. Of four in a row, two name a unit, and the others have wildcards.
pub(crate) fn pattern(number: u32) -> Pattern {
    let (unit, site) = (number / 2, number % 997);
    let text = match number % 4 {
        0 => format!("site.{site}.unit.{unit}.state"),
        1 => format!("site.{}.unit.{unit}.*", (number - 1) % 997),
        2 => format!("site.{site}.unit.{unit}"),
        _ => format!("site.{}.unit.{unit}.>", (number - 1) % 997),
    };
    Pattern::new(&text).unwrap()
}

/// A topic that two of the patterns want.
pub(crate) fn topic(number: u32) -> Topic {
    let number = number % (MANY / 4) * 4;
    Topic::new(&format!("site.{}.unit.{}.state", number % 997, number / 2)).unwrap()
}

/// Who has the subscription of this number.
pub(crate) fn node(number: u32) -> Option<NodeAddr> {
    Some(NodeAddr(u64::from(number % NODES)))
}
