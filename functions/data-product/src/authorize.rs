//! What a caller may do with the ports of products.

use std::sync::Arc;

use sluice_core::access::{AccessPath, Decision, TableAccess, decide};
use sluice_core::name::{PortName, ProductRef};
use sluice_core::product::{OutputPort, RegisteredProduct};
use sluice_http::audit::columns_text;
use sluice_http::{Caller, Problem, ProblemCode};

use crate::ProductsApi;
use crate::links::FileOf;

/// What a caller may do with one port.
#[derive(Debug, Clone)]
pub struct Access {
    /// The product.
    pub product: Arc<RegisteredProduct>,
    /// The port.
    pub port: OutputPort,
    /// In which form.
    pub table: TableAccess,
}

impl Access {
    /// What a file with rows of this version of the port's table is of.
    pub(crate) fn file_of(&self, version: u64) -> FileOf {
        FileOf { product: self.product.product.clone(), port: self.port.name.clone(), version }
    }
}

impl ProductsApi {
    /// The products that the caller may find, each with the ports they may find, in order.
    ///
    /// # Errors
    /// Those of the registry.
    pub(crate) async fn visible(&self, caller: &Caller) -> Result<Vec<(Arc<RegisteredProduct>, Vec<Access>)>, Problem> {
        let products = self.registry.products().await?;
        let found =
            products.iter().map(|product| (product.clone(), self.accesses(caller, product, AccessPath::Catalogue)));
        Ok(found.filter(|(_, ports)| !ports.is_empty()).collect())
    }

    /// The ports of a product that the caller may use by this access path.
    pub(crate) fn accesses(
        &self,
        caller: &Caller,
        product: &Arc<RegisteredProduct>,
        access_path: AccessPath,
    ) -> Vec<Access> {
        let access = |port: &OutputPort| match self.decision(caller, product, port, access_path) {
            Decision::Granted(table) => Some(Access { product: product.clone(), port: port.clone(), table }),
            Decision::Denied { .. } => None,
        };
        product.ports.iter().filter_map(access).collect()
    }

    fn decision(
        &self,
        caller: &Caller,
        product: &RegisteredProduct,
        port: &OutputPort,
        access_path: AccessPath,
    ) -> Decision {
        decide(&product.policy, &caller.principal, access_path, &port.name, &port.contract, self.now())
    }

    /// Whether the caller may use this port by this access path. What is decided is noted on the caller's trail; the handler adds what it
    /// gave out.
    ///
    /// # Errors
    /// `not-found` for what does not exist or must not be known, without difference; `forbidden` for what the caller may find
    /// and not read by this access path.
    pub(crate) async fn authorize(
        &self,
        caller: &Caller,
        product: &ProductRef,
        port: &PortName,
        access_path: AccessPath,
    ) -> Result<Access, Problem> {
        caller.trail.note(|event| (event.product, event.port) = (Some(product.clone()), Some(port.clone())));
        let unknown = || {
            Problem::new(ProblemCode::NotFound, format!("there is no data product `{product}` with a port `{port}`"))
        };
        let Some(registered) = self.registry.product(product).await? else {
            caller.trail.deny("no such product");
            return Err(unknown());
        };
        let Some(found) = registered.port(port).cloned() else {
            caller.trail.deny("no such port");
            return Err(unknown());
        };
        match self.decision(caller, &registered, &found, access_path) {
            Decision::Granted(table) => {
                caller.trail.note(|event| {
                    event.columns = columns_text(&table.columns);
                    event.row_filter = table.rows.is_some();
                    event.rule = Some(table.grant.clone());
                    event.purpose.clone_from(&table.purpose);
                });
                Ok(Access { product: registered, port: found, table })
            }
            Decision::Denied { reason } => {
                caller.trail.deny(reason);
                let may_find =
                    matches!(self.decision(caller, &registered, &found, AccessPath::Catalogue), Decision::Granted(_));
                let detail =
                    format!("the policy of `{product}` does not let you read port `{port}` by `{access_path}`");
                Err(if may_find { Problem::new(ProblemCode::Forbidden, detail) } else { unknown() })
            }
        }
    }
}
