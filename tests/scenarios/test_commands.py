"""Commands that come twice, together, or from several tenants; and who hears of them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from subscriptions import (
    Duplicate,
    InvalidTransition,
    NotFound,
    OneOff,
    StorageError,
    UnknownReference,
    ValidationError,
)
from subscriptions.errors import IdempotencyMismatch
from subscriptions.events import Recorded
from subscriptions.invoices import InvoiceFinalized, InvoicePaid
from subscriptions.storage import Storage
from subscriptions.testing import Timeline
from tests.scenarios.shop import MONTHLY, Shop, audit, eur, open_shop

Opened = Callable[..., Shop]

# ---- idempotency keys -----------------------------------------------------------------------


def test_a_command_replayed_by_its_key_returns_the_record_and_changes_nothing(shop: Shop) -> None:
    ada, pro = shop.customer(), shop.price()
    create = shop.billing.subscriptions.create
    first = create(ada.id, [pro.id], idempotency_key="sign-up-1")
    before = shop.events()
    again = create(ada.id, [pro.id], idempotency_key="sign-up-1")
    assert again == first
    assert shop.events() == before
    assert len(shop.gateway.charges) == 1


def test_a_replay_long_after_returns_the_record_as_it_is_now(shop: Shop) -> None:
    ada, pro = shop.customer(), shop.price()
    create = shop.billing.subscriptions.create
    sub = create(ada.id, [pro.id], idempotency_key="sign-up-1")
    shop.time.advance(months=2)
    shop.billing.subscriptions.cancel(sub.id, when="now")
    again = create(ada.id, [pro.id], idempotency_key="sign-up-1")
    assert (again.id, again.status) == (sub.id, "canceled")


def test_a_key_with_another_request_is_refused(shop: Shop) -> None:
    ada, pro = shop.customer(), shop.price()
    shop.billing.subscriptions.create(ada.id, [pro.id], idempotency_key="k")
    before = shop.events()
    with pytest.raises(IdempotencyMismatch) as refused:
        shop.billing.subscriptions.create(ada.id, [(pro.id, 2)], idempotency_key="k")
    assert refused.value.key == "k"
    with pytest.raises(IdempotencyMismatch):
        shop.billing.customers.create(name="Bob", idempotency_key="k")
    assert shop.events() == before


def test_the_time_of_a_command_is_no_part_of_the_request(shop: Shop) -> None:
    create = shop.billing.customers.create
    first = create(name="Ada", idempotency_key="k", at=shop.time.now)
    shop.time.advance(days=1)
    assert create(name="Ada", idempotency_key="k", at=shop.time.now) == first


def test_attaching_again_with_a_key_does_not_attach_twice(shop: Shop) -> None:
    ada = shop.customer(token=None)
    attach = shop.billing.payment_methods.attach
    first = attach(ada.id, "tok_visa", idempotency_key="card-1")
    assert attach(ada.id, "tok_visa", idempotency_key="card-1") == first
    assert len(shop.billing.payment_methods.list(customer=ada.id)) == 1
    # The gateway was not asked again either: its next reference would have another ordinal.
    assert attach(ada.id, "tok_visa").details.reference.endswith(".2")


def test_a_command_that_was_refused_leaves_its_key_free(shop: Shop) -> None:
    ada = shop.customer()
    pro = shop.price()
    with pytest.raises(UnknownReference):
        shop.billing.subscriptions.create(ada.id, ["price_none"], idempotency_key="k")
    assert shop.billing.subscriptions.create(ada.id, [pro.id], idempotency_key="k").id


def test_money_recorded_with_a_key_is_recorded_once(shop: Shop) -> None:
    ada = shop.customer(token=None)
    for _ in range(3):
        shop.billing.payments.record(ada.id, eur("10.00"), idempotency_key="statement-7/3")
    assert len(shop.payments()) == 1


# ---- transactions ---------------------------------------------------------------------------


def test_commands_of_a_transaction_are_committed_together(shop: Shop) -> None:
    with shop.billing.transaction():
        ada = shop.customer()
        sub = shop.subscribe(ada)
        assert shop.gateway.charges == (), "nobody is charged before the commit"
        assert shop.subscription(sub).status == "active", "it reads what it wrote"
    assert shop.statuses() == ["paid"]
    assert len(shop.gateway.charges) == 1


def test_a_transaction_that_fails_leaves_nothing_and_gives_the_number_back(shop: Shop) -> None:
    ada = shop.customer(token=None)
    before = shop.events()

    def failing() -> None:
        with shop.billing.transaction():
            taken = shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("10.00"))])
            assert taken.number == "INV-2027-00001"
            shop.customer(name="Bob")
            raise RuntimeError("the host's own fault")

    with pytest.raises(RuntimeError, match="the host's own"):
        failing()
    assert shop.events() == before
    assert shop.invoices() == []
    invoice = shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("10.00"))])
    assert invoice.number == "INV-2027-00001"
    assert shop.customer(name="Bob").number == "000002"


def test_a_command_refused_inside_a_transaction_undoes_all_of_it(shop: Shop) -> None:
    before = shop.events()

    def failing() -> None:
        with shop.billing.transaction():
            shop.billing.subscriptions.create(shop.customer().id, ["price_none"])

    with pytest.raises(UnknownReference):
        failing()
    assert shop.events() == before


def test_a_refusal_that_the_host_catches_leaves_the_rest_of_the_transaction(shop: Shop) -> None:
    with shop.billing.transaction():
        ada = shop.customer(token=None)
        with pytest.raises(UnknownReference):
            shop.billing.subscriptions.create(ada.id, ["price_none"])
    assert shop.billing.customers.get(ada.id).name == "Ada Lovelace"


def test_a_transaction_is_not_begun_within_another(shop: Shop) -> None:
    with shop.billing.transaction():
        shop.customer()
        with pytest.raises(StorageError), shop.billing.transaction():
            pass
    assert len(shop.billing.customers.list()) == 1


def test_after_a_transaction_the_next_command_commits_by_itself(shop: Shop) -> None:
    with shop.billing.transaction():
        pass

    def failing() -> None:
        with shop.billing.transaction():
            shop.billing.customers.create(name="Ada", external_id="1")
            shop.billing.customers.create(name="Bob", external_id="1")

    with pytest.raises(Duplicate):
        failing()
    assert shop.billing.customers.create(name="Cy", external_id="1").name == "Cy"


# ---- tenants --------------------------------------------------------------------------------


def test_two_tenants_on_one_storage_know_nothing_of_each_other(open_a_shop: Opened) -> None:
    one, two = open_a_shop(tenant="one"), open_a_shop(tenant="two")
    customers = [shop.customer() for shop in (one, two)]
    assert customers[0].id == customers[1].id, "both count from one"
    subs = [
        one.subscribe(customers[0], start=date(2027, 1, 31)),
        two.subscribe(customers[1], two.price(eur("5.00")), start=date(2027, 1, 31)),
    ]
    one.time.expect(*[InvoicePaid] * 3).advance(to=date(2027, 4, 1))
    assert two.invoices() == []
    two.time.expect(InvoicePaid).advance(to=date(2027, 2, 1))
    assert [str(each.total) for each in two.invoices()] == ["5.00 EUR"]
    assert one.invoices()[0].number == two.invoices()[0].number == "INV-2027-00001"
    assert one.invoices()[0].id != two.invoices()[0].id
    one.billing.subscriptions.cancel(subs[0].id, when="now")
    assert two.subscription(subs[1]).status == "active"
    with pytest.raises(NotFound):
        two.billing.invoices.get(one.invoices()[0].id)


def test_unique_keys_and_idempotency_keys_hold_per_tenant(open_a_shop: Opened) -> None:
    one, two = open_a_shop(tenant="one"), open_a_shop(tenant="two")
    for shop in (one, two):
        shop.billing.customers.create(name="Ada", external_id="42", idempotency_key="k")
        with pytest.raises(Duplicate):
            shop.billing.customers.create(name="Bob", external_id="42")


# ---- subscribers ----------------------------------------------------------------------------


def test_a_subscriber_gets_every_event_once_and_in_order(shop: Shop) -> None:
    got: list[Recorded] = []
    shop.billing.events.subscribe(got.append)
    shop.subscribe(shop.customer("tok_insufficient_funds_twice"), start=date(2027, 1, 5))
    shop.time.advance(months=3)
    assert got == [*shop.billing.events.list()]


def test_a_subscriber_that_comes_later_begins_with_the_first_event(shop: Shop) -> None:
    shop.subscribe(shop.customer())
    got: list[Recorded] = []
    shop.billing.events.subscribe(got.append, name="late")
    shop.time.advance()
    assert got == [*shop.billing.events.list()]


def test_a_subscriber_goes_on_where_it_was_after_a_restart(storage: Storage) -> None:
    shop = open_shop(storage)
    first: list[Recorded] = []
    shop.billing.events.subscribe(first.append, name="books")
    shop.subscribe(shop.customer(), start=date(2027, 1, 31))
    again = open_shop(storage, process="second")
    second: list[Recorded] = []
    again.billing.events.subscribe(second.append, name="books")
    again.time.advance(months=1)
    assert second
    assert [*first, *second] == [*again.billing.events.list()]


def test_a_subscriber_that_fails_gets_the_event_again_and_billing_goes_on(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    got: list[Recorded] = []
    broken = True

    def subscriber(event: Recorded) -> None:
        if broken and isinstance(event.body, InvoiceFinalized):
            raise RuntimeError("down")
        got.append(event)

    shop.billing.events.subscribe(subscriber)
    with caplog.at_level(logging.CRITICAL, logger="subscriptions"):
        shop.subscribe(shop.customer())
        shop.time.expect(InvoicePaid, InvoicePaid).advance(months=1)
    assert not [event for event in got if isinstance(event.body, InvoiceFinalized)]
    broken = False
    shop.time.advance()
    # At least once: what came before the failing one in its delivery may come again.
    assert list(dict.fromkeys(event.id for event in got)) == [
        event.id for event in shop.billing.events.list()
    ]


def test_subscribers_do_not_wait_for_each_other(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    got: list[Recorded] = []

    def broken(_: Recorded) -> None:
        raise RuntimeError("down")

    shop.billing.events.subscribe(broken, name="broken")
    shop.billing.events.subscribe(got.append, name="good")
    with caplog.at_level(logging.CRITICAL, logger="subscriptions"):
        shop.subscribe(shop.customer())
    assert got == [*shop.billing.events.list()]


def test_a_subscriber_may_call_billing_itself(shop: Shop) -> None:
    got: list[str] = []

    def thank(event: Recorded) -> None:
        got.append(event.type)
        if isinstance(event.body, InvoicePaid):
            shop.billing.customers.tag(event.body.customer, "payer")

    shop.billing.events.subscribe(thank)
    ada = shop.customer()
    shop.subscribe(ada)
    shop.time.advance(months=1)
    assert shop.billing.customers.get(ada.id).tags == ("payer",)
    assert got == shop.events()
    assert got[-1] != "customer.updated", "the second time there was nothing to change"


def test_nothing_is_delivered_from_a_transaction_that_fails(shop: Shop) -> None:
    got: list[Recorded] = []
    shop.billing.events.subscribe(got.append)

    def failing() -> None:
        with shop.billing.transaction():
            shop.customer()
            assert got == []
            raise RuntimeError

    with pytest.raises(RuntimeError):
        failing()
    shop.time.advance()
    assert got == []


# ---- lists ----------------------------------------------------------------------------------


def test_a_list_comes_in_pages_and_iterates_over_all_of_them(shop: Shop) -> None:
    made = [shop.billing.customers.create(name=f"Customer {n}") for n in range(7)]
    page = shop.billing.customers.list(limit=3)
    assert (len(page), page.items, page.total) == (3, tuple(made[:3]), 7)
    assert [*page] == made
    assert page.next_cursor is not None
    second = shop.billing.customers.list(limit=3, after=page.next_cursor)
    assert second.items == tuple(made[3:6])
    assert [*second] == made[3:]
    assert [*shop.billing.customers.list(limit=7)] == made
    assert shop.billing.customers.list(limit=7).next_cursor is None


def test_lists_are_filtered_by_exact_match(shop: Shop) -> None:
    ada, bob = shop.customer(), shop.customer(token=None, name="Bob")
    for customer in (ada, bob):
        shop.subscribe(customer)
    listed = shop.billing.invoices.list
    assert [each.customer for each in listed(status="open")] == [bob.id]
    assert [each.customer for each in listed(status="paid", customer=ada.id)] == [ada.id]
    assert [*listed(status="paid", customer=bob.id)] == []
    assert [each.number for each in listed(number="INV-2027-00002")] == ["INV-2027-00002"]
    assert [each.name for each in shop.billing.customers.list(name="Bob")] == ["Bob"]
    assert [*shop.billing.customers.list(name="bob")] == []
    events = shop.billing.events.list(type="invoice.paid", customer=ada.id)
    assert [type(event.body) for event in events] == [InvoicePaid]


def test_a_cursor_of_nowhere_is_refused(shop: Shop) -> None:
    with pytest.raises(ValidationError) as refused:
        shop.billing.customers.list(after="nonsense")
    assert refused.value.field == "after"


# ---- what customers and prices are found by --------------------------------------------------


def test_a_customer_is_known_by_id_number_and_external_id(shop: Shop) -> None:
    ada = shop.billing.customers.create(name="Ada", external_id="crm-7", number="A-1")
    found = [
        shop.billing.customers.get(ada.id),
        *shop.billing.customers.list(number="A-1"),
        *shop.billing.customers.list(external_id="crm-7"),
    ]
    assert found == [ada, ada, ada]


def test_editing_a_customer_without_change_is_no_event(shop: Shop) -> None:
    ada = shop.billing.customers.create(name="Ada", tags=["vip"])
    before = shop.events()
    assert shop.billing.customers.update(ada.id, name="Ada") == ada
    assert shop.billing.customers.tag(ada.id, "vip") == ada
    assert shop.billing.customers.untag(ada.id, "new") == ada
    assert shop.events() == before
    assert shop.billing.customers.untag(ada.id, "vip").tags == ()


def test_a_method_that_was_refused_does_not_become_the_default(shop: Shop) -> None:
    ada = shop.customer("tok_lost_card")
    shop.subscribe(ada)
    (method,) = shop.billing.payment_methods.list(customer=ada.id)
    with pytest.raises(InvalidTransition):
        shop.billing.payment_methods.set_default(method.id)


def test_two_timelines_share_one_clock_and_one_storage(storage: Storage) -> None:
    shop = open_shop(storage)
    shop.subscribe(shop.customer(), shop.price(every=MONTHLY))
    later = Timeline(shop.billing)
    later.expect(InvoicePaid).advance(months=1)
    assert shop.clock.now == later.now
    assert audit(shop) == []


@pytest.mark.parametrize("year", [1, 9999])
def test_a_time_at_the_edge_of_the_calendar_is_refused_and_changes_nothing(
    shop: Shop, year: int
) -> None:
    shop.subscribe(shop.customer(token=None))
    shop.time.advance()
    (invoice,) = shop.invoices()
    edge = datetime(year, 12, 31, 23, 59, tzinfo=UTC)
    with pytest.raises(ValidationError, match="a time within the years 10 to 9990"):
        shop.billing.invoices.send(invoice.id, to="ada@example.com", at=edge)
    with pytest.raises(ValidationError, match="a time within the years 10 to 9990"):
        shop.billing.payments.record(
            invoice.customer, invoice.total, to={invoice.id: invoice.total}, at=edge
        )
    assert shop.invoices() == [invoice]
    assert not list(shop.billing.payments.list())
