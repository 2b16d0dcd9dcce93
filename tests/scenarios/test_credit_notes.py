"""Correcting final invoices: owed, paid, in parts, with the money back where the seller says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from threading import Barrier, Thread

import pytest
from attrs import evolve

from subscriptions import (
    AsyncBilling,
    Billing,
    DomainError,
    InvalidTransition,
    MemoryStorage,
    Money,
    NotFound,
    OneOff,
    Seller,
    StalePlan,
    TaxRate,
    TaxRates,
    UnknownReference,
    ValidationError,
)
from subscriptions.credit_notes import CREDIT_NOTE, CreditNote
from subscriptions.customers import Customer
from subscriptions.decisions import Change
from subscriptions.errors import IdempotencyMismatch
from subscriptions.invoice_numbering import Series
from subscriptions.invoices import Invoice
from subscriptions.proration import Mode, Proration
from subscriptions.storage import Storage
from subscriptions.taxes import TaxBehavior
from subscriptions.testing import TestClock, counting_ids
from tests.scenarios.shop import Shop, eur, open_shop
from tests.scenarios.test_balance import entries, give

Opened = Callable[..., Shop]
VAT = TaxRates({"DE": TaxRate("19")})


@pytest.fixture
def shop(open_a_shop: Opened) -> Shop:
    return open_a_shop(taxes=VAT)


def invoiced(shop: Shop, customer: Customer, *amounts: str) -> Invoice:
    """Invoice works of net amounts; charged at once if there is a card."""
    lines = [OneOff(f"Work {place}", eur(amount)) for place, amount in enumerate(amounts, 1)]
    return shop.billing.invoices.create_one_off(customer.id, lines)


def again(shop: Shop, invoice: Invoice) -> Invoice:
    """Return an invoice as it is now."""
    return shop.billing.invoices.get(invoice.id)


def standing(shop: Shop, invoice: Invoice) -> tuple[str, str, str]:
    """Return how an invoice stands: its status, what was taken off, what is owed."""
    now = again(shop, invoice)
    return now.status.value, str(now.credited), str(now.amount_due)


def numbers(shop: Shop) -> list[str | None]:
    return [note.number for note in shop.billing.credit_notes.list()]


# ---- owed ----------------------------------------------------------------------------------------


def test_an_open_invoice_that_is_credited_in_full_is_settled(shop: Shop) -> None:
    ada = shop.customer(token=None)
    invoice = invoiced(shop, ada, "100.00")
    note = shop.billing.credit_notes.create(invoice.id, reason="Ordered twice")
    assert (note.number, note.issued_on) == ("CN-2027-00001", date(2027, 1, 1))
    assert (note.invoice_number, note.reason) == (invoice.number, "Ordered twice")
    assert (note.net, note.tax, note.total) == (eur("100.00"), eur("19.00"), eur("119.00"))
    assert note.taken_off == eur("119.00")
    assert standing(shop, invoice) == ("paid", "119.00 EUR", "0.00 EUR")
    assert entries(shop, ada) == []
    assert shop.events(invoice.id) == ["invoice.finalized", "invoice.credited", "invoice.paid"]
    assert shop.events(note.id) == ["credit_note.issued"]


def test_a_part_is_taken_off_what_is_owed_and_the_rest_is_paid(shop: Shop) -> None:
    ada = shop.customer(token=None)
    invoice = invoiced(shop, ada, "100.00", "50.00")
    shop.billing.credit_notes.create(invoice.id, lines={1: eur("50.00")}, reason="Not delivered")
    assert standing(shop, invoice) == ("open", "59.50 EUR", "119.00 EUR")
    shop.billing.payments.record(ada.id, eur("119.00"))
    assert standing(shop, invoice) == ("paid", "59.50 EUR", "0.00 EUR")


def test_dunning_stops_when_a_credit_settles_the_debt(shop: Shop) -> None:
    sub = shop.subscribe(shop.customer("tok_insufficient_funds"))
    invoice = shop.only_invoice()
    assert shop.subscription(sub).status == "past_due"
    shop.billing.credit_notes.create(invoice.id, amount=eur("10.00"), reason="An outage")
    assert shop.billing.dunning.status(invoice.id).status == "running"
    shop.billing.credit_notes.create(invoice.id, reason="Goodwill")
    assert shop.billing.dunning.status(invoice.id).status == "stopped"
    assert standing(shop, invoice) == ("paid", "34.51 EUR", "0.00 EUR")
    assert shop.subscription(sub).status == "active"
    charged = len(shop.gateway.charges)
    shop.time.advance(to=date(2027, 1, 25))
    assert len(shop.gateway.charges) == charged


def test_the_next_attempt_is_for_what_is_left(shop: Shop) -> None:
    shop.subscribe(shop.customer("tok_insufficient_funds_twice"))
    invoice = shop.only_invoice()
    shop.billing.credit_notes.create(invoice.id, amount=eur("4.51"), reason="An outage")
    shop.time.advance(to=date(2027, 1, 8))
    assert [str(payment.amount) for payment in shop.payments(invoice)] == [
        "34.51 EUR",
        "30.00 EUR",
        "30.00 EUR",
    ]
    assert standing(shop, invoice)[0] == "paid"


def test_an_attempt_under_way_is_not_needed_any_more(shop: Shop) -> None:
    ada = shop.customer()
    shop.gateway.time_out_next(executed=True)
    invoice = invoiced(shop, ada, "100.00")
    shop.billing.credit_notes.create(invoice.id, reason="Ordered twice")
    assert standing(shop, invoice)[0] == "paid"
    shop.time.advance(days=1)
    (payment,) = shop.payments(invoice)
    assert (payment.status, payment.unallocated) == ("succeeded", eur("119.00"))


def test_an_uncollectible_invoice_is_settled_by_a_credit(shop: Shop) -> None:
    invoice = invoiced(shop, shop.customer(token=None), "100.00")
    shop.billing.invoices.mark_uncollectible(invoice.id, reason="insolvent")
    shop.billing.credit_notes.create(invoice.id, reason="insolvent")
    assert standing(shop, invoice)[0] == "paid"


def test_a_subscription_that_awaits_its_first_payment_does_not_begin_by_a_credit(
    shop: Shop,
) -> None:
    ada = shop.customer("tok_insufficient_funds")
    sub = shop.billing.subscriptions.create(ada.id, [shop.price().id], require_payment=True)
    shop.billing.credit_notes.create(
        shop.only_invoice().id, amount=eur("10.00"), reason="A mistake"
    )
    shop.time.advance(days=2)
    assert shop.subscription(sub).status == "expired"
    # Nothing was given for the rest: nobody is asked for it.
    assert standing(shop, shop.only_invoice()) == ("uncollectible", "10.00 EUR", "24.51 EUR")


# ---- paid ----------------------------------------------------------------------------------------


def test_what_was_paid_goes_to_the_balance(shop: Shop) -> None:
    ada = shop.customer()
    invoice = invoiced(shop, ada, "100.00")
    note = shop.billing.credit_notes.create(invoice.id, amount=eur("19.00"), reason="A delay")
    assert (note.total, note.balance) == (eur("19.00"), eur("19.00"))
    assert entries(shop, ada) == ["credit_note 19.00 EUR → 19.00 EUR"]
    assert standing(shop, invoice) == ("paid", "0.00 EUR", "0.00 EUR")
    assert again(shop, invoice).paid == eur("119.00")


def test_what_was_paid_is_refunded_to_the_card(shop: Shop) -> None:
    ada = shop.customer()
    invoice = invoiced(shop, ada, "100.00")
    note = shop.billing.credit_notes.create(invoice.id, reason="Sent back", refund=eur("119.00"))
    (refund,) = shop.billing.payments.refunds()
    assert (refund.status, refund.amount, note.refund) == (
        "succeeded",
        eur("119.00"),
        eur("119.00"),
    )
    assert [each.amount for each in shop.gateway.refunds] == [eur("119.00")]
    assert entries(shop, ada) == [
        "credit_note 119.00 EUR → 119.00 EUR",
        "refund -119.00 EUR → 0.00 EUR",
    ]


def test_a_refund_that_fails_leaves_the_money_on_the_balance(shop: Shop) -> None:
    ada = shop.customer()
    invoice = invoiced(shop, ada, "100.00")
    shop.gateway.pend_refund_next(days=3, succeed=False)
    shop.billing.credit_notes.create(invoice.id, reason="Sent back", refund=eur("119.00"))
    shop.time.advance(days=5)
    assert entries(shop, ada)[2:] == ["refund_failed 119.00 EUR → 119.00 EUR"]


def test_what_was_paid_is_divided_exactly(shop: Shop) -> None:
    ada = shop.customer()
    invoice = invoiced(shop, ada, "100.00")
    shop.billing.credit_notes.create(
        invoice.id,
        reason="Sent back",
        refund=eur("60.00"),
        balance=eur("40.00"),
        outside=eur("19.00"),
    )
    assert [each.amount for each in shop.gateway.refunds] == [eur("60.00")]
    assert shop.billing.customers.get(ada.id).balance == (eur("40.00"),)


def test_parts_that_do_not_add_up_are_refused_and_nothing_happens(shop: Shop) -> None:
    invoice = invoiced(shop, shop.customer(), "100.00")
    with pytest.raises(ValidationError) as refused:
        shop.billing.credit_notes.create(
            invoice.id, reason="Sent back", refund=eur("100.00"), outside=eur("18.99")
        )
    assert "119.00 EUR" in str(refused.value)
    assert (numbers(shop), shop.gateway.refunds) == ([], ())
    assert again(shop, invoice) == invoice


def test_what_is_owed_comes_first_of_an_invoice_that_is_partly_paid(shop: Shop) -> None:
    ada = shop.customer(token=None)
    invoice = invoiced(shop, ada, "100.00")
    shop.billing.payments.record(ada.id, eur("100.00"))
    with pytest.raises(InvalidTransition, match=r"credit_notes\.create"):
        shop.billing.invoices.void(invoice.id, reason="a mistake")
    note = shop.billing.credit_notes.create(invoice.id, reason="A mistake")
    assert (note.taken_off, note.balance) == (eur("19.00"), eur("100.00"))
    assert standing(shop, invoice) == ("paid", "19.00 EUR", "0.00 EUR")
    assert entries(shop, ada) == ["credit_note 100.00 EUR → 100.00 EUR"]


def test_what_the_balance_had_paid_returns_to_it(shop: Shop) -> None:
    ada = shop.customer(token=None)
    give(shop, ada, "119.00")
    invoice = invoiced(shop, ada, "100.00")
    shop.billing.credit_notes.create(invoice.id, reason="A mistake")
    assert entries(shop, ada)[-1] == "credit_note 119.00 EUR → 119.00 EUR"


@pytest.mark.parametrize("pays", ["transfer", "balance"])
def test_no_more_is_refunded_than_payments_can_give_back(shop: Shop, pays: str) -> None:
    ada = shop.customer(token=None)
    if pays == "balance":
        give(shop, ada, "119.00")
    invoice = invoiced(shop, ada, "100.00")
    if pays == "transfer":
        shop.billing.payments.record(ada.id, eur("119.00"))
    with pytest.raises(ValidationError) as refused:
        shop.billing.credit_notes.create(invoice.id, reason="Sent back", refund=eur("119.00"))
    assert refused.value.field == "refund"
    assert numbers(shop) == []


def test_what_was_refunded_before_cannot_be_refunded_by_a_credit(shop: Shop) -> None:
    invoice = invoiced(shop, shop.customer(), "100.00")
    (payment,) = shop.payments(invoice)
    shop.billing.payments.refund(payment.id, eur("59.50"), reason="Half of it")
    create = shop.billing.credit_notes.create
    with pytest.raises(ValidationError, match=r"at most 59\.50 EUR"):
        create(invoice.id, reason="Sent back", refund=eur("119.00"))
    create(invoice.id, reason="Sent back", refund=eur("59.50"), outside=eur("59.50"))
    assert shop.billing.payments.get(payment.id).refundable == eur("0.00")


# ---- in parts ------------------------------------------------------------------------------------


def test_parts_add_up_to_the_invoice_and_never_to_more(shop: Shop) -> None:
    ada = shop.customer()
    invoice = invoiced(shop, ada, "10.01", "20.02", "3.33")
    create = shop.billing.credit_notes.create
    create(invoice.id, amount=eur("7.77"), reason="First")
    create(invoice.id, lines={2: eur("1.11"), 0: eur("0.03")}, reason="Second")
    create(invoice.id, amount=eur("0.01"), reason="Third")
    create(invoice.id, reason="The rest")
    notes = list(shop.billing.credit_notes.list(invoice=invoice.id))
    assert numbers(shop) == [f"CN-2027-0000{place}" for place in (1, 2, 3, 4)]
    assert sum([note.net for note in notes], eur("0.00")) == invoice.net
    assert sum([note.tax for note in notes], eur("0.00")) == invoice.tax
    assert shop.billing.customers.get(ada.id).balance == (invoice.total,)
    with pytest.raises(ValidationError):
        create(invoice.id, reason="Once more")
    with pytest.raises(ValidationError):
        create(invoice.id, amount=eur("0.01"), reason="Once more")


def test_prices_that_include_the_tax_are_credited_as_they_were_sold(shop: Shop) -> None:
    ada = shop.customer()
    line = OneOff("Shirt", eur("11.90"), tax_behavior=TaxBehavior.INCLUSIVE)
    invoice = shop.billing.invoices.create_one_off(ada.id, [line])
    note = shop.billing.credit_notes.create(invoice.id, lines={0: eur("5.95")}, reason="Torn")
    assert (note.total, note.net, note.tax) == (eur("5.95"), eur("5.00"), eur("0.95"))


def test_of_two_credits_at_once_the_second_sees_the_first() -> None:
    shop = open_shop(MemoryStorage(), taxes=VAT)
    invoice = invoiced(shop, shop.customer(), "100.00")
    barrier = Barrier(2)
    outcomes: list[str] = []

    def credit() -> None:
        barrier.wait()
        try:
            shop.billing.credit_notes.create(invoice.id, amount=eur("100.00"), reason="A race")
        except DomainError as error:
            outcomes.append(type(error).__name__)
        else:
            outcomes.append("credited")

    threads = [Thread(target=credit) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["ValidationError", "credited"]
    assert numbers(shop) == ["CN-2027-00001"]


@pytest.mark.parametrize("mode", [Mode.INVOICE_NOW, Mode.NEXT_INVOICE])
def test_what_a_change_gives_back_is_not_credited_once_more(
    open_a_shop: Opened, mode: Mode
) -> None:
    shop = open_a_shop(proration=Proration(mode=mode))
    ada = shop.customer()
    sub = shop.subscribe(ada, shop.price(eur("31.00")))
    first = shop.only_invoice()
    shop.time.advance(to=date(2027, 1, 11))
    small = shop.price(eur("3.10"), name="Small")
    shop.billing.subscriptions.change(sub.id, swap={first.lines[0].price or "": small.id})
    create = shop.billing.credit_notes.create
    with pytest.raises(ValidationError, match=r"at most 10\.00 EUR"):
        create(first.id, reason="An outage")
    note = create(first.id, lines={0: eur("10.00")}, reason="An outage")
    assert note.total == eur("10.00")
    with pytest.raises(ValidationError, match=r"at most 0\.00 EUR"):
        create(first.id, amount=eur("0.01"), reason="An outage")


# ---- what is refused -----------------------------------------------------------------------------


def test_what_is_no_final_invoice_cannot_be_credited(shop: Shop) -> None:
    ada = shop.customer(token=None)
    create = shop.billing.credit_notes.create
    draft = shop.billing.invoices.create_one_off(
        ada.id, [OneOff("Work", eur("10.00"))], finalize=False
    )
    void = invoiced(shop, ada, "10.00")
    shop.billing.invoices.void(void.id, reason="a mistake")
    for invoice in (draft, void):
        with pytest.raises(InvalidTransition):
            create(invoice.id, reason="A mistake")
    with pytest.raises(UnknownReference):
        create("inv_none", reason="A mistake")
    with pytest.raises(ValidationError):
        create(draft.id, lines={}, amount=eur("1.00"), reason="A mistake")
    with pytest.raises(ValidationError):
        create(draft.id, lines=[eur("1.00")], reason="A mistake")  # type: ignore[arg-type]  # wrong
    with pytest.raises(ValidationError):
        create(draft.id, reason="")


def test_an_invoice_that_was_credited_cannot_be_voided(shop: Shop) -> None:
    invoice = invoiced(shop, shop.customer(token=None), "10.00")
    shop.billing.credit_notes.create(invoice.id, amount=eur("1.00"), reason="A mistake")
    with pytest.raises(InvalidTransition, match=r"credit_notes\.create"):
        shop.billing.invoices.void(invoice.id, reason="a mistake")


def test_what_was_credited_is_not_given_back_again_when_the_payment_is_disputed(
    shop: Shop,
) -> None:
    ada = shop.customer()
    invoice = invoiced(shop, ada, "100.00")
    shop.billing.credit_notes.create(invoice.id, reason="An outage")
    (payment,) = shop.payments()
    shop.gateway.open_dispute(payment.id)
    shop.deliver_webhooks()
    # Ada has 119.00 on her balance and her money back: the invoice is owed, and not undone.
    assert (again(shop, invoice).status, again(shop, invoice).amount_due) == ("open", eur("119.00"))
    with pytest.raises(InvalidTransition, match=r"credit_notes\.create"):
        shop.billing.invoices.void(invoice.id, reason="a mistake")
    assert shop.billing.customers.get(ada.id).balance == (eur("119.00"),)


# ---- asking, previewing, repeating ---------------------------------------------------------------


def test_a_preview_is_what_is_done_and_takes_no_number(shop: Shop) -> None:
    invoice = invoiced(shop, shop.customer(), "100.00")
    plan = shop.billing.preview.credit_notes.create(invoice.id, amount=eur("50.00"), reason="Why")
    assert (plan.about.number, plan.about.total) == (None, eur("50.00"))
    assert numbers(shop) == []
    note = shop.billing.commit(plan)
    assert (note.number, note.lines) == ("CN-2027-00001", plan.about.lines)
    other = shop.billing.preview.credit_notes.create(invoice.id, reason="Why")
    shop.billing.credit_notes.create(invoice.id, amount=eur("1.00"), reason="Another")
    with pytest.raises(StalePlan):
        shop.billing.commit(other)


def test_a_request_that_comes_twice_is_answered_with_the_first_note(shop: Shop) -> None:
    invoice = invoiced(shop, shop.customer(), "100.00")

    def credit(amount: str) -> CreditNote:
        return shop.billing.credit_notes.create(
            invoice.id, amount=eur(amount), reason="Why", idempotency_key="k-1"
        )

    assert credit("1.00") == credit("1.00")
    with pytest.raises(IdempotencyMismatch):
        credit("2.00")
    assert numbers(shop) == ["CN-2027-00001"]


def test_notes_are_found_by_invoice_customer_and_number(shop: Shop) -> None:
    ada, bob = shop.customer(), shop.customer(name="Bob")
    first = shop.billing.credit_notes.create(invoiced(shop, ada, "10.00").id, reason="Why")
    second = shop.billing.credit_notes.create(invoiced(shop, bob, "10.00").id, reason="Why")
    listed = shop.billing.credit_notes.list
    assert list(listed(customer=bob.id)) == [second]
    assert list(listed(invoice=first.invoice)) == [first]
    assert list(listed(number="CN-2027-00002")) == [second]
    assert shop.billing.credit_notes.get(first.id) == first
    with pytest.raises(NotFound):
        shop.billing.credit_notes.get("cn_none")


# ---- numbers and the chain -----------------------------------------------------------------------


def test_the_sellers_own_series_numbers_them_beside_his_invoices(open_a_shop: Opened) -> None:
    seller = Seller(
        "Acme GmbH",
        credit_note_numbers=Series("RK{counter:03}", last_counter=41, last_on=date(2026, 12, 1)),
    )
    shop = open_a_shop(seller=seller)
    ada = shop.customer()
    for _ in range(2):
        shop.billing.credit_notes.create(invoiced(shop, ada, "10.00").id, reason="Why")
    assert numbers(shop) == ["RK042", "RK043"]
    assert [each.number for each in shop.invoices()] == ["INV-2027-00001", "INV-2027-00002"]
    assert shop.billing.reports.numbers() == ()


def test_a_note_keeps_who_bought_and_who_sold(shop: Shop) -> None:
    ada = shop.customer()
    note = shop.billing.credit_notes.create(invoiced(shop, ada, "10.00").id, reason="Why")
    shop.billing.customers.update(ada.id, name="Ada King")
    later = shop.billing.credit_notes.get(note.id)
    assert later.party is not None
    assert later.party.name == "Ada Lovelace"
    assert later == note


def test_a_note_that_was_changed_is_found_by_the_audit() -> None:
    storage: Storage = MemoryStorage()
    shop = open_shop(storage, taxes=VAT)
    invoice = invoiced(shop, shop.customer(), "100.00")
    for _ in range(3):
        shop.billing.credit_notes.create(invoice.id, amount=eur("1.00"), reason="Why")
    note = shop.billing.credit_notes.list()[-1]
    assert (shop.billing.invoices.verify(), shop.billing.reports.numbers()) == ((), ())
    forged = evolve(note, reason="Another", version=note.version + 1)
    unit = storage.begin()
    unit.write([Change(CREDIT_NOTE, note, forged)], [])
    unit.commit()
    (broken,) = shop.billing.invoices.verify()
    assert broken.number == "CN-2027-00003"
    assert [each.series for each in shop.billing.reports.numbers()] == [
        "seller/credit_note/CN-{year}-{counter:05}"
    ]


# ---- the text ------------------------------------------------------------------------------------


def test_it_is_written_in_the_customers_language(shop: Shop) -> None:
    ada = shop.billing.customers.create(name="Ada Lovelace", country="DE", language="de-DE")
    invoice = invoiced(shop, ada, "100.00")
    shop.billing.payments.record(ada.id, eur("100.00"))
    note = shop.billing.credit_notes.create(invoice.id, reason="Doppelt bestellt")
    text = shop.billing.credit_notes.text(note.id)
    assert "RECHNUNGSKORREKTUR" in text
    assert "Gutschrift" not in text
    assert f"Berichtigt die Rechnung {invoice.number} vom 01.01.2027." in text
    assert "AVOIR" in shop.billing.credit_notes.text(note.id, language="fr")
    assert "CREDIT NOTE" in shop.billing.credit_notes.text(note.id, language="ja")
    assert "Korrigiert" in shop.billing.invoices.text(invoice.id)


def test_an_asynchronous_host_does_the_same() -> None:
    async def credit() -> CreditNote:
        billing = AsyncBilling(taxes=VAT, clock=TestClock(date(2027, 1, 1)), ids=counting_ids())
        ada = await billing.customers.create(name="Ada", country="DE")
        lines = [OneOff("Work", eur("100.00"))]
        invoice = await billing.invoices.create_one_off(ada.id, lines)
        plan = await billing.preview.credit_notes.create(invoice.id, reason="Why")
        note = await billing.commit(plan)
        assert await billing.credit_notes.get(note.id) == note
        assert "CREDIT NOTE" in await billing.credit_notes.text(note.id)
        return note

    note = asyncio.run(credit())
    assert (note.number, note.total) == ("CN-2027-00001", eur("119.00"))


def test_amounts_of_currencies_without_decimals_are_credited_whole() -> None:
    billing = Billing(taxes=TaxRates({}, default=TaxRate(Decimal(10))))
    ada = billing.customers.create(name="Ada")
    invoice = billing.invoices.create_one_off(ada.id, [OneOff("Work", Money.of(999, "JPY"))])
    note = billing.credit_notes.create(invoice.id, amount=Money.of(500, "JPY"), reason="Why")
    assert note.total == Money.of(500, "JPY")
    assert billing.invoices.get(invoice.id).amount_due == invoice.total - note.total
