//! A query as a lazy frame, each subquery on its own.
//!
//! Polars plans CTEs, derived tables and the parts of a UNION in contexts of their own, which do not know the
//! registered functions. So every part is planned here and registered as a table before the query around it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use polars::prelude::{AllowedOptimizations, DataType, Expr, LazyFrame, PlSmallStr, col};
use polars::sql::SQLContext;
use sluice_core::sql::select_all;
use sqlparser::ast::{
    Ident, ObjectName, ObjectNamePart, Query, SelectItem, SetExpr, TableAlias, TableFactor, TableWithJoins,
};

use super::functions::Functions;
use super::numbers::MAX_DIGITS;
use crate::engine::EngineError;

/// Plans a query over these tables.
///
/// # Errors
/// [`EngineError::Query`] when it does not fit the tables.
pub(super) fn plan(query: Query, tables: Vec<(String, LazyFrame)>) -> Result<LazyFrame, EngineError> {
    let mut planner = Planner { tables: tables.into_iter().collect(), parts: 0, joins: false };
    let planned = planner.query(query)?;
    if planner.joins { without_range_joins(planned) } else { Ok(planned) }
}

/// `SELECT (<expression>) AS <name> FROM <table>`.
///
/// # Errors
/// [`EngineError::Sql`] for the name of a table that SQL takes for something else.
pub(super) fn projection(expression: sqlparser::ast::Expr, name: &str, table: &str) -> Result<Query, EngineError> {
    let mut query = select_all(table)?;
    if let SetExpr::Select(select) = query.body.as_mut() {
        let expr = sqlparser::ast::Expr::Nested(Box::new(expression));
        select.projection = vec![SelectItem::ExprWithAlias { expr, alias: Ident::new(name) }];
    }
    Ok(query)
}

/// The plan without joins by inequality, on which this build of Polars' streaming engine panics.
///
/// Polars makes them when it pushes a condition into a cross join, as which it plans every join without an equality.
fn without_range_joins(planned: LazyFrame) -> Result<LazyFrame, EngineError> {
    let plan = planned.describe_optimized_plan()?;
    let is_range = |line: &str| line.starts_with("IEJOIN JOIN") || line.starts_with("RANGE JOIN");
    let pushes = !plan.lines().any(|line| is_range(line.trim_start()));
    Ok(planned.with_predicate_pushdown(pushes))
}

/// The rows of a union, which are not counted by adding up the counts of its parts: this build of Polars adds them up in a type that it
/// has not.
fn uncounted(union: LazyFrame) -> LazyFrame {
    let allowed = AllowedOptimizations::PROJECTION_PUSHDOWN
        | AllowedOptimizations::PREDICATE_PUSHDOWN
        | AllowedOptimizations::SLICE_PUSHDOWN
        | AllowedOptimizations::STREAMING;
    union.map(Ok, allowed, None, Some("union"))
}

struct Planner {
    tables: BTreeMap<String, LazyFrame>,
    /// Parts registered so far, for their names.
    parts: usize,
    /// Whether any part reads more than one table.
    joins: bool,
}

impl Planner {
    fn query(&mut self, mut query: Query) -> Result<LazyFrame, EngineError> {
        let outside = self.tables.clone();
        for cte in query.with.take().map(|with| with.cte_tables).unwrap_or_default() {
            let rows = self.query(*cte.query)?;
            let rows = with_column_names(rows, &cte.alias)?;
            self.tables.insert(cte.alias.name.value, rows);
        }
        self.set(&mut query.body, true)?;
        let mut context = SQLContext::new().with_function_registry(Arc::new(Functions));
        for (name, rows) in &self.tables {
            context.register(name, rows.clone());
        }
        let planned = context.execute(&query.to_string())?;
        self.tables = outside;
        Ok(if matches!(*query.body, SetExpr::SetOperation { .. }) { uncounted(planned) } else { planned })
    }

    fn set(&mut self, body: &mut SetExpr, whole: bool) -> Result<(), EngineError> {
        match body {
            SetExpr::Select(select) if whole => {
                self.joins |= select.from.len() > 1;
                select.from.iter_mut().try_for_each(|from| self.from(from))
            }
            SetExpr::SetOperation { left, right, .. } => {
                self.set(left, false)?;
                self.set(right, false)
            }
            _ => {
                let mut part = select_all("part")?;
                std::mem::swap(part.body.as_mut(), body);
                // What is in `part` now is the operand; what is in `body` reads it.
                let name = self.register(part)?;
                if let Some(rows) = self.tables.get_mut(&name) {
                    *rows = roomy(std::mem::take(rows))?;
                }
                *body = *select_all(&name)?.body;
                Ok(())
            }
        }
    }

    fn from(&mut self, from: &mut TableWithJoins) -> Result<(), EngineError> {
        self.joins |= !from.joins.is_empty();
        self.factor(&mut from.relation)?;
        from.joins.iter_mut().try_for_each(|join| self.factor(&mut join.relation))
    }

    fn factor(&mut self, factor: &mut TableFactor) -> Result<(), EngineError> {
        match factor {
            TableFactor::Derived { subquery, alias, .. } => {
                let name = self.register(subquery.as_ref().clone())?;
                *factor = table(&name, alias.take());
                Ok(())
            }
            TableFactor::NestedJoin { table_with_joins, .. } => self.from(table_with_joins),
            _ => Ok(()),
        }
    }

    /// Plans a part and gives the name under which the query around it reads it.
    fn register(&mut self, part: Query) -> Result<String, EngineError> {
        let rows = match *part.body {
            // Parentheses around a query mean nothing by themselves.
            SetExpr::Query(inner) if part.with.is_none() => self.query(*inner)?,
            _ => self.query(part)?,
        };
        self.parts += 1;
        let name = format!("_part_{}", self.parts);
        self.tables.insert(name.clone(), rows);
        Ok(name)
    }
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
    let widened: Vec<Expr> = rows.collect_schema()?.iter().filter_map(widen).collect();
    Ok(if widened.is_empty() { rows } else { rows.with_columns(widened) })
}

/// The frame with the names of `WITH name (a, b) AS …`, where they are given.
fn with_column_names(mut rows: LazyFrame, alias: &TableAlias) -> Result<LazyFrame, EngineError> {
    if alias.columns.is_empty() {
        return Ok(rows);
    }
    let names: Vec<String> = alias.columns.iter().map(|column| column.name.value.clone()).collect();
    let schema = rows.collect_schema()?;
    let given: Vec<String> = schema.iter_names().take(names.len()).map(ToString::to_string).collect();
    Ok(rows.rename(given, names, true))
}

fn table(name: &str, alias: Option<TableAlias>) -> TableFactor {
    TableFactor::Table {
        name: ObjectName(vec![ObjectNamePart::Identifier(Ident::new(name))]),
        alias,
        args: None,
        with_hints: Vec::new(),
        version: None,
        with_ordinality: false,
        partitions: Vec::new(),
        json_path: None,
        sample: None,
        index_hints: Vec::new(),
    }
}
