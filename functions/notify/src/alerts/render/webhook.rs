//! Any receiver: a signed webhook (<https://www.standardwebhooks.com>).
//!
//! `webhook-id` is the same for every try of one message, so that a receiver can leave out what it has. The signature
//! is over id, time and body.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::json;
use sha2::Sha256;
use sluice_core::alert::{Alert, AlertState, ChannelAddress};

use super::Post;

/// What a secret begins with.
const PREFIX: &str = "whsec_";

/// Why a secret signs nothing. It is not repeated.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "its secret is not `whsec_` and 24 to 64 bytes in base64, as Standard Webhooks has it: make the second part with \
     `openssl rand -base64 32`"
)]
pub struct SecretError;

/// The request, signed now.
///
/// # Errors
/// [`SecretError`] when the secret is not one of Standard Webhooks.
pub fn post(address: &ChannelAddress, secret: &str, alert: &Alert, now: Timestamp) -> Result<Post, SecretError> {
    let event_type = match alert.state {
        AlertState::Firing => "sluice.alert.firing",
        AlertState::Resolved => "sluice.alert.resolved",
    };
    let body = json!({ "type": event_type, "timestamp": alert.ended_at.to_string(), "data": alert }).to_string();
    let (id, seconds) = (alert.message_id(), now.as_second().to_string());
    let signature = signature(secret, &format!("{id}.{seconds}.{body}"))?;
    let headers = vec![("webhook-id", id), ("webhook-timestamp", seconds), ("webhook-signature", signature)];
    Ok(Post { url: address.as_url().clone(), headers, body })
}

fn signature(secret: &str, signed: &str) -> Result<String, SecretError> {
    let encoded = secret.strip_prefix(PREFIX).ok_or(SecretError)?;
    let key = STANDARD.decode(encoded).map_err(|_| SecretError)?;
    if !(24..=64).contains(&key.len()) {
        return Err(SecretError);
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|_| SecretError)?;
    mac.update(signed.as_bytes());
    Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_the_reference_implementation() {
        // The vector of the libraries of Standard Webhooks.
        let signed = r#"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}"#;
        let found = signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", signed);
        assert_eq!(found.as_deref(), Ok("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    }

    #[test]
    fn secrets_that_are_not_of_standard_webhooks_are_refused() {
        for bad in ["", "hush", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_c2hvcnQ=", "whsec_ä"] {
            assert_eq!(signature(bad, "a"), Err(SecretError), "{bad}");
        }
    }
}
