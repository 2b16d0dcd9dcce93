"""The text of a credit note: what it says, in which words, and that it fits."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from attrs import evolve, fields

from subscriptions.billing_cycles import Period
from subscriptions.credit_notes import CreditNote, Division
from subscriptions.documents.correction import render
from subscriptions.documents.layout import WIDTH
from subscriptions.documents.words import CORRECTION, WORDS, CorrectionWords, spoken
from subscriptions.invoices import LineKind
from subscriptions.taxes import TaxBehavior
from subscriptions.testing.builders import a_credit_note

GOLDEN = Path(__file__).parent / "golden"
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


def of_every_kind() -> CreditNote:
    """Return a note of whose total a part goes to each place there is."""
    note = a_credit_note(division=Division(1000, 900, 800, 700, 51))
    (line,) = note.lines
    setup = evolve(line, line=1, kind=LineKind.SETUP, period=None, amount_minor=900, net_minor=900)
    return evolve(note, lines=(evolve(line, amount_minor=2000, net_minor=2000), setup))


@pytest.mark.parametrize("language", sorted(WORDS))
def test_a_credit_note_in_each_language(language: str) -> None:
    text = plain(render(of_every_kind(), language=language))
    golden = GOLDEN / f"credit_note.{language}.txt"
    assert text == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("language", sorted(WORDS))
def test_every_language_says_the_same_numbers(language: str) -> None:
    def amounts(text: str) -> Counter[str]:
        found = re.findall(r"\d+[.,]\d\d\b(?!\.\d)", plain(text))
        return Counter(re.sub(r"\D", "", each) for each in found)

    note = of_every_kind()
    english = amounts(render(note, language="en"))
    assert english.total() == 11
    assert amounts(render(note, language=language)) == english


def test_every_language_says_all_of_a_credit_note() -> None:
    assert CORRECTION.keys() == WORDS.keys()
    for language, words in CORRECTION.items():
        for each in fields(CorrectionWords):
            text, english = getattr(words, each.name), getattr(CORRECTION["en"], each.name)
            assert sorted(re.findall(r"{\w+}", text)) == sorted(re.findall(r"{\w+}", english))
            assert text.strip(), (language, each.name)
            assert language == "en" or text != english, (language, each.name)
    assert spoken("fr-CH") == "fr-CH"
    assert spoken("ja") == "en"


def test_a_language_without_words_gets_the_english_text_as_a_whole() -> None:
    assert render(a_credit_note(), language="ja") == render(a_credit_note(), language="en")


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


@pytest.mark.parametrize("language", sorted(WORDS))
def test_no_line_is_too_long(language: str) -> None:
    note = of_every_kind()
    period = Period(date(2027, 1, 1), date(2027, 2, 1))
    line = evolve(note.lines[0], description="A very long name " * 9, period=period)
    long = evolve(note, lines=(line,), reason="Because of " * 40)
    assert max(map(len, render(long, language=language).splitlines())) <= WIDTH
