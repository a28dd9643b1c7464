//! What every part of the decoder needs: where to report, where paths start, where variables come from.

use std::path::{Path, PathBuf};

use crate::config::{Diagnostic, Sources, Span};

/// The surroundings of a decoding, and what was found.
pub(crate) struct Reader<'a> {
    /// Every text; secrets are masked in it.
    pub(crate) sources: &'a mut Sources,
    /// The folder that relative paths start from.
    pub(crate) folder: &'a Path,
    /// The environment.
    pub(crate) env: &'a dyn Fn(&str) -> Option<String>,
    /// Everything that was found wrong.
    pub(crate) found: Vec<Diagnostic>,
    /// Every key that was asked for.
    pub(crate) asked: Vec<String>,
}

impl<'a> Reader<'a> {
    /// Nothing found yet.
    pub(crate) fn new(sources: &'a mut Sources, folder: &'a Path, env: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { sources, folder, env, found: Vec::new(), asked: Vec::new() }
    }

    /// Takes a finding.
    pub(crate) fn report(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
    }

    /// A path of the configuration, made independent of where the program runs.
    pub(crate) fn path(&self, text: &str) -> PathBuf {
        self.folder.join(text)
    }

    /// Whether a value comes from an environment variable.
    pub(crate) fn is_env(&self, span: Span) -> bool {
        self.sources.is_env(span)
    }
}
