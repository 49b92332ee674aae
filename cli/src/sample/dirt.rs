//! Lines that break an error rule.

use super::fields::Fields;
use super::random::Random;

/// How a line is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    MissingDescription,
    NegativePrice,
    ZeroQuantity,
    BadInvoiceNumber,
    UnreadableQuantity,
    UnreadablePrice,
    UnreadableDate,
    OtherDateFormat,
    ThousandsSeparator,
    TooFewFields,
    TooManyFields,
}

fn draw(random: &mut Random) -> Fault {
    match random.below(100) {
        0..=19 => Fault::MissingDescription,
        20..=29 => Fault::NegativePrice,
        30..=39 => Fault::ZeroQuantity,
        40..=49 => Fault::BadInvoiceNumber,
        50..=57 => Fault::UnreadableQuantity,
        58..=65 => Fault::UnreadablePrice,
        66..=72 => Fault::UnreadableDate,
        73..=79 => Fault::OtherDateFormat,
        80..=86 => Fault::ThousandsSeparator,
        87..=93 => Fault::TooFewFields,
        _ => Fault::TooManyFields,
    }
}

/// Appends the line with a fault drawn for it.
pub(super) fn push_broken_line(out: &mut Vec<u8>, random: &mut Random, line: &Fields<'_>) {
    let mut broken = *line;
    let mut text = Vec::with_capacity(32);
    match draw(random) {
        Fault::MissingDescription => broken.description = b"",
        Fault::ZeroQuantity => broken.quantity = b"0",
        Fault::NegativePrice => {
            // A line is never free and negative at the same time.
            let price: &[u8] = if line.price == b"0.0" { b"1.25" } else { line.price };
            text.push(b'-');
            text.extend_from_slice(price);
            broken.price = &text;
        }
        Fault::BadInvoiceNumber => {
            bad_invoice_number(&mut text, random, line.invoice);
            broken.invoice = &text;
        }
        Fault::UnreadableQuantity => broken.quantity = random.pick(&["six", "6 pcs", "n/a", "1O", "?"]).as_bytes(),
        Fault::UnreadablePrice => {
            broken.price = random.pick(&["free", "£2.55", "\"2,55\"", "2.55 GBP", "n/a"]).as_bytes();
        }
        Fault::UnreadableDate => {
            broken.date = random.pick(&["yesterday", "n/a", "2026-02-30 10:15:00", "2026-13-05 09:00:00"]).as_bytes();
        }
        Fault::OtherDateFormat => {
            other_date(&mut text, random, line.date);
            broken.date = &text;
        }
        Fault::ThousandsSeparator => {
            if random.one_in(2) {
                broken.quantity = b"\"1,200\"";
            } else {
                broken.price = b"\"1,049.50\"";
            }
        }
        Fault::TooFewFields => {
            broken.push_first(out, 8 - random.between(1, 3) as usize);
            return;
        }
        Fault::TooManyFields => {
            // What an export without quotes does to a comma in the description.
            text.extend_from_slice(b"SET OF 3, ");
            text.extend(line.description.iter().copied().filter(|byte| !matches!(byte, b'"' | b',')));
            broken.description = &text;
        }
    }
    broken.push(out);
}

fn bad_invoice_number(text: &mut Vec<u8>, random: &mut Random, invoice: &[u8]) {
    match random.below(4) {
        0 => text.extend_from_slice(invoice.get(..5).unwrap_or_default()),
        1 => {
            text.extend_from_slice(invoice);
            text.extend_from_slice(b"77");
        }
        2 => {
            text.push(b'X');
            text.extend_from_slice(invoice);
        }
        _ => {
            text.extend_from_slice(b"INV-");
            text.extend_from_slice(invoice);
        }
    }
}

/// `2026-01-05 08:26:00` as `05/01/2026 08:26` and the like.
fn other_date(text: &mut Vec<u8>, random: &mut Random, date: &[u8]) {
    let part = |from: usize, to: usize| date.get(from..to).unwrap_or_default();
    let (year, month, day, minutes) = (part(0, 4), part(5, 7), part(8, 10), part(11, 16));
    let (first, separator, second): (&[u8], &[u8], &[u8]) = match random.below(3) {
        0 => (day, b"/", month),
        1 => (month, b"/", day),
        _ => (day, b".", month),
    };
    for piece in [first, separator, second, separator, year, b" ", minutes] {
        text.extend_from_slice(piece);
    }
}
