"""The life of a subscription: which commands its state allows, and what they make of it.

Three facts never mix: what the *contract* says, how *collection* stands, and a pending
*cancellation* beside them. The familiar single word (`trialing`, `past_due`, …) is derived.

`decide` turns commands into events and folds them into the next state, so state and events cannot
disagree. Which period comes when is decided in `billing_cycles`; what it costs, on the invoice.
Nothing here reads a clock: `on` and `at` are arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias, assert_never

from attrs import field, frozen

from subscriptions.billing_cycles import BillingCycle, Period, first_instant, local_date
from subscriptions.decisions import Change, changed, created
from subscriptions.errors import InvalidTransition, ValidationError
from subscriptions.ids import CustomerId, InvoiceId, PriceId, SubscriptionId
from subscriptions.money import Currency
from subscriptions.records import Column, ColumnType, Kind, Metadata, evolve, plain_text

# ---- the record -----------------------------------------------------------------------------


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
        if not quantity > 0:
            raise ValidationError("quantity", quantity, "more than zero")

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
            return start
        case Trialing(until=until):
            day = until
        case Active():
            day = min([item.billed_through for item in subscription.items])
        case other:
            assert_never(other)
    cancellation = subscription.cancellation
    return day if cancellation is None else min(day, cancellation.on)


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

# ---- commands, and what is allowed ----------------------------------------------------------


@frozen
class Begin:
    """The first day has come."""


@frozen
class EndTrial:
    """The trial is over; billing begins."""


@frozen
class BillPeriods:
    """Bill every item whose next period begins on or before `on`."""

    on: date


@frozen
class Cancel:
    """End it when the day `on` begins."""

    on: date
    reason: str = ""


@frozen
class UndoCancel:
    """Forget the pending cancellation."""


@frozen
class End:
    """End it at this instant."""

    at: datetime
    reason: EndReason


@frozen
class MarkPastDue:
    """An invoice of it could not be collected."""

    invoice: InvoiceId


@frozen
class ClearPastDue:
    """An invoice that was past due no longer is: it was paid, or written off."""

    invoice: InvoiceId
    paid: bool = True


@frozen
class MarkUnpaid:
    """Dunning ended without money and the contract goes on unpaid."""


Command: TypeAlias = (
    Begin
    | EndTrial
    | BillPeriods
    | Cancel
    | UndoCancel
    | End
    | MarkPastDue
    | ClearPastDue
    | MarkUnpaid
)

ALLOWED: dict[type[Contract], frozenset[type[Command]]] = {
    Scheduled: frozenset({Begin, Cancel, End}),
    Trialing: frozenset({EndTrial, Cancel, UndoCancel, End, MarkPastDue, ClearPastDue}),
    Active: frozenset(
        {BillPeriods, Cancel, UndoCancel, End, MarkPastDue, ClearPastDue, MarkUnpaid}
    ),
    Ended: frozenset(),
}

# ---- events ---------------------------------------------------------------------------------


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

# ---- decisions ------------------------------------------------------------------------------


def create(subscription: Subscription, *, start: date) -> Change:
    """Decide to make a contract; `subscription` is at version 1."""
    event = SubscriptionCreated(subscription.id, subscription.customer, start)
    return created(SUBSCRIPTION, subscription, event)


def decide(subscription: Subscription, *commands: Command) -> Change:
    """Decide what the commands, in order, make of the subscription.

    Raises `InvalidTransition` if the state does not allow one of them; then nothing happens.
    """
    after = subscription
    events: list[object] = []
    for command in commands:
        if type(command) not in ALLOWED[type(after.contract)]:
            raise _refused(after, command)
        event = _event(after, command)
        after = apply(after, event)
        events.append(event)
    return changed(SUBSCRIPTION, subscription, after, *events)


def next_commands(subscription: Subscription, *, at: datetime) -> tuple[Command, ...]:
    """Return what is due at `at`, in order; nothing if it is not due yet."""
    due_at, on = subscription.due_at, subscription.due_day
    if due_at is None or on is None or due_at > at:
        return ()
    cancellation = subscription.cancellation
    if cancellation is not None and cancellation.on <= on:
        return (End(due_at, EndReason.CANCELED),)
    match subscription.contract:
        case Scheduled(trial_until=None):
            return Begin(), BillPeriods(on)
        case Scheduled():
            return (Begin(),)
        case Trialing():
            return EndTrial(), BillPeriods(on)
        case Active():
            return (BillPeriods(on),)
        case Ended():
            return ()
        case other:
            assert_never(other)


def end_of_paid_time(subscription: Subscription, *, at: datetime) -> date:
    """Return the day on which a cancellation "at period end" takes effect.

    That is the first day not billed yet; during a trial the day the trial ends; before the start,
    the start: what was paid for is given, and nothing more is billed.
    """
    match subscription.contract:
        case Scheduled(start=start):
            return start
        case Trialing(until=until):
            return until
        case Active():
            return max(subscription.paid_through, local_date(at, subscription.zone))
        case Ended():
            raise _refused(subscription, Cancel(local_date(at, subscription.zone)))
        case other:
            assert_never(other)


def _refused(subscription: Subscription, command: Command) -> InvalidTransition:
    return InvalidTransition(
        f"subscription {subscription.id}", subscription.status, type(command).__name__
    )


def _event(sub: Subscription, command: Command) -> Event:
    id, customer = sub.id, sub.customer
    match command:
        case BillPeriods(on=on):
            return _bill(sub, on)
        case Begin():
            contract = sub.contract
            assert isinstance(contract, Scheduled)
            if contract.trial_until is not None:
                return TrialStarted(id, customer, contract.trial_until)
            return SubscriptionStarted(id, customer, contract.start)
        case EndTrial():
            contract = sub.contract
            assert isinstance(contract, Trialing)
            return TrialEnded(id, customer, contract.until)
        case Cancel(on=on, reason=reason):
            plain_text("reason", reason, empty=True)
            return CancellationScheduled(id, customer, on, reason)
        case UndoCancel():
            if sub.cancellation is None:
                raise _refused(sub, command)
            return CancellationWithdrawn(id, customer)
        case End(at=at, reason=reason):
            return SubscriptionEnded(id, customer, at, reason)
        case MarkPastDue(invoice=invoice):
            return SubscriptionPastDue(id, customer, invoice)
        case ClearPastDue(invoice=invoice, paid=paid):
            if isinstance(sub.collection, Current) or invoice not in sub.collection.invoices:
                raise _refused(sub, command)
            left = len(sub.collection.invoices) - 1
            if paid:
                return SubscriptionRecovered(id, customer, invoice, left)
            return SubscriptionDebtWrittenOff(id, customer, invoice, left)
        case MarkUnpaid():
            if not isinstance(sub.collection, PastDue):
                raise _refused(sub, command)
            return SubscriptionUnpaid(id, customer)
        case other:
            assert_never(other)


def _bill(sub: Subscription, on: date) -> SubscriptionRenewed:
    due = [i for i, item in enumerate(sub.items) if item.billed_through <= on]
    if not due:
        raise _refused(sub, BillPeriods(on))
    return SubscriptionRenewed(
        sub.id, sub.customer, tuple(due), tuple(sub.items[i].next_period for i in due)
    )


def apply(sub: Subscription, event: Event) -> Subscription:
    """Return the state after an event: the only place where a subscription changes."""
    version = sub.version + 1
    match event:
        case SubscriptionRenewed(items=renewed):
            items = tuple(
                Item(item.price, item.quantity, item.cycle, item.next_index + 1)
                if i in renewed
                else item
                for i, item in enumerate(sub.items)
            )
            return evolve(sub, items=items, version=version)
        case SubscriptionStarted(on=on) | TrialEnded(on=on):
            return evolve(sub, contract=Active(on), version=version)
        case TrialStarted(until=until):
            return evolve(sub, contract=Trialing(until), version=version)
        case CancellationScheduled(on=on, reason=reason):
            return evolve(sub, cancellation=Cancellation(on, reason), version=version)
        case CancellationWithdrawn():
            return evolve(sub, cancellation=None, version=version)
        case SubscriptionEnded(at=at, reason=reason):
            return evolve(sub, contract=Ended(at, reason), cancellation=None, version=version)
        case SubscriptionPastDue(invoice=invoice):
            return evolve(sub, collection=_with(sub.collection, invoice), version=version)
        case SubscriptionRecovered(invoice=invoice) | SubscriptionDebtWrittenOff(invoice=invoice):
            return evolve(sub, collection=_without(sub.collection, invoice), version=version)
        case SubscriptionUnpaid():
            assert isinstance(sub.collection, PastDue)
            return evolve(sub, collection=Unpaid(sub.collection.invoices), version=version)
        case SubscriptionCreated():
            return sub
        case other:
            assert_never(other)


def _with(collection: Collection, invoice: InvoiceId) -> Collection:
    match collection:
        case Current():
            return PastDue((invoice,))
        case PastDue(invoices=invoices):
            return collection if invoice in invoices else PastDue((*invoices, invoice))
        case Unpaid(invoices=invoices):
            return collection if invoice in invoices else Unpaid((*invoices, invoice))
        case other:
            assert_never(other)


def _without(collection: Collection, invoice: InvoiceId) -> Collection:
    if isinstance(collection, Current):
        return collection
    left = tuple(each for each in collection.invoices if each != invoice)
    rebuilt: Callable[[tuple[InvoiceId, ...]], Collection] = type(collection)
    return rebuilt(left) if left else Current()
