//! Expressions: their types, and their text in Spark's SQL.

use std::cell::Cell;

use sluice_core::sql::{SqlError, not_portable};
use sqlparser::ast::{BinaryOperator, CaseWhen, DataType, Expr, Ident, Spanned, UnaryOperator};

use super::arithmetic;
use super::caller::Alias;
use super::cast;
use super::function;
use super::literal::{literal, literal_text, quoted_text, temporal};
use super::scope::Scope;
use super::types::{SqlType, Typed};

/// Translates the expressions of one place of a query.
pub(super) struct Expressions<'a> {
    pub(super) scope: &'a Scope,
    /// Whether aggregates may stand here.
    aggregates: bool,
    /// Whether any did.
    pub(super) aggregated: Cell<bool>,
    /// What names that no table has stand for.
    aliases: &'a [Alias<'a>],
    /// Whether types are checked and no text is wanted.
    pub(super) checking: bool,
}

impl<'a> Expressions<'a> {
    /// Where every row answers for itself.
    pub(super) fn of_rows(scope: &'a Scope) -> Self {
        Self { scope, aggregates: false, aggregated: Cell::new(false), aliases: &[], checking: false }
    }

    /// Where aggregates may stand.
    pub(super) fn of_groups(scope: &'a Scope) -> Self {
        Self { aggregates: true, ..Self::of_rows(scope) }
    }

    /// These, for a check of types alone, whose texts are [brief](Typed::brief).
    pub(super) fn checking(self, checking: bool) -> Self {
        Self { checking, ..self }
    }

    /// These, where names that no table has stand for what is selected.
    pub(super) fn with_aliases(&self, aliases: &'a [Alias<'a>]) -> Self {
        let (scope, aggregates, checking) = (self.scope, self.aggregates, self.checking);
        Self { scope, aggregates, aggregated: Cell::new(self.aggregated.get()), aliases, checking }
    }

    /// Whether this is a name of what is selected, and of no column.
    pub(super) fn is_alias(&self, expr: &Expr) -> bool {
        matches!(expr, Expr::Identifier(ident) if self.alias(ident).is_some())
    }

    fn alias(&self, ident: &Ident) -> Option<&'a Expr> {
        let found = self.aliases.iter().find(|(name, _)| *name == ident.value);
        found.filter(|_| !self.scope.has(&ident.value)).map(|(_, expr)| *expr)
    }

    /// Those inside an aggregate.
    pub(super) fn inside_aggregate(&self, node: &impl Spanned) -> Result<Self, SqlError> {
        if !self.aggregates {
            return Err(not_portable("an aggregate here", node, "aggregate in SELECT or HAVING, and not twice"));
        }
        self.aggregated.set(true);
        Ok(Self { aliases: self.aliases, ..Self::of_rows(self.scope).checking(self.checking) })
    }

    pub(super) fn typed(&self, expr: &Expr) -> Result<Typed, SqlError> {
        let typed = self.item(expr)?;
        if typed.sql_type.is_nested() {
            let hint = "select it alone, or test it with IS NULL; to compute with a value inside, read it into a \
                        column of its own, by a path under silver[].columns";
            return Err(not_portable(format!("`{expr}`, which is a list or an object,"), expr, hint));
        }
        Ok(typed)
    }

    /// As [`Expressions::typed`], where a list or an object may stand, too.
    pub(super) fn item(&self, expr: &Expr) -> Result<Typed, SqlError> {
        self.translated(expr).map(|typed| self.kept(typed))
    }

    /// The value with the text that is kept of it.
    pub(super) fn kept(&self, typed: Typed) -> Typed {
        if self.checking { typed.brief() } else { typed }
    }

    fn translated(&self, expr: &Expr) -> Result<Typed, SqlError> {
        match expr {
            Expr::Identifier(ident) => match self.alias(ident) {
                // What it stands for was written where there are no other names.
                Some(selected) => self.with_aliases(&[]).typed(selected),
                None => self.scope.column(ident),
            },
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [table, column] => self.scope.column_of(table, column),
                _ => Err(not_portable(format!("the name {expr}"), expr, "write column or table.column")),
            },
            Expr::Value(value) => literal(&value.value, expr),
            Expr::TypedString(typed) => self.typed_string(&typed.data_type, &Expr::Value(typed.value.clone()), expr),
            Expr::Nested(inner) => self.typed(inner),
            Expr::UnaryOp { op, expr: inner } => self.unary(*op, inner, expr),
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right, expr),
            Expr::IsNull(inner) => self.is(inner, "IS NULL"),
            Expr::IsNotNull(inner) => self.is(inner, "IS NOT NULL"),
            Expr::IsTrue(inner) => self.truth(inner, "IS TRUE"),
            Expr::IsNotTrue(inner) => self.truth(inner, "IS NOT TRUE"),
            Expr::IsFalse(inner) => self.truth(inner, "IS FALSE"),
            Expr::IsNotFalse(inner) => self.truth(inner, "IS NOT FALSE"),
            Expr::Between { expr: inner, negated, low, high } => self.between(inner, *negated, low, high),
            Expr::InList { expr: inner, list, negated } => self.in_list(inner, list, *negated, expr),
            Expr::Like { expr: inner, pattern, negated, .. } => self.like(inner, pattern, *negated, expr),
            Expr::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref(), expr)
            }
            Expr::Cast { expr: inner, data_type, .. } => cast::cast(&self.typed(inner)?, inner, data_type, expr),
            _ => function::call(self, expr),
        }
    }

    /// A condition: a truth value or null.
    pub(super) fn condition(&self, expr: &Expr) -> Result<Typed, SqlError> {
        let typed = self.typed(expr)?;
        match typed.sql_type {
            SqlType::Boolean | SqlType::Null => Ok(Typed::new(typed.cast(SqlType::Boolean), SqlType::Boolean)),
            other => Err(not_portable(format!("a condition of type {other}"), expr, "compare it with something")),
        }
    }

    /// A value of a type, or null as that type.
    pub(super) fn of_type(&self, expr: &Expr, expected: SqlType) -> Result<Typed, SqlError> {
        let typed = self.typed(expr)?;
        if typed.sql_type == expected || typed.sql_type == SqlType::Null {
            return Ok(Typed::new(typed.cast(expected), expected));
        }
        Err(not_portable(format!("a {} where a {expected} belongs", typed.sql_type), expr, "CAST it"))
    }

    fn typed_string(&self, data_type: &DataType, text: &Expr, expr: &Expr) -> Result<Typed, SqlError> {
        let sql_type = match data_type {
            DataType::Date => SqlType::Date,
            DataType::Timestamp(None, sqlparser::ast::TimezoneInfo::None) => SqlType::Timestamp,
            _ => return Err(not_portable(format!("the literal {expr}"), expr, "use DATE '…' and TIMESTAMP '…'")),
        };
        temporal(literal_text(text).unwrap_or_default(), sql_type, expr)
    }

    fn unary(&self, op: UnaryOperator, inner: &Expr, expr: &Expr) -> Result<Typed, SqlError> {
        match op {
            UnaryOperator::Not => Ok(Typed::new(format!("(NOT {})", self.condition(inner)?.text), SqlType::Boolean)),
            UnaryOperator::Minus => arithmetic::negated(&self.typed(inner)?, expr),
            _ => {
                let typed = self.typed(inner)?;
                if typed.sql_type.is_number() { Ok(typed) } else { Err(arithmetic::no_number(typed.sql_type, inner)) }
            }
        }
    }

    fn binary(&self, left: &Expr, op: &BinaryOperator, right: &Expr, expr: &Expr) -> Result<Typed, SqlError> {
        match op {
            BinaryOperator::And | BinaryOperator::Or => {
                let (a, b) = (self.condition(left)?.text, self.condition(right)?.text);
                Ok(Typed::new(format!("({a} {op} {b})"), SqlType::Boolean))
            }
            BinaryOperator::StringConcat => {
                let (a, b) = (self.of_type(left, SqlType::Text)?.text, self.of_type(right, SqlType::Text)?.text);
                Ok(Typed::new(format!("({a} || {b})"), SqlType::Text))
            }
            BinaryOperator::Plus
            | BinaryOperator::Minus
            | BinaryOperator::Multiply
            | BinaryOperator::Divide
            | BinaryOperator::Modulo => arithmetic::binary(&self.typed(left)?, op, &self.typed(right)?, expr),
            _ => {
                let (a, b) = self.compared(left, right)?;
                Ok(Typed::new(format!("({} {op} {})", a.text, b.text), SqlType::Boolean))
            }
        }
    }

    /// Two values that can be compared.
    pub(super) fn compared(&self, left: &Expr, right: &Expr) -> Result<(Typed, Typed), SqlError> {
        self.compared_with((left, &self.typed(left)?), right)
    }

    /// As [`Expressions::compared`], for a value that is compared with several others: it is typed once, so that values
    /// inside each other are not typed again and again.
    fn compared_with(&self, (left, value): (&Expr, &Typed), right: &Expr) -> Result<(Typed, Typed), SqlError> {
        comparable((left, value.clone()), (right, self.typed(right)?))
    }

    fn is(&self, inner: &Expr, test: &str) -> Result<Typed, SqlError> {
        Ok(Typed::new(format!("({} {test})", self.item(inner)?.text), SqlType::Boolean))
    }

    fn truth(&self, inner: &Expr, test: &str) -> Result<Typed, SqlError> {
        Ok(Typed::new(format!("({} {test})", self.condition(inner)?.text), SqlType::Boolean))
    }

    fn between(&self, inner: &Expr, negated: bool, low: &Expr, high: &Expr) -> Result<Typed, SqlError> {
        let value = self.typed(inner)?;
        let (above, low) = self.compared_with((inner, &value), low)?;
        let (below, high) = self.compared_with((inner, &value), high)?;
        let not = if negated { "NOT " } else { "" };
        // Each comparison by itself: engines that look for one type of all three may find another.
        let text = format!("({not}({} >= {} AND {} <= {}))", above.text, low.text, below.text, high.text);
        Ok(Typed::new(text, SqlType::Boolean))
    }

    fn in_list(&self, inner: &Expr, list: &[Expr], negated: bool, expr: &Expr) -> Result<Typed, SqlError> {
        let value = self.typed(inner)?;
        // One comparison each, so that no item changes the type by which another is compared.
        let mut any = Vec::with_capacity(list.len());
        for item in list {
            let (value, item_value) = self.compared_with((inner, &value), item)?;
            if item_value.sql_type == SqlType::Null {
                return Err(not_portable("NULL in an IN list", item, "write OR x IS NULL"));
            }
            any.push(format!("{} = {}", value.text, item_value.text));
        }
        if any.is_empty() {
            return Err(not_portable("an empty IN list", expr, "write at least one value"));
        }
        let not = if negated { "NOT " } else { "" };
        Ok(Typed::new(format!("({not}({}))", any.join(" OR ")), SqlType::Boolean))
    }

    fn like(&self, inner: &Expr, pattern: &Expr, negated: bool, expr: &Expr) -> Result<Typed, SqlError> {
        let value = self.of_type(inner, SqlType::Text)?;
        let pattern = literal_text(pattern)
            .ok_or_else(|| not_portable("a computed LIKE pattern", expr, "write the pattern as 'text'"))?;
        let not = if negated { "NOT " } else { "" };
        Ok(Typed::new(format!("({} {not}LIKE {})", value.text, quoted_text(pattern)), SqlType::Boolean))
    }

    fn case(
        &self,
        operand: Option<&Expr>,
        conditions: &[CaseWhen],
        otherwise: Option<&Expr>,
        expr: &Expr,
    ) -> Result<Typed, SqlError> {
        let operand = match operand {
            Some(operand) => Some((operand, self.typed(operand)?)),
            None => None,
        };
        let mut tests = Vec::with_capacity(conditions.len());
        for when in conditions {
            tests.push(match &operand {
                Some((operand, value)) => {
                    let (a, b) = self.compared_with((*operand, value), &when.condition)?;
                    format!("{} = {}", a.text, b.text)
                }
                None => self.condition(&when.condition)?.text,
            });
        }
        let results: Vec<&Expr> = conditions.iter().map(|when| &when.result).chain(otherwise).collect();
        let (texts, sql_type) = self.alike(&results, expr)?;
        let mut text = "CASE".to_owned();
        for (test, result) in tests.iter().zip(&texts) {
            text.push_str(&format!(" WHEN {test} THEN {result}"));
        }
        if let Some(result) = texts.get(tests.len()) {
            text.push_str(&format!(" ELSE {result}"));
        }
        text.push_str(" END");
        Ok(Typed::new(text, sql_type))
    }

    /// Values as texts of their one common type.
    pub(super) fn alike(&self, exprs: &[&Expr], node: &Expr) -> Result<(Vec<String>, SqlType), SqlError> {
        let typed: Vec<Typed> = exprs.iter().map(|expr| self.typed(expr)).collect::<Result<_, _>>()?;
        let mut common = SqlType::Null;
        for value in &typed {
            common = common.common(value.sql_type).ok_or_else(|| {
                let what = format!("{} and {} as one value", common, value.sql_type);
                not_portable(what, node, "CAST one to the type of the other")
            })?;
        }
        Ok((typed.iter().map(|value| value.cast(common)).collect(), common))
    }
}

/// Two values that can be compared; a literal text that is compared with a day or an instant is read as one.
fn comparable((left, mut a): (&Expr, Typed), (right, mut b): (&Expr, Typed)) -> Result<(Typed, Typed), SqlError> {
    if let Some(written) = literal_text(left)
        && b.sql_type.is_temporal()
    {
        a = temporal(written, b.sql_type, left)?;
    } else if let Some(written) = literal_text(right)
        && a.sql_type.is_temporal()
    {
        b = temporal(written, a.sql_type, right)?;
    }
    if a.sql_type.compares_with(b.sql_type) {
        return Ok((a, b));
    }
    let what = format!("a comparison of {} with {}", a.sql_type, b.sql_type);
    Err(not_portable(what, right, "CAST one to the type of the other"))
}
