"""Subscriptions: read, change at once or on a day to come, transfer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal

from subscriptions import lifecycle
from subscriptions.billing_cycles import BillingCycle, Interval
from subscriptions.catalog import PRICE
from subscriptions.customers import CUSTOMER
from subscriptions.decisions import Decision
from subscriptions.errors import UnknownReference, ValidationError
from subscriptions.lifecycle import (
    SUBSCRIPTION,
    Active,
    Subscription,
    Transfer,
    Wanted,
    WithdrawChanges,
)
from subscriptions.proration import Proration
from subscriptions.records import Ref, plain_date, plain_text
from subscriptions.usecases import flows
from subscriptions.usecases.billing_periods import Moves, conditions_of
from subscriptions.usecases.changing import (
    When,
    change_now,
    charge,
    check_list,
    continue_items,
    edit_items,
    effective_day,
    plan,
    read_wanted,
    resolve,
)
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

_YEAR = Interval.years(1)


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


def change(
    id: str,
    items: Iterable[Wanted] | None = None,
    *,
    add: Iterable[Wanted] = (),
    remove: Iterable[str] = (),
    swap: Mapping[str, str] | None = None,
    quantities: Mapping[str, int | Decimal] | None = None,
    when: When | str | date = When.NOW,
    proration: Proration | None = None,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Subscription]:
    """Change what a subscription has: all `items` that it is to have, or what is different.

    `add` takes prices, `remove` present ones, `swap` exchanges one for another and `quantities`
    sets how many; the periods of what stays are untouched. A present item is named by its price,
    or by its number (`Item.number`, as a text) where it has a price twice.

    `when` is "now" (default), "period_end", a day, or "auto": an upgrade now and anything else at
    the end of the period, by what a year costs. The period is that of the items that change,
    whatever others run longer. A planned change is carried out by the run, see `schedule` and
    `unschedule`; what it does not name is then as it is by then.

    What was charged for the rest of the period is credited and the rest at the new price is
    charged, as `proration` says (default: that of `Billing`, by days and on the next invoice). A
    price with another interval begins a new period, which is billed at once.

    Raises `InvalidTransition` if it has ended or a price is not on offer, `NotAvailable` for
    products that do not go together, `CurrencyMismatch`, `UnknownReference` for an unknown price,
    `ValidationError` for a wrong value; then nothing changes.
    """
    listed = None if items is None else read_wanted(items)
    check_list("add", add)
    check_list("remove", remove)
    added = read_wanted(add) if (add := tuple(add)) else ()
    removed = tuple(remove)
    _check_mapping("swap", swap, "{present price: new price}")
    _check_mapping("quantities", quantities, "{present price: quantity}")
    for price in (swap or {}).values():
        plain_text("swap", price)
    edits = bool(added or removed or swap or quantities)
    if (listed is None) is not edits:
        raise ValidationError("items", items, "all items, or what is added, removed, changed")
    moment = _when(when)
    _check_proration(proration)

    def flow(context: Context) -> Flow[Decision]:
        sub = yield from Get(SUBSCRIPTION, id)
        owner = yield from Get(CUSTOMER, sub.customer)
        moves = Moves(sub, owner)
        if lifecycle.ChangeItems not in lifecycle.ALLOWED[type(sub.contract)]:
            raise lifecycle.refused(sub, lifecycle.ChangeItems((), (), (), context.at))
        if listed is not None:
            wanted = continue_items(sub, listed)
        else:
            wanted = edit_items(
                sub, add=added, remove=removed, swap=swap or {}, quantities=quantities or {}
            )
        day = moment if isinstance(moment, date) else context.today(sub.zone)
        wanted, prices = yield from resolve(sub, wanted, on=day)
        known = dict(prices)
        for price in (yield from GetMany(PRICE, tuple([item.price for item in sub.items]))):
            known[price.id] = price
        on = effective_day(sub, wanted, known, moment, context.at)
        policy = context.proration if proration is None else proration
        if on is None:
            yield from change_now(moves, wanted, known, policy, context)
        else:
            plan(moves, wanted, on, policy, listed=listed is not None)
        return moves.decision()

    return Command(SUBSCRIPTION, flow, at, idempotency_key, catch_up=Ref(SUBSCRIPTION, id))


def schedule(
    id: str,
    items: Iterable[Wanted] | None = None,
    *,
    on: date,
    add: Iterable[Wanted] = (),
    remove: Iterable[str] = (),
    swap: Mapping[str, str] | None = None,
    quantities: Mapping[str, int | Decimal] | None = None,
    proration: Proration | None = None,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Subscription]:
    """Plan a change for a day to come, as `change` does with `when=on`."""
    return change(
        id,
        items,
        add=add,
        remove=remove,
        swap=swap,
        quantities=quantities,
        when=plain_date("on", on),
        proration=proration,
        at=at,
        idempotency_key=idempotency_key,
    )


def unschedule(
    id: str,
    *,
    cause: str = "",
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Subscription]:
    """Forget the planned changes that were asked for; or those of a cause.

    Others are planned by "phase", by "term" (the end of an item's fixed term), or by the id of a
    migration.

    Raises `InvalidTransition` if there are none.
    """

    def flow(_: Context) -> Flow[Decision]:
        sub = yield from Get(SUBSCRIPTION, id)
        change = lifecycle.decide(sub, WithdrawChanges(cause))
        return Decision((change,), about=Ref(SUBSCRIPTION, id))

    return Command(SUBSCRIPTION, flow, at, idempotency_key, catch_up=Ref(SUBSCRIPTION, id))


def set_next_billing(
    id: str,
    *,
    on: date,
    proration: Proration | None = None,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Subscription]:
    """Begin the next period of every item on another day; periods are counted from it.

    A later day extends the present period: the days in between are charged. An earlier one cuts it:
    they are credited. Both as `proration` says; without any, they are free, or lost. A first stub
    that is free stays free until its end, or until that day, if that is earlier.

    Raises `InvalidTransition` unless it is active, `ValidationError` for a day that is not after
    today, or more than a year after what is billed.
    """
    plain_date("on", on)
    _check_proration(proration)

    def flow(context: Context) -> Flow[Decision]:
        sub = yield from Get(SUBSCRIPTION, id)
        if not isinstance(sub.contract, Active):
            raise lifecycle.refused(sub, lifecycle.SkipPeriods((), on))
        if on <= context.today(sub.zone):
            raise ValidationError("on", on, f"after today, {context.today(sub.zone)}")
        last = BillingCycle(max(sub.paid_through, context.today(sub.zone)), _YEAR).start(1)
        if on > last:
            raise ValidationError("on", on, f"{last} or earlier: at most a year is added at once")
        owner = yield from Get(CUSTOMER, sub.customer)
        moves = Moves(sub, owner)
        policy = context.proration if proration is None else proration
        conditions, _ = yield from conditions_of(moves, (), context, policy=policy)
        outcome = lifecycle.move_billing_date(sub, on, conditions)
        yield from charge(moves, outcome, policy, context, cause="set_next_billing")
        return moves.decision()

    return Command(SUBSCRIPTION, flow, at, idempotency_key, catch_up=Ref(SUBSCRIPTION, id))


def transfer(
    id: str,
    *,
    to: str,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Subscription]:
    """Let another customer have a subscription, with its periods and all that is paid for.

    He is billed from the next period on; what is owed already stays with who owes it. What is
    pending goes along, because it belongs to time that he will have.

    Raises `UnknownReference` for an unknown customer, `ValidationError` for the same one,
    `InvalidTransition` if it has ended.
    """

    def flow(_: Context) -> Flow[Decision]:
        sub = yield from Get(SUBSCRIPTION, id)
        if sub.customer == to:
            raise ValidationError("to", to, "another customer")
        receiver = yield from Maybe(CUSTOMER, to)
        if receiver is None:
            raise UnknownReference("to", to)
        # The days of what runs already stay the days that they were: no period moves.
        change = lifecycle.decide(sub, Transfer(receiver.id, sub.zone))
        return Decision((change,), about=Ref(SUBSCRIPTION, id))

    return Command(SUBSCRIPTION, flow, at, idempotency_key, catch_up=Ref(SUBSCRIPTION, id))


def _check_proration(proration: object) -> None:
    if proration is not None and not isinstance(proration, Proration):
        expected = "a Proration, such as Proration(mode='invoice_now')"
        raise ValidationError("proration", proration, expected)


def _check_mapping(field: str, value: object, expected: str) -> None:
    if value is not None and not isinstance(value, Mapping):
        raise ValidationError(field, value, expected)


def _when(when: When | str | date) -> When | date:
    if isinstance(when, date):
        return plain_date("when", when)
    try:
        return When(when)
    except ValueError:
        raise ValidationError("when", when, "'now', 'period_end', 'auto' or a date") from None
