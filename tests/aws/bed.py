"""The test bed as a context manager: starts it, reads its addresses, and always tears it down."""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from dataclasses import dataclass
from types import TracebackType

import leftovers
from json_values import JsonObject

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
# On a busy machine moto needs some seconds to import its modules.
READY_SECONDS = 90.0
# The bed kills its children immediately; if it takes longer than this, it hangs.
END_SECONDS = 30.0
# The kernel cleans up a killed process after the signal; a process that exists for longer was forgotten.
GONE_SECONDS = 5.0
# In the environment of the bed, of all its children and of ours, so that every process can be found.
MARKER_VARIABLE = "SLUICE_BED_MARKER"


class BedError(Exception):
    """The bed did not start, or did not end as expected."""


@dataclass(frozen=True)
class Addresses:
    """The addresses of the bed, and the operator's credentials, which allow everything."""

    s3: str
    aws: str
    control: str
    invoke: str
    region: str
    account: str
    access_key_id: str
    secret_access_key: str

    @staticmethod
    def of(line: JsonObject) -> Addresses:
        operator = line["operator"]
        return Addresses(
            s3=line["s3"],
            aws=line["aws"],
            control=line["control"],
            invoke=line["lambda"],
            region=line["region"],
            account=line["account"],
            access_key_id=operator["access_key_id"],
            secret_access_key=operator["secret_access_key"],
        )

    def environment(self) -> dict[str, str]:
        """The environment with which the command reaches the bed's S3 as the operator."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_REGION": self.region,
            "AWS_ENDPOINT_URL": self.aws,
            "AWS_ENDPOINT_URL_S3": self.s3,
        }


@dataclass(frozen=True)
class BedPrograms:
    """The programs that the bed consists of."""

    bed: pathlib.Path
    functions: pathlib.Path
    policies: pathlib.Path
    moto: pathlib.Path
    emr: pathlib.Path

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        """The options that name the programs, those of the command `sluice` included."""
        path = pathlib.Path
        parser.add_argument("--bed", type=path, required=True, help="the program sluice-bed")
        parser.add_argument("--functions", type=path, required=True, help="folder with the functions' bootstraps")
        parser.add_argument("--sluice", type=path, required=True, help="the program sluice")
        parser.add_argument("--moto", type=path, required=True, help="the program moto_server")
        parser.add_argument("--emr", type=path, required=True, help="the program emr-local")
        parser.add_argument("--policies", type=path, default=REPOSITORY / "iam", help="folder with the IAM policies")

    @staticmethod
    def of(options: argparse.Namespace) -> BedPrograms:
        """The programs that the options name."""
        return BedPrograms(options.bed, options.functions, options.policies, options.moto, options.emr)


class Bed:
    """A running bed. Leaving the context stops it and raises `BedError` when it leaves anything behind."""

    def __init__(self, programs: BedPrograms, logs: pathlib.Path | None = None) -> None:
        self.programs = programs
        self._logs = logs
        self.marker = f"sluice-bed-{uuid.uuid4().hex}"
        self._folder: pathlib.Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._addresses: Addresses | None = None

    @property
    def addresses(self) -> Addresses:
        if self._addresses is None:
            raise BedError("the bed is not running")
        return self._addresses

    @property
    def folder(self) -> pathlib.Path:
        """Where everything of this bed is; the scenarios may put files there, too."""
        if self._folder is None:
            raise BedError("the bed has no folder yet")
        return self._folder

    @property
    def _data(self) -> pathlib.Path:
        return self.folder / "data"

    def __enter__(self) -> Bed:
        try:
            self._folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-bed-"))
            self._data.mkdir()
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        problems = self._stop()
        if problems:
            raise BedError("the bed left something behind: " + "; ".join(problems))

    def _start(self) -> None:
        programs = self.programs
        command = [programs.bed, "--functions", programs.functions, "--policies", programs.policies]
        command += ["--moto", programs.moto, "--data", self._data]
        self._process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(self.folder / "bed.log").open("wb"),
            # Ctrl-C must only reach this process, which then stops the bed and gives it the time it needs.
            start_new_session=True,
            env={**os.environ, MARKER_VARIABLE: self.marker},
        )
        self._addresses = Addresses.of(self._ready_line(self._process))

    def _ready_line(self, process: subprocess.Popen[bytes]) -> JsonObject:
        assert process.stdout is not None
        text = b""
        deadline = time.monotonic() + READY_SECONDS
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while b"\n" not in text:
                left = deadline - time.monotonic()
                if left <= 0 or not selector.select(left):
                    raise BedError(f"the bed is not ready after {READY_SECONDS:.0f} s:\n{self._log_tail()}")
                part = os.read(process.stdout.fileno(), 65536)
                if not part:
                    raise BedError(f"the bed ended while it started:\n{self._log_tail()}")
                text += part
        line: JsonObject = json.loads(text.splitlines()[0])
        return line

    def _log_tail(self) -> str:
        log = self.folder / "bed.log"
        return log.read_text(errors="replace")[-4000:] if log.exists() else ""

    def _stop(self) -> list[str]:
        """Ends the bed and returns what it left behind. A second call does nothing."""
        process, self._process = self._process, None
        problems: list[str] = []
        if process is not None:
            before = leftovers.footprint(process.pid, self.marker)
            self._keep_logs()
            problems = self._end(process)
            problems += self._remains(before)
        if self._folder is not None and self._folder.exists():
            shutil.rmtree(self._folder)
        return problems

    def _remains(self, before: leftovers.Footprint) -> list[str]:
        """What is left after killed processes had a moment to exit."""
        deadline = time.monotonic() + GONE_SECONDS
        while (left := leftovers.remains(before, self.marker, self._data)) and time.monotonic() < deadline:
            time.sleep(0.05)
        return left

    def _keep_logs(self) -> None:
        """Copies the logs away before the bed removes them; they are needed to analyse a failure."""
        if self._logs is None:
            return
        shutil.rmtree(self._logs, ignore_errors=True)
        self._logs.mkdir(parents=True)
        for log in [self.folder / "bed.log", *sorted((self._data / "logs").glob("*"))]:
            if log.is_file():
                shutil.copy(log, self._logs)

    def _end(self, process: subprocess.Popen[bytes]) -> list[str]:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.close()
        problems: list[str] = []
        try:
            code = process.wait(END_SECONDS)
            if code != 0:
                problems.append(f"the bed ended with code {code}:\n{self._log_tail()}")
        except subprocess.TimeoutExpired:
            problems.append(f"the bed did not end within {END_SECONDS:.0f} s and was killed")
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        process.stdout.close()
        return problems
