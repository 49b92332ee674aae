//! Bad input: a named error or a quarantined row, and every table as it was.
