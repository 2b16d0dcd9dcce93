"""Beginning a case, taking its steps, waiting and stopping."""

from __future__ import annotations

from datetime import datetime, timedelta

from subscriptions.decisions import Change, changed, created
from subscriptions.dunning.case import (
    DUNNING_CASE,
    DUNNING_POLICY,
    OVER,
    DunningCase,
    Exhausted,
    Held,
    Running,
    Stopped,
    StoredPolicy,
)
from subscriptions.dunning.events import (
    DunningExhausted,
    DunningHeld,
    DunningPolicySet,
    DunningPostponed,
    DunningReleased,
    DunningReminderDue,
    DunningStarted,
    DunningStepTaken,
    DunningStopped,
)
from subscriptions.dunning.policy import (
    DunningPolicy,
    Reminder,
)
from subscriptions.errors import InvalidTransition
from subscriptions.ids import CustomerId, DunningCaseId, InvoiceId, SubscriptionId, derived_id
from subscriptions.records import evolve, plain_text


def case_id(tenant: str, invoice: InvoiceId, attempt: int, reopened: int = 0) -> DunningCaseId:
    """Derive the id of the case that begins after the `attempt`-th attempt on an invoice.

    `reopened` is how often money that had paid it was taken back: each may begin a case.
    """
    again = (str(reopened),) if reopened else ()
    return DunningCaseId(derived_id("dun", tenant, invoice, str(attempt), *again))


def start(
    policy: DunningPolicy,
    *,
    tenant: str,
    customer: CustomerId,
    invoice: InvoiceId,
    subscription: SubscriptionId | None,
    attempt: int,
    at: datetime,
    reopened: int = 0,
) -> Change:
    """Decide to begin a case for an invoice that failed at `at`."""
    id = case_id(tenant, invoice, attempt, reopened)
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
    if isinstance(step.action, Reminder) and not skipped:
        events.append(DunningReminderDue(case.id, case.customer, case.invoice, step.action.level))
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


def hold(
    case: DunningCase,
    *,
    reason: str,
    until: datetime | None,
    at: datetime,
    with_customer: bool = False,
) -> Change:
    """Decide to wait; raises `InvalidTransition` unless the case is running.

    `with_customer` says that it goes on once something is collected of the customer again.
    """
    if not isinstance(case.state, Running):
        raise InvalidTransition(f"dunning_case {case.id}", case.status, "hold")
    state = Held(plain_text("reason", reason), at, until, with_customer)
    after = evolve(case, state=state, version=case.version + 1)
    return changed(DUNNING_CASE, case, after, DunningHeld(case.id, case.customer, reason, until))


def release(case: DunningCase, *, at: datetime) -> Change:
    """Decide to go on after a hold: what is left of the ladder is put off by the time held.

    Who promised to pay is not charged four times in one second because the promise took a month.
    Raises `InvalidTransition` unless the case is held.
    """
    if not isinstance(case.state, Held):
        raise InvalidTransition(f"dunning_case {case.id}", case.status, "release")
    held = max(at - case.state.since, timedelta(0))
    after = evolve(case, state=Running(), failed_at=case.failed_at + held, version=case.version + 1)
    return changed(DUNNING_CASE, case, after, DunningReleased(case.id, case.customer))


def set_policy(before: StoredPolicy | None, policy: DunningPolicy, *, tenant: str) -> Change:
    """Decide that a policy applies from now on under its name; running cases keep theirs."""
    version = 1 if before is None else before.version + 1
    after = StoredPolicy(policy.name, tenant, version, policy)
    return Change(DUNNING_POLICY, before, after, (DunningPolicySet(policy.name),))
