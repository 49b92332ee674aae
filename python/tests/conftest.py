"""A lake that the real `sluice` makes and serves. Only test_transport.py imitates a server."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import sluice_data

REPOSITORY = Path(__file__).resolve().parents[2]

# `unit_price` becomes restricted; `customer_id` is confidential, `quantity` internal, `country` public.
POLICY = """grants:
  - name: owners
    principals: ['recipient:owner']
    doors: [rows, query, sharing]
    clearance: restricted
  - name: analysts
    principals: ['recipient:analyst']
    doors: [rows, query, sharing]
    masking: { confidential: hash, restricted: 'null' }
  - name: acme-france
    principals: ['recipient:acme']
    doors: [rows, query]
    ports: [transactions]
    masking: { confidential: partial }
    rows: country = 'France'
"""


class Lake:
    """A lake with a landing folder, and a server of it that can be killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "lake"
        self.pipeline = folder / "retail"
        self._server: subprocess.Popen[str] | None = None
        self._port = 0
        self._profiles = 0
        self.endpoint = ""

    def sluice(self, *arguments: object) -> str:
        """Runs the command; it must succeed."""
        command = [binary(), *(str(argument) for argument in arguments)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.folder, timeout=300, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def deploy(self, policy: str = POLICY) -> None:
        shutil.copytree(REPOSITORY / "pipelines/retail", self.pipeline)
        (self.pipeline / "product.policy.yaml").write_text(policy)
        contract = self.pipeline / "contracts/transactions.odcs.yaml"
        price = "Zero for gifts and samples; never negative.\n        classification: "
        text = contract.read_text()
        assert f"{price}internal" in text
        contract.write_text(text.replace(f"{price}internal", f"{price}restricted"))
        self.sluice("deploy", self.pipeline, "--lake", self.root)

    def sample(self, start: str, days: int, rows: int, folder: str = "landing") -> None:
        self.sluice("sample", self.folder / folder, "--start", start, "--days", days, "--rows", rows)

    def run(self) -> None:
        self.sluice("run", self.pipeline, "--lake", self.root, "--landing", self.folder / "landing")

    def serve(self) -> None:
        """Serves on a free port, and again on the same one."""
        command = [binary(), "serve", "--lake", str(self.root), "--port", str(self._port), "--json"]
        log = (self.folder / "serve.log").open("a")
        with log:
            self._server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self._server.stdout is not None
        line = self._server.stdout.readline()
        assert line, (self.folder / "serve.log").read_text()
        self.endpoint = json.loads(line)["endpoint"]
        self._port = int(self.endpoint.rpartition(":")[2])

    def kill(self) -> None:
        """Ends the server as a crash does."""
        if self._server is not None:
            self._server.send_signal(signal.SIGKILL)
            self._server.wait()
            assert self._server.stdout is not None
            self._server.stdout.close()
            self._server = None

    def profile(self, recipient: str) -> Path:
        """A new profile file of a recipient."""
        self._profiles += 1
        file = self.folder / f"{recipient}-{self._profiles}.share"
        create = ("share", "create", "--lake", self.root, "--recipient", recipient, "--out", file)
        self.sluice(*create, "--endpoint", self.endpoint)
        return file

    def token(self, recipient: str) -> str:
        """A new token of a recipient."""
        token = json.loads(self.profile(recipient).read_text())["bearerToken"]
        assert isinstance(token, str)
        return token

    def client(self, recipient: str, **options: object) -> sluice_data.Client:
        """A client of a recipient."""
        return sluice_data.connect(self.endpoint, self.token(recipient), **options)  # type: ignore[arg-type]


def binary() -> str:
    """The command; tests that cannot run without it fail rather than pass in silence."""
    found = os.environ.get("SLUICE_BIN") or shutil.which("sluice")
    assert found, "SLUICE_BIN names the built `sluice`: run `cargo build -p sluice-cli` and python/tests/run.py"
    return found


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLUICE_ENDPOINT", "SLUICE_TOKEN", "SLUICE_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def _lake(folder: Path) -> Iterator[Lake]:
    lake = Lake(folder)
    try:
        yield lake
    finally:
        lake.kill()


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """Two published versions of the example, served. Tests that use it change no table."""
    for lake in _lake(tmp_path_factory.mktemp("shop")):
        lake.deploy()
        lake.sample("2026-01-05", 1, 3000)
        lake.run()
        lake.sample("2026-01-06", 1, 500)
        lake.run()
        lake.serve()
        yield lake


@pytest.fixture
def own_lake(tmp_path: Path) -> Iterator[Lake]:
    """A lake of one test, which may run pipelines in it."""
    for lake in _lake(tmp_path):
        lake.deploy()
        # Runs that the server starts read the lake's own landing folder.
        lake.sample("2026-01-05", 1, 500, "lake/landing/retail")
        lake.serve()
        yield lake


@pytest.fixture(scope="session")
def owner(lake: Lake) -> sluice_data.Client:
    return lake.client("owner")


def wait_until_open(endpoint: str, seconds: float = 10) -> None:
    """Waits until something listens at the endpoint."""
    host, _, port = endpoint.removeprefix("http://").rpartition(":")
    until = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
            return
        assert time.monotonic() < until, f"nothing listens at {endpoint}"
        time.sleep(0.05)
