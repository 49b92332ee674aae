//! From the portable dialect to Polars', where the two differ in meaning.

use std::ops::ControlFlow;

use sluice_core::sql::{SqlError, round_decimals_range, round_function};
use sqlparser::ast::{
    BinaryOperator, CastKind, DataType, ExactNumberInfo, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, Ident, ObjectName, ObjectNamePart, Query, Statement, UnaryOperator, Value,
    VisitMut, VisitorMut,
};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;

use super::functions::{DAY, INSTANT, PRODUCT, QUOTIENT, REMAINDER, WIDEN};
use crate::engine::EngineError;

/// Most digits of a decimal literal.
const MAX_DIGITS: usize = 38;

/// The statement with the subset's meaning on Polars:
///
/// - a number with a point is a decimal, where Polars makes it a double, and with it every decimal it touches;
/// - a product of decimals has the places of both, where Polars rounds to those of one;
/// - a quotient has at least six places, and is an error where Polars divides integers to infinity by zero;
/// - `CAST(x AS DECIMAL(p, s))` rounds half away from zero, where Polars rounds half to even;
/// - `SUM` of 32-bit integers is 64 bits wide, where Polars wraps around, and `AVG` of decimals is a decimal;
/// - a remainder has the sign of the dividend, where Polars takes that of the divisor;
/// - `IS TRUE` and its kin are never null, where Polars answers null for null;
/// - dates and timestamps are read by ISO 8601, and timestamps are in UTC, where Polars gives them no zone.
///
/// # Errors
/// [`EngineError::Sql`] when the text is no SQL.
pub(super) fn statement(sql: &str) -> Result<Query, EngineError> {
    let mut query = parse(sql)?;
    let _: ControlFlow<()> = query.visit(&mut Exact);
    Ok(query)
}

/// The one query of a text, as it is.
pub(super) fn parse(sql: &str) -> Result<Query, EngineError> {
    let failed = |message: String| EngineError::from(SqlError::Syntax { message });
    let statements = Parser::parse_sql(&GenericDialect {}, sql).map_err(|error| failed(error.to_string()))?;
    match <[Statement; 1]>::try_from(statements) {
        Ok([Statement::Query(query)]) => Ok(*query),
        _ => Err(failed("expected one SELECT".to_owned())),
    }
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
            Value::Number(digits, _) => decimal_literal(digits),
            _ => None,
        },
        Expr::BinaryOp { left, op: BinaryOperator::Multiply, right } => {
            Some(call(PRODUCT, vec![left.as_ref().clone(), right.as_ref().clone()]))
        }
        Expr::BinaryOp { left, op: BinaryOperator::Divide, right } => {
            Some(call(QUOTIENT, vec![left.as_ref().clone(), right.as_ref().clone()]))
        }
        Expr::BinaryOp { left, op: BinaryOperator::Modulo, right } => {
            Some(call(REMAINDER, vec![left.as_ref().clone(), right.as_ref().clone()]))
        }
        Expr::TypedString(typed) => {
            let text = Expr::Value(typed.value.clone());
            calendar_function(&typed.data_type).map(|function| call(function, vec![text]))
        }
        Expr::InList { expr: inner, list, negated } if list.iter().any(|item| !matches!(item, Expr::Value(_))) => {
            any_of(inner, list, *negated)
        }
        Expr::Cast { kind: CastKind::Cast, expr: inner, data_type, .. } => {
            let inner = inner.as_mut();
            if let Some(function) = calendar_function(data_type) {
                return Some(call(function, vec![inner.clone()]));
            }
            // Text is read by the cast itself; a literal has no more places than its type.
            if !matches!(inner, Expr::Value(_)) {
                let places = decimal_places(data_type).filter(|places| round_decimals_range().contains(places))?;
                *inner = call(&round_function(places), vec![inner.clone()]);
            }
            None
        }
        Expr::IsTrue(inner) => Some(known(inner.as_ref().clone())),
        Expr::IsNotTrue(inner) => Some(not(known(inner.as_ref().clone()))),
        Expr::IsFalse(inner) => Some(known(not(inner.as_ref().clone()))),
        Expr::IsNotFalse(inner) => Some(not(known(not(inner.as_ref().clone())))),
        Expr::Function(function) => aggregate(function),
        _ => None,
    }
}

/// `SUM(x)` as the sum of widened numbers, in place; `AVG(x)` as their sum by their number.
fn aggregate(function: &mut Function) -> Option<Expr> {
    let name = function.name.to_string().to_ascii_lowercase();
    if name != "sum" && name != "avg" {
        return None;
    }
    let mut counted = function.clone();
    if let FunctionArguments::List(list) = &mut function.args
        && let [FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))] = list.args.as_mut_slice()
    {
        *argument = call(WIDEN, vec![argument.clone()]);
    }
    if name == "sum" {
        return None;
    }
    function.name = plain_name("sum");
    counted.name = plain_name("count");
    let zero = Expr::Value(Value::Number("0".to_owned(), false).into());
    let number = call("nullif", vec![Expr::Function(counted), zero]);
    Some(call(QUOTIENT, vec![Expr::Function(function.clone()), number]))
}

/// `x IN (a, b)` as `x = a OR x = b`: Polars lists take plain literals of one type.
fn any_of(inner: &Expr, list: &[Expr], negated: bool) -> Option<Expr> {
    let equal = |item: &Expr| Expr::BinaryOp {
        left: Box::new(inner.clone()),
        op: BinaryOperator::Eq,
        right: Box::new(item.clone()),
    };
    let either = |left: Expr, right: Expr| Expr::BinaryOp {
        left: Box::new(left),
        op: BinaryOperator::Or,
        right: Box::new(right),
    };
    let any = Expr::Nested(Box::new(list.iter().map(equal).reduce(either)?));
    Some(if negated { not(any) } else { any })
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

/// `1.50` as an exact decimal; `None` for whole numbers and exponents, which stay as they are.
fn decimal_literal(digits: &str) -> Option<Expr> {
    let (whole, fraction) = digits.split_once('.')?;
    let precision = (whole.trim_start_matches('0').len() + fraction.len()).max(1);
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if precision > MAX_DIGITS || !plain(whole) || !plain(fraction) {
        return None;
    }
    let info = ExactNumberInfo::PrecisionAndScale(u64::try_from(precision).ok()?, i64::try_from(fraction.len()).ok()?);
    Some(Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(Expr::Value(Value::SingleQuotedString(digits.to_owned()).into())),
        data_type: DataType::Decimal(info),
        array: false,
        format: None,
    })
}

fn decimal_places(data_type: &DataType) -> Option<u32> {
    let (DataType::Decimal(info) | DataType::Dec(info) | DataType::Numeric(info)) = data_type else { return None };
    match info {
        ExactNumberInfo::PrecisionAndScale(_, scale) => u32::try_from(*scale).ok(),
        ExactNumberInfo::Precision(_) => Some(0),
        ExactNumberInfo::None => None,
    }
}

fn call(name: &str, arguments: Vec<Expr>) -> Expr {
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

fn plain_name(name: &str) -> ObjectName {
    ObjectName(vec![ObjectNamePart::Identifier(Ident::new(name))])
}
