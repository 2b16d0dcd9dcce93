"""The totals of a document per EN 16931: nets, the tax of each category and rate, and their sums.

Decided here: what net and tax a line's amount stands for, and where tax is rounded. Never here:
which rate a line has, or its amount before tax.

The rule of EN 16931: a line's net is a whole number of minor units, the tax is rounded once per
category and rate on the sum of their nets, and the totals are sums of those. Tax is never rounded
per line and added: three lines of 0.03 at 19 % have 0.02 of tax, not three times 0.01.

A line may bear several taxes on the same net, as in Canada (GST and QST) or in the states and
counties of the USA. Each is then a group of its own, and the bases of the groups are no longer
parts of the net; EN 16931 knows no such lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import TypeAlias

from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.money import Rounding, round_fraction
from subscriptions.taxes.rates import TaxBehavior, TaxCategory, TaxRate

TaxKey: TypeAlias = tuple[TaxCategory, Decimal, str]


def key_of(rate: TaxRate) -> TaxKey:
    """Return what makes taxes one group: category, percentage and name."""
    return rate.category, rate.percent, rate.name


def check_rates(rates: tuple[TaxRate, ...], *, name: str = "more_rates") -> None:
    """Check what is charged on one net: a tuple of rates, none of them twice."""
    given: object = rates
    if not isinstance(given, tuple) or not all(isinstance(each, TaxRate) for each in rates):
        raise ValidationError(name, given, "a tuple of TaxRate")
    if len({key_of(each) for each in rates}) != len(rates):
        raise ValidationError(name, given, "each tax once, or with names of their own")


@frozen
class TaxableLine:
    """What the tax of one line depends on; negative amounts are credits.

    `more_rates` are charged on the same net besides `rate`. Raises `ValidationError` where two of
    them are the same tax: a state and a county with one percentage have names.
    """

    amount_minor: int
    rate: TaxRate
    behavior: TaxBehavior = TaxBehavior.EXCLUSIVE
    more_rates: tuple[TaxRate, ...] = ()

    def __attrs_post_init__(self) -> None:
        if type(self.amount_minor) is not int:
            kind = type(self.amount_minor).__name__
            raise TypeError(f"amount_minor: an int of minor units, not a {kind}")
        if type(self.behavior) is not TaxBehavior:
            raise ValidationError("behavior", self.behavior, "a TaxBehavior")
        if self.more_rates:
            check_rates((self.rate, *self.more_rates))


@frozen(cache_hash=True)
class TaxGroup:
    """The base and the tax of one category and rate: a row of the invoice's tax breakdown."""

    category: TaxCategory
    percent: Decimal
    reason: str | None
    """The reasons of the group's lines, each once, joined by "; "."""
    base_minor: int
    tax_minor: int
    name: str = ""
    """What the tax is called, where its rate has a name."""

    @property
    def key(self) -> TaxKey:
        """What makes it one group."""
        return self.category, self.percent, self.name


@frozen
class TaxTotals:
    """The totals of a document, all in minor units.

    Law: `net_minor` is the sum of `line_nets_minor`, `tax_minor` the sum of the groups' taxes,
    `gross_minor` the sum of both. Where each line has one rate, `net_minor` is the sum of the
    groups' bases, too. Groups stand in the order of their first line.
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

    Lines with several rates: exclusive ones are part of the base of each. Inclusive ones with the
    same rates keep what they cost together: their net is that divided by one plus the sum of the
    rates, rounded once, and what is left is shared out over the rates in proportion.

    Credits mirror charges: the totals of the negated lines are the negated totals.

    >>> vat = TaxRate("19")
    >>> totals = tax_totals([TaxableLine(1000, vat), TaxableLine(500, vat)])
    >>> totals.net_minor, totals.tax_minor, totals.gross_minor
    (1500, 285, 1785)
    >>> tax_totals([TaxableLine(11900, vat, TaxBehavior.INCLUSIVE)]).line_nets_minor
    (10000,)
    """
    if len(lines) == 1 and not lines[0].more_rates:
        line = lines[0]
        net, tax = net_and_tax(line.amount_minor, line.rate, line.behavior, rounding=rounding)
        return _totals_of_one_group((net,), line.rate, net, tax)
    nets = [line.amount_minor for line in lines]
    if lines and _are_net_at(lines[0].rate, lines):
        net, tax = net_and_tax(sum(nets), lines[0].rate, rounding=rounding)
        return _totals_of_one_group(tuple(nets), lines[0].rate, net, tax)
    if any(line.more_rates for line in lines):
        return _totals_at_several(lines, rounding)
    members: dict[TaxKey, list[int]] = {}
    for index, line in enumerate(lines):
        members.setdefault(key_of(line.rate), []).append(index)
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


def _are_net_at(rate: TaxRate, lines: Sequence[TaxableLine]) -> bool:
    # Most documents are so, and need no groups to be made.
    for line in lines:
        if line.behavior is TaxBehavior.INCLUSIVE or line.more_rates:
            return False
        if line.rate is not rate and line.rate != rate:
            return False
    return True


def _totals_of_one_group(nets: tuple[int, ...], rate: TaxRate, net: int, tax: int) -> TaxTotals:
    group = TaxGroup(rate.category, rate.percent, rate.reason, net, tax, rate.name)
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
    reason = _joined([lines[i].rate.reason for i in indexes])
    return TaxGroup(rate.category, rate.percent, reason, base, tax, rate.name)


def _joined(reasons: Iterable[str | None]) -> str | None:
    return "; ".join([text for text in dict.fromkeys(reasons) if text is not None]) or None


def _totals_at_several(lines: Sequence[TaxableLine], rounding: Rounding) -> TaxTotals:
    nets = [line.amount_minor for line in lines]
    rates: dict[TaxKey, list[TaxRate]] = {}
    bases: dict[TaxKey, int] = {}
    inside: dict[TaxKey, tuple[int, int]] = {}
    stacks: dict[tuple[TaxRate, ...], list[int]] = {}
    for index, line in enumerate(lines):
        stack = (line.rate, *line.more_rates)
        for rate in stack:
            rates.setdefault(key_of(rate), []).append(rate)
        if line.behavior is TaxBehavior.INCLUSIVE:
            stacks.setdefault(stack, []).append(index)
            continue
        for rate in stack:
            bases[key_of(rate)] = bases.get(key_of(rate), 0) + line.amount_minor
    for stack, indexes in stacks.items():
        up, down = sum_of_ratios(stack)
        prices = [nets[i] for i in indexes]
        net = round_fraction(sum(prices) * down, down + up, rounding)
        for i, share in zip(indexes, _share(net, prices, down, down + up), strict=True):
            nets[i] = share
        for rate, tax in zip(stack, shared_tax(sum(prices) - net, stack), strict=True):
            before = inside.get(key_of(rate), (0, 0))
            inside[key_of(rate)] = (before[0] + net, before[1] + tax)
    groups: list[TaxGroup] = []
    for key, mine in rates.items():
        rate, base = mine[0], bases.get(key, 0)
        up, down = rate.ratio
        net, tax = inside.get(key, (0, 0))
        net, tax = net + base, tax + round_fraction(base * up, down, rounding)
        reason = _joined([each.reason for each in mine])
        groups.append(TaxGroup(rate.category, rate.percent, reason, net, tax, rate.name))
    net = sum(nets)
    tax = sum([group.tax_minor for group in groups])
    return TaxTotals(tuple(nets), tuple(groups), net, tax, net + tax)


def sum_of_ratios(rates: Sequence[TaxRate]) -> tuple[int, int]:
    """Return the tax per net of several rates together, as a fraction of ints.

    >>> sum_of_ratios([TaxRate("5", name="GST"), TaxRate("9.975", name="QST")])
    (599, 4000)
    """
    return sum([Fraction(*rate.ratio) for rate in rates], Fraction()).as_integer_ratio()


def shared_tax(tax_minor: int, rates: Sequence[TaxRate]) -> list[int]:
    """Share out the tax inside an amount over its rates in proportion, by largest remainder.

    Of equal remainders the earlier rate has the unit. A credit is shared as the mirror of a charge.

    >>> shared_tax(1503, [TaxRate("5", name="GST"), TaxRate("9.975", name="QST")])
    [502, 1001]
    """
    if tax_minor < 0:
        return [-share for share in shared_tax(-tax_minor, rates)]
    whole = sum([Fraction(*rate.ratio) for rate in rates], Fraction())
    if not tax_minor or not whole:
        # Rounding leaves nothing over where nothing is taxed.
        return [0] * len(rates)
    exact = [tax_minor * Fraction(*rate.ratio) / whole for rate in rates]
    shares = [each.numerator // each.denominator for each in exact]
    order = sorted(range(len(rates)), key=lambda i: shares[i] - exact[i])
    for i in order[: tax_minor - sum(shares)]:
        shares[i] += 1
    return shares


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
