"""The models with tiers: by unit, by the tier reached, by turnover.

Decided here: what each makes of its tiers. Which lists of tiers are prices at all, and how they are
prepared, is decided in `tiers`.
"""

from __future__ import annotations

from decimal import Decimal

from attrs import Attribute, field

from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.money import Currency, Money, Rounding
from subscriptions.pricing.amounts import amount
from subscriptions.pricing.tiers import (
    Curve,
    RateTier,
    Step,
    Tier,
    graduated_curve,
    read_rate_tiers,
    read_steps,
    read_tiers,
    step_curve,
    volume_curve,
)
from subscriptions.pricing.turnover import Events


def _check_truth(_: object, attribute: Attribute[bool], value: object) -> None:
    if not isinstance(value, bool):
        raise ValidationError(attribute.name, value, "True or False")


@frozen
class Graduated:
    """Each unit costs what its own tier says, and each tier entered adds its flat amount.

    A tier is entered if any part of a unit lies in it. For the quantity 0 the flat amount of the
    first tier is charged, unless `bill_zero` is False. Law: the amount never falls as the
    quantity grows.

    Raises `ValidationError`, naming the tier as in "tiers[2].up_to", for bounds that do not grow,
    an open tier that is not the last, a last tier that is not open, and no tiers.

    >>> seats = Graduated([Tier(up_to=10, unit="1.00"), Tier(up_to=100, unit="0.50"),
    ...                    Tier(unit="0.20")])
    >>> [str(seats.amount(quantity, "EUR")) for quantity in (10, 11, 101)]
    ['10.00 EUR', '10.50 EUR', '55.20 EUR']
    """

    tiers: tuple[Tier, ...] = field(converter=read_tiers)
    bill_zero: bool = field(default=True, validator=_check_truth, kw_only=True)
    curve: Curve = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "curve", graduated_curve(self.tiers, bill_zero=self.bill_zero))

    def cost(self, units: int, events: Events | None) -> int:  # noqa: ARG002 - see `amount`
        """Return the exact cost of a quantity in picos, as a number of 10**-24."""
        return self.curve.cost(units)

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
class Volume:
    """All units cost what the tier that the quantity reaches says, plus its flat amount.

    The amount may fall as the quantity grows: at 11 units it is less here than at 10. For the
    quantity 0 the flat amount of the first tier is charged, unless `bill_zero` is False. The
    errors are those of `Graduated`.

    >>> seats = Volume([Tier(up_to=10, unit="1.00"), Tier(up_to=100, unit="0.50"),
    ...                 Tier(unit="0.20")])
    >>> [str(seats.amount(quantity, "EUR")) for quantity in (10, 11, 101)]
    ['10.00 EUR', '5.50 EUR', '20.20 EUR']
    """

    tiers: tuple[Tier, ...] = field(converter=read_tiers)
    bill_zero: bool = field(default=True, validator=_check_truth, kw_only=True)
    curve: Curve = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "curve", volume_curve(self.tiers, bill_zero=self.bill_zero))

    def cost(self, units: int, events: Events | None) -> int:  # noqa: ARG002 - see `amount`
        """Return the exact cost of a quantity in picos, as a number of 10**-24."""
        return self.curve.cost(units)

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
class Stairstep:
    """One price for the tier that the quantity reaches, however many units of it are used.

    For the quantity 0 the price of the first tier is charged, unless `bill_zero` is False. The
    errors are those of `Graduated`.

    >>> storage = Stairstep([Step(up_to=10, price="9.00"), Step(price="49.00")])
    >>> storage.amount(10, "EUR"), storage.amount(11, "EUR")
    (Money.of("9.00", "EUR"), Money.of("49.00", "EUR"))
    """

    tiers: tuple[Step, ...] = field(converter=read_steps)
    bill_zero: bool = field(default=True, validator=_check_truth, kw_only=True)
    curve: Curve = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "curve", step_curve(self.tiers, bill_zero=self.bill_zero))

    def cost(self, units: int, events: Events | None) -> int:  # noqa: ARG002 - see `amount`
        """Return the exact cost of a quantity in picos, as a number of 10**-24."""
        return self.curve.cost(units)

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
class GraduatedPercentage:
    """Each part of a turnover bears the rate of its own tier: `Graduated`, with rates for prices.

    The quantity is the turnover, in major units of the same currency. The laws and the errors are
    those of `Graduated`.

    >>> fee = GraduatedPercentage([RateTier(up_to=1000, rate="2.9"), RateTier(rate="2")])
    >>> fee.amount(1500, "EUR")
    Money.of("39.00", "EUR")
    """

    tiers: tuple[RateTier, ...] = field(converter=read_rate_tiers)
    bill_zero: bool = field(default=True, validator=_check_truth, kw_only=True)
    curve: Curve = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "curve", graduated_curve(self.tiers, bill_zero=self.bill_zero))

    def cost(self, units: int, events: Events | None) -> int:  # noqa: ARG002 - see `amount`
        """Return the exact cost of a quantity in picos, as a number of 10**-24."""
        return self.curve.cost(units)

    def amount(
        self,
        quantity: int | Decimal,
        currency: Currency | str,
        *,
        rounding: Rounding = Rounding.HALF_UP,
    ) -> Money:
        """Return what the turnover costs, with the law and the errors of `amount`."""
        return amount(self, quantity, currency, rounding=rounding)
