//! Where events are sent.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

use crate::uri::FolderUri;

/// Where the events of runs go. They are stored with the documents of their run in any case.
///
/// # Example
///
/// ```
/// use sluice_core::openlineage::Target;
///
/// let target: Target = "https://marquez.example.com/api/v1/lineage".parse().unwrap();
/// assert!(matches!(target, Target::Http(_)));
/// assert_eq!("lake".parse::<Target>(), Ok(Target::Lake));
///
/// let error = "kinesis:lineage".parse::<Target>().unwrap_err();
/// assert!(error.to_string().contains("write `events`"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Nowhere else: they stay with the run.
    Lake,
    /// To the event bus of the function that ends runs.
    Events,
    /// To a folder of this machine: a file of lines for each attempt.
    Folder(FolderUri),
    /// To a server, one request for each event.
    Http(Url),
}

/// Why a text is no target.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TargetError {
    /// Something else.
    #[error(
        "'{text}' is no target of OpenLineage events: write https://host/api/v1/lineage, file:///folder, `events` (the \
         event bus), `lake` (kept with the run alone) or `none`"
    )]
    Unknown {
        /// The refused text.
        text: String,
    },
    /// A stream of Kinesis.
    #[error(
        "'{text}': Sluice puts no events on a stream of Kinesis: write `events`, and let a rule of the event bus put \
         them there (docs/openlineage.md)"
    )]
    Kinesis {
        /// The refused text.
        text: String,
    },
    /// An address without TLS.
    #[error(
        "'{text}' would send events, and the key of the API, in the clear: write https://; http:// is for this \
         machine"
    )]
    InTheClear {
        /// The refused text.
        text: String,
    },
    /// An address with a user name or a password in it.
    #[error(
        "the address of OpenLineage events has a user name or password in it: remove it, and give the key of the API \
         by its own setting"
    )]
    Credentials,
    /// An address of a host alone.
    #[error("'{text}' has no path: write the whole address, such as {text}api/v1/lineage")]
    NoPath {
        /// The refused text, with a slash at its end.
        text: String,
    },
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let shown = || without_query(text).to_owned();
        let unknown = || TargetError::Unknown { text: shown() };
        match text {
            "lake" => return Ok(Self::Lake),
            "events" => return Ok(Self::Events),
            _ if text.starts_with("kinesis:") => return Err(TargetError::Kinesis { text: shown() }),
            _ if text.starts_with("file:") => {
                return text.parse().map(Self::Folder).map_err(|_| unknown());
            }
            _ => {}
        }
        let url = Url::parse(text).map_err(|_| unknown())?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TargetError::Credentials);
        }
        match url.scheme() {
            "https" => {}
            "http" if is_this_machine(&url) => {}
            "http" => return Err(TargetError::InTheClear { text: shown() }),
            _ => return Err(unknown()),
        }
        if url.path() == "/" {
            return Err(TargetError::NoPath { text: without_query(url.as_str()).to_owned() });
        }
        Ok(Self::Http(url))
    }
}

/// The text without the query of an address, which may have a key in it.
fn without_query(text: &str) -> &str {
    text.split_once('?').map_or(text, |(before, _)| before)
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// As it is written, without the query of an address.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lake => f.write_str("lake"),
            Self::Events => f.write_str("events"),
            Self::Folder(folder) => write!(f, "{folder}"),
            Self::Http(url) => f.write_str(without_query(url.as_str())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_parsed_and_shown_as_it_is_written() {
        let check = |text: &str, shown: &str| {
            assert_eq!(text.parse::<Target>().expect(text).to_string(), shown, "{text}");
        };
        check("lake", "lake");
        check("events", "events");
        check("file:///srv/lineage", "file:///srv/lineage/");
        check("https://host.example/api/v1/lineage", "https://host.example/api/v1/lineage");
        check("http://127.0.0.1:5000/api/v1/lineage", "http://127.0.0.1:5000/api/v1/lineage");
        check("http://localhost:5000/api/v1/lineage", "http://localhost:5000/api/v1/lineage");
        check("http://[::1]:5000/api/v1/lineage", "http://[::1]:5000/api/v1/lineage");
    }

    #[test]
    fn a_wrong_target_is_refused_with_the_fix() {
        let check = |text: &str, says: &str| {
            let error = text.parse::<Target>().expect_err(text).to_string();
            assert!(error.contains(says), "{text}: {error}");
        };
        check("", "write https://host/api/v1/lineage");
        check("marquez", "write https://host/api/v1/lineage");
        check("s3://bucket/lineage", "write https://host/api/v1/lineage");
        check("file://host/folder", "write https://host/api/v1/lineage");
        check("kinesis:lineage", "write `events`");
        check("http://marquez.example/api/v1/lineage", "write https://");
        check("http://127.0.0.1.example/api/v1/lineage", "write https://");
        check("https://ann:secret@host.example/api/v1/lineage", "user name or password");
        check("https://host.example", "such as https://host.example/api/v1/lineage");
        let secret =
            ["https://ann:secret@host.example/x", "http://host.example/x?key=secret", "https://a.b?key=secret"];
        for text in secret {
            let error = text.parse::<Target>().expect_err("refused");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        let target: Target = "https://host.example/x?key=secret".parse().expect("a target");
        assert_eq!(target.to_string(), "https://host.example/x");
    }
}
