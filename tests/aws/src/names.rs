//! Names of functions and deployments, and the ARNs made of them.

/// The AWS region in names.
pub(crate) const REGION: &str = "eu-central-1";
/// The AWS account in names.
pub(crate) const ACCOUNT: &str = "123456789012";
/// The functions of every deployment.
pub(crate) const FUNCTIONS: [&str; 11] = [
    "validate",
    "process",
    "start-emr",
    "run-etl",
    "terminate",
    "quality-check",
    "publish",
    "notify",
    "submit",
    "data-product",
    "authorize",
];

/// ARN of a deployment's function.
pub(crate) fn function_arn(deployment: &str, function: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{deployment}-{function}")
}

/// Deployment and function of a full name, `<deployment>-<function>`.
pub(crate) fn split(name: &str) -> Option<(&str, &'static str)> {
    FUNCTIONS.into_iter().find_map(|function| {
        let deployment = name.strip_suffix(function)?.strip_suffix('-')?;
        (!deployment.is_empty()).then_some((deployment, function))
    })
}

/// The name in what Lambda accepts as `FunctionName`: a name, a partial ARN or an ARN, each with or without a version or alias.
pub(crate) fn function_name(text: &str) -> Option<&str> {
    let parts: Vec<&str> = text.split(':').collect();
    let name = match parts.as_slice() {
        ["arn", "aws", "lambda", REGION, ACCOUNT, "function", name]
        | ["arn", "aws", "lambda", REGION, ACCOUNT, "function", name, _]
        | [ACCOUNT, "function", name]
        | [ACCOUNT, "function", name, _]
        | [name]
        | [name, _] => *name,
        _ => return None,
    };
    (!name.is_empty()).then_some(name)
}

/// Whether this is a valid name of a deployment: it names a bucket and a folder and is the prefix of other names.
pub(crate) fn is_deployment(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=40).contains(&name.len())
        && name.chars().all(allowed)
        && !name.starts_with('-')
        && !name.ends_with('-')
        && split(name).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deployment_and_function_are_read_from_every_form_of_a_name() {
        let check = |text: &str, expected: Option<(&str, &str)>| {
            assert_eq!(function_name(text).and_then(split), expected, "{text}");
        };
        check("d7-validate", Some(("d7", "validate")));
        check("d-7-quality-check", Some(("d-7", "quality-check")));
        check("d-7-start-emr", Some(("d-7", "start-emr")));
        check(&function_arn("d7", "publish"), Some(("d7", "publish")));
        check(&format!("{}:$LATEST", function_arn("d7", "publish")), Some(("d7", "publish")));
        check("123456789012:function:d7-notify", Some(("d7", "notify")));
        check("d7-notify:3", Some(("d7", "notify")));
        check("validate", None);
        check("-validate", None);
        check("d7-submit", Some(("d7", "submit")));
        check("d7-elsewhere", None);
        check("arn:aws:lambda:us-east-1:123456789012:function:d7-notify", None);
        check("arn:aws:sns:eu-central-1:123456789012:d7-notify", None);
    }

    #[test]
    fn a_deployment_name_must_be_a_valid_bucket_name() {
        for good in ["d7", "soak-12", "a"] {
            assert!(is_deployment(good), "{good}");
        }
        for bad in ["", "D7", "d_7", "-d", "d-", "a/b", "..", "d7-notify"] {
            assert!(!is_deployment(bad), "{bad}");
        }
    }
}
