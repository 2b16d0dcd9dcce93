"""The arithmetic behind a line: from the price and the part of the period to the net amount.

Decided here: what a line and its price prove, and that nothing else is said. Never here: an amount
(a line's is frozen), or a text for people.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import reduce
from math import ceil, floor

from subscriptions import pricing
from subscriptions.billing_cycles import Period
from subscriptions.catalog import Price
from subscriptions.discounts import DiscountShare
from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.invoices.lines import Line, LineKind, LineRef, Measured, Part
from subscriptions.money import Currency, Money, round_fraction
from subscriptions.pricing import Events, EventTotals, PartKind, PricePart
from subscriptions.pricing.numbers import EXACT
from subscriptions.proration import ProrationUnit
from subscriptions.taxes import TaxBehavior, TaxRate


@frozen
class Priced:
    """What a quantity costs: parts whose exact sum is rounded once.

    Where a period costs the minimum of its price, what is missing to it is the last part.

    Law: `exact_minor + rounding_minor` is `amount_minor`, and the amounts of the parts, in major
    units, add up to `exact_minor`.
    """

    quantity: int | Decimal
    parts: tuple[PricePart, ...]
    exact_minor: Fraction
    amount_minor: int

    @property
    def rounding_minor(self) -> Fraction:
        """What the rounding added, at most half a minor unit."""
        return self.amount_minor - self.exact_minor

    @property
    def exact(self) -> Decimal:
        """What the parts come to, in major units, before it is rounded."""
        return reduce(EXACT.add, [part.amount for part in self.parts])


@frozen
class Portion:
    """Which part of a whole amount is charged: how it is counted, and where it is rounded.

    It is `periods` whole ones and `numerator` of the `denominator` units of the period that is cut.
    `unit` is None where no one number of units says it; the fraction is in lowest terms then.

    Law: the amount is the whole up to `end` less the whole up to `begin`, each rounded to a minor
    unit, half away from zero. So all parts of a period add up to the whole.
    """

    whole_minor: int
    begin: Fraction
    end: Fraction
    periods: int
    numerator: int
    denominator: int
    unit: ProrationUnit | None

    @property
    def fraction(self) -> Fraction:
        """How much of the whole it is: `periods + numerator / denominator`."""
        return self.end - self.begin

    @property
    def until_begin_minor(self) -> int:
        """The whole up to where the part begins, rounded."""
        return _rounded(self.whole_minor * self.begin)

    @property
    def until_end_minor(self) -> int:
        """The whole up to where the part ends, rounded."""
        return _rounded(self.whole_minor * self.end)

    @property
    def amount_minor(self) -> int:
        """What the part costs: the one cut less the other."""
        return self.until_end_minor - self.until_begin_minor

    @property
    def exact_minor(self) -> Fraction:
        """What it would cost without rounding."""
        return self.whole_minor * self.fraction

    @property
    def rounding_minor(self) -> Fraction:
        """What the two roundings added, less than or equal to one minor unit."""
        return self.amount_minor - self.exact_minor


class DeductionReason(StrEnum):
    """Why a line is for less than its quantity, or its part of the period, would cost."""

    BILLED_EARLIER = "billed_earlier"
    """Usage of the period was billed before: the line is for the rest."""
    REACHED = "reached"
    """So much of the minimum was reached by what was charged."""
    NOT_PAID = "not_paid"
    """No more is given back than was paid; the deduction of a credit is negative."""


@frozen
class Deduction:
    """What is taken off before discounts, and why."""

    reason: DeductionReason
    amount_minor: int


@frozen
class Explanation:
    """How the amount of a line comes about, in minor units of `currency`.

    `whole_minor` is what the quantity costs for a whole period (of a credit: what was charged, of a
    true-up: the minimum), `priced` how that comes about, `portion` which part of it is charged.

    Laws: `priced.amount_minor`, where there is one, is `whole_minor`; the portion's amount, or
    without one the whole, less the `deduction` is `amount_minor`; that less the `discounts` is
    `taxable_minor`, and without the tax that it contains `net_minor`.

    What the line does not prove is None, which means unknown: `priced` where the price is not
    given, or does not come to the whole; `portion` where it does not come to the amount.
    """

    kind: LineKind
    description: str
    currency: Currency
    period: Period | None
    quantity: int | Decimal
    unit_price: Decimal | None
    whole_minor: int
    priced: Priced | None
    portion: Portion | None
    deduction: Deduction | None
    amount_minor: int
    discounts: tuple[DiscountShare, ...]
    rate: TaxRate
    behavior: TaxBehavior
    net_minor: int
    usage: Measured | None = None
    """Which meter counted what, of how many events, and what of it was billed earlier."""
    credits: LineRef | None = None
    """The line of which a credit gives back a part."""
    credited_number: str | None = None
    """The number of that line's invoice, if it was given."""
    more_rates: tuple[TaxRate, ...] = ()
    """The taxes on the same net besides `rate`."""

    @property
    def amount(self) -> Money:
        """The line's amount before discounts, net or gross as `behavior` says."""
        return Money(self.amount_minor, self.currency)

    @property
    def discount_minor(self) -> int:
        """The sum of the shares of the discounts."""
        return sum([share.amount_minor for share in self.discounts])

    @property
    def taxable_minor(self) -> int:
        """What is left after the discounts."""
        return self.amount_minor - self.discount_minor

    @property
    def tax_inside_minor(self) -> int:
        """The tax that the amount contains; 0 where tax is added to the document's net."""
        return self.taxable_minor - self.net_minor

    @property
    def net(self) -> Money:
        """What the line adds to the document's net."""
        return Money(self.net_minor, self.currency)


def explain(
    line: Line,
    *,
    price: Price | None = None,
    events: Events | None = None,
    credited_number: str | None = None,
) -> Explanation:
    """Return how the amount of a line comes about; what is not certain is left out.

    `price` is the price that the line names: without it the parts of the price are unknown, unless
    the line prints a unit price. `events` are the amounts of the events behind a line for usage, by
    default what the line says of them. `credited_number` is the number of the credited invoice.

    Raises `ValidationError` for a price that is not the line's.

    >>> from datetime import date
    >>> from subscriptions.money import EUR
    >>> line = Line(
    ...     "Pro", 1, None, 1864, 1864, EUR, TaxRate(19), TaxBehavior.EXCLUSIVE,
    ...     Period(date(2027, 2, 10), date(2027, 2, 28)), None, LineKind.DEBIT,
    ...     part=Part(2900, Fraction(10, 28), Fraction(1), units=28),
    ... )
    >>> part = explain(line).portion
    >>> part.numerator, part.denominator, part.until_end_minor, part.until_begin_minor
    (18, 28, 2900, 1036)
    """
    if price is not None and price.id != line.price:
        raise ValidationError("price", price.id, f"the price of the line, {line.price}")
    portion = None if line.part is None else _portion(line.part)
    whole_minor = _whole_minor(line, price)
    base_minor = whole_minor if portion is None else portion.amount_minor
    deduction = _deduction(line, base_minor - line.amount_minor)
    if base_minor - line.amount_minor != (0 if deduction is None else deduction.amount_minor):
        portion, deduction, whole_minor = None, None, line.amount_minor
    return Explanation(
        line.kind,
        line.description,
        line.currency,
        line.period,
        line.quantity,
        line.unit_price,
        whole_minor,
        _priced(line, price, events, whole_minor),
        portion,
        deduction,
        line.amount_minor,
        line.discounts,
        line.rate,
        line.behavior,
        line.net_minor,
        line.usage,
        line.credits,
        credited_number,
        line.more_rates,
    )


def _whole_minor(line: Line, price: Price | None) -> int:
    if line.part is not None:
        return line.part.whole_minor
    if line.kind is LineKind.TRUE_UP and price is not None:
        return price.minimum_minor
    return line.amount_minor + (0 if line.usage is None else line.usage.before_minor)


def _deduction(line: Line, missing_minor: int) -> Deduction | None:
    """Return what explains that a line is for less; None if nothing does, or need be."""
    if line.usage is not None:
        before_minor = line.usage.before_minor
        return Deduction(DeductionReason.BILLED_EARLIER, before_minor) if before_minor else None
    if line.kind is LineKind.TRUE_UP and missing_minor > 0:
        return Deduction(DeductionReason.REACHED, missing_minor)
    if line.kind is LineKind.CREDIT and missing_minor < 0:
        return Deduction(DeductionReason.NOT_PAID, missing_minor)
    return None


def _portion(part: Part) -> Portion:
    periods = max(0, floor(part.end) - ceil(part.begin))
    rest = part.fraction - periods
    if periods == 1 and not rest:
        periods, rest = 0, Fraction(1)
    units = part.units
    if units is not None and not (part.begin * units % 1 or rest * units % 1):
        counted = int(rest * units)
        return Portion(part.whole_minor, part.begin, part.end, periods, counted, units, part.unit)
    return Portion(
        part.whole_minor, part.begin, part.end, periods, rest.numerator, rest.denominator, None
    )


_PRICED_BY_MODEL = frozenset(
    {LineKind.PERIOD, LineKind.DEBIT, LineKind.USAGE, LineKind.LATE_USAGE, LineKind.ONE_OFF}
)


def _priced(
    line: Line, price: Price | None, events: Events | None, whole_minor: int
) -> Priced | None:
    """Return the arithmetic that comes to the whole; None if neither price nor line has one."""
    usage = line.usage
    quantity = line.quantity if usage is None else usage.quantity
    if price is not None and line.kind in _PRICED_BY_MODEL:
        seen: Events | EventTotals | None = events
        if seen is None and usage is not None:
            seen = usage.totals or usage.events - usage.taken_back
        priced = _by_model(price, line.phase, quantity, seen, line.currency)
        if priced is not None and price.meter is None and whole_minor == price.minimum_minor:
            priced = _at_least(whole_minor, priced, line.currency)
        if priced is not None and priced.amount_minor == whole_minor:
            return priced
    if line.unit_price is not None:
        amount = EXACT.multiply(Decimal(quantity), line.unit_price)
        part = PricePart(Decimal(quantity), line.unit_price, amount)
        priced = _of_parts(quantity, (part,), line.currency)
        if priced.amount_minor == whole_minor:
            return priced
    return None


def _by_model(
    price: Price,
    phase: int | None,
    quantity: int | Decimal,
    events: Events | EventTotals | None,
    currency: Currency,
) -> Priced | None:
    if phase is not None and phase >= len(price.introductory):
        return None
    model = price.model if phase is None else price.introductory[phase].model
    try:
        parts = pricing.explain(model, quantity, events=events)
    except ValidationError:
        # No quantity of this price, or one of which the amount of each event is not known.
        return None
    return _of_parts(quantity, parts, currency)


def _at_least(minimum_minor: int, priced: Priced, currency: Currency) -> Priced:
    """Return a price with what is missing to a minimum, counted from before the rounding."""
    if priced.amount_minor >= minimum_minor:
        return priced
    least = EXACT.scaleb(Decimal(minimum_minor), -currency.exponent)
    missing = EXACT.subtract(least, priced.exact)
    last = PricePart(Decimal(1), missing, missing, PartKind.UP_TO_MINIMUM)
    return _of_parts(priced.quantity, (*priced.parts, last), currency)


def _of_parts(quantity: int | Decimal, parts: tuple[PricePart, ...], currency: Currency) -> Priced:
    exact_minor = sum([Fraction(part.amount) for part in parts], Fraction()) * 10**currency.exponent
    return Priced(quantity, parts, exact_minor, _rounded(exact_minor))


def _rounded(minor: Fraction) -> int:
    return round_fraction(minor.numerator, minor.denominator)
