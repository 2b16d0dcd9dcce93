"""`billing.preview`, with and without `await`."""

from __future__ import annotations

from subscriptions.engine.binding import Namespace
from subscriptions.engine.namespaces.credit_notes import AsyncCreditNotePreviews, CreditNotePreviews
from subscriptions.engine.namespaces.invoices import AsyncInvoicePreviews, InvoicePreviews
from subscriptions.engine.namespaces.subscriptions import (
    AsyncSubscriptionPreviews,
    SubscriptionPreviews,
)


class Preview(Namespace):
    """The commands that can be previewed: each returns a plan, which `Billing.commit` takes."""

    @property
    def subscriptions(self) -> SubscriptionPreviews:
        """What commands on subscriptions would do."""
        return SubscriptionPreviews(self.engine)

    @property
    def invoices(self) -> InvoicePreviews:
        """What commands on invoices would do."""
        return InvoicePreviews(self.engine)

    @property
    def credit_notes(self) -> CreditNotePreviews:
        """What credit notes would do."""
        return CreditNotePreviews(self.engine)


class AsyncPreview(Namespace):
    """The commands that can be previewed: each returns a plan for `AsyncBilling.commit`."""

    @property
    def subscriptions(self) -> AsyncSubscriptionPreviews:
        """What commands on subscriptions would do."""
        return AsyncSubscriptionPreviews(self.engine)

    @property
    def invoices(self) -> AsyncInvoicePreviews:
        """What commands on invoices would do."""
        return AsyncInvoicePreviews(self.engine)

    @property
    def credit_notes(self) -> AsyncCreditNotePreviews:
        """What credit notes would do."""
        return AsyncCreditNotePreviews(self.engine)
