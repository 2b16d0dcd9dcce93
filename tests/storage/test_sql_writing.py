"""Records are written to SQL in bulk, and what was in the way is named exactly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa
from attrs import evolve
from sqlalchemy import event

from subscriptions.catalog import PRODUCT
from subscriptions.customers import CUSTOMER
from subscriptions.decisions import Change, changed, created
from subscriptions.errors import (
    Conflict,
    Duplicate,
    StorageError,
    ValidationError,
)
from subscriptions.idempotency import COMMAND
from subscriptions.invoices import INVOICE
from subscriptions.lifecycle import SUBSCRIPTION
from subscriptions.payments import PAYMENT
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


# ---- writing in bulk --------------------------------------------------------------------------


def test_a_thousand_changes_take_a_handful_of_statements(engine: sa.Engine) -> None:
    storage = SqlStorage(engine, migrate=True)
    before = [builders.a_subscription(f"sub_{n}") for n in range(250)]
    write(storage, *[created(SUBSCRIPTION, subscription) for subscription in before])
    item = builders.an_item(through=date(2027, 3, 31), billed=2)
    renewed = [evolve(subscription, version=2, items=(item,)) for subscription in before]
    changes = [changed(SUBSCRIPTION, *pair) for pair in zip(before, renewed, strict=True)]
    changes += [created(INVOICE, builders.an_invoice(f"inv_{n}")) for n in range(250)]
    changes += [created(PAYMENT, builders.a_payment(f"pay_{n}")) for n in range(250)]
    events = [builders.an_event(id=f"cus_ada:{n}", sequence=n) for n in range(250)]
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    with storage.begin() as work:
        work.load(builders.TENANT, SUBSCRIPTION, [subscription.id for subscription in before])
        work.write(changes, events)
    assert len(statements) <= 0.05 * 1000
    assert len(statements) == 6, "begin, load, and one for each kind"
    ids = [subscription.id for subscription in before]
    stored = storage.load(builders.TENANT, SUBSCRIPTION, ids)
    assert [stored[id] for id in ids] == renewed


def test_only_the_indexed_columns_that_differ_are_set(engine: sa.Engine) -> None:
    storage = SqlStorage(engine, migrate=True)
    before = [builders.a_customer(f"cus_{n}") for n in range(3)]
    write(storage, *[created(CUSTOMER, customer) for customer in before])
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    moves = [
        changed(CUSTOMER, before[0], evolve(before[0], version=2, company="Engines")),
        changed(CUSTOMER, before[1], evolve(before[1], version=2, email="b@example.com")),
        changed(CUSTOMER, before[2], evolve(before[2], version=2, email="c@example.com")),
    ]
    write(storage, *moves)
    updates = [text for text in statements if text.startswith("UPDATE")]
    assert ["email = ?" in text for text in updates] == [False, True]
    stored = storage.find(Query(CUSTOMER, builders.TENANT, where={"email": ["c@example.com"]}))
    assert [customer.id for customer in stored] == ["cus_2"]


def test_a_record_may_be_new_and_move_twice_in_one_write(storage: SqlStorage) -> None:
    first = builders.a_customer()
    second = evolve(first, version=2, email="second@example.com")
    third = evolve(second, version=3, company="Engines")
    other = builders.a_customer("cus_other")
    write(
        storage,
        created(CUSTOMER, first),
        changed(CUSTOMER, first, second),
        created(CUSTOMER, other),
        changed(CUSTOMER, second, third),
    )
    assert storage.load(builders.TENANT, CUSTOMER, [first.id]) == {first.id: third}


def test_a_new_record_may_take_a_key_that_another_one_gives_up(storage: SqlStorage) -> None:
    ada = builders.a_customer(external_id="42")
    write(storage, created(CUSTOMER, ada))
    gone = evolve(ada, version=2, external_id=None)
    heir = builders.a_customer("cus_heir", external_id="42")
    write(storage, created(CUSTOMER, heir), changed(CUSTOMER, ada, gone))
    found = storage.find(Query(CUSTOMER, builders.TENANT, where={"external_id": ["42"]}))
    assert list(found) == [heir]


def test_the_conflict_names_the_record_that_had_moved(storage: SqlStorage) -> None:
    before = [builders.a_customer(f"cus_{n}") for n in range(20)]
    write(storage, *[created(CUSTOMER, customer) for customer in before])
    faster = evolve(before[13], version=2, company="Faster")
    write(storage, changed(CUSTOMER, before[13], faster))
    slower = [evolve(customer, version=2, company="Slower") for customer in before]
    with pytest.raises(Conflict) as caught:
        write(
            storage,
            *[changed(CUSTOMER, *pair) for pair in zip(before, slower, strict=True)],
        )
    assert (caught.value.kind, caught.value.id, caught.value.expected) == ("customer", "cus_13", 1)


def test_the_conflict_is_noticed_even_if_both_wrote_the_same(storage: SqlStorage) -> None:
    before = [builders.a_customer(f"cus_{n}") for n in range(2)]
    write(storage, *[created(CUSTOMER, customer) for customer in before])
    after = [evolve(customer, version=2) for customer in before]
    write(storage, changed(CUSTOMER, before[1], after[1]))
    with pytest.raises(Conflict):
        write(storage, *[changed(CUSTOMER, *pair) for pair in zip(before, after, strict=True)])


def test_the_conflict_of_new_records_names_the_one_that_exists(storage: SqlStorage) -> None:
    write(storage, created(CUSTOMER, builders.a_customer("cus_5")))
    with pytest.raises(Conflict) as caught:
        write(storage, *[created(CUSTOMER, builders.a_customer(f"cus_{n}")) for n in range(9)])
    assert (caught.value.id, caught.value.expected) == ("cus_5", 0)


@pytest.mark.parametrize("moving", [False, True])
def test_the_duplicate_names_key_and_value(storage: SqlStorage, *, moving: bool) -> None:
    write(storage, created(PAYMENT, builders.a_payment("pay_0", reference="ch_3")))
    others = [builders.a_payment(f"pay_{n}") for n in range(1, 6)]
    clashing = [evolve(payment, reference=f"ch_{n}") for n, payment in enumerate(others, 1)]
    if moving:
        write(storage, *[created(PAYMENT, payment) for payment in others])
        later = [evolve(payment, version=2) for payment in clashing]
        changes = [changed(PAYMENT, *pair) for pair in zip(others, later, strict=True)]
    else:
        changes = [created(PAYMENT, payment) for payment in clashing]
    with pytest.raises(Duplicate) as caught:
        write(storage, *changes)
    assert (caught.value.key, caught.value.value) == ("payment.gateway+reference", "card ch_3")


def test_a_failed_unit_of_work_can_only_be_rolled_back(storage: SqlStorage) -> None:
    ada = builders.a_customer()
    write(storage, created(CUSTOMER, ada))
    work = storage.begin()
    with pytest.raises(Conflict):
        work.write([created(PRODUCT, builders.a_product()), created(CUSTOMER, ada)], [])
    for use in (
        lambda: work.write([], []),
        lambda: work.load(builders.TENANT, CUSTOMER, ["cus_ada"]),
        lambda: work.find(Query(CUSTOMER, builders.TENANT)),
        lambda: work.lock(builders.TENANT, ["series"]),
        lambda: work.connection,
        work.commit,
    ):
        with pytest.raises(StorageError, match="failed"):
            use()
    assert not work.is_open
    assert storage.load(builders.TENANT, PRODUCT, ["prod_pro"]) == {}


def test_what_no_column_can_hold_is_refused(storage: SqlStorage) -> None:
    with pytest.raises(ValidationError, match="at most 2"):
        write(storage, created(PAYMENT, builders.a_payment(amount_minor=2**63, allocations=())))
    with pytest.raises(ValidationError, match="UTF-8"):
        write(storage, created(COMMAND, builders.a_command(answer="half a character: \ud83d")))
