//! From the portable dialect to the engine's: one-word table names, and rounding with its rule in the name.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, ObjectNamePart, Query, TableAlias,
    TableFactor, Value, VisitMut, VisitorMut,
};

/// The most decimals that `ROUND` takes: those of the widest decimal type.
const MAX_ROUND_DECIMALS: u32 = 18;

/// The decimals of a `ROUND`; `None` for arguments outside the subset.
pub fn round_decimals(args: &[FunctionArg]) -> Option<u32> {
    match args {
        [_] => Some(0),
        [_, FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value)))] => match &value.value {
            Value::Number(digits, _) => digits.parse().ok().filter(|decimals| *decimals <= MAX_ROUND_DECIMALS),
            _ => None,
        },
        _ => None,
    }
}

/// Turns the portable dialect into the engine's: one-word table names, `ROUND` with its rounding rule in the name.
pub(super) fn rewrite(query: &mut Query, tables: &BTreeSet<String>) {
    let _: ControlFlow<()> = query.visit(&mut Rewriter { tables });
}

/// As [`rewrite`], of an expression, which names no tables.
pub(super) fn rewrite_expr(expr: &mut Expr) {
    let _: ControlFlow<()> = expr.visit(&mut Rewriter { tables: &BTreeSet::new() });
}

/// A part of the name of a table, as it is written.
pub(super) fn ident(part: &ObjectNamePart) -> Option<&str> {
    part.as_ident().map(|ident| ident.value.as_str())
}

/// The expression without the table's name before its columns: for queries that read one table.
pub(crate) fn unqualified(mut expr: Expr) -> Expr {
    let _: ControlFlow<()> = expr.visit(&mut Unqualify);
    expr
}

/// Name under which engines know "round half away from zero to `decimals`".
pub fn round_function(decimals: u32) -> String {
    format!("round_half_away_{decimals}")
}

/// Name under which engines know "days from start to end".
pub const DATEDIFF_FUNCTION: &str = "datediff";

/// Every decimals that [`round_function`] is asked for.
pub fn round_decimals_range() -> std::ops::RangeInclusive<u32> {
    0..=MAX_ROUND_DECIMALS
}

struct Rewriter<'a> {
    tables: &'a BTreeSet<String>,
}

impl VisitorMut for Rewriter<'_> {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, alias, .. } = factor {
            let parts: Vec<&str> = name.0.iter().filter_map(ident).collect();
            let joined = parts.join(".");
            if self.tables.contains(&joined) {
                let short = parts.last().map(|last| Ident::new(*last));
                if let (None, Some(short)) = (&alias, short) {
                    *alias = Some(TableAlias { explicit: true, name: short, columns: vec![], at: None });
                }
                *name = ObjectName(vec![ObjectNamePart::Identifier(Ident::with_quote('"', joined))]);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expr
            && function.name.to_string().eq_ignore_ascii_case("round")
            && let FunctionArguments::List(list) = &mut function.args
            && let Some(decimals) = round_decimals(&list.args)
        {
            list.args.truncate(1);
            function.name = ObjectName(vec![ObjectNamePart::Identifier(Ident::new(round_function(decimals)))]);
        }
        ControlFlow::Continue(())
    }
}

struct Unqualify;

impl VisitorMut for Unqualify {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::CompoundIdentifier(parts) = expr
            && let Some(column) = parts.pop()
        {
            *expr = Expr::Identifier(column);
        }
        ControlFlow::Continue(())
    }
}
