"""A sweep goes through the gateway's books: what ours lack is taken in, and never charged again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve

from subscriptions import MemoryStorage, StorageError, ValidationError
from subscriptions.engine.run_reports import SweepReport
from subscriptions.engine.sweeping import PAGE
from subscriptions.gateways.fake import FakeGateway
from subscriptions.ids import InvoiceId, PaymentId
from subscriptions.invoices import Invoice
from subscriptions.money import Money
from subscriptions.payments import (
    ChargeIntent,
    Outcome,
    PaymentAdopted,
    PaymentQuarantined,
    PaymentSnapshot,
    payment_id,
)
from subscriptions.storage import Storage
from subscriptions.testing.crashes import Crash, CrashingStorage, Points
from tests.engine.test_inbox import open_on, storage
from tests.scenarios.shop import GOOD, Shop, audit, eur

__all__ = ["storage"]

# The fake gateway keeps its books for itself: what it charges for a lost attempt is charged here.
NOW = datetime(2027, 1, 1, 12, tzinfo=UTC)


def charge_lost(
    shop: Shop,
    invoice: Invoice,
    *,
    ordinal: int = 1,
    amount: Money | None = None,
    tenant: str = "default",
    token: str = GOOD,
) -> PaymentId:
    """Let the gateway charge for an attempt that the books do not have."""
    id = payment_id(tenant, invoice.id, ordinal)
    intent = ChargeIntent(
        id,
        f"v1:{id}",
        amount or invoice.total,
        token,
        invoice.customer,
        {"tenant": tenant, "attempt": id, "invoice": invoice.id},
        shop.clock.now,
    )
    shop.gateway.charge(intent)
    return id


def an_open_invoice(shop: Shop) -> Invoice:
    """Return an open invoice of a customer who pays by transfer."""
    shop.subscribe(shop.customer(None))
    return shop.only_invoice()


def test_where_all_agrees_a_sweep_writes_nothing(storage: Storage) -> None:
    shop = open_on(storage)
    for token in ("tok_visa", "tok_insufficient_funds", "tok_sepa_debit", "tok_requires_action"):
        shop.subscribe(shop.customer(token))
    events = shop.events()
    assert shop.billing.sweep() == SweepReport(listed=4, agreed=4)
    assert shop.billing.webhooks.list().total == 0
    assert shop.events() == events


def test_a_lost_charge_is_adopted_and_pays_its_invoice(storage: Storage) -> None:
    shop = open_on(storage)
    invoice = an_open_invoice(shop)
    attempt = charge_lost(shop, invoice)
    assert shop.billing.sweep() == SweepReport(listed=1, adopted=1)
    payment = shop.billing.payments.get(attempt)
    assert (payment.status, payment.invoice, payment.gateway) == ("succeeded", invoice.id, "card")
    assert payment.customer == invoice.customer
    assert shop.statuses() == ["paid"]
    adopted = [e.body for e in shop.billing.events.list() if isinstance(e.body, PaymentAdopted)]
    assert [each.payment for each in adopted] == [attempt]
    assert shop.billing.sweep() == SweepReport(listed=1, agreed=1)
    assert audit(shop) == []


def test_what_is_adopted_is_never_charged_again(storage: Storage) -> None:
    shop = open_on(storage)
    invoice = an_open_invoice(shop)
    charge_lost(shop, invoice, token="tok_insufficient_funds")
    charge_lost(shop, invoice, ordinal=2)
    shop.billing.payment_methods.attach(invoice.customer, "tok_visa")
    assert shop.billing.sweep().adopted == 2
    for _ in range(40):
        shop.clock.now += timedelta(days=1)
        shop.billing.run()
    assert shop.gateway.succeeded_minor(invoice.id) == invoice.total_minor
    assert audit(shop) == []


def test_the_attempt_after_an_adopted_one_has_another_id(storage: Storage) -> None:
    shop = open_on(storage)
    invoice = an_open_invoice(shop)
    lost = charge_lost(shop, invoice, ordinal=3, token="tok_insufficient_funds")
    shop.billing.sweep()
    shop.billing.payment_methods.attach(invoice.customer, "tok_visa")
    shop.billing.invoices.pay(invoice.id)
    (adopted, paid) = shop.payments(invoice)
    assert (adopted.id, adopted.status, adopted.ordinal) == (lost, "declined", 3)
    assert (paid.status, paid.ordinal) == ("succeeded", 4)
    assert shop.statuses() == ["paid"]


def test_a_lost_charge_of_what_was_paid_otherwise_is_kept_as_unallocated(storage: Storage) -> None:
    shop = open_on(storage)
    invoice = an_open_invoice(shop)
    shop.billing.payments.record(invoice.customer, eur("20.00"), invoice=invoice.id)
    attempt = charge_lost(shop, invoice)
    shop.billing.sweep()
    payment = shop.billing.payments.get(attempt)
    assert (payment.amount, payment.unallocated) == (eur("29.00"), eur("20.00"))
    assert shop.only_invoice().paid == eur("29.00")
    assert audit(shop) == []


def test_a_lost_debit_on_its_way_blocks_the_next_attempt(storage: Storage) -> None:
    shop = open_on(storage)
    invoice = an_open_invoice(shop)
    attempt = charge_lost(shop, invoice, token="tok_sepa_debit")
    shop.billing.payment_methods.attach(invoice.customer, "tok_visa")
    shop.billing.sweep()
    assert shop.billing.payments.get(attempt).status == "processing"
    assert shop.only_invoice().collecting == attempt
    for _ in range(9):
        shop.clock.now += timedelta(days=1)
        shop.billing.run()
    assert shop.billing.payments.get(attempt).status == "succeeded"
    assert shop.statuses() == ["paid"]
    assert audit(shop) == []


def test_a_lost_charge_in_another_currency_is_quarantined_and_pays_nothing(
    storage: Storage,
) -> None:
    shop = open_on(storage)
    invoice = an_open_invoice(shop)
    attempt = charge_lost(shop, invoice, amount=Money.of("29.00", "USD"))
    assert shop.billing.sweep() == SweepReport(listed=1, quarantined=1)
    payment = shop.billing.payments.get(attempt)
    assert payment.parked is not None
    assert payment.unallocated == Money.of("29.00", "USD")
    assert shop.statuses() == ["open"]
    (item,) = shop.billing.payments.review()
    assert (item.matter, item.subject) == ("quarantined", attempt)
    assert shop.billing.sweep() == SweepReport(listed=1, agreed=1)
    shop.billing.payments.resolve(attempt, outcome="succeeded", reason="kept as credit")
    assert list(shop.billing.payments.review()) == []


def test_an_answer_that_was_lost_is_merged(storage: Storage) -> None:
    shop = open_on(storage)
    shop.gateway.time_out_next(executed=True)
    shop.subscribe(shop.customer())
    assert shop.statuses() == ["open"]
    assert shop.billing.sweep() == SweepReport(listed=1, merged=1)
    assert shop.statuses() == ["paid"]


def test_a_charge_of_another_amount_is_quarantined_once(storage: Storage) -> None:
    shop = open_on(storage)
    shop.gateway.time_out_next(executed=False)
    shop.subscribe(shop.customer())
    invoice = shop.only_invoice()
    charge_lost(shop, invoice, amount=eur("92.00"))
    assert shop.billing.sweep() == SweepReport(listed=1, quarantined=1)
    assert shop.billing.sweep() == SweepReport(listed=1, agreed=1)
    events = [each.body for each in shop.billing.events.list()]
    (aside,) = [each for each in events if isinstance(each, PaymentQuarantined)]
    assert (aside.asked, aside.said, aside.outcome) == (eur("29.00"), eur("92.00"), "succeeded")
    (item,) = shop.billing.payments.review()
    assert (item.matter, item.customer) == ("quarantined", invoice.customer)


def test_a_second_charge_for_one_attempt_is_listed_for_a_person(storage: Storage) -> None:
    shop = open_on(storage)
    shop.subscribe(shop.customer())
    invoice = shop.only_invoice()
    charge_lost(shop, invoice)  # the same attempt, with another key: a gateway that went wrong
    assert shop.gateway.succeeded_minor(invoice.id) == 2 * invoice.total_minor
    assert shop.billing.sweep() == SweepReport(listed=2, agreed=1, orphans=1)
    (item,) = shop.billing.payments.review()
    assert (item.matter, item.amount) == ("orphan_charge", invoice.total)
    assert shop.billing.sweep() == SweepReport(listed=2, agreed=2)
    assert [each.id for each in shop.billing.payments.review()] == [item.id]


def test_a_charge_for_an_invoice_that_is_not_known_is_listed_for_a_person(
    storage: Storage,
) -> None:
    shop = open_on(storage)
    invoice = an_open_invoice(shop)
    lost = evolve(invoice, id=InvoiceId("inv_lost"))
    charge_lost(shop, lost)
    for _ in range(3):
        assert shop.billing.sweep() == SweepReport(listed=1, orphans=1)
    (item,) = shop.billing.payments.review(matter="orphan_charge")
    assert (item.amount, item.status) == (invoice.total, "open")
    assert "inv_lost" in item.facts
    assert shop.events().count("review.needed") == 1


def test_an_id_that_no_attempt_of_the_invoice_can_have_is_an_orphan(storage: Storage) -> None:
    shop = open_on(storage)
    invoice = an_open_invoice(shop)
    charge_lost(shop, invoice, ordinal=99)
    assert shop.billing.sweep().orphans == 1
    assert shop.statuses() == ["open"]


def test_charges_of_other_tenants_are_left_alone(storage: Storage) -> None:
    shop = open_on(storage)
    invoice = an_open_invoice(shop)
    charge_lost(shop, invoice, tenant="other")
    assert shop.billing.sweep() == SweepReport(listed=1, others=1)
    assert shop.statuses() == ["open"]
    assert shop.billing.webhooks.list().total == 0


def test_a_sweep_reads_page_by_page_and_looks_back_as_far_as_it_is_told() -> None:
    shop = open_on(MemoryStorage())
    invoice = an_open_invoice(shop)
    for place in range(PAGE + 1):
        charge_lost(shop, evolve(invoice, id=InvoiceId(f"inv_{place}")), tenant="other")
    shop.clock.now += timedelta(days=40)
    assert shop.billing.sweep() == SweepReport()
    report = shop.billing.sweep("card", since=NOW)
    assert (report.listed, report.others) == (PAGE + 1, PAGE + 1)


def test_a_wrong_question_is_refused() -> None:
    shop = open_on(MemoryStorage())
    with pytest.raises(ValidationError, match="gateway"):
        shop.billing.sweep("paypal")
    with pytest.raises(ValidationError, match="since"):
        shop.billing.sweep(since=datetime(2027, 1, 1))  # noqa: DTZ001 - that is the slip
    with pytest.raises(StorageError), shop.billing.transaction():
        shop.billing.sweep()


def test_a_sweep_that_dies_anywhere_is_done_again() -> None:
    def once(points: Points) -> tuple[list[str], list[str], list[str]]:
        storage = MemoryStorage()
        shop = open_on(storage)
        shop.gateway.time_out_next(executed=True)
        shop.subscribe(shop.customer())
        shop.subscribe(shop.customer(None))
        owed = shop.invoices()[1]
        charge_lost(shop, owed)
        charge_lost(shop, evolve(owed, id=InvoiceId("inv_lost")))
        try:
            open_on(CrashingStorage(storage, points), shop, "second").billing.sweep()
        except Crash:
            assert points.crash_at is not None
        again = open_on(storage, shop, "third")
        again.billing.sweep()
        again.billing.run()
        assert audit(again) == []
        listed = [item.matter.value for item in again.billing.payments.review()]
        return again.statuses(), [each.status for each in again.payments()], listed

    counted = Points()
    undisturbed = once(counted)
    assert undisturbed == (["paid", "paid"], ["succeeded", "succeeded"], ["orphan_charge"])
    assert counted.passed >= 4
    for point in range(counted.passed):
        assert once(Points(crash_at=point)) == undisturbed, counted.names[point]


class Silent(FakeGateway):
    """Lists charges of which it cannot say what became of them."""

    def list_since(self, instant: datetime, /) -> Iterator[PaymentSnapshot]:
        return (evolve(each, outcome=Outcome.UNKNOWN) for each in super().list_since(instant))


def test_what_the_list_itself_does_not_know_changes_nothing() -> None:
    shop = open_on(MemoryStorage())
    silent = Silent(clock=shop.clock)
    shop.billing.engine.gateways["card"] = silent  # type: ignore[index]  # a dict, as it happens
    shop.subscribe(shop.customer())
    snapshot: PaymentSnapshot = next(iter(silent.list_since(NOW)))
    assert snapshot.outcome is Outcome.UNKNOWN
    assert shop.billing.sweep() == SweepReport(listed=1, agreed=1)
