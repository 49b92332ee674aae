//! Random statements of the subset: tables, joins of every kind, groups, set operations, subqueries and CTEs; some in the order that a
//! caller of `POST /query` may ask for.

use super::draw::{Kind, Random, SCHEMAS};
use super::duckdb::{Sql, apart, decimal_average, listed, same};
use super::expression::{Atom, Expressions, KINDS, MILLIONTHS};

/// A statement, whose columns are called `x0`, `x1`, …
pub(super) struct Statement {
    pub(super) sql: Sql,
    /// The order of its rows and which of them are wanted, where that is asked for.
    pub(super) order: Option<Sql>,
}

impl Statement {
    /// With its order.
    pub(super) fn whole(&self) -> Sql {
        match &self.order {
            Some(order) => same("{} {}", &[&self.sql, order]),
            None => self.sql.clone(),
        }
    }
}

pub(super) struct Statements<'a> {
    pub(super) random: &'a mut Random,
    /// CTEs that can be read: their names and columns.
    ctes: Vec<(String, Vec<Kind>)>,
}

/// What the tables of a `FROM` are and what can be named of them.
struct From {
    sql: Sql,
    atoms: Vec<Atom>,
}

impl<'a> Statements<'a> {
    pub(super) fn new(random: &'a mut Random) -> Self {
        Self { random, ctes: Vec::new() }
    }

    /// A whole statement.
    pub(super) fn statement(&mut self) -> Statement {
        let (sql, columns) = self.unordered();
        let order = if self.random.happens(20) { Some(self.order(columns)) } else { None };
        Statement { sql, order }
    }

    /// All columns in any sequence, so that rows that could change places are the same, and how many rows.
    fn order(&mut self, columns: usize) -> Sql {
        let mut left: Vec<usize> = (0..columns).collect();
        let mut by = Vec::new();
        while !left.is_empty() {
            let index = self.random.below(left.len());
            let column = left.swap_remove(index);
            let direction = self.random.pick_text(&["", " ASC", " DESC"]);
            // Nulls come last where nothing is said; at DuckDB this is a setting.
            let (ours, theirs) = match self.random.below(3) {
                0 => ("", " NULLS LAST"),
                1 => (" NULLS LAST", " NULLS LAST"),
                _ => (" NULLS FIRST", " NULLS FIRST"),
            };
            let named = |nulls: &str| format!("x{column}{direction}{nulls}");
            by.push(apart(&named(ours), &named(theirs), &[]));
        }
        let limit = self.random.pick_text(&["0", "1", "2", "3", "5", "8"]);
        let offset = self.random.below(4);
        let rows = match self.random.below(4) {
            0 => String::new(),
            1 => format!(" LIMIT {limit}"),
            2 => format!(" OFFSET {offset}"),
            _ => format!(" LIMIT {limit} OFFSET {offset}"),
        };
        same(&format!("ORDER BY {{}}{rows}"), &[&listed(", ", &by)])
    }

    /// A statement without an order, and how many columns it has.
    fn unordered(&mut self) -> (Sql, usize) {
        match self.random.below(10) {
            0 => {
                let columns = self.kinds();
                let cte = self.select(&columns, 1);
                let name = "w1".to_owned();
                self.ctes.push((name.clone(), columns));
                let columns = self.kinds();
                let body = self.select(&columns, 2);
                self.ctes.clear();
                let name = same(&name, &[]);
                (same("WITH {} AS ({}) {}", &[&name, &cte, &body]), columns.len())
            }
            1 => {
                let columns = self.kinds();
                let (a, b) = (self.select(&columns, 2), self.select(&columns, 1));
                let operator = *self.random.pick(&["UNION ALL", "UNION", "EXCEPT", "INTERSECT"]);
                let mut sql = same(&format!("{{}} {operator} {{}}"), &[&a, &b]);
                if self.random.happens(25) {
                    sql = same("{} UNION ALL {}", &[&sql, &self.select(&columns, 1)]);
                }
                (sql, columns.len())
            }
            _ => {
                let columns = self.kinds();
                (self.select(&columns, 3), columns.len())
            }
        }
    }

    fn kinds(&mut self) -> Vec<Kind> {
        let columns = 1 + self.random.below(3);
        let kind = |_| if self.random.happens(6) { Kind::Decimal(MILLIONTHS) } else { *self.random.pick(&KINDS) };
        (0..columns).map(kind).collect()
    }

    fn select(&mut self, columns: &[Kind], depth: usize) -> Sql {
        let from = self.from(depth);
        let mut clauses = vec![same("FROM {}", &[&from.sql])];
        if self.random.happens(40) {
            let condition = self.over(&from.atoms).bool(2);
            clauses.push(same("WHERE {}", &[&condition]));
        }
        let grouped = self.random.happens(35);
        let mut atoms = from.atoms;
        if grouped {
            atoms = self.grouped(&atoms, &mut clauses);
        }
        let distinct = if self.random.happens(12) { "DISTINCT " } else { "" };
        let items: Vec<Sql> = columns
            .iter()
            .enumerate()
            .map(|(index, kind)| {
                // Groups have few columns: now and then an expression of them, mostly what there is. Of a subquery also
                // what is the same in all rows.
                let constant = depth <= 1 && self.random.happens(20);
                let expression = self.over(if constant { &[] } else { &atoms }).of(*kind, if constant { 0 } else { 2 });
                same(&format!("{{}} AS x{index}"), &[&expression])
            })
            .collect();
        let mut parts = vec![same(&format!("SELECT {distinct}{{}}"), &[&listed(", ", &items)])];
        parts.extend(clauses);
        listed(" ", &parts)
    }

    fn over<'b>(&'b mut self, atoms: &'b [Atom]) -> Expressions<'b> {
        Expressions { random: self.random, atoms }
    }

    /// Groups, and what can be selected of them: keys and aggregates.
    fn grouped(&mut self, atoms: &[Atom], clauses: &mut Vec<Sql>) -> Vec<Atom> {
        let mut found = Vec::new();
        for _ in 0..self.random.below(3) {
            let kind = *self.random.pick(&KINDS);
            let depth = if self.random.happens(60) { 0 } else { 1 };
            let sql = self.over(atoms).of(kind, depth);
            // A literal is a position or a constant.
            if atoms.iter().any(|atom| sql.ours.contains(&atom.sql.ours)) {
                found.push(Atom { sql, kind });
            }
        }
        if !found.is_empty() {
            let keys: Vec<Sql> = found.iter().map(|atom| atom.sql.clone()).collect();
            clauses.push(same("GROUP BY {}", &[&listed(", ", &keys)]));
        }
        let has_keys = !found.is_empty();
        found.push(Atom { sql: same("COUNT(*)", &[]), kind: Kind::Int });
        for _ in 0..1 + self.random.below(4) {
            found.extend(self.aggregate(atoms));
        }
        if self.random.happens(if has_keys { 45 } else { 20 }) {
            let condition = match has_keys && self.random.happens(50) {
                // Of the keys alone.
                true => {
                    let keys: Vec<Atom> =
                        found.iter().take_while(|atom| atom.sql.ours != "COUNT(*)").cloned().collect();
                    self.over(&keys).bool(2)
                }
                false => self.over(&found).bool(2),
            };
            // Without keys, HAVING itself has to aggregate.
            let condition = match has_keys {
                true => condition,
                false => same("(COUNT(*) >= 0 AND {})", &[&condition]),
            };
            clauses.push(same("HAVING {}", &[&condition]));
        } else if !has_keys {
            // So that the query is one over groups, whatever it selects.
            clauses.push(same("HAVING COUNT(*) >= 0", &[]));
        }
        found
    }

    fn aggregate(&mut self, atoms: &[Atom]) -> Option<Atom> {
        let kind = *self.random.pick(&KINDS);
        let depth = usize::from(self.random.happens(40));
        let argument = self.over(atoms).of(kind, depth);
        if !atoms.iter().any(|atom| argument.ours.contains(&atom.sql.ours)) {
            return None;
        }
        let pick = self.random.below(6);
        if (pick, kind) == (3, Kind::Decimal(3)) {
            return Some(Atom { sql: decimal_average(&argument), kind: Kind::Decimal(MILLIONTHS) });
        }
        let (template, kind) = match (pick, kind) {
            (0, _) => ("COUNT({})", Kind::Int),
            (1, kind) if kind != Kind::Bool => ("COUNT(DISTINCT {})", Kind::Int),
            (2, Kind::Int) => ("SUM({})", Kind::Int),
            (2, Kind::Decimal(3) | Kind::Wide) => ("SUM({})", kind),
            (3, Kind::Int) => ("AVG({})", Kind::Double),
            (_, Kind::Bool) => ("COUNT({})", Kind::Int),
            (4, kind) => ("MAX({})", kind),
            (_, kind) => ("MIN({})", kind),
        };
        Some(Atom { sql: same(template, &[&argument]), kind })
    }

    fn from(&mut self, depth: usize) -> From {
        // Four and five are read by the statement itself, and are plain tables: joins of joins are many rows.
        let (tables, depth) = match self.random.below(40) {
            0..=17 => (1, depth),
            18..=33 => (2, depth),
            38 if depth > 2 => (4, 0),
            39 if depth > 2 => (5, 0),
            _ => (3, depth),
        };
        let mut from = self.factor(0, tables == 1, depth);
        // Names that USING made one.
        let mut merged: Vec<String> = Vec::new();
        // Where the atoms begin that an ON may name: those after the last comma.
        let mut visible = 0;
        for index in 1..tables {
            let factor = self.factor(index, false, depth);
            let kind = *self.random.pick(&[
                "JOIN",
                "INNER JOIN",
                "LEFT JOIN",
                "LEFT JOIN",
                "LEFT OUTER JOIN",
                "RIGHT JOIN",
                "RIGHT JOIN",
                "FULL JOIN",
                "FULL JOIN",
                "FULL OUTER JOIN",
                "CROSS JOIN",
                ",",
            ]);
            if kind == "," {
                visible = from.atoms.len();
                from.sql = same("{}, {}", &[&from.sql, &factor.sql]);
                from.atoms.extend(factor.atoms);
                continue;
            }
            if kind == "CROSS JOIN" {
                from.sql = same("{} CROSS JOIN {}", &[&from.sql, &factor.sql]);
                from.atoms.extend(factor.atoms);
                continue;
            }
            let using = (index == 1 || !merged.is_empty()) && visible == 0 && self.random.happens(20);
            let common = using.then(|| self.common(&from, &factor, &merged)).flatten();
            if let Some((name, kind_of)) = common {
                from.sql = same(&format!("{{}} {kind} {{}} USING ({name})"), &[&from.sql, &factor.sql]);
                from.atoms.extend(factor.atoms);
                if !merged.contains(&name) {
                    from.atoms.push(Atom { sql: same(&name, &[]), kind: kind_of });
                    merged.push(name);
                }
                continue;
            }
            let condition = self.condition(&from.atoms[visible..], &factor.atoms);
            from.sql = same(&format!("{{}} {kind} {{}} ON {{}}"), &[&from.sql, &factor.sql, &condition]);
            from.atoms.extend(factor.atoms);
        }
        from
    }

    /// A column that both sides have, by a name that means one of each.
    fn common(&mut self, left: &From, right: &From, merged: &[String]) -> Option<(String, Kind)> {
        let last = |atom: &Atom| atom.sql.ours.rsplit('.').next().unwrap_or_default().to_owned();
        let names: Vec<(String, Kind)> = right.atoms.iter().map(|atom| (last(atom), atom.kind)).collect();
        let fits = |(name, kind): &&(String, Kind)| {
            let of_left = left.atoms.iter().filter(|atom| last(atom) == *name && atom.sql.ours.contains('.'));
            let same = of_left.clone().count() == 1 || merged.contains(name);
            // Both sides need one type, and a subquery may have made it wider.
            same && ["i", "s", "c"].contains(&name.as_str()) && of_left.clone().all(|atom| atom.kind == *kind)
        };
        let fitting: Vec<&(String, Kind)> = names.iter().filter(fits).collect();
        (!fitting.is_empty()).then(|| (*self.random.pick(&fitting)).clone())
    }

    /// The condition of a join: equalities, comparisons, conditions of one side, or anything.
    fn condition(&mut self, left: &[Atom], right: &[Atom]) -> Sql {
        let both: Vec<Atom> = left.iter().chain(right).cloned().collect();
        let mut conditions = Vec::new();
        for _ in 0..1 + self.random.below(3) {
            let pairs: Vec<(&Atom, &Atom)> =
                left.iter().flat_map(|a| right.iter().map(move |b| (a, b))).filter(|(a, b)| a.kind == b.kind).collect();
            conditions.push(match self.random.below(9) {
                0..=3 if !pairs.is_empty() => {
                    let (a, b) = *self.random.pick(&pairs);
                    let (a, b) = if self.random.happens(30) { (b, a) } else { (a, b) };
                    match a.kind {
                        Kind::Text if self.random.happens(20) => same("LOWER({}) = {}", &[&a.sql, &b.sql]),
                        _ => same("{} = {}", &[&a.sql, &b.sql]),
                    }
                }
                4 | 5 if !pairs.is_empty() => {
                    let (a, b) = *self.random.pick(&pairs);
                    let operator = *self.random.pick(&["<", "<=", ">", "<>"]);
                    same(&format!("{{}} {operator} {{}}"), &[&a.sql, &b.sql])
                }
                6 => self.over(left).bool(1),
                7 => self.over(right).bool(1),
                _ => self.over(&both).bool(1),
            });
        }
        match conditions.len() > 1 && self.random.happens(12) {
            true => same("({})", &[&listed(" OR ", &conditions)]),
            false => listed(" AND ", &conditions),
        }
    }

    /// A table, a CTE or a subquery, and its columns with the table before them.
    fn factor(&mut self, index: usize, alone: bool, depth: usize) -> From {
        let alias = format!("l{index}");
        if depth > 1 && self.random.happens(25) {
            let columns = self.kinds();
            let part = self.select(&columns, depth - 2);
            let sql = same(&format!("({{}}) AS {alias}"), &[&part]);
            return From { sql, atoms: outer_atoms(&alias, &columns) };
        }
        if !self.ctes.is_empty() && self.random.happens(60) {
            let (name, columns) = self.random.pick(&self.ctes).clone();
            return From { sql: same(&format!("{name} AS {alias}"), &[]), atoms: outer_atoms(&alias, &columns) };
        }
        let schema = self.random.pick(&SCHEMAS);
        let bare = alone && self.random.happens(40);
        let sql = match bare {
            true => {
                let table = schema.ours.rsplit('.').next().unwrap_or_default();
                apart(schema.ours, &format!("{} AS {table}", schema.theirs), &[])
            }
            false => apart(&format!("{} AS {alias}", schema.ours), &format!("{} AS {alias}", schema.theirs), &[]),
        };
        let named = |name: &str| if bare { name.to_owned() } else { format!("{alias}.{name}") };
        let atoms = schema.fields.iter().map(|(name, kind, _)| Atom { sql: same(&named(name), &[]), kind: *kind });
        From { sql, atoms: atoms.collect() }
    }
}

fn outer_atoms(alias: &str, columns: &[Kind]) -> Vec<Atom> {
    let atom = |(index, kind): (usize, &Kind)| Atom { sql: same(&format!("{alias}.x{index}"), &[]), kind: *kind };
    columns.iter().enumerate().map(atom).collect()
}
