"""Builds the package and tests the built wheel; what `cargo xtask test` runs.

Run it with the Python of an environment that has python/requirements-test.txt. `SLUICE_BIN` names the built `sluice`.
Further arguments go to pytest.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def run(*command: object) -> None:
    """Runs a command; the program ends with its exit code when it fails."""
    done = subprocess.run([str(part) for part in command], cwd=PACKAGE, check=False)
    if done.returncode != 0:
        sys.exit(f"failed: {' '.join(str(part) for part in command)}")


def main() -> None:
    """Checks, builds, installs into an environment of its own, and tests there."""
    python = sys.executable
    run(python, "-m", "ruff", "format", "--no-cache", "--check", ".")
    run(python, "-m", "ruff", "check", "--no-cache", ".")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        run(python, "-m", "mypy", "--cache-dir", folder / "mypy")
        # The wheel is built from the source distribution, so that both are complete.
        run(python, "-m", "build", "--no-isolation", "--outdir", folder / "dist", PACKAGE)
        (wheel,) = (folder / "dist").glob("*.whl")
        environment = folder / "environment"
        run(python, "-m", "venv", "--without-pip", environment)
        inside = environment / "bin/python"
        run(python, "-m", "pip", "--quiet", "--python", inside, "install", "--no-index", "--no-deps", wheel)
        # The libraries that tests use come from this environment, behind the package of the new one.
        (site,) = environment.glob("lib/python*/site-packages")
        (site / "outside.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
        run(inside, "-B", "-m", "pytest", "--rootdir", PACKAGE, "-c", PACKAGE / "pyproject.toml", *sys.argv[1:])


if __name__ == "__main__":
    main()
