"""What happens to lines of bank statements, in the past tense."""

from __future__ import annotations

from subscriptions.frozen import frozen
from subscriptions.ids import BankLineId, CustomerId, PaymentId
from subscriptions.money import Money


@frozen
class BankLineImported:
    """A line of a statement is known; its status says whether a person must look at it."""

    line: BankLineId
    amount: Money
    status: str


@frozen
class BankLineBooked:
    """A line is recorded as a payment of a customer; `by_hand` where a person said so."""

    line: BankLineId
    customer: CustomerId
    payment: PaymentId
    by_hand: bool


@frozen
class BankLineDismissed:
    """A line is none of a customer's."""

    line: BankLineId
    reason: str
