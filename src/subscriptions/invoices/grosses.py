"""What each line of an invoice comes to with its tax: together they are exactly the total.

The tax of an invoice is rounded for each rate and not for each line, so it is shared out here. This
is for scopes of credit, which ask for the cost of some lines; it is printed nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from subscriptions.invoices.lines import Line
from subscriptions.money import round_fraction
from subscriptions.taxes import TaxBehavior, TaxGroup, key_of

_PERCENT = 100


def grosses_of(lines: Sequence[Line], groups: Sequence[TaxGroup]) -> tuple[int, ...]:
    """Return what each line comes to with its tax, in minor units.

    Law: the sum is the net of all lines and the tax of all groups. A line whose price includes its
    one tax comes to its price less discounts. Of the others of a rate each bears the tax on its net
    and those before it, less what those before it bear; a unit that is off, because prices include
    the tax or for rounding, stays with the largest.

    >>> from subscriptions.testing.builders import an_invoice
    >>> invoice = an_invoice()
    >>> grosses_of(invoice.lines, invoice.taxes) == (invoice.total_minor,)
    True
    """
    grosses = [line.net_minor for line in lines]
    for group in groups:
        up, down = group.percent.as_integer_ratio()
        left = group.tax_minor
        passed = taxed = 0
        places = [
            place
            for place, line in enumerate(lines)
            if group.key in [key_of(rate) for rate in line.rates]
        ]
        for place in places:
            line = lines[place]
            if line.behavior is TaxBehavior.INCLUSIVE and not line.more_rates:
                tax = line.amount_minor - line.discount_minor - line.net_minor
            else:
                passed += line.net_minor
                tax = round_fraction(passed * up, down * _PERCENT) - taxed
                taxed += tax
            grosses[place] += tax
            left -= tax
        if left:
            grosses[max(places, key=lambda place: abs(lines[place].net_minor))] += left
    return tuple(grosses)
