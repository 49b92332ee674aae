//! No code: this crate's dependencies name the features that all packages of the workspace share, so that Polars and Delta
//! are compiled once, whichever package is built. `Cargo.toml` says more.
