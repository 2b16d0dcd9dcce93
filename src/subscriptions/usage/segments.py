"""Segments: to which stretch of time usage belongs, and with which of them it is billed.

A segment is a period of an item, or what a change, a start or an end left of one. They touch; one
is open, since the instant `since`, and all before it are over. What an item was before is told by
its stretches, so a segment that is over stays what it was, however periods are counted later.

Law: what is used while a segment is open goes on its invoice, and what comes later on that of the
segment that is open then. So whatever is recorded goes on exactly one invoice, or is free.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from subscriptions.billing_cycles import BillingCycle, Period, first_instant, local_date
from subscriptions.frozen import frozen

_MICROSECOND: Final = timedelta(microseconds=1)


class StretchKind(StrEnum):
    """What the time of a stretch was."""

    PERIODS = "periods"
    """Periods of the cycle, each a segment."""
    PART = "part"
    """One segment: what a change or a pause left of a period, or a stub of its own length."""
    TRIAL = "trial"
    """Periods of the cycle, billed with the first segment after them."""
    FREE = "free"
    """One segment that is never billed: a free trial, a pause, periods that were skipped."""
    GIFT = "gift"
    """One segment that was billed and cost nothing: a first stub that is free."""
    ABSENT = "absent"
    """The item was not there, and nothing is taken."""


_ONE_SEGMENT: Final = frozenset({StretchKind.PART, StretchKind.FREE, StretchKind.GIFT})
# While it lasted nobody knew where it would end, so events after its end may be under its begin.
_CUT: Final = frozenset(
    {StretchKind.PART, StretchKind.FREE, StretchKind.GIFT, StretchKind.TRIAL},
)
_FREE: Final = frozenset({StretchKind.FREE, StretchKind.GIFT})
_NOT_BILLED: Final = frozenset({StretchKind.FREE, StretchKind.TRIAL})


@frozen
class Stretch:
    """Time before the open segment: until an instant, from where the stretch before it ends.

    Where periods are counted otherwise since, and nobody had billed what was over by then, events
    may be recorded `ahead`: in segments that began at these instants and are none any more.
    """

    until: datetime
    cycle: BillingCycle
    kind: StretchKind = StretchKind.PERIODS
    ahead: tuple[datetime, ...] = ()


@frozen
class Segment:
    """A stretch of time whose usage is one quantity; `period` is the whole one it is a part of."""

    begin: datetime
    end: datetime
    period: Period
    kind: StretchKind = StretchKind.PERIODS

    @property
    def free(self) -> bool:
        """Whether it costs nothing, however late something comes for it."""
        return self.kind in _FREE


@frozen
class Assigned:
    """Where an event belongs: it counts in the segment that began at `used`.

    It goes on the invoice of the segment that is open since `billed`: the same one, unless it is
    late.
    """

    used: datetime
    billed: datetime
    period: Period

    @property
    def late(self) -> bool:
        """Whether the segment in which it counts was over before."""
        return self.used != self.billed


@frozen
class History:
    """The segments of an item: those of its stretches, the open one, and those to come.

    Usage is taken from `begin` on. `past` are the stretches until now; from the last of them on
    periods are counted by `cycle`. The segment that is open since `since` ends with `open_period`
    and is, or is a part of, the `whole` period.

    >>> from datetime import UTC
    >>> from subscriptions.billing_cycles import Interval
    >>> history = History(
    ...     begin=first_instant(date(2027, 1, 1), "UTC"),
    ...     past=(),
    ...     cycle=BillingCycle(date(2027, 1, 1), Interval.months(1)),
    ...     since=first_instant(date(2027, 3, 1), "UTC"),
    ...     open_period=Period(date(2027, 3, 1), date(2027, 4, 1)),
    ...     whole=Period(date(2027, 3, 1), date(2027, 4, 1)),
    ...     zone="UTC",
    ... )
    >>> late = history.assign(datetime(2027, 1, 31, 12, tzinfo=UTC))
    >>> str(late.used.date()), str(late.billed.date()), str(late.period), late.late
    ('2027-01-01', '2027-03-01', '2027-01-01/2027-02-01', True)
    """

    begin: datetime
    past: tuple[Stretch, ...]
    cycle: BillingCycle
    since: datetime
    open_period: Period
    whole: Period
    zone: str

    @property
    def end(self) -> datetime:
        """The instant at which the open segment ends, if nothing cuts it."""
        return max(self.since, first_instant(self.open_period.end, self.zone))

    @property
    def ahead(self) -> tuple[datetime, ...]:
        """The beginnings of segments in which events are recorded that may be in any later one."""
        return tuple([each for stretch in self.past for each in stretch.ahead])

    @property
    def unbilled(self) -> datetime:
        """The instant since which nothing is billed: it may be free, or a trial that is owed."""
        place = len(self.past)
        if not place or self.past[-1].until != self.since:
            return self.since
        while place and self.past[place - 1].kind in _NOT_BILLED:
            place -= 1
        return self._begin(place)

    def assign(self, occurred_at: datetime, *, held: bool = False) -> Assigned | None:
        """Return where usage belongs that is recorded now; None if nothing was taken then.

        It must not be before `begin`. What is free stays so, however late it comes; only a level
        that is `held` goes on after it.
        """
        if self.since <= occurred_at < self.end:
            return Assigned(self.since, self.since, self.whole)
        if occurred_at >= self.end:
            # Nobody has billed the open segment yet, although it is over.
            whole = whole_period(self.cycle, local_date(occurred_at, self.zone))
            begin = max(first_instant(whole.start, self.zone), self.end)
            return Assigned(begin, begin, whole)
        segment = self.segment_at(occurred_at)
        if segment is None:
            return None
        billed = segment.begin if segment.free and not held else self.since
        return Assigned(segment.begin, billed, segment.period)

    def segment_at(self, instant: datetime) -> Segment | None:
        """Return the segment before the open one that an instant is in; None if there was none."""
        assert self.begin <= instant < self.since, (self.begin, instant, self.since)
        place = 0
        while place < len(self.past) and self.past[place].until <= instant:
            place += 1
        return self._in(place, instant)

    def segments(self, begin: datetime) -> Iterator[Segment]:
        """Return the segments from the one that an instant is in until the open one, in order."""
        while begin < self.since:
            segment = self.segment_at(begin)
            if segment is not None:
                yield segment
            # Where nothing was taken there is nothing to step over but the whole of it.
            begin = self._end_at(begin) if segment is None else segment.end

    def counts_in(self, recorded_in: datetime, occurred_at: datetime) -> Segment | None:
        """Return the segment of an event that was recorded in one before it was over.

        None is the open one, or a later one, or none at all. What occurred at the very instant at
        which a stretch was cut belongs to it.
        """
        for place, stretch in enumerate(self.past):
            begin = self._begin(place)
            if begin == recorded_in and stretch.kind in _CUT and occurred_at <= stretch.until:
                return self._in(place, max(begin, min(occurred_at, stretch.until - _MICROSECOND)))
        if self.begin <= recorded_in < self.since and recorded_in in self.ahead:
            own = self.segment_at(recorded_in)
            if own is not None and (own.begin, own.end) == (recorded_in, occurred_at):
                # It was billed with it, as what occurred at the instant of a cut.
                return own
        return None if occurred_at >= self.since else self.segment_at(occurred_at)

    def recorded_in(self, segment: datetime) -> tuple[datetime, ...]:
        """Return where else events of a segment may be recorded: in ones that were open then.

        Those are the ones before it that were cut, at an instant that was over already, the
        periods that a free stretch would have had, and those that a moved billing date has undone.
        """
        place = len(self.past)
        while place and self._begin(place) > segment:
            place -= 1
        keys: list[datetime] = []
        kind = self.past[place].kind if place < len(self.past) else StretchKind.PERIODS
        if kind in _NOT_BILLED:
            keys += self._keys(place)
        if keys or self._begin(place) == segment:
            while place and self.past[place - 1].kind in _CUT:
                place -= 1
                keys += self._keys(place)
        keys += self.ahead
        return tuple(dict.fromkeys([each for each in keys if each != segment]))

    def _keys(self, place: int) -> Iterator[datetime]:
        """Return where events of a stretch that was cut are recorded."""
        stretch, begin = self.past[place], self._begin(place)
        while begin < stretch.until:
            yield begin
            if stretch.kind is not StretchKind.FREE:
                return
            whole = whole_period(stretch.cycle, local_date(begin, self.zone))
            begin = first_instant(whole.end, self.zone)

    def _begin(self, place: int) -> datetime:
        return self.past[place - 1].until if place else self.begin

    def _end_at(self, instant: datetime) -> datetime:
        return next(each.until for each in self.past if each.until > instant)

    def _in(self, place: int, instant: datetime) -> Segment | None:
        """Return the segment of a stretch that an instant is in."""
        begin = self._begin(place)
        if place == len(self.past):
            kind, cycle, until = StretchKind.PERIODS, self.cycle, self.since
        else:
            stretch = self.past[place]
            kind, cycle, until = stretch.kind, stretch.cycle, stretch.until
        if kind is StretchKind.ABSENT:
            return None
        if kind in _ONE_SEGMENT:
            return Segment(begin, until, whole_period(cycle, local_date(begin, self.zone)), kind)
        whole = whole_period(cycle, local_date(instant, self.zone))
        first = max(begin, first_instant(whole.start, self.zone))
        return Segment(first, min(until, first_instant(whole.end, self.zone)), whole, kind)


def closed(
    past: tuple[Stretch, ...],
    cycle: BillingCycle,
    *,
    since: datetime,
    until: datetime,
    kind: StretchKind,
) -> tuple[Stretch, ...]:
    """Return the stretches of an item whose segment since an instant is over, in its own way.

    What lies between the last stretch and that segment were periods of the cycle.
    """
    if not past or past[-1].until < since:
        past = (*past, Stretch(since, cycle))
    return (*past, Stretch(until, cycle, kind))


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
