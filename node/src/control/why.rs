//! Why something is as it is: `node why`. What this node knows about it, put into words; nothing is sent.

use std::collections::BTreeMap;

use super::{
    EvidenceDoc, ProviderDoc, ReasonDoc, ReceiverDoc, Receivers, RemedyDoc, Session, Subject, TopicDoc, WhyDoc,
    memory::Trace,
};
use crate::{
    config::nearest,
    counted::counted,
    errors::{Code, Exit, Problem},
};

/// Patterns that nearly match, and events, that are told.
const TOLD: usize = 10;

/// What speaks for what is wanted.
const FOR: &str = "yes";
/// What speaks against it.
const AGAINST: &str = "no";
/// What does neither.
const NOTE: &str = "note";

impl Session {
    /// Why something is as it is.
    pub(super) async fn why(&self, about: Subject, name: &str) -> Result<WhyDoc, Problem> {
        match about {
            Subject::Message => self.why_message(name),
            Subject::Topic => self.why_topic(name).await,
            Subject::Service => self.why_service(name).await,
        }
    }

    fn why_message(&self, id: &str) -> Result<WhyDoc, Problem> {
        let Some(trace) = self.memory.get(id) else {
            let what = format!("nothing is remembered of a publication `{id}`");
            let problem = Problem::new(Code::E0416, Exit::NotFound, what);
            return Err(problem.note("only those of `node pub --trace` are, at the node that published them"));
        };
        Ok(self.told(&trace))
    }

    /// What became of a publication, in order of time.
    fn told(&self, trace: &Trace) -> WhyDoc {
        let Trace { before, .. } = trace;
        let mut why = WhyDoc::default();
        let mut reason = receivers(before, self.mesh.name().as_str());
        reason.iter_mut().for_each(|reason| reason.at = Some(trace.at.clone()));
        why.because = reason;
        let about = format!("`{}`, {} bytes", before.topic, trace.bytes);
        match &trace.end {
            None => why.claim = format!("{about}: published, and its receivers have not answered yet"),
            Some((at, Err(problem))) => {
                why.claim = format!("{about}: not published");
                why.because.push(dated(AGAINST, self.mesh.name().as_str(), problem.what.clone(), at));
            }
            Some((at, Ok(published))) => {
                let subscribers = counted(published.subscribers, "subscription");
                let nodes = counted(published.nodes, "node");
                why.claim = format!("{about}: taken by {subscribers} on {nodes}");
                for missing in &published.missing {
                    let code = missing.code.map_or("", |code| code.as_str());
                    let text = format!("{} {code}", missing.detail.as_deref().unwrap_or(&missing.outcome));
                    why.because.push(dated(AGAINST, &missing.id, text, at));
                }
                for group in &published.unserved {
                    let text = "no member of this queue group took it".to_owned();
                    why.because.push(dated(AGAINST, group, text, at));
                }
            }
        }
        let nodes: Vec<_> = why.because.iter().map(|reason| reason.about.clone()).collect();
        why.evidence = self.evidence(|event| event.is_some_and(|id| nodes.iter().any(|node| node == id)));
        why
    }

    /// Who would get a publication to a topic, and who nearly would.
    async fn why_topic(&self, topic: &str) -> Result<WhyDoc, Problem> {
        let found = self.receivers(topic).await?;
        let known = self.topics().await?.topics;
        let mut why = WhyDoc { because: receivers(&found, self.mesh.name().as_str()), ..WhyDoc::default() };
        let count = found.here + found.nodes.len() as u64 + found.groups.len() as u64;
        why.claim = if count == 0 {
            format!("nobody would get a publication to `{topic}`")
        } else {
            let here = counted(found.here, "subscription");
            let nodes = counted(found.nodes.len() as u64, "other node");
            let groups = counted(found.groups.len() as u64, "group");
            format!("`{topic}` would go to {here} here, {nodes}, and one member of {groups}")
        };
        let matching = known.iter().filter(|known| matches(&known.pattern, topic));
        why.because.extend(
            matching.map(|known| reason(NOTE, &known.pattern, format!("matches; subscribed at {}", places(known)))),
        );
        let slow = known.iter().filter(|known| matches(&known.pattern, topic)).flat_map(|known| &known.slow);
        for slow in slow.filter(|slow| slow.dropped > 0).take(TOLD) {
            let who = slow.client.clone().unwrap_or_else(|| self.mesh.name().to_string());
            let text = format!("does not keep up: missed {}, {} wait ({})", slow.dropped, slow.queued, slow.policy);
            why.because.push(reason(AGAINST, &who, text));
        }
        let near = known.iter().filter_map(|known| Some((known, nearly(&known.pattern, topic)?)));
        for (known, how) in near.take(TOLD) {
            let text = format!("does not match: {how}; subscribed at {}", places(known));
            why.because.push(reason(AGAINST, &known.pattern, text));
            why.remedies.push(RemedyDoc {
                action: format!("publish where `{}` matches, or subscribe to `{topic}`", known.pattern),
                effect: format!("{} get it", places(known)),
            });
        }
        why.because.extend(self.gone("subscribed to"));
        why.evidence = self.evidence(|node| node.is_some());
        Ok(why)
    }

    /// Who provides a service, and who would be asked.
    async fn why_service(&self, service: &str) -> Result<WhyDoc, Problem> {
        let services = self.services().await?.services;
        let Some(found) = services.iter().find(|one| one.service == service) else {
            let names: Vec<_> = services.iter().map(|one| one.service.as_str()).collect();
            let mut why = WhyDoc { claim: format!("nobody serves `{service}`"), ..WhyDoc::default() };
            let nodes = self.mesh.routes().await.map_or(0, |routes| routes.len());
            let text = format!("{} services are known, of this node and {nodes} others within reach", names.len());
            why.because.push(reason(NOTE, self.mesh.name().as_str(), text));
            if let Some(near) = nearest(service, &names) {
                why.because.push(reason(AGAINST, near, "has a similar name".to_owned()));
                why.remedies.push(RemedyDoc { action: format!("call `{near}`"), effect: "it is served".to_owned() });
            }
            why.because.extend(self.gone("serves"));
            why.evidence = self.evidence(|node| node.is_some());
            return Ok(why);
        };
        let mut providers: Vec<_> = found.providers.iter().collect();
        // As a call is balanced that says nothing about it.
        providers.sort_by_key(|one| (one.cost.is_none(), one.cooling, one.cost, one.pending));
        let ready = providers.iter().filter(|one| one.cost.is_some()).count();
        let claim =
            format!("`{service}` has {}, {ready} of them within reach", counted(providers.len() as u64, "provider"));
        let mut because = Vec::new();
        for (place, provider) in providers.iter().enumerate() {
            because.push(judge(provider, place == 0));
        }
        because.extend(self.gone("serves"));
        let nodes: Vec<_> = providers.iter().map(|one| one.node.as_str()).collect();
        let evidence = self.evidence(|node| node.is_some_and(|node| nodes.contains(&node)));
        Ok(WhyDoc { claim, because, evidence, remedies: Vec::new() })
    }

    /// The nodes that went out of reach, as far as that is remembered: what they offered is forgotten.
    fn gone(&self, what: &str) -> Vec<ReasonDoc> {
        let (past, _) = self.journal.follow();
        let mut gone = BTreeMap::new();
        for event in &past {
            match (event.kind.as_str(), &event.id) {
                ("unreachable", Some(node)) => drop(gone.insert(node.clone(), event.at.clone())),
                ("reachable", Some(node)) => drop(gone.remove(node)),
                (_, _) => {}
            }
        }
        let text = format!("out of reach, so it is not known what it {what}");
        gone.iter().take(TOLD).map(|(node, at)| dated(AGAINST, node, text.clone(), at)).collect()
    }

    /// The last events about some nodes.
    fn evidence(&self, about: impl Fn(Option<&str>) -> bool) -> Vec<EvidenceDoc> {
        let (past, _) = self.journal.follow();
        let of = past.iter().rev().filter(|event| about(event.id.as_deref())).take(TOLD);
        let mut evidence: Vec<_> = of
            .map(|event| EvidenceDoc {
                event: event.number,
                at: event.at.clone(),
                node: event.id.clone(),
                text: event.text.clone(),
            })
            .collect();
        evidence.reverse();
        evidence
    }
}

/// Whether a provider would be asked, and why not.
fn judge(provider: &ProviderDoc, first: bool) -> ReasonDoc {
    let who = match &provider.client {
        Some(client) => format!("{}/{client}", provider.node),
        None => provider.node.clone(),
    };
    let room = provider.concurrency + provider.queue;
    let load = format!("{} there, of at most {room}", counted(provider.load, "call"));
    let (sign, text) = match provider.cost {
        None => (AGAINST, "out of reach".to_owned()),
        Some(cost) if provider.cooling => {
            (AGAINST, format!("refused a call a moment ago: asked last; cost {cost}, {load}"))
        }
        Some(cost) if provider.load >= room => (AGAINST, format!("full: {load}; cost {cost}")),
        Some(cost) if first => (FOR, format!("would be asked first; cost {cost}, {load}")),
        Some(cost) => (FOR, format!("would be asked after those before it; cost {cost}, {load}")),
    };
    reason(sign, &who, text)
}

/// Who would get a publication, a reason each.
fn receivers(found: &Receivers, here: &str) -> Vec<ReasonDoc> {
    let mut all = Vec::new();
    if found.here > 0 {
        let clients: Vec<_> = found.subscriptions.iter().filter_map(|one| one.client.as_deref()).collect();
        let who = if clients.is_empty() { String::new() } else { format!(": {}", clients.join(", ")) };
        all.push(reason(FOR, here, format!("{} at this node{who}", counted(found.here, "subscription"))));
    }
    let way = |node: &ReceiverDoc| match node.cost {
        Some(cost) => (FOR, format!("the way there costs {cost}")),
        None => (AGAINST, "out of reach".to_owned()),
    };
    for node in &found.nodes {
        let (sign, way) = way(node);
        all.push(reason(sign, &node.id, format!("subscriptions at this node; {way}")));
    }
    for group in &found.groups {
        for (place, node) in group.nodes.iter().enumerate() {
            let (sign, way) = way(node);
            let turn = if place == 0 { "asked first" } else { "asked if those before it have no member any more" };
            let text = format!("{} members of group `{}`, {turn}; {way}", node.members, group.group);
            all.push(reason(sign, &node.id, text));
        }
    }
    if found.kept {
        all.push(reason(FOR, here, "keeps it, for subscribers that come late".to_owned()));
    }
    all
}

fn reason(sign: &str, about: &str, text: String) -> ReasonDoc {
    ReasonDoc { about: about.to_owned(), sign: sign.to_owned(), text, at: None }
}

fn dated(sign: &str, about: &str, text: String, at: &str) -> ReasonDoc {
    ReasonDoc { at: Some(at.to_owned()), ..reason(sign, about, text) }
}

/// The nodes that subscribed.
fn places(topic: &TopicDoc) -> String {
    let nodes: Vec<_> = topic.nodes.iter().take(TOLD).map(|node| node.id.as_str()).collect();
    let more = topic.nodes.len().saturating_sub(TOLD);
    let group = topic.group.as_ref().map(|group| format!(" in group `{group}`")).unwrap_or_default();
    if more == 0 {
        format!("{}{group}", nodes.join(", "))
    } else {
        format!("{} and {more} more{group}", nodes.join(", "))
    }
}

/// Whether a pattern matches a topic.
fn matches(pattern: &str, topic: &str) -> bool {
    let parsed = (proto_core::pubsub::Pattern::new(pattern), proto_core::pubsub::Topic::new(topic));
    matches!(parsed, (Ok(pattern), Ok(topic)) if pattern.matches(&topic))
}

/// By how little a pattern misses a topic, if it is little: one token.
fn nearly(pattern: &str, topic: &str) -> Option<String> {
    if matches(pattern, topic) {
        return None;
    }
    let (wanted, given): (Vec<_>, Vec<_>) = (pattern.split('.').collect(), topic.split('.').collect());
    let fits = |wanted: &str, given: &str| wanted == "*" || wanted == given;
    if wanted.last() == Some(&">") {
        let same = wanted.len() - 1;
        let short = given.len() == same && wanted.iter().zip(&given).all(|(wanted, given)| fits(wanted, given));
        if short {
            return Some("`>` stands for one token or more, and there is none".to_owned());
        }
        let apart: Vec<_> = wanted[..same].iter().zip(&given).filter(|(wanted, given)| !fits(wanted, given)).collect();
        return (given.len() > same).then(|| one(&wanted[..same], &given, &apart)).flatten();
    }
    if wanted.len() == given.len() {
        let apart: Vec<_> = wanted.iter().zip(&given).filter(|(wanted, given)| !fits(wanted, given)).collect();
        return one(&wanted, &given, &apart);
    }
    let common = wanted.iter().zip(&given).all(|(wanted, given)| fits(wanted, given));
    match (wanted.len().abs_diff(given.len()), common) {
        (1, true) if wanted.len() < given.len() => {
            Some(format!("the topic has one token more, `{}`", given[wanted.len()]))
        }
        (1, true) => Some(format!("the topic lacks the token `{}`", wanted[given.len()])),
        (_, _) => None,
    }
}

/// In words, if one token differs, and not so that nothing else is the same.
fn one(wanted: &[&str], given: &[&str], apart: &[(&&str, &&str)]) -> Option<String> {
    let [(differs, from)] = apart else { return None };
    let common = wanted.iter().zip(given).any(|(wanted, given)| wanted == given);
    let similar = nearest(from, &[differs]).is_some();
    if !(common || similar) {
        return None;
    }
    let (wanted, given) = (**differs, **from);
    let case = wanted.eq_ignore_ascii_case(given);
    Some(format!("it says `{wanted}` where the topic says `{given}`{}", if case { ", in another case" } else { "" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_that_is_one_token_off_nearly_matches() {
        let how = |pattern, topic| nearly(pattern, topic).unwrap_or_default();
        assert_eq!(how("a.b", "a.b"), "");
        assert_eq!(how("a.B", "a.b"), "it says `B` where the topic says `b`, in another case");
        assert_eq!(how("a.*", "a.b.c"), "the topic has one token more, `c`");
        assert_eq!(how("a.b.c", "a.b"), "the topic lacks the token `c`");
        assert_eq!(how("a.>", "a"), "`>` stands for one token or more, and there is none");
        assert_eq!(how("order.>", "orders.new.eu"), "it says `order` where the topic says `orders`");
        assert_eq!(how("x.y", "a.b"), "");
        assert_eq!(how("weather.>", "orders.new"), "", "nothing is the same");
        assert_eq!(how("a", "a.b.c"), "");
    }

    #[test]
    fn a_provider_is_judged_by_what_stands_in_its_way() {
        let provider = ProviderDoc { node: "b".into(), cost: Some(3), concurrency: 1, ..ProviderDoc::default() };
        assert_eq!(judge(&provider, true).sign, FOR);
        for bad in [
            ProviderDoc { cost: None, ..provider.clone() },
            ProviderDoc { cooling: true, ..provider.clone() },
            ProviderDoc { load: 1, ..provider },
        ] {
            assert_eq!(judge(&bad, true).sign, AGAINST, "{bad:?}");
        }
    }
}
