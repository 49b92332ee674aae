//! Parts of the messages of source errors.

/// Columns of an object for people: all of them, or the first of very many.
pub(super) fn listed(columns: &[String]) -> String {
    const NAMED: usize = 50;
    let mut named: Vec<String> = columns.iter().take(NAMED).cloned().collect();
    if let Some(more @ 1..) = columns.len().checked_sub(NAMED) {
        named.push(format!("and {more} more"));
    }
    named.join(", ")
}

/// Objects of every format may have a byte order mark; an encoding of the spec is one of CSV or fixed width.
pub(super) fn encoding_words(is_marked: bool) -> &'static str {
    if is_marked {
        "its byte order mark says so; deliver the whole file again, or in UTF-8"
    } else {
        "`encoding` in the spec says so; write the encoding that it has there, or deliver it in UTF-8"
    }
}

pub(super) fn delimiter_words(delimiter: Option<&str>) -> String {
    delimiter.map_or_else(String::new, |delimiter| {
        format!("; its delimiter looks like '{}': set source.csv.delimiter", delimiter.escape_debug())
    })
}
