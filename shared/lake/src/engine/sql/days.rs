//! Literal texts that are compared with days or instants, and are read as such.
//!
//! Polars reads the text in `day > '2011-01-02'`, where a column stands on the left, and refuses it everywhere else. So
//! such texts are replaced before Polars reads an expression, once it is known what its columns are.

use std::ops::ControlFlow;

use polars::prelude::{DataType, LazyFrame, Schema};
use sqlparser::ast::{
    BinaryOperator, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Value, VisitMut, VisitorMut,
};

use super::dialect::{call, is_comparison, one_of};
use super::failing::arguments;
use super::functions::{CHECKED, DAY, FROM_ORDINAL, INSTANT, LENIENT, ORDINAL, ROOM};
use crate::engine::EngineError;

/// Functions whose result is one of their arguments, as `dialect` leaves them.
const ONE_OF_THEM: &[&str] =
    &["coalesce", "exact_greatest", "exact_least", "max", "min", "nullif", CHECKED, FROM_ORDINAL, ORDINAL, ROOM];

/// Reads the literal texts of an expression over the columns of a frame that are compared with days or instants.
///
/// # Errors
/// For a frame without a schema.
pub(super) fn read_texts(expr: &mut Expr, frame: &mut LazyFrame) -> Result<(), EngineError> {
    let texts = sqlparser::ast::visit_expressions(&*expr, |inner| match is_text(inner) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    });
    if texts.is_break() {
        let schema = frame.collect_schema()?;
        read_texts_over(expr, &schema);
    }
    Ok(())
}

/// As [`read_texts`], over columns of these types.
pub(super) fn read_texts_over(expr: &mut Expr, schema: &Schema) {
    let _: ControlFlow<()> = VisitMut::visit(expr, &mut Texts { schema });
}

struct Texts<'a> {
    schema: &'a Schema,
}

impl Texts<'_> {
    /// The function that reads a text as the type of this expression; `None` where that is no day and no instant.
    fn reader(&self, expr: &Expr) -> Option<&'static str> {
        match expr {
            Expr::Identifier(ident) => match self.schema.get(ident.value.as_str())? {
                DataType::Date => Some(DAY),
                DataType::Datetime(..) => Some(INSTANT),
                _ => None,
            },
            Expr::Nested(inner) => self.reader(inner),
            Expr::Case { conditions, else_result, .. } => {
                let mut results = conditions.iter().map(|when| &when.result).chain(else_result.as_deref());
                results.find_map(|result| self.reader(result))
            }
            Expr::Function(function) => {
                let name = function.name.to_string().to_ascii_lowercase();
                match name.strip_prefix(LENIENT).unwrap_or(name.as_str()) {
                    DAY => Some(DAY),
                    INSTANT => Some(INSTANT),
                    name if ONE_OF_THEM.contains(&name) => {
                        arguments(function).into_iter().find_map(|argument| self.reader(argument))
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// `day IN ('…', '…')` as `day = … OR day = …`: Polars lists take plain literals.
    fn in_list(&self, expr: &Expr) -> Option<Expr> {
        let Expr::InList { expr: inner, list, negated } = expr else { return None };
        let mut values = std::iter::once(inner.as_ref()).chain(list);
        let read = values.find_map(|value| self.reader(value))?;
        let as_read = |value: &Expr| {
            let value = value.clone();
            if is_text(&value) { call(read, vec![value]) } else { value }
        };
        let equal = |item: &Expr| Expr::BinaryOp {
            left: Box::new(as_read(inner)),
            op: BinaryOperator::Eq,
            right: Box::new(as_read(item)),
        };
        one_of(list.iter().map(equal).collect(), *negated)
    }
}

impl VisitorMut for Texts<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Some(any) = self.in_list(expr) {
            *expr = any;
            return ControlFlow::Continue(());
        }
        let mut values = compared(expr);
        if let Some(read) = values.iter().find_map(|value| self.reader(value)) {
            for value in values.iter_mut().filter(|value| is_text(value)) {
                let text = std::mem::replace(&mut **value, Expr::Value(Value::Null.into()));
                **value = call(read, vec![text]);
            }
        }
        ControlFlow::Continue(())
    }
}

/// The values that an expression compares with each other.
fn compared(expr: &mut Expr) -> Vec<&mut Expr> {
    match expr {
        Expr::BinaryOp { left, op, right } if is_comparison(op) => vec![left.as_mut(), right.as_mut()],
        Expr::Between { expr: inner, low, high, .. } => vec![inner.as_mut(), low.as_mut(), high.as_mut()],
        Expr::Case { operand: Some(operand), conditions, .. } => {
            let tests = conditions.iter_mut().map(|when| &mut when.condition);
            std::iter::once(operand.as_mut()).chain(tests).collect()
        }
        Expr::Function(function) if function.name.to_string().eq_ignore_ascii_case("nullif") => {
            let FunctionArguments::List(list) = &mut function.args else { return Vec::new() };
            let values = list.args.iter_mut().filter_map(|argument| match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => Some(value),
                _ => None,
            });
            values.collect()
        }
        _ => Vec::new(),
    }
}

fn is_text(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => is_text(inner),
        Expr::Value(value) => matches!(value.value, Value::SingleQuotedString(_)),
        _ => false,
    }
}
