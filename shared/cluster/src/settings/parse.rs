//! Settings from text to types.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::Serialize;
use sluice_core::uri::FolderUri;

/// Most types of one fleet; EMR takes 30 where an allocation strategy is given.
const MAX_TYPES: usize = 30;
/// Most subnets that EMR chooses from.
const MAX_SUBNETS: usize = 16;
/// Most tags of the operator: AWS allows 50, of which 5 are ours.
const MAX_TAGS: usize = 45;

/// Why a setting cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cluster setting `{setting}`: {reason}")]
pub struct SettingError {
    /// The setting, as [`SettingsText`](super::SettingsText) names it.
    pub setting: &'static str,
    /// Why, and what to write.
    pub reason: String,
}

/// Security groups of the operator's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SecurityGroups {
    /// Of the primary instance.
    pub primary: String,
    /// Of core and task instances.
    pub core: String,
    /// By which EMR reaches instances in a private subnet.
    pub service_access: String,
}

/// An EC2 instance type, such as `m6g.2xlarge`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct InstanceType {
    text: String,
    vcpus: u32,
}

impl InstanceType {
    /// The type as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its vCPUs by its size: 2 for `large`, 4 for `xlarge`, 4 × n for `<n>xlarge`.
    pub fn vcpus(&self) -> u32 {
        self.vcpus
    }
}

impl FromStr for InstanceType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused =
            || format!("'{text}' is no instance type that is counted in vCPUs: write one such as m6g.2xlarge");
        let (family, size) = text.split_once('.').ok_or_else(refused)?;
        let plausible = family.starts_with(|c: char| c.is_ascii_lowercase())
            && family.contains(|c: char| c.is_ascii_digit())
            && family.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        let vcpus = match size {
            "large" => Some(2),
            "xlarge" => Some(4),
            _ => {
                let factor: Option<u32> = size.strip_suffix("xlarge").and_then(|factor| factor.parse().ok());
                factor.filter(|factor| (2..=112).contains(factor)).map(|factor| factor * 4)
            }
        };
        match vcpus {
            Some(vcpus) if plausible => Ok(Self { text: text.to_owned(), vcpus }),
            _ => Err(refused()),
        }
    }
}

/// ARN of an IAM role, such as `arn:aws:iam::123456789012:role/sluice-etl`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleArn(String);

impl RoleArn {
    /// The ARN as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RoleArn {
    type Err = RoleArnError;

    fn from_str(text: &str) -> Result<Self, RoleArnError> {
        let parts: Vec<&str> = text.split(':').collect();
        match parts.as_slice() {
            ["arn", partition, "iam", "", account, role]
                if !partition.is_empty()
                    && is_account(account)
                    && role.strip_prefix("role/").is_some_and(is_iam_path) =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err(RoleArnError { text: text.chars().take(200).collect() }),
        }
    }
}

/// A text that is no ARN of a role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is no ARN of a role: write arn:<partition>:iam::<account>:role/<name>")]
pub struct RoleArnError {
    /// The refused text, shortened to 200 characters.
    pub text: String,
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_iam_path(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-/".contains(c);
    !text.is_empty() && !text.ends_with('/') && text.chars().all(allowed)
}

fn refused(setting: &'static str, reason: impl Into<String>) -> SettingError {
    SettingError { setting, reason: reason.into() }
}

pub(super) fn required<'a>(setting: &'static str, value: Option<&'a str>) -> Result<&'a str, SettingError> {
    value.ok_or_else(|| refused(setting, "is not set, and clusters cannot be launched without it"))
}

pub(super) fn release(setting: &'static str, text: &str) -> Result<String, SettingError> {
    let number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let parts = text.strip_prefix("emr-7.").and_then(|rest| rest.split_once('.'));
    match parts {
        Some((minor, patch)) if number(minor) && number(patch) => Ok(text.to_owned()),
        _ => Err(refused(
            setting,
            format!("'{text}' is no release that the scripts are tested for: write emr-7.<n>.<n>"),
        )),
    }
}

pub(super) fn log_uri(setting: &'static str, text: &str) -> Result<FolderUri, SettingError> {
    let folder: FolderUri = text.parse().map_err(|error| refused(setting, format!("{error}")))?;
    if folder.is_local() {
        return Err(refused(setting, format!("'{text}' is on a local disk: EMR writes logs to s3://bucket/prefix/")));
    }
    Ok(folder)
}

pub(super) fn subnets(setting: &'static str, text: &str) -> Result<Vec<String>, SettingError> {
    list(setting, text, MAX_SUBNETS, |each| resource_id("subnet-", each).map(str::to_owned))
}

/// A name or an ARN of IAM.
pub(super) fn iam_name(setting: &'static str, text: &str) -> Result<String, SettingError> {
    let name = match text.strip_prefix("arn:") {
        // arn:aws:iam::123456789012:role/name
        Some(rest) => match rest.split(':').collect::<Vec<_>>().as_slice() {
            [_, "iam", "", account, name] if is_account(account) => *name,
            _ => return Err(refused(setting, format!("'{text}' is neither a name nor an ARN of IAM"))),
        },
        None => text,
    };
    if is_iam_path(name) { Ok(text.to_owned()) } else { Err(refused(setting, format!("'{text}' is no name of IAM"))) }
}

pub(super) fn security_configuration(setting: &'static str, text: &str) -> Result<String, SettingError> {
    let printable = !text.trim().is_empty() && !text.chars().any(char::is_control) && text.chars().count() <= 256;
    if printable { Ok(text.to_owned()) } else { Err(refused(setting, "write the name of a security configuration")) }
}

pub(super) fn types(setting: &'static str, text: &str) -> Result<Vec<InstanceType>, SettingError> {
    list(setting, text, MAX_TYPES, InstanceType::from_str)
}

pub(super) fn number<T>(
    setting: &'static str,
    text: Option<&str>,
    default: T,
    range: RangeInclusive<T>,
) -> Result<T, SettingError>
where
    T: FromStr + PartialOrd + fmt::Display,
{
    let Some(text) = text else { return Ok(default) };
    let number: Option<T> = text.parse().ok();
    number
        .filter(|number| range.contains(number))
        .ok_or_else(|| refused(setting, format!("'{text}' is no number from {} to {}", range.start(), range.end())))
}

pub(super) fn tags(setting: &'static str, text: &str) -> Result<BTreeMap<String, String>, SettingError> {
    let pairs = list(setting, text, MAX_TAGS, |each| {
        let (key, value) = each.split_once('=').ok_or_else(|| format!("'{each}' is no tag: write key=value"))?;
        let (key, value) = (key.trim(), value.trim());
        let allowed = |text: &str| text.chars().all(|c| c.is_alphanumeric() || " +-=._:/@".contains(c));
        let fits = (1..=128).contains(&key.chars().count()) && value.chars().count() <= 256;
        if !fits || !allowed(key) || !allowed(value) {
            return Err(format!(
                "'{each}' is longer than a tag may be, or has other characters than letters, digits, space and + - = . _ : / @"
            ));
        }
        if ["sluice:", "aws:", "for-use-with-amazon-emr"].iter().any(|taken| key.to_lowercase().starts_with(taken)) {
            return Err(format!("the key '{key}' is taken: choose another"));
        }
        Ok((key.to_owned(), value.to_owned()))
    })?;
    let count = pairs.len();
    let tags: BTreeMap<String, String> = pairs.into_iter().collect();
    if tags.len() == count { Ok(tags) } else { Err(refused(setting, "a key is given twice")) }
}

pub(super) fn groups(setting: &'static str, text: &str) -> Result<SecurityGroups, SettingError> {
    let groups: Vec<String> = split(text).map(str::to_owned).collect();
    for group in &groups {
        resource_id("sg-", group).map_err(|reason| refused(setting, reason))?;
    }
    let [primary, core, service_access] = <[String; 3]>::try_from(groups)
        .map_err(|groups| refused(setting, format!("{} groups: write primary,core,service-access", groups.len())))?;
    Ok(SecurityGroups { primary, core, service_access })
}

/// An id of EC2, such as `subnet-0a1b2c3d`.
fn resource_id<'a>(prefix: &str, text: &'a str) -> Result<&'a str, String> {
    let hex = text.strip_prefix(prefix).unwrap_or_default();
    if (8..=32).contains(&hex.len()) && hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        Ok(text)
    } else {
        Err(format!("'{text}' is no id of the form {prefix}0a1b2c3d"))
    }
}

fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim)
}

/// A list without repetitions.
fn list<T>(
    setting: &'static str,
    text: &str,
    max: usize,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, SettingError> {
    let parts: Vec<&str> = split(text).collect();
    if parts.len() > max {
        return Err(refused(setting, format!("{} of them are too many: EMR takes {max}", parts.len())));
    }
    if parts.iter().collect::<BTreeSet<_>>().len() != parts.len() {
        return Err(refused(setting, format!("'{text}' names one twice")));
    }
    parts.into_iter().map(parse).collect::<Result<_, _>>().map_err(|reason| refused(setting, reason))
}
