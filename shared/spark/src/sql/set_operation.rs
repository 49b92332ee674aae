//! Set operations: two answers as one.

use sluice_core::sql::{SqlError, not_portable, refused};
use sqlparser::ast::{SetOperator, SetQuantifier, Spanned};

use super::relation::Answer;
use super::scope::Field;
use super::types::quoted;

/// The operation in Spark's words.
pub(super) fn words(op: SetOperator, quantifier: SetQuantifier, node: &impl Spanned) -> Result<&'static str, SqlError> {
    match (op, quantifier) {
        (SetOperator::Union, SetQuantifier::All) => Ok("UNION ALL"),
        (SetOperator::Union, SetQuantifier::None | SetQuantifier::Distinct) => Ok("UNION"),
        (SetOperator::Except, SetQuantifier::None | SetQuantifier::Distinct) => Ok("EXCEPT"),
        (SetOperator::Intersect, SetQuantifier::None | SetQuantifier::Distinct) => Ok("INTERSECT"),
        (op, quantifier) => Err(refused::set_operation(op, quantifier, node)),
    }
}

/// Two answers as one, column by column.
pub(super) fn united(left: &Answer, words: &str, right: &Answer, node: &impl Spanned) -> Result<Answer, SqlError> {
    if left.fields.len() != right.fields.len() {
        let what = format!("{words} of {} and {} columns", left.fields.len(), right.fields.len());
        return Err(not_portable(what, node, "select as many on both sides"));
    }
    let mut fields = Vec::with_capacity(left.fields.len());
    for (a, b) in left.fields.iter().zip(&right.fields) {
        let sql_type = a.sql_type.common(b.sql_type).ok_or_else(|| {
            not_portable(format!("{words} of {} and {}", a.sql_type, b.sql_type), node, "CAST one side")
        })?;
        if sql_type.is_nested() && words != "UNION ALL" {
            let what = format!("{words} of a {sql_type}");
            return Err(not_portable(what, node, "use UNION ALL, or leave the column out"));
        }
        fields.push(Field { name: a.name.clone(), sql_type });
    }
    let text = format!("{}\n{words}\n{}", operand(left, &fields), operand(right, &fields));
    Ok(Answer { text, fields })
}

/// One side of a set operation, with the types of the whole.
fn operand(answer: &Answer, fields: &[Field]) -> String {
    let same = answer.fields.iter().zip(fields).all(|(own, whole)| own.sql_type == whole.sql_type);
    if same {
        return format!("({})", answer.text);
    }
    let names: Vec<String> = (1..=fields.len()).map(|index| quoted(&format!("_{index}"))).collect();
    let casts: Vec<String> = answer
        .fields
        .iter()
        .zip(fields)
        .zip(&names)
        .zip(fields)
        .map(|(((_, whole), name), field)| {
            let shown = field.name.as_deref().map_or_else(|| name.clone(), quoted);
            format!("CAST({name} AS {}) AS {shown}", whole.sql_type)
        })
        .collect();
    format!("(SELECT {} FROM ({}) AS `part` ({}))", casts.join(", "), answer.text, names.join(", "))
}
