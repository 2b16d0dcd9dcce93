"""`billing.credit_notes` and its previews, with and without `await`."""

from __future__ import annotations

from subscriptions.engine.binding import (
    Asks,
    AsyncAsks,
    AsyncDoes,
    AsyncLists,
    AsyncPreviews,
    Does,
    Lists,
    Namespace,
    Previews,
)
from subscriptions.usecases import credit_notes


class CreditNotes(Namespace):
    """What was taken off final invoices."""

    create = Does(credit_notes.create)
    text = Asks(credit_notes.text)
    explain = Asks(credit_notes.explain)
    get = Asks(credit_notes.get)
    list = Lists(credit_notes.list_)

    @property
    def preview(self) -> CreditNotePreviews:
        """What a credit note would be: `preview(…)` has the arguments of `create`."""
        return CreditNotePreviews(self.engine)


class AsyncCreditNotes(Namespace):
    """What was taken off final invoices."""

    create = AsyncDoes(credit_notes.create)
    text = AsyncAsks(credit_notes.text)
    explain = AsyncAsks(credit_notes.explain)
    get = AsyncAsks(credit_notes.get)
    list = AsyncLists(credit_notes.list_)

    @property
    def preview(self) -> AsyncCreditNotePreviews:
        """What a credit note would be: `preview(…)` has the arguments of `create`."""
        return AsyncCreditNotePreviews(self.engine)


class CreditNotePreviews(Namespace):
    """What credit notes would do; called itself, what `create` would."""

    __call__ = Previews(credit_notes.create)
    create = Previews(credit_notes.create)


class AsyncCreditNotePreviews(Namespace):
    """What credit notes would do; called itself, what `create` would."""

    __call__ = AsyncPreviews(credit_notes.create)
    create = AsyncPreviews(credit_notes.create)
