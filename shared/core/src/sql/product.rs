//! One read-only statement over data products.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::ControlFlow;
use std::str::FromStr;

use sqlparser::ast::{Expr, ObjectName, Query, SetExpr, TableFactor, Visit, Visitor};

use super::error::{SqlError, not_portable, position};
use super::mentions::Mentions;
use super::parse::{Limits, parse_query};
use super::portable::check_whole_query;
use super::rewrite::{ident, rewrite, unqualified};
use super::statement::Predicate;
use crate::name::{PortName, ProductRef};
use crate::text::serde_as_text;

/// A checked SELECT over tables called `<domain>.<product>.<port>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductSql {
    text: String,
    query: Query,
    inputs: BTreeSet<(ProductRef, PortName)>,
    only_filter: Option<Predicate>,
}

/// The one-word name under which an engine registers a port.
pub fn product_engine_name(product: &ProductRef, port: &PortName) -> String {
    format!("{}.{}.{port}", product.domain(), product.product())
}

impl ProductSql {
    /// Parses and checks a statement: one SELECT of the portable subset, which may end with ORDER BY, LIMIT and OFFSET.
    /// Its types are checked where those of its tables are known, by
    /// `check_statement` of `sluice-spark`.
    ///
    /// # Errors
    /// [`SqlError`] with the position of what is refused.
    pub fn parse(text: &str) -> Result<Self, SqlError> {
        let query = parse_query(text, Limits::CALLER)?;
        check_whole_query(&query)?;
        check_expressions(&query)?;
        check_aliases(&query)?;
        let ctes: BTreeSet<String> =
            query.with.iter().flat_map(|with| &with.cte_tables).map(|cte| cte.alias.name.value.clone()).collect();
        let mut inputs = BTreeSet::new();
        let refused = sqlparser::ast::visit_relations(&query, |name| match input(name, &ctes) {
            Ok(found) => {
                inputs.extend(found);
                ControlFlow::Continue(())
            }
            Err(error) => ControlFlow::Break(error),
        });
        if let ControlFlow::Break(error) = refused {
            return Err(error);
        }
        let only_filter = only_filter(&query);
        Ok(Self { text: text.to_owned(), query, inputs, only_filter })
    }

    /// The ports it reads.
    pub fn inputs(&self) -> &BTreeSet<(ProductRef, PortName)> {
        &self.inputs
    }

    /// The columns that it names.
    pub fn mentions(&self) -> Mentions {
        Mentions::of(&self.query)
    }

    /// Whether it asks for an order.
    pub fn is_ordered(&self) -> bool {
        self.query.order_by.is_some()
    }

    /// Of a statement that reads one table once: its WHERE over plain column names, by which files of the table can be left out.
    pub fn only_filter(&self) -> Option<&Predicate> {
        self.only_filter.as_ref()
    }

    /// The statement for the engine: each input is one table named as [`product_engine_name`] says.
    pub fn engine_query(&self) -> Query {
        let mut query = self.query.clone();
        rewrite(&mut query, &self.inputs.iter().map(|(product, port)| product_engine_name(product, port)).collect());
        query
    }

    /// The statement as it is written.
    pub fn query(&self) -> &Query {
        &self.query
    }
}

impl FromStr for ProductSql {
    type Err = SqlError;

    fn from_str(text: &str) -> Result<Self, SqlError> {
        Self::parse(text)
    }
}

impl fmt::Display for ProductSql {
    /// As the caller wrote it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

serde_as_text!(ProductSql);

/// A predicate of a caller, when it may be given to the engine.
///
/// # Errors
/// [`SqlError`] with the position of what is refused.
pub fn caller_predicate(text: &str) -> Result<Predicate, SqlError> {
    let predicate = Predicate::parse(text, Limits::CALLER)?;
    check_expressions(predicate.expr())?;
    Ok(predicate)
}

/// The dialect writes the left side of `IN` once per item: a computed one, nested, would grow without end.
fn check_expressions(node: &impl Visit) -> Result<(), SqlError> {
    let refused = sqlparser::ast::visit_expressions(node, |expr| match expr {
        Expr::InList { expr: left, .. } if !matches!(**left, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) => {
            ControlFlow::Break(not_portable(
                "IN of a computed value",
                expr,
                "write IN after a column, or OR between comparisons",
            ))
        }
        _ => ControlFlow::Continue(()),
    });
    match refused {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// The engine passes by other names for the columns of a table.
fn check_aliases(query: &Query) -> Result<(), SqlError> {
    struct Aliases;
    impl Visitor for Aliases {
        type Break = SqlError;

        fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<SqlError> {
            match factor {
                TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. }
                    if !alias.columns.is_empty() =>
                {
                    ControlFlow::Break(not_portable("an alias with column names", factor, "name the columns in SELECT"))
                }
                _ => ControlFlow::Continue(()),
            }
        }
    }
    match Visit::visit(query, &mut Aliases) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

fn input(name: &ObjectName, ctes: &BTreeSet<String>) -> Result<Option<(ProductRef, PortName)>, SqlError> {
    let parts: Vec<&str> = name.0.iter().filter_map(ident).collect();
    let unknown = || SqlError::UnknownTable {
        name: name.to_string(),
        position: position(name),
        hint: "write <domain>.<product>.<port>, as /data-products lists them",
    };
    match parts.as_slice() {
        [cte] if name.0.len() == 1 && ctes.contains(*cte) => Ok(None),
        [domain, product, port] if name.0.len() == 3 => {
            let parsed = domain.parse().ok().zip(product.parse().ok()).zip(port.parse().ok());
            let ((domain, product), port) = parsed.ok_or_else(unknown)?;
            Ok(Some((ProductRef::new(domain, product), port)))
        }
        _ => Err(unknown()),
    }
}

fn only_filter(query: &Query) -> Option<Predicate> {
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    let [tables] = select.from.as_slice() else { return None };
    if query.with.is_some() || !tables.joins.is_empty() || !matches!(tables.relation, TableFactor::Table { .. }) {
        return None;
    }
    Predicate::of(unqualified(select.selection.clone()?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_read_ports_and_nothing_else() {
        let check = |sql: &str, expected: &str| match ProductSql::parse(sql) {
            Ok(parsed) => {
                let inputs: Vec<String> =
                    parsed.inputs().iter().map(|(product, port)| product_engine_name(product, port)).collect();
                assert_eq!(inputs.join(" "), expected, "{sql}");
            }
            Err(error) => {
                assert!(error.to_string().contains(expected), "{sql}: {error}");
                assert!(!expected.is_empty() && !expected.starts_with("sales."), "{sql}: {error}");
            }
        };
        check("SELECT a FROM sales.retail.t", "sales.retail.t");
        check("SELECT t.a FROM sales.retail.t JOIN sales.retail.u ON t.a = u.a", "sales.retail.t sales.retail.u");
        check(
            "WITH c AS (SELECT a FROM sales.retail.t) SELECT * FROM c ORDER BY a DESC NULLS LAST LIMIT 3 OFFSET 1",
            "sales.retail.t",
        );
        check("SELECT a FROM t", "table 't'");
        check("SELECT a FROM c", "table 'c'");
        check("SELECT a FROM retail.t", "table 'retail.t'");
        check("SELECT a FROM a.b.c.d", "table 'a.b.c.d'");
        check("SELECT a FROM sales.\"../x\".t", "table 'sales.\"../x\".t'");
        check("SELECT a FROM 'file.parquet'", "table ''file.parquet''");
        check("SELECT a FROM information_schema.tables", "table 'information_schema.tables'");
        check("SELECT a FROM read_csv('x')", "table expression");
        check("SELECT a FROM sales.retail.t; SELECT 1", "second statement");
        check("DELETE FROM sales.retail.t", "one SELECT");
        check("INSERT INTO sales.retail.t VALUES (1)", "one SELECT");
        check("EXPLAIN SELECT a FROM sales.retail.t", "this statement");
        check("SHOW TABLES", "this statement");
        check("SELECT a INTO x FROM sales.retail.t", "clause of this SELECT");
        check("SELECT a FROM sales.retail.t FOR UPDATE", "after the query");
        check("SELECT a FROM sales.retail.t ORDER BY 1", "ORDER BY a position");
        check("SELECT a FROM sales.retail.t LIMIT a", "number of rows");
        check("SELECT a FROM (SELECT a FROM sales.retail.t LIMIT 1) AS x", "ORDER BY, LIMIT");
        check("SELECT (SELECT a FROM sales.retail.u) FROM sales.retail.t", "subquery");
        check("SELECT a FROM sales.retail.t WHERE a IN (SELECT b FROM sales.retail.u)", "subquery");
        check("SELECT PG_READ_FILE('x') FROM sales.retail.t", "PG_READ_FILE");
        check("SELECT a FROM sales.retail.t WHERE a + 1 IN (1, 2)", "IN of a computed value");
        check("SELECT x FROM sales.retail.t AS t(x)", "an alias with column names");
        check("VALUES (1)", "this form of query");
        check("", "empty text");
    }

    #[test]
    fn callers_write_less_than_documents_hold() {
        let chain = |terms: usize| format!("SELECT a FROM sales.retail.t WHERE {}", vec!["a=1"; terms].join(" AND "));
        assert!(ProductSql::parse(&chain(100)).is_ok());
        let long = ProductSql::parse(&chain(130)).expect_err("520 words and more");
        assert!(matches!(long, SqlError::TooLong { limit: 500, .. }), "{long}");
        assert!(caller_predicate(&vec!["a=1"; 100].join(" AND ")).is_ok());
        assert!(caller_predicate(&vec!["a=1"; 130].join(" AND ")).is_err());
        assert!(vec!["a=1"; 130].join(" AND ").parse::<Predicate>().is_ok());
        assert!(ProductSql::parse(&" ".repeat(17_000)).is_err());
    }

    #[test]
    fn the_only_filter_of_a_statement_is_found() {
        let check = |sql: &str, expected: Option<&str>| {
            assert_eq!(
                ProductSql::parse(sql).expect(sql).only_filter().map(ToString::to_string).as_deref(),
                expected,
                "{sql}"
            );
        };
        check("SELECT a FROM sales.retail.t WHERE t.a > 1 AND b = 'x'", Some("a > 1 AND b = 'x'"));
        check("SELECT a FROM sales.retail.t", None);
        check("SELECT a FROM sales.retail.t JOIN sales.retail.u ON t.a = u.a WHERE t.a > 1", None);
        check("SELECT a FROM (SELECT a FROM sales.retail.t) AS t WHERE a > 1", None);
    }
}
