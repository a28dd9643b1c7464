//! The language between a command and a running node: a Unix socket that only the node's user and root may use.
//!
//! One request per connection. A request and every reply is one line of JSON of bounded length; a line whose
//! `body` is not zero is followed by so many raw bytes, so payloads are neither encoded nor copied. A request that
//! streams ends when either side closes the connection.

mod calls;
mod client;
mod documents;
mod framing;
pub(crate) mod headers;
mod journal;
mod leftovers;
mod mailbox;
mod protocol;
pub(crate) mod refusal;
mod runtime_dir;
mod server;
mod session;
mod topics;
pub(crate) mod views;

pub(crate) use client::{Client, Target, local_nodes, read_document};
pub(crate) use calls::CallWish;
pub(crate) use documents::{
    Document, EventDoc, FieldDoc, FoundDoc, GroupDoc, HistoryDoc, HopDoc, IdDoc, InterestDoc, MessageDoc, PeerDoc,
    Peers, PingDoc, ProviderDoc, PublicationDoc, Published, Receipt, Receipts, ReceiverDoc, Receivers, ResponseDoc,
    RouteDoc, Routes, ServedDoc, ServiceDoc, Services, Status, StopDoc, SubscriptionDoc, TopicDoc, Topics, TraceDoc,
};
use framing::Lines;
pub(crate) use journal::Journal;
pub(crate) use mailbox::Mailboxes;
pub(crate) use protocol::{Got, Op, PROTOCOL, Reply, Request};
pub(crate) use runtime_dir::{dir_for_us, remove_socket, socket_in};
pub(crate) use server::Server;
pub(crate) use session::{Facts, Session, Stop, address};
