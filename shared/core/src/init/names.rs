//! Names of columns, tables and pipelines from those that people give to columns and files.

use std::collections::BTreeSet;

use crate::name::{ColumnName, PipelineName};
use crate::sql::RowSql;

/// Words of SQL that a column would have to be quoted for.
const KEYWORDS: [&str; 44] = [
    "all",
    "and",
    "as",
    "asc",
    "between",
    "by",
    "case",
    "cast",
    "cross",
    "desc",
    "distinct",
    "else",
    "end",
    "except",
    "exists",
    "false",
    "from",
    "full",
    "group",
    "having",
    "in",
    "inner",
    "intersect",
    "is",
    "join",
    "left",
    "like",
    "limit",
    "not",
    "null",
    "offset",
    "on",
    "or",
    "order",
    "outer",
    "right",
    "select",
    "table",
    "then",
    "true",
    "union",
    "when",
    "where",
    "with",
];
/// Longest name of a column.
const COLUMN_BYTES: usize = 64;
/// Longest name of a pipeline.
const PIPELINE_BYTES: usize = 48;

/// The name in the contract of a source column, which is in this position (from 1): snake case, and none of `taken`.
pub fn contract_name(source: &str, position: usize, taken: &BTreeSet<ColumnName>) -> ColumnName {
    let snake = snake(of_element(source));
    let name = match snake.as_str() {
        "" => format!("column_{position}"),
        name if name.starts_with(|c: char| c.is_ascii_digit()) => format!("c_{name}"),
        name if is_word_of_sql(name) => format!("{name}_"),
        name => name.to_owned(),
    };
    let numbered = (2..).map(|number| {
        let suffix = format!("_{number}");
        format!("{}{suffix}", cut(&name, COLUMN_BYTES - suffix.len()))
    });
    let first = cut(&name, COLUMN_BYTES).to_owned();
    let mut candidates = std::iter::once(first).chain(numbered).filter_map(|name| name.parse::<ColumnName>().ok());
    loop {
        // Candidates never end, and all of them are names.
        if let Some(name) = candidates.next().filter(|name| !taken.contains(name)) {
            return name;
        }
    }
}

/// The name that says what a text of XML is: of the text of an element with attributes, the element.
fn of_element(source: &str) -> &str {
    match source {
        "#text" => "text",
        path if path.starts_with('$') => path.strip_suffix(".#text").unwrap_or(path),
        name => name,
    }
}

/// Whether a column of this name would have to be quoted, here or in the engines that read the tables.
fn is_word_of_sql(name: &str) -> bool {
    let is_refused = |columns: &[&str]| RowSql::of_columns(columns.iter().copied()).is_err();
    KEYWORDS.contains(&name) || is_refused(&[name]) || is_refused(&["a", name, "b"])
}

/// The name of a pipeline from that of a file: without endings, and without the date or number of one delivery.
pub fn pipeline_name_of(file: &str) -> Option<PipelineName> {
    let stem = file.split('.').find(|part| !part.is_empty()).unwrap_or_default();
    let name = snake(stem);
    let is_number = |c: char| c.is_ascii_digit() || c == '_';
    let mut kept = name.trim_matches(is_number);
    // `20240105T101112` and the like.
    if let Some(date) = kept.strip_suffix("_t").filter(|date| date.ends_with(|c: char| c.is_ascii_digit())) {
        kept = date.trim_end_matches(is_number);
    }
    cut(kept, PIPELINE_BYTES).parse().ok()
}

fn cut(name: &str, bytes: usize) -> &str {
    match name.get(..bytes) {
        Some(front) if name.len() > bytes => front.trim_end_matches('_'),
        _ => name,
    }
}

/// Small Latin letters, digits and single underscores.
fn snake(text: &str) -> String {
    let mut snake = String::with_capacity(text.len());
    let mut before = ' ';
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let next_is_small = chars.peek().is_some_and(|next| next.is_lowercase());
        let after_word = before.is_lowercase() || before.is_numeric() || (before.is_uppercase() && next_is_small);
        if c.is_uppercase() && after_word {
            push_break(&mut snake);
        }
        match latin(c) {
            Some(letters) => snake.push_str(letters),
            None if c.is_ascii_alphanumeric() => snake.push(c.to_ascii_lowercase()),
            None if c == '%' => push_word(&mut snake, "percent"),
            None if c == '#' => push_word(&mut snake, "number"),
            None => push_break(&mut snake),
        }
        before = c;
    }
    snake.trim_matches('_').to_owned()
}

fn push_break(snake: &mut String) {
    if !snake.is_empty() && !snake.ends_with('_') {
        snake.push('_');
    }
}

fn push_word(snake: &mut String, word: &str) {
    push_break(snake);
    snake.push_str(word);
    snake.push('_');
}

/// Letters of other alphabets of the Latin script.
fn latin(c: char) -> Option<&'static str> {
    Some(match c {
        'ä' | 'Ä' | 'æ' | 'Æ' => "ae",
        'ö' | 'Ö' | 'œ' | 'Œ' => "oe",
        'ü' | 'Ü' => "ue",
        'ß' => "ss",
        'à' | 'á' | 'â' | 'ã' | 'å' | 'ą' | 'À' | 'Á' | 'Â' | 'Ã' | 'Å' | 'Ą' => "a",
        'ç' | 'ć' | 'č' | 'Ç' | 'Ć' | 'Č' => "c",
        'è' | 'é' | 'ê' | 'ë' | 'ę' | 'ě' | 'È' | 'É' | 'Ê' | 'Ë' | 'Ę' | 'Ě' => "e",
        'ì' | 'í' | 'î' | 'ï' | 'Ì' | 'Í' | 'Î' | 'Ï' | 'İ' | 'ı' => "i",
        'ł' | 'Ł' => "l",
        'ñ' | 'ń' | 'ň' | 'Ñ' | 'Ń' | 'Ň' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ø' | 'Ò' | 'Ó' | 'Ô' | 'Õ' | 'Ø' => "o",
        'ř' | 'Ř' => "r",
        'ś' | 'š' | 'ş' | 'Ś' | 'Š' | 'Ş' => "s",
        'ù' | 'ú' | 'û' | 'ů' | 'Ù' | 'Ú' | 'Û' | 'Ů' => "u",
        'ý' | 'ÿ' | 'Ý' => "y",
        'ź' | 'ż' | 'ž' | 'Ź' | 'Ż' | 'Ž' => "z",
        'ğ' | 'Ğ' => "g",
        'đ' | 'ď' | 'Đ' | 'Ď' => "d",
        'ť' | 'Ť' => "t",
        '€' => "eur",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_columns_have_names_in_snake_case() {
        let check = |source: &str, expected: &str| {
            assert_eq!(contract_name(source, 3, &BTreeSet::new()).as_str(), expected, "{source:?}");
        };
        check("OrderID", "order_id");
        check("HTTPServer", "http_server");
        check("Unit Price", "unit_price");
        check("Größe (m²)", "groesse_m");
        check("Temp. [°C]", "temp_c");
        check("Anteil %", "anteil_percent");
        check("#", "number");
        check("$.amount.#text", "amount");
        check("$.amount.@currency", "amount_currency");
        check("#text", "text");
        check("no #text", "no_number_text");
        check("2019", "c_2019");
        check("order", "order_");
        check("user", "user_");
        check("Cluster", "cluster_");
        check("name", "name");
        check("date", "date");
        check("value", "value");
        check("_id", "id");
        check("address.city", "address_city");
        check("", "column_3");
        check("日本", "column_3");
        check("Quantité", "quantite");
        check("a__b--c", "a_b_c");
        check(&"x".repeat(80), &"x".repeat(64));
    }

    #[test]
    fn names_are_unique() {
        let mut taken = BTreeSet::new();
        for (source, expected) in [("A b", "a_b"), ("a-b", "a_b_2"), ("A_B", "a_b_3"), ("a_b_2", "a_b_2_2")] {
            let name = contract_name(source, 1, &taken);
            assert_eq!(name.as_str(), expected, "{source}");
            let _ = taken.insert(name);
        }
    }

    #[test]
    fn pipelines_are_named_without_the_date_of_a_delivery() {
        let check = |file: &str, expected: Option<&str>| {
            assert_eq!(pipeline_name_of(file).as_ref().map(PipelineName::as_str), expected, "{file}");
        };
        check("orders.csv", Some("orders"));
        check("Orders-2024-01-05.csv.gz", Some("orders"));
        check("2024-01-05_orders.ndjson", Some("orders"));
        check("export_20240105T101112.csv", Some("export"));
        check("KundenStamm.txt", Some("kunden_stamm"));
        check("2024-01-05.csv", None);
        check("日本.csv", None);
    }
}
