"""Sweeps: going through a gateway's list of what carries our metadata, against the books.

What the books have otherwise becomes a message of the inbox, so that it is kept before anything is
done about it, has its effect once, and a sweep that dies is simply done again. Charges of other
tenants are none of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Final

from subscriptions import inbox
from subscriptions.disputes import DISPUTE, DisputeSnapshot, dispute_id
from subscriptions.disputes import merge as merge_dispute
from subscriptions.engine.procedures import Procedure, blocking
from subscriptions.engine.run_reports import RunReport, SweepReport
from subscriptions.errors import CurrencyMismatch, StorageError, ValidationError
from subscriptions.gateways import FollowsTime, ReportsDisputes
from subscriptions.ids import InboundId
from subscriptions.inbox import INBOUND, Inbound
from subscriptions.payments import (
    PAYMENT,
    Outcome,
    Payment,
    PaymentSnapshot,
    charged_twice,
    contradicts,
    merge,
)
from subscriptions.records import aware
from subscriptions.usecases import inbox as usecase

if TYPE_CHECKING:
    from subscriptions.engine.core import Engine

PAGE = 500

SINCE: Final = timedelta(days=30)
"""How far back a sweep looks by default."""

SILENT = (Outcome.UNKNOWN, Outcome.NOT_EXECUTED)


def sweep(
    engine: Engine, gateway: str | None, since: datetime | None, at: datetime | None
) -> Procedure[SweepReport]:
    """Compare what gateways list as ours with the books, and take in what these do not know."""
    if not engine.acts:
        raise StorageError("a sweep has transactions of its own; leave the transaction first")
    names = list(engine.gateways) if gateway is None else [gateway]
    report = SweepReport()
    for name in names:
        yield from _sweep_one(engine, name, since, engine.time(at), report)
    yield from engine.deliver()
    return report


def run_after(
    engine: Engine,
    until: date | datetime | None,
    progress: Callable[[date, RunReport], object] | None,
) -> Procedure[RunReport]:
    """Sweep all gateways, then do everything that falls due: nothing is charged that they have."""
    engine.instant(until)  # a wrong one is refused before anything is done
    swept = yield from sweep(engine, None, None, None)
    report = yield from engine.run(until, progress)
    report.swept = swept
    return report


def _sweep_one(
    engine: Engine, name: str, since: datetime | None, now: datetime, report: SweepReport
) -> Procedure[None]:
    """Go through one gateway's list, page by page, and take in what the books do not have so."""
    gateway = engine.gateway(name)
    start = now - SINCE if since is None else aware("since", since).astimezone(UTC)
    if isinstance(gateway, FollowsTime):
        gateway.at(now)
    listed: Iterator[PaymentSnapshot] = yield from blocking(gateway.list_since, start)
    while page := (yield from blocking(_next, listed)):
        report.listed += len(page)
        yield from _compare(engine, name, page, now, report)
    if isinstance(gateway, ReportsDisputes):
        said: Iterator[DisputeSnapshot] = yield from blocking(gateway.list_disputes_since, start)
        while found := (yield from blocking(_next_disputes, said)):
            yield from _take_in_disputes(engine, name, found, now, report)


def _next(listed: Iterator[PaymentSnapshot]) -> list[PaymentSnapshot]:
    return list(islice(listed, PAGE))


def _next_disputes(listed: Iterator[DisputeSnapshot]) -> list[DisputeSnapshot]:
    return list(islice(listed, PAGE))


def _take_in_disputes(
    engine: Engine,
    name: str,
    page: Sequence[DisputeSnapshot],
    now: datetime,
    report: SweepReport,
) -> Procedure[None]:
    """Take in what the books do not say of a dispute; what they do say is left alone."""
    ids = [dispute_id(engine.tenant, name, each.dispute_ref) for each in page]
    known = {each.id: each for each in (yield from engine.stored(DISPUTE, ids))}
    new: list[Inbound] = []
    for id, said in zip(ids, page, strict=True):
        dispute = known.get(id)
        try:
            differs = dispute is None or merge_dispute(dispute, said, at=now) is not None
        except (CurrencyMismatch, ValidationError):
            differs = True
        if differs:
            new.append(_dispute_message(engine, name, said, now))
    report.disputes += len(new)
    if not new:
        return
    yield from engine.decided(usecase.take_in(new, now), now)
    kept = yield from engine.stored(INBOUND, [each.id for each in new])
    yield from engine.worker.now([(INBOUND, each) for each in kept], now)


def _dispute_message(
    engine: Engine, name: str, snapshot: DisputeSnapshot, now: datetime
) -> Inbound:
    stands = f"{snapshot.status}:{snapshot.occurred_at.isoformat()}"
    event = f"sweep:dispute:{snapshot.dispute_ref}:{stands}:{snapshot.amount.minor}"
    return Inbound(
        inbox.inbound_id(engine.tenant, name, event),
        engine.tenant,
        1,
        name,
        event,
        "sweep",
        now,
        inbox.Waiting(now),
        swept=True,
        dispute=snapshot,
    )


def _compare(
    engine: Engine,
    name: str,
    page: Sequence[PaymentSnapshot],
    now: datetime,
    report: SweepReport,
) -> Procedure[None]:
    ours = [each for each in page if each.tenant in (None, engine.tenant)]
    report.others += len(page) - len(ours)
    known = yield from _known(engine, name, ours)
    messages = {_id(engine, name, each): each for each in ours if each.outcome not in SILENT}
    found_before = yield from engine.stored(INBOUND, list(messages))
    waiting = {each.id: each.status in ("waiting", "unmatched") for each in found_before}
    differing = {
        id: each
        for id, each in messages.items()
        if waiting.get(id, not _agrees(known.get(each.attempt_id or ""), each, now))
    }
    report.agreed += len(ours) - len(differing)
    if not differing:
        return
    found = [_message(engine, name, each, now) for each in differing.values()]
    yield from engine.decided(usecase.take_in(found, now), now)
    kept = yield from engine.stored(INBOUND, list(differing))
    yield from engine.worker.now([(INBOUND, each) for each in kept], now)
    after = yield from _known(engine, name, list(differing.values()))
    kept = yield from engine.stored(INBOUND, list(differing))
    for message in kept:
        attempt = differing[message.id].attempt_id or ""
        _count(message, known.get(attempt), after.get(attempt), report)


def _known(
    engine: Engine, name: str, page: Sequence[PaymentSnapshot]
) -> Procedure[dict[str, Payment]]:
    ids = sorted({each.attempt_id for each in page if each.attempt_id is not None})
    found = yield from engine.stored(PAYMENT, ids)
    return {each.id: each for each in found if each.gateway == name}


def _agrees(payment: Payment | None, snapshot: PaymentSnapshot, now: datetime) -> bool:
    """Return whether the books have nothing to learn from what is listed."""
    if payment is None or charged_twice(payment, snapshot) or contradicts(payment, snapshot):
        return False
    try:
        change = merge(payment, snapshot, at=now)
    except (CurrencyMismatch, ValidationError):
        return payment.parked is not None
    if change is None:
        return True
    after = change.after
    assert isinstance(after, Payment)
    return after.status == payment.status


def _id(engine: Engine, name: str, snapshot: PaymentSnapshot) -> InboundId:
    return inbox.inbound_id(engine.tenant, name, _event(snapshot))


def _event(snapshot: PaymentSnapshot) -> str:
    """Name what is listed: the same charge in the same state is the same finding."""
    said = f"{snapshot.outcome.value}:{snapshot.amount.minor}{snapshot.amount.currency.code}"
    return f"sweep:{snapshot.gateway_ref or snapshot.attempt_id}:{said}"


def _message(engine: Engine, name: str, snapshot: PaymentSnapshot, now: datetime) -> Inbound:
    event = _event(snapshot)
    return Inbound(
        inbox.inbound_id(engine.tenant, name, event),
        engine.tenant,
        1,
        name,
        event,
        "sweep",
        now,
        inbox.Waiting(now),
        snapshot,
        swept=True,
    )


def _count(
    message: Inbound, before: Payment | None, after: Payment | None, report: SweepReport
) -> None:
    said = message.payment
    if after is None or (said is not None and charged_twice(after, said)):
        report.orphans += 1
    elif after.parked is not None and (before is None or before.parked is None):
        report.quarantined += 1
    elif before is None:
        report.adopted += 1
    elif message.status == "processed":
        report.merged += 1
