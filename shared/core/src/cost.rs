//! What runs cost: what their calls used, prices from a dated file, and receipts that show their arithmetic.
//!
//! Money is counted in whole picodollars ([`Money`]): sums are exact, and shares of a sum add up to it. What is not known is
//! named ([`RunUsage::not_known`]) and never counted as 0.

mod advice;
mod documents;
mod money;
mod prices;
mod receipt;
mod share;
mod transitions;
mod usage;
mod value;

pub use self::advice::{Advice, FunctionUse, IdleRuns, idle, memory};
pub use self::documents::{CostedReport, ReportCost, ReportWithCost, RunCost, UsageOf};
pub use self::money::{Money, MoneyError};
pub use self::prices::{Item, PriceError, Prices};
pub use self::receipt::{BilledAs, Line, Receipt, receipt};
pub use self::share::shares;
pub use self::transitions::transitions;
pub use self::usage::{Architecture, CallUsage, PartsUsage, Requests, RunUsage, Where};
pub use self::value::{Reads, Value};

#[cfg(test)]
mod tests;
