"""Requests that our clients send to services of AWS, judged by botocore's models of those services.

moto and the EMR of the bed take more than AWS does. The requests are in `tests/aws/requests`: tests of `sluice-aws` compare them with
what the clients send, and write them again with `SLUICE_UPDATE=1`.
"""

from __future__ import annotations

import json
import pathlib
import re
from collections.abc import Iterable, Iterator
from functools import partial

import botocore.session
from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.validate import ParamValidator

from json_values import Json
from registry import Case, Tally, check, scenario
from world import World

FOLDER = pathlib.Path(__file__).parent.parent / "requests"
# The operations, each with its service as botocore calls it.
OPERATIONS = {
    "AddJobFlowSteps": "emr",
    "CancelSteps": "emr",
    "DescribeCluster": "emr",
    "DescribeExecution": "stepfunctions",
    "GetExecutionHistory": "stepfunctions",
    "GetSecretValue": "secretsmanager",
    "ListClusters": "emr",
    "ListExecutions": "stepfunctions",
    "ListSteps": "emr",
    "Publish": "sns",
    "PutEvents": "events",
    "RedriveExecution": "stepfunctions",
    "RunJobFlow": "emr",
    "StartExecution": "stepfunctions",
    "StopExecution": "stepfunctions",
    "TerminateJobFlows": "emr",
}


@scenario("request shapes")
def cases(_: World) -> Iterable[Case]:
    kept = sorted(path.stem for path in FOLDER.glob("*.json"))
    check(kept == sorted(OPERATIONS), f"{FOLDER.name} has {kept}")
    judged = [Case(operation, partial(judge, operation)) for operation in OPERATIONS]
    return [*judged, Case("a wrong request is found", wrong)]


def problems(operation: str, parameters: Json) -> list[str]:
    """What the service would refuse, by its model: names, types, required parts, lengths, values of enumerations, patterns."""
    model = botocore.session.get_session().get_service_model(OPERATIONS[operation])
    shape = model.operation_model(operation).input_shape
    report = ParamValidator().validate(parameters, shape)
    return ([report.generate_report()] if report.has_errors() else []) + list(outside(parameters, shape, operation))


def outside(value: Json, shape: Shape, where: str) -> Iterator[str]:
    """Texts and numbers outside what the model allows. botocore itself checks lower bounds only."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        for name, member in shape.members.items():
            if name in value:
                yield from outside(value[name], member, f"{where}.{name}")
    elif isinstance(shape, ListShape) and isinstance(value, list):
        for number, part in enumerate(value):
            yield from outside(part, shape.member, f"{where}[{number}]")
    elif isinstance(shape, MapShape) and isinstance(value, dict):
        for name, part in value.items():
            yield from outside(part, shape.value, f"{where}.{name}")
    elif isinstance(value, str):
        allowed, pattern, most = shape.metadata.get("enum"), shape.metadata.get("pattern"), shape.metadata.get("max")
        if allowed and value not in allowed:
            yield f"{where}: {value!r} is not one of {allowed}"
        # The patterns that AWS writes for Java with blocks of Unicode have no meaning in Python.
        if pattern and "\\u" not in pattern and "\\p" not in pattern and not re.fullmatch(pattern, value):
            yield f"{where}: {value!r} does not match {pattern}"
        if most is not None and len(value) > most:
            yield f"{where}: {len(value)} characters are more than {most}"
    elif isinstance(value, int | float) and (most := shape.metadata.get("max")) is not None and value > most:
        yield f"{where}: {value} is more than {most}"


def kept(operation: str) -> Json:
    return json.loads((FOLDER / f"{operation}.json").read_text())


def judge(operation: str, _: World, tally: Tally) -> None:
    tally.runs += 1
    found = problems(operation, kept(operation))
    check(not found, f"{operation} would be refused: {found}")


def wrong(_: World, tally: Tally) -> None:
    """Each kind of mistake is found."""
    for path, value, expected in (
        (("Instances", "InstanceFleets", 1, "InstanceFleetType"), "WORKER", "'WORKER' is not one of"),
        (("Instances", "InstanceFleets", 1, "TargetOnDemandCapacity"), "8", "TargetOnDemandCapacity"),
        (("ManagedScalingPolicy", "ComputeLimits", "UnitType"), None, "UnitType"),
        (("AutoTerminationPolicy", "IdleSeconds"), 600, "IdleSeconds"),
        (("Name",), "x" * 300, "300 characters"),
    ):
        request = kept("RunJobFlow")
        parent = request
        for step in path[:-1]:
            parent = parent[step]
        if value is None:
            del parent[path[-1]]
        else:
            parent[path[-1]] = value
        tally.faults += 1
        found = problems("RunJobFlow", request)
        check(any(expected in problem for problem in found), f"{path} as {value!r} is not found: {found}")
