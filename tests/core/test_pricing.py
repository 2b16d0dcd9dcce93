"""The laws of flat and unit prices, of packages and of free units, against exact fractions."""

from __future__ import annotations

import pickle
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any, TypeAlias

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from subscriptions.errors import ValidationError
from subscriptions.money import Currency, Money, Rounding
from subscriptions.pricing import (
    Flat,
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
    Volume,
    amount,
    amount_minor,
    exact_amount,
    explain,
    printed_unit_price,
)

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
    model: Flat | PerUnit, quantity: int | Decimal, code: str, rounding: Rounding
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
def test_a_price_is_a_plain_amount_of_at_least_zero(
    model: type[Flat | PerUnit], price: Wrong
) -> None:
    with pytest.raises(ValidationError) as refused:
        model(price)
    assert refused.value.field == "price"


@pytest.mark.parametrize("model", [Flat, PerUnit])
@pytest.mark.parametrize("price", [4.99, True, None])
def test_a_price_is_never_a_float(model: type[Flat | PerUnit], price: Wrong) -> None:
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


# ---- packages -------------------------------------------------------------------------------

MAILS = Package(size=100, price="5.00", free=100)


@pytest.mark.parametrize(
    ("quantity", "text"),
    [
        *((0, "0.00 EUR"), (1, "0.00 EUR"), (100, "0.00 EUR")),
        *((101, "5.00 EUR"), (200, "5.00 EUR"), (201, "10.00 EUR")),
        (Decimal("100.000000000001"), "5.00 EUR"),
        (Decimal("200.5"), "10.00 EUR"),
    ],
)
def test_a_started_package_counts_whole(quantity: int | Decimal, text: str) -> None:
    assert str(MAILS.amount(quantity, "EUR")) == text


@quick
@given(
    size=st.decimals("0.25", 20, places=2),
    price=prices,
    free=st.decimals(0, 20, places=2),
    quantity=st.decimals(0, 100, places=2),
)
@example(size=Decimal("0.1"), price=Decimal(1), free=Decimal(0), quantity=Decimal("0.3"))
@example(size=Decimal(7), price=Decimal("0.01"), free=Decimal(3), quantity=Decimal(10))
def test_packages_are_taken_one_by_one_until_there_are_enough(
    size: Decimal, price: Decimal, free: Decimal, quantity: Decimal
) -> None:
    taken, covered = 0, Fraction(free)
    while covered < Fraction(quantity):
        taken, covered = taken + 1, covered + Fraction(size)
    model = Package(size=size, price=price, free=free)
    assert exact_amount(model, quantity) == taken * Fraction(price)
    assert sum_of(explain(model, quantity)) == taken * Fraction(price)


def test_the_explanation_of_packages_counts_them_and_what_was_free() -> None:
    assert explain(MAILS, 250) == (
        part(100, 0, 0, PartKind.FREE),
        part(2, "5.00", "10.00", PartKind.PACKAGES, size=100),
    )
    assert explain(MAILS, 0) == (part(0, "5.00", 0, PartKind.PACKAGES, size=100),)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"size": 0}, "size"),
        ({"size": -1}, "size"),
        ({"size": "0.0000000000001"}, "size"),
        ({"price": "-1"}, "price"),
        ({"free": -1}, "free"),
        ({"free": 10**18 + 1}, "free"),
    ],
)
def test_a_package_has_a_size_and_no_negative_numbers(wrong: Wrong, field: str) -> None:
    right: Wrong = {"size": 100, "price": "5.00"}
    with pytest.raises(ValidationError) as refused:
        Package(**{**right, **wrong})
    assert refused.value.field == field


# ---- free units of any model ----------------------------------------------------------------

SEATS = (Tier(up_to=10, unit="1.00", flat="2.00"), Tier(unit="0.20", flat="3.00"))
MODELS: tuple[PriceModel, ...] = (
    Flat("29.00"),
    PerUnit("4.99"),
    Graduated(SEATS),
    Graduated(SEATS, bill_zero=False),
    Volume(SEATS),
    Stairstep((Step(up_to=10, price="9.00"), Step(price="49.00"))),
    MAILS,
    GraduatedPercentage((RateTier(up_to=10, rate="2.9", flat=1), RateTier(rate="2"))),
)


def name_of(model: PriceModel) -> str:
    bills_zero = getattr(model, "bill_zero", True)
    return type(model).__name__ if bills_zero else f"{type(model).__name__}, not zero"


@pytest.mark.parametrize("model", MODELS, ids=name_of)
@pytest.mark.parametrize("free", [0, 5, Decimal("10.5"), 250])
@pytest.mark.parametrize("quantity", [0, 5, Decimal("5.5"), 20, 250, 251])
def test_free_units_are_taken_off_before_the_model_is_asked(
    model: PriceModel, free: int | Decimal, quantity: int | Decimal
) -> None:
    rest = max(0, quantity - free)
    with_free = FreeUnits(free, model)
    assert with_free.amount(quantity, "EUR") == model.amount(rest, "EUR")
    assert sum_of(explain(with_free, quantity)) == exact_amount(model, rest)


def test_free_units_fill_no_tier() -> None:
    model = FreeUnits(1000, Graduated(SEATS))
    assert str(model.amount(1010, "EUR")) == "12.00 EUR"
    assert explain(model, 1010) == (
        part(1000, 0, 0, PartKind.FREE),
        part(10, "1.00", "10.00", PartKind.UNITS, 0),
        part(1, "2.00", "2.00", PartKind.FLAT, 0),
    )


def test_free_units_of_a_percentage_are_turnover_and_leave_its_events() -> None:
    model = FreeUnits(100, Percentage("10", fixed="0.30", free_amount=50, maximum=5))
    # 90 and then 60 of 150 free: 30 paid for twice over, and the third event costs the maximum.
    assert str(model.amount(390, "EUR", events=[90, 60, 240])) == "5.60 EUR"
    assert str(model.amount(50, "EUR")) == "0.30 EUR"
    assert explain(model, 50) == explain(
        Percentage("10", fixed="0.30", free_amount=150, maximum=5), 50
    )


@pytest.mark.parametrize(
    ("free", "model", "field"),
    [
        (-1, PerUnit("1"), "free"),
        (1, FreeUnits(1, PerUnit("1")), "model"),
        (1, "4.99", "model"),
        (1, None, "model"),
    ],
)
def test_free_units_are_free_once_and_of_a_model(free: int, model: Wrong, field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        FreeUnits(free, model)
    assert refused.value.field == field


# ---- what is printed ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "quantity", "text"),
    [
        (PerUnit("4.99"), 3, "4.99"),
        (PerUnit("4.99"), 0, "4.99"),
        (Flat("29.00"), 1, "29.00"),
        (Flat("29.00"), 3, None),
        (Graduated([Tier(up_to=10, unit="1.00"), Tier(unit="0.50")]), 10, "1.00"),
        (Graduated([Tier(up_to=10, unit="1.00"), Tier(unit="0.50")]), 11, None),
        (Graduated([Tier(unit="1.00", flat="5.00")]), 10, None),
        (Volume([Tier(up_to=10, unit="1.00"), Tier(unit="0.50")]), 11, "0.50"),
        (Volume([Tier(up_to=10, unit="1.00"), Tier(unit="0.50", flat=1)]), 11, None),
        (Stairstep([Step(price="9.00")]), 1, "9.00"),
        (Stairstep([Step(price="9.00")]), 2, None),
        (Package(size=1, price="5.00"), 1, None),
        (Percentage("1.5"), 1, None),
        (GraduatedPercentage([RateTier(rate="1.5")]), 1, None),
        (FreeUnits(0, PerUnit("4.99")), 1, None),
    ],
    ids=repr,
)
def test_a_unit_price_is_printed_where_it_makes_the_amount(
    model: PriceModel, quantity: int, text: str | None
) -> None:
    printed = printed_unit_price(model, quantity)
    assert printed == (None if text is None else Decimal(text))
    if printed is not None:
        assert Fraction(printed) * quantity == exact_amount(model, quantity)


# ---- what all models share ------------------------------------------------------------------


@pytest.mark.parametrize("model", [*MODELS, Percentage(1), FreeUnits(1, MAILS)], ids=name_of)
@pytest.mark.parametrize("quantity", BAD_QUANTITIES)
def test_every_model_refuses_what_is_no_quantity(
    model: PriceModel, quantity: int | Decimal
) -> None:
    for ask in (exact_amount, explain):
        with pytest.raises(ValidationError) as refused:
            ask(model, quantity)
        assert refused.value.field == "quantity"
    with pytest.raises(ValidationError):
        model.amount(quantity, "EUR")


@pytest.mark.parametrize("model", MODELS, ids=name_of)
def test_only_percentages_look_at_events(model: PriceModel) -> None:
    plain = amount(model, 7, "EUR")
    assert amount(model, 7, "EUR", events=3) == plain
    assert amount(FreeUnits(0, model), 7, "EUR", events=[1, 2]) == plain


@pytest.mark.parametrize("model", [*MODELS, Percentage("1.5"), FreeUnits(1, MAILS)], ids=name_of)
def test_a_model_survives_a_task_queue(model: PriceModel) -> None:
    again = pickle.loads(pickle.dumps(model))  # noqa: S301
    assert again == model
    assert hash(again) == hash(model)
    assert again.amount(250, "EUR") == model.amount(250, "EUR")


def sum_of(parts: tuple[PricePart, ...]) -> Fraction:
    for each in parts:
        assert Fraction(each.quantity) * Fraction(each.unit_price) == Fraction(each.amount)
    return sum([Fraction(each.amount) for each in parts], Fraction())


def part(
    quantity: int,
    unit_price: str | int,
    amount: str | int,
    kind: PartKind,
    tier: int | None = None,
    *,
    size: int | None = None,
) -> PricePart:
    of = None if size is None else Decimal(size)
    return PricePart(Decimal(quantity), Decimal(unit_price), Decimal(amount), kind, tier, of)
