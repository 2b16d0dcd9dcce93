"""The text of a credit note: what it says, in which words, and that it fits."""

from __future__ import annotations

from datetime import date

import pytest
from attrs import evolve

from subscriptions.billing_cycles import Period
from subscriptions.credit_notes import CreditNote, Division
from subscriptions.documents.correction import render
from subscriptions.documents.layout import WIDTH
from subscriptions.taxes import TaxBehavior
from subscriptions.testing.builders import a_credit_note

ENGLISH = """\
Acme GmbH                                                        CREDIT NOTE
Unter den Linden 1
10117 Berlin
Germany
VAT ID DE123456789
billing@acme.example

Ada Lovelace
1 St James's Square
SW1Y 4JH London
United Kingdom

Credit note number  CN-cn_ada
Customer number     C-cus_ada
Date of issue       Jan 31, 2027

Corrects invoice INV-inv_ada of Jan 31, 2027.
Reason: a mistake

Description                                                           Amount
----------------------------------------------------------------------------
Pro                                                                   €29.00
  Jan 31, 2027 – Feb 27, 2027
----------------------------------------------------------------------------
Net                                                                   €29.00
VAT 19% on €29.00                                                      €5.51
============================================================================
Total credited                                                        €34.51

Taken off the amount due                                              €34.51
"""


def divided() -> CreditNote:
    return a_credit_note(division=Division(0, 1000, 2000, 451))


def plain(text: str) -> str:
    """Return a text with plain spaces, as they look alike."""
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_it_says_what_is_credited_of_which_invoice_and_why() -> None:
    assert plain(render(a_credit_note())) == ENGLISH


def test_in_german_it_is_a_rechnungskorrektur_and_no_gutschrift() -> None:
    text = plain(render(divided(), language="de-AT"))
    assert "RECHNUNGSKORREKTUR" in text
    assert "Gutschrift" not in text
    assert "Berichtigt die Rechnung INV-inv_ada vom 31.01.2027." in text
    assert [line.split("  ")[0] for line in text.splitlines()[-3:]] == [
        "Auf Ihr Zahlungsmittel erstattet",
        "Ihrem Guthaben hinzugefügt",
        "Auf anderem Weg zurückgezahlt",
    ]


def test_a_language_without_words_gets_the_english_text_as_a_whole() -> None:
    assert render(a_credit_note(), language="fr") == render(a_credit_note(), language="en")


def test_it_is_in_the_customers_language_if_none_is_named() -> None:
    note = a_credit_note()
    assert note.party is not None
    german = evolve(note, party=evolve(note.party, language="de"))
    assert render(german) == render(german, language="de")


def test_without_a_customer_and_a_number_it_says_what_there_is() -> None:
    text = render(a_credit_note(party=None, number=None, issued_on=None))
    assert "Ada" not in text
    assert "Credit note number" not in text
    assert "Corrects invoice INV-inv_ada" in text


def test_prices_that_include_the_tax_are_named_so() -> None:
    note = a_credit_note()
    line = evolve(note.lines[0], behavior=TaxBehavior.INCLUSIVE, period=None)
    assert "Prices include VAT." in render(evolve(note, lines=(line,)))


@pytest.mark.parametrize("language", ["de", "en"])
def test_no_line_is_too_long(language: str) -> None:
    note = divided()
    period = Period(date(2027, 1, 1), date(2027, 2, 1))
    line = evolve(note.lines[0], description="A very long name " * 9, period=period)
    long = evolve(note, lines=(line,), reason="Because of " * 40)
    assert max(map(len, render(long, language=language).splitlines())) <= WIDTH
