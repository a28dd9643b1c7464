//! `${NAME}` and `${NAME:-default}` inside values; `$${` stands for a literal `${`.

use super::tree::{Entry, Kind, Node};
use crate::{config::Diagnostic, errors::Code};

/// Replaces variables in every text of a tree. What cannot be replaced stays as it is and is reported.
pub(crate) fn interpolate(node: &mut Node, env: &dyn Fn(&str) -> Option<String>, found: &mut Vec<Diagnostic>) {
    match &mut node.kind {
        Kind::Null => {}
        Kind::Scalar { text, .. } => {
            if text.contains("${") {
                match expand(text, env) {
                    Ok(done) => *text = done,
                    Err(what) => found.push(Diagnostic::error(Code::E0106, what).at(node.span)),
                }
            }
        }
        Kind::List(items) => items.iter_mut().for_each(|item| interpolate(item, env, found)),
        Kind::Section(entries) => {
            for Entry { value, .. } in entries {
                interpolate(value, env, found);
            }
        }
    }
}

fn expand(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at);
        if let Some(before) = before.strip_suffix('$') {
            out.push_str(before);
            out.push_str("${");
            rest = &from[2..];
            continue;
        }
        out.push_str(before);
        let Some(end) = from.find('}') else { return Err("`${` without a closing `}`".to_owned()) };
        let (name, default) = match from[2..end].split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (&from[2..end], None),
        };
        match env(name).or_else(|| default.map(str::to_owned)) {
            Some(value) => out.push_str(&value),
            None => return Err(format!("the variable `{name}` is not defined")),
        }
        rest = &from[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str) -> Option<String> {
        (name == "HOST").then(|| "hk-01".to_owned())
    }

    #[test]
    fn variables_and_defaults_are_put_in() {
        assert_eq!(expand("tcp://${HOST}:${PORT:-1}/", &env).unwrap(), "tcp://hk-01:1/");
        assert_eq!(expand("${HOST:-x}", &env).unwrap(), "hk-01");
        assert_eq!(expand("${NONE:-}", &env).unwrap(), "");
    }

    #[test]
    fn a_doubled_dollar_is_literal() {
        assert_eq!(expand("a $${HOST} $5", &env).unwrap(), "a ${HOST} $5");
    }

    #[test]
    fn an_undefined_variable_is_named() {
        assert_eq!(expand("${NONE}", &env).unwrap_err(), "the variable `NONE` is not defined");
        assert_eq!(expand("${NONE", &env).unwrap_err(), "`${` without a closing `}`");
    }
}
