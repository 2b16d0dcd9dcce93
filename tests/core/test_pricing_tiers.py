"""The laws of prices with tiers, against a walk through every quarter of a unit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import pairwise
from typing import Any, TypeAlias

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from subscriptions.errors import ValidationError
from subscriptions.money import Money, Rounding
from subscriptions.pricing import (
    Graduated,
    GraduatedPercentage,
    PartKind,
    PricePart,
    RateTier,
    Stairstep,
    Step,
    Tier,
    Volume,
    exact_amount,
    explain,
)

quick = settings(derandomize=True, max_examples=200, deadline=None, database=None)

# What somebody may pass who runs no type checker.
Wrong: TypeAlias = Any

GRAIN = Fraction(1, 4)
prices = st.decimals(0, 10, places=3)
quarters = st.integers(0, 160).map(lambda count: Decimal(count) / 4)


@st.composite
def tiers(draw: st.DrawFn) -> tuple[Tier, ...]:
    bounds = sorted(draw(st.sets(st.integers(1, 120), max_size=5)))
    ends: list[Decimal | None] = [*[Decimal(bound) / 4 for bound in bounds], None]
    return tuple([Tier(up_to=end, unit=draw(prices), flat=draw(prices)) for end in ends])


def walked(tiers: Sequence[Tier], quantity: Decimal, *, graduated: bool) -> Fraction:
    """Return the cost by taking the quantity a quarter at a time, and looking where each lies."""
    entered = {0} if not quantity else set[int]()
    cost, walked_to, here = Fraction(), Fraction(), 0
    while walked_to < Fraction(quantity):
        walked_to += GRAIN
        (here, *_) = [
            place
            for place, tier in enumerate(tiers)
            if tier.up_to is None or walked_to <= Fraction(tier.up_to)
        ]
        entered.add(here)
        cost += GRAIN * Fraction(tiers[here].unit)
    if graduated:
        return cost + sum([Fraction(tiers[place].flat) for place in entered], Fraction())
    return Fraction(quantity) * Fraction(tiers[here].unit) + Fraction(tiers[here].flat)


def sum_of(parts: Iterable[PricePart]) -> Fraction:
    total = Fraction()
    for part in parts:
        assert Fraction(part.quantity) * Fraction(part.unit_price) == Fraction(part.amount)
        total += Fraction(part.amount)
    return total


TIERS = (
    Tier(up_to=10, unit="1.00"),
    Tier(up_to=100, unit="0.50"),
    Tier(unit="0.20"),
)
WITH_FLATS = (
    Tier(up_to=10, unit="1.00", flat="5.00"),
    Tier(up_to=100, unit="0.50", flat="3.00"),
    Tier(unit="0.20", flat="1.00"),
)
THIRDS = (Tier(up_to=Decimal("0.25"), unit="9.999"), Tier(unit="0.001", flat="0.005"))


@pytest.mark.parametrize(
    ("quantity", "graduated", "volume"),
    [
        (0, "0.00 EUR", "0.00 EUR"),
        (1, "1.00 EUR", "1.00 EUR"),
        (10, "10.00 EUR", "10.00 EUR"),
        (Decimal("10.000000000001"), "10.00 EUR", "5.00 EUR"),
        (11, "10.50 EUR", "5.50 EUR"),
        (100, "55.00 EUR", "50.00 EUR"),
        (Decimal("100.5"), "55.10 EUR", "20.10 EUR"),
        (101, "55.20 EUR", "20.20 EUR"),
    ],
)
def test_a_bound_is_the_last_quantity_of_its_tier(
    quantity: int | Decimal, graduated: str, volume: str
) -> None:
    assert str(Graduated(TIERS).amount(quantity, "EUR")) == graduated
    assert str(Volume(TIERS).amount(quantity, "EUR")) == volume


@pytest.mark.parametrize(
    ("quantity", "graduated", "volume"),
    [
        (0, "5.00 EUR", "5.00 EUR"),
        (Decimal("0.000000000001"), "5.00 EUR", "5.00 EUR"),
        (10, "15.00 EUR", "15.00 EUR"),
        (Decimal("10.000000000001"), "18.00 EUR", "8.00 EUR"),
        (101, "64.20 EUR", "21.20 EUR"),
    ],
)
def test_a_flat_amount_is_charged_once_a_tier_is_entered(
    quantity: int | Decimal, graduated: str, volume: str
) -> None:
    assert str(Graduated(WITH_FLATS).amount(quantity, "EUR")) == graduated
    assert str(Volume(WITH_FLATS).amount(quantity, "EUR")) == volume


@quick
@given(tiers(), quarters, st.booleans())
@example(WITH_FLATS, Decimal(0), True)  # noqa: FBT003
@example(WITH_FLATS, Decimal("10.25"), False)  # noqa: FBT003
@example(THIRDS, Decimal("0.25"), True)  # noqa: FBT003
@example(THIRDS, Decimal("0.5"), True)  # noqa: FBT003
@example((Tier(unit=0, flat="0.001"),), Decimal(0), False)  # noqa: FBT003
def test_tiers_cost_what_a_walk_through_them_costs(
    tiers: tuple[Tier, ...],
    quantity: Decimal,
    bill_zero: bool,  # noqa: FBT001
) -> None:
    billed = bill_zero or quantity > 0
    for model, graduated in ((Graduated, True), (Volume, False)):
        expected = walked(tiers, quantity, graduated=graduated) if billed else Fraction()
        price = model(tiers, bill_zero=bill_zero)
        assert exact_amount(price, quantity) == expected
        with localcontext(prec=3):  # the host's precision must not matter
            parts = explain(price, quantity)
        assert sum_of(parts) == expected
    flat = [Step(up_to=tier.up_to, price=tier.flat) for tier in tiers]
    only_flat = [Tier(up_to=tier.up_to, unit=0, flat=tier.flat) for tier in tiers]
    steps = Stairstep(flat, bill_zero=bill_zero)
    expected = walked(only_flat, quantity, graduated=False) if billed else Fraction()
    assert exact_amount(steps, quantity) == expected
    assert sum_of(explain(steps, quantity)) == expected


fine = st.decimals("0.000000000001", 10**9, places=12)


@quick
@given(
    bounds=st.sets(fine, min_size=1, max_size=8),
    unit=st.lists(st.decimals(0, 10**6, places=12), min_size=9, max_size=9),
    quantity=fine,
    rounding=st.sampled_from(Rounding),
)
def test_twelve_decimals_are_exact_and_rounded_once(
    bounds: set[Decimal], unit: list[Decimal], quantity: Decimal, rounding: Rounding
) -> None:
    ends: list[Decimal | None] = [*sorted(bounds), None]
    model = Graduated([Tier(up_to=end, unit=unit[i]) for i, end in enumerate(ends)])
    q, edges = Fraction(quantity), [Fraction(0), *[Fraction(end) for end in sorted(bounds)]]
    inside = [min(q, high) - low for low, high in pairwise([*edges, max(q, edges[-1])])]
    costs = [max(Fraction(), i) * Fraction(p) for i, p in zip(inside, unit, strict=False)]
    cost = sum(costs, Fraction())
    assert exact_amount(model, quantity) == cost
    assert sum_of(explain(model, quantity)) == cost
    minor = model.amount(quantity, "EUR", rounding=rounding).minor
    assert Fraction(-1, 2) <= Fraction(minor) - cost * 100 <= Fraction(1, 2)


@quick
@given(tiers(), quarters, quarters)
@example(WITH_FLATS, Decimal(10), Decimal("10.25"))
@example(THIRDS, Decimal(0), Decimal("0.25"))
def test_a_graduated_price_never_falls(
    tiers: tuple[Tier, ...], one: Decimal, other: Decimal
) -> None:
    less, more = sorted([one, other])
    model = Graduated(tiers)
    assert model.amount(less, "EUR") <= model.amount(more, "EUR")


def test_a_volume_price_may_fall() -> None:
    assert Volume(TIERS).amount(11, "EUR") < Volume(TIERS).amount(10, "EUR")


@quick
@given(st.integers(1, 60), st.integers(0, 700))
def test_many_tiers_of_one_price_are_that_price(count: int, quantity: int) -> None:
    ends: list[int | None] = [*range(10, 10 * count, 10), None]
    same = [Tier(up_to=end, unit="0.07") for end in ends]
    expected = Money(7 * quantity, Money.zero("EUR").currency)
    assert Graduated(same).amount(quantity, "EUR") == expected
    assert Volume(same).amount(quantity, "EUR") == expected


@pytest.mark.parametrize(
    ("quantity", "text"),
    [
        *((0, "9.00 EUR"), (10, "9.00 EUR"), (Decimal("10.5"), "49.00 EUR"), (11, "49.00 EUR")),
        (10**18, "49.00 EUR"),
    ],
)
def test_a_stairstep_costs_what_the_tier_reached_says(quantity: int | Decimal, text: str) -> None:
    model = Stairstep([Step(up_to=10, price="9.00"), Step(price="49.00")])
    assert str(model.amount(quantity, "EUR")) == text


@pytest.mark.parametrize(
    ("turnover", "text"),
    [
        *((0, "5.00 EUR"), (1000, "34.00 EUR"), (1500, "44.00 EUR")),
        (Decimal("1000.25"), "34.01 EUR"),
    ],
)
def test_each_part_of_a_turnover_bears_the_rate_of_its_tier(
    turnover: int | Decimal, text: str
) -> None:
    model = GraduatedPercentage([RateTier(up_to=1000, rate="2.9", flat=5), RateTier(rate=2)])
    assert str(model.amount(turnover, "EUR")) == text


@quick
@given(tiers(), quarters)
def test_a_graduated_percentage_is_graduated_by_hundredths(
    tiers: tuple[Tier, ...], turnover: Decimal
) -> None:
    rates = [RateTier(up_to=t.up_to, rate=t.unit * 10, flat=t.flat) for t in tiers]
    units = [Tier(up_to=t.up_to, unit=t.unit / 10, flat=t.flat) for t in tiers]
    for bill_zero in (True, False):
        model = GraduatedPercentage(rates, bill_zero=bill_zero)
        twin = Graduated(units, bill_zero=bill_zero)
        assert exact_amount(model, turnover) == exact_amount(twin, turnover)
        assert sum_of(explain(model, turnover)) == exact_amount(model, turnover)


@pytest.mark.parametrize(
    "model",
    [
        Graduated(WITH_FLATS, bill_zero=False),
        Volume(WITH_FLATS, bill_zero=False),
        Stairstep([Step(price="9.00")], bill_zero=False),
        GraduatedPercentage([RateTier(rate=1, flat=5)], bill_zero=False),
    ],
    ids=lambda model: type(model).__name__,
)
def test_nothing_can_be_had_for_nothing(
    model: Graduated | Volume | Stairstep | GraduatedPercentage,
) -> None:
    assert not model.amount(0, "EUR")
    assert sum_of(explain(model, 0)) == 0
    assert model.amount(Decimal("0.000000000001"), "EUR") >= Money.of(5, "EUR")


def test_the_explanation_names_the_tiers() -> None:
    parts = explain(Graduated(WITH_FLATS), Decimal("100.5"))
    assert [(p.tier, p.kind, str(p.quantity), str(p.amount)) for p in parts] == [
        (0, PartKind.UNITS, "10", "10.00"),
        (0, PartKind.FLAT, "1", "5.00"),
        (1, PartKind.UNITS, "90", "45.00"),
        (1, PartKind.FLAT, "1", "3.00"),
        (2, PartKind.UNITS, "0.5", "0.100"),
        (2, PartKind.FLAT, "1", "1.00"),
    ]
    (part,) = explain(Volume(TIERS), 11)
    assert (part.tier, part.kind, part.quantity) == (1, PartKind.UNITS, Decimal(11))
    (part,) = explain(GraduatedPercentage([RateTier(rate="2.9")]), 100)
    assert (part.tier, part.kind, part.unit_price) == (0, PartKind.TURNOVER, Decimal("0.029"))


def test_the_explanation_stops_at_the_tier_reached() -> None:
    assert [part.tier for part in explain(Graduated(TIERS), 10)] == [0]
    assert [part.tier for part in explain(Graduated(TIERS), 0)] == [0]


# ---- lists that are no tiers ----------------------------------------------------------------

OPEN = Tier(unit=1)


def to(*bounds: Wrong) -> list[Tier]:
    return [Tier(up_to=bound, unit=1) for bound in bounds]


def shape(value: Wrong) -> str:
    """Name a list by its bounds, and what is no `Tier` by its class."""
    if value.__class__ is not list or not value:
        return str(value)
    each = [str(one.up_to) if isinstance(one, Tier) else one.__class__.__name__ for one in value]
    return " ".join(each)


BAD_LISTS: list[tuple[Wrong, str]] = [
    ([], "tiers"),
    ((), "tiers"),
    (None, "tiers"),
    (7, "tiers"),
    (OPEN, "tiers"),
    ("tiers", "tiers[0]"),
    ([None], "tiers[0]"),
    ([{"up_to": 10, "unit": 1}, OPEN], "tiers[0]"),
    ([(10, 1), OPEN], "tiers[0]"),
    ([*to(10), Step(price=1)], "tiers[1]"),
    ([*to(10), RateTier(rate=1)], "tiers[1]"),
    (to(10), "tiers[0].up_to"),
    (to(10, 100), "tiers[1].up_to"),
    (to(10, 10, None), "tiers[1].up_to"),
    (to(10, "10.0", None), "tiers[1].up_to"),
    (to(10, 5, None), "tiers[1].up_to"),
    (to(10, 100, 50, None), "tiers[2].up_to"),
    (to(10, 100, "99.999999999999", None), "tiers[2].up_to"),
    (to(10, 5), "tiers[1].up_to"),
    (to(None, None), "tiers[0].up_to"),
    (to(None, 10), "tiers[0].up_to"),
    (to(10, None, 100, None), "tiers[1].up_to"),
    (to(10, None, 100), "tiers[1].up_to"),
]


@pytest.mark.parametrize("model", [Graduated, Volume])
@pytest.mark.parametrize(("wrong", "field"), BAD_LISTS, ids=shape)
def test_a_list_that_is_no_tiers_is_refused_and_the_tier_named(
    model: type[Graduated | Volume], wrong: Wrong, field: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        model(wrong)
    assert refused.value.field == field


def test_steps_and_rates_are_read_as_tiers_are() -> None:
    with pytest.raises(ValidationError) as refused:
        Stairstep([Step(up_to=10, price=1), Step(up_to=9, price=1), Step(price=2)])
    assert refused.value.field == "tiers[1].up_to"
    with pytest.raises(ValidationError) as refused:
        GraduatedPercentage([RateTier(rate=1), RateTier(rate=2)])
    assert refused.value.field == "tiers[0].up_to"
    tiers: Wrong = [OPEN]
    for model in (Stairstep, GraduatedPercentage):
        with pytest.raises(ValidationError) as refused:
            model(tiers)
        assert refused.value.field == "tiers[0]"


BAD_TIERS: list[tuple[Wrong, Wrong, str]] = [
    (Tier, {"up_to": 0, "unit": 1}, "up_to"),
    (Tier, {"up_to": "-1", "unit": 1}, "up_to"),
    (Tier, {"up_to": "ten", "unit": 1}, "up_to"),
    (Tier, {"up_to": 10**18 + 1, "unit": 1}, "up_to"),
    (Tier, {"up_to": "0.0000000000001", "unit": 1}, "up_to"),
    (Tier, {"up_to": Decimal("Infinity"), "unit": 1}, "up_to"),
    (Tier, {"unit": "-0.01"}, "unit"),
    (Tier, {"unit": "1e5"}, "unit"),
    (Tier, {"unit": 10**15 + 1}, "unit"),
    (Tier, {"unit": "0.0000000000001"}, "unit"),
    (Tier, {"unit": 1, "flat": -1}, "flat"),
    (Tier, {"unit": 1, "flat": Decimal("NaN")}, "flat"),
    (RateTier, {"rate": -1}, "rate"),
    (RateTier, {"rate": "100.01"}, "rate"),
    (RateTier, {"rate": "0.00000000001"}, "rate"),
    (Step, {"price": -1}, "price"),
    (Step, {"price": 1, "up_to": 0}, "up_to"),
]


@pytest.mark.parametrize(("kind", "wrong", "field"), BAD_TIERS, ids=str)
def test_a_tier_has_a_bound_above_zero_and_no_negative_price(
    kind: Wrong, wrong: Wrong, field: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        kind(**wrong)
    assert refused.value.field == field


@pytest.mark.parametrize("wrong", [{"unit": 0.5}, {"unit": 1, "up_to": 10.0}, {"up_to": 10}])
def test_a_tier_has_a_price_and_no_floats(wrong: Wrong) -> None:
    with pytest.raises(TypeError):
        Tier(**wrong)


@pytest.mark.parametrize("wrong", [None, 0, "no"])
def test_billing_zero_is_yes_or_no(wrong: Wrong) -> None:
    for model in (Graduated, Volume):
        with pytest.raises(ValidationError) as refused:
            model(TIERS, bill_zero=wrong)
        assert refused.value.field == "bill_zero"


def test_tiers_of_equal_values_are_equal_models() -> None:
    assert Graduated(list(TIERS)) == Graduated(iter(TIERS))
    assert hash(Volume(TIERS)) == hash(Volume(list(TIERS)))
    assert Graduated(TIERS) != Graduated(TIERS, bill_zero=False)
