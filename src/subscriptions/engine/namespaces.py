"""The nouns of `Billing` and `AsyncBilling`: which use case stands under which name.

Nothing is decided here. Each noun stands twice, once for each driver, one line for each method.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta

from subscriptions.billing_cycles import Interval, Period
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
from subscriptions.engine.receiving import Receipt
from subscriptions.engine.requests import requested
from subscriptions.engine.statements import StatementFormat, StatementSource
from subscriptions.invoices import ChainBreak
from subscriptions.migrations import Migration
from subscriptions.records import plain_text
from subscriptions.reports import questions as reports
from subscriptions.reports.ledger import Ledger
from subscriptions.reports.numbers import NumberFinding
from subscriptions.reports.tax import TaxReport
from subscriptions.usage import Usage as UsageRow
from subscriptions.usecases import (
    allocations,
    authorizations,
    balance,
    cancelling,
    catalog,
    coupons,
    credit_notes,
    customers,
    disputes,
    documents,
    dunning,
    entitlements,
    events,
    grants,
    inbox,
    invoices,
    migrations,
    pausing,
    payment_history,
    payment_methods,
    payments,
    pending_items,
    pro_formas,
    refunds,
    resolving,
    review,
    statements,
    subscriptions,
    upcoming,
    usage,
    usage_so_far,
)
from subscriptions.usecases.imports import ImportReport
from subscriptions.usecases.migrations import MigrationReport
from subscriptions.usecases.statements import StatementReport
from subscriptions.usecases.usage import UsageReport


class Customers(Namespace):
    """Who is billed."""

    create = Does(customers.create)
    get = Asks(customers.get)
    update = Does(customers.update)
    tag = Does(customers.tag)
    untag = Does(customers.untag)
    check_tax_id = Does(customers.check_tax_id)
    record_tax_id_check = Does(customers.record_tax_id_check)
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
    check_tax_id = AsyncDoes(customers.check_tax_id)
    record_tax_id_check = AsyncDoes(customers.record_tax_id_check)
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
    set_backup = Does(payment_methods.set_backup)
    get = Asks(payment_methods.get)
    list = Lists(payment_methods.list_)


class AsyncPaymentMethods(Namespace):
    """How customers pay."""

    attach = AsyncDoes(payment_methods.attach)
    detach = AsyncDoes(payment_methods.detach)
    set_default = AsyncDoes(payment_methods.set_default)
    set_backup = AsyncDoes(payment_methods.set_backup)
    get = AsyncAsks(payment_methods.get)
    list = AsyncLists(payment_methods.list_)


class Catalog(Namespace):
    """What is sold."""

    add_product = Does(catalog.add_product)
    add_price = Does(catalog.add_price)
    new_version = Does(catalog.new_version)
    override = Does(catalog.override)
    archive = Does(catalog.archive)
    archive_product = Does(catalog.archive_product)
    get_product = Asks(catalog.get_product)
    get_price = Asks(catalog.get_price)
    versions = Asks(catalog.versions)
    products = Lists(catalog.products)
    list = Lists(catalog.list_)
    get_migration = Asks(migrations.get)
    migrations = Lists(migrations.list_)

    def migrate(
        self,
        price: str,
        to: str,
        *,
        on: date,
        notice: Interval | None = None,
        customers: Iterable[str] | None = None,
        tags: Iterable[str] = (),
        preview: bool = False,
        at: datetime | None = None,
    ) -> MigrationReport:
        """Let a cohort of subscriptions go over from one price to another, each at a renewal.

        Every subscription that runs, or will, and has an item of this version of a price (which may
        be superseded or archived) gets a planned change: at the item's first renewal on or after
        `on`, and not before `notice` from now, it has the price `to`, which must recur at the same
        interval and in the same currency. Nothing is prorated. `customers` are the only ones in the
        cohort, by their ids; with `tags`, only those who have at least one of them.

        A `PlannedChangeAnnounced` says when it is time to tell a customer: the `notice` before the
        day, or at once without one. If no run came on that day, the change is put off, so that the
        notice is kept. Quantity and the count of billed periods stay. Who has changed to another
        price by then keeps that. A customer with a price of his own instead of `to` gets that; a
        price of one customer is moved only if it is `price`.

        With `preview` nothing is stored; the report is the same. The same call again, as after a
        crash, goes on where it was, and takes in who came since. Subscriptions are planned in
        batches, each whole or not at all; inside `transaction()` all of it is part of that.

        Raises `UnknownReference` for an unknown price or customer, `ValidationError` for a wrong
        value, `CurrencyMismatch`, and `InvalidTransition` for a price that is not on offer on the
        day and for a migration that is being undone. Then nothing is planned.
        """
        cohort, _ = requested(
            migrations.read_cohort, price, to, on=on, notice=notice, customers=customers, tags=tags
        )
        return run_sync(self.engine.migrate(cohort, preview=preview, at=at))

    def undo_migration(self, id: str, *, at: datetime | None = None) -> Migration:
        """Withdraw what a migration planned and has not taken effect; what has, stays.

        The answer says how many plans were `withdrawn`, and how many were `left`: those took
        effect, or fell away before. The same call again goes on after a crash. Raises `NotFound`
        for an unknown migration and `InvalidTransition` for one that is undone.
        """
        return run_sync(self.engine.undo_migration(id, at))


class AsyncCatalog(Namespace):
    """What is sold."""

    add_product = AsyncDoes(catalog.add_product)
    add_price = AsyncDoes(catalog.add_price)
    new_version = AsyncDoes(catalog.new_version)
    override = AsyncDoes(catalog.override)
    archive = AsyncDoes(catalog.archive)
    archive_product = AsyncDoes(catalog.archive_product)
    get_product = AsyncAsks(catalog.get_product)
    get_price = AsyncAsks(catalog.get_price)
    versions = AsyncAsks(catalog.versions)
    products = AsyncLists(catalog.products)
    list = AsyncLists(catalog.list_)
    get_migration = AsyncAsks(migrations.get)
    migrations = AsyncLists(migrations.list_)

    async def migrate(
        self,
        price: str,
        to: str,
        *,
        on: date,
        notice: Interval | None = None,
        customers: Iterable[str] | None = None,
        tags: Iterable[str] = (),
        preview: bool = False,
        at: datetime | None = None,
    ) -> MigrationReport:
        """Let a cohort of subscriptions go over to another price, as `Catalog.migrate` does."""
        cohort, _ = requested(
            migrations.read_cohort, price, to, on=on, notice=notice, customers=customers, tags=tags
        )
        return await run_async(self.engine.migrate(cohort, preview=preview, at=at))

    async def undo_migration(self, id: str, *, at: datetime | None = None) -> Migration:
        """Undo a migration, as `Catalog.undo_migration` does."""
        return await run_async(self.engine.undo_migration(id, at))


class Coupons(Namespace):
    """What is taken off, and for whom."""

    create = Does(coupons.create)
    archive = Does(coupons.archive)
    code = Does(coupons.code)
    deactivate_code = Does(coupons.deactivate_code)
    check = Asks(coupons.check)
    redeem = Does(coupons.redeem)
    remove = Does(coupons.remove)
    get = Asks(coupons.get)
    get_code = Asks(coupons.get_code)
    codes = Lists(coupons.codes)
    redemptions = Lists(coupons.redemptions)
    list = Lists(coupons.list_)


class AsyncCoupons(Namespace):
    """What is taken off, and for whom."""

    create = AsyncDoes(coupons.create)
    archive = AsyncDoes(coupons.archive)
    code = AsyncDoes(coupons.code)
    deactivate_code = AsyncDoes(coupons.deactivate_code)
    check = AsyncAsks(coupons.check)
    redeem = AsyncDoes(coupons.redeem)
    remove = AsyncDoes(coupons.remove)
    get = AsyncAsks(coupons.get)
    get_code = AsyncAsks(coupons.get_code)
    codes = AsyncLists(coupons.codes)
    redemptions = AsyncLists(coupons.redemptions)
    list = AsyncLists(coupons.list_)


class Subscriptions(Namespace):
    """Who has what, and until when."""

    create = Does(subscriptions.create)
    get = Asks(subscriptions.get)
    change = Does(subscriptions.change)
    schedule = Does(subscriptions.schedule)
    unschedule = Does(subscriptions.unschedule)
    set_next_billing = Does(subscriptions.set_next_billing)
    transfer = Does(subscriptions.transfer)
    set_catch_up = Does(subscriptions.set_catch_up)
    set_payment_method = Does(subscriptions.set_payment_method)
    set_collection_method = Does(subscriptions.set_collection_method)
    pause = Does(pausing.pause)
    resume = Does(pausing.resume)
    extend_trial = Does(pausing.extend_trial)
    end_trial = Does(pausing.end_trial)
    cancel = Does(cancelling.cancel)
    undo_cancel = Does(cancelling.undo_cancel)
    set_end = Does(cancelling.set_end)
    reactivate = Does(cancelling.reactivate)
    answer_survey = Does(cancelling.answer_survey)
    cancellation_terms = Asks(cancelling.cancellation_terms)
    term_warnings = Asks(cancelling.term_warnings)
    list = Lists(subscriptions.list_)


class AsyncSubscriptions(Namespace):
    """Who has what, and until when."""

    create = AsyncDoes(subscriptions.create)
    get = AsyncAsks(subscriptions.get)
    change = AsyncDoes(subscriptions.change)
    schedule = AsyncDoes(subscriptions.schedule)
    unschedule = AsyncDoes(subscriptions.unschedule)
    set_next_billing = AsyncDoes(subscriptions.set_next_billing)
    transfer = AsyncDoes(subscriptions.transfer)
    set_catch_up = AsyncDoes(subscriptions.set_catch_up)
    set_payment_method = AsyncDoes(subscriptions.set_payment_method)
    set_collection_method = AsyncDoes(subscriptions.set_collection_method)
    pause = AsyncDoes(pausing.pause)
    resume = AsyncDoes(pausing.resume)
    extend_trial = AsyncDoes(pausing.extend_trial)
    end_trial = AsyncDoes(pausing.end_trial)
    cancel = AsyncDoes(cancelling.cancel)
    undo_cancel = AsyncDoes(cancelling.undo_cancel)
    set_end = AsyncDoes(cancelling.set_end)
    reactivate = AsyncDoes(cancelling.reactivate)
    answer_survey = AsyncDoes(cancelling.answer_survey)
    cancellation_terms = AsyncAsks(cancelling.cancellation_terms)
    term_warnings = AsyncAsks(cancelling.term_warnings)
    list = AsyncLists(subscriptions.list_)


class Usage(Namespace):
    """What was used, and what it comes to."""

    add_meter = Does(usage.add_meter)
    meters = Lists(usage.meters)
    record = Does(usage.record)
    summary = Asks(usage_so_far.summary)
    list = Lists(usage.list_)

    def record_many(self, events: Iterable[UsageRow], *, at: datetime | None = None) -> UsageReport:
        """Record usage in bulk: any iterable of `subscriptions.usage.Usage`, read as it comes.

        Events are stored in batches, each whole or not at all; one that is known is left alone, so
        after a crash the same events may come again. What `record` would raise for one of them is
        in the report and stops nothing. Inside `transaction()` all of it is part of that.

        Raises `StorageError` if the storage fails, and what the iterable raises; what came before
        is stored then.
        """
        return run_sync(self.engine.record_usage(events, at))


class AsyncUsage(Namespace):
    """What was used, and what it comes to."""

    add_meter = AsyncDoes(usage.add_meter)
    meters = AsyncLists(usage.meters)
    record = AsyncDoes(usage.record)
    summary = AsyncAsks(usage_so_far.summary)
    list = AsyncLists(usage.list_)

    async def record_many(
        self, events: Iterable[UsageRow], *, at: datetime | None = None
    ) -> UsageReport:
        """Record usage in bulk, as `Usage.record_many` does."""
        return await run_async(self.engine.record_usage(events, at))


class Entitlements(Namespace):
    """What customers may use."""

    list = Asks(entitlements.list_)
    check = Asks(entitlements.check)


class AsyncEntitlements(Namespace):
    """What customers may use."""

    list = AsyncAsks(entitlements.list_)
    check = AsyncAsks(entitlements.check)


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
        found = run_sync(self.engine.audit_numbers())
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
        found = await run_async(self.engine.audit_numbers())
        return tuple(each.finding for each in found if isinstance(each.finding, ChainBreak))


class CreditNotes(Namespace):
    """What was taken off final invoices."""

    create = Does(credit_notes.create)
    text = Asks(credit_notes.text)
    get = Asks(credit_notes.get)
    list = Lists(credit_notes.list_)


class Balance(Namespace):
    """What customers have to their credit."""

    adjust = Does(balance.adjust)
    entries = Lists(balance.entries)
    grant = Does(grants.grant)
    void_grant = Does(grants.void_grant)
    get_grant = Asks(grants.get_grant)
    grant_entries = Lists(grants.grant_entries)
    grants = Lists(grants.list_grants)  # last: from here on the name is this


class AsyncCreditNotes(Namespace):
    """What was taken off final invoices."""

    create = AsyncDoes(credit_notes.create)
    text = AsyncAsks(credit_notes.text)
    get = AsyncAsks(credit_notes.get)
    list = AsyncLists(credit_notes.list_)


class AsyncBalance(Namespace):
    """What customers have to their credit."""

    adjust = AsyncDoes(balance.adjust)
    entries = AsyncLists(balance.entries)
    grant = AsyncDoes(grants.grant)
    void_grant = AsyncDoes(grants.void_grant)
    get_grant = AsyncAsks(grants.get_grant)
    grant_entries = AsyncLists(grants.grant_entries)
    grants = AsyncLists(grants.list_grants)  # last: from here on the name is this


class Payments(Namespace):
    """What customers paid, and every attempt."""

    record = Does(payments.record)
    allocate = Does(allocations.allocate)
    deallocate = Does(allocations.deallocate)
    put_on_balance = Does(allocations.put_on_balance)
    unallocated = Lists(allocations.unallocated)
    history = Asks(payment_history.history)
    assign = Does(statements.assign)
    dismiss = Does(statements.dismiss)
    unmatched = Asks(statements.unmatched)
    proposals = Asks(statements.proposals)
    get_bank_line = Asks(statements.get_line)
    bank_lines = Lists(statements.bank_lines)
    authorize = Does(authorizations.authorize)
    capture = Does(authorizations.capture)
    release = Does(authorizations.release)
    resolve = Does(resolving.resolve)
    close_review = Does(review.close)
    review = Lists(review.list_)
    refund = Does(refunds.refund)
    get_refund = Asks(refunds.get)
    refunds = Lists(refunds.list_)
    record_dispute = Does(disputes.record_dispute)
    record_return = Does(disputes.record_return)
    close_dispute = Does(disputes.close_dispute)
    get_dispute = Asks(disputes.get)
    disputes = Lists(disputes.list_)
    get = Asks(payments.get)
    list = Lists(payments.list_)

    def import_statement(
        self,
        source: StatementSource,
        *,
        format: StatementFormat | None = None,
        account: str | None = None,
        gateway: str = "transfer",
        book: bool = True,
        at: datetime | None = None,
    ) -> StatementReport:
        """Import a bank statement: lines, or a CSV or CAMT.053 file with them; returns a report.

        `source` is an iterable of `subscriptions.statements.StatementLine`, a text, bytes, an open
        file or a `Path`; `format` is "camt.053", "csv" or a `CsvFormat` that says what a bank calls
        its columns (default: as the file begins). `account` is the seller's own account, by default
        as the file says.

        Each line is kept once, however often its statement is imported. One that names open
        invoices of one customer and brings exactly what they come to is recorded as a payment of
        them, unless `book` is off; the rest waits in `unmatched`. Money that went out is kept and
        pays nothing. Inside `transaction()` all of it is part of that.

        Raises `ValidationError` for what is no statement, before anything is stored, `OSError` for
        a file that cannot be read.
        """
        return run_sync(
            self.engine.import_statement(
                source, format, account=account, gateway=gateway, book=book, at=at
            )
        )


class AsyncPayments(Namespace):
    """What customers paid, and every attempt."""

    record = AsyncDoes(payments.record)
    allocate = AsyncDoes(allocations.allocate)
    deallocate = AsyncDoes(allocations.deallocate)
    put_on_balance = AsyncDoes(allocations.put_on_balance)
    unallocated = AsyncLists(allocations.unallocated)
    history = AsyncAsks(payment_history.history)
    assign = AsyncDoes(statements.assign)
    dismiss = AsyncDoes(statements.dismiss)
    unmatched = AsyncAsks(statements.unmatched)
    proposals = AsyncAsks(statements.proposals)
    get_bank_line = AsyncAsks(statements.get_line)
    bank_lines = AsyncLists(statements.bank_lines)
    authorize = AsyncDoes(authorizations.authorize)
    capture = AsyncDoes(authorizations.capture)
    release = AsyncDoes(authorizations.release)
    resolve = AsyncDoes(resolving.resolve)
    close_review = AsyncDoes(review.close)
    review = AsyncLists(review.list_)
    refund = AsyncDoes(refunds.refund)
    get_refund = AsyncAsks(refunds.get)
    refunds = AsyncLists(refunds.list_)
    record_dispute = AsyncDoes(disputes.record_dispute)
    record_return = AsyncDoes(disputes.record_return)
    close_dispute = AsyncDoes(disputes.close_dispute)
    get_dispute = AsyncAsks(disputes.get)
    disputes = AsyncLists(disputes.list_)
    get = AsyncAsks(payments.get)
    list = AsyncLists(payments.list_)

    async def import_statement(
        self,
        source: StatementSource,
        *,
        format: StatementFormat | None = None,
        account: str | None = None,
        gateway: str = "transfer",
        book: bool = True,
        at: datetime | None = None,
    ) -> StatementReport:
        """Import a bank statement, as `Payments.import_statement` does."""
        return await run_async(
            self.engine.import_statement(
                source, format, account=account, gateway=gateway, book=book, at=at
            )
        )


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
        """Audit the numbers of all invoices and credit notes; nothing wrong is empty.

        Finds gaps, doubles, wrong order, numbers of no series, and what `invoices.verify` finds.
        """
        return run_sync(self.engine.audit_numbers())

    def ledger(self, until: date | datetime | None = None) -> Ledger:
        """Book every document and movement of money as double entries, and compare.

        Without `until` it is the ledger of now, and what does not fit is in its `differences`;
        nothing ever should be. With an instant, or a day in the seller's zone, it is the ledger at
        the end of that. Raises `ValidationError` for a naive datetime.
        """
        return run_sync(self.engine.ledger(until))

    def tax(self, period: Period) -> TaxReport:
        """Add up the tax of a period, by seller, country, category and rate, and the OSS return.

        Invoices and credit notes count on the day they were issued, void ones once more, reversed.
        Raises `ValidationError` for anything but a `Period`.
        """
        return run_sync(self.engine.tax_report(period))


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

    async def ledger(self, until: date | datetime | None = None) -> Ledger:
        """Book every document and movement of money, as `Reports.ledger` does."""
        return await run_async(self.engine.ledger(until))

    async def tax(self, period: Period) -> TaxReport:
        """Add up the tax of a period, as `Reports.tax` does."""
        return await run_async(self.engine.tax_report(period))


class AsyncEvents(Namespace):
    """What happened."""

    list = AsyncLists(events.list_)

    def subscribe(self, subscriber: Subscriber, *, name: str = "default") -> None:
        """Hand every committed event to a callable or a coroutine function, as `Events` does."""
        self.engine.deliveries.subscribers[plain_text("name", name)] = subscriber


class Webhooks(Namespace):
    """What gateways tell by themselves."""

    replay = Does(inbox.replay)
    get = Asks(inbox.get)
    list = Lists(inbox.list_)

    def receive(
        self, gateway: str, raw: bytes, headers: Mapping[str, str], *, at: datetime | None = None
    ) -> Receipt:
        """Take in a gateway's message: verify it, keep it, then do what it tells.

        The signature is checked on the raw bytes. What is kept is what was read of it, not the body
        as it came. Answer the gateway with success whatever the receipt says: a message about
        something unknown is tried again, one that nobody here reads is kept and ignored, and what
        goes wrong after it was kept is for the next run. A message that comes twice, late or out of
        order does no harm.

        Raises `WebhookRefused` for a message that is not genuine (answer with 400; it is not kept),
        `ValidationError` for an unknown gateway, and `StorageError` if it could not be kept (answer
        with 500: the gateway sends it again).
        """
        return run_sync(self.engine.receive(gateway, raw, headers, at))

    def prune(self, *, older_than: timedelta, at: datetime | None = None) -> int:
        """Drop what messages said that are older and over; returns of how many.

        That they came is kept, so that each still counts once. What waits for a person stays.
        Raises `ValidationError` for less than the three days in which a message may be tried again.
        """
        return run_sync(self.engine.prune_messages(older_than, at))


class AsyncWebhooks(Namespace):
    """What gateways tell by themselves."""

    replay = AsyncDoes(inbox.replay)
    get = AsyncAsks(inbox.get)
    list = AsyncLists(inbox.list_)

    async def receive(
        self, gateway: str, raw: bytes, headers: Mapping[str, str], *, at: datetime | None = None
    ) -> Receipt:
        """Take in a gateway's message, as `Webhooks.receive` does."""
        return await run_async(self.engine.receive(gateway, raw, headers, at))

    async def prune(self, *, older_than: timedelta, at: datetime | None = None) -> int:
        """Drop what messages said that are older and over, as `Webhooks.prune` does."""
        return await run_async(self.engine.prune_messages(older_than, at))


class SubscriptionPreviews(Namespace):
    """What commands on subscriptions would do."""

    create = Previews(subscriptions.create)
    change = Previews(subscriptions.change)
    schedule = Previews(subscriptions.schedule)
    unschedule = Previews(subscriptions.unschedule)
    set_next_billing = Previews(subscriptions.set_next_billing)
    transfer = Previews(subscriptions.transfer)
    pause = Previews(pausing.pause)
    resume = Previews(pausing.resume)
    extend_trial = Previews(pausing.extend_trial)
    end_trial = Previews(pausing.end_trial)
    cancel = Previews(cancelling.cancel)
    undo_cancel = Previews(cancelling.undo_cancel)
    set_end = Previews(cancelling.set_end)
    reactivate = Previews(cancelling.reactivate)


class AsyncSubscriptionPreviews(Namespace):
    """What commands on subscriptions would do."""

    create = AsyncPreviews(subscriptions.create)
    change = AsyncPreviews(subscriptions.change)
    schedule = AsyncPreviews(subscriptions.schedule)
    unschedule = AsyncPreviews(subscriptions.unschedule)
    set_next_billing = AsyncPreviews(subscriptions.set_next_billing)
    transfer = AsyncPreviews(subscriptions.transfer)
    pause = AsyncPreviews(pausing.pause)
    resume = AsyncPreviews(pausing.resume)
    extend_trial = AsyncPreviews(pausing.extend_trial)
    end_trial = AsyncPreviews(pausing.end_trial)
    cancel = AsyncPreviews(cancelling.cancel)
    undo_cancel = AsyncPreviews(cancelling.undo_cancel)
    set_end = AsyncPreviews(cancelling.set_end)
    reactivate = AsyncPreviews(cancelling.reactivate)


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


class CreditNotePreviews(Namespace):
    """What credit notes would do."""

    create = Previews(credit_notes.create)


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


class AsyncCreditNotePreviews(Namespace):
    """What credit notes would do."""

    create = AsyncPreviews(credit_notes.create)


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
