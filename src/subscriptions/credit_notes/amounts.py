"""What a credit note comes to: net and tax of what is credited, and what is left of the invoice.

Decided here: how an amount is spread over lines, and where its tax is rounded. Every figure of the
k-th credit note is the figure of all k together, rounded once, less what the earlier ones credited.
So whatever the parts and their order, together they are exactly the invoice: each line, each tax,
the total. Never here: where the money goes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from attrs import evolve

from subscriptions.credit_notes import several_taxes
from subscriptions.credit_notes.credit_note import CreditLine, CreditNote
from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.invoices import Invoice
from subscriptions.money import Money, Rounding, round_fraction
from subscriptions.taxes import TaxBehavior, TaxGroup, TaxKey, TaxRate, key_of


@frozen
class Amounts:
    """The lines, taxes and totals of a credit note to be.

    Law: `net_minor` is the sum of the lines' nets, and of the taxes' bases where each line has one
    tax; `tax_minor` is the sum of the taxes, `total_minor` the sum of both.
    """

    lines: tuple[CreditLine, ...]
    taxes: tuple[TaxGroup, ...]
    net_minor: int
    tax_minor: int
    total_minor: int


def left_of_lines(invoice: Invoice, earlier: Sequence[CreditNote]) -> tuple[Money, ...]:
    """Return what can still be credited of each line, as it was priced: net, or gross if inclusive.

    `earlier` are all credit notes of the invoice so far.

    >>> from subscriptions.testing.builders import an_invoice
    >>> left_of_lines(an_invoice(), [])
    (Money.of("29.00", "EUR"),)
    """
    return tuple([Money(left, invoice.currency) for left in _standing(invoice, earlier).left])


def left_of_total(invoice: Invoice, earlier: Sequence[CreditNote]) -> Money:
    """Return what can still be credited of the invoice's total; `earlier` are its credit notes."""
    credited_minor = sum([note.total_minor for note in earlier])
    return Money(invoice.total_minor - credited_minor, invoice.currency)


def of_lines(
    invoice: Invoice, earlier: Sequence[CreditNote], amounts: Mapping[int, Money] | None = None
) -> Amounts:
    """Return what a credit of amounts of lines comes to; without `amounts` all that is left.

    `amounts` are by the line's place from 0, as the line was priced: net, or gross where its price
    includes the tax. Of a line below zero, such as a reduction, an amount below zero is credited.

    Law: the tax of exclusive lines is the rate times all that was ever credited of those with this
    rate, rounded, less the tax credited earlier. Of an inclusive line the net is the same share of
    the line's net as all that was ever credited is of the line, rounded, less the net credited
    earlier.

    Raises `ValidationError` for a line that is not there, for an amount that is zero, of another
    currency or sign, or more than is left of its line, and unless the total is above zero and at
    most what is left of the invoice's.

    >>> from subscriptions.testing.builders import an_invoice
    >>> half = of_lines(an_invoice(), [], {0: Money.of("14.50", "EUR")})
    >>> half.net_minor, half.tax_minor, half.total_minor
    (1450, 276, 1726)
    """
    left = _left(invoice, earlier)
    standing = _standing(invoice, earlier)
    taxes: list[int] | None = None
    deltas = [0] * len(standing.left)
    if amounts is None:
        deltas = list(standing.left)
        taxes = [g.tax_at(g.base_minor) - g.credited_tax_minor for g in standing.groups]
    else:
        for place, amount in amounts.items():
            if type(place) is not int or not 0 <= place < len(deltas):
                raise ValidationError("lines", place, f"places from 0 to {len(deltas) - 1}")
            deltas[place] = _checked(f"lines[{place}]", amount, invoice, standing.left[place])
    if several_taxes.bears_several(invoice):
        credited = _summed(*several_taxes.credit_of(invoice, earlier, deltas))
    else:
        credited = _amounts(standing, deltas, taxes)
    if not 0 < credited.total_minor <= left.minor:
        total = Money(credited.total_minor, invoice.currency)
        raise ValidationError("lines", total, f"a total above zero, at most {left}")
    return credited


def of_amount(invoice: Invoice, earlier: Sequence[CreditNote], amount: Money) -> Amounts:
    """Return what a credit of an amount of the total comes to, tax included: exactly the amount.

    It is spread over what is left of the lines in proportion, by largest remainder. Where no net
    has just this gross, the net is the next higher one, and the missing unit of tax comes with
    the next credit.

    Raises `ValidationError` for an amount that is not above zero, of another currency, or more than
    is left of the invoice's total.

    >>> from subscriptions.testing.builders import an_invoice
    >>> ten = of_amount(an_invoice(), [], Money.of("10.00", "EUR"))
    >>> ten.net_minor, ten.tax_minor, ten.total_minor
    (840, 160, 1000)
    """
    left_minor = _left(invoice, earlier).minor
    minor = _checked("amount", amount, invoice, left_minor)
    standing = _standing(invoice, earlier)
    if not several_taxes.bears_several(invoice):
        return _spread(standing, minor)
    deltas: Sequence[int] = standing.left
    if minor < left_minor:
        deltas = several_taxes.spread(invoice, standing.left, minor)
    lines, taxes = several_taxes.credit_of(invoice, earlier, deltas)
    return _summed(lines, several_taxes.settled(taxes, lines, minor))


def _left(invoice: Invoice, earlier: Sequence[CreditNote]) -> Money:
    left = left_of_total(invoice, earlier)
    if earlier and not left.minor:
        expected = "an invoice of which something is left to credit"
        raise ValidationError("invoice", invoice.number, expected)
    return left


def _checked(name: str, amount: object, invoice: Invoice, left_minor: int) -> int:
    """Return the minor units of an amount that lies between zero and what is left."""
    if not isinstance(amount, Money):
        raise ValidationError(name, amount, "a Money, such as Money.of('5.00', 'EUR')")
    left = Money(left_minor, invoice.currency)
    if amount.currency != invoice.currency:
        raise ValidationError(name, str(amount), f"an amount in {invoice.currency}")
    if amount.minor == 0 or (amount.minor > 0) != (left_minor > 0) or abs(amount) > abs(left):
        raise ValidationError(name, amount, f"not zero, at most {left}")
    return amount.minor


# ---- what stands of an invoice -----------------------------------------------------------------


@frozen
class _Group:
    """A category and rate of the invoice. Its exclusive lines are taxed together, on their sum."""

    whole: TaxGroup
    rate: TaxRate
    rounding: Rounding
    inclusive: tuple[int, ...]
    exclusive: tuple[int, ...]
    base_minor: int
    credited_base_minor: int
    credited_tax_minor: int

    def tax_at(self, base_minor: int) -> int:
        """Return the tax of so much of the exclusive lines."""
        up, down = self.rate.ratio
        return round_fraction(base_minor * up, down, self.rounding)

    def tax_of(self, base_minor: int) -> int:
        """Return the tax of a credit of so much: that of all credits, less that of the earlier."""
        if not base_minor:
            return 0
        return self.tax_at(self.credited_base_minor + base_minor) - self.credited_tax_minor

    @property
    def left_minor(self) -> int:
        """What is left of the exclusive lines, with their tax."""
        credited_minor = self.credited_base_minor + self.credited_tax_minor
        return self.base_minor + self.tax_at(self.base_minor) - credited_minor

    def base_of(self, gross_minor: int) -> int:
        """Return the net that a credit of so much with tax takes off the exclusive lines.

        It is the least with which all that was ever credited has at least that gross. So the tax of
        a credit is never more than is due, and what is missing of it, one unit at most, is left.
        """
        sign = 1 if gross_minor >= 0 else -1
        up, down = self.rate.ratio
        gross = sign * (self.credited_base_minor + self.credited_tax_minor + gross_minor)
        base = gross * down // (down + up) - 1
        while base + self.tax_at(base) < gross:
            base += 1
        left = abs(self.base_minor - self.credited_base_minor)
        return sign * min(max(base - sign * self.credited_base_minor, 0), left)


@frozen
class _Standing:
    """An invoice and what was credited of it so far: of each line, and of each tax."""

    invoice: Invoice
    credited: tuple[int, ...]
    left: tuple[int, ...]
    groups: tuple[_Group, ...]


def _standing(invoice: Invoice, earlier: Sequence[CreditNote]) -> _Standing:
    credited = [0] * len(invoice.lines)
    taxes: Counter[TaxKey] = Counter()
    for note in earlier:
        for each in note.lines:
            credited[each.line] += each.amount_minor
            if each.behavior is TaxBehavior.INCLUSIVE:
                taxes[key_of(each.rate)] -= each.amount_minor - each.net_minor
        for group in note.taxes:
            taxes[group.key] += group.tax_minor
    priced = [line.amount_minor - line.discount_minor for line in invoice.lines]
    groups: list[_Group] = []
    for group in () if several_taxes.bears_several(invoice) else invoice.taxes:
        places = [
            place for place, line in enumerate(invoice.lines) if key_of(line.rate) == group.key
        ]
        inclusive = [p for p in places if invoice.lines[p].behavior is TaxBehavior.INCLUSIVE]
        exclusive = [p for p in places if p not in inclusive]
        groups.append(
            _Group(
                group,
                invoice.lines[places[0]].rate,
                invoice.rounding,
                tuple(inclusive),
                tuple(exclusive),
                sum([priced[place] for place in exclusive]),
                sum([credited[place] for place in exclusive]),
                taxes[group.key],
            )
        )
    left = tuple([whole - part for whole, part in zip(priced, credited, strict=True)])
    return _Standing(invoice, tuple(credited), left, tuple(groups))


def _spread(standing: _Standing, minor: int) -> Amounts:
    """Credit an amount with tax, spread over inclusive lines and each rate's exclusive ones."""
    inclusive = [place for group in standing.groups for place in group.inclusive]
    weights = [
        *[standing.left[place] for place in inclusive],
        *[group.left_minor for group in standing.groups],
    ]
    shares = _shares(minor, weights)
    deltas = [0] * len(standing.left)
    for place, share in zip(inclusive, shares, strict=False):
        deltas[place] = share
    taxes: list[int] = []
    for group, share in zip(standing.groups, shares[len(inclusive) :], strict=True):
        base_minor = group.base_of(share)
        taxes.append(share - base_minor)
        parts = _shares(base_minor, [standing.left[place] for place in group.exclusive])
        for place, part in zip(group.exclusive, parts, strict=True):
            deltas[place] = part
    return _amounts(standing, deltas, taxes)


def _shares(minor: int, weights: Sequence[int]) -> list[int]:
    """Share out in proportion to weights of either sign, by largest remainder.

    `allocate_minor` refuses weights below zero. A share lies between zero and its weight, as long
    as the amount lies between zero and their sum.
    """
    whole = sum(weights)
    if not minor or not whole:
        return [0] * len(weights)
    sign = 1 if whole > 0 else -1
    parts = [sign * minor * weight for weight in weights]
    shares = [part // abs(whole) for part in parts]
    order = sorted(range(len(weights)), key=lambda i: -(parts[i] % abs(whole)))
    for i in order[: minor - sum(shares)]:
        shares[i] += 1
    return shares


def _amounts(
    standing: _Standing, deltas: Sequence[int], taxes: Sequence[int] | None = None
) -> Amounts:
    """Return what it comes to when so much of each line is credited.

    `taxes` are those of the exclusive lines of each group, where they are settled already.
    """
    nets = [_net(standing, place, delta) for place, delta in enumerate(deltas)]
    groups: list[TaxGroup] = []
    shown = {place for place, delta in enumerate(deltas) if delta}
    for index, group in enumerate(standing.groups):
        base_minor = sum([deltas[place] for place in group.exclusive])
        tax_minor = group.tax_of(base_minor) if taxes is None else taxes[index]
        if tax_minor and not base_minor:
            # A tax that an earlier credit left over stands under a line of its rate.
            shown.add(group.exclusive[0])
        base_minor += sum([nets[place] for place in group.inclusive])
        tax_minor += sum([deltas[place] - nets[place] for place in group.inclusive])
        if base_minor or tax_minor:
            groups.append(evolve(group.whole, base_minor=base_minor, tax_minor=tax_minor))
    credited = tuple(
        [
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
            )
            for place, line in enumerate(standing.invoice.lines)
            if place in shown
        ]
    )
    return _summed(credited, tuple(groups))


def _summed(lines: tuple[CreditLine, ...], taxes: tuple[TaxGroup, ...]) -> Amounts:
    net_minor = sum([line.net_minor for line in lines])
    tax_minor = sum([group.tax_minor for group in taxes])
    return Amounts(lines, taxes, net_minor, tax_minor, net_minor + tax_minor)


def _net(standing: _Standing, place: int, delta: int) -> int:
    """Return the net of a credit of a line: that of all its credits, less that of the earlier."""
    line = standing.invoice.lines[place]
    if line.behavior is TaxBehavior.EXCLUSIVE or not delta:
        return delta
    before = standing.credited[place]
    whole = before + standing.left[place]
    net, size = abs(line.net_minor), abs(whole)
    rounding = standing.invoice.rounding
    after = round_fraction((before + delta) * net, size, rounding)
    return after - round_fraction(before * net, size, rounding)
