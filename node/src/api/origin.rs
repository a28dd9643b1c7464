//! Requests that a browser makes for a page of somebody else: they carry the rights of the reader, not of the page.
//!
//! A browser says whose page it is: in `Origin`, or in `Sec-Fetch-Site`. Pages of the listener's own host are let in, and
//! those on the list. Programs say neither, and are let in. On a listener for this machine only, the `Host` must be of
//! this machine as well, or a page could reach it under a name of its own (DNS rebinding).

use axum::http::{HeaderMap, HeaderName, header};

use super::problem::ApiError;
use crate::{admin::is_this_machine, errors::Code};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses what a page may not ask for.
///
/// # Errors
/// The refusal.
pub(crate) fn check(headers: &HeaderMap, allowed: &[String]) -> Result<(), ApiError> {
    if allowed.iter().any(|origin| origin == "*") {
        return Ok(());
    }
    let Some(origin) = headers.get(header::ORIGIN) else {
        // An image or a link of another page sends no origin, but the browser says that it is of another page.
        return match headers.get(FETCH_SITE).map(|site| site.as_bytes()) {
            None | Some(b"same-origin" | b"none") => Ok(()),
            Some(_) => Err(refusal("a page of another site")),
        };
    };
    let origin = origin.to_str().unwrap_or("").to_ascii_lowercase();
    let own = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = origin.split_once("://").map(|(_, host)| host);
    if own.zip(host).is_some_and(|(own, host)| own.eq_ignore_ascii_case(host)) || allowed.contains(&origin) {
        return Ok(());
    }
    Err(refusal(&format!("a page of `{origin}`")))
}

/// Refuses requests for a name that is not one of this machine.
///
/// # Errors
/// The refusal.
pub(crate) fn check_host(headers: &HeaderMap) -> Result<(), ApiError> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("");
    if is_this_machine(host) { Ok(()) } else { Err(refusal(&format!("a page under the name `{host}`"))) }
}

fn refusal(whose: &str) -> ApiError {
    ApiError::new(Code::E1511, format!("{whose} may not use this node"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn pages_of_others_are_kept_out_and_programs_are_not() {
        let allowed = ["https://app.example.com".to_owned()];
        let ok = |pairs: &[(&'static str, &str)]| check(&headers(pairs), &allowed).is_ok();
        assert!(ok(&[("host", "n:1")]));
        assert!(ok(&[("host", "n:1"), ("origin", "http://n:1")]));
        assert!(ok(&[("host", "n:1"), ("origin", "https://app.example.com")]));
        assert!(!ok(&[("host", "n:1"), ("origin", "http://n:2")]));
        assert!(!ok(&[("host", "n:1"), ("origin", "null")]));
        assert!(!ok(&[("host", "n:1"), ("origin", "https://app.example.com.evil.org")]));
        assert!(!ok(&[("host", "n:1"), ("sec-fetch-site", "cross-site")]));
        assert!(ok(&[("host", "n:1"), ("sec-fetch-site", "none")]));
        assert!(check(&headers(&[("origin", "https://anybody")]), &["*".to_owned()]).is_ok());
    }
}
