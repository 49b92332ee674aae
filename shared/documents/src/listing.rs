//! Every object of a folder, with the keys that are no paths set aside.
//!
//! A key of S3 is any text, and a path of `object_store` is not: it has no empty part, no `.`, no `..` and no control
//! character. A page with one such key is refused as a whole. Then smaller and smaller pages are asked for, until the key
//! is alone; it is set aside, with all that is below its odd part, and the listing goes on behind that.

use object_store::list::{PaginatedListOptions, PaginatedListResult};
use object_store::path::{self, PathPart};
use object_store::{Error, ObjectMeta, Result};

/// Keys of a page, as S3 gives them when no number is asked for.
const PAGE_KEYS: usize = 1000;
/// Odd keys and folders that are set aside. Each takes one request where they follow each other and some 20 where they
/// do not, of 30 ms: at most 180 s, and the function that lists is given 330 s.
const MAX_ODD: usize = 300;

/// What is in a folder, at any depth.
#[derive(Debug, Default)]
pub struct Listing {
    /// The objects. Of a key that ends with a slash the slash is left out, so no object can be read at that path.
    pub objects: Vec<ObjectMeta>,
    /// Keys that are no paths; one that ends with a slash stands for all keys that begin with it.
    pub odd_keys: Vec<String>,
}

/// Where the next page begins.
#[derive(Debug, Clone)]
enum Begin {
    /// With the first key.
    First,
    /// Behind the page that gave this token.
    Token(String),
    /// Behind this key.
    After(String),
}

/// Lists everything, a page at a time; `page` answers one of the store's pages.
///
/// # Errors
/// Those of the store; [`Error::InvalidPath`] for more odd keys than are set aside.
pub(crate) async fn list_all<F, P>(page: F) -> Result<Listing>
where
    F: Fn(PaginatedListOptions) -> P,
    P: Future<Output = Result<PaginatedListResult>>,
{
    let mut listing = Listing::default();
    let mut begin = Begin::First;
    let mut keys = PAGE_KEYS;
    loop {
        let mut options =
            PaginatedListOptions { max_keys: (keys < PAGE_KEYS).then_some(keys), ..PaginatedListOptions::default() };
        match &begin {
            Begin::First => {}
            Begin::Token(token) => options.page_token = Some(token.clone()),
            Begin::After(key) => options.offset = Some(key.clone()),
        }
        match page(options).await {
            Ok(listed) => {
                listing.objects.extend(listed.result.objects);
                let Some(token) = listed.page_token else { return Ok(listing) };
                (begin, keys) = (Begin::Token(token), (keys * 2).min(PAGE_KEYS));
            }
            Err(Error::InvalidPath { source }) => match key_of(&source) {
                Some(_) if keys > 1 => keys /= 2,
                Some(key) if listing.odd_keys.len() < MAX_ODD => {
                    let odd = odd_part(key).to_owned();
                    // No key sorts behind this character.
                    let after = if odd.ends_with('/') { format!("{odd}{}", char::MAX) } else { odd.clone() };
                    listing.odd_keys.push(odd);
                    begin = Begin::After(after);
                }
                _ => return Err(Error::InvalidPath { source }),
            },
            Err(error) => return Err(error),
        }
    }
}

fn key_of(error: &path::Error) -> Option<&str> {
    match error {
        path::Error::EmptySegment { path } | path::Error::BadSegment { path, .. } => Some(path),
        _ => None,
    }
}

/// The key up to its first part that no path has, with the slash behind it.
fn odd_part(key: &str) -> &str {
    let mut end = 0;
    for part in key.split('/') {
        end += part.len();
        // A slash at the beginning is no empty part to `object_store`.
        if (part.is_empty() && end > 0) || (!part.is_empty() && PathPart::parse(part).is_err()) {
            return key.get(..=end).unwrap_or(key);
        }
        end += 1;
    }
    key
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use object_store::ListResult;
    use object_store::path::Path;

    use super::*;

    /// A page of these sorted keys, as S3 gives it.
    fn page_of(keys: &[String], options: &PaginatedListOptions) -> Result<PaginatedListResult> {
        let after = options.page_token.as_ref().or(options.offset.as_ref()).map_or("", String::as_str);
        let mut rest = keys.iter().filter(|key| key.as_str() > after);
        let page: Vec<&String> = rest.by_ref().take(options.max_keys.unwrap_or(PAGE_KEYS)).collect();
        let page_token = rest.next().and(page.last()).map(|key| (*key).clone());
        let object = |key: &&String| {
            let (location, last_modified) = (Path::parse(key)?, Default::default());
            Ok(ObjectMeta { location, last_modified, size: 0, e_tag: None, version: None })
        };
        let objects = page.iter().map(object).collect::<Result<_>>()?;
        let result = ListResult { common_prefixes: Vec::new(), objects };
        Ok(PaginatedListResult { result, page_token })
    }

    /// What is listed of these keys: paths, odd keys, and the number of requests.
    async fn list(mut keys: Vec<String>) -> (Vec<String>, Vec<String>, usize) {
        keys.sort();
        let requests = Cell::new(0);
        let listing = list_all(|options| {
            requests.set(requests.get() + 1);
            std::future::ready(page_of(&keys, &options))
        });
        let listing = listing.await.unwrap();
        let objects = listing.objects.iter().map(|object| object.location.to_string()).collect();
        (objects, listing.odd_keys, requests.get())
    }

    #[tokio::test]
    async fn odd_keys_are_set_aside_and_all_others_are_listed() {
        let keys = [
            "in/-",
            "in//a",
            "in//b/c",
            "in/0",
            "in/a",
            "in/a//",
            "in/a/../b",
            "in/a/../c",
            "in/a/..",
            "in/a/x\u{7}/y",
        ];
        let other = ["in/a/b//c", "in/a/b/c", "in/b/", "in/b/.", "in/b/x", "in/\u{10ffff}"];
        let (objects, odd, _) = list(keys.iter().chain(&other).map(|key| (*key).to_owned()).collect()).await;
        assert_eq!(objects, ["in/-", "in/0", "in/a", "in/a/b/c", "in/b", "in/b/x", "in/\u{10ffff}"]);
        assert_eq!(odd, ["in//", "in/a/..", "in/a/../", "in/a//", "in/a/b//", "in/a/x\u{7}/", "in/b/."]);
    }

    #[tokio::test]
    async fn one_odd_key_among_thousands_costs_some_requests() {
        let mut keys: Vec<String> = (0..5000).map(|n| format!("in/{n:05}.csv")).collect();
        let plain = list(keys.clone()).await;
        assert_eq!((plain.0.len(), plain.2), (5000, 5));
        keys.push("in/02500//x".to_owned());
        let (objects, odd, requests) = list(keys).await;
        assert_eq!((objects, odd), (plain.0, vec!["in/02500//".to_owned()]));
        assert!(requests <= 5 + 30, "{requests} requests");
    }

    #[tokio::test]
    async fn folders_of_odd_keys_are_passed_in_one_step() {
        let below = (0..3000).map(|n| format!("in//{n}"));
        let (objects, odd, requests) = list(below.chain(["in/x".to_owned()]).collect()).await;
        assert_eq!((objects, odd), (vec!["in/x".to_owned()], vec!["in//".to_owned()]));
        assert!(requests <= 20, "{requests} requests");
    }

    #[tokio::test]
    async fn more_odd_keys_than_can_be_set_aside_are_refused_by_name() {
        let keys: Vec<String> = (0..=MAX_ODD).map(|n| format!("in/{n:05}//x")).collect();
        let listed = list_all(|options| std::future::ready(page_of(&keys, &options))).await;
        let error = listed.expect_err("one too many").to_string();
        assert!(error.contains(&format!("in/{MAX_ODD:05}//x")), "{error}");
    }
}
