"""The tables: made once by migrations, as the kinds declare them, never newer than the code."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from subscriptions.customers import CUSTOMER
from subscriptions.decisions import created
from subscriptions.errors import StorageError, ValidationError
from subscriptions.storage import Query
from subscriptions.storage.sql import SqlStorage, is_ours
from subscriptions.storage.sql.schema import HEAD, MIGRATIONS, VERSIONS
from subscriptions.storage.sql.tables import describe
from subscriptions.testing import builders


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'billing.db'}")
    yield engine
    engine.dispose()


def set_version(engine: sa.Engine, version: str) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE subscriptions_version SET version_num = ?", (version,))


def indexes(engine: sa.Engine) -> dict[str, Any]:
    inspector = sa.inspect(engine)
    return {
        index["name"] or "": (
            table,
            index["column_names"],
            index.get("dialect_options", {}).get("sqlite_where"),
        )
        for table in describe().tables
        for index in inspector.get_indexes(table)
    }


def test_the_migrated_tables_are_those_that_the_kinds_declare(
    engine: sa.Engine, tmp_path: Path
) -> None:
    SqlStorage(engine, migrate=True)
    declared = sa.create_engine(f"sqlite:///{tmp_path / 'declared.db'}")
    describe().create_all(declared)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "version_table": "subscriptions_version",
                "compare_type": True,
                "target_metadata": describe(),
            },
        )
        assert compare_metadata(context, describe()) == []
    # What the comparison does not see: conditions of indexes, and positions that never return.
    found, wanted = (
        {n: (t, c, str(w)) for n, (t, c, w) in indexes(e).items()} for e in (engine, declared)
    )
    assert found == wanted

    def never_return(e: sa.Engine) -> set[str]:
        with e.connect() as connection:
            return set(
                connection.exec_driver_sql(
                    "SELECT name FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%'"
                ).scalars()
            )

    assert never_return(engine) == never_return(declared) == {"subs_event"}
    declared.dispose()


def test_all_that_a_migration_makes_is_known_as_ours(engine: sa.Engine) -> None:
    SqlStorage(engine, migrate=True)
    inspector = sa.inspect(engine)
    names = [*inspector.get_table_names(), *inspector.get_view_names()]
    assert len(names) == 33
    assert all(is_ours(name) for name in names)
    assert not is_ours("accounts")
    assert not is_ours(None)


def test_every_key_and_index_begins_with_the_tenant(engine: sa.Engine) -> None:
    SqlStorage(engine, migrate=True)
    inspector = sa.inspect(engine)
    for table in describe().tables:
        for constraint in inspector.get_unique_constraints(table):
            assert constraint["column_names"][0] == "tenant"
        for index in inspector.get_indexes(table):
            assert index["column_names"][0] == "tenant"


def test_the_planner_was_told_of_every_index(engine: sa.Engine) -> None:
    SqlStorage(engine, migrate=True)
    with engine.connect() as connection:
        told = set(connection.exec_driver_sql("SELECT idx FROM sqlite_stat1").scalars())
        there = set(
            connection.exec_driver_sql(
                "SELECT name FROM sqlite_master WHERE type = 'index'"
                " AND tbl_name NOT IN ('subs_consumer', 'subscriptions_version')"
            ).scalars()
        )
    assert told == there


def test_the_code_knows_exactly_the_versions_that_there_are() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    assert tuple(script.revision for script in scripts.walk_revisions())[::-1] == VERSIONS
    assert scripts.get_heads() == [HEAD]


def test_migrating_again_changes_nothing(engine: sa.Engine) -> None:
    storage = SqlStorage(engine, migrate=True)
    with storage.begin() as work:
        work.write([created(CUSTOMER, builders.a_customer())], [])
    storage.migrate()
    SqlStorage(engine, migrate=True)
    assert len(storage.find(Query(CUSTOMER, builders.TENANT)).items) == 1


@pytest.mark.parametrize("migrate", [None, False, True])
def test_tables_of_a_newer_release_are_refused(engine: sa.Engine, *, migrate: bool | None) -> None:
    SqlStorage(engine, migrate=True)
    set_version(engine, "9999")
    with pytest.raises(ValidationError, match="newer release"):
        SqlStorage(engine.url, migrate=migrate)
    with pytest.raises(ValidationError, match="newer release"):
        SqlStorage(engine).begin()


def test_tables_that_are_missing_are_refused_where_nobody_may_make_them(engine: sa.Engine) -> None:
    with pytest.raises(ValidationError, match="migrate"):
        SqlStorage(engine.url, migrate=False)
    storage = SqlStorage(engine)
    for use in (
        storage.begin,
        lambda: storage.load(builders.TENANT, CUSTOMER, ["cus_ada"]),
        lambda: storage.undelivered(builders.TENANT, "mails", 1),
    ):
        with pytest.raises(ValidationError, match="migrate"):
            use()
    storage.migrate()
    with storage.begin():
        pass
    SqlStorage(engine.url, migrate=False).close()


def test_a_migration_that_fails_leaves_nothing(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE subs_event (something_else TEXT)")
    with pytest.raises(StorageError, match="already exists"):
        SqlStorage(engine, migrate=True)
    assert sa.inspect(engine).get_table_names() == ["subs_event"]


def test_a_folder_with_a_percent_sign_is_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "100%(x)s"
    folder.mkdir()
    with closing(SqlStorage(sa.URL.create("sqlite", database=str(folder / "billing.db")))):
        assert (folder / "billing.db").exists()


def test_of_processes_that_migrate_at_once_one_does(engine: sa.Engine) -> None:
    script = (
        "import sys, sqlalchemy, alembic.command; from subscriptions.storage.sql import SqlStorage;"
        "print('ready', flush=True); sys.stdin.readline();"
        f"SqlStorage({str(engine.url)!r}).close()"
    )
    command = [sys.executable, "-W", "error", "-c", script]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.communicate("\n", timeout=60)
    assert [process.returncode for process in processes] == [0] * 6
    SqlStorage(engine.url, migrate=False).close()
