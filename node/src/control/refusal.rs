//! What the core says, as problems for people.

use io_tokio::{IncomingError, Outcome, RequestError, SendError};
use proto_core::{error::Rejected, wire::v1};

use crate::errors::{Code, Exit, Problem};

/// A message that was not delivered, or perhaps not.
pub(crate) fn outcome(outcome: Outcome, receiver: &str) -> Problem {
    match outcome {
        // Asked only about the others.
        Outcome::Delivered | Outcome::Unknown => {
            let what = format!("no answer from {receiver} in time; it may or may not have the message");
            Problem::new(Code::E0403, Exit::Unknown, what)
                .note("repeat it only if receiving it twice does no harm")
                .try_this("a longer --timeout")
        }
        Outcome::Rejected(rejected) => self::rejected(rejected, receiver),
    }
}

/// A request that was refused.
pub(crate) fn rejected(rejected: Rejected, about: &str) -> Problem {
    let problem = |code, exit| Problem::new(code, exit, format!("{about}: {rejected}"));
    match rejected {
        Rejected::TooLarge { .. } => {
            problem(Code::E0404, Exit::Failed).try_this("messaging.max_payload, on every node")
        }
        Rejected::Busy => problem(Code::E0405, Exit::Failed),
        Rejected::NoRoute => Problem::new(Code::E0401, Exit::NoRoute, format!("no route to {about}"))
            .try_this("node routes")
            .try_this(format!("node find {}", about.split('/').next().unwrap_or(about))),
        Rejected::NoSuchClient => match about.split_once('/') {
            Some((node, client)) => problem(Code::E0402, Exit::NotFound)
                .try_this(format!("node recv --client {client}, at {node}, for as long as messages are to come")),
            None => problem(Code::E0402, Exit::NotFound),
        },
        Rejected::ReceiverBusy => problem(Code::E0406, Exit::Failed),
        Rejected::ShuttingDown => problem(Code::E0407, Exit::Failed),
        Rejected::DeadlinePassed => problem(Code::E0411, Exit::Usage).try_this("a longer --timeout"),
        Rejected::NoReceiver => {
            Problem::new(Code::E0412, Exit::NoRoute, "no other node is within reach").try_this("node peers")
        }
        Rejected::Forbidden => problem(Code::E0409, Exit::NotAuthorised),
        Rejected::Other(_) => problem(Code::E0414, Exit::Failed),
    }
}

/// A request that was not done.
pub(crate) fn request(why: RequestError, about: &str) -> Problem {
    match why {
        RequestError::BadName(why) => Problem::new(Code::E0411, Exit::Usage, why.to_string()),
        RequestError::Rejected(why) => rejected(why, about),
        RequestError::Stopped(_) => stopped(),
    }
}

/// A message that was not even handed to the node.
pub(crate) fn send(why: SendError, about: &str) -> Problem {
    match why {
        SendError::BadName(why) => Problem::new(Code::E0411, Exit::Usage, why.to_string()),
        SendError::Busy => rejected(Rejected::Busy, about),
        SendError::Stopped(_) => stopped(),
    }
}

/// Messages that cannot be received.
pub(crate) fn incoming(why: IncomingError, mailbox: &str) -> Problem {
    match why {
        IncomingError::Taken => {
            let what = format!("another program receives the messages for {mailbox}");
            Problem::new(Code::E0413, Exit::Conflict, what).try_this("node recv --client NAME")
        }
        IncomingError::Request(why) => request(why, mailbox),
    }
}

/// A node that nothing reaches because it shows another key than the one its name is pinned to.
pub(super) fn wrong_key(node: &str, conflict: String) -> Problem {
    let what = format!("{node} is not let in: its key is not the one that its name is pinned to");
    let problem = Problem::new(Code::E0203, Exit::Integrity, what).note(conflict);
    problem.try_this(format!("restore the identity file of {node}, or give it a new name"))
}

/// The node is over.
pub(crate) fn stopped() -> Problem {
    Problem::new(Code::E0407, Exit::Failed, "the node is shutting down")
}

/// Why a probe went no further.
pub(crate) const fn stopped_probe(why: v1::Stopped) -> &'static str {
    match why {
        v1::Stopped::NoRoute => "no route",
        v1::Stopped::HopLimit => "hop limit reached",
        v1::Stopped::WouldReturn => "the only way on was the way back",
        v1::Stopped::NoTransit => "does not forward for others",
        v1::Stopped::QueueFull => "the queue of the next link is full",
    }
}
