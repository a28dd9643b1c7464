//! What the core says, as problems for people.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use io_tokio::{
    CallError, HANDLER_GONE, HANDLER_PANICKED, IncomingError, Outcome, PublishError, RequestError, SendError,
    ServeError, SubscribeError,
};
use proto_core::{
    error::Rejected,
    pubsub::{BadTopic, Pattern},
    rpc::{AppError, Progress},
    wire::v1,
};

use crate::errors::{Code, Exit, HandlerError, Problem};

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

/// Something that was not published.
pub(crate) fn publish(why: PublishError, topic: &str) -> Problem {
    match why {
        PublishError::BadTopic(why) => bad_topic(why, topic),
        PublishError::NoJson(why) => Problem::new(Code::E0411, Exit::Usage, why),
        PublishError::Busy => rejected(Rejected::Busy, topic),
        PublishError::Rejected(why) => rejected(why, topic),
        PublishError::Stopped(_) => stopped(),
    }
}

/// A subscription that was not made.
pub(crate) fn subscribe(why: SubscribeError, pattern: &str) -> Problem {
    match why {
        SubscribeError::BadTopic(why) if Pattern::new(pattern).is_ok() => {
            Problem::new(Code::E0415, Exit::Usage, format!("the name of the group {why}"))
        }
        SubscribeError::BadTopic(why) => bad_topic(why, pattern),
        SubscribeError::Rejected(why) => rejected(why, pattern),
        SubscribeError::Stopped(_) => stopped(),
    }
}

fn bad_topic(why: BadTopic, text: &str) -> Problem {
    Problem::new(Code::E0415, Exit::Usage, format!("`{}` {why}", text.escape_debug()))
}

/// A service that is not served.
pub(crate) fn serve(why: ServeError, service: &str) -> Problem {
    match why {
        ServeError::BadService(why) => Problem::new(Code::E0508, Exit::Usage, why.to_string()),
        ServeError::Taken => {
            let what = format!("another program serves `{service}` at this node");
            Problem::new(Code::E0510, Exit::Conflict, what).try_this("node reply --as NAME")
        }
        ServeError::Rejected(why) => rejected(why, service),
        ServeError::Stopped(_) => stopped(),
    }
}

/// A call without a result.
pub(crate) fn call(why: CallError, service: &str) -> Problem {
    let lost = |what: String| Problem::new(Code::E0506, Exit::Unknown, format!("`{service}`: {what}"));
    match why {
        CallError::BadService(why) => Problem::new(Code::E0508, Exit::Usage, why.to_string()),
        CallError::BadName(why) => Problem::new(Code::E0411, Exit::Usage, why.to_string()),
        CallError::BadKey => Problem::new(Code::E0411, Exit::Usage, why.to_string()),
        CallError::NoJson(why) | CallError::Malformed(why) => Problem::new(Code::E0411, Exit::Failed, why),
        CallError::App(error) => handler(error, service),
        CallError::NoResponder => Problem::new(Code::E0502, Exit::NoRoute, format!("nobody serves `{service}`"))
            .try_this("node rpc ls")
            .try_this(format!("node why service {service}")),
        CallError::Overloaded(why) => Problem::new(Code::E0503, Exit::Failed, format!("`{service}`: {why}"))
            .try_this(format!("node rpc ls {service}")),
        CallError::Timeout(Progress::NotSent) | CallError::Cancelled(Progress::NotSent) => {
            let what = format!("the call of `{service}` could not be sent before its deadline");
            Problem::new(Code::E0507, Exit::NoRoute, what)
        }
        CallError::Timeout(progress) => {
            let what = format!("`{service}` did not answer in time: {progress}");
            Problem::new(Code::E0504, Exit::Unknown, what)
                .note("repeat it only if running it twice does no harm")
                .try_this("a longer --timeout")
        }
        CallError::Unreachable { sent } if !sent => rejected(Rejected::NoRoute, service),
        CallError::Unreachable { .. } | CallError::Cancelled(_) | CallError::PeerRestarted | CallError::Lost(_) => {
            lost(why.to_string())
        }
        CallError::Rejected(why) => rejected(why, service),
        CallError::Stopped(_) => lost("this node is shutting down".to_owned()),
        // Reasons that were added since.
        _ => lost(why.to_string()),
    }
}

fn handler(error: AppError, service: &str) -> Problem {
    if matches!(error.code, HANDLER_GONE | HANDLER_PANICKED) {
        return Problem::new(Code::E0509, Exit::Failed, format!("`{service}`: {}", error.message));
    }
    let what = format!("`{service}` answered with error {}: {}", error.code, error.message);
    let payload = (!error.payload.is_empty()).then(|| match std::str::from_utf8(&error.payload) {
        Ok(text) => text.to_owned(),
        Err(_) => STANDARD.encode(&error.payload),
    });
    let mut problem = Problem::new(Code::E0505, Exit::Failed, what);
    problem.handler = Some(Box::new(HandlerError { code: error.code, message: error.message.to_string(), payload }));
    problem
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

#[cfg(test)]
mod tests {
    use proto_core::pubsub::Group;

    use super::*;

    #[test]
    fn a_bad_group_is_not_taken_for_a_bad_pattern() {
        let group = Group::new("").map(drop).unwrap_err();
        let what = |why, pattern| subscribe(SubscribeError::BadTopic(why), pattern).what;
        assert_eq!(what(group, "a.>"), "the name of the group must not be empty");
        let pattern = Pattern::new("a..b").map(drop).unwrap_err();
        assert!(what(pattern, "a..b").starts_with("`a..b` has an empty token"));
    }
}
