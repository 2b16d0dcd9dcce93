"""Why is it this much that I get back? Every line of a credit note can be shown, step by step."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, date, datetime
from fractions import Fraction

import pytest

from subscriptions import (
    AsyncBilling,
    DomainError,
    Interval,
    NotFound,
    OneOff,
    PerUnit,
    TaxRate,
    TaxRates,
    ValidationError,
)
from subscriptions.credit_notes import CreditNote
from subscriptions.taxes import TaxBehavior
from subscriptions.testing import TestClock
from tests.core.telling import reckon
from tests.scenarios.shop import MONTHLY, Shop, eur

Opened = Callable[..., Shop]
VAT = TaxRates({"DE": TaxRate("19")})


def sentences(shop: Shop, note: CreditNote, language: str | None = None) -> list[str]:
    explained = shop.billing.credit_notes.explain(note.id, language=language)
    return [each.sentence.replace("\xa0", " ").replace("\u202f", " ") for each in explained]


def check_all(shop: Shop) -> int:
    """Recompute every line that was ever credited, by values and in words; returns how many."""
    count = 0
    notes = list(shop.billing.credit_notes.list())
    for note in notes:
        invoice = shop.billing.invoices.get(note.invoice)
        explained = shop.billing.credit_notes.explain(note.id, language="en")
        assert [each.line for each in explained] == list(range(len(note.lines)))
        for line, each in zip(note.lines, explained, strict=True):
            told, source = each.explanation, invoice.lines[line.line]
            assert (told.credits.invoice, told.credits.line) == (invoice.id, line.line)
            assert told.invoice_number == invoice.number
            before = {
                other.number: part.amount_minor
                for other in notes
                if other.invoice == note.invoice and other.ordinal < note.ordinal
                for part in other.lines
                if part.line == line.line and part.amount_minor
            }
            assert {x.number: x.amount_minor for x in told.earlier} == before
            charged = source.amount_minor - sum(share.amount_minor for share in source.discounts)
            assert told.charged_minor == charged
            assert told.earlier_minor == sum(before.values())
            assert charged - sum(before.values()) - told.left_minor == line.amount_minor
            assert told.amount == line.amount
            assert told.share == Fraction(line.amount_minor, charged)
            assert line.amount_minor - told.tax_inside_minor == line.net_minor
            assert told.net == line.net
            assert (told.rate, told.more_rates) == (line.rate, line.more_rates)
            assert [group.percent for group in told.taxes if group.percent] == [
                rate.percent for rate in (line.rate, *line.more_rates) if rate.percent
            ]
            assert reckon(each.sentence) * 100 == line.amount_minor, each.sentence
            assert f"(line {line.line + 1} of invoice {invoice.number})" in each.sentence
            assert all(str(number) in each.sentence for number in before)
            count += 1
    return count


def test_what_was_credited_before_and_what_is_left_stand_in_the_sentence(
    open_a_shop: Opened,
) -> None:
    shop = open_a_shop(taxes=VAT)
    ada = shop.customer(token=None)
    lines = [OneOff("Work", eur("30.00"), 3), OneOff("Journey", eur("50.00"))]
    invoice = shop.billing.invoices.create_one_off(ada.id, lines)
    create = shop.billing.credit_notes.create
    first = create(invoice.id, lines={0: eur("10.00")}, reason="Came late")
    second = create(invoice.id, lines={0: eur("20.00"), 1: eur("50.00")}, reason="Came late")
    last = create(invoice.id, reason="Goodwill")
    of = f"of invoice {invoice.number}"
    assert sentences(shop, first) == [
        (
            f"Work (line 1 {of}): 3 × €30.00 = €90.00, less €80.00 not credited here = €10.00, "
            "plus 19% VAT."
        ),
    ]
    assert sentences(shop, second) == [
        (
            f"Work (line 1 {of}): 3 × €30.00 = €90.00, "
            f"less €10.00 credited earlier ({first.number}), "
            "less €60.00 not credited here = €20.00, plus 19% VAT."
        ),
        f"Journey (line 2 {of}): €50.00, credited in full, plus 19% VAT.",
    ]
    assert sentences(shop, last) == [
        (
            f"Work (line 1 {of}): 3 × €30.00 = €90.00, less €30.00 credited earlier "
            f"({first.number}, {second.number}) = €60.00, plus 19% VAT."
        ),
    ]
    # What comes later changes nothing of what a note says.
    assert check_all(shop) == 4


def test_it_is_told_in_the_customers_language_or_the_one_that_is_asked_for(
    open_a_shop: Opened,
) -> None:
    shop = open_a_shop(taxes=VAT)
    ada = shop.customer(token=None)
    shop.billing.customers.update(ada.id, language="de")
    invoice = shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("90.00"))])
    note = shop.billing.credit_notes.create(invoice.id, lines={0: eur("1.00")}, reason="x")
    german = (
        f"Work (Position 1 der Rechnung {invoice.number}): 90,00 €, abzüglich hier nicht "
        "korrigierter 89,00 € = 1,00 €, zuzüglich 19 % USt."
    )
    assert sentences(shop, note) == sentences(shop, note, "de-DE") == [german]
    assert sentences(shop, note, "ja") == sentences(shop, note, "en") != [german]
    # A language of later is not that of the note.
    shop.billing.customers.update(ada.id, language="fr")
    assert sentences(shop, note) == [german]


def test_of_a_period_with_discounts_and_tax_inside_the_whole_way_is_shown(
    open_a_shop: Opened,
) -> None:
    shop = open_a_shop(taxes=VAT)
    pro = shop.billing.catalog.add_price(
        "Pro",
        PerUnit("0.3333"),
        currency="EUR",
        every=MONTHLY,
        tax_behavior=TaxBehavior.INCLUSIVE,
    )
    coupon = shop.billing.coupons.create("Welcome", percent_off=20)
    shop.billing.subscriptions.create(shop.customer().id, [(pro.id, 17)], coupons=[coupon.id])
    invoice = shop.only_invoice()
    note = shop.billing.credit_notes.create(invoice.id, amount=eur("1.00"), reason="An outage")
    assert sentences(shop, note) == [
        (
            f"Pro, Jan 1, 2027 – Jan 31, 2027 (line 1 of invoice {invoice.number}): "
            "17 × €0.3333 = €5.6661, rounded to €5.67, less €1.13 (Welcome) = €4.54, "
            "less €3.54 not credited here = €1.00, including 19% VAT: €0.84 net."
        ),
    ]
    assert check_all(shop) == 1


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_credited_is_told_exactly(open_a_shop: Opened, seed: int) -> None:
    choose = random.Random(seed)
    rates = (TaxRate("9.975", name="QST"),) if seed % 3 == 2 else ()
    taxes = TaxRates({"DE": (TaxRate("5", name="GST"), *rates)}) if rates else VAT
    shop = open_a_shop(taxes=taxes)
    coupon = shop.billing.coupons.create("Welcome", percent_off=choose.choice([10, 15, 33]))
    behavior = choose.choice(list(TaxBehavior))
    prices = [
        shop.billing.catalog.add_price(
            f"Plan {n}",
            eur(f"{choose.randint(1, 90)}.{choose.randint(10, 99)}"),
            every=Interval.months(1),
            tax_behavior=behavior,
        )
        for n in range(3)
    ]
    shop.billing.subscriptions.create(
        shop.customer().id,
        [(each.id, choose.randint(1, 9)) for each in prices],
        coupons=[coupon.id],
    )
    invoice = shop.only_invoice()
    for _ in range(6):
        lines = {choose.randrange(3): eur(f"{choose.randint(0, 9)}.{choose.randint(10, 99)}")}
        amount = eur(f"{choose.randint(0, 20)}.{choose.randint(10, 99)}")
        by_line = choose.random() < 0.5
        try:
            shop.billing.credit_notes.create(
                invoice.id,
                lines=lines if by_line else None,
                amount=None if by_line else amount,
                reason="Goodwill",
            )
        except DomainError:
            continue  # more than is left
    shop.billing.credit_notes.create(invoice.id, reason="The rest")
    assert check_all(shop) >= 5


def test_a_reduction_that_is_taken_back_is_told_with_its_sign(open_a_shop: Opened) -> None:
    shop = open_a_shop(taxes=VAT)
    lines = [OneOff("Work", eur("100.00")), OneOff("Friend", eur("-10.00"))]
    invoice = shop.billing.invoices.create_one_off(shop.customer(token=None).id, lines)
    note = shop.billing.credit_notes.create(
        invoice.id, lines={0: eur("50.00"), 1: eur("-4.00")}, reason="Half of it"
    )
    assert sentences(shop, note)[1] == (
        f"Friend (line 2 of invoice {invoice.number}): -€10.00, less -€6.00 not credited here "
        "= -€4.00, plus 19% VAT."
    )
    assert check_all(shop) == 2


def test_one_line_is_asked_for_by_its_place_in_the_note(open_a_shop: Opened) -> None:
    shop = open_a_shop(taxes=VAT)
    lines = [OneOff(f"Work {n}", eur("10.00")) for n in range(3)]
    invoice = shop.billing.invoices.create_one_off(shop.customer(token=None).id, lines)
    note = shop.billing.credit_notes.create(
        invoice.id, lines={1: eur("10.00"), 2: eur("10.00")}, reason="x"
    )
    explain = shop.billing.credit_notes.explain
    (only,) = explain(note.id, 1)
    assert (only.line, only.explanation.credits.line) == (1, 2)
    assert only == explain(note.id)[1]
    for wrong in (-1, 2, True, "0"):
        with pytest.raises(ValidationError, match="line"):
            explain(note.id, wrong)  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        explain("cn_unknown")
    with pytest.raises(ValidationError, match="language"):
        explain(note.id, language="")


def test_with_await_it_is_the_same() -> None:
    async def story() -> list[str]:
        clock = TestClock(datetime(2027, 1, 1, 9, tzinfo=UTC))
        billing = AsyncBilling(clock=clock, taxes=VAT)
        ada = await billing.customers.create(name="Ada", country="DE", language="nl")
        invoice = await billing.invoices.create_one_off(ada.id, [OneOff("Werk", eur("9.00"))])
        note = await billing.credit_notes.create(invoice.id, amount=eur("1.19"), reason="x")
        assert note.issued_on == date(2027, 1, 1)
        return [each.sentence for each in await billing.credit_notes.explain(note.id)]

    (told,) = asyncio.run(story())
    assert told.replace("\xa0", " ") == (
        "Werk (regel 1 van factuur INV-2027-00001): € 9,00, min € 8,00 die hier niet wordt "
        "gecrediteerd = € 1,00, plus 19% btw."
    )
