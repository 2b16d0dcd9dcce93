"""What all builders share: the tenant, the time, and how a default is changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Final, TypeVar

from attrs import AttrsInstance, evolve

R = TypeVar("R", bound=AttrsInstance)

TENANT: Final = "acme"
"""The tenant of every record, if none is given."""
START: Final = date(2027, 1, 31)
"""The day on which everything begins."""
AT: Final = datetime(2027, 1, 31, 9, 30, tzinfo=UTC)
"""The instant at which everything happened."""
SEGMENT: Final = datetime(2027, 1, 31, tzinfo=UTC)
"""The instant since which usage is counted."""


def changed(value: R, changes: Mapping[str, object]) -> R:
    """Return a record with some facts of it changed; they are checked by its class."""
    return evolve(value, **changes)  # type: ignore[misc]  # which class it is, is not known
