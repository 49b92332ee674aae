//! Tables, whose cells may lead to other pages, with a bound on their size; and what else pages are made of.

use crate::address::MAX_ADDRESS;
use crate::html::Html;
use crate::units::counted;

/// Most rows of a table.
const MAX_ROWS: usize = 500;
/// Bytes of a table's rows after which no row follows.
const MAX_BYTES: usize = 150_000;

/// Words, and the address below `/console/` that they lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) words: String,
    pub(crate) to: Option<String>,
}

impl Link {
    pub(crate) fn new(words: &(impl ToString + ?Sized), to: String) -> Self {
        Self { words: words.to_string(), to: Some(to) }
    }

    /// The address, where it is short enough to be written whole.
    pub(crate) fn address(&self) -> Option<&str> {
        self.to.as_deref().filter(|to| to.len() <= MAX_ADDRESS)
    }

    pub(crate) fn write(&self, html: &mut Html) {
        match self.address() {
            Some(to) => link(html, to, &self.words),
            None => {
                html.text(&self.words);
            }
        }
    }
}

/// A cell of a table. The first cell of a row is its heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
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
    /// Something to copy.
    Code(String),
    /// Words that lead to other pages.
    Links(Vec<Link>),
}

impl Cell {
    /// Words.
    pub(crate) fn text(text: &(impl ToString + ?Sized)) -> Self {
        Self::Text(text.to_string())
    }

    /// Words that lead to another page.
    pub(crate) fn link(words: &(impl ToString + ?Sized), to: String) -> Self {
        Self::Links(vec![Link::new(words, to)])
    }

    fn write(&self, html: &mut Html, is_heading: bool) {
        let (begin, end) = match self {
            Self::Number(_) => ("<td class=\"n\">", "</td>"),
            Self::Good(_) => ("<td class=\"good\">", "</td>"),
            Self::Bad(_) => ("<td class=\"bad\">", "</td>"),
            Self::Warning(_) => ("<td class=\"warn\">", "</td>"),
            _ if is_heading => ("<th scope=\"row\">", "</th>"),
            Self::Text(_) | Self::Code(_) | Self::Links(_) => ("<td>", "</td>"),
        };
        html.markup(begin);
        match self {
            Self::Text(text) | Self::Number(text) | Self::Good(text) | Self::Bad(text) | Self::Warning(text) => {
                html.text(text);
            }
            Self::Code(text) if text.is_empty() => {}
            Self::Code(text) => {
                html.element("code", text);
            }
            Self::Links(links) => {
                for (index, link) in links.iter().enumerate() {
                    html.markup(if index == 0 { "" } else { ", " });
                    link.write(html);
                }
            }
        }
        html.markup(end);
    }
}

/// How large a table may become.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound {
    /// Most rows.
    pub(crate) rows: usize,
    /// Bytes of the rows after which no row follows.
    pub(crate) bytes: usize,
}

/// What tables of the console may have. A page has at most ten tables and three pictures.
pub(crate) const OF_CONSOLE: Bound = Bound { rows: MAX_ROWS, bytes: MAX_BYTES };

/// Adds a table, and a line that says how many rows were left out. A title that begins with `>` is that of a column of
/// numbers.
pub(crate) fn table(html: &mut Html, caption: &str, titles: &[&str], rows: &[Vec<Cell>]) {
    bounded_table(html, OF_CONSOLE, (caption, titles), rows.len() as u64, rows);
}

/// Adds a table with this caption and these titles, of `total` rows of which those that fit are written, and a line
/// that says how many were left out.
pub(crate) fn bounded_table(
    html: &mut Html,
    bound: Bound,
    (caption, titles): (&str, &[&str]),
    total: u64,
    rows: impl IntoIterator<Item = impl AsRef<[Cell]>>,
) {
    begin_table(html, None, caption, titles);
    let (begin, mut shown) = (html.len(), 0_u64);
    for row in rows.into_iter().take(bound.rows) {
        if html.len() - begin > bound.bytes {
            break;
        }
        html.markup("<tr>");
        for (index, cell) in row.as_ref().iter().enumerate() {
            cell.write(html, index == 0);
        }
        html.markup("</tr>\n");
        shown += 1;
    }
    end_table(html);
    if let Some(more @ 1..) = total.checked_sub(shown) {
        html.element("p", &format!("{} not listed here.", counted(more, "more is", "more are"))).markup("\n");
    }
}

/// Begins a table that may be wider than the page. A title that begins with `>` is that of a column of numbers.
pub(crate) fn begin_table(html: &mut Html, class: Option<&'static str>, caption: &str, titles: &[&str]) {
    html.markup("<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"").text(caption).markup("\">\n<table");
    if let Some(class) = class {
        html.markup(" class=\"").markup(class).markup("\"");
    }
    html.markup(">").element("caption", caption).markup("\n<thead><tr>");
    for title in titles {
        match title.strip_prefix('>') {
            Some(title) => html.element("th scope=\"col\" class=\"n\"", title),
            None => html.element("th scope=\"col\"", title),
        };
    }
    html.markup("</tr></thead>\n<tbody>\n");
}

/// Ends a table.
pub(crate) fn end_table(html: &mut Html) {
    html.markup("</tbody></table></div>\n");
}

/// Adds a link to a page of the console. `address` is below `/console/`.
pub(crate) fn link(html: &mut Html, address: &str, words: &str) {
    html.markup("<a href=\"/console/").text(address).markup("\">").text(words).markup("</a>");
}

/// Adds a row's heading that is a link.
pub(crate) fn heading_link(html: &mut Html, address: &str, words: &str) {
    html.markup("<th scope=\"row\">");
    link(html, address, words);
    html.markup("</th>");
}

/// Begins a section with its heading. `id` must be unique on the page.
pub(crate) fn section(html: &mut Html, id: &'static str, title: &str) {
    html.markup("<h2 id=\"").markup(id).markup("\">").text(title).markup("</h2>\n");
}

/// Adds a paragraph.
pub(crate) fn paragraph(html: &mut Html, text: &str) {
    html.element("p", text).markup("\n");
}

/// Adds facts, each with its name. Those without a value are left out.
pub(crate) fn facts(html: &mut Html, facts: &[(&str, Option<Cell>)]) {
    html.markup("<dl>\n");
    for (name, value) in facts {
        let Some(value) = value else { continue };
        html.markup("<div>").element("dt", name).markup("<dd>");
        match value {
            Cell::Good(text) => html.element("span class=\"badge good\"", text),
            Cell::Bad(text) => html.element("span class=\"badge bad\"", text),
            Cell::Warning(text) => html.element("span class=\"badge warn\"", text),
            Cell::Code(text) => html.element("code", text),
            Cell::Text(text) | Cell::Number(text) => html.text(text),
            Cell::Links(links) => {
                for (index, link) in links.iter().enumerate() {
                    html.markup(if index == 0 { "" } else { ", " });
                    link.write(html);
                }
                &mut *html
            }
        };
        html.markup("</dd></div>\n");
    }
    html.markup("</dl>\n");
}

/// Adds a command to copy, with what it does before it.
pub(crate) fn command(html: &mut Html, words: &str, command: &str) {
    html.markup("<p>").text(words).markup("<br>").element("code", command).markup("</p>\n");
}

/// A text as one word of a shell.
pub(crate) fn shell_word(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Adds a list of links as the navigation of a page.
pub(crate) fn links(html: &mut Html, label: &'static str, links: &[Link]) {
    html.markup("<nav aria-label=\"").markup(label).markup("\"><ul>");
    for link in links {
        html.markup("<li>");
        link.write(html);
        html.markup("</li>");
    }
    html.markup("</ul></nav>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(rows: &[Vec<Cell>]) -> String {
        let mut html = Html::default();
        table(&mut html, "Things", &["Name", ">Size"], rows);
        html.into_string()
    }

    #[test]
    fn cells_say_what_they_are() {
        let check = |cell: Cell, expected: &str| {
            let page = page(&[vec![Cell::text("a"), cell]]);
            assert!(page.contains(&format!("<tr><th scope=\"row\">a</th>{expected}</tr>")), "{expected}: {page}");
        };
        check(Cell::Number("7".into()), "<td class=\"n\">7</td>");
        check(Cell::Bad("<no>".into()), "<td class=\"bad\">&lt;no&gt;</td>");
        check(Cell::Code("a b".into()), "<td><code>a b</code></td>");
        check(Cell::link("<x>", "runs/a".into()), "<td><a href=\"/console/runs/a\">&lt;x&gt;</a></td>");
        check(Cell::link("x", "a".repeat(MAX_ADDRESS + 1)), "<td>x</td>");
        let words = |words: &str| Link { words: words.to_owned(), to: None };
        check(Cell::Links(vec![words("a"), words("b")]), "<td>a, b</td>");
    }

    #[test]
    fn a_shell_reads_one_word() {
        assert_eq!((shell_word("a b"), shell_word("it's")), ("'a b'".to_owned(), r"'it'\''s'".to_owned()));
    }

    #[test]
    fn a_table_ends_and_says_what_it_leaves_out() {
        let check = |text: &str, rows: usize, expected: Option<&str>| {
            let page = page(&vec![vec![Cell::text(text)]; rows]);
            let more = page.split_once("<p>").and_then(|(_, rest)| rest.split_once(" not listed"));
            assert_eq!(more.map(|(words, _)| words), expected, "{rows}");
            assert!(page.len() < MAX_BYTES + 10_000, "{}", page.len());
        };
        check("a", MAX_ROWS, None);
        check("a", MAX_ROWS + 1, Some("1 more is"));
        check(&"<".repeat(600), 200, Some("138 more are"));
    }
}
