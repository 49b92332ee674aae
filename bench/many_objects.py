"""Writes a landing folder of very many tiny CSV objects: `many_objects.py FOLDER COUNT`.

Each object has one row, in `FOLDER/landing`. What takes time in a run over them is the number of objects alone.
"""

import sys
from pathlib import Path


def main() -> None:
    folder, count = Path(sys.argv[1]) / "landing", int(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        text = f"order_id,name,amount\n{number},name {number % 97},{number % 1000}.50\n"
        (folder / f"{number:07}.csv").write_text(text, encoding="utf-8")
    print(f"{count} objects in {folder}")


if __name__ == "__main__":
    main()
