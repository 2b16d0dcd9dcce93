"""The subscription as a record: what the contract says, how collection stands, what is due."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias, assert_never

from attrs import field, frozen

from subscriptions.billing_cycles import BillingCycle, Period, first_instant
from subscriptions.errors import ValidationError
from subscriptions.ids import CustomerId, InvoiceId, PriceId, SubscriptionId
from subscriptions.money import Currency
from subscriptions.pricing.numbers import MOST_QUANTITY, read_quantity
from subscriptions.records import Column, ColumnType, Kind, Metadata


@frozen
class Item:
    """One thing that the customer has: a price, how many, and how far it is billed.

    `next_index` is the number of the first period that is not billed yet; each item has its own,
    so a yearly and a monthly item can live on one subscription.
    """

    price: PriceId
    quantity: int | Decimal
    cycle: BillingCycle
    next_index: int = 0

    def __attrs_post_init__(self) -> None:
        quantity = self.quantity
        if isinstance(quantity, bool) or not isinstance(quantity, int | Decimal):
            raise ValidationError("quantity", quantity, "an int or a Decimal")
        # What no price can be computed for is refused now, not when it is billed. An int needs no
        # more than a look, for each period that is billed makes an item anew.
        if type(quantity) is not int:
            read_quantity(quantity)
        if not 0 < quantity <= MOST_QUANTITY:
            raise ValidationError("quantity", quantity, "more than zero and at most 10**18")

    @property
    def billed_through(self) -> date:
        """The first day that is not billed yet."""
        return self.cycle.start(self.next_index)

    @property
    def next_period(self) -> Period:
        """The first period that is not billed yet."""
        return self.cycle.period(self.next_index)


@frozen
class Scheduled:
    """Agreed; it begins on `start`, with a trial until `trial_until` or without."""

    start: date
    trial_until: date | None = None


@frozen
class Trialing:
    """Given for nothing until `until`, the first day that is billed."""

    until: date


@frozen
class Active:
    """Running; each period is billed when it begins."""

    since: date


class EndReason(StrEnum):
    """Why a subscription ended."""

    CANCELED = "canceled"
    PAYMENT_FAILED = "payment_failed"


@frozen
class Ended:
    """Over, for good."""

    at: datetime
    reason: EndReason


Contract: TypeAlias = Scheduled | Trialing | Active | Ended


@frozen
class Current:
    """Nothing is overdue."""


@frozen
class PastDue:
    """These invoices could not be collected (yet); never empty."""

    invoices: tuple[InvoiceId, ...]

    def __attrs_post_init__(self) -> None:
        if not self.invoices:
            raise ValidationError("invoices", (), "at least one overdue invoice")


@frozen
class Unpaid:
    """Dunning ended without money; new invoices stay drafts until these are paid."""

    invoices: tuple[InvoiceId, ...]


Collection: TypeAlias = Current | PastDue | Unpaid


@frozen
class Cancellation:
    """The subscription ends when the day `on` begins; until then it may be undone."""

    on: date
    reason: str = ""


@frozen
class Subscription:
    """One contract with one customer. Days are days in `zone`."""

    id: SubscriptionId
    tenant: str
    version: int
    customer: CustomerId
    currency: Currency
    zone: str
    items: tuple[Item, ...]
    contract: Contract
    collection: Collection = Current()
    cancellation: Cancellation | None = None
    external_id: str | None = None
    metadata: Metadata = Metadata()
    parked: str | None = None
    due_day: date | None = field(init=False, eq=False, repr=False)
    """The day on which something is to happen, in the zone of the subscription."""
    due_at: datetime | None = field(init=False, eq=False, repr=False)
    """The instant at which the due day begins; None if nothing is due any more, or parked."""

    def __attrs_post_init__(self) -> None:
        if not self.items:
            raise ValidationError("items", (), "at least one price")
        # Both follow from the other fields; they are worked out once, for they are asked for often.
        day = _due_day(self)
        due_at = None if day is None or self.parked else first_instant(day, self.zone)
        object.__setattr__(self, "due_day", day)
        object.__setattr__(self, "due_at", due_at)

    @property
    def status(self) -> str:
        """One word: scheduled, trialing, active, past_due, unpaid or canceled."""
        match self.contract:
            case Scheduled():
                return "scheduled"
            case Trialing():
                return "trialing"
            case Ended():
                return "canceled"
            case Active():
                return _COLLECTION_WORD[type(self.collection)]
            case other:
                assert_never(other)

    @property
    def paid_through(self) -> date:
        """The first day that no item has been billed for yet."""
        return max(item.billed_through for item in self.items)


def _due_day(subscription: Subscription) -> date | None:
    match subscription.contract:
        case Ended():
            return None
        case Scheduled(start=start):
            day = start
        case Trialing(until=until):
            day = until
        case Active():
            day = min([item.billed_through for item in subscription.items])
        case other:
            assert_never(other)
    cancellation = subscription.cancellation
    return day if cancellation is None else min(day, cancellation.on)


STATUSES = ("scheduled", "trialing", "active", "past_due", "unpaid", "canceled")
"""The words that `Subscription.status` can be."""

_COLLECTION_WORD: dict[type[Collection], str] = {
    Current: "active",
    PastDue: "past_due",
    Unpaid: "unpaid",
}


SUBSCRIPTION = Kind(
    "subscription",
    Subscription,
    columns=(
        Column("due_at", ColumnType.INSTANT, lambda s: s.due_at),
        Column("customer", ColumnType.TEXT, lambda s: s.customer),
        Column("status", ColumnType.TEXT, lambda s: s.status),
        Column("external_id", ColumnType.TEXT, lambda s: s.external_id),
        Column("paid_through", ColumnType.DAY, lambda s: s.paid_through, indexed=False),
    ),
    unique=(("external_id",),),
)
