//! Functions and aggregates.

use std::ops::ControlFlow;

use sluice_core::sql::{SqlError, not_portable, refused, round_decimals};
use sqlparser::ast::{
    CeilFloorKind, DateTimeField, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
};

use super::arithmetic::{no_number, quotient};
use super::expression::Expressions;
use super::literal::literal_number;
use super::types::{SqlType, Typed};

/// A function, or what the parser has a form of its own for.
pub(super) fn call(all: &Expressions<'_>, expr: &Expr) -> Result<Typed, SqlError> {
    match expr {
        Expr::Function(function) => by_name(all, function, expr),
        Expr::Trim { expr: inner, trim_where: None, .. } => of_text(all, "trim", inner),
        Expr::Ceil { expr: inner, field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) } => {
            whole(all, "ceil", inner)
        }
        Expr::Floor { expr: inner, field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) } => {
            whole(all, "floor", inner)
        }
        Expr::Substring { expr: text, substring_from: Some(start), substring_for, .. } => {
            substring(all, text, start, substring_for.as_deref())
        }
        Expr::Extract { field, expr: inner, .. } => extract(all, field, inner, expr),
        _ => Err(refused::expression(expr)),
    }
}

fn by_name(all: &Expressions<'_>, function: &Function, expr: &Expr) -> Result<Typed, SqlError> {
    let name = function.name.to_string().to_ascii_lowercase();
    let FunctionArguments::List(list) = &function.args else {
        return Err(refused::call(&name, expr));
    };
    let distinct = list.duplicate_treatment == Some(DuplicateTreatment::Distinct);
    let mut arguments = Vec::with_capacity(list.args.len());
    for argument in &list.args {
        match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) => arguments.push(argument),
            _ if name == "count" && !distinct && list.args.len() == 1 => {
                all.inside_aggregate(expr)?;
                return Ok(Typed::new("count(*)", SqlType::Int64));
            }
            _ => return Err(refused::argument(&name, expr)),
        }
    }
    match (name.as_str(), arguments.as_slice()) {
        ("count", [argument]) => {
            if distinct {
                of_rows(argument)?;
            }
            let counted = all.inside_aggregate(expr)?.typed(argument)?;
            let distinct = if distinct { "DISTINCT " } else { "" };
            Ok(Typed::new(format!("count({distinct}{})", counted.text), SqlType::Int64))
        }
        ("sum" | "avg" | "min" | "max", [argument]) => {
            of_rows(argument)?;
            aggregate(&name, &all.inside_aggregate(expr)?.typed(argument)?, argument)
        }
        ("coalesce", [_, ..]) => {
            let (texts, sql_type) = all.alike(&arguments, expr)?;
            Ok(Typed::new(format!("coalesce({})", texts.join(", ")), sql_type))
        }
        ("greatest" | "least", [_, _, ..]) => {
            let (texts, sql_type) = all.alike(&arguments, expr)?;
            Ok(Typed::new(format!("{name}({})", texts.join(", ")), sql_type))
        }
        ("nullif", [value, other]) => {
            let (a, b) = all.compared(value, other)?;
            Ok(Typed::new(format!("nullif({}, {})", a.text, b.text), a.sql_type))
        }
        ("lower" | "upper" | "ltrim" | "rtrim", [text]) => of_text(all, &name, text),
        ("length", [text]) => {
            Ok(Typed::new(format!("length({})", all.of_type(text, SqlType::Text)?.text), SqlType::Int32))
        }
        ("left" | "right", [text, count]) => {
            let (text, count) = (all.of_type(text, SqlType::Text)?.text, count_of(all, count)?);
            Ok(Typed::new(format!("{name}({text}, {count})"), SqlType::Text))
        }
        ("substr" | "substring", [text, start]) => substring(all, text, start, None),
        ("substr" | "substring", [text, start, length]) => substring(all, text, start, Some(length)),
        ("replace", [text, from, to]) => {
            let mut texts = Vec::with_capacity(3);
            for argument in [text, from, to] {
                texts.push(all.of_type(argument, SqlType::Text)?.text);
            }
            Ok(Typed::new(format!("replace({})", texts.join(", ")), SqlType::Text))
        }
        ("abs" | "sign", [number]) => magnitude(all, &name, number),
        ("ceil" | "floor", [number]) => whole(all, &name, number),
        ("round", [number, ..]) => rounded(all, number, round_decimals(&list.args).unwrap_or_default()),
        ("datediff", [end, start]) => {
            let (end, start) = (day(all, end)?, day(all, start)?);
            Ok(Typed::new(format!("datediff({end}, {start})"), SqlType::Int32))
        }
        _ => {
            let what = format!("{}({} arguments)", name.to_uppercase(), arguments.len());
            Err(not_portable(what, expr, "see docs/sql.md for what is"))
        }
    }
}

/// Refuses a constant in an aggregate: Polars takes it for one value, whatever the number of rows.
fn of_rows(argument: &Expr) -> Result<(), SqlError> {
    let column = sqlparser::ast::visit_expressions(argument, |inner| match inner {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    if column.is_break() {
        return Ok(());
    }
    Err(not_portable("an aggregate of a constant", argument, "name a column; COUNT(*) counts rows"))
}

/// Most digits of a decimal in a sum: the sums of 10^10 of them have 38.
const SUMMED_DIGITS: u8 = 28;

/// Sums of whole numbers are 64 bits wide and fail where that is left. Those of decimals have 38 digits, which no sum of
/// decimals of 28 digits leaves; longer ones fail.
fn aggregate(name: &str, value: &Typed, node: &Expr) -> Result<Typed, SqlError> {
    if matches!(name, "min" | "max") {
        return Ok(Typed::new(format!("{name}({})", value.text), value.sql_type));
    }
    if !value.sql_type.is_number() {
        return Err(no_number(value.sql_type, node));
    }
    let sum = match value.sql_type {
        SqlType::Decimal { scale, .. } if scale > SUMMED_DIGITS => {
            let what = format!("a sum of decimals with {scale} places");
            return Err(not_portable(what, node, "round them to at most 28 places"));
        }
        SqlType::Decimal { scale, .. } => {
            let short = SqlType::Decimal { precision: SUMMED_DIGITS, scale };
            Typed::new(format!("sum({})", value.explicit_cast(short)), SqlType::widest_decimal(scale))
        }
        SqlType::Double => Typed::new(format!("sum({})", value.text), SqlType::Double),
        _ => Typed::new(format!("sum({})", value.cast(SqlType::Int64)), SqlType::Int64),
    };
    if name == "sum" {
        return Ok(sum);
    }
    let number = Typed::new(format!("nullif(count({}), 0)", value.text), SqlType::Int64);
    quotient(&sum, &number, node)
}

fn of_text(all: &Expressions<'_>, name: &str, text: &Expr) -> Result<Typed, SqlError> {
    Ok(Typed::new(format!("{name}({})", all.of_type(text, SqlType::Text)?.text), SqlType::Text))
}

fn number(all: &Expressions<'_>, expr: &Expr) -> Result<Typed, SqlError> {
    let value = all.typed(expr)?;
    if value.sql_type.is_number() { Ok(value) } else { Err(no_number(value.sql_type, expr)) }
}

/// `ABS`, 64 bits wide for whole numbers, and `SIGN`, which is -1, 0 or 1.
fn magnitude(all: &Expressions<'_>, name: &str, expr: &Expr) -> Result<Typed, SqlError> {
    let value = number(all, expr)?;
    let (text, sql_type) = match value.sql_type {
        whole if whole.is_whole() => (value.cast(SqlType::Int64), SqlType::Int64),
        other => (value.text, other),
    };
    Ok(match name {
        "sign" => Typed::new(format!("CAST(sign({text}) AS INT)"), SqlType::Int32),
        _ => Typed::new(format!("abs({text})"), sql_type),
    })
}

/// `CEIL` and `FLOOR`. Spark makes doubles 64-bit integers; those from 2^53 on are whole already.
fn whole(all: &Expressions<'_>, name: &str, expr: &Expr) -> Result<Typed, SqlError> {
    let value = number(all, expr)?;
    let text = &value.text;
    Ok(match value.sql_type {
        SqlType::Double => {
            let near = format!("abs({text}) < 9007199254740992D");
            let text = format!("CASE WHEN {near} THEN CAST({name}({text}) AS DOUBLE) ELSE {text} END");
            Typed::new(text, SqlType::Double)
        }
        SqlType::Decimal { .. } => {
            let wide = SqlType::widest_decimal(0);
            Typed::new(format!("CAST({name}({text}) AS {wide})"), wide)
        }
        _ => value,
    })
}

/// `ROUND`, half away from zero; doubles by their shortest decimal text.
fn rounded(all: &Expressions<'_>, expr: &Expr, decimals: u32) -> Result<Typed, SqlError> {
    let value = number(all, expr)?;
    let places = u8::try_from(decimals).unwrap_or(u8::MAX);
    Ok(match value.sql_type {
        SqlType::Double => Typed::new(format!("round({}, {decimals})", value.text), SqlType::Double),
        SqlType::Decimal { precision, scale } if places < scale => {
            let sql_type = SqlType::Decimal { precision, scale: places };
            Typed::new(format!("round({}, {decimals})", value.text), sql_type)
        }
        _ => value,
    })
}

/// How many characters: Spark wants 32 bits, and takes none for a negative number. A computed one beyond fails.
fn count_of(all: &Expressions<'_>, expr: &Expr) -> Result<String, SqlError> {
    let value = all.typed(expr)?;
    if let Some(written) = literal_number(expr).filter(|written| i32::try_from(*written).is_err()) {
        return Err(not_portable(format!("the count {written}"), expr, "counts of characters have 32 bits"));
    }
    match value.sql_type {
        SqlType::Int32 => Ok(value.text),
        whole if whole.is_whole() => Ok(value.cast(SqlType::Int32)),
        other => Err(not_portable(format!("a {other} as a count"), expr, "use a whole number")),
    }
}

/// `SUBSTR(text, start, length)`, counted from 1. A computed start below 1 is 1.
fn substring(all: &Expressions<'_>, text: &Expr, start: &Expr, length: Option<&Expr>) -> Result<Typed, SqlError> {
    let value = all.of_type(text, SqlType::Text)?.text;
    let from = count_of(all, start)?;
    let from = match literal_number(start) {
        Some(written) if written < 1 => {
            return Err(not_portable(format!("SUBSTR from {written}"), start, "count from 1, or use RIGHT"));
        }
        Some(_) => from,
        None => format!("CASE WHEN {from} < 1 THEN 1 ELSE {from} END"),
    };
    if let Some(length) = length
        && literal_number(length).is_some_and(|written| written < 0)
    {
        return Err(not_portable("SUBSTR of a negative length", length, "use 0 or more"));
    }
    let length = length.map(|length| count_of(all, length)).transpose()?;
    let length = length.map(|length| format!(", {length}")).unwrap_or_default();
    Ok(Typed::new(format!("substring({value}, {from}{length})"), SqlType::Text))
}

fn day(all: &Expressions<'_>, expr: &Expr) -> Result<String, SqlError> {
    let value = all.typed(expr)?;
    match value.sql_type {
        SqlType::Date | SqlType::Timestamp | SqlType::Null => Ok(value.cast(SqlType::Date)),
        other => Err(not_portable(format!("DATEDIFF of {other}"), expr, "DATEDIFF takes dates: CAST it AS DATE")),
    }
}

fn extract(all: &Expressions<'_>, field: &DateTimeField, inner: &Expr, expr: &Expr) -> Result<Typed, SqlError> {
    let value = all.typed(inner)?;
    let (name, of_day) = match field {
        DateTimeField::Year => ("year", true),
        DateTimeField::Quarter => ("quarter", true),
        DateTimeField::Month => ("month", true),
        DateTimeField::Week(None) => ("weekofyear", true),
        DateTimeField::Day => ("day", true),
        DateTimeField::Doy => ("dayofyear", true),
        DateTimeField::Hour => ("hour", false),
        DateTimeField::Minute => ("minute", false),
        DateTimeField::Second => ("second", false),
        other => {
            let hint = "use YEAR, QUARTER, MONTH, WEEK, DAY, DOY, HOUR, MINUTE or SECOND";
            return Err(not_portable(format!("EXTRACT({other} …)"), expr, hint));
        }
    };
    match value.sql_type {
        SqlType::Timestamp => Ok(Typed::new(format!("{name}({})", value.text), SqlType::Int32)),
        SqlType::Date if of_day => Ok(Typed::new(format!("{name}({})", value.text), SqlType::Int32)),
        other => Err(not_portable(format!("EXTRACT({field} …) of {other}"), expr, "use a DATE or TIMESTAMP")),
    }
}
