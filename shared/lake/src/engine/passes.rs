//! Grouping a large input in passes: memory then holds the groups of one pass.
//!
//! The streaming engine keeps every group, and rows on their way to one, until the input has been read. Groups with
//! different keys have nothing to do with each other, so rows can be grouped in several passes, each of which takes the
//! rows whose key has one remainder of its hash. It costs reading the input again for each pass.

use std::sync::Arc;

use polars::prelude::{DataFrame, DslPlan, Expr, IntoLazy, LazyFrame, PolarsResult, lit};

use super::collect_streaming;

/// Input rows that are grouped in one pass. Measured on gold of the sales pipeline: a pass of this size needs some
/// 600 MB, most of it for rows that wait for their group.
const ROWS_PER_PASS: u64 = 16_000_000;

/// The query with its innermost groupings computed, in as many passes as an input of this many rows takes. A query on a
/// small input is given back as it is.
///
/// # Errors
/// Those of computing a grouping.
pub(super) fn group_in_passes(query: LazyFrame, input_rows: u64) -> PolarsResult<LazyFrame> {
    in_passes(query, input_rows.div_ceil(ROWS_PER_PASS))
}

fn in_passes(query: LazyFrame, passes: u64) -> PolarsResult<LazyFrame> {
    if passes < 2 {
        return Ok(query);
    }
    Ok(LazyFrame::from(rewrite(query.logical_plan, passes)?.0))
}

/// The plan with its innermost groupings computed, and whether it had one.
fn rewrite(plan: DslPlan, passes: u64) -> PolarsResult<(DslPlan, bool)> {
    let below = |input: Arc<DslPlan>| -> PolarsResult<(Arc<DslPlan>, bool)> {
        let (plan, grouped) = rewrite(Arc::unwrap_or_clone(input), passes)?;
        Ok((Arc::new(plan), grouped))
    };
    Ok(match plan {
        DslPlan::GroupBy { input, keys, predicates, aggs, maintain_order, options, apply } => {
            let (input, grouped) = below(input)?;
            let can_split = !grouped && !keys.is_empty() && !maintain_order && apply.is_none();
            let group_by = |input| DslPlan::GroupBy {
                input,
                keys: keys.clone(),
                predicates: predicates.clone(),
                aggs: aggs.clone(),
                maintain_order,
                options: options.clone(),
                apply: apply.clone(),
            };
            if can_split { (compute(group_by, &input, &keys, passes)?, true) } else { (group_by(input), grouped) }
        }
        DslPlan::Filter { input, predicate } => {
            let (input, grouped) = below(input)?;
            (DslPlan::Filter { input, predicate }, grouped)
        }
        DslPlan::Select { expr, input, options } => {
            let (input, grouped) = below(input)?;
            (DslPlan::Select { expr, input, options }, grouped)
        }
        DslPlan::HStack { input, exprs, options } => {
            let (input, grouped) = below(input)?;
            (DslPlan::HStack { input, exprs, options }, grouped)
        }
        DslPlan::Join { input_left, input_right, left_on, right_on, predicates, options } => {
            let ((input_left, left), (input_right, right)) = (below(input_left)?, below(input_right)?);
            (DslPlan::Join { input_left, input_right, left_on, right_on, predicates, options }, left || right)
        }
        // What a schema was asked of: the plan as it was written is inside.
        DslPlan::IR { dsl, .. } => rewrite(Arc::unwrap_or_clone(dsl), passes)?,
        // Whatever else SQL becomes is computed as it always is.
        other => (other, false),
    })
}

/// The result of a grouping, pass after pass.
fn compute(
    group_by: impl Fn(Arc<DslPlan>) -> DslPlan,
    input: &Arc<DslPlan>,
    keys: &[Expr],
    passes: u64,
) -> PolarsResult<DslPlan> {
    let hashes = keys.iter().zip(1_u64..).map(|(key, seed)| key.clone().hash(seed, seed + 7, seed + 13, seed + 29));
    let hash = hashes.reduce(Expr::xor).unwrap_or_else(|| lit(0_u64));
    let mut groups: Option<DataFrame> = None;
    for pass in 0..passes {
        let predicate = (hash.clone() % lit(passes)).eq(lit(pass));
        let rows = DslPlan::Filter { input: Arc::clone(input), predicate };
        let found = collect_streaming(LazyFrame::from(group_by(Arc::new(rows))))?;
        match &mut groups {
            Some(groups) => groups.vstack_mut_owned(found).map(drop)?,
            None => groups = Some(found),
        }
    }
    Ok(groups.unwrap_or_default().lazy().logical_plan)
}

#[cfg(test)]
mod tests {
    use polars::prelude::{DataFrame, IntoLazy, NamedFrom, Series, SortMultipleOptions};

    use super::*;
    use crate::engine::sql;

    fn sales() -> DataFrame {
        let rows = 1..=500_i64;
        let column = |name: &str, value: &dyn Fn(i64) -> Option<String>| {
            Series::new(name.into(), rows.clone().map(value).collect::<Vec<_>>()).into()
        };
        let columns = vec![
            column("invoice", &|row| Some(format!("I{}", row % 83))),
            column("customer", &|row| (row % 7 != 0).then(|| format!("C{}", row % 11))),
            Series::new("quantity".into(), rows.clone().map(|row| row % 13 - 3).collect::<Vec<_>>()).into(),
        ];
        DataFrame::new(500, columns).expect("sales")
    }

    fn parsed(query: &str) -> sqlparser::ast::Query {
        query.parse::<sluice_core::sql::MetricSql>().expect(query).engine_query()
    }

    /// The query has the same rows in one pass as in several.
    fn check(query: &str) {
        let plan = || sql::run(parsed(query), vec![("sales".to_owned(), sales().lazy())]).expect(query);
        let rows = |frame: LazyFrame| {
            let frame = collect_streaming(frame).expect(query);
            let names = frame.get_column_names_owned();
            frame.sort(names, SortMultipleOptions::default().with_nulls_last(true)).expect("sorted")
        };
        let expected = rows(plan());
        assert!(expected.height() > 0, "{query}");
        for passes in [1, 2, 5] {
            let found = rows(in_passes(plan(), passes).expect(query));
            assert!(found.equals_missing(&expected), "{passes} passes: {query}: {found} is not {expected}");
        }
    }

    #[test]
    fn the_number_of_passes_changes_no_row() {
        check(
            "SELECT invoice, SUM(quantity) AS total, COUNT(DISTINCT customer) AS customers FROM sales GROUP BY invoice",
        );
        check("SELECT customer, invoice, MAX(quantity) AS most FROM sales GROUP BY customer, invoice");
        check("SELECT customer, COUNT(*) AS lines FROM sales WHERE quantity > 0 GROUP BY customer HAVING COUNT(*) > 3");
        check(
            "WITH invoices AS (SELECT invoice, customer, SUM(quantity) AS net FROM sales GROUP BY invoice, customer), \
             customers AS (SELECT customer, COUNT(DISTINCT invoice) AS invoices, SUM(net) AS net FROM invoices GROUP BY customer) \
             SELECT customers.customer, customers.invoices, customers.net, newest.most FROM customers \
             CROSS JOIN (SELECT MAX(quantity) AS most FROM sales) AS newest",
        );
        check("SELECT COUNT(*) AS lines, SUM(quantity) AS net FROM sales");
        check("SELECT DISTINCT customer FROM sales");
    }

    #[test]
    fn only_a_large_input_is_grouped_before_the_query_runs() {
        let query = "SELECT invoice, SUM(quantity) AS total FROM sales GROUP BY invoice";
        let computed = |rows: u64| {
            let plan = sql::run(parsed(query), vec![("sales".to_owned(), sales().lazy())]).expect(query);
            let plan = group_in_passes(plan, rows).expect(query);
            !format!("{:?}", plan.logical_plan).contains("GroupBy")
        };
        assert!(!computed(ROWS_PER_PASS));
        assert!(computed(ROWS_PER_PASS + 1));
    }
}
