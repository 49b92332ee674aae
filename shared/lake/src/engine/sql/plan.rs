//! A query as a lazy frame.
//!
//! Polars' SQL evaluates expressions, filters, selects and groups over one table whose columns all have names of their
//! own. Everything that comes before that is planned here: what names stand for, CTEs, subqueries, joins (`join`), groups
//! with HAVING (`group`) and the operands of set operations.

use std::collections::BTreeMap;
use std::sync::Arc;

use polars::prelude::{DataType, Expr as Column, LazyFrame, PlSmallStr, Schema, col};
use polars::sql::SQLContext;
use sluice_core::sql::select_all;
use sqlparser::ast::{
    Expr, GroupByExpr, Ident, LimitClause, ObjectName, OrderBy, OrderByKind, Query, Select, SelectItem, SetExpr,
    TableAlias, TableFactor, TableWithJoins,
};

use super::days::{read_texts, read_texts_over};
use super::frame::{ROWS, extended, filtered, names, refused, run, uncounted};
use super::functions::Functions;
use super::group::{Groups, has_aggregates};
use super::items::{Item, items};
use super::join::{Kept, Rows, by_condition, conjunction, conjuncts, joined, key, taken_apart};
use super::numbers::MAX_DIGITS;
use super::scope::{Scope, column};
use crate::engine::EngineError;

/// Plans a query over these tables.
///
/// # Errors
/// [`EngineError::Query`] when it does not fit the tables.
pub(super) fn plan(query: Query, tables: Vec<(String, LazyFrame)>) -> Result<LazyFrame, EngineError> {
    Planner { tables: tables.into_iter().collect(), unnamed: 0, copies: 1 }.query(query)
}

/// `SELECT (<expression>) AS <name> FROM <table>`.
///
/// # Errors
/// [`EngineError::Sql`] for the name of a table that SQL takes for something else.
pub(super) fn projection(expression: Expr, name: &str, table: &str) -> Result<Query, EngineError> {
    let mut query = select_all(table)?;
    if let SetExpr::Select(select) = query.body.as_mut() {
        let expr = Expr::Nested(Box::new(expression));
        select.projection = vec![SelectItem::ExprWithAlias { expr, alias: Ident::new(name) }];
    }
    Ok(query)
}

/// How often a table may stand in a plan. Polars goes over each of them when it optimises: 9 outer joins with further
/// conditions are 2^9 = 512, which it does in less than a second, and every other one doubles that.
const MAX_COPIES: usize = 1_000;

struct Planner {
    tables: BTreeMap<String, LazyFrame>,
    /// Subqueries without a name so far.
    unnamed: usize,
    /// How often a table stands in the plan at most: see [`Rows::copies`].
    copies: usize,
}

impl Planner {
    fn query(&mut self, mut query: Query) -> Result<LazyFrame, EngineError> {
        nulls_last(&mut query.order_by);
        let outside = self.tables.clone();
        for cte in query.with.map(|with| with.cte_tables).unwrap_or_default() {
            let rows = self.query(*cte.query)?;
            let rows = with_column_names(rows, &cte.alias)?;
            self.tables.insert(cte.alias.name.value, rows);
        }
        let planned = match *query.body {
            SetExpr::Select(select) => self.select(*select, query.order_by, query.limit_clause)?,
            body => {
                let rows = self.set(body)?;
                if query.order_by.is_none() && query.limit_clause.is_none() {
                    rows
                } else {
                    let mut all = select_all(ROWS)?;
                    (all.order_by, all.limit_clause) = (query.order_by, query.limit_clause);
                    run(rows, &all.to_string())?
                }
            }
        };
        self.tables = outside;
        Ok(planned)
    }

    fn set(&mut self, body: SetExpr) -> Result<LazyFrame, EngineError> {
        match body {
            SetExpr::Select(select) => self.select(*select, None, None),
            // Parentheses around a query mean nothing by themselves.
            SetExpr::Query(query) => self.query(*query),
            SetExpr::SetOperation { op, set_quantifier, left, right } => {
                let (left, right) = (roomy(self.set(*left)?)?, roomy(self.set(*right)?)?);
                let mut context = SQLContext::new();
                context.register("one", left);
                context.register("other", right);
                let sql = format!("SELECT * FROM one {op} {set_quantifier} SELECT * FROM other");
                Ok(uncounted(context.execute(&sql)?))
            }
            other => Err(refused(format!("{other}: write SELECT … FROM …"))),
        }
    }

    fn select(
        &mut self,
        mut select: Select,
        mut order_by: Option<OrderBy>,
        limit: Option<LimitClause>,
    ) -> Result<LazyFrame, EngineError> {
        if select.from.is_empty() {
            for item in &mut select.projection {
                if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
                    read_texts_over(expr, &Schema::default());
                }
            }
            let mut constants = select_all(ROWS)?;
            (constants.order_by, constants.limit_clause) = (order_by, limit);
            *constants.body = SetExpr::Select(Box::new(select));
            return Ok(SQLContext::new()
                .with_function_registry(Arc::new(Functions))
                .execute(&constants.to_string())?);
        }
        let Rows { mut frame, scope, .. } = self.from(std::mem::take(&mut select.from), &mut select.selection)?;
        let mut items = items(select.projection, &scope)?;
        let aliases: Vec<(String, Expr)> =
            items.iter().filter(|item| item.alias).map(|item| (item.name.clone(), item.expr.clone())).collect();
        let mut keys = match select.group_by {
            GroupByExpr::Expressions(keys, _) => keys,
            GroupByExpr::All(_) => return Err(refused("GROUP BY ALL: name the columns".to_owned())),
        };
        keys.iter_mut().chain(select.having.iter_mut()).try_for_each(|expr| scope.resolve(expr, &aliases))?;
        let mut ordered = Vec::new();
        for expr in ordering(&mut order_by) {
            match expr {
                Expr::Identifier(ident) if items.iter().any(|item| item.name == ident.value) => {
                    *expr = column(&ident.value.clone());
                }
                _ => {
                    scope.resolve(expr, &aliases)?;
                    ordered.push(expr);
                }
            }
        }

        let read = items.iter().map(|item| &item.expr).chain(&select.having).chain(ordered.iter().map(|expr| &**expr));
        let mut condition = select.selection;
        if !keys.is_empty() || has_aggregates(read) {
            let mut groups = Groups::by(keys);
            let mut over = items.iter_mut().map(|item| &mut item.expr).chain(&mut select.having).chain(ordered);
            over.try_for_each(|expr| groups.over(expr))?;
            frame = grouped(filtered(frame, condition)?, &groups)?;
            condition = select.having;
        } else if select.having.is_some() {
            return Err(refused("HAVING without groups: use WHERE".to_owned()));
        }

        frame = filtered(frame, condition)?;
        let mut computed = Vec::new();
        for item in items.iter_mut().filter(|item| !matches!(item.expr, Expr::Identifier(_))) {
            let name = format!("_item_{}", computed.len());
            computed.push((std::mem::replace(&mut item.expr, column(&name)), name));
        }
        frame = extended(frame, &computed)?;
        for expr in ordering(&mut order_by) {
            read_texts(expr, &mut frame)?;
        }
        let mut statement = select_all(ROWS)?;
        (statement.order_by, statement.limit_clause) = (order_by, limit);
        if let SetExpr::Select(selected) = statement.body.as_mut() {
            selected.distinct = select.distinct;
            selected.projection = items.into_iter().map(Item::written).collect();
        }
        run(frame, &statement.to_string())
    }

    /// The rows of all tables of a `FROM`. Of the condition, what joins them is taken out.
    fn from(&mut self, from: Vec<TableWithJoins>, condition: &mut Option<Expr>) -> Result<Rows, EngineError> {
        let alone = matches!(from.as_slice(), [only] if only.joins.is_empty());
        let mut tables = Vec::with_capacity(from.len());
        for table in from {
            tables.push(self.table(table, alone)?);
        }
        let scope = tables.iter().try_fold(Scope::default(), |scope, rows| scope.and(rows.scope.clone()))?;
        if let Some(condition) = condition {
            scope.resolve(condition, &[])?;
        }
        let mut tables = tables.into_iter();
        let Some(mut rows) = tables.next() else { return Err(refused("no table: write FROM".to_owned())) };
        let mut conditions = condition.take().map(conjuncts).unwrap_or_default();
        for mut table in tables {
            let keys = comma_keys(&mut conditions, &mut rows, &mut table)?;
            rows = by_condition(rows, table, Kept::NONE, keys)?;
        }
        *condition = conjunction(conditions);
        Ok(rows)
    }

    /// A table with its joins; `alone`: its columns keep their names, since there is no other table.
    fn table(&mut self, table: TableWithJoins, alone: bool) -> Result<Rows, EngineError> {
        let mut rows = self.factor(table.relation, alone)?;
        for join in table.joins {
            let (kept, constraint) = taken_apart(join.join_operator)?;
            rows = joined(rows, self.factor(join.relation, false)?, kept, constraint)?;
            self.copies = self.copies.saturating_mul(rows.copies);
            if self.copies > MAX_COPIES {
                return Err(refused(
                    "more than 9 outer joins whose conditions hold more than equalities (a FULL JOIN counts for more than \
                     one): join a part of the tables in another gold table"
                        .to_owned(),
                ));
            }
        }
        Ok(rows)
    }

    fn factor(&mut self, factor: TableFactor, alone: bool) -> Result<Rows, EngineError> {
        let (frame, alias, name) = match factor {
            TableFactor::Derived { subquery, alias, .. } => (self.query(*subquery)?, alias, None),
            TableFactor::Table { name, alias, .. } => {
                let (full, last) = parts(&name);
                let known = self.tables.get(&full).cloned();
                (known.ok_or_else(|| refused(format!("there is no table `{full}` here")))?, alias, Some(last))
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => {
                return self.table(*table_with_joins, false);
            }
            other => return Err(refused(format!("{other}: read named tables or subqueries"))),
        };
        let mut frame = match &alias {
            Some(alias) => with_column_names(frame, alias)?,
            None => frame,
        };
        let name = alias.map(|alias| alias.name.value).or(name);
        let scope = Scope::of(name.clone(), names(&mut frame)?);
        if alone {
            return Ok(Rows::of(frame, scope));
        }
        self.unnamed += usize::from(name.is_none());
        let scope = scope.apart(&name.unwrap_or_else(|| format!("_{}", self.unnamed)));
        let columns = names(&mut frame)?.into_iter().zip(scope.in_frame());
        let apart: Vec<Column> = columns.map(|(name, in_frame)| col(name).alias(in_frame)).collect();
        Ok(Rows::of(frame.select(apart), scope))
    }
}

/// Takes the equalities of a column of both sides out of the conditions. Polars compares keys of one type alone; all
/// others stay conditions.
fn comma_keys(conditions: &mut Vec<Expr>, left: &mut Rows, right: &mut Rows) -> Result<Vec<Expr>, EngineError> {
    let (of_left, of_right) = (left.frame.collect_schema()?, right.frame.collect_schema()?);
    let (in_left, in_right) = (left.scope.in_frame(), right.scope.in_frame());
    let is_key = |condition: &Expr| match key(condition, &in_left, &in_right) {
        Some((Expr::Identifier(a), Expr::Identifier(b))) => of_left.get(&a.value) == of_right.get(&b.value),
        _ => false,
    };
    let (keys, rest): (Vec<Expr>, Vec<Expr>) = std::mem::take(conditions).into_iter().partition(is_key);
    *conditions = rest;
    Ok(keys)
}

/// The keys and aggregates of groups as the columns of a frame.
fn grouped(frame: LazyFrame, groups: &Groups) -> Result<LazyFrame, EngineError> {
    let (totals, constants) = groups.totals_over_columns();
    let mut frame = extended(frame, &[groups.computed_keys(), constants].concat())?;
    let keys: Vec<String> = groups.key_names().map(|name| column(name).to_string()).collect();
    let mut selected = keys.clone();
    for (mut total, name) in totals {
        read_texts(&mut total, &mut frame)?;
        selected.push(format!("{total} AS {}", column(&name)));
    }
    let by = if keys.is_empty() { String::new() } else { format!(" GROUP BY {}", keys.join(", ")) };
    run(frame, &format!("SELECT {} FROM {ROWS}{by}", selected.join(", ")))
}

fn ordering(order_by: &mut Option<OrderBy>) -> Vec<&mut Expr> {
    match order_by {
        Some(OrderBy { kind: OrderByKind::Expressions(list), .. }) => list.iter_mut().map(|by| &mut by.expr).collect(),
        _ => Vec::new(),
    }
}

/// Writes out where nulls come: last, whatever the direction, as in pages of rows. Polars reverses them with it.
fn nulls_last(order_by: &mut Option<OrderBy>) {
    if let Some(OrderBy { kind: OrderByKind::Expressions(list), .. }) = order_by {
        for by in list {
            by.options.nulls_first.get_or_insert(false);
        }
    }
}

/// The name of a table, and its last part.
fn parts(name: &ObjectName) -> (String, String) {
    let parts: Vec<&str> = name.0.iter().filter_map(|part| part.as_ident()).map(|part| part.value.as_str()).collect();
    (parts.join("."), parts.last().map(ToString::to_string).unwrap_or_default())
}

/// The rows with room for all digits in their decimals: Polars brings those of a union to the longer type, and a number that needs more
/// digits to null.
fn roomy(mut rows: LazyFrame) -> Result<LazyFrame, EngineError> {
    let widen = |(name, dtype): (&PlSmallStr, &DataType)| match dtype {
        DataType::Decimal(digits, places) if *digits < MAX_DIGITS => {
            Some(col(name.clone()).cast(DataType::Decimal(MAX_DIGITS, *places)))
        }
        _ => None,
    };
    let widened: Vec<Column> = rows.collect_schema()?.iter().filter_map(widen).collect();
    Ok(if widened.is_empty() { rows } else { rows.with_columns(widened) })
}

/// The frame with the names of `WITH name (a, b) AS …` or `… AS name (a, b)`, where they are given.
fn with_column_names(mut rows: LazyFrame, alias: &TableAlias) -> Result<LazyFrame, EngineError> {
    if alias.columns.is_empty() {
        return Ok(rows);
    }
    let given: Vec<String> = alias.columns.iter().map(|column| column.name.value.clone()).collect();
    let known: Vec<String> = names(&mut rows)?.into_iter().take(given.len()).collect();
    Ok(rows.rename(known, given, true))
}
