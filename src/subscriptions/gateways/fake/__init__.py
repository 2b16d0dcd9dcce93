"""A gateway that moves no real money: for tests of hosts, demonstrations and simulations.

What happens to a charge is decided by its token (`TOKENS`), or by what was scripted for the next
one (`FakeGateway.decline_next` and its like). Nothing is random, and no clock is read.
"""

from subscriptions.gateways.fake.gateway import WEBHOOK_SECRET, FakeGateway
from subscriptions.gateways.fake.ledger import Alert, LedgerCharge, LedgerDispute, LedgerRefund
from subscriptions.gateways.fake.messages import WebhookMessage
from subscriptions.gateways.fake.tokens import DECLINES, TOKENS, DeclineCode, Token

__all__ = [
    "DECLINES",
    "TOKENS",
    "WEBHOOK_SECRET",
    "Alert",
    "DeclineCode",
    "FakeGateway",
    "LedgerCharge",
    "LedgerDispute",
    "LedgerRefund",
    "Token",
    "WebhookMessage",
]
