"""Committing decisions: events are numbered, and last of all documents take their numbers.

The series is locked as late as possible and for the whole batch at once; a rollback gives the
numbers back, so there is never a gap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from typing import TypeVar

from subscriptions import credit_notes, customers, invoices, pro_forma
from subscriptions.billing_cycles import local_date
from subscriptions.credit_notes import CreditNote
from subscriptions.customers import CUSTOMER, Customer
from subscriptions.decisions import Change, Decision, Issue
from subscriptions.engine.procedures import Procedure, call
from subscriptions.errors import ValidationError
from subscriptions.events import Recorded, record
from subscriptions.invoice_numbering import Series
from subscriptions.invoices import Invoice
from subscriptions.number_series import NUMBER_SERIES, advanced
from subscriptions.pro_forma import ProForma
from subscriptions.storage import Query, Storage, UnitOfWork

T = TypeVar("T")


def within(storage: Storage, body: Callable[[UnitOfWork], Procedure[T]]) -> Procedure[T]:
    """Do something in a unit of work of its own: committed at the end, rolled back if it raises."""
    unit = yield from call(storage.begin)
    try:
        result = yield from body(unit)
        yield from call(unit.commit)
    except BaseException:
        yield from call(unit.rollback)
        raise
    return result


def write(
    unit: UnitOfWork, decisions: Iterable[Decision], *, tenant: str, zone: str, at: datetime
) -> Procedure[list[Change]]:
    """Write decisions into a unit of work, numbering their documents; returns every change.

    `at` is the time of the events. A document is final at `at`, or at the time of the one before
    it in its series, should that be later: number order is the order of finalisation.
    """
    changes: list[Change] = []
    issues: dict[str, list[Issue]] = {}
    for decision in decisions:
        changes += decision.changes
        for issue in decision.issues:
            issues.setdefault(issue.series, []).append(issue)
    if issues:
        changes += yield from _number(unit, issues, tenant=tenant, zone=zone, at=at)
    events: list[Recorded] = []
    for change in changes:
        events += record(change, at=at)
    if changes:
        yield from call(unit.write, changes, events)
    return changes


def _number(
    unit: UnitOfWork, issues: dict[str, list[Issue]], *, tenant: str, zone: str, at: datetime
) -> Procedure[list[Change]]:
    ids = sorted(issues)
    yield from call(unit.lock, tenant, ids)
    stored = yield from call(unit.load, tenant, NUMBER_SERIES, ids)
    changes: list[Change] = []
    for id in ids:
        before = stored.get(id)
        moment = at if before is None or before.last_at is None else max(at, before.last_at)
        series = issues[id][0].opening if before is None else before.series
        on = local_date(moment, issues[id][0].zone or zone)
        numbers, series = yield from _take(unit, issues[id], series, tenant=tenant, on=on)
        last_hash = "" if before is None else before.last_hash
        for issue, number in zip(issues[id], numbers, strict=True):
            sealed = _seal(issue, number=number, previous_hash=last_hash, at=moment)
            changes.append(sealed)
            if isinstance(sealed.after, Invoice | CreditNote):
                last_hash = sealed.after.hash
        after = advanced(
            before, id=id, tenant=tenant, series=series, last_hash=last_hash, last_at=moment
        )
        changes.append(Change(NUMBER_SERIES, before, after))
    return changes


def _take(
    unit: UnitOfWork, issues: Sequence[Issue], series: Series, *, tenant: str, on: date
) -> Procedure[tuple[list[str], Series]]:
    """Take a number for each document; a customer's number skips those given by hand."""
    numbers, series = series.take(len(issues), on=on)
    if issues[0].kind is not CUSTOMER:
        return numbers, series
    while True:
        query = Query(CUSTOMER, tenant, {"number": tuple(numbers)}, limit=len(numbers))
        page = yield from call(unit.find, query)
        taken = {customer.number for customer in page.items}
        if not taken:
            return numbers, series
        more, series = series.take(len(taken), on=on)
        numbers = [number for number in numbers if number not in taken] + more


def _seal(issue: Issue, *, number: str, previous_hash: str, at: datetime) -> Change:
    document = issue.after
    if isinstance(document, Customer):
        return customers.numbered(document, number=number)
    if isinstance(document, ProForma):
        return pro_forma.numbered(document, number=number)
    if isinstance(document, CreditNote):
        return credit_notes.seal(document, number=number, previous_hash=previous_hash, at=at)
    if not isinstance(document, Invoice):
        raise ValidationError("issue", issue.kind.name, "a kind of document that takes a number")
    before = issue.before
    assert before is None or isinstance(before, Invoice)
    return invoices.seal(document, before=before, number=number, previous_hash=previous_hash, at=at)
