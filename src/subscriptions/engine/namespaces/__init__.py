"""The nouns of `Billing` and `AsyncBilling`, a module each: which use case stands under which name.

Nothing is decided here. Each noun stands twice, once for each driver, one line for each method.
"""

from subscriptions.engine.namespaces.balance import AsyncBalance, Balance
from subscriptions.engine.namespaces.catalog import AsyncCatalog, Catalog
from subscriptions.engine.namespaces.coupons import AsyncCoupons, Coupons
from subscriptions.engine.namespaces.credit_notes import (
    AsyncCreditNotePreviews,
    AsyncCreditNotes,
    CreditNotePreviews,
    CreditNotes,
)
from subscriptions.engine.namespaces.customers import AsyncCustomers, Customers
from subscriptions.engine.namespaces.dunning import AsyncDunning, Dunning
from subscriptions.engine.namespaces.entitlements import AsyncEntitlements, Entitlements
from subscriptions.engine.namespaces.events import AsyncEvents, Events
from subscriptions.engine.namespaces.invoices import (
    AsyncInvoicePreviews,
    AsyncInvoices,
    InvoicePreviews,
    Invoices,
)
from subscriptions.engine.namespaces.payment_methods import AsyncPaymentMethods, PaymentMethods
from subscriptions.engine.namespaces.payments import AsyncPayments, Payments
from subscriptions.engine.namespaces.preview import AsyncPreview, Preview
from subscriptions.engine.namespaces.reports import AsyncReports, Reports
from subscriptions.engine.namespaces.subscriptions import (
    AsyncSubscriptionPreviews,
    AsyncSubscriptions,
    SubscriptionPreviews,
    Subscriptions,
)
from subscriptions.engine.namespaces.usage import AsyncUsage, Usage
from subscriptions.engine.namespaces.webhooks import AsyncWebhooks, Webhooks

__all__ = [
    "AsyncBalance",
    "AsyncCatalog",
    "AsyncCoupons",
    "AsyncCreditNotePreviews",
    "AsyncCreditNotes",
    "AsyncCustomers",
    "AsyncDunning",
    "AsyncEntitlements",
    "AsyncEvents",
    "AsyncInvoicePreviews",
    "AsyncInvoices",
    "AsyncPaymentMethods",
    "AsyncPayments",
    "AsyncPreview",
    "AsyncReports",
    "AsyncSubscriptionPreviews",
    "AsyncSubscriptions",
    "AsyncUsage",
    "AsyncWebhooks",
    "Balance",
    "Catalog",
    "Coupons",
    "CreditNotePreviews",
    "CreditNotes",
    "Customers",
    "Dunning",
    "Entitlements",
    "Events",
    "InvoicePreviews",
    "Invoices",
    "PaymentMethods",
    "Payments",
    "Preview",
    "Reports",
    "SubscriptionPreviews",
    "Subscriptions",
    "Usage",
    "Webhooks",
]
