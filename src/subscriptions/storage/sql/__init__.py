"""Records in a database of the host's: tables that are declared by the kinds, through SQLAlchemy.

The database is given as a URL, as an engine, or as the host's own open connection or session. In
the last case everything joins the host's transaction: it becomes durable when the host commits, and
is gone when the host rolls back. Therefore what must follow a commit (to charge a card, to send a
mail, to drain the outbox) has to wait for the host's: do it with a storage of its own, made from
the URL or the engine.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from typing import Protocol, TypeAlias, TypeVar

import sqlalchemy as sa

from subscriptions.errors import StorageError, ValidationError
from subscriptions.records import Kind, Record
from subscriptions.storage import Delivery, Found, Query
from subscriptions.storage.sql import outbox, reading, schema, sqlite
from subscriptions.storage.sql.sqlite import Durability
from subscriptions.storage.sql.tables import is_ours
from subscriptions.storage.sql.unit_of_work import SqlUnitOfWork, translated

__all__ = ["Durability", "SqlStorage", "SqlUnitOfWork", "is_ours"]

R = TypeVar("R", bound=Record)


class HasConnection(Protocol):
    """A session of the host's, such as SQLAlchemy's `Session`: it has a connection when asked."""

    def connection(self) -> sa.Connection:
        """Return the connection of the session's present transaction."""
        ...


Source: TypeAlias = str | sa.URL | sa.Engine | sa.Connection | HasConnection


class SqlStorage:
    """Keeps records in a database of the host's.

    A URL is opened, set up and migrated; `migrate=False` only checks that it is up to date. An
    engine or a connection stays the host's: its settings are checked and not changed, and its
    tables are made by `migrate()`. Nothing ever commits or closes a connection of the host's.

    Threads may share one storage unless it was made from a connection or a session. A unit of
    work belongs to the thread that began it, and there is one at a time. `durability="relaxed"`
    permits settings under which a power failure loses what was committed. A lock that is not free
    within `lock_timeout_seconds` raises `StorageBusy`.

    >>> from subscriptions.customers import CUSTOMER
    >>> storage = SqlStorage("sqlite://")
    >>> storage.load("acme", CUSTOMER, ["cus_1"])
    {}
    >>> storage.close()
    """

    def __init__(
        self,
        source: Source,
        *,
        migrate: bool | None = None,
        durability: Durability = "full",
        lock_timeout_seconds: float = 30.0,
    ) -> None:
        self._durability: Durability = durability
        self._thread = threading.local()
        self._checked = False
        self._engine: sa.Engine | None = None
        self._host: Callable[[], sa.Connection] | None = None
        self._discard: weakref.finalize[..., SqlStorage] | None = None
        if isinstance(source, str | sa.URL):
            self._engine = self._open(sa.make_url(source), lock_timeout_seconds)
            migrate = True if migrate is None else migrate
        elif isinstance(source, sa.Engine):
            _require_sqlite(source.dialect.name)
            sqlite.refuse_shared_connections(source)
            self._engine = source
        elif isinstance(source, sa.Connection):
            self._host = lambda: source
        elif callable(getattr(source, "connection", None)):
            self._host = source.connection
        else:
            raise ValidationError("source", source, "a URL, an engine, a connection or a session")
        if migrate:
            self.migrate()
        elif migrate is not None:
            self._check_version()

    @property
    def joins_host(self) -> bool:
        """Whether what is committed here waits for the host's own commit."""
        return self._host is not None

    def load(self, tenant: str, kind: Kind[R], ids: Collection[str], /) -> dict[str, R]:
        """Return the records that exist, by id."""
        with self._reading() as connection:
            return reading.load(connection, tenant, kind, ids)

    def find(self, query: Query[R], /) -> Found[R]:
        """Return one page of what matches."""
        with self._reading() as connection:
            return reading.find(connection, query)

    def begin(self) -> SqlUnitOfWork:
        """Begin a unit of work; waits while another one is open in any thread or process."""
        self._check_version()
        return self._begin()

    def undelivered(self, tenant: str, consumer: str, limit: int, /) -> Delivery:
        """Return committed events that the consumer has not acknowledged, oldest commit first."""
        with self._reading() as connection:
            return outbox.undelivered(connection, tenant, consumer, limit)

    def acknowledge(self, tenant: str, consumer: str, position: str, /) -> None:
        """Remember that the consumer has everything up to the position of a delivery."""
        with self.begin() as work, translated():
            outbox.acknowledge(work.connection, tenant, consumer, position)

    def migrate(self) -> None:
        """Bring the tables to the version that this release knows; does nothing if they are.

        Of several processes that migrate at once, one does and the others wait for it. With the
        host's connection it happens in the host's transaction.
        """
        with self._connected() as connection:
            found = schema.version(connection)
        schema.refuse_newer(found)
        if found == schema.HEAD:
            return
        with self._begin(tables_exist=False) as work, translated():
            found = schema.version(work.connection)  # somebody may have been faster
            schema.refuse_newer(found)
            if found != schema.HEAD:
                schema.upgrade(work.connection)

    def close(self) -> None:
        """Close the connections of a storage that was made from a URL; others are the host's."""
        if self._discard is not None:
            self._discard()

    def __repr__(self) -> str:
        return f"SqlStorage({self._engine.url if self._engine else 'connection of the host'!r})"

    def _open(self, url: sa.URL, lock_timeout_seconds: float) -> sa.Engine:
        _require_sqlite(url.get_backend_name())
        folder: str | None = None
        if sqlite.in_memory(url):
            folder = tempfile.mkdtemp(prefix="subscriptions-")
            self._durability = "relaxed"
        engine = sqlite.make_engine(
            url,
            durability=self._durability,
            lock_timeout_seconds=lock_timeout_seconds,
            folder=folder,
        )
        self._discard = weakref.finalize(self, _discard, engine, folder, os.getpid())
        with translated():
            sqlite.write_ahead(engine)
        return engine

    @contextmanager
    def _connected(self) -> Generator[sa.Connection]:
        with translated():
            if self._engine is None:
                yield self._join()
            else:
                with self._engine.connect() as connection:
                    yield connection

    @contextmanager
    def _reading(self) -> Generator[sa.Connection]:
        self._check_version()
        with self._connected() as connection:
            yield connection

    def _check_version(self) -> None:
        if not self._checked:
            with self._connected() as connection:
                schema.require_head(schema.version(connection))
            self._checked = True

    def _begin(self, *, tables_exist: bool = True) -> SqlUnitOfWork:
        present: weakref.ref[SqlUnitOfWork] | None = getattr(self._thread, "work", None)
        work = None if present is None else present()
        if work is not None and work.is_open:
            # It would wait for itself until the lock times out.
            raise StorageError("this thread has a unit of work open already")
        with translated():
            if self._engine is None:
                connection = self._join()
                sqlite.refuse_autocommit(connection)
                sqlite.begin_writing(
                    connection, durability=self._durability, tables_exist=tables_exist
                )
                work = SqlUnitOfWork(connection, connection.begin_nested(), joined=True)
            else:
                connection = self._engine.connect()
                try:
                    transaction = connection.begin()
                    sqlite.begin_writing(
                        connection, durability=self._durability, tables_exist=tables_exist
                    )
                except BaseException:
                    connection.close()
                    raise
                work = SqlUnitOfWork(connection, transaction, joined=False)
        self._thread.work = weakref.ref(work)
        return work

    def _join(self) -> sa.Connection:
        assert self._host is not None
        connection = self._host()
        _require_sqlite(connection.dialect.name)
        return connection


def _require_sqlite(name: str) -> None:
    if name != "sqlite":
        raise ValidationError("source", name, "a SQLite database")


def _discard(engine: sa.Engine, folder: str | None, process: int) -> None:
    # A forked child inherits this, and must not take its parent's database away.
    if os.getpid() == process:
        engine.dispose()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
