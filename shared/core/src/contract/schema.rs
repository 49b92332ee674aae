//! YAML and the standard's own JSON Schema.

use std::sync::LazyLock;

use jsonschema::{Draft, ValidationError, Validator};
use serde_json::Value;

use super::error::{ContractError, Problem};

/// More problems than anyone reads at once.
const MAX_PROBLEMS: usize = 20;

/// Longest message of one problem; the validator may quote whole lists of allowed values.
const MAX_MESSAGE_CHARACTERS: usize = 400;

/// Compiled at first use, in about 10 ms. It also accepts the documents of the v3.1 and v3.0 schemas.
static VALIDATOR: LazyLock<Result<Validator, String>> = LazyLock::new(|| {
    let schema: Value = serde_json::from_str(include_str!("../../schemas/odcs-json-schema-v3.2.0.json"))
        .map_err(|error| error.to_string())?;
    jsonschema::options().with_draft(Draft::Draft201909).build(&schema).map_err(|error| error.to_string())
});

/// Reads one YAML document, within the parser's limits on depth, size and aliases.
pub(super) fn read_yaml(yaml: &str, origin: &str) -> Result<Value, ContractError> {
    let options = serde_saphyr::options! {
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::Error,
        strict_booleans: true,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_reader_input_bytes: Some(4 * 1024 * 1024),
            max_total_scalar_bytes: 4 * 1024 * 1024,
            max_depth: 64,
            max_documents: 1,
        },
    };
    serde_saphyr::from_str_with_options(yaml, options)
        .map_err(|source| ContractError::Yaml { origin: origin.to_owned(), source: Box::new(source) })
}

/// Checks a document against the official schema.
pub(super) fn validate(document: &Value, origin: &str) -> Result<(), ContractError> {
    let validator = VALIDATOR.as_ref().map_err(|message| ContractError::EmbeddedSchema { message: message.clone() })?;
    let mut problems: Vec<Problem> = Vec::new();
    for error in validator.iter_errors(document).take(MAX_PROBLEMS) {
        let problem = Problem { place: place(&error), message: message(&error) };
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(ContractError::Invalid { origin: origin.to_owned(), problems })
}

fn place(error: &ValidationError<'_>) -> String {
    let path = error.instance_path().to_string();
    if path.is_empty() { "/".to_owned() } else { path }
}

/// The validator's words, without quoting whole objects and lists of the document.
fn message(error: &ValidationError<'_>) -> String {
    let text = match error.instance().as_ref() {
        Value::Object(_) => error.masked_with("the object").to_string(),
        Value::Array(_) => error.masked_with("the list").to_string(),
        _ => error.to_string(),
    };
    if error.schema_path().to_string().contains("DataQualityOperators") && error.kind().keyword() == "oneOf" {
        return "exactly one operator is needed: mustBe, mustNotBe, mustBeGreaterThan, mustBeGreaterOrEqualTo, \
                mustBeLessThan, mustBeLessOrEqualTo, mustBeBetween or mustNotBeBetween"
            .to_owned();
    }
    if text.chars().count() <= MAX_MESSAGE_CHARACTERS {
        return text;
    }
    let cut: String = text.chars().take(MAX_MESSAGE_CHARACTERS).collect();
    format!("{cut}…")
}
