"""Records in memory: the storage of tests, of first steps, and of hosts that keep nothing.

It is no kinder than a database: versions, unique keys and tenants are enforced, a unit of work sees
one state and is all or nothing, one writer works at a time. Records are frozen, so what is handed
out is never an alias of something that can change. Indexes are built when first asked for.
"""

from __future__ import annotations

import json
import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import date, datetime
from heapq import nsmallest
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from subscriptions.decisions import Change
from subscriptions.errors import Conflict, Duplicate, StorageError, ValidationError
from subscriptions.events import EVENT, Recorded
from subscriptions.records import AnyKind, Column, ColumnType, ColumnValue, Kind, Record
from subscriptions.storage import Delivery, Found, Query

R = TypeVar("R", bound=Record)


class MemoryStorage:
    """Keeps everything in this process; nothing survives it.

    >>> from subscriptions.customers import CUSTOMER
    >>> storage = MemoryStorage()
    >>> storage.load("acme", CUSTOMER, ["cus_1"])
    {}
    """

    def __init__(self) -> None:
        self._tables: dict[tuple[str, str], _Table] = {}
        self._acknowledged: dict[tuple[str, str], int] = {}
        self._writer = _Writer()
        self._state = threading.RLock()

    def load(self, tenant: str, kind: Kind[R], ids: Collection[str], /) -> dict[str, R]:
        """Return the records that exist, by id."""
        rows = self._table(tenant, kind).rows
        with self._state:  # or a commit in between would be seen half
            return {id: cast("R", rows[id]) for id in ids if id in rows}

    def find(self, query: Query[R], /) -> Found[R]:
        """Return one page of what matches."""
        with self._state:
            return _page(query, self._table(query.tenant, query.kind), {})

    def begin(self) -> MemoryUnitOfWork:
        """Begin a unit of work; waits while another thread has one open."""
        self._writer.acquire()
        return MemoryUnitOfWork(self._table, self._state, self._writer)

    def undelivered(self, tenant: str, consumer: str, limit: int, /) -> Delivery:
        """Return committed events that the consumer has not acknowledged, oldest commit first."""
        with self._state:
            start = self._acknowledged.get((tenant, consumer), 0)
            log = self._table(tenant, EVENT).log
            events = tuple(cast("list[Recorded]", log[start : start + limit]))
        return Delivery(events, str(start + len(events)))

    def acknowledge(self, tenant: str, consumer: str, position: str, /) -> None:
        """Remember that the consumer has everything up to the position of a delivery."""
        with self._state:
            known = self._acknowledged.get((tenant, consumer), 0)
            self._acknowledged[tenant, consumer] = max(known, int(position))

    def _table(self, tenant: str, kind: AnyKind) -> _Table:
        table = self._tables.get((tenant, kind.name))
        if table is None:
            table = self._tables.setdefault((tenant, kind.name), _Table(kind))
        return table


class MemoryUnitOfWork:
    """What is written stays aside until `commit`; nobody else writes meanwhile."""

    def __init__(
        self,
        table: Callable[[str, AnyKind], _Table],
        state: threading.RLock,
        writer: _Writer,
    ) -> None:
        self._table = table
        self._state = state
        self._writer = writer
        self._staged: dict[_Table, dict[str, Record]] = {}
        self._keys: dict[tuple[_Table, tuple[str, ...], tuple[ColumnValue, ...]], str | None] = {}
        self._events: list[Recorded] = []
        self._open = True
        self._failed = False

    def load(self, tenant: str, kind: Kind[R], ids: Collection[str], /) -> dict[str, R]:
        """Return the records that exist, by id, as this unit of work has left them."""
        self._check()
        table = self._table(tenant, kind)
        staged = self._staged.get(table, {})
        found = {id: staged.get(id) or table.rows.get(id) for id in ids}
        return {id: cast("R", record) for id, record in found.items() if record is not None}

    def find(self, query: Query[R], /) -> Found[R]:
        """Return one page of what matches, this unit of work's own writes included."""
        self._check()
        table = self._table(query.tenant, query.kind)
        return _page(query, table, self._staged.get(table, {}))

    def write(self, changes: Sequence[Change], events: Sequence[Recorded], /) -> None:
        """Stage changes and events; after `Conflict` or `Duplicate` only `rollback` is left."""
        self._check()
        self._failed = True  # until all of it went well
        places: dict[tuple[AnyKind, str], tuple[_Table, dict[str, Record]]] = {}
        for change in changes:
            after, before = change.after, change.before
            place = places.get((change.kind, after.tenant))
            if place is None:
                place = places[change.kind, after.tenant] = self._place(after.tenant, change.kind)
            table, staged = place
            id = after.id
            current = staged.get(id) or table.rows.get(id)
            expected = 0 if before is None else before.version
            if (0 if current is None else current.version) != expected:
                raise Conflict(change.kind.name, id, expected)
            if change.kind.unique:
                self._check_keys(table, current, after)
            staged[id] = after
        for event in events:
            place = places.get((EVENT, event.tenant))
            if place is None:
                place = places[EVENT, event.tenant] = self._place(event.tenant, EVENT)
            table, staged = place
            if event.id in staged or event.id in table.rows:
                raise Conflict(EVENT.name, event.id, 0)
            staged[event.id] = event
        self._failed = False

    def _place(self, tenant: str, kind: AnyKind) -> tuple[_Table, dict[str, Record]]:
        """Return a kind's rows, and those of them that this unit of work has written."""
        table = self._table(tenant, kind)
        return table, self._staged.setdefault(table, {})

    def lock(self, _tenant: str, _series: Collection[str], /) -> None:
        """Do nothing more: there is one writer, and this is it."""
        self._check()

    def commit(self) -> None:
        """Make everything visible at once."""
        self._check()
        with self._state:
            for table, staged in self._staged.items():
                table.put(staged.values())
            for (table, key, values), id in self._keys.items():
                if id is None:
                    table.unique[key].pop(values, None)
                else:
                    table.unique[key][values] = id
        self._close()

    def rollback(self) -> None:
        """Forget everything; a second call does nothing."""
        if self._open:
            self._close()

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
        if error is not None:
            self.rollback()
        elif self._failed:
            self.rollback()
            raise StorageError("this unit of work failed; nothing of it was written")
        else:
            self.commit()

    def _check(self) -> None:
        if not self._open:
            raise StorageError("this unit of work is over; begin another one")
        if self._failed:
            raise StorageError("this unit of work failed; it can only be rolled back")

    def _close(self) -> None:
        self._open = False
        self._staged.clear()
        self._writer.release()

    def _check_keys(self, table: _Table, before: Record | None, after: Record) -> None:
        for key, columns in table.unique_columns:
            values = tuple([column.get(after) for column in columns])
            old = None if before is None else tuple([column.get(before) for column in columns])
            if values == old:
                continue
            if None not in values:
                place = (table, key, values)
                owner = self._keys[place] if place in self._keys else table.unique[key].get(values)
                if owner is not None and owner != after.id:
                    name = f"{table.kind.name}.{'+'.join(key)}"
                    raise Duplicate(name, " ".join(map(str, values)))
                self._keys[place] = after.id
            if old is not None and None not in old:
                self._keys[table, key, old] = None


class _Writer:
    """One writer at a time; a thread that would wait for itself is told so."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner: int | None = None

    def acquire(self) -> None:
        if self._owner == threading.get_ident():
            raise StorageError("this thread has a unit of work open already")
        self._lock.acquire()
        self._owner = threading.get_ident()

    def release(self) -> None:
        self._owner = None
        self._lock.release()


class _Table:
    """The rows of one kind and tenant, in the order they were first written."""

    def __init__(self, kind: AnyKind) -> None:
        self.kind = kind
        self.rows: dict[str, Record] = {}
        self.positions: dict[str, int] = {}
        self.log: list[Record] = []
        self.indexes: dict[str, _Index] = {}
        self.unique: dict[tuple[str, ...], dict[tuple[ColumnValue, ...], str]] = {
            key: {} for key in kind.unique
        }
        self.unique_columns = [
            (key, tuple(kind.by_name[name] for name in key)) for key in kind.unique
        ]

    def put(self, records: Iterable[Record]) -> None:
        rows, positions, indexes = self.rows, self.positions, self.indexes.values()
        keep_log = self.kind is EVENT
        for record in records:
            id = record.id
            before = rows.get(id)
            rows[id] = record
            if before is None:
                positions[id] = len(positions)
                if keep_log:
                    self.log.append(record)
            for index in indexes:
                index.move(id, before, record)

    def index(self, name: str) -> _Index:
        index = self.indexes.get(name)
        if index is None:
            index = _Index(self.kind.by_name[name])
            for id, record in self.rows.items():
                index.move(id, None, record)
            self.indexes[name] = index
        return index


class _Index:
    """Which ids have which value; instants are kept in order too, for what is due."""

    def __init__(self, column: Column[Any]) -> None:
        self.get = column.get
        self.ids: dict[ColumnValue, dict[str, None]] = {}
        self.ordered = column.type is ColumnType.INSTANT
        self.instants: list[datetime] = []

    def move(self, id: str, before: Record | None, after: Record) -> None:
        value = self.get(after)
        if before is not None:
            old = self.get(before)
            if old == value:
                return
            self._remove(id, old)
        ids = self.ids.get(value)
        if ids is None:
            ids = self.ids[value] = {}
            if self.ordered and value is not None:
                insort(self.instants, cast("datetime", value))
        ids[id] = None

    def _remove(self, id: str, value: ColumnValue) -> None:
        ids = self.ids[value]
        del ids[id]
        if not ids:
            del self.ids[value]
            if self.ordered and value is not None:
                del self.instants[bisect_left(self.instants, cast("datetime", value))]


def _page(query: Query[R], table: _Table, staged: dict[str, Record]) -> Found[R]:
    if not staged and _asks_what_is_due(query):
        return _due_page(query, table)
    candidates = _candidates(query, table)
    records = [record for record in candidates if record.id not in staged]
    records += staged.values()
    matching = [record for record in records if _matches(query, record)]
    total = len(matching) if query.count else None
    key = _sort_key(query, table, staged)
    matching.sort(key=key, reverse=query.descending)
    if query.after is not None:
        last = _read_cursor(query.after, 2 if query.order_by is None else 3)
        try:
            matching = [
                record
                for record in matching
                if (key(record) < last if query.descending else key(record) > last)
            ]
        except TypeError as error:  # the cursor of another order
            raise ValidationError("after", query.after, "a cursor of an earlier page") from error
    items = matching[: query.limit]
    more = len(matching) > query.limit
    cursor = _write_cursor(key(items[-1])) if more else None
    return Found(cast("tuple[R, ...]", tuple(items)), cursor, total)


def _asks_what_is_due(query: Query[Any]) -> bool:
    return (
        query.until is not None
        and query.order_by == query.until[0]
        and query.kind.by_name[query.until[0]].type is ColumnType.INSTANT
        and not (query.where or query.descending or query.after or query.count)
    )


def _due_page(query: Query[R], table: _Table) -> Found[R]:
    """Answer the engine's question without looking at what is not due."""
    assert query.until is not None
    name, until = query.until
    index = table.index(name)
    ids: list[str] = []
    more = False
    for instant in index.instants:
        if instant > cast("datetime", until):
            break
        left = query.limit - len(ids)
        if left == 0:
            more = True
            break
        bucket = index.ids[instant]
        ids += nsmallest(left, bucket) if len(bucket) > left else sorted(bucket)
        more = len(bucket) > left
    items = tuple([cast("R", table.rows[id]) for id in ids])
    cursor = _write_cursor(_sort_key(query, table, {})(items[-1])) if more else None
    return Found(items, cursor)


def _candidates(query: Query[Any], table: _Table) -> list[Record]:
    for name, values in query.where.items():
        index = table.index(name)
        return [table.rows[id] for value in set(values) for id in index.ids.get(value, ())]
    return list(table.rows.values())


def _matches(query: Query[Any], record: Record) -> bool:
    for name, values in query.where.items():
        if query.kind.by_name[name].get(record) not in values:
            return False
    if query.until is None:
        return True
    name, until = query.until
    value = query.kind.by_name[name].get(record)
    return value is not None and value <= until  # type: ignore[operator]  # one column, one type


def _sort_key(
    query: Query[Any], table: _Table, staged: Collection[str]
) -> Callable[[Record], tuple[Any, ...]]:
    if query.order_by is None:
        positions = table.positions
        # What this unit of work has just written has no position yet: it comes last.
        fresh = {id: len(positions) + place for place, id in enumerate(staged)}
        return lambda record: (positions.get(record.id, fresh.get(record.id)), record.id)
    get = query.kind.by_name[query.order_by].get

    def key(record: Record) -> tuple[Any, ...]:
        value = get(record)
        return (value is not None, value if value is not None else "", record.id)

    return key


def _write_cursor(key: tuple[Any, ...]) -> str:
    parts = [
        {"t": part.isoformat()}
        if isinstance(part, datetime)
        else {"d": part.isoformat()}
        if isinstance(part, date)
        else part
        for part in key
    ]
    return urlsafe_b64encode(json.dumps(parts).encode()).decode()


def _read_cursor(cursor: str, length: int) -> tuple[Any, ...]:
    try:
        match json.loads(urlsafe_b64decode(cursor.encode())):
            case [*parts] if len(parts) == length:
                return tuple([_read_part(part) for part in parts])
            case _:
                problem: Exception | None = None
    except (ValueError, KeyError, TypeError) as error:
        problem = error
    raise ValidationError("after", cursor, "a cursor of an earlier page") from problem


def _read_part(part: Any) -> Any:  # noqa: ANN401 - a value of any column
    if not isinstance(part, dict):
        return part
    ((kind, text),) = cast("dict[str, str]", part).items()
    return datetime.fromisoformat(text) if kind == "t" else date.fromisoformat(text)
