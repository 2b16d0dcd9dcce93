"""Subscription billing that an application embeds in its own process and database.

What a host types in its first week stands here; everything else is one module away. Each name is
loaded when it is first used, so that importing the package costs next to nothing and `Money` alone
does not load the engine.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from subscriptions.billing_cycles import BillingCycle, Interval, Period
    from subscriptions.customers import Address
    from subscriptions.dunning import (
        CancelSubscription,
        DunningPolicy,
        MarkUncollectible,
        MarkUnpaid,
        Reminder,
        Retries,
    )
    from subscriptions.engine.billing import AsyncBilling, Billing
    from subscriptions.errors import (
        Conflict,
        DomainError,
        Duplicate,
        InvalidTransition,
        NotFound,
        StalePlan,
        StorageError,
        UnknownReference,
        ValidationError,
    )
    from subscriptions.invoice_numbering import Reset, Series
    from subscriptions.invoices import Seller
    from subscriptions.money import EUR, Currency, Money
    from subscriptions.pricing import Flat, Graduated, Package, Percentage, PerUnit, Tier, Volume
    from subscriptions.proration import prorate
    from subscriptions.storage.memory import MemoryStorage
    from subscriptions.storage.sql import SqlStorage
    from subscriptions.taxes import TaxRate, TaxRates
    from subscriptions.usecases.one_off import OneOff

__all__ = [
    "EUR",
    "Address",
    "AsyncBilling",
    "Billing",
    "BillingCycle",
    "CancelSubscription",
    "Conflict",
    "Currency",
    "DomainError",
    "DunningPolicy",
    "Duplicate",
    "Flat",
    "Graduated",
    "Interval",
    "InvalidTransition",
    "MarkUncollectible",
    "MarkUnpaid",
    "MemoryStorage",
    "Money",
    "NotFound",
    "OneOff",
    "Package",
    "PerUnit",
    "Percentage",
    "Period",
    "Reminder",
    "Reset",
    "Retries",
    "Seller",
    "Series",
    "SqlStorage",
    "StalePlan",
    "StorageError",
    "TaxRate",
    "TaxRates",
    "Tier",
    "UnknownReference",
    "ValidationError",
    "Volume",
    "prorate",
]

_HOME = {
    name: module
    for module, names in {
        "subscriptions.billing_cycles": ("BillingCycle", "Interval", "Period"),
        "subscriptions.customers": ("Address",),
        "subscriptions.dunning": (
            "CancelSubscription",
            "DunningPolicy",
            "MarkUncollectible",
            "MarkUnpaid",
            "Reminder",
            "Retries",
        ),
        "subscriptions.engine.billing": ("AsyncBilling", "Billing"),
        "subscriptions.errors": (
            "Conflict",
            "DomainError",
            "Duplicate",
            "InvalidTransition",
            "NotFound",
            "StalePlan",
            "StorageError",
            "UnknownReference",
            "ValidationError",
        ),
        "subscriptions.invoice_numbering": ("Reset", "Series"),
        "subscriptions.invoices": ("Seller",),
        "subscriptions.money": ("EUR", "Currency", "Money"),
        "subscriptions.pricing": (
            "Flat",
            "Graduated",
            "Package",
            "PerUnit",
            "Percentage",
            "Tier",
            "Volume",
        ),
        "subscriptions.proration": ("prorate",),
        "subscriptions.storage.memory": ("MemoryStorage",),
        "subscriptions.storage.sql": ("SqlStorage",),
        "subscriptions.taxes": ("TaxRate", "TaxRates"),
        "subscriptions.usecases.one_off": ("OneOff",),
    }.items()
    for name in names
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any of the names above
    if name not in _HOME:
        raise AttributeError(f"module 'subscriptions' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
