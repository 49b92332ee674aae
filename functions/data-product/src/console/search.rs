//! `/console/search`: products, ports, columns and pipelines that the caller may find.

use serde::Deserialize;
use sluice_core::access::Treatment;
use sluice_core::product::RegisteredProduct;
use sluice_http::{Caller, Problem};
use sluice_pages::{Content, Hit, MAX_HITS, search_page};

use crate::{Access, App};

/// Longest text that is searched for, in characters.
const MAX_CHARS: usize = 200;
/// Most words of it.
const MAX_WORDS: usize = 8;

/// What is searched for.
#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    q: String,
}

impl Wanted {
    /// The text, no longer than any that a form sends.
    pub(super) fn text(&self) -> &str {
        let end = self.q.char_indices().nth(MAX_CHARS).map_or(self.q.len(), |(at, _)| at);
        self.q.get(..end).unwrap_or_default().trim()
    }
}

pub(super) async fn page(app: &App, caller: &Caller, query: &str) -> Result<Content, Problem> {
    let words: Vec<String> = query.split_whitespace().take(MAX_WORDS).map(str::to_lowercase).collect();
    let mut search = Search { words, found: Vec::new() };
    if !search.words.is_empty() {
        for (product, ports) in app.visible(caller).await? {
            search.product(&product, &ports);
        }
        let rights = app.console.pipelines.rights_or_none(caller).await?;
        for (pipeline, spec) in rights.readable() {
            let about = spec.description.as_deref().unwrap_or_default();
            let address = format!("runs/{pipeline}");
            search.add("pipeline", pipeline.as_str(), address, about, &[spec.domain.as_str()]);
        }
    }
    let hits = search.best();
    Ok(search_page(query, hits.get(..MAX_HITS.min(hits.len())).unwrap_or_default(), hits.len()))
}

/// A search, and what it has found: how well each fits, the better the lower.
struct Search {
    words: Vec<String>,
    found: Vec<(u8, Hit)>,
}

impl Search {
    fn product(&mut self, product: &RegisteredProduct, ports: &[Access]) {
        let (name, about) = (product.product.to_string(), &product.about);
        let address = format!("products/{name}");
        let purpose = about.purpose.as_deref().unwrap_or_default();
        let mut others: Vec<&str> = about.tags.iter().chain(&about.owners).map(String::as_str).collect();
        others.extend(about.team.as_deref());
        self.add("product", &name, address.clone(), purpose, &others);
        for access in ports {
            let port = access.port.name.as_str();
            let address = format!("{address}/{port}");
            let about = access.port.description.as_deref().unwrap_or_default();
            self.add("table", port, address.clone(), about, &[name.as_str()]);
            // Only columns that the caller sees, so that nobody finds out by asking.
            let visible = access.table.columns.iter().filter(|column| column.treatment != Treatment::Hide);
            for column in visible {
                let about = access.port.contract.column(&column.name).and_then(|column| column.description.as_deref());
                let full = format!("{port}.{}", column.name);
                self.add("column", &full, address.clone(), about.unwrap_or_default(), &[]);
            }
        }
    }

    /// Adds what has every word in its name, its description or one of the other texts.
    fn add(&mut self, kind: &'static str, name: &str, address: String, about: &str, others: &[&str]) {
        let (in_name, in_about) = (name.to_lowercase(), about.to_lowercase());
        let others: Vec<String> = others.iter().map(|text| text.to_lowercase()).collect();
        let has = |word: &String| {
            in_name.contains(word) || in_about.contains(word) || others.iter().any(|text| text.contains(word))
        };
        if !self.words.iter().all(has) {
            return;
        }
        let is_all = self.words.iter().all(|word| in_name.split(['/', '.']).any(|part| part == word));
        let is_named = self.words.iter().all(|word| in_name.contains(word));
        let rank = if is_all { 0 } else { u8::from(!is_named) + 1 };
        self.found.push((rank, Hit { kind, name: name.to_owned(), address, words: about.to_owned() }));
    }

    /// The hits, the best first; of those that fit as well, in the order in which they were added.
    fn best(mut self) -> Vec<Hit> {
        self.found.sort_by_key(|(rank, _)| *rank);
        self.found.into_iter().map(|(_, hit)| hit).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(query: &str) -> Vec<String> {
        let mut search = Search { words: query.split_whitespace().map(str::to_lowercase).collect(), found: Vec::new() };
        search.add("product", "sales/retail", String::new(), "Orders of the shop", &["Finance", "ann@example.com"]);
        search.add("table", "orders", String::new(), "One row for each order", &["sales/retail"]);
        search.add("column", "orders.Amount", String::new(), "", &[]);
        search.best().into_iter().map(|hit| hit.name).collect()
    }

    #[test]
    fn every_word_must_be_found_and_names_come_first() {
        let check = |query: &str, expected: &[&str]| assert_eq!(found(query), expected, "{query}");
        check("orders", &["orders", "orders.Amount", "sales/retail"]);
        check("ORDERS shop", &["sales/retail"]);
        check("amount", &["orders.Amount"]);
        check("finance", &["sales/retail"]);
        check("retail", &["sales/retail", "orders"]);
        check("order nothing", &[]);
    }

    #[test]
    fn a_long_text_is_cut() {
        let wanted = Wanted { q: format!(" {}", "ä".repeat(300)) };
        assert_eq!(wanted.text().chars().count(), MAX_CHARS - 1);
        assert_eq!(Wanted { q: " a ".to_owned() }.text(), "a");
    }
}
