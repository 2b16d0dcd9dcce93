"""Invoices as documents: one-off ones, drafts, void ones, and their numbers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from subscriptions import (
    AsyncBilling,
    InvalidTransition,
    Money,
    OneOff,
    Reset,
    Seller,
    Series,
    TaxRate,
    TaxRates,
    UnknownReference,
    ValidationError,
)
from subscriptions.events import Recorded
from subscriptions.invoices import (
    InvoiceDrafted,
    InvoiceFinalized,
    InvoicePaid,
    InvoiceSent,
    InvoiceVoided,
    Void,
    verify_chain,
)
from subscriptions.testing import TestClock
from tests.scenarios.shop import Shop, eur

Opened = Callable[..., Shop]


def test_a_one_off_invoice_is_numbered_and_charged_at_once(open_a_shop: Opened) -> None:
    shop = open_a_shop(taxes=TaxRates({"DE": TaxRate("19")}))
    ada = shop.customer()
    invoice = shop.billing.invoices.create_one_off(
        ada.id,
        [OneOff("Training", eur("100.00"), Decimal("1.5")), OneOff("Discount", eur("-50.00"))],
    )
    assert [str(line.net) for line in invoice.lines] == ["150.00 EUR", "-50.00 EUR"]
    assert (invoice.status, invoice.total) == ("paid", eur("119.00"))
    assert invoice.period is None
    shop.time.expect(InvoiceFinalized, InvoicePaid).advance()


def test_a_draft_has_no_number_is_not_owed_and_waits(shop: Shop) -> None:
    ada = shop.customer()
    draft = shop.billing.invoices.create_one_off(
        ada.id, [OneOff("Work", eur("10.00"))], finalize=False
    )
    assert (draft.status, draft.number, draft.amount_due) == ("draft", None, eur("0.00"))
    shop.time.expect(InvoiceDrafted).advance(months=2)
    assert shop.gateway.charges == ()
    final = shop.billing.invoices.finalize(draft.id)
    assert (final.status, final.number, final.issued_on) == (
        "paid",
        "INV-2027-00001",
        date(2027, 3, 1),
    )


def test_a_draft_gets_the_terms_of_who_pays_it_when_it_is_final(shop: Shop) -> None:
    ada = shop.customer(token=None)
    draft = shop.billing.invoices.create_one_off(
        ada.id, [OneOff("Work", eur("10.00"))], finalize=False
    )
    shop.billing.payment_methods.attach(ada.id, "tok_visa")
    final = shop.billing.invoices.finalize(draft.id)
    assert (final.status, final.due_on) == ("paid", date(2027, 1, 1))


def test_a_final_invoice_is_not_finalized_again(shop: Shop) -> None:
    ada = shop.customer()
    invoice = shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("10.00"))])
    with pytest.raises(InvalidTransition):
        shop.billing.invoices.finalize(invoice.id)


def test_a_void_invoice_keeps_its_number_and_is_not_collected(shop: Shop) -> None:
    ada = shop.customer(token=None)
    for _ in range(3):
        shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("10.00"))])
    second = shop.invoices()[1]
    void = shop.billing.invoices.void(second.id, reason="entered twice")
    assert void.state == Void(shop.time.now, "entered twice")
    assert void.amount_due == eur("0.00")
    shop.time.expect(InvoiceVoided).advance()
    assert [each.number for each in shop.invoices()] == [
        "INV-2027-00001",
        "INV-2027-00002",
        "INV-2027-00003",
    ]
    payment = shop.billing.payments.record(ada.id, eur("30.00"))
    assert [part.invoice for part in payment.allocations] == [
        shop.invoices()[0].id,
        shop.invoices()[2].id,
    ]


def test_a_paid_invoice_cannot_be_voided(shop: Shop) -> None:
    ada = shop.customer()
    invoice = shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("10.00"))])
    for command in (shop.billing.invoices.void, shop.billing.invoices.mark_uncollectible):
        with pytest.raises(InvalidTransition):
            command(invoice.id, reason="changed my mind")
    with pytest.raises(InvalidTransition):
        shop.billing.invoices.pay(invoice.id)


def test_a_partly_paid_invoice_cannot_be_voided(shop: Shop) -> None:
    ada = shop.customer(token=None)
    invoice = shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("10.00"))])
    shop.billing.payments.record(ada.id, eur("1.00"))
    with pytest.raises(InvalidTransition):
        shop.billing.invoices.void(invoice.id, reason="a mistake")


def test_numbers_begin_again_with_the_sellers_new_year(open_a_shop: Opened) -> None:
    # In Berlin it is already 2028 when it is still 2027 in UTC.
    shop = open_a_shop(
        start=datetime(2027, 12, 31, 22, 0, tzinfo=UTC),
        seller=Seller("Acme GmbH", zone="Europe/Berlin"),
    )
    ada = shop.customer()
    for _ in range(4):
        shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("10.00"))])
        shop.time.advance(minutes=30)
    assert [(each.number, each.issued_on) for each in shop.invoices()] == [
        ("INV-2027-00001", date(2027, 12, 31)),
        ("INV-2027-00002", date(2027, 12, 31)),
        ("INV-2028-00001", date(2028, 1, 1)),
        ("INV-2028-00002", date(2028, 1, 1)),
    ]


def test_numbers_rise_with_finalization_though_a_command_names_an_earlier_time(
    shop: Shop,
) -> None:
    ada = shop.customer(token=None)
    create, line = shop.billing.invoices.create_one_off, [OneOff("Work", eur("10.00"))]
    shop.time.advance(to=date(2028, 1, 2))
    create(ada.id, line)
    late = create(ada.id, line, at=datetime(2027, 12, 30, tzinfo=UTC))
    assert late.number == "INV-2028-00002", "not one of 2027 after one of 2028"
    assert late.issued_on == date(2028, 1, 2)


def test_a_month_of_numbers_with_a_prefix_of_the_sellers_own(open_a_shop: Opened) -> None:
    shop = open_a_shop(
        seller=Seller(
            "Acme GmbH",
            invoice_numbers=Series(
                "{prefix}{year}/{month}-{counter:03}", reset=Reset.MONTHLY, prefix="RE"
            ),
            customer_numbers=Series("K{counter:05}", last_counter=411, last_on=date(2026, 12, 1)),
        )
    )
    ada = shop.customer()
    assert ada.number == "K00412"
    shop.subscribe(ada)
    shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("10.00"))])
    shop.time.advance(months=2)
    assert [each.number for each in shop.invoices()] == [
        "RE2027/01-001",
        "RE2027/01-002",
        "RE2027/02-001",
        "RE2027/03-001",
    ]


def test_a_number_given_by_hand_is_skipped_by_the_range(shop: Shop) -> None:
    shop.billing.customers.create(name="Bob", number="000002")
    numbers = [shop.customer().number for _ in range(3)]
    assert numbers == ["000001", "000003", "000004"]


def test_the_chain_of_documents_goes_on_over_drafts_voids_and_years(shop: Shop) -> None:
    ada = shop.customer()
    shop.subscribe(ada)
    bob = shop.customer(token=None, name="Bob")
    draft = shop.billing.invoices.create_one_off(
        bob.id, [OneOff("Work", eur("10.00"))], finalize=False
    )
    void = shop.billing.invoices.create_one_off(bob.id, [OneOff("Work", eur("10.00"))])
    shop.billing.invoices.void(void.id, reason="a mistake")
    shop.time.advance(months=13)
    shop.billing.invoices.finalize(draft.id)
    final = sorted(shop.invoices(), key=lambda each: each.number or "")
    assert len(final) == 16
    assert final[-1].number == "INV-2028-00003"
    assert list(verify_chain(final)) == []
    assert shop.billing.invoices.verify() == ()


# ---- the draft window ---------------------------------------------------------------------------


@pytest.fixture
def windowed(open_a_shop: Opened) -> Shop:
    return open_a_shop(seller=Seller("Acme GmbH", draft_window_hours=48))


def test_what_renews_is_a_draft_for_the_window_and_then_final(windowed: Shop) -> None:
    ada = windowed.customer()
    windowed.subscribe(ada)
    windowed.time.advance()
    assert windowed.statuses(ada) == ["paid"], "who has just bought is billed at once"
    windowed.time.advance(to=date(2027, 2, 2))
    assert windowed.statuses(ada) == ["paid", "draft"]
    windowed.time.advance(to=date(2027, 2, 3))
    second = windowed.invoices(ada)[1]
    assert (second.status, second.number, second.issued_on) == (
        "paid",
        "INV-2027-00002",
        date(2027, 2, 3),
    )


def test_a_draft_can_be_made_final_before_its_time(windowed: Shop) -> None:
    ada = windowed.customer()
    windowed.subscribe(ada)
    windowed.time.advance(to=date(2027, 2, 1))
    draft = windowed.invoices(ada)[1]
    final = windowed.billing.invoices.finalize(draft.id)
    assert (final.status, final.issued_on) == ("paid", date(2027, 2, 1))
    windowed.time.advance(days=5)
    assert windowed.billing.invoices.get(draft.id) == final


def test_lines_are_added_to_a_draft_and_what_waits_comes_too(windowed: Shop) -> None:
    ada = windowed.customer()
    windowed.subscribe(ada)
    windowed.time.advance(to=date(2027, 2, 1))
    draft = windowed.invoices(ada)[1]
    windowed.billing.invoices.add_lines(draft.id, [OneOff("Sorry", eur("-9.00"))])
    windowed.billing.invoices.add_pending_item(ada.id, OneOff("Work", eur("5.00")))
    windowed.time.advance(days=2)
    final = windowed.billing.invoices.get(draft.id)
    assert [line.description for line in final.lines] == ["Pro", "Sorry", "Work"]
    assert (final.total, final.issued_on) == (eur("25.00"), date(2027, 2, 3))


def test_a_draft_that_is_dropped_has_no_number_and_leaves_no_gap(windowed: Shop) -> None:
    ada = windowed.customer()
    windowed.subscribe(ada)
    windowed.time.advance(to=date(2027, 2, 1))
    draft = windowed.invoices(ada)[1]
    dropped = windowed.billing.invoices.void(draft.id, reason="goodwill")
    assert (dropped.status, dropped.number) == ("void", None)
    windowed.time.advance(to=date(2027, 3, 3))
    assert [each.number for each in windowed.invoices(ada)] == [
        "INV-2027-00001",
        None,
        "INV-2027-00002",
    ]
    with pytest.raises(InvalidTransition):
        windowed.billing.invoices.regenerate(draft.id)


def test_nothing_is_given_back_of_what_was_dropped_or_void(windowed: Shop) -> None:
    ada, bob = windowed.customer(), windowed.customer(token=None, name="Bob")
    hers, his = windowed.subscribe(ada), windowed.subscribe(bob)
    windowed.time.advance()
    windowed.billing.payments.record(bob.id, eur("29.00"))
    windowed.time.advance(to=date(2027, 2, 1))
    windowed.billing.invoices.void(windowed.invoices(ada)[1].id, reason="goodwill")
    windowed.billing.invoices.finalize(windowed.invoices(bob)[1].id)
    windowed.billing.invoices.void(windowed.invoices(bob)[1].id, reason="goodwill")
    windowed.time.advance(days=10)
    for subscription, owner in ((hers, ada), (his, bob)):
        windowed.billing.subscriptions.cancel(subscription.id, when="now", settlement="credit")
        assert len(windowed.invoices(owner)) == 2
        assert windowed.billing.customers.get(owner.id).balance == ()


def test_lines_are_added_only_to_drafts_in_their_currency(shop: Shop) -> None:
    ada = shop.customer()
    final = shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("10.00"))])
    add = shop.billing.invoices.add_lines
    with pytest.raises(InvalidTransition):
        add(final.id, [OneOff("Work", eur("10.00"))])
    draft = shop.billing.invoices.create_one_off(
        ada.id, [OneOff("Work", eur("10.00"))], finalize=False
    )
    for line in (OneOff("Work", Money.of("1.00", "USD")), OneOff("Sorry", eur("-10.01"))):
        with pytest.raises(ValidationError):
            add(draft.id, [line])
    assert shop.billing.invoices.get(draft.id) == draft
    with pytest.raises(ValidationError):
        add(draft.id, [])


@pytest.mark.parametrize("hours", [1, 36, 24 * 31])
def test_one_run_makes_the_documents_of_daily_runs_with_a_window_too(
    open_a_shop: Opened, hours: int
) -> None:
    told: list[list[tuple[object, ...]]] = []
    for tenant, step in (("daily", 1), ("once", 100)):
        shop = open_a_shop(
            tenant=tenant,
            process=tenant,
            seller=Seller("Acme GmbH", draft_window_hours=hours, zone="Europe/Berlin"),
        )
        ada = shop.customer()
        price = shop.price()
        for day in (5, 6, 31):
            shop.subscribe(ada, price, start=date(2027, 1, day))
        for _ in range(100 // step):
            shop.time.advance(days=step)
        told.append(
            [
                (
                    each.number,
                    each.issued_on,
                    each.due_on,
                    each.total,
                    each.status,
                    str(each.period),
                )
                for each in shop.invoices(ada)
            ]
        )
    assert told[0] == told[1]
    assert len(told[0]) > 8


# ---- what is made again, given up, sent ---------------------------------------------------------


def test_a_void_invoice_is_made_again_once_and_both_say_so(shop: Shop) -> None:
    ada = shop.customer(token=None)
    shop.subscribe(ada)
    shop.time.advance()
    first = shop.only_invoice(ada)
    with pytest.raises(InvalidTransition):
        shop.billing.invoices.regenerate(first.id)
    shop.billing.invoices.void(first.id, reason="wrong address")
    shop.billing.customers.update(ada.id, name="Ada King")
    again = shop.billing.invoices.regenerate(first.id)
    assert (again.replaces, again.number, again.lines) == (
        first.id,
        "INV-2027-00002",
        first.lines,
    )
    assert again.party is not None
    assert again.party.name == "Ada King"
    assert (again.total, again.subscription) == (first.total, first.subscription)
    assert shop.billing.invoices.get(first.id).replaced_by == again.id
    with pytest.raises(InvalidTransition):
        shop.billing.invoices.regenerate(first.id)
    assert shop.events(first.id)[-2:] == ["invoice.voided", "invoice.replaced"]


def test_what_is_made_again_may_be_a_draft_first(shop: Shop) -> None:
    ada = shop.customer(token=None)
    first = shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("10.00"))])
    shop.billing.invoices.void(first.id, reason="too much")
    draft = shop.billing.invoices.regenerate(first.id, finalize=False)
    shop.billing.invoices.add_lines(draft.id, [OneOff("Sorry", eur("-1.00"))])
    shop.billing.invoices.add_pending_item(ada.id, OneOff("Help", eur("5.00")))
    final = shop.billing.invoices.finalize(draft.id)
    assert (final.replaces, final.total) == (first.id, eur("9.00"))
    assert shop.billing.invoices.verify() == ()


def test_what_an_end_gives_back_is_not_credited_again_on_what_was_made_again(shop: Shop) -> None:
    ada = shop.customer()
    shop.gateway.decline_next("insufficient_funds")
    subscription = shop.subscribe(ada)
    shop.time.advance()
    first = shop.only_invoice(ada)
    shop.billing.invoices.void(first.id, reason="wrong address")
    again = shop.billing.invoices.regenerate(first.id)
    assert again.status == "paid"
    shop.time.advance(days=10)
    shop.billing.subscriptions.cancel(subscription.id, when="now", settlement="credit")
    credit = shop.invoices(ada)[-1]
    assert credit.total.minor < 0
    with pytest.raises(ValidationError) as refused:
        shop.billing.credit_notes.create(again.id, reason="a mistake")
    assert "another invoice" in refused.value.expected


def test_what_was_given_up_is_paid_after_all(shop: Shop) -> None:
    ada = shop.customer(token=None)
    invoice = shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("10.00"))])
    given_up = shop.billing.invoices.mark_uncollectible(invoice.id, reason="moved away")
    assert given_up.amount_due == eur("10.00")
    shop.billing.payments.record(ada.id, eur("4.00"), invoice=invoice.id)
    assert shop.only_invoice(ada).status == "uncollectible"
    shop.billing.payments.record(ada.id, eur("6.00"), invoice=invoice.id)
    assert shop.only_invoice(ada).status == "paid"


def test_an_invoice_is_sent_as_often_as_it_is_asked_for(shop: Shop) -> None:
    ada = shop.customer(token=None)
    shop.billing.customers.update(ada.id, email="ada@example.com")
    told: list[tuple[int, str]] = []

    def on_event(event: Recorded) -> None:
        if isinstance(event.body, InvoiceSent):
            sendings = shop.billing.invoices.get(event.body.invoice).sendings
            told.append((event.body.ordinal, sendings[event.body.ordinal - 1].recipient))

    shop.billing.events.subscribe(on_event)
    invoice = shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("10.00"))])
    shop.billing.invoices.send(invoice.id)
    shop.billing.invoices.send(invoice.id, to="books@example.com")
    assert told == [(1, "ada@example.com"), (2, "books@example.com")]
    assert shop.billing.invoices.verify() == ()


def test_only_what_is_owed_or_paid_is_sent_and_to_somebody(shop: Shop) -> None:
    ada = shop.customer(token=None)
    send, line = shop.billing.invoices.send, [OneOff("Work", eur("10.00"))]
    draft = shop.billing.invoices.create_one_off(ada.id, line, finalize=False)
    with pytest.raises(InvalidTransition):
        send(draft.id, to="ada@example.com")
    invoice = shop.billing.invoices.create_one_off(ada.id, line)
    for to in (None, "ada", "ada@example.com, bob@example.com"):
        with pytest.raises(ValidationError) as refused:
            send(invoice.id, to=to)
        assert refused.value.field == "to"
    shop.billing.invoices.void(invoice.id, reason="a mistake")
    with pytest.raises(InvalidTransition):
        send(invoice.id, to="ada@example.com")


# ---- pro-forma ----------------------------------------------------------------------------------


def test_a_pro_forma_of_lines_is_shown_and_owed_by_nobody(shop: Shop) -> None:
    ada = shop.customer()
    made = shop.billing.invoices.pro_forma(ada.id, [OneOff("Work", eur("10.00"), 3)])
    assert (made.total, made.number) == (eur("30.00"), None)
    assert shop.billing.invoices.get_pro_forma(made.id) == made
    text = shop.billing.invoices.pro_forma_text(made.id)
    assert "PRO FORMA INVOICE" in text
    assert "30.00" in text
    assert "PROFORMA-RECHNUNG" in shop.billing.invoices.pro_forma_text(made.id, language="de")
    shop.time.advance(months=3)
    assert (shop.invoices(), shop.payments()) == ([], [])
    assert list(shop.billing.invoices.pro_formas(customer=ada.id)) == [made]


def test_pro_formas_have_numbers_of_their_own_if_the_seller_likes(open_a_shop: Opened) -> None:
    shop = open_a_shop(seller=Seller("Acme GmbH", pro_forma_numbers=Series("PF-{counter}")))
    ada = shop.customer()
    lines = [OneOff("Work", eur("10.00"))]
    made = [shop.billing.invoices.pro_forma(ada.id, lines) for _ in range(2)]
    invoice = shop.billing.invoices.create_one_off(ada.id, lines)
    assert [each.number for each in made] == ["PF-1", "PF-2"]
    assert invoice.number == "INV-2027-00001"
    assert list(shop.billing.invoices.pro_formas(number="PF-2")) == made[1:]


def test_a_pro_forma_of_a_subscription_shows_its_next_invoice(shop: Shop) -> None:
    ada = shop.customer()
    subscription = shop.subscribe(ada)
    shop.time.advance()
    made = shop.billing.invoices.pro_forma(ada.id, subscription=subscription.id)
    shop.time.advance(months=1)
    assert made.shown.lines == shop.invoices(ada)[1].lines
    shop.billing.subscriptions.cancel(subscription.id, when="now")
    with pytest.raises(ValidationError):
        shop.billing.invoices.pro_forma(ada.id, subscription=subscription.id)


def test_a_pro_forma_is_of_lines_or_of_a_subscription_of_his(shop: Shop) -> None:
    ada, bob = shop.customer(), shop.customer(name="Bob")
    his = shop.subscribe(bob)
    lines = [OneOff("Work", eur("10.00"))]
    pro_forma = shop.billing.invoices.pro_forma
    with pytest.raises(ValidationError):
        pro_forma(ada.id)
    with pytest.raises(ValidationError):
        pro_forma(ada.id, lines, subscription=his.id)
    with pytest.raises(UnknownReference):
        pro_forma("cus_nobody", lines)
    with pytest.raises(UnknownReference):
        pro_forma(ada.id, subscription=his.id)


# ---- without blocking ---------------------------------------------------------------------------


async def _everything(billing: AsyncBilling) -> list[str]:
    ada = await billing.customers.create(name="Ada", email="ada@example.com")
    line = OneOff("Work", eur("10.00"))
    item = await billing.invoices.add_pending_item(ada.id, line)
    await billing.invoices.remove_pending_item(item.id)
    await billing.invoices.add_pending_item(ada.id, line)
    first = await billing.invoices.invoice_pending_items(ada.id)
    await billing.invoices.send(first.id)
    await billing.invoices.void(first.id, reason="a mistake")
    draft = await billing.invoices.regenerate(first.id, finalize=False)
    await billing.invoices.add_lines(draft.id, [line])
    final = await billing.invoices.finalize(draft.id)
    made = await billing.invoices.pro_forma(ada.id, [line])
    text = await billing.invoices.pro_forma_text(made.id)
    assert await billing.invoices.get_pro_forma(made.id) == made
    assert await billing.invoices.upcoming(customer=ada.id) is None
    assert await billing.invoices.verify(final.id) == ()
    assert await billing.invoices.verify() == ()
    items = [each.status async for each in await billing.invoices.pending_items()]
    pro_formas = [each.id async for each in await billing.invoices.pro_formas()]
    assert pro_formas == [made.id]
    return [final.number or "", str(final.total), text.splitlines()[0][-17:], *items]


def test_all_of_it_is_there_for_asynchronous_hosts() -> None:
    told = asyncio.run(_everything(AsyncBilling(clock=TestClock(date(2027, 1, 1)))))
    assert told == ["INV-2027-00002", "20.00 EUR", "PRO FORMA INVOICE", "withdrawn", "invoiced"]
