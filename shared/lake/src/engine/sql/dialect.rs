//! From the portable dialect to Polars', where the two differ in meaning.

use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, CastKind, DataType, ExactNumberInfo, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, Ident, ObjectName, ObjectNamePart, Query, TrimWhereField, UnaryOperator,
    Value, VisitMut, VisitorMut,
};

use super::conversion::Target;
use super::functions::{
    CEIL, DAY, DIFFERENCE, FLOOR, FROM_ORDINAL, INSTANT, NEGATION, ORDINAL, PART, PRODUCT, QUOTIENT, REMAINDER,
    RENAMED, ROOM, SUM, TOTAL, TRIM, TRIM_LEFT, TRIM_RIGHT, WIDEN,
};
use super::numbers::MAX_DIGITS;

/// The statement with the subset's meaning on Polars:
///
/// - a number with a point is a decimal, where Polars makes it a double, and with it every decimal it touches, and one
///   with an exponent alone is a double, where Polars cannot read it;
/// - integers are 64 bits wide in `+`, `-`, `*` and `SUM`, and an error beyond, where Polars wraps around;
/// - a product of decimals has the places of both, where Polars rounds to those of one;
/// - a quotient has at least six places, and is an error where Polars divides integers to infinity by zero;
/// - `AVG` of decimals is a decimal;
/// - `MAX`, `GREATEST` and `LEAST` take NaN for the greatest, where Polars passes it by;
/// - `CAST` to numbers reads text strictly and rounds half away from zero, where Polars guesses and rounds half to even;
/// - `CEIL` and `FLOOR` of decimals leave no places, and `SIGN` is an integer;
/// - `TRIM` and its kin take blanks, where Polars takes tabs, line ends and every other white space too;
/// - parts of texts are counted from 1 whether the count is written or computed, and no text is replaced everywhere;
/// - a remainder has the sign of the dividend, where Polars takes that of the divisor;
/// - decimals that are compared or brought to one type have all 38 digits, where Polars keeps those of the longer one and answers
///   null for a number that needs more;
/// - `IS TRUE` and its kin are never null, where Polars answers null for null;
/// - dates and timestamps are read by ISO 8601, and timestamps are in UTC, where Polars gives them no zone.
pub(super) fn statement(mut query: Query) -> Query {
    let _: ControlFlow<()> = query.visit(&mut Exact);
    query
}

struct Exact;

impl VisitorMut for Exact {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Some(exact) = exact(expr) {
            *expr = exact;
        }
        ControlFlow::Continue(())
    }
}

fn exact(expr: &mut Expr) -> Option<Expr> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) => number_literal(digits),
            _ => None,
        },
        Expr::BinaryOp { left, op, right } if is_comparison(op) => {
            alike(&mut [left.as_mut(), right.as_mut()]);
            None
        }
        Expr::BinaryOp { left, op, right } => {
            operation(op).map(|name| call(name, vec![left.as_ref().clone(), right.as_ref().clone()]))
        }
        Expr::Between { expr: inner, low, high, .. } => {
            alike(&mut [inner.as_mut(), low.as_mut(), high.as_mut()]);
            None
        }
        Expr::Case { operand, conditions, else_result, .. } => {
            let tests = conditions.iter_mut().map(|when| &mut when.condition);
            if let Some(operand) = operand {
                alike(&mut std::iter::once(operand.as_mut()).chain(tests).collect::<Vec<_>>());
            }
            let results = conditions.iter_mut().map(|when| &mut when.result);
            alike(&mut results.chain(else_result.as_deref_mut()).collect::<Vec<_>>());
            None
        }
        Expr::UnaryOp { op: UnaryOperator::Minus, expr: inner } => {
            Some(negative_literal(inner).unwrap_or_else(|| call(NEGATION, vec![inner.as_ref().clone()])))
        }
        Expr::UnaryOp { op: UnaryOperator::Plus, expr: inner } => Some(Expr::Nested(inner.clone())),
        Expr::Ceil { expr: inner, .. } => Some(call(CEIL, vec![inner.as_ref().clone()])),
        Expr::Floor { expr: inner, .. } => Some(call(FLOOR, vec![inner.as_ref().clone()])),
        Expr::Trim { expr: text, trim_where, .. } => {
            let name = match trim_where {
                Some(TrimWhereField::Leading) => TRIM_LEFT,
                Some(TrimWhereField::Trailing) => TRIM_RIGHT,
                Some(TrimWhereField::Both) | None => TRIM,
            };
            Some(call(name, vec![text.as_ref().clone()]))
        }
        Expr::Substring { expr: text, substring_from: Some(start), substring_for, .. } => {
            let counts = std::iter::once(start).chain(substring_for.as_mut()).map(|count| count.as_ref().clone());
            let arguments = std::iter::once(text.as_ref().clone()).chain(counts);
            Some(call(PART, arguments.collect()))
        }
        Expr::TypedString(typed) => {
            let text = Expr::Value(typed.value.clone());
            calendar_function(&typed.data_type).map(|function| call(function, vec![text]))
        }
        Expr::InList { expr: inner, list, negated } if list.iter().any(|item| !matches!(item, Expr::Value(_))) => {
            any_of(inner, list, *negated)
        }
        Expr::Cast { kind: CastKind::Cast, expr: inner, data_type, .. } => {
            conversion(data_type).map(|function| call(&function, vec![inner.as_ref().clone()]))
        }
        Expr::IsTrue(inner) => Some(known(inner.as_ref().clone())),
        Expr::IsNotTrue(inner) => Some(not(known(inner.as_ref().clone()))),
        Expr::IsFalse(inner) => Some(known(not(inner.as_ref().clone()))),
        Expr::IsNotFalse(inner) => Some(not(known(not(inner.as_ref().clone())))),
        Expr::Function(function) => renamed(function),
        _ => None,
    }
}

/// The function that computes an operator; `None` for those that mean the same in Polars.
fn operation(op: &BinaryOperator) -> Option<&'static str> {
    match op {
        BinaryOperator::Plus => Some(SUM),
        BinaryOperator::Minus => Some(DIFFERENCE),
        BinaryOperator::Multiply => Some(PRODUCT),
        BinaryOperator::Divide => Some(QUOTIENT),
        BinaryOperator::Modulo => Some(REMAINDER),
        _ => None,
    }
}

/// Functions under our names, in place; `SUM(x)` as the checked sum of widened numbers, `AVG(x)` as that by their number,
/// `MAX(x)` by the order in which NaN is the greatest.
fn renamed(function: &mut Function) -> Option<Expr> {
    let name = function.name.to_string().to_ascii_lowercase();
    if let Some((_, ours)) = RENAMED.iter().find(|(theirs, _)| *theirs == name) {
        function.name = plain_name(ours);
        return None;
    }
    if (name == "coalesce" || name == "nullif")
        && let FunctionArguments::List(list) = &mut function.args
    {
        let values = list.args.iter_mut().filter_map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => Some(value),
            _ => None,
        });
        alike(&mut values.collect::<Vec<_>>());
        return None;
    }
    if name == "max" {
        inside(function, ORDINAL);
        return Some(call(FROM_ORDINAL, vec![Expr::Function(function.clone())]));
    }
    if name != "sum" && name != "avg" {
        return None;
    }
    let mut counted = function.clone();
    inside(function, WIDEN);
    function.name = plain_name("sum");
    let sum = call(TOTAL, vec![Expr::Function(function.clone())]);
    if name == "sum" {
        return Some(sum);
    }
    counted.name = plain_name("count");
    let zero = Expr::Value(Value::Number("0".to_owned(), false).into());
    Some(call(QUOTIENT, vec![sum, call("nullif", vec![Expr::Function(counted), zero])]))
}

/// `f(x)` as `f(inner(x))`, in place.
fn inside(function: &mut Function, inner: &str) {
    if let FunctionArguments::List(list) = &mut function.args
        && let [FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))] = list.args.as_mut_slice()
    {
        *argument = call(inner, vec![argument.clone()]);
    }
}

/// `x IN (a, b)` as `x = a OR x = b`: Polars lists take plain literals of one type.
fn any_of(inner: &Expr, list: &[Expr], negated: bool) -> Option<Expr> {
    let equal = |item: &Expr| {
        let (mut left, mut right) = (inner.clone(), item.clone());
        alike(&mut [&mut left, &mut right]);
        Expr::BinaryOp { left: Box::new(left), op: BinaryOperator::Eq, right: Box::new(right) }
    };
    one_of(list.iter().map(equal).collect(), negated)
}

/// Whether one of the conditions holds, or with `negated` whether not one does; `None` without any.
pub(super) fn one_of(conditions: Vec<Expr>, negated: bool) -> Option<Expr> {
    let any = either(conditions)?;
    Some(Expr::Nested(Box::new(if negated { not(any) } else { any })))
}

/// The conditions with OR between them, in halves: a long list one by one would be as deep as it is long.
fn either(mut conditions: Vec<Expr>) -> Option<Expr> {
    if conditions.len() < 2 {
        return conditions.pop();
    }
    let others = conditions.split_off(conditions.len() / 2);
    let nested = |conditions: Vec<Expr>| either(conditions).map(|half| Box::new(Expr::Nested(Box::new(half))));
    Some(Expr::BinaryOp { left: nested(conditions)?, op: BinaryOperator::Or, right: nested(others)? })
}

fn not(condition: Expr) -> Expr {
    Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(Expr::Nested(Box::new(condition))) }
}

/// A condition with false for unknown.
fn known(condition: Expr) -> Expr {
    call("coalesce", vec![condition, Expr::Value(Value::Boolean(false).into())])
}

/// The function that reads text, days and instants as this type; `None` for other types.
fn calendar_function(data_type: &DataType) -> Option<&'static str> {
    match data_type {
        DataType::Date => Some(DAY),
        DataType::Timestamp(..) | DataType::Datetime(_) => Some(INSTANT),
        _ => None,
    }
}

/// The function that converts to this type; `None` for text, where the cast of Polars is right.
fn conversion(data_type: &DataType) -> Option<String> {
    let target = match data_type {
        DataType::Int(_) | DataType::Integer(_) => Target::Int,
        DataType::BigInt(_) => Target::BigInt,
        DataType::Double(_) => Target::Double,
        DataType::Boolean => Target::Boolean,
        DataType::Decimal(ExactNumberInfo::PrecisionAndScale(precision, scale)) => {
            Target::Decimal { precision: usize::try_from(*precision).ok()?, scale: usize::try_from(*scale).ok()? }
        }
        other => return calendar_function(other).map(ToOwned::to_owned),
    };
    Some(target.function())
}

pub(super) fn is_comparison(op: &BinaryOperator) -> bool {
    use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq)
}

/// Values that Polars brings to one type, each with room for all digits. Literals have it already. A column that is compared with
/// literals alone stays as it is, so that row groups can be left out by their statistics.
fn alike(values: &mut [&mut Expr]) {
    if values.iter().filter(|value| !is_literal(value)).count() < 2 {
        return;
    }
    for value in values.iter_mut().filter(|value| !is_literal(value)) {
        let taken = std::mem::replace(&mut **value, Expr::Value(Value::Null.into()));
        **value = call(ROOM, vec![taken]);
    }
}

fn is_literal(expr: &Expr) -> bool {
    match expr {
        Expr::Value(_) => true,
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => is_literal(inner),
        _ => false,
    }
}

/// The value without the room for all its digits.
pub(super) fn without_room(expr: &Expr) -> Expr {
    let Expr::Function(function) = expr else { return expr.clone() };
    let FunctionArguments::List(list) = &function.args else { return expr.clone() };
    match list.args.as_slice() {
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(value))] if function.name == plain_name(ROOM) => value.clone(),
        _ => expr.clone(),
    }
}

/// `1.50` as an exact decimal with room for every number that it meets, and `1e3` as the double `1.0e3`, which Polars knows; `None` for
/// whole numbers, which stay as they are.
fn number_literal(digits: &str) -> Option<Expr> {
    if digits.contains(['e', 'E']) {
        let double = if digits.contains('.') { digits.to_owned() } else { digits.to_lowercase().replace('e', ".0e") };
        return Some(Expr::Value(Value::Number(double, false).into()));
    }
    let (whole, fraction) = digits.split_once('.')?;
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.trim_start_matches('0').len() + fraction.len() > MAX_DIGITS || !plain(whole) || !plain(fraction) {
        return None;
    }
    let info = ExactNumberInfo::PrecisionAndScale(MAX_DIGITS as u64, i64::try_from(fraction.len()).ok()?);
    Some(Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(Expr::Value(Value::SingleQuotedString(digits.to_owned()).into())),
        data_type: DataType::Decimal(info),
        array: false,
        format: None,
    })
}

/// The literal with the other sign of what [`number_literal`] makes of a decimal.
fn negative_literal(decimal: &Expr) -> Option<Expr> {
    let Expr::Cast { expr, data_type: DataType::Decimal(_), .. } = decimal else { return None };
    let Expr::Value(value) = expr.as_ref() else { return None };
    let Value::SingleQuotedString(digits) = &value.value else { return None };
    let mut negative = decimal.clone();
    if let Expr::Cast { expr, .. } = &mut negative {
        **expr = Expr::Value(Value::SingleQuotedString(format!("-{digits}")).into());
    }
    (!digits.starts_with('-')).then_some(negative)
}

pub(super) fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    let args = arguments.into_iter().map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))).collect();
    Expr::Function(Function {
        name: plain_name(name),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

pub(super) fn plain_name(name: &str) -> ObjectName {
    ObjectName(vec![ObjectNamePart::Identifier(Ident::new(name))])
}
