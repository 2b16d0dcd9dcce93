"""What the next invoice will be: the run's own steps, one after the other, on what is stored now.

Each step sees what the steps before it would have committed, and nothing is. So there is no second
arithmetic that could differ from the run's. What may still happen, a payment or more usage, is not
foreseen, and no bill is too much to be shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, TypeVar, cast

from attrs import evolve

from subscriptions.billing_cycles import local_date
from subscriptions.customers import CUSTOMER, Customer, Grouping
from subscriptions.decisions import Decision
from subscriptions.errors import NotFound, SafetyStop, ValidationError
from subscriptions.frozen import frozen
from subscriptions.grants import Grant
from subscriptions.ids import InvoiceId, SubscriptionId
from subscriptions.invoices import INVOICE, Draft, Invoice, Line
from subscriptions.lifecycle import SUBSCRIPTION, Subscription
from subscriptions.money import Money
from subscriptions.records import AnyKind, Record
from subscriptions.usecases import grants, invoices, renewals
from subscriptions.usecases.flows import (
    Context,
    Flow,
    Fold,
    Get,
    GetMany,
    Having,
    Maybe,
    Question,
    Read,
)

T = TypeVar("T")

_STEPS_MAX: Final = 1000


@frozen
class Upcoming:
    """The next invoice as it would be: `invoice` has no number, and is stored nowhere.

    It is made or made final at `at`, and would be issued and due on these days; they are None where
    it stays a draft, because nothing is collected at present.
    """

    at: datetime
    invoice: Invoice
    issued_on: date | None
    due_on: date | None

    @property
    def lines(self) -> tuple[Line, ...]:
        """Its lines."""
        return self.invoice.lines

    @property
    def total(self) -> Money:
        """Net plus tax."""
        return self.invoice.total


def upcoming(
    subscription: str | None = None, *, customer: str | None = None, at: datetime | None = None
) -> Question[Upcoming | None]:
    """Return the next invoice of a subscription, or of a customer, as it would be; None if none.

    It is what the run will make if nothing happens until then: lines, discounts, tax, what waits
    for it, changes that are scheduled, usage as far as it is recorded. None is the answer for what
    has ended, or is paused without a day on which it goes on. A draft that becomes final by itself
    is the next invoice, as long as it is there.

    Raises `NotFound` for an unknown id, `ValidationError` unless one of both is given, and what
    would stop the run at it.
    """
    if (subscription is None) == (customer is None):
        given = {"subscription": subscription, "customer": customer}
        raise ValidationError("subscription", given, "either a subscription or a customer")

    def flow(context: Context) -> Flow[Upcoming | None]:
        if subscription is not None:
            wanted = yield from Get(SUBSCRIPTION, subscription)
            owner = yield from Get(CUSTOMER, wanted.customer)
            return (yield from next_invoice(owner, wanted, context))
        owner = yield from Get(CUSTOMER, cast("str", customer))
        return (yield from next_invoice(owner, None, context))

    return Question(flow, at)


def next_invoice(
    owner: Customer, wanted: Subscription | None, context: Context
) -> Flow[Upcoming | None]:
    """Return the next invoice of a customer, or the next that bills one subscription of his."""
    subscriptions: Sequence[Subscription] = () if wanted is None else (wanted,)
    # Others come on the same invoice, or take what waits for him and what he has to his credit.
    shared = owner.grouping is Grouping.DAY or owner.pending_items or owner.balance or owner.grants
    if wanted is None or shared:
        subscriptions = yield from Having(SUBSCRIPTION, "customer", owner.id)
    drafts = yield from Having(INVOICE, "customer", owner.id)
    foreseen = _Foreseen()
    subjects = {each.id: each for each in subscriptions}
    only = None if wanted is None else wanted.id
    waiting = {each.id: each for each in drafts if isinstance(each.state, Draft) and each.due_at}
    for _ in range(_STEPS_MAX):
        if _is_over(only, subjects, waiting):
            return None
        # As a run does it: of what is due at an instant, what he was granted begins and ends first,
        # then come subscriptions, then drafts, each by their ids.
        falling_due: tuple[Iterable[Grant | Subscription | Invoice], ...] = (
            foreseen.customer(owner).grants,
            subjects.values(),
            waiting.values(),
        )
        due: list[tuple[datetime, int, str]] = [
            (each.due_at, place, each.id)
            for place, records in enumerate(falling_due)
            for each in records
            if each.due_at is not None
        ]
        instant, place, id = min(due)
        now = evolve(context, at=instant, now=max(context.now, instant), safety=None)
        now = evolve(now, quotes_tax=False)  # it is shown by the table: nobody is asked
        step = (grants.advance, renewals.advance, invoices.advance)[place]
        decision = yield from foreseen.through(step(id, now))
        seen = _seen(decision, only, instant)
        if seen is not None:
            return seen
        foreseen.take(decision)
        waiting.pop(InvoiceId(id), None)
        waiting |= {each.id: each for each in _drafts_of(decision) if each.finalize_at is not None}
        for subject in tuple(subjects):
            moved = foreseen.record(SUBSCRIPTION, subject)
            if isinstance(moved, Subscription):
                subjects[subject] = moved
    raise SafetyStop(owner.id, f"no invoice within {_STEPS_MAX} steps")


def _is_over(
    only: SubscriptionId | None,
    subjects: Mapping[SubscriptionId, Subscription],
    waiting: Mapping[InvoiceId, Invoice],
) -> bool:
    """Return whether no invoice comes any more, of anything or of one subscription."""
    if only is None:
        return not waiting and all(each.due_at is None for each in subjects.values())
    billed = any(only in each.subscriptions for each in waiting.values())
    return not billed and subjects[only].due_at is None


def _seen(decision: Decision, only: SubscriptionId | None, at: datetime) -> Upcoming | None:
    """Return the invoice that a decision makes final, or keeps as a draft for an open time.

    A draft that becomes final by itself is not yet what it will be: more may come on it.
    """
    for issue in decision.issues:
        final = issue.after
        if isinstance(final, Invoice) and (only is None or only in final.subscriptions):
            issued_on = local_date(at, final.zone)
            due_on = issued_on + timedelta(days=final.terms_days)
            return Upcoming(at, final, issued_on, due_on)
    for draft in _drafts_of(decision):
        if draft.finalize_at is None and (only is None or only in draft.subscriptions):
            return Upcoming(at, draft, None, None)
    return None


def _drafts_of(decision: Decision) -> list[Invoice]:
    after = [each.after for each in decision.changes]
    return [each for each in after if isinstance(each, Invoice) and isinstance(each.state, Draft)]


class _Foreseen:
    """What decisions would have committed: flows that read it get that, and the rest as it is."""

    def __init__(self) -> None:
        self._records: dict[AnyKind, dict[str, Record]] = {}

    def take(self, decision: Decision) -> None:
        """Let what comes later see a decision as if it were committed."""
        for change in decision.changes:
            self._records.setdefault(change.kind, {})[change.after.id] = change.after
        for issue in decision.issues:
            self._records.setdefault(issue.kind, {})[issue.after.id] = issue.after

    def record(self, kind: AnyKind, id: str) -> Record | None:
        """Return a record as it would be, if a decision has moved it."""
        return self._records.get(kind, {}).get(id)

    def customer(self, owner: Customer) -> Customer:
        """Return a customer as he would be."""
        return cast("Customer", self.record(CUSTOMER, owner.id) or owner)

    def through(self, flow: Flow[T]) -> Flow[T]:
        """Let a flow read what would be there."""
        resume: Callable[[], Read] = lambda: next(flow)  # noqa: E731 - bound anew for each read
        while True:
            try:
                read = resume()
            except StopIteration as stop:
                return cast("T", stop.value)
            try:
                answer = yield from self._answer(read)
            except NotFound as error:
                missing = error
                resume = lambda: flow.throw(missing)  # noqa: B023, E731 - called before the next
            else:
                resume = lambda: flow.send(answer)  # noqa: B023, E731 - likewise

    def _answer(self, read: Read) -> Flow[Any]:
        there = self._records.get(read.kind)
        if there is None or isinstance(read, Fold):
            return (yield read)
        if isinstance(read, Get | Maybe):
            return there[read.id] if read.id in there else (yield read)
        if isinstance(read, GetMany):
            missing = tuple([id for id in read.ids if id not in there])
            rest = (yield GetMany(read.kind, missing)) if missing else ()
            by_id = {each.id: each for each in rest} | there
            return tuple([by_id[id] for id in read.ids])
        rows = yield read
        get = read.kind.by_name[read.column].get
        known = {each.id for each in rows}
        rows = [there.get(each.id, each) for each in rows]
        rows += [each for each in there.values() if each.id not in known]
        return tuple([each for each in rows if get(each) == read.value])
