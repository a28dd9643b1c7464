//! What the bearer of a token may do: a verb, and to what.
//!
//! `send:db-*` allows sending to every node whose name begins with `db-`, `publish:orders.>` publishing on every topic
//! below `orders`, `read` looking, `*` everything. What is not allowed is forbidden.

use std::fmt;

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Looking at the node and the mesh.
    Read,
    /// Sending to `node` or `node/client`.
    Send,
    /// Sending to every node.
    Broadcast,
    /// Being a client of this node.
    Receive,
    /// Publishing on a topic.
    Publish,
    /// Subscribing to a topic.
    Subscribe,
    /// Calling a service.
    Call,
    /// Offering a service.
    Serve,
}

/// The verbs by name.
const VERBS: [(&str, Verb); 8] = [
    ("read", Verb::Read),
    ("send", Verb::Send),
    ("broadcast", Verb::Broadcast),
    ("receive", Verb::Receive),
    ("publish", Verb::Publish),
    ("subscribe", Verb::Subscribe),
    ("call", Verb::Call),
    ("serve", Verb::Serve),
];

/// Longest pattern, in bytes.
const PATTERN_MAX: usize = 256;

/// One thing that is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// What; `None`: everything.
    verb: Option<Verb>,
    /// To what; `None`: to everything.
    pattern: Option<String>,
}

impl Verb {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        VERBS.iter().find(|(_, verb)| *verb == self).map_or("", |(name, _)| name)
    }

    /// Whether there is something that it is done to.
    const fn has_object(self) -> bool {
        match self {
            Self::Read | Self::Broadcast => false,
            Self::Send | Self::Receive | Self::Publish | Self::Subscribe | Self::Call | Self::Serve => true,
        }
    }
}

impl Permission {
    /// Everything.
    pub const ALL: Self = Self { verb: None, pattern: None };

    /// One verb, to everything.
    #[must_use]
    pub const fn any(verb: Verb) -> Self {
        Self { verb: Some(verb), pattern: None }
    }

    /// Reads `verb`, `verb:pattern` or `*`.
    ///
    /// # Errors
    /// What is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::ALL);
        }
        let (name, pattern) = match text.split_once(':') {
            Some((name, pattern)) => (name, Some(pattern)),
            None => (text, None),
        };
        let names = || VERBS.map(|(name, _)| name).join(", ");
        let found = VERBS.iter().find(|(known, _)| *known == name);
        let (_, verb) = found.ok_or_else(|| format!("`{name}` is none of {}", names()))?;
        match pattern {
            Some(_) if !verb.has_object() => Err(format!("`{name}` takes no pattern")),
            Some("") => Err("the pattern is empty".to_owned()),
            Some(pattern) if pattern.len() > PATTERN_MAX => Err("the pattern is too long".to_owned()),
            pattern => Ok(Self { verb: Some(*verb), pattern: pattern.map(str::to_owned) }),
        }
    }

    /// Whether it allows doing this to `object`: a node, a client, a topic, a filter of topics, or a service.
    #[must_use]
    pub fn allows(&self, verb: Verb, object: &str) -> bool {
        if self.verb.is_some_and(|allowed| allowed != verb) {
            return false;
        }
        let Some(pattern) = &self.pattern else { return true };
        match verb {
            Verb::Publish | Verb::Subscribe => covers(pattern, object),
            Verb::Read | Verb::Send | Verb::Broadcast | Verb::Receive | Verb::Call | Verb::Serve => {
                matches(pattern.as_bytes(), object.as_bytes())
            }
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.verb, &self.pattern) {
            (None, _) => f.write_str("*"),
            (Some(verb), None) => f.write_str(verb.as_str()),
            (Some(verb), Some(pattern)) => write!(f, "{}:{pattern}", verb.as_str()),
        }
    }
}

/// Whether every topic that the filter matches is matched by the pattern, too.
pub(super) fn covers(pattern: &str, filter: &str) -> bool {
    let mut filter = filter.split('.');
    for wanted in pattern.split('.') {
        let Some(token) = filter.next() else { return false };
        match wanted {
            ">" => return true,
            "*" if token != ">" => {}
            literal if literal == token && token != "*" && token != ">" => {}
            _ => return false,
        }
    }
    filter.next().is_none()
}

/// Whether a text fits a pattern in which `*` stands for any characters.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    // Where to go on if the last `*` has to stand for one character more.
    let mut again = None;
    while from < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                again = Some((at + 1, from));
                at += 1;
            }
            Some(byte) if *byte == text[from] => {
                at += 1;
                from += 1;
            }
            Some(_) | None => match again {
                Some((star, taken)) => {
                    again = Some((star, taken + 1));
                    (at, from) = (star, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(permission: &str, verb: Verb, object: &str) -> bool {
        Permission::parse(permission).unwrap().allows(verb, object)
    }

    #[test]
    fn what_is_not_allowed_is_forbidden() {
        assert!(allows("*", Verb::Serve, "x"));
        assert!(allows("send", Verb::Send, "b/till"));
        assert!(!allows("send", Verb::Publish, "b"));
        assert!(allows("send:db-*", Verb::Send, "db-7"));
        assert!(!allows("send:db-*", Verb::Send, "web-7"));
        assert!(!allows("send:db", Verb::Send, "db/till"), "a client is another receiver than its node");
        assert!(allows("send:*/till-*", Verb::Send, "shop-1/till-2"));
    }

    #[test]
    fn a_filter_of_topics_is_allowed_if_all_it_matches_is() {
        let subscribe = |pattern: &str, filter| allows(&format!("subscribe:{pattern}"), Verb::Subscribe, filter);
        assert!(subscribe("orders.>", "orders.eu.new"));
        assert!(subscribe("orders.>", "orders.*.new"));
        assert!(subscribe("orders.>", "orders.>"));
        assert!(!subscribe("orders.>", "orders"));
        assert!(!subscribe("orders.*", "orders.>"));
        assert!(!subscribe("orders.*", "orders.eu.new"));
        assert!(!subscribe("orders.new", "orders.*"));
        assert!(!subscribe("*.new", ">"));
        assert!(subscribe("*.new", "orders.new"));
    }

    #[test]
    fn stars_stand_for_any_characters_and_take_no_long_time() {
        assert!(matches(b"a*b*c", b"axxbyyc"));
        assert!(!matches(b"a*b*c", b"axxbyy"));
        assert!(matches(b"*", b""));
        let (pattern, text) = ("a*".repeat(100) + "b", "a".repeat(250));
        assert!(!matches(pattern.as_bytes(), text.as_bytes()));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for text in ["", "sent", "send:", "read:x", "broadcast:*", ":x"] {
            assert!(Permission::parse(text).is_err(), "{text}");
        }
        assert_eq!(Permission::parse("call:billing.*").unwrap().to_string(), "call:billing.*");
    }
}
