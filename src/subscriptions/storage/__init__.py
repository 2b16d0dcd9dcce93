"""The storage port: what the engine asks of whoever keeps the records, and its laws in words.

1. A unit of work is atomic: records, events and number series are all committed or none is, and
   nobody sees half of it.
2. A change is written only if the stored record is at the version that the change started from;
   else `Conflict`, and the whole unit of work is to be rolled back.
3. Unique keys of a `Kind` hold per tenant and are enforced by the storage: `Duplicate`.
4. Events are committed with the changes that made them, and no consumer of the outbox ever misses
   one, not even one that was committed late.
5. Reads in a unit of work see its own writes and one snapshot of everything else.
6. Records come back equal: integers to ±(2⁶³−1), `Decimal` and instants without loss, texts as
   they were.

`subscriptions.testing.StorageLaws` checks them. The protocol does not grow: a new ability is a new
small protocol beside it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar, runtime_checkable

from attrs import field

from subscriptions.decisions import Change
from subscriptions.errors import ValidationError
from subscriptions.events import Recorded
from subscriptions.frozen import frozen
from subscriptions.records import ColumnValue, Kind, Record

R = TypeVar("R", bound=Record)

PAGE_LIMIT_MAX = 10_000


@frozen
class Query(Generic[R]):
    """Which records of one kind and tenant, in which order, how many.

    `where` names indexed columns and the values of which one must match. `until` keeps rows whose
    column is at or before a value (rows without a value never match). Rows come in the order of
    `order_by`, and of their id where that is equal; without it, in the order they were first
    written. `after` is the cursor of an earlier page.

    Raises `ValidationError` for a column that the kind does not declare as indexed.
    """

    kind: Kind[R]
    tenant: str
    where: Mapping[str, Collection[ColumnValue]] = field(factory=dict[str, Collection[ColumnValue]])
    until: tuple[str, ColumnValue] | None = None
    order_by: str | None = None
    descending: bool = False
    after: str | None = None
    limit: int = 100
    count: bool = False

    def __attrs_post_init__(self) -> None:
        names = [*self.where, *([self.until[0]] if self.until else [])]
        if self.order_by is not None:
            names.append(self.order_by)
        for name in names:
            column = self.kind.by_name.get(name)
            if column is None or not column.indexed:
                declared = ", ".join(c.name for c in self.kind.columns if c.indexed)
                raise ValidationError(name, self.kind.name, f"an indexed column: {declared}")
        for name, values in self.where.items():
            for value in values:
                if value is not None and not isinstance(value, str | int | date):
                    raise ValidationError(name, value, "a text, a number, a date or None")
        if type(self.limit) is not int or not 1 <= self.limit <= PAGE_LIMIT_MAX:
            raise ValidationError("limit", self.limit, f"1 to {PAGE_LIMIT_MAX}")
        after: object = self.after
        if after is not None and not isinstance(after, str):
            raise ValidationError("after", after, "a cursor of an earlier page")


@frozen
class Found(Generic[R]):
    """One page: its records, the cursor of the next page if there is one, the total if asked."""

    items: tuple[R, ...]
    next_cursor: str | None = None
    total: int | None = None

    def __iter__(self) -> Iterator[R]:
        return iter(self.items)


@frozen
class Delivery:
    """Events that a consumer has not acknowledged, in the order of their commits."""

    events: tuple[Recorded, ...]
    position: str


class Reader(Protocol):
    """Reading records: outside of a unit of work they may be stale, inside they are not."""

    def load(self, tenant: str, kind: Kind[R], ids: Collection[str], /) -> Mapping[str, R]:
        """Return the records that exist, by id: one round trip, however many ids."""
        ...

    def find(self, query: Query[R], /) -> Found[R]:
        """Return one page of what matches."""
        ...


class UnitOfWork(Reader, Protocol):
    """One transaction. As a context manager it commits at the end, or rolls back on an exception.

    It is unusable after `commit` or `rollback`.
    """

    def write(self, changes: Sequence[Change], events: Sequence[Recorded], /) -> None:
        """Write changes and their events in bulk.

        Raises `Conflict` for a stale version or an id that exists, `Duplicate` for a unique key
        that is taken (at the latest on `commit`); then the unit of work can only be rolled back.
        """
        ...

    def lock(self, tenant: str, series: Collection[str], /) -> None:
        """Lock number series until the end of the unit of work, taken last and in sorted order."""
        ...

    def commit(self) -> None:
        """Make everything visible and durable; raises `CommitUnknown` if the answer is lost."""
        ...

    def rollback(self) -> None:
        """Forget everything; a second call does nothing."""
        ...

    def __enter__(self) -> Self:
        """Return itself."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        """Commit, or roll back if an exception leaves the block."""
        ...


class Storage(Reader, Protocol):
    """What an adapter implements; each docstring is a law of the kit."""

    def begin(self) -> UnitOfWork:
        """Begin a unit of work.

        Storages with one writer at a time wait here, so that what is read cannot go stale.
        """
        ...

    def undelivered(self, tenant: str, consumer: str, limit: int, /) -> Delivery:
        """Return committed events that the consumer has not acknowledged, oldest commit first.

        A consumer that was never seen begins with the first event there is.
        """
        ...

    def acknowledge(self, tenant: str, consumer: str, position: str, /) -> None:
        """Remember that the consumer has everything up to the position of a delivery."""
        ...


class AsyncReader(Protocol):
    """`Reader` with `async` methods."""

    async def load(self, tenant: str, kind: Kind[R], ids: Collection[str], /) -> Mapping[str, R]:
        """Return the records that exist, by id, as `Reader.load` does."""
        ...

    async def find(self, query: Query[R], /) -> Found[R]:
        """Return one page of what matches, as `Reader.find` does."""
        ...


class AsyncUnitOfWork(AsyncReader, Protocol):
    """`UnitOfWork` with `async` methods; the same laws."""

    async def write(self, changes: Sequence[Change], events: Sequence[Recorded], /) -> None:
        """Write changes and their events in bulk, as `UnitOfWork.write` does."""
        ...

    async def lock(self, tenant: str, series: Collection[str], /) -> None:
        """Lock number series, as `UnitOfWork.lock` does."""
        ...

    async def commit(self) -> None:
        """Make everything visible and durable, as `UnitOfWork.commit` does."""
        ...

    async def rollback(self) -> None:
        """Forget everything, as `UnitOfWork.rollback` does."""
        ...


class AsyncStorage(AsyncReader, Protocol):
    """`Storage` with `async` methods; the same laws."""

    async def begin(self) -> AsyncUnitOfWork:
        """Begin a unit of work, as `Storage.begin` does."""
        ...

    async def undelivered(self, tenant: str, consumer: str, limit: int, /) -> Delivery:
        """Return events that the consumer has not acknowledged, as `Storage.undelivered` does."""
        ...

    async def acknowledge(self, tenant: str, consumer: str, position: str, /) -> None:
        """Remember what the consumer has, as `Storage.acknowledge` does."""
        ...


@runtime_checkable
class JoinsHost(Protocol):
    """A storage that may write into the host's own transaction.

    While `joins_host` is true a commit is not durable yet, so the engine neither calls a gateway
    nor hands out events: a `Billing` on a storage of its own does that after the host's commit.
    """

    @property
    def joins_host(self) -> bool:
        """Whether what is committed here waits for the host's own commit."""
        ...


def due(kind: Kind[R], tenant: str, *, now: datetime, limit: int) -> Query[R]:
    """Return the query for what is due: at or before `now`, the longest due first."""
    return Query(kind, tenant, until=("due_at", now), order_by="due_at", limit=limit)
