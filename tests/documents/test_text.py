"""An invoice as text: everything that must stand on it, in the words of its customer."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path

import pytest
from attrs import evolve, fields

from subscriptions import (
    Address,
    Billing,
    Flat,
    Interval,
    Money,
    NotFound,
    OneOff,
    Seller,
    TaxRate,
    TaxRates,
)
from subscriptions.billing_cycles import Period
from subscriptions.discounts import DiscountShare
from subscriptions.documents.explaining import sentence
from subscriptions.documents.formats import locale_of, money_format, number_text
from subscriptions.documents.layout import WIDTH
from subscriptions.documents.text import render
from subscriptions.documents.words import (
    ARITHMETIC,
    WORDS,
    ArithmeticWords,
    Words,
)
from subscriptions.ids import CouponId
from subscriptions.invoices import (
    Invoice,
    LineKind,
    MarkUncollectible,
    MarkVoid,
    Measured,
    Paid,
    Part,
    Priced,
    decide,
    explain,
)
from subscriptions.money import Currency
from subscriptions.pricing import (
    FreeUnits,
    Graduated,
    GraduatedPercentage,
    Package,
    PartKind,
    Percentage,
    PerUnit,
    PriceModel,
    PricePart,
    RateTier,
    Stairstep,
    Step,
    Tier,
)
from subscriptions.pricing import explain as price_parts
from subscriptions.proration import ProrationUnit, between
from subscriptions.taxes import TaxBehavior, TaxCategory

GOLDEN = Path(__file__).parent / "golden"
NOW = datetime(2027, 1, 31, 9, tzinfo=UTC)
SELLER = Seller(
    "Acme GmbH",
    address=Address("Unter den Linden 1", postal_code="10117", city="Berlin", country="DE"),
    tax_id="DE123456789",
    email="billing@acme.example",
    iban="DE02120300000000202051",
    zone="Europe/Berlin",
)
TAXES = TaxRates(
    {
        "AT": TaxRate(0, TaxCategory.REVERSE_CHARGE, "Reverse charge"),
        "DE": TaxRate("19"),
        "FR": TaxRate("5.5"),
    },
    default=TaxRate(0, TaxCategory.OUTSIDE_SCOPE, "Not subject to VAT"),
)


def plain(text: str) -> str:
    """Without the spaces that do not break, which differ between versions of CLDR."""
    return text.replace("\xa0", " ").replace("\u202f", " ")


def an_invoice(
    language: str = "en", country: str = "DE", *, currency: str = "EUR", price: str = "1234.50"
) -> tuple[Billing, Invoice]:
    billing = Billing(seller=SELLER, taxes=TAXES, clock=lambda: NOW)
    pro = billing.catalog.add_price("Pro", Money.of(price, currency), every=Interval.months(1))
    ada = billing.customers.create(
        name="Ada Lovelace",
        company="Analytical Engines",
        tax_id="XX42",
        language=language,
        address=Address("Allee 7", "Hof 2", "12345", "Irgendwo", "", country),
    )
    billing.subscriptions.create(ada.id, [(pro.id, 3)], start=date(2027, 1, 31))
    (invoice,) = billing.invoices.list()
    return billing, invoice


@pytest.mark.parametrize("language", sorted(WORDS))
def test_an_invoice_in_each_language(language: str) -> None:
    billing, invoice = an_invoice(language)
    text = plain(billing.invoices.text(invoice.id))
    assert text == (GOLDEN / f"{language}.txt").read_text(encoding="utf-8")
    assert max(map(len, text.splitlines())) <= WIDTH


def an_invoice_of_every_kind(language: str) -> Invoice:
    """Return an invoice with a line of every kind, of which the customer's balance paid a part."""
    _, invoice = an_invoice(language)
    rest = Period(date(2027, 2, 10), date(2027, 2, 28))
    january = Period(date(2026, 12, 31), date(2027, 1, 31))
    friend = DiscountShare(CouponId("b"), "Friend", 100)
    welcome = DiscountShare(CouponId("a"), "Welcome, for the first three months", 1160)
    part = Part(-2900, Fraction(10, 28), Fraction(1), units=28)
    usage = Measured("calls", Decimal(1200), 35, before_minor=300)
    special: dict[LineKind, dict[str, object]] = {
        LineKind.PERIOD: {"amount_minor": 5800, "unit_price": Decimal(29), "quantity": 2},
        LineKind.CREDIT: {"amount_minor": -1864, "part": part, "period": rest},
        LineKind.DEBIT: {
            "amount_minor": 3793,
            "part": evolve(part, whole_minor=5900),
            "period": rest,
            "quantity": 3,
        },
        LineKind.USAGE: {"amount_minor": 900, "quantity": Decimal(1200), "usage": usage},
        LineKind.LATE_USAGE: {"amount_minor": 70, "quantity": Decimal("7.5"), "period": january},
        LineKind.TRUE_UP: {"amount_minor": 1144},
        LineKind.SETUP: {"amount_minor": 999, "unit_price": Decimal("9.99"), "period": None},
        LineKind.ONE_OFF: {
            "description": "Consulting on the architecture of analytical engines, two hours on "
            "site in London and the journey",
            "amount_minor": 24000,
            "period": None,
        },
    }
    (first,) = invoice.lines
    plain_line = evolve(first, description="Pro", unit_price=None, quantity=1)
    lines = [
        evolve(plain_line, kind=kind, **special[kind])  # type: ignore[arg-type]  # its fields
        for kind in LineKind
    ]
    lines[0] = evolve(lines[0], discounts=(welcome, friend))
    net_minor = sum(line.amount_minor - line.discount_minor for line in lines)
    tax_minor = (net_minor * 19 + 50) // 100
    group = evolve(invoice.taxes[0], base_minor=net_minor, tax_minor=tax_minor)
    return evolve(
        invoice,
        lines=tuple(lines),
        taxes=(group,),
        net_minor=net_minor,
        tax_minor=tax_minor,
        total_minor=net_minor + tax_minor,
        balance_minor=5000,
        paid_minor=10000,
    )


@pytest.mark.parametrize("language", sorted(WORDS))
def test_every_kind_of_line_in_each_language(language: str) -> None:
    text = plain(render(an_invoice_of_every_kind(language)))
    golden = GOLDEN / f"every_kind.{language}.txt"
    assert text == golden.read_text(encoding="utf-8")
    assert max(map(len, text.splitlines())) <= WIDTH


def test_a_credit_note_is_never_called_gutschrift() -> None:
    assert "gutschrift" not in render(an_invoice_of_every_kind("de")).lower()
    texts = [getattr(ARITHMETIC["de"], each.name) for each in fields(ArithmeticWords)]
    assert not any("gutschrift" in text.lower() for text in texts)


def test_a_negative_total_goes_to_the_balance() -> None:
    _, invoice = an_invoice()
    settled = evolve(invoice, total_minor=-1190, balance_minor=-1190, state=Paid(NOW))
    lines = render(settled).splitlines()
    assert "Added to your balance" in "".join(lines)
    assert [line.split()[-1] for line in lines if line.startswith("Added")] == ["€11.90"]


def test_what_was_billed_earlier_or_only_in_part_is_not_told_as_a_part() -> None:
    text = plain(render(an_invoice_of_every_kind("en")))
    assert "Quantity 1,200; €3.00 billed earlier" in text
    invoice = an_invoice_of_every_kind("en")
    credit = invoice.lines[1]
    capped = evolve(credit, amount_minor=-1000, net_minor=-1000)
    assert "18 of 28 days" in render(evolve(invoice, lines=(credit,)))
    assert "18 of 28 days" not in render(evolve(invoice, lines=(capped,)))


def test_names_of_any_length_stay_within_the_page() -> None:
    _, invoice = an_invoice()
    assert invoice.party is not None
    assert invoice.seller is not None
    text = render(
        evolve(
            invoice,
            party=evolve(invoice.party, name="Ada " * 40),
            seller=evolve(invoice.seller, name="課金" * 60),
        )
    )
    assert text.count("Ada ") + text.count("Ada\n") >= 40
    assert text.count("課金") >= 50
    wide = [line for line in text.splitlines() if sum(1 + (ord(c) > 0x2E80) for c in line) > WIDTH]
    assert wide == []


def test_the_arithmetic_is_told_in_every_language_of_invoices() -> None:
    assert ARITHMETIC.keys() == WORDS.keys()
    for language, words in ARITHMETIC.items():
        for each in fields(ArithmeticWords):
            text, english = getattr(words, each.name), getattr(ARITHMETIC["en"], each.name)
            assert sorted(re.findall(r"{\w+}", text)) == sorted(re.findall(r"{\w+}", english))
            assert text.strip(), (language, each.name)


@pytest.mark.parametrize("language", sorted(WORDS))
def test_every_language_tells_the_same_numbers(language: str) -> None:
    def numbers(told: str) -> Counter[str]:
        return Counter(re.sub(r"\D", "", each) for each in re.findall(r"\d[\d.,\s]*", told))

    for line in an_invoice_of_every_kind(language).lines:
        explained = evolve(explain(line), period=None)
        assert numbers(sentence(explained, language=language)) == numbers(sentence(explained))


def test_a_turnover_that_is_free_is_an_amount() -> None:
    fee = Percentage("1.5", fixed="0.30", free_amount=100, free_events=2)
    assert told_price(fee, Decimal("490.40"), events=6) == (
        "€100.00 of €490.40 free, events without the fixed amount: 2, "
        "1.5% of €390.40 + events: 4 × €0.30 = €7.056, rounded to €7.06"
    )


@pytest.mark.parametrize(
    ("model", "quantity", "expected"),
    [
        (PerUnit("0.123"), 1, "€0.123, rounded to €0.12"),
        (PerUnit("4.99"), 1, "€4.99"),
        (PerUnit("4.99"), 0, "0 × €4.99 = €0.00"),
        (Flat("29.00"), 1, "€29.00"),
        (Flat("29.00"), 3, "€29.00 (flat for 3)"),
        (Flat("0.123"), 3, "€0.123 (flat for 3), rounded to €0.12"),
        (Stairstep([Step(up_to=10, price=9), Step(price=49)]), 11, "€49.00 (flat for 11)"),
        (
            Graduated([Tier(up_to=10, unit="1"), Tier(unit="0.50", flat="3")]),
            11,
            "10 × €1.00 + 1 × €0.50 + €3.00 (flat) = €13.50",
        ),
        (Graduated([Tier(unit="1", flat="3")]), 0, "€3.00 (flat for 0)"),
        (Package(size=10, price=5), 21, "21 in packages of 10: 3 × €5.00 = €15.00"),
        (Package(size=10, price=5), 0, "0 in packages of 10: 0 × €5.00 = €0.00"),
        (
            FreeUnits(3, Package(size=10, price=5, free=5)),
            29,
            "3 of 29 free, 5 of 29 free, 21 in packages of 10: 3 × €5.00 = €15.00",
        ),
        (FreeUnits(3, PerUnit("2")), 4, "3 of 4 free, 1 × €2.00 = €2.00"),
        (FreeUnits(3, PerUnit("2")), 2, "2 of 2 free = €0.00"),
        (
            FreeUnits(3, GraduatedPercentage([RateTier(rate="10")])),
            10,
            "€3.00 of €10.00 free, 10% of €7.00 = €0.70",
        ),
    ],
)
def test_a_price_in_words(model: PriceModel, quantity: int, expected: str) -> None:
    assert told_price(model, Decimal(quantity)) == expected


def test_no_digit_of_a_number_is_lost() -> None:
    quantity = Decimal("123456789012345678.123456789012")
    with localcontext(prec=5):
        assert told_price(PerUnit("0.000000000001"), quantity) == (
            "123,456,789,012,345,678.123456789012 × €0.000000000001 = "
            "€123,456.789012345678123456789012, rounded to €123,456.79"
        )


def told_price(model: PriceModel, quantity: Decimal, *, events: int | None = None) -> str:
    parts = price_parts(model, quantity, events=events)
    exact_minor = sum([Fraction(part.amount) for part in parts], Fraction()) * 100
    whole_minor = model.amount(quantity, "EUR").minor
    if isinstance(model, Percentage):
        whole_minor = model.amount(quantity, "EUR", events=events).minor
    explained = explain(an_invoice_of_every_kind("en").lines[-1])
    priced = Priced(quantity, parts, exact_minor, whole_minor)
    text = sentence(evolve(explained, priced=priced, whole_minor=whole_minor, description="X"))
    return plain(text).removeprefix("X: ").removesuffix(", plus 19% VAT.")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (PartKind.UNITS, "1,200 × €0.015"),
        (PartKind.PACKAGES, "1 in packages of 1: 1,200 × €0.015"),
        (PartKind.TURNOVER, "1.5% of €1,200.00"),
        (PartKind.EVENTS, "events: 1,200 × €0.015"),
        (PartKind.MINIMUM, "events at the minimum: 1,200 × €0.015"),
        (PartKind.MAXIMUM, "events at the maximum: 1,200 × €0.015"),
    ],
)
def test_a_part_of_a_price_in_words(kind: PartKind, expected: str) -> None:
    part = PricePart(Decimal(1200), Decimal("0.015"), Decimal("18.000"), kind)
    explained = explain(an_invoice_of_every_kind("en").lines[-1])
    priced = Priced(1, (part,), Fraction(24000), 24000)
    text = plain(sentence(evolve(explained, priced=priced, description="X")))
    assert text == f"X: {expected} = €240.00, plus 19% VAT."


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (Part(3100, Fraction(26, 31), Fraction(2), units=31), "1 × €31.00 and 5 of 31 days of €31"),
        (Part(3100, Fraction(0), Fraction(2), units=31), "2 × €31.00 = €62.00"),
        (Part(3100, Fraction(1, 3), Fraction(1)), "2/3 of €31.00 = €20.67"),
        (
            Part(3100, Fraction(1, 2), Fraction(1), ProrationUnit.SECOND, 86400),
            "43,200 of 86,400 seconds of €31.00 = €15.50",
        ),
        (
            Part(3100, Fraction(1, 3), Fraction(1), ProrationUnit.THIRTIETHS, 30),
            "20 of 30 days (30 to a month) of €31.00 = €20.67",
        ),
        (
            Part(1, Fraction(1, 4), Fraction(3, 4), units=4),
            "2 of 4 days of €0.01 = €0.01 plus 19% VAT",
        ),
        (
            Part(10, Fraction(1, 28), Fraction(5, 28), units=28),
            "4 of 28 days of €0.10 = €0.02 (rounded so that all parts of the period add up)",
        ),
        (
            # Half a cent, which by itself would be rounded to 0.03.
            Part(10, Fraction(1, 4), Fraction(2, 4), units=4),
            "1 of 4 days of €0.10 = €0.02 (rounded so that all parts of the period add up)",
        ),
    ],
)
def test_a_part_of_a_period_in_words(part: Part, expected: str) -> None:
    line = evolve(an_invoice()[1].lines[0], part=part, unit_price=None)
    amount_minor = between(part.whole_minor, part.begin, part.end)
    text = plain(sentence(explain(evolve(line, amount_minor=amount_minor))))
    assert expected in text.replace(", plus", " plus")


def test_where_the_price_is_unknown_only_what_is_known_is_told() -> None:
    usage = next(x for x in an_invoice_of_every_kind("en").lines if x.kind is LineKind.USAGE)
    assert plain(sentence(explain(usage))).partition(": ")[2] == (
        "€12.00 for 1,200 (events: 35), less €3.00 billed earlier = €9.00, plus 19% VAT."
    )


def test_every_language_says_everything() -> None:
    for language, words in WORDS.items():
        for each in fields(Words):
            text = getattr(words, each.name)
            assert text.strip(), (language, each.name)
            english = getattr(WORDS["en"], each.name)
            for place in ("{amount}", "{day}", "{base}", "{name}", "{count}", "{whole}"):
                assert (place in text) == (place in english), (language, each.name)


def test_another_language_may_be_asked_for() -> None:
    billing, invoice = an_invoice("de")
    assert "FACTURE" in billing.invoices.text(invoice.id, language="fr-CA")
    with pytest.raises(NotFound):
        billing.invoices.text("inv_none")


def test_a_language_without_words_gets_english_ones_with_its_own_amounts() -> None:
    billing, invoice = an_invoice("sv")
    text = plain(billing.invoices.text(invoice.id))
    assert "Amount due" in text
    assert "4 407,17 €" in text


def test_an_unknown_language_gets_english() -> None:
    assert str(locale_of("tlh")) == "en"
    assert str(locale_of("x")) == "en"


def test_the_reason_for_no_tax_is_stated() -> None:
    billing, invoice = an_invoice("de", "AT")
    assert "Steuerschuldnerschaft des Leistungsempfängers" in billing.invoices.text(invoice.id)
    billing, invoice = an_invoice("en", "US", currency="USD")
    assert "Not subject to VAT" in billing.invoices.text(invoice.id)


def test_a_rate_may_have_a_fraction() -> None:
    billing, invoice = an_invoice("fr", "FR")
    assert "TVA 5,5 % sur 3 703,50 €" in plain(billing.invoices.text(invoice.id))


@pytest.mark.parametrize(
    ("currency", "minor", "expected"),
    [
        ("JPY", 1500, "¥1,500"),
        ("KWD", 1500, "KWD 1.500"),
        ("RSD", 150050, "RSD 1,500.50"),
        ("ISK", 1500, "ISK 1,500"),
        ("HUF", 150050, "HUF 1,500.50"),
        ("EUR", -5, "-€0.05"),
    ],
)
def test_the_currency_decides_the_decimals(currency: str, minor: int, expected: str) -> None:
    write = money_format(locale_of("en"), Currency(currency))
    assert plain(write(minor)) == expected


def test_formats_are_made_once() -> None:
    assert locale_of("de") is locale_of("de")
    euro = Currency("EUR")
    assert money_format(locale_of("de"), euro) is money_format(locale_of("de"), euro)


def test_a_small_unit_price_is_written_in_full() -> None:
    billing, invoice = an_invoice()
    (line,) = invoice.lines
    small = evolve(line, unit_price=Decimal("0.0005"), quantity=Decimal("1010.5"))
    assert "1,010.5 × €0.0005" in render(evolve(invoice, lines=(small,)))
    none = evolve(line, unit_price=None)
    assert " × " not in render(evolve(invoice, lines=(none,)))
    assert number_text(locale_of("de"), Decimal("0.123456789012")) == "0,123456789012"
    del billing


def test_lines_of_several_periods_name_theirs() -> None:
    billing = Billing(seller=SELLER, taxes=TAXES, clock=lambda: NOW)
    month = billing.catalog.add_price("Month", Money.of("1.00", "EUR"), every=Interval.months(1))
    year = billing.catalog.add_price("Year", Flat("1.00"), currency="EUR", every=Interval.years(1))
    ada = billing.customers.create(name="Ada", country="DE")
    billing.subscriptions.create(ada.id, [month.id, year.id], start=date(2027, 1, 31))
    (invoice,) = billing.invoices.list()
    text = plain(billing.invoices.text(invoice.id))
    assert "1 × €1.00; Jan 31, 2027 – Feb 27, 2027" in text
    assert "1 × €1.00; Jan 31, 2027 – Jan 30, 2028" in text


def test_prices_that_contain_tax_say_so() -> None:
    billing, invoice = an_invoice()
    (line,) = invoice.lines
    inclusive = evolve(invoice, lines=(evolve(line, behavior=TaxBehavior.INCLUSIVE),))
    assert "Prices include VAT." in render(inclusive)
    assert "Prices include VAT." not in render(invoice)
    del billing


def test_long_descriptions_are_broken_and_wide_letters_count_twice() -> None:
    billing = Billing(seller=SELLER, taxes=TAXES, clock=lambda: NOW)
    ada = billing.customers.create(name="Ada", country="DE")
    texts = ("consulting " * 20, "x" * 200, "課金" * 20)
    lines = [OneOff(text.strip(), Money.of("1.00", "EUR")) for text in texts]
    invoice = billing.invoices.create_one_off(ada.id, lines)
    text = billing.invoices.text(invoice.id)
    assert max(map(len, text.splitlines())) <= WIDTH
    assert text.count("consulting") == 20
    assert text.count("x" * 20) >= 8


def test_how_to_pay_depends_on_what_is_owed() -> None:
    billing, invoice = an_invoice()
    assert "Please transfer €4,407.17 by Feb 14, 2027:" in render(invoice)
    assert "IBAN            DE02 1203 0000 0000 2020 51" in render(invoice)
    billing.payments.record(invoice.customer, Money.of("1000.00", "EUR"))
    text = render(billing.invoices.get(invoice.id))
    assert "-€1,000.00" in text
    assert "Please transfer €3,407.17" in text
    billing.payments.record(invoice.customer, Money.of("3407.17", "EUR"))
    text = render(billing.invoices.get(invoice.id))
    assert "This invoice is paid." in text
    assert "IBAN" not in text


def test_who_is_charged_is_not_asked_to_transfer() -> None:
    billing, invoice = an_invoice()
    billing.payment_methods.attach(invoice.customer, token="tok_sepa_debit")
    billing.run(until=date(2027, 2, 28))
    second = list(billing.invoices.list())[-1]
    text = render(second)
    assert "will be charged to your payment method" in text
    assert "IBAN" not in text


def test_void_written_off_and_draft_invoices_say_what_they_are() -> None:
    billing, invoice = an_invoice()
    void = decide(invoice, MarkVoid("wrong", NOW)).after
    lost = decide(invoice, MarkUncollectible("gone", NOW)).after
    assert isinstance(void, Invoice)
    assert isinstance(lost, Invoice)
    assert "This invoice is void" in render(void)
    assert "overdue" in render(lost)
    draft = billing.invoices.create_one_off(
        invoice.customer, [OneOff("Setup", Money.of("5.00", "EUR"))], finalize=False
    )
    text = billing.invoices.text(draft.id)
    assert "INVOICE (DRAFT)" in text
    assert "Amount due" not in text


def test_babel_is_loaded_when_a_text_is_asked_for_and_not_before() -> None:
    program = """
import sys
from datetime import date
import subscriptions
late = {"babel", "cattrs", "sqlalchemy", "asyncio", "pytest", "rich"}
assert not late & set(sys.modules), late & set(sys.modules)
billing = subscriptions.Billing()
ada = billing.customers.create(name="Ada")
line = subscriptions.OneOff("Setup", subscriptions.Money.of("5.00", "EUR"))
invoice = billing.invoices.create_one_off(ada.id, [line])
assert "babel" not in sys.modules
billing.invoices.text(invoice.id)
assert "babel" in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
