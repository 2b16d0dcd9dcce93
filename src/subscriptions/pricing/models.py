"""The models without tiers, free units of any model, and the union of all.

`PerUnit("4.99")` is 4.99 of whichever major unit it meets: models have no currency. A further model
is one more class with a `cost`, one more member of `PriceModel` and one more case in `explain`; the
type checkers ask for both.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TypeAlias

from attrs import evolve, field

from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.money import Currency, Money, Rounding
from subscriptions.pricing.amounts import amount
from subscriptions.pricing.numbers import (
    PICO,
    factor,
    from_picos,
    in_picos,
    read_count,
    read_price,
    read_quantity,
    read_rate,
    read_size,
)
from subscriptions.pricing.tiered import Graduated, GraduatedPercentage, Stairstep, Volume
from subscriptions.pricing.turnover import Events, Terms, percentage_cost


def _read_package_size(size: str | int | Decimal) -> Decimal:
    return read_size(size, "size")


def _read_free(free: str | int | Decimal) -> Decimal:
    return read_quantity(free, "free")


def _read_free_amount(amount: str | int | Decimal) -> Decimal:
    return read_quantity(amount, "free_amount")


def _read_free_events(count: int) -> int:
    return read_count(count, "free_events")


def _read_fixed(fixed: str | int | Decimal) -> Decimal:
    return read_price(fixed, "fixed")


def _read_minimum(minimum: str | int | Decimal | None) -> Decimal | None:
    return None if minimum is None else read_price(minimum, "minimum")


def _read_maximum(maximum: str | int | Decimal | None) -> Decimal | None:
    return None if maximum is None else read_price(maximum, "maximum")


@frozen
class Flat:
    """One amount for the period, whatever the quantity: for 0, 1 and 1000 units alike.

    The amount is a str, int or `Decimal` in major units, at least 0, with up to 12 decimals.
    Raises `ValidationError` for others and `TypeError` for floats.

    >>> Flat("29.00").amount(3, "EUR")
    Money.of("29.00", "EUR")
    """

    price: Decimal = field(converter=read_price)
    price_pico: int = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "price_pico", in_picos(self.price))

    def cost(self, units: int, events: Events | None) -> int:  # noqa: ARG002 - see `amount`
        """Return the exact cost of a quantity in picos, as a number of 10**-24."""
        return self.price_pico * PICO

    def amount(
        self,
        quantity: int | Decimal,
        currency: Currency | str,
        *,
        rounding: Rounding = Rounding.HALF_UP,
    ) -> Money:
        """Return what the quantity costs, with the law and the errors of `amount`."""
        return amount(self, quantity, currency, rounding=rounding)


@frozen
class PerUnit:
    """A price for each unit: quantity times unit price, rounded once.

    The unit price is a str, int or `Decimal` in major units, at least 0, with up to 12 decimals.
    Raises `ValidationError` for others and `TypeError` for floats.

    >>> PerUnit("0.0005").amount(1010, "EUR")
    Money.of("0.51", "EUR")
    """

    unit_price: Decimal = field(converter=read_price)
    unit_price_pico: int = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "unit_price_pico", in_picos(self.unit_price))

    def cost(self, units: int, events: Events | None) -> int:  # noqa: ARG002 - see `amount`
        """Return the exact cost of a quantity in picos, as a number of 10**-24."""
        return self.unit_price_pico * units

    def amount(
        self,
        quantity: int | Decimal,
        currency: Currency | str,
        *,
        rounding: Rounding = Rounding.HALF_UP,
    ) -> Money:
        """Return what the quantity costs, with the law and the errors of `amount`."""
        return amount(self, quantity, currency, rounding=rounding)


@frozen(kw_only=True)
class Package:
    """A price for each package of `size` units beyond the `free` ones; a started one counts whole.

    `size` is above 0, `free` at least 0; the price is read as in `Flat`, with its errors.

    >>> mails = Package(size=100, price="5.00", free=100)
    >>> [str(mails.amount(quantity, "EUR")) for quantity in (100, 101, 201)]
    ['0.00 EUR', '5.00 EUR', '10.00 EUR']
    """

    size: Decimal = field(converter=_read_package_size)
    price: Decimal = field(converter=read_price)
    free: Decimal = field(default=Decimal(0), converter=_read_free)
    size_pico: int = field(init=False, eq=False, repr=False)
    price_pico: int = field(init=False, eq=False, repr=False)
    free_pico: int = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "size_pico", in_picos(self.size))
        object.__setattr__(self, "price_pico", in_picos(self.price))
        object.__setattr__(self, "free_pico", in_picos(self.free))

    def started(self, units: int) -> int:
        """Return how many packages a quantity in picos starts."""
        return max(0, -(-(units - self.free_pico) // self.size_pico))

    def cost(self, units: int, events: Events | None) -> int:  # noqa: ARG002 - see `amount`
        """Return the exact cost of a quantity in picos, as a number of 10**-24."""
        return self.started(units) * self.price_pico * PICO

    def amount(
        self,
        quantity: int | Decimal,
        currency: Currency | str,
        *,
        rounding: Rounding = Rounding.HALF_UP,
    ) -> Money:
        """Return what the quantity costs, with the law and the errors of `amount`."""
        return amount(self, quantity, currency, rounding=rounding)


@frozen
class Percentage:
    """A rate in per cent of a turnover, and a fixed amount for each event that it is made of.

    The quantity is the turnover, in major units of the same currency. `free_amount` of it bears no
    rate, and the first `free_events` events no fixed amount. Where nothing is said of the events,
    the turnover is one event, and 0 is none.

    `minimum` and `maximum` bound what each event costs; an event that costs nothing stays free.
    They need the amount of each event, in the order in which the events came, for the free amount
    is used up by the first of them: two events of 50.00 may cost another sum than one of 100.00.

    Rates are at least 0 and at most 100, with up to 10 decimals; amounts are read as in `Flat`.
    Raises `ValidationError` for others, and for a maximum below the minimum; `TypeError` for
    floats.

    >>> card = Percentage("1.5", fixed="0.30")
    >>> card.amount(200, "EUR"), card.amount(200, "EUR", events=4)
    (Money.of("3.30", "EUR"), Money.of("4.20", "EUR"))
    >>> Percentage("1", minimum="0.50", maximum="2").amount(1010, "EUR", events=[10, 1000])
    Money.of("2.50", "EUR")
    """

    rate: Decimal = field(converter=read_rate)
    fixed: Decimal = field(default=Decimal(0), converter=_read_fixed, kw_only=True)
    free_amount: Decimal = field(default=Decimal(0), converter=_read_free_amount, kw_only=True)
    free_events: int = field(default=0, converter=_read_free_events, kw_only=True)
    minimum: Decimal | None = field(default=None, converter=_read_minimum, kw_only=True)
    maximum: Decimal | None = field(default=None, converter=_read_maximum, kw_only=True)
    terms: Terms = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        low, high = self.minimum, self.maximum
        if low is not None and high is not None and high < low:
            raise ValidationError("maximum", high, f"at least the minimum, {low}")
        terms = Terms(
            in_picos(factor(self.rate)),
            in_picos(self.fixed),
            in_picos(self.free_amount),
            self.free_events,
            None if low is None else in_picos(low),
            None if high is None else in_picos(high),
        )
        object.__setattr__(self, "terms", terms)

    def cost(self, units: int, events: Events | None) -> int:
        """Return the exact cost of a quantity in picos, as a number of 10**-24."""
        return percentage_cost(self.terms, units, events)

    def amount(
        self,
        quantity: int | Decimal,
        currency: Currency | str,
        *,
        events: Events | None = None,
        rounding: Rounding = Rounding.HALF_UP,
    ) -> Money:
        """Return what the turnover costs, with the law and the errors of `amount`."""
        return amount(self, quantity, currency, events=events, rounding=rounding)


@frozen
class FreeUnits:
    """A model for the units beyond the first `free` ones; these cost nothing and fill no tier.

    Law: a quantity costs what `model` asks for the quantity less `free`, or for 0 where that is
    negative. Of a `Percentage` the free units are turnover, and its events are counted as before.
    Raises `ValidationError` for free units of free units: say their sum.

    >>> from subscriptions.pricing import Graduated, Tier
    >>> calls = FreeUnits(1000, Graduated([Tier(up_to=10, unit="1.00"), Tier(unit="0.20")]))
    >>> [str(calls.amount(quantity, "EUR")) for quantity in (1000, 1010, 1011)]
    ['0.00 EUR', '10.00 EUR', '10.20 EUR']
    """

    free: Decimal = field(converter=_read_free)
    model: PriceModel
    free_pico: int = field(init=False, eq=False, repr=False)
    rest: PriceModel = field(init=False, eq=False, repr=False)
    """What is asked for the quantity less `free_pico`."""

    def __attrs_post_init__(self) -> None:
        model, free_pico = self.model, in_picos(self.free)
        if isinstance(model, FreeUnits) or not isinstance(model, PriceModel):
            raise ValidationError("model", model, "a price model that is not FreeUnits itself")
        if isinstance(model, Percentage):
            # Not taken off the turnover here: the amounts of its events would no longer add up.
            model = evolve(model, free_amount=from_picos(free_pico + model.terms.free_amount_pico))
            free_pico = 0
        object.__setattr__(self, "free_pico", free_pico)
        object.__setattr__(self, "rest", model)

    def cost(self, units: int, events: Events | None) -> int:
        """Return the exact cost of a quantity in picos, as a number of 10**-24."""
        return self.rest.cost(max(0, units - self.free_pico), events)

    def amount(
        self,
        quantity: int | Decimal,
        currency: Currency | str,
        *,
        events: Events | None = None,
        rounding: Rounding = Rounding.HALF_UP,
    ) -> Money:
        """Return what the quantity costs, with the law and the errors of `amount`."""
        return amount(self, quantity, currency, events=events, rounding=rounding)


PriceModel: TypeAlias = (
    Flat
    | PerUnit
    | Graduated
    | Volume
    | Stairstep
    | Package
    | Percentage
    | GraduatedPercentage
    | FreeUnits
)


def keeps_earlier(model: PriceModel) -> bool:
    """Return whether units that are billed keep their price, however many come after them.

    Then a period can be billed bit by bit. Where the total decides what each unit costs, or which
    of several amounts is due, what was billed early would be wrong later.

    >>> from subscriptions.pricing import Tier
    >>> tiers = [Tier(up_to=10, unit="1.00"), Tier(unit="0.50")]
    >>> keeps_earlier(Graduated(tiers)), keeps_earlier(Volume(tiers))
    (True, False)
    """
    inner = model.rest if isinstance(model, FreeUnits) else model
    return not isinstance(inner, Volume | Stairstep)
