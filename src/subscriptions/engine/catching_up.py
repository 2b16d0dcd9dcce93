"""Catching up with one record: what is due for it is done first, each thing at its own time.

A command on a subscription is decided by what it is by then, whether a run came or not; and what a
person releases goes on where it was parked.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import evolve

from subscriptions.decisions import Change, Decision
from subscriptions.engine import commit
from subscriptions.engine.gather import Batch
from subscriptions.engine.procedures import Procedure, call
from subscriptions.engine.requests import fingerprint_of
from subscriptions.engine.work import DUE
from subscriptions.invoices import INVOICE
from subscriptions.lifecycle import SUBSCRIPTION
from subscriptions.records import AnyKind, Ref
from subscriptions.storage import UnitOfWork
from subscriptions.usecases import parking
from subscriptions.usecases.billing_periods import check_ahead
from subscriptions.usecases.flows import Command, Context, Flow

if TYPE_CHECKING:
    from subscriptions.engine.core import Engine


def due_at(engine: Engine, ref: Ref) -> Procedure[datetime | None]:
    """Return when something is due for a record; None if nothing is, or if there is none."""
    found = yield from call(engine.reader.load, engine.tenant, ref.kind, [ref.id])
    record = found.get(ref.id)
    due: datetime | None = None if record is None else record.due_at
    return due


def catch_up(engine: Engine, ref: Ref, at: datetime, *, checked: bool = True) -> Procedure[None]:
    """Do what is due for one record up to `at`, each thing at its own time.

    In a transaction it is a part of that, and what it makes due is done after the commit. Raises
    `ValidationError` for a time to come before which more is due than one command may bill.
    """
    if ref.kind is SUBSCRIPTION and at > engine.time(None):
        found = yield from call(engine.reader.load, engine.tenant, ref.kind, [ref.id])
        if ref.id in found:
            check_ahead(found[ref.id], at)
    while (due := (yield from due_at(engine, ref))) is not None and due <= at:
        if engine.acts:
            found = yield from call(engine.storage.load, engine.tenant, ref.kind, [ref.id])
            worker = evolve(engine.worker, context=partial(engine.context, checked=checked))
            yield from worker.now([(ref.kind, found[ref.id])], due)
            continue
        step = partial(_step, engine, ref=ref, due=due, checked=checked)
        opened = engine.opened
        if opened is not None:
            opened.changes += yield from step(opened.unit)
        else:
            yield from commit.within(engine.storage, step)


def _step(
    engine: Engine, unit: UnitOfWork, *, ref: Ref, due: datetime, checked: bool
) -> Procedure[list[Change]]:
    step = DUE[ref.kind]
    assert step is not None
    flow = step(ref.id, engine.context(due, checked=checked))
    decision = yield from Batch(unit, engine.tenant).one(flow)
    return (
        yield from commit.write(
            unit, [decision], tenant=engine.tenant, zone=engine.seller.zone, at=due
        )
    )


def release(
    engine: Engine, kind: AnyKind, id: str, at: datetime | None, key: str | None
) -> Procedure[Any]:
    """Release a parked record, and do what is due for it; with a key that came before nothing."""
    request = fingerprint_of("unpark", kind.name, id)
    if (yield from engine.known(engine.reader, key, request)) is not None:
        return (yield from engine.answer(kind, id))

    def flow(context: Context) -> Flow[Decision]:
        return parking.release(kind, id, context)

    yield from engine.execute(Command(kind, flow, at, key), request)
    quoted = kind is INVOICE and engine.tax_provider is not None
    by_itself = DUE.get(kind) is not None and not quoted
    if kind in engine.worker.kinds and (engine.acts or by_itself):
        # A person has looked at it, so what was too much for a run is not too much now.
        yield from catch_up(engine, Ref(kind, id), engine.time(at), checked=False)
    return (yield from engine.answer(kind, id))
