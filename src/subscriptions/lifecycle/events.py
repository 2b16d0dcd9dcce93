"""What happens to subscriptions, in the past tense."""

from __future__ import annotations

from datetime import date, datetime
from typing import TypeAlias

from attrs import frozen

from subscriptions.billing_cycles import Period
from subscriptions.ids import CustomerId, InvoiceId, SubscriptionId
from subscriptions.lifecycle.subscription import (
    EndReason,
)


@frozen
class SubscriptionCreated:
    """A contract was made; it begins on `start`."""

    subscription: SubscriptionId
    customer: CustomerId
    start: date


@frozen
class TrialStarted:
    """Service is given for nothing until `until`."""

    subscription: SubscriptionId
    customer: CustomerId
    until: date


@frozen
class TrialEnded:
    """The trial is over."""

    subscription: SubscriptionId
    customer: CustomerId
    on: date


@frozen
class SubscriptionStarted:
    """The first billed day has come."""

    subscription: SubscriptionId
    customer: CustomerId
    on: date


@frozen
class SubscriptionRenewed:
    """These periods were billed; `items` says which item each belongs to."""

    subscription: SubscriptionId
    customer: CustomerId
    items: tuple[int, ...]
    periods: tuple[Period, ...]


@frozen
class CancellationScheduled:
    """It will end when the day `on` begins."""

    subscription: SubscriptionId
    customer: CustomerId
    on: date
    reason: str


@frozen
class CancellationWithdrawn:
    """The pending cancellation was undone."""

    subscription: SubscriptionId
    customer: CustomerId


@frozen
class SubscriptionEnded:
    """It is over."""

    subscription: SubscriptionId
    customer: CustomerId
    at: datetime
    reason: EndReason


@frozen
class SubscriptionPastDue:
    """An invoice of it could not be collected."""

    subscription: SubscriptionId
    customer: CustomerId
    invoice: InvoiceId


@frozen
class SubscriptionRecovered:
    """An invoice that was past due was paid; `still_past_due` others are left."""

    subscription: SubscriptionId
    customer: CustomerId
    invoice: InvoiceId
    still_past_due: int


@frozen
class SubscriptionDebtWrittenOff:
    """An invoice that was past due was given up; `still_past_due` others are left."""

    subscription: SubscriptionId
    customer: CustomerId
    invoice: InvoiceId
    still_past_due: int


@frozen
class SubscriptionUnpaid:
    """Dunning ended without money; the contract goes on, new invoices stay drafts."""

    subscription: SubscriptionId
    customer: CustomerId


Event: TypeAlias = (
    SubscriptionCreated
    | TrialStarted
    | TrialEnded
    | SubscriptionStarted
    | SubscriptionRenewed
    | CancellationScheduled
    | CancellationWithdrawn
    | SubscriptionEnded
    | SubscriptionPastDue
    | SubscriptionRecovered
    | SubscriptionDebtWrittenOff
    | SubscriptionUnpaid
)
