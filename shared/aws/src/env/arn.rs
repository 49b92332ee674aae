//! The ARN of a state machine, and why a text is no name.

use std::str::FromStr;

/// Why a text is no name of an AWS thing.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("'{text}' is not {rule}")]
pub struct AwsNameError {
    /// The refused text, shortened to 200 characters.
    pub text: String,
    /// What is expected.
    pub rule: &'static str,
}

/// ARN of a state machine, such as `arn:aws:states:eu-central-1:123456789012:stateMachine:sluice`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateMachineArn {
    text: String,
    /// What the ARNs of its executions begin with.
    executions: String,
}

impl StateMachineArn {
    /// The ARN as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The ARN of its execution of this name.
    pub fn execution(&self, name: &str) -> String {
        format!("{}:{name}", self.executions)
    }
}

impl FromStr for StateMachineArn {
    type Err = AwsNameError;

    fn from_str(text: &str) -> Result<Self, AwsNameError> {
        let parts: Vec<&str> = text.split(':').collect();
        match parts.as_slice() {
            // A version or alias has one part more: its executions would be listed under another name than they are found.
            ["arn", partition, "states", region, account, "stateMachine", name]
                if [partition, region, account, name].iter().all(|part| !part.is_empty()) =>
            {
                let executions = format!("arn:{partition}:states:{region}:{account}:execution:{name}");
                Ok(Self { text: text.to_owned(), executions })
            }
            _ => Err(AwsNameError {
                text: text.chars().take(200).collect(),
                rule: "arn:<partition>:states:<region>:<account>:stateMachine:<name>, without version or alias",
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executions_are_named_below_their_state_machine() {
        let check = |text: &str, expected: Option<&str>| {
            let found = text.parse::<StateMachineArn>().ok().map(|arn| arn.execution("api-1"));
            assert_eq!(found.as_deref(), expected, "{text}");
        };
        check(
            "arn:aws:states:eu-central-1:123456789012:stateMachine:sluice",
            Some("arn:aws:states:eu-central-1:123456789012:execution:sluice:api-1"),
        );
        check("arn:aws:states:eu-central-1:123456789012:stateMachine:sluice:7", None);
        check("arn:aws:states:eu-central-1::stateMachine:sluice", None);
        check("arn:aws:sns:eu-central-1:123456789012:runs", None);
        check("sluice", None);
    }
}
