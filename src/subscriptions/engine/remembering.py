"""One idempotency key for a command of many transactions: what it reported is kept, and said again.

The key is remembered last, after all that the command did. So a call that broke off is not known:
with the same key it goes on where it was, as it does without one. Only who came to the end is
answered from memory, and refused if he asks for something else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from subscriptions.decisions import Decision, created
from subscriptions.engine import commit
from subscriptions.engine.procedures import Procedure
from subscriptions.engine.requests import fingerprint_of
from subscriptions.errors import Conflict, IdempotencyMismatch
from subscriptions.idempotency import COMMAND, CommandRecord, command_id
from subscriptions.serialization import dump_report, load_report
from subscriptions.storage import UnitOfWork

if TYPE_CHECKING:
    from subscriptions.engine.core import Engine

T = TypeVar("T")


def once(
    engine: Engine,
    command: str,
    key: str | None,
    asked: Sequence[object],
    work: Callable[[], Procedure[T]],
    *,
    kind: type[T],
    at: datetime,
) -> Procedure[T]:
    """Do some work and remember what it reports, or say what it reported when it was done.

    `asked` is what makes two requests the same. Raises `IdempotencyMismatch` if the key was used
    with something else. In an open transaction what is remembered is part of that.
    """
    if key is None:
        return (yield from work())
    request = fingerprint_of(command, *asked)
    stored = yield from engine.remembered(engine.reader, key)
    if stored is not None:
        return said(stored, key, request, kind)
    report = yield from work()
    return (yield from remember(engine, command, key, report, request=request, at=at))


def said(stored: CommandRecord, key: str, request: str, kind: type[T]) -> T:
    """Return what a command reported; raises `IdempotencyMismatch` if that was another request."""
    if stored.fingerprint != request:
        raise IdempotencyMismatch(key, stored.command)
    return load_report(kind, stored.report)


def remember(
    engine: Engine, command: str, key: str, report: T, *, request: str, at: datetime
) -> Procedure[T]:
    """Remember a report with its key; returns it, or what somebody else was told in between."""
    id = command_id(engine.tenant, key)
    text = dump_report(report)
    record = CommandRecord(id, engine.tenant, 1, command, request, "", "", at, text)

    def body(unit: UnitOfWork) -> Procedure[T]:
        stored = yield from engine.remembered(unit, key)
        if stored is not None:
            return said(stored, key, request, type(report))
        yield from commit.write(
            unit,
            [Decision((created(COMMAND, record),))],
            tenant=engine.tenant,
            zone=engine.seller.zone,
            at=at,
        )
        return report

    if engine.unit is not None:
        return (yield from body(engine.unit))
    try:
        return (yield from commit.within(engine.storage, body))
    except Conflict:
        # Somebody carried out the same at the same time: now his answer is there.
        return (yield from commit.within(engine.storage, body))
