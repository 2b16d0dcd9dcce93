"""Migrations: what is asked of one, who is in the cohort, and what it does to a subscription.

Which page of subscriptions comes when, and what is committed together, is decided in the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import cast

from attrs import evolve

from subscriptions import lifecycle, migrations
from subscriptions.billing_cycles import Interval, local_date
from subscriptions.catalog import PRICE, Price
from subscriptions.customers import CUSTOMER, normalized_tags
from subscriptions.decisions import Change, Decision
from subscriptions.errors import (
    CurrencyMismatch,
    InvalidTransition,
    NotAvailable,
    NotFound,
    UnknownReference,
    ValidationError,
)
from subscriptions.frozen import frozen
from subscriptions.ids import PriceId
from subscriptions.lifecycle import (
    SUBSCRIPTION,
    Ended,
    Item,
    Planned,
    ScheduleChange,
    Subscription,
    WithdrawChanges,
)
from subscriptions.migrations import MIGRATION, STATUSES, Migration
from subscriptions.money import Money, round_fraction
from subscriptions.records import Ref, plain_date, plain_text
from subscriptions.usecases import flows
from subscriptions.usecases.billing_periods import Moves
from subscriptions.usecases.flows import (
    Command,
    Context,
    Flow,
    Get,
    GetMany,
    Having,
    Listing,
    Maybe,
    Question,
    one_of,
    only,
)
from subscriptions.usecases.migration_report import MovedItem, RefusedMove
from subscriptions.usecases.offers import chain_of, check_threshold, check_together, overriding
from subscriptions.usecases.planned_changes import announce
from subscriptions.usecases.price_arguments import read_several

RUNNING = tuple(word for word in lifecycle.STATUSES if word not in {"canceled", "expired"})
"""The statuses of subscriptions that may be in a cohort."""

# ---- what is asked ----------------------------------------------------------------------------


@frozen
class Cohort:
    """Who is in it: all who have the price, or of them only these customers, and with these tags.

    Raises `ValidationError` for what is not a list of texts.
    """

    price: str
    to: str
    on: date
    notice: Interval | None
    notice_on: date | None
    customers: tuple[str, ...] | None
    tags: frozenset[str]
    idempotency_key: str | None


def read_cohort(
    price: str,
    to: str,
    *,
    on: date,
    notice: Interval | date | None,
    customers: Iterable[str] | None,
    tags: Iterable[str],
    idempotency_key: str | None,
) -> Cohort:
    """Read what is asked of a migration; raises `ValidationError` for a wrong value."""
    plain_date("on", on)
    given: object = notice
    told = plain_date("notice", given) if isinstance(given, date) else None
    before = given if isinstance(given, Interval) else None
    if given not in (before, told):
        expected = "an Interval, such as Interval.days(30), a day, or None"
        raise ValidationError("notice", given, expected)
    chosen: tuple[str, ...] | None = None
    if customers is not None:
        given = read_several("customers", customers)
        chosen = tuple(dict.fromkeys([plain_text("customers", each) for each in given]))
    words = frozenset(normalized_tags(read_several("tags", tags)))
    return Cohort(price, to, on, before, told, chosen, words, idempotency_key)


@frozen
class Terms:
    """A migration with both of its prices, as every batch of it needs them."""

    migration: Migration
    price: Price
    to: Price
    versions: tuple[Price, ...]
    """All versions of the price that it goes over to."""
    tags: frozenset[str]


def terms_of(cohort: Cohort, context: Context, *, again: bool = False) -> Flow[Terms]:
    """Read and check what a migration is about; `again` is for one that was planned as asked.

    Raises `UnknownReference` for an unknown price, `InvalidTransition` for a price that is not on
    offer on the day, `CurrencyMismatch`, and `ValidationError` for prices that do not recur alike,
    for one that is somebody else's, and for a day that is over.
    """
    old = yield from _price("price", cohort.price)
    new = yield from _price("to", cohort.to)
    if old.every is None:
        raise ValidationError("price", old.id, "a recurring price; this one is charged once")
    if new.id == old.id:
        raise ValidationError("to", new.id, "another price than the one it goes over from")
    if new.currency != old.currency:
        raise CurrencyMismatch(old.currency.code, new.currency.code)
    if new.every != old.every:
        recurs = "is charged once" if new.every is None else f"recurs every {new.every}"
        expected = f"a price that recurs every {old.every}; this one {recurs}"
        raise ValidationError("to", new.id, expected)
    if not again:
        _check_offered(new, cohort.on)
    if new.customer is not None and new.customer != old.customer:
        only_his = cohort.customers is not None and set(cohort.customers) == {new.customer}
        if not only_his:
            expected = f"a price for all, or customers=[{new.customer!r}], whose own it is"
            raise ValidationError("to", new.id, expected)
    id = migrations.migration_id(context.tenant, old.id, new.id, cohort.on)
    stored = yield from Maybe(MIGRATION, id)
    if stored is None and cohort.on < context.today():
        raise ValidationError("on", cohort.on, "today or later")
    if stored is None and cohort.notice_on is not None and cohort.notice_on < context.today():
        raise ValidationError("notice", cohort.notice_on, "today or later")
    wanted = Migration(
        id,
        context.tenant,
        1,
        old.id,
        new.id,
        cohort.on,
        cohort.notice,
        notice_on=cohort.notice_on,
    )
    if not again:
        migrations.begin(stored, wanted)
    return Terms(wanted, old, new, (yield from chain_of(new)), cohort.tags)


def check_customers(ids: tuple[str, ...]) -> Flow[None]:
    """Raise `UnknownReference` for a customer that does not exist."""
    try:
        yield from GetMany(CUSTOMER, ids)
    except NotFound as error:
        raise UnknownReference("customers", error.id) from error


def _price(field: str, id: str) -> Flow[Price]:
    found = yield from Maybe(PRICE, id)
    if found is None:
        raise UnknownReference(field, id)
    return found


def _check_offered(price: Price, on: date) -> None:
    state = ""
    if price.archived:
        state = "archived"
    elif price.superseded_on is not None and price.superseded_on <= on:
        state = f"superseded by {price.superseded_by} since {price.superseded_on}"
    elif price.valid_from is not None and price.valid_from > on:
        state = f"offered from {price.valid_from} on"
    if state:
        raise InvalidTransition(f"price {price.id}", state, "migrate")


# ---- what it does to one subscription ---------------------------------------------------------


@frozen
class Moving:
    """What a migration does to one subscription: what is to be committed, and what is reported."""

    decision: Decision = Decision()
    rows: tuple[MovedItem, ...] = ()
    refused: tuple[RefusedMove, ...] = ()
    elsewhere: int = 0


def concerns(sub: Subscription, price: str) -> bool:
    """Return whether a subscription runs, or will, and has an item of a price."""
    return not isinstance(sub.contract, Ended) and any(item.price == price for item in sub.items)


def planning(id: str, terms: Terms, context: Context) -> Flow[Moving]:
    """Plan a move for each item of a subscription that has the price; those that are planned stay.

    A customer who has a price of his own instead of the new one gets that.
    """
    sub = yield from Get(SUBSCRIPTION, id)
    if not concerns(sub, terms.price.id):
        return Moving()
    owner = yield from Get(CUSTOMER, sub.customer)
    if terms.tags and not terms.tags.intersection(owner.tags):
        return Moving()
    to = yield from _offer(sub, terms)
    moves = Moves(sub, owner)
    rows: list[MovedItem] = []
    elsewhere = 0
    for item in sub.items:
        if item.price != terms.price.id or item.price == to.id:
            continue
        planned = _planned_move(sub, item)
        known = planned is not None
        if planned is None:
            why = yield from _unfit(sub, item, terms.price, to)
            if why:
                return Moving(refused=(RefusedMove(sub.customer, sub.id, why),))
            today = local_date(context.at, sub.zone)
            planned = migrations.plan_for(item, to, migration=terms.migration, today=today)
            yield from _plan(moves, planned, today)
        elif planned.cause != terms.migration.id:
            elsewhere += 1
            continue
        rows.append(_row(sub, item, planned, terms.price, to, known=known))
    decision = moves.decision()
    return Moving(decision, tuple(rows), elsewhere=elsewhere)


def _plan(moves: Moves, planned: Planned, today: date) -> Flow[None]:
    if planned.announce_on is not None and planned.announce_on > today:
        moves.do(ScheduleChange(planned))
        return
    told = evolve(planned, announce_on=None)
    moves.do(ScheduleChange(told))
    yield from announce(moves, told)


def _planned_move(sub: Subscription, item: Item) -> Planned | None:
    """Return the plan by which an item leaves its price at a renewal, if there is one."""
    for planned in sub.schedule:
        if lifecycle.moved_item(sub, planned) is item:
            return planned
    return None


def _offer(sub: Subscription, terms: Terms) -> Flow[Price]:
    if terms.to.customer is not None or terms.price.customer is not None:
        return terms.to
    private = yield from Having(PRICE, "customer", sub.customer)
    on_offer = [price for price in private if not price.archived]
    own = overriding(terms.versions, on_offer)
    return own[-1] if own else terms.to


def _unfit(sub: Subscription, item: Item, old: Price, to: Price) -> Flow[str]:
    """Return why a subscription cannot have the price; an empty text if it can."""
    try:
        check_threshold(sub.threshold, (to,))
        if to.product == old.product:
            return ""
        others = tuple([each.price for each in sub.items if each is not item])
        prices = yield from GetMany(PRICE, others)
        yield from check_together([to, *prices], had=[old, *prices])
    except (NotAvailable, ValidationError) as error:
        return str(error)
    return ""


def _row(
    sub: Subscription, item: Item, planned: Planned, old: Price, to: Price, *, known: bool
) -> MovedItem:
    before, after = lifecycle.costs_around(item, old, to, on=planned.on)
    return MovedItem(
        sub.customer,
        sub.id,
        item.number,
        item.quantity,
        cast("PriceId", planned.items[0].price),
        planned.on,
        planned.announce_on,
        before,
        after,
        _year(old, item.quantity),
        _year(to, item.quantity),
        _leaves_on(sub, item, planned.on),
        known,
    )


def _leaves_on(sub: Subscription, item: Item, moves_on: date) -> date | None:
    """Return the day on which an item is over, or has another price, if it will not be moved.

    It is over by a cancellation, at the end of a term, or by what is planned.
    """
    days = [] if sub.known_end is None else [sub.known_end]
    for planned in sub.schedule:
        kept = planned.whole and any(each.price == item.price for each in planned.items)
        edits = {each.price for each in planned.items if each.item == item.number}
        replaced = bool(edits - {None, item.price}) and not lifecycle.is_move(planned)
        if item.number in planned.remove or replaced or (planned.whole and not kept):
            days.append(planned.on)
    return min([day for day in days if day <= moves_on], default=None)


def _year(price: Price, quantity: int | Decimal) -> Money | None:
    cost = lifecycle.cost_of_period(price, quantity, billed=None)
    if cost is None:
        return None
    assert price.every is not None
    times, of = 12, price.every.step_months
    if not of:
        times, of = 365, price.every.step_days
    return Money(round_fraction(cost.minor * times, of), cost.currency)


def undoing(
    id: str, *, at: datetime | None = None, idempotency_key: str | None = None
) -> Command[Migration]:
    """Finish undoing a migration, once nothing is planned by it any more."""
    return _last_step(id, migrations.finish_undoing, at, idempotency_key)


def finishing(id: str, *, at: datetime, idempotency_key: str | None) -> Command[Migration]:
    """Finish a migration, once all is planned."""
    return _last_step(id, migrations.finish, at, idempotency_key)


def _last_step(
    id: str,
    finish: Callable[[Migration], Change],
    at: datetime | None,
    idempotency_key: str | None,
) -> Command[Migration]:
    def flow(_: Context) -> Flow[Decision]:
        change = finish((yield from Get(MIGRATION, id)))
        return Decision((change,), about=Ref(MIGRATION, id))

    return Command(MIGRATION, flow, at, idempotency_key)


def withdrawing(id: str, cause: str) -> Flow[Moving]:
    """Withdraw what a migration planned for a subscription and has not taken effect."""
    sub = yield from Get(SUBSCRIPTION, id)
    if not is_planned(sub, cause):
        return Moving()
    change = lifecycle.decide(sub, WithdrawChanges(cause))
    return Moving(Decision((change,)))


def is_planned(sub: Subscription, cause: str) -> bool:
    """Return whether something of a cause is planned for a subscription."""
    return any(planned.cause == cause for planned in sub.schedule)


def plans_of(sub: Subscription, cause: str) -> int:
    """Return how many plans of a cause a subscription has."""
    return sum(planned.cause == cause for planned in sub.schedule)


# ---- questions --------------------------------------------------------------------------------


def get(id: str) -> Question[Migration]:
    """Return a migration; raises `NotFound` if there is none with this id."""
    return flows.get(MIGRATION, id)


def list_(
    *,
    price: str | None = None,
    status: str | None = None,
    limit: int = 100,
    after: str | None = None,
) -> Listing[Migration]:
    """List migrations in the order they were made: away from one price, of one status, or all.

    A status is "planning", "planned", "undoing" or "undone".
    """
    word = one_of("status", status, STATUSES.values())
    return Listing(MIGRATION, only(price=price, status=word), limit=limit, after=after)
