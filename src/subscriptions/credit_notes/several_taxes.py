"""What a credit note comes to where lines bear several taxes on one net.

The rule is that of `amounts`: each figure of the k-th credit note is the figure of all k together,
rounded once, less what the earlier ones credited, so that all together are exactly the invoice.
Only the taxes are counted otherwise: a line is part of the base of each of its taxes, and what an
inclusive price contains is shared out over them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

from attrs import evolve

from subscriptions.credit_notes.credit_note import CreditLine, CreditNote
from subscriptions.invoices import Invoice
from subscriptions.money import round_fraction
from subscriptions.taxes import (
    TaxBehavior,
    TaxGroup,
    TaxKey,
    TaxRate,
    key_of,
    shared_tax,
    sum_of_ratios,
)


def bears_several(invoice: Invoice) -> bool:
    """Return whether any line of an invoice bears more than one tax."""
    return any(line.more_rates for line in invoice.lines)


def credit_of(
    invoice: Invoice, earlier: Sequence[CreditNote], deltas: Sequence[int]
) -> tuple[tuple[CreditLine, ...], tuple[TaxGroup, ...]]:
    """Return lines and taxes of a credit of so much of each line, as the lines were priced."""
    credited, nets_before, taxes_before = _credited(invoice, earlier)
    together = [before + delta for before, delta in zip(credited, deltas, strict=True)]
    nets, taxes = _figures(invoice, together)
    nets = [net - before for net, before in zip(nets, nets_before, strict=True)]
    groups: list[TaxGroup] = []
    shown = {place for place, delta in enumerate(deltas) if delta}
    for group in invoice.taxes:
        places = [p for p, line in enumerate(invoice.lines) if group.key in map(key_of, line.rates)]
        base_minor = sum([nets[place] for place in places])
        tax_minor = taxes[group.key] - taxes_before[group.key]
        if base_minor or tax_minor:
            groups.append(evolve(group, base_minor=base_minor, tax_minor=tax_minor))
            shown |= set() if base_minor else {places[0]}
    lines = [
        CreditLine(
            place,
            line.description,
            deltas[place],
            nets[place],
            line.currency,
            line.rate,
            line.behavior,
            line.kind,
            line.period,
            line.more_rates,
        )
        for place, line in enumerate(invoice.lines)
        if place in shown
    ]
    return tuple(lines), tuple(groups)


def spread(invoice: Invoice, left: Sequence[int], minor: int) -> list[int]:
    """Return how much of each line a credit of an amount with its taxes takes.

    In proportion to what is left of each with its taxes. A net is the next one from which the
    amount follows, so what comes to more than the amount is tax, and comes with a later credit.
    """
    ratios = [sum_of_ratios(line.rates) for line in invoice.lines]
    weights = [
        Fraction(rest) if line.behavior is TaxBehavior.INCLUSIVE else rest * (1 + Fraction(*ratio))
        for line, rest, ratio in zip(invoice.lines, left, ratios, strict=True)
    ]
    whole = sum(weights)
    if not whole:
        # Of the lines nothing is left; what is left is a tax that earlier credits left over.
        return [0] * len(left)
    deltas: list[int] = []
    begun = taken = Fraction()
    for line, rest, ratio, weight in zip(invoice.lines, left, ratios, weights, strict=True):
        taken += weight
        # Cut at the sums, so that the shares add up to the amount.
        share = _cut(minor * taken / whole) - _cut(minor * begun / whole)
        begun = taken
        if line.behavior is TaxBehavior.EXCLUSIVE:
            exact = Fraction(share) / (1 + Fraction(*ratio))
            share = -(-exact.numerator // exact.denominator)
        deltas.append(max(min(share, rest), 0) if rest >= 0 else min(max(share, rest), 0))
    return deltas


def settled(
    groups: tuple[TaxGroup, ...], lines: Sequence[CreditLine], minor: int
) -> tuple[TaxGroup, ...]:
    """Return taxes that make a credit of these lines come to exactly an amount.

    What differs is a unit or a few; it is taken from the largest tax and left for a later credit.
    """
    net_minor = sum([line.net_minor for line in lines])
    missing = minor - net_minor - sum([group.tax_minor for group in groups])
    if not missing:
        return groups
    largest = max(groups, key=lambda group: abs(group.tax_minor))
    return tuple(
        evolve(each, tax_minor=each.tax_minor + missing) if each is largest else each
        for each in groups
    )


def _cut(exact: Fraction) -> int:
    return round_fraction(exact.numerator, exact.denominator)


def _credited(
    invoice: Invoice, earlier: Sequence[CreditNote]
) -> tuple[list[int], list[int], Counter[TaxKey]]:
    amounts, nets = [0] * len(invoice.lines), [0] * len(invoice.lines)
    taxes: Counter[TaxKey] = Counter()
    for note in earlier:
        for each in note.lines:
            amounts[each.line] += each.amount_minor
            nets[each.line] += each.net_minor
        for group in note.taxes:
            taxes[group.key] += group.tax_minor
    return amounts, nets, taxes


def _figures(invoice: Invoice, amounts: Sequence[int]) -> tuple[list[int], Counter[TaxKey]]:
    """Return net of each line and the taxes of so much of the lines, each rounded once."""
    nets: list[int] = []
    bases: dict[TaxKey, int] = {}
    inside: dict[tuple[TaxRate, ...], int] = {}
    taxes: Counter[TaxKey] = Counter()
    for line, amount in zip(invoice.lines, amounts, strict=True):
        if line.behavior is TaxBehavior.EXCLUSIVE:
            nets.append(amount)
            for rate in line.rates:
                bases[key_of(rate)] = bases.get(key_of(rate), 0) + amount
            continue
        whole = abs(line.amount_minor - line.discount_minor)
        share = amount * abs(line.net_minor)
        nets.append(round_fraction(share, whole, invoice.rounding) if amount else 0)
        inside[line.rates] = inside.get(line.rates, 0) + amount - nets[-1]
    ratios = {key_of(rate): rate.ratio for line in invoice.lines for rate in line.rates}
    for key, base in bases.items():
        up, down = ratios[key]
        taxes[key] += round_fraction(base * up, down, invoice.rounding)
    for stack, tax in inside.items():
        for rate, part in zip(stack, shared_tax(tax, stack), strict=True):
            taxes[key_of(rate)] += part
    return nets, taxes
