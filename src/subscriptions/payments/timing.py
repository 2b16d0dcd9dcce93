"""How long is waited before a gateway is asked again, and how long a key may be repeated.

Nothing here reads a clock: the time of the work and what the clock says are arguments.
"""

from __future__ import annotations

from datetime import datetime, timedelta

MARGIN = timedelta(hours=1)


TIMEOUT = timedelta(seconds=30)


ACTION_WINDOW = timedelta(days=7)


PROCESSING_POLL = timedelta(days=1)


VOID_AGAIN = timedelta(hours=1)


# Ask again after five minutes, an hour, six hours, then daily without end.
BACKOFF = (timedelta(minutes=5), timedelta(hours=1), timedelta(hours=6), timedelta(days=1))


def backoff(tries: int) -> timedelta:
    """Return how long to wait after the `tries`-th silence: 5 min, 1 h, 6 h, then daily.

    >>> backoff(1), backoff(99)
    (datetime.timedelta(seconds=300), datetime.timedelta(days=1))
    """
    return BACKOFF[min(tries, len(BACKOFF)) - 1]


def key_is_young(
    first_at: datetime, keyed_at: datetime, *, at: datetime, now: datetime, window: timedelta
) -> bool:
    """Return whether a key may be sent: it is younger than the window, by work and by clock.

    `first_at` is the time of the work that first sent it, `keyed_at` what the clock said then.
    """
    return max(at - first_at, now - keyed_at) < window - MARGIN


def last_call_with_key(
    first_at: datetime, keyed_at: datetime, *, window: timedelta, simulated: bool
) -> datetime:
    """Return the latest instant at which a call with a key may still have been under way."""
    start = first_at if simulated else max(first_at, keyed_at)
    return start + window - MARGIN + TIMEOUT
