//! `quality` rules of type `sql`: one number, computed from the table itself.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Ident, ObjectName, ObjectNamePart, Query,
    Select, SelectItem, SetExpr, TableFactor, Value, VisitMut, VisitorMut,
};
use sqlparser::dialect::GenericDialect;
use sqlparser::tokenizer::{Token, Tokenizer};

use super::error::{Refusal, refuse};
use super::rules::Subject;
use crate::sql::{Limits, MetricSql, Predicate, SqlError, check_query, is_aggregate, parse_query, unqualified};

/// The name of the table in a compiled query.
const OBJECT: &str = "object";

/// A SQL rule, in the portable subset of [`crate::sql`].
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SqlRule {
    /// Rows where the predicate is true are bad, and none is tolerated.
    Row { predicate: Predicate },
    /// The query answers the number; it reads the table `object`.
    Table { query: MetricSql },
}

/// Reads a query. `tolerates_none`: whether the rule's bound allows only the number zero.
pub(super) fn read(text: &str, subject: &Subject<'_>, tolerates_none: bool) -> Result<SqlRule, Refusal> {
    let text = substitute(text, subject)?;
    let mut query = match parse_query(&text, Limits::DOCUMENT) {
        Err(SqlError::NotPortable { .. }) => refuse!("query: write one SELECT"),
        parsed => parsed.map_err(refused)?,
    };
    check_query(&query).map_err(refused)?;
    resolve(&mut query, subject)?;
    let select = one_number(&query)?;
    let filter = select.selection.clone().map(|filter| Predicate::of(unqualified(filter)));
    let filter = filter.transpose().map_err(refused)?;
    match filter {
        Some(predicate) if tolerates_none && counts_rows_of_table(&query, select) => Ok(SqlRule::Row { predicate }),
        _ => Ok(SqlRule::Table { query: MetricSql::of(query).map_err(refused)? }),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn refused(error: SqlError) -> Refusal {
    Refusal(format!("query: {error}"))
}

/// Replaces `{object}` and `{property}` outside of texts and comments, keeping positions where there is room.
fn substitute(text: &str, subject: &Subject<'_>) -> Result<String, Refusal> {
    let tokens = Tokenizer::new(&GenericDialect {}, text).with_unescape(false).tokenize();
    let tokens = tokens.map_err(|error| Refusal(format!("query: {error}")))?;
    let mut out = String::with_capacity(text.len());
    let mut rest = tokens.as_slice();
    while let [token, tail @ ..] = rest {
        rest = tail;
        if *token != Token::LBrace {
            out.push_str(&token.to_string());
            continue;
        }
        let [Token::Word(word), Token::RBrace, tail @ ..] = tail else {
            refuse!("query: write {{object}} for the table and {{property}} for the column, and no other braces");
        };
        let name = match (word.value.as_str(), subject.column) {
            ("object", _) => OBJECT,
            ("property", Some(column)) => column.name.as_str(),
            ("property", None) => refuse!("query: {{property}} is for rules of a column, and this is one of the table"),
            (other, _) => refuse!("query: {{{other}}} is unknown; write {{object}} or {{property}}"),
        };
        // One blank stands for each brace, so that later messages show the position in the contract's own text.
        out.push_str(&format!(" {name:<width$} ", width = word.value.len()));
        rest = tail;
    }
    Ok(out)
}

/// Renames the table to `object` and refuses every other table and every unknown column.
fn resolve(query: &mut Query, subject: &Subject<'_>) -> Result<(), Refusal> {
    let mut names = Names::default();
    let _: ControlFlow<()> = query.visit(&mut names);
    names.columns.extend(subject.names.iter().map(|name| name.as_str().to_owned()));
    let mut resolver = Resolver { table: subject.table, names, found: false };
    if let ControlFlow::Break(refusal) = query.visit(&mut resolver) {
        return Err(refusal);
    }
    if !resolver.found {
        refuse!("query: it does not read the table; write FROM {{object}}");
    }
    Ok(())
}

/// The names that a query itself defines.
#[derive(Default)]
struct Names {
    tables: BTreeSet<String>,
    columns: BTreeSet<String>,
}

impl VisitorMut for Names {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        for table in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.tables.insert(table.alias.name.value.clone());
            self.columns.extend(table.alias.columns.iter().map(|column| column.name.value.clone()));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for item in &select.projection {
            if let SelectItem::ExprWithAlias { alias, .. } = item {
                self.columns.insert(alias.value.clone());
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. } = factor
        {
            self.columns.extend(alias.columns.iter().map(|column| column.name.value.clone()));
        }
        ControlFlow::Continue(())
    }
}

struct Resolver<'a> {
    table: &'a str,
    names: Names,
    found: bool,
}

impl Resolver<'_> {
    fn is_object(&self, name: &str) -> bool {
        name == OBJECT || name.eq_ignore_ascii_case(self.table)
    }
}

/// The name stays where it is in the text, for messages.
fn rename(table: &mut Ident) {
    *table = Ident::with_span(table.span, OBJECT);
}

impl VisitorMut for Resolver<'_> {
    type Break = Refusal;

    fn pre_visit_relation(&mut self, relation: &mut ObjectName) -> ControlFlow<Refusal> {
        if let [ObjectNamePart::Identifier(ident)] = relation.0.as_mut_slice() {
            if self.names.tables.contains(&ident.value) {
                return ControlFlow::Continue(());
            }
            if self.is_object(&ident.value) {
                rename(ident);
                self.found = true;
                return ControlFlow::Continue(());
            }
        }
        let message = format!("query: `{relation}` is another table; a rule reads only its own, written {{object}}");
        ControlFlow::Break(Refusal(message))
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Refusal> {
        let column = match expr {
            Expr::Identifier(ident) => ident.value.clone(),
            Expr::CompoundIdentifier(parts) => {
                if let [table, _] = parts.as_mut_slice()
                    && self.is_object(&table.value)
                {
                    rename(table);
                }
                parts.last().map(|part| part.value.clone()).unwrap_or_default()
            }
            _ => return ControlFlow::Continue(()),
        };
        if self.names.columns.contains(&column) {
            return ControlFlow::Continue(());
        }
        ControlFlow::Break(Refusal(format!("query: `{column}` is no column of the table")))
    }
}

/// The query's SELECT, when it answers exactly one row with one column.
fn one_number(query: &Query) -> Result<&Select, Refusal> {
    let SetExpr::Select(select) = query.body.as_ref() else { refuse!("query: write one SELECT with one number") };
    let ([SelectItem::UnnamedExpr(expr)] | [SelectItem::ExprWithAlias { expr, .. }]) = select.projection.as_slice()
    else {
        refuse!("query: select exactly one expression, such as COUNT(*)");
    };
    let grouped = !matches!(&select.group_by, GroupByExpr::Expressions(list, _) if list.is_empty());
    if grouped || select.having.is_some() || select.distinct.is_some() {
        refuse!("query: GROUP BY, HAVING and DISTINCT may answer none or many rows; put them in a subquery in FROM");
    }
    let aggregate = sqlparser::ast::visit_expressions(expr, |inner| match inner {
        Expr::Function(function) if is_aggregate(&function.name.to_string()) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    if aggregate.is_continue() {
        refuse!("query: select an aggregate such as COUNT(*), so that the answer is one row");
    }
    Ok(select)
}

/// Whether a query is `SELECT COUNT(*) FROM {object}`, with a condition or without.
fn counts_rows_of_table(query: &Query, select: &Select) -> bool {
    let [SelectItem::UnnamedExpr(counted) | SelectItem::ExprWithAlias { expr: counted, .. }] =
        select.projection.as_slice()
    else {
        return false;
    };
    let [table] = select.from.as_slice() else { return false };
    matches!(table.relation, TableFactor::Table { .. })
        && query.with.is_none()
        && table.joins.is_empty()
        && counts_rows(counted)
}

/// Whether an expression is `COUNT(*)` or `COUNT(<number>)`.
fn counts_rows(expr: &Expr) -> bool {
    let Expr::Function(function) = expr else { return false };
    let FunctionArguments::List(list) = &function.args else {
        return false;
    };
    let all = match list.args.as_slice() {
        [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)] => true,
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value)))] => matches!(value.value, Value::Number(..)),
        _ => false,
    };
    all && list.duplicate_treatment.is_none() && function.name.to_string().eq_ignore_ascii_case("count")
}
