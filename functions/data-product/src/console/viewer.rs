//! Who reads a page, and the answer to them.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde::de::DeserializeOwned;
use sluice_http::guard::RequestId;
use sluice_http::{Caller, Credentials, Problem, ProblemCode, Query};
use sluice_pages::{Content, Reader, sign_in_page};

use super::pages;
use crate::App;

/// Longest address that a sign-in leads back to: what a page writes without cutting it.
const MAX_ADDRESS_BYTES: usize = 512;

/// What is asked for.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// The id of the request.
    request: String,
    /// The address of the page below `/console/`.
    here: String,
    /// The address of the page with its query.
    address: String,
}

impl Asked {
    /// What a request asks for.
    pub(super) fn of(parts: &Parts) -> Self {
        let request = parts.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
        let here = parts.uri.path().strip_prefix("/console/").unwrap_or_default().to_owned();
        let address = parts.uri.path_and_query().map(|address| address.as_str().to_owned()).unwrap_or_default();
        Self { request, here, address }
    }

    /// A page that says what went wrong.
    pub(super) fn problem(&self, api: &App, reader: Option<Reader<'_>>, problem: Problem) -> Response {
        pages::problem(&pages::frame(api, &self.here, reader, ""), &self.request, problem)
    }

    /// A page before the sign-in.
    pub(super) fn page(&self, api: &App, status: StatusCode, content: &Content) -> Response {
        pages::page(status, &pages::frame(api, &self.here, None, ""), content)
    }

    /// The page where people sign in, in the place of one that needs it. Of one that is about signing in, no address is
    /// gone back to.
    pub(super) fn sign_in(&self, api: &App, failed: Option<&str>, problem: Problem) -> Response {
        let to = if self.here.starts_with("sign-") { "" } else { return_address(&self.address).unwrap_or_default() };
        pages::with_problem(self.page(api, problem.code.status(), &sign_in_page(to, failed)), problem)
    }
}

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}

/// The parameters of a query string, or what is wrong with them: pages say so as pages.
pub(super) struct Parameters<T>(pub(super) Result<T, Problem>);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        Ok(Self(Query::<T>::from_request_parts(parts, state).await.map(|Query(wanted)| wanted)))
    }
}

/// The address, if a sign-in may lead back to it: one of a page of the console, in characters that need no escapes.
pub(super) fn return_address(address: &str) -> Option<&str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./?=&%+~".contains(&byte);
    let is_page = address.starts_with("/console/") && !address.contains("//") && !address.contains("/..");
    (is_page && address.len() <= MAX_ADDRESS_BYTES && address.bytes().all(is_plain)).then_some(address)
}

/// Somebody who may read pages.
#[derive(Debug, Clone)]
pub(super) struct Viewer {
    /// Who.
    pub(super) caller: Caller,
    has_session: bool,
    asked: Asked,
    query: String,
}

impl Viewer {
    /// The viewer with what they search for.
    pub(super) fn searching(self, query: &str) -> Self {
        Self { query: query.to_owned(), ..self }
    }

    /// The page, or what went wrong as a page.
    pub(super) fn answer(&self, api: &App, found: Result<Content, Problem>) -> Response {
        let name = self.caller.name();
        let reader = Some(Reader { name: &name, has_session: self.has_session });
        match found {
            Ok(content) => {
                pages::page(StatusCode::OK, &pages::frame(api, &self.asked.here, reader, &self.query), &content)
            }
            Err(problem) => self.asked.problem(api, reader, problem),
        }
    }
}

impl FromRequestParts<App> for Viewer {
    type Rejection = Response;

    /// Credentials of the request itself come first, then the session, and then who calls without either.
    async fn from_request_parts(parts: &mut Parts, api: &App) -> Result<Self, Response> {
        let asked = Asked::of(parts);
        let own = Credentials::of(parts);
        let session = match &own {
            Credentials::None => api.console.sessions.of(&parts.headers, api.now()),
            _ => None,
        };
        let has_session = session.is_some();
        let credentials = session.map_or(own, |session| session.credentials());
        match Caller::with(parts, &credentials).await {
            Ok(caller) => Ok(Self { caller, has_session, asked, query: String::new() }),
            Err(problem) if problem.code == ProblemCode::Unauthenticated => {
                let ended = has_session.then_some("Your session has ended, because its token has: sign in again.");
                Err(asked.sign_in(api, ended, problem))
            }
            Err(problem) => Err(asked.problem(api, None, problem)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_leads_to_pages_of_the_console_alone() {
        let check = |address: &str, expected: bool| {
            assert_eq!(return_address(address).is_some(), expected, "{address}");
        };
        check("/console/", true);
        check("/console/runs/retail/day-1?live=no", true);
        check("/console/search?q=a+b%20c", true);
        check("", false);
        check("/data-products", false);
        check("https://attacker.example/console/", false);
        check("//attacker.example/console/", false);
        check("/console//attacker.example", false);
        check("/console/../files/x", false);
        check("/console/\\attacker", false);
        check("/console/a\r\nSet-Cookie: b", false);
        check(&format!("/console/{}", "x".repeat(MAX_ADDRESS_BYTES)), false);
    }
}
