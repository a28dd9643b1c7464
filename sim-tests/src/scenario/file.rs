//! Scenarios as JSON files. What has its default is left out, so that a file shows what matters.

use io_sim::{HostConfig, LinkSpec, WorldOptions};
use serde_json::Value;

use super::Scenario;

impl Scenario {
    /// The scenario of a JSON text.
    ///
    /// # Errors
    /// What is wrong with the text, or the first rule of [`Scenario::check`] that it breaks.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let scenario: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        scenario.check().map(|()| scenario)
    }

    /// As JSON for people, with a line break at the end.
    ///
    /// # Errors
    /// If something in it has no JSON form, which is a bug.
    pub fn to_json(&self) -> serde_json::Result<String> {
        let mut value = serde_json::to_value(self)?;
        let config = serde_json::to_value(HostConfig::default())?;
        let link = serde_json::to_value(LinkSpec::default())?;
        for_each(&mut value, "/hosts", |host| leave_out(host.pointer_mut("/template"), &config));
        for_each(&mut value, "/network/links", |direction| leave_out(direction.pointer_mut("/spec"), &link));
        for_each(&mut value, "/faults", |timed| leave_out(timed.pointer_mut("/fault/Link/spec"), &link));
        leave_out(value.pointer_mut("/network/options"), &serde_json::to_value(WorldOptions::default())?);
        leave_out(value.pointer_mut("/network/options/link"), &link);
        serde_json::to_string_pretty(&value).map(|text| text + "\n")
    }
}

fn for_each(value: &mut Value, list: &str, edit: impl FnMut(&mut Value)) {
    value.pointer_mut(list).and_then(Value::as_array_mut).into_iter().flatten().for_each(edit);
}

/// Takes every entry out of an object that is the same in another.
fn leave_out(value: Option<&mut Value>, usual: &Value) {
    if let Some(object) = value.and_then(Value::as_object_mut) {
        object.retain(|key, value| usual.get(key) != Some(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate;

    #[test]
    fn a_scenario_survives_its_file() {
        for family in generate::FAMILIES {
            for seed in 0..20 {
                let scenario = family.generate(seed);
                let text = scenario.to_json().expect("it has a JSON form");
                assert_eq!(Scenario::from_json(&text).as_ref(), Ok(&scenario), "{} {seed}", family.name);
            }
        }
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let text = generate::family("line").expect("it exists").generate(1).to_json().expect("it has a JSON form");
        let text = text.replacen("\"seed\"", "\"sead\": 1, \"seed\"", 1);
        assert!(Scenario::from_json(&text).is_err_and(|error| error.contains("sead")));
    }
}
