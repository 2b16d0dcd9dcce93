"""The command line: try the library out, import customers, bill what is due, look at invoices.

Nothing is decided here. Mistakes of the user are one line on stderr and the exit code 2, never a
traceback.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command line and return its exit code: 0, 2 for a mistake, 1 for a failure."""
    # What the extra brings is loaded late, so that its absence can be said in one line.
    missing = [name for name in ("rich", "sqlalchemy") if find_spec(name) is None]
    if missing:
        sys.stderr.write(
            f"subscriptions: {' and '.join(missing)} missing: install 'subscriptions-kit[cli]'\n"
        )
        return 1
    from subscriptions.cli.arguments import parse  # noqa: PLC0415 - loaded when first used
    from subscriptions.cli.commands import carry_out  # noqa: PLC0415 - loaded when first used

    return carry_out(parse(arguments))
