"""What the items of a subscription cost for a period: charges, and what may be credited later.

Decided here: the price of a billed period, whole or stub, and what of it is used at a moment. Never
here: which periods are due, discounts' amounts, tax, and what a change does to what was charged.

The price of a stub is cut out of its cycle's period, and what is credited or debited within a
billed period is cut out of that period's price. So the parts of a period add up to it, however
often it is cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

from subscriptions import pricing
from subscriptions.billing_cycles import BillingCycle, Period, first_instant, local_date
from subscriptions.catalog import Price, model_for, phase_for
from subscriptions.coupons import AppliedCoupon
from subscriptions.discounts import Discountable, spread
from subscriptions.frozen import frozen
from subscriptions.ids import CouponId, InvoiceId, PriceId
from subscriptions.invoices import Charge, LineKind, Measured, Part
from subscriptions.lifecycle.items import Debit, FirstStub, Grant, Item, Rest
from subscriptions.lifecycle.stretches import is_free
from subscriptions.lifecycle.subscription import Subscription
from subscriptions.money import Currency
from subscriptions.pricing import Events
from subscriptions.proration import ProrationUnit, between, position
from subscriptions.records import evolve
from subscriptions.taxes import TaxRate, TaxTreatment

_ZERO, _ONE = Fraction(), Fraction(1)


@frozen
class UsageOf:
    """What was used of an item's meter in a segment; `events` as the price model wants them.

    `known` and `known_events` are the part of it that was billed earlier, for late usage; that is
    taxed as on the day on which its own period ended, which is its `treatment`.
    """

    period: Period
    quantity: Decimal
    count: int
    events: Events | None = None
    known: Decimal | None = None
    known_events: Events | None = None
    treatment: TaxTreatment | None = None


def charge_period(
    item: Item,
    price: Price,
    period: Period,
    *,
    rate: TaxRate,
    subscription: Subscription,
    usage: Sequence[UsageOf] = (),
    unit: ProrationUnit = ProrationUnit.DAY,
    treatment: TaxTreatment | None = None,
    until: datetime | None = None,
) -> list[Charge]:
    """Return the charges of an item for a period that is billed whole, or a stub of one.

    A metered item is charged for `usage`: that of the period itself, and late usage of earlier
    ones, which costs what it adds to what was billed for its own period. What was billed ahead is
    taken off, and what is missing to a minimum is a line of its own. A licensed item is one line,
    of what `period_minor` says or a part of it. A stub is cut by days, or by thirtieths where that
    is the `unit`: it begins and ends with a day, so seconds are days. Only in arrears may it begin
    with an instant, the item's `since`, and end with one, `until`, and then seconds are counted.
    With a `treatment` that is how it is taxed, at several rates perhaps, and not the `rate`.
    """
    if treatment is not None:
        rate = treatment.rate
    if item.meter is not None:
        charges = [_used(item, price, used, rate, subscription) for used in usage]
        if item.free and is_free(item, period, subscription.zone):
            # What comes late for others is not free, such as that of a trial before it.
            charges[:1] = [evolve(each, amount_minor=0, unit_price=None) for each in charges[:1]]
            price = evolve(price, minimum_minor=0)
        if price.minimum_minor:
            least = _part_of_cycle(item, period, price.minimum_minor, unit)
            missing = _true_up(item, price, period, rate, charges, part=least)
            charges += [evolve(each, subscription=subscription.id) for each in missing]
    else:
        charges = [_licensed(item, price, period, rate, subscription, unit=unit, until=until)]
    if treatment is not None and (treatment.more_rates or treatment.flag is not None):
        charges = [each.taxed(treatment) for each in charges]
    for place, used in enumerate(usage):
        if used.treatment is not None:
            charges[place] = charges[place].taxed(used.treatment)
    return charges


def _licensed(
    item: Item,
    price: Price,
    period: Period,
    rate: TaxRate,
    subscription: Subscription,
    *,
    unit: ProrationUnit,
    until: datetime | None,
) -> Charge:
    whole_minor = period_minor(price, item.quantity, billed=item.billed)
    zone = subscription.zone
    part = _part_charged(item, period, whole_minor, unit=unit, zone=zone, until=until)
    if part is None:
        amount_minor = whole_minor
        model = model_for(price, item.billed)
        unit_price = pricing.printed_unit_price(model, item.quantity)
        if whole_minor == price.minimum_minor and whole_minor > pricing.amount_minor(
            model, item.quantity, price.currency.exponent
        ):
            # Quantity times unit price would not be what the line comes to.
            unit_price = None
    else:
        amount_minor, unit_price = between(whole_minor, part.begin, part.end), None
    return Charge(
        price.name,
        amount_minor,
        rate,
        price.tax_behavior,
        item.quantity,
        unit_price,
        period,
        item.price,
        LineKind.PERIOD,
        price.product,
        subscription.id,
        item.number,
        part=part,
        phase=phase_for(price, item.billed) if price.introductory else None,
    )


def _part_charged(
    item: Item,
    period: Period,
    whole_minor: int,
    *,
    unit: ProrationUnit,
    zone: str,
    until: datetime | None,
) -> Part | None:
    """Return which part of a whole period is charged, cut by instants where a change cut it so."""
    if unit is not ProrationUnit.SECOND or (item.since is None and until is None):
        return _part_of_cycle(item, period, whole_minor, unit)
    cycle = item.cycle
    index = cycle.index_of(period.start)
    begin = position(cycle, item.since or period.start, unit=unit, zone=zone) - index
    end = position(cycle, until or period.end, unit=unit, zone=zone) - index
    units = units_of(cycle.period(index), unit=unit, zone=zone, cycle=cycle)
    return Part(whole_minor, begin, end, unit, units)


def _part_of_cycle(
    item: Item, period: Period, whole_minor: int, unit: ProrationUnit
) -> Part | None:
    """Return which part of a whole period a stub is; None for a whole one, or a stub in full."""
    cycle = item.cycle
    whole = cycle.period_containing(period.start)
    if period is whole or period == whole:
        return None
    if item.billed == 0 and item.first_stub is FirstStub.FULL:
        return None
    index = cycle.index_of(period.start)
    if unit is ProrationUnit.THIRTIETHS:
        begin = position(cycle, period.start, unit=unit) - index
        end = position(cycle, period.end, unit=unit) - index
        months = cycle.every.step_months
        return Part(whole_minor, begin, end, unit, 30 * months if months else whole.days)
    begin, end = position(cycle, period.start) - index, position(cycle, period.end) - index
    # What is counted are the days of the period that is cut; a stub may cut two of them.
    units = None
    if end <= 1 or end.denominator == 1:
        units = cycle.period(index).days
    elif begin.denominator == 1:
        units = cycle.period(index + int(end)).days
    return Part(whole_minor, begin, end, units=units)


def stub_part(
    item: Item,
    price: Price,
    period: Period,
    *,
    billed: int,
    unit: ProrationUnit = ProrationUnit.DAY,
) -> Part | None:
    """Return which part of a whole period's price a stub costs; None for a whole period.

    Law: it is the part that `price_of_period` is cut by.
    """
    if period.start < item.cycle.anchor:
        return None
    whole_minor = period_minor(price, item.quantity, billed=billed)
    return _part_of_cycle(evolve(item, billed=billed), period, whole_minor, unit)


def _used(
    item: Item, price: Price, used: UsageOf, rate: TaxRate, subscription: Subscription
) -> Charge:
    billed = item.billed
    if used.known is not None and price.introductory:
        billed = billed_before(item, used.period)
    model, exponent = model_for(price, billed), subscription.currency.exponent
    amount_minor = pricing.amount_minor(model, used.quantity, exponent, events=used.events)
    kind, before, before_minor, unit_price = LineKind.USAGE, Decimal(0), 0, None
    if used.known is not None:
        kind, before = LineKind.LATE_USAGE, used.known
        before_minor = pricing.amount_minor(model, before, exponent, events=used.known_events)
    elif item.usage_billed_minor:
        before_minor = item.usage_billed_minor
    else:
        unit_price = pricing.printed_unit_price(model, used.quantity)
    taken_back = used.count - used.events if isinstance(used.events, int) else 0
    return Charge(
        price.name,
        amount_minor - before_minor,
        rate,
        price.tax_behavior,
        used.quantity - before,
        unit_price,
        used.period,
        item.price,
        kind,
        price.product,
        subscription.id,
        item.number,
        usage=Measured(
            item.meter or "",
            used.quantity,
            used.count,
            before,
            before_minor,
            taken_back,
            pricing.event_totals(model, used.quantity, used.events),
        ),
        phase=phase_for(price, billed) if price.introductory else None,
    )


def billed_before(item: Item, period: Period) -> int:
    """Return how many periods of an item were billed before one that was billed already."""
    if period.start < item.cycle.anchor:
        return 0
    since = item.cycle.index_of(item.through) - item.cycle.index_of(period.start)
    return max(0, item.billed - since)


def _true_up(
    item: Item,
    price: Price,
    period: Period,
    rate: TaxRate,
    charges: Sequence[Charge],
    *,
    part: Part | None,
) -> list[Charge]:
    least = price.minimum_minor if part is None else between(part.whole_minor, part.begin, part.end)
    charged = sum([each.amount_minor for each in charges if each.kind is not LineKind.LATE_USAGE])
    missing = least - charged - item.usage_billed_minor
    if missing <= 0:
        return []
    true_up = Charge(
        price.name,
        missing,
        rate,
        price.tax_behavior,
        period=period,
        price=item.price,
        kind=LineKind.TRUE_UP,
        product=price.product,
        item=item.number,
        part=part,
    )
    return [true_up]


def discounted(
    charges: Sequence[Charge], coupons: Sequence[AppliedCoupon], currency: Currency
) -> list[Charge]:
    """Return the charges with their shares of the discounts; without coupons, as they are.

    What is credited or debited for a change has its discounts in it and takes no part.
    """
    if not coupons:
        return list(charges)
    open_lines = [
        Discountable(0 if each.kind in _SETTLED else each.amount_minor, each.product)
        for each in charges
    ]
    shares = spread(open_lines, [each.discount for each in coupons], currency)
    return [
        evolve(charge, discounts=mine) if mine else charge
        for charge, mine in zip(charges, shares, strict=True)
    ]


_SETTLED = frozenset({LineKind.CREDIT, LineKind.DEBIT})


def coupons_used(charges: Sequence[Charge]) -> tuple[CouponId, ...]:
    """Return the coupons that took something off, each once.

    What is credited or debited for a change brings the discounts of its own period along.
    """
    shares = [each.discounts for each in charges if each.discounts and each.kind not in _SETTLED]
    return tuple(dict.fromkeys([share.coupon for each in shares for share in each]))


def after_period(
    coupons: tuple[AppliedCoupon, ...], used: Sequence[CouponId]
) -> tuple[AppliedCoupon, ...]:
    """Return what is left of the coupons of a subscription, after one period for each use."""
    for coupon in used:
        left = [each.after_period() if each.coupon == coupon else each for each in coupons]
        coupons = tuple([each for each in left if each is not None])
    return coupons


def debits_of(
    charges: Sequence[Charge],
    invoice: InvoiceId | None,
    *,
    first_line: int,
    after: date,
    coupons: Sequence[AppliedCoupon] = (),
) -> tuple[Debit, ...]:
    """Return what may be credited later: the charges for periods that end after a day.

    They are the lines of the invoice from a place on; without an invoice, of what is pending.
    `coupons` are those that counted for the period, in the order in which they did.
    """
    return tuple(
        [
            Debit(
                charge.item or 0,
                charge.price or PriceId(""),
                charge.period,
                charge.amount_minor - sum([share.amount_minor for share in charge.discounts])
                if charge.discounts
                else charge.amount_minor,
                charge.rate,
                charge.behavior,
                first_line + place,
                invoice,
                grants=_grants(charge, coupons) if coupons else (),
                unit=ProrationUnit.DAY if charge.part is None else charge.part.unit,
                more_rates=charge.more_rates,
            )
            for place, charge in enumerate(charges)
            if charge.kind is LineKind.PERIOD
            and charge.period is not None
            and charge.period.end > after
        ]
    )


def _grants(charge: Charge, coupons: Sequence[AppliedCoupon]) -> tuple[Grant, ...]:
    """Return what each coupon took off a charge; what comes instead of it may be in its scope."""
    taken = {share.coupon: share.amount_minor for share in charge.discounts}
    left = charge.amount_minor
    grants: list[Grant] = []
    for coupon in coupons:
        amount_minor = taken.get(coupon.coupon, 0)
        grants.append(Grant(coupon, amount_minor, left if coupon.covers(charge.product) else 0))
        left -= amount_minor
    return tuple(grants)


def parts_off(subscription: Subscription, day: date) -> tuple[AppliedCoupon, ...]:
    """Return the percentages that count on a day: for what joins a period that is billed already.

    An amount was given for the period as a whole, and is not given again. Where nothing was billed
    yet, what counts for some periods begins to count with the first that is.
    """
    rests = [rest for place in subscription.places for rest in place.rests]
    charged: tuple[Debit | Rest, ...] = (*subscription.debits, *rests)
    billed = [each for each in charged if day in each.whole]
    if billed:
        parts = [grant.coupon for each in billed for grant in each.grants]
    else:
        parts = [each for each in subscription.discounts if each.periods_left is None]
    return tuple({each.coupon: each for each in parts if each.is_percentage}.values())


def part_used(
    whole: Period,
    at: datetime,
    *,
    unit: ProrationUnit,
    zone: str,
    cycle: BillingCycle,
    day_after: bool = False,
) -> Fraction:
    """Return which part of a billed period is used at an instant, from 0 to 1.

    Counted in days, an instant is the day it is in, which is unused; with `day_after` it is used.
    """
    day = local_date(at, zone)
    if unit is ProrationUnit.SECOND:
        start, end = first_instant(whole.start, zone), first_instant(whole.end, zone)
        used = Fraction(int((at - start).total_seconds()), int((end - start).total_seconds()))
        return min(max(used, _ZERO), _ONE)
    if day_after:
        day = date.fromordinal(day.toordinal() + 1)
    if day <= whole.start:
        return _ZERO
    if day >= whole.end:
        return _ONE
    if unit is ProrationUnit.THIRTIETHS and cycle.anchor <= whole.start:
        begin, end_at = (
            position(cycle, whole.start, unit=unit),
            position(cycle, whole.end, unit=unit),
        )
        return (position(cycle, day, unit=unit) - begin) / (end_at - begin)
    return Fraction((day - whole.start).days, whole.days)


def units_of(whole: Period, *, unit: ProrationUnit, zone: str, cycle: BillingCycle) -> int:
    """Return how many units `part_used` counts in a billed period."""
    if unit is ProrationUnit.SECOND:
        start, end = first_instant(whole.start, zone), first_instant(whole.end, zone)
        return int((end - start).total_seconds())
    months = cycle.every.step_months
    if unit is ProrationUnit.THIRTIETHS and months and cycle.anchor <= whole.start:
        periods = position(cycle, whole.end, unit=unit) - position(cycle, whole.start, unit=unit)
        return int(periods * _THIRTY * months)
    return whole.days


def period_minor(price: Price, quantity: int | Decimal, *, billed: int | None) -> int:
    """Return what a whole period costs of what is not metered, before discounts, in minor units.

    It is what the model says and at least the minimum, in introductory phases as well: the minimum
    is a part of the price of the period, and is cut, given back and discounted with it. `billed` is
    how many periods were billed before it; None is for a period after all introductory ones.

    >>> from subscriptions.pricing import PerUnit
    >>> from subscriptions.testing.builders import a_price
    >>> seats = a_price(model=PerUnit("10.00"), minimum_minor=2500)
    >>> [period_minor(seats, quantity, billed=0) for quantity in (1, 2, 3)]
    [2500, 2500, 3000]
    """
    model = price.model
    if price.introductory and billed is not None:
        model = model_for(price, billed)
    minor = pricing.amount_minor(model, quantity, price.currency.exponent)
    if minor < price.minimum_minor:
        return price.minimum_minor
    return minor


def price_of_period(
    item: Item,
    price: Price,
    period: Period,
    *,
    billed: int,
    unit: ProrationUnit = ProrationUnit.DAY,
) -> int:
    """Return what a licensed item costs for a billed period, before discounts, in minor units.

    `billed` is how many periods at this price were billed before it; a stub is cut by the `unit`.
    """
    whole_minor = period_minor(price, item.quantity, billed=billed)
    cycle = item.cycle
    if period.start < cycle.anchor:
        # The cycle was counted anew since: the period stands for itself.
        return whole_minor
    part = _part_of_cycle(evolve(item, billed=billed), period, whole_minor, unit)
    return whole_minor if part is None else between(whole_minor, part.begin, part.end)


def yearly_minor(items: Sequence[tuple[Price, int | Decimal]]) -> Fraction:
    """Return what items cost in a year at their lasting prices, in minor units, not rounded.

    That tells an upgrade from a downgrade. A year is twelve months or 365 days; usage counts as
    none.
    """
    total = Fraction()
    for price, quantity in items:
        if price.every is None or price.meter is not None:
            continue
        minor = period_minor(price, quantity, billed=None)
        every = price.every
        if every.step_months:
            total += Fraction(minor * _YEAR_MONTHS, every.step_months)
        else:
            total += Fraction(minor * _YEAR_DAYS, every.step_days)
    return total


_YEAR_MONTHS, _YEAR_DAYS, _THIRTY = 12, 365, 30
