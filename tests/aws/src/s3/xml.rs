//! The subset of XML that the bed reads and changes: elements without attributes, as S3 writes them.

/// The texts of all elements of this name, unescaped.
pub(crate) fn texts(xml: &str, name: &str) -> Vec<String> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    xml.split(open.as_str())
        .skip(1)
        .filter_map(|rest| rest.split_once(close.as_str()).map(|(text, _)| unescaped(text)))
        .collect()
}

/// Changes each element of this name; `change` gets the raw text between its tags, and `None` removes the element.
pub(crate) fn changed(xml: &str, name: &str, mut change: impl FnMut(&str) -> Option<String>) -> String {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut pieces = xml.split(open.as_str());
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (inner, rest) = piece.split_once(close.as_str()).unwrap_or((piece, ""));
        if let Some(inner) = change(inner) {
            out += &format!("{open}{inner}{close}");
        }
        out += rest;
    }
    out
}

/// Escapes text for use between tags.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Unescapes text from between tags.
pub(crate) fn unescaped(text: &str) -> String {
    let named = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#39;", "'"), ("&#34;", "\"")];
    // The ampersand comes last, so that escaped entities stay text.
    named.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to)).replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_changed_and_removed() {
        let xml = "<L><Key>a&amp;lt;b</Key><N>1</N><Key>c</Key></L>";
        assert_eq!(texts(xml, "Key"), ["a&lt;b", "c"]);
        let changed = changed(xml, "Key", |key| (key != "c").then(|| format!("{key}!")));
        assert_eq!(changed, "<L><Key>a&amp;lt;b!</Key><N>1</N></L>");
        assert_eq!(unescaped(&escaped("<a & \"b\">")), "<a & \"b\">");
    }
}
