"""Several threads and processes on one database, and processes that are killed while they write."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from attrs import evolve

from subscriptions.customers import CUSTOMER, Customer
from subscriptions.decisions import changed, created
from subscriptions.errors import Conflict
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


def ada(storage: SqlStorage) -> Customer:
    return storage.load(builders.TENANT, CUSTOMER, ["cus_ada"])["cus_ada"]


def sign_up(storage: SqlStorage) -> None:
    with storage.begin() as work:
        work.write([created(CUSTOMER, builders.a_customer())], [])


def count_up(storage: SqlStorage, times: int) -> None:
    """Change one record many times, each on what was read outside of the unit of work."""
    for _ in range(times):
        while True:
            before = ada(storage)
            after = evolve(before, version=before.version + 1)
            event = builders.an_event(id=f"cus_ada:{after.version}", sequence=after.version)
            try:
                with storage.begin() as work:
                    work.write([changed(CUSTOMER, before, after)], [event])
                break
            except Conflict:
                continue


COUNT_UP = """
import sys
sys.path.insert(0, sys.argv[1])
from test_sql_processes import SqlStorage, count_up
print("ready", flush=True)
sys.stdin.readline()
count_up(SqlStorage(sys.argv[2]), int(sys.argv[3]))
"""
WRITE_FOR_EVER = """
import itertools, sys
from subscriptions.customers import CUSTOMER
from subscriptions.decisions import created
from subscriptions.storage.sql import SqlStorage
from subscriptions.testing import builders
storage = SqlStorage(sys.argv[1])
for batch in itertools.count():
    ids = [f"{sys.argv[2]}-{batch}-{n}" for n in range(50)]
    with storage.begin() as work:
        work.write(
            [created(CUSTOMER, builders.a_customer(id)) for id in ids],
            [builders.an_event(id=id + ":1", subject=id) for id in ids],
        )
    print(batch, flush=True)
"""


def start(script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", script, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_threads_share_one_storage(storage: SqlStorage) -> None:
    sign_up(storage)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(count_up, [storage] * 8, [20] * 8))
    assert ada(storage).version == 1 + 8 * 20
    assert len(storage.undelivered(builders.TENANT, "mails", 1000).events) == 8 * 20


def test_threads_share_a_database_in_memory() -> None:
    with closing(SqlStorage("sqlite://")) as storage:
        sign_up(storage)
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(count_up, [storage] * 4, [20] * 4))
        assert ada(storage).version == 1 + 4 * 20


def test_processes_share_one_file(storage: SqlStorage, url: str) -> None:
    sign_up(storage)
    folder = str(Path(__file__).parent)
    processes = [start(COUNT_UP, folder, url, "40") for _ in range(3)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    count_up(storage, 40)
    for process in processes:
        process.communicate(timeout=60)
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert ada(storage).version == 1 + 4 * 40


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="processes cannot be killed here")
def test_a_process_that_is_killed_leaves_whole_units_of_work(storage: SqlStorage, url: str) -> None:
    acknowledged = 0
    for attempt in range(6):
        process = start(WRITE_FOR_EVER, url, str(attempt))
        assert process.stdout is not None
        for _ in range(attempt + 1):
            process.stdout.readline()
        process.kill()
        said = process.communicate(timeout=60)[0]
        acknowledged += attempt + 1 + said.count("\n")
    query = Query(CUSTOMER, builders.TENANT, limit=10_000)
    ids = [customer.id for customer in storage.find(query)]
    events = storage.undelivered(builders.TENANT, "mails", 10_000).events
    assert len(ids) % 50 == 0, "no half unit of work"
    assert len(ids) >= acknowledged * 50, "nothing that was committed is lost"
    assert [event.subject for event in events] == ids


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_fork_makes_connections_of_its_own(storage: SqlStorage) -> None:
    sign_up(storage)
    work = storage.begin()
    work.write([created(CUSTOMER, builders.a_customer("cus_parent"))], [])
    child = os.fork()
    if child == 0:
        found: list[str] = []
        try:
            found = [customer.id for customer in storage.find(Query(CUSTOMER, builders.TENANT))]
        finally:
            os._exit(0 if found == ["cus_ada"] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    work.commit()
    count_up(storage, 1)
    assert ada(storage).version == 2
