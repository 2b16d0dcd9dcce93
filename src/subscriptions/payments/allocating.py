"""What money pays: which invoices first, and which parts of a claim first.

Law: what is allocated is never more than the money, and to no invoice more than it is owed. The
rules are values; the money is moved by the commands of payments and invoices.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from enum import StrEnum

from subscriptions.decisions import Change, changed
from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.ids import InvoiceId
from subscriptions.invoices import Invoice
from subscriptions.money import Money
from subscriptions.payment_references import known_numbers, references_in
from subscriptions.payments.events import (
    PaymentDeallocated,
    PaymentPutOnBalance,
    PaymentTakenOffBalance,
)
from subscriptions.payments.payment import PAYMENT, Allocation, Payment
from subscriptions.records import evolve

_NEVER = datetime.max.replace(tzinfo=UTC)


class AllocationRule(StrEnum):
    """Which of several open invoices money pays first."""

    OLDEST = "oldest"
    """The one that was owed first: not by when it was drafted, but by when it became final."""
    NEWEST = "newest"
    REFERENCE = "reference"
    """Those that the text of the transfer names, in its order, and no others."""


def read_rule(value: AllocationRule | str) -> AllocationRule:
    """Return a rule, or raise `ValidationError`."""
    try:
        return AllocationRule(value)
    except ValueError:
        raise ValidationError("rule", value, "'oldest', 'newest' or 'reference'") from None


def allocate(
    amount_minor: int, owed: Iterable[Invoice], rule: AllocationRule, *, text: str = ""
) -> tuple[Allocation, ...]:
    """Split an amount in minor units over what invoices are owed, as a rule says.

    Each gets all that it is owed before the next gets anything. What is left over is the amount
    less the sum of what is returned.
    """
    parts: list[Allocation] = []
    left = amount_minor
    for invoice in in_order(owed, rule, text=text):
        share = min(left, invoice.due_minor)
        if share > 0:
            left -= share
            parts.append(Allocation(invoice.id, share))
    return tuple(parts)


def in_order(
    owed: Iterable[Invoice], rule: AllocationRule, *, text: str = ""
) -> tuple[Invoice, ...]:
    """Return the invoices that a rule lets money pay, the first one first."""
    oldest = sorted(owed, key=lambda each: (each.finalized_at or _NEVER, each.number or ""))
    if rule is AllocationRule.OLDEST:
        return tuple(oldest)
    if rule is AllocationRule.NEWEST:
        return tuple(reversed(oldest))
    named = (*references_in(text), *known_numbers(x.number or "" for x in oldest).named_in(text))
    found = [x for name in named for x in oldest if name in (x.payment_reference, x.number)]
    return tuple({each.id: each for each in found}.values())


def deallocate(payment: Payment, invoice: InvoiceId, amount_minor: int) -> Change:
    """Decide that money which paid an invoice does so no more; it waits to be allocated anew.

    Raises `ValidationError` for an amount that is not positive or more than pays the invoice.
    """
    left = amount_minor
    parts: list[Allocation] = []
    for part in reversed(payment.allocations):
        taken = min(left, part.amount_minor) if part.invoice == invoice else 0
        left -= taken
        if part.amount_minor > taken:
            parts.append(Allocation(part.invoice, part.amount_minor - taken))
    amount = Money(amount_minor, payment.currency)
    if amount_minor <= 0 or left:
        most = Money(amount_minor - left, payment.currency)
        raise ValidationError("amount", amount, f"more than zero, at most {most}")
    after = evolve(payment, allocations=tuple(reversed(parts)), version=payment.version + 1)
    event = PaymentDeallocated(payment.id, payment.customer, invoice, amount)
    return changed(PAYMENT, payment, after, event)


def put_on_balance(payment: Payment, amount_minor: int) -> Change:
    """Decide that money which nothing is owed for is to the customer's credit.

    Raises `ValidationError` for an amount that is not positive or more than is unallocated.
    """
    amount = Money(amount_minor, payment.currency)
    if not 0 < amount_minor <= payment.unallocated.minor:
        raise ValidationError("amount", amount, f"more than zero, at most {payment.unallocated}")
    after = evolve(
        payment,
        balanced_minor=payment.balanced_minor + amount_minor,
        version=payment.version + 1,
    )
    event = PaymentPutOnBalance(payment.id, payment.customer, amount)
    return changed(PAYMENT, payment, after, event)


def take_off_balance(payment: Payment, amount_minor: int) -> Change:
    """Decide that money of a payment that was put on the balance is wanted otherwise.

    Raises `ValidationError` for an amount that is not positive or more than was put there.
    """
    amount = Money(amount_minor, payment.currency)
    if not 0 < amount_minor <= payment.balanced_minor:
        raise ValidationError("amount", amount, f"more than zero, at most {payment.balanced}")
    after = evolve(
        payment,
        balanced_minor=payment.balanced_minor - amount_minor,
        version=payment.version + 1,
    )
    event = PaymentTakenOffBalance(payment.id, payment.customer, amount)
    return changed(PAYMENT, payment, after, event)


class ClaimPart(StrEnum):
    """A part of what is owed for one invoice."""

    COSTS = "costs"
    """What it cost to ask for the money: fees of reminders, of a returned debit."""
    INTEREST = "interest"
    PRINCIPAL = "principal"
    """The invoice itself."""


LEGAL_ORDER = (ClaimPart.COSTS, ClaimPart.INTEREST, ClaimPart.PRINCIPAL)
"""Costs, then interest, then the principal: the order of § 367 (1) of the German Civil Code."""


@frozen
class ClaimParts:
    """Amounts of the parts of one claim, in minor units of one currency; none is negative."""

    costs_minor: int = 0
    interest_minor: int = 0
    principal_minor: int = 0

    def __attrs_post_init__(self) -> None:
        for part in ClaimPart:
            if self.of(part) < 0:
                raise ValidationError(f"{part}_minor", self.of(part), "not negative")

    def of(self, part: ClaimPart) -> int:
        """Return one part, in minor units."""
        amounts = {
            ClaimPart.COSTS: self.costs_minor,
            ClaimPart.INTEREST: self.interest_minor,
            ClaimPart.PRINCIPAL: self.principal_minor,
        }
        return amounts[part]

    @property
    def total_minor(self) -> int:
        """The sum of the parts."""
        return self.costs_minor + self.interest_minor + self.principal_minor


def pay_parts(
    amount_minor: int, owed: ClaimParts, order: Sequence[ClaimPart] = LEGAL_ORDER
) -> tuple[ClaimParts, int]:
    """Split an amount over the parts of a claim in an order; returns what each gets, and the rest.

    The shares and the rest add up to the amount; no part gets more than is owed of it. A payer who
    names a part, and a creditor who takes the money for it, name another order. Raises
    `ValidationError` for a negative amount and for an order that is not of all three parts.

    >>> pay_parts(10000, ClaimParts(costs_minor=250, interest_minor=1200, principal_minor=50000))
    (ClaimParts(costs_minor=250, interest_minor=1200, principal_minor=8550), 0)
    """
    if amount_minor < 0:
        raise ValidationError("amount", amount_minor, "not negative")
    if sorted(order) != sorted(ClaimPart):
        raise ValidationError("order", order, "costs, interest and principal, each once")
    left = amount_minor
    shares: dict[ClaimPart, int] = {}
    for part in order:
        shares[part] = min(left, owed.of(part))
        left -= shares[part]
    paid = ClaimParts(
        shares[ClaimPart.COSTS], shares[ClaimPart.INTEREST], shares[ClaimPart.PRINCIPAL]
    )
    return paid, left
