"""What is particular to SQLite: its locks, its durability, the meaning of its errors.

SQLite has one writer at a time. A unit of work takes the write lock when it begins, because a
transaction that reads first and wants to write later fails as soon as another one has written in
between: waiting cannot help it. Readers wait for nobody (the log is written ahead).
"""

# ruff: noqa: S608 - names of tables and columns come from declared kinds; values are bound

from __future__ import annotations

import os
import re
import sqlite3
from pathlib import Path
from typing import Any, Literal, TypeAlias

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, DisconnectionError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection, SingletonThreadPool

from subscriptions.errors import StorageBusy, StorageError, ValidationError
from subscriptions.storage.sql.tables import VERSION_TABLE

Durability: TypeAlias = Literal["full", "relaxed"]

_SYNCHRONOUS_FULL = 2
_DURABLE = "subscriptions_durable"
_PROCESS = "subscriptions_process"
_ATTEMPTS_MAX = 20


def in_memory(url: sa.URL) -> bool:
    """Tell whether a URL names no file."""
    return url.database in (None, "", ":memory:") or url.query.get("mode") == "memory"


def make_engine(
    url: sa.URL, *, durability: Durability, lock_timeout_seconds: float, folder: str | None
) -> sa.Engine:
    """Return an engine whose connections are set as money asks.

    A database in memory is kept in `folder`, which is deleted when it is closed: connections to
    one database that is really in memory either share a transaction or lock each other out.
    """
    level = "FULL" if durability == "full" else "NORMAL"
    if folder is not None:
        level = "OFF"  # nothing of it is to survive
        url = sa.URL.create("sqlite", database=str(Path(folder) / "memory.db"))
    engine = sa.create_engine(
        url, connect_args={"timeout": lock_timeout_seconds}, pool_timeout=lock_timeout_seconds
    )

    def set_up(connection: sqlite3.Connection, entry: ConnectionPoolEntry) -> None:
        connection.execute(f"PRAGMA synchronous = {level}")
        connection.execute("PRAGMA foreign_keys = ON")
        entry.info[_PROCESS] = os.getpid()

    def refuse_inherited(
        connection: object, entry: ConnectionPoolEntry, proxy: PoolProxiedConnection
    ) -> None:
        # A forked child has the pool of its parent. To use those connections would break the
        # locks of both, and so would closing them: they are left alone and new ones are made.
        if entry.info[_PROCESS] != os.getpid():
            del connection
            entry.dbapi_connection = proxy.dbapi_connection = None  # type: ignore[misc]  # read-only in the stubs
            raise DisconnectionError("the connection belongs to another process")

    event.listen(engine, "connect", set_up)
    event.listen(engine, "checkout", refuse_inherited)
    return engine


def write_ahead(engine: sa.Engine) -> None:
    """Switch the file to its write-ahead log, once for ever: then readers wait for nobody."""
    with engine.connect() as connection:
        for attempt in range(_ATTEMPTS_MAX):
            if connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal":
                return
            try:
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            except OperationalError as error:
                # SQLite does not wait for a lock here, so wait for one where it does.
                if not _is_busy(error) or attempt + 1 == _ATTEMPTS_MAX:
                    raise
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                connection.rollback()


def refuse_shared_connections(engine: sa.Engine) -> None:
    """Refuse a pool that gives one connection to two users: one would end the other's work."""
    if isinstance(engine.pool, sa.StaticPool | SingletonThreadPool):
        raise ValidationError(
            "engine",
            type(engine.pool).__name__,
            "a pool whose connections are not shared; for a database in memory, pass 'sqlite://'",
        )


def begin_writing(
    connection: sa.Connection, *, durability: Durability, tables_exist: bool = True
) -> None:
    """Begin a transaction that holds the write lock; waits for it as long as the time-out says.

    The driver begins no transaction by itself before the first change, and a savepoint without a
    transaction would commit when it is released. A host may have set its engine to begin one:
    then a statement that changes no row takes the lock.
    """
    if not connection.in_transaction():
        connection.begin()
    if durability == "full":
        _check_durability(connection)
    if not in_transaction(connection):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        return
    if not tables_exist:
        connection.exec_driver_sql(
            f"CREATE TABLE IF NOT EXISTS {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL,"
            f" CONSTRAINT {VERSION_TABLE}_pkc PRIMARY KEY (version_num))"
        )
    connection.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = version_num WHERE 0")


def refuse_autocommit(connection: sa.Connection) -> None:
    """Refuse a connection of the host's that has no transactions: nobody would commit ours."""
    if not connection.in_transaction():
        connection.begin()
    driver = _driver(connection)
    if driver.isolation_level is None and not driver.in_transaction:
        raise ValidationError("connection", "AUTOCOMMIT", "a connection that has transactions")


def _check_durability(connection: sa.Connection) -> None:
    if connection.info.get(_DURABLE):
        return
    level = connection.exec_driver_sql("PRAGMA synchronous").scalar_one()
    if level < _SYNCHRONOUS_FULL:
        raise ValidationError(
            "synchronous",
            level,
            "FULL (2), or a power failure loses what was committed; "
            "say durability='relaxed' if that is meant",
        )
    connection.info[_DURABLE] = True


def in_transaction(connection: sa.Connection) -> bool:
    """Tell whether the database itself has a transaction open on this connection."""
    return _driver(connection).in_transaction


def rows_changed(connection: sa.Connection) -> int:
    """Return how many rows this connection has changed so far."""
    return _driver(connection).total_changes


def _driver(connection: sa.Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


# ---- errors -----------------------------------------------------------------------------------

_UNIQUE = re.compile(r"UNIQUE constraint failed: (.+)")
_NOT_COMMITTED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL})


def storage_error(error: Exception) -> StorageError:
    """Return what an error of the driver means to a caller."""
    if isinstance(error, PoolTimeout):
        return StorageBusy("no connection became free in time")
    if isinstance(error, DBAPIError) and _is_busy(error):
        return StorageBusy("another writer held the database for too long")
    return StorageError(str(getattr(error, "orig", None) or error))


def commit_failed_for_sure(error: DBAPIError) -> bool:
    """Tell whether a failed COMMIT certainly changed nothing.

    A failed write to the disk is no proof: the log may hold the commit, and the next one who
    opens the database may find it.
    """
    return _code(error) in _NOT_COMMITTED


def violated_columns(error: DBAPIError) -> tuple[str, ...] | None:
    """Return the columns of the unique key that an error is about, or None."""
    match = _UNIQUE.search(str(error.orig))
    if match is None:
        return None
    return tuple(name.rpartition(".")[2] for name in match[1].split(", "))


def _is_busy(error: DBAPIError) -> bool:
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _code(error: DBAPIError) -> int | None:
    code: Any = getattr(error.orig, "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else None  # the rest is detail
