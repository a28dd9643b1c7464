//! `/docs/errors/{code}`: where the `type` of every problem points to.

use axum::{
    extract::Path,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};

use super::{negotiate, problem::ApiError};
use crate::errors::Code;

/// What a code means, as text.
pub(super) async fn explain(
    headers: HeaderMap,
    path: Result<Path<String>, axum::extract::rejection::PathRejection>,
) -> Response {
    let code = path.ok().and_then(|Path(text)| Code::parse(&text));
    let Some((code, entry)) = code.and_then(|code| Some((code, code.entry()?))) else {
        return ApiError::new(Code::E1506, "there is no such code").into_response();
    };
    let lang = negotiate::language(&headers);
    let [title, cause, remedy] = [entry.title, entry.cause, entry.remedy].map(|text| text.in_lang(lang));
    let text = format!("{code}: {title}\n\n{cause}\n\n{remedy}\n");
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CONTENT_LANGUAGE, negotiate::tag(lang))], text)
        .into_response()
}
