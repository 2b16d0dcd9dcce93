"""Due work: what falls due is done instant by instant, kind by kind, in batches.

Each batch is one transaction. If one record of it fails, it alone is done again by itself and, if
that fails too, parked with an event; the others go on. Gateways are called between transactions:
the intent is committed before, the answer after.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, TypeAlias

from attrs import define, evolve, field, frozen

from subscriptions.billing_cycles import local_date
from subscriptions.decisions import Change, Decision, park
from subscriptions.dunning import DUNNING_CASE
from subscriptions.engine import commit
from subscriptions.engine.charging import Answer, Asked, ask
from subscriptions.engine.gather import Batch, together
from subscriptions.engine.procedures import Procedure, call
from subscriptions.engine.refunding import RefundAnswer, ask_refunds
from subscriptions.errors import Conflict, DomainError, Duplicate, StorageError
from subscriptions.gateways import AbsentForSure, PaymentGateway
from subscriptions.invoices import INVOICE, Invoice, Open
from subscriptions.lifecycle import SUBSCRIPTION, Subscription
from subscriptions.payments import PAYMENT, Payment, PaymentSnapshot
from subscriptions.records import AnyKind, Record
from subscriptions.refunds import REFUND, Refund, RefundSnapshot
from subscriptions.storage import Storage, UnitOfWork, due
from subscriptions.usecases import dunning, invoices, payments, refunds, renewals
from subscriptions.usecases.flows import Context, Flow

log = logging.getLogger("subscriptions")

BATCH = 1000
TRIES = 3

Step: TypeAlias = Callable[[str, Context], Flow[Decision]]
# What each flow came to, which decisions were committed, which wait, and what was changed.
_Decided: TypeAlias = tuple[list[Any], list[int], list[int], list[Change]]

# What is due, in the order in which it is done within one instant.
DUE: Mapping[AnyKind, Step | None] = {
    SUBSCRIPTION: renewals.advance,
    INVOICE: invoices.advance,
    PAYMENT: None,  # the gateway is asked first; see `_asked`
    REFUND: None,  # likewise; see `_refunds_asked`
    DUNNING_CASE: dunning.advance,
}


@frozen
class Parked:
    """A record that was set aside, and why."""

    kind: str
    id: str
    reason: str


@define
class RunReport:
    """What a run did: how often each event happened, what was invoiced, what was set aside."""

    events: Counter[str] = field(factory=Counter[str])
    parked: list[Parked] = field(factory=list[Parked])
    days: int = 0
    until: datetime | None = None
    reached: datetime | None = None

    @property
    def invoices(self) -> int:
        """How many invoices were made final."""
        return self.events["InvoiceFinalized"]

    @property
    def payments_succeeded(self) -> int:
        """How many payments succeeded."""
        return self.events["PaymentSucceeded"]

    @property
    def payments_failed(self) -> int:
        """How many payments were declined."""
        return self.events["PaymentFailed"]

    @property
    def ended(self) -> int:
        """How many subscriptions ended."""
        return self.events["SubscriptionEnded"]

    def count(self, changes: Sequence[Change]) -> None:
        """Count the events of committed changes."""
        names = [type(event).__name__ for change in changes for event in change.events]
        self.events.update(names)


@frozen
class Worker:
    """Does due work of one tenant on one storage; `context` gives a flow's context at a time."""

    storage: Storage
    gateways: Mapping[str, PaymentGateway]
    tenant: str
    zone: str
    context: Callable[[datetime], Context]

    def until(
        self,
        until: datetime,
        report: RunReport,
        progress: Callable[[date, RunReport], object] | None = None,
    ) -> Procedure[None]:
        """Do everything that is due at or before `until`, instant by instant."""
        today: date | None = None
        while True:
            instant = yield from self._earliest(until)
            if instant is None:
                break
            day = local_date(instant, self.zone)
            if day != today:
                today = day
                report.days += 1
                if progress is not None:
                    progress(day, report)
            yield from self._instant(instant, report)
            report.reached = instant
        report.until = until

    def now(self, records: Sequence[tuple[AnyKind, Record]], at: datetime) -> Procedure[None]:
        """Do what is due at `at` for these records, and for those that they make due.

        What a subscription is behind with since an earlier day is left for a run, which does each
        thing at its own time.
        """
        report = RunReport()
        while records:
            changes: list[Change] = []
            for kind in DUE:
                ready = [
                    record
                    for each, record in records
                    if each is kind and _due(record, at) and not _behind(record, at)
                ]
                if ready:
                    changes += yield from self._batch(kind, ready, at, report)
            records = [(change.kind, change.after) for change in changes if change.kind in DUE]

    def settle(
        self, payment: Payment, snapshot: PaymentSnapshot, at: datetime
    ) -> Procedure[list[Change]]:
        """Merge what a gateway said by itself of a payment; it may say nothing new."""
        return (yield from self._told(_Work(PAYMENT, payment, _answered(snapshot), due=False), at))

    def settle_refund(
        self, refund: Refund, snapshot: RefundSnapshot, at: datetime
    ) -> Procedure[list[Change]]:
        """Merge what a gateway said by itself of a refund; it may say nothing new."""
        told = _Work(REFUND, refund, _refund_answered(snapshot), due=False)
        return (yield from self._told(told, at))

    def _told(self, told: _Work, at: datetime) -> Procedure[list[Change]]:
        work = [told]
        changes: list[Change] = []
        while work:
            done, work = yield from self._commit(work, at, RunReport())
            changes += done
        return changes

    def _earliest(self, until: datetime) -> Procedure[datetime | None]:
        earliest: datetime | None = None
        for kind in DUE:
            page = yield from call(
                self.storage.find, due(kind, self.tenant, now=earliest or until, limit=1)
            )
            if page.items:
                earliest = page.items[0].due_at
        return earliest

    def _instant(self, instant: datetime, report: RunReport) -> Procedure[None]:
        kinds = iter(DUE)
        while (kind := next(kinds, None)) is not None:
            while True:
                query = due(kind, self.tenant, now=instant, limit=BATCH)
                page = yield from call(self.storage.find, query)
                if not page.items:
                    break
                yield from self._batch(kind, page.items, instant, report)
                if kind is DUNNING_CASE:
                    # A retry comes before the reminder of its day, and so does its outcome: why
                    # write if the charge succeeds? So the payments are done before the next step.
                    kinds = iter(DUE)
                    break

    def _batch(
        self, kind: AnyKind, records: Sequence[Any], at: datetime, report: RunReport
    ) -> Procedure[list[Change]]:
        step = DUE[kind]
        if step is not None:
            work = [_Work(kind, record, step) for record in records]
        elif kind is REFUND:
            work = yield from self._refunds_asked(records, at)
        else:
            work = yield from self._asked(records, at)
        changes: list[Change] = []
        while work:
            done, work = yield from self._commit(work, at, report)
            changes += done
        report.count(changes)
        return changes

    def _asked(self, records: Sequence[Payment], at: datetime) -> Procedure[list[_Work]]:
        ids = sorted({each.invoice for each in records if each.invoice is not None})
        found = yield from call(self.storage.load, self.tenant, INVOICE, ids)
        asked = [Asked(each, _wanted(each, found)) for each in records]
        answers = yield from ask(asked, self.gateways, at=at, now=self.context(at).now)
        return [
            _Work(PAYMENT, payment, _answered(answer))
            for payment, answer in zip(records, answers, strict=True)
        ]

    def _refunds_asked(self, records: Sequence[Refund], at: datetime) -> Procedure[list[_Work]]:
        answers = yield from ask_refunds(records, self.gateways, at=at, now=self.context(at).now)
        return [
            _Work(REFUND, refund, _refund_answered(answer))
            for refund, answer in zip(records, answers, strict=True)
        ]

    def _commit(
        self, work: Sequence[_Work], at: datetime, report: RunReport
    ) -> Procedure[tuple[list[Change], list[_Work]]]:
        """Decide and commit what goes together; returns the changes, and what is left to do."""
        context = self.context(at)

        def decide(unit: UnitOfWork) -> Procedure[_Decided]:
            batch = Batch(unit, self.tenant, [(each.kind, each.record) for each in work])
            results = yield from batch.run([each.step(each.id, context) for each in work])
            accepted, deferred = together(results, batch.reads)
            decisions = [results[index] for index in accepted]
            changes = yield from commit.write(
                unit, decisions, tenant=self.tenant, zone=self.zone, at=at
            )
            return results, accepted, deferred, changes

        try:
            results, accepted, deferred, changes = yield from commit.within(self.storage, decide)
        except Exception as error:  # noqa: BLE001 - whatever one record breaks, the others go on
            return (yield from self._one_by_one(work, error, at, report))
        for index in accepted:
            if work[index].due and not results[index].changes:
                changes += yield from self._nothing(work[index], at, report)
        for each, result in zip(work, results, strict=True):
            if isinstance(result, Exception):
                changes += yield from self._park(each, result, at, report)
        return changes, (yield from self._fresh([work[index] for index in deferred]))

    def _one_by_one(
        self, work: Sequence[_Work], error: Exception, at: datetime, report: RunReport
    ) -> Procedure[tuple[list[Change], list[_Work]]]:
        """Find the record that a batch failed on: each alone; one that fails thrice is parked.

        A storage that cannot commit at all is not the fault of a record: that error is raised.
        """
        if len(work) == 1:
            only = work[0]
            if isinstance(error, StorageError) and not isinstance(error, Duplicate):
                if only.tries + 1 < TRIES:
                    return [], (yield from self._fresh([evolve(only, tries=only.tries + 1)]))
                if not isinstance(error, Conflict):
                    raise error
            return (yield from self._park(only, error, at, report)), []
        changes: list[Change] = []
        left: list[_Work] = []
        for each in (yield from self._fresh(work)):
            done, more = yield from self._commit([each], at, report)
            changes += done
            left += more
        return changes, left

    def _fresh(self, work: Sequence[_Work]) -> Procedure[list[_Work]]:
        """Read the records again; what is no longer due at all is left out."""
        fresh: list[_Work] = []
        for each in work:
            found = yield from call(self.storage.load, self.tenant, each.kind, [each.id])
            record = found.get(each.id)
            if record is not None and (not each.due or record.due_at is not None):
                fresh.append(evolve(each, record=record))
        return fresh

    def _nothing(self, work: _Work, at: datetime, report: RunReport) -> Procedure[list[Change]]:
        """Park a record that stays due though nothing was decided: it would never end."""
        fresh = yield from self._fresh([work])
        if not fresh or not _due(fresh[0].record, at):
            return []
        error = DomainError("it is due, but there is nothing to do")
        return (yield from self._park(work, error, at, report))

    def _park(
        self, work: _Work, error: Exception, at: datetime, report: RunReport
    ) -> Procedure[list[Change]]:
        reason = f"{type(error).__name__}: {error}"[:500]
        log.warning("parked %s %s: %s", work.kind.name, work.id, reason, exc_info=error)
        changes = yield from self._set_aside(work, reason, at)
        if changes:
            report.parked.append(Parked(work.kind.name, work.id, reason))
        return changes

    def _set_aside(self, work: _Work, reason: str, at: datetime) -> Procedure[list[Change]]:
        def set_aside(unit: UnitOfWork) -> Procedure[list[Change]]:
            found = yield from call(unit.load, self.tenant, work.kind, [work.id])
            record = found.get(work.id)
            if record is None or record.due_at is None:
                return []
            parked = Decision((park(work.kind, record, reason=reason),))
            return (
                yield from commit.write(unit, [parked], tenant=self.tenant, zone=self.zone, at=at)
            )

        try:
            return (yield from commit.within(self.storage, set_aside))
        except Conflict:
            # Somebody is at work on it at this moment, so it is not for a person to look at.
            log.info("%s %s moved on while it was to be parked", work.kind.name, work.id)
            return []


@frozen
class _Work:
    """One record and what is to be done about it; `due` says that time asks for it."""

    kind: AnyKind
    record: Any
    step: Step
    tries: int = 0
    due: bool = True

    @property
    def id(self) -> str:
        record_id: str = self.record.id
        return record_id


def _wanted(payment: Payment, invoices: Mapping[str, Invoice]) -> bool:
    """Return whether the invoice of a payment still needs all of it."""
    if payment.invoice is None:
        return True
    invoice = invoices[payment.invoice]
    return isinstance(invoice.state, Open) and invoice.due_minor >= payment.amount_minor


def _answered(answer: Answer) -> Step:
    if isinstance(answer, AbsentForSure):
        return payments.absent
    return lambda id, context: payments.settle(id, answer, context)


def _refund_answered(answer: RefundAnswer) -> Step:
    if isinstance(answer, AbsentForSure):
        return refunds.absent
    return lambda id, context: refunds.settle(id, answer, context)


def _behind(record: Record, at: datetime) -> bool:
    if not isinstance(record, Subscription):
        return False
    return record.due_day is not None and record.due_day < local_date(at, record.zone)


def _due(record: Any, at: datetime) -> bool:  # noqa: ANN401 - any record with a due time
    return record.due_at is not None and record.due_at <= at
