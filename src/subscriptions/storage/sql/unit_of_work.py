"""One transaction: what is written in it, and how it ends.

Records are written in bulk: one statement for each kind and each set of columns that moved, never
one for each record. Which record was in the way is found out only after something was.
"""

# ruff: noqa: S608 - names of tables and columns come from declared kinds; values are bound

from __future__ import annotations

import json
from collections.abc import Collection, Generator, Iterable, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from subscriptions import serialization
from subscriptions.decisions import Change
from subscriptions.errors import (
    CommitUnknown,
    Conflict,
    Duplicate,
    StorageError,
    ValidationError,
)
from subscriptions.events import EVENT, Recorded
from subscriptions.frozen import frozen
from subscriptions.records import AnyKind, Kind, Record
from subscriptions.storage import Found, Query
from subscriptions.storage.sql import reading, sqlite
from subscriptions.storage.sql.tables import KindTable, Moved, Row, table_of

R = TypeVar("R", bound=Record)


class SqlUnitOfWork:
    """One transaction on one connection, or a savepoint in the host's transaction."""

    def __init__(
        self,
        connection: sa.Connection,
        transaction: sa.Transaction,
        *,
        joined: bool,
    ) -> None:
        self._connection = connection
        self._transaction = transaction
        self._joined = joined
        self._open = True
        self._failed = False

    def load(self, tenant: str, kind: Kind[R], ids: Collection[str], /) -> dict[str, R]:
        """Return the records that exist, by id, as this unit of work has left them."""
        self._check()
        with translated():
            return reading.load(self._connection, tenant, kind, ids)

    def find(self, query: Query[R], /) -> Found[R]:
        """Return one page of what matches, this unit of work's own writes included."""
        self._check()
        with translated():
            return reading.find(self._connection, query)

    def write(self, changes: Sequence[Change], events: Sequence[Recorded], /) -> None:
        """Write in bulk; raises `Conflict` or `Duplicate`, then only `rollback` is left."""
        self._check()
        self._failed = True  # until all of it went well
        with translated():
            for batch in _batches(changes, events):
                _run(self._connection, batch)
        self._failed = False

    def lock(self, tenant: str, series: Collection[str], /) -> None:  # noqa: ARG002 - see below
        """Do nothing more: whoever has a unit of work holds the lock of the whole database."""
        self._check()

    def commit(self) -> None:
        """Make everything visible and durable, or leave that to the host's own commit."""
        if self._failed:
            self.rollback()
            raise StorageError("this unit of work failed and was rolled back")
        self._check()
        if not sqlite.in_transaction(self._connection):
            self.rollback()
            raise StorageError("somebody else has ended the transaction")
        try:
            self._transaction.commit()
        except DBAPIError as error:
            self._abandon()
            if self._joined or sqlite.commit_failed_for_sure(error):
                raise sqlite.storage_error(error) from error
            raise CommitUnknown(str(error.orig)) from error
        except BaseException:
            self._abandon()
            raise
        self._close()

    def rollback(self) -> None:
        """Forget everything; a second call does nothing."""
        if self._open:
            self._abandon()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        """Commit, or roll back if an exception leaves the block."""
        if not self._open:
            return
        if error is None:
            self.commit()
        else:
            self.rollback()

    @property
    def connection(self) -> sa.Connection:
        """The connection that it works on, for what the host writes in the same transaction."""
        self._check()
        return self._connection

    @property
    def is_open(self) -> bool:
        """Whether it was neither committed nor rolled back."""
        return self._open

    def _check(self) -> None:
        if not self._open:
            raise StorageError("this unit of work is over; begin another one")
        if self._failed:
            raise StorageError("this unit of work failed; it can only be rolled back")

    def _abandon(self) -> None:
        """Roll back as far as the connection still can: the error that led here is what counts.

        A connection in doubt is given up, which rolls back what it may still have open: after a
        commit that failed SQLAlchemy would return it to the pool as it is, for the next one to
        find itself in this transaction. With a disk that is full, SQLite has ended the host's
        whole transaction: then the host must not go on as if it were still in it.
        """
        try:
            if self._transaction.is_active:
                self._transaction.rollback()
            gone = self._joined or self._connection.invalidated
            if not gone and sqlite.in_transaction(self._connection):
                self._connection.invalidate()
        except DBAPIError:
            self._connection.invalidate()
        self._close()

    def _close(self) -> None:
        self._open = False
        if not self._joined:
            self._connection.close()


@contextmanager
def translated() -> Generator[None]:
    """Turn errors of the driver into errors of this library."""
    try:
        yield
    except SQLAlchemyError as error:
        raise sqlite.storage_error(error) from error
    except UnicodeEncodeError as error:
        raise ValidationError("text", error.object, "a text that UTF-8 can hold") from error
    except OverflowError as error:
        raise ValidationError("integer", str(error), "an integer of at most 64 bits") from error


# ---- what is written --------------------------------------------------------------------------


@frozen(eq=False)
class _Batch:
    """Rows that one statement writes; `before` is None where they are new."""

    table: KindTable
    statement: str
    rows: list[Row]
    records: list[Record]
    documents: list[str]
    before: list[Record] | None = None


def _batches(changes: Sequence[Change], events: Sequence[Recorded]) -> Iterable[_Batch]:
    kinds: dict[AnyKind, tuple[list[Change], list[Change]]] = {}
    for change in changes:
        news, moves = kinds.setdefault(change.kind, ([], []))
        (news if change.before is None else moves).append(change)
    for kind, (news, moves) in kinds.items():
        table = table_of(kind)
        # What moves may free a unique key that a new record takes; but what is new and moves at
        # once must be there first.
        new_ids = {change.after.id for change in news} if moves else set[str]()
        yield from _moves(table, [move for move in moves if move.after.id not in new_ids])
        yield from _news(table, [change.after for change in news])
        yield from _moves(table, [move for move in moves if move.after.id in new_ids])
    yield from _news(table_of(EVENT), events)


def _news(table: KindTable, records: Sequence[Record]) -> Iterable[_Batch]:
    if records:
        documents = [serialization.dump(record) for record in records]
        rows = [table.new_row(*pair) for pair in zip(records, documents, strict=True)]
        yield _Batch(table, table.insert, rows, list(records), documents)


def _moves(table: KindTable, changes: Sequence[Change]) -> Iterable[_Batch]:
    if not changes:
        return
    # One record that moves twice must keep its order, so all columns are set by one statement.
    once = len({(change.after.tenant, change.after.id) for change in changes}) == len(changes)
    batches: dict[Moved, _Batch] = {}
    for change in changes:
        before, after = change.before, change.after
        assert before is not None
        document = serialization.dump(after)
        moved, row = table.move(before, after, document, every_column=not once)
        batch = batches.get(moved)
        if batch is None:
            batch = batches[moved] = _Batch(table, table.update(moved), [], [], [], [])
        batch.rows.append(row)
        batch.records.append(after)
        batch.documents.append(document)
        assert batch.before is not None
        batch.before.append(before)
    yield from batches.values()


def _run(connection: sa.Connection, batch: _Batch) -> None:
    changed_before = sqlite.rows_changed(connection)
    try:
        connection.exec_driver_sql(batch.statement, batch.rows)
    except IntegrityError as error:
        written = sqlite.rows_changed(connection) - changed_before
        raise _clash(connection, batch, error, written=written) from error
    if sqlite.rows_changed(connection) - changed_before != len(batch.rows):
        raise _stale(connection, batch)


# ---- what was in the way ----------------------------------------------------------------------


def _stale(connection: sa.Connection, batch: _Batch) -> Conflict:
    """Return the conflict of the first record that was not at the version it was read at.

    By now the others have moved. What moved holds the very document that was written; whoever
    finds another one there finds another writer's.
    """
    stored: dict[tuple[str, str], tuple[int, str]] = {}
    for tenant in {record.tenant for record in batch.records}:
        ids = [record.id for record in batch.records if record.tenant == tenant]
        result = connection.exec_driver_sql(batch.table.versions, (tenant, json.dumps(ids)))
        for id, version, document in result:
            stored[tenant, id] = version, document
    assert batch.before is not None
    rows = list(zip(batch.before, batch.records, batch.documents, strict=True))
    for before, after, document in rows:
        if stored.get((after.tenant, after.id)) != (after.version, document):
            return Conflict(batch.table.kind.name, after.id, before.version)
    # The other writer wrote the very same; then any of them serves to say so.
    return Conflict(batch.table.kind.name, batch.records[0].id, batch.before[0].version)


def _clash(
    connection: sa.Connection, batch: _Batch, error: IntegrityError, *, written: int
) -> StorageError:
    """Return the conflict or duplicate that stopped a batch after `written` rows."""
    kind = batch.table.kind
    if batch.before is None:
        # Whoever has the id has its unique keys too; which of them is reported first is chance.
        record = batch.records[written]
        if connection.exec_driver_sql(batch.table.load_one, (record.tenant, record.id)).all():
            return Conflict(kind.name, record.id, 0)
    columns = sqlite.violated_columns(error)
    key = None if columns is None else columns[1:]
    if key not in kind.unique:
        return sqlite.storage_error(error)
    where = " AND ".join(f"{name} = ?" for name in key)
    owner = f"SELECT id FROM {batch.table.name} WHERE tenant = ? AND {where}"
    places = [kind.columns.index(kind.by_name[name]) for name in key]
    for record in batch.records[written:]:
        values = batch.table.values(record)
        taken = tuple(values[place] for place in places)
        found = connection.exec_driver_sql(owner, (record.tenant, *taken)).scalar()
        if found not in (None, record.id):
            return Duplicate(f"{kind.name}.{'+'.join(key)}", " ".join(map(str, taken)))
    return sqlite.storage_error(error)
