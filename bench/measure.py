#!/usr/bin/env python3
"""Runs a command and writes its cost: wall time, CPU time and peak memory, as measured by the kernel.

    measure.py --out COST.json --log OUTPUT.txt -- COMMAND [ARGUMENT ...]

Peak memory is the largest resident set (`ru_maxrss` of wait4) of the command or any process it waited for, in bytes.
The command's own output goes to the log. Exits with the command's exit code.
"""

import argparse
import json
import os
import sys
import time

# wait4 reports kilobytes on Linux and bytes on macOS.
MAXRSS_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True)
    parser.add_argument("--log", required=True)
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    with open(arguments.log, "wb") as log, open(os.devnull, "rb") as nothing:
        started = time.monotonic()
        pid = os.posix_spawnp(
            arguments.command[0],
            arguments.command,
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, nothing.fileno(), 0),
                (os.POSIX_SPAWN_DUP2, log.fileno(), 1),
                (os.POSIX_SPAWN_DUP2, log.fileno(), 2),
            ],
        )
        _, status, usage = os.wait4(pid, 0)
        wall = time.monotonic() - started
    code = os.waitstatus_to_exitcode(status)
    cost = {
        "wall_seconds": wall,
        "user_seconds": usage.ru_utime,
        "system_seconds": usage.ru_stime,
        "peak_memory_bytes": usage.ru_maxrss * MAXRSS_UNIT_BYTES,
        "exit_code": code,
    }
    with open(arguments.out, "w", encoding="utf-8") as out:
        json.dump(cost, out)
    sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
