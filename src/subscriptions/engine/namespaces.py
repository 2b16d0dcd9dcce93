"""The nouns of `Billing` and `AsyncBilling`: which use case stands under which name.

Nothing is decided here. Each noun stands twice, once for each driver, one line for each method.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from subscriptions.customer_files import FileFormat
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
from subscriptions.engine.deliveries import Subscriber
from subscriptions.engine.imports import Source
from subscriptions.engine.procedures import run_async, run_sync
from subscriptions.invoices import ChainBreak
from subscriptions.records import plain_text
from subscriptions.reports import questions as reports
from subscriptions.reports.numbers import NumberFinding
from subscriptions.usecases import (
    catalog,
    customers,
    documents,
    dunning,
    events,
    invoices,
    payment_methods,
    payments,
    subscriptions,
)
from subscriptions.usecases.imports import ImportReport


class Customers(Namespace):
    """Who is billed."""

    create = Does(customers.create)
    get = Asks(customers.get)
    update = Does(customers.update)
    tag = Does(customers.tag)
    untag = Does(customers.untag)
    list = Lists(customers.list_)

    def import_(
        self,
        source: Source,
        *,
        format: FileFormat | None = None,
        dry_run: bool = False,
        at: datetime | None = None,
    ) -> ImportReport:
        """Import customers with their ways to pay and running subscriptions from a file.

        `source` is a text, bytes, an open file or a `Path`; `format` is "csv" or "json" (default:
        as the path says, else CSV). The columns are those of `subscriptions.customer_files`.
        Each row is stored whole or not at all; a row that is known by its external ids stays as it
        is, so an import may be repeated. Nothing is charged, invoiced or mailed.

        With `dry_run` nothing is stored, and the report says what would be. Inside `transaction()`
        the import is part of that. Raises `OSError` for a file that cannot be read; what is wrong
        in the file is in the report.
        """
        return run_sync(self.engine.import_customers(source, format, dry_run=dry_run, at=at))


class AsyncCustomers(Namespace):
    """Who is billed."""

    create = AsyncDoes(customers.create)
    get = AsyncAsks(customers.get)
    update = AsyncDoes(customers.update)
    tag = AsyncDoes(customers.tag)
    untag = AsyncDoes(customers.untag)
    list = AsyncLists(customers.list_)

    async def import_(
        self,
        source: Source,
        *,
        format: FileFormat | None = None,
        dry_run: bool = False,
        at: datetime | None = None,
    ) -> ImportReport:
        """Import customers from a file, as `Customers.import_` does."""
        return await run_async(self.engine.import_customers(source, format, dry_run=dry_run, at=at))


class PaymentMethods(Namespace):
    """How customers pay."""

    attach = Does(payment_methods.attach)
    detach = Does(payment_methods.detach)
    set_default = Does(payment_methods.set_default)
    get = Asks(payment_methods.get)
    list = Lists(payment_methods.list_)


class AsyncPaymentMethods(Namespace):
    """How customers pay."""

    attach = AsyncDoes(payment_methods.attach)
    detach = AsyncDoes(payment_methods.detach)
    set_default = AsyncDoes(payment_methods.set_default)
    get = AsyncAsks(payment_methods.get)
    list = AsyncLists(payment_methods.list_)


class Catalog(Namespace):
    """What is sold."""

    add_product = Does(catalog.add_product)
    add_price = Does(catalog.add_price)
    archive = Does(catalog.archive)
    get_price = Asks(catalog.get_price)
    list = Lists(catalog.list_)


class AsyncCatalog(Namespace):
    """What is sold."""

    add_product = AsyncDoes(catalog.add_product)
    add_price = AsyncDoes(catalog.add_price)
    archive = AsyncDoes(catalog.archive)
    get_price = AsyncAsks(catalog.get_price)
    list = AsyncLists(catalog.list_)


class Subscriptions(Namespace):
    """Who has what, and until when."""

    create = Does(subscriptions.create)
    get = Asks(subscriptions.get)
    cancel = Does(subscriptions.cancel)
    undo_cancel = Does(subscriptions.undo_cancel)
    list = Lists(subscriptions.list_)


class AsyncSubscriptions(Namespace):
    """Who has what, and until when."""

    create = AsyncDoes(subscriptions.create)
    get = AsyncAsks(subscriptions.get)
    cancel = AsyncDoes(subscriptions.cancel)
    undo_cancel = AsyncDoes(subscriptions.undo_cancel)
    list = AsyncLists(subscriptions.list_)


class Invoices(Namespace):
    """What customers owe."""

    create_one_off = Does(invoices.create_one_off)
    finalize = Does(invoices.finalize)
    pay = Does(invoices.pay)
    void = Does(invoices.void)
    mark_uncollectible = Does(invoices.mark_uncollectible)
    text = Asks(documents.text)
    get = Asks(invoices.get)
    list = Lists(invoices.list_)

    def verify(self) -> tuple[ChainBreak, ...]:
        """Return the final invoices that do not fit into the chain of their series.

        Each was sealed with a hash of its content and of the one before it, so that a change, an
        insertion and a removal show. Nothing wrong is an empty tuple.
        """
        found = run_sync(self.engine.audit_numbers())
        return tuple(each.finding for each in found if isinstance(each.finding, ChainBreak))


class AsyncInvoices(Namespace):
    """What customers owe."""

    create_one_off = AsyncDoes(invoices.create_one_off)
    finalize = AsyncDoes(invoices.finalize)
    pay = AsyncDoes(invoices.pay)
    void = AsyncDoes(invoices.void)
    mark_uncollectible = AsyncDoes(invoices.mark_uncollectible)
    text = AsyncAsks(documents.text)
    get = AsyncAsks(invoices.get)
    list = AsyncLists(invoices.list_)

    async def verify(self) -> tuple[ChainBreak, ...]:
        """Return the invoices that do not fit into their chain, as `Invoices.verify` does."""
        found = await run_async(self.engine.audit_numbers())
        return tuple(each.finding for each in found if isinstance(each.finding, ChainBreak))


class Payments(Namespace):
    """What customers paid, and every attempt."""

    record = Does(payments.record)
    get = Asks(payments.get)
    list = Lists(payments.list_)


class AsyncPayments(Namespace):
    """What customers paid, and every attempt."""

    record = AsyncDoes(payments.record)
    get = AsyncAsks(payments.get)
    list = AsyncLists(payments.list_)


class Dunning(Namespace):
    """What happens to invoices that are not paid."""

    policies = Asks(dunning.policies)
    set_policy = Does(dunning.set_policy)
    simulate = Asks(dunning.simulate)
    status = Asks(dunning.status)
    hold = Does(dunning.hold)
    release = Does(dunning.release)
    list = Lists(dunning.list_)


class AsyncDunning(Namespace):
    """What happens to invoices that are not paid."""

    policies = AsyncAsks(dunning.policies)
    set_policy = AsyncDoes(dunning.set_policy)
    simulate = AsyncAsks(dunning.simulate)
    status = AsyncAsks(dunning.status)
    hold = AsyncDoes(dunning.hold)
    release = AsyncDoes(dunning.release)
    list = AsyncLists(dunning.list_)


class Reports(Namespace):
    """What it adds up to."""

    mrr = Asks(reports.mrr)

    def numbers(self) -> tuple[NumberFinding, ...]:
        """Audit the numbers of all final invoices, series by series; nothing wrong is empty.

        Finds gaps, doubles, wrong order, numbers of no series, and what `invoices.verify` finds.
        """
        return run_sync(self.engine.audit_numbers())


class Events(Namespace):
    """What happened."""

    list = Lists(events.list_)

    def subscribe(self, subscriber: Subscriber, *, name: str = "default") -> None:
        """Hand every committed event to a callable, in order, at least once.

        Its place is remembered under `name`: after a restart it goes on where it was. A new name
        begins with the first event there is. If the callable raises, it gets the event again later.
        """
        self.engine.deliveries.subscribers[plain_text("name", name)] = subscriber


class AsyncReports(Namespace):
    """What it adds up to."""

    mrr = AsyncAsks(reports.mrr)

    async def numbers(self) -> tuple[NumberFinding, ...]:
        """Audit the numbers of all final invoices, as `Reports.numbers` does."""
        return await run_async(self.engine.audit_numbers())


class AsyncEvents(Namespace):
    """What happened."""

    list = AsyncLists(events.list_)

    def subscribe(self, subscriber: Subscriber, *, name: str = "default") -> None:
        """Hand every committed event to a callable or a coroutine function, as `Events` does."""
        self.engine.deliveries.subscribers[plain_text("name", name)] = subscriber


class Webhooks(Namespace):
    """What gateways tell by themselves."""

    def receive(
        self, gateway: str, raw: bytes, headers: Mapping[str, str], *, at: datetime | None = None
    ) -> bool:
        """Take in a gateway's message; returns whether it was about a payment of ours.

        The signature is checked on the raw bytes. A message that comes twice, late or out of order
        does no harm. Raises `WebhookRefused` (answer with 400), and `ValidationError` for an
        unknown gateway.
        """
        return run_sync(self.engine.receive(gateway, raw, headers, at))


class AsyncWebhooks(Namespace):
    """What gateways tell by themselves."""

    async def receive(
        self, gateway: str, raw: bytes, headers: Mapping[str, str], *, at: datetime | None = None
    ) -> bool:
        """Take in a gateway's message, as `Webhooks.receive` does."""
        return await run_async(self.engine.receive(gateway, raw, headers, at))


class SubscriptionPreviews(Namespace):
    """What commands on subscriptions would do."""

    create = Previews(subscriptions.create)
    cancel = Previews(subscriptions.cancel)
    undo_cancel = Previews(subscriptions.undo_cancel)


class AsyncSubscriptionPreviews(Namespace):
    """What commands on subscriptions would do."""

    create = AsyncPreviews(subscriptions.create)
    cancel = AsyncPreviews(subscriptions.cancel)
    undo_cancel = AsyncPreviews(subscriptions.undo_cancel)


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
