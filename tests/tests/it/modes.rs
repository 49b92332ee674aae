//! Write modes: append, replace, merge and scd2.
