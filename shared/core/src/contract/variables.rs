//! `${VAR}` references (ODCS 3.2, RFC 50): refused where they would be executed.

use serde_json::Value;

use super::error::Problem;

/// Keys whose content is only documentation, so a reference in them does no harm.
const DOCUMENTATION: &[&str] = &[
    "description",
    "businessName",
    "businessImpact",
    "examples",
    "tags",
    "customProperties",
    "authoritativeDefinitions",
    "synonyms",
    "transformLogic",
    "transformDescription",
    "transformSourceObjects",
    "label",
    "context",
    "dataGranularityDescription",
    "encryptedName",
];

/// For each schema object of the document: its references outside documentation.
pub(super) fn in_objects(document: &Value) -> Vec<Vec<Problem>> {
    let head: Vec<Problem> = ["id", "version"]
        .iter()
        .flat_map(|key| {
            let mut problems = Vec::new();
            if let Some(value) = document.get(key) {
                walk(value, &format!("/{key}"), &mut problems);
            }
            problems
        })
        .collect();
    let objects = document.get("schema").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let of_object = |(index, object): (usize, &Value)| {
        let mut problems = head.clone();
        walk(object, &format!("/schema/{index}"), &mut problems);
        problems
    };
    objects.iter().enumerate().map(of_object).collect()
}

fn walk(value: &Value, path: &str, problems: &mut Vec<Problem>) {
    match value {
        Value::String(text) => {
            if let Some(name) = reference(text) {
                let message = format!(
                    "the variable ${{{name}}} is not resolved; write the value itself (a SQL rule names its table \
                     {{object}} and its column {{property}})"
                );
                problems.push(Problem { place: path.to_owned(), message });
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, &format!("{path}/{index}"), problems);
            }
        }
        Value::Object(map) => {
            for (key, item) in map.iter().filter(|(key, _)| !DOCUMENTATION.contains(&key.as_str())) {
                walk(item, &format!("{path}/{key}"), problems);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The name in the first `${NAME…}` of a text.
fn reference(text: &str) -> Option<&str> {
    text.split("${").skip(1).find_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let name = rest.get(..end)?;
        (rest.contains('}') && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::reference;

    #[test]
    fn finds_references_but_no_regular_expressions() {
        let check = |text: &str, expected: Option<&str>| assert_eq!(reference(text), expected, "{text}");
        check("SELECT 1 FROM ${table}", Some("table"));
        check("${A_1:-x}", Some("A_1"));
        check("^a$", None);
        check("^a${2}", None);
        check("${", None);
        check("$", None);
    }
}
