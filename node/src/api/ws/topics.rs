//! Topics: `subscribe`, `unsubscribe`, `publish`.

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
    topic: String,
}

/// What a message about topics calls for.
pub(super) fn heard(party: &Party, request: &envelope::Request<'_>) -> Result<Said, ApiError> {
    let Wish { topic } = native::data(request)?;
    let verb = if request.message_type == "publish" { Verb::Publish } else { Verb::Subscribe };
    party.caller.may(verb, &topic)?;
    Err(native::not_yet("topics"))
}
