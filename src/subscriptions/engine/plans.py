"""Plans: what a command would do, pinned, so that a preview is the commit.

A plan holds the decision itself and the versions of everything that it was made from. Committing it
does exactly that, or raises `StalePlan` when one of those records has moved on.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Generic, TypeVar, cast

from attrs import asdict, field

from subscriptions.credit_notes import CreditNote
from subscriptions.decisions import Change, Decision
from subscriptions.engine.gather import Batch, Seen
from subscriptions.engine.procedures import Procedure, call
from subscriptions.errors import StalePlan, ValidationError
from subscriptions.frozen import frozen
from subscriptions.invoices import Charge, Draft, Invoice, Line, totals_of
from subscriptions.lifecycle import Subscription
from subscriptions.money import Currency, Money, Rounding
from subscriptions.records import AnyKind, Kind, Record
from subscriptions.storage import Reader

R = TypeVar("R", bound=Record)


@frozen
class Plan(Generic[R]):
    """What a command would do at `at`. Nothing was written, and no number was taken."""

    kind: Kind[R]
    decision: Decision = field(repr=False)
    at: datetime
    seen: tuple[Seen, ...] = field(repr=False)
    request: str = field(repr=False)
    key: str | None = field(default=None, repr=False)
    rounding: Rounding = field(default=Rounding.HALF_UP, repr=False)

    @property
    def about(self) -> R:
        """The record that the command is about, as it would be."""
        about = self.decision.about
        for kind, record in self._after():
            if about is not None and kind is about.kind and record.id == about.id:
                return cast("R", record)
        raise ValidationError("plan", about, "a command that changes what it is about")

    @property
    def invoices(self) -> tuple[Invoice, ...]:
        """The invoices that would be made or changed: lines, tax, totals; new ones unnumbered."""
        return tuple(record for _, record in self._after() if isinstance(record, Invoice))

    @property
    def lines(self) -> tuple[Line, ...]:
        """What would be charged and credited: the lines of its invoices, then what would wait.

        What waits is put on the next invoice, as what a change in the middle of a period costs by
        default; what waits already is among it. A final invoice that would only change its state
        has its lines already; they do not count.
        """
        drawn = [line for invoice in self._drawn() for line in invoice.lines]
        return (*drawn, *(line for lines, _ in self._waiting() for line in lines))

    @property
    def total(self) -> Money:
        """What `lines` come to with tax; negative if the customer would get more back than he pays.

        The tax of what would wait is rounded for these lines alone; the next invoice rounds it once
        with its other lines.
        """
        drawn_minor = sum(invoice.total_minor for invoice in self._drawn())
        waiting_minor = sum(gross_minor for _, gross_minor in self._waiting())
        about: object = self.about
        if not isinstance(about, Subscription | Invoice):
            raise ValidationError("plan", about, "a subscription or an invoice; see plan.about")
        return Money(drawn_minor + waiting_minor, about.currency)

    @property
    def credit_notes(self) -> tuple[CreditNote, ...]:
        """The credit notes that would be made, unnumbered."""
        return tuple(record for _, record in self._after() if isinstance(record, CreditNote))

    @property
    def changes(self) -> tuple[Change, ...]:
        """The changes of records, each with its events; without the documents to be numbered."""
        return self.decision.changes

    @property
    def events(self) -> tuple[object, ...]:
        """What would have happened, in order; numbered documents add theirs when committed."""
        return self.decision.events

    def _drawn(self) -> Iterator[Invoice]:
        """Yield the invoices that would be drawn up: new ones, and drafts that change."""
        pairs = [(change.before, change.after) for change in self.decision.changes]
        pairs += [(issue.before, issue.after) for issue in self.decision.issues]
        for before, after in pairs:
            known = isinstance(before, Invoice) and not isinstance(before.state, Draft)
            if isinstance(after, Invoice) and not known:
                yield after

    def _waiting(self) -> Iterator[tuple[tuple[Line, ...], int]]:
        """Yield what would wait on each subscription, and what it comes to with tax."""
        for _, after in self._after():
            if isinstance(after, Subscription) and after.pending:
                totals = totals_of(after.pending, rounding=self.rounding)
                pairs = zip(after.pending, totals.line_nets_minor, strict=True)
                yield tuple(_line(*pair, after.currency) for pair in pairs), totals.gross_minor

    def _after(self) -> Iterator[tuple[AnyKind, Record]]:
        for change in self.decision.changes:
            yield change.kind, change.after
        for issue in self.decision.issues:
            yield issue.kind, issue.after


def _line(charge: Charge, net_minor: int, currency: Currency) -> Line:
    return Line(**asdict(charge, recurse=False), net_minor=net_minor, currency=currency)


def check_fresh(plan: Plan[R], reader: Reader, tenant: str) -> Procedure[None]:
    """Raise `StalePlan` if anything that the plan was made from is no longer as it was."""
    batch = Batch(reader, tenant)
    now = yield from batch.see_again(plan.seen)
    for before, after in zip(plan.seen, now, strict=True):
        if before != after:
            raise StalePlan(before.kind.name, before.what)
    for change in plan.decision.changes:
        if change.before is None:
            found = yield from call(reader.load, tenant, change.kind, [change.after.id])
            if found:
                raise StalePlan(change.kind.name, change.after.id)
