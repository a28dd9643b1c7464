//! Services: who provides them, and calling them.

use std::time::Duration;

use bytes::Bytes;
use io_tokio::{Balance, CallBuilder, CallError, Provider, Response, ServedInfo, ServiceInfo};

use super::{
    FieldDoc, ProviderDoc, ResponseDoc, ServedDoc, ServiceDoc, Services, Session, refusal,
    session::{address, micros, name},
};
use crate::{config::nearest, errors::{Code, Problem}};

/// How a call is made.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallWish {
    /// The node that shall answer; `None`: any.
    pub(crate) node: Option<String>,
    /// The client of that node that shall answer.
    pub(crate) provider: Option<String>,
    /// How one of several is chosen, where no node is given.
    pub(crate) balance: Option<Balance>,
    /// The client of this node that calls.
    pub(crate) from_client: Option<String>,
    /// How long it may take.
    pub(crate) deadline: Option<Duration>,
}

impl Session {
    /// A call, ready to be made.
    pub(crate) fn call(&self, service: &str, body: Bytes, wish: CallWish) -> CallBuilder {
        let CallWish { node, provider, balance, from_client, deadline } = wish;
        let mut call = self.mesh.call(service, body).deadline(deadline.unwrap_or(self.facts.deadline));
        if let Some(client) = from_client {
            call = call.client(client);
        }
        match (node, provider, balance) {
            (Some(node), Some(client), _) => call.at_provider(&node, Some(&client)),
            (Some(node), None, _) => call.at(&node),
            (None, _, Some(balance)) => call.balance(balance),
            (None, _, None) => call,
        }
    }

    /// Why a call has no result, with what this node knows about it.
    pub(crate) async fn call_failed(&self, why: CallError, service: &str) -> Problem {
        let problem = refusal::call(why, service);
        if problem.code != Code::E0502 {
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
