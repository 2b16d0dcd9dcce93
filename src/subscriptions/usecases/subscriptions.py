"""Subscriptions: create, read, cancel, and what happens when one falls due."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, TypeAlias

from subscriptions import invoices, lifecycle, pricing
from subscriptions.billing_cycles import BillingCycle
from subscriptions.catalog import PRICE, Price
from subscriptions.customers import CUSTOMER, Customer
from subscriptions.decisions import Change, Decision
from subscriptions.errors import (
    CurrencyMismatch,
    InvalidTransition,
    NotFound,
    UnknownReference,
    ValidationError,
)
from subscriptions.ids import CustomerId, InvoiceId, PriceId, SubscriptionId, derived_id
from subscriptions.invoices import Charge, Invoice
from subscriptions.lifecycle import (
    SUBSCRIPTION,
    Active,
    Cancel,
    End,
    EndReason,
    Item,
    Scheduled,
    Subscription,
    SubscriptionRenewed,
    UndoCancel,
    Unpaid,
)
from subscriptions.records import Metadata, Ref, plain_date
from subscriptions.usecases import collection, flows
from subscriptions.usecases.flows import (
    Command,
    Context,
    Flow,
    Get,
    GetMany,
    Listing,
    Maybe,
    Question,
    one_of,
    only,
)

Wanted: TypeAlias = str | tuple[str, int | Decimal]

CATCH_UP_MAX = 36
"""How many unbilled periods a new subscription may have behind it, unless more are asked for."""


def create(
    customer: str,
    items: Iterable[Wanted],
    *,
    start: date | None = None,
    trial_until: date | None = None,
    anchor: date | None = None,
    paid_until: date | None = None,
    external_id: str | None = None,
    metadata: dict[str, str] | None = None,
    catch_up_max: int = CATCH_UP_MAX,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Subscription]:
    """Subscribe a customer to prices, given as ids or as `(id, quantity)`.

    It begins on `start` (default: today in the customer's zone). If that is today, the first period
    is billed in the same commit; what lies in the past is billed by the next run, period by period,
    each with its own dates, and at most `catch_up_max` periods. With `trial_until` nothing is
    billed before that day, and periods are counted from it. `anchor` is the day from which periods
    are counted, by default the first billed day.

    `paid_until` is for a subscription that ran elsewhere: it is active, and the first day to be
    billed is `paid_until`, which must be the first day of a period counted from `anchor`.

    Raises `UnknownReference` for an unknown customer or price, `CurrencyMismatch` for prices of
    two currencies, `ValidationError` for a wrong value, `Duplicate` for a taken external id.
    """
    wanted = _wanted(items)
    days = {"start": start, "trial_until": trial_until, "anchor": anchor, "paid_until": paid_until}
    for name, day in days.items():
        if day is not None:
            plain_date(name, day)

    def flow(context: Context) -> Flow[Decision]:
        owner = yield from Maybe(CUSTOMER, customer)
        if owner is None:
            raise UnknownReference("customer", customer)
        prices = yield from _offered(wanted)
        zone = owner.zone or context.seller.zone
        begin = start or context.today(zone)
        if trial_until is not None and paid_until is not None:
            raise ValidationError("trial_until", trial_until, "no trial where something is paid")
        if trial_until is not None and trial_until <= begin:
            raise ValidationError("trial_until", trial_until, f"after the start, {begin}")
        first = trial_until or begin
        counted_from = anchor or paid_until or first
        if anchor is not None and paid_until is None and anchor != first:
            raise ValidationError("anchor", anchor, f"the first billed day, {first}")
        subscription = Subscription(
            SubscriptionId(context.ids.fresh("sub")),
            context.tenant,
            1,
            CustomerId(customer),
            prices[0].currency,
            zone,
            tuple(
                _item(price, quantity, counted_from, paid_until)
                for price, (_, quantity) in zip(prices, wanted, strict=True)
            ),
            Active(begin) if paid_until is not None else Scheduled(begin, trial_until),
            external_id=external_id,
            metadata=Metadata(metadata),
        )
        made = lifecycle.create(subscription, start=begin)
        _check_backlog(subscription, context.today(zone), catch_up_max)
        about = Ref(SUBSCRIPTION, subscription.id)
        if subscription.due_day != context.today(zone) or paid_until is not None:
            return Decision((made,), about=about)
        # Begin in the same commit: nobody sees a subscription that should run and does not.
        started = yield from _due(subscription, owner, prices, context)
        move = next(c for c in started.changes if c.after.id == subscription.id)
        events = (*made.events, *move.events)
        merged = Change(SUBSCRIPTION, None, move.after, events)
        others = tuple(c for c in started.changes if c is not move)
        return Decision((merged, *others), started.issues, about)

    return Command(SUBSCRIPTION, flow, at, idempotency_key)


def get(id: str) -> Question[Subscription]:
    """Return a subscription; raises `NotFound` if there is none with this id."""
    return flows.get(SUBSCRIPTION, id)


def list_(
    *,
    customer: str | None = None,
    status: str | None = None,
    external_id: str | None = None,
    limit: int = 100,
    after: str | None = None,
) -> Listing[Subscription]:
    """List subscriptions in the order they were made; each filter is an exact match."""
    status = one_of("status", status, lifecycle.STATUSES)
    where = only(customer=customer, status=status, external_id=external_id)
    return Listing(SUBSCRIPTION, where, limit=limit, after=after)


def cancel(
    id: str,
    *,
    when: Literal["now", "period_end"] | date = "period_end",
    reason: str = "",
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Subscription]:
    """Cancel at the end of what is billed (default), at once, or on a date.

    At period end and on a date it ends when that day begins in the subscription's zone; until then
    it can be undone, and periods that begin before are billed. At once it ends at `at`; what was
    billed stays billed.

    Raises `InvalidTransition` if it has ended, `ValidationError` for a date in the past.
    """
    if not isinstance(when, date) and when not in ("now", "period_end"):
        raise ValidationError("when", when, "'now', 'period_end' or a date")
    if isinstance(when, date):
        plain_date("when", when)

    def flow(context: Context) -> Flow[Decision]:
        subscription = yield from Get(SUBSCRIPTION, id)
        if when == "now":
            lifecycle.check_end(subscription, at=context.at)
            change = lifecycle.decide(subscription, End(context.at, EndReason.CANCELED))
        else:
            on = when
            if not isinstance(on, date):
                on = lifecycle.end_of_paid_time(subscription, at=context.at)
            elif on < context.today(subscription.zone):
                raise ValidationError("when", on, "today or later")
            change = lifecycle.decide(subscription, Cancel(on, reason))
        return Decision((change,), about=Ref(SUBSCRIPTION, id))

    # What should have been billed by now is billed first, or a late run would make it cheaper.
    return Command(SUBSCRIPTION, flow, at, idempotency_key, catch_up=Ref(SUBSCRIPTION, id))


def undo_cancel(
    id: str, *, at: datetime | None = None, idempotency_key: str | None = None
) -> Command[Subscription]:
    """Forget a pending cancellation; raises `InvalidTransition` if there is none."""

    def flow(_: Context) -> Flow[Decision]:
        subscription = yield from Get(SUBSCRIPTION, id)
        change = lifecycle.decide(subscription, UndoCancel())
        return Decision((change,), about=Ref(SUBSCRIPTION, id))

    return Command(SUBSCRIPTION, flow, at, idempotency_key)


def advance(id: str, context: Context) -> Flow[Decision]:
    """Do what is due for one subscription: begin, end a trial, bill the next periods, end."""
    subscription = yield from Get(SUBSCRIPTION, id)
    due_at = subscription.due_at
    if due_at is None or due_at > context.at:
        return Decision()
    customer = yield from Get(CUSTOMER, subscription.customer)
    prices = yield from GetMany(PRICE, tuple([item.price for item in subscription.items]))
    return (yield from _due(subscription, customer, prices, context))


def _due(
    subscription: Subscription, customer: Customer, prices: tuple[Price, ...], context: Context
) -> Flow[Decision]:
    commands = lifecycle.next_commands(subscription, at=context.at)
    if not commands:
        return Decision()
    change = lifecycle.decide(subscription, *commands)
    renewed = change.events[-1]
    if not isinstance(renewed, SubscriptionRenewed):
        return Decision((change,))
    method = yield from collection.method_of(customer, context)
    invoice = _invoice(
        subscription, renewed, customer, prices, automatic=method is not None, context=context
    )
    if isinstance(subscription.collection, Unpaid):
        return Decision((change, invoices.draft(invoice)))
    issued = collection.issue(invoice, customer, method, context)
    return Decision((change, *issued.changes), issued.issues)


def _invoice(
    subscription: Subscription,
    renewed: SubscriptionRenewed,
    customer: Customer,
    prices: tuple[Price, ...],
    *,
    automatic: bool,
    context: Context,
) -> Invoice:
    country = customer.address.country or None
    exponent = subscription.currency.exponent
    charges: list[Charge] = []
    cycles: list[str] = []
    for index, period in zip(renewed.items, renewed.periods, strict=True):
        item, price = subscription.items[index], prices[index]
        charges.append(
            Charge(
                price.name,
                pricing.amount_minor(price.model, item.quantity, exponent),
                context.taxes.rate_for(country, period.start),
                price.tax_behavior,
                item.quantity,
                pricing.printed_unit_price(price.model, item.quantity),
                period,
                price.id,
            )
        )
        cycles.append(f"{index}:{period.start}")
    return invoices.compose(
        InvoiceId(derived_id("inv", subscription.tenant, subscription.id, *cycles)),
        customer,
        charges,
        currency=subscription.currency,
        seller=context.seller,
        automatic=automatic,
        subscription=subscription.id,
    )


def _wanted(items: Iterable[Wanted]) -> tuple[tuple[str, int | Decimal], ...]:
    if isinstance(items, str):
        raise ValidationError("items", items, "a list of price ids, not one text")
    wanted: list[tuple[str, int | Decimal]] = []
    for item in items:
        match item:
            case str(price):
                wanted.append((price, 1))
            case (str(price), int() | Decimal() as quantity):
                wanted.append((price, quantity))
            case (str(), float()):
                raise TypeError(f"quantity: pass an int or a Decimal, not a float: {item!r}")
            case _:
                raise ValidationError("items", item, "a price id or (price id, quantity)")
    if not wanted:
        raise ValidationError("items", (), "at least one price")
    return tuple(wanted)


def _offered(wanted: tuple[tuple[str, int | Decimal], ...]) -> Flow[tuple[Price, ...]]:
    try:
        prices = yield from GetMany(PRICE, tuple(id for id, _ in wanted))
    except NotFound as error:
        raise UnknownReference("items", error.id) from error
    for price in prices:
        if price.archived:
            raise InvalidTransition(f"price {price.id}", "archived", "subscribe")
        if price.every is None:
            raise ValidationError("items", price.id, "recurring prices; this one is charged once")
        if price.currency != prices[0].currency:
            raise CurrencyMismatch(prices[0].currency.code, price.currency.code)
    return prices


def _check_backlog(subscription: Subscription, today: date, catch_up_max: int) -> None:
    """Refuse a start so long ago that it would bill a flood: a slip in a year costs thousands."""
    for item in subscription.items:
        if item.billed_through > today:
            continue
        missed = item.cycle.index_of(today) + 1 - item.next_index
        if missed > catch_up_max:
            expected = f"at most {catch_up_max} periods ago, not {missed}; else raise catch_up_max"
            raise ValidationError("start", item.billed_through, expected)


def _item(
    price: Price, quantity: int | Decimal, counted_from: date, paid_until: date | None
) -> Item:
    assert price.every is not None
    cycle = BillingCycle(counted_from, price.every)
    if paid_until is None:
        return Item(PriceId(price.id), quantity, cycle)
    index = cycle.index_of(paid_until)
    if cycle.start(index) != paid_until:
        around = cycle.period(index)
        raise ValidationError(
            "paid_until", paid_until, f"the first day of a period: {around.start} or {around.end}"
        )
    return Item(PriceId(price.id), quantity, cycle, index)
