//! What a run cost, in a few words.

use sluice_core::cost::{Money, Receipt};

/// What a run cost, at the prices that its report was written with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostLine {
    /// Sum of the receipt. What is not known is not in it.
    pub total: Money,
    /// Its currency.
    pub currency: String,
    /// Whether AWS bills it; `false` of calls on a machine of one's own.
    pub is_billed: bool,
}

impl CostLine {
    /// The total of a receipt.
    pub fn of(receipt: &Receipt) -> Self {
        Self { total: receipt.total, currency: receipt.currency.clone(), is_billed: receipt.is_billed }
    }

    /// Such as `0.001234 USD`.
    pub(crate) fn words(&self) -> String {
        let not_billed = if self.is_billed { "" } else { ", not billed" };
        format!("{} {}{not_billed}", self.total.rounded(), self.currency)
    }
}
