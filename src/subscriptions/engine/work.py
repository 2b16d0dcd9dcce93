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

from attrs import evolve

from subscriptions.billing_cycles import local_date
from subscriptions.customers import CUSTOMER, Customer
from subscriptions.decisions import Change, Decision
from subscriptions.disputes import DISPUTE
from subscriptions.dunning import DUNNING_CASE
from subscriptions.engine import commit
from subscriptions.engine.authorizing import NotCaptured
from subscriptions.engine.charging import Answer, Asked, ask
from subscriptions.engine.gather import Batch, together
from subscriptions.engine.procedures import Procedure, call
from subscriptions.engine.quoting import Silence, ask_quotes
from subscriptions.engine.refunding import RefundAnswer, ask_refunds
from subscriptions.engine.run_reports import Parked, RunReport
from subscriptions.engine.validating import TOGETHER, Answered, ask_about
from subscriptions.errors import Conflict, DomainError, Duplicate, StorageError, ValidationError
from subscriptions.frozen import frozen
from subscriptions.gateways import AbsentForSure, PaymentGateway
from subscriptions.grants import GRANT
from subscriptions.ids import derived_id
from subscriptions.inbox import INBOUND
from subscriptions.invoices import INVOICE, Invoice, Open
from subscriptions.lifecycle import SUBSCRIPTION, Subscription
from subscriptions.payments import PAYMENT, Payment
from subscriptions.records import AnyKind, Record
from subscriptions.refunds import REFUND, Refund
from subscriptions.storage import Storage, UnitOfWork, due
from subscriptions.tax_ids import normalized
from subscriptions.tax_quotes import TaxAnswer, TaxRequest
from subscriptions.tax_services import TaxIdValidator, TaxProvider
from subscriptions.usecases import (
    customers,
    dispute_effects,
    dunning,
    grants,
    inbox,
    invoices,
    parking,
    payments,
    refunds,
    renewals,
    tax_quotes,
)
from subscriptions.usecases.flows import Context, Flow

log = logging.getLogger("subscriptions")

BATCH = 1000
TRIES = 3

Step: TypeAlias = Callable[[str, Context], Flow[Decision]]
# What each flow came to, which decisions were committed, which wait, and what was changed.
_Decided: TypeAlias = tuple[list[Any], list[int], list[int], list[Change]]

# What is due, in the order in which it is done within one instant.
DUE: Mapping[AnyKind, Step | None] = {
    CUSTOMER: None,  # a validator is asked about the tax id, before bills are made; see `_checked`
    # Credit that ends or begins at an instant did so before the invoices of that instant.
    GRANT: grants.advance,
    SUBSCRIPTION: renewals.advance,
    INVOICE: invoices.advance,
    # What a gateway has told by itself need not be asked.
    INBOUND: inbox.advance,
    PAYMENT: None,  # the gateway is asked first; see `_asked`
    REFUND: None,  # likewise; see `_refunds_asked`
    # After the success of its payment, before anybody is written to.
    DISPUTE: dispute_effects.advance,
    DUNNING_CASE: dunning.advance,
}

_WITHOUT_VALIDATOR = tuple([kind for kind in DUE if kind is not CUSTOMER])


@frozen
class Worker:
    """Does due work of one tenant on one storage; `context` gives a flow's context at a time."""

    storage: Storage
    gateways: Mapping[str, PaymentGateway]
    tenant: str
    zone: str
    context: Callable[[datetime], Context]
    validator: TaxIdValidator | None = None
    provider: TaxProvider | None = None

    @property
    def kinds(self) -> tuple[AnyKind, ...]:
        """What falls due, in its order; nobody looks for customers where nobody can be asked."""
        return _WITHOUT_VALIDATOR if self.validator is None else tuple(DUE)

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
            for kind in self.kinds:
                ready = [
                    record
                    for each, record in records
                    if each is kind and _due(record, at) and not _behind(record, at)
                ]
                if ready:
                    changes += yield from self._batch(kind, ready, at, report)
            records = [(change.kind, change.after) for change in changes if change.kind in DUE]

    def _earliest(self, until: datetime) -> Procedure[datetime | None]:
        earliest: datetime | None = None
        for kind in self.kinds:
            page = yield from call(
                self.storage.find, due(kind, self.tenant, now=earliest or until, limit=1)
            )
            if page.items:
                earliest = page.items[0].due_at
        return earliest

    def _instant(self, instant: datetime, report: RunReport) -> Procedure[None]:
        kinds = iter(self.kinds)
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
                    kinds = iter(self.kinds)
                    break

    def _batch(
        self, kind: AnyKind, records: Sequence[Any], at: datetime, report: RunReport
    ) -> Procedure[list[Change]]:
        if kind is CUSTOMER:
            return (yield from self._checked(records, at, report))
        if kind is INVOICE and self.provider is not None:
            return (yield from self._quoted(records, at, report))
        step = DUE[kind]
        if step is not None:
            work = [_Work(kind, record, step) for record in records]
        elif kind is REFUND:
            work = yield from self._refunds_asked(records, at)
        else:
            work = yield from self._asked(records, at)
        return (yield from self._committed(work, at, report))

    def _committed(
        self, work: list[_Work], at: datetime, report: RunReport
    ) -> Procedure[list[Change]]:
        changes: list[Change] = []
        while work:
            done, work = yield from self._commit(work, at, report)
            changes += done
        report.count(changes)
        return changes

    def _checked(
        self, records: Sequence[Customer], at: datetime, report: RunReport
    ) -> Procedure[list[Change]]:
        """Ask about tax ids, a few at a time: what was asked before a crash is asked again."""
        validator = self.validator
        assert validator is not None
        records = _in_turn(records, at, lambda each: each.tax_id_check and each.tax_id_check.tries)
        context, silent = self.context(at), Counter[str]()
        changes: list[Change] = []
        for start in range(0, len(records), TOGETHER):
            some = records[start : start + TOGETHER]
            requesters = [_requester(each, context) for each in some]
            answers = yield from ask_about(some, requesters, validator, silent)
            work = [_Work(CUSTOMER, each.customer, _said(each, validator.name)) for each in answers]
            changes += yield from self._committed(work, at, report)
        return changes

    def _quoted(
        self, records: Sequence[Invoice], at: datetime, report: RunReport
    ) -> Procedure[list[Change]]:
        """Ask a tax engine about the drafts that wait for it, and do what is due of the others."""
        provider = self.provider
        assert provider is not None
        waiting = [each for each in records if each.taxing is not None]
        others = [_Work(INVOICE, each, invoices.advance) for each in records if each.taxing is None]
        changes = yield from self._committed(others, at, report)
        waiting, silence = _in_turn(waiting, at, lambda each: each.taxing.tries), Silence()
        for start in range(0, len(waiting), TOGETHER):
            some = waiting[start : start + TOGETHER]
            context, batch = self.context(at), Batch(self.storage, self.tenant)
            found = yield from batch.run([tax_quotes.request(each.id, context) for each in some])
            # What cannot be asked fails again where it is decided, and is parked there.
            requests = [each if isinstance(each, TaxRequest) else None for each in found]
            answers = yield from ask_quotes(requests, provider, silence)
            work = [
                _Work(INVOICE, invoice, _quote(request, answer, provider.name))
                for invoice, request, answer in zip(some, requests, answers, strict=True)
            ]
            changes += yield from self._committed(work, at, report)
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
            if not results[index].changes and not results[index].issues:
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
            if record is not None and record.due_at is not None:
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
            flow = parking.set_aside(work.kind, work.id, reason=reason, context=self.context(at))
            decision = yield from Batch(unit, self.tenant).one(flow)
            return (
                yield from commit.write(unit, [decision], tenant=self.tenant, zone=self.zone, at=at)
            )

        try:
            return (yield from commit.within(self.storage, set_aside))
        except Conflict:
            # Somebody is at work on it at this moment, so it is not for a person to look at.
            log.info("%s %s moved on while it was to be parked", work.kind.name, work.id)
            return []


@frozen
class _Work:
    """One record and what is to be done about it."""

    kind: AnyKind
    record: Any
    step: Step
    tries: int = 0

    @property
    def id(self) -> str:
        record_id: str = self.record.id
        return record_id


def _wanted(payment: Payment, invoices: Mapping[str, Invoice]) -> bool:
    """Return whether the invoice of a payment still needs all of it."""
    if payment.invoice is None:
        return True
    invoice = invoices[payment.invoice]
    if not isinstance(invoice.state, Open):
        return False
    # More may be held than is owed: only a part is taken then.
    return payment.authorization is not None or invoice.due_minor >= payment.own_minor


def _requester(customer: Customer, context: Context) -> str:
    """Return in whose name to ask: without one there is no receipt, but an answer."""
    try:
        return normalized(context.seller_of(customer).tax_id)
    except ValidationError:
        return ""  # a seller that is not known here; that is for his invoices to say


def _in_turn(records: Sequence[Any], at: datetime, tries: Callable[[Any], int]) -> list[Any]:
    """Return records as each was written last: new ones in their order, then those asked in vain.

    These are in another order at each instant. Where the first few are silent the rest is not
    asked, and it must not be the same few each time.
    """
    latest = {each.id: each for each in records}
    new = [each for each in latest.values() if not tries(each)]
    old = [each for each in latest.values() if tries(each)]
    return [*new, *sorted(old, key=lambda each: derived_id("turn", each.id, str(at)))]


def _quote(request: TaxRequest | None, answer: TaxAnswer, source: str) -> Step:
    return lambda id, context: tax_quotes.settle(id, request, answer, source, context)


def _said(answered: Answered, source: str) -> Step:
    return lambda id, context: customers.settle_tax_id(
        id, answered.tax_id, answered.answer, source=source, context=context
    )


def _answered(answer: Answer) -> Step:
    if isinstance(answer, NotCaptured):
        return payments.not_captured
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
