//! Arithmetic with the widths and places of the subset.

use sluice_core::sql::{SqlError, not_portable};
use sqlparser::ast::{BinaryOperator, Expr, Spanned};

use super::types::{MAX_DIGITS, SqlType, Typed};

/// Fewest digits after the point of a decimal quotient.
const LEAST_QUOTIENT_PLACES: u8 = 6;
/// Most digits after the point of a decimal quotient: those of Spark's quotient of two numbers with 38 digits.
const MOST_QUOTIENT_PLACES: u8 = 18;

pub(super) fn no_number(found: SqlType, node: &impl Spanned) -> SqlError {
    not_portable(format!("arithmetic with {found}"), node, "use numbers, and DATEDIFF for days")
}

/// `-x`; a whole number is 64 bits wide.
pub(super) fn negated(value: &Typed, node: &impl Spanned) -> Result<Typed, SqlError> {
    match value.sql_type {
        whole if whole.is_whole() => Ok(Typed::new(format!("(- {})", value.cast(SqlType::Int64)), SqlType::Int64)),
        SqlType::Decimal { scale, .. } => Ok(Typed::new(format!("(- {})", value.text), SqlType::widest_decimal(scale))),
        SqlType::Double => Ok(Typed::new(format!("(- {})", value.text), SqlType::Double)),
        other => Err(no_number(other, node)),
    }
}

pub(super) fn binary(left: &Typed, op: &BinaryOperator, right: &Typed, node: &Expr) -> Result<Typed, SqlError> {
    for side in [left, right] {
        if !side.sql_type.is_number() {
            return Err(no_number(side.sql_type, node));
        }
    }
    match op {
        BinaryOperator::Divide => quotient(left, right, node),
        BinaryOperator::Modulo => remainder(left, right, node),
        _ => ring(left, op, right, node),
    }
}

/// `+`, `-` and `*`: exact for whole numbers, which are 64 bits wide, and for decimals, whose sum has the places of the
/// longer and whose product has those of both. Without loss of precision allowed Spark keeps just these places, and it
/// fails where 64 bits or 38 digits are left.
fn ring(left: &Typed, op: &BinaryOperator, right: &Typed, node: &Expr) -> Result<Typed, SqlError> {
    let written = |a: &str, b: &str| format!("({a} {op} {b})");
    match (left.sql_type.places(), right.sql_type.places()) {
        (Some(a), Some(b)) if left.sql_type.is_decimal() || right.sql_type.is_decimal() => {
            let scale = if *op == BinaryOperator::Multiply { a + b } else { a.max(b) };
            if scale > MAX_DIGITS {
                let what = format!("a product of decimals with {a} and {b} places");
                return Err(not_portable(what, node, "it has no room in 38 digits; round one"));
            }
            let decimal = |side: &Typed| match side.sql_type {
                SqlType::Null => side.cast(SqlType::widest_decimal(0)),
                _ => side.text.clone(),
            };
            Ok(Typed::new(written(&decimal(left), &decimal(right)), SqlType::widest_decimal(scale)))
        }
        (Some(_), Some(_)) => {
            let text = written(&left.cast(SqlType::Int64), &right.cast(SqlType::Int64));
            Ok(Typed::new(text, SqlType::Int64))
        }
        _ => Ok(Typed::new(written(&left.cast(SqlType::Double), &right.cast(SqlType::Double)), SqlType::Double)),
    }
}

/// The quotient: of decimals a decimal, else a double.
///
/// Spark rounds the quotient of two `DECIMAL(38,s)` to `DECIMAL(38,18)`, half away from zero, and rounding that again
/// to `s` places could round up twice. So the divisor is made 10^(18-s) times greater: the 18th place of that quotient
/// is the s-th of the one asked for, rounded once, and multiplying it back is exact. Dividend, divisor and quotient
/// have at most 20 digits before the point; what has more fails.
pub(super) fn quotient(left: &Typed, right: &Typed, node: &impl Spanned) -> Result<Typed, SqlError> {
    let (Some(a), Some(b)) = (left.sql_type.places(), right.sql_type.places()) else {
        return Ok(doubles(left, right));
    };
    if !left.sql_type.is_decimal() && !right.sql_type.is_decimal() {
        return Ok(doubles(left, right));
    }
    let scale = a.max(b).max(LEAST_QUOTIENT_PLACES);
    if scale > MOST_QUOTIENT_PLACES {
        let what = format!("a quotient with {scale} places");
        return Err(not_portable(what, node, "round both numbers to at most 18 places"));
    }
    let decimal = SqlType::widest_decimal(scale);
    let (dividend, divisor) = (left.explicit_cast(decimal), right.explicit_cast(decimal));
    let shift = usize::from(MOST_QUOTIENT_PLACES - scale);
    let text = if shift == 0 {
        format!("({dividend} / {divisor})")
    } else {
        let factor = format!("1{:0<shift$}BD", "");
        format!("CAST(({dividend} / ({divisor} * {factor})) * {factor} AS {decimal})")
    };
    Ok(Typed::new(text, decimal))
}

fn doubles(left: &Typed, right: &Typed) -> Typed {
    let (a, b) = (left.cast(SqlType::Double), right.cast(SqlType::Double));
    Typed::new(format!("({a} / {b})"), SqlType::Double)
}

/// The remainder, with the sign of the dividend.
fn remainder(left: &Typed, right: &Typed, node: &Expr) -> Result<Typed, SqlError> {
    let (Some(a), Some(b)) = (left.sql_type.places(), right.sql_type.places()) else {
        return Err(not_portable("a remainder of doubles", node, "it is not exact; use integers or decimals"));
    };
    let whole = !left.sql_type.is_decimal() && !right.sql_type.is_decimal();
    let sql_type = if whole { SqlType::Int64 } else { SqlType::widest_decimal(a.max(b)) };
    let (dividend, divisor) = if whole {
        (left.cast(sql_type), right.cast(sql_type))
    } else {
        (left.explicit_cast(sql_type), right.explicit_cast(sql_type))
    };
    Ok(Typed::new(format!("({dividend} % {divisor})"), sql_type))
}
