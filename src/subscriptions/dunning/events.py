"""What happens in dunning, in the past tense."""

from __future__ import annotations

from datetime import datetime

from subscriptions.dunning.policy import (
    Action,
)
from subscriptions.frozen import frozen
from subscriptions.ids import CustomerId, DunningCaseId, InvoiceId


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
class DunningReminderDue:
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
