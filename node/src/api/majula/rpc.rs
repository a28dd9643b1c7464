//! Calls: `RPC`, `/rpc` and `/list_rpc`. Function `f` of provider `p` at node `n` is the service `p.f` that client `p` of
//! node `n` serves; if there is none, that which anybody else serves there, so that programs of Majula reach every service.
//! Arguments and results are JSON. `allrpcs` of the provider `init`, which every node of Majula has, is answered from what
//! this node knows of the mesh.

use std::sync::Arc;

use axum::{Json, extract::State};
use futures_util::{StreamExt as _, stream};
use io_tokio::{CallError, Meta};
use proto_core::rpc::Field;
use serde_json::{Map, Value, json};

use super::{names, package::Package, params::Params};
use crate::{
    api::{
        Api, extract,
        held::Held,
        payload,
        problem::ApiError,
        refusals::{self, CallFailed},
        talk::{Party, Said},
    },
    config::Verb,
    control::{CallWish, refusal, views},
};

/// The provider that every node has.
const BUILT_IN: &str = "init";
/// What it answers: which functions a provider has.
const LIST: &str = "allrpcs";
/// Arguments that say who shall answer.
const TARGET: [&str; 2] = ["_target_node", "_provider"];

/// What is called where.
#[derive(Debug)]
struct Call {
    node: String,
    provider: String,
    function: String,
    args: Map<String, Value>,
    /// The client that calls.
    client: String,
}

/// `RPC`.
pub(super) fn call(party: &Party, id: &str, held: &mut Held, package: &Package) -> Result<Said, ApiError> {
    let [node, provider] = package.required(TARGET)?;
    let mut args = package.args.clone().unwrap_or_default();
    args.retain(|name, _| !TARGET.contains(&name.as_str()));
    let call = Call { node, provider, function: package.fun.clone(), args, client: id.to_owned() };
    call.check(|verb, object| party.caller.may(verb, object))?;
    let (api, asked) = (Arc::clone(&party.api), package.clone());
    let answer = async move {
        match call.make(&api).await {
            Ok(result) => Package {
                method: "RPC_RESULT".to_owned(),
                fun: asked.fun,
                invokeid: asked.invokeid,
                result: Some(result),
                ..Package::default()
            },
            Err(failed) => asked.failed(&failed.error),
        }
        .text()
    };
    held.call(None, stream::once(answer).boxed()).map_err(|why| refusals::held(why, "another call"))?;
    Ok(Said::Nothing)
}

/// `/rpc`: calls `fun` of `provider` at `target_node`, with `args`, or with all other parameters.
pub(super) async fn over_http(State(api): State<Arc<Api>>, params: Params) -> Result<Json<Value>, ApiError> {
    let [function, node, provider] = params.required(["fun", "target_node", "provider"])?;
    let args = params.arguments(&["fun", "target_node", "provider"])?;
    params.may_speak()?;
    let call = Call { node, provider, function, args, client: params.client.clone() };
    call.check(|verb, object| params.may(verb, object))?;
    let mut answer = json!({
        "fun": call.function,
        "args": call.args,
        "client": call.client,
        "provider": call.provider,
        "target_node": call.node,
    });
    match call.make(&api).await {
        Ok(result) => {
            answer["result"] = result;
            answer["success"] = true.into();
        }
        Err(CallFailed { error, .. }) => {
            answer["result"] = Value::Null;
            answer["success"] = false.into();
            answer["error"] = error.detail.into();
            answer["code"] = error.code.as_str().into();
        }
    }
    Ok(Json(answer))
}

/// `/list_rpc`: what `provider` at `target_node` offers.
pub(super) async fn list(State(api): State<Arc<Api>>, params: Params) -> Result<Json<Value>, ApiError> {
    let [node, provider] = params.required(["target_node", "provider"])?;
    params.may(Verb::Read, "")?;
    let rpcs = functions(&api, &node, &provider).await?;
    Ok(Json(json!({ "target_node": node, "provider": provider, "rpcs": rpcs })))
}

impl Call {
    /// Whether it makes sense, and its caller may make it.
    fn check(&self, may: impl Fn(Verb, &str) -> Result<(), ApiError>) -> Result<(), ApiError> {
        extract::node_name(&self.node)?;
        if self.function.is_empty() {
            return Err(extract::wrong("missing fun"));
        }
        if self.is_list() {
            may(Verb::Read, "")
        } else {
            may(Verb::Call, &names::service(&self.provider, &self.function))
        }
    }

    fn is_list(&self) -> bool {
        self.provider == BUILT_IN && self.function == LIST
    }

    async fn make(&self, api: &Api) -> Result<Value, CallFailed> {
        if self.is_list() {
            let of = self.args.get("rpc_provider").and_then(super::params::text);
            let of = of.ok_or_else(|| extract::wrong("missing args: rpc_provider"))?;
            return Ok(functions(api, &self.node, &of).await?.into());
        }
        let service = names::service(&self.provider, &self.function);
        let args = Value::Object(self.args.clone()).to_string();
        let call = |provider: Option<&str>| {
            let wish = CallWish {
                node: Some(self.node.clone()),
                provider: provider.map(str::to_owned),
                from_client: Some(self.client.clone()),
                ..CallWish::default()
            };
            api.session.call(&service, args.clone().into(), wish)
        };
        let answer = match call(Some(&self.provider)).await {
            Err(CallError::NoResponder) => call(None).await,
            answer => answer,
        };
        match answer {
            Ok(response) => {
                let (value, _) = payload::decode(&response.payload);
                Ok(serde_json::from_str(value.get()).unwrap_or_default())
            }
            Err(why) => Err(CallFailed::new(&api.session, why, &service).await),
        }
    }
}

/// What a provider at a node offers, as far as the mesh knows.
async fn functions(api: &Api, node: &str, provider: &str) -> Result<Vec<Value>, ApiError> {
    let node = extract::node_name(node)?;
    let all = api.ask(api.session.mesh.services()).await?;
    let mut functions: Vec<(String, Arc<Meta>)> = Vec::new();
    for info in all.iter().filter(|info| info.node.addr == node.addr() && info.cost.is_some()) {
        if let Some(name) = names::function(info.service.as_str(), provider)
            && functions.last().is_none_or(|(last, _)| *last != name)
        {
            functions.push((name, Arc::clone(&info.meta)));
        }
    }
    if functions.is_empty() && node != *api.session.mesh.name() {
        let routes = api.ask(views::routes(&api.session.mesh)).await?.routes;
        if !routes.iter().any(|route| route.id == node.as_str()) {
            return Err(refusal::rejected(proto_core::error::Rejected::NoRoute, node.as_str()).into());
        }
    }
    if provider == BUILT_IN && !functions.iter().any(|(name, _)| name == LIST) {
        let parameters =
            vec![Field { name: "rpc_provider".to_owned(), kind: "string".to_owned(), note: String::new() }];
        let note = "the functions of a provider of this node".to_owned();
        functions.push((LIST.to_owned(), Arc::new(Meta { note, parameters, results: Vec::new() })));
    }
    Ok(functions.into_iter().map(|(name, meta)| about(&name, &meta)).collect())
}

fn about(name: &str, meta: &Meta) -> Value {
    let fields = |fields: &[Field]| {
        let field = |field: &Field| json!({ "name": field.name, "type": field.kind, "note": field.note });
        fields.iter().map(field).collect::<Vec<_>>()
    };
    json!({
        "name": name,
        "note": meta.note,
        "parameters": fields(&meta.parameters),
        "results": fields(&meta.results),
    })
}
