//! What this node brings to every link.

use alloc::{sync::Arc, vec::Vec};
use core::time::Duration;

use super::allow::AllowList;
use crate::{
    id::{Incarnation, NodeAddr, NodeName},
    limits::{HEADER_MAX, PAYLOAD_HARD_MAX},
    node::{Config, LinkConfig, Metric},
    secure::{Identity, Local, Provider, Psk},
    wire::{PRELUDE_LEN, VERSION, VERSION_MIN, v1::Hello},
};

/// This node's name, keys and settings, as far as links need them.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) name: NodeName,
    pub(super) addr: NodeAddr,
    pub(super) identity: Arc<Identity>,
    pub(super) link: LinkConfig,
    pub(super) metric: Metric,
    pub(super) allow: AllowList,
    /// Longest frame that a peer may send.
    pub(super) max_frame: usize,
    /// The versions that this node speaks.
    pub(super) versions: Versions,
    incarnation: Incarnation,
    network: Arc<str>,
    psks: Vec<Psk>,
    provider: &'static dyn Provider,
}

/// A range of protocol versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Versions {
    pub(super) min: u8,
    pub(super) max: u8,
}

impl Own {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            name: config.name.clone(),
            addr: config.name.addr(),
            identity: Arc::clone(&config.identity),
            link: config.link.clone(),
            metric: config.route.metric,
            allow: AllowList::new(config.link.allow.clone()),
            max_frame: PRELUDE_LEN + HEADER_MAX + config.message.max_payload.min(PAYLOAD_HARD_MAX),
            versions: Versions { min: VERSION_MIN, max: VERSION },
            incarnation: config.incarnation,
            network: Arc::clone(&config.network),
            psks: config.psks.clone(),
            provider: config.provider,
        }
    }

    /// What the handshake needs.
    pub(super) fn local(&self) -> Local<'_> {
        Local {
            name: &self.name,
            identity: &self.identity,
            network: &self.network,
            psks: &self.psks,
            suite: self.link.suite,
            provider: self.provider,
        }
    }

    /// The first frame to every peer.
    pub(super) fn hello(&self) -> Hello {
        Hello {
            version_min: self.versions.min,
            version_max: self.versions.max,
            features: 0,
            incarnation: self.incarnation,
            heartbeat_ms: millis(self.link.heartbeat),
            dead_after_ms: millis(self.link.dead_after),
        }
    }
}

impl Versions {
    /// The newest version that both speak, if there is one.
    pub(super) fn agree(self, hello: &Hello) -> Option<u8> {
        let newest = self.max.min(hello.version_max);
        (newest >= self.min.max(hello.version_min)).then_some(newest)
    }
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_common_version_is_agreed_on() {
        let hello = |version_min, version_max| Hello {
            version_min,
            version_max,
            features: 0,
            incarnation: Incarnation(1),
            heartbeat_ms: 0,
            dead_after_ms: 0,
        };
        let own = Versions { min: 2, max: 3 };
        assert_eq!(own.agree(&hello(1, 2)), Some(2));
        assert_eq!(own.agree(&hello(3, 4)), Some(3));
        assert_eq!(own.agree(&hello(1, 9)), Some(3));
        assert_eq!(own.agree(&hello(4, 5)), None);
        assert_eq!(own.agree(&hello(0, 1)), None);
        assert_eq!(own.agree(&hello(3, 2)), None, "a range that is none");
    }
}
