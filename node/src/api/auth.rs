//! Who calls, and what they may do.
//!
//! A token is compared by its hash, with every known one, in constant time: the time it takes tells nothing.

use std::{net::IpAddr, sync::Arc};

use aws_lc_rs::{constant_time, digest};
use axum::http::{HeaderMap, header};

use super::problem::ApiError;
use crate::{
    config::{ApiToken, Permission, Verb},
    errors::Code,
};

/// Longest token that is looked at, in bytes.
const TOKEN_MAX: usize = 4_096;

/// What those without a token may do on the paths of Majula, if they may come at all.
const MAJULA: [Permission; 7] = [
    Permission::any(Verb::Read),
    Permission::any(Verb::Send),
    Permission::any(Verb::Receive),
    Permission::any(Verb::Publish),
    Permission::any(Verb::Subscribe),
    Permission::any(Verb::Call),
    Permission::any(Verb::Serve),
];

/// Every token.
#[derive(Debug)]
pub(crate) struct Tokens(Vec<Known>);

#[derive(Debug)]
struct Known {
    digest: digest::Digest,
    caller: Caller,
}

/// Who calls. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// Its name in logs, limits and stores.
    pub(crate) who: Who,
    allow: Arc<[Permission]>,
}

/// Whom a call is put down to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    /// The bearer of a token.
    Token(Arc<str>),
    /// Somebody at an address.
    Address(IpAddr),
}

impl Tokens {
    /// The tokens of a configuration.
    pub(crate) fn new(tokens: &[ApiToken]) -> Self {
        let known = tokens.iter().map(|token| Known {
            digest: hash(token.secret.expose()),
            caller: Caller { who: Who::Token(token.name.as_str().into()), allow: token.allow.clone().into() },
        });
        Self(known.collect())
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bearer of a token.
    pub(crate) fn bearer(&self, shown: &str) -> Option<Caller> {
        if shown.len() > TOKEN_MAX {
            return None;
        }
        let shown = hash(shown);
        let same =
            |known: &&Known| constant_time::verify_slices_are_equal(known.digest.as_ref(), shown.as_ref()).is_ok();
        // Every one is compared, so that the time does not tell which it was.
        self.0.iter().filter(same).fold(None, |found, known| found.or(Some(known))).map(|known| known.caller.clone())
    }
}

impl Caller {
    /// Somebody on this machine, where no tokens are configured.
    pub(crate) fn local(address: IpAddr) -> Self {
        Self { who: Who::Address(address), allow: Arc::new([Permission::ALL]) }
    }

    /// A client of Majula without a token, where it needs none.
    pub(crate) fn majula(address: IpAddr) -> Self {
        Self { who: Who::Address(address), allow: Arc::new(MAJULA) }
    }

    /// Somebody who may do nothing until a token was shown.
    pub(crate) fn stranger(address: IpAddr) -> Self {
        Self { who: Who::Address(address), allow: Arc::new([]) }
    }

    /// Whether there is nothing that they may do.
    pub(crate) fn is_stranger(&self) -> bool {
        self.allow.is_empty()
    }

    /// Everything that is allowed.
    pub(crate) fn permissions(&self) -> impl Iterator<Item = String> {
        self.allow.iter().map(ToString::to_string)
    }

    /// Whether it is allowed to do this to `object`.
    pub(crate) fn may(&self, verb: Verb, object: &str) -> Result<(), ApiError> {
        if self.allow.iter().any(|permission| permission.allows(verb, object)) {
            return Ok(());
        }
        let needed = if object.is_empty() { verb.as_str().to_owned() } else { format!("{}:{object}", verb.as_str()) };
        let (who, verb) = (self.name(), verb.as_str());
        Err(ApiError::new(Code::E1516, format!("{who} is not allowed to {verb} this; needed: `{needed}`")))
    }

    /// What logs and people call them.
    pub(crate) fn name(&self) -> String {
        match &self.who {
            Who::Token(name) => name.to_string(),
            Who::Address(address) => address.to_string(),
        }
    }
}

/// The token of `Authorization: Bearer`, if there is such a header.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn hash(token: &str) -> digest::Digest {
    digest::digest(&digest::SHA256, token.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn tokens() -> Tokens {
        let token = |name: &str, secret: &str, allow: &str| ApiToken {
            name: name.to_owned(),
            secret: Secret::new(secret),
            allow: vec![Permission::parse(allow).unwrap()],
        };
        Tokens::new(&[token("reader", "aaaaaaaaaaaaaaaa", "read"), token("sender", "bbbbbbbbbbbbbbbb", "send:b*")])
    }

    #[test]
    fn a_bearer_is_known_by_the_whole_token() {
        let tokens = tokens();
        assert_eq!(tokens.bearer("bbbbbbbbbbbbbbbb").unwrap().name(), "sender");
        for wrong in ["", "b", "bbbbbbbbbbbbbbb", "bbbbbbbbbbbbbbbbb", "sender"] {
            assert!(tokens.bearer(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_refusal_names_what_is_missing() {
        let sender = tokens().bearer("bbbbbbbbbbbbbbbb").unwrap();
        assert!(sender.may(Verb::Send, "b1").is_ok());
        let refusal = sender.may(Verb::Send, "c").unwrap_err();
        assert_eq!((refusal.status.as_u16(), refusal.code), (403, Code::E1516));
        assert!(refusal.detail.contains("`send:c`"), "{}", refusal.detail);
        assert!(sender.may(Verb::Read, "").unwrap_err().detail.contains("`read`"));
    }

    #[test]
    fn secrets_are_not_in_what_is_logged() {
        assert!(!format!("{:?}", tokens()).contains("bbbb"));
    }
}
