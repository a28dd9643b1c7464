//! Smaller scenarios from larger ones.

use super::{NodeIx, Op, Scenario};

impl Scenario {
    /// The same scenario without one node and everything that needs it; later nodes move up by one place. `None` if
    /// fewer than two would be left.
    #[must_use]
    pub fn without_node(&self, gone: NodeIx) -> Option<Self> {
        if self.nodes.len() <= 2 {
            return None;
        }
        let place = |node: NodeIx| match node.cmp(&gone) {
            std::cmp::Ordering::Less => Some(node),
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Greater => Some(node - 1),
        };
        let mut smaller = self.clone();
        smaller.nodes.remove(usize::from(gone));
        for node in &mut smaller.nodes {
            node.dials.retain_mut(|dial| place(dial.to).map(|to| dial.to = to).is_some());
        }
        smaller.network.links.retain_mut(|link| match (place(link.from), place(link.to)) {
            (Some(from), Some(to)) => {
                (link.from, link.to) = (from, to);
                true
            }
            (Some(_) | None, None) | (None, Some(_)) => false,
        });
        smaller.workload.retain_mut(|timed| renumber_op(&timed.op, &place).map(|op| timed.op = op).is_some());
        smaller.faults.retain_mut(|timed| timed.fault.renumbered(&place).map(|fault| timed.fault = fault).is_some());
        smaller.survivors = smaller.survivors.iter().filter_map(|node| place(*node)).collect();
        Some(smaller)
    }
}

/// Every node that an operation speaks of.
pub(super) fn nodes_of_op(op: &Op) -> Vec<NodeIx> {
    match op {
        Op::Send { from, to, .. } | Op::Trace { from, to, .. } | Op::FindNode { from, to, .. } => vec![*from, *to],
        Op::SendMany { from, to, .. } => to.iter().copied().chain([*from]).collect(),
        Op::Broadcast { from, .. } => vec![*from],
    }
}

fn renumber_op(op: &Op, place: &impl Fn(NodeIx) -> Option<NodeIx>) -> Option<Op> {
    let mut op = op.clone();
    match &mut op {
        Op::Send { from, to, .. } | Op::Trace { from, to, .. } | Op::FindNode { from, to, .. } => {
            (*from, *to) = (place(*from)?, place(*to)?);
        }
        Op::SendMany { from, to, .. } => {
            *from = place(*from)?;
            *to = to.iter().filter_map(|node| place(*node)).collect();
            if to.is_empty() {
                return None;
            }
        }
        Op::Broadcast { from, .. } => *from = place(*from)?,
    }
    Some(op)
}

#[cfg(test)]
mod tests {
    use crate::generate;

    #[test]
    fn a_scenario_without_a_node_is_sound_and_never_speaks_of_it() {
        for seed in 0..50 {
            let scenario = generate::family("mesh5").expect("it exists").generate(seed);
            for gone in 0..5 {
                let smaller = scenario.without_node(gone).expect("five nodes are enough");
                assert_eq!((smaller.check(), smaller.nodes.len()), (Ok(()), 4));
            }
        }
    }

    #[test]
    fn the_last_two_nodes_stay() {
        let mut scenario = generate::family("mesh5").expect("it exists").generate(1);
        while let Some(smaller) = scenario.without_node(0) {
            scenario = smaller;
        }
        assert_eq!(scenario.nodes.len(), 2);
    }
}
