#!/usr/bin/env bash
# Makes the lake that the test `old_lakes` continues, with the `sluice` command of the commit that it stands for:
#
#     tests/old_lakes/make.sh <target>/debug/sluice tests/old_lakes/2026-11-28
#
# Source objects are known by their address, so the lake is made, and later continued, at one fixed place.
set -euo pipefail
sluice=$(realpath "$1")
keep=$(realpath -m "$2")
place=/tmp/sluice-old-lake
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

rm -rf "$place"
mkdir -p "$place"
cp -r "$repository/pipelines/retail" "$place/retail"
cd "$place"
run() { "$sluice" run retail --lake lake --landing landing --run-id "$1" >"$1.txt" || [ $? -eq "$2" ]; }

"$sluice" deploy retail --lake lake >/dev/null
"$sluice" sample landing --start 2026-01-05 --days 2 --rows 200 --dirt 0.03 >/dev/null
run good-days 0
"$sluice" sample landing --start 2026-01-07 --days 1 --rows 200 --dirt 0.4 >/dev/null
run poisoned-day 3
"$sluice" sample landing --start 2026-01-08 --days 1 --rows 200 --dirt 0.03 >/dev/null
run next-good-day 0

rm -rf "$keep"
mkdir -p "$keep"
cp -r landing lake retail "$keep/"
rm -rf "$place"
du -sh "$keep"
