//! What a node does with the topics that a rule names.

use std::time::Duration;

use proto_core::pubsub::{HistoryRule, Pattern, Policy};

use super::permission;

/// A rule for topics. Of several that match, the first counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicRule {
    /// The topics.
    pub pattern: Pattern,
    /// What is kept of each, for subscribers that come late or come back.
    pub history: TopicHistory,
    /// What happens to a subscription of this node that does not keep up; `None`: as elsewhere.
    pub slow_consumer: Option<Policy>,
}

/// What is kept of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicHistory {
    /// Most publications; 0: none is kept.
    pub size: usize,
    /// Most bytes.
    pub bytes: usize,
    /// How long a publication is kept; `None`: until others take its place.
    pub ttl: Option<Duration>,
}

impl TopicRule {
    /// Whether the rule is for every topic that the pattern matches.
    #[must_use]
    pub fn covers(&self, pattern: &str) -> bool {
        permission::covers(self.pattern.as_str(), pattern)
    }

    /// The rules of history for the core.
    #[must_use]
    pub fn history(rules: &[Self]) -> Vec<HistoryRule> {
        // A rule that keeps nothing matters only where a later one would keep something.
        let last = rules.iter().rposition(|rule| rule.history.size > 0).map_or(0, |last| last + 1);
        let rule = |rule: &Self| HistoryRule {
            pattern: rule.pattern.clone(),
            messages: rule.history.size,
            bytes: rule.history.bytes,
            age: rule.history.ttl,
        };
        rules.iter().take(last).map(rule).collect()
    }

    /// Whether every topic that the pattern matches is kept.
    #[must_use]
    pub fn keep(rules: &[Self], pattern: &str) -> bool {
        rules.iter().find(|rule| rule.covers(pattern)).is_some_and(|rule| rule.history.size > 0)
    }
}

impl Default for TopicHistory {
    fn default() -> Self {
        Self { size: 0, bytes: 16 << 20, ttl: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(pattern: &str, size: usize) -> TopicRule {
        let history = TopicHistory { size, ..TopicHistory::default() };
        TopicRule { pattern: Pattern::new(pattern).unwrap(), history, slow_consumer: None }
    }

    #[test]
    fn a_rule_that_keeps_nothing_hides_later_ones_and_is_nothing_by_itself() {
        assert_eq!(TopicRule::history(&[rule("a", 0), rule(">", 0)]), []);
        let rules = [rule("secret.>", 0), rule(">", 9), rule("b", 0)];
        let sizes: Vec<_> = TopicRule::history(&rules).iter().map(|rule| rule.messages).collect();
        assert_eq!(sizes, [0, 9]);
        assert!(TopicRule::keep(&rules, "a.*") && !TopicRule::keep(&rules, "secret.x"));
    }
}
