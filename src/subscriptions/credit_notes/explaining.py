"""The arithmetic behind a line of a credit note: what was charged, taken off before, and is left.

Decided here: what the invoice, its credit notes and the line prove. Never here: an amount (a line's
is frozen), or a text for people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from subscriptions.catalog import Price
from subscriptions.credit_notes.credit_note import CreditNote
from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.ids import CreditNoteId, PriceId
from subscriptions.invoices import Explanation, Invoice, LineRef
from subscriptions.invoices import explain as explain_charge
from subscriptions.money import Money
from subscriptions.taxes import TaxBehavior, TaxGroup, TaxRate, key_of


@frozen
class EarlierCredit:
    """What an earlier credit note of the invoice took off the same line, as it was priced."""

    credit_note: CreditNoteId
    number: str | None
    amount_minor: int


@frozen
class CreditExplanation:
    """How the amount of a line of a credit note comes about, in minor units.

    It credits a part of the line `credits` of the invoice `invoice_number`. `charged` says how that
    line came about; `earlier` are the notes before that took something off it. Amounts are as the
    line was priced: net, or gross where `behavior` says so.

    Laws: `charged_minor - earlier_minor - left_minor` is `amount_minor`; that less
    `tax_inside_minor` is `net_minor`. Of what is left a part may be given back otherwise, as by a
    change of the subscription: of that a credit note says nothing.
    """

    credits: LineRef
    invoice_number: str
    charged: Explanation
    earlier: tuple[EarlierCredit, ...]
    left_minor: int
    """What this note, and all before it, leave of the line."""
    amount_minor: int
    rate: TaxRate
    behavior: TaxBehavior
    net_minor: int
    taxes: tuple[TaxGroup, ...]
    """The taxes of the note that the line bears, each with all of the lines that bear it."""
    more_rates: tuple[TaxRate, ...] = ()
    """The taxes on the same net besides `rate`."""

    @property
    def amount(self) -> Money:
        """What is credited: net or gross as `behavior` says."""
        return Money(self.amount_minor, self.charged.currency)

    @property
    def charged_minor(self) -> int:
        """What the invoice charged for the line, after its discounts."""
        return self.charged.taxable_minor

    @property
    def earlier_minor(self) -> int:
        """What earlier credit notes took off the line."""
        return sum([each.amount_minor for each in self.earlier])

    @property
    def share(self) -> Fraction | None:
        """Which part of what was charged is credited; None of a line that charged nothing."""
        return Fraction(self.amount_minor, self.charged_minor) if self.charged_minor else None

    @property
    def tax_inside_minor(self) -> int:
        """The tax that the amount contains; 0 where tax is added to the note's net."""
        return self.amount_minor - self.net_minor

    @property
    def net(self) -> Money:
        """What the line adds to the note's net."""
        return Money(self.net_minor, self.charged.currency)


def explain(
    note: CreditNote,
    line: int,
    invoice: Invoice,
    earlier: Sequence[CreditNote],
    *,
    prices: Mapping[PriceId, Price] | None = None,
) -> CreditExplanation:
    """Return how the amount of a note's line, by its place from 0, comes about.

    `earlier` are the invoice's credit notes; those that came after this one do not count. `prices`
    are those of the invoice's lines, by their ids: without its price the parts of what was charged
    may be unknown, as in `subscriptions.invoices.explain`.

    Raises `ValidationError` for a line that the note does not have, and for another invoice.

    >>> from subscriptions.testing.builders import a_credit_note, an_invoice
    >>> told = explain(a_credit_note(), 0, an_invoice(), [])
    >>> told.charged_minor, told.earlier_minor, told.left_minor, told.amount_minor
    (2900, 0, 0, 2900)
    """
    if type(line) is not int or not 0 <= line < len(note.lines):
        raise ValidationError("line", line, f"a place from 0 to {len(note.lines) - 1}")
    if invoice.id != note.invoice:
        raise ValidationError("invoice", invoice.id, f"the corrected invoice, {note.invoice}")
    credited = note.lines[line]
    before = [
        EarlierCredit(each.id, each.number, part.amount_minor)
        for each in sorted(earlier, key=lambda each: each.ordinal)
        if each.ordinal < note.ordinal
        for part in each.lines
        if part.line == credited.line and part.amount_minor
    ]
    source = invoice.lines[credited.line]
    price = None if prices is None or source.price is None else prices.get(source.price)
    charged = explain_charge(source, price=price)
    taken_minor = credited.amount_minor + sum([each.amount_minor for each in before])
    borne = {key_of(rate) for rate in (credited.rate, *credited.more_rates)}
    return CreditExplanation(
        LineRef(invoice.id, credited.line),
        note.invoice_number,
        charged,
        tuple(before),
        charged.taxable_minor - taken_minor,
        credited.amount_minor,
        credited.rate,
        credited.behavior,
        credited.net_minor,
        tuple([group for group in note.taxes if group.key in borne]),
        credited.more_rates,
    )
