"""Subscriptions: create, read, change at once or on a day to come, transfer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias, TypeVar

from attrs import frozen

from subscriptions import lifecycle
from subscriptions.alignment import Aligned as Placed
from subscriptions.alignment import Alignment, StartDay, align, shared
from subscriptions.billing_cycles import BillingCycle, Interval
from subscriptions.catalog import PRICE, PRODUCT, Price, check_availability
from subscriptions.contract_terms import Terms
from subscriptions.customers import (
    CUSTOMER,
    CollectionMethod,
    Customer,
    read_collection_method,
    set_billing_anchor,
)
from subscriptions.decisions import Change, Decision
from subscriptions.errors import (
    CurrencyMismatch,
    InvalidTransition,
    UnknownReference,
    ValidationError,
)
from subscriptions.ids import CustomerId, PriceId, SubscriptionId
from subscriptions.invoices import Charge, LineKind
from subscriptions.lifecycle import (
    CATCH_UP_MAX,
    SUBSCRIPTION,
    Active,
    CatchUp,
    FirstStub,
    Item,
    Planned,
    PlannedItem,
    ScheduleChange,
    Scheduled,
    Subscription,
    Transfer,
    TrialEnd,
    WantedItem,
    WithdrawChanges,
)
from subscriptions.money import Money
from subscriptions.payment_methods import PAYMENT_METHOD, PaymentMethod
from subscriptions.pricing import amount_minor, printed_unit_price
from subscriptions.proration import Proration
from subscriptions.records import Metadata, Ref, evolve, plain_date, plain_text
from subscriptions.taxes import TaxTreatment
from subscriptions.usecases import coupons as coupon_cases
from subscriptions.usecases import flows
from subscriptions.usecases.billing_periods import Moves, conditions_of
from subscriptions.usecases.changing import (
    Wanted,
    When,
    change_now,
    charge,
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
    Having,
    Listing,
    Maybe,
    Question,
    one_of,
    only,
)
from subscriptions.usecases.offers import check_meters, check_threshold, offered
from subscriptions.usecases.payment_methods import charge_waiting
from subscriptions.usecases.price_arguments import read_flag
from subscriptions.usecases.redeeming import worth_minor
from subscriptions.usecases.renewals import catch_up_to_date

PAYMENT_WINDOW_HOURS = 23
"""How long a subscription waits for its first payment, if it requires one and says nothing else."""

_YEAR = Interval.years(1)

CUSTOMER_ANCHOR = "customer"
"""Count periods from the day that all subscriptions of the customer share."""

Aligned: TypeAlias = Alignment | str


@frozen
class Phase:
    """What a subscription has for a while, one phase after the other; the last may be endless."""

    items: tuple[Wanted, ...]
    lasts: Interval | None = None


def create(
    customer: str,
    items: Iterable[Wanted] = (),
    *,
    start: date | None = None,
    trial_until: date | None = None,
    trial_end: TrialEnd | str = TrialEnd.BILL,
    anchor: date | None = None,
    align: Aligned | None = None,
    first_stub: FirstStub | str = FirstStub.PRORATED,
    long_stub: bool = False,
    paid_until: date | None = None,
    phases: Iterable[Phase] = (),
    coupons: Iterable[str] = (),
    terms: Terms | None = None,
    require_payment: bool = False,
    payment_window_hours: int = PAYMENT_WINDOW_HOURS,
    threshold: Money | None = None,
    payment_method: str | None = None,
    collection_method: CollectionMethod | str | None = None,
    catch_up: CatchUp | str = CatchUp.EACH,
    catch_up_max: int = CATCH_UP_MAX,
    external_id: str | None = None,
    metadata: dict[str, str] | None = None,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Subscription]:
    """Subscribe a customer to prices, given as ids or as `(id, quantity)`.

    It begins on `start` (default: today in the customer's zone). If that is today, the first period
    is billed in the same commit; what lies in the past is billed by the next run, period by period,
    each with its own dates, and at most `catch_up_max` periods; `catch_up` says how. Prices are
    those on offer on the first day; one that is charged once goes on the first invoice, and so does
    a setup fee. A price that is asked for by the id of one of its versions is the version of that
    day, or the customer's own price.

    With `trial_until` nothing is billed before that day, and periods are counted from it; by
    default the longest trial of the prices, for a customer who has had none of their products.
    `trial_end` says what happens then to a customer who has no way to pay: "bill", "pause" or
    "cancel".

    Periods are counted from the first billed day, or as `align` says: `DayOfMonth(15)`,
    `DayOfWeek(...)`, `DayOfYear(...)`, `Calendar()`, or "customer" for the day that all his
    subscriptions share. A first period that is shorter is "prorated", "free" or "full", as
    `first_stub` says; with `long_stub` it runs to the first such day after a whole interval.

    `phases` are what it has one after the other, instead of `items`; if the last one ends, so does
    the subscription. `coupons` are coupons or promotion codes to redeem. `terms` say when it may
    end. With `require_payment` it counts only once the first invoice is paid, within
    `payment_window_hours`. Usage that comes to `threshold` is billed before its period is over, if
    no price depends on the total of a period, as volume prices do.

    `paid_until` is for a subscription that ran elsewhere: it is active, and the first day to be
    billed is `paid_until`, which must be the first day of a period counted from `anchor`.

    It is paid by `payment_method`, a method of the customer, or else by his default. With
    `collection_method="send_invoice"` nothing is charged: the customer pays by himself, in his
    terms. Its invoices are its own then, though the customer's may be grouped.

    Raises `UnknownReference` for an unknown customer, method, price or coupon, `InvalidTransition`
    for a method that is not usable and a price that is not on offer, `NotAvailable` for products
    that do not go together, `CurrencyMismatch` for prices of two currencies, `ValidationError` for
    a wrong value, `Duplicate` for a taken external id.
    """
    later = _read_phases(phases)
    listed = tuple(items) if not isinstance(items, str) else items
    if later and listed:
        raise ValidationError("items", listed, "nothing where there are phases: they name them")
    wanted = read_wanted(listed if not later else later[0].items)
    ask = _Ask(
        wanted,
        _read_days(start=start, trial_until=trial_until, anchor=anchor, paid_until=paid_until),
        StartDay() if align is None else align,
        _member("first_stub", FirstStub, first_stub),
        long_stub,
        later,
    )
    behavior = {
        "trial_end": _member("trial_end", TrialEnd, trial_end),
        "catch_up": _member("catch_up", CatchUp, catch_up),
        "catch_up_max": _periods_max(catch_up_max),
        "payment_window_hours": _hours(payment_window_hours) if require_payment else None,
        "threshold": threshold,
        "terms": terms,
        "collection_method": (
            None if collection_method is None else read_collection_method(collection_method)
        ),
    }
    codes = tuple([coupons] if isinstance(coupons, str) else coupons)
    if external_id is not None:
        plain_text("external_id", external_id, length_max=100)
    if terms is not None and not isinstance(terms, Terms):
        raise ValidationError("terms", terms, "Terms, such as Terms(Interval.years(1))")
    read_flag("long_stub", long_stub)
    read_flag("require_payment", require_payment)
    facts = (external_id, Metadata(metadata))

    def flow(context: Context) -> Flow[Decision]:
        owner = yield from Maybe(CUSTOMER, customer)
        if owner is None:
            raise UnknownReference("customer", customer)
        zone = owner.zone or context.seller_of(owner).zone
        method = yield from _own_method(payment_method, owner)
        begin = ask.days.get("start") or context.today(zone)
        prices = yield from _offers(ask.wanted, begin, owner.id)
        check_threshold(threshold, prices)
        trial = ask.days.get("trial_until")
        if trial is None and paid_until is None:
            trial = yield from _default_trial(prices, begin, owner)
        first = _first_day(begin, trial, ask.days)
        recurring, once = _sorted(prices, ask.wanted)
        made_items = _items(ask, recurring, first, owner)
        subscription = Subscription(
            SubscriptionId(context.ids.fresh("sub")),
            context.tenant,
            1,
            CustomerId(customer),
            prices[0].currency,
            zone,
            made_items,
            Active(begin) if paid_until is not None else Scheduled(begin, trial),
            external_id=facts[0],
            metadata=facts[1],
            payment_method=None if method is None else method.id,
            start=begin,
            ends_on=_end_of_all(ask, made_items, [price for price, _ in recurring], first),
            **behavior,  # type: ignore[arg-type]  # each checked above
        )
        _check_backlog(subscription, context.today(zone), catch_up_max)
        if once or any(price.setup_minor for price, _ in recurring):
            treatments = {
                price.id: context.tax_for(owner, first, price.tax_category)
                for price, _ in (*recurring, *once)
            }
            pending = _charged_once(subscription, recurring, once, treatments)
            subscription = evolve(subscription, pending=pending)
        made = lifecycle.create(subscription, start=begin)
        moves = Moves(subscription, owner)
        if ask.align == CUSTOMER_ANCHOR and owner.billing_anchor is None:
            moves.add(Decision((set_billing_anchor(owner, first),)))
        yield from _plan_endings(moves, ask, [price for price, _ in recurring], first, context)
        yield from _redeem(moves, codes, recurring, context)
        if subscription.due_day == context.today(zone) and paid_until is None:
            # Begin in the same commit: nobody sees a subscription that should run and does not.
            yield from catch_up_to_date(moves, context)
        return moves.decision(made)

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
    added = read_wanted(add) if (add := tuple(add)) else ()
    removed = _texts("remove", remove)
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
    they are credited. Both as `proration` says; without any, they are free, or lost.

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
        conditions, _ = yield from conditions_of(sub, owner, (), context, policy=policy)
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


def set_catch_up(
    id: str,
    *,
    catch_up: CatchUp | str,
    catch_up_max: int = CATCH_UP_MAX,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Subscription]:
    """Say what happens to periods that nobody billed in time: "each", "together" or "skip".

    It is how a person decides about a subscription that was parked for too many of them; then
    release it.
    """
    policy = _member("catch_up", CatchUp, catch_up)
    _periods_max(catch_up_max)

    def flow(_: Context) -> Flow[Decision]:
        sub = yield from Get(SUBSCRIPTION, id)
        change = lifecycle.decide(sub, lifecycle.SetCatchUp(policy, catch_up_max))
        return Decision((change,), about=Ref(SUBSCRIPTION, id))

    return Command(SUBSCRIPTION, flow, at, idempotency_key)


def set_payment_method(
    id: str,
    method: str | None,
    *,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Subscription]:
    """Let a subscription be paid by a method of its own, or with None by the customer's default.

    What dunning looks after, or it waits for, is charged with it at once. Its invoices are its own
    from then on, though the customer's may be grouped.

    Raises `UnknownReference` for an unknown method, `ValidationError` for one of another customer,
    `InvalidTransition` for one that is not usable, and for a subscription that is over.
    """

    def flow(context: Context) -> Flow[Decision]:
        sub = yield from Get(SUBSCRIPTION, id)
        owner = yield from Get(CUSTOMER, sub.customer)
        chosen = yield from _own_method(method, owner)
        wanted = None if chosen is None else chosen.id
        change = lifecycle.decide(sub, lifecycle.SetPayment(wanted, sub.collection_method))
        changes: tuple[Change, ...] = (change,)
        if chosen is not None:
            after = change.after
            assert isinstance(after, Subscription)
            changes += yield from charge_waiting(chosen, owner, context, after)
        return Decision(changes, about=Ref(SUBSCRIPTION, id))

    return Command(SUBSCRIPTION, flow, at, idempotency_key)


def set_collection_method(
    id: str,
    collection_method: CollectionMethod | str | None,
    *,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Subscription]:
    """Say whether what a subscription costs is charged or sent; with None as the customer's is.

    It counts from the next invoice on, and dunning charges nothing more once it is to be sent.
    Raises `ValidationError` for another word, `InvalidTransition` if it is over.
    """
    how = None if collection_method is None else read_collection_method(collection_method)

    def flow(_: Context) -> Flow[Decision]:
        sub = yield from Get(SUBSCRIPTION, id)
        change = lifecycle.decide(sub, lifecycle.SetPayment(sub.payment_method, how))
        return Decision((change,), about=Ref(SUBSCRIPTION, id))

    return Command(SUBSCRIPTION, flow, at, idempotency_key)


def _own_method(method: str | None, owner: Customer) -> Flow[PaymentMethod | None]:
    """Read the method that a subscription is to be paid by."""
    if method is None:
        return None
    found = yield from Maybe(PAYMENT_METHOD, method)
    if found is None:
        raise UnknownReference("payment_method", method)
    if found.customer != owner.id:
        raise ValidationError("payment_method", method, f"a method of customer {owner.id}")
    if not found.usable:
        raise InvalidTransition(f"payment_method {method}", found.status, "pay")
    return found


# ---- what is asked ----------------------------------------------------------------------------


@frozen
class _Ask:
    wanted: tuple[tuple[str, int | Decimal], ...]
    days: Mapping[str, date]
    align: Aligned
    first_stub: FirstStub
    long_stub: bool
    phases: tuple[Phase, ...]


def _read_phases(phases: Iterable[Phase]) -> tuple[Phase, ...]:
    found = tuple(phases)
    for place, phase in enumerate(found):
        given: object = phase
        if not isinstance(given, Phase):
            raise ValidationError("phases", given, "a Phase, such as Phase((price,), lasts)")
        if phase.lasts is None and place + 1 < len(found):
            raise ValidationError("phases", phase, "how long it lasts, unless it is the last")
    return found


def _read_days(**days: date | None) -> dict[str, date]:
    return {name: plain_date(name, day) for name, day in days.items() if day is not None}


_Choice = TypeVar("_Choice", bound=StrEnum)


def _member(field: str, kind: type[_Choice], value: str) -> _Choice:
    try:
        return kind(value)
    except ValueError:
        words = ", ".join(repr(str(member)) for member in kind)
        raise ValidationError(field, value, f"one of {words}") from None


def _hours(hours: int) -> int:
    if type(hours) is not int or not 1 <= hours <= 24 * 365:
        raise ValidationError("payment_window_hours", hours, "1 hour to a year")
    return hours


def _check_proration(proration: object) -> None:
    if proration is not None and not isinstance(proration, Proration):
        expected = "a Proration, such as Proration(mode='invoice_now')"
        raise ValidationError("proration", proration, expected)


def _periods_max(catch_up_max: int) -> int:
    if type(catch_up_max) is not int or catch_up_max < 1:
        raise ValidationError("catch_up_max", catch_up_max, "a whole number of at least 1")
    return catch_up_max


def _texts(field: str, values: Iterable[str]) -> tuple[str, ...]:
    if isinstance(values, str):
        raise ValidationError(field, values, "a list of price ids, not one text")
    return tuple(values)


def _when(when: When | str | date) -> When | date:
    if isinstance(when, date):
        return plain_date("when", when)
    try:
        return When(when)
    except ValueError:
        raise ValidationError("when", when, "'now', 'period_end', 'auto' or a date") from None


# ---- what is made -----------------------------------------------------------------------------


def _offers(
    wanted: Sequence[tuple[str, int | Decimal]], on: date, customer: str
) -> Flow[tuple[Price, ...]]:
    prices = yield from offered(tuple([id for id, _ in wanted]), on=on, customer=customer)
    for price in prices:
        if price.currency != prices[0].currency:
            raise CurrencyMismatch(prices[0].currency.code, price.currency.code)
    if all(price.every is None for price in prices):
        once = prices[0].id
        raise ValidationError("items", once, "recurring prices; this one is charged once")
    check_meters(prices)
    ids = tuple(sorted({price.product for price in prices}))
    check_availability((yield from GetMany(PRODUCT, ids)))
    return prices


def _sorted(
    prices: Sequence[Price], wanted: Sequence[tuple[str, int | Decimal]]
) -> tuple[list[tuple[Price, int | Decimal]], list[tuple[Price, int | Decimal]]]:
    pairs = [(price, quantity) for price, (_, quantity) in zip(prices, wanted, strict=True)]
    return (
        [pair for pair in pairs if pair[0].every is not None],
        [pair for pair in pairs if pair[0].every is None],
    )


def _default_trial(prices: Sequence[Price], begin: date, owner: Customer) -> Flow[date | None]:
    """Return the end of the longest trial of the prices, if the customer has not had it before."""
    trials = [price for price in prices if price.trial is not None]
    if not trials:
        return None
    earlier = yield from Having(SUBSCRIPTION, "customer", owner.id)
    had = tuple(sorted({item.price for each in earlier for item in each.items}))
    products = {price.product for price in (yield from GetMany(PRICE, had))}
    ends = [
        BillingCycle(begin, price.trial).start(1)
        for price in trials
        if price.trial is not None and price.product not in products
    ]
    return max(ends) if ends else None


def _first_day(begin: date, trial: date | None, days: Mapping[str, date]) -> date:
    paid_until, anchor = days.get("paid_until"), days.get("anchor")
    if trial is not None and paid_until is not None:
        raise ValidationError("trial_until", trial, "no trial where something is paid")
    if trial is not None and trial <= begin:
        raise ValidationError("trial_until", trial, f"after the start, {begin}")
    first = trial or begin
    if anchor is not None and paid_until is None and anchor != first:
        raise ValidationError(
            "anchor", anchor, f"the first billed day, {first}; for another day use align"
        )
    return anchor or paid_until or first


def _items(
    ask: _Ask, recurring: Sequence[tuple[Price, int | Decimal]], first: date, owner: Customer
) -> tuple[Item, ...]:
    items: list[Item] = []
    paid_until = ask.days.get("paid_until")
    for number, (price, quantity) in enumerate(recurring, 1):
        assert price.every is not None
        wanted = WantedItem(PriceId(price.id), quantity)
        if paid_until is not None:
            cycle = _cycle_paid(price.every, first, paid_until)
            items.append(lifecycle.new_item(wanted, price, cycle, number, through=paid_until))
            continue
        aligned = _aligned(ask, first, price.every, owner)
        cycle = aligned.cycle
        through, next_end = first, aligned.stub_end(first)
        is_stub = next_end is not None or cycle.period_containing(first).start != first
        if is_stub and ask.first_stub is FirstStub.FREE:
            through, next_end = aligned.first_end, None
        items.append(
            lifecycle.new_item(
                wanted,
                price,
                cycle,
                number,
                through=through,
                next_end=next_end,
                first_stub=ask.first_stub if is_stub else FirstStub.PRORATED,
            )
        )
    return tuple(items)


def _aligned(ask: _Ask, first: date, every: Interval, owner: Customer) -> Placed:
    if ask.align == CUSTOMER_ANCHOR:
        anchor = owner.billing_anchor or first
        unit = Interval.months(1) if every.step_months else Interval.days(every.step_days)
        return shared(BillingCycle(anchor, unit), first, every, long_stub=ask.long_stub)
    if isinstance(ask.align, str):
        raise ValidationError("align", ask.align, "an alignment such as Calendar(), or 'customer'")
    return align(ask.align, first, every, long_stub=ask.long_stub)


def _cycle_paid(every: Interval, counted_from: date, paid_until: date) -> BillingCycle:
    cycle = BillingCycle(counted_from, every)
    around = cycle.period_containing(paid_until)
    if around.start != paid_until:
        raise ValidationError(
            "paid_until", paid_until, f"the first day of a period: {around.start} or {around.end}"
        )
    return cycle


def _charged_once(
    sub: Subscription,
    recurring: Sequence[tuple[Price, int | Decimal]],
    once: Sequence[tuple[Price, int | Decimal]],
    treatments: Mapping[PriceId, TaxTreatment],
) -> tuple[Charge, ...]:
    """Return what goes on the first invoice beside the first periods."""
    charges = [
        lifecycle.setup_charge(item, price, sub, treatments[price.id])
        for item, (price, _) in zip(sub.items, recurring, strict=True)
        if price.setup_minor
    ]
    for price, quantity in once:
        treatment = treatments[price.id]
        charges.append(
            Charge(
                price.name,
                amount_minor(price.model, quantity, sub.currency.exponent),
                treatment.rate,
                price.tax_behavior,
                quantity,
                printed_unit_price(price.model, quantity),
                price=price.id,
                kind=LineKind.ONE_OFF,
                product=price.product,
                subscription=sub.id,
                more_rates=treatment.more_rates,
                tax_flag=treatment.flag,
            )
        )
    return tuple(charges)


def _end_of_all(
    ask: _Ask, items: Sequence[Item], prices: Sequence[Price], first: date
) -> date | None:
    """Return the day on which the last phase, or the longest of the fixed terms, is over."""
    if ask.phases:
        on = first
        for phase in ask.phases:
            if phase.lasts is None:
                return None
            on = BillingCycle(on, phase.lasts).start(1)
        return on
    ends = _ends_of_terms(items, prices)
    return max(ends.values()) if len(ends) == len(items) else None


def _ends_of_terms(items: Sequence[Item], prices: Sequence[Price]) -> dict[int, date]:
    return {
        item.number: _end_of_term(item, price.term_periods)
        for item, price in zip(items, prices, strict=True)
        if price.term_periods is not None
    }


def _plan_endings(
    moves: Moves, ask: _Ask, prices: Sequence[Price], first: date, context: Context
) -> Flow[None]:
    """Plan the phases to come, and the end of items whose term is over before the others'."""
    sub = moves.after
    on = first
    for place, phase in enumerate(ask.phases):
        if place:
            wanted = read_wanted(phase.items)
            found = yield from _offers(wanted, on, sub.customer)
            check_threshold(sub.threshold, found)
            items = tuple(
                PlannedItem(price.id, quantity)
                for price, (_, quantity) in zip(found, wanted, strict=True)
            )
            planned = Planned(on, items, context.proration, whole=True, cause="phase")
            moves.do(ScheduleChange(planned))
        if phase.lasts is not None:
            on = BillingCycle(on, phase.lasts).start(1)
    if ask.phases:
        return
    for number, day in sorted(_ends_of_terms(sub.items, prices).items(), key=lambda each: each[1]):
        if day != sub.ends_on:
            moves.do(
                ScheduleChange(Planned(day, (), context.proration, remove=(number,), cause="term"))
            )


def _end_of_term(item: Item, periods: int) -> date:
    """Return the day after so many whole periods; a stub before them does not count."""
    start = item.next_period.end if _begins_with_stub(item) else item.through
    return item.cycle.start(item.cycle.index_of(start) + periods)


def _begins_with_stub(item: Item) -> bool:
    period = item.next_period
    return period != item.cycle.period_containing(period.start)


def _redeem(
    moves: Moves,
    codes: Sequence[str],
    recurring: Sequence[tuple[Price, int | Decimal]],
    context: Context,
) -> Flow[None]:
    for code in codes:
        sub = moves.after
        applied, changes = yield from coupon_cases.claim(
            code,
            customer=moves.owner,
            subscription=sub.id,
            currency=sub.currency,
            products=tuple([price.product for price, _ in recurring]),
            amount_minor=worth_minor(recurring, sub.currency),
            applied=sub.discounts,
            context=context,
        )
        moves.do(lifecycle.ApplyCoupon(applied))
        moves.add(Decision(tuple(changes)))


def _check_backlog(subscription: Subscription, today: date, catch_up_max: int) -> None:
    """Refuse a start so long ago that it would bill a flood: a slip in a year costs thousands."""
    for item in subscription.items:
        if item.due_day > today or subscription.catch_up is CatchUp.SKIP:
            continue
        cycle = item.cycle
        missed = cycle.index_of(today) + 1 - cycle.index_of(item.through)
        if missed > catch_up_max:
            expected = f"at most {catch_up_max} periods ago, not {missed}; else raise catch_up_max"
            raise ValidationError("start", item.through, expected)
