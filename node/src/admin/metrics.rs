//! The counters of the node as OpenMetrics. Base units, no labels without a bound.

use std::{collections::BTreeMap, fmt};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _, text::encode},
    metrics::{MetricType, TypedMetric as _, counter::ConstCounter, gauge::ConstGauge, info::Info},
    registry::Registry,
};

/// What the text is.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Counters that make one metric, told apart by a label: metric, help, label, and value and counter for each.
type Family = (&'static str, &'static str, &'static str, &'static [(&'static str, &'static str)]);

const FAMILIES: &[Family] = &[
    ("link_bytes", "Bytes on links", "dir", &[("in", "link_bytes_in"), ("out", "link_bytes_out")]),
    ("link_frames", "Frames on links", "dir", &[("in", "link_frames_in"), ("out", "link_frames_out")]),
    (
        "messages",
        "Messages of programs at this node",
        "result",
        &[
            ("sent", "messages_sent"),
            ("received", "messages_delivered"),
            ("refused", "messages_refused"),
            ("unknown", "messages_unknown"),
        ],
    ),
    (
        "frames_dropped",
        "Frames of others and of this node that were dropped",
        "reason",
        &[
            ("no_route", "route_dropped_no_route"),
            ("hop_limit", "route_dropped_hop_limit"),
            ("would_return", "route_dropped_would_return"),
            ("no_transit", "route_dropped_no_transit"),
            ("queue_full", "route_dropped_queue_full"),
            ("malformed", "route_dropped_malformed"),
        ],
    ),
    ("link_changes", "Links that came up and went down", "to", &[("up", "link_ups"), ("down", "link_downs")]),
];

/// How many links are up.
pub(super) fn links(counters: &BTreeMap<&'static str, u64>) -> u64 {
    let count = |name: &str| counters.get(name).copied().unwrap_or(0);
    count("link_ups").saturating_sub(count("link_downs"))
}

/// The text of a scrape.
pub(super) fn render(counters: BTreeMap<&'static str, u64>) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("firelink");
    registry.register("build", "The program", Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]));
    registry.register_collector(Box::new(Counters(counters)));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Counters(BTreeMap<&'static str, u64>);

impl Collector for Counters {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let gauge = ConstGauge::new(i64::try_from(links(&self.0)).unwrap_or(i64::MAX));
        gauge.encode(encoder.encode_descriptor("links", "Links that are up", None, gauge.metric_type())?)?;
        for (name, help, label, members) in FAMILIES {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (value, counter) in *members {
                let count = ConstCounter::new(self.0.get(counter).copied().unwrap_or(0));
                count.encode(metric.encode_family(&[(*label, *value)])?)?;
            }
        }
        let in_families = |name: &str| FAMILIES.iter().any(|(.., members)| members.iter().any(|(_, own)| *own == name));
        for (name, count) in self.0.iter().filter(|(name, _)| !in_families(name)) {
            let help = name.replace('_', " ");
            let count = ConstCounter::new(*count);
            count.encode(encoder.encode_descriptor(name, &help, None, ConstCounter::<u64>::TYPE)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto_core::probe::Counter;

    fn all() -> BTreeMap<&'static str, u64> {
        Counter::ALL.iter().map(|counter| (counter.name(), 1)).collect()
    }

    #[test]
    fn families_are_made_of_counters_that_exist() {
        let all = all();
        for (.., members) in FAMILIES {
            for (_, counter) in *members {
                assert!(all.contains_key(counter), "{counter}");
            }
        }
    }

    #[test]
    fn every_counter_is_exported_once() {
        let mut counters = all();
        counters.insert("link_ups", 3);
        let text = render(counters).unwrap();
        for line in [
            "firelink_links 2\n",
            "firelink_link_bytes_total{dir=\"in\"} 1\n",
            "firelink_messages_total{result=\"sent\"} 1\n",
            "firelink_route_forwarded_total 1\n",
            "firelink_build_info{version=",
        ] {
            assert_eq!(text.matches(line).count(), 1, "{line} in\n{text}");
        }
        assert!(!text.contains("link_bytes_in"), "{text}");
        assert!(text.ends_with("# EOF\n"));
    }
}
