//! One line of a day's file.

/// The eight fields of a line, as CSV fields.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a> {
    /// InvoiceNo.
    pub(super) invoice: &'a [u8],
    /// StockCode.
    pub(super) stock_code: &'a [u8],
    /// Description.
    pub(super) description: &'a [u8],
    /// Quantity.
    pub(super) quantity: &'a [u8],
    /// InvoiceDate.
    pub(super) date: &'a [u8],
    /// UnitPrice.
    pub(super) price: &'a [u8],
    /// CustomerID.
    pub(super) customer: &'a [u8],
    /// Country.
    pub(super) country: &'a [u8],
}

impl Fields<'_> {
    /// Appends the line.
    pub(super) fn push(&self, out: &mut Vec<u8>) {
        self.push_first(out, 8);
    }

    /// Appends a line of the first `count` fields.
    pub(super) fn push_first(&self, out: &mut Vec<u8>, count: usize) {
        let fields = [
            self.invoice,
            self.stock_code,
            self.description,
            self.quantity,
            self.date,
            self.price,
            self.customer,
            self.country,
        ];
        for (index, field) in fields.iter().take(count).enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.extend_from_slice(field);
        }
        out.push(b'\n');
    }
}
