"""Entitlements: what a customer may use, from the products that he has and how many of each.

Decided here: how the entitlements of several products add up, and whether something is left. Never
here: which items are active, what a meter counted, or what usage costs; nothing is stopped here
either, the host asks and acts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from subscriptions.catalog import Product
from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.pricing.numbers import EXACT, read_quantity


@frozen
class Granted:
    """A feature that is given, up to a quota in each billing period or (None) without limit.

    `meters` are the keys of the usage meters that use it up; without any the host counts.
    """

    feature: str
    quota: Decimal | None = None
    meters: tuple[str, ...] = ()


@frozen
class Allowance:
    """Whether more of a feature may be used: how much there is, was used and is left.

    Without limit `quota` and `left` are None. A feature that is not given has a quota of 0, of
    which nothing is left. What was used above the quota makes `left` 0, never less.
    """

    feature: str
    allowed: bool
    quota: Decimal | None
    used: Decimal
    left: Decimal | None


def granted(items: Iterable[tuple[Product, int | Decimal]]) -> Mapping[str, Granted]:
    """Return what products give together, by feature, given each with its quantity.

    Law: quotas add up, each once for an item or once for each unit of it; without limit is more
    than any quota; the order of the items does not matter but for that of the features. An item of
    no units gives nothing. Raises `ValidationError` for a negative quantity.

    >>> from subscriptions.catalog import Entitlement
    >>> from subscriptions.ids import ProductId
    >>> seats = Entitlement("seats", 5)
    >>> pro = Product(ProductId("pro"), "", 1, "Pro", entitlements=(seats, Entitlement("export")))
    >>> more = Entitlement("seats", 1, per_unit=True)
    >>> seat = Product(ProductId("seat"), "", 1, "Seat", entitlements=(more,))
    >>> given = granted([(pro, 1), (seat, 3)])
    >>> given["seats"].quota, given["export"].quota
    (Decimal('8'), None)
    """
    found: dict[str, Granted] = {}
    for product, quantity in items:
        units = read_quantity(quantity)
        for each in product.entitlements if units else ():
            quota = each.quota
            if quota is not None and each.per_unit:
                quota = EXACT.multiply(quota, units)
            meters: tuple[str, ...] = () if each.meter is None else (each.meter,)
            former = found.get(each.feature)
            if former is not None:
                quota = _sum(former.quota, quota)
                meters = (*former.meters, *(new for new in meters if new not in former.meters))
            found[each.feature] = Granted(each.feature, quota, meters)
    return MappingProxyType(found)


_NO_USAGE: Final[Mapping[str, int | Decimal]] = MappingProxyType({})


def allowance(
    given: Mapping[str, Granted],
    feature: str,
    *,
    usage: Mapping[str, int | Decimal] = _NO_USAGE,
    counted: int | Decimal = 0,
) -> Allowance:
    """Return whether more of a feature may be used, and how much.

    `usage` is what the meters counted in the billing period, by their keys; those of other features
    do not count, and a meter that is not there counted nothing. `counted` is what the host counted
    itself, such as the seats that are taken.

    >>> given = {"storage": Granted("storage", Decimal(10), ("gigabytes",))}
    >>> found = allowance(given, "storage", usage={"gigabytes": Decimal("9.5")})
    >>> found.allowed, found.left
    (True, Decimal('0.5'))
    >>> allowance(given, "export").allowed
    False
    """
    used = _number("counted", counted)
    grant = given.get(feature)
    if grant is None:
        return Allowance(feature, allowed=False, quota=Decimal(0), used=used, left=Decimal(0))
    for meter in grant.meters:
        used = EXACT.add(used, _number("usage", usage.get(meter, 0)))
    if grant.quota is None:
        return Allowance(feature, allowed=True, quota=None, used=used, left=None)
    left = max(Decimal(0), EXACT.subtract(grant.quota, used))
    return Allowance(feature, allowed=left > 0, quota=grant.quota, used=used, left=left)


def _sum(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return None if one is None or other is None else EXACT.add(one, other)


def _number(field: str, value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValidationError(field, value, "an int or a Decimal")
    return Decimal(value)
