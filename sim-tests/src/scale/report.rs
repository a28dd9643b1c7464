//! What is printed.

use std::fmt;

use super::Measured;

/// Several sizes of a mesh, from the smallest to the largest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    sizes: Vec<Measured>,
}

impl Report {
    /// One more size.
    pub fn add(&mut self, size: Measured) {
        self.sizes.push(size);
        self.sizes.sort_by_key(|size| size.nodes);
    }

    /// Whether control traffic grows slower than the mesh. One size alone shows no growth, and is no reason to complain.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.slope().is_none_or(|slope| slope < 1.0)
    }

    /// How control traffic grows: the slope of ln(control bytes per node and minute under churn) over ln(links in the
    /// mesh), by least squares. `None` unless there are two sizes at least.
    #[must_use]
    pub fn slope(&self) -> Option<f64> {
        self.slope_of(|size| size.churn.control_bytes)
    }

    /// The same for what a node sends beyond what it sends at rest.
    fn slope_beyond_rest(&self) -> Option<f64> {
        self.slope_of(|size| (size.churn.control_bytes - size.rest.control_bytes).max(1.0))
    }

    fn slope_of(&self, bytes: impl Fn(&Measured) -> f64) -> Option<f64> {
        let points: Vec<_> = self.sizes.iter().map(|size| (f64::from(size.links).ln(), bytes(size).ln())).collect();
        slope(&points)
    }

    /// Over the hashes of all sizes.
    fn hash(&self) -> u64 {
        self.sizes.iter().fold(0, |hash, size| hash.rotate_left(7) ^ size.hash)
    }
}

fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let count = points.len() as f64;
    let (mean_x, mean_y) =
        (points.iter().map(|(x, _)| x).sum::<f64>() / count, points.iter().map(|(_, y)| y).sum::<f64>() / count);
    let spread: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    let common: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    (spread > 0.0).then(|| common / spread)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:>5} {:>5} {:>6} {:>6} {:>9} {:>8} {:>7} {:>8} {:>8} {:>8} {:>9} {:>7} {:>10} {:>5}",
            "", "", "", "", "converged", "after", "adverts", "", "", "", "control", "control", "control", ""
        )?;
        writeln!(
            f,
            "{:>5} {:>5} {:>6} {:>6} {:>9} {:>8} {:>7} {:>8} {:>8} {:>8} {:>9} {:>7} {:>10} {:>5}",
            "nodes",
            "links",
            "sim s",
            "wall s",
            "ms",
            "churn ms",
            "own",
            "accepted",
            "stale",
            "spf runs",
            "bytes",
            "frames",
            "at rest, B",
            "lost"
        )?;
        for size in &self.sizes {
            let Measured { churn, rest, outcomes, .. } = size;
            writeln!(
                f,
                "{:>5} {:>5} {:>6} {:>6.1} {:>9} {:>8} {:>7.2} {:>8.1} {:>8.1} {:>8.1} {:>9.0} {:>7.0} {:>10.0} {:>5}",
                size.nodes,
                size.links,
                size.sim_ms / 1_000,
                size.wall.as_secs_f64(),
                size.converged_ms,
                size.settled_ms,
                churn.originated,
                churn.accepted,
                churn.stale,
                churn.spf_runs,
                churn.control_bytes,
                churn.control_frames,
                rest.control_bytes,
                outcomes.rejected + outcomes.unknown,
            )?;
        }
        writeln!(
            f,
            "adverts, spf runs and control traffic are per node and minute; lost: messages to or from nodes that were down"
        )?;
        let Some(last) = self.sizes.last() else { return Ok(()) };
        let plain = |slope: Option<f64>| slope.map_or_else(|| String::from("-"), |slope| format!("{slope:.2}"));
        let (slope, beyond) = (plain(self.slope()), plain(self.slope_beyond_rest()));
        let verdict = if self.ok() { "ok" } else { "not reached" };
        writeln!(f, "control bytes per node beyond those at rest grow as links^{beyond}")?;
        writeln!(f, "control bytes per node grow as links^{slope}; slower than the links (below 1): {verdict}")?;
        write!(
            f,
            "scale {verdict} nodes {} links {} control-bytes-per-node-minute {:.0} slope {slope} hash {:016x}",
            last.nodes,
            last.links,
            last.churn.control_bytes,
            self.hash()
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::scale::{Outcomes, Rates};

    fn size(nodes: u32, links: u32, control_bytes: f64) -> Measured {
        let churn = Rates { control_bytes, ..Rates::default() };
        Measured {
            nodes,
            links,
            sim_ms: 100_000,
            wall: Duration::from_secs(1),
            converged_ms: 100,
            settled_ms: 200,
            rest: Rates::default(),
            churn,
            outcomes: Outcomes::default(),
            hash: u64::from(nodes),
        }
    }

    fn report(sizes: &[Measured]) -> Report {
        let mut report = Report::default();
        sizes.iter().for_each(|size| report.add(*size));
        report
    }

    #[test]
    fn traffic_that_doubles_with_four_times_the_links_grows_with_the_root() {
        let report = report(&[size(40, 400, 2_000.0), size(10, 100, 1_000.0)]);
        assert!(report.ok() && report.slope().is_some_and(|slope| (slope - 0.5).abs() < 1e-9));
        let last = report.to_string().lines().last().map(String::from).unwrap_or_default();
        assert!(last.starts_with("scale ok nodes 40 links 400 control-bytes-per-node-minute 2000 slope 0.50 hash "));
    }

    #[test]
    fn traffic_that_grows_as_fast_as_the_links_is_too_much() {
        let report = report(&[size(10, 100, 1_000.0), size(20, 200, 2_100.0), size(40, 400, 4_400.0)]);
        assert!(!report.ok());
        assert!(report.to_string().contains("scale not reached nodes 40"));
    }

    #[test]
    fn one_size_shows_no_growth() {
        let report = report(&[size(10, 100, 1_000.0)]);
        assert!(report.ok() && report.slope().is_none());
    }
}
