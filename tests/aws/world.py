"""What scenarios work with: one running bed, and a deployment of their own in it."""

from __future__ import annotations

import contextlib
import itertools
import pathlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bed import MARKER_VARIABLE, Bed
from commands import Commands
from control import Control, FunctionSettings
from deployment import Deployment
from emr import EmrSteps, LocalEmr
from machines import Machines
from oracle import Oracle
from registry import Tally
from rights import Rights
from sample_events import SampleEvents
from samples import Samples
from services import Services


# With this, a function's log shows where it panicked.
TRACED = {"RUST_BACKTRACE": "1"}


@dataclass(frozen=True)
class Scope:
    """How much is tried: a fixed part in CI, everything in a soak."""

    is_soak: bool = False
    first_seed: int = 1
    seeds: int = 24


class World:
    """Everything that scenarios share. Safe to use from several threads."""

    def __init__(self, bed: Bed, sluice: pathlib.Path, repository: pathlib.Path, scope: Scope) -> None:
        self.bed = bed
        self.scope = scope
        self.repository = repository
        self.pipeline = repository / "pipelines" / "retail"
        self.folder = bed.folder / "work"
        self.folder.mkdir()
        self.commands = Commands(sluice, MARKER_VARIABLE, bed.marker)
        self.samples = Samples(self.commands, self.folder / "samples")
        self.oracle = Oracle(self.commands, self.pipeline, self.folder / "oracle")
        self.events = SampleEvents(repository / "events")
        self.rights = Rights(repository / "iam")
        self.control = Control(bed.addresses.control)
        self.services = Services(bed.addresses)
        self.s3 = self.services.s3()
        self.machines = Machines(
            self.services.aws("stepfunctions"),
            bed.addresses.account,
            repository / "statemachines" / "pipeline.asl.json",
        )
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def number(self) -> int:
        """A number that is unique in this bed."""
        with self._lock:
            return next(self._numbers)

    @contextlib.contextmanager
    def deployment(
        self,
        tally: Tally,
        label: str,
        functions: Mapping[str, FunctionSettings] | None = None,
        environment: Mapping[str, str] | None = None,
        emr: EmrSteps | None = None,
        longest_wait_seconds: int | None = None,
        emr_variables: Mapping[str, str] | None = None,
        name: str | None = None,
    ) -> Iterator[Deployment]:
        """A lake with its functions and the deployed pipeline, and with an EMR that runs steps this way; removed afterwards."""
        name = name or f"{label}-{self.number()}"
        addresses = self.bed.addresses
        machine = f"arn:aws:states:{addresses.region}:{addresses.account}:stateMachine:{name}"
        variables = {**TRACED, "SLUICE_STATE_MACHINE_ARN": machine, **(environment or {})}
        with self._emr(emr, emr_variables or {}) as local:
            if local is not None:
                variables = {**local.variables(), **variables}
            yield from self._deployed(name, functions or {}, variables, tally, local, longest_wait_seconds)

    @contextlib.contextmanager
    def _emr(self, steps: EmrSteps | None, variables: Mapping[str, str]) -> Iterator[LocalEmr | None]:
        if steps is None:
            yield None
            return
        local = LocalEmr(self.bed.programs.emr, steps, {**variables, MARKER_VARIABLE: self.bed.marker})
        try:
            yield local
        finally:
            local.stop()

    def _deployed(
        self,
        name: str,
        functions: Mapping[str, FunctionSettings],
        variables: Mapping[str, str],
        tally: Tally,
        emr: LocalEmr | None,
        longest_wait_seconds: int | None,
    ) -> Iterator[Deployment]:
        created = self.control.create(name, functions, variables, longest_wait_seconds)
        try:
            deployment = Deployment(self, name, created, tally, emr)
            deployment.deploy_pipeline()
            yield deployment
            self.rights.note(deployment.bucket.name, deployment.requests())
        except Exception as error:
            # The name of the deployment is needed to find its logs.
            error.add_note(f"deployment {name}")
            raise
        finally:
            self.control.delete(name)
