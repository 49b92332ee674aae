//! Signing in and out.
//!
//! Forms of other servers are refused: a foreign page could sign a person in as somebody else, whose searches they
//! would then fill.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::Response;
use sluice_core::access::Principal;
use sluice_http::audit::Trail;
use sluice_http::body::collect;
use sluice_http::{Caller, Credentials, Problem, ProblemCode};
use sluice_pages::sign_in_page;

use super::pages;
use super::session::Session;
use super::viewer::{Asked, return_address};
use crate::App;

/// What a person reads whose token is refused, whatever is wrong with it.
const REFUSED: &str = "This token is not valid: it is unknown, revoked or expired.";
/// What a person reads whose address for one sign-in is refused.
const USED: &str =
    "This address was used, or is older than 5 minutes. Start `sluice ui` again, or sign in with a token.";

/// The page with the form; with the address of a person at this machine, the sign-in itself.
pub(super) async fn page(State(api): State<App>, trail: Trail, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let asked = Asked::of(&parts);
    let fields = Fields::of(parts.uri.query().unwrap_or_default().as_bytes());
    // A request for the headers alone begins no session: the browser would have nothing to read.
    let Some(once) = fields.get("once").filter(|_| parts.method == Method::GET) else {
        let to = fields.get("to").and_then(return_address).unwrap_or_default();
        return asked.page(&api, StatusCode::OK, &sign_in_page(to, None));
    };
    let Some(session) = api.console.sessions.begin_local(once, api.now()) else {
        trail.deny("the address for one sign-in was used, is too old, or is not valid");
        return asked.sign_in(&api, Some(USED), Problem::new(ProblemCode::Unauthenticated, USED));
    };
    match Caller::with(&parts, &session.credentials()).await {
        Ok(_) => begun(&api, &asked, &session, "/console/"),
        Err(problem) => asked.problem(&api, None, problem),
    }
}

/// The sign-in with a token.
pub(super) async fn submit(State(api): State<App>, trail: Trail, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let asked = Asked::of(&parts);
    if let Err(problem) = check_form(&parts.headers) {
        trail.deny("the form is of another server");
        return asked.problem(&api, None, problem);
    }
    let fields = match collect(body).await {
        Ok(body) => Fields::of(&body),
        Err(problem) => return asked.problem(&api, None, problem),
    };
    let token = fields.get("token").unwrap_or_default().trim().to_owned();
    let to = fields.get("to").and_then(return_address).unwrap_or("/console/");
    match Caller::with(&parts, &Credentials::Bearer(token)).await {
        Ok(Caller { principal: Principal::Recipient(recipient), token_id: Some(token_id), .. }) => {
            begun(&api, &asked, &Session::Token { recipient, token_id }, to)
        }
        // Only tokens are taken, and each has an id.
        Ok(_) => asked.problem(&api, None, Problem::new(ProblemCode::Internal, "the token has no id")),
        Err(problem) if problem.code == ProblemCode::Unauthenticated => {
            let again = asked.page(&api, problem.code.status(), &sign_in_page(to, Some(REFUSED)));
            pages::with_problem(again, problem)
        }
        Err(problem) => asked.problem(&api, None, problem),
    }
}

/// The end of a session in its browser.
pub(super) async fn end(State(api): State<App>, trail: Trail, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let asked = Asked::of(&parts);
    if let Err(problem) = check_form(&parts.headers) {
        trail.deny("the form is of another server");
        return asked.problem(&api, None, problem);
    }
    if let Some(session) = api.console.sessions.of(&parts.headers, api.now()) {
        trail.note(|event| event.caller = session.principal().to_string());
    }
    let mut response = pages::redirect(&api, "/console/sign-in");
    if let Some(cookie) = api.console.sessions.no_cookie() {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// The answer that begins a session.
fn begun(api: &App, asked: &Asked, session: &Session, to: &str) -> Response {
    let Some(cookie) = api.console.sessions.cookie(session, api.now()) else {
        return asked.problem(api, None, Problem::new(ProblemCode::Internal, "the session cannot be written"));
    };
    let mut response = pages::redirect(api, to);
    response.headers_mut().append(header::SET_COOKIE, cookie);
    response
}

/// Whether a form is one of our pages, as far as the browser says.
///
/// # Errors
/// `forbidden`; `unsupported-media-type` for what no form sends.
fn check_form(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let host = text("host").unwrap_or_default();
    let is_own = |origin: &str| origin.split_once("://").is_some_and(|(_, of)| of.eq_ignore_ascii_case(host));
    let is_foreign = text("origin").is_some_and(|origin| !is_own(origin));
    if is_foreign || text("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none") {
        let detail = "this form was sent by a page of another server: open the console itself, and send it from there";
        return Err(Problem::new(ProblemCode::Forbidden, detail));
    }
    let media_type = text("content-type").unwrap_or("application/x-www-form-urlencoded");
    if media_type.split(';').next().is_none_or(|essence| essence.trim() != "application/x-www-form-urlencoded") {
        let detail = "this is not a form: send application/x-www-form-urlencoded";
        return Err(Problem::new(ProblemCode::UnsupportedMediaType, detail));
    }
    Ok(())
}

/// The fields of a form or of a query.
struct Fields(Vec<(String, String)>);

impl Fields {
    fn of(text: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(text).into_owned().collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn forms_of_other_servers_are_refused() {
        let check = |given: &[(&'static str, &'static str)], expected: Option<ProblemCode>| {
            let header = |(name, value): &(&'static str, &'static str)| {
                (HeaderName::from_static(name), HeaderValue::from_static(value))
            };
            let headers: HeaderMap = given.iter().map(header).collect();
            assert_eq!(check_form(&headers).err().map(|problem| problem.code), expected, "{given:?}");
        };
        let (host, forbidden) = (("host", "data.example.com"), Some(ProblemCode::Forbidden));
        check(&[host], None);
        check(&[host, ("origin", "https://data.example.com"), ("sec-fetch-site", "same-origin")], None);
        check(&[host, ("origin", "https://attacker.example")], forbidden);
        check(&[host, ("origin", "null")], forbidden);
        check(&[host, ("sec-fetch-site", "cross-site")], forbidden);
        check(&[host, ("sec-fetch-site", "same-site")], forbidden);
        check(&[host, ("content-type", "application/x-www-form-urlencoded; charset=utf-8")], None);
        check(&[host, ("content-type", "text/plain")], Some(ProblemCode::UnsupportedMediaType));
    }
}
