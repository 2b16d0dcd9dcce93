"""The laws of prices, against exact fractions."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any, TypeAlias

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from subscriptions.errors import ValidationError
from subscriptions.money import Currency, Money, Rounding
from subscriptions.pricing import Flat, PerUnit, PriceModel, amount, amount_minor, explain

quick = settings(derandomize=True, max_examples=200, deadline=None, database=None)

# What somebody may pass who runs no type checker.
Wrong: TypeAlias = Any

prices = st.decimals(0, 10**6, places=6)
quantities = st.integers(0, 10**6) | st.decimals(0, 10**6, places=4)
models = st.builds(Flat, prices) | st.builds(PerUnit, prices)
roundings = st.sampled_from(Rounding)


def rounded(value: Fraction, rounding: Rounding) -> int:
    below, half = value.numerator // value.denominator, Fraction(1, 2)
    if value - below == half:
        return below + 1 if rounding is Rounding.HALF_UP or below % 2 else below
    return round(value)


@pytest.mark.parametrize("quantity", [0, 1, 3, Decimal("0.5"), 10**6])
def test_a_flat_price_is_charged_once_whatever_the_quantity(quantity: int | Decimal) -> None:
    assert Flat("29.00").amount(quantity, "EUR") == Money.of("29.00", "EUR")


@pytest.mark.parametrize(
    ("price", "quantity", "code", "text"),
    [
        ("4.99", 3, "EUR", "14.97 EUR"),
        ("4.99", 0, "EUR", "0.00 EUR"),
        ("0.0005", 1010, "EUR", "0.51 EUR"),
        ("0.000000000001", 10**12, "EUR", "1.00 EUR"),
        ("10", Decimal("0.333333333333"), "EUR", "3.33 EUR"),
        ("0.5", 1, "JPY", "1 JPY"),
        ("0.5", 3, "JPY", "2 JPY"),
        ("1.2345", 2, "KWD", "2.469 KWD"),
    ],
)
def test_a_unit_price_is_multiplied_and_rounded_once(
    price: str, quantity: int | Decimal, code: str, text: str
) -> None:
    assert str(PerUnit(price).amount(quantity, code)) == text


@quick
@given(models, quantities, st.sampled_from(["EUR", "JPY", "KWD"]), roundings)
@example(PerUnit("0.005"), 1, "EUR", Rounding.HALF_EVEN)
@example(PerUnit("0.005"), 1, "EUR", Rounding.HALF_UP)
@example(PerUnit("0.015"), 1, "EUR", Rounding.HALF_EVEN)
def test_an_amount_is_the_exact_product_rounded_once(
    model: PriceModel, quantity: int | Decimal, code: str, rounding: Rounding
) -> None:
    currency = Currency(code)
    if isinstance(model, Flat):
        exact = Fraction(model.price)
    else:
        exact = Fraction(model.unit_price) * Fraction(quantity)
    expected = rounded(exact * 10**currency.exponent, rounding)
    assert amount(model, quantity, code, rounding=rounding) == Money(expected, currency)
    assert model.amount(quantity, currency, rounding=rounding).minor == expected
    assert amount_minor(model, quantity, currency.exponent, rounding) == expected


@quick
@given(models, quantities)
def test_the_parts_of_the_explanation_add_up_exactly(
    model: PriceModel, quantity: int | Decimal
) -> None:
    with localcontext(prec=3):  # the host's precision must not matter
        parts = explain(model, quantity)
    assert all(Fraction(p.quantity) * Fraction(p.unit_price) == Fraction(p.amount) for p in parts)
    exact = sum([Fraction(part.amount) for part in parts], Fraction())
    assert model.amount(quantity, "EUR").minor == rounded(exact * 100, Rounding.HALF_UP)


def test_the_explanation_of_a_flat_price_counts_it_once() -> None:
    (part,) = explain(Flat("29.00"), 7)
    assert (part.quantity, part.unit_price, part.amount) == (Decimal(1), Decimal(29), Decimal(29))


@pytest.mark.parametrize("model", [Flat, PerUnit])
@pytest.mark.parametrize("price", ["-0.01", "1e5", "NaN", "", "0.0000000000001", 10**15 + 1, -1])
def test_a_price_is_a_plain_amount_of_at_least_zero(model: type[PriceModel], price: Wrong) -> None:
    with pytest.raises(ValidationError) as refused:
        model(price)
    assert refused.value.field == "price"


@pytest.mark.parametrize("model", [Flat, PerUnit])
@pytest.mark.parametrize("price", [4.99, True, None])
def test_a_price_is_never_a_float(model: type[PriceModel], price: Wrong) -> None:
    with pytest.raises(TypeError):
        model(price)


def test_prices_with_equal_values_are_equal() -> None:
    assert PerUnit("4.990") == PerUnit(Decimal("4.99"))
    assert hash(Flat("29")) == hash(Flat("29.00"))
    per_unit: PriceModel = PerUnit("29")
    assert per_unit != Flat("29")


BAD_QUANTITIES = [-1, Decimal("-0.1"), Decimal("NaN"), Decimal("1E-13"), 10**18 + 1]


@pytest.mark.parametrize("model", [Flat("1"), PerUnit("1")])
@pytest.mark.parametrize("quantity", BAD_QUANTITIES)
def test_a_quantity_is_a_number_of_at_least_zero(
    model: PriceModel, quantity: int | Decimal
) -> None:
    with pytest.raises(ValidationError) as refused:
        model.amount(quantity, "EUR")
    assert refused.value.field == "quantity"
    with pytest.raises(ValidationError):
        explain(model, quantity)


@pytest.mark.parametrize("quantity", [1.5, True, None])
def test_a_quantity_is_never_a_float(quantity: Wrong) -> None:
    with pytest.raises(TypeError, match="quantity"):
        PerUnit("1").amount(quantity, "EUR")


def test_an_amount_beyond_the_limit_of_money_is_refused() -> None:
    with pytest.raises(ValidationError):
        PerUnit(10**15).amount(10**18, "EUR")
