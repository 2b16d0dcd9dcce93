"""What is particular to the storage in SQL: how it is opened, and what goes wrong."""

from __future__ import annotations

import gc
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.pool import NullPool, StaticPool

from subscriptions.catalog import PRODUCT
from subscriptions.customers import CUSTOMER
from subscriptions.decisions import Change, created
from subscriptions.errors import (
    CommitUnknown,
    StorageBusy,
    StorageError,
    ValidationError,
)
from subscriptions.storage import Query
from subscriptions.storage.sql import SqlStorage
from subscriptions.testing import builders


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'billing.db'}"


@pytest.fixture
def storage(url: str) -> Iterator[SqlStorage]:
    with closing(SqlStorage(url)) as storage:
        yield storage


@pytest.fixture
def engine(url: str) -> Iterator[sa.Engine]:
    engine = sa.create_engine(url)
    yield engine
    engine.dispose()


def write(storage: SqlStorage, *changes: Change) -> None:
    with storage.begin() as work:
        work.write(changes, [])


def customers(storage: SqlStorage) -> list[str]:
    return [customer.id for customer in storage.find(Query(CUSTOMER, builders.TENANT))]


# ---- how a database is opened -----------------------------------------------------------------


def test_connections_to_a_url_are_set_as_money_asks(storage: SqlStorage) -> None:
    with storage.begin() as work:
        found = {
            name: work.connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 30_000,
    }


def test_the_switch_to_the_log_waits_for_a_writer(url: str, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "billing.db", check_same_thread=False)) as writer:
        writer.execute("CREATE TABLE accounts (name TEXT)")
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageBusy):
            SqlStorage(url, lock_timeout_seconds=0.05)
        timer = threading.Timer(0.2, writer.rollback)
        timer.start()
        SqlStorage(url).close()
        timer.join()
    with closing(sqlite3.connect(tmp_path / "billing.db")) as reader:
        assert reader.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_database_in_memory_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    storage = SqlStorage("sqlite://")
    write(storage, created(CUSTOMER, builders.a_customer()))
    assert list(tmp_path.iterdir()) != []
    del storage
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_two_databases_in_memory_are_two() -> None:
    with closing(SqlStorage("sqlite://")) as one, closing(SqlStorage("sqlite://")) as other:
        write(one, created(CUSTOMER, builders.a_customer()))
        assert customers(other) == []


@pytest.mark.parametrize("level", ["OFF", "NORMAL"])
def test_an_engine_that_may_lose_a_commit_is_refused(url: str, level: str) -> None:
    engine = sa.create_engine(url)

    def set_up(connection: sqlite3.Connection, _: object) -> None:
        connection.execute(f"PRAGMA synchronous = {level}")

    event.listen(engine, "connect", set_up)
    with pytest.raises(ValidationError, match="synchronous"):
        SqlStorage(engine, migrate=True)
    with pytest.raises(ValidationError, match="synchronous"):
        SqlStorage(engine).migrate()
    SqlStorage(engine, migrate=True, durability="relaxed")
    engine.dispose()


@pytest.mark.parametrize("url", ["sqlite://"])
def test_an_engine_whose_users_share_a_connection_is_refused(url: str) -> None:
    for engine in (sa.create_engine(url), sa.create_engine(url, poolclass=StaticPool)):
        with pytest.raises(ValidationError, match="engine"):
            SqlStorage(engine)


def test_what_is_not_a_sqlite_database_is_refused() -> None:
    with pytest.raises(ValidationError, match="source"):
        SqlStorage("mysql://localhost/billing")
    with pytest.raises(ValidationError, match="source"):
        SqlStorage(object())  # type: ignore[arg-type]


def test_the_password_of_a_url_is_not_shown(storage: SqlStorage) -> None:
    assert "billing.db" in repr(storage)
    assert "host" in repr(SqlStorage(sa.create_engine("sqlite://", poolclass=NullPool).connect()))


def test_alembic_is_loaded_only_to_migrate(url: str) -> None:
    script = (
        "import sys; from subscriptions.storage.sql import SqlStorage;"
        f"SqlStorage({url!r}).close(); print('alembic' in sys.modules)"
    )
    run = [sys.executable, "-W", "error", "-c", script]
    said = [subprocess.check_output(run, text=True).strip() for _ in range(2)]
    assert said == ["True", "False"]


# ---- what goes wrong --------------------------------------------------------------------------


def test_a_lock_that_is_not_free_in_time_is_a_typed_error(storage: SqlStorage, url: str) -> None:
    with closing(SqlStorage(url, lock_timeout_seconds=0.05)) as other, storage.begin():
        with pytest.raises(StorageBusy):
            other.begin()
        with pytest.raises(StorageBusy):
            other.acknowledge(builders.TENANT, "mails", "0")
    with storage.begin():
        pass


def test_a_unit_of_work_inside_another_one_of_the_thread_is_refused(storage: SqlStorage) -> None:
    with storage.begin() as work, pytest.raises(StorageError, match="open already"):
        storage.begin()
    assert not work.is_open
    forgotten = storage.begin()
    del forgotten
    gc.collect()
    with storage.begin():
        pass


def test_a_read_only_file_is_a_typed_error(storage: SqlStorage, tmp_path: Path) -> None:
    path = tmp_path / "billing.db"
    with closing(SqlStorage(f"sqlite:///file:{path}?mode=ro&uri=true")) as other:
        assert customers(other) == []
        with pytest.raises(StorageError, match="readonly"), other.begin() as work:
            work.write([created(CUSTOMER, builders.a_customer())], [])
    with pytest.raises(StorageError, match="open"):
        SqlStorage(f"sqlite:///{tmp_path / 'missing' / 'billing.db'}")


def test_a_full_disk_is_a_typed_error_and_leaves_nothing(storage: SqlStorage) -> None:
    new = [created(CUSTOMER, builders.a_customer(f"cus_{n}")) for n in range(2000)]
    with storage.begin() as work:
        pages = work.connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        work.connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 10}")
    with pytest.raises(StorageError, match="full"):
        write(storage, created(PRODUCT, builders.a_product()), *new)
    assert customers(storage) == []
    assert storage.load(builders.TENANT, PRODUCT, ["prod_pro"]) == {}
    with storage.begin() as work:
        work.connection.exec_driver_sql("PRAGMA max_page_count = 1073741823")
        work.write(new, [])


def breaks(error: BaseException, *, first_commit: bool = False) -> Callable[[sa.Connection], None]:
    """Return a commit of the driver that ends with `error`, having committed or not."""

    def commit(connection: sa.Connection) -> None:
        if first_commit:
            connection.commit()
        raise error

    return commit


@pytest.mark.parametrize("applied", [False, True])
def test_a_lost_answer_to_a_commit_is_unknown(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch, *, applied: bool
) -> None:
    storage = SqlStorage(engine, migrate=True)
    error = sqlite3.OperationalError("disk I/O error")
    with monkeypatch.context() as patch:
        patch.setattr(engine.dialect, "do_commit", breaks(error, first_commit=applied))
        with pytest.raises(CommitUnknown):
            write(storage, created(CUSTOMER, builders.a_customer()))
    assert customers(storage) == (["cus_ada"] if applied else [])
    with storage.begin():
        pass


def test_a_commit_that_was_refused_is_not_unknown(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = SqlStorage(engine, migrate=True)
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY
    with monkeypatch.context() as patch:
        patch.setattr(engine.dialect, "do_commit", breaks(error))
        with pytest.raises(StorageBusy):
            write(storage, created(CUSTOMER, builders.a_customer()))
    assert customers(storage) == []


def test_an_interrupted_commit_frees_the_connection(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = SqlStorage(engine, migrate=True)
    with monkeypatch.context() as patch:
        patch.setattr(engine.dialect, "do_commit", breaks(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            write(storage, created(CUSTOMER, builders.a_customer()))
    assert customers(storage) == []
    with storage.begin():
        pass


def test_a_transaction_that_somebody_else_ended_is_not_committed(storage: SqlStorage) -> None:
    work = storage.begin()
    work.write([created(CUSTOMER, builders.a_customer())], [])
    work.connection.exec_driver_sql("ROLLBACK")
    with pytest.raises(StorageError, match="somebody else"):
        work.commit()
    assert not work.is_open
    assert customers(storage) == []
