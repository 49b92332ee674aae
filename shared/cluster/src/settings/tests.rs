use super::*;
use crate::tests::required;

#[test]
fn only_what_has_no_default_must_be_set() {
    let settings = ClusterSettings::parse(&required()).unwrap();
    assert_eq!(settings.release(), "emr-7.13.0");
    assert_eq!(settings.log_uri().to_string(), "s3://logs/emr/");
    assert_eq!(settings.subnets(), ["subnet-0a1b2c3d", "subnet-4e5f6a7b"]);
    assert_eq!((settings.idle_timeout_seconds(), settings.step_concurrency()), (600, 1));
    let capacity = settings.capacity();
    assert_eq!((capacity.core_units(), capacity.task_units(), capacity.max_units()), (8, 8, 128));
    assert_eq!(settings.tags().len(), 0);
    assert_eq!(settings.security_groups(), None);
}

#[test]
fn everything_can_be_set() {
    let settings = ClusterSettings::parse(&SettingsText {
        release: Some("emr-7.9.0"),
        service_role: Some("arn:aws:iam::123456789012:role/path/service"),
        instance_profile: Some("arn:aws-cn:iam::123456789012:instance-profile/instance"),
        primary_types: Some("m7g.large"),
        worker_types: Some(" r6g.4xlarge , r7g.xlarge"),
        core_units: Some("16"),
        min_units: Some("17"),
        max_units: Some("17"),
        idle_timeout_seconds: Some("604800"),
        step_concurrency: Some("2"),
        tags: Some("team=data, cost centre=4711,empty="),
        security_groups: Some("sg-0a1b2c3d,sg-4e5f6a7b,sg-0011223344556677a"),
        ..required()
    })
    .unwrap();
    let types: Vec<_> = settings.worker_types().iter().map(|each| (each.as_str(), each.vcpus())).collect();
    assert_eq!(types, [("r6g.4xlarge", 16), ("r7g.xlarge", 4)]);
    assert_eq!(settings.primary_types().first().map(InstanceType::vcpus), Some(2));
    assert_eq!((settings.capacity().task_units(), settings.idle_timeout_seconds()), (1, 604_800));
    let tags: Vec<_> = settings.tags().iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(tags, ["cost centre=4711", "empty=", "team=data"]);
    assert_eq!(settings.security_groups().unwrap().service_access, "sg-0011223344556677a");
}

#[test]
fn wrong_settings_are_refused_by_name() {
    let check = |setting: &str, text: SettingsText<'_>, expected: &str| {
        let error = ClusterSettings::parse(&text).expect_err(expected);
        assert_eq!(error.setting, setting, "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    };
    let base = required();
    let with = |change: fn(&mut SettingsText<'static>)| {
        let mut text = base;
        change(&mut text);
        text
    };
    check("log_uri", SettingsText::default(), "is not set");
    check("release", with(|t| t.release = Some("emr-6.15.0")), "'emr-6.15.0' is no release");
    check("release", with(|t| t.release = Some("emr-7.x")), "write emr-7.<n>.<n>");
    check("release", with(|t| t.release = Some("7.13.0")), "write emr-7.<n>.<n>");
    check("log_uri", with(|t| t.log_uri = Some("/var/log")), "is no object address");
    check("log_uri", with(|t| t.log_uri = Some("file:///var/log")), "is on a local disk");
    check("subnets", with(|t| t.subnets = None), "is not set");
    check("subnets", with(|t| t.subnets = Some("")), "'' is no id of the form subnet-");
    check("subnets", with(|t| t.subnets = Some("subnet-0a1b2c3d,")), "'' is no id");
    check("subnets", with(|t| t.subnets = Some("vpc-0a1b2c3d")), "'vpc-0a1b2c3d' is no id");
    check("subnets", with(|t| t.subnets = Some("subnet-0a1b2c3d,subnet-0a1b2c3d")), "names one twice");
    check("service_role", with(|t| t.service_role = None), "is not set");
    check("service_role", with(|t| t.service_role = Some("a role")), "is no name of IAM");
    check("service_role", with(|t| t.service_role = Some("arn:aws:s3:::bucket")), "neither a name nor an ARN");
    check("instance_profile", with(|t| t.instance_profile = None), "is not set");
    check("security_configuration", with(|t| t.security_configuration = None), "is not set");
    check("security_configuration", with(|t| t.security_configuration = Some(" ")), "write the name");
    for types in ["", "m6g", "m6g.medium", "m6g.metal", "m6g.1xlarge", "m6g.999xlarge", "M6g.xlarge", "xlarge.m6g"] {
        let error = ClusterSettings::parse(&SettingsText { worker_types: Some(types), ..base }).expect_err(types);
        assert!(error.to_string().contains("is no instance type"), "{types}: {error}");
    }
    check("primary_types", with(|t| t.primary_types = Some("m6g.xlarge,m6g.xlarge")), "names one twice");
    check("core_units", with(|t| t.core_units = Some("0")), "'0' is no number from 2 to 4000");
    check("min_units", with(|t| t.min_units = Some("8")), "8 is not more than core_units, 8");
    check("max_units", with(|t| t.max_units = Some("15")), "15 is less than min_units, 16");
    check("max_units", with(|t| t.max_units = Some("100000")), "from 2 to 4000");
    check("idle_timeout_seconds", with(|t| t.idle_timeout_seconds = Some("59")), "from 60 to 604800");
    check("idle_timeout_seconds", with(|t| t.idle_timeout_seconds = Some("604801")), "from 60 to 604800");
    check("idle_timeout_seconds", with(|t| t.idle_timeout_seconds = Some("10m")), "'10m' is no number");
    check("step_concurrency", with(|t| t.step_concurrency = Some("0")), "from 1 to 256");
    check("tags", with(|t| t.tags = Some("team")), "write key=value");
    check("tags", with(|t| t.tags = Some("a=1,a=2")), "a key is given twice");
    check("tags", with(|t| t.tags = Some("Sluice:run=x")), "is taken");
    check("tags", with(|t| t.tags = Some("aws:x=y")), "is taken");
    check("tags", with(|t| t.tags = Some("team=<data>")), "other characters");
    check("security_groups", with(|t| t.security_groups = Some("sg-0a1b2c3d")), "1 groups: write primary,core");
    check("security_groups", with(|t| t.security_groups = Some("a,b,c")), "'a' is no id of the form sg-");
}

#[test]
fn roles_of_steps_are_arns() {
    let role = "arn:aws:iam::123456789012:role/lake/sluice-etl";
    assert_eq!(role.parse::<RoleArn>().unwrap().as_str(), role);
    for text in
        ["sluice-etl", "arn:aws:iam::1:role/x", "arn:aws:iam::123456789012:user/x", "arn:aws:iam::123456789012:role/"]
    {
        assert!(text.parse::<RoleArn>().unwrap_err().to_string().contains("is no ARN of a role"), "{text}");
    }
}
