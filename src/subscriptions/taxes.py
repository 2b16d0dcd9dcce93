"""Taxes: rates by country and date, and the totals of a document per EN 16931.

Decided here: which rate is valid on a day, what net and tax a line's amount stands for, and where
tax is rounded. Never here: whose country counts, whether a tax id is valid, or the amounts of lines
before tax.

The rule of EN 16931: a line's net is a whole number of minor units, the tax is rounded once per
category and rate on the sum of their nets, and the totals are sums of those. Tax is never rounded
per line and added: three lines of 0.03 at 19 % have 0.02 of tax, not three times 0.01.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from attrs import field, frozen

from subscriptions.errors import ValidationError
from subscriptions.money import Rounding, read_decimal, round_fraction


class TaxCategory(StrEnum):
    """Why a supply is taxed as it is; the values are the codes of EN 16931 (UNTDID 5305)."""

    STANDARD = "S"
    """Taxed at a rate above zero, standard or reduced."""
    ZERO = "Z"
    """Taxed at a rate of zero."""
    EXEMPT = "E"
    """Exempt from tax by law, for example a small business."""
    REVERSE_CHARGE = "AE"
    """The customer owes the tax."""
    INTRA_COMMUNITY = "K"
    """Goods delivered to a business in another country of the EU."""
    EXPORT = "G"
    """Exported out of the EU, free of tax."""
    OUTSIDE_SCOPE = "O"
    """Not subject to VAT at all."""


class TaxBehavior(StrEnum):
    """Whether an amount comes with its tax."""

    EXCLUSIVE = "exclusive"
    """The amount is net; tax is added to it."""
    INCLUSIVE = "inclusive"
    """The amount is gross; tax is taken out of it."""


def _read_percent(percent: str | int | Decimal) -> Decimal:
    value = read_decimal(percent, field="percent", max_places=4)
    if not 0 <= value <= 100:  # noqa: PLR2004 - per cent
        raise ValidationError("percent", percent, "at least 0 and at most 100")
    # One spelling for each rate: 19.0 and 19 are one group and one text on the invoice.
    value = value.normalize()
    return value.quantize(Decimal(1)) if value == value.to_integral_value() else value


@frozen(cache_hash=True)
class TaxRate:
    """A rate in per cent, its category, and the reason that a document must state.

    Raises `ValidationError` unless standard rates are above 0 and all others are 0, and unless
    there is a reason exactly where EN 16931 wants one: for E, AE, K, G and O.

    >>> TaxRate("19")
    TaxRate(percent=Decimal('19'), category=<TaxCategory.STANDARD: 'S'>, reason=None)
    >>> TaxRate(0, TaxCategory.REVERSE_CHARGE, "Reverse charge").percent
    Decimal('0')
    """

    percent: Decimal = field(converter=_read_percent)
    category: TaxCategory = TaxCategory.STANDARD
    reason: str | None = None
    ratio: tuple[int, int] = field(init=False, eq=False, repr=False)
    """The tax per net as a fraction of ints, for loops: 19 per cent is 19 by 100."""

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.category, TaxCategory):
            raise ValidationError("category", self.category, "a TaxCategory")
        standard = self.category is TaxCategory.STANDARD
        if standard != (self.percent > 0):
            expected = "above 0" if standard else f"0 for category {self.category}"
            raise ValidationError("percent", self.percent, expected)
        needs_reason = not standard and self.category is not TaxCategory.ZERO
        has_reason = isinstance(self.reason, str) and bool(self.reason.strip())
        if needs_reason != has_reason or not (has_reason or self.reason is None):
            expected = "a text" if needs_reason else "None"
            raise ValidationError("reason", self.reason, f"{expected} for {self.category}")
        numerator, denominator = self.percent.as_integer_ratio()
        object.__setattr__(self, "ratio", (numerator, denominator * 100))


@frozen
class TaxableLine:
    """What the tax of one line depends on; negative amounts are credits."""

    amount_minor: int
    rate: TaxRate
    behavior: TaxBehavior = TaxBehavior.EXCLUSIVE

    def __attrs_post_init__(self) -> None:
        if type(self.amount_minor) is not int:
            kind = type(self.amount_minor).__name__
            raise TypeError(f"amount_minor: an int of minor units, not a {kind}")
        if type(self.behavior) is not TaxBehavior:
            raise ValidationError("behavior", self.behavior, "a TaxBehavior")


@frozen
class TaxGroup:
    """The base and the tax of one category and rate: a row of the invoice's tax breakdown."""

    category: TaxCategory
    percent: Decimal
    reason: str | None
    """The reasons of the group's lines, each once, joined by "; "."""
    base_minor: int
    tax_minor: int


@frozen
class TaxTotals:
    """The totals of a document, all in minor units.

    Law: `net_minor` is the sum of `line_nets_minor` and of the groups' bases, `tax_minor` the sum
    of their taxes, `gross_minor` the sum of both. Groups stand in the order of their first line.
    """

    line_nets_minor: tuple[int, ...]
    groups: tuple[TaxGroup, ...]
    net_minor: int
    tax_minor: int
    gross_minor: int


def tax_totals(lines: Sequence[TaxableLine], *, rounding: Rounding = Rounding.HALF_UP) -> TaxTotals:
    """Return nets, tax groups and totals of a document's lines.

    Exclusive lines: the tax of a group is its base times its rate, rounded once. Inclusive lines:
    what they cost together is kept to the minor unit, and their net is shared out over them in
    proportion, each rounded up or down. In a group with both, the tax is again base times rate
    wherever whole minor units allow it: at 19 % no net has a gross of 0.03, so there the gross is
    kept and the tax is off by one.

    Credits mirror charges: the totals of the negated lines are the negated totals.

    >>> vat = TaxRate("19")
    >>> totals = tax_totals([TaxableLine(1000, vat), TaxableLine(500, vat)])
    >>> totals.net_minor, totals.tax_minor, totals.gross_minor
    (1500, 285, 1785)
    >>> tax_totals([TaxableLine(11900, vat, TaxBehavior.INCLUSIVE)]).line_nets_minor
    (10000,)
    """
    if len(lines) == 1:
        line = lines[0]
        net, tax = net_and_tax(line.amount_minor, line.rate, line.behavior, rounding=rounding)
        return _totals_of_one_group((net,), line.rate, net, tax)
    nets = [line.amount_minor for line in lines]
    if lines and _are_net_at(lines[0].rate, lines):
        net, tax = net_and_tax(sum(nets), lines[0].rate, rounding=rounding)
        return _totals_of_one_group(tuple(nets), lines[0].rate, net, tax)
    members: dict[tuple[TaxCategory, tuple[int, int]], list[int]] = {}
    for index, line in enumerate(lines):
        members.setdefault((line.rate.category, line.rate.ratio), []).append(index)
    groups = tuple([_group(lines, indexes, nets, rounding) for indexes in members.values()])
    net = sum(nets)
    tax = sum([group.tax_minor for group in groups])
    return TaxTotals(tuple(nets), groups, net, tax, net + tax)


def net_and_tax(
    amount_minor: int,
    rate: TaxRate,
    behavior: TaxBehavior = TaxBehavior.EXCLUSIVE,
    *,
    rounding: Rounding = Rounding.HALF_UP,
) -> tuple[int, int]:
    """Return the net and the tax of one amount by itself, in minor units.

    >>> net_and_tax(1000, TaxRate("19")), net_and_tax(1190, TaxRate("19"), TaxBehavior.INCLUSIVE)
    ((1000, 190), (1000, 190))
    """
    up, down = rate.ratio
    if behavior is TaxBehavior.INCLUSIVE:
        net = round_fraction(amount_minor * down, down + up, rounding)
        return net, amount_minor - net
    if behavior is not TaxBehavior.EXCLUSIVE:
        raise ValidationError("behavior", behavior, "a TaxBehavior")
    return amount_minor, round_fraction(amount_minor * up, down, rounding)


def _read_rates(
    rates: Mapping[str, TaxRate | Mapping[date, TaxRate]],
) -> dict[str, tuple[tuple[date, TaxRate], ...]]:
    table: dict[str, tuple[tuple[date, TaxRate], ...]] = {}
    for country, dated in rates.items():
        _check_country(country)
        if isinstance(dated, TaxRate):
            table[country] = ((date.min, dated),)
            continue
        for day in dated:
            _check_day("valid_from", day)
        if not dated:
            raise ValidationError("rates", dated, f"at least one rate for {country}")
        table[country] = tuple(sorted(dated.items(), key=lambda entry: entry[0]))
    return table


@frozen
class TaxRates:
    """The rates of countries, each from a day on: what `Billing(taxes=…)` is given.

    A country (ISO 3166 alpha-2) has one rate for ever or a rate for each day on which it changed.
    A country that is not in the table gets `default`, and is an error where there is none: billing
    without tax by accident costs the seller, so it must be said.

    Raises `ValidationError` for keys that are no country codes and days that are no dates.

    >>> vat = TaxRates({"DE": {date(2007, 1, 1): TaxRate("19"), date(2020, 7, 1): TaxRate("16"),
    ...                        date(2021, 1, 1): TaxRate("19")}, "FR": TaxRate("20")})
    >>> vat.rate_for("DE", date(2020, 12, 31)).percent
    Decimal('16')
    """

    rates: dict[str, tuple[tuple[date, TaxRate], ...]] = field(converter=_read_rates, hash=False)
    default: TaxRate | None = None

    def rate_for(self, country: str | None, on: date) -> TaxRate:
        """Return the rate of a country that is valid on the day of supply.

        Raises `ValidationError` for a country without a rate where there is no default, for a day
        before its first rate, and for anything that is no country code ("de" is not "DE", and must
        not fall through to a default).

        >>> NO_TAX.rate_for("DE", date(2027, 1, 1)).category
        <TaxCategory.OUTSIDE_SCOPE: 'O'>
        """
        _check_day("on", on)
        dated = self.rates.get(country) if country is not None else None
        if dated is None:
            if country is not None:
                _check_country(country)
            if self.default is None:
                raise ValidationError("country", country, "a country of the tax table")
            return self.default
        for valid_from, rate in reversed(dated):
            if valid_from <= on:
                return rate
        raise ValidationError("on", on, f"a day from {dated[0][0]} on, for {country}")


NO_TAX: Final = TaxRates({}, default=TaxRate(0, TaxCategory.OUTSIDE_SCOPE, "Not subject to VAT"))
"""The table of those who name none: every supply is outside the scope of VAT."""


def _are_net_at(rate: TaxRate, lines: Sequence[TaxableLine]) -> bool:
    # Most documents are so, and need no groups to be made.
    for line in lines:
        if line.behavior is TaxBehavior.INCLUSIVE or (line.rate is not rate and line.rate != rate):
            return False
    return True


def _totals_of_one_group(nets: tuple[int, ...], rate: TaxRate, net: int, tax: int) -> TaxTotals:
    group = TaxGroup(rate.category, rate.percent, rate.reason, net, tax)
    return TaxTotals(nets, (group,), net, tax, net + tax)


def _group(
    lines: Sequence[TaxableLine], indexes: list[int], nets: list[int], rounding: Rounding
) -> TaxGroup:
    rate = lines[indexes[0]].rate
    up, down = rate.ratio
    inclusive = [i for i in indexes if lines[i].behavior is TaxBehavior.INCLUSIVE]
    amount = sum([nets[i] for i in indexes])
    prices = [nets[i] for i in inclusive]
    base = amount - sum(prices)
    tax = round_fraction(base * up, down, rounding)
    if inclusive:
        # Net and tax of the whole group come from its gross, so that a group of both kinds of
        # lines is as right as one of either: if any base fits the gross, this division finds it.
        gross = amount + tax
        net = round_fraction(gross * down, down + up, rounding)
        for i, share in zip(inclusive, _share(net - base, prices, down, down + up), strict=True):
            nets[i] = share
        base, tax = net, gross - net
    reasons = dict.fromkeys([lines[i].rate.reason for i in indexes])
    reason = "; ".join([text for text in reasons if text is not None]) or None
    return TaxGroup(rate.category, rate.percent, reason, base, tax)


def _share(net: int, prices: list[int], numerator: int, denominator: int) -> list[int]:
    """Share out a net over gross prices: each price's own net, rounded down or up.

    `allocate_minor` cannot do it: prices and credits stand in one list, and a weight below zero has
    no meaning. The net differs by less than one from the exact net of all prices, which is why one
    unit for each of the largest remainders is always enough.
    """
    if _is_credit(prices):
        mirrored = _share(-net, [-price for price in prices], numerator, denominator)
        return [-share for share in mirrored]
    shares = [price * numerator // denominator for price in prices]
    order = sorted(range(len(prices)), key=lambda i: -(prices[i] * numerator % denominator))
    for i in order[: net - sum(shares)]:
        shares[i] += 1
    return shares


def _is_credit(prices: list[int]) -> bool:
    # A sum of zero has no sign of its own; the first price that is not zero lends it one.
    return (sum(prices) or next((price for price in prices if price), 0)) < 0


def _check_country(country: str) -> None:
    if not (len(country) == 2 and country.isascii() and country.isalpha() and country.isupper()):  # noqa: PLR2004 - ISO 3166 alpha-2
        raise ValidationError("country", country, 'an ISO 3166 code of two capitals such as "DE"')


def _check_day(field: str, day: object) -> None:
    if not isinstance(day, date) or isinstance(day, datetime):
        raise ValidationError(field, day, "a date without a time of day")
