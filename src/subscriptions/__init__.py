"""Subscription billing that an application embeds in its own process and database.

What a host types in its first week stands here; everything else is one module away. The engine is
loaded when it is first used, so that importing the package costs no more than its pure core.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from subscriptions.billing_cycles import BillingCycle, Interval, Period
from subscriptions.customers import Address
from subscriptions.dunning import (
    CancelSubscription,
    DunningPolicy,
    MarkUncollectible,
    MarkUnpaid,
    Message,
    Retries,
)
from subscriptions.errors import (
    Conflict,
    CurrencyMismatch,
    DomainError,
    Duplicate,
    GatewayError,
    InvalidTransition,
    NotFound,
    StorageError,
    SubscriptionsError,
    UnknownReference,
    ValidationError,
)
from subscriptions.invoice_numbering import Reset, Series
from subscriptions.invoices import Seller
from subscriptions.money import Currency, Money
from subscriptions.pricing import Flat, PerUnit
from subscriptions.proration import prorate
from subscriptions.taxes import TaxCategory, TaxRate, TaxRates

if TYPE_CHECKING:
    from subscriptions.engine.billing import AsyncBilling, Billing
    from subscriptions.storage.memory import MemoryStorage
    from subscriptions.storage.sql import SqlStorage
    from subscriptions.usecases.invoices import OneOff

__all__ = [
    "Address",
    "AsyncBilling",
    "Billing",
    "BillingCycle",
    "CancelSubscription",
    "Conflict",
    "Currency",
    "CurrencyMismatch",
    "DomainError",
    "DunningPolicy",
    "Duplicate",
    "Flat",
    "GatewayError",
    "Interval",
    "InvalidTransition",
    "MarkUncollectible",
    "MarkUnpaid",
    "MemoryStorage",
    "Message",
    "Money",
    "NotFound",
    "OneOff",
    "PerUnit",
    "Period",
    "Reset",
    "Retries",
    "Seller",
    "Series",
    "SqlStorage",
    "StorageError",
    "SubscriptionsError",
    "TaxCategory",
    "TaxRate",
    "TaxRates",
    "UnknownReference",
    "ValidationError",
    "prorate",
]

_LOADED_ON_USE = {
    "AsyncBilling": "subscriptions.engine.billing",
    "Billing": "subscriptions.engine.billing",
    "MemoryStorage": "subscriptions.storage.memory",
    "OneOff": "subscriptions.usecases.invoices",
    "SqlStorage": "subscriptions.storage.sql",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any of the names above
    if name not in _LOADED_ON_USE:
        raise AttributeError(f"module 'subscriptions' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - only when something is loaded late

    return getattr(import_module(_LOADED_ON_USE[name]), name)
