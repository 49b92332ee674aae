//! What values seem to be, by their form and by the name of their column.

use super::{Classification, times};

/// Words of names of columns whose digits are no numbers.
const CODES: [&str; 24] = [
    "phone",
    "tel",
    "telefon",
    "telephone",
    "fax",
    "mobile",
    "mobil",
    "handy",
    "zip",
    "zipcode",
    "postal",
    "postcode",
    "plz",
    "iban",
    "bic",
    "ssn",
    "isbn",
    "ean",
    "gtin",
    "upc",
    "barcode",
    "card",
    "vat",
    "iin",
];
const PHONES: [&str; 8] = ["phone", "tel", "telefon", "telephone", "fax", "mobile", "mobil", "handy"];
const PEOPLE: [&str; 16] = [
    "first_name",
    "firstname",
    "last_name",
    "lastname",
    "full_name",
    "fullname",
    "surname",
    "given_name",
    "family_name",
    "vorname",
    "nachname",
    "kundenname",
    "customer_name",
    "contact_name",
    "person_name",
    "maiden_name",
];
const BIRTHS: [&str; 5] = ["birthday", "birthdate", "dob", "geburtsdatum", "geburtstag"];
/// Words that make a date of birth of the word `birth`.
const OF_BIRTH: [&str; 4] = ["date", "day", "year", "dt"];
const ADDRESSES: [&str; 5] = ["street", "strasse", "adresse", "address", "rue"];
/// Addresses that are not those of people.
const OTHER_ADDRESSES: [&str; 6] = ["ip", "mac", "email", "mail", "url", "web"];
const MONEY: [&str; 26] = [
    "amount", "price", "cost", "costs", "total", "subtotal", "net", "gross", "tax", "fee", "revenue", "balance",
    "salary", "paid", "discount", "betrag", "preis", "kosten", "summe", "umsatz", "brutto", "netto", "montant", "prix",
    "importe", "saldo",
];
const TIMES: [&str; 22] = [
    "time",
    "timestamp",
    "ts",
    "at",
    "date",
    "epoch",
    "created",
    "updated",
    "modified",
    "changed",
    "deleted",
    "received",
    "sent",
    "start",
    "end",
    "begin",
    "expires",
    "ms",
    "seconds",
    "datetime",
    "zeit",
    "when",
];
const DAYS: [&str; 10] = ["date", "day", "datum", "tag", "dt", "jour", "fecha", "budat", "bldat", "erdat"];
const FLAGS: [&str; 6] = ["is", "has", "flag", "active", "enabled", "deleted"];
const KEYS: [&str; 14] =
    ["id", "key", "uuid", "guid", "code", "nr", "no", "number", "sku", "isbn", "pk", "nummer", "num", "ref"];

fn has_word(name: &str, words: &[&str]) -> bool {
    name.split('_').any(|word| words.contains(&word))
}

/// Whether digits in a column of this name (in snake case) are codes.
pub(super) fn is_code(name: &str) -> bool {
    has_word(name, &CODES)
}

/// Whether a column of this name has amounts of money.
pub(super) fn is_money(name: &str) -> bool {
    has_word(name, &MONEY)
}

/// Whether a column of this name has instants.
pub(super) fn is_time(name: &str) -> bool {
    has_word(name, &TIMES)
}

/// Whether a column of this name has days.
pub(super) fn is_day(name: &str) -> bool {
    has_word(name, &DAYS)
}

/// Whether a column of this name has truth values, also where they are written as digits.
pub(super) fn is_flag(name: &str) -> bool {
    has_word(name, &FLAGS)
}

/// Whether a column of this name is a key, judging by how it ends.
pub(super) fn is_key(name: &str) -> bool {
    name.rsplit('_').next().is_some_and(|word| KEYS.contains(&word))
}

/// Whether all values are numbers of payment cards.
pub(super) fn are_cards(name: &str, values: &[&str]) -> bool {
    let least = if has_word(name, &["card", "pan", "karte", "kreditkarte"]) { 1 } else { 5 };
    values.len() >= least && values.iter().all(|value| is_card(value))
}

/// What the values of a column seem to be.
pub(super) fn classify(name: &str, values: &[&str]) -> Option<Classification> {
    let most = |is_one: fn(&str) -> bool| {
        let count = values.iter().filter(|value| is_one(value)).count();
        !values.is_empty() && count * 5 >= values.len() * 4
    };
    if most(is_email) {
        return Some(Classification::Email);
    }
    if most(is_iban) {
        return Some(Classification::Iban);
    }
    if are_cards(name, values) {
        return Some(Classification::Card);
    }
    if has_word(name, &PHONES) && most(is_phone) {
        return Some(Classification::Phone);
    }
    if PEOPLE.iter().any(|person| name.contains(person)) {
        return Some(Classification::PersonName);
    }
    // Others are places: `birth_city`.
    let is_of_birth = || has_word(name, &["birth"]) && (has_word(name, &OF_BIRTH) || most(is_date));
    if has_word(name, &BIRTHS) || is_of_birth() {
        return Some(Classification::BirthDate);
    }
    (has_word(name, &ADDRESSES) && !has_word(name, &OTHER_ADDRESSES)).then_some(Classification::Address)
}

fn is_email(text: &str) -> bool {
    let Some((user, host)) = text.trim().split_once('@') else { return false };
    let is_part = |part: &str| !part.is_empty() && !part.contains([' ', '@', '/']);
    is_part(user) && is_part(host) && host.contains('.') && !host.starts_with('.') && !host.ends_with('.')
}

fn is_phone(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    (6..=16).contains(&digits) && text.chars().all(|c| c.is_ascii_digit() || "+-()/. x".contains(c))
}

fn is_date(text: &str) -> bool {
    times::is_iso_instant(text) || !times::patterns_of(text).is_empty()
}

/// 13 to 19 digits whose check digit holds (Luhn).
fn is_card(text: &str) -> bool {
    let mut digits = Vec::new();
    for c in text.trim().chars().filter(|c| !matches!(c, ' ' | '-')) {
        let Some(digit) = c.to_digit(10) else { return false };
        digits.push(digit);
    }
    let weighed = digits.iter().rev().enumerate().map(|(place, digit)| match digit * 2 {
        doubled if place % 2 == 1 && doubled > 9 => doubled - 9,
        doubled if place % 2 == 1 => doubled,
        _ => *digit,
    });
    let sum: u32 = weighed.sum();
    (13..=19).contains(&digits.len()) && sum > 0 && sum.is_multiple_of(10)
}

/// A country, two check digits that hold (ISO 7064), and an account.
fn is_iban(text: &str) -> bool {
    let kept: Vec<char> = text.trim().chars().filter(|c| *c != ' ').collect();
    let [c1, c2, d1, d2, account @ ..] = kept.as_slice() else { return false };
    let begins = c1.is_ascii_uppercase() && c2.is_ascii_uppercase() && d1.is_ascii_digit() && d2.is_ascii_digit();
    if !begins || !(15..=34).contains(&kept.len()) {
        return false;
    }
    let mut rest: u32 = 0;
    for c in account.iter().chain([c1, c2, d1, d2]) {
        let Some(value) = c.to_digit(36).filter(|_| !c.is_ascii_lowercase()) else { return false };
        let places = if value > 9 { 100 } else { 10 };
        rest = (rest * places + value) % 97;
    }
    rest == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_show_what_they_are() {
        let check = |name: &str, values: &[&str], expected: Option<Classification>| {
            assert_eq!(classify(name, values), expected, "{name}: {values:?}");
        };
        check("contact", &["ann@example.com", "bob.b@mail.example.org"], Some(Classification::Email));
        check("contact", &["ann@example.com", "Bob"], None);
        check("konto", &["DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432"], Some(Classification::Iban));
        check("konto", &["DE89370400440532013001"], None);
        check("card_no", &["4111 1111 1111 1111"], Some(Classification::Card));
        check("card_no", &["4111111111111112"], None);
        // Ids may have a check digit by chance.
        check("trace", &["4111111111111111"], None);
        check("phone", &["+49 30 123456", "(030) 123-456"], Some(Classification::Phone));
        check("vorname", &["Ann"], Some(Classification::PersonName));
        check("date_of_birth", &["2001-01-01"], Some(Classification::BirthDate));
        check("birth", &["2001-01-01", "31.12.1999"], Some(Classification::BirthDate));
        check("birth_year", &["2001"], Some(Classification::BirthDate));
        check("dob", &["unknown"], Some(Classification::BirthDate));
        for place in ["birth_city", "birth_state", "birth_country", "birth"] {
            check(place, &["Ulm", "Bonn"], None);
        }
        check("billing_address", &["Main St. 5"], Some(Classification::Address));
        check("ip_address", &["10.0.0.1"], None);
        check("amount", &["1.50"], None);
        check("amount", &[], None);
    }

    #[test]
    fn names_of_columns_say_what_digits_are() {
        assert!(is_code("zip_code") && is_code("phone") && !is_code("amount"));
        assert!(is_key("order_id") && is_key("id") && !is_key("identity") && !is_key("id_type"));
        assert!(is_time("created_at") && is_time("ts_ms") && !is_time("attempts"));
        assert!(is_money("unit_price") && is_day("order_date") && is_flag("is_open") && !is_flag("island"));
    }
}
