//! What a node tells, as `--json` prints it. Fields are only ever added. Numbers are raw, with their unit in the name.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::errors::Code;

/// A document with the name of its schema.
pub(crate) trait Document: Serialize + DeserializeOwned {
    /// The schema's name.
    const SCHEMA: &'static str;

    /// The document as JSON, schema first.
    fn json(&self) -> serde_json::Value {
        let mut all = serde_json::Map::new();
        all.insert("schema".to_owned(), Self::SCHEMA.into());
        if let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(self) {
            all.extend(fields);
        }
        all.into()
    }
}

/// Declares documents.
macro_rules! documents {
    ($($(#[$doc:meta])* $name:ident = $schema:literal { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
            #[serde(default)]
            pub(crate) struct $name {
                $($(#[$field_doc])* pub(crate) $field: $type,)*
            }

            impl Document for $name {
                const SCHEMA: &'static str = $schema;
            }
        )*
    };
}

mod calls;
mod topics;

pub(crate) use calls::{FieldDoc, ProviderDoc, ResponseDoc, ServedDoc, ServiceDoc, Services};
pub(crate) use topics::{
    GroupDoc, HistoryDoc, InterestDoc, PublicationDoc, Published, ReceiverDoc, Receivers, SubscriptionDoc, TopicDoc,
    Topics,
};

documents! {
    /// How a node is.
    Status = "firelink.status/v1" {
        /// Its name in the mesh.
        id: String,
        /// What people call it.
        name: String,
        /// Its network.
        network: String,
        /// The program's version.
        version: String,
        /// Its process.
        pid: u32,
        /// How long it runs.
        uptime_ms: u64,
        /// Whether it takes messages.
        ready: bool,
        /// Where it accepts links.
        listen: Vec<String>,
        /// Where its API is.
        api: Vec<String>,
        /// Where its metrics are.
        admin: Option<String>,
        /// Links that are up.
        links_up: u64,
        /// Peers that it dials and that have no link.
        links_down: u64,
        /// Nodes within reach.
        reachable: u64,
        /// Messages sent by programs here.
        messages_sent: u64,
        /// Messages handed to programs here.
        messages_received: u64,
        /// Messages refused.
        messages_refused: u64,
        /// Messages whose outcome nobody knows.
        messages_unknown: u64,
    }
    /// Who a node is.
    IdDoc = "firelink.id/v1" {
        /// Its name in the mesh.
        id: String,
        /// Its public key, in hexadecimal digits.
        key: String,
        /// Its network.
        network: String,
    }
    /// Every link and every peer that is dialled.
    Peers = "firelink.peers/v1" {
        /// In order of name.
        peers: Vec<PeerDoc>,
    }
    /// One of them.
    PeerDoc = "firelink.peer/v1" {
        /// Its name, if it is known.
        id: Option<String>,
        /// `up`, `connecting` or `down`.
        state: String,
        /// Its transport address.
        remote: Option<String>,
        /// Smoothed round-trip time.
        rtt_us: Option<u64>,
        /// Share of lost pings.
        loss_per_mille: Option<u64>,
        /// What the link costs.
        cost: Option<u64>,
        /// How long it has been up.
        up_ms: Option<u64>,
        /// Whether this node dials it.
        dialled: bool,
        /// Bytes received.
        bytes_in: u64,
        /// Bytes written.
        bytes_out: u64,
        /// Failures in a row.
        failures: u64,
        /// Why it is not up.
        reason: Option<String>,
        /// When it will be tried again.
        retry_in_ms: Option<u64>,
    }
    /// The way to every node.
    Routes = "firelink.routes/v1" {
        /// In order of name.
        routes: Vec<RouteDoc>,
    }
    /// One of them.
    RouteDoc = "firelink.route/v1" {
        /// The node.
        id: String,
        /// The neighbours that lead there, all equally good.
        via: Vec<String>,
        /// What the way costs.
        cost: u64,
        /// How many links it has.
        hops: u64,
    }
    /// An answer to a ping.
    PingDoc = "firelink.ping/v1" {
        /// Who answered.
        id: String,
        /// Time between question and answer.
        rtt_us: u64,
        /// How many links away.
        hops: u64,
    }
    /// One node on a way.
    HopDoc = "firelink.hop/v1" {
        /// How many links away.
        hop: u64,
        /// Who answered.
        id: String,
        /// Time between question and answer.
        rtt_us: u64,
        /// Whether it is the destination.
        last: bool,
        /// Why it went no further.
        stopped: Option<String>,
    }
    /// How a trace ended.
    TraceDoc = "firelink.trace/v1" {
        /// Whether the destination answered.
        reached: bool,
        /// Everybody who answered, in order.
        hops: Vec<HopDoc>,
    }
    /// A node that was found.
    FoundDoc = "firelink.found/v1" {
        /// Its name.
        id: String,
        /// What the way costs; nothing if there is none at present.
        cost: Option<u64>,
        /// How many links it has.
        hops: Option<u64>,
    }
    /// What became of a message at one receiver.
    Receipt = "firelink.receipt/v1" {
        /// The receiver.
        id: String,
        /// Whether it has it: `delivered`, `refused` or `unknown`.
        outcome: String,
        /// What went wrong.
        code: Option<Code>,
        /// What went wrong, in words.
        detail: Option<String>,
    }
    /// What became of a broadcast.
    Receipts = "firelink.receipts/v1" {
        /// Every receiver, in order of name.
        receipts: Vec<Receipt>,
        /// How many have it.
        delivered: u64,
        /// How many were to get it.
        total: u64,
    }
    /// A message without its payload.
    MessageDoc = "firelink.message/v1" {
        /// The sending node.
        from: String,
        /// The client there.
        from_client: Option<String>,
        /// The client here.
        to_client: Option<String>,
        /// Its number in the sender's flow to this node.
        seq: u64,
        /// The payload's length.
        bytes: u64,
    }
    /// Something that happened.
    EventDoc = "firelink.event/v1" {
        /// Its number since the start.
        number: u64,
        /// When, by the calendar.
        at: String,
        /// What sort of thing.
        kind: String,
        /// The node it is about.
        id: Option<String>,
        /// It, in words.
        text: String,
    }
    /// A node that was told to stop.
    StopDoc = "firelink.stop/v1" {
        /// Its name.
        id: String,
        /// Messages that were without an answer at the end.
        unanswered: u64,
    }
}
