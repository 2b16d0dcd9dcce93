"""The audit of numbers finds what was planted, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

import pytest
from attrs import evolve

from subscriptions import Billing, Interval, MemoryStorage, Money, Reset, Seller, Series
from subscriptions.decisions import Change
from subscriptions.ids import InvoiceId
from subscriptions.invoice_numbering import Ahead, Double, Foreign, Gap
from subscriptions.invoices import INVOICE, ChainBreak, Invoice, content_hash
from subscriptions.number_series import NUMBER_SERIES, NumberSeries
from subscriptions.reports.numbers import Link, NumberFinding, findings, link
from subscriptions.storage import Query

NOW = datetime(2027, 1, 1, tzinfo=UTC)
SELLER = Seller()


@pytest.fixture(scope="module")
def storage() -> MemoryStorage:
    storage = MemoryStorage()
    billing = Billing(storage=storage, clock=lambda: NOW)
    pro = billing.catalog.add_price("Pro", Money.of("29.00", "EUR"), every=Interval.weeks(1))
    for name in ("Ada", "Grace"):
        customer = billing.customers.create(name=name)
        billing.subscriptions.create(customer.id, [pro.id], start=date(2027, 1, 1))
    billing.run(until=date(2027, 1, 28))
    return storage


@pytest.fixture
def sound(storage: MemoryStorage) -> list[Invoice]:
    return list(storage.find(Query(INVOICE, "default")).items)


@pytest.fixture
def series(storage: MemoryStorage) -> list[NumberSeries]:
    found = storage.find(Query(NUMBER_SERIES, "default")).items
    return [each for each in found if each.last_hash]


def audited(invoices: Sequence[Invoice], series: Sequence[NumberSeries]) -> list[object]:
    links = [each for each in map(link, invoices) if each is not None]
    found = findings(links, series, openings={SELLER.invoice_series: SELLER.invoice_numbers})
    assert all(isinstance(each, NumberFinding) for each in found)
    return [each.finding for each in found]


def test_sound_books_have_no_findings_in_whatever_order_they_are_read(
    sound: list[Invoice], series: list[NumberSeries]
) -> None:
    assert len(sound) == 8
    assert audited(sound, series) == []
    assert audited(sound[::-1], series) == []


def test_drafts_are_no_documents(sound: list[Invoice], series: list[NumberSeries]) -> None:
    draft = evolve(sound[0], number=None, finalized_at=None, issued_on=None)
    assert audited([*sound, draft], series) == []


def test_a_missing_document_is_a_gap_and_a_broken_chain(
    sound: list[Invoice], series: list[NumberSeries]
) -> None:
    assert audited(sound[:3] + sound[4:], series) == [
        ChainBreak("INV-2027-00005", "the document before it is missing or was changed"),
        Gap(4, 4, "INV-2027-00005"),
    ]


def test_a_missing_last_document_is_a_gap_at_the_end(
    sound: list[Invoice], series: list[NumberSeries]
) -> None:
    found = audited(sound[:-1], series)
    assert isinstance(found[0], ChainBreak)
    assert found[0].number == "INV-2027-00007"
    assert found[1] == Gap(8, 8, None)


def test_a_changed_amount_is_found(sound: list[Invoice], series: list[NumberSeries]) -> None:
    sound[2] = evolve(sound[2], total_minor=1)
    assert audited(sound, series) == [
        ChainBreak("INV-2027-00003", "its content was changed after it was sealed")
    ]


def test_a_change_that_is_sealed_again_breaks_the_chain_after_it(
    sound: list[Invoice], series: list[NumberSeries]
) -> None:
    forged = evolve(sound[2], total_minor=1)
    sound[2] = evolve(forged, hash=content_hash(forged))
    found = audited(sound, series)
    assert ChainBreak("INV-2027-00004", "the document before it is missing or was changed") in found


def test_a_document_that_was_appended_is_found(
    sound: list[Invoice], series: list[NumberSeries]
) -> None:
    last = sound[-1]
    forged = evolve(last, id=InvoiceId("inv_x"), number="INV-2027-00009", previous_hash=last.hash)
    found = audited([*sound, evolve(forged, hash=content_hash(forged))], series)
    assert Ahead("INV-2027-00009", 8) in found
    assert any(isinstance(each, ChainBreak) for each in found)


def test_a_number_that_was_given_twice_is_found(
    sound: list[Invoice], series: list[NumberSeries]
) -> None:
    twin = evolve(sound[4], id=InvoiceId("inv_x"), number="INV-2027-00004")
    found = audited([*sound[:4], evolve(twin, hash=content_hash(twin)), *sound[4:]], series)
    assert any(isinstance(each, Double) for each in found)


def test_a_number_of_no_series_is_found(sound: list[Invoice], series: list[NumberSeries]) -> None:
    alien = evolve(sound[0], id=InvoiceId("inv_x"), number="R-1", series="", seller_id="")
    found = audited([*sound, evolve(alien, hash=content_hash(alien))], series)
    assert found == [Foreign("R-1", 0)]


def test_a_number_that_its_series_cannot_have_made_is_found(
    sound: list[Invoice], series: list[NumberSeries]
) -> None:
    alien = evolve(sound[0], id=InvoiceId("inv_x"), number="R-1")
    found = audited([*sound, evolve(alien, hash=content_hash(alien))], series)
    assert Foreign("R-1", 8) in found
    assert any(isinstance(each, ChainBreak) and each.number == "R-1" for each in found)


def test_a_series_that_went_on_from_elsewhere_has_no_gap_before_its_beginning() -> None:
    numbers = Series("RE-{counter}", last_counter=1233, last_on=date(2026, 12, 31))
    billing = Billing(seller=Seller(invoice_numbers=numbers), clock=lambda: NOW)
    pro = billing.catalog.add_price("Pro", Money.of("29.00", "EUR"), every=Interval.months(1))
    ada = billing.customers.create(name="Ada")
    billing.payment_methods.attach(ada.id, token="tok_visa")
    billing.subscriptions.create(ada.id, [pro.id], start=date(2027, 1, 1))
    billing.run(until=date(2027, 3, 1))
    assert [each.number for each in billing.invoices.list()] == ["RE-1234", "RE-1235", "RE-1236"]
    assert billing.reports.numbers() == ()


def test_a_seller_may_change_his_pattern() -> None:
    storage = MemoryStorage()

    def billing_of(pattern: str) -> Billing:
        seller = Seller(invoice_numbers=Series(pattern, reset=Reset.YEARLY))
        return Billing(storage=storage, seller=seller, clock=lambda: NOW)

    billing = billing_of("A-{year}-{counter}")
    pro = billing.catalog.add_price("Pro", Money.of("29.00", "EUR"), every=Interval.months(1))
    ada = billing.customers.create(name="Ada")
    billing.payment_methods.attach(ada.id, token="tok_visa")
    billing.subscriptions.create(ada.id, [pro.id], start=date(2027, 1, 1))
    billing.run(until=date(2027, 2, 1))
    billing = billing_of("B-{year}-{counter}")
    billing.run(until=date(2027, 4, 1))
    assert billing.reports.numbers() == ()
    assert billing.invoices.verify() == ()
    assert [each.number for each in billing.invoices.list()] == [
        "A-2027-1",
        "A-2027-2",
        "B-2027-1",
        "B-2027-2",
    ]


def test_an_audit_reads_all_pages_and_may_stand_in_a_transaction(
    storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subscriptions.engine.reporting.PAGE", 3)
    billing = Billing(storage=storage, clock=lambda: NOW)
    assert billing.reports.numbers() == ()
    with billing.transaction():
        assert billing.reports.numbers() == ()


def test_a_planted_change_in_a_storage_is_found() -> None:
    storage = MemoryStorage()
    billing = Billing(storage=storage, clock=lambda: NOW)
    ada = billing.customers.create(name="Ada")
    pro = billing.catalog.add_price("Pro", Money.of("29.00", "EUR"), every=Interval.months(1))
    billing.subscriptions.create(ada.id, [pro.id], start=date(2027, 1, 1))
    (invoice,) = billing.invoices.list()
    forged = evolve(invoice, net_minor=1, version=invoice.version + 1)
    with storage.begin() as unit:
        unit.write([Change(INVOICE, invoice, forged)], [])
    expected = ChainBreak("INV-2027-00001", "its content was changed after it was sealed")
    assert billing.invoices.verify() == (expected,)
    assert [each.finding for each in billing.reports.numbers()] == [expected]


def test_a_link_is_small() -> None:
    assert not hasattr(Link("1", "", "", NOW, NOW.date(), None), "__dict__")
