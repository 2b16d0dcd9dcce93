"""The subscription as a record: what the contract says, how collection stands, what is due."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Final, TypeAlias, assert_never

from attrs import Factory, field

from subscriptions.billing_cycles import first_instant, local_date
from subscriptions.contract_terms import Terms
from subscriptions.coupons import AppliedCoupon
from subscriptions.customers import CollectionMethod
from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.ids import CustomerId, InvoiceId, PaymentMethodId, PriceId, SubscriptionId
from subscriptions.invoices import Charge
from subscriptions.lifecycle.items import Debit, Item, Place, Planned
from subscriptions.money import Currency, Money
from subscriptions.records import Column, ColumnType, Kind, Metadata

CATCH_UP_MAX: Final = 36
"""So many periods that nobody billed in time are caught up; more are for a person to look at."""


@frozen
class Scheduled:
    """Agreed; it begins on `start`, with a trial until `trial_until` or without."""

    start: date
    trial_until: date | None = None


@frozen
class Incomplete:
    """Begun on `since`, but it counts only once `invoice` is paid, at the latest at `until`."""

    since: date
    invoice: InvoiceId
    until: datetime


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
    TERM_ENDED = "term_ended"
    """A fixed term is over."""
    NEVER_PAID = "never_paid"
    """The first invoice was not paid in time."""
    TRIAL_ENDED = "trial_ended"
    """The trial is over, and there is no way to pay."""


@frozen
class Ended:
    """Over, for good."""

    at: datetime
    reason: EndReason


Contract: TypeAlias = Scheduled | Incomplete | Trialing | Active | Ended


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


class Settlement(StrEnum):
    """What becomes of the time that is paid for and not used, when a subscription ends."""

    NONE = "none"
    CREDIT = "credit"
    REFUND = "refund"


@frozen
class Cancellation:
    """The subscription ends when the day `on` begins; until then it may be undone."""

    on: date
    reason: str = ""
    settlement: Settlement = Settlement.NONE


@frozen
class Survey:
    """What a customer said on leaving: a word of the host's list, and his own."""

    answer: str
    comment: str = ""


@frozen
class Pause:
    """Three switches, on since the day `since`: what is not done until it is resumed.

    Without `collect` invoices stay drafts. Without `invoice` nothing is billed, and what begins in
    the meantime is never owed. Without `serve` the customer is not to be served. It is resumed when
    the day `resume_on` begins, or by hand.
    """

    since: date
    collect: bool = False
    invoice: bool = True
    serve: bool = True
    resume_on: date | None = None

    def __attrs_post_init__(self) -> None:
        if self.collect and self.invoice and self.serve:
            raise ValidationError("pause", self, "at least one of collect, invoice, serve off")
        if self.resume_on is not None and self.resume_on <= self.since:
            raise ValidationError("resume_on", self.resume_on, f"after {self.since}")


class TrialEnd(StrEnum):
    """What happens at the end of a trial to a customer who has no way to pay."""

    BILL = "bill"
    PAUSE = "pause"
    CANCEL = "cancel"


class CatchUp(StrEnum):
    """What happens to periods that nobody billed in time, because nothing ran."""

    EACH = "each"
    """Each is billed on an invoice of its own."""
    TOGETHER = "together"
    """All are billed on one invoice."""
    SKIP = "skip"
    """Only the present one is billed."""


@frozen
class Subscription:
    """One contract with one customer. Days are days in `zone`.

    `schedule` are changes to come, in order; `pending` is what waits for the next invoice, `debits`
    what was charged for periods that are not over. The `discounts` count for the invoices to come.
    It is paid by its own `payment_method` and in its own `collection_method`, or as the customer's
    are where these are None. It ends by itself when the day `ends_on` begins: a fixed term is over.
    When usage since the last invoice comes to `threshold`, it is billed. `gone` are the prices of
    items that it had once, so that none gives its trial twice.
    """

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
    start: date | None = None
    debits: tuple[Debit, ...] = ()
    pending: tuple[Charge, ...] = ()
    schedule: tuple[Planned, ...] = ()
    discounts: tuple[AppliedCoupon, ...] = ()
    pause: Pause | None = None
    terms: Terms | None = None
    trial_end: TrialEnd = TrialEnd.BILL
    ends_on: date | None = None
    payment_window_hours: int | None = None
    catch_up: CatchUp = CatchUp.EACH
    catch_up_max: int = CATCH_UP_MAX
    threshold: Money | None = None
    usage_check_at: datetime | None = None
    survey: Survey | None = None
    last_item: int = field(default=Factory(lambda self: _last_number(self.items), takes_self=True))
    payment_method: PaymentMethodId | None = None
    collection_method: CollectionMethod | None = None
    gone: tuple[PriceId, ...] = ()
    places: tuple[Place, ...] = ()
    due_day: date | None = field(init=False, eq=False, repr=False)
    """The day on which something is to happen, in the zone of the subscription."""
    due_at: datetime | None = field(init=False, eq=False, repr=False)
    """The instant at which it is due; None if nothing is due any more, or parked."""

    @property
    def pays_its_own_way(self) -> bool:
        """Whether it has a way to pay of its own, so that its invoices are its own as well."""
        return self.payment_method is not None or self.collection_method is not None

    def __attrs_post_init__(self) -> None:
        if not self.items:
            raise ValidationError("items", (), "at least one price")
        # Both follow from the other fields; they are worked out once, for they are asked for often.
        day, due_at = _due(self)
        object.__setattr__(self, "due_day", day)
        object.__setattr__(self, "due_at", None if self.parked else due_at)

    @property
    def status(self) -> str:
        """One word, one of `STATUSES`."""
        match self.contract:
            case Scheduled():
                return "scheduled"
            case Incomplete():
                return "incomplete"
            case Trialing() | Active() if self.pause is not None and not (
                self.pause.invoice and self.pause.serve
            ):
                return "paused"
            case Trialing():
                return "trialing"
            case Ended(reason=EndReason.TERM_ENDED | EndReason.NEVER_PAID):
                return "expired"
            case Ended():
                return "canceled"
            case Active():
                return _COLLECTION_WORD[type(self.collection)]
            case other:
                assert_never(other)

    @property
    def served(self) -> bool:
        """Whether the customer is to have what the items are for."""
        if self.pause is not None and not self.pause.serve:
            return False
        return isinstance(self.contract, Trialing | Active)

    @property
    def paid_through(self) -> date:
        """The first day that no item has been billed for yet."""
        return max(item.through for item in self.items)

    @property
    def only_bills(self) -> bool:
        """Whether nothing but the next period can be due: nothing is planned, paused or ending."""
        return (
            self.cancellation is None
            and self.ends_on is None
            and self.pause is None
            and not self.schedule
            and self.usage_check_at is None
        )

    @property
    def known_end(self) -> date | None:
        """The day on which it ends, as far as is known: cancelled, or at the end of its term."""
        return _earliest(self.ends_on, None if self.cancellation is None else self.cancellation.on)

    def item(self, number: int) -> Item:
        """Return an item by its number; raises `ValidationError` if there is none."""
        for item in self.items:
            if item.number == number:
                return item
        numbers = ", ".join(str(item.number) for item in self.items)
        raise ValidationError("item", number, f"one of {numbers}")


def _last_number(items: tuple[Item, ...]) -> int:
    return max([item.number for item in items], default=0)


def _due(subscription: Subscription) -> tuple[date | None, datetime | None]:
    contract, zone = subscription.contract, subscription.zone
    if type(contract) is Active and subscription.only_bills:
        # So it is with nearly all, and each renewal asks.
        items = subscription.items
        first = items[0].due_day if len(items) == 1 else min([item.due_day for item in items])
        return first, first_instant(first, zone)
    match contract:
        case Ended():
            return None, None
        case Incomplete(until=until):
            return local_date(until, zone), until
        case Scheduled(start=start):
            day: date | None = start
        case Trialing(until=until):
            day = until
        case Active():
            day = min([item.due_day for item in subscription.items])
        case other:
            assert_never(other)
    pause = subscription.pause
    if pause is not None:
        if not pause.invoice:
            day = None
        day = _earliest(day, pause.resume_on)
    if subscription.schedule:
        day = _earliest(day, subscription.schedule[0].on)
        for planned in subscription.schedule:
            day = _earliest(day, planned.announce_on)
    day = _earliest(day, subscription.known_end)
    check_at = subscription.usage_check_at
    if day is None:
        return None if check_at is None else local_date(check_at, zone), check_at
    due_at = first_instant(day, zone)
    if check_at is not None and check_at < due_at:
        return local_date(check_at, zone), check_at
    return day, due_at


def _earliest(day: date | None, other: date | None) -> date | None:
    if day is None or other is None:
        return other if day is None else day
    return min(day, other)


STATUSES = (
    "scheduled",
    "incomplete",
    "trialing",
    "active",
    "past_due",
    "unpaid",
    "paused",
    "canceled",
    "expired",
)
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
