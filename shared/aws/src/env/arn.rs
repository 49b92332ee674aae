//! Names and ARNs of things in AWS, and why a text is not one.

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

/// ARN of a state machine or of an alias of it, such as `arn:aws:states:eu-central-1:123456789012:stateMachine:sluice:live`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateMachineArn {
    text: String,
    /// Without the alias.
    machine: String,
    /// What the ARNs of its executions begin with.
    executions: String,
}

impl StateMachineArn {
    /// What executions are started by: the ARN as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What executions are listed by: the machine itself, whose list has those of every alias.
    pub fn machine(&self) -> &str {
        &self.machine
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
            ["arn", partition, "states", region, account, "stateMachine", name, alias @ ..]
                if [partition, region, account, name].iter().all(|part| !part.is_empty())
                    && is_alias_or_nothing(alias) =>
            {
                let place = format!("{partition}:states:{region}:{account}");
                let machine = format!("arn:{place}:stateMachine:{name}");
                Ok(Self { text: text.to_owned(), machine, executions: format!("arn:{place}:execution:{name}") })
            }
            _ => Err(AwsNameError {
                text: text.chars().take(200).collect(),
                rule: "arn:<partition>:states:<region>:<account>:stateMachine:<name>, alone or with :<alias>",
            }),
        }
    }
}

/// Whether what follows the name is an alias or nothing. A version is a number, and would start the same code for ever.
fn is_alias_or_nothing(qualifier: &[&str]) -> bool {
    match qualifier {
        [] => true,
        [alias] => alias.contains(|c: char| !c.is_ascii_digit()),
        _ => false,
    }
}

/// ARN of a standard SNS topic, such as `arn:aws:sns:eu-central-1:123456789012:runs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicArn(String);

impl TopicArn {
    /// The ARN as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TopicArn {
    type Err = AwsNameError;

    fn from_str(text: &str) -> Result<Self, AwsNameError> {
        let refused = |rule| AwsNameError { text: text.chars().take(200).collect(), rule };
        let parts: Vec<&str> = text.split(':').collect();
        match parts.as_slice() {
            ["arn", partition, "sns", region, account, name]
                if [partition, region, account, name].iter().all(|part| !part.is_empty()) =>
            {
                // A FIFO topic has no e-mail subscribers and wants a message group: it is not made for announcements.
                if name.ends_with(".fifo") {
                    return Err(refused("a standard topic, not a FIFO one"));
                }
                Ok(Self(text.to_owned()))
            }
            _ => Err(refused("arn:<partition>:sns:<region>:<account>:<topic>")),
        }
    }
}

/// ARN of a secret, such as `arn:aws:secretsmanager:eu-central-1:123456789012:secret:masking-a1b2c3`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretArn {
    text: String,
    partition: String,
    region: String,
}

impl SecretArn {
    /// The ARN as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The group of regions that it is in, such as `aws` or `aws-cn`.
    pub fn partition(&self) -> &str {
        &self.partition
    }

    /// The region that it is in.
    pub fn region(&self) -> &str {
        &self.region
    }
}

impl FromStr for SecretArn {
    type Err = AwsNameError;

    fn from_str(text: &str) -> Result<Self, AwsNameError> {
        let parts: Vec<&str> = text.split(':').collect();
        match parts.as_slice() {
            ["arn", partition, "secretsmanager", region, account, "secret", name]
                if [partition, region].iter().all(|part| is_lower_case_name(part))
                    && [account, name].iter().all(|part| !part.is_empty()) =>
            {
                Ok(Self { text: text.to_owned(), partition: (*partition).to_owned(), region: (*region).to_owned() })
            }
            _ => Err(AwsNameError {
                text: text.chars().take(200).collect(),
                rule: "arn:<partition>:secretsmanager:<region>:<account>:secret:<name>",
            }),
        }
    }
}

/// Whether a text is what partitions and regions are called: it becomes part of an address.
fn is_lower_case_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Name or ARN of an EventBridge bus, such as `default`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventBus(String);

impl EventBus {
    /// The name or ARN as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EventBus {
    type Err = AwsNameError;

    fn from_str(text: &str) -> Result<Self, AwsNameError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "/.-_:".contains(c);
        if (1..=1600).contains(&text.len()) && text.chars().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(AwsNameError {
                text: text.chars().take(200).collect(),
                rule: "letters, digits and / . - _ or the bus's ARN",
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_say_where_they_are() {
        let check = |text: &str, expected: Option<(&str, &str)>| {
            let found = text.parse::<SecretArn>().ok();
            assert_eq!(found.as_ref().map(|arn| (arn.partition(), arn.region())), expected, "{text}");
        };
        check("arn:aws:secretsmanager:eu-central-1:123456789012:secret:masking-a1b2c3", Some(("aws", "eu-central-1")));
        check("arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:a/b", Some(("aws-cn", "cn-north-1")));
        check("arn:aws:secretsmanager:eu-central-1:123456789012:secret:", None);
        check("arn:aws:secretsmanager::123456789012:secret:masking", None);
        check("arn:aws:secretsmanager:evil.example/:123456789012:secret:masking", None);
        check("arn:aws:ssm:eu-central-1:123456789012:parameter/masking", None);
        check("0123456789abcdef0123456789abcdef", None);
    }

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
        check(
            "arn:aws:states:eu-central-1:123456789012:stateMachine:sluice:live",
            Some("arn:aws:states:eu-central-1:123456789012:execution:sluice:api-1"),
        );
        check("arn:aws:states:eu-central-1:123456789012:stateMachine:sluice:7", None);
        check("arn:aws:states:eu-central-1:123456789012:stateMachine:sluice:", None);
        check("arn:aws:states:eu-central-1:123456789012:stateMachine:sluice:live:7", None);
        check("arn:aws:states:eu-central-1::stateMachine:sluice", None);
        check("arn:aws:sns:eu-central-1:123456789012:runs", None);
        check("sluice", None);
    }
}
