"""Where a number series stands in storage: its counter, and the end of its chain of hashes.

There is one record for each series. It is locked last in a commit, numbers all documents of that
commit and is written with them, so that a rollback gives the numbers back and leaves no gap.
"""

from __future__ import annotations

from datetime import datetime

from subscriptions.frozen import frozen
from subscriptions.ids import SeriesId
from subscriptions.invoice_numbering import Series
from subscriptions.records import Kind, evolve


@frozen
class NumberSeries:
    """One series: `series` gives the next number, `last_hash` chains it to the one before."""

    id: SeriesId
    tenant: str
    version: int
    series: Series
    last_hash: str = ""
    last_at: datetime | None = None


NUMBER_SERIES = Kind("number_series", NumberSeries)


def advanced(
    before: NumberSeries | None,
    *,
    id: str,
    tenant: str,
    series: Series,
    last_hash: str,
    last_at: datetime,
) -> NumberSeries:
    """Return the record of a series after numbers were taken; its time never moves back."""
    if before is None:
        return NumberSeries(SeriesId(id), tenant, 1, series, last_hash, last_at)
    return evolve(
        before,
        version=before.version + 1,
        series=series,
        last_hash=last_hash,
        last_at=last_at if before.last_at is None else max(before.last_at, last_at),
    )
