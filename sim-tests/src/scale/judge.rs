//! Has the mesh converged?

use std::collections::BTreeMap;

use io_sim::{HostId, HostState, World};
use proto_core::{id::NodeAddr, limits::HOPS_MAX, link::LinkId};

use crate::{
    invariants::Suite,
    run::snap::{Camera, Follow},
    scenario::Scenario,
    snapshot::Alive,
    verdict::Violation,
};

/// Looks at every node of one mesh.
#[derive(Debug)]
pub(super) struct Judge {
    camera: Camera,
    suite: Suite,
    addrs: BTreeMap<NodeAddr, HostId>,
}

impl Judge {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let addrs = scenario.hosts.iter().map(|host| host.name.addr()).zip(scenario.ids()).collect();
        Self { camera: Camera::new(scenario), suite: Suite::default(), addrs }
    }

    /// Whether every node runs and has a route to every other. Cheap, and proves nothing of the routes.
    pub(super) fn seems_converged(&self, world: &World) -> bool {
        let others = self.addrs.len() - 1;
        world
            .hosts()
            .all(|host| world.host(host).node().is_some_and(|node| node.router().reachable().count() == others))
    }

    /// Whether every node runs, every link that is configured is up, everybody holds the same adverts, every route costs
    /// what plain Dijkstra says, and frames from everybody to everybody arrive.
    ///
    /// # Errors
    /// The first thing that is not so.
    pub(super) fn converged(&mut self, world: &World) -> Result<(), Violation> {
        self.camera.shoot(world, Follow::Nothing);
        for (place, node) in self.camera.snapshot.nodes.iter_mut().enumerate() {
            let host = world.host(HostId(place as u32));
            node.life = host.incarnation();
            node.alive = if host.state() == HostState::Up { Alive::Running } else { Alive::Down };
        }
        let at_ms = world.now().as_millis();
        let violation = |invariant: &str, detail| Violation { invariant: invariant.into(), at_ms, detail };
        if let Some(down) = self.camera.snapshot.nodes.iter().find(|node| node.alive == Alive::Down) {
            return Err(violation("scale", format!("{} is down", down.name)));
        }
        self.suite.always(&self.camera.snapshot)?;
        self.suite.settled(&self.camera.snapshot)?;
        self.walk_all(world).map_err(|detail| violation("scale", detail))
    }

    /// Follows a frame from everybody to everybody.
    fn walk_all(&self, world: &World) -> Result<(), String> {
        let exits: Vec<Exits> = world.hosts().map(|host| self.exits(world, host)).collect();
        for from in world.hosts() {
            for (dst, to) in self.addrs.iter().filter(|(_, to)| **to != from) {
                walk(world, &exits, from, (*to, *dst))?;
            }
        }
        Ok(())
    }

    fn exits(&self, world: &World, host: HostId) -> Exits {
        let links = world.host(host).node().into_iter().flat_map(|node| node.links().views());
        links.filter_map(|link| Some((link.link, *self.addrs.get(&link.addr)?))).collect()
    }
}

/// The links of a node, and where they lead.
type Exits = BTreeMap<LinkId, HostId>;

fn walk(world: &World, exits: &[Exits], from: HostId, (to, dst): (HostId, NodeAddr)) -> Result<(), String> {
    let flow = (from.0 * 31 + to.0) as u16;
    let (mut here, mut came_by) = (from, None);
    for _ in 0..HOPS_MAX {
        let lost = |why: &str| format!("a frame from {from} to {to} is lost at {here}: {why}");
        let node = world.host(here).node().ok_or_else(|| lost("it is down"))?;
        let link = node.router().next_hop(dst, flow, came_by).map_err(|why| lost(&format!("{why:?}")))?;
        let next = *exits[here.0 as usize].get(&link).ok_or_else(|| lost("the link is gone"))?;
        if next == to {
            return Ok(());
        }
        came_by = exits[next.0 as usize].iter().find(|(_, peer)| **peer == here).map(|(link, _)| *link);
        here = next;
    }
    Err(format!("a frame from {from} to {to} does not arrive within {HOPS_MAX} links"))
}
