"""Documents keep the arithmetic of EN 16931: 10⁵ random invoices, judged by a separate checker."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random
from typing import Any, Final

import pytest
from attrs import evolve

from subscriptions import credit_notes, invoices
from subscriptions.credit_notes import CreditNote, Division
from subscriptions.credit_notes.amounts import left_of_total, of_amount, of_lines
from subscriptions.discounts import DiscountShare
from subscriptions.ids import CouponId, InvoiceId
from subscriptions.invoices import Charge, Invoice, Open
from subscriptions.money import EUR, Currency, Money, Rounding
from subscriptions.taxes import TaxBehavior, TaxCategory, TaxGroup, TaxRate
from subscriptions.testing.builders import a_customer, a_seller
from tests.core.en16931 import violations, violations_of_note

INVOICES: Final = 100_000
SLICES: Final = 10

RATES: Final = (
    TaxRate("19"),
    TaxRate("7"),
    TaxRate("5.5"),
    TaxRate("25.5"),
    TaxRate("8.875"),
    TaxRate(0, TaxCategory.ZERO),
    TaxRate(0, TaxCategory.EXEMPT, "Exempt"),
    TaxRate(0, TaxCategory.REVERSE_CHARGE, "Reverse charge"),
    TaxRate(0, TaxCategory.EXPORT, "Export"),
    TaxRate(0, TaxCategory.INTRA_COMMUNITY, "Intra-Community supply"),
)
CURRENCIES: Final = (EUR, EUR, EUR, Currency.of("JPY"), Currency.of("KWD"))
ADA: Final = a_customer()
SELLER: Final = a_seller()
NOON: Final = datetime(2027, 1, 31, 12, tzinfo=UTC)


def _amount(random: Random) -> int:
    # Small sums are where rounding shows, large ones where an integer would not fit.
    most = random.choice((9, 999, 99_999, 10**12))
    return random.randint(0 if most > 9 else 1, most)


def _charge(random: Random) -> Charge:
    amount = _amount(random)
    if random.random() < 0.1:
        amount = -amount
    discounts: tuple[DiscountShare, ...] = ()
    if amount > 0 and random.random() < 0.4:
        first = random.randint(0, amount)
        second = random.randint(0, amount - first)
        discounts = (
            DiscountShare(CouponId("cpn_a"), "A", first),
            DiscountShare(CouponId("cpn_b"), "B", second),
        )
    behavior = random.choice((TaxBehavior.EXCLUSIVE, TaxBehavior.EXCLUSIVE, TaxBehavior.INCLUSIVE))
    return Charge("Work", amount, random.choice(RATES), behavior, discounts=discounts)


def _invoice(random: Random) -> Invoice:
    while True:
        charges = [_charge(random) for _ in range(random.choice((1, 1, 2, 3, 5, 9)))]
        rounding = random.choice((Rounding.HALF_UP, Rounding.HALF_EVEN))
        totals = invoices.totals_of(charges, rounding=rounding)
        if totals.gross_minor >= 0:
            break
    composed = invoices.compose(
        InvoiceId("inv_random"),
        ADA,
        charges,
        currency=random.choice(CURRENCIES),
        seller=SELLER,
        automatic=False,
        rounding=rounding,
    )
    total = composed.total_minor
    balance = random.randint(0, total) if random.random() < 0.3 else 0
    granted = random.randint(0, total - balance) if random.random() < 0.3 else 0
    paid = random.randint(0, total - balance - granted) if random.random() < 0.3 else 0
    return evolve(
        composed,
        state=Open(),
        number="INV-1",
        issued_on=date(2027, 1, 31),
        finalized_at=NOON,
        balance_minor=balance,
        granted_minor=granted,
        paid_minor=paid,
    )


@pytest.mark.parametrize("slice", range(SLICES))
def test_every_random_invoice_keeps_the_arithmetic_of_en_16931(slice: int) -> None:
    random = Random(f"en16931 {slice}")
    seen: Counter[str] = Counter()
    for _ in range(INVOICES // SLICES):
        invoice = _invoice(random)
        assert violations(invoice) == [], invoice
        seen["several rates"] += len(invoice.taxes) > 1
        seen["discounts"] += any(line.discounts for line in invoice.lines)
        seen["inclusive"] += any(line.behavior is TaxBehavior.INCLUSIVE for line in invoice.lines)
        seen["grants"] += bool(invoice.granted_minor)
        seen["reductions"] += any(line.amount_minor < 0 for line in invoice.lines)
    hard = ("several rates", "discounts", "inclusive", "grants", "reductions")
    assert all(seen[each] > 1000 for each in hard), seen


def _full_series(invoice: Invoice, random: Random) -> list[CreditNote]:
    """Credit an invoice in parts, by amounts and by lines, until nothing is left of it."""
    notes: list[CreditNote] = []
    while (left := left_of_total(invoice, notes)).minor:
        way = random.random()
        if way < 0.2 or len(notes) == 6:
            amounts = of_lines(invoice, notes)
        else:
            part = Money(random.randint(1, left.minor), invoice.currency)
            amounts = of_amount(invoice, notes, part)
        note = credit_notes.compose(
            invoice,
            amounts,
            ADA,
            ordinal=len(notes) + 1,
            division=Division(0, 0, 0, amounts.total_minor),
            reason="returned",
            seller=SELLER,
            salt="salt",
        )
        notes.append(note)
    return notes


def test_every_credit_note_keeps_the_arithmetic_and_a_full_series_ends_at_exactly_zero() -> None:
    random = Random("credit notes")
    series = 0
    while series < 3000:
        invoice = _invoice(random)
        if not invoice.total_minor:
            continue
        series += 1
        notes = _full_series(invoice, random)
        for note in notes:
            assert violations_of_note(note, invoice) == [], (invoice, notes)
        credited: Counter[tuple[TaxCategory, Decimal]] = Counter()
        taxed: Counter[tuple[TaxCategory, Decimal]] = Counter()
        for note in notes:
            for group in note.taxes:
                credited[group.category, group.percent] += group.base_minor
                taxed[group.category, group.percent] += group.tax_minor
        for group in invoice.taxes:
            key = (group.category, group.percent)
            assert (credited[key], taxed[key]) == (group.base_minor, group.tax_minor), invoice
        assert sum(note.total_minor for note in notes) == invoice.total_minor


# ---- the checker can say no --------------------------------------------------------------------


def _sound() -> Invoice:
    charges = [
        Charge("A", 1000, TaxRate("19")),
        Charge("B", 1070, TaxRate("7"), TaxBehavior.INCLUSIVE),
        Charge("C", 500, TaxRate(0, TaxCategory.EXEMPT, "Exempt")),
    ]
    composed = invoices.compose(
        InvoiceId("inv"), ADA, charges, currency=EUR, seller=SELLER, automatic=False
    )
    return evolve(composed, state=Open())


def _group(invoice: Invoice, place: int, **changes: Any) -> tuple[TaxGroup, ...]:  # noqa: ANN401 - any field
    groups = list(invoice.taxes)
    groups[place] = evolve(groups[place], **changes)
    return tuple(groups)


def test_the_checker_finds_nothing_in_a_sound_invoice() -> None:
    assert violations(_sound()) == []


@pytest.mark.parametrize(
    ("rule", "broken"),
    [
        ("BR-CO-10", evolve(_sound(), net_minor=2501)),
        ("BR-CO-14", evolve(_sound(), tax_minor=261)),
        ("BR-CO-15", evolve(_sound(), total_minor=2761)),
        ("BR-CO-17", evolve(_sound(), taxes=_group(_sound(), 0, tax_minor=191))),
        ("BR-S-08", evolve(_sound(), taxes=_group(_sound(), 0, base_minor=999))),
        ("BR-S-09", evolve(_sound(), taxes=_group(_sound(), 1, tax_minor=71))),
        ("BR-E-08", evolve(_sound(), taxes=_group(_sound(), 2, base_minor=501))),
        ("BR-E-09", evolve(_sound(), taxes=_group(_sound(), 2, tax_minor=1))),
        ("BR-E-10", evolve(_sound(), taxes=_group(_sound(), 2, reason=None))),
        ("BR-CO-18", evolve(_sound(), taxes=_sound().taxes[:2])),
        ("prices with tax", evolve(_sound(), taxes=_group(_sound(), 1, base_minor=1001))),
    ],
)
def test_the_checker_finds_what_is_broken(rule: str, broken: Invoice) -> None:
    assert any(rule in found for found in violations(broken)), violations(broken)
