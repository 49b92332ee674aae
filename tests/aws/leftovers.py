"""The processes, ports and files of a process and its children, and which of them still exist afterwards.

Everything is read from /proc, so that the check does not depend on the bed.
"""

from __future__ import annotations

import os
import pathlib
from dataclasses import dataclass

PROC = pathlib.Path("/proc")
# State of a listening socket in /proc/net/tcp.
LISTEN = "0A"


@dataclass(frozen=True)
class Process:
    """A process, identified by pid and start time, because pids are reused."""

    pid: int
    started: int


@dataclass(frozen=True)
class Footprint:
    """Processes by their command, and the ports they listen on."""

    processes: dict[Process, str]
    ports: frozenset[int]


def footprint(root: int, marker: str) -> Footprint:
    """All descendants of `root`, itself included, and every process that carries `marker` in its environment."""
    parents = {pid: parent for pid in pids() if (parent := _parent(pid)) is not None}
    family = {root}
    grown = True
    while grown:
        children = {pid for pid, parent in parents.items() if parent in family}
        grown = not children <= family
        family |= children
    found: dict[Process, str] = {}
    ports: set[int] = set()
    listening = _listening()
    for pid in family | _marked(marker):
        started = _started(pid)
        if started is not None:
            found[Process(pid, started)] = _command(pid)
            ports |= {listening[inode] for inode in _sockets(pid) if inode in listening}
    return Footprint(found, frozenset(ports))


def remains(before: Footprint, marker: str, folder: pathlib.Path) -> list[str]:
    """What still exists of a footprint: processes, open ports, and files below `folder`."""
    left = [
        f"process {process.pid} still exists: {command}"
        for process, command in before.processes.items()
        if _started(process.pid) == process.started
    ]
    known = {process.pid for process in before.processes}
    left += [f"process {pid} still exists: {_command(pid)}" for pid in sorted(_marked(marker) - known)]
    left += [f"port {port} is still open" for port in sorted(before.ports & set(_listening().values()))]
    if folder.exists():
        left += [f"file {path} still exists" for path in sorted(folder.rglob("*"))[:20]]
    return left


def pids() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdecimal()]


def _read(pid: int, name: str) -> bytes:
    """A file of a process; empty when the process has just ended or belongs to another user."""
    try:
        return (PROC / str(pid) / name).read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""


def _stat(pid: int) -> list[bytes]:
    # The command's name is in brackets and may contain any character, so fields are counted from the last bracket.
    return _read(pid, "stat").rpartition(b")")[2].split()


def _parent(pid: int) -> int | None:
    fields = _stat(pid)
    return int(fields[1]) if fields else None


def _started(pid: int) -> int | None:
    fields = _stat(pid)
    # A zombie holds nothing; its parent has not collected its status yet.
    return int(fields[19]) if fields and fields[0] != b"Z" else None


def _command(pid: int) -> str:
    return _read(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace").strip()


def _marked(marker: str) -> set[int]:
    wanted = marker.encode()
    mine = os.getpid()
    return {pid for pid in pids() if pid != mine and _started(pid) is not None and wanted in _read(pid, "environ")}


def _sockets(pid: int) -> set[str]:
    found: set[str] = set()
    try:
        for link in (PROC / str(pid) / "fd").iterdir():
            target = os.readlink(link)
            if target.startswith("socket:["):
                found.add(target.removeprefix("socket:[").removesuffix("]"))
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        # It ended during the check.
        return found
    return found


def _listening() -> dict[str, int]:
    """Ports with a listening socket, by the socket's inode."""
    found: dict[str, int] = {}
    for table in ("tcp", "tcp6"):
        for line in (PROC / "net" / table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTEN:
                found[fields[9]] = int(fields[1].rpartition(":")[2], 16)
    return found
