"""How much of a payment disputes have taken, and which invoices are short of it.

What is taken comes out of what pays no invoice first, then out of what it put on the customer's
balance, as far as that is still there, then out of what was allocated last. Law: what disputes
take, what is reserved for refunds and what was given back are together at most what the payment
brought; and how the allocations are cut depends on how much is taken in all, not on the order in
which it was heard.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from subscriptions.decisions import Change, RecordParked, changed
from subscriptions.frozen import frozen
from subscriptions.ids import DisputeId
from subscriptions.money import Money
from subscriptions.payments.events import (
    PaymentAllocated,
    PaymentDeallocated,
    PaymentDisputed,
    PaymentPutOnBalance,
    PaymentRestored,
    PaymentTakenOffBalance,
    PaymentWithheld,
)
from subscriptions.payments.payment import PAYMENT, Allocation, Payment, Succeeded
from subscriptions.records import evolve


@frozen
class Shares:
    """What disputes make of a payment: what they take of it, and which invoices lose or regain it.

    `taken` and `returned` are in the order in which it is done. `balance_minor` is what the
    customer's balance loses; below zero, what it regains. `excess_minor` is what they would take
    beyond what is there, which only a person can clear.
    """

    disputed_minor: int
    taken: tuple[Allocation, ...] = ()
    returned: tuple[Allocation, ...] = ()
    balance_minor: int = 0
    excess_minor: int = 0


def note_dispute(payment: Payment, amount: Money, *, dispute: DisputeId) -> Change:
    """Decide that a payment is disputed; what that does to it is decided by `shares_of`."""
    after = evolve(payment, disputes=payment.disputes + 1, version=payment.version + 1)
    event = PaymentDisputed(payment.id, payment.customer, dispute, amount)
    return changed(PAYMENT, payment, after, event)


def shares_of(
    payment: Payment, wanted_minor: int, *, reopening_minor: int, on_balance_minor: int = 0
) -> Shares:
    """Return what it means that disputes take `wanted_minor` of a payment.

    At most `reopening_minor` of it is asked of the customer again. `on_balance_minor` is what he
    has on his balance. Nothing is taken of a payment that has not succeeded, as far as is known.

    >>> from subscriptions.testing.builders import a_payment
    >>> parts = (Allocation("inv_1", 2000), Allocation("inv_2", 1000))
    >>> payment = a_payment(amount_minor=3500, allocations=parts)
    >>> shares_of(payment, 2000, reopening_minor=2000).taken
    (Allocation(invoice='inv_2', amount_minor=1000), Allocation(invoice='inv_1', amount_minor=500))
    """
    if not isinstance(payment.state, Succeeded):
        return Shares(0)
    there = payment.amount_minor - payment.refunding_minor - payment.refunded_minor
    disputed = min(wanted_minor, there)
    withheld = sum([part.amount_minor for part in payment.withheld])
    paying = sum([part.amount_minor for part in payment.allocations]) + withheld
    unbalanced = payment.unbalanced_minor
    credited = payment.balanced_minor + unbalanced
    free = max(0, there - paying - credited)
    asked = min(disputed - min(disputed, free), reopening_minor)
    of_balance = min(asked, credited)
    if of_balance > unbalanced:
        of_balance = unbalanced + min(of_balance - unbalanced, on_balance_minor)
    short = min(asked - of_balance, paying)
    excess = wanted_minor - disputed + asked - of_balance - short
    moved = of_balance - unbalanced
    if short >= withheld:
        taken = _from_the_end(payment.allocations, short - withheld)
        return Shares(disputed, taken, (), moved, excess)
    returned = _from_the_end(payment.withheld, withheld - short)
    return Shares(disputed, (), returned, moved, excess)


def settle_disputes(
    payment: Payment, shares: Shares, restored: Sequence[Allocation] = (), *, at: datetime
) -> Change | None:
    """Decide what disputes make of a payment; None if that is so already.

    `restored` is what of `shares.returned` pays its invoice again, where that still needs it; the
    rest waits for an invoice. What they would take beyond what is there parks the payment; what
    only a refund under way stands against waits for its end.
    """
    id, customer, currency = payment.id, payment.customer, payment.currency
    events: list[object] = []
    moved = shares.disputed_minor - payment.disputed_minor
    if moved > 0:
        events.append(PaymentWithheld(id, customer, Money(moved, currency)))
    if moved < 0:
        events.append(PaymentRestored(id, customer, Money(-moved, currency)))
    allocations, withheld = payment.allocations, payment.withheld
    for part in shares.taken:
        allocations, withheld = _less(allocations, part), _more(withheld, part)
        amount = Money(part.amount_minor, currency)
        events.append(PaymentDeallocated(id, customer, part.invoice, amount))
    for part in shares.returned:
        withheld = _less(withheld, part)
    for part in restored:
        allocations = _more(allocations, part)
        amount = Money(part.amount_minor, currency)
        events.append(PaymentAllocated(id, customer, part.invoice, amount))
    freed = sum([x.amount_minor for x in shares.returned]) - sum([x.amount_minor for x in restored])
    if freed:
        events.append(PaymentAllocated(id, customer, None, Money(freed, currency)))
    if shares.balance_minor > 0:
        events.append(PaymentTakenOffBalance(id, customer, Money(shares.balance_minor, currency)))
    if shares.balance_minor < 0:
        events.append(PaymentPutOnBalance(id, customer, Money(-shares.balance_minor, currency)))
    parked = payment.parked
    excess_minor = shares.excess_minor - payment.refunding_minor
    if excess_minor > 0 and parked is None:
        excess = Money(excess_minor, currency)
        parked = f"disputes and refunds take {excess} more than is left of it and on the balance"
        events.append(RecordParked(PAYMENT.name, id, parked))
    if not events:
        return None
    after = evolve(
        payment,
        disputed_minor=shares.disputed_minor,
        disputed_at=at,
        allocations=allocations,
        withheld=withheld,
        balanced_minor=payment.balanced_minor - shares.balance_minor,
        unbalanced_minor=payment.unbalanced_minor + shares.balance_minor,
        parked=parked,
        version=payment.version + len(events),
    )
    return changed(PAYMENT, payment, after, *events)


def park_disputed(payment: Payment, reason: str) -> Change | None:
    """Decide that a person must look at a payment; None if one must already."""
    if payment.parked is not None:
        return None
    after = evolve(payment, parked=reason[:500], version=payment.version + 1)
    return changed(PAYMENT, payment, after, RecordParked(PAYMENT.name, payment.id, reason[:500]))


def _from_the_end(parts: Sequence[Allocation], minor: int) -> tuple[Allocation, ...]:
    taken: list[Allocation] = []
    for part in reversed(parts):
        share = min(minor, part.amount_minor)
        minor -= share
        if share:
            taken.append(Allocation(part.invoice, share))
    return tuple(taken)


def _less(parts: tuple[Allocation, ...], less: Allocation) -> tuple[Allocation, ...]:
    """Take a part off the last one; it is never more than that has."""
    *rest, last = parts
    left = last.amount_minor - less.amount_minor
    return (*rest, Allocation(last.invoice, left)) if left else tuple(rest)


def _more(parts: tuple[Allocation, ...], more: Allocation) -> tuple[Allocation, ...]:
    """Add a part to the last one, if that is of the same invoice, else after it."""
    if parts and parts[-1].invoice == more.invoice:
        *rest, last = parts
        return (*rest, Allocation(last.invoice, last.amount_minor + more.amount_minor))
    return (*parts, more)
