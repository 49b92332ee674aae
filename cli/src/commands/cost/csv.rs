//! Receipts as CSV, in columns of the Cost and Usage Report of AWS.

use sluice_core::cost::{BilledAs, Item, Line, Receipt};
use sluice_core::uri::FolderUri;

use super::gather::Found;

const HEADER: [&str; 12] = [
    "line_item_usage_start_date",
    "line_item_product_code",
    "line_item_usage_type_ends",
    "line_item_usage_amount",
    "pricing_unit",
    "line_item_unblended_rate",
    "line_item_unblended_cost",
    "line_item_resource_id_has",
    "pipeline",
    "run_id",
    "is_billed",
    "billed_as",
];

/// Every line of every receipt.
pub(super) fn text(found: &Found, lake: &FolderUri) -> String {
    let bucket = lake.as_url().host_str().unwrap_or_default();
    let mut lines = vec![HEADER.join(",")];
    for run in &found.runs {
        let Some(receipt) = &run.receipt else { continue };
        for line in &receipt.lines {
            let (product, usage_type) = in_usage_report(line, receipt);
            let resource = if product == "AmazonS3" { bucket } else { function(line) };
            let cells = [
                run.report.ended_at.to_string(),
                product.to_owned(),
                usage_type.to_owned(),
                amount(line),
                line.item.unit().to_owned(),
                line.price.to_string(),
                line.cost.to_string(),
                resource.to_owned(),
                run.run.pipeline.to_string(),
                run.run.run_id.to_string(),
                receipt.is_billed.to_string(),
                sure(line.billed_as).to_owned(),
            ];
            lines.push(cells.map(|cell| quoted(&cell)).join(","));
        }
    }
    lines.join("\n")
}

/// Where a line is in AWS's report. Calls on Graviton have a usage type of their own there; the processor of a call is
/// that of its time.
fn in_usage_report(line: &Line, receipt: &Receipt) -> (&'static str, &'static str) {
    let (product, usage_type) = line.item.in_usage_report();
    let is_time = |other: &Line| other.item == Item::LambdaArm64GbSecond && other.function == line.function;
    if line.item == Item::LambdaRequest && receipt.lines.iter().any(is_time) {
        return (product, "Request-ARM");
    }
    (product, usage_type)
}

/// The function of a line, without what says that it read parts.
fn function(line: &Line) -> &str {
    let name = line.function.as_deref().unwrap_or_default();
    name.split(' ').next().unwrap_or_default()
}

/// The amount in priced units, with nine digits after the point where it is not whole.
pub(super) fn amount(line: &Line) -> String {
    let (amount, units) = (u128::from(line.amount), u128::from(line.units.max(1)));
    if amount % units == 0 {
        return (amount / units).to_string();
    }
    format!("{}.{:09}", amount / units, amount % units * 1_000_000_000 / units)
}

pub(super) fn sure(billed_as: BilledAs) -> &'static str {
    match billed_as {
        BilledAs::Measured => "measured",
        BilledAs::Estimated => "estimated",
    }
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    use sluice_core::cost::Money;

    use super::*;

    #[test]
    fn calls_on_graviton_are_those_of_graviton_in_the_report_of_aws() {
        let line = |item: Item, function: &str| Line {
            item,
            function: Some(function.to_owned()),
            amount: 1,
            units: 1,
            price: Money::ZERO,
            cost: Money::ZERO,
            billed_as: BilledAs::Measured,
            arithmetic: String::new(),
        };
        let (arm, x86) = ("on-arm", "on-x86");
        let receipt = Receipt {
            prices_as_of: "2026-12-01".parse().unwrap(),
            region: "us-east-1".to_owned(),
            currency: "USD".to_owned(),
            is_billed: true,
            lines: vec![line(Item::LambdaArm64GbSecond, arm), line(Item::LambdaX86GbSecond, x86)],
            total: Money::ZERO,
            not_known: Vec::new(),
        };
        let check = |item: Item, function: &str, expected: &str| {
            assert_eq!(in_usage_report(&line(item, function), &receipt).1, expected, "{item} {function}");
        };
        check(Item::LambdaRequest, arm, "Request-ARM");
        check(Item::LambdaRequest, x86, "Request");
        check(Item::LambdaArm64GbSecond, arm, "Lambda-GB-Second-ARM");
        check(Item::S3Put, arm, "Requests-Tier1");
    }

    #[test]
    fn cells_are_quoted_where_csv_needs_it() {
        let check = |cell: &str, expected: &str| assert_eq!(quoted(cell), expected);
        check("process", "process");
        check("a,b", "\"a,b\"");
        check("say \"x\"", "\"say \"\"x\"\"\"");
    }
}
