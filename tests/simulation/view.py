"""What an invariant sees of the world: all that is stored, and the gateway's own books."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeAlias

from attrs import frozen

from subscriptions.balance import BalanceEntry
from subscriptions.credit_notes import CreditNote
from subscriptions.customers import Customer
from subscriptions.disputes import Dispute
from subscriptions.dunning import DunningCase
from subscriptions.events import Recorded
from subscriptions.gateways.fake import Alert, LedgerCharge, LedgerDispute, LedgerRefund
from subscriptions.gateways.fake.ledger import LedgerCapture
from subscriptions.grants import Grant, GrantEntry
from subscriptions.inbox import Inbound
from subscriptions.invoices import Invoice
from subscriptions.lifecycle import Subscription
from subscriptions.payments import ChargeIntent, Payment
from subscriptions.pending_items import PendingItem
from subscriptions.refunds import Refund
from subscriptions.reports.numbers import NumberFinding
from subscriptions.review import ReviewItem
from subscriptions.statements import BankLine

WAITED = "Waited"
"""What a line says that had waited for its invoice."""
TAKEN_TWICE = "disputes and refunds "
"""How the reason begins for which a payment is parked that disputes take too much of."""
REPLAY = timedelta(hours=23)
"""How old a key may be when it is sent again: the gateway's window without the margin."""


@frozen
class Sent:
    """A call of `charge`, with the payment and the invoice as they were stored at that moment."""

    at: datetime
    intent: ChargeIntent
    payment: Payment | None
    invoice: Invoice | None


@frozen
class View:
    """Everything that is stored, everything the gateway knows, everything that was handed out."""

    now: datetime
    invoices: tuple[Invoice, ...]
    payments: tuple[Payment, ...]
    subscriptions: tuple[Subscription, ...]
    cases: tuple[DunningCase, ...]
    events: tuple[Recorded, ...]
    customers: tuple[Customer, ...]
    entries: tuple[BalanceEntry, ...]
    refunds: tuple[Refund, ...]
    numbers: tuple[NumberFinding, ...]
    charges: tuple[LedgerCharge, ...]
    given_back: tuple[LedgerRefund, ...]
    sent: tuple[Sent, ...]
    handed_out: tuple[Recorded, ...]
    crashes: int
    surprises: tuple[str, ...]
    items: tuple[PendingItem, ...] = ()
    notes: tuple[CreditNote, ...] = ()
    grants: tuple[Grant, ...] = ()
    grant_entries: tuple[GrantEntry, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    disputed: tuple[LedgerDispute, ...] = ()
    captures: tuple[LedgerCapture, ...] = ()
    bank_lines: tuple[BankLine, ...] = ()
    messages: tuple[Inbound, ...] = ()
    review: tuple[ReviewItem, ...] = ()
    alerts: tuple[Alert, ...] = ()
    processed_before: tuple[Inbound, ...] = ()


Findings: TypeAlias = list[str]
Invariant: TypeAlias = Callable[[View], Findings]
