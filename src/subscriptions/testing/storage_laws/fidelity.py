"""Laws of fidelity: what comes back is equal to what was written, to the last digit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TypeVar
from zoneinfo import ZoneInfo

from attrs import evolve

from subscriptions.customers import CUSTOMER, Address
from subscriptions.decisions import Change, created
from subscriptions.events import EVENT, Recorded
from subscriptions.ids import CustomerId, InvoiceId
from subscriptions.invoices import INVOICE, InvoiceDrafted
from subscriptions.lifecycle import SUBSCRIPTION
from subscriptions.money import EUR, MINOR_LIMIT, Money
from subscriptions.payments import PAYMENT, Intended
from subscriptions.records import Kind, Metadata, Record
from subscriptions.serialization import dump
from subscriptions.storage import Query, Storage
from subscriptions.testing.builders import a_draft, a_payment, a_subscription, an_event, an_item
from subscriptions.testing.examples import examples
from subscriptions.testing.kits import Laws
from subscriptions.testing.storage_laws.steps import (
    TENANT,
    added,
    commit,
    customer,
    due_payment,
    edited,
    events_of,
    ids,
    loaded,
    rows,
    stored_customer,
    stored_payments,
    the_customer,
)

R = TypeVar("R", bound=Record)

INSTANTS = (
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(1901, 12, 13, 20, 45, 52, 1, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2027, 3, 28, 1, 0, 0, 1, tzinfo=UTC),
    datetime(2262, 4, 11, 23, 47, 16, 854_776, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
)
TEXTS = (
    "emoji 🧾👩🏽‍💻🇩🇪",
    "שלום עולם مرحبا",
    "𠮷野家 𝒜𝓭𝓪",  # noqa: RUF001 - letters of four bytes
    "combining e\u0301 and composed \u00e9",
    "\u200fmarks\u200e and zero\u200bwidth",
    "'; DROP TABLE customers; -- \" \\ %s :name {x} $1 ?",
    "tab\tand\nline\r\nbreaks",
    " spaces at both ends ",
    "null",
)
ZONES = ("UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+12", "Asia/Kathmandu")


class FidelityLaws(Laws, kit=True):
    """Records come back equal."""

    def test_amounts_of_63_bits_come_back_equal(self, storage: Storage) -> None:
        """Keep ±(2⁶³−1) minor units, in records and in events."""
        for place, minor in enumerate((MINOR_LIMIT, -MINOR_LIMIT, 2**53 + 1, -(2**53) - 1, 0)):
            invoice = a_draft(
                f"inv_{place}", tenant=TENANT, net_minor=minor, tax_minor=-minor, total_minor=minor
            )
            body = InvoiceDrafted(InvoiceId(invoice.id), CustomerId("c"), Money(minor, EUR))
            change = created(INVOICE, invoice, body)
            commit(storage, change)
            _comes_back(storage, INVOICE, invoice)
            _comes_back(storage, EVENT, events_of([change])[0])

    def test_decimals_come_back_to_the_last_digit(self, storage: Storage) -> None:
        """Keep quantities of 12 decimals and 18 digits before them, and their trailing zeros."""
        texts = ("0.000000000001", "999999999999999999.999999999999", "1.50", "1.5", "10", "1E+3")
        for place, text in enumerate(texts):
            items = (an_item(quantity=Decimal(text)), an_item(quantity=place + 1))
            subscription = a_subscription(f"sub_{place}", tenant=TENANT, items=items)
            commit(storage, created(SUBSCRIPTION, subscription))
            _comes_back(storage, SUBSCRIPTION, subscription)
            found = loaded(storage, SUBSCRIPTION, subscription.id)
            assert found is not None
            assert [type(item.quantity) for item in found.items] == [Decimal, int]

    def test_instants_come_back_to_the_microsecond(self, storage: Storage) -> None:
        """Keep instants from the year 1 to the end of the year 9999."""
        for place, at in enumerate(INSTANTS):
            payment = a_payment(
                f"pay_{place}", tenant=TENANT, state=Intended(at), intended_at=at, allocations=()
            )
            stored_payments(storage, payment)
            _comes_back(storage, PAYMENT, payment)

    def test_instants_are_ordered_in_time(self, storage: Storage) -> None:
        """Find by instants as numbers are found: before 1970 too, and to the microsecond."""
        order = [3, 6, 0, 5, 2, 4, 1]
        stored_payments(storage, *[due_payment(f"pay_{n}", INSTANTS[n]) for n in order])
        query = Query(PAYMENT, TENANT, order_by="due_at")
        assert ids(rows(storage, query)) == [f"pay_{n}" for n in range(len(order))]
        for n, at in enumerate(INSTANTS[1:], 1):
            before = evolve(query, until=("due_at", at - timedelta(microseconds=1)))
            assert ids(rows(storage, before)) == [f"pay_{m}" for m in range(n)]

    def test_an_instant_of_another_zone_is_the_same_instant(self, storage: Storage) -> None:
        """Compare instants in time, not as texts, in whichever zone they are written."""
        new_york, kiritimati = ZoneInfo("America/New_York"), ZoneInfo("Pacific/Kiritimati")
        noon = datetime(2027, 1, 31, 12, tzinfo=UTC)
        stored_payments(
            storage,
            due_payment("pay_1", noon.astimezone(kiritimati)),
            due_payment("pay_2", (noon + timedelta(seconds=1)).astimezone(new_york)),
        )
        found = loaded(storage, PAYMENT, "pay_1")
        assert found is not None
        assert found.due_at == noon
        for zone in (UTC, new_york, kiritimati):
            query = Query(PAYMENT, TENANT, until=("due_at", noon.astimezone(zone)))
            assert ids(rows(storage, query)) == ["pay_1"]
        where = Query(PAYMENT, TENANT, where={"due_at": [noon.astimezone(new_york)]})
        assert ids(rows(storage, where)) == ["pay_1"]

    def test_zone_names_come_back_equal(self, storage: Storage) -> None:
        """Keep the name, not an offset."""
        for place, zone in enumerate(ZONES):
            made = stored_customer(storage, f"cus_{place}", zone=zone)
            assert the_customer(storage, made.id).zone == zone

    def test_texts_come_back_unchanged(self, storage: Storage) -> None:
        """Normalise, trim and escape nothing, in documents, columns, ids and events."""
        for place, text in enumerate(TEXTS):
            made = stored_customer(
                storage,
                f"{place} {text}",
                name=text,
                external_id=text,
                address=Address(city=text),
                metadata=Metadata({text: text}),
            )
            _comes_back(storage, CUSTOMER, made)
            found = storage.find(Query(CUSTOMER, TENANT, where={"name": [text]}))
            assert list(found) == [made]
        assert [e.subject for e in storage.undelivered(TENANT, "laws", 20).events] == [
            f"{place} {text}" for place, text in enumerate(TEXTS)
        ]

    def test_metadata_keep_their_order(self, storage: Storage) -> None:
        """Return the host's keys in the order in which it gave them."""
        keys = [f"key {n * 7 % 20:02}" for n in range(20)]
        ada = stored_customer(storage, metadata=Metadata(dict.fromkeys(keys, "")))
        assert list(the_customer(storage).metadata) == keys
        commit(storage, edited(ada, metadata=Metadata(dict.fromkeys(reversed(keys), "1"))))
        assert list(the_customer(storage).metadata) == keys[::-1]

    def test_every_kind_and_state_comes_back_equal(self, storage: Storage) -> None:
        """Keep one record in every state of every kind, and one event of every type."""
        assert {example.record.tenant for example in examples()} == {TENANT}
        changes = [
            Change(example.kind, None, evolve(example.record, version=1))  # type: ignore[misc]
            for example in examples()
            if example.kind is not EVENT
        ]
        events = [each.record for each in examples() if isinstance(each.record, Recorded)]
        with storage.begin() as unit:
            unit.write(changes, events)
        for change in changes:
            _comes_back(storage, change.kind, change.after)
        for event in events:
            _comes_back(storage, EVENT, event)
        assert list(storage.undelivered(TENANT, "laws", len(events)).events) == events

    def test_what_was_loaded_never_changes_afterwards(self, storage: Storage) -> None:
        """Hand out values, never something that a later write reaches."""
        ada = stored_customer(storage)
        held = storage.load(TENANT, CUSTOMER, [ada.id])
        page = storage.find(Query(CUSTOMER, TENANT, count=True))
        delivery = storage.undelivered(TENANT, "laws", 10)
        commit(storage, edited(ada, name="Grace"), added(customer("cus_new")))
        assert dict(held) == {ada.id: ada}
        assert (page.items, page.total) == ((ada,), 1)
        assert delivery.events == tuple(events_of([added(ada)]))

    def test_a_unit_of_work_keeps_no_list_of_its_caller(self, storage: Storage) -> None:
        """Write what was in the lists when they were given."""
        changes = [added(customer("cus_ada"))]
        events = events_of(changes)
        with storage.begin() as unit:
            unit.write(changes, events)
            changes.clear()
            events.append(an_event(id="late", tenant=TENANT))
        the_customer(storage)
        assert len(storage.undelivered(TENANT, "laws", 10).events) == 1


def _comes_back(storage: Storage, kind: Kind[R], record: R) -> None:
    found = loaded(storage, kind, record.id)
    assert found == record
    # Equal is not enough: 1.50 == 1.5 and 1 == Decimal(1), but they print differently.
    assert found is not None
    assert dump(found) == dump(record)
