"""A migration: taking a cohort of subscriptions from one price to another, each at a renewal.

Decided here: what a migration is, how far it has come, and the plan for one item. Each plan stands
on its subscription, with the id of the migration as its cause; the record counts them. Never here:
who is in the cohort, and what happens on the day, which is decided beside the subscription.

Law: the id follows from the tenant, both prices and the day. So the same call after a crash is the
same migration, and goes on where it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final, TypeAlias

from subscriptions import lifecycle
from subscriptions.billing_cycles import Interval
from subscriptions.catalog import Price
from subscriptions.decisions import Change, changed, created
from subscriptions.errors import InvalidTransition, ValidationError
from subscriptions.frozen import frozen
from subscriptions.ids import MigrationId, PriceId, derived_id
from subscriptions.lifecycle import Item, Planned, PlannedItem
from subscriptions.proration import Mode, Proration
from subscriptions.records import Column, ColumnType, Kind, evolve, plain_date


@frozen
class Planning:
    """Plans are being made; a call that did not come to its end left it so."""


@frozen
class InPlace:
    """All plans are made: the run announces them and carries them out."""


@frozen
class Undoing:
    """Plans are being withdrawn; a call that did not come to its end left it so."""


@frozen
class Undone:
    """All plans that had not taken effect are withdrawn."""


MigrationState: TypeAlias = Planning | InPlace | Undoing | Undone
STATUSES: Final[Mapping[type[MigrationState], str]] = {
    Planning: "planning",
    InPlace: "planned",
    Undoing: "undoing",
    Undone: "undone",
}
"""The words that `Migration.status` can be."""


@frozen
class Migration:
    """From the day `on`, what has `price` goes over to the price `to` at its next renewal.

    Not before `notice` after it was planned; all are told on the day `notice_on`, if that is named
    instead. Since it was last begun, `planned` plans were made for items and `withdrawn` of them
    were withdrawn.
    """

    id: MigrationId
    tenant: str
    version: int
    price: PriceId
    to: PriceId
    on: date
    notice: Interval | None = None
    state: MigrationState = Planning()
    planned: int = 0
    withdrawn: int = 0
    notice_on: date | None = None

    def __attrs_post_init__(self) -> None:
        plain_date("on", self.on)
        if self.notice is not None and not isinstance(self.notice, Interval):
            raise ValidationError("notice", self.notice, "an Interval or None")
        if self.notice_on is not None and plain_date("notice", self.notice_on) > self.on:
            raise ValidationError("notice", self.notice_on, f"{self.on} or earlier")

    @property
    def status(self) -> str:
        """One word: "planning", "planned", "undoing" or "undone"."""
        return STATUSES[type(self.state)]

    @property
    def left(self) -> int:
        """How many plans were not withdrawn.

        Once it is undone, these took effect, or fell away because the customer changed to another
        price or left.
        """
        return self.planned - self.withdrawn


MIGRATION = Kind(
    "migration",
    Migration,
    columns=(
        Column("price", ColumnType.TEXT, lambda m: m.price),
        Column("status", ColumnType.TEXT, lambda m: m.status),
    ),
)


@frozen
class MigrationStarted:
    """A cohort is being planned to go over from one price to another, from a day on."""

    migration: MigrationId
    price: PriceId
    to: PriceId
    on: date


@frozen
class MigrationProgressed:
    """With this commit so many plans were made, or withdrawn."""

    migration: MigrationId
    planned: int = 0
    withdrawn: int = 0


@frozen
class MigrationPlanned:
    """A cohort will go over from one price to another: so many items, counted over all calls."""

    migration: MigrationId
    price: PriceId
    to: PriceId
    on: date
    planned: int


@frozen
class MigrationUndoStarted:
    """What has not taken effect is being withdrawn."""

    migration: MigrationId


@frozen
class MigrationUndone:
    """What had not taken effect was withdrawn; `left` took effect, or fell away before."""

    migration: MigrationId
    price: PriceId
    to: PriceId
    withdrawn: int
    left: int


def migration_id(tenant: str, price: str, to: str, on: date) -> MigrationId:
    """Return the id of a migration: the same for the same prices and day, for ever."""
    return MigrationId(derived_id("mig", tenant, price, to, on.isoformat()))


def begin(stored: Migration | None, wanted: Migration) -> Change | None:
    """Decide to plan a migration, or to go on with one; None where it is being planned already.

    One that was undone begins anew. Raises `ValidationError` for another notice than that of the
    plans there are, `InvalidTransition` while it is being undone.
    """
    started = MigrationStarted(wanted.id, wanted.price, wanted.to, wanted.on)
    if stored is None:
        return created(MIGRATION, wanted, started)
    if isinstance(stored.state, Undoing):
        raise _refused(stored, "migrate")
    if isinstance(stored.state, Undone):
        return _moved(stored, wanted, started)
    given, known = wanted.notice or wanted.notice_on, stored.notice or stored.notice_on
    if given != known:
        raise ValidationError("notice", given, f"{known}, as it was planned")
    if isinstance(stored.state, Planning):
        return None
    return _moved(stored, evolve(stored, state=Planning()), started)


def count_planned(migration: Migration, count: int) -> Change:
    """Decide that so many plans more are made; they are committed with it."""
    event = MigrationProgressed(migration.id, planned=count)
    return _moved(migration, evolve(migration, planned=migration.planned + count), event)


def finish(migration: Migration) -> Change:
    """Decide that all plans are made."""
    event = MigrationPlanned(
        migration.id, migration.price, migration.to, migration.on, migration.planned
    )
    return _moved(migration, evolve(migration, state=InPlace()), event)


def begin_undoing(migration: Migration) -> Change | None:
    """Decide to withdraw the plans; None where that has begun already.

    Raises `InvalidTransition` if it is undone.
    """
    if isinstance(migration.state, Undone):
        raise _refused(migration, "undo_migration")
    if isinstance(migration.state, Undoing):
        return None
    event = MigrationUndoStarted(migration.id)
    return _moved(migration, evolve(migration, state=Undoing()), event)


def count_withdrawn(migration: Migration, count: int) -> Change:
    """Decide that so many plans more are withdrawn; they are committed with it."""
    event = MigrationProgressed(migration.id, withdrawn=count)
    return _moved(migration, evolve(migration, withdrawn=migration.withdrawn + count), event)


def finish_undoing(migration: Migration) -> Change:
    """Decide that no plan is left that could still take effect."""
    event = MigrationUndone(
        migration.id, migration.price, migration.to, migration.withdrawn, migration.left
    )
    return _moved(migration, evolve(migration, state=Undone()), event)


def plan_for(item: Item, to: Price, *, migration: Migration, today: date) -> Planned:
    """Return the plan for one item: its first renewal that is late enough, and when it is told.

    Law: the day is a renewal, on or after the migration's and at least the notice after `today`; it
    is told the notice before, or on the day of the notice, today at the earliest.

    >>> from subscriptions.billing_cycles import BillingCycle
    >>> from subscriptions.testing.builders import a_price
    >>> monthly = BillingCycle(date(2027, 1, 15), Interval.months(1))
    >>> item = Item(PriceId("old"), 3, monthly, through=date(2027, 2, 15))
    >>> migration = Migration(
    ...     MigrationId("mig_1"), "", 1, PriceId("old"), PriceId("new"), date(2027, 3, 1),
    ...     notice=Interval.days(30),
    ... )
    >>> plan = plan_for(item, a_price("new"), migration=migration, today=date(2027, 1, 20))
    >>> str(plan.on), str(plan.announce_on)
    ('2027-03-15', '2027-02-13')
    """
    notice = migration.notice
    earliest = migration.on
    if notice is not None:
        earliest = max(earliest, lifecycle.later(today, notice))
    on = lifecycle.renewal_day(item, max(earliest, today))
    told = max(today, migration.notice_on or today)
    if notice is not None:
        told = max(today, lifecycle.earlier(on, notice))
    move = PlannedItem(to.id, None, item.number, instead_of=item.price)
    return Planned(on, (move,), _NOTHING_PRORATED, cause=migration.id, announce_on=told)


_NOTHING_PRORATED: Final = Proration(mode=Mode.NONE)


def _moved(before: Migration, after: Migration, event: object) -> Change:
    return changed(MIGRATION, before, evolve(after, version=before.version + 1), event)


def _refused(migration: Migration, command: str) -> InvalidTransition:
    return InvalidTransition(f"migration {migration.id}", migration.status, command)
