"""Pages, common questions, the view of invoice lines, the outbox, and plain SQL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from attrs import evolve
from sqlalchemy import event

from subscriptions.customers import CUSTOMER
from subscriptions.decisions import Change, created
from subscriptions.errors import (
    ValidationError,
)
from subscriptions.events import KINDS
from subscriptions.invoices import INVOICE
from subscriptions.lifecycle import SUBSCRIPTION
from subscriptions.records import ColumnValue
from subscriptions.storage import Query, due
from subscriptions.storage.sql import SqlStorage
from subscriptions.storage.sql.tables import instant_text
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


# ---- questions --------------------------------------------------------------------------------


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("order_by", [None, "due_at", "customer", "external_id"])
def test_pages_are_complete_and_repeat_nothing_while_rows_are_inserted(
    storage: SqlStorage, order_by: str | None, *, descending: bool
) -> None:
    def subscription(n: int) -> Change:
        external_id = None if n % 3 else f"external-{n:03}"
        return created(
            SUBSCRIPTION,
            builders.a_subscription(
                f"sub_{n * 37 % 100:02}", customer=f"cus_{n % 4}", external_id=external_id
            ),
        )

    write(storage, *[subscription(n) for n in range(60)])
    query = Query(
        SUBSCRIPTION, builders.TENANT, order_by=order_by, descending=descending, limit=7, count=True
    )
    expected = [s.id for s in storage.find(evolve(query, limit=100))]
    seen: list[str] = []
    page = storage.find(query)
    inserted = 60
    while True:
        seen += [s.id for s in page]
        if page.next_cursor is None:
            break
        if inserted < 100:
            write(storage, *[subscription(n) for n in range(inserted, inserted + 4)])
            inserted += 4
        page = storage.find(evolve(query, after=page.next_cursor))
    assert page.total == inserted
    assert len(seen) == len(set(seen))
    assert [id for id in seen if id in expected] == expected


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "é",
        "W10",
        "WyJjdXN0b21lciIsICJuYW1lIiwgZmFsc2UsICJBIl0",
        "WyJjdXN0b21lciIsICJuYW1lIiwgZmFsc2UsIDEuNSwgMl0",
    ],
)
def test_a_cursor_of_another_query_is_refused(storage: SqlStorage, cursor: str) -> None:
    with pytest.raises(ValidationError, match="after"):
        storage.find(Query(CUSTOMER, builders.TENANT, order_by="name", after=cursor))


def test_days_are_asked_for_as_days(storage: SqlStorage) -> None:
    write(storage, created(INVOICE, builders.an_invoice()))
    query = Query(INVOICE, builders.TENANT, where={"issued_on": [builders.START]})
    assert [invoice.id for invoice in storage.find(query)] == ["inv_ada"]
    until = evolve(query, where={}, until=("issued_on", builders.START - timedelta(days=1)))
    assert storage.find(until).items == ()


def test_a_question_may_name_thousands_of_values(storage: SqlStorage) -> None:
    write(storage, *[created(CUSTOMER, builders.a_customer(f"cus_{n}")) for n in range(3)])
    numbers = [None, *[f"C-cus_{n}" for n in range(5000)]]
    query = Query(CUSTOMER, builders.TENANT, where={"number": numbers}, count=True)
    assert storage.find(query).total == 3
    assert storage.find(evolve(query, where={"number": []})).total == 0
    assert storage.find(evolve(query, where={"external_id": [None]})).total == 3


@pytest.mark.parametrize("value", [1, date(2027, 1, 31), b"x", True])
def test_a_value_of_another_type_is_refused(storage: SqlStorage, value: ColumnValue) -> None:
    with pytest.raises(ValidationError, match="name"):
        storage.find(Query(CUSTOMER, builders.TENANT, where={"name": [value]}))
    with pytest.raises(ValidationError, match="due_at"):
        storage.find(Query(SUBSCRIPTION, builders.TENANT, until=("due_at", value)))


@pytest.mark.parametrize(
    "query",
    [
        due(SUBSCRIPTION, "acme", now=builders.AT, limit=10),
        Query(INVOICE, "acme", order_by="issued_on", descending=True),
        Query(INVOICE, "acme", where={"customer": ["cus_ada"]}, order_by="issued_on"),
        Query(INVOICE, "acme", where={"customer": ["cus_ada"], "status": ["open"]}),
        Query(INVOICE, "acme"),
    ],
    ids=["due", "newest first", "of one customer", "owed by one customer", "all"],
)
def test_common_questions_are_answered_from_an_index(engine: sa.Engine, query: Query[Any]) -> None:
    storage = SqlStorage(engine, migrate=True)
    asked: list[tuple[str, Any]] = []
    event.listen(engine, "before_cursor_execute", lambda *args: asked.append(args[2:4]))
    storage.find(query)
    with engine.connect() as connection:
        text, values = asked[-1]
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values).all()
    narrow = "customer=?" if query.where else f"{query.order_by or 'position'}"
    assert narrow in plan[0][3]
    assert query.where or len(plan) == 1, "no sorting"


def test_instants_sort_as_texts() -> None:
    east = timezone(timedelta(hours=14))
    instants = [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2027, 1, 1, 13, 59, tzinfo=east),
        datetime(2027, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    ]
    texts = [instant_text(instant) for instant in instants]
    assert texts == sorted(texts)
    assert {len(text) for text in texts} == {27}
    assert texts[3] == "2026-12-31T23:59:00.000000Z"
    with pytest.raises(ValidationError):
        instant_text(datetime(2027, 1, 1))  # noqa: DTZ001 - that is the point


def test_the_view_has_one_row_for_each_line_of_an_invoice(engine: sa.Engine) -> None:
    storage = SqlStorage(engine, migrate=True)
    (line,) = builders.an_invoice().lines
    more = evolve(line, description="Traffic", quantity=Decimal("1.5"), period=None, net_minor=-7)
    write(storage, created(INVOICE, builders.an_invoice(lines=(line, more))))
    write(storage, created(INVOICE, builders.a_draft("inv_draft")))
    with engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT * FROM subs_invoice_lines ORDER BY 1, 2, 7"))
        first, second, draft = rows.mappings().all()
    assert dict(first) == {
        "tenant": "acme",
        "invoice": "inv_ada",
        "number": "INV-inv_ada",
        "customer": "cus_ada",
        "status": "open",
        "issued_on": "2027-01-31",
        "line": 1,
        "description": "Pro",
        "quantity": 1,
        "net_minor": 2900,
        "currency": "EUR",
        "tax_percent": "19",
        "price": "price_pro",
        "period_start": "2027-01-31",
        "period_end": "2027-02-28",
    }
    assert (second["line"], second["quantity"], second["period_end"]) == (2, "1.5", None)
    assert (second["net_minor"], draft["number"]) == (-7, None)


def test_the_questions_of_the_reference_have_answers(engine: sa.Engine) -> None:
    storage = SqlStorage(engine, migrate=True)
    with storage.begin() as work:
        new = [
            created(CUSTOMER, builders.a_customer()),
            created(INVOICE, builders.an_invoice(number="INV-2027-00001")),
        ]
        work.write(new, [builders.an_event()])
    page = Path(__file__).parents[2] / "docs" / "reference" / "tables.md"
    questions = re.findall(r"```sql\n(.+?)```", page.read_text("utf-8"), re.DOTALL)
    with engine.connect() as connection:
        answers = [tuple(connection.execute(sa.text(text)).one()) for text in questions]
    assert answers[:3] == [
        ("Ada Lovelace", "EUR", 3451, "2027-02-14"),
        ("2027-01", "EUR", 1, 2900, 551),
        (1, "Pro", 1, 2900, "19", "2027-01-31", "2027-02-28"),
    ]
    assert answers[3][:3] == ("2027-01-31T09:30:00.000000Z", "customer.created", "cus_ada")
    assert answers[4:] == [("cus_ada", "London")]


def test_the_reference_names_every_column() -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "tables.md"
    rows = re.findall(r"^\| `(subs_\w+)` \| (.*?) \|", page.read_text("utf-8"), re.MULTILINE)
    assert {name: tuple(re.findall(r"`(\w+)`", columns)) for name, columns in rows} == {
        f"subs_{kind.name}": tuple(column.name for column in kind.columns) for kind in KINDS
    }


# ---- the outbox -------------------------------------------------------------------------------


@pytest.mark.parametrize("position", ["", "x", "-1", "1.5", "²", "1", "999"])
def test_a_position_that_was_never_delivered_is_refused(storage: SqlStorage, position: str) -> None:
    with pytest.raises(ValidationError, match="position"):
        storage.acknowledge(builders.TENANT, "mails", position)


def test_positions_of_events_never_return(storage: SqlStorage, engine: sa.Engine) -> None:
    def happens(n: int) -> str:
        with storage.begin() as work:
            work.write([], [builders.an_event(id=f"cus_ada:{n}")])
        return storage.undelivered(builders.TENANT, "mails", 10).position

    first = happens(1)
    storage.acknowledge(builders.TENANT, "mails", first)
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM subs_event")
    assert happens(2) > first
