//! Tables of the console, whose cells may be links, and links.

use crate::html::Html;

/// Begins a table that may be wider than the page. A title that begins with `>` is that of a column of numbers.
pub(crate) fn begin_table(html: &mut Html, class: &'static str, caption: &str, titles: &[&str]) {
    html.markup("<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"").text(caption).markup("\">\n");
    html.markup("<table class=\"").markup(class).markup("\">").element("caption", caption).markup("\n<thead><tr>");
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

/// Adds a link to a page of the console. `address` is below `/console/`, of names that need no escapes in addresses.
pub(crate) fn link(html: &mut Html, address: &str, words: &str) {
    html.markup("<a href=\"/console/").text(address).markup("\">").text(words).markup("</a>");
}

/// Adds a row's heading that is a link.
pub(crate) fn heading_link(html: &mut Html, address: &str, words: &str) {
    html.markup("<th scope=\"row\">");
    link(html, address, words);
    html.markup("</th>");
}
