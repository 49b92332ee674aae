//! `CAST`: what is read strictly, what is rounded, and what is refused because engines write or read it differently.

use sluice_core::sql::{SqlError, not_portable};
use sqlparser::ast::{DataType, ExactNumberInfo, Expr};

use super::literal::{literal_text, temporal};
use super::types::{MAX_DIGITS, SqlType, Typed};

/// What may stand around a number, a day or an instant in text: blanks, tabs and ends of lines.
const BLANKS: &str = "[ \\t\\n\\r\\u000C]*";

pub(super) fn cast(value: &Typed, inner: &Expr, data_type: &DataType, expr: &Expr) -> Result<Typed, SqlError> {
    let target = target(data_type, expr)?;
    let refuse =
        |hint: &'static str| Err(not_portable(format!("a CAST of {} AS {target}", value.sql_type), expr, hint));
    let text = match (value.sql_type, target) {
        (SqlType::Text, SqlType::Date | SqlType::Timestamp) if literal_text(inner).is_some() => {
            return temporal(literal_text(inner).unwrap_or_default(), target, expr);
        }
        (SqlType::Text, SqlType::Text) => value.text.clone(),
        (SqlType::Text, _) => read(value, target),
        (SqlType::Null, _) => value.explicit_cast(target),
        (SqlType::Timestamp, SqlType::Text) => return refuse("engines write instants differently; CAST it AS DATE"),
        (SqlType::Double, SqlType::Text) => return refuse("engines write doubles differently; CAST it AS DECIMAL"),
        (SqlType::Double, SqlType::Decimal { .. }) => value.explicit_cast(target),
        (from, _) if from == target => value.explicit_cast(target),
        (_, SqlType::Text) => value.explicit_cast(target),
        (from, to) if from.is_number() && to.is_number() => value.explicit_cast(target),
        (SqlType::Boolean, SqlType::Int32 | SqlType::Int64) => value.explicit_cast(target),
        (SqlType::Date | SqlType::Timestamp, SqlType::Date | SqlType::Timestamp) => value.explicit_cast(target),
        _ => return refuse("use CASE, or a type of the same kind"),
    };
    Ok(Typed::new(text, target))
}

fn target(data_type: &DataType, expr: &Expr) -> Result<SqlType, SqlError> {
    match data_type {
        DataType::Int(None) | DataType::Integer(None) => Ok(SqlType::Int32),
        DataType::BigInt(None) => Ok(SqlType::Int64),
        DataType::Double(ExactNumberInfo::None) => Ok(SqlType::Double),
        DataType::String(None) => Ok(SqlType::Text),
        DataType::Boolean => Ok(SqlType::Boolean),
        DataType::Date => Ok(SqlType::Date),
        DataType::Timestamp(None, _) => Ok(SqlType::Timestamp),
        DataType::Decimal(ExactNumberInfo::PrecisionAndScale(precision, scale)) => {
            match (u8::try_from(*precision), u8::try_from(*scale)) {
                (Ok(precision @ 1..=MAX_DIGITS), Ok(scale)) if scale <= precision => {
                    Ok(SqlType::Decimal { precision, scale })
                }
                _ => Err(not_portable(data_type.to_string(), expr, "write 1 to 38 digits, at most all of them places")),
            }
        }
        other => Err(not_portable(format!("CAST AS {other}"), expr, "see docs/sql.md for the types")),
    }
}

/// A text read as a type, whole or not at all. Spark's own reading takes more, so only texts of the subset's grammar
/// reach it; every other gets a mark before it, which makes the cast fail and shows the text in the message.
fn read(value: &Typed, target: SqlType) -> String {
    let grammar = match target {
        SqlType::Boolean => "([tT][rR][uU][eE]|[fF][aA][lL][sS][eE])".to_owned(),
        SqlType::Date => DAY.to_owned(),
        SqlType::Timestamp => format!("{DAY}([ T]{CLOCK}{OFFSET})?"),
        SqlType::Double => "[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?".to_owned(),
        SqlType::Decimal { scale, .. } => {
            format!("[+-]?([0-9]+([.][0-9]{{0,{scale}}}0*)?|[.]([0-9]{{1,{scale}}}0*|0+))").replace("[0-9]{1,0}0*|", "")
        }
        _ => "[+-]?[0-9]+".to_owned(),
    };
    let text = &value.text;
    let readable = format!("{text} RLIKE '^{BLANKS}{grammar}{BLANKS}$'");
    let readable = match target {
        SqlType::Double => format!("{readable} AND abs(try_cast({text} AS DOUBLE)) < DOUBLE('Infinity')"),
        _ => readable,
    };
    format!("CAST(CASE WHEN {readable} THEN {text} ELSE concat('not readable: ', {text}) END AS {target})")
}

const DAY: &str = "(?!0000)[0-9]{4}-[0-9]{2}-[0-9]{2}";
const CLOCK: &str = "[0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6}0{0,3})?)?";
const OFFSET: &str = "(Z|[+-][0-9]{2}:[0-9]{2})?";
