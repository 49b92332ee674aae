//! Random expressions of a kind over columns, keys and aggregates.

use super::draw::{DAYS, DECIMALS, Kind, Random, TEXTS};
use super::duckdb::{
    Sql, apart, cut_off, days_between, end, listed, of_whole, product, quotient, same, stored, text, trimmed, whole,
};

/// What an expression may be made of.
#[derive(Clone)]
pub(super) struct Atom {
    pub(super) sql: Sql,
    pub(super) kind: Kind,
}

/// Kinds of values that are selected, compared and grouped.
pub(super) const KINDS: [Kind; 8] =
    [Kind::Int, Kind::Int, Kind::Decimal(3), Kind::Wide, Kind::Text, Kind::Bool, Kind::Day, Kind::Double];

/// Places of averages of decimals, and of products of decimals with three.
pub(super) const MILLIONTHS: u8 = 6;

pub(super) struct Expressions<'a> {
    pub(super) random: &'a mut Random,
    pub(super) atoms: &'a [Atom],
}

impl Expressions<'_> {
    /// An expression of this kind with at most so many levels.
    pub(super) fn of(&mut self, kind: Kind, depth: usize) -> Sql {
        if depth == 0 || self.random.happens(25) {
            return self.leaf(kind);
        }
        if self.random.happens(22) {
            return self.choice(kind, depth - 1);
        }
        let depth = depth - 1;
        match kind {
            Kind::Int => self.int(depth),
            Kind::Decimal(places) => self.decimal(places, depth),
            Kind::Double => self.double(depth),
            Kind::Text => self.text(depth),
            Kind::Bool => self.bool(depth),
            Kind::Day => {
                let instant = self.of(Kind::Instant, depth);
                same("CAST({} AS DATE)", &[&instant])
            }
            Kind::Instant => {
                let day = self.of(Kind::Day, depth);
                same("CAST({} AS TIMESTAMP)", &[&day])
            }
            Kind::Wide => self.wide(depth),
        }
    }

    /// A column, or a literal where no column is of the kind, or now and then.
    fn leaf(&mut self, kind: Kind) -> Sql {
        let fitting: Vec<&Atom> = self.atoms.iter().filter(|atom| atom.kind == kind).collect();
        if !fitting.is_empty() && !self.random.happens(15) {
            return self.random.pick(&fitting).sql.clone();
        }
        self.literal(kind)
    }

    fn literal(&mut self, kind: Kind) -> Sql {
        if self.random.happens(8) {
            let null = format!("CAST(NULL AS {})", stored(kind));
            return same(&null, &[]);
        }
        let plain = |text: &str| same(text, &[]);
        match kind {
            Kind::Int => plain(self.random.pick_text(&["0", "1", "2", "3", "-1", "7"])),
            Kind::Decimal(3) => plain(self.random.pick_text(&DECIMALS)),
            Kind::Decimal(_) => plain("0.5"),
            Kind::Wide => plain("CAST('1.00' AS DECIMAL(38,2))"),
            Kind::Double => plain(self.random.pick_text(&["0e0", "1.5e0", "-2.25e0", "1e2"])),
            Kind::Text => text(self.random.pick_text(&TEXTS)),
            Kind::Bool => plain(self.random.pick_text(&["TRUE", "FALSE"])),
            Kind::Day => plain(&format!("DATE '{}'", self.random.pick(&DAYS))),
            Kind::Instant => {
                plain(self.random.pick_text(&["TIMESTAMP '2011-01-02 00:00:00'", "TIMESTAMP '1970-01-01 00:00:00'"]))
            }
        }
    }

    /// What every kind has.
    fn choice(&mut self, kind: Kind, depth: usize) -> Sql {
        let (a, b) = (self.of(kind, depth), self.of(kind, depth));
        match self.random.below(6) {
            0 | 1 => {
                let condition = self.bool(depth);
                same("CASE WHEN {} THEN {} ELSE {} END", &[&condition, &a, &b])
            }
            2 => {
                let (condition, other) = (self.bool(depth), self.bool(0));
                same("CASE WHEN {} THEN {} WHEN {} THEN {} END", &[&condition, &a, &other, &b])
            }
            3 => same("COALESCE({}, {})", &[&a, &b]),
            4 => same("NULLIF({}, {})", &[&a, &b]),
            _ if kind == Kind::Bool => same("COALESCE({}, {})", &[&a, &b]),
            _ => same(self.random.pick_text(&["GREATEST({}, {})", "LEAST({}, {})"]), &[&a, &b]),
        }
    }

    fn int(&mut self, depth: usize) -> Sql {
        let pick = self.random.below(12);
        match pick {
            0..=3 => {
                let (a, b) = (self.of(Kind::Int, depth), self.leaf(Kind::Int));
                match pick {
                    0 => whole("+", &a, &b),
                    1 => whole("-", &a, &b),
                    2 => whole("*", &a, &same("3", &[])),
                    _ => whole("%", &a, &same("NULLIF({}, 0)", &[&b])),
                }
            }
            4 => of_whole("ABS", &self.of(Kind::Int, depth)),
            5 => of_whole("-", &self.of(Kind::Int, depth)),
            6 => {
                let of = *self.random.pick(&[Kind::Int, Kind::Decimal(3)]);
                same("SIGN({})", &[&self.of(of, depth)])
            }
            7 => same("LENGTH({})", &[&self.of(Kind::Text, depth)]),
            8 => {
                let part = *self.random.pick(&["YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "DOY"]);
                same(&format!("EXTRACT({part} FROM {{}})"), &[&self.of(Kind::Day, depth)])
            }
            9 => {
                let part = *self.random.pick(&["HOUR", "MINUTE", "SECOND", "YEAR"]);
                same(&format!("EXTRACT({part} FROM {{}})"), &[&self.of(Kind::Instant, depth)])
            }
            10 => {
                let kinds = [Kind::Day, Kind::Instant];
                let (a, b) = (*self.random.pick(&kinds), *self.random.pick(&kinds));
                let (a, b) = (self.of(a, depth), self.of(b, depth));
                days_between(&a, &b)
            }
            _ => cut_off(&self.of(Kind::Decimal(3), depth)),
        }
    }

    fn decimal(&mut self, places: u8, depth: usize) -> Sql {
        let kind = Kind::Decimal(places);
        if places == MILLIONTHS && self.random.happens(50) {
            let parts = Kind::Decimal(places / 2);
            return product(&self.leaf(parts), &self.leaf(parts));
        }
        if places < MILLIONTHS && self.random.happens(10) {
            return same(&format!("ROUND({{}}, {places})"), &[&self.of(Kind::Decimal(MILLIONTHS), depth)]);
        }
        let a = self.of(kind, depth);
        match self.random.below(8) {
            0 => same("({} + {})", &[&a, &self.leaf(kind)]),
            1 => same("({} - {})", &[&a, &self.leaf(kind)]),
            2 => same("(-({}))", &[&a]),
            3 => same("ABS({})", &[&a]),
            // A decimal may have fewer places than its kind, never more.
            4 => same(&format!("ROUND({{}}, {})", self.random.below(3)), &[&a]),
            5 => same(self.random.pick_text(&["CEIL({})", "FLOOR({})"]), &[&a]),
            6 => same("CAST({} AS DECIMAL(20,1))", &[&a]),
            _ => same("({} * {})", &[&self.leaf(kind), &same("2", &[])]),
        }
    }

    /// Not rounded: with fewer places it would have more digits before the point than its kind has room for.
    fn wide(&mut self, depth: usize) -> Sql {
        let a = self.of(Kind::Wide, depth);
        match self.random.below(5) {
            0 => same("({} + {})", &[&a, &self.leaf(Kind::Wide)]),
            1 => same("({} - {})", &[&a, &self.leaf(Kind::Wide)]),
            2 => same("(-({}))", &[&a]),
            3 => same("ABS({})", &[&a]),
            _ => same("({} * {})", &[&a, &same("2", &[])]),
        }
    }

    fn double(&mut self, depth: usize) -> Sql {
        match self.random.below(5) {
            0 => {
                let (a, b) = (self.of(Kind::Int, depth), self.of(Kind::Int, depth));
                quotient(&a, &b)
            }
            1 => same("CAST({} AS DOUBLE)", &[&self.of(Kind::Int, depth)]),
            2 => same("({} + {})", &[&self.of(Kind::Double, depth), &self.leaf(Kind::Double)]),
            3 => same("({} * {})", &[&self.of(Kind::Double, depth), &self.leaf(Kind::Double)]),
            _ => same("ABS({})", &[&self.of(Kind::Double, depth)]),
        }
    }

    fn text(&mut self, depth: usize) -> Sql {
        let a = self.of(Kind::Text, depth);
        match self.random.below(10) {
            0 => same("({} || {})", &[&a, &self.leaf(Kind::Text)]),
            1 => same(self.random.pick_text(&["LOWER({})", "UPPER({})"]), &[&a]),
            2 | 3 => trimmed(self.random.pick_text(&["TRIM", "LTRIM", "RTRIM"]), &a),
            4 => {
                let count = self.of(Kind::Int, 0);
                // A count beyond 32 bits is an error here.
                let count = apart("({} % 5)", "({} % 5)", &[&count]);
                end(self.random.pick_text(&["LEFT", "RIGHT"]), &a, &count)
            }
            5 => same(&format!("SUBSTR({{}}, {}, {})", 1 + self.random.below(3), self.random.below(4)), &[&a]),
            6 => same(&format!("SUBSTR({{}}, {})", 1 + self.random.below(3)), &[&a]),
            7 => same(
                self.random.pick_text(&["REPLACE({}, 'a', 'xy')", "REPLACE({}, '', 'x')", "REPLACE({}, ' ', '')"]),
                &[&a],
            ),
            8 => same("CAST({} AS STRING)", &[&self.of(Kind::Int, depth)]),
            _ => {
                let of = *self.random.pick(&[Kind::Bool, Kind::Day]);
                same("CAST({} AS STRING)", &[&self.of(of, depth)])
            }
        }
    }

    /// A condition.
    pub(super) fn bool(&mut self, depth: usize) -> Sql {
        let below = depth.saturating_sub(1);
        match self.random.below(if depth == 0 { 5 } else { 14 }) {
            0 => self.leaf(Kind::Bool),
            1 | 2 | 5 => self.comparison(below),
            3 => {
                let kind = *self.random.pick(&KINDS);
                same(self.random.pick_text(&["({} IS NULL)", "({} IS NOT NULL)"]), &[&self.of(kind, below)])
            }
            4 => {
                let patterns = ["'a%'", "'%b'", "'_b%'", "'%'", "''", "'A_'", "'% %'"];
                let like = *self.random.pick(&["LIKE", "NOT LIKE"]);
                let pattern = *self.random.pick(&patterns);
                same(&format!("({{}} {like} {pattern})"), &[&self.of(Kind::Text, below)])
            }
            6 => {
                let kind = *self.random.pick(&[Kind::Int, Kind::Decimal(3), Kind::Text, Kind::Day, Kind::Double]);
                let (a, low, high) = (self.of(kind, below), self.of(kind, 0), self.of(kind, 0));
                same(
                    self.random.pick_text(&["({} BETWEEN {} AND {})", "({} NOT BETWEEN {} AND {})"]),
                    &[&a, &low, &high],
                )
            }
            7 => {
                let kind = *self.random.pick(&[Kind::Int, Kind::Decimal(3), Kind::Text]);
                let items: Vec<Sql> = (0..1 + self.random.below(3)).map(|_| self.listed_literal(kind)).collect();
                let list = listed(", ", &items);
                same(self.random.pick_text(&["({} IN ({}))", "({} NOT IN ({}))"]), &[&self.of(kind, below), &list])
            }
            8 | 9 => same("({} AND {})", &[&self.bool(below), &self.bool(below)]),
            10 | 11 => same("({} OR {})", &[&self.bool(below), &self.bool(below)]),
            12 => same("(NOT {})", &[&self.bool(below)]),
            _ => {
                let is = *self.random.pick(&["IS TRUE", "IS NOT TRUE", "IS FALSE", "IS NOT FALSE"]);
                same(&format!("(({{}}) {is})"), &[&self.bool(below)])
            }
        }
    }

    /// A literal that is not null, which IN does not take.
    fn listed_literal(&mut self, kind: Kind) -> Sql {
        match kind {
            Kind::Int => same(self.random.pick_text(&["0", "1", "2", "7", "-1"]), &[]),
            Kind::Decimal(_) => same(self.random.pick_text(&DECIMALS), &[]),
            _ => text(self.random.pick_text(&TEXTS)),
        }
    }

    /// A comparison of two values of one kind, or of numbers.
    pub(super) fn comparison(&mut self, depth: usize) -> Sql {
        let kind = *self.random.pick(&KINDS);
        let other = match kind {
            Kind::Int | Kind::Decimal(_) if self.random.happens(20) => {
                *self.random.pick(&[Kind::Int, Kind::Decimal(3), Kind::Double])
            }
            Kind::Day if self.random.happens(20) => Kind::Instant,
            kind => kind,
        };
        let operator = *self.random.pick(&["=", "=", "<>", "<", "<=", ">", ">="]);
        let (a, b) = (self.of(kind, depth), self.of(other, depth));
        same(&format!("({{}} {operator} {{}})"), &[&a, &b])
    }
}
