"""Migrating a cohort: subscriptions are read page by page, and planned in batches.

Each batch is one transaction, in which the migration counts what was planned with it. After a crash
the same call goes on: what is planned is known. Never more than a page of subscriptions is held;
the report holds a row for each item that moves, and nothing else is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from attrs import define, evolve, field

from subscriptions import migrations
from subscriptions.decisions import Change, Decision
from subscriptions.engine import commit
from subscriptions.engine.gather import Batch
from subscriptions.engine.procedures import Procedure, call
from subscriptions.errors import Conflict
from subscriptions.frozen import frozen
from subscriptions.lifecycle import SUBSCRIPTION, Subscription
from subscriptions.migrations import MIGRATION, Migration
from subscriptions.records import ColumnValue, Ref
from subscriptions.storage import Query, Reader, Storage, UnitOfWork
from subscriptions.usecases import migrations as usecase
from subscriptions.usecases.flows import Command, Context, Flow, Get, Maybe
from subscriptions.usecases.migration_report import MigrationReport, MovedItem, RefusedMove
from subscriptions.usecases.migrations import (
    RUNNING,
    Cohort,
    Moving,
    Terms,
)

if TYPE_CHECKING:
    from subscriptions.engine.core import Engine

BATCH = 1000
TRIES = 3

T = TypeVar("T")
_Where: TypeAlias = Mapping[str, Sequence[ColumnValue]]


@frozen
class Migrator:
    """Plans and withdraws on the storage of one tenant; `unit` is an open transaction, if any."""

    storage: Storage
    context: Context
    unit: UnitOfWork | None = None

    def plan(
        self, cohort: Cohort, *, preview: bool, again: bool = False
    ) -> Procedure[MigrationReport]:
        """Plan a move for all items of a cohort, or only say what would be planned.

        `again` is for a cohort that was planned: what may have changed since is not checked.
        """
        for chunk in _chunks(cohort.customers or ()):
            yield from self._batch().one(usecase.check_customers(tuple(chunk)))
        terms = yield from self._batch().one(usecase.terms_of(cohort, self.context, again=again))
        wanted = terms.migration
        if not preview:
            yield from self._step(lambda: _begin(wanted))
        tally = _Tally()
        for where in _pages(cohort):
            yield from self._sweep(
                where,
                lambda sub: usecase.concerns(sub, wanted.price),
                lambda ids: self._plan(ids, terms, tally, preview=preview),
            )
        return MigrationReport(
            wanted.id,
            preview,
            terms.price.currency,
            tuple(tally.rows),
            tuple(tally.refused),
            tally.elsewhere,
        )

    def undo(self, id: str) -> Procedure[None]:
        """Withdraw what a migration planned and has not taken effect."""
        yield from self._step(lambda: _begin_undoing(id))
        yield from self._sweep(
            {"status": RUNNING},
            lambda sub: usecase.is_planned(sub, id),
            lambda ids: self._withdraw(ids, id),
        )

    def _sweep(
        self,
        where: _Where,
        concerns: Callable[[Subscription], bool],
        work: Callable[[Sequence[str]], Procedure[None]],
    ) -> Procedure[None]:
        """Work on the subscriptions that a migration concerns, a page at a time."""
        cursor: str | None = None
        while True:
            query = Query(SUBSCRIPTION, self.context.tenant, where, after=cursor, limit=BATCH)
            page = yield from call(self._reader.find, query)
            ids = [sub.id for sub in page.items if concerns(sub)]
            if ids:
                yield from work(ids)
            cursor = page.next_cursor
            if cursor is None:
                return

    def _plan(
        self, ids: Sequence[str], terms: Terms, tally: _Tally, *, preview: bool
    ) -> Procedure[None]:
        def flows() -> list[Flow[Moving]]:
            return [usecase.planning(id, terms, self.context) for id in ids]

        if preview:
            tally.take((yield from self._decided(self._batch(), flows())))
            return

        def body(unit: UnitOfWork) -> Procedure[list[Moving]]:
            batch = Batch(unit, self.context.tenant)
            made = yield from self._decided(batch, flows())
            count = sum([not row.known for each in made for row in each.rows])
            if count:
                migration = yield from batch.one(iter(Get(MIGRATION, terms.migration.id)))
                counted = migrations.count_planned(migration, count)
                yield from self._write(unit, [*[each.decision for each in made], _only(counted)])
            return made

        # Only now: of a transaction that failed nothing is reported.
        tally.take((yield from self._commit(body)))

    def _withdraw(self, ids: Sequence[str], cause: str) -> Procedure[None]:
        def body(unit: UnitOfWork) -> Procedure[None]:
            batch = Batch(unit, self.context.tenant)
            made = yield from self._decided(batch, [usecase.withdrawing(id, cause) for id in ids])
            decisions = [each.decision for each in made]
            count = sum(
                [
                    usecase.plans_of(change.before, cause)
                    for decision in decisions
                    for change in decision.changes
                    if isinstance(change.before, Subscription)
                ]
            )
            if count:
                migration = yield from batch.one(iter(Get(MIGRATION, cause)))
                counted = migrations.count_withdrawn(migration, count)
                yield from self._write(unit, [*decisions, _only(counted)])

        yield from self._commit(body)

    def _decided(self, batch: Batch, flows: Sequence[Flow[Moving]]) -> Procedure[list[Moving]]:
        results = yield from batch.run(flows)
        for result in results:
            if isinstance(result, Exception):
                raise result
        return results

    def _step(self, flow: Callable[[], Flow[Decision]]) -> Procedure[None]:
        """Decide and commit something about the migration itself."""

        def body(unit: UnitOfWork) -> Procedure[None]:
            decision = yield from Batch(unit, self.context.tenant).one(flow())
            yield from self._write(unit, [decision])

        yield from self._commit(body)

    def _write(self, unit: UnitOfWork, decisions: Sequence[Decision]) -> Procedure[None]:
        context = self.context
        yield from commit.write(
            unit, decisions, tenant=context.tenant, zone=context.seller.zone, at=context.at
        )

    def _commit(self, body: Callable[[UnitOfWork], Procedure[T]]) -> Procedure[T]:
        if self.unit is not None:
            return (yield from body(self.unit))
        for _ in range(TRIES - 1):
            try:
                return (yield from commit.within(self.storage, body))
            except Conflict:
                continue  # Somebody was faster: what he made of it is read anew.
        return (yield from commit.within(self.storage, body))

    def _batch(self) -> Batch:
        return Batch(self._reader, self.context.tenant)

    @property
    def _reader(self) -> Reader:
        return self.storage if self.unit is None else self.unit


@define
class _Tally:
    """What was planned so far."""

    rows: list[MovedItem] = field(factory=list[MovedItem])
    refused: list[RefusedMove] = field(factory=list[RefusedMove])
    elsewhere: int = 0

    def take(self, made: Sequence[Moving]) -> None:
        for each in made:
            self.rows += each.rows
            self.refused += each.refused
            self.elsewhere += each.elsewhere


def _begin(wanted: Migration) -> Flow[Decision]:
    return _only(migrations.begin((yield from Maybe(MIGRATION, wanted.id)), wanted))


def _begin_undoing(id: str) -> Flow[Decision]:
    return _only(migrations.begin_undoing((yield from Get(MIGRATION, id))))


def _only(change: Change | None) -> Decision:
    if change is None:
        return Decision()
    return Decision((change,), about=Ref(MIGRATION, change.after.id))


def _pages(cohort: Cohort) -> Iterator[_Where]:
    """Return the questions that together find the cohort: all who run, or those of customers."""
    if cohort.customers is None:
        yield {"status": RUNNING}
        return
    for chunk in _chunks(cohort.customers):
        yield {"customer": tuple(chunk), "status": RUNNING}


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), BATCH):
        yield ids[start : start + BATCH]


def migrate(
    engine: Engine, cohort: Cohort, request: str, *, preview: bool, at: datetime | None
) -> Procedure[MigrationReport]:
    """Plan a migration, or say what it would do; in an open transaction it is part of that.

    A second call with the idempotency key plans nothing: it says what is planned still.
    """
    moment, key = engine.time(at), None if preview else cohort.idempotency_key
    known = yield from engine.known(engine.reader, key, request)
    migrator = Migrator(engine.storage, engine.context(moment), engine.unit)
    if known is not None:
        report = yield from migrator.plan(cohort, preview=True, again=True)
        rows = tuple([row for row in report.rows if row.known])
        return evolve(report, preview=False, rows=rows)
    report = yield from migrator.plan(cohort, preview=preview)
    if not preview:
        command = usecase.finishing(report.migration, at=moment, idempotency_key=key)
        yield from engine.execute(command, request)
    return report


def undo_migration(
    engine: Engine, id: str, command: Command[Migration], request: str
) -> Procedure[Migration]:
    """Undo a migration as far as it has not taken effect; `command` is its last step."""
    moment = engine.time(command.at)
    if (yield from engine.known(engine.reader, command.key, request)) is None:
        yield from Migrator(engine.storage, engine.context(moment), engine.unit).undo(id)
    return (yield from engine.execute(evolve(command, at=moment), request))
