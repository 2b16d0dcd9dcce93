"""The text of a pro-forma invoice: as that of an invoice, in each language, and nothing is owed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from subscriptions import Address, Billing, Money, OneOff, Seller, TaxRate, TaxRates
from subscriptions.documents.layout import WIDTH
from subscriptions.documents.words import WORDS

GOLDEN = Path(__file__).parent / "golden"
SELLER = Seller(
    "Acme GmbH",
    address=Address("Unter den Linden 1", postal_code="10117", city="Berlin", country="DE"),
    iban="DE02120300000000202051",
    zone="Europe/Berlin",
)


def text_in(language: str) -> str:
    billing = Billing(
        seller=SELLER,
        taxes=TaxRates({"DE": TaxRate("19")}),
        clock=lambda: datetime(2027, 1, 31, 9, tzinfo=UTC),
    )
    ada = billing.customers.create(name="Ada Lovelace", country="DE", language=language)
    lines = [OneOff("Work", Money.of("1234.50", "EUR"), 3)]
    made = billing.invoices.pro_forma(ada.id, lines=lines)
    text = billing.invoices.pro_forma_text(made.id)
    return text.replace("\xa0", " ").replace("\u202f", " ")


@pytest.mark.parametrize("language", sorted(WORDS))
def test_a_pro_forma_invoice_in_each_language(language: str) -> None:
    text = text_in(language)
    assert text == (GOLDEN / f"pro_forma.{language}.txt").read_text(encoding="utf-8")
    assert WORDS[language].pro_forma.upper() in text
    assert max(map(len, text.splitlines())) <= WIDTH


def test_a_language_without_words_gets_english_ones_with_its_own_amounts() -> None:
    text = text_in("pt-BR")
    assert "PRO FORMA INVOICE" in text
    assert "R$" not in text
    assert "€ 3.703,50" in text
