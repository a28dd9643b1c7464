//! Services: `request`, `register_service`, `unregister_service`, `call_result`.

use serde::Deserialize;

use super::{envelope, native};
use crate::{
    api::{
        problem::ApiError,
        talk::{Party, Said},
    },
    config::Verb,
};

#[derive(Debug, Deserialize)]
struct Wish {
    service: String,
    #[serde(default)]
    method: String,
}

/// What a message about services calls for.
pub(super) fn heard(party: &Party, request: &envelope::Request<'_>) -> Result<Said, ApiError> {
    match request.message_type.as_str() {
        "request" => {
            let Wish { service, method } = native::data(request)?;
            party.caller.may(Verb::Call, &format!("{service}.{method}"))?;
        }
        "call_result" => {}
        _ => {
            let Wish { service, .. } = native::data(request)?;
            party.caller.may(Verb::Serve, &service)?;
        }
    }
    Err(native::not_yet("remote calls"))
}
