"""The steps that the laws of a storage are told in: write, retry, do at the same time, drain.

A storage may let one writer at a time begin, or many and refuse the later commit; the steps work
for both. Nothing here sleeps or reads a clock: threads wait for each other, with a limit.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Barrier, Thread
from typing import Final, TypeVar

import pytest
from attrs import evolve

from subscriptions import customers, payments
from subscriptions.customers import CUSTOMER, Customer
from subscriptions.decisions import Change, created
from subscriptions.errors import Conflict, Duplicate, StorageError
from subscriptions.events import Recorded, record
from subscriptions.payments import PAYMENT, Payment
from subscriptions.records import Kind, Record
from subscriptions.storage import Query, Storage, UnitOfWork
from subscriptions.testing.builders import a_customer, a_payment

T = TypeVar("T")
R = TypeVar("R", bound=Record)

TENANT: Final = "acme"
OTHER: Final = "other"
AT: Final = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)

PATIENCE_SECONDS: Final = 0.25
"""How long a step waits for a thread that may have to wait for it: then it goes on without."""
DEADLINE_SECONDS: Final = 120.0
"""How long a step waits for a thread that has no reason to wait: then the law is broken."""
TRIES_MAX: Final = 10_000


class Interrupted(Exception):
    """Leaves a block of a unit of work, as a fault of the host would."""


# ---- changes --------------------------------------------------------------------------------


def added(customer: Customer) -> Change:
    """Say that a customer is new, with its event."""
    body = customers.CustomerCreated(customer.id, customer.number or "")
    return created(CUSTOMER, customer, body)


def edited(customer: Customer, **fields: object) -> Change:
    """Say that a customer was edited, with its event."""
    change = customers.update(customer, fields)
    assert change is not None, "the law edits nothing"
    return change


def after(change: Change, kind: Kind[R]) -> R:
    """Return the record that a change leaves."""
    assert isinstance(change.after, kind.record)
    return change.after


def due_payment(id: str, at: datetime | None, *, tenant: str = TENANT) -> Payment:
    """Return a payment that is due at an instant, or never."""
    state = payments.Succeeded(AT) if at is None else payments.Intended(at)
    return a_payment(id, tenant=tenant, state=state, allocations=())


def events_of(changes: Sequence[Change]) -> list[Recorded]:
    """Return the events of changes as they are recorded."""
    return [event for change in changes for event in record(change, at=AT)]


def write(unit: UnitOfWork, *changes: Change) -> None:
    """Write changes with their events."""
    unit.write(list(changes), events_of(changes))


def commit(storage: Storage, *changes: Change) -> None:
    """Commit changes with their events in one unit of work."""
    with storage.begin() as unit:
        write(unit, *changes)


def customer(id: str, **changes: object) -> Customer:
    """Return a new customer of the tenant of the laws."""
    return a_customer(id, **{"tenant": TENANT, **changes})


def stored_customer(storage: Storage, id: str = "cus_ada", **changes: object) -> Customer:
    """Commit a new customer and return it."""
    made = customer(id, **changes)
    commit(storage, added(made))
    return made


def stored_payments(storage: Storage, *made: Payment) -> None:
    """Commit new payments."""
    commit(storage, *[created(PAYMENT, payment) for payment in made])


# ---- reading --------------------------------------------------------------------------------


def loaded(storage: Storage, kind: Kind[R], id: str, *, tenant: str = TENANT) -> R | None:
    """Return one record, or None."""
    return storage.load(tenant, kind, [id]).get(id)


def the_customer(storage: Storage, id: str = "cus_ada", *, tenant: str = TENANT) -> Customer:
    """Return a customer that is there."""
    found = loaded(storage, CUSTOMER, id, tenant=tenant)
    assert found is not None, f"the customer {id} is gone"
    return found


def ids(records: Sequence[R]) -> list[str]:
    """Return the ids of records."""
    return [each.id for each in records]


def pages(storage: Storage, query: Query[R]) -> Iterator[tuple[R, ...]]:
    """Yield every page of a query; it must come to an end."""
    for _ in range(TRIES_MAX):
        page = storage.find(query)
        yield page.items
        if page.next_cursor is None:
            return
        query = evolve(query, after=page.next_cursor)
    raise AssertionError("the pages do not come to an end")


def rows(storage: Storage, query: Query[R]) -> list[R]:
    """Return the rows of all pages of a query."""
    return [row for page in pages(storage, query) for row in page]


def drain(
    storage: Storage, consumer: str, *, tenant: str = TENANT, limit: int = 7
) -> list[Recorded]:
    """Return what a consumer has not acknowledged, and acknowledge it."""
    drained: list[Recorded] = []
    for _ in range(TRIES_MAX):
        delivery = storage.undelivered(tenant, consumer, limit)
        if not delivery.events:
            return drained
        drained += delivery.events
        storage.acknowledge(tenant, consumer, delivery.position)
    raise AssertionError("the events do not come to an end")


# ---- trying and failing ---------------------------------------------------------------------


@contextmanager
def refused(*errors: type[StorageError]) -> Generator[pytest.ExceptionInfo[StorageError]]:
    """Expect that the unit of work in the block is refused, at the latest when it commits."""
    with pytest.raises(errors) as caught:
        yield caught


def retried(work: Callable[[], T]) -> T:
    """Do it again until nobody comes in between."""
    for _ in range(TRIES_MAX):
        try:
            return work()
        except Duplicate:
            raise
        except StorageError:
            continue
    raise AssertionError(f"did not succeed in {TRIES_MAX} tries")


def won(work: Callable[[], object]) -> bool:
    """Return whether it succeeded; losing against others is `Conflict` or `Duplicate`."""
    try:
        work()
    except (Conflict, Duplicate):
        return False
    return True


# ---- at the same time -----------------------------------------------------------------------


@contextmanager
def switching_often() -> Generator[None]:
    """Let threads take turns after every few steps, so that races are seen that are rare else."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)


def background(work: Callable[[], T]) -> Future[T]:
    """Start it in a thread of its own."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - whoever asks for the result gets it
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future


def finished(future: Future[T]) -> bool:
    """Wait a little, and return whether it is done: if not, it waits for us."""
    return bool(wait([future], timeout=PATIENCE_SECONDS).done)


def result(future: Future[T]) -> T:
    """Return what it returned, or raise what it raised; a thread that hangs breaks the law."""
    assert wait([future], timeout=DEADLINE_SECONDS).done, "a thread waits for ever"
    return future.result()


def together(works: Sequence[Callable[[], T]]) -> list[T]:
    """Do all at the same time and return what they returned."""
    barrier = Barrier(len(works))

    def started(work: Callable[[], T]) -> Callable[[], T]:
        def run() -> T:
            barrier.wait(DEADLINE_SECONDS)
            return work()

        return run

    with switching_often():
        futures = [background(started(work)) for work in works]
        return [result(future) for future in futures]
