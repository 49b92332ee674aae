//! Expressions that fail for some rows: what they are for the others, and why they fail.
//!
//! The engine computes an expression for all rows at once, and all branches of a `CASE`. One row that fails then fails the
//! statement, even where it fails in a branch that it does not take. So an expression has two companions: its lenient
//! form, null for each row that fails, and its reason, a text for each row that fails where it is needed, null for all
//! others. Both cost about as much as the expression itself: use them where it has failed, or is rarely computed.

use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, CaseWhen, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Query,
    SelectItem, SetExpr, UnaryOperator, Value, VisitMut, VisitorMut,
};

use super::dialect::{call, plain_name};
use super::functions::{self, CHECKED};

/// Functions that read more than one row, as `dialect` leaves them.
const AGGREGATES: &[&str] = &["count", "max", "min", "sum"];

/// The column with the reasons of a column that fails for some rows.
pub(crate) fn failure_name(column: &str) -> String {
    format!("_failed_{column}")
}

/// The statement in its lenient form, with a column [`failure_name`] for each selected column that can fail, and the
/// names of these columns. For a statement that selects from one table, as `dialect` leaves it.
pub(super) fn explained(mut query: Query) -> (Query, Vec<String>) {
    let mut failing = Vec::new();
    if let SetExpr::Select(select) = query.body.as_mut() {
        let mut reasons = Vec::new();
        for item in &select.projection {
            if let SelectItem::ExprWithAlias { expr, alias } = item
                && let Some(expr) = reason(expr)
            {
                let name = failure_name(&alias.value);
                reasons.push(SelectItem::ExprWithAlias { expr, alias: Ident::with_quote('"', name) });
                failing.push(alias.value.clone());
            }
        }
        let _: ControlFlow<()> = select.projection.visit(&mut Lenient);
        select.projection.extend(reasons);
    }
    (query, failing)
}

/// The statement in which `CASE` and `COALESCE` fail only where a branch that is taken does.
pub(super) fn by_branches(mut query: Query) -> Query {
    let _: ControlFlow<()> = query.visit(&mut Branches);
    query
}

/// Whether [`by_branches`] would change the statement.
pub(super) fn has_branches(query: &Query) -> bool {
    let found = sqlparser::ast::visit_expressions(query, |expr| match is_branching(expr) && reason(expr).is_some() {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    });
    found.is_break()
}

/// The expression, null for each row that fails.
pub(super) fn lenient(mut expr: Expr) -> Expr {
    let _: ControlFlow<()> = expr.visit(&mut Lenient);
    expr
}

/// Why the expression fails, as text for each row that does; `None` where it never fails.
pub(super) fn reason(expr: &Expr) -> Option<Expr> {
    match expr {
        Expr::Function(function) => of_function(function),
        Expr::Case { operand, conditions, else_result, .. } => {
            of_case(operand.as_deref(), conditions, else_result.as_deref())
        }
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            let not_decided = |reason| unless(not(lenient(left.as_ref().clone())), reason);
            first([reason(left), reason(right).and_then(not_decided)])
        }
        Expr::BinaryOp { left, op: BinaryOperator::Or, right } => {
            let not_decided = |reason| unless(lenient(left.as_ref().clone()), reason);
            first([reason(left), reason(right).and_then(not_decided)])
        }
        Expr::BinaryOp { left, right, .. } => first([reason(left), reason(right)]),
        Expr::Nested(inner)
        | Expr::IsNull(inner)
        | Expr::IsNotNull(inner)
        | Expr::IsTrue(inner)
        | Expr::IsNotTrue(inner)
        | Expr::IsFalse(inner)
        | Expr::IsNotFalse(inner)
        | Expr::UnaryOp { expr: inner, .. }
        | Expr::Cast { expr: inner, .. }
        | Expr::Extract { expr: inner, .. }
        | Expr::Ceil { expr: inner, .. }
        | Expr::Floor { expr: inner, .. }
        | Expr::Trim { expr: inner, .. }
        | Expr::Like { expr: inner, .. } => reason(inner),
        Expr::Between { expr: inner, low, high, .. } => first([inner, low, high].map(|part| reason(part))),
        Expr::InList { expr: inner, list, .. } => first(std::iter::once(inner.as_ref()).chain(list).map(reason)),
        Expr::Substring { expr: inner, substring_from, substring_for, .. } => {
            let counts = [substring_from, substring_for].map(|count| count.as_deref().and_then(reason));
            first(std::iter::once(reason(inner)).chain(counts))
        }
        _ => None,
    }
}

fn of_function(function: &Function) -> Option<Expr> {
    let name = function.name.to_string();
    let arguments: Vec<&Expr> = arguments(function);
    if name.eq_ignore_ascii_case("coalesce") {
        let mut reasons = Vec::new();
        let mut found: Vec<CaseWhen> = Vec::new();
        for argument in arguments {
            reasons.push(reason(argument).and_then(|reason| case(found.iter().cloned(), Some(reason))));
            let condition = Expr::IsNotNull(Box::new(Expr::Nested(Box::new(lenient(argument.clone())))));
            found.push(CaseWhen { condition, result: or_null(None) });
        }
        return first(reasons);
    }
    if AGGREGATES.contains(&name.to_ascii_lowercase().as_str()) {
        // Of all rows that fail, one says why.
        return first(arguments.into_iter().map(reason)).map(|reason| call("min", vec![reason]));
    }
    let own = functions::reason(&name)
        .map(|reason| call(&reason, arguments.iter().map(|argument| lenient((*argument).clone())).collect()));
    first(arguments.into_iter().map(reason).chain([own]))
}

fn of_case(operand: Option<&Expr>, conditions: &[CaseWhen], otherwise: Option<&Expr>) -> Option<Expr> {
    let is_met = |when: &CaseWhen| match operand {
        Some(operand) => Expr::BinaryOp {
            left: Box::new(lenient(operand.clone())),
            op: BinaryOperator::Eq,
            right: Box::new(lenient(when.condition.clone())),
        },
        None => lenient(when.condition.clone()),
    };
    // From the last branch: what fails in it or after it, where no branch before it is taken. They are not nested: the
    // parser follows brackets that are inside each other for some 45 levels alone.
    let (mut after, mut whens): (Option<Expr>, Vec<CaseWhen>) = (otherwise.and_then(reason), Vec::new());
    for when in conditions.iter().rev() {
        let taken = reason(&when.result);
        if taken.is_some() || after.is_some() || !whens.is_empty() {
            whens.push(CaseWhen { condition: is_met(when), result: or_null(taken) });
        }
        match reason(&when.condition) {
            // Named twice, so it must not grow: a condition with branches of its own is named once, and the rest is inside.
            Some(failed) if !has_branching(&when.condition) => {
                let condition = Expr::IsNotNull(Box::new(Expr::Nested(Box::new(failed.clone()))));
                whens.push(CaseWhen { condition, result: failed });
            }
            Some(failed) => {
                after = first([Some(failed), case(whens.drain(..).rev(), after)]);
            }
            None => {}
        }
    }
    first([operand.and_then(reason), case(whens.into_iter().rev(), after)])
}

/// The `CASE` of these branches; the `ELSE` alone without any.
fn case(branches: impl IntoIterator<Item = CaseWhen>, otherwise: Option<Expr>) -> Option<Expr> {
    let conditions: Vec<CaseWhen> = branches.into_iter().collect();
    if conditions.is_empty() {
        return otherwise;
    }
    let token = sqlparser::ast::helpers::attached_token::AttachedToken::empty;
    let else_result = Some(Box::new(or_null(otherwise)));
    Some(Expr::Case { case_token: token(), end_token: token(), operand: None, conditions, else_result })
}

/// The first reason that there is.
fn first(reasons: impl IntoIterator<Item = Option<Expr>>) -> Option<Expr> {
    let mut reasons: Vec<Expr> = reasons.into_iter().flatten().collect();
    if reasons.len() > 1 { Some(call("coalesce", reasons)) } else { reasons.pop() }
}

fn unless(condition: Expr, reason: Expr) -> Option<Expr> {
    case([CaseWhen { condition, result: or_null(None) }], Some(reason))
}

fn or_null(reason: Option<Expr>) -> Expr {
    reason.unwrap_or_else(|| Expr::Value(Value::Null.into()))
}

fn not(condition: Expr) -> Expr {
    Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(Expr::Nested(Box::new(condition))) }
}

/// The plain arguments of a function.
pub(super) fn arguments(function: &Function) -> Vec<&Expr> {
    let FunctionArguments::List(list) = &function.args else { return Vec::new() };
    let plain = list.args.iter().filter_map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) => Some(argument),
        _ => None,
    });
    plain.collect()
}

fn has_branching(expr: &Expr) -> bool {
    let found = sqlparser::ast::visit_expressions(expr, |expr| match is_branching(expr) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    });
    found.is_break()
}

fn is_branching(expr: &Expr) -> bool {
    match expr {
        Expr::Case { .. } => true,
        Expr::Function(function) => function.name.to_string().eq_ignore_ascii_case("coalesce"),
        _ => false,
    }
}

struct Lenient;

impl VisitorMut for Lenient {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expr
            && let Some(lenient) = functions::lenient(&function.name.to_string())
        {
            function.name = plain_name(&lenient);
        }
        ControlFlow::Continue(())
    }
}

struct Branches;

impl VisitorMut for Branches {
    type Break = ();

    // From outside in: what is lenient already has no reason of its own.
    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if is_branching(expr)
            && let Some(reason) = reason(expr)
        {
            *expr = call(CHECKED, vec![lenient(expr.clone()), reason]);
        }
        ControlFlow::Continue(())
    }
}
