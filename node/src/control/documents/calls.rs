//! What a node tells about services and calls.

use serde::{Deserialize, Serialize};

use super::Document;

documents! {
    /// Every service of the mesh.
    Services = "firelink.services/v1" {
        /// In order of name.
        services: Vec<ServiceDoc>,
    }
    /// A service and who provides it.
    ServiceDoc = "firelink.service/v1" {
        /// Its name.
        service: String,
        /// In order of node and client.
        providers: Vec<ProviderDoc>,
    }
    /// A provider of a service.
    ProviderDoc = "firelink.provider/v1" {
        /// The node.
        node: String,
        /// The client there; none: the node itself.
        client: Option<String>,
        /// What it says that the service does.
        note: String,
        /// What it takes.
        parameters: Vec<FieldDoc>,
        /// What it gives.
        results: Vec<FieldDoc>,
        /// Calls that it runs at once.
        concurrency: u64,
        /// Calls that may wait beyond that.
        queue: u64,
        /// What the way there costs; nothing: out of reach.
        cost: Option<u64>,
        /// Calls of this node that are under way there.
        pending: u64,
        /// Calls of everybody that ran or waited there when it last told.
        load: u64,
        /// Whether it refused a call a moment ago, and is chosen last.
        cooling: bool,
        /// How it fares, if it is at this node.
        served: Option<ServedDoc>,
    }
    /// A parameter or a result.
    FieldDoc = "firelink.field/v1" {
        /// Its name.
        name: String,
        /// Its type, in the words of the provider.
        kind: String,
        /// What it is.
        note: String,
    }
    /// How a service of this node fares.
    ServedDoc = "firelink.served/v1" {
        /// Calls that run.
        running: u64,
        /// Calls that wait.
        queued: u64,
        /// Calls that a handler was given.
        requests: u64,
        /// Those of them that ended with an error of the handler.
        errors: u64,
        /// Calls that were refused.
        refused: u64,
        /// Calls that were over before their turn came.
        expired: u64,
        /// How long the handler took on average.
        average_us: Option<u64>,
    }
    /// The answer to a call, or an item of it, without its payload.
    ResponseDoc = "firelink.response/v1" {
        /// The service.
        service: String,
        /// The node that answered.
        node: Option<String>,
        /// The client there that answered; none: the node itself.
        client: Option<String>,
        /// Whether it is an item of a reply that goes on.
        item: bool,
        /// The payload's length.
        bytes: u64,
    }
}
