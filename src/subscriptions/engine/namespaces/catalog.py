"""`billing.catalog`, with and without `await`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from subscriptions.billing_cycles import Interval
from subscriptions.engine import migrating
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
from subscriptions.engine.requests import requested
from subscriptions.migrations import Migration
from subscriptions.usecases import catalog, migrations
from subscriptions.usecases.migration_report import MigrationReport


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
        notice: Interval | date | None = None,
        customers: Iterable[str] | None = None,
        tags: Iterable[str] = (),
        preview: bool = False,
        at: datetime | None = None,
        idempotency_key: str | None = None,
    ) -> MigrationReport:
        """Let a cohort of subscriptions go over from one price to another, each at a renewal.

        Every subscription that runs, or will, and has an item of this version of a price (which may
        be superseded or archived) gets a planned change: at the item's first renewal on or after
        `on`, and not before an interval of `notice` from now, it has the price `to`, which must
        recur at the same interval and in the same currency. Nothing is prorated. `customers` are
        the only ones in the cohort, by their ids; with `tags`, only those who have at least one of
        them.

        A `PlannedChangeAnnounced` says when it is time to tell a customer: the `notice` before the
        day, or on that day if `notice` is one, or at once without. If no run came on that day, the
        change is put off, so that the notice is kept. Quantity and the count of billed periods
        stay. Who has changed to another price by then keeps that. A customer with a price of his
        own instead of `to` gets that; a price of one customer is moved only if it is `price`.

        With `preview` nothing is stored; the report is the same. The same call again, as after a
        crash, goes on where it was, and takes in who came since; with the idempotency key of a call
        that came to its end it only reports what is planned still. Subscriptions are planned in
        batches, each whole or not at all; inside `transaction()` all of it is part of that.

        Raises `UnknownReference` for an unknown price or customer, `ValidationError` for a wrong
        value, `CurrencyMismatch`, and `InvalidTransition` for a price that is not on offer on the
        day and for a migration that is being undone. Then nothing is planned.
        """
        cohort, request = requested(
            migrations.read_cohort,
            price,
            to,
            on=on,
            notice=notice,
            customers=customers,
            tags=tags,
            idempotency_key=idempotency_key,
        )
        planning = migrating.migrate(self.engine, cohort, request, preview=preview, at=at)
        return run_sync(planning)

    def undo_migration(
        self, id: str, *, at: datetime | None = None, idempotency_key: str | None = None
    ) -> Migration:
        """Withdraw what a migration planned and has not taken effect; what has, stays.

        The answer says how many plans were `withdrawn`, and how many were `left`: those took
        effect, or fell away before. The same call again goes on after a crash. Raises `NotFound`
        for an unknown migration and `InvalidTransition` for one that is undone, unless by the same
        idempotency key.
        """
        command, request = requested(migrations.undoing, id, at=at, idempotency_key=idempotency_key)
        return run_sync(migrating.undo_migration(self.engine, id, command, request))


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
        notice: Interval | date | None = None,
        customers: Iterable[str] | None = None,
        tags: Iterable[str] = (),
        preview: bool = False,
        at: datetime | None = None,
        idempotency_key: str | None = None,
    ) -> MigrationReport:
        """Let a cohort of subscriptions go over to another price, as `Catalog.migrate` does."""
        cohort, request = requested(
            migrations.read_cohort,
            price,
            to,
            on=on,
            notice=notice,
            customers=customers,
            tags=tags,
            idempotency_key=idempotency_key,
        )
        planning = migrating.migrate(self.engine, cohort, request, preview=preview, at=at)
        return await run_async(planning)

    async def undo_migration(
        self, id: str, *, at: datetime | None = None, idempotency_key: str | None = None
    ) -> Migration:
        """Undo a migration, as `Catalog.undo_migration` does."""
        command, request = requested(migrations.undoing, id, at=at, idempotency_key=idempotency_key)
        return await run_async(migrating.undo_migration(self.engine, id, command, request))
