//! A statement in the subset and in DuckDB's SQL, and where the two are written otherwise.
//!
//! These are all the differences that `docs/sql.md` promises; anything else that differs is a fault.

use super::draw::Kind;

/// An expression or statement in both languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sql {
    pub(super) ours: String,
    pub(super) theirs: String,
}

/// The template with each `{}` replaced by the next part.
fn filled<'a>(template: &str, parts: impl Iterator<Item = &'a str>) -> String {
    let (mut out, mut pieces) = (String::new(), template.split("{}"));
    out.push_str(pieces.next().unwrap_or_default());
    for (part, piece) in parts.zip(pieces) {
        out.push_str(part);
        out.push_str(piece);
    }
    out
}

/// What both write alike.
pub(super) fn same(template: &str, parts: &[&Sql]) -> Sql {
    apart(template, template, parts)
}

/// What each writes in its own way.
pub(super) fn apart(ours: &str, theirs: &str, parts: &[&Sql]) -> Sql {
    Sql {
        ours: filled(ours, parts.iter().map(|part| part.ours.as_str())),
        theirs: filled(theirs, parts.iter().map(|part| part.theirs.as_str())),
    }
}

/// Parts with a separator between them.
pub(super) fn listed(separator: &str, parts: &[Sql]) -> Sql {
    let join = |part: fn(&Sql) -> &str| parts.iter().map(part).collect::<Vec<_>>().join(separator);
    Sql { ours: join(|part| &part.ours), theirs: join(|part| &part.theirs) }
}

/// A literal text.
pub(super) fn text(value: &str) -> Sql {
    let quoted = format!("'{}'", value.replace('\'', "''"));
    Sql { ours: quoted.clone(), theirs: quoted }
}

/// Integers are computed with in 64 bits; DuckDB computes with 32 bits where both have no more.
pub(super) fn whole(operator: &str, a: &Sql, b: &Sql) -> Sql {
    let theirs = format!("(CAST({{}} AS BIGINT) {operator} CAST({{}} AS BIGINT))");
    apart(&format!("({{}} {operator} {{}})"), &theirs, &[a, b])
}

/// The opposite, and the magnitude, are 64 bits wide as well.
pub(super) fn of_whole(function: &str, a: &Sql) -> Sql {
    apart(&format!("{function}({{}})"), &format!("{function}(CAST({{}} AS BIGINT))"), &[a])
}

/// TRIM and its kin take blanks; DuckDB without a second argument takes every space separator of Unicode.
pub(super) fn trimmed(function: &str, a: &Sql) -> Sql {
    apart(&format!("{function}({{}})"), &format!("{function}({{}}, ' ')"), &[a])
}

/// A cast to an integer cuts off what is after the point; DuckDB rounds.
pub(super) fn cut_off(a: &Sql) -> Sql {
    apart("CAST({} AS BIGINT)", "CAST(trunc({}) AS BIGINT)", &[a])
}

/// A negative number of characters gives an empty text; DuckDB leaves out as many from the other end.
pub(super) fn end(function: &str, a: &Sql, count: &Sql) -> Sql {
    let theirs = same("CASE WHEN {} < 0 THEN 0 ELSE {} END", &[count, count]).theirs;
    same(&format!("{function}({{}}, {{}})"), &[a, &Sql { ours: count.ours.clone(), theirs }])
}

/// Days from the start to the end, both by their day; DuckDB has the function under another name and the other way round.
pub(super) fn days_between(end: &Sql, start: &Sql) -> Sql {
    Sql {
        ours: same("DATEDIFF({}, {})", &[end, start]).ours,
        theirs: same("date_diff('day', CAST({} AS DATE), CAST({} AS DATE))", &[start, end]).theirs,
    }
}

/// A quotient of integers is a double at both; the divisor is never zero, which is an error here and null there.
pub(super) fn quotient(a: &Sql, b: &Sql) -> Sql {
    same("({} / NULLIF({}, 0))", &[a, b])
}

/// A product has the places of both factors; DuckDB computes with 18 digits where its type has no more. Its product of 38 digits has
/// no room for those of FLOOR and CEIL, which have no places there and cut those of the other side of a UNION: 30 digits leave it.
pub(super) fn product(a: &Sql, b: &Sql) -> Sql {
    let theirs = "CAST(CAST({} AS DECIMAL(19,3)) * CAST({} AS DECIMAL(19,3)) AS DECIMAL(30,6))";
    apart("({} * {})", theirs, &[a, b])
}

/// The average of decimals with up to six places is one with six, rounded half away from zero; DuckDB's is a double. For DuckDB it is
/// written as a division of whole numbers of millionths without their sign, whose result is cut off.
pub(super) fn decimal_average(a: &Sql) -> Sql {
    let millionths = "CAST(CAST(SUM({}) AS DECIMAL(38,6)) * 1000000 AS HUGEINT)";
    let rounded = format!("sign(SUM({{}})) * ((2 * abs({millionths}) + COUNT({{}})) // (2 * COUNT({{}})))");
    let theirs = format!("(CAST({rounded} AS DECIMAL(30,0)) * CAST(0.000001 AS DECIMAL(8,6)))");
    apart("AVG({})", &theirs, &[a; 4])
}

/// The type of a cast to this kind.
pub(super) fn stored(kind: Kind) -> String {
    match kind {
        Kind::Int => "BIGINT".to_owned(),
        Kind::Decimal(places) => format!("DECIMAL(20,{places})"),
        Kind::Wide => "DECIMAL(38,2)".to_owned(),
        Kind::Double => "DOUBLE".to_owned(),
        Kind::Text => "STRING".to_owned(),
        Kind::Bool => "BOOLEAN".to_owned(),
        Kind::Day => "DATE".to_owned(),
        Kind::Instant => "TIMESTAMP".to_owned(),
    }
}
