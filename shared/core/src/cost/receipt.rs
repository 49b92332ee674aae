//! A receipt: every line with its arithmetic.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Architecture, CallUsage, Item, Money, Prices, Requests, RunUsage, Where};

/// Megabyte milliseconds of a gigabyte second, as Lambda counts: 1,024 MB of 1,000 ms.
const MB_MILLIS_PER_GB_SECOND: u64 = 1_024_000;

/// How sure a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BilledAs {
    /// Counted or timed by the function itself.
    Measured,
    /// Derived from what was counted: see the line's words.
    Estimated,
}

/// One line of a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// What is paid for.
    pub item: Item,
    /// The function that used it; `None` for the state machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// How much of it, in the smallest units that are counted: requests, transitions, or megabyte milliseconds.
    pub amount: u64,
    /// How many of these units make a priced unit: 1, or 1,024,000 megabyte milliseconds of a GB-s.
    pub units: u64,
    /// Price of a priced unit.
    pub price: Money,
    /// What the line costs: `amount / units * price`, rounded to the nearest picodollar.
    pub cost: Money,
    /// How sure the amount is.
    pub billed_as: BilledAs,
    /// The arithmetic, in words.
    pub arithmetic: String,
}

/// What a run cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Date of the prices.
    pub prices_as_of: Date,
    /// Region of the prices.
    pub region: String,
    /// Their currency.
    pub currency: String,
    /// Whether AWS bills it; `false` where calls ran on a machine of one's own, and the lines say what they would have cost.
    pub is_billed: bool,
    /// The lines, in the order of the calls.
    pub lines: Vec<Line>,
    /// Sum of the lines. What is not known is not in it.
    pub total: Money,
    /// What else the run used that is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_known: Vec<String>,
}

impl Receipt {
    /// Sum of the lines that are estimated.
    pub fn estimated(&self) -> Money {
        self.lines.iter().filter(|line| line.billed_as == BilledAs::Estimated).map(|line| line.cost).sum()
    }
}

/// What a run cost, by these prices.
pub fn receipt(usage: &RunUsage, prices: &Prices) -> Receipt {
    let mut lines = Lines { prices, lines: Vec::new() };
    let mut not_known = usage.not_known.clone();
    for call in &usage.calls {
        lines.of_call(call);
        lines.of_parts(call);
        not_known.extend(missing(call));
    }
    match usage.transitions {
        Some(transitions) => {
            let words = format!("{transitions} transitions on the way to this end, without repetitions");
            lines.add(Item::StateTransition, None, (transitions, 1), BilledAs::Estimated, &words);
        }
        None => not_known.push("transitions of the state machine".to_owned()),
    }
    let total = lines.lines.iter().map(|line| line.cost).sum();
    Receipt {
        prices_as_of: prices.as_of(),
        region: prices.region().to_owned(),
        currency: prices.currency().to_owned(),
        is_billed: usage.is_on_lambda(),
        lines: lines.lines,
        total,
        not_known,
    }
}

/// What a call says that it does not know.
fn missing(call: &CallUsage) -> Vec<String> {
    let function = &call.function;
    let mut missing = Vec::new();
    if call.requests.is_none() {
        missing.push(format!("requests of {function}: other calls of the same process made some at the same time"));
    }
    if call.parts.not_known > 0 {
        missing.push(format!("{} parts of the run left nothing about what they used", call.parts.not_known));
    }
    if call.parts.requests_not_known > 0 {
        missing.push(format!("requests of {} parts of the run", call.parts.requests_not_known));
    }
    missing
}

struct Lines<'a> {
    prices: &'a Prices,
    lines: Vec<Line>,
}

impl Lines<'_> {
    fn of_call(&mut self, call: &CallUsage) {
        let function = Some(call.function.as_str());
        // On a machine of one's own, the time is that of another processor.
        let sure = match call.ran {
            Where::Lambda => BilledAs::Measured,
            Where::Local => BilledAs::Estimated,
        };
        let (millis, memory) = (call.billed_millis(), call.memory_mb);
        let words = format!("{millis} ms x {memory} MB / 1024 / 1000");
        let seconds = (call.mb_millis(), MB_MILLIS_PER_GB_SECOND);
        self.add(seconds_on(call.architecture), function, seconds, sure, &words);
        self.add(Item::LambdaRequest, function, (1, 1), sure, "1 call");
        if let Some(requests) = &call.requests {
            self.of_requests(requests, function, sure);
        }
    }

    fn of_parts(&mut self, call: &CallUsage) {
        let parts = &call.parts;
        if parts.calls == 0 {
            return;
        }
        let name = format!("{} (parts)", call.function);
        let function = Some(name.as_str());
        let sure = if call.ran == Where::Lambda { BilledAs::Measured } else { BilledAs::Estimated };
        let words = format!("{} MB x ms of {} parts / 1024 / 1000", parts.mb_millis, parts.calls);
        let seconds = (parts.mb_millis, MB_MILLIS_PER_GB_SECOND);
        self.add(seconds_on(call.architecture), function, seconds, sure, &words);
        self.add(Item::LambdaRequest, function, (parts.calls, 1), sure, &format!("{} calls", parts.calls));
        self.of_requests(&parts.requests, function, sure);
    }

    fn of_requests(&mut self, requests: &Requests, function: Option<&str>, sure: BilledAs) {
        let counted = [
            (Item::S3Get, requests.s3_get),
            (Item::S3Put, requests.s3_put),
            (Item::S3List, requests.s3_list),
            (Item::SnsMessage, requests.sns),
            (Item::EventbridgeEvent, requests.events),
        ];
        for (item, amount) in counted.into_iter().filter(|(_, amount)| *amount > 0) {
            self.add(item, function, (amount, 1), sure, &format!("{amount} {}", item.unit()));
        }
        let scanned = requests.scanned_files;
        let amount = requests.estimated_s3_get();
        if let Some(of_each) = amount.checked_div(scanned) {
            let words = format!("{amount} requests of Polars, {of_each} for each of {scanned} files read");
            self.add(Item::S3Get, function, (amount, 1), BilledAs::Estimated, &words);
        }
    }

    fn add(&mut self, item: Item, function: Option<&str>, amount: (u64, u64), billed_as: BilledAs, words: &str) {
        let (amount, units) = amount;
        let price = self.prices.price(item);
        let cost = price.times(u128::from(amount), u128::from(units));
        self.lines.push(Line {
            item,
            function: function.map(str::to_owned),
            amount,
            units,
            price,
            cost,
            billed_as,
            arithmetic: format!("{words} x {price}"),
        });
    }
}

fn seconds_on(architecture: Architecture) -> Item {
    match architecture {
        Architecture::Arm64 => Item::LambdaArm64GbSecond,
        Architecture::X86 => Item::LambdaX86GbSecond,
    }
}
