"""Segments: to which stretch of time usage belongs, and with which of them it is billed.

A segment is a period of an item, or what a change, a start or an end left of one. They touch; one
is open, since the instant `since`, and all before it are billed. Law: usage is billed with the open
segment or with a later one, so whatever is recorded goes on exactly one invoice.
"""

from __future__ import annotations

from datetime import date, datetime

from subscriptions.billing_cycles import BillingCycle, Period, first_instant, local_date
from subscriptions.frozen import frozen


@frozen
class Segment:
    """Where usage belongs: it counts in the segment that began at `used`.

    It goes on the invoice of the segment that began at `billed`: the same one, unless it is late.
    `period` is the whole period that the segment is, or is a part of.
    """

    used: datetime
    billed: datetime
    period: Period

    @property
    def late(self) -> bool:
        """Whether the segment in which it counts was billed before."""
        return self.used < self.billed


def assign(
    *,
    cycle: BillingCycle,
    open_period: Period,
    since: datetime,
    started: datetime,
    occurred_at: datetime,
    zone: str,
) -> Segment:
    """Return the segment of usage that occurred at an instant, and the one it is billed with.

    `open_period` is the first period that is not billed yet, `since` the instant since which usage
    is not, `started` the one since which any is. Usage since `since` and before the open period's
    end is on time. Later usage, which comes where nobody has billed yet, belongs to the period of
    the cycle that contains it. Earlier usage is late: it counts in its own period, which is billed,
    and goes on the invoice of the open one. Usage must not be before `started`.

    >>> from datetime import UTC
    >>> from subscriptions.billing_cycles import Interval
    >>> february = first_instant(date(2027, 2, 1), "UTC")
    >>> late = assign(
    ...     cycle=BillingCycle(date(2027, 1, 1), Interval.months(1)),
    ...     open_period=Period(date(2027, 2, 1), date(2027, 3, 1)),
    ...     since=february,
    ...     started=first_instant(date(2027, 1, 1), "UTC"),
    ...     occurred_at=datetime(2027, 1, 31, 12, tzinfo=UTC),
    ...     zone="UTC",
    ... )
    >>> str(late.used.date()), str(late.billed.date()), str(late.period), late.late
    ('2027-01-01', '2027-02-01', '2027-01-01/2027-02-01', True)
    """
    assert occurred_at >= started, (occurred_at, started)
    end = first_instant(open_period.end, zone)
    if since <= occurred_at < end:
        return Segment(since, since, whole_period(cycle, open_period.start))
    whole = whole_period(cycle, local_date(occurred_at, zone))
    begin = first_instant(whole.start, zone)
    if occurred_at < since:
        # The first segment may be a stub: no segment begins before the item did.
        return Segment(max(begin, started), since, whole)
    begin = max(begin, end)
    return Segment(begin, begin, whole)


def whole_period(cycle: BillingCycle, day: date) -> Period:
    """Return the period of a cycle that a day is in; before the anchor they are counted back.

    >>> from subscriptions.billing_cycles import Interval
    >>> whole_period(BillingCycle(date(2027, 3, 15), Interval.months(1)), date(2027, 1, 20))
    Period(2027-01-15, 2027-02-15)
    """
    while day < cycle.anchor:
        before = cycle.period_before_anchor()
        if day >= before.start:
            return before
        cycle = BillingCycle(before.start, cycle.every)
    return cycle.period_containing(day)
