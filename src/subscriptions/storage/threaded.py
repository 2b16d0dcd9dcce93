"""A synchronous storage for asynchronous hosts: its calls are made in a thread of its own.

The event loop never waits for the database. Units of work take turns, as they do in storages with
one writer at a time; a storage that can do more deserves an adapter of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import ParamSpec, TypeVar

from subscriptions.decisions import Change
from subscriptions.events import Recorded
from subscriptions.records import Kind, Record
from subscriptions.storage import Delivery, Found, JoinsHost, Query, Storage, UnitOfWork

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R", bound=Record)


class ThreadedStorage:
    """Makes the calls of a synchronous storage in one thread of its own.

    >>> import asyncio
    >>> from subscriptions import MemoryStorage
    >>> from subscriptions.customers import CUSTOMER
    >>> storage = ThreadedStorage(MemoryStorage())
    >>> asyncio.run(storage.load("acme", CUSTOMER, ["cus_1"]))
    {}
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._thread = _Thread()
        self._turn = asyncio.Lock()

    @property
    def joins_host(self) -> bool:
        """Whether what is committed here waits for the host's own commit."""
        return isinstance(self._storage, JoinsHost) and self._storage.joins_host

    async def load(self, tenant: str, kind: Kind[R], ids: Collection[str], /) -> Mapping[str, R]:
        """Return the records that exist, by id."""
        return await self._thread.call(self._storage.load, tenant, kind, ids)

    async def find(self, query: Query[R], /) -> Found[R]:
        """Return one page of what matches."""
        return await self._thread.call(self._storage.find, query)

    async def begin(self) -> ThreadedUnitOfWork:
        """Begin a unit of work; waits while another one is open."""
        await self._turn.acquire()
        begun = self._thread.submit(self._storage.begin)
        try:
            unit = await asyncio.shield(begun)
        except asyncio.CancelledError:
            # It cannot be stopped, and nobody else will ever hold what it opens: give it back.
            await _done(begun)
            if begun.exception() is None:
                await _done(self._thread.submit(begun.result().rollback))
            self._turn.release()
            raise
        except BaseException:
            self._turn.release()
            raise
        return ThreadedUnitOfWork(unit, self._thread, self._turn)

    async def undelivered(self, tenant: str, consumer: str, limit: int, /) -> Delivery:
        """Return committed events that the consumer has not acknowledged, oldest commit first."""
        return await self._thread.call(self._storage.undelivered, tenant, consumer, limit)

    async def acknowledge(self, tenant: str, consumer: str, position: str, /) -> None:
        """Remember that the consumer has everything up to the position of a delivery."""
        async with self._turn:
            await self._thread.call(self._storage.acknowledge, tenant, consumer, position)


class ThreadedUnitOfWork:
    """A unit of work whose calls are made in the storage's thread."""

    def __init__(self, unit: UnitOfWork, thread: _Thread, turn: asyncio.Lock) -> None:
        self._unit = unit
        self._thread = thread
        self._turn = turn
        self._open = True

    async def load(self, tenant: str, kind: Kind[R], ids: Collection[str], /) -> Mapping[str, R]:
        """Return the records that exist, by id."""
        return await self._thread.call(self._unit.load, tenant, kind, ids)

    async def find(self, query: Query[R], /) -> Found[R]:
        """Return one page of what matches."""
        return await self._thread.call(self._unit.find, query)

    async def write(self, changes: Sequence[Change], events: Sequence[Recorded], /) -> None:
        """Write changes and their events."""
        await self._thread.call(self._unit.write, changes, events)

    async def lock(self, tenant: str, series: Collection[str], /) -> None:
        """Lock number series until the end."""
        await self._thread.call(self._unit.lock, tenant, series)

    async def commit(self) -> None:
        """Make everything visible and durable; after an error only `rollback` is left."""
        await self._thread.call(self._unit.commit)
        self._over()

    async def rollback(self) -> None:
        """Forget everything; a second call does nothing."""
        try:
            await self._thread.call(self._unit.rollback)
        finally:
            self._over()

    def _over(self) -> None:
        if self._open:
            self._open = False
            self._turn.release()


class _Thread:
    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="subscriptions-storage")

    def submit(self, function: Callable[[], T]) -> asyncio.Future[T]:
        """Have a function called in the thread."""
        return asyncio.get_running_loop().run_in_executor(self._executor, function)

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function in the thread, and wait for its end even if the caller is cancelled."""
        future = self.submit(partial(function, *args, **kwargs))
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            # What runs in the thread cannot be stopped: a transaction must not be left behind.
            await _done(future)
            raise


async def _done(future: asyncio.Future[T]) -> None:
    """Wait for the end of a call, however often the one who waits is cancelled."""
    while not future.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([future])
