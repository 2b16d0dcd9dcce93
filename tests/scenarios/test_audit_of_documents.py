"""Documents as a tax adviser reads them: nothing on them is false, and nothing is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from decimal import Decimal
from functools import partial
from random import Random

import pytest
from attrs import evolve

from subscriptions import (
    Address,
    DomainError,
    InvalidTransition,
    Money,
    OneOff,
    Seller,
    ValidationError,
)
from subscriptions.billing_cycles import Period
from subscriptions.customers import Customer
from subscriptions.ids import InvoiceId
from subscriptions.invoices import Invoice
from subscriptions.lifecycle import Subscription
from subscriptions.tax_services.fake import FakeTaxIds
from subscriptions.taxes import EU_VAT, SmallBusiness, TaxBehavior, TaxExemption, TaxPolicy, TaxRate
from tests.scenarios.shop import MONTHLY, Shop, eur

Opened = Callable[..., Shop]

ACME = Seller("Acme GmbH", address=Address(country="DE"), tax_id="DE136695976")
GROSS = OneOff("Buch", eur("11.90"), tax_behavior=TaxBehavior.INCLUSIVE)
NET = OneOff("Dienst", eur("100.00"))
ALL_GROSS = "Die Preise enthalten die Umsatzsteuer."


def text_of(shop: Shop, owner: Customer, *lines: OneOff) -> str:
    return shop.billing.invoices.text(shop.billing.invoices.create_one_off(owner.id, lines).id)


def german(shop: Shop, country: str = "DE", exemption: TaxExemption | None = None) -> Customer:
    return shop.billing.customers.create(
        name="Ada", country=country, language="de", tax_exemption=exemption
    )


# ---- "prices include VAT" is said only where they do ---------------------------------------------


def test_what_bears_no_tax_is_not_said_to_contain_any(open_a_shop: Opened) -> None:
    shop = open_a_shop(taxes=TaxPolicy(EU_VAT), seller=ACME)
    abroad, exempt = german(shop, "US"), german(shop, exemption=TaxExemption("§ 4 Nr. 21 UStG"))
    assert ALL_GROSS not in text_of(shop, abroad, GROSS)
    assert ALL_GROSS not in text_of(shop, exempt, GROSS)
    assert ALL_GROSS in text_of(shop, german(shop), GROSS)


def test_a_small_business_never_writes_of_tax_in_its_prices(open_a_shop: Opened) -> None:
    scheme = SmallBusiness("Kleinunternehmer, § 19 UStG")
    shop = open_a_shop(taxes=TaxPolicy(EU_VAT, small_business=scheme), seller=ACME)
    text = text_of(shop, german(shop), GROSS)
    assert ALL_GROSS not in text
    assert "Kleinunternehmer, § 19 UStG" in text


def test_where_only_some_prices_contain_the_tax_each_of_them_says_so(open_a_shop: Opened) -> None:
    shop = open_a_shop(taxes=TaxPolicy(EU_VAT), seller=ACME)
    ada = german(shop)
    invoice = shop.billing.invoices.create_one_off(ada.id, [NET, GROSS])
    text = shop.billing.invoices.text(invoice.id)
    assert ALL_GROSS not in text
    lines = plain(text).splitlines()
    assert lines[lines.index(_row("Buch", "11,90 €")) + 1] == "  1 × 11,90 €; inkl. USt."
    assert lines[lines.index(_row("Dienst", "100,00 €")) + 1] == "  1 × 100,00 €"
    note = shop.billing.credit_notes.create(invoice.id, reason="zurück")
    lines = plain(shop.billing.credit_notes.text(note.id)).splitlines()
    assert lines[lines.index(_row("Buch", "11,90 €")) + 1] == "  inkl. USt."
    assert ALL_GROSS not in lines


def plain(text: str) -> str:
    """Return a text with the spaces that one types."""
    return text.replace("\xa0", " ").replace("\u202f", " ")


def _row(name: str, amount: str) -> str:
    return f"{name}{amount:>{76 - len(name)}}"


# ---- what an invoice names -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("de", "Ersetzt die Rechnung INV-2027-00001 vom 01.01.2027."),
        ("en", "Replaces invoice INV-2027-00001 of Jan 1, 2027."),
    ],
)
def test_what_was_made_again_names_the_invoice_that_it_replaces(
    open_a_shop: Opened, language: str, words: str
) -> None:
    shop = open_a_shop()
    wrong = shop.billing.invoices.create_one_off(german(shop).id, [NET])
    shop.billing.invoices.void(wrong.id, reason="falscher Name")
    right = shop.billing.invoices.regenerate(wrong.id)
    assert words in shop.billing.invoices.text(right.id, language=language)
    assert words not in shop.billing.invoices.text(wrong.id, language=language)


def test_a_draft_is_in_the_customers_language(open_a_shop: Opened) -> None:
    shop = open_a_shop()
    draft = shop.billing.invoices.create_one_off(german(shop).id, [NET], finalize=False)
    assert "RECHNUNG (ENTWURF)" in shop.billing.invoices.text(draft.id)
    (told,) = shop.billing.invoices.explain(draft.id)
    assert "100,00 €" in plain(told.sentence)


# ---- what was never owed is not given back, and nothing is given back twice --------------------


@pytest.fixture
def half_used(open_a_shop: Opened) -> tuple[Shop, Subscription, Invoice]:
    """Return a shop, a subscription in the middle of January, and its unpaid invoice of 31.00."""
    shop = open_a_shop(seller=Seller("Acme GmbH", terms_days=90))
    ada = shop.customer(token=None)
    subscription = shop.subscribe(ada, shop.price(eur("31.00")))
    shop.time.advance(days=10)
    return shop, subscription, shop.only_invoice(ada)


HalfUsed = tuple[Shop, Subscription, Invoice]


def owed_for(shop: Shop) -> Money:
    """Return what the documents ask for in all, credit notes and void invoices taken off."""
    asked = sum(each.total_minor for each in shop.invoices() if each.status != "void")
    back = sum(note.total_minor for note in shop.billing.credit_notes.list())
    return Money(asked - back, eur("0").currency)


def test_an_invoice_of_which_an_end_gave_back_a_part_cannot_be_void(half_used: HalfUsed) -> None:
    shop, subscription, invoice = half_used
    shop.billing.subscriptions.cancel(subscription.id, when="now", settlement="credit")
    # 10 of 31 days were used; void, it would have been a gift of 21.00 beside them.
    assert owed_for(shop) == eur("10.00")
    with pytest.raises(InvalidTransition) as refused:
        shop.billing.invoices.void(invoice.id, reason="a mistake")
    assert "use credit_notes.create" in str(refused.value)
    with pytest.raises(ValidationError):
        shop.billing.credit_notes.create(invoice.id, lines={0: eur("10.01")}, reason="a mistake")
    shop.billing.credit_notes.create(invoice.id, lines={0: eur("10.00")}, reason="a mistake")
    assert owed_for(shop) == eur("0.00")


def test_nor_one_of_which_a_part_waits_for_the_next_invoice(half_used: HalfUsed) -> None:
    shop, subscription, invoice = half_used
    price = subscription.items[0].price
    shop.billing.subscriptions.change(subscription.id, quantities={price: 2})
    assert shop.pending(subscription)
    with pytest.raises(InvalidTransition):
        shop.billing.invoices.void(invoice.id, reason="a mistake")
    shop.time.advance(to=date(2027, 2, 1))
    # 31.00 - 21.00 + 42.00 for January, and 62.00 for February.
    assert owed_for(shop) == eur("114.00")


def test_a_draft_of_which_a_part_waits_to_be_given_back_is_not_dropped(
    open_a_shop: Opened,
) -> None:
    shop = open_a_shop(seller=Seller("Acme GmbH", terms_days=90, draft_window_hours=48))
    subscription = shop.subscribe(shop.customer(token=None), shop.price(eur("28.00")))
    shop.time.advance(to=date(2027, 2, 1))
    draft = shop.invoices()[-1]
    price = subscription.items[0].price
    shop.billing.subscriptions.change(subscription.id, quantities={price: 2})
    with pytest.raises(InvalidTransition):
        shop.billing.invoices.void(draft.id, reason="a mistake")


@pytest.mark.parametrize(
    ("credited", "given_back"),
    [("31.00", "0.00"), ("25.00", "6.00"), ("10.00", "21.00"), ("4.00", "21.00")],
)
def test_a_change_gives_back_no_more_than_credit_notes_have_left(
    half_used: HalfUsed, credited: str, given_back: str
) -> None:
    shop, subscription, invoice = half_used
    shop.billing.credit_notes.create(invoice.id, lines={0: eur(credited)}, reason="goodwill")
    before = owed_for(shop)
    shop.billing.subscriptions.cancel(subscription.id, when="now", settlement="credit")
    assert before - owed_for(shop) == eur(given_back)
    assert owed_for(shop).minor >= 0


def test_nor_of_an_invoice_that_was_made_again(half_used: HalfUsed) -> None:
    shop, subscription, invoice = half_used
    shop.billing.invoices.void(invoice.id, reason="wrong name")
    again = shop.billing.invoices.regenerate(invoice.id)
    shop.billing.credit_notes.create(again.id, reason="goodwill")
    shop.billing.subscriptions.cancel(subscription.id, when="now", settlement="credit")
    assert owed_for(shop) == eur("0.00")


# ---- a draft is taxed as its customer is when it becomes final -----------------------------------

FRENCH = "FR40303265045"


def windowed(open_a_shop: Opened) -> Shop:
    seller = evolve(ACME, draft_window_hours=72, terms_days=90)
    shop: Shop = open_a_shop(taxes=TaxPolicy(EU_VAT), seller=seller, tax_ids=FakeTaxIds())
    return shop


def taxed(invoice: Invoice) -> list[tuple[str, str, int]]:
    return [(tax.category.name, str(tax.percent), tax.tax_minor) for tax in invoice.taxes]


def test_who_loses_his_tax_id_before_the_draft_is_final_is_taxed(open_a_shop: Opened) -> None:
    shop = windowed(open_a_shop)
    customers = shop.billing.customers
    ada = customers.create(name="Ada SARL", country="FR", tax_id=FRENCH)
    subscription = shop.subscribe(ada, shop.price(eur("10.00")))
    shop.time.advance(to=date(2027, 2, 1))
    assert taxed(shop.invoices(ada)[-1]) == [("REVERSE_CHARGE", "0", 0)]
    customers.update(ada.id, tax_id="")
    told = shop.billing.invoices.upcoming(subscription.id)
    assert told is not None
    shop.time.advance(days=4)
    final = shop.invoices(ada)[-1]
    assert final.number is not None
    assert taxed(final) == taxed(told.invoice) == [("STANDARD", "20", 200)]
    assert shop.billing.invoices.verify() == ()


def test_who_moves_before_the_draft_is_final_is_taxed_where_he_is(open_a_shop: Opened) -> None:
    shop = windowed(open_a_shop)
    ada = shop.customer(token=None)
    shop.billing.usage.add_meter("calls")
    calls = shop.billing.catalog.add_price(
        "Calls", eur("1.00"), every=MONTHLY, meter="calls", arrears=True
    )
    made = shop.billing.subscriptions.create(ada.id, [shop.price(eur("10.00")).id, calls.id])
    shop.billing.usage.record(made.id, "calls", event_id="e1", quantity=3)
    shop.time.advance(to=date(2027, 2, 1))
    draft = shop.invoices(ada)[-1]
    own = OneOff("Own", eur("7.00"), tax_rates=(TaxRate("7"),))
    shop.billing.invoices.add_lines(draft.id, [own])
    assert {tax[1] for tax in taxed(shop.invoices(ada)[-1])} == {"19", "7"}
    shop.billing.customers.update(ada.id, address=Address(country="FR"), tax_id=FRENCH)
    shop.time.advance(days=4)
    final = shop.invoices(ada)[-1]
    assert taxed(final) == [("REVERSE_CHARGE", "0", 0), ("STANDARD", "7", 49)]
    assert [line.net for line in final.lines] == [line.net for line in draft.lines] + [eur("7.00")]


def test_a_draft_over_a_change_of_the_rate_keeps_the_rate_of_its_period(
    open_a_shop: Opened,
) -> None:
    seller = Seller("Acme GmbH", draft_window_hours=72, address=Address(country="DE"))
    shop = open_a_shop(taxes=TaxPolicy(EU_VAT), seller=seller, start=date(2020, 11, 30))
    ada = shop.customer(token=None)
    shop.billing.customers.update(ada.id, terms_days=90)
    ahead = shop.price(eur("100.00"))
    behind = shop.billing.catalog.add_price("Behind", eur("100.00"), every=MONTHLY, arrears=True)
    for price in (ahead, behind):
        shop.subscribe(ada, price, start=date(2020, 11, 30))
    shop.time.advance(to=date(2021, 1, 5))
    december = [each for each in shop.invoices(ada) if each.issued_on == date(2021, 1, 2)]
    assert [(str(each.lines[0].period), taxed(each)) for each in december] == [
        ("2020-12-30/2021-01-30", [("STANDARD", "16", 1600)]),
        ("2020-11-30/2020-12-30", [("STANDARD", "16", 1600)]),
    ]


# ---- the return of the one-stop shop -------------------------------------------------------------


def test_what_was_void_within_its_quarter_is_not_declared(open_a_shop: Opened) -> None:
    shop = open_a_shop(taxes=TaxPolicy(EU_VAT), seller=ACME)
    wrong = shop.billing.invoices.create_one_off(german(shop, "FR").id, [NET])
    shop.billing.invoices.void(wrong.id, reason="never ordered")
    report = shop.billing.reports.tax(Period(date(2027, 1, 1), date(2027, 4, 1)))
    assert report.oss == ()
    assert [(row.base_minor, row.documents) for row in report.rows] == [(0, 2)]


# ---- whatever is done to invoices and subscriptions, no line is given back twice -----------------


@pytest.mark.parametrize("seed", range(12))
def test_no_line_is_ever_given_back_beyond_what_it_charged(open_a_shop: Opened, seed: int) -> None:
    choose = Random(seed)
    seller = Seller("Acme GmbH", terms_days=300, draft_window_hours=choose.choice([0, 48]))
    shop = open_a_shop(seller=seller)
    billing = shop.billing
    subscription = shop.subscribe(shop.customer(token=None), shop.price(eur("31.00")))
    shop.time.advance()
    for _ in range(10):
        now = shop.subscription(subscription)
        invoice = choose.choice(shop.invoices())
        quantities: dict[str, int | Decimal] = {now.items[0].price: choose.randint(1, 4)}
        notes = billing.credit_notes.create
        steps: list[Callable[[], object]] = [
            partial(billing.subscriptions.change, now.id, quantities=quantities),
            partial(notes, invoice.id, reason="a"),
            partial(notes, invoice.id, amount=eur("5.00"), reason="b"),
            partial(billing.invoices.void, invoice.id, reason="c"),
            partial(billing.invoices.regenerate, invoice.id),
            partial(shop.time.advance, days=choose.randint(1, 20)),
        ]
        with suppress(DomainError):
            choose.choice(steps)()
    shop.time.advance(months=1, days=3)
    invoices = {each.id: each for each in shop.invoices()}
    given: Counter[tuple[str, int]] = Counter()
    for each in invoices.values():
        for line in each.lines if each.status != "void" else ():
            if line.credits is not None:
                charged = invoices[line.credits.invoice]
                while charged.replaced_by is not None:
                    charged = invoices[charged.replaced_by]
                given[charged.id, line.credits.line] -= line.amount_minor
    for note in billing.credit_notes.list():
        for credited in note.lines:
            given[note.invoice, credited.line] += credited.amount_minor
    for (id, place), minor in given.items():
        line = invoices[InvoiceId(id)].lines[place]
        assert invoices[InvoiceId(id)].status != "void"
        assert abs(minor) <= abs(line.amount_minor - line.discount_minor)
