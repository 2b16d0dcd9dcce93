"""What discounts take off, and how they are shared out, against exact fractions."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriptions.discounts import (
    AmountOff,
    Discount,
    Discountable,
    DiscountShare,
    DiscountTerms,
    PercentOff,
    spread,
)
from subscriptions.errors import ValidationError
from subscriptions.ids import CouponId, ProductId
from subscriptions.money import EUR, JPY, USD, Currency, Money

PRO, SEATS = ProductId("pro"), ProductId("seats")


def discount(terms: DiscountTerms, *products: ProductId, id: str = "welcome") -> Discount:
    return Discount(CouponId(id), id.title(), terms, products)


def amounts(
    lines: list[Discountable], *discounts: Discount, currency: Currency = EUR
) -> list[list[int]]:
    shares = spread(lines, discounts, currency)
    return [[share.amount_minor for share in each] for each in shares]


# ---- terms -----------------------------------------------------------------------------------


@pytest.mark.parametrize("given_as", ["12.50", "12.5", Decimal("12.5000")])
def test_a_percentage_has_one_spelling(given_as: str | Decimal) -> None:
    assert str(PercentOff(given_as).percent) == "12.5"


@pytest.mark.parametrize("given_as", ["100", "100.0", Decimal("1E+2")])
def test_a_whole_percentage_is_written_without_decimals(given_as: str | Decimal) -> None:
    assert str(PercentOff(given_as).percent) == "100"


def test_the_precision_of_the_host_changes_no_percentage() -> None:
    with localcontext(prec=2):
        assert PercentOff("33.3333333333").percent == Decimal("33.3333333333")
        assert amounts([Discountable(10**12)], discount(PercentOff("33.3333333333"))) == [
            [333_333_333_333]
        ]


@pytest.mark.parametrize("percent", ["0", "-1", "100.0000000001", "0.00000000001", "1e1", "NaN"])
def test_a_percentage_outside_of_0_to_100_or_too_fine_is_refused(percent: str) -> None:
    with pytest.raises(ValidationError, match="percent"):
        PercentOff(percent)


def test_a_float_is_never_a_percentage() -> None:
    with pytest.raises(TypeError, match="never a float"):
        PercentOff(12.5)  # type: ignore[arg-type]  # what a caller without a type checker does


@pytest.mark.parametrize(
    "given_as",
    [
        (),
        5,
        "5.00",
        Money(0, EUR),
        Money(-1, EUR),
        (Money(1, EUR), Money(2, EUR)),
        (Money(1, EUR), 2),
    ],
)
def test_amounts_are_above_zero_and_one_for_each_currency(given_as: object) -> None:
    with pytest.raises(ValidationError, match="amount"):
        AmountOff(given_as)  # type: ignore[arg-type]  # what a caller without a type checker does


def test_one_amount_may_stand_alone() -> None:
    assert AmountOff(Money(500, EUR)) == AmountOff([Money(500, EUR)])


def test_the_amount_of_a_line_is_an_int() -> None:
    with pytest.raises(TypeError, match="amount_minor"):
        Discountable(10.0)  # type: ignore[arg-type]  # what a caller without a type checker does


# ---- check values ----------------------------------------------------------------------------


def test_5_off_lines_of_10_and_20_is_1_67_and_3_33() -> None:
    lines = [Discountable(1000), Discountable(2000)]
    assert amounts(lines, discount(AmountOff(Money(500, EUR)))) == [[167], [333]]


def test_a_percentage_is_rounded_once_for_the_document_and_not_for_each_line() -> None:
    lines = [Discountable(5), Discountable(5), Discountable(5)]
    # 10 % of 15 is 1.5, which rounds to 2; rounding each line's 0.5 would take off 3.
    assert amounts(lines, discount(PercentOff(10))) == [[1], [1], []]


def test_a_half_is_rounded_away_from_zero() -> None:
    assert amounts([Discountable(5)], discount(PercentOff(50))) == [[3]]


def test_discounts_chain_in_the_order_they_are_declared() -> None:
    five_off, half = AmountOff(Money(500, EUR)), PercentOff(50)
    line = [Discountable(2000)]
    first = amounts(line, discount(five_off, id="a"), discount(half, id="b"))
    second = amounts(line, discount(half, id="b"), discount(five_off, id="a"))
    assert (first, second) == ([[500, 750]], [[1000, 500]])


def test_a_share_names_its_coupon() -> None:
    found = spread([Discountable(1000)], [discount(PercentOff(10))], EUR)
    assert found == ((DiscountShare(CouponId("welcome"), "Welcome", 100),),)


def test_an_amount_takes_off_no_more_than_there_is() -> None:
    lines = [Discountable(300), Discountable(100)]
    assert amounts(lines, discount(AmountOff(Money(500, EUR)))) == [[300], [100]]


def test_what_is_used_up_leaves_nothing_to_the_next() -> None:
    everything = discount(PercentOff(100), id="all")
    assert amounts([Discountable(300)], everything, discount(PercentOff(10))) == [[300]]


def test_only_lines_of_the_named_products_are_in_scope() -> None:
    lines = [Discountable(1000, PRO), Discountable(1000, SEATS), Discountable(1000)]
    assert amounts(lines, discount(PercentOff(10), PRO)) == [[100], [], []]
    assert amounts(lines, discount(PercentOff(10), PRO, SEATS)) == [[100], [100], []]
    assert amounts(lines, discount(PercentOff(10))) == [[100], [100], [100]]


def test_a_discount_without_a_line_in_scope_gives_nothing() -> None:
    assert amounts([Discountable(1000, SEATS)], discount(PercentOff(10), PRO)) == [[]]


def test_lines_of_zero_and_below_take_no_part() -> None:
    lines = [Discountable(-1000), Discountable(0), Discountable(1000)]
    assert amounts(lines, discount(PercentOff(10))) == [[], [], [100]]


def test_an_amount_that_is_not_stated_in_the_currency_gives_nothing() -> None:
    terms = AmountOff((Money(500, EUR), Money(600, USD)))
    line = [Discountable(1000)]
    assert amounts(line, discount(terms), currency=USD) == [[600]]
    assert amounts(line, discount(terms), currency=JPY) == [[]]


def test_of_equal_remainders_the_earlier_line_has_the_larger_share() -> None:
    lines = [Discountable(100), Discountable(100)]
    assert amounts(lines, discount(AmountOff(Money(5, EUR)))) == [[3], [2]]


def test_shares_of_zero_are_left_out() -> None:
    lines = [Discountable(1000), Discountable(1)]
    assert amounts(lines, discount(AmountOff(Money(5, EUR)))) == [[5], []]


def test_without_discounts_every_line_has_none() -> None:
    assert spread([Discountable(1000), Discountable(1)], [], EUR) == ((), ())
    assert spread([], [discount(PercentOff(10))], EUR) == ()


# ---- laws ------------------------------------------------------------------------------------

products = st.sampled_from([None, PRO, SEATS])
lines_of_a_document = st.lists(
    st.builds(Discountable, st.integers(-100, 100_000), products), max_size=6
)
percentages = st.decimals("0.0000000001", "100", places=10).map(PercentOff)
fixed = st.integers(1, 100_000).map(lambda minor: AmountOff(Money(minor, EUR)))
scopes = st.sampled_from([(), (PRO,), (SEATS,), (PRO, SEATS)])
declared = st.lists(st.tuples(st.one_of(percentages, fixed), scopes), max_size=4).map(
    lambda given: [
        discount(terms, *scope, id=f"coupon-{place}") for place, (terms, scope) in enumerate(given)
    ]
)


def _rounded(value: Fraction) -> int:
    """Round a fraction of at least 0, half away from zero."""
    return int(value + Fraction(1, 2))


def _oracle(lines: list[Discountable], discounts: list[Discount]) -> list[dict[str, int]]:
    """Share out by exact fractions, a unit at a time, to who is the furthest behind his due."""
    left = {place: line.amount_minor for place, line in enumerate(lines) if line.amount_minor > 0}
    taken: list[dict[str, int]] = [{} for _ in lines]
    for each in discounts:
        scope = [n for n in left if not each.products or lines[n].product in each.products]
        whole = sum(left[n] for n in scope)
        if isinstance(each.terms, PercentOff):
            units = _rounded(whole * Fraction(each.terms.percent) / 100)
        else:
            units = min(each.terms.amounts[0].minor, whole)
        if units == 0:
            continue
        due = {n: Fraction(units * left[n], whole) for n in scope}
        given_to = {n: int(due[n]) for n in scope}
        for _ in range(units - sum(given_to.values())):
            furthest = max(scope, key=lambda n: (due[n] - given_to[n], -n))
            given_to[furthest] += 1
        for n in scope:
            left[n] -= given_to[n]
            if given_to[n]:
                taken[n][each.coupon] = given_to[n]
    return taken


@given(lines_of_a_document, declared)
def test_shares_are_those_of_exact_fractions(
    lines: list[Discountable], discounts: list[Discount]
) -> None:
    found = spread(lines, discounts, EUR)
    expected = _oracle(lines, discounts)
    assert [{s.coupon: s.amount_minor for s in shares} for shares in found] == expected


@given(lines_of_a_document, declared)
def test_no_line_goes_below_zero_and_every_share_is_above_it(
    lines: list[Discountable], discounts: list[Discount]
) -> None:
    for line, shares in zip(lines, spread(lines, discounts, EUR), strict=True):
        assert all(share.amount_minor > 0 for share in shares)
        assert sum(share.amount_minor for share in shares) <= max(line.amount_minor, 0)


@given(lines_of_a_document, declared)
def test_the_shares_of_a_line_stand_in_the_order_of_the_discounts(
    lines: list[Discountable], discounts: list[Discount]
) -> None:
    order = [each.coupon for each in discounts]
    for shares in spread(lines, discounts, EUR):
        places = [order.index(share.coupon) for share in shares]
        assert places == sorted(set(places))


@given(st.lists(st.integers(1, 100_000), min_size=1, max_size=6), st.integers(1, 300_000))
def test_an_amount_is_conserved_up_to_what_there_is(each_minor: list[int], off_minor: int) -> None:
    lines = [Discountable(minor) for minor in each_minor]
    found = spread(lines, [discount(AmountOff(Money(off_minor, EUR)))], EUR)
    shared = sum(share.amount_minor for shares in found for share in shares)
    assert shared == min(off_minor, sum(each_minor))


@given(lines_of_a_document, declared)
def test_what_is_out_of_scope_changes_nothing(
    lines: list[Discountable], discounts: list[Discount]
) -> None:
    with_credit = [*lines, Discountable(-500, PRO), Discountable(0)]
    assert spread(with_credit, discounts, EUR)[: len(lines)] == spread(lines, discounts, EUR)
