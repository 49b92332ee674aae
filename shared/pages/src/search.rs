//! The page of what a search has found.

use crate::Content;
use crate::grid::{begin_table, end_table, heading_link};
use crate::html::Html;
use crate::units::counted;

/// Most hits of a page.
pub const MAX_HITS: usize = 100;

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// What it is, such as `product` or `column`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Its page, below `/console/`.
    pub address: String,
    /// What is said of it.
    pub words: String,
}

/// The page of these hits, the best first; `all` is how many were found.
pub fn search_page(query: &str, hits: &[Hit], all: usize) -> Content {
    let mut body = Html::default();
    if query.trim().is_empty() {
        body.markup("<p>Search for names, descriptions, owners, columns and tags: every word must be found.</p>\n");
    } else if hits.is_empty() {
        body.markup("<p>Nothing that you may see has all of <q>").text(query).markup("</q>.</p>\n");
    } else {
        let caption = format!("{} with all of “{query}”", counted(all as u64, "thing", "things"));
        begin_table(&mut body, None, &caption, &["Name", "Kind", "Description"]);
        for hit in hits.iter().take(MAX_HITS) {
            body.markup("<tr>");
            heading_link(&mut body, &hit.address, &hit.name);
            body.element("td", hit.kind).element("td", &hit.words).markup("</tr>\n");
        }
        end_table(&mut body);
        if let Some(more @ 1..) = all.checked_sub(hits.len().min(MAX_HITS)) {
            body.element("p", &format!("{} not listed: add a word.", counted(more as u64, "more is", "more are")));
            body.markup("\n");
        }
    }
    Content { title: "Search".to_owned(), above: Vec::new(), body }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_are_listed_and_the_query_is_escaped() {
        let hit = Hit {
            kind: "column",
            name: "orders.amount".to_owned(),
            address: "products/sales/retail/orders".to_owned(),
            words: "<b>".to_owned(),
        };
        let text = search_page("<script>", &[hit], 3).body.into_string();
        for part in
            ["&lt;script&gt;", "&lt;b&gt;", "href=\"/console/products/sales/retail/orders\"", "2 more are not listed"]
        {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
        assert!(!text.contains("<script"));
        assert!(
            search_page("<x>", &[], 0).body.into_string().contains("Nothing that you may see has all of <q>&lt;x&gt;")
        );
        assert!(search_page(" ", &[], 0).body.into_string().contains("every word must be found"));
    }
}
