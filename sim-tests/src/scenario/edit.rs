//! Smaller scenarios from larger ones.

use std::cmp::Ordering;

use io_sim::{Fault, HostId, Partition};

use super::{Op, Scenario};

impl Scenario {
    /// The same scenario without one host and everything that needs it; later hosts move up by one place. `None` if
    /// fewer than two would be left.
    #[must_use]
    pub fn without_host(&self, gone: HostId) -> Option<Self> {
        if self.hosts.len() <= 2 {
            return None;
        }
        let place = |host: HostId| match host.cmp(&gone) {
            Ordering::Less => Some(host),
            Ordering::Equal => None,
            Ordering::Greater => Some(HostId(host.0 - 1)),
        };
        let mut smaller = self.clone();
        let gone = smaller.hosts.remove(gone.0 as usize);
        for host in &mut smaller.hosts {
            host.template.peers.retain(|peer| peer.name != gone.name);
        }
        smaller.network.links.retain_mut(|link| match place(link.from).zip(place(link.to)) {
            Some(ends) => {
                (link.from, link.to) = ends;
                true
            }
            None => false,
        });
        smaller.workload.retain_mut(|timed| renumber_op(&timed.op, &place).map(|op| timed.op = op).is_some());
        smaller
            .faults
            .retain_mut(|timed| renumber_fault(&timed.fault, &place).map(|fault| timed.fault = fault).is_some());
        smaller.survivors = smaller.survivors.iter().filter_map(|host| place(*host)).collect();
        Some(smaller)
    }
}

/// Every host that an operation speaks of.
pub(super) fn hosts_of_op(op: &Op) -> Vec<HostId> {
    match op {
        Op::Send { from, to, .. }
        | Op::SendToClient { from, to, .. }
        | Op::Trace { from, to, .. }
        | Op::FindNode { from, to, .. } => vec![*from, *to],
        Op::SendMany { from, to, .. } => to.iter().copied().chain([*from]).collect(),
        Op::Broadcast { from, .. } | Op::Client { at: from, .. } => vec![*from],
        Op::Service(service) => service.hosts(),
    }
}

/// Every host that a fault speaks of.
pub(super) fn hosts_of_fault(fault: &Fault) -> Vec<HostId> {
    match fault {
        Fault::Crash { host }
        | Fault::Kill { host }
        | Fault::Stop { host }
        | Fault::Restart { host }
        | Fault::Pause { host, .. }
        | Fault::ClockRate { host, .. }
        | Fault::SlowApplication { host, .. }
        | Fault::StuckClient { host, .. }
        | Fault::FailDisk { host } => vec![*host],
        Fault::Link { from, to, .. } | Fault::Corrupt { from, to } => vec![*from, *to],
        Fault::CutStreams { a, b } => vec![*a, *b],
        Fault::Partition { kind } => hosts_of_partition(kind),
        Fault::Heal => Vec::new(),
    }
}

fn hosts_of_partition(partition: &Partition) -> Vec<HostId> {
    match partition {
        Partition::Symmetric { left, right } => [left.as_slice(), right].concat(),
        Partition::OneWay { from, to } => [from.as_slice(), to].concat(),
        Partition::Bridge { left, bridge, right } => [left.as_slice(), right, &[*bridge]].concat(),
        Partition::Ring { order } => order.clone(),
        Partition::Isolate { host } => vec![*host],
    }
}

fn renumber_op(op: &Op, place: &impl Fn(HostId) -> Option<HostId>) -> Option<Op> {
    let mut op = op.clone();
    match &mut op {
        Op::Send { from, to, .. }
        | Op::SendToClient { from, to, .. }
        | Op::Trace { from, to, .. }
        | Op::FindNode { from, to, .. } => {
            (*from, *to) = (place(*from)?, place(*to)?);
        }
        Op::SendMany { from, to, .. } => {
            *from = place(*from)?;
            *to = to.iter().filter_map(|host| place(*host)).collect();
            if to.is_empty() {
                return None;
            }
        }
        Op::Broadcast { from, .. } | Op::Client { at: from, .. } => *from = place(*from)?,
        Op::Service(service) => service.renumber(place)?,
    }
    Some(op)
}

fn renumber_fault(fault: &Fault, place: &impl Fn(HostId) -> Option<HostId>) -> Option<Fault> {
    let mut fault = fault.clone();
    match &mut fault {
        Fault::Crash { host }
        | Fault::Kill { host }
        | Fault::Stop { host }
        | Fault::Restart { host }
        | Fault::Pause { host, .. }
        | Fault::ClockRate { host, .. }
        | Fault::SlowApplication { host, .. }
        | Fault::StuckClient { host, .. }
        | Fault::FailDisk { host } => *host = place(*host)?,
        Fault::Link { from: a, to: b, .. } | Fault::Corrupt { from: a, to: b } | Fault::CutStreams { a, b } => {
            (*a, *b) = (place(*a)?, place(*b)?);
        }
        Fault::Partition { kind } => renumber_partition(kind, place)?,
        Fault::Heal => {}
    }
    Some(fault)
}

/// A partition that no longer parts anybody is gone.
fn renumber_partition(partition: &mut Partition, place: &impl Fn(HostId) -> Option<HostId>) -> Option<()> {
    let keep = |hosts: &mut Vec<HostId>| {
        *hosts = hosts.iter().filter_map(|host| place(*host)).collect();
        (!hosts.is_empty()).then_some(())
    };
    match partition {
        Partition::Symmetric { left: one, right: other } | Partition::OneWay { from: one, to: other } => {
            keep(one)?;
            keep(other)
        }
        Partition::Bridge { left, bridge, right } => {
            keep(left)?;
            keep(right)?;
            let bridged = place(*bridge);
            match bridged {
                Some(host) => *bridge = host,
                None => {
                    let (left, right) = (std::mem::take(left), std::mem::take(right));
                    *partition = Partition::Symmetric { left, right };
                }
            }
            Some(())
        }
        Partition::Ring { order } => keep(order),
        Partition::Isolate { host } => place(*host).map(|moved| *host = moved),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate;

    #[test]
    fn a_scenario_without_a_host_is_sound_and_never_speaks_of_it() {
        for seed in 0..50 {
            let scenario = generate::family("mesh5").expect("it exists").generate(seed);
            for gone in scenario.ids() {
                let smaller = scenario.without_host(gone).expect("five hosts are enough");
                assert_eq!((smaller.check(), smaller.hosts.len()), (Ok(()), 4));
            }
        }
    }

    #[test]
    fn the_last_two_hosts_stay() {
        let mut scenario = generate::family("mesh5").expect("it exists").generate(1);
        while let Some(smaller) = scenario.without_host(HostId(0)) {
            scenario = smaller;
        }
        assert_eq!(scenario.hosts.len(), 2);
    }

    #[test]
    fn a_partition_without_its_bridge_has_two_sides() {
        let hosts = |numbers: &[u32]| numbers.iter().copied().map(HostId).collect::<Vec<_>>();
        let place = |host: HostId| (host.0 != 2).then_some(host);
        let mut partition = Partition::Bridge { left: hosts(&[0, 2]), bridge: HostId(2), right: hosts(&[3]) };
        assert_eq!(renumber_partition(&mut partition, &place), Some(()));
        assert_eq!(partition, Partition::Symmetric { left: hosts(&[0]), right: hosts(&[3]) });
        assert_eq!(renumber_partition(&mut Partition::Isolate { host: HostId(2) }, &place), None);
    }
}
