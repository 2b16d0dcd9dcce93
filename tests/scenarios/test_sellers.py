"""Several legal entities in one book: each has its documents, numbers, days and terms."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from attrs import evolve

from subscriptions import Billing, OneOff, Reset, Seller, Series, ValidationError
from subscriptions.decisions import Change
from subscriptions.invoice_numbering import Double, Gap
from subscriptions.invoices import INVOICE, ChainBreak, Invoice, content_hash
from subscriptions.reports.numbers import NumberFinding
from subscriptions.storage import Storage
from tests.scenarios.shop import MONTHLY, Shop, eur, open_shop

Opened = Callable[..., Shop]

LINE = [OneOff("Work", eur("10.00"))]
MAIN = Seller("Acme GmbH", id="de", zone="Europe/Berlin", iban="DE02120300000000202051")
OTHER = Seller(
    "Acme Inc.",
    id="us",
    zone="America/New_York",
    terms_days=30,
    iban="",
    invoice_numbers=Series("US-{counter:04}"),
)


@pytest.fixture
def two(open_a_shop: Opened) -> Shop:
    return open_a_shop(seller=MAIN, sellers=[OTHER])


def test_each_sells_under_its_own_name_numbers_and_terms(two: Shop) -> None:
    ada = two.customer(token=None)
    bob = two.billing.customers.create(name="Bob", seller="us")
    create = two.billing.invoices.create_one_off
    mine, theirs, again = create(ada.id, LINE), create(bob.id, LINE), create(bob.id, LINE)
    assert [each.number for each in (mine, theirs, again)] == [
        "INV-2027-00001",
        "US-0001",
        "US-0002",
    ]
    assert (mine.seller_id, theirs.seller_id) == ("de", "us")
    assert theirs.seller is not None
    assert theirs.seller.name == "Acme Inc."
    assert theirs.issued_on is not None
    assert theirs.due_on == theirs.issued_on + timedelta(days=30)
    assert [each.id for each in two.billing.invoices.list(number="US-0001")] == [theirs.id]


def test_two_sellers_may_give_the_same_number_and_one_never_does(open_a_shop: Opened) -> None:
    shop = open_a_shop(seller=MAIN, sellers=[Seller("Acme AG", id="ch", zone="Europe/Berlin")])
    ada = shop.customer()
    bob = shop.billing.customers.create(name="Bob", seller="ch")
    first = shop.billing.invoices.create_one_off(ada.id, LINE)
    second = shop.billing.invoices.create_one_off(bob.id, LINE)
    assert first.number == second.number == "INV-2027-00001"
    assert first.series != second.series
    found = shop.billing.invoices.list(number="INV-2027-00001")
    assert {each.id for each in found} == {first.id, second.id}


def test_numbers_are_dated_where_their_seller_is(open_a_shop: Opened) -> None:
    # In Berlin it is 2028 already, in New York it is the last evening of 2027.
    new_york = evolve(
        OTHER, invoice_numbers=Series("US-{year}-{counter}", reset=Reset.YEARLY), id="us"
    )
    shop = open_a_shop(seller=MAIN, sellers=[new_york], start=datetime(2028, 1, 1, 2, tzinfo=UTC))
    ada = shop.customer()
    bob = shop.billing.customers.create(name="Bob", seller="us")
    mine = shop.billing.invoices.create_one_off(ada.id, LINE)
    theirs = shop.billing.invoices.create_one_off(bob.id, LINE)
    assert (mine.number, mine.issued_on) == ("INV-2028-00001", date(2028, 1, 1))
    assert (theirs.number, theirs.issued_on) == ("US-2027-1", date(2027, 12, 31))


def test_a_subscription_is_billed_by_its_customers_seller_in_his_days(two: Shop) -> None:
    bob = two.billing.customers.create(name="Bob", seller="us")
    pro = two.price()
    subscription = two.subscribe(bob, pro, start=date(2027, 1, 31))
    assert subscription.zone == "America/New_York"
    two.time.advance(to=date(2027, 3, 31))
    assert [each.number for each in two.invoices(bob)] == ["US-0001", "US-0002"]
    assert {each.zone for each in two.invoices(bob)} == {"America/New_York"}


def test_an_unknown_seller_is_refused(two: Shop) -> None:
    with pytest.raises(ValidationError) as refused:
        two.billing.customers.create(name="Bob", seller="fr")
    assert (refused.value.field, refused.value.expected) == ("seller", "one of de, us")
    ada = two.customer()
    with pytest.raises(ValidationError):
        two.billing.customers.update(ada.id, seller="fr")
    assert two.billing.customers.get(ada.id).seller is None


def test_the_main_one_is_meant_by_its_name_too(two: Shop) -> None:
    assert two.billing.customers.create(name="Bob", seller="de").seller is None
    bob = two.billing.customers.create(name="Bob", seller="us")
    assert two.billing.customers.update(bob.id, seller="de").seller is None
    assert two.billing.customers.update(bob.id, seller="us").seller == "us"
    assert two.billing.customers.update(bob.id, seller="").seller is None


def test_two_sellers_with_one_id_are_refused() -> None:
    for sellers in ([MAIN], [OTHER, OTHER], OTHER, ["us"]):
        with pytest.raises(ValidationError) as refused:
            Billing(seller=MAIN, sellers=sellers)  # type: ignore[arg-type]  # that is the point
        assert refused.value.field == "sellers"


def test_a_customer_goes_over_to_another_seller_for_what_is_to_come(two: Shop) -> None:
    ada = two.customer()
    before = two.billing.invoices.create_one_off(ada.id, LINE)
    two.billing.customers.update(ada.id, seller="us")
    after = two.billing.invoices.create_one_off(ada.id, LINE)
    assert (before.seller_id, after.seller_id) == ("de", "us")
    assert two.billing.invoices.get(before.id) == before


def test_nothing_of_two_sellers_comes_on_one_document(two: Shop) -> None:
    ada = two.customer(token=None)
    update, invoices = two.billing.customers.update, two.billing.invoices
    draft = invoices.create_one_off(ada.id, LINE, finalize=False)
    with pytest.raises(ValidationError) as refused:
        update(ada.id, seller="us")
    assert draft.id in refused.value.expected
    invoices.void(draft.id, reason="not wanted")
    item = invoices.add_pending_item(ada.id, LINE[0])
    with pytest.raises(ValidationError, match="pending items"):
        update(ada.id, seller="us")
    invoices.remove_pending_item(item.id)
    subscription = two.subscribe(ada)
    two.time.advance()
    with pytest.raises(ValidationError, match=subscription.id):
        update(ada.id, seller="us")
    two.billing.subscriptions.cancel(subscription.id, when="now")
    assert update(ada.id, seller="us").seller == "us"


def test_a_credit_note_is_the_one_of_who_sold(two: Shop) -> None:
    bob = two.billing.customers.create(name="Bob", seller="us")
    sold = two.billing.invoices.create_one_off(bob.id, LINE)
    two.billing.customers.update(bob.id, seller="de")
    note = two.billing.credit_notes.create(sold.id, reason="a mistake")
    assert (note.seller_id, note.seller.name) == ("us", "Acme Inc.")
    assert note.series.startswith("us/credit_note/")


def test_a_draft_is_of_the_seller_who_makes_it_final(two: Shop) -> None:
    bob = two.billing.customers.create(name="Bob", seller="us")
    draft = two.billing.invoices.create_one_off(bob.id, LINE, finalize=False)
    assert (draft.series, draft.seller_id) == ("", "")
    final = two.billing.invoices.finalize(draft.id)
    assert (final.number, final.zone) == ("US-0001", "America/New_York")


# ---- a series for each customer -----------------------------------------------------------------


@pytest.fixture
def each(open_a_shop: Opened) -> Shop:
    numbers = Series("{customer}-{year}-{counter:03}", reset=Reset.YEARLY)
    notes = Series("{customer}-C{counter}")
    return open_a_shop(
        seller=Seller("Acme GmbH", invoice_numbers=numbers, credit_note_numbers=notes)
    )


def test_each_customer_has_numbers_of_his_own(each: Shop) -> None:
    ada, bob = each.customer(), each.customer(name="Bob")
    price = each.price()
    for customer in (ada, bob, bob):
        each.subscribe(customer, price)
    each.time.advance(to=date(2028, 1, 1))
    numbers = [invoice.number for invoice in each.invoices(ada)]
    assert numbers[:2] == ["000001-2027-001", "000001-2027-002"]
    assert numbers[-1] == "000001-2028-001"
    assert [invoice.number for invoice in each.invoices(bob)][:3] == [
        "000002-2027-001",
        "000002-2027-002",
        "000002-2027-003",
    ]
    note = each.billing.credit_notes.create(each.invoices(bob)[0].id, reason="a mistake")
    assert note.number == "000002-C1"
    assert each.billing.reports.numbers() == ()


def test_a_customer_whose_number_cannot_be_in_one_is_parked_alone(each: Shop) -> None:
    price = each.price()
    odd = each.billing.customers.create(name="Odd", number="{K}")
    for customer in (odd, each.customer()):
        each.subscribe(customer, price, start=date(2027, 1, 2))
    report = each.billing.run(until=date(2027, 1, 2))
    assert (report.invoices, len(report.parked)) == (1, 1)
    assert "customer" in report.parked[0].reason


# ---- the audit ----------------------------------------------------------------------------------


def tamper(shop: Shop, invoice: Invoice, **changes: object) -> None:
    """Write a change of an invoice past everything."""
    after = evolve(invoice, **changes, version=invoice.version + 1)  # type: ignore[arg-type]  # any
    with shop.storage.begin() as unit:
        unit.write([Change(INVOICE, invoice, after)], [])


@pytest.mark.parametrize(
    "changes",
    [{"series": "us/invoice/US-{counter:04}/x"}, {"seller_id": "us"}, {"number": "US-0009"}],
    ids=str,
)
def test_the_audit_finds_what_was_changed_in_any_series(
    storage: Storage, changes: dict[str, object]
) -> None:
    shop = open_shop(storage, seller=MAIN, sellers=[OTHER])
    ada = shop.customer()
    bob = shop.billing.customers.create(name="Bob", seller="us")
    for customer in (ada, bob, ada):
        shop.billing.invoices.create_one_off(customer.id, LINE)
    last = shop.billing.invoices.create_one_off(bob.id, LINE)
    assert shop.billing.reports.numbers() == ()
    first = shop.invoices(ada)[0]
    tamper(shop, first, **changes)
    found = shop.billing.invoices.verify()
    assert [each.finding for each in found] == ["its content was changed after it was sealed"]
    assert shop.billing.invoices.verify(first.id) == found
    assert shop.billing.invoices.verify(last.id) == ()


def test_the_audit_finds_a_gap_in_the_series_of_one_customer(each: Shop) -> None:
    ada = each.customer()
    made = [each.billing.invoices.create_one_off(ada.id, LINE) for _ in range(3)]
    moved = evolve(made[1], number="000001-2027-007")
    tamper(each, made[1], number=moved.number, hash=content_hash(moved))
    found = [finding.finding for finding in each.billing.reports.numbers()]
    assert {type(finding) for finding in found} >= {ChainBreak, Gap}
    # The fixture audits too: put it back.
    now = each.billing.invoices.get(made[1].id)
    tamper(each, now, number=made[1].number, hash=made[1].hash)


def test_the_range_of_customer_numbers_is_audited(storage: Storage) -> None:
    shop = open_shop(storage)
    shop.billing.customers.create(name="By hand", number="000007")
    shop.billing.customers.create(name="By hand", number="K-1")
    made = [shop.customer() for _ in range(3)]
    assert shop.billing.reports.numbers() == ()
    shop.billing.customers.update(made[1].id, number="K-2")
    assert shop.billing.reports.numbers() == (
        NumberFinding("seller/customer/{counter:06}", Gap(2, 2, "000003")),
    )


def test_later_edits_leave_documents_and_their_seals(two: Shop) -> None:
    ada = two.customer()
    two.subscribe(ada, two.price(every=MONTHLY))
    two.time.advance()
    before = two.invoices(ada)
    two.billing.customers.update(ada.id, name="Ada King", company="Lovelace Ltd", number="K-9")
    moved = Billing(
        storage=two.storage, seller=evolve(MAIN, name="Acme SE", iban="DE1"), sellers=[OTHER]
    )
    assert list(moved.invoices.list(customer=ada.id)) == before
    assert moved.invoices.verify() == ()
    assert all(content_hash(invoice) == invoice.hash for invoice in before)
    # The customer's number was changed by hand, which leaves a gap in the range.
    two.billing.customers.update(ada.id, number="000001")


def test_doubles_in_a_series_are_found(storage: Storage) -> None:
    shop = open_shop(storage, seller=MAIN, sellers=[OTHER])
    ada = shop.customer()
    first = shop.billing.invoices.create_one_off(ada.id, LINE)
    second = shop.billing.invoices.create_one_off(ada.id, LINE)
    # The same number is possible only under another seller's name, which the seal shows.
    tamper(shop, second, number=first.number, seller_id="us")
    kinds = {type(each.finding) for each in shop.billing.reports.numbers()}
    assert kinds == {ChainBreak, Double, Gap}
