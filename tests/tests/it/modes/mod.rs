//! Write modes, partitions, source formats, changes of schemas, and every kind of rule, on small pipelines.

mod partitions;
mod writes;
