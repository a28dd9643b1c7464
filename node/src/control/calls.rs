//! Services: who provides them, and calling them.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use io_tokio::{Balance, CallBuilder, CallError, Provider, Response, ServedInfo, ServiceInfo};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{
    FieldDoc, ProviderDoc, ResponseDoc, ServedDoc, ServiceDoc, Services, Session, refusal,
    session::{address, micros, name},
};
use crate::{
    config::nearest,
    errors::{Code, Problem},
};

/// Least time between two hints to a service of a similar name.
const HINT_EVERY: Duration = Duration::from_millis(100);

/// How a call is made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CallWish {
    /// The node that shall answer; `None`: any.
    pub(crate) node: Option<String>,
    /// The client of that node that shall answer.
    pub(crate) provider: Option<String>,
    /// How one of several is chosen, where no node is given.
    pub(crate) balance: Option<Choice>,
    /// The client of this node that calls.
    pub(crate) from_client: Option<String>,
    /// How long it may take.
    pub(crate) deadline_ms: Option<u64>,
}

/// How one of several providers is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub(crate) enum Choice {
    /// The one that costs least to reach
    Nearest,
    /// One after the other
    RoundRobin,
    /// The one with the fewest unanswered calls of this node
    LeastPending,
}

impl From<Choice> for Balance {
    fn from(choice: Choice) -> Self {
        match choice {
            Choice::Nearest => Self::Nearest,
            Choice::RoundRobin => Self::RoundRobin,
            Choice::LeastPending => Self::LeastPending,
        }
    }
}

impl Session {
    /// A call, ready to be made.
    pub(crate) fn call(&self, service: &str, body: Bytes, wish: CallWish) -> CallBuilder {
        let CallWish { node, provider, balance, from_client, deadline_ms } = wish;
        let deadline = deadline_ms.map_or(self.facts.deadline, Duration::from_millis);
        let mut call = self.mesh.call(service, body).deadline(deadline);
        if let Some(client) = from_client {
            call = call.client(client);
        }
        match (node, provider, balance) {
            (Some(node), Some(client), _) => call.at_provider(&node, Some(&client)),
            (Some(node), None, _) => call.at(&node),
            (None, _, Some(choice)) => call.balance(choice.into()),
            (None, _, None) => call,
        }
    }

    /// Why a call has no result, with what this node knows about it.
    pub(crate) async fn call_failed(&self, why: CallError, service: &str) -> Problem {
        let problem = refusal::call(why, service);
        if problem.code != Code::E0502 || !self.hints.is_due() {
            return problem;
        }
        let services = self.services().await.unwrap_or_default().services;
        let names: Vec<_> = services.iter().map(|service| service.service.as_str()).collect();
        let known = names.contains(&service);
        match nearest(service, &names) {
            Some(near) if !known => problem.note(format!("did you mean `{near}`?")),
            Some(_) | None => problem,
        }
    }

    /// Every service of the mesh, in order of name.
    pub(crate) async fn services(&self) -> Result<Services, Problem> {
        let mut services: Vec<ServiceDoc> = Vec::new();
        for info in self.mesh.services().await.map_err(|_| refusal::stopped())? {
            let provider = provider(&info);
            match services.last_mut().filter(|last| last.service == info.service.as_str()) {
                Some(last) => last.providers.push(provider),
                None => services.push(ServiceDoc { service: info.service.to_string(), providers: vec![provider] }),
            }
        }
        for service in &mut services {
            service.providers.sort_by(|a, b| (&a.node, &a.client).cmp(&(&b.node, &b.client)));
        }
        Ok(Services { services })
    }

    /// An answer without its payload.
    pub(crate) fn response(&self, service: &str, response: &Response) -> ResponseDoc {
        let provider = response.provider.as_ref();
        ResponseDoc {
            service: service.to_owned(),
            node: provider.map(|provider| self.provider_node(provider)),
            client: provider.and_then(|provider| provider.client.as_deref()).map(str::to_owned),
            item: false,
            bytes: response.payload.len() as u64,
        }
    }

    fn provider_node(&self, provider: &Provider) -> String {
        self.mesh.name_of(provider.node).map_or_else(|| address(provider.node), |name| name.to_string())
    }
}

/// Says now and then that there is time for a hint. To find one, all services are looked at, and callers that fail may be
/// many.
#[derive(Debug, Default)]
pub(crate) struct Hints(Mutex<Option<Instant>>);

impl Hints {
    fn is_due(&self) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|last| last.elapsed() >= HINT_EVERY);
        if due {
            *last = Some(Instant::now());
        }
        due
    }
}

fn provider(info: &ServiceInfo) -> ProviderDoc {
    let fields = |fields: &[proto_core::rpc::Field]| {
        let field = |field: &proto_core::rpc::Field| FieldDoc {
            name: field.name.clone(),
            kind: field.kind.clone(),
            note: field.note.clone(),
        };
        fields.iter().map(field).collect()
    };
    ProviderDoc {
        node: name(&info.node),
        client: info.client.as_deref().map(str::to_owned),
        note: info.meta.note.clone(),
        parameters: fields(&info.meta.parameters),
        results: fields(&info.meta.results),
        concurrency: u64::from(info.capacity.concurrency),
        queue: u64::from(info.capacity.queue),
        cost: info.cost.map(u64::from),
        pending: u64::from(info.pending),
        load: u64::from(info.load),
        cooling: info.cooling,
        served: info.served.as_ref().map(served),
    }
}

fn served(info: &ServedInfo) -> ServedDoc {
    ServedDoc {
        running: u64::from(info.running),
        queued: u64::from(info.queued),
        requests: info.requests,
        errors: info.errors,
        refused: info.refused,
        expired: info.expired,
        average_us: info.average.map(micros),
    }
}
