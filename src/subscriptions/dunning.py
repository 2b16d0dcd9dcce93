"""What happens to an invoice that is not paid: the ladder, as data, and the case that climbs it.

A policy lists retries and messages by days after the failure (or the due day), and what is done at
the end. A case climbs it for one invoice, step by step, and stops at once when there is nothing
left to collect: nobody who has paid is ever contacted.

A decline is an answer, not an error; whether a method may be charged again is the method's state.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TypeAlias, assert_never

from attrs import field, frozen

from subscriptions.decisions import Change, changed, created
from subscriptions.errors import InvalidTransition, ValidationError
from subscriptions.ids import CustomerId, DunningCaseId, InvoiceId, SubscriptionId, derived_id
from subscriptions.records import Column, ColumnType, Kind, evolve, plain_text

DAYS_MAX = 730

# ---- the policy, as data --------------------------------------------------------------------


def _days(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= DAYS_MAX:
        raise ValidationError(name, value, f"a whole number of days from 0 to {DAYS_MAX}")
    return value


@frozen
class Retries:
    """When to charge again: offsets in days after the first failure, strictly increasing."""

    days: tuple[int, ...] = ()

    def __attrs_post_init__(self) -> None:
        for day in self.days:
            _days("retries", day)
        if any(later <= earlier for earlier, later in zip(self.days, self.days[1:], strict=False)):
            raise ValidationError("retries", self.days, "days in strictly increasing order")

    @classmethod
    def after_days(cls, *days: int) -> Retries:
        """Retry after these days, counted from the first failure.

        >>> Retries.after_days(1, 3, 5, 7)
        Retries(days=(1, 3, 5, 7))
        """
        return cls(days)


@frozen
class Message:
    """Ask the customer to pay, `after_days` days after the failure; `level` picks the text."""

    after_days: int
    level: int = 1

    def __attrs_post_init__(self) -> None:
        _days("after_days", self.after_days)
        if not 1 <= self.level <= 9:  # noqa: PLR2004 - one digit
            raise ValidationError("level", self.level, "a level from 1 to 9")


@frozen
class Retry:
    """Charge the customer's method again."""


@frozen
class CancelSubscription:
    """End the subscription; the invoice stays owed."""


@frozen
class MarkUnpaid:
    """Let the subscription go on unpaid: new invoices stay drafts until this one is paid."""


@frozen
class MarkUncollectible:
    """Write the invoice off."""


FinalAction: TypeAlias = CancelSubscription | MarkUnpaid | MarkUncollectible
Action: TypeAlias = Retry | Message | FinalAction


def _messages(value: Iterable[Message]) -> tuple[Message, ...]:
    return tuple(value)


def _final(value: FinalAction | Iterable[FinalAction]) -> tuple[FinalAction, ...]:
    if isinstance(value, CancelSubscription | MarkUnpaid | MarkUncollectible):
        return (value,)
    return tuple(value)


@frozen
class Step:
    """One rung of the ladder: what is done, and when."""

    at: datetime
    action: Action


@frozen
class DunningPolicy:
    """A ladder.

    `final` is done `final_after_days` after the failure, by default after the last
    retry or message; one action or several, in order.

    >>> policy = DunningPolicy(retries=Retries.after_days(3), steps=[Message(1)])
    >>> from datetime import UTC
    >>> steps = policy.schedule(failed_at=datetime(2027, 1, 1, tzinfo=UTC))
    >>> [str(step.at.date()) for step in steps]
    ['2027-01-02', '2027-01-04', '2027-01-04']
    """

    retries: Retries = Retries.after_days(1, 3, 5, 7)
    steps: tuple[Message, ...] = field(default=(), converter=_messages)
    final: tuple[FinalAction, ...] = field(default=(CancelSubscription(),), converter=_final)
    final_after_days: int | None = None
    name: str = "default"

    def __attrs_post_init__(self) -> None:
        plain_text("name", self.name, length_max=100)
        if not self.final:
            raise ValidationError("final", (), "at least one final action")
        if len({type(action) for action in self.final}) != len(self.final) or (
            any(isinstance(action, CancelSubscription) for action in self.final)
            and any(isinstance(action, MarkUnpaid) for action in self.final)
        ):
            raise ValidationError("final", self.final, "actions that do not contradict each other")
        last = max((*self.retries.days, *(step.after_days for step in self.steps)), default=0)
        if (
            self.final_after_days is not None
            and _days("final_after_days", self.final_after_days) < last
        ):
            raise ValidationError(
                "final_after_days", self.final_after_days, f"not before the last step, day {last}"
            )

    def schedule(self, *, failed_at: datetime) -> tuple[Step, ...]:
        """Return what would happen, and when, if nothing were paid; ordered by time.

        On one day a retry comes before a message (why write if the charge succeeds?), and the
        final actions come last.
        """
        rungs: list[tuple[int, int, Action]] = [(day, 0, Retry()) for day in self.retries.days]
        rungs += [(step.after_days, 1, step) for step in self.steps]
        last = max((day for day, _, _ in rungs), default=0)
        end = last if self.final_after_days is None else self.final_after_days
        rungs += [(end, 2, action) for action in self.final]
        rungs.sort(key=lambda rung: rung[:2])
        return tuple(Step(failed_at + timedelta(days=day), action) for day, _, action in rungs)


DEFAULT_POLICY = DunningPolicy(
    retries=Retries.after_days(1, 3, 5, 7),
    steps=(Message(0, level=1), Message(5, level=2)),
    final=(CancelSubscription(), MarkUncollectible()),
    final_after_days=14,
)

# ---- the case -------------------------------------------------------------------------------


@frozen
class Running:
    """Climbing the ladder."""


@frozen
class Held:
    """A person asked to wait, until an instant or until it is released."""

    reason: str
    until: datetime | None = None


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

# ---- events ---------------------------------------------------------------------------------


@frozen
class DunningPolicySet:
    """A policy applies to cases that begin from now on."""

    name: str


@frozen
class DunningStarted:
    """A case began for an invoice."""

    case: DunningCaseId
    customer: CustomerId
    invoice: InvoiceId
    policy: str


@frozen
class DunningStepTaken:
    """A step was taken; `skipped` says why it could not be done."""

    case: DunningCaseId
    customer: CustomerId
    invoice: InvoiceId
    step: int
    action: Action
    skipped: str = ""


@frozen
class DunningMessageDue:
    """The customer is to be asked to pay; `level` picks the text."""

    case: DunningCaseId
    customer: CustomerId
    invoice: InvoiceId
    level: int


@frozen
class DunningPostponed:
    """The next step waits: an attempt is under way."""

    case: DunningCaseId
    customer: CustomerId
    until: datetime


@frozen
class DunningHeld:
    """A person asked to wait."""

    case: DunningCaseId
    customer: CustomerId
    reason: str
    until: datetime | None


@frozen
class DunningReleased:
    """The hold is over; the ladder goes on."""

    case: DunningCaseId
    customer: CustomerId


@frozen
class DunningStopped:
    """There is nothing left to collect."""

    case: DunningCaseId
    customer: CustomerId
    invoice: InvoiceId
    reason: str


@frozen
class DunningExhausted:
    """Every step was taken."""

    case: DunningCaseId
    customer: CustomerId
    invoice: InvoiceId


# ---- decisions ------------------------------------------------------------------------------


def case_id(tenant: str, invoice: InvoiceId, attempt: int) -> DunningCaseId:
    """Derive the id of the case that begins after the `attempt`-th attempt on an invoice."""
    return DunningCaseId(derived_id("dun", tenant, invoice, str(attempt)))


def start(
    policy: DunningPolicy,
    *,
    tenant: str,
    customer: CustomerId,
    invoice: InvoiceId,
    subscription: SubscriptionId | None,
    attempt: int,
    at: datetime,
) -> Change:
    """Decide to begin a case for an invoice that failed at `at`."""
    id = case_id(tenant, invoice, attempt)
    case = DunningCase(id, tenant, 1, customer, invoice, subscription, policy, at)
    return created(DUNNING_CASE, case, DunningStarted(id, customer, invoice, policy.name))


def take_step(case: DunningCase, *, at: datetime, skipped: str = "") -> Change:
    """Decide that the next step was taken (or skipped, and why); the last one ends the case.

    Raises `InvalidTransition` unless the case is running.
    """
    step = case.upcoming
    if step is None or not isinstance(case.state, Running):
        raise InvalidTransition(f"dunning_case {case.id}", case.status, "take_step")
    events: list[object] = [
        DunningStepTaken(case.id, case.customer, case.invoice, case.next_step, step.action, skipped)
    ]
    if isinstance(step.action, Message) and not skipped:
        events.append(DunningMessageDue(case.id, case.customer, case.invoice, step.action.level))
    done = case.next_step + 1 == len(case.policy.schedule(failed_at=case.failed_at))
    if done:
        events.append(DunningExhausted(case.id, case.customer, case.invoice))
    after = evolve(
        case,
        next_step=case.next_step + 1,
        state=Exhausted(at) if done else case.state,
        wait_until=None,
        version=case.version + len(events),
    )
    return changed(DUNNING_CASE, case, after, *events)


def postpone(case: DunningCase, *, until: datetime) -> Change:
    """Decide to wait with the next step, because the outcome of an attempt is open."""
    after = evolve(case, wait_until=until, version=case.version + 1)
    event = DunningPostponed(case.id, case.customer, until)
    return changed(DUNNING_CASE, case, after, event)


def stop(case: DunningCase, *, reason: str, at: datetime) -> Change | None:
    """Decide that there is nothing left to collect; None if the case is over already."""
    if isinstance(case.state, OVER):
        return None
    after = evolve(case, state=Stopped(at, reason), version=case.version + 1)
    event = DunningStopped(case.id, case.customer, case.invoice, reason)
    return changed(DUNNING_CASE, case, after, event)


def hold(case: DunningCase, *, reason: str, until: datetime | None) -> Change:
    """Decide to wait; raises `InvalidTransition` unless the case is running."""
    if not isinstance(case.state, Running):
        raise InvalidTransition(f"dunning_case {case.id}", case.status, "hold")
    state = Held(plain_text("reason", reason), until)
    after = evolve(case, state=state, version=case.version + 1)
    return changed(DUNNING_CASE, case, after, DunningHeld(case.id, case.customer, reason, until))


def release(case: DunningCase) -> Change:
    """Decide to go on after a hold; raises `InvalidTransition` unless the case is held."""
    if not isinstance(case.state, Held):
        raise InvalidTransition(f"dunning_case {case.id}", case.status, "release")
    after = evolve(case, state=Running(), version=case.version + 1)
    return changed(DUNNING_CASE, case, after, DunningReleased(case.id, case.customer))


def set_policy(before: StoredPolicy | None, policy: DunningPolicy, *, tenant: str) -> Change:
    """Decide that a policy applies from now on under its name; running cases keep theirs."""
    version = 1 if before is None else before.version + 1
    after = StoredPolicy(policy.name, tenant, version, policy)
    return Change(DUNNING_POLICY, before, after, (DunningPolicySet(policy.name),))
