"""Laws of queries: which rows match, in which order, page by page, and whose they are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from random import Random

import pytest
from attrs import evolve

from subscriptions.customers import CUSTOMER, Customer
from subscriptions.decisions import changed, created
from subscriptions.errors import ValidationError
from subscriptions.events import KINDS
from subscriptions.invoices import INVOICE
from subscriptions.payments import PAYMENT
from subscriptions.storage import PAGE_LIMIT_MAX, Query, Storage, due
from subscriptions.testing.builders import an_invoice
from subscriptions.testing.kits import Laws
from subscriptions.testing.storage_laws.steps import (
    AT,
    OTHER,
    TENANT,
    added,
    commit,
    customer,
    due_payment,
    edited,
    ids,
    pages,
    rows,
    stored_customer,
    stored_payments,
)

MICROSECOND = timedelta(microseconds=1)
MANY = 2_000
MANY_IDS = 70_000


class QueryLaws(Laws, kit=True):
    """A query returns what matches, all of it, once, in order, and of one tenant."""

    def test_load_returns_what_exists_and_nothing_else(self, storage: Storage) -> None:
        """Leave out unknown ids; an id asked for twice is one record."""
        ada = stored_customer(storage)
        assert dict(storage.load(TENANT, CUSTOMER, [])) == {}
        assert dict(storage.load(TENANT, CUSTOMER, ["nobody"])) == {}
        assert dict(storage.load(TENANT, CUSTOMER, [ada.id, "nobody", ada.id])) == {ada.id: ada}
        assert dict(storage.load(TENANT, PAYMENT, [ada.id])) == {}
        assert dict(storage.load(OTHER, CUSTOMER, [ada.id])) == {}

    def test_load_takes_however_many_ids(self, storage: Storage) -> None:
        """Know no limit of how many values a statement may have."""
        stored_customer(storage, "cus_1")
        stored_customer(storage, f"cus_{MANY_IDS - 1}")
        asked = [f"cus_{n}" for n in range(MANY_IDS)]
        assert set(storage.load(TENANT, CUSTOMER, asked)) == {"cus_1", f"cus_{MANY_IDS - 1}"}

    def test_where_takes_several_values(self, storage: Storage) -> None:
        """Match rows with one of the values."""
        for name in ("Ada", "Grace", "Barbara"):
            stored_customer(storage, name, name=name)
        found = rows(storage, Query(CUSTOMER, TENANT, where={"name": ["Ada", "Barbara", "Nobody"]}))
        assert ids(found) == ["Ada", "Barbara"]
        assert not rows(storage, Query(CUSTOMER, TENANT, where={"name": ["ada"]}))

    def test_where_without_values_matches_nothing(self, storage: Storage) -> None:
        """Match no row if there is no value that could match."""
        stored_customer(storage)
        found = storage.find(Query(CUSTOMER, TENANT, where={"name": []}, count=True))
        assert (found.items, found.total) == ((), 0)

    def test_where_none_matches_rows_without_a_value(self, storage: Storage) -> None:
        """Match None like any other value."""
        stored_customer(storage, "cus_with", external_id="crm-1")
        stored_customer(storage, "cus_without")
        only_none = Query(CUSTOMER, TENANT, where={"external_id": [None]})
        assert ids(rows(storage, only_none)) == ["cus_without"]
        both = Query(CUSTOMER, TENANT, where={"external_id": [None, "crm-1"]})
        assert ids(rows(storage, both)) == ["cus_with", "cus_without"]

    def test_all_conditions_hold_at_once(self, storage: Storage) -> None:
        """Match rows for which each column has one of its values."""
        stored_customer(storage, "cus_1", name="Ada", email="ada@example.com")
        stored_customer(storage, "cus_2", name="Ada", email="lovelace@example.com")
        stored_customer(storage, "cus_3", name="Grace", email="ada@example.com")
        query = Query(CUSTOMER, TENANT, where={"name": ["Ada"], "email": ["ada@example.com"]})
        assert ids(rows(storage, query)) == ["cus_1"]

    def test_a_row_is_found_by_what_it_holds_now(self, storage: Storage) -> None:
        """Move a row with its columns."""
        ada = stored_customer(storage, name="Ada")
        commit(storage, edited(ada, name="Grace"))
        assert not rows(storage, Query(CUSTOMER, TENANT, where={"name": ["Ada"]}))
        assert ids(rows(storage, Query(CUSTOMER, TENANT, where={"name": ["Grace"]}))) == [ada.id]

    def test_what_is_due_at_exactly_now_is_due_once(self, storage: Storage) -> None:
        """Include the instant itself, and not the microsecond after it."""
        stored_payments(
            storage,
            due_payment("before", AT - MICROSECOND),
            due_payment("now", AT),
            due_payment("after", AT + MICROSECOND),
        )
        found = storage.find(due(PAYMENT, TENANT, now=AT, limit=10))
        assert ids(found.items) == ["before", "now"]
        counted = Query(PAYMENT, TENANT, until=("due_at", AT), count=True)
        assert storage.find(counted).total == 2  # noqa: PLR2004 - both

    def test_a_row_without_an_instant_is_never_due(self, storage: Storage) -> None:
        """Match no row without a value, however late it is."""
        stored_payments(storage, due_payment("done", None), due_payment("open", AT))
        found = storage.find(due(PAYMENT, TENANT, now=AT + timedelta(days=36500), limit=10))
        assert ids(found.items) == ["open"]

    def test_the_longest_due_comes_first_and_ties_go_by_id(self, storage: Storage) -> None:
        """Order by instant, then by id, whatever was written first."""
        later = AT - MICROSECOND
        stored_payments(
            storage,
            due_payment("c", later),
            due_payment("a", later),
            due_payment("z", AT - timedelta(days=400)),
            due_payment("b", later),
        )
        assert ids(storage.find(due(PAYMENT, TENANT, now=AT, limit=10)).items) == list("zabc")
        first, second = storage.find(due(PAYMENT, TENANT, now=AT, limit=2)).items
        assert [first.id, second.id] == ["z", "a"]
        assert ids(rows(storage, due(PAYMENT, TENANT, now=AT, limit=1))) == list("zabc")

    def test_what_is_due_is_found_in_a_unit_of_work_as_it_left_it(self, storage: Storage) -> None:
        """Find rows that became due in it, and not those that are done."""
        stored_payments(storage, due_payment("old", AT))
        with storage.begin() as unit:
            unit.write([created(PAYMENT, due_payment("new", AT))], [])
            query = due(PAYMENT, TENANT, now=AT, limit=10)
            assert ids(unit.find(query).items) == ["new", "old"]
            old = unit.load(TENANT, PAYMENT, ["old"])["old"]
            done = evolve(due_payment("old", None), version=2, reference=old.reference)
            unit.write([changed(PAYMENT, old, done)], [])
            assert ids(unit.find(query).items) == ["new"]
        assert ids(storage.find(query).items) == ["new"]

    def test_days_are_compared_as_days(self, storage: Storage) -> None:
        """Find and order by a column of days."""
        dated = {"inv_2": date(2027, 2, 28), "inv_1": date(2026, 12, 31), "inv_3": None}
        made = [an_invoice(id, tenant=TENANT, issued_on=on) for id, on in dated.items()]
        commit(storage, *[created(INVOICE, invoice) for invoice in made])
        until = Query(INVOICE, TENANT, until=("issued_on", date(2027, 2, 28)), order_by="issued_on")
        assert ids(rows(storage, until)) == ["inv_1", "inv_2"]
        earlier = evolve(until, until=("issued_on", date(2027, 2, 27)))
        assert ids(rows(storage, earlier)) == ["inv_1"]
        on = Query(INVOICE, TENANT, where={"issued_on": [date(2027, 2, 28), None]})
        assert ids(rows(storage, on)) == ["inv_2", "inv_3"]

    def test_without_an_order_rows_come_as_they_were_first_written(self, storage: Storage) -> None:
        """Keep the order of writing, also when rows change later and in a unit of work."""
        commit(storage, added(customer("b")), added(customer("a")))
        last = stored_customer(storage, "0")
        query = Query(CUSTOMER, TENANT)
        commit(storage, edited(storage.load(TENANT, CUSTOMER, ["b"])["b"], name="changed"))
        assert ids(rows(storage, query)) == ["b", "a", "0"]
        assert ids(rows(storage, evolve(query, limit=1))) == ["b", "a", "0"]
        assert ids(rows(storage, evolve(query, descending=True))) == ["0", "a", "b"]
        with storage.begin() as unit:
            unit.write([edited(last, name="changed"), added(customer("x"))], [])
            unit.write([added(customer("d"))], [])
            assert ids(unit.find(query).items) == ["b", "a", "0", "x", "d"]

    def test_descending_is_ascending_read_backwards(self, storage: Storage) -> None:
        """Turn the whole order round, ties and rows without a value included."""
        for n, external_id in enumerate(["m", None, "a", None, "z"]):
            stored_customer(storage, f"cus_{n}", name="same", external_id=external_id)
        for query in (
            Query(CUSTOMER, TENANT),
            Query(CUSTOMER, TENANT, order_by="external_id"),
            Query(CUSTOMER, TENANT, order_by="name"),
        ):
            up = ids(rows(storage, query))
            assert ids(rows(storage, evolve(query, descending=True))) == up[::-1]
            assert ids(rows(storage, evolve(query, descending=True, limit=2))) == up[::-1]

    def test_texts_are_ordered_by_their_characters(self, storage: Storage) -> None:
        """Order by code point, as every other adapter does, not by the rules of a language."""
        names = ["a", "B", "b", "Z", "ä", "10", "9", "\uffef", "𠮷"]
        for n, name in enumerate(names):
            stored_customer(storage, f"cus_{n}", name=name)
        found = rows(storage, Query(CUSTOMER, TENANT, order_by="name", limit=2))
        assert [each.name for each in found] == sorted(names)

    def test_pages_are_complete_and_without_doubles(self, storage: Storage) -> None:
        """Cut a listing into pages of every size: it stays the same listing."""
        random = Random(1)  # noqa: S311 - it chooses examples
        for n in range(23):
            name, external_id = random.choice("abc"), random.choice([None, f"x{n}"])
            stored_customer(storage, f"cus_{n:02}", name=name, external_id=external_id)
        for query in (
            Query(CUSTOMER, TENANT),
            Query(CUSTOMER, TENANT, order_by="name"),
            Query(CUSTOMER, TENANT, order_by="external_id"),
            Query(CUSTOMER, TENANT, order_by="external_id", descending=True),
            Query(CUSTOMER, TENANT, where={"name": ["a", "b"]}, order_by="name", descending=True),
        ):
            whole = ids(storage.find(query).items)
            for limit in (1, 2, 7, 22, 23, 24):
                assert ids(rows(storage, evolve(query, limit=limit))) == whole

    def test_pages_lose_nothing_while_rows_are_inserted(self, storage: Storage) -> None:
        """Return every row that was there at the beginning, once, whatever comes in between."""
        for n in range(20):
            stored_customer(storage, f"old_{n:02}", name=f"{n:02}")
        for place, query in enumerate(
            (
                Query(CUSTOMER, TENANT, order_by="name", limit=3),
                Query(CUSTOMER, TENANT, order_by="name", limit=3, descending=True),
                Query(CUSTOMER, TENANT, limit=3),
            )
        ):
            seen: list[str] = []
            for turn, page in enumerate(pages(storage, query)):
                seen += ids(page)
                if turn < 20:  # noqa: PLR2004 - or it would never end
                    for where, name in enumerate(("00", f"{turn * 2:02}", "19")):
                        stored_customer(storage, f"new {place} {turn} {where}", name=name)
            assert len(seen) == len(set(seen))
            assert sorted(id for id in seen if id.startswith("old")) == [
                f"old_{n:02}" for n in range(20)
            ]

    def test_the_last_page_has_no_cursor(self, storage: Storage) -> None:
        """Say that there is more only if there is more, also when a page is just full."""
        for n in range(4):
            stored_customer(storage, f"cus_{n}")
        query = Query(CUSTOMER, TENANT, order_by="name")
        for limit, sizes in ((2, [2, 2]), (3, [3, 1]), (4, [4]), (PAGE_LIMIT_MAX, [4])):
            got = [len(page) for page in pages(storage, evolve(query, limit=limit))]
            assert got == sizes
        assert list(pages(storage, Query(CUSTOMER, OTHER))) == [()]

    def test_the_total_counts_what_matches_on_every_page(self, storage: Storage) -> None:
        """Count all that matches, whatever the page shows, and only when asked."""
        for n in range(5):
            stored_customer(storage, f"cus_{n}", name="Ada" if n else "Grace")
        query = Query(CUSTOMER, TENANT, where={"name": ["Ada"]}, limit=3, count=True)
        first = storage.find(query)
        assert (len(first.items), first.total) == (3, 4)
        second = storage.find(evolve(query, after=first.next_cursor))
        assert (len(second.items), second.total) == (1, 4)
        assert storage.find(evolve(query, count=False)).total is None

    def test_a_column_that_is_not_declared_as_indexed_is_refused(self, storage: Storage) -> None:
        """Refuse to search, to order and to limit by anything else."""
        asked: tuple[Callable[[], Query[Customer]], ...] = (
            lambda: Query(CUSTOMER, TENANT, where={"country": ["DE"]}),
            lambda: Query(CUSTOMER, TENANT, where={"name; --": [""]}),
            lambda: Query(CUSTOMER, TENANT, order_by="tax_id"),
            lambda: Query(CUSTOMER, TENANT, until=("country", "DE")),
        )
        for ask in asked:
            with pytest.raises(ValidationError):
                storage.find(ask())

    def test_every_declared_column_can_be_asked_for(self, storage: Storage) -> None:
        """Search, limit and order by every indexed column of every kind."""
        for kind in KINDS:
            for column in kind.columns:
                if column.indexed:
                    query = Query(kind, TENANT, where={column.name: [None]}, order_by=column.name)
                    assert storage.find(query).items == ()

    def test_a_cursor_that_is_none_is_refused(self, storage: Storage) -> None:
        """Refuse what a stranger may put into a link, and do not guess."""
        stored_customer(storage)
        for cursor in ("", "no cursor", "W10", "bnVsbA==", "e30=", "W3t9XQ==", "\U0001f9fe", "-1"):
            with pytest.raises(ValidationError):
                storage.find(Query(CUSTOMER, TENANT, order_by="name", after=cursor))

    def test_no_query_shows_the_rows_of_another_tenant(self, storage: Storage) -> None:
        """Mix two tenants with equal ids, names and instants at random, and tell them apart."""
        random = Random(2)  # noqa: S311 - it chooses examples
        model: dict[str, dict[str, str]] = {TENANT: {}, OTHER: {}}
        for n in range(60):
            tenant, name = random.choice([TENANT, OTHER]), random.choice(["Ada", "Grace"])
            id = f"cus_{random.randrange(40):02}"
            if id in model[tenant]:
                continue
            model[tenant][id] = name
            at = AT + timedelta(days=random.randrange(-3, 3))
            commit(
                storage,
                added(customer(id, tenant=tenant, name=name, external_id=f"crm-{id}")),
                created(PAYMENT, due_payment(f"pay_{n}", at, tenant=tenant)),
            )
        for tenant, expected in model.items():
            for name in ("Ada", "Grace"):
                query = Query(CUSTOMER, tenant, where={"name": [name]}, limit=4, count=True)
                found = rows(storage, query)
                assert {each.tenant for each in found} <= {tenant}
                assert set(ids(found)) == {id for id, has in expected.items() if has == name}
                assert storage.find(query).total == len(found)
            everybody = storage.load(tenant, CUSTOMER, [f"cus_{n:02}" for n in range(40)])
            assert {id: each.name for id, each in everybody.items()} == expected
            assert {each.tenant for each in everybody.values()} == {tenant}
            late = storage.find(due(PAYMENT, tenant, now=AT, limit=100))
            assert {each.tenant for each in late} == {tenant}
            delivered = storage.undelivered(tenant, "laws", 100).events
            assert [e.tenant for e in delivered] == [tenant] * len(expected)

    def test_2000_rows_are_written_at_once_and_listed(self, storage: Storage) -> None:
        """Write in bulk, load in bulk, and list page by page."""
        commit(storage, *[added(customer(f"cus_{n:04}", name=f"{n % 7}")) for n in range(MANY)])
        expected = [f"cus_{n:04}" for n in range(MANY)]
        assert ids(rows(storage, Query(CUSTOMER, TENANT, limit=300))) == expected
        by_name = ids(rows(storage, Query(CUSTOMER, TENANT, order_by="name", limit=300)))
        assert by_name == sorted(expected, key=lambda id: (int(id[4:]) % 7, id))
        assert len(storage.load(TENANT, CUSTOMER, expected)) == MANY
        assert len(storage.undelivered(TENANT, "laws", MANY + 1).events) == MANY
