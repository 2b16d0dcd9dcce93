"""`billing.customers`, with and without `await`."""

from __future__ import annotations

from datetime import datetime

from subscriptions.customer_files import FileFormat
from subscriptions.engine import imports
from subscriptions.engine.binding import (
    Asks,
    AsyncAsks,
    AsyncDoes,
    AsyncLists,
    Does,
    Lists,
    Namespace,
)
from subscriptions.engine.imports import Source
from subscriptions.engine.procedures import run_async, run_sync
from subscriptions.usecases import customers, holding
from subscriptions.usecases.imports import ImportReport


class Customers(Namespace):
    """Who is billed."""

    create = Does(customers.create)
    get = Asks(customers.get)
    update = Does(customers.update)
    tag = Does(customers.tag)
    untag = Does(customers.untag)
    hold_collection = Does(holding.hold_collection)
    release_collection = Does(holding.release_collection)
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
        idempotency_key: str | None = None,
    ) -> ImportReport:
        """Import customers with their ways to pay and running subscriptions from a file.

        `source` is a text, bytes, an open file or a `Path`; `format` is "csv" or "json" (default:
        as the path says, else CSV). The columns are those of `subscriptions.customer_files`.
        Each row is stored whole or not at all; a row that is known by its external ids stays as it
        is, so an import may be repeated. Nothing is charged, invoiced or mailed.

        With `dry_run` nothing is stored, and the report says what would be. Inside `transaction()`
        the import is part of that. Raises `OSError` for a file that cannot be read, and
        `IdempotencyMismatch` for the idempotency key of an import that came to its end with other
        rows; what is wrong in the file is in the report.
        """
        return run_sync(
            imports.import_customers(
                self.engine,
                source,
                format,
                dry_run=dry_run,
                at=at,
                idempotency_key=idempotency_key,
            )
        )


class AsyncCustomers(Namespace):
    """Who is billed."""

    create = AsyncDoes(customers.create)
    get = AsyncAsks(customers.get)
    update = AsyncDoes(customers.update)
    tag = AsyncDoes(customers.tag)
    untag = AsyncDoes(customers.untag)
    hold_collection = AsyncDoes(holding.hold_collection)
    release_collection = AsyncDoes(holding.release_collection)
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
        idempotency_key: str | None = None,
    ) -> ImportReport:
        """Import customers from a file, as `Customers.import_` does."""
        return await run_async(
            imports.import_customers(
                self.engine,
                source,
                format,
                dry_run=dry_run,
                at=at,
                idempotency_key=idempotency_key,
            )
        )
