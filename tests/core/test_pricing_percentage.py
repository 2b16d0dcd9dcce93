"""The laws of percentages, against a ledger that is kept event by event."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any, TypeAlias

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from subscriptions.errors import ValidationError
from subscriptions.pricing import PartKind, Percentage, exact_amount, explain

quick = settings(derandomize=True, max_examples=200, deadline=None, database=None)

# What somebody may pass who runs no type checker.
Wrong: TypeAlias = Any

amounts = st.decimals(0, 1000, places=2)


@st.composite
def percentages(draw: st.DrawFn) -> Percentage:
    low = draw(st.none() | st.decimals(0, 5, places=2))
    more = draw(st.none() | st.decimals(0, 5, places=2))
    return Percentage(
        draw(st.decimals(0, 100, places=3)),
        fixed=draw(st.decimals(0, 2, places=2)),
        free_amount=draw(st.decimals(0, 1000, places=2)),
        free_events=draw(st.integers(0, 4)),
        minimum=low,
        maximum=None if more is None else more + (low or 0),
    )


def ledger(model: Percentage, events: list[Decimal]) -> Fraction:
    """Return the cost of events by keeping a book of what is still free, cent by cent of rules."""
    free, total = Fraction(model.free_amount), Fraction()
    for number, event in enumerate(events, 1):
        charged = Fraction(event)
        if free >= charged:
            free, charged = free - charged, Fraction()
        else:
            free, charged = Fraction(), charged - free
        cost = charged * Fraction(model.rate) / 100
        if number > model.free_events:
            cost += Fraction(model.fixed)
        if cost and model.minimum is not None:
            cost = max(cost, Fraction(model.minimum))
        if model.maximum is not None:
            cost = min(cost, Fraction(model.maximum))
        total += cost
    return total


FULL = Percentage("10", fixed="0.30", free_amount=100, free_events=1, minimum="0.50", maximum=5)


@quick
@given(percentages(), st.lists(amounts, max_size=6))
@example(FULL, [Decimal(100), Decimal(0), Decimal(1), Decimal(1000)])
@example(FULL, [])
@example(Percentage(1, minimum="0.50"), [Decimal(0), Decimal("0.01"), Decimal(50)])
@example(Percentage(1, minimum=1, maximum=1), [Decimal(99), Decimal(100), Decimal(101)])
@example(Percentage(1, fixed=1, maximum=0), [Decimal(100)])
def test_events_cost_what_the_ledger_says(model: Percentage, events: list[Decimal]) -> None:
    turnover = sum(events, Decimal(0))
    expected = ledger(model, events)
    assert exact_amount(model, turnover, events=events) == expected
    with localcontext(prec=3):  # the host's precision must not matter
        parts = explain(model, turnover, events=events)
    assert all(Fraction(p.quantity) * Fraction(p.unit_price) == Fraction(p.amount) for p in parts)
    assert sum([Fraction(part.amount) for part in parts], Fraction()) == expected
    minor = model.amount(turnover, "EUR", events=events).minor
    assert abs(minor - expected * 100) <= Fraction(1, 2)


@quick
@given(percentages(), st.lists(amounts, max_size=6))
def test_without_bounds_the_count_of_events_is_enough(
    model: Percentage, events: list[Decimal]
) -> None:
    if model.minimum is None and model.maximum is None:
        turnover = sum(events, Decimal(0))
        if turnover or not events:
            counted = model.amount(turnover, "EUR", events=len(events))
            assert counted == model.amount(turnover, "EUR", events=events)


@quick
@given(percentages(), amounts)
@example(FULL, Decimal(0))
@example(Percentage(1, fixed="0.30"), Decimal(0))
def test_a_turnover_of_which_no_more_is_said_is_one_event_and_zero_is_none(
    model: Percentage, turnover: Decimal
) -> None:
    events = [turnover] if turnover else []
    assert exact_amount(model, turnover) == ledger(model, events)
    assert exact_amount(model, turnover, events=len(events)) == ledger(model, events)


@pytest.mark.parametrize(
    ("model", "turnover", "events", "text"),
    [
        (Percentage("1.5"), 200, None, "3.00 EUR"),
        (Percentage("1.5", fixed="0.30"), 200, None, "3.30 EUR"),
        (Percentage("1.5", fixed="0.30"), 200, 4, "4.20 EUR"),
        (Percentage("1.5", fixed="0.30"), 0, None, "0.00 EUR"),
        (Percentage("1.5", fixed="0.30"), 0, 2, "0.60 EUR"),
        (Percentage("1.5", fixed="0.30", free_events=3), 200, 4, "3.30 EUR"),
        (Percentage("1.5", free_amount=150), 200, None, "0.75 EUR"),
        (Percentage("1.5", free_amount=200), 200, None, "0.00 EUR"),
        (Percentage("1.5", fixed="0.30", free_amount=200), 200, None, "0.30 EUR"),
        (Percentage(1, maximum=2), 1000, None, "2.00 EUR"),
        (Percentage(1, minimum="0.50"), 10, [10], "0.50 EUR"),
        (Percentage(1, minimum="0.50"), 10, [5, 5], "1.00 EUR"),
        (Percentage(1, minimum="0.50", free_amount=5), 10, [5, 5], "0.50 EUR"),
        (Percentage("0.0000000001"), 10**10, None, "0.01 EUR"),
        (Percentage(100), Decimal("0.005"), None, "0.01 EUR"),
    ],
)
def test_a_percentage_has_a_rate_a_fixed_amount_an_allowance_and_bounds(
    model: Percentage, turnover: int | Decimal, events: Wrong, text: str
) -> None:
    assert str(model.amount(turnover, "EUR", events=events)) == text


def test_the_order_of_events_matters_where_the_first_are_free() -> None:
    model = Percentage(10, free_amount=50, maximum=2)
    assert str(model.amount(150, "EUR", events=[50, 100])) == "2.00 EUR"
    assert str(model.amount(150, "EUR", events=[100, 50])) == "4.00 EUR"


def test_the_explanation_counts_turnover_events_and_bounds() -> None:
    parts = explain(FULL, 1131, events=[100, 1, 30, 1000])
    assert [(p.kind, str(p.quantity), str(p.unit_price), str(p.amount)) for p in parts] == [
        (PartKind.FREE_TURNOVER, "100", "0", "0"),
        (PartKind.FREE_EVENTS, "1", "0", "0"),
        (PartKind.TURNOVER, "30", "0.10", "3.00"),
        (PartKind.EVENTS, "1", "0.30", "0.30"),
        (PartKind.MINIMUM, "1", "0.50", "0.50"),
        (PartKind.MAXIMUM, "1", "5", "5"),
    ]
    (part,) = explain(Percentage("1.5"), 200)
    assert (part.kind, part.unit_price, part.tier) == (PartKind.TURNOVER, Decimal("0.015"), None)


@pytest.mark.parametrize(
    ("model", "turnover", "events", "field"),
    [
        (Percentage(1), 100, 0, "events"),
        (Percentage(1), 100, -1, "events"),
        (Percentage(1), 100, 10**18 + 1, "events"),
        (Percentage(1), 100, [50], "events"),
        (Percentage(1), 100, [], "events"),
        (Percentage(1), 100, [50, 50, 1], "events"),
        (Percentage(1), 100, [101, -1], "events[1]"),
        (Percentage(1), 100, [100, Decimal("NaN")], "events[1]"),
        (Percentage(1, minimum=1), 100, 2, "events"),
        (Percentage(1, maximum=1), 100, 2, "events"),
        (Percentage(1, maximum=1), 0, 2, "events"),
        (Percentage(1, minimum=1), 100, [50, 49], "events"),
    ],
)
def test_events_fit_the_turnover_and_are_enough_for_the_bounds(
    model: Percentage, turnover: int, events: Wrong, field: str
) -> None:
    for ask in (exact_amount, explain):
        with pytest.raises(ValidationError) as refused:
            ask(model, turnover, events=events)
        assert refused.value.field == field


@pytest.mark.parametrize("events", [True, 1.0, [99.5, 0.5], [True]])
def test_events_are_no_floats(events: Wrong) -> None:
    with pytest.raises(TypeError):
        Percentage(1).amount(100, "EUR", events=events)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"rate": -1}, "rate"),
        ({"rate": "100.0000000001"}, "rate"),
        ({"rate": "0.00000000001"}, "rate"),
        ({"rate": "1 %"}, "rate"),
        ({"fixed": "-0.01"}, "fixed"),
        ({"free_amount": -1}, "free_amount"),
        ({"free_events": -1}, "free_events"),
        ({"free_events": 10**18 + 1}, "free_events"),
        ({"minimum": -1}, "minimum"),
        ({"maximum": -1}, "maximum"),
        ({"minimum": 2, "maximum": 1}, "maximum"),
    ],
)
def test_a_percentage_has_no_negative_numbers_and_bounds_in_order(wrong: Wrong, field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Percentage(**{"rate": "1.5"} | wrong)
    assert refused.value.field == field


@pytest.mark.parametrize("wrong", [1.5, Decimal(1), "3", True, None])
def test_free_events_are_a_whole_number(wrong: Wrong) -> None:
    with pytest.raises(TypeError):
        Percentage(1, free_events=wrong)
