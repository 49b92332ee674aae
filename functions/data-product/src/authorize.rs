//! Who calls, and whether they may.

use std::sync::Arc;

use sluice_core::access::{AccessPath, Decision, Principal, TableAccess, decide};
use sluice_core::name::{PortName, ProductRef};
use sluice_core::product::{OutputPort, RegisteredProduct};
use sluice_core::recipient::Token;
use sluice_http::{Credentials, Problem, ProblemCode};

use crate::ProductsApi;
use crate::audit::{AuditEvent, Outcome, columns_text};

/// Somebody who was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who.
    pub principal: Principal,
    /// Id of the token they came with.
    pub token_id: Option<String>,
}

impl Caller {
    /// Whose questions share places: all sessions and tokens of one principal do.
    pub(crate) fn name(&self) -> String {
        self.principal.to_string()
    }
}

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

impl ProductsApi {
    /// Recognises the caller.
    ///
    /// # Errors
    /// `unauthenticated`, with the same words whatever is wrong; `unavailable` when tokens cannot be looked up.
    pub(crate) async fn caller(&self, credentials: &Credentials) -> Result<Caller, Problem> {
        let refused = |reason: &str| {
            tracing::warn!(reason, "a caller was not recognised");
            Problem::new(
                ProblemCode::Unauthenticated,
                "send a valid bearer token (from a profile file of `sluice share create`) or call with IAM credentials",
            )
        };
        match credentials {
            Credentials::None => match &self.settings.local_caller {
                Some(principal) => Ok(Caller { principal: principal.clone(), token_id: None }),
                None => Err(refused("no credentials")),
            },
            Credentials::Gateway(caller) => match caller.arn.parse() {
                Ok(arn) => Ok(Caller { principal: Principal::Iam(arn), token_id: None }),
                Err(_) => Err(refused("an ARN that is not a role or a user")),
            },
            Credentials::Bearer(text) => {
                let Ok(token) = text.parse::<Token>() else { return Err(refused("not a valid token")) };
                let Some(kept) = self.registry.token(&token).await? else { return Err(refused("no such token")) };
                kept.check(&token, self.now()).map_err(|refusal| refused(&refusal.to_string()))?;
                let principal = Principal::Recipient(token.recipient().clone());
                Ok(Caller { principal, token_id: Some(token.id().to_owned()) })
            }
        }
    }

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

    /// Whether the caller may use this port by this access path. A denial is written to the audit log here; what is allowed is written
    /// by the handler, which knows what it gave out.
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
        operation: &'static str,
    ) -> Result<Access, Problem> {
        let unknown = || {
            Problem::new(ProblemCode::NotFound, format!("there is no data product `{product}` with a port `{port}`"))
        };
        let denied = |reason: &str| {
            let event = AuditEvent {
                product: Some(product.clone()),
                port: Some(port.clone()),
                reason: Some(reason.to_owned()),
                decision: Outcome::Denied,
                ..self.event(caller, access_path, operation)
            };
            self.audit.write(&event);
        };
        let Some(registered) = self.registry.product(product).await? else {
            denied("no such product");
            return Err(unknown());
        };
        let Some(found) = registered.port(port).cloned() else {
            denied("no such port");
            return Err(unknown());
        };
        match self.decision(caller, &registered, &found, access_path) {
            Decision::Granted(table) => Ok(Access { product: registered, port: found, table }),
            Decision::Denied { reason } => {
                denied(reason);
                let may_find =
                    matches!(self.decision(caller, &registered, &found, AccessPath::Catalogue), Decision::Granted(_));
                let detail =
                    format!("the policy of `{product}` does not let you read port `{port}` by `{access_path}`");
                Err(if may_find { Problem::new(ProblemCode::Forbidden, detail) } else { unknown() })
            }
        }
    }

    /// An allowed access to a port, to be completed with what was given out and written down.
    pub(crate) fn allowed(
        &self,
        caller: &Caller,
        access_path: AccessPath,
        operation: &'static str,
        access: &Access,
    ) -> AuditEvent {
        AuditEvent {
            product: Some(access.product.product.clone()),
            port: Some(access.port.name.clone()),
            columns: columns_text(&access.table.columns),
            row_filter: access.table.rows.is_some(),
            rule: Some(access.table.grant.clone()),
            purpose: access.table.purpose.clone(),
            ..self.event(caller, access_path, operation)
        }
    }

    /// Writes down an access that was allowed and failed: who tries, and fails, shows here as well as who reads.
    pub(crate) fn failed(&self, event: AuditEvent, problem: Problem) -> Problem {
        let reason = Some(problem.code.as_str().to_owned());
        self.audit.write(&AuditEvent { decision: Outcome::Failed, reason, ..event });
        problem
    }

    /// An allowed access that is about no port alone.
    pub(crate) fn event(&self, caller: &Caller, access_path: AccessPath, operation: &'static str) -> AuditEvent {
        AuditEvent {
            at: self.now(),
            caller: caller.principal.to_string(),
            token_id: caller.token_id.clone(),
            access_path,
            operation,
            product: None,
            port: None,
            version: None,
            columns: Vec::new(),
            row_filter: false,
            rows: None,
            files: None,
            decision: Outcome::Allowed,
            rule: None,
            purpose: None,
            reason: None,
        }
    }
}
