//! Parts of a request, with our own words where they make no sense.

use std::time::Duration;

use axum::{
    body::Body,
    extract::{FromRequestParts, Path, Query},
    http::{StatusCode, header, request::Parts},
};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use io_tokio::NodeName;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::problem::ApiError;
use crate::errors::Code;

/// Time in which a body must have come.
const BODY_TIME: Duration = Duration::from_secs(30);
/// Room that is set aside for a body before any of it has come, in bytes.
const BODY_FIRST: usize = 64 * 1_024;

/// How the names of headers begin that are meant for a publication.
pub(super) const HEADER_PREFIX: &str = "x-header-";

/// The parameters behind the `?`.
#[derive(Debug)]
pub(super) struct Params<T>(pub(super) T);

/// The name of a node in the path.
#[derive(Debug)]
pub(super) struct NodePath(pub(super) NodeName);

/// The variable parts of the path.
#[derive(Debug)]
pub(super) struct Parts1<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query.map(|Query(params)| Self(params)).map_err(|why| wrong(why.body_text()))
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Parts1<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        path.map(|Path(segments)| Self(segments)).map_err(|why| wrong(why.body_text()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for NodePath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Parts1(name) = Parts1::<String>::from_request_parts(parts, state).await?;
        node_name(&name).map(Self)
    }
}

/// A node's name.
///
/// # Errors
/// It is none.
pub(super) fn node_name(text: &str) -> Result<NodeName, ApiError> {
    NodeName::new(text).map_err(|why| ApiError::new(Code::E0411, why.to_string()))
}

/// A parameter that makes no sense.
pub(super) fn wrong(what: impl Into<String>) -> ApiError {
    ApiError::new(Code::E1502, what)
}

/// A number of milliseconds within a range.
///
/// # Errors
/// It is outside.
pub(super) fn millis(ms: Option<u64>, most: Duration) -> Result<Option<Duration>, ApiError> {
    match ms {
        None => Ok(None),
        Some(ms) if ms >= 1 && Duration::from_millis(ms) <= most => Ok(Some(Duration::from_millis(ms))),
        Some(_) => Err(wrong(format!("`timeout_ms` must be from 1 to {}", most.as_millis()))),
    }
}

/// A whole body of at most `most` bytes.
///
/// # Errors
/// It is larger, came too slowly, or broke off.
pub(super) async fn body(body: Body, most: usize) -> Result<Bytes, ApiError> {
    let too_large = || ApiError::new(Code::E1507, format!("the body is larger than {most} bytes"));
    let read = async {
        let mut all = BytesMut::new();
        let mut stream = body.into_data_stream();
        while let Some(piece) = stream.next().await {
            let piece = piece.map_err(|_| ApiError::new(Code::E1501, "the body broke off"))?;
            if all.len() + piece.len() > most {
                return Err(too_large());
            }
            if all.is_empty() {
                all.reserve(piece.len().max(BODY_FIRST.min(most)));
            }
            all.extend_from_slice(&piece);
        }
        Ok(all.freeze())
    };
    let late = || ApiError::new(Code::E1501, "the body came too slowly").status(StatusCode::REQUEST_TIMEOUT);
    timeout(BODY_TIME, read).await.map_err(|_| late())?
}

/// The media type of a body, without its parameters; `None` if there is no such header.
pub(super) fn media_type(headers: &axum::http::HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().unwrap_or("?");
    Some(value.split(';').next().unwrap_or("").trim().to_ascii_lowercase())
}
