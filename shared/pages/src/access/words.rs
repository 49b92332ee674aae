//! Parts of grants in words.

use std::collections::BTreeSet;

use sluice_core::access::{AccessPath, Principal, PrincipalPattern, Treatment};
use sluice_core::product::OutputPort;

/// Whom a grant means.
pub(super) fn who_words(pattern: &PrincipalPattern) -> String {
    match pattern {
        PrincipalPattern::Anybody => "every known caller".to_owned(),
        PrincipalPattern::One(Principal::Recipient(name)) => format!("recipient {name}"),
        PrincipalPattern::One(Principal::Iam(arn)) => {
            // arn:<partition>:iam::<account>:<role or user>/<name>
            let mut parts = arn.as_str().split(':').skip(4);
            match (parts.next(), parts.next().and_then(|resource| resource.split_once('/'))) {
                (Some(account), Some((kind, name))) => format!("{kind} {name} of account {account}"),
                _ => arn.as_str().to_owned(),
            }
        }
    }
}

/// What may be done by these access paths.
pub(super) fn paths_words(paths: &BTreeSet<AccessPath>) -> String {
    let mut words = vec!["find"];
    for (path, word) in [
        (AccessPath::Rows, "read rows"),
        (AccessPath::Query, "ask by SQL"),
        (AccessPath::Sharing, "read by Delta Sharing"),
    ] {
        if paths.contains(&path) {
            words.push(word);
        }
    }
    words.join(", ")
}

/// Which columns of a port are read in which form. They are not listed where all are read as they are.
pub(super) fn columns_words(port: &OutputPort, forms: &[(String, Treatment)]) -> String {
    let of = |wanted: Treatment| -> Vec<&str> {
        forms.iter().filter(|(_, form)| *form == wanted).map(|(name, _)| name.as_str()).collect()
    };
    if forms.iter().all(|(_, form)| form.is_clear()) {
        return "all columns as they are".to_owned();
    }
    let kinds = [
        (Treatment::Clear, "as they are"),
        (Treatment::Hash, "hashed"),
        (Treatment::Partial, "with their ends alone"),
        (Treatment::Null, "empty"),
        (Treatment::Hide, "hidden"),
    ];
    let texts: Vec<String> = kinds
        .into_iter()
        .filter_map(|(form, words)| {
            let names = of(form);
            (!names.is_empty()).then(|| format!("{} {words}", names.join(", ")))
        })
        .collect();
    format!("columns of {}: {}", port.name, texts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_are_called_by_their_names() {
        let check = |text: &str, expected: &str| assert_eq!(who_words(&text.parse().unwrap()), expected, "{text}");
        check("*", "every known caller");
        check("recipient:acme", "recipient acme");
        check("arn:aws:iam::123456789012:role/analyst", "role analyst of account 123456789012");
        check("arn:aws-cn:iam::123456789012:user/ann", "user ann of account 123456789012");
    }

    #[test]
    fn whoever_may_read_may_find() {
        let check = |paths: &[AccessPath], expected: &str| {
            assert_eq!(paths_words(&paths.iter().copied().collect()), expected, "{paths:?}");
        };
        check(&[AccessPath::Catalogue], "find");
        check(&[AccessPath::Sharing, AccessPath::Rows], "find, read rows, read by Delta Sharing");
    }
}
