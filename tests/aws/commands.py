"""Calls of the `sluice` command. No call outlives this process."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

CALL_SECONDS = 240.0
# Only the variables that a program needs to start: no AWS profile may leak into a scenario.
KEPT = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "TMPDIR")


class Stopped(Exception):
    """Everything is being torn down."""


@dataclass(frozen=True)
class Finished:
    """A call that has ended."""

    line: str
    code: int
    stdout: str
    stderr: str

    def __str__(self) -> str:
        return f"{self.line}\nended with {self.code}\n{self.stdout[-1500:]}\n{self.stderr[-1500:]}"


class Commands:
    """Starts the command and keeps track of every call, so that all can be ended together."""

    def __init__(self, sluice: pathlib.Path, marker_variable: str, marker: str) -> None:
        self._sluice = sluice
        self._marker = {marker_variable: marker}
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._is_stopped = False

    def sluice(self, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> Finished:
        """Runs `sluice` until it ends; the caller checks the exit code."""
        command = [str(self._sluice), *arguments]
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        with self._lock:
            if self._is_stopped:
                raise Stopped
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
                env={**kept, **self._marker, **(environment or {})},
            )
            self._running.add(process)
        try:
            stdout, stderr = process.communicate(timeout=CALL_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            stdout, stderr = process.communicate()
            stderr += f"\nkilled after {CALL_SECONDS:.0f} s"
        finally:
            with self._lock:
                self._running.discard(process)
        return Finished(" ".join(command), process.returncode, stdout, stderr)

    def stop(self) -> None:
        """Kills what is running and refuses to start more."""
        with self._lock:
            self._is_stopped = True
            running = list(self._running)
        for process in running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
