//! Which names may link: patterns with `*` for any run of characters, none at all for everybody.

use alloc::{sync::Arc, vec::Vec};

use crate::id::NodeName;

/// The names that may link.
#[derive(Clone, Debug)]
pub(super) struct AllowList(Vec<Arc<str>>);

impl AllowList {
    /// Takes patterns; an empty list allows every name.
    pub(super) const fn new(patterns: Vec<Arc<str>>) -> Self {
        Self(patterns)
    }

    /// Whether a name may link.
    pub(super) fn permits(&self, name: &NodeName) -> bool {
        self.0.is_empty() || self.0.iter().any(|pattern| matches(pattern, name.as_str()))
    }
}

/// Whether `text` is what `pattern` describes. Takes each literal run between stars at its first place, which is enough
/// because stars match anything: linear but for the search.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut rest) = text.strip_prefix(head) else { return false };
    let mut runs = tail.split('*').peekable();
    while let Some(run) = runs.next() {
        if runs.peek().is_none() {
            return rest.ends_with(run);
        }
        match rest.find(run) {
            Some(at) => rest = &rest[at + run.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run() {
        for (pattern, text) in [
            ("*", "a"),
            ("gz-*", "gz-01"),
            ("gz-*", "gz-"),
            ("*-relay", "hk-relay"),
            ("a*b*c", "abc"),
            ("a*b*c", "axxbyyczzc"),
            ("**a**", "bab"),
            ("gz-01", "gz-01"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("gz-*", "hk-01"),
            ("gz-01", "gz-012"),
            ("a*b*c", "acb"),
            ("ab*ba", "aba"),
            ("", "a"),
            ("*-relay", "relay"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn an_empty_list_allows_everybody() {
        let name = NodeName::new("anyone").unwrap();
        assert!(AllowList::new(Vec::new()).permits(&name));
        assert!(!AllowList::new([Arc::from("gz-*"), Arc::from("hk-*")].into()).permits(&name));
    }
}
