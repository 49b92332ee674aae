//! One day of trade as CSV lines.

use std::io::{self, Write};
use std::ops::Range;

use jiff::civil::{Date, Weekday};

use super::catalogue::{Catalogue, Product, draw_country, draw_customer};
use super::dirt::push_broken_line;
use super::fields::Fields;
use super::random::{Purpose, Random};
use super::text::{push_i64, push_price, push_two_digits, push_u64};

/// The header line.
pub(super) const HEADER: &str = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";
/// Bytes collected before they are written.
const BLOCK_BYTES: usize = 1 << 18;
/// How many earlier sales are remembered, so that cancellations can refer to them.
const REMEMBERED_SALES: usize = 256;

/// What a day's file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct DayCounts {
    /// Data lines.
    pub(super) rows: u64,
    /// Lines that break an error rule.
    pub(super) dirt_lines: u64,
    /// Lines that repeat the line before.
    pub(super) duplicate_lines: u64,
    /// Lines that cancel an earlier sale.
    pub(super) cancelled_lines: u64,
}

/// What all lines of an invoice share.
#[derive(Default)]
struct Invoice {
    number: Vec<u8>,
    date: Vec<u8>,
    customer: Vec<u8>,
    country: &'static str,
}

/// A line before it is text.
#[derive(Clone, Copy)]
struct Item<'c> {
    product: &'c Product,
    quantity: i64,
    price: u32,
}

/// A sale that may be cancelled later.
struct Sale<'c> {
    item: Item<'c>,
    customer: Vec<u8>,
    country: &'static str,
}

/// Writes one day.
pub(super) struct Day<'c> {
    catalogue: &'c Catalogue,
    date: Date,
    numbers: Range<u32>,
    rows: u64,
    rows_left: u64,
    dirt_left: u64,
    sales: Random,
    dirt: Random,
    remembered: Vec<Sale<'c>>,
    invoice: Invoice,
    quantity_text: Vec<u8>,
    price_text: Vec<u8>,
    block: Vec<u8>,
    counts: DayCounts,
}

impl<'c> Day<'c> {
    /// A day of `rows` lines, `dirt_lines` of them broken.
    pub(super) fn new(
        catalogue: &'c Catalogue,
        seed: u64,
        date: Date,
        numbers: Range<u32>,
        rows: u64,
        dirt_lines: u64,
    ) -> Self {
        let day = super::invoice_numbers::days_between(jiff::civil::date(2000, 1, 1), date);
        let day = i32::try_from(day).unwrap_or_default();
        Self {
            catalogue,
            date,
            numbers,
            rows,
            rows_left: rows,
            dirt_left: dirt_lines,
            sales: Random::new(seed, day, Purpose::Sales),
            dirt: Random::new(seed, day, Purpose::Dirt),
            remembered: Vec::with_capacity(REMEMBERED_SALES),
            invoice: Invoice::default(),
            quantity_text: Vec::new(),
            price_text: Vec::new(),
            block: Vec::with_capacity(BLOCK_BYTES * 2),
            counts: DayCounts::default(),
        }
    }

    /// Writes the header and all lines.
    ///
    /// # Errors
    /// Those of `out`.
    pub(super) fn write(mut self, out: &mut dyn Write) -> io::Result<DayCounts> {
        self.block.extend_from_slice(HEADER.as_bytes());
        while self.rows_left > 0 {
            self.push_invoice();
            if self.block.len() >= BLOCK_BYTES {
                out.write_all(&self.block)?;
                self.block.clear();
            }
        }
        out.write_all(&self.block)?;
        Ok(self.counts)
    }

    fn push_invoice(&mut self) {
        let numbers_left = self.numbers.end.saturating_sub(self.numbers.start).max(1);
        if numbers_left > 1 && !self.remembered.is_empty() && self.sales.one_in(6) {
            self.push_cancellation();
        } else if numbers_left > 1 && self.sales.one_in(2_000) {
            self.start_invoice("A", None, "United Kingdom");
            let bad_debt = &self.catalogue.bad_debt;
            self.push_item(Item { product: bad_debt, quantity: 1, price: bad_debt.price });
        } else {
            // Where numbers are scarce, invoices get longer.
            let fewest = self.rows_left.div_ceil(numbers_left.into());
            if self.sales.below(100) < 13 { self.push_walk_in_order(fewest) } else { self.push_customer_order(fewest) }
        }
    }

    fn start_invoice(&mut self, prefix: &str, customer: Option<u32>, country: &'static str) {
        let number = self.numbers.start;
        self.numbers.start = self.numbers.start.saturating_add(1).min(self.numbers.end);
        let (open, close) = match self.date.weekday() {
            Weekday::Sunday => (600, 960),
            Weekday::Thursday => (450, 1_225),
            _ => (480, 1_110),
        };
        let done = u128::from(self.rows.saturating_sub(self.rows_left));
        let minute = done * (close - open) / u128::from(self.rows.max(1)) + open;
        let minute = u32::try_from(minute).unwrap_or_default();
        let invoice = &mut self.invoice;
        invoice.number.clear();
        invoice.number.extend_from_slice(prefix.as_bytes());
        push_u64(&mut invoice.number, number.into());
        invoice.date.clear();
        push_u64(&mut invoice.date, u64::from(self.date.year().unsigned_abs()));
        for (separator, number) in [
            (b'-', u32::from(self.date.month().unsigned_abs())),
            (b'-', u32::from(self.date.day().unsigned_abs())),
            (b' ', minute / 60),
            (b':', minute % 60),
            (b':', 0),
        ] {
            invoice.date.push(separator);
            push_two_digits(&mut invoice.date, number);
        }
        invoice.customer.clear();
        if let Some(customer) = customer {
            push_u64(&mut invoice.customer, customer.into());
            invoice.customer.extend_from_slice(b".0");
        }
        invoice.country = country;
    }

    fn push_customer_order(&mut self, fewest: u64) {
        let (customer, country) = draw_customer(&mut self.sales);
        self.start_invoice("", Some(customer), country);
        let drawn = if self.sales.one_in(7) { 1 } else { 2 + self.sales.below(19) + self.sales.below(19) };
        let catalogue = self.catalogue;
        if country != "United Kingdom" && fewest <= 1 && self.sales.below(10) < 6 {
            let quantity = i64::from(self.sales.between(1, 4));
            self.push_item(Item { product: &catalogue.postage, quantity, price: catalogue.postage.price });
        }
        for _ in 0..u64::from(drawn).max(fewest) {
            let product = if self.sales.one_in(700) { &catalogue.manual } else { catalogue.draw(&mut self.sales) };
            let quantity = self.draw_wholesale_quantity();
            let price = if quantity >= 48 { product.bulk_price() } else { product.price };
            self.push_item(Item { product, quantity, price });
        }
    }

    /// An order over the counter or the web shop: no customer number, many lines, few pieces, retail prices.
    fn push_walk_in_order(&mut self, fewest: u64) {
        let country = draw_country(&mut self.sales);
        self.start_invoice("", None, country);
        let drawn = 1 + self.sales.skewed_below(160);
        let catalogue = self.catalogue;
        for _ in 0..u64::from(drawn).max(fewest) {
            if self.sales.one_in(2_500) {
                let product = catalogue.draw_voucher(&mut self.sales);
                self.push_item(Item { product, quantity: 1, price: product.price });
                continue;
            }
            let product = catalogue.draw(&mut self.sales);
            let quantity = 1 + i64::from(self.sales.skewed_below(5));
            let price = if self.sales.one_in(400) { 0 } else { product.retail_price() };
            self.push_item(Item { product, quantity, price });
        }
        if drawn > 60 {
            let price = 90_000 + 10 * self.sales.below(60_000);
            self.push_item(Item { product: &catalogue.dotcom_postage, quantity: 1, price });
        }
    }

    fn push_cancellation(&mut self) {
        let count = u32::try_from(self.remembered.len()).unwrap_or_default();
        let place = self.sales.below(count) as usize;
        if place >= self.remembered.len() {
            return;
        }
        let sale = self.remembered.swap_remove(place);
        self.start_invoice("C", None, sale.country);
        self.invoice.customer.extend_from_slice(&sale.customer);
        let taken_back = match self.sales.below(3) {
            0 => -1,
            _ => -sale.item.quantity,
        };
        let before = self.counts.rows;
        self.push_item(Item { quantity: taken_back, ..sale.item });
        if self.sales.one_in(40) {
            let discount = &self.catalogue.discount;
            let price = 500 + 10 * self.sales.below(6_000);
            self.push_item(Item { product: discount, quantity: -1, price });
        }
        self.counts.cancelled_lines += self.counts.rows - before;
    }

    fn draw_wholesale_quantity(&mut self) -> i64 {
        let quantity = match self.sales.below(1_000) {
            0..=199 => 1,
            200..=329 => 2,
            330..=419 => 3,
            420..=499 => 4,
            500..=629 => 6,
            630..=689 => 8,
            690..=739 => 10,
            740..=869 => 12,
            870..=919 => 24,
            920..=934 => 25,
            935..=954 => 36,
            955..=974 => 48,
            975..=988 => 96,
            989..=997 => self.sales.between(100, 400),
            _ => 144 * self.sales.between(3, 20),
        };
        i64::from(quantity)
    }

    /// Appends a line: sometimes broken, sometimes twice.
    fn push_item(&mut self, item: Item<'c>) {
        if self.rows_left == 0 {
            return;
        }
        self.quantity_text.clear();
        push_i64(&mut self.quantity_text, item.quantity);
        self.price_text.clear();
        push_price(&mut self.price_text, item.price);
        let fields = Fields {
            invoice: &self.invoice.number,
            stock_code: &item.product.stock_code,
            description: &item.product.description,
            quantity: &self.quantity_text,
            date: &self.invoice.date,
            price: &self.price_text,
            customer: &self.invoice.customer,
            country: self.invoice.country.as_bytes(),
        };
        // Sampling without replacement: exactly the requested number of lines is broken.
        let broken = self.dirt_left > 0 && self.dirt.share(self.dirt_left, self.rows_left);
        self.rows_left -= 1;
        self.counts.rows += 1;
        if broken {
            push_broken_line(&mut self.block, &mut self.dirt, &fields);
            self.dirt_left -= 1;
            self.counts.dirt_lines += 1;
        } else {
            fields.push(&mut self.block);
        }
        // Drawn whether or not the line is broken, so that dirt does not change any other line.
        let (repeated, remembered) = (self.sales.one_in(110), self.sales.one_in(16));
        if repeated && self.rows_left > self.dirt_left {
            fields.push(&mut self.block);
            self.rows_left -= 1;
            self.counts.rows += 1;
            self.counts.duplicate_lines += u64::from(!broken);
        }
        if remembered && item.quantity > 0 {
            self.remember(item);
        }
    }

    fn remember(&mut self, item: Item<'c>) {
        let sale = Sale { item, customer: self.invoice.customer.clone(), country: self.invoice.country };
        if self.remembered.len() < REMEMBERED_SALES {
            self.remembered.push(sale);
        } else {
            let place = self.sales.below(u32::try_from(REMEMBERED_SALES).unwrap_or_default()) as usize;
            if let Some(old) = self.remembered.get_mut(place) {
                *old = sale;
            }
        }
    }
}
