"""A shop whose worker comes by now and then: its clock is the gateway's clock as well.

A `Timeline` works everything off at its own time. A worker that was down does not: it comes days
later, and works at times that have long passed, while the gateway's clock went on.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from subscriptions import Billing, MemoryStorage, OneOff, Seller
from subscriptions.customers import Customer
from subscriptions.engine.run_reports import RunReport
from subscriptions.gateways import PaymentGateway
from subscriptions.gateways.fake import FakeGateway
from subscriptions.invoices import Invoice
from subscriptions.storage import Storage
from subscriptions.testing import TestClock, Timeline, counting_ids
from tests.scenarios.shop import Shop, eur

START = datetime(2027, 1, 1, 12, tzinfo=UTC)


def open_with_a_worker(
    storage: Storage | None = None,
    *,
    gateways: Mapping[str, PaymentGateway] | None = None,
    list_lag: timedelta = timedelta(0),
) -> Shop:
    clock = TestClock(START)
    gateway = FakeGateway(clock=clock, list_lag=list_lag)
    billing = Billing(
        storage=storage or MemoryStorage(),
        gateways={"card": gateway, **(gateways or {})},
        seller=Seller("Acme GmbH"),
        clock=clock,
        ids=counting_ids(),
        webhook_secrets={"card": [gateway.webhook_secret]},
    )
    return Shop(billing.engine.storage, gateway, clock, billing, Timeline(billing, START))


def later(shop: Shop, *, days: float = 0, minutes: float = 0) -> RunReport:
    """Let time pass while nobody works, then let the worker come by once."""
    shop.clock.now += timedelta(days=days, minutes=minutes)
    return shop.billing.run()


def invoice_once(shop: Shop, customer: Customer, amount: str = "29.00") -> Invoice:
    return shop.billing.invoices.create_one_off(customer.id, [OneOff("Work", eur(amount))])
