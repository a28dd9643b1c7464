//! Lists, a page at a time. A cursor names the last item of a page, so a list that changes meanwhile neither repeats nor
//! skips what stayed.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::{extract, problem::ApiError};

/// Items of a page where nothing is said.
const LIMIT: u64 = 100;
/// Most items of a page.
const LIMIT_MAX: u64 = 1_000;

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Most items of the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub(super) limit: Option<u64>,
    /// The `next_cursor` of the page before.
    #[param(pattern = "^([0-9a-f]{2})*$", max_length = 1024)]
    pub(super) cursor: Option<String>,
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Page<T> {
    /// The items, in order.
    items: Vec<T>,
    /// Where the next page begins; `null` on the last.
    next_cursor: Option<String>,
    /// How many items there are in all.
    total: u64,
}

impl Which {
    /// The page of a whole list, which is put in order of `key`. Keys differ.
    ///
    /// # Errors
    /// The limit or the cursor makes no sense.
    pub(super) fn page<T>(&self, mut all: Vec<T>, key: impl Fn(&T) -> String) -> Result<Page<T>, ApiError> {
        let limit = self.limit.unwrap_or(LIMIT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(extract::wrong(format!("`limit` must be from 1 to {LIMIT_MAX}")));
        }
        let after = self.cursor.as_deref().map(unhex).transpose()?;
        let total = all.len() as u64;
        all.sort_by_cached_key(&key);
        let begin = after.map_or(0, |after| all.partition_point(|item| key(item).into_bytes() <= after));
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = all.len() - begin > limit;
        let items: Vec<T> = all.into_iter().skip(begin).take(limit).collect();
        let next_cursor = items.last().filter(|_| more).map(|item| hex(key(item).as_bytes()));
        Ok(Page { items, next_cursor, total })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Result<Vec<u8>, ApiError> {
    let bad = || extract::wrong("`cursor` is none of ours");
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return Err(bad());
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| bad())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(limit: Option<u64>, cursor: Option<&str>, all: &[&str]) -> Result<(Vec<String>, Option<String>), ApiError> {
        let which = Which { limit, cursor: cursor.map(str::to_owned) };
        let all = all.iter().map(|item| (*item).to_owned()).collect();
        which.page(all, String::clone).map(|page| (page.items, page.next_cursor))
    }

    #[test]
    fn pages_follow_each_other_though_the_list_changes() {
        let (items, cursor) = page(Some(2), None, &["d", "a", "c", "b"]).unwrap();
        assert_eq!(items, ["a", "b"]);
        let (items, cursor) = page(Some(2), cursor.as_deref(), &["a", "d", "aa", "c"]).unwrap();
        assert_eq!((items, cursor), (vec!["c".to_owned(), "d".to_owned()], None));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (limit, cursor) in [(Some(0), None), (Some(1_001), None), (None, Some("xy")), (None, Some("6"))] {
            assert!(page(limit, cursor, &["a"]).is_err(), "{limit:?} {cursor:?}");
        }
        assert_eq!(page(None, None, &[]).unwrap(), (vec![], None));
    }
}
