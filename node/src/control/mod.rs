//! The language between a command and a running node: a Unix socket that only the node's user and root may use.
//!
//! One request per connection. A request and every reply is one line of JSON of bounded length; a line whose
//! `body` is not zero is followed by so many raw bytes, so payloads are neither encoded nor copied. A request that
//! streams ends when either side closes the connection.

mod calling;
mod calls;
mod client;
mod documents;
mod framing;
mod given;
pub(crate) mod headers;
mod journal;
mod leftovers;
mod mailbox;
mod memory;
mod protocol;
mod publishing;
pub(crate) mod refusal;
mod runtime_dir;
mod server;
mod serving;
mod session;
mod subscribing;
mod topics;
pub(crate) mod views;
mod why;

pub(crate) use calls::{CallWish, Choice, Hints};
pub(crate) use client::{Client, Replies, Target, Teller, local_nodes, read_document};
pub(crate) use documents::{
    CallDoc, CallEnd, Document, EventDoc, EvidenceDoc, FieldDoc, FoundDoc, GroupDoc, HistoryDoc, HopDoc, IdDoc,
    InterestDoc, MessageDoc, PeerDoc, Peers, PingDoc, ProviderDoc, PublicationDoc, Published, PublishedMany, ReasonDoc,
    Receipt, Receipts, ReceiverDoc, Receivers, RemedyDoc, ResponseDoc, RouteDoc, Routes, ServedDoc, ServiceDoc,
    Services, Status, StopDoc, SubscribedDoc, SubscriptionDoc, TopicDoc, Topics, TraceDoc, WhyDoc,
};
use framing::Lines;
pub(crate) use given::{Given, ItemRefused, Unknown};
pub(crate) use journal::Journal;
pub(crate) use mailbox::Mailboxes;
pub(crate) use memory::Memory;
pub(crate) use protocol::{About, Answer, AnswerKind, Got, Op, PROTOCOL, Piece, Reply, Request, Subject};
pub(crate) use runtime_dir::{dir_for_us, remove_socket, socket_in};
pub(crate) use server::Server;
pub(crate) use session::{Facts, Session, Stop, address};
