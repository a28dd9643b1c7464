//! One thing that went wrong outside the configuration file: what, where, why, what now.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::{Code, Exit, Lang};

/// A failure as a user sees it. Crosses the control socket, so that the node's words reach the terminal unchanged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Its stable code.
    pub code: Code,
    /// The exit code of the process.
    pub exit: Exit,
    /// What happened, in one line.
    pub what: String,
    /// What else is known, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What to try, a command or a change each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tries: Vec<String>,
    /// What the handler of a call said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handler: Option<HandlerError>,
}

/// The error that the handler of a call answered with: the application's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HandlerError {
    /// Its code.
    pub code: u32,
    /// Its words.
    pub message: String,
    /// What it adds, as text; what is none, as base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
}

impl Problem {
    /// A problem.
    #[must_use]
    pub fn new(code: Code, exit: Exit, what: impl Into<String>) -> Self {
        Self { code, exit, what: what.into(), notes: Vec::new(), tries: Vec::new(), handler: None }
    }

    /// Adds what else is known.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Adds what to try.
    #[must_use]
    pub fn try_this(mut self, this: impl Into<String>) -> Self {
        self.tries.push(this.into());
        self
    }

    /// The problem as text, ending in a line break.
    #[must_use]
    pub fn text(&self, lang: Lang) -> String {
        let mut out = match lang {
            Lang::En => format!("error[{}]: {}\n", self.code, self.what),
            Lang::Zh => {
                let title = self.code.entry().map_or("", |entry| entry.title.in_lang(Lang::Zh));
                format!("错误[{}]: {title}（{}）\n", self.code, self.what)
            }
        };
        let (tries, more) = match lang {
            Lang::En => ("try:", "more:"),
            Lang::Zh => ("建议:", "详情:"),
        };
        for note in &self.notes {
            let _ = writeln!(out, "  {note}");
        }
        for this in &self.tries {
            let _ = writeln!(out, "  {tries}  {this}");
        }
        let _ = writeln!(out, "  {more} node explain {}", self.code);
        out
    }

    /// The problem as a JSON document.
    #[must_use]
    pub fn json(&self, lang: Lang) -> serde_json::Value {
        let mut document = serde_json::json!({
            "schema": "firelink.problem/v1",
            "code": self.code,
            "title": self.code.entry().map(|entry| entry.title.in_lang(lang)),
            "detail": self.what,
            "notes": self.notes,
            "hints": self.tries,
            "exit": self.exit.number(),
        });
        if let (Some(handler), Some(fields)) = (&self.handler, document.as_object_mut()) {
            fields.insert("handler".to_owned(), serde_json::json!(handler));
        }
        document
    }
}

/// Why a command did not end with [`Exit::Done`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failed {
    /// Something is to be said about it.
    Problem(Box<Problem>),
    /// Everything was said already.
    Said(Exit),
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}
