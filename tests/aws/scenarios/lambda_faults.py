"""Functions that are killed around each of their writes, run out of memory or time, or are throttled."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from control import FunctionSettings
from faults import FUNCTIONS, Fault, call, s3
from large_runs import ReportedEnd
from registry import Case, Tally, check, scenario
from scenarios.s3_faults import undisturbed
from world import World

# The actions in the bed's log that change the store. A part of an upload does not; its completion does.
WRITES = ("PutObject", "DeleteObject")
KILLS = ("kill_before", "kill_during", "kill_after")
# Longer than the longest step on a busy machine, including a cold start.
MID_WRITE_TIMEOUT = FunctionSettings(timeout_seconds=8)
# Less memory than any of our functions needs to start.
TOO_LITTLE_MEMORY = FunctionSettings(memory_mb=4)


@dataclass(frozen=True)
class Write:
    """The n-th write of a function in one run."""

    function: str
    action: str
    # Position among the function's writes of this action, and among those with a body; both from 0.
    number: int
    upload: int | None

    def __str__(self) -> str:
        return f"{self.action} {self.number + 1} of {self.function}"

    def fault(self, kind: str) -> Fault:
        """This fault at this write. Only a write with a body can be cut in the middle, and only such writes are counted for that."""
        skip = self.upload if kind == "kill_during" else self.number
        check(skip is not None, f"{self} has no body")
        return s3(kind, self.function, self.action, skip=skip or 0)


@scenario("Lambda faults")
def cases(world: World) -> Iterable[Case]:
    writes = writes_of_second_run(world)
    check({write.function for write in writes} == set(FUNCTIONS), f"not every function writes: {writes}")
    found: list[Case] = []
    for index, write in enumerate(writes):
        kinds = [kind for kind in KILLS if write.upload is not None or kind != "kill_during"]
        # In CI each write is killed in one way, and neighbouring writes in different ways.
        chosen = kinds if world.scope.is_soak else [kinds[index % len(kinds)]]
        found += [Case(f"{kind} {write}", partial(killed, kind, write)) for kind in chosen]
    hanging = writes if world.scope.is_soak else first_and_last(writes)
    found += [Case(f"timed out in {write}", partial(timed_out, write)) for write in hanging]
    found += [Case(f"out of memory: {function}", partial(out_of_memory, function)) for function in FUNCTIONS[:4]]
    found += [Case(f"throttled: {function}", partial(turned_away, function)) for function in FUNCTIONS]
    return found


def writes_of_second_run(world: World) -> list[Write]:
    """The writes of a run that extends tables, in order; the disturbed runs are of this kind."""
    log = [request for request in undisturbed(world) if request.action in WRITES and request.role in FUNCTIONS]
    plans = [at for at, request in enumerate(log) if request.key.endswith("/plan-1.json")]
    check(len(plans) == 2, f"two runs wrote {len(plans)} plans")
    writes: list[Write] = []
    for request in log[plans[1] :]:
        alike = [one for one in writes if (one.function, one.action) == (request.role, request.action)]
        uploads = sum(one.upload is not None for one in alike)
        writes.append(Write(request.role, request.action, len(alike), uploads if request.method == "PUT" else None))
    return writes


def first_and_last(writes: list[Write]) -> list[Write]:
    """The first and the last write of process and publish, which write more than one document."""
    chosen: list[Write] = []
    for function in ("process", "publish"):
        own = [write for write in writes if write.function == function and write.action == "PutObject"]
        chosen += [own[0], own[-1]]
    return chosen


def killed(kind: str, write: Write, world: World, tally: Tally) -> None:
    """The state machine retries a function that dies once, and the same execution succeeds."""
    with world.deployment(tally, "kill") as deployment:
        first, second = world.samples.days(2)
        deployment.deliver([first])
        deployment.execute().expect("Published")
        deployment.deliver([second])
        with deployment.faults([write.fault(kind)]):
            ended = deployment.execute().expect("Published")
        check(ended.trace.error_names() == ["Runtime.ExitError"], f"errors {ended.trace.error_names()}")
        deployment.verify([first, second])
        deployment.settle()


def timed_out(write: Write, world: World, tally: Tally) -> None:
    """The write succeeds, but the function never gets the response, until its time is up."""
    with world.deployment(tally, "hang", {write.function: MID_WRITE_TIMEOUT}) as deployment:
        first, second = world.samples.days(2)
        deployment.deliver([first])
        deployment.execute().expect("Published")
        deployment.deliver([second])
        with deployment.faults([write.fault("hang_after")]):
            ended = deployment.execute().expect("Published")
        check(ended.trace.error_names() == ["Sandbox.Timedout"], f"errors {ended.trace.error_names()}")
        deployment.verify([first, second])
        deployment.settle()


def out_of_memory(function: str, world: World, tally: Tally) -> None:
    """Retries do not help a function with too little memory: the execution fails with a clear error and publishes nothing."""
    with world.deployment(tally, "memory", {function: TOO_LITTLE_MEMORY}) as deployment:
        deployment.deliver(world.samples.days(1))
        ended = deployment.execute().expect("Failed")
        tally.faults += sum(bool(one.get("out_of_memory")) for one in deployment.calls())
        check(ended.trace.error_names() == ["Runtime.ExitError"] * 2, f"errors {ended.trace.error_names()}")
        check(ended.error == "Runtime.ExitError", f"{ended}")
        ReportedEnd.of(ended, deployment.request).send_to(world, deployment, "notify")
        report = deployment.bucket.find_json(f"runs/retail/{ended.name}/report.json")
        check(report is not None and report["outcome"] == "failed", f"the failure was not reported: {report}")
        deployment.verify([])


def turned_away(function: str, world: World, tally: Tally) -> None:
    with world.deployment(tally, "throttle") as deployment:
        files = world.samples.days(1)
        deployment.deliver(files)
        with deployment.faults([call("throttle", function)]):
            ended = deployment.execute().expect("Published")
        found = ended.trace.error_names()
        check(found == ["Lambda.TooManyRequestsException"], f"errors {found}")
        deployment.verify(files)
