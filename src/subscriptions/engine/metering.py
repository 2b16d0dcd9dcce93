"""Recording usage in bulk: events are read as they come, and stored in batches.

Each batch is one transaction, with one reading of what its events are about. Each event is stored
whole or not at all; a refused one is reported and costs no other. After a crash the same events may
come again: what is stored is known. Nothing is billed here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import define, field, fields

from subscriptions.decisions import Change, Decision
from subscriptions.engine import commit
from subscriptions.engine.gather import Batch, together
from subscriptions.engine.procedures import Procedure
from subscriptions.engine.remembering import remember, said
from subscriptions.engine.requests import fingerprint_of
from subscriptions.errors import (
    Conflict,
    DomainError,
    IdempotencyMismatch,
    UnknownReference,
    ValidationError,
)
from subscriptions.frozen import frozen
from subscriptions.storage import Storage, UnitOfWork
from subscriptions.usage import USAGE, Usage
from subscriptions.usecases.flows import Context
from subscriptions.usecases.usage import RefusedUsage, UsageReport, recording

if TYPE_CHECKING:
    from subscriptions.engine.core import Engine

BATCH = 1000
TRIES = 3

_Row: TypeAlias = tuple[int, Usage]
# What each flow came to, which decisions were committed, which wait, and what was changed.
_Decided: TypeAlias = tuple[list[Any], list[int], list[int], list[Change]]


@frozen
class Recorder:
    """Records events into the storage of one tenant; `unit` is a transaction that is open already.

    `context` is asked for each batch: a stream may last, and what it brings is of its own time.
    """

    storage: Storage
    context: Callable[[], Context]
    unit: UnitOfWork | None = None
    changes: list[Change] = field(factory=list[Change])
    """What was committed besides the usage: who is to look whether it comes to a threshold."""

    def run(self, events: Iterable[Usage]) -> Procedure[UsageReport]:
        """Record events as they come; never more than a batch of them is held."""
        tally = _Tally()
        for batch in _batches(enumerate(events)):
            left, tries = batch, 0
            while left:
                try:
                    left = yield from self._commit(left, tally)
                except Conflict:
                    # Somebody recorded the same event at the same time: now it is known.
                    tries += 1
                    if self.unit is not None or tries == TRIES:
                        raise
        rows = tally.recorded + tally.known + len(tally.refused)
        refused = tuple(sorted(tally.refused, key=lambda each: each.index))
        return UsageReport(rows, tally.recorded, tally.known, refused)

    def _commit(self, rows: Sequence[_Row], tally: _Tally) -> Procedure[list[_Row]]:
        """Commit rows together; returns those that have the id of another one of them."""
        context = self.context()

        def body(unit: UnitOfWork) -> Procedure[_Decided]:
            batch = Batch(unit, context.tenant)
            results = yield from batch.run([recording(given, context) for _, given in rows])
            for result in results:
                if isinstance(result, Exception) and not isinstance(result, _REFUSALS):
                    raise result
            accepted, deferred = together(results, batch.reads)
            changes = yield from commit.write(
                unit,
                [results[place] for place in accepted],
                tenant=context.tenant,
                zone=context.seller.zone,
                at=context.at,
            )
            return results, accepted, deferred, changes

        if self.unit is not None:
            results, accepted, deferred, changes = yield from body(self.unit)
        else:
            results, accepted, deferred, changes = yield from commit.within(self.storage, body)
        # Only now: of a transaction that failed nothing is counted.
        self.changes.extend([each for each in changes if each.kind is not USAGE])
        tally.count([results[place] for place in accepted])
        for (index, _), result in zip(rows, results, strict=True):
            if isinstance(result, Exception):
                tally.refused.append(RefusedUsage(index, *_whose(result)))
        return [rows[place] for place in deferred]


@define
class _Tally:
    """What became of the events so far."""

    recorded: int = 0
    known: int = 0
    refused: list[RefusedUsage] = field(factory=list[RefusedUsage])

    def count(self, decisions: Sequence[Decision]) -> None:
        made = sum([bool(decision.changes) for decision in decisions])
        self.recorded += made
        self.known += len(decisions) - made


# A float is a `TypeError`, and a mistake in one row like any other.
_REFUSALS = (DomainError, TypeError)


def _whose(error: Exception) -> tuple[str, str, str]:
    match error:
        case ValidationError():
            return error.field, str(error.value), error.expected
        case UnknownReference():
            return error.field, error.value, "of a record that exists"
        case IdempotencyMismatch():
            return "event_id", error.key, f"new, or with what is stored: {error.difference}"
        case TypeError():
            return "quantity", "", str(error)
        case _:
            return "subscription", "", str(error)


def _batches(rows: Iterator[_Row]) -> Iterator[list[_Row]]:
    while batch := list(islice(rows, BATCH)):
        yield batch


def record_usage(
    engine: Engine, events: Iterable[Usage], at: datetime | None, idempotency_key: str | None
) -> Procedure[UsageReport]:
    """Record usage in bulk; in an open transaction it is part of that.

    A key is that of all events: when it comes again they are read, but not recorded.
    """
    given: object = events
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ValidationError("events", given, "an iterable of Usage")
    key, asked = idempotency_key, _Asked()
    stored = yield from engine.remembered(engine.reader, key)
    if stored is not None and key is not None:
        for each in events:
            asked.take(each)
        return said(stored, key, asked.request, UsageReport)
    recorder = Recorder(engine.storage, lambda: engine.context(engine.time(at)), engine.unit)
    wanted = events if key is None else asked.passing(events)
    report = yield from recorder.run(wanted)
    reached = engine.time(at)
    if key is not None:
        request = asked.request
        report = yield from remember(engine, _COMMAND, key, report, request=request, at=reached)
    if recorder.changes:
        opened = engine.opened
        if opened is not None:
            opened.take(recorder.changes, reached)
        else:
            yield from engine.act(recorder.changes, reached)
    return report


_COMMAND = "usage.record_many"


@define
class _Asked:
    """What events were given so far, as a fingerprint: they pass by, and none is held."""

    request: str = _COMMAND

    def take(self, given: Usage) -> None:
        content: object = given
        if isinstance(content, Usage):
            # Its properties come in any order.
            content = [getattr(content, each.name) for each in fields(Usage)]
        self.request = fingerprint_of(self.request, content)

    def passing(self, events: Iterable[Usage]) -> Iterator[Usage]:
        for each in events:
            self.take(each)
            yield each
