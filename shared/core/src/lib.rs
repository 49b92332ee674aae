//! The domain of Sluice: names, specs, contracts, plans, verdicts, and every decision that needs no I/O.
//!
//! # Example
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::collections::BTreeMap;
//!
//! use sluice_core::pipeline::Pipeline;
//! use sluice_core::spec::PipelineSpec;
//! use sluice_core::uri::LakePath;
//!
//! let spec = PipelineSpec::parse(
//!     "
//! pipeline: shop
//! domain: sales
//! source: {prefix: landing/shop, format: csv}
//! bronze: {table: orders}
//! silver:
//!   - table: orders
//!     contract: contracts/orders.odcs.yaml
//!     columns: {order_id: OrderID, amount: Amount}
//!     mode: append
//! ",
//!     "pipeline.yaml",
//! )?;
//! let contract = "
//! apiVersion: v3.2.0
//! kind: DataContract
//! id: orders
//! version: 1.0.0
//! schema:
//!   - name: orders
//!     properties:
//!       - {name: order_id, logicalType: string, required: true}
//!       - {name: amount, logicalType: number, physicalType: 'DECIMAL(12,2)'}
//! ";
//! let path: LakePath = "contracts/orders.odcs.yaml".parse()?;
//! let contracts = BTreeMap::from([(path, contract.to_owned())]);
//! let pipeline = Pipeline::resolve_untyped(&spec, &contracts).map_err(|problems| format!("{problems:?}"))?;
//!
//! let tables: Vec<String> = pipeline.tables().iter().map(|table| table.to_string()).collect();
//! assert_eq!(tables, ["bronze/sales/orders", "quarantine/sales/orders", "silver/sales/orders"]);
//! # Ok(())
//! # }
//! ```
pub mod access;
pub mod alert;
pub mod audit;
pub mod columns;
pub mod contract;
pub mod cost;
pub mod cursor;
pub mod decimal;
pub mod document;
pub mod engine;
pub mod error;
pub mod evolution;
pub mod failure;
pub mod files;
pub mod init;
pub mod lineage;
pub mod name;
pub mod openlineage;
pub mod origin;
pub mod path;
pub mod pipeline;
pub mod product;
pub mod profile;
pub mod pruning;
pub mod reading;
pub mod recipient;
mod resolve;
pub mod restore;
pub mod run;
pub mod shown;
pub mod source;
pub mod spec;
pub mod sql;
mod text;
pub mod uri;
