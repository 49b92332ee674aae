//! What a `SELECT` selects, each with its name.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, SelectItem, SelectItemQualifiedWildcardKind,
};

use super::frame::refused;
use super::scope::{Column, Scope, column};
use crate::engine::EngineError;

/// A selected expression over the columns of a frame.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) expr: Expr,
    pub(super) name: String,
    /// Whether the statement gives it the name, so that other clauses can call it by it.
    pub(super) alias: bool,
}

impl Item {
    /// As Polars reads it.
    pub(super) fn written(self) -> SelectItem {
        match self.expr {
            Expr::Identifier(ident) if ident.value == self.name => SelectItem::UnnamedExpr(Expr::Identifier(ident)),
            expr => SelectItem::ExprWithAlias { expr, alias: Ident::with_quote('"', self.name) },
        }
    }
}

/// The selected expressions over the columns of the frame, with `*` written out.
///
/// # Errors
/// For names that are unknown or could mean more than one column.
pub(super) fn items(projection: Vec<SelectItem>, scope: &Scope) -> Result<Vec<Item>, EngineError> {
    let mut items = Vec::with_capacity(projection.len());
    for selected in projection {
        match selected {
            SelectItem::UnnamedExpr(mut expr) => {
                let (table, name) = match &expr {
                    Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                        [table, name] => (Some(table.value.clone()), name.value.clone()),
                        _ => (None, String::new()),
                    },
                    other => (None, unnamed(other)),
                };
                scope.resolve(&mut expr, &[])?;
                let name = free(&items, &name, table.as_deref());
                items.push(Item { expr, name, alias: false });
            }
            SelectItem::ExprWithAlias { mut expr, alias } => {
                scope.resolve(&mut expr, &[])?;
                items.push(Item { expr, name: alias.value, alias: true });
            }
            SelectItem::Wildcard(_) => {
                for (table, column) in scope.all()? {
                    items.push(plain(&items, column, table));
                }
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                let table = match name.0.as_slice() {
                    [only] => only.as_ident().map_or_else(|| name.to_string(), |ident| ident.value.clone()),
                    _ => name.to_string(),
                };
                for column in scope.all_of(&table)? {
                    items.push(plain(&items, column, Some(&table)));
                }
            }
            other => return Err(refused(format!("{other}: name the columns"))),
        }
    }
    Ok(items)
}

fn plain(items: &[Item], found: &Column, table: Option<&str>) -> Item {
    Item { expr: column(&found.in_frame), name: free(items, &found.name, table), alias: false }
}

/// The name of a column; if another one has it, with the name of its table or else a number after it.
fn free(items: &[Item], name: &str, table: Option<&str>) -> String {
    let is_free = |name: &String| !items.iter().any(|item| item.name == *name);
    let of_table = table.map(|table| format!("{name}:{table}"));
    let numbered = (2..).map(|number| format!("{name}:{number}"));
    std::iter::once(name.to_owned()).chain(of_table).chain(numbered).find(is_free).unwrap_or_default()
}

/// What is called after no column: by the first one in it, `len` if it counts rows, and otherwise `literal`.
fn unnamed(expr: &Expr) -> String {
    let found = sqlparser::ast::visit_expressions(expr, |inner| match inner {
        Expr::Identifier(ident) => ControlFlow::Break(ident.value.clone()),
        Expr::CompoundIdentifier(parts) => {
            ControlFlow::Break(parts.last().map(|part| part.value.clone()).unwrap_or_default())
        }
        Expr::Function(function) => match &function.args {
            FunctionArguments::List(list)
                if matches!(list.args.as_slice(), [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)]) =>
            {
                ControlFlow::Break("len".to_owned())
            }
            _ => ControlFlow::Continue(()),
        },
        _ => ControlFlow::Continue(()),
    });
    match found {
        ControlFlow::Break(name) => name,
        ControlFlow::Continue(()) => "literal".to_owned(),
    }
}
