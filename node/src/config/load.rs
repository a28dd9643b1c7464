//! From a path to a configuration, with everything that is to be said about it.

use std::{fs, path::Path};

use super::{
    Config, Diagnostic, SourceKind, Sources, decode, legacy,
    text::{self, Kind, Node, Override},
};
use crate::errors::{Code, Lang};

/// Most findings that are written out. More: they are counted.
const SHOWN_MAX: usize = 100;

/// What to load.
pub struct Request<'a> {
    /// What the file is called in messages.
    pub name: &'a str,
    /// The folder that its relative paths start from.
    pub folder: &'a Path,
    /// Its text; `None` if there is no file.
    pub text: Option<String>,
    /// The overrides of the command line, as `path.to.key=value`.
    pub set: &'a [String],
    /// The environment.
    pub env: &'a [(String, String)],
}

impl<'a> Request<'a> {
    /// A request for a file.
    ///
    /// # Errors
    /// What to say if it cannot be read.
    pub fn file(path: &'a Path, set: &'a [String], env: &'a [(String, String)]) -> Result<Self, Box<Diagnostic>> {
        let name = path.to_str().unwrap_or("configuration");
        let failed = |why: String| Box::new(Diagnostic::error(Code::E0119, format!("cannot read {name}: {why}")));
        let bytes = fs::read(path).map_err(|why| failed(why.to_string()))?;
        let text = String::from_utf8(bytes).map_err(|_| failed("it is not UTF-8".to_owned()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Ok(Self { name, folder, text: Some(text), set, env })
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration; to be used only if there are no [errors](Self::errors).
    pub config: Config,
    /// Everything that was found, in order of place.
    pub found: Vec<Diagnostic>,
    /// The texts that the findings point into.
    pub sources: Sources,
    /// The tree that was decoded.
    pub(super) tree: Option<Node>,
    /// The keys that the decoder asked for.
    #[cfg_attr(not(test), expect(dead_code, reason = "what a test compares with the list of keys"))]
    pub(super) asked: Vec<String>,
}

impl Loaded {
    /// How many errors there are.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.found.iter().filter(|one| one.is_error()).count()
    }

    /// How many warnings there are.
    #[must_use]
    pub fn warnings(&self) -> usize {
        self.found.len() - self.errors()
    }

    /// Every finding as text; of very many, the first ones and how many more there are.
    #[must_use]
    pub fn text(&self, lang: Lang) -> String {
        let shown = self.found.iter().take(SHOWN_MAX).map(|one| one.text(&self.sources, lang)).collect();
        match (self.found.len().saturating_sub(SHOWN_MAX), lang) {
            (0, _) => shown,
            (more, Lang::En) => format!("{shown}... and {more} more\n"),
            (more, Lang::Zh) => format!("{shown}……另有 {more} 条\n"),
        }
    }
}

/// Loads a configuration. Never fails: what is wrong is in the result.
#[must_use]
pub fn load(request: Request<'_>) -> Loaded {
    let mut sources = Sources::default();
    let mut found = Vec::new();
    let env = |name: &str| request.env.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let text = request.text.as_deref().unwrap_or("version: 1\n");
    let file = sources.add(request.name, SourceKind::File, text);
    let Some(mut tree) = text::parse(file, text, &mut found) else {
        return Loaded { config: Config::default(), found, sources, tree: None, asked: Vec::new() };
    };
    text::interpolate(&mut tree, &env, &mut found);
    if let Some(converted) = legacy::convert(&tree, &mut found) {
        tree = converted;
    }
    let overrides = overrides(&request, &mut found);
    text::apply_overrides(&mut tree, &overrides, &mut sources, &mut found);
    let mut reader = decode::Reader::new(&mut sources, request.folder, &env);
    let config = decode::config(&tree, &mut reader);
    let asked = std::mem::take(&mut reader.asked);
    found.append(&mut reader.found);
    mask_literals(&tree, &mut sources);
    found.sort_by_key(|one| (one.span.map(|span| (span.source, span.bytes.start)), one.code));
    Loaded { config, found, sources, tree: Some(tree), asked }
}

fn overrides(request: &Request<'_>, found: &mut Vec<Diagnostic>) -> Vec<Override> {
    let mut all = Override::of_env(request.env.iter().cloned());
    for text in request.set {
        match Override::of_set(text) {
            Some(one) => all.push(one),
            None => {
                let what = format!("`--set {text}` has no `=`");
                found.push(Diagnostic::error(Code::E0124, what).help("write `--set path.to.key=value`"));
            }
        }
    }
    all
}

/// Hides what stands where secrets stand, also when the decoder never got that far.
fn mask_literals(tree: &Node, sources: &mut Sources) {
    let tokens = tree.get("mesh").and_then(|mesh| mesh.get("auth")).and_then(|auth| auth.get("tokens"));
    if let Some(tokens) = tokens {
        mask_scalars(tokens, sources);
    }
    if let Some(Kind::List(items)) = tree.get("api").and_then(|api| api.get("tokens")).map(|tokens| &tokens.kind) {
        items.iter().filter_map(|item| item.get("secret")).for_each(|secret| mask_scalars(secret, sources));
    }
}

/// Hides a single value, or every one of a list. References to secrets are sections, and may be seen.
fn mask_scalars(tokens: &Node, sources: &mut Sources) {
    match &tokens.kind {
        Kind::Scalar { .. } => sources.mask(tokens.span),
        Kind::List(items) => {
            for item in items.iter().filter(|item| matches!(item.kind, Kind::Scalar { .. })) {
                sources.mask(item.span);
            }
        }
        Kind::Null | Kind::Section(_) => {}
    }
}
