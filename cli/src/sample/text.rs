//! Bytes of CSV fields, written without `format!`: this is the hot loop of `sluice sample`.

/// Appends a whole number.
pub(super) fn push_u64(out: &mut Vec<u8>, mut number: u64) {
    let start = out.len();
    loop {
        // A digit fits a byte.
        out.push(b'0' + u8::try_from(number % 10).unwrap_or_default());
        number /= 10;
        if number == 0 {
            break;
        }
    }
    if let Some(digits) = out.get_mut(start..) {
        digits.reverse();
    }
}

/// Appends two digits, with a zero before a single one.
pub(super) fn push_two_digits(out: &mut Vec<u8>, number: u32) {
    if number < 10 {
        out.push(b'0');
    }
    push_u64(out, number.into());
}

/// Appends a signed whole number.
pub(super) fn push_i64(out: &mut Vec<u8>, number: i64) {
    if number < 0 {
        out.push(b'-');
    }
    push_u64(out, number.unsigned_abs());
}

/// Appends thousandths the way Python prints a float: `2.55`, `2.1`, `3.0`.
pub(super) fn push_price(out: &mut Vec<u8>, thousandths: u32) {
    push_u64(out, (thousandths / 1000).into());
    out.push(b'.');
    let decimals = thousandths % 1000;
    let mut unit = 100;
    let mut rest = decimals;
    loop {
        out.push(b'0' + u8::try_from(rest / unit).unwrap_or_default());
        rest %= unit;
        unit /= 10;
        if rest == 0 || unit == 0 {
            break;
        }
    }
}

/// A text as a CSV field: quoted where it has a delimiter, a quote or a line break.
pub(super) fn csv_field(text: &str) -> Vec<u8> {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\"")).into_bytes()
    } else {
        text.as_bytes().to_vec()
    }
}
