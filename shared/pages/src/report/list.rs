//! Tables of a page, with a bound on their size.

use crate::html::Html;
use crate::units::counted;

/// Most rows of a table.
const MAX_ROWS: usize = 200;
/// Bytes of a table's rows after which no row follows. A page has at most eleven tables and two pictures.
const MAX_BYTES: usize = 60_000;

/// A cell of a table. The first cell of a row is its heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    /// Words.
    Text(String),
    /// A number, which stands to the right.
    Number(String),
    /// Words that say that something holds.
    Good(String),
    /// Words that say that something is broken.
    Bad(String),
    /// Words that warn.
    Warning(String),
}

impl Cell {
    /// Words.
    pub(super) fn text(text: &(impl ToString + ?Sized)) -> Self {
        Self::Text(text.to_string())
    }

    fn write(&self, html: &mut Html, is_heading: bool) {
        match self {
            Self::Text(text) if is_heading => html.element("th scope=\"row\"", text),
            Self::Text(text) => html.element("td", text),
            Self::Number(text) => html.element("td class=\"n\"", text),
            Self::Good(text) => html.element("td class=\"good\"", text),
            Self::Bad(text) => html.element("td class=\"bad\"", text),
            Self::Warning(text) => html.element("td class=\"warn\"", text),
        };
    }
}

/// Adds a table of `total` rows, of which those that fit are written, and a line that says how many were left out. A title
/// that begins with `>` is that of a column of numbers.
pub(super) fn table(
    html: &mut Html,
    caption: &'static str,
    titles: &[&'static str],
    total: u64,
    rows: impl IntoIterator<Item = Vec<Cell>>,
) {
    html.markup("<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"")
        .text(caption)
        .markup("\">\n<table>");
    html.element("caption", caption).markup("\n<thead><tr>");
    for title in titles {
        match title.strip_prefix('>') {
            Some(title) => html.element("th scope=\"col\" class=\"n\"", title),
            None => html.element("th scope=\"col\"", title),
        };
    }
    html.markup("</tr></thead>\n<tbody>\n");
    let (begin, mut shown) = (html.len(), 0_u64);
    for row in rows.into_iter().take(MAX_ROWS) {
        if html.len() - begin > MAX_BYTES {
            break;
        }
        html.markup("<tr>");
        for (index, cell) in row.iter().enumerate() {
            cell.write(html, index == 0);
        }
        html.markup("</tr>\n");
        shown += 1;
    }
    html.markup("</tbody></table></div>\n");
    if let Some(more @ 1..) = total.checked_sub(shown) {
        html.element("p", &format!("{} not listed here.", counted(more, "more is", "more are"))).markup("\n");
    }
}
