//! Lists in pages.

use serde::{Deserialize, Serialize};
use sluice_core::cursor;
use sluice_http::{Problem, ProblemCode};
use utoipa::{IntoParams, ToSchema};

/// Most items of a page, whatever is asked for.
const MAX_ITEMS: usize = 500;

/// Which page.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub(super) struct PageQuery {
    /// Most items of the page. A page may have fewer than there are: `nextPageToken` says whether there are more.
    #[param(minimum = 0, maximum = 2_147_483_647)]
    max_results: Option<u32>,
    /// `nextPageToken` of the page before.
    page_token: Option<String>,
}

/// A page.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page<T> {
    /// The items, by name.
    pub(super) items: Vec<T>,
    /// For the next page; not there on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_page_token: Option<String>,
}

impl PageQuery {
    /// The page of these items, which are sorted by name. `list` says what is listed for whom: tokens of other lists are
    /// refused.
    ///
    /// # Errors
    /// `invalid-request` and `invalid-cursor`.
    pub(super) fn page<T>(&self, key: &[u8; 32], list: &str, items: Vec<(String, T)>) -> Result<Page<T>, Problem> {
        let wanted = self.max_results.map_or(MAX_ITEMS, |wanted| usize::try_from(wanted).unwrap_or(usize::MAX));
        if self.max_results.is_some_and(|wanted| i32::try_from(wanted).is_err()) {
            let detail = "`maxResults` is greater than 2147483647: ask for fewer";
            return Err(Problem::new(ProblemCode::InvalidRequest, detail).in_field("maxResults"));
        }
        let after = self.page_token.as_deref().map(|token| opened(key, list, token)).transpose()?;
        let rest = items.into_iter().filter(|(name, _)| after.as_ref().is_none_or(|after| name > after));
        let (mut page, mut last, mut more) = (Vec::new(), after.clone().unwrap_or_default(), false);
        for (name, item) in rest {
            if page.len() >= wanted.min(MAX_ITEMS) {
                more = true;
                break;
            }
            page.push(item);
            last = name;
        }
        let next_page_token = more.then(|| token(key, list, &last)).transpose()?;
        Ok(Page { items: page, next_page_token })
    }
}

/// The question of a list. No other cursor is for one that begins like this.
fn question(list: &str) -> String {
    format!("sharing\n{list}")
}

fn token(key: &[u8; 32], list: &str, after: &str) -> Result<String, Problem> {
    cursor::seal(key, &question(list), &after).map_err(|error| Problem::new(ProblemCode::Internal, error.to_string()))
}

fn opened(key: &[u8; 32], list: &str, token: &str) -> Result<String, Problem> {
    cursor::open(key, &question(list), token).map_err(|_| {
        let detail = "`pageToken` belongs to another list: begin at the first page";
        Problem::new(ProblemCode::InvalidCursor, detail).in_field("pageToken")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items() -> Vec<(String, char)> {
        "abcde".chars().map(|c| (c.to_string(), c)).collect()
    }

    fn query(max_results: Option<u32>, page_token: Option<String>) -> PageQuery {
        PageQuery { max_results, page_token }
    }

    #[test]
    fn pages_follow_each_other() {
        let check = |size: Option<u32>, expected: &[&str]| {
            let (mut pages, mut next) = (Vec::new(), None);
            loop {
                let page = query(size, next).page(&[1; 32], "shares", items()).expect("page");
                pages.push(page.items.iter().collect::<String>());
                next = page.next_page_token;
                if next.is_none() || pages.len() > 9 {
                    break;
                }
            }
            assert_eq!(pages, expected, "{size:?}");
        };
        check(None, &["abcde"]);
        check(Some(2), &["ab", "cd", "e"]);
        check(Some(5), &["abcde"]);
        check(Some(9), &["abcde"]);
    }

    #[test]
    fn a_page_of_nothing_says_whether_there_is_more() {
        let page = query(Some(0), None).page(&[1; 32], "shares", items()).expect("page");
        assert!(page.items.is_empty() && page.next_page_token.is_some());
        assert!(
            query(Some(0), None).page::<char>(&[1; 32], "shares", Vec::new()).expect("page").next_page_token.is_none()
        );
    }

    #[test]
    fn tokens_of_other_lists_are_refused() {
        let good = token(&[1; 32], "shares", "b").expect("token");
        let check = |key: u8, list: &str, token: &str, code: Option<ProblemCode>| {
            let page = query(None, Some(token.to_owned())).page(&[key; 32], list, items());
            assert_eq!(page.err().map(|problem| problem.code), code, "{key} {list} {token}");
        };
        check(1, "shares", &good, None);
        check(1, "schemas", &good, Some(ProblemCode::InvalidCursor));
        check(2, "shares", &good, Some(ProblemCode::InvalidCursor));
        check(1, "shares", "", Some(ProblemCode::InvalidCursor));
        check(1, "shares", &format!("{good}AA"), Some(ProblemCode::InvalidCursor));
    }
}
