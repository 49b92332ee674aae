"""Random deliveries under random faults, some of them read in parts or in byte ranges.

The seed is printed with each failure: `--only random --seed N` repeats it.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from control import FunctionSettings
from faults import FUNCTIONS, Plan, random_plan
from registry import Case, Tally, scenario
from samples import ROWS_OF_A_PART, ROWS_PER_DAY, SourceFile
from world import World

# The plans include hanging requests. Longer than the longest step on a busy machine.
TIMEOUTS = {function: FunctionSettings(timeout_seconds=12) for function in FUNCTIONS}


@scenario("random faults")
def cases(world: World) -> Iterable[Case]:
    first = world.scope.first_seed
    return [Case(f"seed {seed}", partial(disturbed, seed)) for seed in range(first, first + world.scope.seeds)]


def disturbed(seed: int, world: World, tally: Tally) -> None:
    """Runs each wave under its faults, whatever the result; then without faults, until nothing is new."""
    plan = random_plan(seed)
    try:
        with world.deployment(tally, "random", TIMEOUTS) as deployment:
            if plan.has_ranges:
                deployment.read_in_ranges()
            elif plan.is_in_parts:
                deployment.read_in_parts()
            delivered = []
            for wave in plan.waves:
                files = [file_of(number, plan, world) for number in wave.days]
                deployment.deliver(files)
                delivered += files
                # A fault may wait for a request that never comes; the tally counts the faults that happened.
                with deployment.faults(wave.faults, must_fire=False):
                    for running in [deployment.start() for _ in range(wave.executions)]:
                        running.wait()
            deployment.settle()
            deployment.verify(delivered)
    except Exception as error:
        error.add_note(str(plan))
        raise


def file_of(day: int, plan: Plan, world: World) -> SourceFile:
    if plan.has_ranges and day == 0:
        return world.samples.day_in_ranges(day)
    is_part = plan.is_in_parts and not plan.has_ranges
    return world.samples.day(day, ROWS_OF_A_PART if is_part else ROWS_PER_DAY)
