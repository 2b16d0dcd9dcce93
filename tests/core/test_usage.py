"""What was used becomes one quantity, whatever the order it came in, in exactly one segment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from subscriptions import usage
from subscriptions.billing_cycles import (
    BillingCycle,
    Interval,
    Period,
    first_instant,
    local_date,
)
from subscriptions.errors import ValidationError
from subscriptions.ids import MeterId, SubscriptionId
from subscriptions.pricing import (
    FreeUnits,
    GraduatedPercentage,
    Percentage,
    PerUnit,
    PriceModel,
    RateTier,
)
from subscriptions.records import Metadata
from subscriptions.usage import (
    Aggregation,
    Assigned,
    Filter,
    HeldTally,
    History,
    Meter,
    QuantityRounding,
    RoundingMode,
    Span,
    Stretch,
    StretchKind,
    SumTally,
    UsageEvent,
    begin_tally,
    closed,
)

SINCE = datetime(2027, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
HOURS = 48
SPAN = Span(SINCE, SINCE + HOURS * HOUR, HOURS * HOUR)
JANUARY = Period(date(2027, 1, 1), date(2027, 2, 1))
MONTHLY = BillingCycle(date(2027, 1, 1), Interval.months(1))


def a_meter(aggregation: Aggregation = Aggregation.SUM, **changes: Any) -> Meter:  # noqa: ANN401
    meter = Meter(MeterId("calls"), "acme", 1, "Calls")
    if aggregation is Aggregation.UNIQUE:
        changes.setdefault("counted_property", "user")
    return evolve(meter, aggregation=aggregation, **changes)


def used(
    number: int,
    quantity: int | Decimal = 1,
    *,
    hour: int = 0,
    recorded: int = 0,
    **properties: str,
) -> UsageEvent:
    return UsageEvent(
        usage.usage_id("acme", f"e{number}"),
        "acme",
        1,
        f"e{number}",
        SubscriptionId("sub_1"),
        MeterId("calls"),
        quantity,
        SINCE + hour * HOUR,
        SINCE + recorded * HOUR,
        SINCE,
        SINCE,
        JANUARY,
        Metadata(properties),
    )


def total(meter: Meter, events: Iterable[UsageEvent]) -> Fraction:
    tally = begin_tally(meter, SPAN)
    for event in events:
        tally.add(event)
    return tally.total


# ---- what events come to ----------------------------------------------------------------------

quantities = st.one_of(
    st.integers(0, 10**18),
    st.decimals(0, 10**18, places=12, allow_nan=False, allow_infinity=False),
)


@st.composite
def rows(draw: st.DrawFn) -> list[UsageEvent]:
    drawn = draw(
        st.lists(
            st.tuples(quantities, st.integers(0, HOURS - 1), st.integers(0, 3), st.text("ab")),
            max_size=12,
        )
    )
    return [
        used(number, quantity, hour=hour, recorded=recorded, user=user)
        for number, (quantity, hour, recorded, user) in enumerate(drawn)
    ]


def oracle(aggregation: Aggregation, events: Sequence[UsageEvent]) -> Fraction:
    """Say it again with lists: every event in memory, every hour looked at."""
    numbers = [Fraction(event.quantity) for event in events]
    ordered = sorted(events, key=lambda e: (e.occurred_at, e.recorded_at, e.id))
    match aggregation:
        case Aggregation.COUNT:
            return Fraction(len(events))
        case Aggregation.SUM:
            return sum(numbers, Fraction(0))
        case Aggregation.MAX:
            return max(numbers, default=Fraction(0))
        case Aggregation.UNIQUE:
            return Fraction(len({event.properties["user"] for event in events}))
        case Aggregation.LAST:
            return Fraction(ordered[-1].quantity) if ordered else Fraction(0)
        case Aggregation.TIME_WEIGHTED:
            levels = [Fraction(0)] * HOURS
            for event in ordered:
                hour = (event.occurred_at - SINCE) // HOUR
                levels[hour:] = [Fraction(event.quantity)] * (HOURS - hour)
            return sum(levels, Fraction(0)) / HOURS


@pytest.mark.parametrize("aggregation", Aggregation)
@given(events=rows())
def test_a_tally_is_what_all_events_together_come_to(
    aggregation: Aggregation, events: list[UsageEvent]
) -> None:
    in_time = sorted(events, key=lambda event: (event.occurred_at, event.id))
    assert total(a_meter(aggregation), in_time) == oracle(aggregation, events)


@pytest.mark.parametrize("aggregation", Aggregation)
@given(events=rows(), data=st.data())
def test_the_order_in_which_events_came_does_not_matter(
    aggregation: Aggregation, events: list[UsageEvent], data: st.DataObject
) -> None:
    meter = a_meter(aggregation)
    shuffled = data.draw(st.permutations(events))
    if aggregation is Aggregation.TIME_WEIGHTED:  # they are read in the order of time
        events = sorted(events, key=lambda event: event.occurred_at)
        shuffled = sorted(shuffled, key=lambda event: event.occurred_at)
    assert total(meter, shuffled) == total(meter, events)


@pytest.mark.parametrize("aggregation", Aggregation)
def test_no_event_at_all_is_nothing(aggregation: Aggregation) -> None:
    tally = begin_tally(a_meter(aggregation), SPAN)
    assert tally.count == tally.total == 0


@given(
    st.lists(st.integers(-10, 10), max_size=12),
)
def test_amounts_add_up_to_the_total_whatever_was_taken_back(numbers: list[int]) -> None:
    tally = begin_tally(a_meter(), SPAN, amounts=True)
    assert isinstance(tally, SumTally)
    for number, quantity in enumerate(numbers):
        tally.add(used(number, quantity))
    assert tally.amounts is not None
    assert all(amount >= 0 for amount in tally.amounts)
    assert Fraction(sum(tally.amounts), 10**12) == tally.total == max(0, sum(numbers))
    assert len(tally.amounts) == len(numbers) - tally.taken_back


def test_what_is_taken_back_lowers_the_latest_amounts_first() -> None:
    tally = SumTally([])
    for number, quantity in enumerate([10, 5, 3, -6, 2]):
        tally.add(used(number, quantity))
    assert tally.amounts == [10 * 10**12, 2 * 10**12, 0, 2 * 10**12]


def test_a_sum_without_amounts_keeps_none_of_them() -> None:
    tally = SumTally()
    for number in range(3):
        tally.add(used(number, -1))
    assert tally.amounts is None
    assert tally.total == 0
    assert tally.count == tally.taken_back == 3


# ---- levels -----------------------------------------------------------------------------------


def test_a_level_is_carried_in_until_the_first_event_and_goes_on_after_the_last() -> None:
    tally = HeldTally(SPAN, carried_pico=10 * 10**12)
    assert tally.total == 10
    tally.add(used(1, 4, hour=12))
    assert tally.total == Fraction(10 * 12 + 4 * 36, 48)
    assert tally.last_pico == 4 * 10**12


def test_a_level_that_is_never_changed_is_carried_on() -> None:
    assert HeldTally(SPAN, carried_pico=7).last_pico == 7


def test_the_parts_of_a_cut_period_add_up_to_the_whole() -> None:
    middle = SINCE + 10 * HOUR
    first = HeldTally(Span(SINCE, middle, 48 * HOUR))
    first.add(used(1, 6, hour=2))
    second = HeldTally(Span(middle, SPAN.until, 48 * HOUR), first.last_pico)
    second.add(used(2, 9, hour=20))
    uncut = HeldTally(SPAN)
    uncut.add(used(1, 6, hour=2))
    uncut.add(used(2, 9, hour=20))
    assert first.total + second.total == uncut.total


def test_a_level_counts_only_within_its_segment_but_is_carried_on_from_after_its_end() -> None:
    tally = HeldTally(Span(SINCE, SINCE + 10 * HOUR, 48 * HOUR))
    tally.add(used(1, 6, hour=20))
    assert tally.total == 0
    assert tally.last_pico == 6 * 10**12


def test_levels_out_of_the_order_of_time_are_a_mistake_of_the_caller() -> None:
    tally = HeldTally(SPAN)
    tally.add(used(1, hour=2))
    with pytest.raises(AssertionError, match="order of time"):
        tally.add(used(2, hour=1))


def test_what_is_recorded_later_for_an_instant_corrects_the_earlier() -> None:
    corrected = [used(1, 5, hour=3, recorded=9), used(2, 8, hour=3, recorded=4)]
    for aggregation in (Aggregation.LAST, Aggregation.TIME_WEIGHTED):
        meter = a_meter(aggregation)
        assert (
            total(meter, corrected) == total(meter, corrected[::-1]) == total(meter, corrected[:1])
        )


@pytest.mark.parametrize(
    ("until", "whole", "field"),
    [(SINCE - HOUR, HOUR, "until"), (SINCE, timedelta(), "whole")],
)
def test_a_span_has_time(until: datetime, whole: timedelta, field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Span(SINCE, until, whole)
    assert refused.value.field == field


# ---- rounding ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "step", "quantity", "rounded"),
    [
        (RoundingMode.NEAREST, 1, Fraction(5, 2), "3"),
        (RoundingMode.NEAREST, 1, Fraction(249, 100), "2"),
        (RoundingMode.UP, 1, Fraction(201, 100), "3"),
        (RoundingMode.UP, 1, Fraction(2), "2"),
        (RoundingMode.DOWN, 1, Fraction(299, 100), "2"),
        (RoundingMode.UP, 15, Fraction(16), "30"),
        (RoundingMode.NEAREST, "0.01", Fraction(1, 3), "0.33"),
        (RoundingMode.UP, "0.000000000001", Fraction(1, 3), "0.333333333334"),
        (RoundingMode.DOWN, 1, Fraction(0), "0"),
    ],
)
def test_a_quantity_is_rounded_once_to_a_multiple_of_the_step(
    mode: RoundingMode, step: str | int, quantity: Fraction, rounded: str
) -> None:
    step_of = QuantityRounding(mode, step)
    assert step_of.apply(quantity) == Decimal(rounded)


@given(quantities)
def test_without_a_rounding_a_sum_stays_what_it_is(quantity: int | Decimal) -> None:
    assert a_meter().rounding.apply(Fraction(quantity)) == quantity


@pytest.mark.parametrize("step", [0, -1, "0.0000000000001"])
def test_a_step_is_above_nothing_and_no_finer_than_prices(step: str | int) -> None:
    with pytest.raises(ValidationError):
        QuantityRounding(RoundingMode.UP, step)


# ---- meters -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": MeterId("")}, "key"),
        ({"name": ""}, "name"),
        ({"aggregation": Aggregation.UNIQUE}, "property"),
        ({"counted_property": "user"}, "property"),
        ({"aggregation": Aggregation.UNIQUE, "counted_property": ""}, "property"),
        ({"filters": (Filter("a", ("1",)), Filter("a", ("2",)))}, "filters"),
    ],
)
def test_a_meter_that_makes_no_sense_is_refused(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        evolve(a_meter(), **changes)
    assert refused.value.field == field


def test_a_filter_has_a_property_and_values() -> None:
    with pytest.raises(ValidationError, match="empty"):
        Filter("", ("pro",))
    with pytest.raises(ValidationError, match="at least one value"):
        Filter("plan", ())


def test_an_event_counts_if_it_passes_every_filter() -> None:
    meter = a_meter(filters=(Filter("plan", ("pro", "team")), Filter("region", ("eu",))))
    assert meter.counts({"plan": "team", "region": "eu", "more": "x"})
    assert not meter.counts({"plan": "free", "region": "eu"})
    assert not meter.counts({"plan": "pro"})
    assert a_meter().counts({})


def test_adding_a_meter_says_so() -> None:
    change = usage.add_meter(a_meter())
    assert change.events == (usage.MeterAdded(MeterId("calls"), "Calls"),)
    assert a_meter().key == "calls"


by_event = Percentage("1", minimum="0.50")


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        (PerUnit(1), False),
        (Percentage("1"), False),
        (by_event, True),
        (FreeUnits(10, by_event), True),
        (FreeUnits(10, PerUnit(1)), False),
    ],
)
def test_only_bounds_of_each_event_ask_for_amounts(model: PriceModel, *, wanted: bool) -> None:
    assert usage.needs_amounts(model) is wanted


def test_a_percentage_is_of_a_sum_and_with_bounds_of_one_that_is_not_rounded() -> None:
    highest = a_meter(Aggregation.MAX)
    rounded = a_meter(rounding=QuantityRounding())
    usage.check_fits(highest, PerUnit(1))
    usage.check_fits(highest, GraduatedPercentage([RateTier(rate="1")]))
    usage.check_fits(rounded, Percentage("1"))
    usage.check_fits(a_meter(), FreeUnits(10, by_event))
    for meter, model in ((highest, Percentage("1")), (rounded, FreeUnits(10, by_event))):
        with pytest.raises(ValidationError) as refused:
            usage.check_fits(meter, model)
        assert refused.value.field == "meter"


# ---- events -----------------------------------------------------------------------------------


@pytest.mark.parametrize("quantity", [True, 1.5])
def test_a_float_is_never_a_quantity(quantity: object) -> None:
    with pytest.raises(TypeError):
        usage.read_used(quantity)


@pytest.mark.parametrize("quantity", ["3", 10**18 + 1, Decimal("0.0000000000001"), Decimal("NaN")])
def test_a_quantity_that_no_price_can_take_is_refused(quantity: object) -> None:
    with pytest.raises(ValidationError) as refused:
        usage.read_used(quantity)
    assert refused.value.field == "quantity"


@pytest.mark.parametrize("quantity", [0, -(10**18), Decimal("0.000000000001")])
def test_a_quantity_may_be_nothing_or_taken_back(quantity: int | Decimal) -> None:
    assert usage.read_used(quantity) == quantity
    assert usage.record(used(1, quantity), a_meter()).events == ()


@pytest.mark.parametrize("aggregation", [Aggregation.COUNT, Aggregation.UNIQUE])
def test_where_events_are_counted_a_quantity_would_be_lost_so_it_is_refused(
    aggregation: Aggregation,
) -> None:
    usage.record(used(1, user="ada"), a_meter(aggregation))
    with pytest.raises(ValidationError, match="counts events"):
        usage.record(used(1, 2, user="ada"), a_meter(aggregation))


@pytest.mark.parametrize(
    "aggregation", [Aggregation.MAX, Aggregation.LAST, Aggregation.TIME_WEIGHTED]
)
def test_only_a_sum_takes_back(aggregation: Aggregation) -> None:
    usage.record(used(1, 0), a_meter(aggregation))
    with pytest.raises(ValidationError, match="only a sum takes back"):
        usage.record(used(1, -1), a_meter(aggregation))


def test_an_event_without_the_property_that_is_counted_is_refused() -> None:
    with pytest.raises(ValidationError) as refused:
        usage.record(used(1), a_meter(Aggregation.UNIQUE))
    assert refused.value.field == "properties[user]"


def test_ids_and_keys_follow_from_what_they_are_of() -> None:
    assert usage.usage_id("acme", "e1") == usage.usage_id("acme", "e1")
    assert usage.usage_id("acme", "e1") != usage.usage_id("other", "e1")
    later = SINCE + HOUR
    subscription = SubscriptionId("sub_1")
    ids = {usage.level_id("acme", subscription, "calls", at) for at in (SINCE, later, SINCE)}
    assert len(ids) == 2
    berlin = SINCE.astimezone()
    assert usage.segment_key("s", "m", berlin) == usage.segment_key("s", "m", SINCE)


def test_a_late_event_has_another_invoice_than_its_own() -> None:
    assert not used(1).late
    assert evolve(used(1), billed_with=SINCE + HOUR).late


def test_an_event_has_an_id_of_the_host() -> None:
    with pytest.raises(ValidationError) as refused:
        evolve(used(1), event=" ")
    assert refused.value.field == "event_id"


def test_columns_say_where_an_event_counts_and_where_it_is_billed() -> None:
    event = evolve(used(1), billed_with=SINCE + HOUR)
    values = {column.name: column.get(event) for column in usage.USAGE.columns}
    assert values == {
        "subscription": "sub_1",
        "used_in": "sub_1/calls/2027-01-01T00:00:00+00:00",
        "billed_in": "sub_1/calls/2027-01-01T01:00:00+00:00",
        "occurred_at": SINCE,
    }


# ---- segments ---------------------------------------------------------------------------------


def day(text: str, zone: str = "UTC") -> datetime:
    return first_instant(date.fromisoformat(text), zone)


def history(*past: Stretch, since: datetime, begin: datetime = SINCE, zone: str = "UTC") -> History:
    """Return the segments of an item that is billed every month, of which one is open."""
    period = MONTHLY.period_containing(local_date(since, zone))
    return History(begin, past, MONTHLY, since, period, period, zone)


def assigned(at: datetime, *, started: str = "2027-01-01", zone: str = "UTC") -> Assigned:
    """Return where an event belongs while March is open."""
    march = history(since=day("2027-03-01", zone), begin=day(started, zone), zone=zone)
    found = march.assign(at)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("at", "used_in", "billed_in"),
    [
        (day("2027-03-01"), "2027-03-01", "2027-03-01"),
        (day("2027-04-01") - timedelta(microseconds=1), "2027-03-01", "2027-03-01"),
        (day("2027-04-01"), "2027-04-01", "2027-04-01"),
        (day("2027-06-15"), "2027-06-01", "2027-06-01"),
        (day("2027-03-01") - timedelta(microseconds=1), "2027-02-01", "2027-03-01"),
        (day("2027-01-31"), "2027-01-01", "2027-03-01"),
    ],
)
def test_usage_counts_in_its_own_period_and_goes_on_the_next_invoice_there_is(
    at: datetime, used_in: str, billed_in: str
) -> None:
    segment = assigned(at)
    assert (segment.used, segment.billed) == (day(used_in), day(billed_in))
    assert segment.late == (used_in != billed_in)
    assert segment.period == MONTHLY.period_containing(at.date())


def test_days_begin_at_the_midnights_of_the_zone() -> None:
    at = datetime(2027, 2, 28, 23, 30, tzinfo=UTC)  # in Berlin it is March already
    assert not assigned(at, zone="Europe/Berlin").late
    assert assigned(at).late


def test_the_first_segment_begins_when_usage_begins() -> None:
    assert assigned(day("2027-01-20"), started="2027-01-15").used == day("2027-01-15")


def test_usage_before_the_start_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(AssertionError):
        assigned(day("2027-01-14"), started="2027-01-15")


def test_days_that_end_with_the_segment_that_is_open_are_found_by_their_own_invoice() -> None:
    march = history(since=day("2027-03-10"))
    assert march.end == day("2027-04-01")
    place = march.assign(day("2027-05-20"))
    assert place == Assigned(day("2027-05-01"), day("2027-05-01"), MONTHLY.period(4))


@given(st.integers(0, 2000))
def test_periods_before_the_anchor_touch_and_contain_their_days(days: int) -> None:
    cycle = BillingCycle(date(2027, 3, 31), Interval.months(1))
    asked = cycle.anchor - timedelta(days=days)
    period = usage.whole_period(cycle, asked)
    assert asked in period
    assert usage.whole_period(cycle, period.start - timedelta(days=1)).end == period.start


def stretches(*ends: tuple[int, StretchKind]) -> tuple[Stretch, ...]:
    """Return stretches that end so many hours after the start."""
    return tuple(Stretch(SINCE + hours * HOUR, MONTHLY, kind) for hours, kind in ends)


kinds = st.sampled_from(StretchKind)
cuts = st.lists(
    st.tuples(st.integers(1, 24 * 400), kinds), max_size=6, unique_by=lambda cut: cut[0]
)


@given(cuts=cuts, more=st.integers(0, 24 * 60), minutes=st.integers(0, 60 * 24 * 500))
def test_segments_touch_and_each_instant_is_in_one_of_them_for_ever(
    cuts: list[tuple[int, StretchKind]], more: int, minutes: int
) -> None:
    ends = sorted(cuts, key=lambda cut: cut[0])
    since = SINCE + ((ends[-1][0] if ends else 0) + more) * HOUR
    found = history(*stretches(*ends), since=since)
    at = SINCE + timedelta(minutes=minutes)
    segments = list(found.segments(SINCE))
    for before, after in pairwise(segments):
        gap = [each for each, kind in ends if kind is StretchKind.ABSENT]
        assert before.end == after.begin or after.begin in {SINCE + hour * HOUR for hour in gap}
    assert all(segment.begin < segment.end for segment in segments)
    there = [segment for segment in segments if segment.begin <= at < segment.end]
    place = found.assign(at)
    if at >= since:
        assert place is not None
        assert place.used == place.billed >= since
        return
    if place is None:
        assert there == []
        return
    (segment,) = there
    assert place.used == segment.begin
    assert place.billed == (segment.begin if segment.free else since)
    assert found.assign(at, held=True) == Assigned(segment.begin, since, segment.period)
    # What is over stays what it was, whatever comes.
    cut = Stretch(since + HOUR, MONTHLY, StretchKind.PART)
    kept = closed(found.past, MONTHLY, since=since, until=cut.until, kind=cut.kind)
    assert history(*kept, since=cut.until).segment_at(at) == segment


@pytest.mark.parametrize("kind", [StretchKind.PART, StretchKind.FREE, StretchKind.TRIAL])
def test_what_occurs_at_the_very_instant_of_a_cut_belongs_to_what_was_open(
    kind: StretchKind,
) -> None:
    cut = SINCE + 100 * HOUR
    found = history(*stretches((100, kind)), since=cut)
    before = found.counts_in(SINCE, cut)
    assert before is not None
    assert (before.begin, before.end, before.kind) == (SINCE, cut, kind)
    assert found.counts_in(SINCE, cut + HOUR) is None
    assert found.recorded_in(cut) == (SINCE,)


def test_a_trial_is_owed_in_periods_though_nobody_knew_its_end_while_it_lasted() -> None:
    april = day("2027-04-01")
    trial = Stretch(april, MONTHLY, StretchKind.TRIAL)
    found = history(trial, since=april)
    february = found.counts_in(SINCE, day("2027-02-10"))
    assert february is not None
    assert (february.begin, february.end) == (day("2027-02-01"), day("2027-03-01"))
    assert found.recorded_in(february.begin) == (SINCE,)
    assert found.recorded_in(SINCE) == ()
    assert found.unbilled == SINCE
    assert history(trial, since=day("2027-05-01")).unbilled == day("2027-05-01")


def test_what_is_not_billed_yet_began_with_the_trial_and_the_pause_after_it() -> None:
    hours = ((100, StretchKind.PART), (200, StretchKind.TRIAL), (300, StretchKind.FREE))
    found = history(*stretches(*hours), since=SINCE + 300 * HOUR)
    assert found.unbilled == SINCE + 100 * HOUR
    assert found.recorded_in(found.since) == tuple(SINCE + hours * HOUR for hours in (200, 100, 0))
