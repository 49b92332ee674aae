//! Faults that a test asks for: which request each is for, and how often.

use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::names::FUNCTIONS;

/// The S3 caller that may do everything.
pub(crate) const OPERATOR: &str = "operator";

/// A rule as it was given, and as it is listed again.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "on", rename_all = "snake_case")]
pub(crate) enum RuleText {
    /// A fault of S3.
    S3(StoreRule),
    /// A fault of the Lambda service.
    Lambda(CallRule),
}

/// Which requests to S3, and what happens to them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoreRule {
    /// The function whose requests it applies to. Without it: every function, but never the operator, who prepares and
    /// verifies tests and never retries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    /// IAM's action without `s3:`, such as `PutObject`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    action: Option<String>,
    /// Text that the key must contain; for lists, the prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default)]
    skip: u32,
    #[serde(default = "once")]
    times: u32,
    #[serde(rename = "do")]
    fault: StoreFault,
}

/// Which calls of a function, and what happens to them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallRule {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    function: Option<String>,
    #[serde(default)]
    skip: u32,
    #[serde(default = "once")]
    times: u32,
    #[serde(rename = "do")]
    fault: CallFault,
}

fn once() -> u32 {
    1
}

/// What can go wrong at S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum StoreFault {
    /// 503 `SlowDown`.
    SlowDown,
    /// The connection is reset before the store is touched.
    Reset,
    /// The store does it, and the connection is reset before the response.
    LoseAnswer,
    /// A body that is read arrives in pieces over this time; the response to a write is delayed by it.
    SlowBody {
        /// How long it takes.
        milliseconds: u64,
    },
    /// A list omits the objects that were written in this time.
    StaleList {
        /// How far back.
        milliseconds: u64,
    },
    /// A body that is read breaks off halfway.
    Truncate,
    /// The caller is killed before the store is touched.
    KillBefore,
    /// The caller is killed when half of what it writes has arrived; nothing is stored.
    KillDuring,
    /// The caller is killed after the object is stored, before the response.
    KillAfter,
    /// The request never gets a response; nothing is stored.
    Hang,
    /// The object is stored; the request never gets a response.
    HangAfter,
}

/// What can go wrong at the Lambda service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum CallFault {
    /// 429.
    Throttle,
    /// 500 `ServiceException`.
    ServiceException,
    /// The function is killed as soon as it has the event.
    Exit,
    /// The function finishes; its answer is lost and it is killed.
    LoseAnswer,
    /// The event is delivered a second time, 50 ms later, to another instance; the first answer counts.
    Duplicate,
    /// The event is delivered late.
    Delay {
        /// How late.
        milliseconds: u64,
    },
}

/// A request to S3 as rules see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StoreRequest<'a> {
    /// The function, or [`OPERATOR`].
    pub(crate) role: &'a str,
    /// IAM's action without `s3:`.
    pub(crate) action: &'a str,
    /// The key, or the prefix of a list.
    pub(crate) key: &'a str,
    /// Whether its response has a body with an object.
    pub(crate) is_read: bool,
    /// Whether it has a body with an object, or a part of one.
    pub(crate) is_upload: bool,
}

/// A rule and how often it has fired, as it is listed.
#[derive(Debug, Serialize)]
pub(crate) struct FiredRule {
    #[serde(flatten)]
    rule: RuleText,
    fired: u32,
}

/// The active rules.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Vec<Rule>>);

#[derive(Debug)]
struct Rule {
    text: RuleText,
    key: Option<Regex>,
    seen: u32,
    fired: u32,
}

impl Faults {
    /// Replaces all rules. Refuses rules that could never happen: a test with such a rule proves nothing.
    pub(crate) fn replace(&self, rules: Vec<RuleText>) -> anyhow::Result<()> {
        let read = |(index, text)| Rule::new(text).with_context(|| format!("rule {index}"));
        let rules = rules.into_iter().enumerate().map(read).collect::<anyhow::Result<_>>()?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = rules;
        Ok(())
    }

    /// The rules, each with how often it has fired.
    pub(crate) fn fired_rules(&self) -> Vec<FiredRule> {
        let rules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rules.iter().map(|rule| FiredRule { rule: rule.text.clone(), fired: rule.fired }).collect()
    }

    /// What happens to this request to S3.
    pub(crate) fn of_store(&self, request: StoreRequest<'_>) -> Option<StoreFault> {
        self.first(|rule| match &rule.text {
            RuleText::S3(text) => {
                let is_meant = text.is_for(request) && rule.key.as_ref().is_none_or(|key| key.is_match(request.key));
                is_meant.then_some((text.fault, text.skip, text.times))
            }
            RuleText::Lambda(_) => None,
        })
    }

    /// What happens to this call of a function.
    pub(crate) fn of_call(&self, function: &str) -> Option<CallFault> {
        self.first(|rule| match &rule.text {
            RuleText::Lambda(text) => {
                let is_meant = text.function.as_deref().is_none_or(|wanted| wanted == function);
                is_meant.then_some((text.fault, text.skip, text.times))
            }
            RuleText::S3(_) => None,
        })
    }

    /// The fault of the first rule that matches and may still fire; rules before it count what they skip.
    fn first<Fault>(&self, matched: impl Fn(&Rule) -> Option<(Fault, u32, u32)>) -> Option<Fault> {
        let mut rules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for rule in rules.iter_mut() {
            let Some((fault, skip, times)) = matched(rule) else { continue };
            if rule.seen < skip {
                rule.seen += 1;
            } else if rule.fired < times {
                rule.fired += 1;
                return Some(fault);
            }
        }
        None
    }
}

impl Rule {
    fn new(text: RuleText) -> anyhow::Result<Self> {
        let (whose, key) = match &text {
            RuleText::S3(rule) => (&rule.role, &rule.key),
            RuleText::Lambda(rule) => (&rule.function, &None),
        };
        let is_operator = |name: &str| matches!(text, RuleText::S3(_)) && name == OPERATOR;
        if let Some(name) = whose.as_deref().filter(|name| !FUNCTIONS.contains(name) && !is_operator(name)) {
            anyhow::bail!("function {name} does not exist");
        }
        let key = key.as_deref().map(Regex::new).transpose()?;
        Ok(Self { text, key, seen: 0, fired: 0 })
    }
}

impl StoreRule {
    fn is_for(&self, request: StoreRequest<'_>) -> bool {
        let is_role = self.role.as_deref().map_or(request.role != OPERATOR, |role| role == request.role);
        let is_action = self.action.as_deref().is_none_or(|action| action == request.action);
        let is_possible = match self.fault {
            StoreFault::Truncate => request.is_read,
            StoreFault::KillDuring => request.is_upload,
            StoreFault::StaleList { .. } => request.action == "ListBucket",
            _ => true,
        };
        is_role && is_action && is_possible
    }
}

impl StoreFault {
    /// The name in logs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SlowDown => "slow_down",
            Self::Reset => "reset",
            Self::LoseAnswer => "lose_answer",
            Self::SlowBody { .. } => "slow_body",
            Self::StaleList { .. } => "stale_list",
            Self::Truncate => "truncate",
            Self::KillBefore => "kill_before",
            Self::KillDuring => "kill_during",
            Self::KillAfter => "kill_after",
            Self::Hang => "hang",
            Self::HangAfter => "hang_after",
        }
    }
}

impl CallFault {
    /// The name in logs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Throttle => "throttle",
            Self::ServiceException => "service_exception",
            Self::Exit => "exit",
            Self::LoseAnswer => "lose_answer",
            Self::Duplicate => "duplicate",
            Self::Delay { .. } => "delay",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn faults(rules: Value) -> anyhow::Result<Faults> {
        let faults = Faults::default();
        faults.replace(serde_json::from_value(rules)?)?;
        Ok(faults)
    }

    fn request<'a>(role: &'a str, action: &'a str, key: &'a str) -> StoreRequest<'a> {
        StoreRequest { role, action, key, is_read: action == "GetObject", is_upload: action == "PutObject" }
    }

    #[test]
    fn rules_fire_in_order_after_their_skips() {
        let faults = faults(json!([
            {"on": "s3", "role": "publish", "action": "PutObject", "key": "_delta_log/", "skip": 1, "times": 2, "do": "reset"},
            {"on": "s3", "action": "PutObject", "do": {"slow_body": {"milliseconds": 5}}},
            {"on": "lambda", "function": "publish", "do": "throttle"}
        ]))
        .expect("rules");
        let commit = request("publish", "PutObject", "gold/a/b/_delta_log/0.json");
        assert_eq!(faults.of_store(request("process", "GetObject", "x")), None);
        assert_eq!(faults.of_store(request(OPERATOR, "PutObject", "x")), None);
        // The first rule lets the first commit pass, so the second rule has it.
        assert_eq!(faults.of_store(commit), Some(StoreFault::SlowBody { milliseconds: 5 }));
        assert_eq!(faults.of_store(commit), Some(StoreFault::Reset));
        assert_eq!(faults.of_store(commit), Some(StoreFault::Reset));
        assert_eq!(faults.of_store(commit), None);
        assert_eq!(faults.of_call("process"), None);
        assert_eq!(faults.of_call("publish"), Some(CallFault::Throttle));
        let listed = serde_json::to_value(faults.fired_rules()).expect("json");
        assert_eq!(listed.pointer("/0/fired"), Some(&json!(2)));
        assert_eq!(listed.pointer("/0/on"), Some(&json!("s3")));
        assert_eq!(listed.pointer("/1/do/slow_body/milliseconds"), Some(&json!(5)));
    }

    #[test]
    fn a_fault_waits_for_a_request_that_it_can_happen_to() {
        let check = |fault: &str, request: StoreRequest<'_>, expected: bool| {
            let what = if fault == "stale_list" { json!({fault: {"milliseconds": 9}}) } else { json!(fault) };
            let faults = faults(json!([{"on": "s3", "do": what}])).expect("rules");
            assert_eq!(faults.of_store(request).is_some(), expected, "{fault} {request:?}");
        };
        check("truncate", request("process", "GetObject", "a"), true);
        check("truncate", request("process", "PutObject", "a"), false);
        check("kill_during", request("process", "PutObject", "a"), true);
        check("kill_during", request("process", "ListBucket", "a"), false);
        check("stale_list", request("process", "ListBucket", "a"), true);
        check("stale_list", request("process", "GetObject", "a"), false);
    }

    #[test]
    fn a_rule_that_can_never_fire_is_refused() {
        let check = |rule: Value| assert!(faults(json!([rule])).is_err());
        check(json!({"on": "s3", "do": "explode"}));
        check(json!({"on": "s3", "do": "slow_body"}));
        check(json!({"on": "s3", "role": "elsewhere", "do": "reset"}));
        check(json!({"on": "s3", "key": "(", "do": "reset"}));
        check(json!({"on": "s3", "function": "process", "do": "reset"}));
        check(json!({"on": "lambda", "function": "operator", "do": "exit"}));
        check(json!({"on": "sns", "do": "reset"}));
    }
}
