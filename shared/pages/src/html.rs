//! HTML that is being written. Markup is text of this program, and everything else is escaped.

use sluice_core::shown::shown;

/// Most characters of one text; the rest is cut, with an ellipsis.
const MAX_CHARS: usize = 600;

/// A piece of a page.
///
/// Markup has to be `'static`, which a text from data is not: such a text gets in by [`Html::text`] alone, which escapes
/// it.
///
/// # Example
///
/// ```
/// use sluice_pages::Html;
///
/// let mut html = Html::default();
/// html.element("td", "<script>");
/// assert_eq!(html.into_string(), "<td>&lt;script&gt;</td>");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Html(String);

impl Html {
    /// Adds markup of this program.
    pub fn markup(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Adds a text, for the content of an element or a quoted attribute: on one line, with what a reader or a browser acts
    /// on as escapes, and at most 600 characters of it.
    pub fn text(&mut self, text: &str) -> &mut Self {
        let mut characters = text.chars();
        let start: String = characters.by_ref().take(MAX_CHARS).collect();
        self.escaped(&shown(&start));
        if characters.next().is_some() {
            self.0.push('…');
        }
        self
    }

    /// Adds an element with a text. `tag` may have attributes of this program: `td class="n"`.
    pub fn element(&mut self, tag: &'static str, text: &str) -> &mut Self {
        self.open(tag).text(text).close(tag)
    }

    /// Begins an element.
    pub fn open(&mut self, tag: &'static str) -> &mut Self {
        self.0.push('<');
        self.0.push_str(tag);
        self.0.push('>');
        self
    }

    /// Ends an element that [`Self::open`] began with this tag.
    pub fn close(&mut self, tag: &'static str) -> &mut Self {
        self.0.push_str("</");
        self.0.push_str(tag.split(' ').next().unwrap_or(tag));
        self.0.push('>');
        self
    }

    /// Adds a whole number, as attributes of pictures have it.
    pub fn number(&mut self, number: u64) -> &mut Self {
        self.0.push_str(&number.to_string());
        self
    }

    /// Adds another piece.
    pub fn append(&mut self, other: &Self) -> &mut Self {
        self.0.push_str(&other.0);
        self
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text of the page.
    pub fn into_string(self) -> String {
        self.0
    }

    fn escaped(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                other => self.0.push(other),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> String {
        let mut html = Html::default();
        html.text(text);
        html.into_string()
    }

    #[test]
    fn texts_are_escaped_and_cut() {
        let check = |given: &str, expected: &str| assert_eq!(text(given), expected, "{given:?}");
        check("größe 日本", "größe 日本");
        check("<b a=\"1\" b='2'>&amp;", "&lt;b a=&quot;1&quot; b=&#39;2&#39;&gt;&amp;amp;");
        check("a\nb\u{202e}", "a\\nb\\u{202e}");
        check(&"x".repeat(MAX_CHARS), &"x".repeat(MAX_CHARS));
        assert_eq!(text(&"x".repeat(MAX_CHARS + 1)).chars().count(), MAX_CHARS + 1);
        assert!(text(&"x".repeat(MAX_CHARS + 1)).ends_with('…'));
    }

    #[test]
    fn an_element_ends_without_its_attributes() {
        let mut html = Html::default();
        html.element("td class=\"n\"", "1 < 2").open("p").number(7).close("p");
        assert_eq!(html.into_string(), "<td class=\"n\">1 &lt; 2</td><p>7</p>");
    }
}
