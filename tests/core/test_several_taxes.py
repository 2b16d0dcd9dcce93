"""Several taxes on one net: totals and credits, against exact fractions."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeAlias

import pytest
from attrs import evolve
from hypothesis import example, given, settings
from hypothesis import strategies as st

from subscriptions.credit_notes import Amounts, CreditNote, of_amount, of_lines, verify_chain
from subscriptions.errors import ValidationError
from subscriptions.invoices import Charge, Invoice, compose, content_hash, explain
from subscriptions.money import EUR, Money, Rounding
from subscriptions.taxes import (
    TaxableLine,
    TaxBehavior,
    TaxCategory,
    TaxFlag,
    TaxRate,
    TaxTreatment,
    sum_of_ratios,
    tax_totals,
)
from subscriptions.testing.builders import a_credit_note, a_customer, a_seller, an_invoice

Wrong: TypeAlias = Any

quick = settings(derandomize=True, max_examples=200, deadline=None, database=None)
NET, GROSS = TaxBehavior.EXCLUSIVE, TaxBehavior.INCLUSIVE
GST, QST = TaxRate(5, name="GST"), TaxRate("9.975", name="QST")
STATE, COUNTY, CITY = (TaxRate(4, name=name) for name in ("State", "County", "City"))
FREE = TaxRate(0, TaxCategory.EXEMPT, "Clothing", name="City")
STACKS = [(GST,), (GST, QST), (STATE, COUNTY), (STATE, COUNTY, CITY), (STATE, FREE), (FREE,)]

amounts = st.integers(-300, 300) | st.integers(-(10**8), 10**8)
roundings = st.sampled_from(Rounding)
documents = st.lists(
    st.tuples(amounts, st.sampled_from(STACKS), st.sampled_from(TaxBehavior)),
    min_size=1,
    max_size=6,
)
Drawn: TypeAlias = list[tuple[int, tuple[TaxRate, ...], TaxBehavior]]


def lines_of(drawn: Drawn) -> list[TaxableLine]:
    return [TaxableLine(amount, rates[0], how, rates[1:]) for amount, rates, how in drawn]


def nearest(value: Fraction, rounding: Rounding) -> int:
    if value < 0:
        return -nearest(-value, rounding)
    below = int(value)
    if value - below == Fraction(1, 2):
        return below + 1 if rounding is Rounding.HALF_UP or below % 2 else below
    return round(value)


def together(rates: tuple[TaxRate, ...]) -> Fraction:
    return sum([Fraction(rate.percent) / 100 for rate in rates], Fraction())


# --- totals -------------------------------------------------------------------------------------


def test_a_line_in_quebec_bears_two_taxes() -> None:
    totals = tax_totals([TaxableLine(10000, GST, NET, (QST,))])
    assert [(g.name, g.base_minor, g.tax_minor) for g in totals.groups] == [
        ("GST", 10000, 500),
        ("QST", 10000, 998),  # 997.5
    ]
    assert (totals.net_minor, totals.tax_minor, totals.gross_minor) == (10000, 1498, 11498)
    inside = tax_totals([TaxableLine(11498, GST, GROSS, (QST,))])
    assert [(g.name, g.base_minor, g.tax_minor) for g in inside.groups] == [
        ("GST", 10000, 500),
        ("QST", 10000, 998),
    ]


@quick
@given(documents, roundings)
@example([(5, (STATE, COUNTY), NET), (-5, (STATE, COUNTY), GROSS)], Rounding.HALF_UP)
@example([(100, (GST, QST), GROSS), (-100, (GST, QST), GROSS)], Rounding.HALF_EVEN)
def test_totals_are_sums_and_credits_mirror_charges(drawn: Drawn, rounding: Rounding) -> None:
    totals = tax_totals(lines_of(drawn), rounding=rounding)
    assert totals.net_minor == sum(totals.line_nets_minor)
    assert totals.tax_minor == sum([group.tax_minor for group in totals.groups])
    assert totals.gross_minor == totals.net_minor + totals.tax_minor
    keys = [(rate.category, rate.percent, rate.name) for _, rates, _ in drawn for rate in rates]
    assert [group.key for group in totals.groups] == list(dict.fromkeys(keys))
    mirrored = tax_totals([evolve(x, amount_minor=-x.amount_minor) for x in lines_of(drawn)])
    straight = tax_totals(lines_of(drawn))
    assert mirrored.net_minor == -straight.net_minor
    assert [g.tax_minor for g in mirrored.groups] == [-g.tax_minor for g in straight.groups]


@quick
@given(documents, roundings)
def test_each_tax_on_exclusive_lines_is_rounded_once_on_all_of_them(
    drawn: Drawn, rounding: Rounding
) -> None:
    drawn = [(amount, rates, NET) for amount, rates, _ in drawn]
    totals = tax_totals(lines_of(drawn), rounding=rounding)
    assert totals.line_nets_minor == tuple(amount for amount, _, _ in drawn)
    for group in totals.groups:
        base = sum(
            [
                amount
                for amount, rates, _ in drawn
                if group.key in [(r.category, r.percent, r.name) for r in rates]
            ]
        )
        exact = base * Fraction(group.percent) / 100
        assert (group.base_minor, group.tax_minor) == (base, nearest(exact, rounding))


@quick
@given(st.lists(amounts, min_size=1, max_size=6), st.sampled_from(STACKS), roundings)
def test_what_inclusive_lines_cost_is_kept(
    given_amounts: list[int], rates: tuple[TaxRate, ...], rounding: Rounding
) -> None:
    totals = tax_totals(lines_of([(a, rates, GROSS) for a in given_amounts]), rounding=rounding)
    gross = sum(given_amounts)
    assert totals.gross_minor == gross
    exact = gross / (1 + together(rates))
    assert totals.net_minor == nearest(exact, rounding)
    for net, amount in zip(totals.line_nets_minor, given_amounts, strict=True):
        assert abs(net - amount / (1 + together(rates))) < 1
    if together(rates):
        for group, rate in zip(totals.groups, rates, strict=True):
            whole = (gross - totals.net_minor) * Fraction(rate.percent) / 100 / together(rates)
            assert abs(group.tax_minor - whole) < 1


def test_a_state_and_a_county_of_one_percentage_are_two_taxes() -> None:
    totals = tax_totals([TaxableLine(1000, STATE, NET, (COUNTY,)), TaxableLine(1000, STATE)])
    assert [(g.name, g.base_minor, g.tax_minor) for g in totals.groups] == [
        ("State", 2000, 80),
        ("County", 1000, 40),
    ]


def test_reasons_of_a_group_are_joined() -> None:
    other = TaxRate(0, TaxCategory.EXEMPT, "Food", name="City")
    totals = tax_totals(
        [TaxableLine(100, STATE, NET, (FREE,)), TaxableLine(100, STATE, NET, (other,))]
    )
    assert totals.groups[1].reason == "Clothing; Food"


@pytest.mark.parametrize("wrong", [(TaxRate(4),), (TaxRate(5), TaxRate(5)), ("GST",)])
def test_one_tax_is_never_charged_twice(wrong: Wrong) -> None:
    with pytest.raises(ValidationError) as refused:
        TaxableLine(100, TaxRate(4), NET, wrong)
    assert refused.value.field == "more_rates"


@pytest.mark.parametrize("name", [" GST", "x" * 61, 5, "G\nST"])
def test_a_name_is_a_short_text(name: Wrong) -> None:
    with pytest.raises(ValidationError) as refused:
        TaxRate(5, name=name)
    assert refused.value.field == "name"


def test_a_reason_is_one_line() -> None:
    with pytest.raises(ValidationError) as refused:
        TaxRate(0, TaxCategory.EXEMPT, "a\x1fb")
    assert refused.value.field == "reason"


def test_ratios_add_up_exactly() -> None:
    assert Fraction(*sum_of_ratios([GST, QST])) == Fraction(14975, 100000)


# --- invoices -----------------------------------------------------------------------------------


def invoiced(*charges: Charge, rounding: Rounding = Rounding.HALF_UP) -> Invoice:
    draft = compose(
        an_invoice().id,
        a_customer(),
        charges,
        currency=EUR,
        seller=a_seller(),
        automatic=False,
        rounding=rounding,
        may_be_negative=True,
    )
    sold = an_invoice()
    return evolve(
        sold,
        lines=draft.lines,
        taxes=draft.taxes,
        net_minor=draft.net_minor,
        tax_minor=draft.tax_minor,
        total_minor=draft.total_minor,
        rounding=rounding,
    )


QUEBEC = Charge("Pro", 10000, GST, more_rates=(QST,), tax_flag=TaxFlag.NO_COUNTRY)


def test_a_line_keeps_its_taxes_and_what_was_missing() -> None:
    (line,) = invoiced(QUEBEC).lines
    assert (line.rates, line.tax_flag) == ((GST, QST), TaxFlag.NO_COUNTRY)
    assert invoiced(Charge("Pro", 100, GST)).lines[0].rates == (GST,)
    assert explain(line).more_rates == (QST,)


@pytest.mark.parametrize(
    "changes",
    [
        {"more_rates": ()},
        {"more_rates": (evolve(QST, name="PST"),)},
        {"more_rates": (TaxRate("9.97", name="QST"),)},
        {"rate": evolve(GST, name="HST")},
        {"tax_flag": None},
    ],
)
def test_the_seal_covers_all_taxes_of_a_line(changes: dict[str, Any]) -> None:
    sound = invoiced(QUEBEC)
    forged = evolve(sound, lines=(evolve(sound.lines[0], **changes),))
    assert content_hash(forged) != content_hash(sound)


def test_the_seal_covers_the_names_of_taxes() -> None:
    sound = invoiced(QUEBEC)
    first, second = sound.taxes
    forged = evolve(sound, taxes=(evolve(first, name="QST"), evolve(second, name="GST")))
    assert content_hash(forged) != content_hash(sound)


def test_a_charge_is_taxed_by_a_treatment_and_stays_itself_where_nothing_differs() -> None:
    plain = Charge("Pro", 100, GST)
    assert plain.taxed(TaxTreatment((GST,))) is plain
    assert plain.taxed(TaxTreatment((GST, QST))).more_rates == (QST,)
    flagged = plain.taxed(TaxTreatment((GST,), TaxFlag.ID_INVALID))
    assert flagged.tax_flag is TaxFlag.ID_INVALID


# --- credits ------------------------------------------------------------------------------------

SALES = [
    (QUEBEC,),
    (QUEBEC, Charge("Seat", 333, GST, more_rates=(QST,)), Charge("Tax-free", 50, GST)),
    (Charge("Box", 11498, GST, GROSS, more_rates=(QST,)),),
    (
        Charge("Box", 1099, STATE, GROSS, more_rates=(COUNTY, CITY)),
        Charge("Box", 101, STATE, GROSS, more_rates=(COUNTY, CITY)),
        Charge("Work", 777, STATE, more_rates=(COUNTY,)),
        Charge("Off", -100, STATE, more_rates=(COUNTY,)),
    ),
    (Charge("Coat", 1000, STATE, more_rates=(FREE,)), Charge("Pin", 3, STATE, GROSS)),
]


def noted(invoice: Invoice, found: Amounts, ordinal: int) -> CreditNote:
    return evolve(
        a_credit_note(),
        invoice=invoice.id,
        ordinal=ordinal,
        lines=found.lines,
        taxes=found.taxes,
        net_minor=found.net_minor,
        tax_minor=found.tax_minor,
        total_minor=found.total_minor,
    )


def assert_all_of_it(invoice: Invoice, notes: list[CreditNote]) -> None:
    for place, line in enumerate(invoice.lines):
        mine = [x for note in notes for x in note.lines if x.line == place]
        assert sum([x.net_minor for x in mine]) == line.net_minor
        assert sum([x.amount_minor for x in mine]) == line.amount_minor
        assert all(x.more_rates == line.more_rates for x in mine)
    for group in invoice.taxes:
        mine_too = [x for note in notes for x in note.taxes if x.key == group.key]
        assert sum([x.tax_minor for x in mine_too]) == group.tax_minor
        assert sum([x.base_minor for x in mine_too]) == group.base_minor
    assert sum([note.total_minor for note in notes]) == invoice.total_minor


def assert_sums(found: Amounts) -> None:
    assert found.net_minor == sum([line.net_minor for line in found.lines])
    assert found.tax_minor == sum([group.tax_minor for group in found.taxes])
    assert found.total_minor == found.net_minor + found.tax_minor


@quick
@given(
    st.sampled_from(SALES),
    st.sampled_from(Rounding),
    st.lists(st.fractions(min_value=0, max_value=1, max_denominator=97), max_size=6),
)
def test_credits_of_amounts_are_exact_and_together_the_invoice(
    charges: tuple[Charge, ...], rounding: Rounding, parts: list[Fraction]
) -> None:
    invoice = invoiced(*charges, rounding=rounding)
    notes: list[CreditNote] = []
    for part in [*parts, Fraction(1)]:
        left = invoice.total_minor - sum([note.total_minor for note in notes])
        minor = int(left * part)
        if not minor:
            continue
        found = of_amount(invoice, notes, Money(minor, EUR))
        assert found.total_minor == minor
        assert found.lines
        assert_sums(found)
        notes.append(noted(invoice, found, len(notes) + 1))
    assert_all_of_it(invoice, notes)


@quick
@given(
    st.sampled_from(SALES),
    st.sampled_from(Rounding),
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 500)), max_size=6),
)
def test_credits_of_lines_are_together_the_invoice(
    charges: tuple[Charge, ...], rounding: Rounding, wanted: list[tuple[int, int]]
) -> None:
    invoice = invoiced(*charges, rounding=rounding)
    notes: list[CreditNote] = []
    for place, minor in wanted:
        if place >= len(invoice.lines) or invoice.lines[place].amount_minor < 0:
            continue
        credited = [x.amount_minor for n in notes for x in n.lines if x.line == place]
        left = invoice.lines[place].amount_minor - sum(credited)
        if min(minor, left) <= 0:
            continue
        try:
            found = of_lines(invoice, notes, {place: Money(min(minor, left), EUR)})
        except ValidationError:
            # The reduction beside it leaves less of the invoice than of the line.
            continue
        assert_sums(found)
        notes.append(noted(invoice, found, len(notes) + 1))
    if sum([note.total_minor for note in notes]) < invoice.total_minor:
        notes.append(noted(invoice, of_lines(invoice, notes), len(notes) + 1))
    assert_all_of_it(invoice, notes)


def test_half_of_a_line_bears_half_of_each_tax() -> None:
    found = of_lines(invoiced(QUEBEC), [], {0: Money(5000, EUR)})
    assert [(g.name, g.base_minor, g.tax_minor) for g in found.taxes] == [
        ("GST", 5000, 250),
        ("QST", 5000, 499),  # 498.75
    ]


def test_the_seal_of_a_credit_note_covers_all_taxes_of_its_lines() -> None:
    sound = a_credit_note()
    assert list(verify_chain([sound])) == []
    for forged in (
        evolve(sound, lines=(evolve(sound.lines[0], more_rates=(QST,)), *sound.lines[1:])),
        evolve(sound, taxes=(evolve(sound.taxes[0], name="GST"), *sound.taxes[1:])),
    ):
        assert list(verify_chain([forged]))


def test_a_plain_rate_beside_named_ones_is_a_group_of_its_own() -> None:
    plain = TaxRate(Decimal(5))
    totals = tax_totals([TaxableLine(100, plain), TaxableLine(100, GST)])
    assert [group.name for group in totals.groups] == ["", "GST"]
