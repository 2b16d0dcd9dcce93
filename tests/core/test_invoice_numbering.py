"""The laws of numbers: gapless, rising, never twice; and an audit that sees every fault."""

from __future__ import annotations

import pickle
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any, TypeAlias

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from subscriptions.errors import ValidationError
from subscriptions.invoice_numbering import (
    Ahead,
    Double,
    Foreign,
    Gap,
    OutOfOrder,
    Reset,
    Series,
    audit,
)

quick = settings(derandomize=True, max_examples=200, deadline=None, database=None)

# What somebody may pass who runs no type checker.
Wrong: TypeAlias = Any

PATTERNS = {
    Reset.NEVER: [
        "INV-{counter:05}",
        "K{counter:06}",
        "{counter}",
        "{year}/{counter}",
        "{month}-{counter}",
    ],
    Reset.YEARLY: ["INV-{year}-{counter:05}", "{counter}{year}", "{year}{month}{counter}"],
    Reset.MONTHLY: [
        "{year}-{month}-{counter}",
        "{counter}.{month}.{year}",
        "{year}{month}{counter:03}",
    ],
}


@st.composite
def series_of_any_kind(draw: st.DrawFn) -> Series:
    reset = draw(st.sampled_from(Reset))
    pattern = draw(st.sampled_from(PATTERNS[reset]))
    return Series(pattern, reset=reset, start=draw(st.sampled_from([1, 2, 98, 99_998])))


takes = st.lists(
    st.tuples(st.dates(date(2025, 1, 1), date(2029, 12, 31)), st.integers(0, 4)), max_size=8
)


def issued(series: Series, steps: list[tuple[date, int]]) -> tuple[list[str], Series]:
    given_: list[str] = []
    for on, count in steps:
        numbers, series = series.take(count, on=on)
        given_ += numbers
    return given_, series


# --- taking numbers -----------------------------------------------------------------------------


def test_a_yearly_series_begins_again_with_the_year() -> None:
    series = Series("INV-{year}-{counter:05}", reset=Reset.YEARLY)
    first, series = series.next(on=date(2027, 1, 1))
    second, series = series.next(on=date(2027, 12, 31))
    third, series = series.next(on=date(2028, 1, 1))
    assert [first, second, third] == ["INV-2027-00001", "INV-2027-00002", "INV-2028-00001"]


def test_a_monthly_series_begins_again_with_the_month() -> None:
    series = Series("{year}-{month}/{counter}", reset=Reset.MONTHLY, start=7)
    numbers, _ = issued(
        series, [(date(2027, 1, 31), 2), (date(2027, 2, 1), 1), (date(2028, 2, 1), 1)]
    )
    assert numbers == ["2027-01/7", "2027-01/8", "2027-02/7", "2028-02/7"]


def test_a_series_that_never_resets_counts_on() -> None:
    numbers, _ = issued(Series("{year}/{counter}"), [(date(2027, 1, 31), 2), (date(2028, 2, 1), 1)])
    assert numbers == ["2027/1", "2027/2", "2028/3"]


def test_an_earlier_day_gets_the_number_of_the_last_one() -> None:
    series = Series("{year}-{counter}", reset=Reset.YEARLY)
    numbers, series = issued(series, [(date(2027, 1, 1), 1), (date(2026, 12, 31), 2)])
    assert numbers == ["2027-1", "2027-2", "2027-3"]
    assert series.last_on == date(2027, 1, 1)


def test_a_counter_grows_beyond_its_padding() -> None:
    numbers, _ = Series("K{counter:02}", start=99).take(2, on=date(2027, 1, 1))
    assert numbers == ["K99", "K100"]


def test_fixed_texts_stand_where_the_pattern_says() -> None:
    series = Series("{prefix}-{customer}-{counter:03}", prefix="RE", customer="K000123")
    assert series.next(on=date(2027, 1, 1))[0] == "RE-K000123-001"


def test_a_series_goes_on_where_another_system_stopped() -> None:
    series = Series(
        "RE{year}-{counter}", reset=Reset.YEARLY, last_counter=1233, last_on=date(2026, 6, 30)
    )
    assert series.next(on=date(2026, 7, 1))[0] == "RE2026-1234"
    assert series.next(on=date(2027, 1, 1))[0] == "RE2027-1"


def test_nothing_taken_changes_nothing() -> None:
    series = Series("{counter}")
    assert series.take(0, on=date(2027, 1, 1)) == ([], series)


@quick
@given(series_of_any_kind(), takes)
@example(
    Series("{year}-{counter}", reset=Reset.YEARLY), [(date(2027, 1, 1), 1), (date(2026, 12, 31), 1)]
)
def test_no_number_is_given_twice_and_none_is_left_out(
    series: Series, steps: list[tuple[date, int]]
) -> None:
    numbers, after = issued(series, steps)
    assert len(set(numbers)) == len(numbers)
    assert audit(after, numbers) == ()
    assert audit(series, numbers) == ()


@quick
@given(series_of_any_kind(), st.dates(date(2025, 1, 1), date(2029, 12, 31)), st.integers(1, 30))
def test_many_at_once_are_as_one_by_one(series: Series, on: date, count: int) -> None:
    at_once, after = series.take(count, on=on)
    one_by_one: list[str] = []
    for _ in range(count):
        number, series = series.next(on=on)
        one_by_one.append(number)
    assert (at_once, after) == (one_by_one, series)


@quick
@given(takes)
def test_padded_numbers_of_a_year_rise_as_texts_too(steps: list[tuple[date, int]]) -> None:
    numbers, _ = issued(Series("{year}-{counter:05}", reset=Reset.YEARLY), steps)
    assert all(a < b for a, b in pairwise(numbers))


def test_a_series_survives_pickling() -> None:
    _, series = Series("{counter}").next(on=date(2027, 1, 1))
    assert pickle.loads(pickle.dumps(series)) == series  # noqa: S301


# --- patterns -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "INV",
        "{year}",
        "{counter}{counter}",
        "{year}{year}{counter}",
        "{counter:5}",
        "{counter:00}",
        "{counter:019}",
        "{counter:05d}",
        "{counter:x}",
        "{counter!r}",
        "{year:02}{counter}",
        "{day}{counter}",
        "{}",
        "{0}",
        "{counter",
        "counter}",
        "{{counter}}",
        "{counter.real}",
        "{counter[0]}",
        "{Counter}",
        "{{}}{counter}",
        "A\n{counter}",
        "x" * 65 + "{counter}",
        None,
        5,
    ],
)
def test_a_pattern_has_one_counter_and_known_tokens(pattern: Wrong) -> None:
    with pytest.raises(ValidationError) as refused:
        Series(pattern)
    assert refused.value.field == "pattern"


@pytest.mark.parametrize(
    ("pattern", "reset"),
    [
        ("{counter}", Reset.YEARLY),
        ("{month}{counter}", Reset.YEARLY),
        ("{counter}", Reset.MONTHLY),
        ("{year}{counter}", Reset.MONTHLY),
        ("{month}{counter}", Reset.MONTHLY),
    ],
)
def test_a_reset_that_would_repeat_numbers_is_refused(pattern: str, reset: Reset) -> None:
    with pytest.raises(ValidationError, match="for the reset"):
        Series(pattern, reset=reset)


@pytest.mark.parametrize(
    ("field", "facts"),
    [
        ("reset", {"reset": "yearly"}),
        ("start", {"start": 0}),
        ("start", {"start": True}),
        ("start", {"start": 1.0}),
        ("prefix", {"prefix": "RE"}),
        ("customer", {"customer": "K1"}),
        ("last_on", {"last_counter": 1}),
        ("last_on", {"last_on": date(2027, 1, 1)}),
        ("last_on", {"last_counter": 1, "last_on": datetime(2027, 1, 1, tzinfo=UTC)}),
        ("last_on", {"last_counter": 1, "last_on": "2027-01-01"}),
        ("last_counter", {"last_counter": 4, "start": 5, "last_on": date(2027, 1, 1)}),
        ("last_counter", {"last_counter": 1.0, "last_on": date(2027, 1, 1)}),
    ],
    ids=str,
)
def test_facts_that_do_not_fit_together_are_refused(field: str, facts: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        Series("{counter}", **facts)
    assert refused.value.field == field


def test_a_pattern_for_each_customer_gives_numbers_only_of_one() -> None:
    each = Series("{customer}/{year}-{counter:02}", reset=Reset.YEARLY, start=5)
    assert each.per_customer
    with pytest.raises(ValidationError) as refused:
        each.take(1, on=date(2027, 1, 1))
    assert refused.value.field == "customer"
    assert each.take(0, on=date(2027, 1, 1)) == ([], each)
    own = each.of_customer("K1")
    assert not own.per_customer
    assert own.take(2, on=date(2027, 1, 1))[0] == ["K1/2027-05", "K1/2027-06"]
    assert audit(own, ["K1/2027-05", "K2/2027-06"]) == (Foreign("K2/2027-06", 1),)


def test_a_pattern_for_each_customer_begins_for_each() -> None:
    with pytest.raises(ValidationError) as refused:
        Series("{customer}-{counter}", last_counter=7, last_on=date(2026, 12, 31))
    assert refused.value.field == "last_on"
    for number in ("", "{K1}", "x" * 65):
        with pytest.raises(ValidationError) as refused:
            Series("{customer}-{counter}").of_customer(number)
        assert refused.value.field == "customer"


def test_a_prefix_is_named_if_the_pattern_has_one() -> None:
    with pytest.raises(ValidationError) as refused:
        Series("{prefix}-{counter}")
    assert refused.value.field == "prefix"


@pytest.mark.parametrize("name", ["prefix", "customer"])
@pytest.mark.parametrize("text", ["a{b", "a\tb", "x" * 65])
def test_a_fixed_text_is_printable_and_has_no_braces(name: str, text: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Series(f"{{{name}}}-{{counter}}", **{name: text})  # type: ignore[arg-type]
    assert refused.value.field == name


@pytest.mark.parametrize("on", [datetime(2027, 1, 1, tzinfo=UTC), "2027-01-01", None])
def test_a_number_is_given_for_a_day(on: Wrong) -> None:
    with pytest.raises(ValidationError):
        Series("{counter}").next(on=on)


@pytest.mark.parametrize("count", [-1, True, 1.0, None])
def test_a_count_is_a_whole_number(count: Wrong) -> None:
    with pytest.raises(ValidationError):
        Series("{counter}").take(count, on=date(2027, 1, 1))


# --- the audit ----------------------------------------------------------------------------------

CUSTOMERS = Series("K{counter:03}")
YEARLY = Series("{year}-{counter}", reset=Reset.YEARLY)


def test_nothing_given_is_in_order() -> None:
    assert audit(CUSTOMERS, []) == ()


def test_a_gap_names_what_is_missing_and_what_follows() -> None:
    findings = audit(CUSTOMERS, ["K003", "K004", "K008"])
    assert findings == (Gap(1, 2, "K003"), Gap(5, 7, "K008"))


def test_a_list_may_begin_in_the_middle() -> None:
    assert audit(CUSTOMERS, ["K003", "K004"], first=3) == ()
    assert audit(YEARLY, ["2026-9", "2027-1"], first=9) == ()
    assert audit(YEARLY, ["2026-9", "2027-2"], first=9) == (Gap(1, 1, "2027-2"),)


def test_a_number_below_the_first_is_no_gap() -> None:
    assert audit(CUSTOMERS, ["K001", "K002", "K003"], first=3) == ()


def test_a_counter_below_the_start_is_foreign() -> None:
    assert audit(Series("K{counter}", start=5), ["K4", "K5"]) == (Foreign("K4", 0),)


def test_doubles_are_named_with_their_places() -> None:
    findings = audit(CUSTOMERS, ["K001", "K002", "K001", "K003", "K001"])
    assert findings == (Double("K001", (0, 2, 4)),)


def test_every_number_behind_a_higher_one_is_out_of_order() -> None:
    findings = audit(CUSTOMERS, ["K001", "K004", "K002", "K003", "K005"])
    assert findings == (OutOfOrder("K002", "K004", 2), OutOfOrder("K003", "K004", 3))


def test_an_earlier_year_behind_a_later_one_is_out_of_order() -> None:
    findings = audit(YEARLY, ["2026-1", "2027-1", "2026-2", "2027-2"])
    assert findings == (OutOfOrder("2026-2", "2027-1", 2),)


def test_a_counter_that_comes_again_under_another_year_is_out_of_order() -> None:
    findings = audit(Series("{year}/{counter}"), ["2026/1", "2027/1", "2027/2"])
    assert findings == (OutOfOrder("2027/1", "2026/1", 1),)


def test_a_shown_year_never_goes_back_even_without_a_reset() -> None:
    findings = audit(Series("{year}/{counter}"), ["2027/1", "2026/2"])
    assert findings == (OutOfOrder("2026/2", "2027/1", 1),)


def test_a_month_without_its_year_says_nothing_about_order() -> None:
    assert audit(Series("{month}-{counter}"), ["12-1", "01-2"]) == ()


@pytest.mark.parametrize(
    "number", ["X001", "K1", "K0001", "K", "K001 ", "K\u0660\u0660\u0661", "", "K000"]
)
def test_what_the_pattern_cannot_have_made_is_foreign(number: str) -> None:
    findings = audit(CUSTOMERS, ["K001", number, "K002"])
    assert findings == (Foreign(number, 1),)


@pytest.mark.parametrize("number", ["2027-13-1", "2027-00-1", "27-01-1", "2027-1-1", "2027-01-01"])
def test_a_number_with_a_wrong_month_or_year_is_foreign(number: str) -> None:
    monthly = Series("{year}-{month}-{counter}", reset=Reset.MONTHLY)
    assert audit(monthly, [number]) == (Foreign(number, 0),)


def test_letters_of_the_pattern_are_not_a_search_language() -> None:
    assert audit(Series("R.{counter}"), ["R.1"]) == ()
    assert audit(Series("R.{counter}"), ["RX1"]) == (Foreign("RX1", 0),)
    assert audit(Series("{prefix}{counter}", prefix="a+"), ["a+1", "aa2"]) == (Foreign("aa2", 1),)


def test_a_list_reaches_the_number_that_the_series_gave_last() -> None:
    numbers, series = YEARLY.take(5, on=date(2027, 1, 1))
    assert audit(series, numbers[:3]) == (Gap(4, 5, None),)
    assert audit(series, []) == (Gap(1, 5, None),)
    assert audit(series, ["2026-1"]) == (Gap(1, 5, None),)


def test_a_number_that_the_series_has_not_given_will_be_given_again() -> None:
    numbers, series = YEARLY.take(2, on=date(2027, 1, 1))
    assert audit(series, [*numbers, "2027-3"]) == (Ahead("2027-3", 2),)
    assert audit(series, [*numbers, "2028-1"]) == (Ahead("2028-1", 2),)


@quick
@given(series_of_any_kind(), takes, st.randoms(use_true_random=False))
def test_the_audit_sees_whatever_is_removed_repeated_or_swapped(
    series: Series, steps: list[tuple[date, int]], random: Random
) -> None:
    numbers, after = issued(series, [*steps, (date(2029, 12, 31), 3)])
    at = random.randrange(len(numbers))
    removed = numbers[:at] + numbers[at + 1 :]
    findings = audit(after, removed)
    # The last number of a year that is over may be missing unseen: nothing says how many it had.
    if at == len(numbers) - 1 or after.reset is Reset.NEVER:
        assert len(findings) == 1
        assert isinstance(findings[0], Gap)
    repeated = [*numbers[:at], numbers[at], *numbers[at:]]
    assert audit(after, repeated) == (Double(numbers[at], (at, at + 1)),)
    if at:
        swapped = [*numbers[: at - 1], numbers[at], numbers[at - 1], *numbers[at + 1 :]]
        assert audit(after, swapped) == (OutOfOrder(numbers[at - 1], numbers[at], at),)


def test_twenty_thousand_numbers_are_taken_at_once_and_audited() -> None:
    numbers, series = Series("INV-{year}-{counter:05}", reset=Reset.YEARLY).take(
        20_000, on=date(2027, 1, 1) + timedelta(days=5)
    )
    assert numbers[-1] == "INV-2027-20000"
    assert audit(series, numbers) == ()
