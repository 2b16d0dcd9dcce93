"""The arithmetic rules of EN 16931, checked on printed documents with decimals.

An oracle: it reads the figures of a document and shares no code with what made them. The rules are
those of the CEN's schematron (github.com/ConnectingEurope/eInvoicing-EN16931); where that allows a
difference of one unit of currency, this allows none, or one minor unit where it says so below.

The library puts reductions on lines, so the document's own allowances and charges (BG-20, BG-21)
are none. What a payment in advance is to the standard (BT-113) is here what the customer's balance,
his grants and his payments paid, and what credit notes took off.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, localcontext

from subscriptions.credit_notes import CreditNote
from subscriptions.invoices import Invoice
from subscriptions.money import Rounding
from subscriptions.taxes import TaxBehavior, TaxCategory

MODES = {Rounding.HALF_UP: ROUND_HALF_UP, Rounding.HALF_EVEN: ROUND_HALF_EVEN}

Rate = tuple[TaxCategory, Decimal]


def violations(invoice: Invoice) -> list[str]:
    """Return every rule that an invoice breaks, named."""
    with localcontext(prec=60):
        return list(_of_invoice(invoice))


def violations_of_note(note: CreditNote, invoice: Invoice) -> list[str]:
    """Return every rule that a credit note breaks by itself, named.

    Its taxes are the tax of all credits so far less that of the earlier ones, so that a full series
    comes to the invoice: the tax of one note may differ from its base times the rate by one minor
    unit for each rounding that it takes part in.
    """
    with localcontext(prec=60):
        return list(_of_note(note, invoice))


def _of_invoice(invoice: Invoice) -> Iterator[str]:
    unit = Decimal(1).scaleb(-invoice.currency.exponent)
    nets: dict[Rate, Decimal] = defaultdict(Decimal)
    gross_by_rate: dict[Rate, Decimal] = defaultdict(Decimal)
    inclusive: set[Rate] = set()
    line_sum = Decimal(0)
    for line in invoice.lines:
        net = line.net_minor * unit
        line_sum += net
        priced = line.amount_minor * unit - sum(
            (share.amount_minor * unit for share in line.discounts), Decimal(0)
        )
        key = (line.rate.category, line.rate.percent)
        nets[key] += net
        gross_by_rate[key] += priced
        if line.behavior is TaxBehavior.INCLUSIVE:
            inclusive.add(key)
            exact = priced / (1 + line.rate.percent / 100)
            if abs(net - exact) >= unit:
                yield f"a line's net {net} is {exact} rounded up or down"
        elif net != priced:
            yield f"a line's net {net} is its price less its discounts {priced}"
    without, tax, total = (
        minor * unit for minor in (invoice.net_minor, invoice.tax_minor, invoice.total_minor)
    )
    # BR-CO-10 and BR-CO-13: without allowances of the document, BT-106 is BT-109. BR-CO-11 and
    # BR-CO-12 are sums of nothing.
    if line_sum != without:
        yield f"BR-CO-10, BR-CO-13: {without} is the sum of the lines' nets {line_sum}"
    if sum((group.tax_minor * unit for group in invoice.taxes), Decimal(0)) != tax:
        yield f"BR-CO-14: the tax {tax} is the sum of the breakdown"
    if without + tax != total:
        yield f"BR-CO-15: {total} is {without} + {tax}"
    settled = invoice.paid_minor + invoice.balance_minor + invoice.granted_minor
    prepaid = (settled + invoice.credited_minor) * unit
    if invoice.amount_due.minor * unit != max(Decimal(0), total - prepaid):
        yield f"BR-CO-16: {invoice.amount_due} is {total} - {prepaid}"
    seen: set[Rate] = set()
    for group in invoice.taxes:
        key = (group.category, group.percent)
        if key in seen:
            yield f"BG-23: {key} stands twice in the breakdown"
        seen.add(key)
        base, group_tax = group.base_minor * unit, group.tax_minor * unit
        if base != nets[key]:
            yield f"BR-{group.category}-08: the base {base} is the sum of its lines {nets[key]}"
        yield from _tax_rules(
            key,
            base,
            group_tax,
            rounding=invoice.rounding,
            unit=unit,
            inclusive=key in inclusive,
        )
        if key in inclusive and key[1]:
            yield from _gross_is_kept(invoice, key, base + group_tax, unit)
        has_reason = bool(group.reason)
        needs_reason = key[0] not in {TaxCategory.STANDARD, TaxCategory.ZERO}
        if has_reason != needs_reason:
            yield f"BR-{group.category}-10: a reason exactly for what is not taxed"
    if seen != set(nets):
        yield f"BR-CO-18: the breakdown {seen} names the rates of the lines {set(nets)}"


def _tax_rules(
    key: Rate, base: Decimal, tax: Decimal, *, rounding: Rounding, unit: Decimal, inclusive: bool
) -> Iterator[str]:
    category, percent = key
    if category is not TaxCategory.STANDARD:
        if tax:
            yield f"BR-{category}-09: {tax} is no tax"
        return
    wanted = (base * percent / 100).quantize(unit, MODES[rounding])
    if tax == wanted:
        return
    gross = base + tax
    if inclusive and abs(tax - wanted) == unit and not _net_for(gross, percent, rounding, unit):
        return  # No net has this gross with its rounded tax, and the price was given gross.
    yield f"BR-CO-17, BR-{category}-09: {tax} is {base} x {percent} % = {wanted}"


def _net_for(gross: Decimal, percent: Decimal, rounding: Rounding, unit: Decimal) -> bool:
    near = (gross / (1 + percent / 100)).quantize(unit, ROUND_HALF_UP)
    candidates = (near + step * unit for step in range(-2, 3))
    return any(
        net + (net * percent / 100).quantize(unit, MODES[rounding]) == gross for net in candidates
    )


def _gross_is_kept(invoice: Invoice, key: Rate, gross: Decimal, unit: Decimal) -> Iterator[str]:
    """Check that what was priced with tax costs what was said, beside what was priced without."""
    category, percent = key
    lines = [
        line
        for line in invoice.lines
        if (line.rate.category, line.rate.percent) == (category, percent)
    ]
    said = with_tax = Decimal(0)
    for line in lines:
        priced = (line.amount_minor - sum(each.amount_minor for each in line.discounts)) * unit
        if line.behavior is TaxBehavior.INCLUSIVE:
            with_tax += priced
        else:
            said += priced
    wanted = with_tax + said + (said * percent / 100).quantize(unit, MODES[invoice.rounding])
    if gross != wanted:
        yield f"prices with tax: {gross} is what was said, {wanted}"


def _of_note(note: CreditNote, invoice: Invoice) -> Iterator[str]:
    unit = Decimal(1).scaleb(-note.currency.exponent)
    nets: dict[Rate, Decimal] = defaultdict(Decimal)
    for line in note.lines:
        nets[line.rate.category, line.rate.percent] += line.net_minor * unit
    without, tax, total = (
        minor * unit for minor in (note.net_minor, note.tax_minor, note.total_minor)
    )
    if sum(nets.values(), Decimal(0)) != without:
        yield "BR-CO-10, BR-CO-13: the net is the sum of the lines' nets"
    if sum((group.tax_minor * unit for group in note.taxes), Decimal(0)) != tax:
        yield "BR-CO-14: the tax is the sum of the breakdown"
    if without + tax != total:
        yield f"BR-CO-15: {total} is {without} + {tax}"
    for group in note.taxes:
        key = (group.category, group.percent)
        base, group_tax = group.base_minor * unit, group.tax_minor * unit
        if base != nets[key]:
            yield f"BR-{group.category}-08: the base {base} is the sum of its lines {nets[key]}"
        if group.category is not TaxCategory.STANDARD:
            if group_tax:
                yield f"BR-{group.category}-09: {group_tax} is no tax"
            continue
        # One rounding for the exclusive lines together, one for each inclusive line; each before
        # and after, so each within one minor unit.
        inclusive = sum(line.behavior is TaxBehavior.INCLUSIVE for line in note.lines)
        allowed = (1 + inclusive) * unit * (1 + group.percent / 100)
        if abs(group_tax - base * group.percent / 100) > allowed:
            yield f"BR-CO-17: {group_tax} is {base} x {group.percent} %, within {allowed}"
    if total > invoice.total_minor * unit or total <= 0:
        yield f"a credit of {total} is above zero and at most the invoice"
