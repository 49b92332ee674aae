//! Columns, edges and their kinds.

use std::fmt;

use serde::ser::{Serialize, Serializer};

use crate::name::TableRef;

/// A column of a table; or its rows: which ones it has, and how many.
///
/// In JSON `{"table": "gold/sales/cities", "column": "amount"}`; `column` is null for rows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct ColumnRef {
    table: TableRef,
    column: Option<String>,
}

impl ColumnRef {
    /// A column. One of bronze has the name that it has in the source.
    pub fn new(table: TableRef, column: impl Into<String>) -> Self {
        Self { table, column: Some(column.into()) }
    }

    /// The rows of a table: the end of edges from what decides which rows it has, and the start of those to a column that
    /// counts them.
    pub fn rows(table: TableRef) -> Self {
        Self { table, column: None }
    }

    /// The table.
    pub fn table(&self) -> &TableRef {
        &self.table
    }

    /// The name of the column; `None` for rows.
    pub fn column(&self) -> Option<&str> {
        self.column.as_deref()
    }
}

impl fmt::Display for ColumnRef {
    /// `<layer>/<domain>/<table>.<column>`; for rows the table alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.column {
            Some(column) => write!(f, "{}.{column}", self.table),
            None => write!(f, "{}", self.table),
        }
    }
}

/// How something takes part in what is computed from it, as OpenLineage's column lineage facet says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The value is taken as it is.
    Identity,
    /// A value is computed from that of one row: a text read as a number, a function, `CASE`.
    Transformation,
    /// A value is computed from many rows.
    Aggregation,
    /// A condition of a join.
    Join,
    /// A key of groups, of rows that are merged, or of `DISTINCT` and `UNION`.
    GroupBy,
    /// A condition on rows, `delete_when`, or a side of `EXCEPT` and `INTERSECT`.
    Filter,
    /// What says which of several rows is the newest: `latest_by`.
    Sort,
    /// A window function. The portable SQL has none.
    Window,
    /// A condition that chooses a value, as in `CASE WHEN`; or a column whose change makes a version: `track`.
    Conditional,
}

impl Kind {
    /// Whether values come from the source; otherwise it only decides something about them.
    pub fn is_direct(self) -> bool {
        self <= Self::Aggregation
    }

    /// OpenLineage's `type`: `DIRECT` or `INDIRECT`.
    pub fn type_name(self) -> &'static str {
        if self.is_direct() { "DIRECT" } else { "INDIRECT" }
    }

    /// OpenLineage's `subtype`, such as `GROUP_BY`.
    pub fn subtype(self) -> &'static str {
        match self {
            Self::Identity => "IDENTITY",
            Self::Transformation => "TRANSFORMATION",
            Self::Aggregation => "AGGREGATION",
            Self::Join => "JOIN",
            Self::GroupBy => "GROUP_BY",
            Self::Filter => "FILTER",
            Self::Sort => "SORT",
            Self::Window => "WINDOW",
            Self::Conditional => "CONDITIONAL",
        }
    }

    /// The kind of a way in two steps: this one over what took part in its source as `inner`. What decides is indirect,
    /// wherever it is on the way; of two direct kinds the stronger one stays.
    pub(super) fn over(self, inner: Self) -> Self {
        match (self.is_direct(), inner.is_direct()) {
            (false, _) => self,
            (true, false) => inner,
            (true, true) => self.max(inner),
        }
    }
}

impl fmt::Display for Kind {
    /// For people, such as `indirect group by`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (class, subtype) = (self.type_name(), self.subtype());
        write!(f, "{} {}", class.to_ascii_lowercase(), subtype.to_ascii_lowercase().replace('_', " "))
    }
}

/// Something that is computed from something else.
///
/// In JSON `from` and `to` are as [`ColumnRef`] is written, `type`, `subtype` and `masking` as in OpenLineage, and `path`
/// is present where a value inside a source column is read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    from: ColumnRef,
    to: ColumnRef,
    kind: Kind,
    path: Option<String>,
}

impl Edge {
    pub(super) fn new(from: ColumnRef, to: ColumnRef, kind: Kind, path: Option<String>) -> Self {
        Self { from, to, kind, path }
    }

    /// What takes part.
    pub fn from(&self) -> &ColumnRef {
        &self.from
    }

    /// What is computed: a column, or the rows of a table.
    pub fn to(&self) -> &ColumnRef {
        &self.to
    }

    /// How.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The way to the value inside the source column, such as `$.address.city`; `None` where the whole column is read.
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// Whether the value is hashed or masked on the way: never in a pipeline. Data products mask.
    pub fn is_masking(&self) -> bool {
        false
    }
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.as_ref().map(|path| format!(" {path}")).unwrap_or_default();
        write!(f, "{}{path} -> {}: {}", self.from, self.to, self.kind)
    }
}

/// An edge as it is written in JSON.
#[derive(serde::Serialize)]
struct Written<'a> {
    from: &'a ColumnRef,
    to: &'a ColumnRef,
    #[serde(rename = "type")]
    type_name: &'static str,
    subtype: &'static str,
    masking: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
}

impl Serialize for Edge {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written = Written {
            from: &self.from,
            to: &self.to,
            type_name: self.kind.type_name(),
            subtype: self.kind.subtype(),
            masking: self.is_masking(),
            path: self.path(),
        };
        written.serialize(serializer)
    }
}
