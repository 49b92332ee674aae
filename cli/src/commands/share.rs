//! `sluice share`: tokens that others read data products with.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use sluice_core::name::RecipientName;
use sluice_core::recipient::{KeptToken, SECRET_BYTES, Token};
use sluice_core::uri::layout;
use sluice_documents::Created;
use sluice_lake::Lake;
use url::Url;

use crate::arguments::{Lifetime, ShareCommand};
use crate::console::Console;
use crate::fault::{Exit, Fault};
use crate::grid::Grid;

/// Version of the profile files that clients of Delta Sharing read.
const PROFILE_VERSION: u32 = 1;

/// A profile file. It holds a token.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    share_credentials_version: u32,
    endpoint: String,
    bearer_token: String,
    expiration_time: String,
}

/// A token as it is listed: without the token itself and without its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct ListedToken {
    recipient: RecipientName,
    token_id: String,
    created_at: Timestamp,
    expires_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<Timestamp>,
    state: &'static str,
}

impl ListedToken {
    fn new(kept: KeptToken, now: Timestamp) -> Self {
        let state = match (kept.revoked_at, kept.expires_at <= now) {
            (Some(_), _) => "revoked",
            (None, true) => "expired",
            (None, false) => "good",
        };
        let KeptToken { recipient, id, created_at, expires_at, revoked_at, .. } = kept;
        Self { recipient, token_id: id, created_at, expires_at, revoked_at, state }
    }
}

/// Creates, lists or revokes tokens.
pub(crate) async fn run(command: ShareCommand, console: &Console) -> Result<Exit> {
    match command {
        ShareCommand::Create { lake, recipient, expires, endpoint, out } => {
            let out = out.unwrap_or_else(|| PathBuf::from(format!("{recipient}.share")));
            create(&lake.place.open_lake().await?, recipient, expires, &endpoint, &out, console).await
        }
        ShareCommand::List { lake } => list(&lake.place.open_lake().await?, console).await,
        ShareCommand::Revoke { recipient, lake, token } => {
            revoke(&lake.place.open_lake().await?, &recipient, token.as_deref(), console).await
        }
    }
}

async fn create(
    lake: &Lake,
    recipient: RecipientName,
    expires: Lifetime,
    endpoint: &Url,
    out: &Path,
    console: &Console,
) -> Result<Exit> {
    let now = Timestamp::now();
    let expires_at = expires.ends_at(now).map_err(|message| Fault::new(Exit::WrongUse, message))?;
    let mut secret = [0; SECRET_BYTES];
    getrandom::fill(&mut secret).context("the operating system returned no random bytes")?;
    let token = Token::new(recipient, &secret);
    let profile = Profile {
        share_credentials_version: PROFILE_VERSION,
        endpoint: format!("{}/sharing", endpoint.as_str().trim_end_matches('/')),
        bearer_token: token.reveal(),
        expiration_time: expires_at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
    };
    // Write the file first: a valid token that nobody has is worse than a file whose token is not valid yet.
    write_profile(out, &profile)?;
    match lake.documents().create(&layout::token(&token), &KeptToken::new(&token, now, expires_at)).await {
        Ok(Created::Created) => {}
        failed => {
            drop(std::fs::remove_file(out));
            let Created::AlreadyExists = failed? else { return Ok(Exit::Done) };
            return Err(Fault::new(Exit::Failed, "the id drawn for the token is already in use")
                .next("try again")
                .into());
        }
    }
    if console.is_json() {
        console.json_page(&json!({
            "recipient": token.recipient(), "token_id": token.id(), "expires_at": expires_at, "profile": out,
        }))?;
        return Ok(Exit::Done);
    }
    console.line(&format!(
        "created token {} for recipient:{}, valid until {expires_at:.0}: {}",
        token.id(),
        token.recipient(),
        out.display()
    ))?;
    console.note(&format!(
        "send the file to the recipient over a secure channel, then delete it; grants to recipient:{} decide what they can read",
        token.recipient()
    ));
    Ok(Exit::Done)
}

/// Writes the file so that only its owner can read it. An existing file is not touched.
fn write_profile(path: &Path, profile: &Profile) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Fault::new(Exit::WrongUse, format!("the file {} already exists", path.display()))
                .next("choose another file with --out")
        }
        _ => Fault::new(Exit::Failed, format!("cannot write {}: {error}", path.display())),
    })?;
    let mut text = serde_json::to_vec_pretty(profile)?;
    text.push(b'\n');
    file.write_all(&text).with_context(|| format!("cannot write {}", path.display()))
}

async fn kept_tokens(lake: &Lake, recipient: Option<&RecipientName>) -> Result<Vec<KeptToken>> {
    let folder = recipient.map_or_else(layout::recipients, layout::recipient);
    let mut tokens: Vec<KeptToken> = Vec::new();
    for path in lake.documents().list(&folder).await? {
        tokens.extend(lake.read_document(&path).await?);
    }
    tokens.sort_by(|a, b| (&a.recipient, a.created_at, &a.id).cmp(&(&b.recipient, b.created_at, &b.id)));
    Ok(tokens)
}

async fn list(lake: &Lake, console: &Console) -> Result<Exit> {
    let now = Timestamp::now();
    let tokens: Vec<ListedToken> =
        kept_tokens(lake, None).await?.into_iter().map(|kept| ListedToken::new(kept, now)).collect();
    if console.is_json() {
        console.json_page(&tokens)?;
    } else if tokens.is_empty() {
        console.line("there are no tokens")?;
    } else {
        let mut grid = Grid::new(["=recipient", "=token", "created", "expires", "state"]);
        for token in tokens {
            grid.row([
                token.recipient.to_string(),
                token.token_id,
                format!("{:.0}", token.created_at),
                format!("{:.0}", token.expires_at),
                token.revoked_at.map_or(token.state.to_owned(), |at| format!("{} {at:.0}", token.state)),
            ]);
        }
        console.line(&grid.text())?;
    }
    Ok(Exit::Done)
}

async fn revoke(lake: &Lake, recipient: &RecipientName, token: Option<&str>, console: &Console) -> Result<Exit> {
    let now = Timestamp::now();
    let tokens = kept_tokens(lake, Some(recipient)).await?;
    let chosen: Vec<KeptToken> =
        tokens.into_iter().filter(|kept| token.is_none_or(|id| kept.id.as_str() == id)).collect();
    if chosen.is_empty() {
        let what = token.map_or("no tokens".to_owned(), |id| format!("no token `{id}`"));
        let next = "`sluice share list` shows all recipients and their tokens";
        return Err(Fault::new(Exit::WrongUse, format!("recipient `{recipient}` has {what}")).next(next).into());
    }
    let mut revoked = Vec::new();
    for kept in chosen.into_iter().filter(|kept| kept.revoked_at.is_none()) {
        // Nothing else in the document ever changes, so two concurrent revocations write the same.
        let kept = KeptToken { revoked_at: Some(now), ..kept };
        lake.documents().write(&layout::kept_token(&kept), &kept).await?;
        revoked.push(ListedToken::new(kept, now));
    }
    if console.is_json() {
        console.json_page(&revoked)?;
    } else if revoked.is_empty() {
        console.line("already revoked")?;
    } else {
        for token in &revoked {
            console.line(&format!("revoked token {} of recipient:{}", token.token_id, token.recipient))?;
        }
        console.note(
            "running APIs refuse it within 5 seconds; file addresses that were already handed out expire on their own",
        );
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_file_is_readable_by_its_owner_only_and_is_never_replaced() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("acme.share");
        let profile = Profile {
            share_credentials_version: PROFILE_VERSION,
            endpoint: "http://127.0.0.1:8080/sharing".to_owned(),
            bearer_token: "acme.1.2".to_owned(),
            expiration_time: "2026-11-26T00:00:00.000Z".to_owned(),
        };
        write_profile(&path, &profile).expect("profile");
        let text = std::fs::read_to_string(&path).expect("text");
        assert!(text.contains("\"shareCredentialsVersion\": 1") && text.contains("\"bearerToken\": \"acme.1.2\""));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).expect("file").permissions().mode() & 0o777, 0o600);
        }
        let again = write_profile(&path, &Profile { bearer_token: "other".to_owned(), ..profile });
        assert!(again.is_err() && std::fs::read_to_string(&path).expect("text") == text);
    }

    #[test]
    fn a_listed_token_shows_its_state_but_not_its_hash() {
        let at = |text: &str| text.parse::<Timestamp>().expect(text);
        let token = Token::new("acme".parse().expect("name"), &[7; SECRET_BYTES]);
        let kept = KeptToken::new(&token, at("2026-01-01T00:00:00Z"), at("2026-02-01T00:00:00Z"));
        let check = |kept: &KeptToken, now: &str, state: &str| {
            let listed = ListedToken::new(kept.clone(), at(now));
            assert_eq!(listed.state, state, "{now}");
            assert!(!serde_json::to_string(&listed).expect("json").contains(&kept.hash), "no hash is shown");
        };
        check(&kept, "2026-01-02T00:00:00Z", "good");
        check(&kept, "2026-02-01T00:00:00Z", "expired");
        check(&KeptToken { revoked_at: Some(at("2026-01-05T00:00:00Z")), ..kept }, "2026-01-02T00:00:00Z", "revoked");
    }
}
