//! What every code means: title, cause and remedy, in every language. Compiled in, so `node explain` needs nothing else.

mod api;
mod bench;
mod calls;
mod config;
mod delivery;
mod identity;
mod running;

use super::{Code, Lang};

/// A text in every language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    en: &'static str,
    zh: &'static str,
}

impl Text {
    /// The text in one language.
    #[must_use]
    pub const fn in_lang(self, lang: Lang) -> &'static str {
        match lang {
            Lang::En => self.en,
            Lang::Zh => self.zh,
        }
    }
}

/// What one code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The code.
    pub code: Code,
    /// A few words.
    pub title: Text,
    /// How it comes about.
    pub cause: Text,
    /// What to do.
    pub remedy: Text,
}

/// An entry; every text is given as `[English, Chinese]`.
const fn entry(code: Code, title: [&'static str; 2], cause: [&'static str; 2], remedy: [&'static str; 2]) -> Entry {
    Entry { code, title: text(title), cause: text(cause), remedy: text(remedy) }
}

const fn text([en, zh]: [&'static str; 2]) -> Text {
    Text { en, zh }
}

impl Code {
    /// What the code means. Every code has an entry: a test sees to it.
    #[must_use]
    pub fn entry(self) -> Option<&'static Entry> {
        families().find(|entry| entry.code == self)
    }
}

fn families() -> impl Iterator<Item = &'static Entry> {
    [
        config::ENTRIES,
        identity::ENTRIES,
        running::ENTRIES,
        delivery::ENTRIES,
        bench::ENTRIES,
        calls::ENTRIES,
        api::ENTRIES,
    ]
    .into_iter()
    .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_exactly_one_entry_with_every_text() {
        for code in Code::ALL {
            let entries: Vec<_> = families().filter(|entry| entry.code == *code).collect();
            assert_eq!(entries.len(), 1, "{code}");
            for text in [entries[0].title, entries[0].cause, entries[0].remedy] {
                assert!(!text.en.is_empty() && text.en.is_ascii(), "{code}: {:?}", text.en);
                assert!(!text.zh.is_empty() && !text.zh.is_ascii(), "{code}: {:?}", text.zh);
            }
        }
    }

    #[test]
    fn titles_are_short_and_do_not_end_in_a_full_stop() {
        for entry in families() {
            assert!(entry.title.en.len() <= 60 && !entry.title.en.ends_with('.'), "{}", entry.code);
        }
    }
}
