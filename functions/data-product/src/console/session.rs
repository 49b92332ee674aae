//! Sessions: who has signed in, in a cookie that only this server can make.
//!
//! A session that began with a token names it, and each request checks that the token is still good: revoking it ends
//! its sessions. One that began on this machine without a token ends with the process.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use sluice_core::access::Principal;
use sluice_core::name::RecipientName;
use sluice_http::Credentials;

/// How long a session lasts: a working day.
const LIFE: SignedDuration = SignedDuration::from_hours(12);
/// How long the address of a sign-in on this machine is good: long enough for a browser to start.
const ONCE_LIFE: SignedDuration = SignedDuration::from_mins(5);

/// Who has signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Session {
    /// The holder of a token.
    Token {
        /// Whose token.
        recipient: RecipientName,
        /// Its id.
        token_id: String,
    },
    /// A person at this machine.
    Local(Principal),
}

impl Session {
    /// What its requests are recognised by.
    pub(super) fn credentials(&self) -> Credentials {
        match self.clone() {
            Self::Token { recipient, token_id } => Credentials::Session { recipient, token_id },
            Self::Local(principal) => Credentials::Local(principal),
        }
    }

    /// Who, as policies name them.
    pub(super) fn principal(&self) -> Principal {
        match self.clone() {
            Self::Token { recipient, .. } => Principal::Recipient(recipient),
            Self::Local(principal) => principal,
        }
    }

    /// The session as lines. Names have no line ends.
    fn text(&self, expires_at: Timestamp) -> String {
        let expires = expires_at.as_second();
        match self {
            Self::Token { recipient, token_id } => format!("token\n{recipient}\n{token_id}\n{expires}"),
            Self::Local(principal) => format!("local\n{principal}\n{expires}"),
        }
    }

    /// The session in its own text, and when it ends.
    fn parse(text: &str) -> Option<(Self, Timestamp)> {
        let instant = |text: &str| Timestamp::from_second(text.parse().ok()?).ok();
        let lines: Vec<&str> = text.split('\n').collect();
        match lines.as_slice() {
            ["token", recipient, token_id, expires] => {
                let (recipient, token_id) = (recipient.parse().ok()?, (*token_id).to_owned());
                Some((Self::Token { recipient, token_id }, instant(expires)?))
            }
            ["local", principal, expires] => Some((Self::Local(principal.parse().ok()?), instant(expires)?)),
            _ => None,
        }
    }
}

/// One sign-in of a person at this machine, by an address that only they get.
#[derive(Clone)]
pub struct LocalSignIn {
    principal: Principal,
    /// The key of its sessions, which ends with the process.
    key: [u8; 32],
    once: Arc<Mutex<Option<Once>>>,
}

/// What the address has, until it is used.
struct Once {
    hash: blake3::Hash,
    until: Timestamp,
}

impl fmt::Debug for LocalSignIn {
    /// Says who, and never a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LocalSignIn").field(&self.principal).finish()
    }
}

impl LocalSignIn {
    /// A sign-in as this principal, and the path and query of its address: a secret, good once and for 5 minutes.
    /// `random` comes from the operating system, and is used for nothing else.
    pub fn new(principal: Principal, random: &[u8; 32], now: Timestamp) -> (Self, String) {
        let key = blake3::derive_key("sluice 2026-12 console local sessions", random);
        let once = blake3::Hash::from(blake3::derive_key("sluice 2026-12 console sign-in", random)).to_hex();
        let until = now.saturating_add(ONCE_LIFE).unwrap_or(now);
        let kept = Once { hash: blake3::hash(once.as_bytes()), until };
        let address = format!("/console/sign-in?once={once}");
        (Self { principal, key, once: Arc::new(Mutex::new(Some(kept))) }, address)
    }

    /// The session that this text of an address begins, which is good once. A wrong text uses nothing up.
    fn begin(&self, text: &str, now: Timestamp) -> Option<Session> {
        // Every change is complete before the lock is released.
        let mut once = self.once.lock().unwrap_or_else(PoisonError::into_inner);
        // Compared as hashes, which takes the same time wherever they differ.
        let is_good = once.as_ref().is_some_and(|once| once.hash == blake3::hash(text.as_bytes()) && now < once.until);
        if !is_good {
            return None;
        }
        *once = None;
        Some(Session::Local(self.principal.clone()))
    }
}

/// Who makes and reads sessions.
pub(super) struct Sessions {
    key: [u8; 32],
    local: Option<LocalSignIn>,
    /// Name of the cookie.
    cookie: String,
    /// What browsers do with it.
    attributes: &'static str,
}

impl fmt::Debug for Sessions {
    /// Says what the cookie is called, and never a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("cookie", &self.cookie).finish_non_exhaustive()
    }
}

impl Sessions {
    /// Sessions of an API that callers reach at this address.
    ///
    /// A cookie of HTTPS has the prefix `__Host-`: browsers take it from this host alone, and send it by HTTPS alone.
    /// Servers on one machine share their cookies whatever their ports are, so that the name has the port.
    pub(super) fn new(key: [u8; 32], endpoint: &str) -> Self {
        if endpoint.starts_with("https://") {
            let attributes = "Path=/; HttpOnly; SameSite=Lax; Secure";
            return Self { key, local: None, cookie: "__Host-sluice-console".to_owned(), attributes };
        }
        let port = endpoint.rsplit_once(':').map_or("80", |(_, port)| port.trim_end_matches('/'));
        Self {
            key,
            local: None,
            cookie: format!("sluice-console-{port}"),
            attributes: "Path=/console; HttpOnly; SameSite=Lax",
        }
    }

    /// Sessions with a sign-in of this machine.
    pub(super) fn with_local(self, local: LocalSignIn) -> Self {
        Self { local: Some(local), ..self }
    }

    /// The session that an address of this machine begins.
    pub(super) fn begin_local(&self, once: &str, now: Timestamp) -> Option<Session> {
        self.local.as_ref()?.begin(once, now)
    }

    /// The cookie of a session that begins now.
    pub(super) fn cookie(&self, session: &Session, now: Timestamp) -> Option<HeaderValue> {
        let text = session.text(now.checked_add(LIFE).ok()?);
        let proof = blake3::keyed_hash(self.key_of(session)?, text.as_bytes()).to_hex();
        let (name, value, seconds) = (&self.cookie, URL_SAFE_NO_PAD.encode(&text), LIFE.as_secs());
        HeaderValue::from_str(&format!("{name}={value}.{proof}; Max-Age={seconds}; {}", self.attributes)).ok()
    }

    /// The cookie that ends a session in its browser.
    pub(super) fn no_cookie(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&format!("{}=; Max-Age=0; {}", self.cookie, self.attributes)).ok()
    }

    /// The session of a request, while it lasts.
    pub(super) fn of(&self, headers: &HeaderMap, now: Timestamp) -> Option<Session> {
        let texts = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let cookies = texts.flat_map(|text| text.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
        cookies.filter(|(name, _)| *name == self.cookie).find_map(|(_, value)| self.opened(value, now))
    }

    fn opened(&self, value: &str, now: Timestamp) -> Option<Session> {
        let (text, given) = value.split_once('.')?;
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let (session, expires_at) = Session::parse(&text)?;
        let proof = blake3::keyed_hash(self.key_of(&session)?, text.as_bytes());
        // Compared as hashes, which takes the same time wherever they differ.
        (blake3::Hash::from_hex(given).ok()? == proof && now < expires_at).then_some(session)
    }

    fn key_of(&self, session: &Session) -> Option<&[u8; 32]> {
        match session {
            Session::Token { .. } => Some(&self.key),
            Session::Local(_) => self.local.as_ref().map(|local| &local.key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: &str = "http://127.0.0.1:8080";
    const AWS: &str = "https://data.example.com";

    fn at(text: &str) -> Timestamp {
        text.parse().expect(text)
    }

    fn session() -> Session {
        Session::Token { recipient: "acme".parse().expect("name"), token_id: "0123456789ab".to_owned() }
    }

    /// A browser's header for a cookie that it was given.
    fn sent(cookie: &HeaderValue) -> HeaderMap {
        let text = cookie.to_str().expect("text").split(';').next().expect("a pair").to_owned();
        let cookie = HeaderValue::from_str(&format!("a=b; {text}; c=d")).expect("value");
        HeaderMap::from_iter([(header::COOKIE, cookie)])
    }

    #[test]
    fn a_session_is_read_until_it_ends() {
        let sessions = Sessions::new([1; 32], LOCAL);
        let began = at("2026-01-05T06:00:00Z");
        let headers = sent(&sessions.cookie(&session(), began).expect("cookie"));
        assert_eq!(sessions.of(&headers, at("2026-01-05T17:59:59Z")), Some(session()));
        assert_eq!(sessions.of(&headers, at("2026-01-05T18:00:00Z")), None);
        assert_eq!(sessions.of(&HeaderMap::new(), began), None);
    }

    #[test]
    fn a_session_of_another_server_or_a_changed_one_is_none() {
        let began = at("2026-01-05T06:00:00Z");
        let sessions = Sessions::new([1; 32], LOCAL);
        let cookie = sessions.cookie(&session(), began).expect("cookie");
        assert_eq!(Sessions::new([2; 32], LOCAL).of(&sent(&cookie), began), None, "another secret");
        assert_eq!(Sessions::new([1; 32], "http://127.0.0.1:8081").of(&sent(&cookie), began), None, "another port");
        let value = cookie.to_str().expect("text").split(';').next().expect("a pair").to_owned();
        let (name, value) = value.split_once('=').expect("a pair");
        let (text, proof) = value.split_once('.').expect("a proof");
        let other = Session::Token { recipient: "other".parse().expect("name"), token_id: "0123456789ab".to_owned() };
        let other = URL_SAFE_NO_PAD.encode(other.text(at("2026-01-05T18:00:00Z")));
        for value in [format!("{other}.{proof}"), format!("{text}.{}", "0".repeat(64)), text.to_owned(), String::new()]
        {
            let cookie = HeaderValue::from_str(&format!("{name}={value}")).expect("value");
            assert_eq!(sessions.of(&HeaderMap::from_iter([(header::COOKIE, cookie)]), began), None, "{value}");
        }
    }

    #[test]
    fn cookies_stay_with_their_server() {
        let check = |endpoint: &str, begin: &str, end: &str| {
            let cookie = Sessions::new([1; 32], endpoint).cookie(&session(), Timestamp::UNIX_EPOCH).expect("cookie");
            let cookie = cookie.to_str().expect("text").to_owned();
            assert!(cookie.starts_with(begin) && cookie.ends_with(end), "{cookie}");
            let none = Sessions::new([1; 32], endpoint).no_cookie().expect("cookie");
            let none = none.to_str().expect("text").to_owned();
            assert!(none.starts_with(&format!("{begin}; Max-Age=0")) && none.ends_with(end), "{none}");
        };
        check(AWS, "__Host-sluice-console=", "; Path=/; HttpOnly; SameSite=Lax; Secure");
        check(LOCAL, "sluice-console-8080=", "; Path=/console; HttpOnly; SameSite=Lax");
    }

    #[test]
    fn an_address_of_this_machine_is_good_once_and_for_a_while() {
        let ann: Principal = "arn:aws:iam::123456789012:role/ann".parse().expect("principal");
        let now = at("2026-01-05T06:00:00Z");
        let (local, address) = LocalSignIn::new(ann.clone(), &[7; 32], now);
        let once = address.strip_prefix("/console/sign-in?once=").expect("an address").to_owned();
        let sessions = Sessions::new([1; 32], LOCAL).with_local(local);
        assert_eq!(sessions.begin_local("0", now), None);
        assert_eq!(sessions.begin_local(&once, at("2026-01-05T06:05:00Z")), None, "too late");
        let session = sessions.begin_local(&once, at("2026-01-05T06:04:59Z")).expect("a session");
        assert_eq!(session, Session::Local(ann.clone()));
        assert_eq!(sessions.begin_local(&once, now), None, "a second time");
        let headers = sent(&sessions.cookie(&session, now).expect("cookie"));
        assert_eq!(sessions.of(&headers, now), Some(session));
        let (next, _) = LocalSignIn::new(ann, &[8; 32], now);
        let restarted = Sessions::new([1; 32], LOCAL).with_local(next);
        assert_eq!(restarted.of(&headers, now), None, "the process has ended");
        assert_eq!(Sessions::new([1; 32], LOCAL).of(&headers, now), None, "nobody signs in like this here");
    }

    #[test]
    fn keys_are_in_no_log() {
        let ann = "recipient:ann".parse().expect("principal");
        let (local, address) = LocalSignIn::new(ann, &[7; 32], Timestamp::UNIX_EPOCH);
        let shown = format!("{local:?} {:?}", Sessions::new([1; 32], LOCAL).with_local(local.clone()));
        let once = address.split_once("once=").expect("an address").1;
        assert!(!shown.contains(once) && !shown.contains("[1,") && shown.contains("ann"), "{shown}");
    }
}
