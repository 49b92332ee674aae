//! What the run cost, with its arithmetic.

use sluice_core::cost::{BilledAs, Line};

use super::list::{Cell, table};
use crate::cost_line::CostLine;
use crate::facts::RunFacts;
use crate::html::Html;

/// The receipt, line by line; nothing where the report has none.
pub(super) fn section(facts: &RunFacts) -> Option<Html> {
    let receipt = facts.cost.as_ref()?.receipt.as_ref()?;
    let mut html = Html::default();
    let words = format!(
        "{} at the prices of {} as of {}; {} of it is estimated.",
        CostLine::of(receipt).words(),
        receipt.region,
        receipt.prices_as_of,
        receipt.estimated().rounded()
    );
    html.element("p", &words).markup("\n");
    if !receipt.is_billed {
        html.markup(
            "<p>The calls ran on a machine of one's own. This is what they would have cost on Lambda, if they ",
        );
        html.markup("had taken as long there.</p>\n");
    }
    let row = |line: &Line| {
        let how = match line.billed_as {
            BilledAs::Measured => "measured",
            BilledAs::Estimated => "estimated",
        };
        vec![
            Cell::text(&line.item),
            Cell::text(line.function.as_deref().unwrap_or("state machine")),
            Cell::text(&line.arithmetic),
            Cell::Number(line.cost.to_string()),
            Cell::text(how),
        ]
    };
    let cost = format!(">{}", receipt.currency);
    let titles = ["What", "Function", "Arithmetic", cost.as_str(), "How"];
    let lines = receipt.lines.iter().map(row);
    table(&mut html, "Lines of the receipt", &titles, receipt.lines.len() as u64, lines);
    if !receipt.not_known.is_empty() {
        html.element("p", &format!("Not known, and not counted: {}.", receipt.not_known.join("; "))).markup("\n");
    }
    Some(html)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn page(is_billed: bool, not_known: &[&str]) -> String {
        let line = json!({"item": "s3_get", "function": "<process>", "amount": 10, "units": 1, "price": "0.0000004",
            "cost": "0.000004", "billed_as": "measured", "arithmetic": "10 requests x 0.0000004"});
        let receipt = json!({"prices_as_of": "2026-12-01", "region": "us-east-1", "currency": "USD",
            "is_billed": is_billed, "lines": [line], "total": "0.000004", "not_known": not_known});
        let usage = json!({"calls": [], "transitions": 1, "not_known": []});
        let cost = serde_json::from_value(json!({"usage": usage, "receipt": receipt})).unwrap();
        section(&RunFacts { cost, ..RunFacts::default() }).unwrap().into_string()
    }

    #[test]
    fn a_receipt_shows_its_arithmetic_and_what_it_does_not_know() {
        let billed = page(true, &["parts"]);
        for part in [
            "0.000004 USD at the prices of us-east-1 as of 2026-12-01",
            "&lt;process&gt;",
            "10 requests x 0.0000004",
            "measured",
            "Not known, and not counted: parts.",
        ] {
            assert!(billed.contains(part), "{part} is missing in {billed}");
        }
        assert!(!billed.contains("machine of one"), "{billed}");
        let local = page(false, &[]);
        assert!(local.contains("USD, not billed") && local.contains("machine of one"), "{local}");
        assert!(!local.contains("Not known"), "{local}");
    }

    #[test]
    fn a_run_without_a_receipt_has_no_section() {
        assert_eq!(section(&RunFacts::default()), None);
    }
}
