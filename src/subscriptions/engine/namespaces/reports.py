"""`billing.reports`, with and without `await`."""

from __future__ import annotations

from datetime import date, datetime

from subscriptions.billing_cycles import Period
from subscriptions.engine import reporting
from subscriptions.engine.binding import Asks, AsyncAsks, Namespace
from subscriptions.engine.procedures import run_async, run_sync
from subscriptions.reports import questions as reports
from subscriptions.reports.audit import Audit
from subscriptions.reports.ledger import Ledger
from subscriptions.reports.numbers import NumberFinding
from subscriptions.reports.tax import TaxReport


class Reports(Namespace):
    """What it adds up to."""

    mrr = Asks(reports.mrr)

    def audit(self) -> Audit:
        """Audit the books: what `numbers` and the `ledger` find, both of one state.

        `sound` says that there is nothing; run it nightly, and after a backup was restored.
        """
        return run_sync(reporting.audit(self.engine))

    def numbers(self) -> tuple[NumberFinding, ...]:
        """Audit the numbers of all invoices and credit notes; nothing wrong is empty.

        Finds gaps, doubles, wrong order, numbers of no series, and what `invoices.verify` finds.
        """
        return run_sync(reporting.audit_numbers(self.engine))

    def ledger(self, until: date | datetime | None = None) -> Ledger:
        """Book every document and movement of money as double entries, and compare.

        Without `until` it is the ledger of now, and what does not fit is in its `differences` and
        `unbalanced`; nothing ever should be. With an instant, or a day in the seller's zone, it is
        the ledger at the end of that. Raises `ValidationError` for a naive datetime.
        """
        return run_sync(reporting.ledger(self.engine, until))

    def tax(self, period: Period) -> TaxReport:
        """Add up the tax of a period, by seller, country, category and rate, and the OSS return.

        Invoices and credit notes count on the day they were issued, void ones once more, reversed.
        Raises `ValidationError` for anything but a `Period`.
        """
        return run_sync(reporting.tax_report(self.engine, period))


class AsyncReports(Namespace):
    """What it adds up to."""

    mrr = AsyncAsks(reports.mrr)

    async def audit(self) -> Audit:
        """Audit the books, as `Reports.audit` does."""
        return await run_async(reporting.audit(self.engine))

    async def numbers(self) -> tuple[NumberFinding, ...]:
        """Audit the numbers of all final invoices, as `Reports.numbers` does."""
        return await run_async(reporting.audit_numbers(self.engine))

    async def ledger(self, until: date | datetime | None = None) -> Ledger:
        """Book every document and movement of money, as `Reports.ledger` does."""
        return await run_async(reporting.ledger(self.engine, until))

    async def tax(self, period: Period) -> TaxReport:
        """Add up the tax of a period, as `Reports.tax` does."""
        return await run_async(reporting.tax_report(self.engine, period))
