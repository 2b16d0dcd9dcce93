"""Reading the events of a segment: what is billed with it, and what came late for earlier ones.

Events are read in the order of time and not held. Only where those of one segment are recorded in
several, because it was cut at an instant that was over already, those of the others are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TypeAlias

from attrs import define

from subscriptions.ids import SubscriptionId
from subscriptions.usage import (
    USAGE,
    History,
    Meter,
    Segment,
    StretchKind,
    Tally,
    UsageEvent,
    segment_key,
)
from subscriptions.usecases.flows import Flow, Fold

Begin: TypeAlias = Callable[[], Tally]
"""What makes the tally of a segment, each time that its reading begins anew."""


@define
class Billed:
    """What is billed with a segment: its own tally, and for which earlier ones something came.

    `spilled` are events of the segment that were recorded in an earlier one, the last first.
    """

    meter: Meter
    tally: Tally
    until: datetime
    late: set[datetime]
    spilled: list[UsageEvent]

    def take(self, event: UsageEvent) -> None:
        """Count an event that is on time."""
        if self.meter.counts(event.properties):
            self.tally.add(event)


def read_open(
    meter: Meter,
    subscription: SubscriptionId,
    history: History,
    until: datetime,
    begin: Begin,
) -> Flow[Billed]:
    """Read what is billed with the open segment, until an instant."""
    since, unbilled = history.since, history.unbilled
    late: set[datetime] = set()

    def is_spilled(event: UsageEvent) -> bool:
        if event.late:
            if event.billed_with >= unbilled:
                # It came in a segment that was never billed, and is not lost with it.
                late.add(event.segment)
            return False
        segment = history.counts_in(event.segment, event.occurred_at)
        if segment is not None and not segment.free and segment.begin >= unbilled:
            late.add(segment.begin)
        return segment is None and since <= event.occurred_at <= until

    spilled = yield from _elsewhere(
        meter, subscription, "billed_in", history.recorded_in(since), is_spilled
    )
    billed = yield from Fold(
        USAGE,
        "billed_in",
        segment_key(subscription, meter.key, since),
        "occurred_at",
        _look,
        # A reading may begin anew.
        lambda: Billed(meter, begin(), until, set(late), spilled.copy()),
    )
    _take_spilled(billed)
    return billed


def _look(state: Billed, event: UsageEvent) -> Billed:
    if event.late:
        state.late.add(event.segment)
    elif event.occurred_at <= state.until:
        _take_spilled(state, event.occurred_at)
        state.take(event)
    return state


def _elsewhere(
    meter: Meter,
    subscription: SubscriptionId,
    column: str,
    keys: Iterable[datetime],
    belongs: Callable[[UsageEvent], bool],
) -> Flow[list[UsageEvent]]:
    """Return events of a segment that were recorded in others, the last first.

    There are some only where a command counted from an instant before them; only those are held.
    """

    def step(state: list[UsageEvent], event: UsageEvent) -> list[UsageEvent]:
        if belongs(event):
            state.append(event)
        return state

    found: list[UsageEvent] = []
    for key in keys:
        value = segment_key(subscription, meter.key, key)
        found += yield from Fold(USAGE, column, value, "occurred_at", step, list[UsageEvent])
    return sorted(found, key=lambda event: (event.occurred_at, event.id), reverse=True)


def read_again(
    meter: Meter,
    subscription: SubscriptionId,
    history: History,
    segment: Segment,
    *,
    every: Begin,
    before: Begin,
    until: datetime | None = None,
) -> Flow[tuple[Tally, Tally]]:
    """Read an earlier segment twice: with all that is billed by now, and as it was billed.

    Of its events some may be billed later still: those are not there yet. Only what occurred
    `until` an instant counts, if one is said.
    """
    since, unbilled = history.since, history.unbilled
    elsewhere = history.recorded_in(segment.begin)
    own = not elsewhere and segment.kind is StretchKind.PERIODS
    own = own and segment.begin not in history.ahead

    def counts(event: UsageEvent) -> bool:
        if not meter.counts(event.properties) or event.billed_with > since:
            return False
        if until is not None and event.occurred_at > until:
            return False
        if own or event.late:
            return event.segment == segment.begin
        return history.counts_in(event.segment, event.occurred_at) == segment

    main, others = segment.begin, elsewhere
    if segment.kind is StretchKind.TRIAL and elsewhere:
        # All of a trial is recorded where it began, and only what came after it elsewhere.
        main, others = elsewhere[0], (segment.begin, *elsewhere[1:])
    spilled = yield from _elsewhere(meter, subscription, "used_in", others, counts)

    def step(state: _Again, event: UsageEvent) -> _Again:
        if counts(event):
            _take_spilled(state, event.occurred_at)
            state.take(event)
        return state

    state = yield from Fold(
        USAGE,
        "used_in",
        segment_key(subscription, meter.key, main),
        "occurred_at",
        step,
        lambda: _Again(every(), before(), unbilled, spilled.copy()),
    )
    _take_spilled(state)
    return state.every, state.before


@define
class _Again:
    """An earlier segment that is measured again; `spilled` are recorded elsewhere, last first."""

    every: Tally
    before: Tally
    unbilled: datetime
    spilled: list[UsageEvent]

    def take(self, event: UsageEvent) -> None:
        """Count an event in all that there is, and in what of it was billed."""
        self.every.add(event)
        if event.billed_with < self.unbilled:
            self.before.add(event)


def _take_spilled(state: Billed | _Again, until: datetime | None = None) -> None:
    """Count the events that were recorded elsewhere and occurred until an instant, or all."""
    while state.spilled and (until is None or state.spilled[-1].occurred_at <= until):
        state.take(state.spilled.pop())
