"""Write the golden files of what this release stores: `python -m tests.serialization.write_golden`.

Each example of `subscriptions.testing.examples` becomes one file, exactly as a storage keeps it. A
golden file that was released is never written again: what is stored in the world cannot be changed
either. So a file that is there and differs is left alone and named, unless `--replace` says that
it was not released yet. When the format changes on purpose, `VERSION` goes up, the old folder
stays, and `test_golden.py` keeps reading it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from subscriptions.serialization import dump
from subscriptions.testing.examples import examples

VERSION = "v1"
FOLDER = Path(__file__).parent.parent / "golden" / VERSION


def golden_file(name: str) -> Path:
    return FOLDER / f"{name}.json"


def main(*, replace: bool) -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    differing = 0
    for example in examples():
        file, text = golden_file(example.name), dump(example.record) + "\n"
        if file.exists() and file.read_text(encoding="utf-8") != text and not replace:
            differing += 1
            print(f"{file.name} differs and is left alone; --replace if it was never released")  # noqa: T201
            continue
        file.write_text(text, encoding="utf-8")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(replace="--replace" in sys.argv[1:]))
