"""Changing what a subscription has: at once, on a day to come, or by rule.

What a change costs is decided in `lifecycle.changing`; here prices are found, and what is charged
waits for the next invoice or goes on one at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from subscriptions import lifecycle
from subscriptions.billing_cycles import local_date
from subscriptions.catalog import PRICE, PRODUCT, Price, check_availability, without_base
from subscriptions.decisions import Decision
from subscriptions.errors import CurrencyMismatch, NotAvailable, ValidationError
from subscriptions.ids import PriceId
from subscriptions.lifecycle import (
    Active,
    ChangeItems,
    Item,
    Outcome,
    Planned,
    PlannedItem,
    ScheduleChange,
    Subscription,
    Wanted,
    WantedItem,
    WithdrawChanges,
)
from subscriptions.proration import Mode, Proration
from subscriptions.usecases import collection, invoicing
from subscriptions.usecases.billing_periods import Moves, bill_due, conditions_of
from subscriptions.usecases.fixed_terms import keep_terms
from subscriptions.usecases.flows import Context, Flow, GetMany
from subscriptions.usecases.offers import (
    check_meters,
    check_recurring,
    check_threshold,
    check_together,
    offered,
)


class When(StrEnum):
    """When a change takes effect, if not on a day that is named."""

    NOW = "now"
    PERIOD_END = "period_end"
    AUTO = "auto"
    """An upgrade at once, anything else at the end of the period: by what a year costs."""


def read_wanted(items: Iterable[Wanted]) -> tuple[tuple[str, int | Decimal], ...]:
    """Read prices with their quantities, given as ids or as `(id, quantity)`.

    Raises `ValidationError` for anything else and for none, `TypeError` for a float.
    """
    check_list("items", items)
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


def check_list(field: str, values: Iterable[Wanted]) -> None:
    """Raise `ValidationError` for what Python could go through, and is no list: half would be lost.

    A text is its letters, and a mapping is its keys without the quantities.
    """
    given: object = values
    if isinstance(values, str):
        raise ValidationError(field, given, "a list of price ids, not one text")
    if isinstance(values, Mapping):
        raise ValidationError(field, given, "a list of price ids or (price id, quantity)")


def continue_items(
    sub: Subscription, wanted: Sequence[tuple[str, int | Decimal]]
) -> tuple[WantedItem, ...]:
    """Say which present item each wanted price continues: the one of that price, if there is one.

    Where one item and one wanted price are left over, the price replaces that item's.
    """
    left = list(sub.items)
    items: list[WantedItem] = []
    for price, quantity in wanted:
        same = next((item for item in left if item.price == price), None)
        if same is not None:
            left.remove(same)
        number = None if same is None else same.number
        items.append(WantedItem(PriceId(price), quantity, number))
    new = [place for place, each in enumerate(items) if each.item is None]
    if len(new) == 1 == len(left):
        each = items[new[0]]
        items[new[0]] = WantedItem(each.price, each.quantity, left[0].number)
    return tuple(items)


def edit_items(
    sub: Subscription,
    *,
    add: Sequence[tuple[str, int | Decimal]],
    remove: Sequence[str],
    swap: Mapping[str, str],
    quantities: Mapping[str, int | Decimal],
) -> tuple[WantedItem, ...]:
    """Return the present items with some added, removed, exchanged, or in another quantity.

    An item is named by its price, or by its number as a text. Raises `ValidationError` for one that
    the subscription does not have, and for a price that it has twice.
    """
    gone = [_number_of(sub, "remove", key) for key in remove]
    prices = {_number_of(sub, "swap", key): price for key, price in swap.items()}
    amounts = {_number_of(sub, "quantities", key): amount for key, amount in quantities.items()}
    for number in gone:
        if number in prices or number in amounts:
            raise ValidationError("remove", number, "an item that is not changed besides")
    items = [
        WantedItem(
            PriceId(prices.get(item.number, item.price)),
            amounts.get(item.number, item.quantity),
            item.number,
        )
        for item in sub.items
        if item.number not in gone
    ]
    return (*items, *[WantedItem(PriceId(price), quantity) for price, quantity in add])


def _number_of(sub: Subscription, field: str, key: str) -> int:
    found = [item.number for item in sub.items if key in {item.price, str(item.number)}]
    if len(found) == 1:
        return found[0]
    there = ", ".join(f"{item.price} (number {item.number})" for item in sub.items)
    expected = "an item's number, for it has this price twice" if found else f"one of {there}"
    raise ValidationError(field, key, expected)


def resolve(
    sub: Subscription, wanted: Sequence[WantedItem], *, on: date
) -> Flow[tuple[tuple[WantedItem, ...], dict[str, Price]]]:
    """Find the prices of wanted items as they are on offer on a day; returns them by id.

    What the customer has already he keeps, whatever is on offer by now. Raises `UnknownReference`,
    `InvalidTransition` for a price that is not on offer, `CurrencyMismatch`, `ValidationError` for
    a price that does not recur, and `NotAvailable` for products that do not go together.
    """
    kept = {item.price for item in sub.items}
    new = [each for each in wanted if each.price not in kept]
    found = yield from offered(tuple([each.price for each in new]), on=on, customer=sub.customer)
    offers = {each.price: price for each, price in zip(new, found, strict=True)}
    items = tuple(
        WantedItem(offers[each.price].id, each.quantity, each.item)
        if each.price in offers
        else each
        for each in wanted
    )
    prices: dict[str, Price] = {price.id: price for price in found}
    known = sorted({each.price for each in items} - prices.keys())
    for price in (yield from GetMany(PRICE, tuple(known))):
        prices[price.id] = price
    check_recurring("items", found)
    for price in found:
        if price.currency != sub.currency:
            raise CurrencyMismatch(sub.currency.code, price.currency.code)
    check_threshold(sub.threshold, found)
    check_meters([prices[each.price] for each in items])
    if {each.item for each in items} != {item.number for item in sub.items} or new:
        had = yield from GetMany(PRICE, tuple(sorted(kept)))
        yield from check_together([prices[each.price] for each in items], had=had)
    return items, prices


def change_now(
    moves: Moves,
    wanted: Sequence[WantedItem],
    prices: Mapping[str, Price],
    policy: Proration,
    context: Context,
) -> Flow[None]:
    """Change the items at the time of the work, and bill what is due by that."""
    yield from _change(moves, wanted, prices, policy, context)
    if isinstance(moves.after.contract, Active):
        today = context.today(moves.after.zone)
        yield from bill_due(moves, today, context, by_command=True)


def _change(
    moves: Moves,
    wanted: Sequence[WantedItem],
    prices: Mapping[str, Price],
    policy: Proration,
    context: Context,
    *,
    cause: str = "",
    planned: bool = False,
) -> Flow[None]:
    sub = moves.after
    conditions, changes = yield from conditions_of(
        moves, _measured_items(sub, wanted, prices, context), context, prices=prices, policy=policy
    )
    outcome = lifecycle.change_items(sub, wanted, conditions)
    yield from charge(moves, outcome, policy, context, cause=cause, planned=planned)
    if cause != "phase":
        yield from keep_terms(moves, sub, prices, context)
    if changes:
        moves.add(Decision(changes))


def charge(
    moves: Moves,
    outcome: Outcome,
    policy: Proration,
    context: Context,
    *,
    cause: str = "",
    planned: bool = False,
) -> Flow[None]:
    """Take the outcome of a change: what it costs waits, or is invoiced at once."""
    sub = moves.after
    now = policy.mode is Mode.INVOICE_NOW and isinstance(sub.contract, Active)
    if not now or not outcome.pending or _is_next(sub, outcome, context):
        moves.do(
            ChangeItems(
                outcome.items,
                outcome.debits,
                outcome.pending,
                context.at,
                cause,
                None,
                planned,
                places=outcome.places,
            )
        )
        return
    if planned:
        # What a person asks for now he can look at first; what a run does is looked at here.
        invoicing.check_safe(sub, outcome.pending, context)
    place = yield from invoicing.place_for(
        sub, moves.owner, context, moves.invoices, "change", str(sub.version)
    )
    moves.do(
        ChangeItems(
            outcome.items,
            outcome.debits,
            outcome.pending,
            context.at,
            cause,
            place.invoice,
            planned,
            place.first_line,
            outcome.places,
        )
    )
    # What else is charged now bears the percentages of the period; amounts were given for it.
    parts = lifecycle.parts_off(sub, context.today(sub.zone))
    pending = lifecycle.discounted(outcome.pending, parts, sub.currency)
    method = yield from collection.method_of(moves.owner, context, moves.after)
    issued = yield from invoicing.invoice(place, sub, moves.owner, pending, context, method=method)
    moves.add(issued)


def _is_next(sub: Subscription, outcome: Outcome, context: Context) -> bool:
    """Return whether an invoice follows on this very day: then what it costs goes on that one.

    Who goes over to another interval begins a period at once, and gets one document for both.
    """
    if sub.pause is not None and not sub.pause.invoice:
        return False
    today = context.today(sub.zone)
    return any(item.due_day <= today for item in outcome.items)


def carry_out_planned(moves: Moves, planned: Planned, context: Context) -> Flow[None]:
    """Carry out the first planned change of its cause, with the prices that were agreed on."""
    wanted = planned_items(moves.after, planned)
    if not wanted:
        # All that was to stay is gone since: then nothing is left to change.
        replace_plan(moves, planned)
        return
    ids = {*[each.price for each in wanted], *[item.price for item in moves.after.items]}
    found = yield from GetMany(PRICE, tuple(sorted(ids)))
    prices: dict[str, Price] = {price.id: price for price in found}
    wanted = yield from _that_fit(moves.after, wanted, prices)
    if not wanted:
        replace_plan(moves, planned)
        return
    policy, cause = planned.proration, planned.cause
    yield from _change(moves, wanted, prices, policy, context, cause=cause, planned=True)


def _that_fit(
    sub: Subscription, wanted: tuple[WantedItem, ...], prices: Mapping[str, Price]
) -> Flow[tuple[WantedItem, ...]]:
    """Return what of a plan may still be on the subscription; nothing where products clash by now.

    Add-ons go with what they require: what was there when it was planned may have gone since, and
    what it takes away may have got an add-on since.
    """
    had = [prices[item.price] for item in sub.items]
    ids = sorted({*[prices[each.price].product for each in wanted], *[p.product for p in had]})
    products = {each.id: each for each in (yield from GetMany(PRODUCT, tuple(ids)))}
    before = without_base([products[price.product] for price in had])
    while True:
        after = [products[prices[each.price].product] for each in wanted]
        lost = {each.id for each in without_base(after) if each not in before}
        if not lost:
            break
        wanted = tuple([each for each in wanted if prices[each.price].product not in lost])
    try:
        check_availability(after, had=before)
    except NotAvailable:
        return ()
    return wanted


def replace_plan(moves: Moves, planned: Planned, *instead: Planned) -> None:
    """Have another plan instead of one, or none; others of the same cause stay."""
    cause = planned.cause
    others = [each for each in moves.after.schedule if each.cause == cause and each is not planned]
    kept = [ScheduleChange(each) for each in (*others, *instead)]
    moves.do(WithdrawChanges(cause), *kept)


def planned_items(sub: Subscription, planned: Planned) -> tuple[WantedItem, ...]:
    """Return all items that a subscription is to have once a planned change is carried out."""
    added = [
        (each.price, 1 if each.quantity is None else each.quantity)
        for each in planned.items
        if each.item is None and each.price is not None
    ]
    if planned.whole:
        return continue_items(sub, added)
    edits = {each.item: each for each in planned.items if each.item is not None}
    items: list[WantedItem] = []
    for item in sub.items:
        if item.number in planned.remove:
            continue
        edit = edits.get(item.number, PlannedItem(None, None))
        quantity = item.quantity if edit.quantity is None else edit.quantity
        items.append(WantedItem(edit.price or item.price, quantity, item.number))
    return (*items, *[WantedItem(price, quantity) for price, quantity in added])


def closing_items(sub: Subscription, wanted: Sequence[WantedItem]) -> list[Item]:
    """Return the present items that a change ends, or goes on with otherwise."""
    kept = {each.item: (each.price, each.quantity) for each in wanted}
    return [item for item in sub.items if kept.get(item.number) != (item.price, item.quantity)]


def _measured_items(
    sub: Subscription,
    wanted: Sequence[WantedItem],
    prices: Mapping[str, Price],
    context: Context,
) -> list[Item]:
    """Return the items that a change ends, of which what was used until then is billed with it."""
    after = {each.item: prices.get(each.price) for each in wanted}

    def keeps(item: Item) -> bool:
        price = after.get(item.number)
        return price is not None and lifecycle.keeps_segment(item, price, context.at, sub.zone)

    return [item for item in closing_items(sub, wanted) if not keeps(item)]


def effective_day(
    sub: Subscription,
    wanted: Sequence[WantedItem],
    prices: Mapping[str, Price],
    when: When | date,
    at: datetime,
) -> date | None:
    """Return the day on which a change takes effect; None is at once.

    Raises `ValidationError` for a day in the past.
    """
    today = local_date(at, sub.zone)
    if isinstance(when, date):
        if when < today:
            raise ValidationError("when", when, "today or later")
        return when if when > today else None
    if when is When.NOW or not isinstance(sub.contract, Active):
        return None
    if when is When.AUTO:
        new = lifecycle.yearly_minor([(prices[each.price], each.quantity) for each in wanted])
        old = lifecycle.yearly_minor([(prices[item.price], item.quantity) for item in sub.items])
        if new > old:
            return None
    # A yearly item beside it does not keep a monthly one from changing next month.
    day = lifecycle.end_of_paid_time(sub, at=at, items=closing_items(sub, wanted))
    return day if day > today else None


def plan(
    moves: Moves,
    wanted: Sequence[WantedItem],
    on: date,
    policy: Proration,
    *,
    listed: bool = False,
) -> None:
    """Plan a change for a day to come: what differs now from what is wanted, and nothing else.

    Where all was `listed`, each present item is to be as listed, whatever it is by then.
    """
    sub = moves.after
    if not wanted:
        raise ValidationError("items", (), "at least one price; to end it, cancel")
    now = {item.number: item for item in sub.items}
    numbers = {each.item for each in wanted}
    items: list[PlannedItem] = []
    for each in wanted:
        if each.item is None:
            items.append(PlannedItem(each.price, each.quantity))
            continue
        item = now[each.item]
        price = None if each.price == item.price and not listed else each.price
        quantity = None if each.quantity == item.quantity and not listed else each.quantity
        if price is not None or quantity is not None:
            items.append(PlannedItem(price, quantity, each.item))
    remove = tuple(number for number in now if number not in numbers)
    moves.do(ScheduleChange(Planned(on, tuple(items), policy, remove)))
