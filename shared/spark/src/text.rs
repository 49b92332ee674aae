//! Spark SQL as text: names, literals and types.

use sluice_core::contract::ColumnType;

/// A name in backticks.
pub(super) fn name(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Names in backticks, with commas.
pub(super) fn names<'a>(all: impl IntoIterator<Item = &'a str>) -> String {
    all.into_iter().map(name).collect::<Vec<_>>().join(", ")
}

/// A text literal, whatever it holds.
pub(super) fn text(value: &str) -> String {
    let mut literal = String::with_capacity(value.len() + 2);
    literal.push('\'');
    for c in value.chars() {
        match c {
            '\'' => literal.push_str("\\'"),
            '\\' => literal.push_str("\\\\"),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\t' => literal.push_str("\\t"),
            // A semicolon inside quotes ends no statement, and a comment begins none; control characters would be unreadable.
            c if c.is_control() => literal.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => literal.push(c),
        }
    }
    literal.push('\'');
    literal
}

/// A type as Spark names it.
pub(super) fn type_name(column_type: &ColumnType) -> String {
    column_type.to_string()
}

/// A typed literal, from the text that reads as its type.
pub(super) fn literal(column_type: &ColumnType, value: &str) -> String {
    match column_type {
        ColumnType::Text => text(value),
        ColumnType::Timestamp => format!("CAST({} AS TIMESTAMP)", text(&value.replace('T', " "))),
        other => format!("CAST({} AS {})", text(value.trim()), type_name(other)),
    }
}

/// A value in the form in which contracts list allowed values and quarantine shows refused ones; null stays null.
pub(super) fn canonical(column: &str, column_type: &ColumnType) -> String {
    let value = name(column);
    match column_type {
        ColumnType::Text => value,
        ColumnType::Timestamp => format!("concat(replace(CAST({value} AS STRING), ' ', 'T'), 'Z')"),
        ColumnType::Double => double_text(&value),
        _ => format!("CAST({value} AS STRING)"),
    }
}

/// A double as the shortest text that reads back as the same number: plain from 1e-5 to 1e16, with an exponent beyond.
///
/// Spark's own text comes from Java, which writes a digit too many for some doubles before version 19. The method that
/// replaced it there is in Jackson, which Spark is built with; it writes two digits at least, so the smallest doubles, which
/// one digit can tell, are asked for that one. It writes `1.0E-7` for `1e-7`, `1.5E20` for `1.5e+20`, `1.23E8` for
/// `123000000.0` and `Infinity` for `inf`.
pub(super) fn double_text(value: &str) -> String {
    let digit = format!("format_string('%.0e', {value})");
    let shown = format!(
        "CASE WHEN {value} IS NULL THEN NULL \
         WHEN abs({value}) < 1e-320D AND {value} <> 0 AND CAST({digit} AS DOUBLE) = {value} THEN {digit} \
         ELSE reflect('com.fasterxml.jackson.core.io.schubfach.DoubleToDecimal', 'toString', {value}) END"
    );
    let short = format!("replace({shown}, '.0E', 'E')");
    let exponent = format!("replace(replace(replace({short}, 'E-', 'e-'), 'E', 'e+'), 'Infinity', 'inf')");
    let plain = format!(
        "regexp_replace(regexp_replace(CAST(try_cast({shown} AS DECIMAL(38, 21)) AS STRING), '0+$', ''), '[.]$', '.0')"
    );
    format!(
        "CASE WHEN {value} = 0 OR (abs({value}) >= 1e-3D AND abs({value}) < 1e7D) THEN {shown} \
         WHEN abs({value}) >= 1e-5D AND abs({value}) < 1e16D THEN {plain} ELSE {exponent} END"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_escape_any_text() {
        let check = |value: &str, expected: &str| assert_eq!(text(value), expected);
        check("", "''");
        check("it's", r"'it\'s'");
        check("a\\b\n;--", r"'a\\b\n;--'");
        check("\u{1}é", r"'\u0001é'");
        assert_eq!(name("a`b c"), "`a``b c`");
        assert_eq!(literal(&ColumnType::Decimal { precision: 5, scale: 2 }, "1.50"), "CAST('1.50' AS DECIMAL(5,2))");
    }
}
