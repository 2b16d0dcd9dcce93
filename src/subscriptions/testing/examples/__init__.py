"""One record of every kind in every state, one event of every type, one of every choice.

Storages must return them unchanged, and each has its golden file. A class that is added to a union
without an example here fails a test. Nothing here is random or reads a clock.
"""

from __future__ import annotations

from subscriptions.testing.examples.catalog import of_catalog, of_coupons, of_usage
from subscriptions.testing.examples.customers import (
    of_balance,
    of_customers,
    of_grants,
    of_payment_methods,
)
from subscriptions.testing.examples.events import event_bodies, of_commands, of_events
from subscriptions.testing.examples.example import Example
from subscriptions.testing.examples.inbox import of_inbox, of_review
from subscriptions.testing.examples.invoices import (
    of_credit_notes,
    of_invoices,
    of_number_series,
    of_pending_items,
)
from subscriptions.testing.examples.payments import (
    of_bank_lines,
    of_disputes,
    of_dunning,
    of_payments,
    of_refunds,
)
from subscriptions.testing.examples.subscriptions import of_migrations, of_subscriptions

__all__ = ["Example", "event_bodies", "examples"]


def examples() -> tuple[Example, ...]:
    """Return all examples; no two have one kind and one id, so all can be stored together."""
    return (
        *of_customers(),
        *of_balance(),
        *of_grants(),
        *of_payment_methods(),
        *of_catalog(),
        *of_usage(),
        *of_coupons(),
        *of_subscriptions(),
        *of_migrations(),
        *of_invoices(),
        *of_credit_notes(),
        *of_pending_items(),
        *of_payments(),
        *of_refunds(),
        *of_disputes(),
        *of_bank_lines(),
        *of_inbox(),
        *of_review(),
        *of_dunning(),
        *of_number_series(),
        *of_commands(),
        *of_events(),
    )
