//! What goes over Majula's WebSocket: `{method, topic, fun, args, invokeid, result}`, of which only `method` is always
//! there. A client that answers a call may leave even that out.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{later, params};
use crate::api::{extract, problem::ApiError, talk::Said};

/// One package.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Package {
    /// What it is, or asks for.
    pub(super) method: String,
    /// The topic.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) topic: String,
    /// The function.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) fun: String,
    /// Arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) args: Option<Map<String, Value>>,
    /// What its answer is to be called; 0: it needs none.
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) invokeid: i64,
    /// What came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) result: Option<Value>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
const fn is_zero(number: &i64) -> bool {
    *number == 0
}

impl Package {
    /// A package as it goes over the wire.
    pub(super) fn text(&self) -> String {
        // It is made of texts and numbers, which JSON can say.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// An argument as text; `None` if it is missing or empty.
    pub(super) fn arg(&self, name: &str) -> Option<String> {
        params::text(self.args.as_ref()?.get(name)?).filter(|text| !text.is_empty())
    }

    /// Arguments that must be there.
    ///
    /// # Errors
    /// Which are not.
    pub(super) fn required<const N: usize>(&self, names: [&str; N]) -> Result<[String; N], ApiError> {
        let missing: Vec<_> = names.into_iter().filter(|name| self.arg(name).is_none()).collect();
        if !missing.is_empty() {
            return Err(extract::wrong(format!("missing args: {}", missing.join(", "))));
        }
        Ok(names.map(|name| self.arg(name).unwrap_or_default()))
    }

    /// The answer that it failed: under the method that answers it have, so that whoever waits is not left waiting.
    pub(super) fn failed(&self, error: &ApiError) -> Self {
        let method = match self.method.as_str() {
            "RPC" => "RPC_RESULT",
            method => {
                later::METHODS.iter().find(|(known, ..)| *known == method).map_or("ERROR", |(_, answer, _)| *answer)
            }
        };
        let fun = if self.fun.is_empty() { self.method.clone() } else { self.fun.clone() };
        let result = json!({ "error": error.detail, "code": error.code });
        Self {
            method: method.to_owned(),
            topic: self.topic.clone(),
            fun,
            invokeid: self.invokeid,
            result: Some(result),
            ..Self::default()
        }
    }

    /// The answer that it was done, if one is wanted.
    pub(super) fn done(&self, result: Value) -> Option<Self> {
        (self.invokeid != 0).then(|| Self {
            method: format!("{}_RESULT", self.method),
            invokeid: self.invokeid,
            result: Some(result),
            ..Self::default()
        })
    }
}

impl From<Option<Package>> for Said {
    fn from(package: Option<Package>) -> Self {
        package.map_or(Self::Nothing, |package| Self::Reply(package.text()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errors::Code;

    #[test]
    fn only_what_is_there_is_written() {
        let package = Package { method: "QUIT".to_owned(), ..Package::default() };
        assert_eq!(package.text(), "{\"method\":\"QUIT\"}");
        let text = "{\"method\":\"RPC\",\"fun\":\"f\",\"args\":{\"n\":1},\"invokeid\":7}";
        assert_eq!(serde_json::from_str::<Package>(text).unwrap().text(), text);
    }

    #[test]
    fn a_failure_is_told_under_the_method_that_the_client_waits_for() {
        let error = ApiError::new(Code::E1512, "not yet");
        for (method, answer) in
            [("RPC", "RPC_RESULT"), ("PUT_IN_GROUP", "PUT_IN_GROUP_RESPONSE"), ("SEND", "ERROR"), ("NONSENSE", "ERROR")]
        {
            let asked = Package { method: method.to_owned(), invokeid: 9, ..Package::default() };
            let failed = asked.failed(&error);
            assert_eq!((failed.method.as_str(), failed.invokeid), (answer, 9));
            assert_eq!(failed.result.unwrap()["code"], "E1512");
        }
    }
}
