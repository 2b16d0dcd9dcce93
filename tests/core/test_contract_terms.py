"""When a contract may end, by its term and its notice; and what a consumer's may not say."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriptions.billing_cycles import Interval
from subscriptions.contract_terms import (
    TERM_LIMITS,
    CancellationTerms,
    TermLimit,
    TermPart,
    Terms,
    cancellation_terms,
    first_permitted_end,
    warnings,
)
from subscriptions.errors import ValidationError

DAY = timedelta(days=1)
LAST = date(2036, 1, 1)  # the oracle looks no further; no example ends later
NEW_YEAR = date(2027, 1, 1)
MONTH, YEAR = Interval.months(1), Interval.years(1)
OLD_LAW, NEW_LAW = date(2022, 2, 28), date(2022, 3, 1)


def end(terms: Terms, given_on: date, start: date = NEW_YEAR) -> date:
    return first_permitted_end(terms, start=start, given_on=given_on)


# ---- an oracle that tries every day ---------------------------------------------------------


def later(day: date, interval: Interval, times: int = 1) -> date:
    """Add calendar months by hand, the last day where the month is too short."""
    if interval.step_days:
        return day + timedelta(days=interval.step_days * times)
    months = day.year * 12 + day.month - 1 + interval.step_months * times
    year, month = divmod(months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def notice_kept(notice: Interval | None, given_on: date, last_day: date) -> bool:
    """Say whether a contract may have this last day: the notice ends with it or before."""
    return given_on <= last_day and (notice is None or later(given_on, notice) <= last_day)


def permitted(terms: Terms, start: date, given_on: date, over: date) -> bool:
    """Say whether a contract may be over when a day begins, read off the terms word by word."""
    last_day = over - DAY
    after = terms.notice_after or terms.notice
    if terms.minimum is None:
        return over >= start and notice_kept(terms.notice, given_on, last_day)
    first = later(start, terms.minimum)
    if over == first:
        return notice_kept(terms.notice, given_on, last_day)
    if over < first or not notice_kept(after, given_on, last_day):
        return False
    return terms.renewal is None or over in renewals(terms, start)


def renewals(terms: Terms, start: date) -> set[date]:
    """Return the ends of renewals; terms of one unit are counted from the start."""
    assert terms.minimum is not None
    assert terms.renewal is not None
    first, more = terms.minimum, terms.renewal
    ends: set[date] = set()
    for n in range(1, LAST.toordinal()):
        if first.step_days and more.step_days:
            ends.add(later(start, Interval.days(first.step_days + n * more.step_days)))
        elif first.step_months and more.step_months:
            ends.add(later(start, Interval.months(first.step_months + n * more.step_months)))
        else:
            ends.add(later(later(start, first), more, n))
        if max(ends) > LAST:
            break
    return ends


intervals = st.one_of(
    st.integers(1, 24).map(Interval.months),
    st.integers(1, 60).map(Interval.days),
    st.integers(1, 8).map(Interval.weeks),
    st.just(YEAR),
)
days = st.dates(date(2026, 1, 1), date(2028, 12, 31))


@st.composite
def all_terms(draw: st.DrawFn) -> Terms:
    minimum = draw(st.none() | intervals)
    later_ones = st.none() if minimum is None else st.none() | intervals
    return Terms(
        minimum=minimum,
        notice=draw(st.none() | intervals),
        renewal=draw(later_ones),
        notice_after=draw(later_ones),
    )


@given(all_terms(), days, days)
def test_the_end_is_the_first_of_all_days_that_the_terms_permit(
    terms: Terms, start: date, given_on: date
) -> None:
    found = end(terms, given_on, start)
    assert permitted(terms, start, given_on, found)
    day = min(start, given_on)
    while day < found:
        assert not permitted(terms, start, given_on, day), day
        day += DAY


@given(all_terms(), days, days)
def test_a_day_earlier_never_gives_a_later_end(terms: Terms, start: date, given_on: date) -> None:
    assert end(terms, given_on - DAY, start) <= end(terms, given_on, start)


@given(all_terms(), days, days)
def test_notice_may_wait_until_the_day_that_is_named_and_no_longer(
    terms: Terms, start: date, on: date
) -> None:
    found = cancellation_terms(terms, start=start, on=on)
    assert found.notice_by >= on
    assert end(terms, found.notice_by, start) == found.first_end == end(terms, on, start)
    assert end(terms, found.notice_by + DAY, start) > found.first_end


@given(all_terms(), days, days)
def test_it_renews_when_a_term_is_over(terms: Terms, start: date, on: date) -> None:
    found = cancellation_terms(terms, start=start, on=on)
    if terms.minimum is None or terms.renewal is None:
        assert found.renews_on is None
        assert not (terms.minimum is None and found.in_first_term)
        return
    first = later(start, terms.minimum)
    assert found.in_first_term == (on < first)
    assert found.renews_on == min(day for day in {first, *renewals(terms, start)} if day > on)


# ---- named examples -------------------------------------------------------------------------

A_YEAR = Terms(minimum=YEAR, notice=MONTH)
GYM = Terms(minimum=YEAR, notice=Interval.months(3), renewal=YEAR)


def test_without_terms_it_ends_with_the_day_of_notice() -> None:
    assert end(Terms(), date(2027, 5, 5)) == date(2027, 5, 6)
    assert end(Terms(), date(2026, 12, 1)) == NEW_YEAR  # not before it begins
    found = cancellation_terms(Terms(), start=NEW_YEAR, on=date(2027, 5, 5))
    assert found == CancellationTerms(date(2027, 5, 6), date(2027, 5, 5), False, None)  # noqa: FBT003


def test_a_months_notice_to_the_end_of_december_is_given_in_november() -> None:
    assert end(A_YEAR, date(2027, 11, 30)) == date(2028, 1, 1)
    assert cancellation_terms(A_YEAR, start=NEW_YEAR, on=NEW_YEAR).notice_by == date(2027, 11, 30)


def test_after_the_first_term_a_months_notice_is_enough_on_any_day() -> None:
    assert end(A_YEAR, date(2027, 12, 15)) == date(2028, 1, 16)
    assert end(A_YEAR, date(2030, 5, 5)) == date(2030, 6, 6)


@pytest.mark.parametrize(
    ("given_on", "over"),
    [
        (date(2027, 1, 31), date(2027, 3, 1)),  # February has no 31st: over with the 28th
        (date(2027, 2, 28), date(2027, 3, 29)),  # and not with March: over with the 28th
        (date(2028, 1, 31), date(2028, 3, 1)),
        (date(2028, 2, 29), date(2028, 3, 30)),
    ],
)
def test_a_month_ends_with_the_day_of_the_same_number_or_the_last(
    given_on: date, over: date
) -> None:
    assert end(Terms(notice=MONTH), given_on) == over


def test_in_a_short_month_notice_may_wait_for_the_last_day_of_the_month_before() -> None:
    found = cancellation_terms(Terms(notice=MONTH), start=NEW_YEAR, on=date(2027, 1, 28))
    assert (found.first_end, found.notice_by) == (date(2027, 3, 1), date(2027, 1, 31))


def test_notice_that_is_too_late_for_a_renewal_waits_for_the_next() -> None:
    assert end(GYM, date(2027, 9, 30)) == date(2028, 1, 1)
    assert end(GYM, date(2027, 10, 1)) == date(2029, 1, 1)
    assert end(GYM, date(2028, 10, 1)) == date(2030, 1, 1)


def test_on_the_day_of_a_renewal_it_has_renewed_even_without_any_notice() -> None:
    terms = Terms(minimum=YEAR, renewal=YEAR)
    assert end(terms, date(2027, 12, 31)) == date(2028, 1, 1)
    assert end(terms, date(2028, 1, 1)) == date(2029, 1, 1)
    found = cancellation_terms(terms, start=NEW_YEAR, on=date(2028, 1, 1))
    assert (found.in_first_term, found.renews_on) == (False, date(2029, 1, 1))


def test_renewals_are_counted_from_the_start_and_not_from_february() -> None:
    terms = Terms(minimum=MONTH, renewal=MONTH)
    ends = [end(terms, day, date(2027, 1, 31)) for day in (date(2027, 2, 1), date(2027, 2, 28))]
    assert ends == [date(2027, 2, 28), date(2027, 3, 31)]


def test_a_leap_day_renews_on_leap_days() -> None:
    terms = Terms(minimum=YEAR, renewal=YEAR)
    ends = [end(terms, date(year, 3, 1), date(2028, 2, 29)) for year in range(2028, 2033)]
    assert [str(day) for day in ends] == [
        "2029-02-28",
        "2030-02-28",
        "2031-02-28",
        "2032-02-29",
        "2033-02-28",
    ]


def test_weeks_after_a_year_are_counted_from_its_end() -> None:
    terms = Terms(minimum=YEAR, renewal=Interval.weeks(2))
    assert end(terms, date(2028, 1, 1)) == date(2028, 1, 15)
    assert end(Terms(minimum=Interval.weeks(4), renewal=MONTH), date(2027, 2, 1)) == date(
        2027, 2, 28
    )


def test_days_after_days_are_counted_on() -> None:
    terms = Terms(minimum=Interval.days(30), renewal=Interval.days(10))
    assert end(terms, NEW_YEAR + timedelta(days=30)) == NEW_YEAR + timedelta(days=40)


def test_a_long_notice_missed_in_the_first_term_is_a_short_one_after_it() -> None:
    terms = Terms(minimum=YEAR, notice=Interval.months(3), notice_after=MONTH)
    assert end(terms, date(2027, 9, 30)) == date(2028, 1, 1)
    assert end(terms, date(2027, 10, 1)) == date(2028, 1, 2)
    found = cancellation_terms(terms, start=NEW_YEAR, on=date(2027, 10, 1))
    assert (found.notice_by, found.in_first_term) == (date(2027, 12, 1), True)


# ---- terms that cannot be said --------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("renewal", {"renewal": YEAR}),
        ("notice_after", {"notice": MONTH, "notice_after": MONTH}),
        ("minimum", {"minimum": 12}),
        ("notice", {"notice": timedelta(days=30)}),
        ("consumer", {"consumer": 1}),
        ("country", {"country": "Germany"}),
        ("country", {"country": "de"}),
        ("country", {"country": "ÄÖ"}),
    ],
)
def test_terms_that_make_no_sense_are_refused(field: str, said: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as refused:
        Terms(**said)  # type: ignore[arg-type]  # that is the mistake
    assert refused.value.field == field


def test_days_are_days_and_within_the_calendar() -> None:
    noon = datetime(2027, 1, 1, 12)  # noqa: DTZ001 - the mistake is that it is no date
    with pytest.raises(ValidationError, match="start"):
        first_permitted_end(Terms(), start=noon, given_on=NEW_YEAR)
    with pytest.raises(ValidationError, match="given_on"):
        first_permitted_end(Terms(), start=NEW_YEAR, given_on=noon)
    with pytest.raises(ValidationError, match="concluded_on"):
        warnings(Terms(), concluded_on=noon)
    with pytest.raises(ValidationError, match="9999"):
        end(Terms(), date.max)


# ---- consumers ------------------------------------------------------------------------------


def german(
    minimum: Interval | None = YEAR,
    notice: Interval | None = None,
    renewal: Interval | None = None,
    notice_after: Interval | None = None,
) -> Terms:
    return Terms(
        minimum=minimum,
        notice=notice,
        renewal=renewal,
        notice_after=notice_after,
        consumer=True,
        country="DE",
    )


def parts(terms: Terms, concluded_on: date = NEW_LAW) -> list[TermPart]:
    return [warning.part for warning in warnings(terms, concluded_on=concluded_on)]


@pytest.mark.parametrize(
    ("terms", "before", "since"),
    [
        (german(Interval.years(2)), [], []),
        (german(Interval.months(25)), [TermPart.FIRST_TERM], [TermPart.FIRST_TERM]),
        (german(Interval.days(730)), [], []),
        (german(Interval.days(731)), [TermPart.FIRST_TERM], [TermPart.FIRST_TERM]),
        (german(YEAR, MONTH), [], []),
        (german(YEAR, Interval.days(28)), [], []),
        (
            german(YEAR, Interval.days(29)),
            [],
            [TermPart.OPEN_NOTICE, TermPart.FIRST_NOTICE],
        ),
        (german(YEAR, Interval.months(3), None, MONTH), [], [TermPart.FIRST_NOTICE]),
        (german(YEAR, MONTH, None, Interval.months(2)), [], [TermPart.OPEN_NOTICE]),
        (german(YEAR, MONTH, YEAR), [], [TermPart.RENEWAL]),
        (german(YEAR, MONTH, MONTH), [], [TermPart.RENEWAL]),
        (german(YEAR, MONTH, Interval.months(13)), [TermPart.RENEWAL], [TermPart.RENEWAL]),
        (
            german(YEAR, Interval.months(4), YEAR),
            [TermPart.FIRST_NOTICE, TermPart.RENEWED_NOTICE],
            [TermPart.RENEWAL, TermPart.FIRST_NOTICE],
        ),
        (german(None, Interval.months(6)), [], []),
    ],
)
def test_german_consumers_contracts_are_held_to_the_law_of_their_day(
    terms: Terms, before: list[TermPart], since: list[TermPart]
) -> None:
    assert parts(terms, OLD_LAW) == before
    assert parts(terms, NEW_LAW) == since


def test_a_business_and_an_unknown_country_are_not_warned_of() -> None:
    bad = {"minimum": Interval.years(5), "renewal": YEAR, "country": "DE"}
    assert warnings(Terms(**bad), concluded_on=NEW_LAW) == ()  # type: ignore[arg-type]
    elsewhere = Terms(minimum=Interval.years(5), consumer=True, country="AT")
    assert warnings(elsewhere, concluded_on=NEW_LAW) == ()


def test_a_warning_says_the_part_the_limit_and_the_source() -> None:
    (forbidden,) = warnings(german(YEAR, MONTH, YEAR), concluded_on=NEW_LAW)
    assert str(forbidden) == "renewal of 1 year: not allowed (§ 309 no. 9 (b) BGB)"
    (long,) = warnings(german(Interval.years(3)), concluded_on=NEW_LAW)
    assert str(long) == "first term of 3 years: at most 2 years (§ 309 no. 9 (a) BGB)"


def test_a_host_may_bring_limits_of_another_country() -> None:
    limit = TermLimit("XX", TermPart.FIRST_TERM, YEAR, 365, "Act 1", since=date(2027, 1, 1))
    terms = Terms(minimum=Interval.years(2), consumer=True, country="XX")
    assert warnings(terms, concluded_on=date(2026, 12, 31), limits=(limit,)) == ()
    (warning,) = warnings(terms, concluded_on=date(2027, 1, 1), limits=(limit,))
    assert warning.limit is limit


def test_the_days_of_a_limit_are_those_of_its_shortest_stretch() -> None:
    starts = [date(2024, 1, 1) + timedelta(days=n) for n in range(4 * 366)]
    for limit in TERM_LIMITS:
        if limit.longest is not None:
            shortest = min((later(start, limit.longest) - start).days for start in starts)
            assert limit.longest_days == shortest
