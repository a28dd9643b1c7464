//! `/api/v1/openapi.json`: the description of every route, made of the handlers. What every route may answer because of
//! what stands before it, from the gate to the reading of bodies, is added here.

use std::sync::Arc;

use axum::{Extension, Json, http::StatusCode};
use utoipa::{
    PartialSchema as _, ToSchema as _,
    openapi::{
        Content, Header, Info, OpenApi, Ref, RefOr, Required, Response, Schema,
        path::{Operation, PathItem},
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use super::payload::KINDS;
use crate::api::{
    auth::Caller,
    problem::{ApiError, Effect, PROBLEM_JSON, ProblemDoc},
};

/// What stands before every route may answer this.
const ALWAYS: &[u16] = &[401, 403, 406, 429, 500, 503];
/// What reads parameters may answer this.
const WITH_PARAMETERS: &[u16] = &[400];
/// What reads bodies, and answers repetitions, may answer this.
const WITH_BODY: &[u16] = &[400, 408, 409, 413, 422];

/// The document.
pub(super) async fn serve(
    Extension(caller): Extension<Caller>,
    Extension(document): Extension<Arc<OpenApi>>,
) -> Result<Json<OpenApi>, ApiError> {
    super::may_read(&caller)?;
    Ok(Json(OpenApi::clone(&document)))
}

/// Completes what the handlers say of themselves.
pub(super) fn document(mut document: OpenApi) -> OpenApi {
    let mut info = Info::new("Firelink API", env!("CARGO_PKG_VERSION"));
    info.description = Some("The node and the mesh as resources. Failures are problems after RFC 9457.".to_owned());
    document.info = info;
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            complete(operation);
        }
    }
    let components = document.components.get_or_insert_default();
    let mut schemas: Vec<(String, RefOr<Schema>)> = Vec::new();
    ProblemDoc::schemas(&mut schemas);
    Effect::schemas(&mut schemas);
    schemas.push((ProblemDoc::name().into_owned(), ProblemDoc::schema()));
    components.schemas.extend(schemas);
    let bearer = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
    components.security_schemes.insert("token".to_owned(), bearer.into());
    // A token, or none where none is needed.
    let token = SecurityRequirement::new("token", Vec::<String>::new());
    document.security = Some(vec![token, SecurityRequirement::default()]);
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.put, &mut item.delete].into_iter().filter_map(Option::as_mut)
}

fn complete(operation: &mut Operation) {
    let has_parameters = operation.parameters.as_ref().is_some_and(|all| !all.is_empty());
    let mut also = ALWAYS.to_vec();
    if has_parameters {
        also.extend(WITH_PARAMETERS);
    }
    if operation.request_body.is_some() {
        also.extend(WITH_BODY);
    }
    if let Some(RefOr::T(body)) = &mut operation.request_body
        && body.content.values().any(is_payload)
    {
        // No body is a payload, too: an empty one.
        body.required = Some(Required::False);
        let schema = |kind| if kind == "application/json" { any() } else { String::schema() };
        body.content =
            KINDS.iter().map(|kind| ((*kind).to_owned(), Content::new(Some(schema(*kind))).into())).collect();
    }
    let responses = &mut operation.responses.responses;
    for status in also {
        responses.entry(status.to_string()).or_insert_with(|| Response::new("").into());
    }
    for (status, response) in responses {
        let RefOr::T(response) = response else { continue };
        let status = status.parse().ok().and_then(|status| StatusCode::from_u16(status).ok());
        let Some(status) = status else { continue };
        if response.description.is_empty() {
            response.description = status.canonical_reason().unwrap_or("").to_owned();
        }
        if status.is_client_error() || status.is_server_error() {
            let problem = Content::new(Some(Ref::from_schema_name(ProblemDoc::name())));
            response.content.insert(PROBLEM_JSON.to_owned(), problem.into());
        }
        response.headers.insert("X-Request-Id".to_owned(), Header::default().into());
    }
}

/// Whether a body is any payload.
fn is_payload(content: &RefOr<Content>) -> bool {
    let RefOr::T(content) = content else { return false };
    matches!(&content.schema, Some(RefOr::Ref(to)) if to.ref_location.ends_with("/Payload"))
}

/// Any document.
fn any() -> RefOr<Schema> {
    serde_json::Value::schema()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errors::Code;

    /// What the mesh may answer to a message, or to a question to another node.
    const OF_THE_MESH: &[Code] = &[
        Code::E0203,
        Code::E0401,
        Code::E0403,
        Code::E0404,
        Code::E0405,
        Code::E0406,
        Code::E0407,
        Code::E0409,
        Code::E0411,
        Code::E0412,
        Code::E0414,
    ];
    const QUESTION: &[Code] =
        &[Code::E0203, Code::E0308, Code::E0401, Code::E0405, Code::E0407, Code::E0409, Code::E0411, Code::E0414];
    const PUBLISHING: &[Code] = &[Code::E0404, Code::E0405, Code::E0407, Code::E0411, Code::E0415];
    const CALLING: &[Code] = &[
        Code::E0401,
        Code::E0404,
        Code::E0405,
        Code::E0411,
        Code::E0502,
        Code::E0503,
        Code::E0504,
        Code::E0505,
        Code::E0506,
        Code::E0507,
        Code::E0508,
        Code::E0509,
    ];
    const BEFORE: &[Code] =
        &[Code::E0407, Code::E1504, Code::E1508, Code::E1511, Code::E1515, Code::E1516, Code::E0310];
    const BODY: &[Code] = &[Code::E1501, Code::E1502, Code::E1503, Code::E1507, Code::E1509, Code::E1510, Code::E1513];

    fn statuses(document: &serde_json::Value, method: &str, path: &str) -> Vec<u16> {
        let responses = document["paths"][path][method]["responses"].as_object().unwrap();
        responses.keys().map(|status| status.parse().unwrap()).collect()
    }

    #[test]
    fn every_status_that_the_code_can_give_is_documented() {
        let (_, described) = super::super::routes().split_for_parts();
        let document = serde_json::to_value(document(described)).unwrap();
        let all = |method: &str, path: &str, lists: &[&[Code]]| {
            let documented = statuses(&document, method, path);
            for code in BEFORE.iter().chain(lists.iter().copied().flatten()) {
                let status = ApiError::new(*code, "").status.as_u16();
                assert!(documented.contains(&status), "{method} {path}: {status} of {code}, only {documented:?}");
            }
        };
        all("post", "/api/v1/nodes/{id}/messages", &[OF_THE_MESH, BODY, &[Code::E0402]]);
        all("post", "/api/v1/broadcast", &[OF_THE_MESH, BODY]);
        all("get", "/api/v1/nodes/{id}", &[QUESTION, &[Code::E0410]]);
        all("get", "/api/v1/nodes/{id}/ping", &[QUESTION]);
        all("get", "/api/v1/nodes/{id}/trace", &[QUESTION]);
        all("get", "/api/v1/peers/{id}", &[&[Code::E0308, Code::E0407, Code::E0411, Code::E1506]]);
        all("get", "/api/v1/peers", &[&[Code::E1502, Code::E0308]]);
        all("get", "/api/v1/clients/{id}", &[&[Code::E0402, Code::E0411]]);
        all("get", "/api/v1/events", &[]);
        all("get", "/api/v1/topics", &[&[Code::E1502, Code::E0308, Code::E0415]]);
        all("post", "/api/v1/topics/{topic}/messages", &[BODY, PUBLISHING]);
        all("get", "/api/v1/topics/{topic}/messages", &[&[Code::E0308, Code::E0405, Code::E0415, Code::E1502]]);
        all("get", "/api/v1/services", &[&[Code::E1502, Code::E0308]]);
        all("post", "/api/v1/services/{service}", &[BODY, CALLING]);
        all("post", "/api/v1/services/{service}/{method}", &[BODY, CALLING]);
    }

    #[test]
    fn a_code_without_a_status_is_an_internal_error() {
        assert_eq!(ApiError::new(Code::E0101, "").status.as_u16(), 500);
    }
}
