"""Subscribing: a customer gets prices, from a day on, with all that was agreed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

from subscriptions import lifecycle
from subscriptions.alignment import StartDay
from subscriptions.billing_cycles import BillingCycle
from subscriptions.catalog import Price
from subscriptions.contract_terms import Terms
from subscriptions.customers import (
    CUSTOMER,
    CollectionMethod,
    read_collection_method,
    set_billing_anchor,
)
from subscriptions.decisions import Decision
from subscriptions.errors import CurrencyMismatch, UnknownReference, ValidationError
from subscriptions.ids import CustomerId, PriceId, SubscriptionId
from subscriptions.invoices import Charge
from subscriptions.lifecycle import (
    CATCH_UP_MAX,
    SUBSCRIPTION,
    Active,
    CatchUp,
    FirstStub,
    Phase,
    Planned,
    PlannedItem,
    ScheduleChange,
    Scheduled,
    Subscription,
    TrialEnd,
    Wanted,
)
from subscriptions.money import Money
from subscriptions.records import Metadata, evolve, plain_date, plain_text
from subscriptions.taxes import TaxTreatment
from subscriptions.usecases import coupons as coupon_cases
from subscriptions.usecases import one_off
from subscriptions.usecases.billing_periods import Moves
from subscriptions.usecases.changing import check_list, read_wanted
from subscriptions.usecases.first_periods import (
    CUSTOMER_ANCHOR,
    Aligned,
    Asked,
    check_backlog,
    default_trial,
    end_of_phases,
    first_day,
    first_items,
)
from subscriptions.usecases.fixed_terms import ends_of_terms, last_end, plan_ends
from subscriptions.usecases.flows import Command, Context, Flow, Maybe
from subscriptions.usecases.offers import (
    check_meters,
    check_recurring,
    check_threshold,
    check_together,
    offered,
)
from subscriptions.usecases.price_arguments import read_flag
from subscriptions.usecases.redeeming import worth_minor
from subscriptions.usecases.renewals import catch_up_to_date
from subscriptions.usecases.subscription_settings import own_method, read_choice, read_periods_max

PAYMENT_WINDOW_HOURS = 23
"""How long a subscription waits for its first payment, if it requires one and says nothing else."""


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
    `first_stub` says; what is used in a free one is free, too. With `long_stub` it runs to the
    first such day after a whole interval.

    `phases` are what it has one after the other, instead of `items`; if the last one ends, so does
    the subscription. `coupons` are coupons or promotion codes to redeem. `terms` say when it may
    end. With `require_payment` it counts only once the first invoice is paid, within
    `payment_window_hours`. Usage that comes to `threshold` is billed before its period is over, if
    no price depends on the total of a period, as volume prices do: when it is recorded, and for a
    level that is held, which comes to more by time, at a look every day.

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
    check_list("items", items)
    listed = tuple(items)
    if later and listed:
        raise ValidationError("items", listed, "nothing where there are phases: they name them")
    wanted = read_wanted(listed if not later else later[0].items)
    ask = Asked(
        wanted,
        _read_days(start=start, trial_until=trial_until, anchor=anchor, paid_until=paid_until),
        StartDay() if align is None else align,
        read_choice("first_stub", FirstStub, first_stub),
        long_stub,
        later,
    )
    behavior = {
        "trial_end": read_choice("trial_end", TrialEnd, trial_end),
        "catch_up": read_choice("catch_up", CatchUp, catch_up),
        "catch_up_max": read_periods_max(catch_up_max),
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
        method = yield from own_method(payment_method, owner)
        begin = ask.days.get("start") or context.today(zone)
        prices = yield from _offers(ask.wanted, begin, owner.id)
        check_threshold(threshold, prices)
        trial = ask.days.get("trial_until")
        if trial is None and paid_until is None:
            trial = yield from default_trial(prices, begin, owner)
        first = first_day(begin, trial, ask.days)
        recurring, once = _sorted(prices, ask.wanted)
        made_items = first_items(ask, recurring, first, owner, zone)
        ends: dict[int, date] = {}
        if not ask.phases:
            ends = yield from ends_of_terms(made_items, [price for price, _ in recurring])
        subscription = Subscription(
            SubscriptionId(context.ids.fresh("sub")),
            context.tenant,
            1,
            CustomerId(customer),
            prices[0].currency,
            zone,
            made_items,
            # What ran elsewhere has run since its periods are counted, at the latest.
            Active(min(begin, first)) if paid_until is not None else Scheduled(begin, trial),
            external_id=facts[0],
            metadata=facts[1],
            payment_method=None if method is None else method.id,
            start=begin,
            ends_on=end_of_phases(ask, first) if ask.phases else last_end(ends, made_items),
            **behavior,  # type: ignore[arg-type]  # each checked above
        )
        check_backlog(subscription, context.today(zone), catch_up_max)
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
        yield from _plan_phases(moves, ask, first, context)
        plan_ends(moves, ends, context.proration)
        yield from _redeem(moves, codes, recurring, context)
        if subscription.due_day == context.today(zone) and paid_until is None:
            # Begin in the same commit: nobody sees a subscription that should run and does not.
            yield from catch_up_to_date(moves, context)
        return moves.decision(made)

    return Command(SUBSCRIPTION, flow, at, idempotency_key)


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


def _hours(hours: int) -> int:
    if type(hours) is not int or not 1 <= hours <= 24 * 365:
        raise ValidationError("payment_window_hours", hours, "1 hour to a year")
    return hours


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
    yield from check_together(prices)
    return prices


def _sorted(
    prices: Sequence[Price], wanted: Sequence[tuple[str, int | Decimal]]
) -> tuple[list[tuple[Price, int | Decimal]], list[tuple[Price, int | Decimal]]]:
    pairs = [(price, quantity) for price, (_, quantity) in zip(prices, wanted, strict=True)]
    return (
        [pair for pair in pairs if pair[0].every is not None],
        [pair for pair in pairs if pair[0].every is None],
    )


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
    charges += [
        one_off.charge_of(price, quantity, treatments[price.id], sub.id) for price, quantity in once
    ]
    return tuple(charges)


def _plan_phases(moves: Moves, ask: Asked, first: date, context: Context) -> Flow[None]:
    """Plan the phases to come."""
    sub = moves.after
    on = first
    for place, phase in enumerate(ask.phases):
        if place:
            wanted = read_wanted(phase.items)
            found = yield from _offers(wanted, on, sub.customer)
            check_threshold(sub.threshold, found)
            check_recurring("phases", found)
            items = tuple(
                PlannedItem(price.id, quantity)
                for price, (_, quantity) in zip(found, wanted, strict=True)
            )
            planned = Planned(on, items, context.proration, whole=True, cause="phase")
            moves.do(ScheduleChange(planned))
        if phase.lasts is not None:
            on = BillingCycle(on, phase.lasts).start(1)


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
            amount_minor=worth_minor(recurring),
            applied=sub.discounts,
            context=context,
        )
        moves.do(lifecycle.ApplyCoupon(applied))
        moves.add(Decision(tuple(changes)))
