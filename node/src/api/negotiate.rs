//! What the caller can read: formats and languages.

use axum::http::{HeaderMap, header};

use crate::errors::Lang;

/// Whether the caller takes this kind of answer.
pub(super) fn accepts(headers: &HeaderMap, kind: &str) -> bool {
    let mut any = false;
    let group = kind.split('/').next().unwrap_or("");
    for value in headers.get_all(header::ACCEPT) {
        let Ok(value) = value.to_str() else { continue };
        for range in value.split(',') {
            any = true;
            let mut parts = range.split(';').map(str::trim);
            let range = parts.next().unwrap_or("").to_ascii_lowercase();
            let refused = parts.any(|part| part.strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0_f32)));
            let fits = range == kind || range == "*/*" || range.strip_suffix("/*") == Some(group);
            if fits && !refused {
                return true;
            }
        }
    }
    !any
}

/// The language that the caller likes best, of ours.
pub(super) fn language(headers: &HeaderMap) -> Lang {
    let Some(wishes) = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()) else {
        return Lang::En;
    };
    let weighed = wishes.split(',').filter_map(|wish| {
        let mut parts = wish.split(';').map(str::trim);
        let tag = parts.next()?.to_ascii_lowercase();
        let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok()).unwrap_or(1.0_f32);
        (tag.starts_with("zh") || tag.starts_with("en")).then(|| (Lang::of(&tag), weight))
    });
    // Of equals, the first.
    let best = weighed.fold(None, |best: Option<(Lang, f32)>, (lang, weight)| match best {
        Some((_, most)) if most >= weight => best,
        Some(_) | None => Some((lang, weight)),
    });
    best.map_or(Lang::En, |(lang, _)| lang)
}

/// The tag of a language.
pub(super) const fn tag(lang: Lang) -> &'static str {
    match lang {
        Lang::En => "en",
        Lang::Zh => "zh-CN",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn an_answer_must_be_acceptable() {
        let json = |accept: &str| accepts(&headers(header::ACCEPT, accept), "application/json");
        assert!(accepts(&HeaderMap::new(), "application/json"));
        for accept in ["*/*", "application/*", "text/html, application/json;q=0.5", "Application/JSON"] {
            assert!(json(accept), "{accept}");
        }
        for accept in ["text/html", "application/json;q=0", "text/*"] {
            assert!(!json(accept), "{accept}");
        }
    }

    #[test]
    fn the_best_language_of_ours_is_taken() {
        let lang = |wish: &str| language(&headers(header::ACCEPT_LANGUAGE, wish));
        assert_eq!(language(&HeaderMap::new()), Lang::En);
        assert_eq!(lang("zh-CN,zh;q=0.9,en;q=0.8"), Lang::Zh);
        assert_eq!(lang("en-GB,zh;q=0.9"), Lang::En);
        assert_eq!(lang("de, zh;q=0.4, en;q=0.2"), Lang::Zh);
        assert_eq!(lang("fr"), Lang::En);
    }
}
