//! Checked statements and predicates. Documents hold their texts; reading one checks it again.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::ControlFlow;
use std::str::FromStr;

use sqlparser::ast::{
    Expr, GroupByExpr, Ident, ObjectName, Query, Select, SelectItem, SetExpr, TableFactor, TableWithJoins,
};

use super::error::{SqlError, not_portable, position};
use super::mentions::{Mentions, computes};
use super::parse::{Limits, Parsed, parse_expr, parse_query};
use super::portable::{check_expr, check_query, forbid_aggregates};
use super::rewrite::{ident, rewrite, rewrite_expr};
use crate::name::{DomainName, Layer, TableName, TableRef};
use crate::text::serde_as_text;

/// A row-wise projection of the bronze table: `SELECT <expressions> FROM bronze`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowSql(Parsed<Query>);

impl RowSql {
    /// The projection that takes these columns of the bronze table as they are.
    ///
    /// # Errors
    /// [`SqlError`] for a name that SQL takes for something else.
    pub fn of_columns<'a>(columns: impl IntoIterator<Item = &'a str>) -> Result<Self, SqlError> {
        let columns: Vec<&str> = columns.into_iter().collect();
        format!("SELECT {} FROM bronze", columns.join(", ")).parse()
    }

    /// The statement for the engine, with these columns of the bronze view carried through next to the selected ones.
    pub fn engine_query(&self, carried: &[&str]) -> Query {
        let mut query = self.0.tree().clone();
        rewrite(&mut query, &BTreeSet::new());
        if let SetExpr::Select(select) = query.body.as_mut() {
            let carry = |name: &&str| SelectItem::UnnamedExpr(Expr::Identifier(Ident::with_quote('"', *name)));
            select.projection.extend(carried.iter().map(carry));
        }
        query
    }

    /// The statement as it is written.
    pub fn query(&self) -> &Query {
        self.0.tree()
    }

    /// The columns that it names.
    pub fn mentions(&self) -> Mentions {
        Mentions::of(self.0.tree())
    }

    /// Whether the value of its column `column` is computed from the column `from` of bronze, under another name.
    pub(crate) fn computes(&self, column: &str, from: &str) -> bool {
        computes(self.0.tree(), column, from)
    }
}

impl FromStr for RowSql {
    type Err = SqlError;

    /// Parses and checks a silver table's SQL: filters, joins, aggregates and everything outside the subset are refused
    /// with their position.
    fn from_str(text: &str) -> Result<Self, SqlError> {
        let query = parse_query(text, Limits::DOCUMENT)?;
        check_query(&query)?;
        check_row_wise(only_select(&query)?)?;
        Ok(Self(Parsed::new(text, query)))
    }
}

fn only_select(query: &Query) -> Result<&Select, SqlError> {
    match query.body.as_ref() {
        SetExpr::Select(select) if query.with.is_none() => Ok(select),
        _ => Err(not_portable("this form of query", query, "silver takes one SELECT <expressions> FROM bronze")),
    }
}

fn check_row_wise(select: &Select) -> Result<(), SqlError> {
    if let Some(filter) = &select.selection {
        let hint = "silver keeps or quarantines every row; use a rule, or filter in gold";
        return Err(not_portable("WHERE", filter, hint));
    }
    let grouped = !matches!(&select.group_by, GroupByExpr::Expressions(list, _) if list.is_empty());
    if grouped || select.having.is_some() || select.distinct.is_some() {
        let hint = "silver is row by row, so that each row has one source record; aggregate in gold";
        return Err(not_portable("GROUP BY, HAVING or DISTINCT", select, hint));
    }
    let [TableWithJoins { relation: TableFactor::Table { name, .. }, joins }] = select.from.as_slice() else {
        return Err(not_portable("this FROM clause", select, "silver reads FROM bronze alone"));
    };
    if !joins.is_empty() {
        return Err(not_portable("JOIN", select, "silver reads FROM bronze alone; join in gold"));
    }
    if !name.to_string().eq_ignore_ascii_case("bronze") {
        let position = position(name);
        return Err(SqlError::UnknownTable {
            name: name.to_string(),
            position,
            hint: "silver reads FROM bronze alone",
        });
    }
    for item in &select.projection {
        if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
            forbid_aggregates(expr, "silver is row by row; aggregate in gold")?;
        }
    }
    Ok(())
}

/// A table as SQL names it: `<layer>.<table>` of the pipeline's own domain, or `<layer>.<domain>.<table>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SqlTable {
    layer: Layer,
    domain: Option<DomainName>,
    table: TableName,
}

impl SqlTable {
    /// The table that it is in SQL of this domain.
    pub fn in_domain(&self, domain: &DomainName) -> TableRef {
        TableRef::new(self.layer, self.domain.as_ref().unwrap_or(domain).clone(), self.table.clone())
    }
}

impl fmt::Display for SqlTable {
    /// As SQL writes it, which is also the one-word name under which an engine registers it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.domain {
            Some(domain) => write!(f, "{}.{domain}.{}", self.layer.as_str(), self.table),
            None => write!(f, "{}.{}", self.layer.as_str(), self.table),
        }
    }
}

/// A query over tables of the lake: those of the pipeline, and those of others that it names as inputs.
///
/// # Example
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use sluice_core::sql::{Position, SqlError, TableSql};
///
/// let sql: TableSql = "SELECT country, SUM(amount) AS revenue FROM silver.orders GROUP BY country".parse()?;
/// let inputs: Vec<String> = sql.inputs().iter().map(|input| input.to_string()).collect();
/// assert_eq!(inputs, ["silver.orders"]);
///
/// let error = "SELECT country, SOUNDEX(city) AS sound FROM silver.orders".parse::<TableSql>().unwrap_err();
/// assert!(error.to_string().starts_with("the function SOUNDEX at line 1, column 17"));
/// assert!(matches!(error, SqlError::NotPortable { position: Position { line: 1, column: 17 }, .. }));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSql {
    parsed: Parsed<Query>,
    inputs: BTreeSet<SqlTable>,
}

impl TableSql {
    /// The tables it reads.
    pub fn inputs(&self) -> &BTreeSet<SqlTable> {
        &self.inputs
    }

    /// The statement for the engine: each input is one table named as [`SqlTable`] prints.
    pub fn engine_query(&self) -> Query {
        let mut query = self.parsed.tree().clone();
        rewrite(&mut query, &self.inputs.iter().map(ToString::to_string).collect());
        query
    }

    /// The statement as it is written.
    pub fn query(&self) -> &Query {
        self.parsed.tree()
    }
}

impl FromStr for TableSql {
    type Err = SqlError;

    /// Parses and checks a gold table's SQL, which reads `silver.<table>` and `gold.<table>`, and tables of other
    /// pipelines as `<layer>.<domain>.<table>`.
    fn from_str(text: &str) -> Result<Self, SqlError> {
        let query = parse_query(text, Limits::DOCUMENT)?;
        check_query(&query)?;
        let mut inputs = BTreeSet::new();
        collect_inputs(&query, &mut BTreeSet::new(), &mut inputs)?;
        Ok(Self { parsed: Parsed::new(text, query), inputs })
    }
}

fn collect_inputs(
    query: &Query,
    visible: &mut BTreeSet<String>,
    inputs: &mut BTreeSet<SqlTable>,
) -> Result<(), SqlError> {
    for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
        visible.insert(cte.alias.name.value.to_ascii_lowercase());
    }
    let result = sqlparser::ast::visit_relations(query, |name| match input(name, visible) {
        Ok(Some(found)) => {
            inputs.insert(found);
            ControlFlow::Continue(())
        }
        Ok(None) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(error),
    });
    match result {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

fn input(name: &ObjectName, visible: &BTreeSet<String>) -> Result<Option<SqlTable>, SqlError> {
    let parts: Vec<&str> = name.0.iter().filter_map(ident).collect();
    let (layer, domain, table) = match parts.as_slice() {
        [cte] if visible.contains(&cte.to_ascii_lowercase()) => return Ok(None),
        [layer, table] => (*layer, None, *table),
        [layer, domain, table] => (*layer, Some(*domain), *table),
        _ => ("", None, ""),
    };
    let layer = [Layer::Silver, Layer::Gold].into_iter().find(|known| known.as_str() == layer);
    let domain = domain.map(str::parse::<DomainName>).transpose();
    match (layer, domain, table.parse()) {
        (Some(layer), Ok(domain), Ok(table)) => Ok(Some(SqlTable { layer, domain, table })),
        _ => Err(SqlError::UnknownTable {
            name: name.to_string(),
            position: position(name),
            hint: "gold reads silver.<table> and gold.<table> of its own pipeline, and of others \
                   silver.<domain>.<table> and gold.<domain>.<table>, which the spec lists in `inputs`",
        }),
    }
}

/// The query of a rule: it answers one number about the table that it calls `object`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricSql(Parsed<Query>);

impl MetricSql {
    /// Checks a query that is parsed already.
    pub(crate) fn of(query: Query) -> Result<Self, SqlError> {
        check_query(&query)?;
        Ok(Self(Parsed::of(query)))
    }

    /// The statement for the engine.
    pub fn engine_query(&self) -> Query {
        let mut query = self.0.tree().clone();
        rewrite(&mut query, &BTreeSet::new());
        query
    }

    /// The columns that it names.
    pub fn mentions(&self) -> Mentions {
        Mentions::of(self.0.tree())
    }

    /// The statement as it is written.
    pub fn query(&self) -> &Query {
        self.0.tree()
    }
}

impl FromStr for MetricSql {
    type Err = SqlError;

    /// Parses and checks a query; what is outside the subset is refused with its position.
    fn from_str(text: &str) -> Result<Self, SqlError> {
        let query = parse_query(text, Limits::DOCUMENT)?;
        check_query(&query)?;
        Ok(Self(Parsed::new(text, query)))
    }
}

/// A condition on one row's columns, such as that of a rule, of a grant or of a question.
///
/// # Example
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use sluice_core::sql::{Position, Predicate, SqlError};
///
/// let condition: Predicate = "amount > 0 AND country = 'France'".parse()?;
/// assert_eq!(condition.columns().into_iter().collect::<Vec<_>>(), ["amount", "country"]);
///
/// let error = "amount > AVG(amount)".parse::<Predicate>().unwrap_err();
/// assert!(error.to_string().starts_with("the aggregate AVG at line 1, column 10"));
/// assert!(matches!(error, SqlError::NotPortable { position: Position { line: 1, column: 10 }, .. }));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Predicate(Parsed<Expr>);

impl Predicate {
    /// Parses and checks a condition within these limits.
    pub(super) fn parse(text: &str, limits: Limits) -> Result<Self, SqlError> {
        let expr = parse_expr(text, limits)?;
        check_predicate(&expr)?;
        Ok(Self(Parsed::new(text, expr)))
    }

    /// Checks a condition that is parsed already.
    pub(crate) fn of(expr: Expr) -> Result<Self, SqlError> {
        check_predicate(&expr)?;
        Ok(Self(Parsed::of(expr)))
    }

    /// The condition for the engine.
    pub fn engine_expr(&self) -> Expr {
        let mut expr = self.0.tree().clone();
        rewrite_expr(&mut expr);
        expr
    }

    /// The condition as it is written.
    pub fn expr(&self) -> &Expr {
        self.0.tree()
    }

    /// The columns that it names.
    pub fn columns(&self) -> BTreeSet<String> {
        let mut columns = BTreeSet::new();
        let _: ControlFlow<()> = sqlparser::ast::visit_expressions(self.expr(), |expr| {
            if let Expr::Identifier(name) = expr {
                columns.insert(name.value.clone());
            }
            ControlFlow::Continue(())
        });
        columns
    }
}

impl FromStr for Predicate {
    type Err = SqlError;

    /// Parses and checks a condition; aggregates, subqueries and everything outside the subset are refused with their
    /// position.
    fn from_str(text: &str) -> Result<Self, SqlError> {
        Self::parse(text, Limits::DOCUMENT)
    }
}

fn check_predicate(expr: &Expr) -> Result<(), SqlError> {
    check_expr(expr)?;
    forbid_aggregates(expr, "such a condition is about one row")
}

impl fmt::Display for RowSql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for TableSql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parsed.fmt(f)
    }
}

impl fmt::Display for MetricSql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

serde_as_text!(RowSql, TableSql, MetricSql, Predicate);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_sql_is_one_projection_of_bronze() {
        let check = |sql: &str, expected: &str| match sql.parse::<RowSql>() {
            Ok(_) => assert_eq!(expected, "ok", "{sql}"),
            Err(error) => {
                assert_ne!(expected, "ok", "{sql}: {error}");
                assert!(error.to_string().contains(expected), "{sql}: {error}");
            }
        };
        check("SELECT a, TRIM(b) AS b, c LIKE 'C%' AS d FROM bronze", "ok");
        check("SELECT CASE WHEN a LIKE '%.0' THEN LEFT(a, LENGTH(a) - 2) ELSE a END AS a FROM bronze", "ok");
        check("SELECT a FROM bronze WHERE a > 1", "WHERE at line 1, column 28");
        check("SELECT SUM(a) FROM bronze", "aggregate SUM at line 1, column 8");
        check("SELECT a FROM bronze GROUP BY a", "GROUP BY");
        check("SELECT a FROM silver.t", "table 'silver.t'");
        check("SELECT a FROM bronze JOIN x ON 1 = 1", "JOIN");
        check("SELECT a\nFROM bronze ORDER BY a", "tables have no order");
        check("SELECT REGEXP_REPLACE(a, 'x', '') FROM bronze", "function REGEXP_REPLACE at line 1, column 8");
        check("SELECT ROW_NUMBER() OVER () FROM bronze", "window function");
        check("SELECT (SELECT 1) FROM bronze", "subquery");
        check("SELECT a FROM bronze; DROP TABLE x", "second statement");
        check("DELETE FROM bronze", "one SELECT");
        check("SELEC a FROM bronze", "Expected");
        check("", "empty text");
    }

    #[test]
    fn gold_sql_refuses_what_engines_read_differently() {
        let check = |sql: &str, expected: &str| {
            let error = sql.parse::<TableSql>().err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(expected), "{sql}: {error}");
        };
        check("SELECT a FROM silver.t GROUP BY ALL", "GROUP BY ALL");
        check("SELECT a FROM silver.t GROUP BY 1", "position");
        check("SELECT DISTINCT ON (a) a FROM silver.t", "DISTINCT ON");
        let by_name = ["UNION BY NAME", "UNION ALL BY NAME", "UNION DISTINCT BY NAME"];
        for operation in by_name.into_iter().chain(["EXCEPT ALL", "INTERSECT ALL", "MINUS"]) {
            let query = format!("SELECT a FROM silver.t {operation} SELECT a FROM silver.u");
            check(&query, operation);
            check(&format!("SELECT a FROM ({query}) AS x"), "use UNION, UNION ALL, EXCEPT or INTERSECT");
        }
        check("SELECT a FROM silver.t NATURAL JOIN silver.u", "without condition");
        check("SELECT a FROM silver.t LEFT SEMI JOIN silver.u ON t.a = u.a", "kind of join");
        check("SELECT a FROM silver.t JOIN silver.u ON SOUNDEX(t.a) = u.a", "SOUNDEX");
        check("SELECT CAST(a AS TINYINT) FROM silver.t", "CAST AS TINYINT");
        check("SELECT SUM(DISTINCT a) FROM silver.t", "only COUNT");
        check(r"SELECT a LIKE 'x\_' FROM silver.t", "backslash");
    }

    #[test]
    fn carried_columns_and_rounding_reach_the_engine() {
        let sql: RowSql = "SELECT ROUND(a * b, 2) AS c FROM bronze".parse().expect("sql");
        assert_eq!(
            sql.engine_query(&["_source_row"]).to_string(),
            "SELECT round_half_away_2(a * b) AS c, \"_source_row\" FROM bronze"
        );
    }

    #[test]
    fn gold_sql_names_its_inputs() {
        let text = "WITH d AS (SELECT * FROM silver.t) SELECT t.a, COUNT(DISTINCT d.b) AS n FROM gold.u AS t JOIN d ON t.a = d.a GROUP BY t.a";
        let sql: TableSql = text.parse().expect("sql");
        let inputs: Vec<String> = sql.inputs().iter().map(ToString::to_string).collect();
        assert_eq!(inputs, ["silver.t", "gold.u"]);
        let engine_sql = sql.engine_query().to_string();
        assert!(engine_sql.contains("FROM \"silver.t\" AS t"), "{engine_sql}");
        let others = "SELECT hourly.a FROM silver.weather.hourly JOIN silver.hourly AS h ON h.a = hourly.a";
        let sql: TableSql = others.parse().expect("sql");
        let own: DomainName = "sales".parse().expect("domain");
        let inputs: Vec<String> = sql.inputs().iter().map(|input| input.in_domain(&own).to_string()).collect();
        assert_eq!(inputs, ["silver/sales/hourly", "silver/weather/hourly"]);
        let engine_sql = sql.engine_query().to_string();
        assert!(
            engine_sql.contains("FROM \"silver.weather.hourly\" AS hourly JOIN \"silver.hourly\" AS h"),
            "{engine_sql}"
        );
        for sql in [
            "SELECT * FROM bronze",
            "SELECT * FROM other.t",
            "SELECT * FROM bronze.weather.t",
            "SELECT * FROM a.silver.weather.t",
            "SELECT * FROM silver.\"../x\"",
            "SELECT * FROM silver.\"..\".t",
        ] {
            assert!(matches!(sql.parse::<TableSql>(), Err(SqlError::UnknownTable { .. })), "{sql}");
        }
    }

    #[test]
    fn documents_hold_the_text_as_it_was_written() {
        let sql: TableSql = "select COUNT(*)  AS n from silver.t".parse().expect("sql");
        let json = serde_json::to_value(&sql).expect("json");
        assert_eq!(json, "select COUNT(*)  AS n from silver.t");
        assert_eq!(serde_json::from_value::<TableSql>(json).expect("sql"), sql);
        let refused = serde_json::from_str::<Predicate>("\"SUM(a) > 1\"").err().map(|error| error.to_string());
        assert!(refused.unwrap_or_default().contains("the aggregate SUM at line 1, column 1"));
    }
}
