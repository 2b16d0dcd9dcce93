"""Plans: what a command would do, pinned, so that a preview is the commit.

A plan holds the decision itself and the versions of everything that it was made from. Committing it
does exactly that, or raises `StalePlan` when one of those records has moved on.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Generic, TypeVar, cast

from attrs import field

from subscriptions.decisions import Change, Decision
from subscriptions.engine.gather import Batch, Seen
from subscriptions.engine.procedures import Procedure, call
from subscriptions.errors import StalePlan, ValidationError
from subscriptions.frozen import frozen
from subscriptions.invoices import Invoice
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
    def changes(self) -> tuple[Change, ...]:
        """The changes of records, each with its events; without the documents to be numbered."""
        return self.decision.changes

    @property
    def events(self) -> tuple[object, ...]:
        """What would have happened, in order; numbered documents add theirs when committed."""
        return self.decision.events

    def _after(self) -> Iterator[tuple[AnyKind, Record]]:
        for change in self.decision.changes:
            yield change.kind, change.after
        for issue in self.decision.issues:
            yield issue.kind, issue.after


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
