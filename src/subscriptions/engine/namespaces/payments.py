"""`billing.payments`, with and without `await`."""

from __future__ import annotations

from datetime import datetime

from subscriptions.engine import statements as statement_files
from subscriptions.engine.binding import (
    Asks,
    AsyncAsks,
    AsyncDoes,
    AsyncLists,
    Does,
    Lists,
    Namespace,
)
from subscriptions.engine.procedures import run_async, run_sync
from subscriptions.engine.statements import StatementFormat, StatementSource
from subscriptions.usecases import (
    allocations,
    authorizations,
    disputes,
    payment_history,
    payments,
    refunds,
    resolving,
    review,
    statements,
)
from subscriptions.usecases.statements import StatementReport


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
    resolve_refund = Does(resolving.resolve_refund)
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
        idempotency_key: str | None = None,
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
        a file that cannot be read, and `IdempotencyMismatch` for the idempotency key of an import
        that came to its end with other lines.
        """
        return run_sync(
            statement_files.import_statement(
                self.engine,
                source,
                format,
                account=account,
                gateway=gateway,
                book=book,
                at=at,
                idempotency_key=idempotency_key,
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
    resolve_refund = AsyncDoes(resolving.resolve_refund)
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
        idempotency_key: str | None = None,
    ) -> StatementReport:
        """Import a bank statement, as `Payments.import_statement` does."""
        return await run_async(
            statement_files.import_statement(
                self.engine,
                source,
                format,
                account=account,
                gateway=gateway,
                book=book,
                at=at,
                idempotency_key=idempotency_key,
            )
        )
