"""The dunning case as a record: where on the ladder an invoice stands."""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias, assert_never

from subscriptions.dunning.policy import (
    DunningPolicy,
    Step,
)
from subscriptions.frozen import frozen
from subscriptions.ids import CustomerId, DunningCaseId, InvoiceId, SubscriptionId
from subscriptions.records import Column, ColumnType, Kind


@frozen
class Running:
    """Climbing the ladder."""


@frozen
class Held:
    """A person asked to wait since an instant, until another or until it is released.

    `with_customer` says that nothing is collected of the customer, so that it waits for him.
    """

    reason: str
    since: datetime
    until: datetime | None = None
    with_customer: bool = False


@frozen
class Stopped:
    """There is nothing left to collect."""

    at: datetime
    reason: str


@frozen
class Exhausted:
    """Every step was taken."""

    at: datetime


CaseState: TypeAlias = Running | Held | Stopped | Exhausted


STATUS: dict[type[CaseState], str] = {
    Running: "running",
    Held: "held",
    Stopped: "stopped",
    Exhausted: "exhausted",
}


OVER = (Stopped, Exhausted)


@frozen
class DunningCase:
    """The ladder of one invoice. `policy` is the policy as it was when the case began.

    `wait_until` puts off the next step while an attempt is under way.
    """

    id: DunningCaseId
    tenant: str
    version: int
    customer: CustomerId
    invoice: InvoiceId
    subscription: SubscriptionId | None
    policy: DunningPolicy
    failed_at: datetime
    next_step: int = 0
    state: CaseState = Running()
    wait_until: datetime | None = None
    parked: str | None = None

    @property
    def status(self) -> str:
        """One word: running, held, stopped or exhausted."""
        return STATUS[type(self.state)]

    @property
    def upcoming(self) -> Step | None:
        """The next rung, or None when the case is over."""
        if isinstance(self.state, OVER):
            return None
        return self.policy.schedule(failed_at=self.failed_at)[self.next_step]

    @property
    def due_at(self) -> datetime | None:
        """When the next step is to be taken; None while held without end, parked or over."""
        if self.parked is not None:
            return None
        match self.state:
            case Stopped() | Exhausted():
                return None
            case Held(until=until):
                return until
            case Running():
                step = self.upcoming
                assert step is not None
                return step.at if self.wait_until is None else max(step.at, self.wait_until)
            case other:
                assert_never(other)


DUNNING_CASE = Kind(
    "dunning_case",
    DunningCase,
    columns=(
        Column("due_at", ColumnType.INSTANT, lambda c: c.due_at),
        Column("customer", ColumnType.TEXT, lambda c: c.customer),
        Column("invoice", ColumnType.TEXT, lambda c: c.invoice),
        Column("status", ColumnType.TEXT, lambda c: c.status),
    ),
)


@frozen
class StoredPolicy:
    """A dunning policy that the host set; there is one for each name."""

    id: str
    tenant: str
    version: int
    policy: DunningPolicy


DUNNING_POLICY = Kind("dunning_policy", StoredPolicy)
