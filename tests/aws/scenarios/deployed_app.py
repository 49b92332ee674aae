"""The templates of the CDK app in moto's CloudFormation, and an execution from a schedule's event to published tables through the
definition that they deploy.

moto does not support every type of resource. Unsupported ones are left out and named in `UNSUPPORTED`, which is exact: a type that a later moto
knows has to come off the list. What refers to them gets a text in their place; for an alias or a version of a function that is the ARN
that AWS would give it, by which moto's Step Functions call the function.
"""

from __future__ import annotations

import io
import json
import os
import pathlib
import sys
import time
import uuid
import zipfile
from collections import Counter
from collections.abc import Iterable

from botocore.client import BaseClient
from moto.cloudformation.parsing import get_model_map

from json_values import Json, JsonObject
from registry import Case, Tally, Unavailable, check, scenario
from world import World

ENVIRONMENT = "dev"
NAME = f"sluice-{ENVIRONMENT}"
# As `xtask` synthesizes it.
ASSEMBLY = "SLUICE_CDK_ASSEMBLY"
STACKS = ("stateful", "stateless")
STACK_SECONDS = 120.0
# Types that moto 5.2.5 cannot create.
UNSUPPORTED = frozenset({
    "AWS::ApiGateway::Account", "AWS::ApiGateway::ApiKey", "AWS::ApiGateway::Authorizer", "AWS::ApiGateway::GatewayResponse",
    "AWS::ApiGateway::Model", "AWS::ApiGateway::RequestValidator", "AWS::ApiGateway::Stage", "AWS::ApiGateway::UsagePlan",
    "AWS::ApiGateway::UsagePlanKey", "AWS::Athena::WorkGroup", "AWS::Budgets::Budget", "AWS::CloudTrail::Trail", "AWS::CloudWatch::Alarm",
    "AWS::CodeDeploy::Application", "AWS::CodeDeploy::DeploymentGroup", "AWS::Glue::Database", "AWS::Glue::Table", "AWS::Lambda::Alias",
    "AWS::Lambda::EventInvokeConfig", "AWS::Pipes::Pipe", "AWS::S3::BucketPolicy", "AWS::SNS::Subscription", "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy", "AWS::Scheduler::Schedule", "AWS::Scheduler::ScheduleGroup", "AWS::SecretsManager::Secret",
    "AWS::StepFunctions::StateMachineAlias", "AWS::StepFunctions::StateMachineVersion",
})
# Supported types that moto cannot create because they refer to something unsupported: rights to call an alias.
DEPENDENT = frozenset({"AWS::Lambda::Permission"})
# Properties on which moto 5.2.5 crashes: it confuses the tags of keys with those of another call.
MISREAD = (("AWS::KMS::Key", "Tags"),)


@scenario("the deployed app")
def cases(world: World) -> Iterable[Case]:
    if not os.environ.get(ASSEMBLY):
        raise Unavailable("the synthesized templates are missing: `cargo xtask test --only cdk` makes them")
    return [Case("from the templates to published tables", deployed)]


def deployed(world: World, tally: Tally) -> None:
    folder = pathlib.Path(os.environ[ASSEMBLY])
    templates = {stack: json.loads((folder / f"{NAME}-{stack}.template.json").read_text()) for stack in STACKS}
    left_out = Counter(
        one["Type"] for template in templates.values() for one in template["Resources"].values() if not is_known(one["Type"])
    )
    unknown = {kind for kind in left_out if not kind.startswith("Custom::")} - DEPENDENT
    check(unknown == UNSUPPORTED, f"moto supports {UNSUPPORTED - unknown} and does not support {unknown - UNSUPPORTED}: correct the list")
    keep_assets(world, templates)
    cloudformation = world.services.aws("cloudformation")
    made = sum(create(world, cloudformation, stack, adapted(template)) for stack, template in templates.items())
    print(f"  {made} resources made, {left_out.total()} of {len(left_out)} types left out: {', '.join(sorted(left_out))}", file=sys.stderr)
    run(world, tally, machine_of(world, cloudformation), schedule_of(templates["stateless"]))


def is_known(kind: str) -> bool:
    # moto calls the function behind a custom resource, which does not exist here.
    return kind in get_model_map() and kind not in DEPENDENT and not kind.startswith("Custom::")


def adapted(template: JsonObject) -> JsonObject:
    """The template without what moto does not support. The bootstrap of an account is not part of the template here."""
    resources = template["Resources"]
    known = {name: one for name, one in resources.items() if is_known(one["Type"])}
    kept: JsonObject = {key: value for key, value in template.items() if key not in ("Rules", "Parameters", "Conditions")}
    kept["Resources"] = {name: without(one, resources, known) for name, one in known.items()}
    for one in kept["Resources"].values():
        if one["Type"] == "AWS::StepFunctions::StateMachine":
            # What CloudFormation does and moto does not.
            for placeholder, version in one["Properties"].pop("DefinitionSubstitutions").items():
                arn = stand_in(version["Ref"], resources)
                definition = one["Properties"]["DefinitionString"].replace(f"${{{placeholder}}}", arn)
                one["Properties"]["DefinitionString"] = definition
        for kind, name in MISREAD:
            if one["Type"] == kind:
                one.get("Properties", {}).pop(name, None)
    kept["Outputs"] = {
        name: without(one, resources, known) for name, one in template.get("Outputs", {}).items() if "Condition" not in one
    }
    return kept


def without(value: Json, resources: JsonObject, known: JsonObject) -> Json:
    """The value with texts instead of references to resources that are left out."""
    if isinstance(value, list):
        return [without(one, resources, known) for one in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Ref"} or set(value) == {"Fn::GetAtt"}:
        name = value["Ref"] if "Ref" in value else value["Fn::GetAtt"][0]
        if name in resources and name not in known:
            return stand_in(name, resources)
    dependencies = value.get("DependsOn")
    cleaned = {key: without(one, resources, known) for key, one in value.items() if key != "DependsOn"}
    if dependencies is not None and "Type" in value:
        named = [dependencies] if isinstance(dependencies, str) else dependencies
        cleaned["DependsOn"] = [name for name in named if name in known]
    elif dependencies is not None:
        cleaned["DependsOn"] = dependencies
    return cleaned


def stand_in(name: str, resources: JsonObject) -> str:
    resource = resources[name]
    if resource["Type"] in ("AWS::Lambda::Alias", "AWS::Lambda::Version"):
        function = resources[resource["Properties"]["FunctionName"]["Ref"]]["Properties"]["FunctionName"]
        return f"arn:aws:lambda:eu-central-1:123456789012:function:{function}:{resource['Properties'].get('Name', '1')}"
    return f"left-out-{name}"


def keep_assets(world: World, templates: dict[str, JsonObject]) -> None:
    """Puts a placeholder for each asset where the bootstrap of an account would put the asset."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("bootstrap", "#!/bin/sh\n")
    store, buckets = world.services.aws("s3"), set()
    for template in templates.values():
        for resource in template["Resources"].values():
            properties = resource.get("Properties", {})
            for code in (properties.get("Code"), properties.get("Content")):
                if not isinstance(code, dict) or "S3Key" not in code:
                    continue
                bucket = code["S3Bucket"] if isinstance(code["S3Bucket"], str) else "cdk-hnb659fds-assets-123456789012-eu-central-1"
                if bucket not in buckets:
                    store.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
                    buckets.add(bucket)
                store.put_object(Bucket=bucket, Key=code["S3Key"], Body=archive.getvalue())


def create(world: World, cloudformation: BaseClient, stack: str, template: JsonObject) -> int:
    """Creates a stack, and returns the number of its resources."""
    bucket, key = "templates", f"{stack}.json"
    store = world.services.aws("s3")
    if stack == STACKS[0]:
        store.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    store.put_object(Bucket=bucket, Key=key, Body=json.dumps(template).encode())
    name = f"{NAME}-{stack}"
    # The template is too large for the call itself.
    cloudformation.create_stack(
        StackName=name, TemplateURL=f"https://{bucket}.s3.eu-central-1.amazonaws.com/{key}", Capabilities=["CAPABILITY_NAMED_IAM"]
    )
    deadline = time.monotonic() + STACK_SECONDS
    while (described := cloudformation.describe_stacks(StackName=name)["Stacks"][0])["StackStatus"].endswith("IN_PROGRESS"):
        check(time.monotonic() < deadline, f"stack {name} is not created: {described}")
        time.sleep(0.2)
    check(described["StackStatus"] == "CREATE_COMPLETE", f"stack {name} ended as {described['StackStatus']}: {described.get('StackStatusReason')}")
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
    made = [one for page in pages for one in page["StackResourceSummaries"]]
    check(len(made) == len(template["Resources"]), f"stack {name} has {len(made)} resources of {len(template['Resources'])}")
    return len(made)


def schedule_of(template: JsonObject) -> JsonObject:
    """The call of Step Functions that EventBridge Scheduler makes at the scheduled time."""
    targets = [
        one["Properties"]["Target"] for one in template["Resources"].values() if one["Type"] == "AWS::Scheduler::Schedule"
    ]
    starts = [target for target in targets if target["Arn"] == "arn:aws:scheduler:::aws-sdk:sfn:startExecution"]
    check(len(starts) == 1, f"{len(starts)} schedules start runs")
    called: JsonObject = json.loads(starts[0]["Input"])
    return called


def machine_of(world: World, cloudformation: BaseClient) -> str:
    """The state machine of the stack, created again so that moto can execute it: moto's interpreter does not see what its CloudFormation
    creates, so name and definition are taken from the stack."""
    template = cloudformation.get_template(StackName=f"{NAME}-{STACKS[1]}")["TemplateBody"]
    template = json.loads(template) if isinstance(template, str) else template
    machines = [one["Properties"] for one in template["Resources"].values() if one["Type"] == "AWS::StepFunctions::StateMachine"]
    check(len(machines) == 1, f"the stack has {len(machines)} state machines")
    definition = machines[0]["DefinitionString"]
    check("${" not in definition, "the deployed definition has a placeholder without a value")
    check(f"function:{NAME}-publish:1" in definition, "the deployed definition does not name versions of the functions")
    role = f"arn:aws:iam::{world.bed.addresses.account}:role/states"
    made = world.services.aws("stepfunctions").create_state_machine(
        name=machines[0]["StateMachineName"], definition=definition, roleArn=role
    )
    return str(made["stateMachineArn"])


def run(world: World, tally: Tally, machine: str, called: JsonObject) -> None:
    check(called["StateMachineArn"] == f"{machine}:live", f"the schedule starts {called['StateMachineArn']}, and {machine} is deployed")
    check("Name" not in called, "a name that Scheduler uses again would be refused once its first execution has ended")
    days = world.samples.days(1)
    with world.deployment(tally, NAME, name=NAME) as deployment:
        deployment.deliver(days)
        tally.runs += 1
        request = json.loads(called["Input"])
        # moto 5.2.5 knows no aliases: the machine stands in. Step Functions names the executions, as it does without a name.
        world.machines.start(machine, str(uuid.uuid4()), request).wait().expect("Published")
        # Scheduler calls at least once: a second call for the same time.
        tally.runs += 1
        world.machines.start(machine, str(uuid.uuid4()), request).wait().expect("Skipped")
        deployment.verify(days)
