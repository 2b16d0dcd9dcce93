"""The laws of money, against oracles that share no code: `fractions`, `decimal` and brute force."""

from __future__ import annotations

import copy
import operator
import pickle
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from typing import Any, TypeAlias

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from subscriptions.errors import CurrencyMismatch, ValidationError
from subscriptions.money import (
    CHF,
    EUR,
    GBP,
    JPY,
    MINOR_LIMIT,
    USD,
    Currency,
    Money,
    Rounding,
    allocate_minor,
    decimal_places,
    minor_to_decimal,
    minor_to_text,
    read_decimal,
    read_minor,
    round_decimal_to_minor,
    round_fraction,
    total,
)

quick = settings(derandomize=True, max_examples=200, deadline=None, database=None)

# What somebody may pass who runs no type checker.
Wrong: TypeAlias = Any

minors = st.integers(-(10**15), 10**15)
weights = st.lists(st.integers(0, 10_000), min_size=1, max_size=12).filter(any)
currencies = st.sampled_from([EUR, USD, JPY, Currency("KWD"), Currency("CLF")])
roundings = st.sampled_from(Rounding)


# --- currencies ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "exponent"),
    [
        ("JPY", 0),
        ("KRW", 0),
        ("ISK", 0),
        ("UGX", 0),
        ("EUR", 2),
        ("USD", 2),
        ("HUF", 2),
        ("RSD", 2),
        ("IQD", 3),
        ("KWD", 3),
        ("BHD", 3),
        ("TND", 3),
        ("CLF", 4),
        ("UYW", 4),
    ],
)
def test_minor_units_are_those_of_iso_4217_and_not_of_display(code: str, exponent: int) -> None:
    assert Currency(code).exponent == exponent


def test_there_is_one_object_per_code() -> None:
    euro = Currency("EUR")
    assert euro is Currency.of("EUR") is Currency.of(euro) is EUR
    assert (CHF.code, GBP.code, JPY.code, USD.code) == ("CHF", "GBP", "JPY", "USD")
    assert (str(euro), repr(euro)) == ("EUR", 'Currency("EUR")')


def pickled(currency: Currency) -> Currency:
    again = pickle.loads(pickle.dumps(currency))  # noqa: S301
    assert isinstance(again, Currency)
    return again


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, pickled])
def test_a_copied_or_pickled_currency_is_the_same_object(
    again: Callable[[Currency], Currency],
) -> None:
    assert again(EUR) is EUR
    assert again(Currency("NOK")) is Currency("NOK")


def test_a_currency_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        EUR.exponent = 3  # type: ignore[misc]


@pytest.mark.parametrize("code", ["eur", "Eur", "EURO", "EU", "", "XAU", "XXX", "€", " EUR", None])
def test_an_unknown_code_or_a_wrong_case_is_refused(code: Wrong) -> None:
    with pytest.raises(ValidationError) as refused:
        Currency(code)
    assert (refused.value.field, refused.value.value) == ("currency", code)


# --- construction -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "code", "minor"),
    [
        ("29.00", "EUR", 2900),
        ("29", "EUR", 2900),
        ("29.5", "EUR", 2950),
        ("-0.05", "EUR", -5),
        ("-0", "EUR", 0),
        ("007.10", "EUR", 710),
        ("500", "JPY", 500),
        ("1.234", "KWD", 1234),
        ("0.0001", "CLF", 1),
        (30, "EUR", 3000),
        (-3, "JPY", -3),
        (Decimal("29.0000"), "EUR", 2900),
        (Decimal("2.9E+1"), "EUR", 2900),
        (Decimal("1E+3"), "JPY", 1000),
        (Decimal("-0.01"), "EUR", -1),
    ],
)
def test_an_amount_is_read_exactly(amount: str | int | Decimal, code: str, minor: int) -> None:
    assert Money.of(amount, code) == Money(minor, Currency(code))


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "1e5",
        "1E5",
        "NaN",
        "Infinity",
        "-inf",
        "+1",
        " 1",
        "1 ",
        "1\n",
        "1,00",
        "1.",
        ".5",
        "1_000",
        "--1",
        "1.2.3",
        "\u0663",
        "\uff11",
        "0x10",
        "1" * 31,
        "0." + "1" * 31,
    ],
)
def test_only_plain_decimal_notation_is_read(text: str) -> None:
    with pytest.raises(ValidationError):
        Money.of(text, "EUR")
    with pytest.raises(ValidationError):
        Money.of(text, "EUR", rounding=Rounding.HALF_UP)


@pytest.mark.parametrize(
    ("amount", "code"),
    [("29.001", "EUR"), ("29.000", "EUR"), ("1.0", "JPY"), (Decimal("0.005"), "EUR")],
)
def test_more_decimals_than_the_currency_has_need_a_rounding(
    amount: str | Decimal, code: str
) -> None:
    with pytest.raises(ValidationError, match="decimals, or a rounding"):
        Money.of(amount, code)
    assert isinstance(Money.of(amount, code, rounding=Rounding.HALF_UP), Money)


def test_a_named_rounding_rounds_once() -> None:
    assert Money.of("0.125", "EUR", rounding=Rounding.HALF_UP).minor == 13
    assert Money.of("0.125", "EUR", rounding=Rounding.HALF_EVEN).minor == 12
    assert Money.of("-0.125", "EUR", rounding=Rounding.HALF_UP).minor == -13
    assert Money.of("0.12499999", "EUR", rounding=Rounding.HALF_UP).minor == 12


@pytest.mark.parametrize("amount", [Decimal("NaN"), Decimal("sNaN"), Decimal("-Infinity")])
def test_not_a_number_is_no_amount(amount: Decimal) -> None:
    with pytest.raises(ValidationError):
        Money.of(amount, "EUR")
    with pytest.raises(ValidationError):
        round_decimal_to_minor(amount, 2)


@pytest.mark.parametrize("amount", [19.99, 1.0, True, None, b"1", Fraction(1, 2), 1j])
def test_a_float_is_never_an_amount(amount: Wrong) -> None:
    with pytest.raises(TypeError, match="amount"):
        Money.of(amount, "EUR")


@pytest.mark.parametrize("minor", [1.0, True, "1", Decimal(1), None])
def test_minor_units_are_ints(minor: Wrong) -> None:
    with pytest.raises(TypeError, match="minor"):
        Money(minor, EUR)


def test_the_constructor_takes_a_currency_and_not_its_code() -> None:
    with pytest.raises(TypeError, match="currency"):
        Money(1, "EUR")  # type: ignore[arg-type]


def test_amounts_stay_within_63_bits_either_way() -> None:
    most = Money(MINOR_LIMIT, EUR)
    assert -most == Money(-MINOR_LIMIT, EUR)
    assert most.split(1) == (most,)
    assert sum(most.split(2), Money.zero("EUR")) == most
    refused: list[Callable[[], object]] = [
        lambda: most + Money(1, EUR),
        lambda: -most - Money(1, EUR),
        lambda: most * 2,
        lambda: Money(-(2**63), EUR),
        lambda: Money.of(10**29, "EUR"),
        lambda: total([most, most], "EUR"),
    ]
    for beyond in refused:
        with pytest.raises(ValidationError):
            beyond()


def test_a_bomb_of_an_exponent_is_refused_at_once() -> None:
    with pytest.raises(ValidationError):
        Money.of(Decimal("1E+999999"), "EUR")
    with pytest.raises(ValidationError):
        Money.of(Decimal("1E-999999"), "EUR")
    assert Money.of(Decimal("1E-999999"), "EUR", rounding=Rounding.HALF_UP).minor == 0


# --- arithmetic ---------------------------------------------------------------------------------


@quick
@given(minors, minors, currencies)
def test_arithmetic_is_that_of_the_minor_units(a: int, b: int, currency: Currency) -> None:
    left, right = Money(a, currency), Money(b, currency)
    assert (left + right).minor == a + b
    assert (left - right).minor == a - b
    assert (left * 3).minor == (3 * left).minor == 3 * a
    assert ((-left).minor, (+left).minor, abs(left).minor, bool(left)) == (-a, a, abs(a), bool(a))
    assert (left < right, left <= right, left > right, left >= right, left == right) == (
        a < b,
        a <= b,
        a > b,
        a >= b,
        a == b,
    )
    assert (left == right) <= (hash(left) == hash(right))


@quick
@given(st.lists(minors), currencies)
def test_a_total_is_the_sum(values: list[int], currency: Currency) -> None:
    moneys = [Money(value, currency) for value in values]
    assert total(moneys, currency) == sum(moneys, Money.zero(currency))
    assert total(moneys, currency.code).minor == sum(values)


def add_up(a: Money, b: Money) -> Money:
    return sum([b], a)


def add_up_as_the_other(a: Money, b: Money) -> Money:
    return total([b], a.currency)


@pytest.mark.parametrize(
    "combine",
    [
        operator.add,
        operator.sub,
        operator.lt,
        operator.le,
        operator.gt,
        operator.ge,
        add_up,
        add_up_as_the_other,
    ],
)
def test_two_currencies_never_meet(combine: Callable[[Money, Money], object]) -> None:
    with pytest.raises(CurrencyMismatch) as mismatch:
        combine(Money(0, EUR), Money(0, USD))
    assert (mismatch.value.left, mismatch.value.right) == ("EUR", "USD")


def test_equality_across_currencies_is_an_answer_and_not_an_error() -> None:
    one: object = 1
    assert Money(0, EUR) != Money(0, USD)
    assert Money(1, EUR) != one


@pytest.mark.parametrize("factor", [Decimal("0.5"), 0.5, True, Fraction(1, 2), "2", Money(1, EUR)])
def test_a_product_with_a_fraction_points_to_split_and_allocate(factor: Wrong) -> None:
    with pytest.raises(TypeError, match=r"split\(\) or allocate\(\)"):
        operator.mul(Money(1, EUR), factor)
    with pytest.raises(TypeError, match=r"split\(\) or allocate\(\)"):
        operator.mul(factor, Money(1, EUR))


COMBINATIONS: list[Callable[[Wrong, Wrong], object]] = [
    operator.add,
    operator.sub,
    operator.lt,
    operator.le,
    operator.gt,
    operator.ge,
    operator.mod,
    divmod,
    lambda a, b: a / b,
    lambda a, b: a // b,
]


@pytest.mark.parametrize("combine", COMBINATIONS, ids=range(len(COMBINATIONS)))
def test_money_does_not_mix_with_numbers(combine: Callable[[Wrong, Wrong], object]) -> None:
    with pytest.raises(TypeError):
        combine(Money(1, EUR), 1)
    with pytest.raises(TypeError):
        combine(1, Money(1, EUR))


def test_money_cannot_be_changed_and_survives_pickling() -> None:
    money = Money(1999, EUR)
    with pytest.raises(AttributeError):
        money.minor = 1  # type: ignore[misc]
    again = pickle.loads(pickle.dumps(money))  # noqa: S301
    assert again == money
    assert again.currency is EUR


# --- text ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minor", "code", "text"),
    [
        (2900, "EUR", "29.00 EUR"),
        (-5, "EUR", "-0.05 EUR"),
        (0, "EUR", "0.00 EUR"),
        (-500, "JPY", "-500 JPY"),
        (1, "KWD", "0.001 KWD"),
        (-12345, "CLF", "-1.2345 CLF"),
    ],
)
def test_an_amount_is_written_with_the_decimals_of_its_currency(
    minor: int, code: str, text: str
) -> None:
    assert str(Money(minor, Currency(code))) == text


@quick
@given(minors, currencies)
def test_what_is_written_is_read_again(minor: int, currency: Currency) -> None:
    money = Money(minor, currency)
    assert eval(repr(money), {"Money": Money}) == money  # noqa: S307 - the point of a repr
    assert Money.of(money.amount, currency) == money
    assert money.amount == Decimal(minor) / 10**currency.exponent
    assert -money.amount.as_tuple().exponent == currency.exponent  # type: ignore[operator]
    assert read_minor(minor_to_text(minor, currency.exponent), currency.exponent) == minor


def test_the_decimal_context_of_the_host_changes_nothing() -> None:
    with localcontext(prec=2):
        assert Money(123456, EUR).amount == minor_to_decimal(123456, 2) == Decimal("1234.56")
        assert Money.of(Decimal("1234.56"), "EUR").minor == 123456
        assert round_decimal_to_minor(Decimal("1234.565"), 2) == 123457


# --- sharing out --------------------------------------------------------------------------------


def by_hand(minor: int, parts: list[int]) -> list[int]:
    """Largest remainder in exact fractions, one unit at a time."""
    exact = [Fraction(abs(minor)) * part / sum(parts) for part in parts]
    shares = [int(share) for share in exact]
    while sum(shares) < abs(minor):
        left = [e - s for e, s in zip(exact, shares, strict=True)]
        shares[left.index(max(left))] += 1
    return [share if minor >= 0 else -share for share in shares]


@quick
@given(minors, weights)
@example(-100, [1, 1, 1])
@example(500, [10, 20])
@example(5, [1, 1])
@example(1, [1] * 12)
@example(0, [0, 1])
@example(10**15, [10_000] * 11 + [1])
def test_shares_add_up_by_largest_remainder_with_ties_to_the_earlier(
    minor: int, parts: list[int]
) -> None:
    shares = allocate_minor(minor, parts)
    assert sum(shares) == minor
    assert shares == by_hand(minor, parts)
    assert shares == [-share for share in allocate_minor(-minor, parts)]
    assert all(share == 0 for share, part in zip(shares, parts, strict=True) if part == 0)
    assert [money.minor for money in Money(minor, EUR).allocate(parts)] == shares


@quick
@given(minors, st.integers(1, 60))
@example(100, 3)
@example(-100, 3)
@example(2, 5)
def test_a_split_is_an_allocation_with_equal_weights(minor: int, parts: int) -> None:
    shares = [money.minor for money in Money(minor, EUR).split(parts)]
    assert shares == allocate_minor(minor, [1] * parts)


@pytest.mark.parametrize(
    "bad", [[], [0], [0, 0], [1, -1], [-1], [1.0], [True, 1], ["1"], [Decimal(1)], [None]]
)
def test_weights_are_whole_numbers_and_one_is_above_zero(bad: Wrong) -> None:
    with pytest.raises(ValidationError) as refused:
        Money(100, EUR).allocate(bad)
    assert refused.value.field == "weights"


@pytest.mark.parametrize("parts", [0, -1, 1.0, True, "2", None])
def test_a_split_has_at_least_one_part(parts: Wrong) -> None:
    with pytest.raises(ValidationError):
        Money(100, EUR).split(parts)


def test_only_ints_are_shared_out_or_rounded() -> None:
    with pytest.raises(TypeError, match="minor"):
        allocate_minor(1.0, [1])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="numerator"):
        round_fraction(1.0, 2)  # type: ignore[arg-type]


# --- rounding -----------------------------------------------------------------------------------

MODES = {Rounding.HALF_UP: ROUND_HALF_UP, Rounding.HALF_EVEN: ROUND_HALF_EVEN}


@quick
@given(st.integers(-(10**6), 10**6), st.integers(1, 1000), roundings)
@example(-3, 2, Rounding.HALF_UP)
@example(-5, 2, Rounding.HALF_EVEN)
@example(5, 2, Rounding.HALF_EVEN)
@example(7, 2, Rounding.HALF_EVEN)
def test_a_fraction_is_rounded_to_the_nearest_and_a_half_as_asked(
    numerator: int, denominator: int, rounding: Rounding
) -> None:
    exact = Fraction(numerator, denominator)
    below = exact.numerator // exact.denominator
    if exact - below == Fraction(1, 2):
        away = below + 1 if exact > 0 else below
        even = below if below % 2 == 0 else below + 1
        expected = away if rounding is Rounding.HALF_UP else even
    else:
        expected = round(exact)
    assert round_fraction(numerator, denominator, rounding) == expected


@quick
@given(
    st.decimals(-(10**9), 10**9, places=6),
    st.integers(0, 4),
    roundings,
)
def test_a_decimal_is_rounded_as_the_decimal_module_does(
    value: Decimal, exponent: int, rounding: Rounding
) -> None:
    expected = value.quantize(Decimal(1).scaleb(-exponent), rounding=MODES[rounding])
    assert round_decimal_to_minor(value, exponent, rounding) == int(expected.scaleb(exponent))


def test_the_default_is_half_away_from_zero() -> None:
    assert (round_fraction(3, 2), round_fraction(-3, 2)) == (2, -2)
    assert round_decimal_to_minor(Decimal("-1.005"), 2) == -101


@pytest.mark.parametrize("denominator", [0, -1])
def test_a_denominator_is_at_least_one(denominator: int) -> None:
    with pytest.raises(ValidationError):
        round_fraction(1, denominator)


def test_a_rounding_is_a_member_and_not_its_text() -> None:
    with pytest.raises(ValidationError):
        round_fraction(1, 2, "half_up")  # type: ignore[arg-type]


# --- decimals -----------------------------------------------------------------------------------


@quick
@given(st.decimals(-(10**6), 10**6, places=8))
def test_the_places_of_a_decimal_are_those_that_are_needed(value: Decimal) -> None:
    places = decimal_places(value)
    assert value == round(value, places)
    assert places == 0 or value != round(value, places - 1)


def test_a_limit_on_places_counts_what_is_not_zero() -> None:
    assert read_decimal(Decimal("1.5000"), max_places=1) == Decimal("1.5")
    assert read_decimal("100", max_places=0) == 100
    with pytest.raises(ValidationError, match="at most 2 decimal places"):
        read_decimal("1.005", field="percent", max_places=2)
    with pytest.raises(ValidationError):
        read_decimal(10**30)
