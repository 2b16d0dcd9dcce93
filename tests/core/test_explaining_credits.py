"""How the amount of a credit note's line comes about: charged, less what is not in it."""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal
from fractions import Fraction

import pytest
from attrs import evolve

from subscriptions import Money, ValidationError
from subscriptions.catalog import Price
from subscriptions.credit_notes import (
    Amounts,
    CreditExplanation,
    CreditNote,
    explain,
    of_amount,
    of_lines,
)
from subscriptions.documents.explaining import credit_sentence
from subscriptions.documents.words import WORDS
from subscriptions.ids import CreditNoteId, InvoiceId, PriceId
from subscriptions.invoices import Invoice
from subscriptions.money import EUR
from subscriptions.testing.builders import a_credit_note, a_price, an_invoice
from tests.core.telling import reckon


def a_note(place: int, parts: Amounts) -> CreditNote:
    return a_credit_note(
        f"cn_{place}",
        ordinal=place,
        lines=parts.lines,
        taxes=parts.taxes,
        net_minor=parts.net_minor,
        tax_minor=parts.tax_minor,
        total_minor=parts.total_minor,
    )


def notes_of(*amounts: str) -> list[CreditNote]:
    """Return credit notes of amounts of the one line of the invoice, one after the other."""
    made: list[CreditNote] = []
    for place, amount in enumerate(amounts, 1):
        parts = of_lines(an_invoice(), made, {0: Money.of(amount, "EUR")})
        made.append(a_note(place, parts))
    return made


def told_of(*amounts: str) -> CreditExplanation:
    notes = notes_of(*amounts)
    return explain(notes[-1], 0, an_invoice(), notes)


def test_the_parts_are_what_was_charged_less_what_is_not_in_it() -> None:
    told = told_of("10.00", "4.00", "5.00")
    assert (told.charged_minor, told.earlier_minor, told.left_minor) == (2900, 1400, 1000)
    assert told.charged_minor - told.earlier_minor - told.left_minor == told.amount_minor == 500
    assert [(x.credit_note, x.number, x.amount_minor) for x in told.earlier] == [
        ("cn_1", "CN-cn_1", 1000),
        ("cn_2", "CN-cn_2", 400),
    ]
    assert told.amount == told.net == Money(500, EUR)
    assert told.tax_inside_minor == 0
    assert told.share == Fraction(5, 29)
    assert [(group.percent, group.tax_minor) for group in told.taxes] == [(Decimal(19), 95)]
    assert told.charged.amount_minor == 2900


def test_the_order_in_which_the_notes_are_given_does_not_count() -> None:
    notes = notes_of("10.00", "4.00", "5.00")
    for place in range(3):
        told = explain(notes[place], 0, an_invoice(), notes)
        assert told == explain(notes[place], 0, an_invoice(), notes[::-1])
        assert len(told.earlier) == place


def test_a_tax_that_was_left_over_stands_on_a_line_of_nothing() -> None:
    whole = an_invoice()
    (line,), (group,) = whole.lines, whole.taxes
    # 19 % of 0.03 is 0.01, and no net has a gross of 0.03: the credit of that is 0.03 without tax.
    invoice = an_invoice(
        lines=(evolve(line, amount_minor=3, net_minor=3, unit_price=None),),
        taxes=(evolve(group, base_minor=3, tax_minor=1),),
        net_minor=3,
        tax_minor=1,
        total_minor=4,
    )
    first = a_note(1, of_amount(invoice, [], Money.of("0.03", "EUR")))
    last = a_note(2, of_lines(invoice, [first]))
    told = explain(last, 0, invoice, [first])
    assert (told.charged_minor, told.earlier_minor, told.left_minor) == (3, 3, 0)
    assert told.amount_minor == 0
    assert told.share == 0
    assert [group.tax_minor for group in told.taxes] == [1]
    sentence = credit_sentence(told).replace("\xa0", " ")
    assert sentence.endswith("€0.03, less €0.03 credited earlier (CN-cn_1) = €0.00, plus 19% VAT.")


def test_of_a_line_that_charged_nothing_there_is_no_share() -> None:
    invoice = an_invoice()
    free = evolve(invoice.lines[0], amount_minor=0, net_minor=0)
    note = a_credit_note()
    nothing = evolve(note.lines[0], amount_minor=0, net_minor=0)
    told = explain(evolve(note, lines=(nothing,)), 0, evolve(invoice, lines=(free,)), [])
    assert told.share is None


def test_the_price_of_the_line_says_how_the_charge_came_about() -> None:
    price: Price = a_price()
    (line,) = an_invoice().lines
    invoice: Invoice = an_invoice(lines=(evolve(line, price=price.id, unit_price=None),))
    known = {price.id: price, PriceId("price_other"): a_price("price_other")}
    assert explain(a_credit_note(), 0, invoice, [], prices=known).charged.priced is not None
    assert explain(a_credit_note(), 0, invoice, [], prices={}).charged.priced is None
    assert explain(a_credit_note(), 0, invoice, []).charged.priced is None


@pytest.mark.parametrize("place", [-1, 1, True, "0", None])
def test_a_line_that_the_note_does_not_have_is_refused(place: int) -> None:
    with pytest.raises(ValidationError, match="a place from 0 to 0"):
        explain(a_credit_note(), place, an_invoice(), [])


def test_another_invoice_is_refused() -> None:
    with pytest.raises(ValidationError, match="inv_ada"):
        explain(a_credit_note(), 0, an_invoice("inv_other"), [])
    assert an_invoice("inv_other").id == InvoiceId("inv_other")


def test_a_note_without_a_number_is_named_by_its_id() -> None:
    first, last = notes_of("10.00", "5.00")
    told = explain(last, 0, an_invoice(), [evolve(first, number=None)])
    assert told.earlier[0].credit_note == CreditNoteId("cn_1")
    assert "credited earlier (cn_1)" in credit_sentence(told)


@pytest.mark.parametrize("amounts", [["29.00"], ["5.00"], ["9.00", "20.00"], ["9.00", "1.00"]])
@pytest.mark.parametrize("language", sorted(WORDS))
def test_every_language_tells_the_same_numbers(language: str, amounts: list[str]) -> None:
    def numbers(text: str) -> Counter[str]:
        return Counter(re.sub(r"\D", "", each) for each in re.findall(r"\d[\d.,]*", text))

    told = told_of(*amounts)
    told = evolve(told, charged=evolve(told.charged, period=None))
    english = credit_sentence(told, language="en")
    assert reckon(english) * 100 == told.amount_minor
    sentence = credit_sentence(told, language=language)
    assert numbers(sentence) == numbers(english)
    assert sentence.endswith(".")
    assert (sentence == english) == (language == "en")
