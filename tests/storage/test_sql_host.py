"""A storage that was made from the host's connection or session joins the host's transaction."""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import PendingRollbackError
from sqlalchemy.orm import Session

from subscriptions.customers import CUSTOMER
from subscriptions.decisions import created
from subscriptions.errors import Conflict, StorageBusy, StorageError, ValidationError
from subscriptions.storage import Query
from subscriptions.storage.sql import SqlStorage
from subscriptions.testing import builders


def plain(url: str) -> sa.Engine:
    return sa.create_engine(url)


def begins_by_itself(url: str) -> sa.Engine:
    """The recipe of SQLAlchemy's documentation for savepoints that work."""
    engine = sa.create_engine(url)

    def connect(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None

    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    event.listen(engine, "connect", connect)
    event.listen(engine, "begin", begin)
    return engine


@pytest.fixture(params=[plain, begins_by_itself])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    make: Callable[[str], sa.Engine] = request.param
    engine = make(f"sqlite:///{tmp_path / 'host.db'}")
    SqlStorage(engine, migrate=True)
    with engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 100")
        connection.exec_driver_sql("CREATE TABLE accounts (name TEXT PRIMARY KEY)")
    yield engine
    engine.dispose()


def sign_up(storage: SqlStorage, id: str = "cus_ada") -> None:
    with storage.begin() as work:
        work.write([created(CUSTOMER, builders.a_customer(id))], [builders.an_event(id=f"{id}:1")])


def sign_up_and_fail(storage: SqlStorage) -> None:
    with storage.begin() as work:
        work.write([created(CUSTOMER, builders.a_customer("cus_gone"))], [])
        raise ZeroDivisionError


def found(engine: sa.Engine) -> tuple[list[str], list[str]]:
    with engine.connect() as connection:
        accounts = connection.exec_driver_sql("SELECT name FROM accounts").scalars().all()
        customers = connection.exec_driver_sql("SELECT id FROM subs_customer").scalars().all()
    return list(accounts), list(customers)


def open_account(connection: sa.Connection, name: str = "ada") -> None:
    connection.exec_driver_sql("INSERT INTO accounts VALUES (?)", (name,))


def test_ours_and_the_hosts_commit_together(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        storage = SqlStorage(connection)
        assert storage.joins_host
        sign_up(storage)
        open_account(connection)
        assert found(engine) == ([], [])
        assert storage.find(Query(CUSTOMER, builders.TENANT)).items != ()
        connection.commit()
    assert found(engine) == (["ada"], ["cus_ada"])


def test_the_hosts_rollback_undoes_ours(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        sign_up(SqlStorage(connection))
        open_account(connection)
        connection.rollback()
    assert found(engine) == ([], [])


def test_an_exception_in_the_hosts_block_undoes_ours(engine: sa.Engine) -> None:
    def fail() -> None:
        with engine.begin() as connection:
            open_account(connection)
            sign_up(SqlStorage(connection))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert found(engine) == ([], [])


def test_our_rollback_leaves_what_the_host_wrote(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        storage = SqlStorage(connection)
        connection.begin()
        sign_up(storage)
        open_account(connection)
        with pytest.raises(Conflict):
            sign_up(storage)
        with pytest.raises(ZeroDivisionError):
            sign_up_and_fail(storage)
        open_account(connection, "grace")
        connection.commit()
    assert found(engine) == (["ada", "grace"], ["cus_ada"])


def test_nothing_of_ours_closes_the_hosts_connection(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        storage = SqlStorage(connection)
        sign_up(storage)
        storage.close()
        del storage
        gc.collect()
        assert not connection.closed
        connection.commit()
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1


def test_a_session_is_asked_for_its_connection_each_time(engine: sa.Engine) -> None:
    with Session(engine) as session:
        storage = SqlStorage(session)
        sign_up(storage)
        session.execute(sa.text("INSERT INTO accounts VALUES ('ada')"))
        session.commit()
        sign_up(storage, "cus_gone")
        session.rollback()
        sign_up(storage, "cus_grace")
        session.commit()
    assert found(engine) == (["ada"], ["cus_ada", "cus_grace"])


def test_two_units_of_work_follow_each_other_in_one_transaction(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        storage = SqlStorage(connection)
        sign_up(storage)
        sign_up(storage, "cus_grace")
        with storage.begin(), pytest.raises(StorageError, match="open already"):
            storage.begin()
        connection.commit()
    assert found(engine) == ([], ["cus_ada", "cus_grace"])


def test_the_outbox_has_what_the_host_committed(engine: sa.Engine) -> None:
    worker = SqlStorage(engine)
    assert not worker.joins_host
    with engine.connect() as connection:
        sign_up(SqlStorage(connection))
        assert worker.undelivered(builders.TENANT, "mails", 10).events == ()
        connection.commit()
    delivery = worker.undelivered(builders.TENANT, "mails", 10)
    assert [recorded.id for recorded in delivery.events] == ["cus_ada:1"]
    worker.acknowledge(builders.TENANT, "mails", delivery.position)
    assert worker.undelivered(builders.TENANT, "mails", 10).events == ()


def test_a_host_that_has_read_something_that_moved_on_is_told_to_repeat(tmp_path: Path) -> None:
    engine = begins_by_itself(f"sqlite:///{tmp_path / 'host.db'}")
    storage = SqlStorage(engine, migrate=True)
    with closing(sqlite3.connect(tmp_path / "host.db")) as other:
        other.execute("PRAGMA journal_mode = WAL")
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT * FROM subs_customer").all()
        sign_up(storage)
        joined = SqlStorage(connection)
        with pytest.raises(StorageBusy):
            sign_up(joined, "cus_grace")
        connection.rollback()
        sign_up(joined, "cus_grace")
        connection.commit()
    assert len(storage.find(Query(CUSTOMER, builders.TENANT)).items) == 2
    engine.dispose()


def test_a_host_whose_transaction_the_database_has_ended_cannot_go_on(engine: sa.Engine) -> None:
    many = [created(CUSTOMER, builders.a_customer(f"cus_{n}")) for n in range(2000)]
    with engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 10}")
        open_account(connection)
        with pytest.raises(StorageError, match="full"), SqlStorage(connection).begin() as work:
            work.write(many, [])
        with pytest.raises(PendingRollbackError):
            open_account(connection, "grace")
        connection.rollback()
    assert found(engine) == ([], [])


def test_a_hosts_connection_that_may_lose_a_commit_is_refused(engine: sa.Engine) -> None:
    def set_up(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA synchronous = NORMAL")

    engine.dispose()
    event.listen(engine, "connect", set_up)
    with engine.connect() as connection:
        with pytest.raises(ValidationError, match="synchronous"):
            SqlStorage(connection).begin()
        with SqlStorage(connection, durability="relaxed").begin():
            pass
        connection.rollback()
        with pytest.raises(ValidationError, match="synchronous"):
            SqlStorage(connection).begin()


def test_a_hosts_connection_without_transactions_is_refused(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'host.db'}", isolation_level="AUTOCOMMIT")
    storage = SqlStorage(engine, migrate=True)
    with pytest.raises(ZeroDivisionError):
        sign_up_and_fail(storage)
    sign_up(storage)
    with engine.connect() as connection:
        joined = SqlStorage(connection)
        assert [c.id for c in joined.find(Query(CUSTOMER, builders.TENANT))] == ["cus_ada"]
        with pytest.raises(ValidationError, match="AUTOCOMMIT"):
            joined.begin()
    engine.dispose()


def test_a_migration_joins_the_hosts_transaction(tmp_path: Path) -> None:
    for make in (plain, begins_by_itself):
        engine = make(f"sqlite:///{tmp_path / make.__name__}.db")
        with engine.connect() as connection:
            storage = SqlStorage(connection)
            with pytest.raises(ValidationError, match="migrate"):
                storage.begin()
            storage.migrate()
            sign_up(storage)
            connection.rollback()
            assert sa.inspect(connection).get_table_names() == []
            connection.rollback()
            storage.migrate()
            sign_up(storage)
            connection.commit()
        names = {"subs_customer", "subs_invoice", "subscriptions_version"}
        assert names <= set(sa.inspect(engine).get_table_names())
        engine.dispose()


def test_a_connection_of_another_database_is_refused() -> None:
    class Dialect:
        name = "mysql"

    class Foreign:
        dialect = Dialect()

        def connection(self) -> sa.Connection:
            return cast("sa.Connection", self)

    with pytest.raises(ValidationError, match="source"):
        SqlStorage(Foreign()).begin()
