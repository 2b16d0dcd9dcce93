"""The laws of tax, against exact fractions and a search over all bases that could fit."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeAlias

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from subscriptions.errors import ValidationError
from subscriptions.money import Rounding
from subscriptions.taxes import (
    NO_TAX,
    TaxableLine,
    TaxBehavior,
    TaxCategory,
    TaxGroup,
    TaxRate,
    TaxRates,
    TaxTotals,
    net_and_tax,
    tax_totals,
)

quick = settings(derandomize=True, max_examples=300, deadline=None, database=None)

# What somebody may pass who runs no type checker.
Wrong: TypeAlias = Any

NET, GROSS = TaxBehavior.EXCLUSIVE, TaxBehavior.INCLUSIVE
STANDARD, REDUCED, SWISS = TaxRate("19"), TaxRate("7"), TaxRate("8.1")
ZERO = TaxRate(0, TaxCategory.ZERO)
REVERSE = TaxRate(0, TaxCategory.REVERSE_CHARGE, "Reverse charge")

rates = st.sampled_from([STANDARD, REDUCED, SWISS, ZERO, REVERSE, TaxRate("100"), TaxRate("0.1")])
roundings = st.sampled_from(Rounding)
amounts = st.integers(-200, 200) | st.integers(-(10**9), 10**9)
lines = st.builds(TaxableLine, amounts, rates, st.sampled_from(TaxBehavior))


def nearest(value: Fraction, rounding: Rounding) -> int:
    if value < 0:
        return -nearest(-value, rounding)
    below = int(value)
    if value - below == Fraction(1, 2):
        return below + 1 if rounding is Rounding.HALF_UP or below % 2 else below
    return round(value)


def tax_on(base: int, percent: Decimal, rounding: Rounding) -> int:
    return nearest(base * Fraction(percent) / 100, rounding)


# --- totals -------------------------------------------------------------------------------------


@quick
@given(st.lists(lines, max_size=8), roundings)
def test_totals_are_sums(document: list[TaxableLine], rounding: Rounding) -> None:
    totals = tax_totals(document, rounding=rounding)
    assert len(totals.line_nets_minor) == len(document)
    assert totals.net_minor == sum(totals.line_nets_minor)
    assert totals.net_minor == sum([group.base_minor for group in totals.groups])
    assert totals.tax_minor == sum([group.tax_minor for group in totals.groups])
    assert totals.gross_minor == totals.net_minor + totals.tax_minor
    keys = [(group.category, group.percent) for group in totals.groups]
    assert keys == list(dict.fromkeys([(x.rate.category, x.rate.percent) for x in document]))


@quick
@given(st.lists(lines, min_size=1, max_size=8), roundings)
@example([TaxableLine(3, STANDARD, GROSS)], Rounding.HALF_UP)
@example([TaxableLine(3, STANDARD, GROSS), TaxableLine(3, STANDARD, GROSS)], Rounding.HALF_UP)
@example([TaxableLine(1000, STANDARD, NET), TaxableLine(3, STANDARD, GROSS)], Rounding.HALF_EVEN)
def test_a_group_keeps_its_gross_and_taxes_its_base_once(
    document: list[TaxableLine], rounding: Rounding
) -> None:
    totals = tax_totals(document, rounding=rounding)
    for group in totals.groups:
        of_group = [x for x in document if (x.rate.category, x.rate.percent) == key(group)]
        net = sum([line.amount_minor for line in of_group if line.behavior is NET])
        inclusive = sum([line.amount_minor for line in of_group if line.behavior is GROSS])
        gross = net + tax_on(net, group.percent, rounding) + inclusive
        assert group.base_minor + group.tax_minor == gross
        near = range(group.base_minor - 3, group.base_minor + 4)
        fits = [base for base in near if base + tax_on(base, group.percent, rounding) == gross]
        if fits:
            assert group.tax_minor == tax_on(group.base_minor, group.percent, rounding)
        else:
            assert abs(group.tax_minor - tax_on(group.base_minor, group.percent, rounding)) == 1
        if all(line.behavior is NET for line in of_group):
            assert group.base_minor == net


def key(group: TaxGroup) -> tuple[TaxCategory, Decimal]:
    return group.category, group.percent


@quick
@given(st.lists(lines, max_size=8), roundings)
@example([TaxableLine(100, STANDARD, GROSS), TaxableLine(-100, STANDARD, GROSS)], Rounding.HALF_UP)
@example([TaxableLine(-100, STANDARD, GROSS), TaxableLine(100, STANDARD, GROSS)], Rounding.HALF_UP)
@example([TaxableLine(0, STANDARD, GROSS), TaxableLine(0, STANDARD, GROSS)], Rounding.HALF_UP)
def test_each_net_is_its_own_rounded_down_or_up(
    document: list[TaxableLine], rounding: Rounding
) -> None:
    totals = tax_totals(document, rounding=rounding)
    for line, net in zip(document, totals.line_nets_minor, strict=True):
        if line.behavior is NET:
            assert net == line.amount_minor
        else:
            exact = line.amount_minor / (1 + Fraction(line.rate.percent) / 100)
            assert abs(net - exact) < 1


@quick
@given(st.lists(lines, max_size=8), roundings)
@example([TaxableLine(-1, STANDARD, GROSS), TaxableLine(1, STANDARD, GROSS)] * 2, Rounding.HALF_UP)
def test_a_credit_mirrors_the_charge(document: list[TaxableLine], rounding: Rounding) -> None:
    charge = tax_totals(document, rounding=rounding)
    credit = tax_totals(
        [TaxableLine(-line.amount_minor, line.rate, line.behavior) for line in document],
        rounding=rounding,
    )
    assert credit.line_nets_minor == tuple([-net for net in charge.line_nets_minor])
    assert (credit.net_minor, credit.tax_minor) == (-charge.net_minor, -charge.tax_minor)
    assert [g.tax_minor for g in credit.groups] == [-g.tax_minor for g in charge.groups]


@quick
@given(lines, roundings)
def test_one_line_is_counted_as_many_are(line: TaxableLine, rounding: Rounding) -> None:
    one = tax_totals([line], rounding=rounding)
    two = tax_totals([line, TaxableLine(0, line.rate, line.behavior)], rounding=rounding)
    assert one.groups == two.groups
    assert (*one.line_nets_minor, 0) == two.line_nets_minor
    split = net_and_tax(line.amount_minor, line.rate, line.behavior, rounding=rounding)
    assert split == (one.net_minor, one.tax_minor)


@quick
@given(st.lists(amounts, min_size=2, max_size=6), rates, roundings)
def test_equal_rates_are_one_group_whichever_object_they_are(
    values: list[int], rate: TaxRate, rounding: Rounding
) -> None:
    twin = TaxRate(rate.percent, rate.category, rate.reason)
    document = [TaxableLine(value, rate if value % 2 else twin) for value in values]
    totals = tax_totals(document, rounding=rounding)
    tax = tax_on(sum(values), rate.percent, rounding)
    group = TaxGroup(rate.category, rate.percent, rate.reason, sum(values), tax)
    assert totals == TaxTotals(tuple(values), (group,), sum(values), tax, sum(values) + tax)


def test_a_document_without_lines_has_no_totals() -> None:
    assert tax_totals([]) == TaxTotals((), (), 0, 0, 0)


def test_tax_is_rounded_on_the_base_and_not_per_line() -> None:
    totals = tax_totals([TaxableLine(3, STANDARD)] * 3)
    assert (totals.net_minor, totals.tax_minor) == (9, 2)


def test_a_gross_of_2_99_at_4_percent_is_2_88_and_0_11() -> None:
    assert net_and_tax(299, TaxRate("4"), GROSS) == (288, 11)  # the exact net is 2.875
    assert net_and_tax(299, TaxRate("4"), GROSS, rounding=Rounding.HALF_EVEN) == (288, 11)


def test_a_gross_that_no_base_has_is_kept() -> None:
    totals = tax_totals([TaxableLine(3, STANDARD, GROSS)])
    assert (totals.net_minor, totals.tax_minor, totals.gross_minor) == (3, 0, 3)


def test_rates_and_categories_have_their_own_groups() -> None:
    totals = tax_totals(
        [
            TaxableLine(10_000, STANDARD),
            TaxableLine(5_000, REDUCED),
            TaxableLine(10_700, REDUCED, GROSS),
            TaxableLine(-1_000, STANDARD),
            TaxableLine(500, REVERSE),
        ]
    )
    assert totals.groups == (
        TaxGroup(TaxCategory.STANDARD, Decimal(19), None, 9_000, 1_710),
        TaxGroup(TaxCategory.STANDARD, Decimal(7), None, 15_000, 1_050),
        TaxGroup(TaxCategory.REVERSE_CHARGE, Decimal(0), "Reverse charge", 500, 0),
    )
    assert totals.line_nets_minor == (10_000, 5_000, 10_000, -1_000, 500)


def test_a_category_stands_once_with_all_its_reasons() -> None:
    first = TaxRate(0, TaxCategory.EXEMPT, "§ 19 UStG")
    second = TaxRate(0, TaxCategory.EXEMPT, "§ 4 Nr. 21 UStG")
    totals = tax_totals([TaxableLine(1, first), TaxableLine(2, second), TaxableLine(3, first)])
    (group,) = totals.groups
    assert (group.reason, group.base_minor) == ("§ 19 UStG; § 4 Nr. 21 UStG", 6)


@pytest.mark.parametrize("amount", [1.0, True, "1", Decimal(1), None])
def test_a_line_is_in_whole_minor_units(amount: Wrong) -> None:
    with pytest.raises(TypeError, match="amount_minor"):
        TaxableLine(amount, STANDARD)


@pytest.mark.parametrize("behavior", ["inclusive", "included", None])
def test_a_behavior_is_a_member_and_not_its_text(behavior: Wrong) -> None:
    with pytest.raises(ValidationError):
        TaxableLine(1, STANDARD, behavior)
    with pytest.raises(ValidationError):
        net_and_tax(1, STANDARD, behavior)


# --- rates --------------------------------------------------------------------------------------


def test_the_categories_are_the_codes_of_en_16931() -> None:
    assert [category.value for category in TaxCategory] == ["S", "Z", "E", "AE", "K", "G", "O"]


@pytest.mark.parametrize(
    ("percent", "text"), [("19.00", "19"), ("8.10", "8.1"), (20, "20"), (Decimal("1E+1"), "10")]
)
def test_a_rate_has_one_spelling(percent: str | int | Decimal, text: str) -> None:
    rate = TaxRate(percent)
    assert str(rate.percent) == text
    assert rate == TaxRate(text)
    assert hash(rate) == hash(TaxRate(text))
    assert pickle.loads(pickle.dumps(rate)).ratio == rate.ratio  # noqa: S301
    assert Fraction(*rate.ratio) == Fraction(text) / 100


@pytest.mark.parametrize("percent", ["-1", "100.0001", "19.00001", "19%", "NaN", "", 101, "0"])
def test_a_standard_rate_is_above_0_and_at_most_100(percent: Wrong) -> None:
    with pytest.raises(ValidationError) as refused:
        TaxRate(percent)
    assert refused.value.field == "percent"


@pytest.mark.parametrize("percent", [19.0, True, None])
def test_a_rate_is_never_a_float(percent: Wrong) -> None:
    with pytest.raises(TypeError, match="percent"):
        TaxRate(percent)


EXEMPT = [c for c in TaxCategory if c not in {TaxCategory.STANDARD, TaxCategory.ZERO}]


def test_who_takes_nothing_is_told_how_to_say_so() -> None:
    with pytest.raises(ValidationError, match="another category, such as"):
        TaxRate("0")


@pytest.mark.parametrize("category", EXEMPT)
@pytest.mark.parametrize("reason", [None, "", "  ", 5])
def test_what_is_not_taxed_says_why(category: TaxCategory, reason: Wrong) -> None:
    assert TaxRate(0, category, "because").percent == 0
    with pytest.raises(ValidationError) as refused:
        TaxRate(0, category, reason)
    assert refused.value.field == "reason"
    with pytest.raises(ValidationError):
        TaxRate(19, category, "because")


@pytest.mark.parametrize(
    ("percent", "category"), [(19, TaxCategory.STANDARD), (0, TaxCategory.ZERO)]
)
@pytest.mark.parametrize("reason", ["because", "", 5])
def test_what_is_taxed_needs_no_reason(percent: int, category: TaxCategory, reason: Wrong) -> None:
    with pytest.raises(ValidationError):
        TaxRate(percent, category, reason)


def test_a_category_is_a_member_and_not_its_code() -> None:
    with pytest.raises(ValidationError):
        TaxRate(19, "S")  # type: ignore[arg-type]


# --- tables -------------------------------------------------------------------------------------

GERMANY = {
    date(2021, 1, 1): TaxRate("19"),
    date(2007, 1, 1): TaxRate("19"),
    date(2020, 7, 1): TaxRate("16"),
}


@pytest.mark.parametrize(
    ("day", "percent"),
    [
        (date(2007, 1, 1), 19),
        (date(2020, 6, 30), 19),
        (date(2020, 7, 1), 16),
        (date(2020, 12, 31), 16),
        (date(2021, 1, 1), 19),
        (date(2027, 1, 1), 19),
    ],
)
def test_the_rate_is_the_one_of_the_day_of_supply(day: date, percent: int) -> None:
    table = TaxRates({"DE": GERMANY, "FR": TaxRate("20")})
    assert table.rate_for("DE", day).percent == percent
    assert table.rate_for("FR", day).percent == 20


def test_a_day_before_the_first_rate_has_none() -> None:
    with pytest.raises(ValidationError) as refused:
        TaxRates({"DE": GERMANY}, default=REVERSE).rate_for("DE", date(2006, 12, 31))
    assert refused.value.field == "on"


@pytest.mark.parametrize("country", ["FR", None])
def test_a_country_that_is_not_in_the_table_is_an_error_or_the_default(country: str | None) -> None:
    day = date(2027, 1, 1)
    with pytest.raises(ValidationError) as refused:
        TaxRates({"DE": STANDARD}).rate_for(country, day)
    assert (refused.value.field, refused.value.value) == ("country", country)
    assert TaxRates({"DE": STANDARD}, default=ZERO).rate_for(country, day) is ZERO


@pytest.mark.parametrize("country", ["de", "DEU", "", "D1", "ÄÖ", "De"])
def test_what_is_no_country_code_never_gets_the_default(country: str) -> None:
    refused: list[Callable[[], object]] = [
        lambda: NO_TAX.rate_for(country, date(2027, 1, 1)),
        lambda: TaxRates({country: STANDARD}),
    ]
    for ask in refused:
        with pytest.raises(ValidationError):
            ask()


def test_those_who_name_no_table_bill_outside_the_scope_of_tax() -> None:
    rate = NO_TAX.rate_for(None, date(2027, 1, 1))
    assert (rate.category, rate.percent) == (TaxCategory.OUTSIDE_SCOPE, Decimal(0))
    assert rate.reason == "Not subject to VAT"
    assert NO_TAX.rate_for("DE", date(2027, 1, 1)) is rate


NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("day", [NOON, "2027-01-01", None])
def test_a_rate_is_valid_from_a_day(day: Wrong) -> None:
    with pytest.raises(ValidationError):
        TaxRates({"DE": {day: STANDARD}})
    with pytest.raises(ValidationError):
        NO_TAX.rate_for("DE", day)


def test_a_country_in_the_table_has_a_rate() -> None:
    with pytest.raises(ValidationError):
        TaxRates({"DE": {}})


def test_a_table_does_not_change_with_what_it_was_made_from() -> None:
    rates: dict[str, TaxRate | dict[date, TaxRate]] = {"DE": dict(GERMANY)}
    table = TaxRates(rates)
    rates.clear()
    assert table.rate_for("DE", date(2027, 1, 1)).percent == 19
    assert table == TaxRates({"DE": GERMANY})
