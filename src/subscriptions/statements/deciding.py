"""What becomes of a line: it is imported, booked, or dismissed. Nothing here moves money."""

from __future__ import annotations

from datetime import datetime

from subscriptions.decisions import Change, changed
from subscriptions.errors import InvalidTransition
from subscriptions.ids import BankLineId, CustomerId, PaymentId
from subscriptions.records import evolve, plain_text
from subscriptions.statements.events import BankLineBooked, BankLineDismissed, BankLineImported
from subscriptions.statements.line import (
    ALLOWED,
    BANK_LINE,
    STATUS,
    BankLine,
    Booked,
    Dismissed,
    LineState,
    Outgoing,
    StatementLine,
    Waiting,
)


def take_in(
    id: BankLineId,
    line: StatementLine,
    ordinal: int,
    *,
    tenant: str,
    account: str,
    at: datetime,
) -> Change:
    """Decide to keep a line of a statement: it waits, or is outgoing."""
    state: LineState = Waiting() if line.amount.minor > 0 else Outgoing()
    record = BankLine(id, tenant, 1, account, line, ordinal, state, at)
    event = BankLineImported(id, line.amount, STATUS[type(state)])
    return Change(BANK_LINE, None, record, (event,))


def book(
    line: BankLine,
    *,
    customer: CustomerId,
    payment: PaymentId,
    at: datetime,
    by_hand: bool,
) -> Change:
    """Decide that a line is recorded as a payment.

    Raises `InvalidTransition` for one that is booked already, and for money that went out.
    """
    _check(line, Booked, "book")
    if line.line.amount.minor < 0:
        raise InvalidTransition(f"bank_line {line.id}", "outgoing", "book")
    after = evolve(
        line,
        state=Booked(at, payment, by_hand),
        customer=customer,
        version=line.version + 1,
    )
    return changed(BANK_LINE, line, after, BankLineBooked(line.id, customer, payment, by_hand))


def dismiss(line: BankLine, *, reason: str, at: datetime) -> Change:
    """Decide that a line is none of a customer's.

    Raises `InvalidTransition` for one that is booked or dismissed, `ValidationError` for no reason.
    """
    _check(line, Dismissed, "dismiss")
    reason = plain_text("reason", reason)
    after = evolve(line, state=Dismissed(at, reason), version=line.version + 1)
    return changed(BANK_LINE, line, after, BankLineDismissed(line.id, reason))


def _check(line: BankLine, state: type[LineState], wanted: str) -> None:
    if state not in ALLOWED[type(line.state)]:
        raise InvalidTransition(f"bank_line {line.id}", line.status, wanted)
