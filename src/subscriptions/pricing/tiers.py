"""Tiers: steps of quantity with prices of their own, and the curve that they make.

Decided here: which lists of tiers are prices at all, and how they are prepared so that a price
costs the same work for any number of tiers. Tiers are said by upper bounds only, each inclusive:
with `up_to=100` the hundredth unit is in, and 100.5 units reach into the next tier. So there can be
no gap between two tiers and nothing to overlap; what can be wrong is the order, and the end.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TypeVar

from attrs import field

from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.pricing.numbers import (
    PICO,
    factor,
    in_picos,
    read_price,
    read_rate,
    read_size,
)


def _read_up_to(up_to: str | int | Decimal | None) -> Decimal | None:
    return None if up_to is None else read_size(up_to, "up_to")


def _read_unit(unit: str | int | Decimal) -> Decimal:
    return read_price(unit, "unit")


def _read_flat(flat: str | int | Decimal) -> Decimal:
    return read_price(flat, "flat")


@frozen(kw_only=True)
class Tier:
    """A tier of `Graduated` and `Volume`: a price for each unit, and one for reaching it.

    `up_to` is the last quantity of the tier, None in the last tier. `unit` and `flat` are in major
    units, at least 0, with up to 12 decimals. Raises `ValidationError` for others, and for an
    `up_to` that is not above 0; `TypeError` for floats.

    >>> Tier(up_to=10, unit="1.00")
    Tier(up_to=Decimal('10'), unit=Decimal('1.00'), flat=Decimal('0'))
    """

    up_to: Decimal | None = field(default=None, converter=_read_up_to)
    unit: Decimal = field(converter=_read_unit)
    flat: Decimal = field(default=Decimal(0), converter=_read_flat)


@frozen(kw_only=True)
class RateTier:
    """A tier of `GraduatedPercentage`: a rate in per cent of the turnover in it, and a flat amount.

    `rate` is at least 0 and at most 100, with up to 10 decimals; the rest is as in `Tier`.

    >>> RateTier(up_to=1000, rate="2.9").rate
    Decimal('2.9')
    """

    up_to: Decimal | None = field(default=None, converter=_read_up_to)
    rate: Decimal = field(converter=read_rate)
    flat: Decimal = field(default=Decimal(0), converter=_read_flat)


@frozen(kw_only=True)
class Step:
    """A tier of `Stairstep`: one price for all quantities up to its bound; the rest as in `Tier`.

    >>> Step(price="49.00").up_to is None
    True
    """

    up_to: Decimal | None = field(default=None, converter=_read_up_to)
    price: Decimal = field(converter=read_price)


AnyTier = TypeVar("AnyTier", Tier, RateTier, Step)


def read_tiers(tiers: Iterable[Tier]) -> tuple[Tier, ...]:
    """Read the tiers of `Graduated` and `Volume`, with the errors of `_read`."""
    return _read(tiers, Tier)


def read_rate_tiers(tiers: Iterable[RateTier]) -> tuple[RateTier, ...]:
    """Read the tiers of `GraduatedPercentage`, with the errors of `_read`."""
    return _read(tiers, RateTier)


def read_steps(tiers: Iterable[Step]) -> tuple[Step, ...]:
    """Read the tiers of `Stairstep`, with the errors of `_read`."""
    return _read(tiers, Step)


def _read(tiers: Iterable[AnyTier], kind: type[AnyTier]) -> tuple[AnyTier, ...]:
    """Read a list of tiers of one class.

    Raises `ValidationError`, naming the tier as in "tiers[2].up_to", unless there is at least one,
    each bound is above the one before it, and the last tier and no other is open.
    """
    if not isinstance(tiers, Iterable):
        raise ValidationError("tiers", tiers, f"a list of {kind.__name__}")
    listed = tuple(tiers)
    if not listed:
        raise ValidationError("tiers", (), "at least one tier; the last one has no up_to")
    reached = Decimal(0)
    for place, tier in enumerate(listed):
        if not isinstance(tier, kind):
            raise ValidationError(f"tiers[{place}]", tier, f"a {kind.__name__}")
        where, is_last = f"tiers[{place}].up_to", place == len(listed) - 1
        if tier.up_to is None:
            if not is_last:
                raise ValidationError(where, None, "a bound, for only the last tier has none")
            continue
        if tier.up_to <= reached:
            expected = f"above {reached}, where the tier before it ends"
            raise ValidationError(where, tier.up_to, expected)
        if is_last:
            expected = "None, for without an open tier larger quantities have no price"
            raise ValidationError(where, tier.up_to, expected)
        reached = tier.up_to
    return listed


@frozen
class Curve:
    """What a quantity costs, as straight pieces: `slopes[i] × quantity + constants[i]` in piece i.

    `bounds` are the last quantities of all pieces but the last. Quantities, bounds and slopes are
    in picos, constants and the cost in units of 10**-24, so that all is exact. Finding the piece
    takes a bisection; nothing is added up over the tiers.
    """

    bounds: tuple[int, ...]
    slopes: tuple[int, ...]
    constants: tuple[int, ...]

    def cost(self, units: int) -> int:
        """Return what a quantity costs."""
        piece = bisect_left(self.bounds, units)
        return self.slopes[piece] * units + self.constants[piece]


def graduated_curve(tiers: Sequence[Tier | RateTier], *, bill_zero: bool) -> Curve:
    """Return the curve on which each unit costs what its own tier says."""
    slopes: list[int] = []
    constants: list[int] = []
    start = cost = 0  # where a tier starts, and what all before it cost together
    for tier in tiers:
        slope, flat = _slope(tier), in_picos(tier.flat) * PICO
        slopes.append(slope)
        # A piece is a line through the start of its tier: cost + slope × (quantity − start).
        constants.append(cost + flat - slope * start)
        if tier.up_to is not None:
            end = in_picos(tier.up_to)
            cost += flat + slope * (end - start)
            start = end
    return _curve(tiers, slopes, constants, bill_zero=bill_zero)


def volume_curve(tiers: Sequence[Tier], *, bill_zero: bool) -> Curve:
    """Return the curve on which all units cost what the tier of the last one says."""
    flats = [in_picos(tier.flat) * PICO for tier in tiers]
    return _curve(tiers, [_slope(tier) for tier in tiers], flats, bill_zero=bill_zero)


def step_curve(tiers: Sequence[Step], *, bill_zero: bool) -> Curve:
    """Return the curve on which only the tier of the last unit counts, and not the quantity."""
    prices = [in_picos(tier.price) * PICO for tier in tiers]
    return _curve(tiers, [0] * len(tiers), prices, bill_zero=bill_zero)


def _slope(tier: Tier | RateTier) -> int:
    return in_picos(tier.unit if isinstance(tier, Tier) else factor(tier.rate))


def _curve(
    tiers: Sequence[Tier | RateTier | Step],
    slopes: list[int],
    constants: list[int],
    *,
    bill_zero: bool,
) -> Curve:
    bounds = [in_picos(tier.up_to) for tier in tiers if tier.up_to is not None]
    if not bill_zero:
        # One more piece, for nothing but the quantity 0: it costs no branch in the loop.
        bounds, slopes, constants = [0, *bounds], [0, *slopes], [0, *constants]
    return Curve(tuple(bounds), tuple(slopes), tuple(constants))
