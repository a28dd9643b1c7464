//! The providers of this node: what they serve, how much of it at once, and how they fare.
//!
//! A registration lasts until it is taken back or its client goes away. One that is taken back lets its running calls
//! finish. Bounds: [`REGISTRATIONS_MAX`]; the queue of each, as registered.

use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    vec::Vec,
};
use core::time::Duration;

use super::{Entry, ServiceName, view::ServedView};
use crate::{
    arena::{Arena, Handle},
    collections::DetMap,
    error::Rejected,
    limits::REGISTRATIONS_MAX,
};

/// Every registration. See the module's first lines.
#[derive(Debug)]
pub(super) struct Registry {
    endpoints: Arena<Endpoint>,
    by_service: DetMap<ServiceName, Servers>,
    by_client: BTreeMap<Arc<str>, BTreeSet<ServiceName>>,
}

/// A service that one provider of this node serves.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) entry: Entry,
    pub(super) running: u32,
    /// The numbers of the calls that wait, in turn.
    pub(super) waiting: VecDeque<u64>,
    pub(super) stats: Stats,
}

/// What a provider has done since it was registered.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stats {
    pub(super) requests: u64,
    pub(super) errors: u64,
    pub(super) refused: u64,
    pub(super) expired: u64,
    /// Calls that were answered, and how long their handlers took together.
    pub(super) answered: u64,
    pub(super) busy: Duration,
}

impl Endpoint {
    /// Calls that run or wait.
    pub(super) fn load(&self) -> u32 {
        self.running.saturating_add(u32::try_from(self.waiting.len()).unwrap_or(u32::MAX))
    }
}

/// Who serves one service at this node.
#[derive(Debug, Default)]
struct Servers {
    node: Option<Handle<Endpoint>>,
    clients: BTreeMap<Arc<str>, Handle<Endpoint>>,
}

impl Registry {
    /// No registrations. `seed` varies where the table keeps things.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            endpoints: Arena::with_limit(REGISTRATIONS_MAX),
            by_service: DetMap::with_seed(seed),
            by_client: BTreeMap::new(),
        }
    }

    /// Adds a registration, or changes what it says and allows.
    ///
    /// # Errors
    /// [`Rejected::Busy`] if there are too many.
    pub(super) fn register(&mut self, entry: Entry) -> Result<Handle<Endpoint>, Rejected> {
        let client = entry.client.as_deref().unwrap_or_default();
        if let Some(handle) = self.find(entry.service.as_str(), Some(client))
            && let Some(endpoint) = self.endpoints.get_mut(handle)
        {
            endpoint.entry = entry;
            return Ok(handle);
        }
        let (service, client) = (entry.service.clone(), entry.client.clone());
        let endpoint = Endpoint { entry, running: 0, waiting: VecDeque::new(), stats: Stats::default() };
        let handle = self.endpoints.insert(endpoint).map_err(|_| Rejected::Busy)?;
        let servers = self.by_service.get_or_insert_with(service.clone(), Servers::default);
        match client {
            None => servers.node = Some(handle),
            Some(client) => {
                servers.clients.insert(client.clone(), handle);
                self.by_client.entry(client).or_default().insert(service);
            }
        }
        Ok(handle)
    }

    /// Takes a registration back.
    pub(super) fn unregister(&mut self, service: &str, client: Option<&str>) -> Option<Endpoint> {
        let handle = self.find(service, Some(client.unwrap_or_default()))?;
        let servers = self.by_service.get_mut(service)?;
        match client {
            None => servers.node = None,
            Some(client) => {
                servers.clients.remove(client);
                if let Some(services) = self.by_client.get_mut(client) {
                    services.remove(service);
                    if services.is_empty() {
                        self.by_client.remove(client);
                    }
                }
            }
        }
        if servers.node.is_none() && servers.clients.is_empty() {
            self.by_service.remove(service);
        }
        self.endpoints.remove(handle)
    }

    /// What a client serves.
    pub(super) fn services_of(&self, client: &str) -> Vec<ServiceName> {
        self.by_client.get(client).map(|services| services.iter().cloned().collect()).unwrap_or_default()
    }

    /// The provider of a service: the named client, the node itself if the name is empty, or, without a name, the one
    /// with the least to do.
    #[inline]
    pub(super) fn find(&self, service: &str, client: Option<&str>) -> Option<Handle<Endpoint>> {
        let servers = self.by_service.get(service)?;
        match client {
            Some("") => servers.node,
            Some(name) => servers.clients.get(name).copied(),
            None if servers.clients.is_empty() => servers.node,
            None => {
                let all = servers.node.iter().chain(servers.clients.values()).copied();
                all.min_by_key(|handle| self.endpoints.get(*handle).map_or(u32::MAX, Endpoint::load))
            }
        }
    }

    /// A registration, unless it was taken back.
    pub(super) fn get(&self, handle: Handle<Endpoint>) -> Option<&Endpoint> {
        self.endpoints.get(handle)
    }

    /// A registration, to change, unless it was taken back.
    pub(super) fn get_mut(&mut self, handle: Handle<Endpoint>) -> Option<&mut Endpoint> {
        self.endpoints.get_mut(handle)
    }

    /// Every registration.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Handle<Endpoint>, &Endpoint)> {
        self.endpoints.iter()
    }

    /// What people may see of the registrations.
    pub(super) fn views(&self) -> impl Iterator<Item = ServedView<'_>> {
        self.endpoints.iter().map(|(_, endpoint)| {
            let Stats { requests, errors, refused, expired, answered, busy } = endpoint.stats;
            let average = busy.checked_div(u32::try_from(answered).unwrap_or(u32::MAX));
            ServedView {
                entry: &endpoint.entry,
                running: endpoint.running,
                queued: u32::try_from(endpoint.waiting.len()).unwrap_or(u32::MAX),
                requests,
                errors,
                refused,
                expired,
                average,
            }
        })
    }
}
