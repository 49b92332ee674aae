//! Queries: tables, joins, groups, set operations.

use std::collections::BTreeMap;

use sluice_core::sql::{SqlError, not_portable, refused};
use sqlparser::ast::{
    Distinct, Expr, Join, JoinConstraint, JoinOperator, ObjectName, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, TableAlias, TableFactor, TableWithJoins,
};

use super::caller::{aliases, is_name, ordering};
use super::expression::Expressions;
use super::group::{check_grouped, group_texts};
use super::relation::{Answer, Relation, SparkQuery};
use super::scope::{Field, Scope, Source, unknown_table};
use super::set_operation::{united, words};
use super::types::{SqlType, quoted};

/// A table of `WITH`.
struct Cte {
    name: String,
    /// Its name in Spark, which no view has.
    spark_name: String,
    fields: Vec<Field>,
}

/// Translates queries over tables, by the name that the subset gives them.
pub(super) struct Translator<'a> {
    tables: BTreeMap<String, &'a Relation>,
    ctes: Vec<Cte>,
    /// Whether the statement is a caller's: its types are checked, no text is wanted, and names are taken as callers
    /// write them.
    of_caller: bool,
}

impl<'a> Translator<'a> {
    pub(super) fn new(tables: BTreeMap<String, &'a Relation>) -> Self {
        Self { tables, ctes: Vec::new(), of_caller: false }
    }

    /// For the statement of a caller.
    pub(super) fn of_caller(tables: BTreeMap<String, &'a Relation>) -> Self {
        Self { of_caller: true, ..Self::new(tables) }
    }

    /// Where every row answers for itself.
    fn rows<'s>(&self, scope: &'s Scope) -> Expressions<'s> {
        Expressions::of_rows(scope).checking(self.of_caller)
    }

    /// A statement whose columns all have names.
    pub(super) fn whole(mut self, query: &Query) -> Result<SparkQuery, SqlError> {
        let answer = self.query(query)?;
        let mut columns = Vec::with_capacity(answer.fields.len());
        for field in answer.fields {
            let hint = "give it one with AS";
            let name = field.name.ok_or_else(|| not_portable("a column without a name", query, hint))?;
            columns.push((name, field.sql_type));
        }
        Ok(SparkQuery { text: answer.text, columns })
    }

    /// A statement whose columns need no names.
    pub(super) fn unnamed(mut self, query: &Query) -> Result<SparkQuery, SqlError> {
        let answer = self.query(query)?;
        let columns = answer.fields.into_iter().map(|field| (field.name.unwrap_or_default(), field.sql_type));
        Ok(SparkQuery { text: answer.text, columns: columns.collect() })
    }

    fn query(&mut self, query: &Query) -> Result<Answer, SqlError> {
        let outside = self.ctes.len();
        let mut parts = Vec::new();
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            let name = &cte.alias.name.value;
            if self.ctes.iter().skip(outside).any(|known| known.name.eq_ignore_ascii_case(name)) {
                return Err(not_portable(format!("a second `{name}`"), &cte.alias, "give it another name"));
            }
            let mut answer = self.query(&cte.query)?;
            rename(&mut answer.fields, &cte.alias)?;
            let spark_name = self.free_name(name);
            let names = column_list(&answer.fields, &cte.alias)?;
            parts.push(format!("{}{names} AS (\n{}\n)", quoted(&spark_name), answer.text));
            self.ctes.push(Cte { name: name.clone(), spark_name, fields: answer.fields });
        }
        let order = ordering(query);
        let mut answer = match query.body.as_ref() {
            SetExpr::Select(select) => self.select(select, &order)?,
            body => {
                let answer = self.set(body)?;
                let scope = Scope::of(Source { name: None, fields: answer.fields.clone() });
                order.iter().try_for_each(|by| self.rows(&scope).typed(by).map(drop))?;
                answer
            }
        };
        self.ctes.truncate(outside);
        if !parts.is_empty() {
            answer.text = format!("WITH {}\n{}", parts.join(",\n"), answer.text);
        }
        Ok(answer)
    }

    /// A name for a table of `WITH` that hides no view and no other such table.
    fn free_name(&self, name: &str) -> String {
        let mut free = name.to_owned();
        let taken = |free: &str| {
            self.tables.values().any(|relation| relation.name.eq_ignore_ascii_case(free))
                || self.ctes.iter().any(|cte| cte.spark_name.eq_ignore_ascii_case(free))
        };
        while taken(&free) {
            free.push('_');
        }
        free
    }

    fn set(&mut self, body: &SetExpr) -> Result<Answer, SqlError> {
        match body {
            SetExpr::Select(select) => self.select(select, &[]),
            SetExpr::Query(query) => {
                let answer = self.query(query)?;
                Ok(Answer { text: format!("({})", answer.text), fields: answer.fields })
            }
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                let words = words(*op, *set_quantifier, body)?;
                let (left, right) = (self.set(left)?, self.set(right)?);
                united(&left, words, &right, body)
            }
            other => Err(refused::query_form(other)),
        }
    }

    /// `order` is by what a caller's answer is ordered.
    fn select(&mut self, select: &Select, order: &[&Expr]) -> Result<Answer, SqlError> {
        let mut scope = Scope::default();
        let mut from = Vec::with_capacity(select.from.len());
        for tables in &select.from {
            let (text, tables) = self.tables(tables)?;
            scope.join(tables, select)?;
            from.push(text);
        }
        if from.is_empty() && (select.selection.is_some() || select.having.is_some()) {
            return Err(not_portable("a condition without FROM", select, "read a table"));
        }
        let all = Expressions::of_groups(&scope).checking(self.of_caller);
        let (items, fields) = projected(select, &all)?;
        let rows = self.rows(&scope);
        check_nested(select, &fields, order)?;
        let distinct = if matches!(select.distinct, Some(Distinct::Distinct)) { " DISTINCT" } else { "" };
        if from.is_empty() && (items.is_empty() || all.aggregated.get()) {
            return Err(not_portable("* or an aggregate without FROM", select, "read a table"));
        }
        let mut text = format!("SELECT{distinct}\n  {}", items.join(",\n  "));
        if !from.is_empty() {
            text.push_str(&format!("\nFROM {}", from.join(", ")));
        }
        if let Some(filter) = &select.selection {
            text.push_str(&format!("\nWHERE {}", rows.condition(filter)?.text));
        }
        let aliases = if self.of_caller { aliases(select) } else { Vec::new() };
        let (all, rows) = (all.with_aliases(&aliases), rows.with_aliases(&aliases));
        let groups = group_texts(select, &rows)?;
        if !groups.is_empty() {
            text.push_str(&format!("\nGROUP BY {}", groups.join(", ")));
        }
        if let Some(having) = &select.having {
            text.push_str(&format!("\nHAVING {}", all.condition(having)?.text));
        }
        let order: Vec<&Expr> = order.iter().copied().filter(|by| !is_name(by, &fields)).collect();
        order.iter().try_for_each(|by| all.typed(by).map(drop))?;
        if all.aggregated.get() || !groups.is_empty() {
            check_grouped(select, &rows, &groups, &order)?;
        } else if let Some(having) = &select.having {
            return Err(not_portable("HAVING without groups", having, "use WHERE"));
        }
        Ok(Answer { text, fields })
    }

    fn tables(&mut self, tables: &TableWithJoins) -> Result<(String, Scope), SqlError> {
        let (mut text, mut scope) = self.factor(&tables.relation)?;
        for join in &tables.joins {
            text.push_str(&self.join(join, &mut scope)?);
        }
        Ok((text, scope))
    }

    fn join(&mut self, join: &Join, scope: &mut Scope) -> Result<String, SqlError> {
        let (text, right) = self.factor(&join.relation)?;
        let (kind, constraint) = match &join.join_operator {
            JoinOperator::CrossJoin(_) => ("CROSS JOIN", None),
            JoinOperator::Join(on) | JoinOperator::Inner(on) => ("JOIN", Some(on)),
            JoinOperator::Left(on) | JoinOperator::LeftOuter(on) => ("LEFT JOIN", Some(on)),
            JoinOperator::Right(on) | JoinOperator::RightOuter(on) => ("RIGHT JOIN", Some(on)),
            JoinOperator::FullOuter(on) => ("FULL JOIN", Some(on)),
            _ => return Err(refused::join_kind(join)),
        };
        let condition = match constraint {
            None => {
                scope.join(right, join)?;
                String::new()
            }
            Some(JoinConstraint::On(condition)) => {
                scope.join(right, join)?;
                format!(" ON {}", self.rows(scope).condition(condition)?.text)
            }
            Some(JoinConstraint::Using(columns)) => {
                let merged = merged(columns, scope, &right)?;
                let names: Vec<String> = merged.iter().map(|(name, _)| quoted(name)).collect();
                scope.join(right, join)?;
                scope.merged.extend(merged);
                format!(" USING ({})", names.join(", "))
            }
            Some(_) => return Err(refused::join_without_condition(join)),
        };
        Ok(format!("\n  {kind} {text}{condition}"))
    }

    fn factor(&mut self, factor: &TableFactor) -> Result<(String, Scope), SqlError> {
        match factor {
            TableFactor::Table { name, alias, .. } => self.table(name, alias.as_ref()),
            TableFactor::Derived { subquery, alias, .. } => {
                let answer = self.query(subquery)?;
                if let Some(alias) = alias {
                    no_column_names(alias)?;
                }
                let name = alias.as_ref().map(|alias| alias.name.value.clone());
                let shown = name.as_ref().map(|name| format!(" AS {}", quoted(name))).unwrap_or_default();
                let text = format!("(\n{}\n){shown}", answer.text);
                Ok((text, Scope::of(Source { name, fields: answer.fields })))
            }
            other => Err(refused::table_expression(other)),
        }
    }

    fn table(&self, name: &ObjectName, alias: Option<&TableAlias>) -> Result<(String, Scope), SqlError> {
        let parts: Vec<&str> =
            name.0.iter().filter_map(|part| part.as_ident()).map(|part| part.value.as_str()).collect();
        let cte = match parts.as_slice() {
            [only] => self.ctes.iter().rev().find(|cte| cte.name == *only),
            _ => None,
        };
        let (spark_name, fields) = match cte {
            Some(cte) => (cte.spark_name.as_str(), cte.fields.clone()),
            None => {
                let relation =
                    self.tables.get(&parts.join(".")).ok_or_else(|| unknown_table(&name.to_string(), name))?;
                let typed = |(name, column_type): &(String, _)| Field::named(name, SqlType::from(column_type));
                (relation.name.as_str(), relation.columns.iter().map(typed).collect())
            }
        };
        if let Some(alias) = alias {
            no_column_names(alias)?;
        }
        let shown = alias.map_or_else(|| parts.last().copied().unwrap_or_default(), |alias| alias.name.value.as_str());
        let text = format!("{} AS {}", quoted(spark_name), quoted(shown));
        Ok((text, Scope::of(Source { name: Some(shown.to_owned()), fields })))
    }
}

/// What a `SELECT` answers, as texts and as columns.
fn projected(select: &Select, all: &Expressions<'_>) -> Result<(Vec<String>, Vec<Field>), SqlError> {
    let mut items = Vec::with_capacity(select.projection.len());
    let mut fields: Vec<Field> = Vec::with_capacity(select.projection.len());
    let mut add = |text: String, name: Option<&str>, sql_type: SqlType, node: &SelectItem| {
        let same = |field: &Field| match (&field.name, name) {
            (Some(known), Some(name)) if all.checking => known == name,
            (Some(known), Some(name)) => known.eq_ignore_ascii_case(name),
            _ => false,
        };
        if fields.iter().any(same) {
            if all.checking && !matches!(node, SelectItem::ExprWithAlias { .. }) {
                // The engine finds another name for a column of a caller's answer.
                fields.push(Field { name: None, sql_type });
                return Ok(());
            }
            let what = format!("a second column `{}`", name.unwrap_or_default());
            return Err(not_portable(what, node, "give it another name with AS"));
        }
        items.push(name.map_or_else(|| text.clone(), |name| format!("{text} AS {}", quoted(name))));
        fields.push(Field { name: name.map(ToOwned::to_owned), sql_type });
        Ok(())
    };
    for item in &select.projection {
        let sources: Vec<&Source> = match item {
            SelectItem::UnnamedExpr(expr) => {
                let typed = all.item(expr)?;
                let name = match expr {
                    Expr::Identifier(ident) => Some(ident.value.as_str()),
                    Expr::CompoundIdentifier(parts) => parts.last().map(|ident| ident.value.as_str()),
                    _ => None,
                };
                add(typed.text, name, typed.sql_type, item)?;
                continue;
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                let typed = all.item(expr)?;
                add(typed.text, Some(&alias.value), typed.sql_type, item)?;
                continue;
            }
            SelectItem::Wildcard(_) if !all.scope.merged.is_empty() => {
                return Err(not_portable("* after USING", item, "engines order the columns differently; name them"));
            }
            SelectItem::Wildcard(_) => all.scope.sources.iter().collect(),
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                let table = match name.0.as_slice() {
                    [only] => only.as_ident().map_or_else(|| name.to_string(), |ident| ident.value.clone()),
                    _ => name.to_string(),
                };
                vec![all.scope.source(&table).ok_or_else(|| unknown_table(&table, item))?]
            }
            other => return Err(refused::select_item(other)),
        };
        for (source, field) in sources.into_iter().flat_map(|source| source.fields.iter().map(move |f| (source, f))) {
            let hint = "give it one with AS";
            let name = field.name.as_deref().ok_or_else(|| not_portable("a column without a name", item, hint))?;
            add(source.reference(name, field.sql_type).text, Some(name), field.sql_type, item)?;
        }
    }
    Ok((items, fields))
}

/// Refuses lists and objects where values are compared or put in order.
fn check_nested(select: &Select, fields: &[Field], order: &[&Expr]) -> Result<(), SqlError> {
    let nested = || fields.iter().filter(|field| field.sql_type.is_nested());
    if matches!(select.distinct, Some(Distinct::Distinct)) && nested().next().is_some() {
        return Err(not_portable("DISTINCT of a list or an object", select, "leave that column out"));
    }
    for by in order {
        let Expr::Identifier(ident) = by else { continue };
        if nested().any(|field| field.name.as_deref() == Some(ident.value.as_str())) {
            return Err(not_portable("ORDER BY a list or an object", *by, "order by another column"));
        }
    }
    Ok(())
}

/// The columns that `USING` makes one of two, with their types.
fn merged(columns: &[ObjectName], left: &Scope, right: &Scope) -> Result<Vec<(String, SqlType)>, SqlError> {
    let mut merged: Vec<(String, SqlType)> = Vec::with_capacity(columns.len());
    for column in columns {
        let ident = match column.0.as_slice() {
            [part] => part.as_ident(),
            _ => None,
        };
        let hint = "name columns that both tables have";
        let ident = ident.ok_or_else(|| not_portable("this USING", column, hint))?;
        if merged.iter().any(|(known, _)| *known == ident.value) {
            continue;
        }
        let (a, b) = (left.column(ident)?.sql_type, right.column(ident)?.sql_type);
        if a.is_nested() {
            return Err(not_portable(format!("USING of a {a}"), column, "join by other columns"));
        }
        if a != b {
            return Err(not_portable(format!("USING of {a} and {b}"), column, "write ON, with a CAST"));
        }
        merged.push((ident.value.clone(), a));
    }
    Ok(merged)
}

fn rename(fields: &mut [Field], alias: &TableAlias) -> Result<(), SqlError> {
    if alias.columns.is_empty() {
        return Ok(());
    }
    if alias.columns.len() != fields.len() {
        let what = format!("{} names for {} columns", alias.columns.len(), fields.len());
        return Err(not_portable(what, alias, "name every column"));
    }
    for (field, column) in fields.iter_mut().zip(&alias.columns) {
        field.name = Some(column.name.value.clone());
    }
    Ok(())
}

/// The names after the name of a table of `WITH`, where they are given there.
fn column_list(fields: &[Field], alias: &TableAlias) -> Result<String, SqlError> {
    let mut names: Vec<String> =
        fields.iter().filter_map(|field| field.name.as_deref().map(str::to_lowercase)).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    if names.len() != count {
        return Err(not_portable("two columns of one name", alias, "give one of them another name"));
    }
    if alias.columns.is_empty() {
        return Ok(String::new());
    }
    let names: Vec<String> = fields.iter().filter_map(|field| field.name.as_deref().map(quoted)).collect();
    Ok(format!(" ({})", names.join(", ")))
}

fn no_column_names(alias: &TableAlias) -> Result<(), SqlError> {
    if alias.columns.is_empty() {
        return Ok(());
    }
    Err(not_portable("names of columns after a table's", alias, "name them inside of the query with AS"))
}
