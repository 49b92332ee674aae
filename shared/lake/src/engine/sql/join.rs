//! Joins of two frames under any condition.
//!
//! Polars' own SQL takes a condition apart by where its names are written, makes an inner join of an outer one whose
//! condition holds more than equalities, and knows the columns of `USING` by those of the left table alone. So joins are
//! planned here, over frames whose columns all have names of their own.

use polars::prelude::{
    DataType, Expr as Column, IdxSize, JoinCoalesce, JoinType, LazyFrame, LiteralValue, PlSmallStr, Schema, UnionArgs,
    coalesce, col, concat, lit,
};
use sqlparser::ast::{BinaryOperator, Expr, JoinConstraint, JoinOperator, ObjectName};

use super::dialect::without_room;
use super::frame::{columns_of, extended, filtered, names, refused, uncounted};
use super::numbers::MAX_DIGITS;
use super::scope::{self, Scope, column};
use crate::engine::EngineError;

/// The rows of one or more tables, and what the names of a statement stand for in them.
pub(super) struct Rows {
    pub(super) frame: LazyFrame,
    pub(super) scope: Scope,
    /// How often the plan of a side stands in the plan of the join that made them; 1 for a table.
    pub(super) copies: usize,
}

impl Rows {
    /// Those of a table.
    pub(super) fn of(frame: LazyFrame, scope: Scope) -> Self {
        Self { frame, scope, copies: 1 }
    }
}

/// Which rows without a partner stay, with nulls for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kept {
    left: bool,
    right: bool,
}

impl Kept {
    /// Those of an inner join.
    pub(super) const NONE: Self = Self { left: false, right: false };

    fn join_type(self) -> JoinType {
        match (self.left, self.right) {
            (false, false) => JoinType::Inner,
            (true, false) => JoinType::Left,
            (false, true) => JoinType::Right,
            (true, true) => JoinType::Full,
        }
    }
}

/// What a join keeps, and under which condition rows go together; no condition in a cross join.
///
/// # Errors
/// For a join outside the subset.
pub(super) fn taken_apart(operator: JoinOperator) -> Result<(Kept, Option<JoinConstraint>), EngineError> {
    let (left, right, constraint) = match operator {
        JoinOperator::CrossJoin(_) => return Ok((Kept::NONE, None)),
        JoinOperator::Join(on) | JoinOperator::Inner(on) => (false, false, on),
        JoinOperator::Left(on) | JoinOperator::LeftOuter(on) => (true, false, on),
        JoinOperator::Right(on) | JoinOperator::RightOuter(on) => (false, true, on),
        JoinOperator::FullOuter(on) => (true, true, on),
        _ => return Err(refused("this kind of join: use INNER, LEFT, RIGHT, FULL or CROSS JOIN".to_owned())),
    };
    Ok((Kept { left, right }, Some(constraint)))
}

/// The rows of both tables that go together, and those without a partner that stay.
///
/// # Errors
/// For a condition that does not fit the tables.
pub(super) fn joined(
    left: Rows,
    right: Rows,
    kept: Kept,
    constraint: Option<JoinConstraint>,
) -> Result<Rows, EngineError> {
    match constraint {
        None => by_condition(left, right, kept, Vec::new()),
        Some(JoinConstraint::On(mut condition)) => {
            left.scope.clone().and(right.scope.clone())?.resolve(&mut condition, &[])?;
            by_condition(left, right, kept, conjuncts(condition))
        }
        Some(JoinConstraint::Using(columns)) => using(left, right, kept, &columns),
        Some(_) => Err(refused("a join without a condition: write ON … or USING (…)".to_owned())),
    }
}

fn using(left: Rows, right: Rows, kept: Kept, columns: &[ObjectName]) -> Result<Rows, EngineError> {
    let (mut conditions, mut merged, mut whole) = (Vec::new(), Vec::new(), Vec::new());
    for written in columns {
        let name = written.to_string();
        let ident = written.0.first().and_then(|part| part.as_ident()).map_or(name.as_str(), |ident| &ident.value);
        let missing = || refused(format!("USING ({name}): name columns that both tables have"));
        if merged.iter().any(|known: &scope::Column| known.name == *ident) {
            continue;
        }
        let (a, b) = (left.scope.column(ident)?, right.scope.column(ident)?);
        let (a, b) = (a.ok_or_else(missing)?.to_owned(), b.ok_or_else(missing)?.to_owned());
        conditions.push(equal(column(&a), column(&b)));
        let in_frame = match kept.join_type() {
            JoinType::Right => b,
            JoinType::Full => {
                whole.push(coalesce(&[col(a), col(b)]).alias(ident));
                ident.to_owned()
            }
            _ => a,
        };
        merged.push(scope::Column { name: ident.to_owned(), in_frame });
    }
    let mut rows = by_condition(left, right, kept, conditions)?;
    if !whole.is_empty() {
        rows.frame = rows.frame.with_columns(whole);
    }
    rows.scope.merge(merged);
    Ok(rows)
}

/// The conditions that all have to hold.
pub(super) fn conjuncts(condition: Expr) -> Vec<Expr> {
    let (mut found, mut rest) = (Vec::new(), vec![condition]);
    while let Some(condition) = rest.pop() {
        match condition {
            Expr::Nested(inner) => rest.push(*inner),
            Expr::BinaryOp { left, op: BinaryOperator::And, right } => rest.extend([*right, *left]),
            other => found.push(other),
        }
    }
    found
}

/// All of the conditions as one; `None` for none.
pub(super) fn conjunction(conditions: Vec<Expr>) -> Option<Expr> {
    conditions.into_iter().map(|condition| Expr::Nested(Box::new(condition))).reduce(|left, right| Expr::BinaryOp {
        left: Box::new(left),
        op: BinaryOperator::And,
        right: Box::new(right),
    })
}

fn equal(left: Expr, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op: BinaryOperator::Eq, right: Box::new(right) }
}

/// What the equality of a value of the left side and one of the right compares; `None` for other conditions.
pub(super) fn key(condition: &Expr, left: &[&str], right: &[&str]) -> Option<(Expr, Expr)> {
    let Expr::BinaryOp { left: a, op: BinaryOperator::Eq, right: b } = condition else { return None };
    let (a, b) = (without_room(a), without_room(b));
    let of = |expr: &Expr, side: &[&str]| {
        let columns = columns_of(expr);
        !columns.is_empty() && columns.iter().all(|column| side.contains(&column.as_str()))
    };
    if of(&a, left) && of(&b, right) {
        return Some((a, b));
    }
    (of(&a, right) && of(&b, left)).then_some((b, a))
}

/// The condition of a join, by what can be done with its parts.
#[derive(Default)]
struct Parts {
    /// Equalities of the two sides.
    keys: Vec<(Expr, Expr)>,
    /// What a row of a side has to be to have a partner, where it does not stay without one.
    left: Vec<Expr>,
    right: Vec<Expr>,
    /// Everything else.
    others: Vec<Expr>,
}

impl Parts {
    fn of(conditions: Vec<Expr>, left: &[&str], right: &[&str], kept: Kept) -> Self {
        let mut parts = Self::default();
        for condition in conditions {
            if let Some(key) = key(&condition, left, right) {
                // Polars refuses to join by the same two values twice, in whichever order they are written.
                if !parts.keys.contains(&key) {
                    parts.keys.push(key);
                }
                continue;
            }
            let columns = columns_of(&condition);
            let only =
                |side: &[&str]| !columns.is_empty() && columns.iter().all(|column| side.contains(&column.as_str()));
            let part = if only(left) && !kept.left {
                &mut parts.left
            } else if only(right) && !kept.right {
                &mut parts.right
            } else {
                &mut parts.others
            };
            part.push(condition);
        }
        parts
    }
}

/// [`joined`], by conditions over the columns of both frames that all have to hold.
///
/// # Errors
/// As [`joined`].
pub(super) fn by_condition(left: Rows, right: Rows, kept: Kept, conditions: Vec<Expr>) -> Result<Rows, EngineError> {
    let parts = Parts::of(conditions, &left.scope.in_frame(), &right.scope.in_frame(), kept);
    let scope = left.scope.and(right.scope)?;
    let mut sides = Keyed {
        left: filtered(left.frame, conjunction(parts.left))?,
        right: filtered(right.frame, conjunction(parts.right))?,
        keys: Vec::new(),
    };
    for (index, (a, b)) in parts.keys.into_iter().enumerate() {
        sides.add(a, b, index)?;
    }
    let others = conjunction(parts.others);
    let (frame, copies) = match others {
        None if kept == Kept::NONE || !sides.keys.is_empty() => (sides.join(kept.join_type()), 1),
        others if kept == Kept::NONE => (filtered(sides.join(JoinType::Inner), others)?, 1),
        others if kept.left && kept.right => (full(sides, others)?, 3),
        others => (one_sided(sides, kept, others)?, 2),
    };
    let columns: Vec<Column> = scope.in_frame().into_iter().map(col).collect();
    Ok(Rows { frame: frame.select(columns), scope, copies })
}

/// Two frames with the names of the columns by which they are joined.
struct Keyed {
    left: LazyFrame,
    right: LazyFrame,
    keys: Vec<(PlSmallStr, PlSmallStr)>,
}

impl Keyed {
    /// Joins by these values as well. Polars compares keys of one type alone.
    fn add(&mut self, a: Expr, b: Expr, index: usize) -> Result<(), EngineError> {
        let condition = equal(a.clone(), b.clone());
        let (left, right) = (format!("_left_key_{index}"), format!("_right_key_{index}"));
        let (a, of_a) = computed(&mut self.left, a, &left)?;
        let (b, of_b) = computed(&mut self.right, b, &right)?;
        if of_a == of_b {
            self.keys.push((a, b));
            return Ok(());
        }
        let common = common_key(&of_a, &of_b).ok_or_else(|| {
            refused(format!(
                "the join by {condition} compares {of_a} with {of_b}: CAST one side to the type of the other"
            ))
        })?;
        let cast = |frame: &mut LazyFrame, key: PlSmallStr, name: &str| {
            *frame = std::mem::take(frame).with_column(col(key).strict_cast(common.clone()).alias(name));
            PlSmallStr::from(name)
        };
        let (a, b) = (cast(&mut self.left, a, &left), cast(&mut self.right, b, &right));
        self.keys.push((a, b));
        Ok(())
    }

    fn join(&self, how: JoinType) -> LazyFrame {
        let (left, right) = (self.left.clone(), self.right.clone());
        if self.keys.is_empty() {
            return left.cross_join(right, None);
        }
        let (a, b): (Vec<Column>, Vec<Column>) =
            self.keys.iter().map(|(a, b)| (col(a.clone()), col(b.clone()))).unzip();
        let joined = left.join_builder().with(right).left_on(a).right_on(b).how(how);
        joined.coalesce(JoinCoalesce::KeepColumns).finish()
    }
}

/// The name and type of a value of the frame, which gets a column of this name for what is not a column itself.
fn computed(frame: &mut LazyFrame, value: Expr, name: &str) -> Result<(PlSmallStr, DataType), EngineError> {
    let name = if let Expr::Identifier(column) = &value {
        PlSmallStr::from(column.value.as_str())
    } else {
        *frame = extended(std::mem::take(frame), &[(value, name.to_owned())])?;
        PlSmallStr::from(name)
    };
    let found = frame.collect_schema()?.get(name.as_str()).cloned();
    Ok((name, found.unwrap_or(DataType::Null)))
}

/// The type in which keys of two types are equal exactly if they are; `None` where no such type exists.
fn common_key(a: &DataType, b: &DataType) -> Option<DataType> {
    match (a, b) {
        (a, b) if a.is_integer() && b.is_integer() => Some(DataType::Int64),
        (DataType::Decimal(_, places), DataType::Decimal(_, others)) if places == others => {
            Some(DataType::Decimal(MAX_DIGITS, *places))
        }
        _ => None,
    }
}

/// Number of a row of the left side.
const LEFT_ROW: &str = "_left_row";
/// Number of a row of the right side.
const RIGHT_ROW: &str = "_right_row";
/// Number of a row of the kept side that has a partner.
const FOUND_ROW: &str = "_found_row";

/// The frame with its rows numbered, and kept, so that each has the same number wherever it is read.
fn numbered(frame: LazyFrame, name: &str) -> LazyFrame {
    frame.with_row_index(name, None::<IdxSize>).cache()
}

/// Each row of the kept side with the rows of the other side that go with it under the whole condition, or with nulls.
fn one_sided(mut sides: Keyed, kept: Kept, condition: Option<Expr>) -> Result<LazyFrame, EngineError> {
    let (side, other, row) = if kept.left {
        (&mut sides.left, &mut sides.right, LEFT_ROW)
    } else {
        (&mut sides.right, &mut sides.left, RIGHT_ROW)
    };
    *side = numbered(std::mem::take(side), row);
    let (all, of_other) = (side.clone(), names(other)?);
    let together = filtered(sides.join(JoinType::Inner), condition)?;
    let found = std::iter::once(col(row).alias(FOUND_ROW)).chain(of_other.into_iter().map(col));
    let joined = all.join_builder().with(together.select(found.collect::<Vec<Column>>()));
    Ok(joined
        .left_on([col(row)])
        .right_on([col(FOUND_ROW)])
        .how(JoinType::Left)
        .coalesce(JoinCoalesce::KeepColumns)
        .finish())
}

/// The rows that go together under the whole condition, and then those of both sides that are not among them.
fn full(mut sides: Keyed, condition: Option<Expr>) -> Result<LazyFrame, EngineError> {
    sides.left = numbered(sides.left, LEFT_ROW);
    sides.right = numbered(sides.right, RIGHT_ROW);
    let mut together = filtered(sides.join(JoinType::Inner), condition)?.cache();
    let schema = together.collect_schema()?;
    let mut parts = vec![together.clone()];
    for (side, row) in [(sides.left, LEFT_ROW), (sides.right, RIGHT_ROW)] {
        let found = together.clone().select([col(row)]);
        let alone = side.join(found, [col(row)], [col(row)], JoinType::Anti.into());
        parts.push(with_nulls(alone, &schema)?);
    }
    let all = UnionArgs { parallel: true, ..UnionArgs::default() };
    Ok(uncounted(concat(parts, all)?))
}

/// The frame with all of these columns: nulls where it has none of the name.
fn with_nulls(mut frame: LazyFrame, schema: &Schema) -> Result<LazyFrame, EngineError> {
    let known = names(&mut frame)?;
    let column = |(name, dtype): (&PlSmallStr, &DataType)| {
        if known.contains(&name.to_string()) {
            col(name.clone())
        } else {
            lit(LiteralValue::untyped_null()).cast(dtype.clone()).alias(name.clone())
        }
    };
    Ok(frame.select(schema.iter().map(column).collect::<Vec<Column>>()))
}
