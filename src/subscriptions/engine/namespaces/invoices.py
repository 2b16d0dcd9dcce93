"""`billing.invoices` and `billing.preview.invoices`, with and without `await`."""

from __future__ import annotations

from subscriptions.engine import reporting
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
from subscriptions.engine.procedures import run_async, run_sync
from subscriptions.invoices import ChainBreak
from subscriptions.usecases import documents, invoices, pending_items, pro_formas, upcoming


class Invoices(Namespace):
    """What customers owe."""

    create_one_off = Does(invoices.create_one_off)
    finalize = Does(invoices.finalize)
    pay = Does(invoices.pay)
    void = Does(invoices.void)
    mark_uncollectible = Does(invoices.mark_uncollectible)
    regenerate = Does(invoices.regenerate)
    send = Does(invoices.send)
    add_lines = Does(invoices.add_lines)
    upcoming = Asks(upcoming.upcoming)
    add_pending_item = Does(pending_items.add)
    remove_pending_item = Does(pending_items.remove)
    pending_items = Lists(pending_items.list_)
    invoice_pending_items = Does(invoices.invoice_pending_items)
    pro_forma = Does(pro_formas.create)
    get_pro_forma = Asks(pro_formas.get)
    pro_forma_text = Asks(pro_formas.text)
    pro_formas = Lists(pro_formas.list_)
    text = Asks(documents.text)
    explain = Asks(documents.explain)
    get = Asks(invoices.get)
    list = Lists(invoices.list_)

    def verify(self, id: str | None = None) -> tuple[ChainBreak, ...]:
        """Return the invoices and credit notes that do not fit into the chain of their series.

        Each was sealed with a hash of its content and of the one before it, so that a change, an
        insertion and a removal show. Nothing wrong is an empty tuple. With `id` only the seal of
        that invoice is checked; raises `NotFound` for an unknown one.
        """
        if id is not None:
            return run_sync(self.engine.ask(invoices.verify(id)))
        found = run_sync(reporting.audit_numbers(self.engine))
        return tuple(each.finding for each in found if isinstance(each.finding, ChainBreak))


class AsyncInvoices(Namespace):
    """What customers owe."""

    create_one_off = AsyncDoes(invoices.create_one_off)
    finalize = AsyncDoes(invoices.finalize)
    pay = AsyncDoes(invoices.pay)
    void = AsyncDoes(invoices.void)
    mark_uncollectible = AsyncDoes(invoices.mark_uncollectible)
    regenerate = AsyncDoes(invoices.regenerate)
    send = AsyncDoes(invoices.send)
    add_lines = AsyncDoes(invoices.add_lines)
    upcoming = AsyncAsks(upcoming.upcoming)
    add_pending_item = AsyncDoes(pending_items.add)
    remove_pending_item = AsyncDoes(pending_items.remove)
    pending_items = AsyncLists(pending_items.list_)
    invoice_pending_items = AsyncDoes(invoices.invoice_pending_items)
    pro_forma = AsyncDoes(pro_formas.create)
    get_pro_forma = AsyncAsks(pro_formas.get)
    pro_forma_text = AsyncAsks(pro_formas.text)
    pro_formas = AsyncLists(pro_formas.list_)
    text = AsyncAsks(documents.text)
    explain = AsyncAsks(documents.explain)
    get = AsyncAsks(invoices.get)
    list = AsyncLists(invoices.list_)

    async def verify(self, id: str | None = None) -> tuple[ChainBreak, ...]:
        """Return the invoices that do not fit into their chain, as `Invoices.verify` does."""
        if id is not None:
            return await run_async(self.engine.ask(invoices.verify(id)))
        found = await run_async(reporting.audit_numbers(self.engine))
        return tuple(each.finding for each in found if isinstance(each.finding, ChainBreak))


class InvoicePreviews(Namespace):
    """What commands on invoices would do."""

    create_one_off = Previews(invoices.create_one_off)
    finalize = Previews(invoices.finalize)
    void = Previews(invoices.void)
    mark_uncollectible = Previews(invoices.mark_uncollectible)


class AsyncInvoicePreviews(Namespace):
    """What commands on invoices would do."""

    create_one_off = AsyncPreviews(invoices.create_one_off)
    finalize = AsyncPreviews(invoices.finalize)
    void = AsyncPreviews(invoices.void)
    mark_uncollectible = AsyncPreviews(invoices.mark_uncollectible)
