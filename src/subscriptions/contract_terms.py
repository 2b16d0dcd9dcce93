"""Contract terms: how long a contract binds, with which notice it ends, and what law forbids.

Decided here: the first day on which a contract may end where notice is given on a day, and which
terms standard contracts with consumers must not have. Never here: whether a subscription does end,
what is billed until then, notice for cause (which needs no period), or legal advice.

Days are counted as EU law counts them, the day of an event not included: Article 3 (1) of
Regulation (EEC, Euratom) No 1182/71, in Germany §§ 187 (1) and 188 (2) and (3) BGB. A month's
notice that is given on 30 November is over with 30 December, and what ends then is a contract whose
first day without service is 31 December. Ends are such days: the first that is not covered.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Final

from subscriptions.billing_cycles import BillingCycle, Interval
from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.records import plain_date


@frozen(kw_only=True)
class Terms:
    """How long a contract binds, counted from its start, and how it is ended.

    `minimum` is the first term. After it the contract renews by `renewal` again and again or,
    without one, runs on indefinitely. `notice` is what must lie between notice and an end; after
    the first term it is `notice_after`, by default the same. `consumer` and the `country` whose law
    protects him (two letters) are for `warnings` only.

    Raises `ValidationError` for a renewal, or another notice, after a first term that there is not.
    """

    minimum: Interval | None = None
    notice: Interval | None = None
    renewal: Interval | None = None
    notice_after: Interval | None = None
    consumer: bool = False
    country: str = ""

    def __attrs_post_init__(self) -> None:
        for name in ("minimum", "notice", "renewal", "notice_after"):
            value: object = getattr(self, name)
            if value is not None and not isinstance(value, Interval):
                raise ValidationError(name, value, "an Interval, such as Interval.months(1)")
            if value is not None and name in _AFTER_FIRST_TERM and self.minimum is None:
                raise ValidationError(name, value, "None where there is no minimum")
        if not isinstance(self.consumer, bool):
            raise ValidationError("consumer", self.consumer, "True or False")
        country = self.country
        if country and not (len(country) == 2 and country.isascii() and country.isupper()):  # noqa: PLR2004 - ISO 3166-1
            raise ValidationError("country", country, "two capital letters such as 'DE', or ''")


@frozen
class CancellationTerms:
    """What a notice that is given on a day can reach."""

    first_end: date
    """The first day on which the contract may be over."""
    notice_by: date
    """The last day on which notice still reaches that end."""
    in_first_term: bool
    renews_on: date | None
    """The next day on which it renews unless notice was given; None if it does not renew."""
    warnings: tuple[TermWarning, ...] = ()
    """What a consumer's contract of the day of its start must not have."""


def first_permitted_end(
    terms: Terms, *, start: date, given_on: date, not_before: date | None = None
) -> date:
    """Return the first day that a contract need not cover, if notice is given on a day.

    Law: it is never before the end of the first term, and there is always the whole notice after
    the day on which it is given. Notice that is too late for the end of the first term reaches the
    first later end: the end of a renewal, or any day where the contract runs on indefinitely.
    Giving notice a day earlier never gives a later end. Months are counted from the start: a
    contract of 31 January renews on 31 March, whatever February did. With `not_before` it is the
    first such end that is not before a day: the day itself, if it may end then.

    Raises `ValidationError` for a datetime and where the calendar ends.

    >>> a_year = Terms(minimum=Interval.years(1), notice=Interval.months(1))
    >>> first_permitted_end(a_year, start=date(2027, 1, 1), given_on=date(2027, 11, 30))
    datetime.date(2028, 1, 1)
    >>> first_permitted_end(a_year, start=date(2027, 1, 1), given_on=date(2027, 12, 1))
    datetime.date(2028, 1, 2)
    """
    plain_date("start", start)
    plain_date("given_on", given_on)
    first_end = _end(terms, start, 0)
    wanted = first_end if not_before is None else plain_date("not_before", not_before)
    if wanted <= first_end and _after_notice(terms.notice, given_on) <= first_end:
        return first_end
    earliest = max(_next_day(first_end), wanted, _after_notice(_later_notice(terms), given_on))
    return earliest if terms.renewal is None else _renewal_from(terms, start, earliest)


def cancellation_terms(terms: Terms, *, start: date, on: date) -> CancellationTerms:
    """Return what a notice on a day reaches, and how long it may wait for the same end.

    Law: notice on `notice_by` has the same first end as on the day itself, and a day later another.
    Raises `ValidationError` as `first_permitted_end` does.

    >>> gym = Terms(
    ...     minimum=Interval.years(1), notice=Interval.months(3), renewal=Interval.years(1)
    ... )
    >>> found = cancellation_terms(gym, start=date(2027, 1, 1), on=date(2027, 10, 15))
    >>> found.first_end, found.notice_by, found.renews_on
    (datetime.date(2029, 1, 1), datetime.date(2028, 9, 30), datetime.date(2028, 1, 1))
    """
    end = first_permitted_end(terms, start=start, given_on=on)
    first_end = _end(terms, start, 0)
    notice = terms.notice if end == first_end else _later_notice(terms)
    renews_on = None
    if terms.renewal is not None:
        following = _next_day(on)
        renews_on = first_end if on < first_end else _renewal_from(terms, start, following)
    return CancellationTerms(
        end,
        _last_day_of_notice(notice, end),
        in_first_term=terms.minimum is not None and on < first_end,
        renews_on=renews_on,
        warnings=warnings(terms, concluded_on=start),
    )


class TermPart(StrEnum):
    """What the law may bound."""

    FIRST_TERM = "first term"
    FIRST_NOTICE = "notice before the end of the first term"
    RENEWAL = "renewal"
    RENEWED_NOTICE = "notice before the end of a renewal"
    OPEN_NOTICE = "notice while it runs on indefinitely"


@frozen
class TermLimit:
    """What standard contracts with consumers may say at most, if they were made in a time.

    `longest` None forbids it. `longest_days` is the length of `longest` where it is shortest, which
    a term that is counted in days must not exceed. It holds for contracts made on `since` or later
    and before `until`.
    """

    country: str
    part: TermPart
    longest: Interval | None
    longest_days: int
    source: str
    since: date | None = None
    until: date | None = None


@frozen
class TermWarning:
    """A term that a consumer's contract must not have; in court it would probably be void."""

    part: TermPart
    value: Interval
    limit: TermLimit

    def __str__(self) -> str:
        allowed = "not allowed" if self.limit.longest is None else f"at most {self.limit.longest}"
        return f"{self.part} of {self.value}: {allowed} ({self.limit.source})"


_REFORM: Final = date(2022, 3, 1)
_TWO_YEARS, _ONE_YEAR = Interval.years(2), Interval.years(1)
_THREE_MONTHS, _ONE_MONTH = Interval.months(3), Interval.months(1)
_BEFORE_REFORM: Final = "BGB as before 1 March 2022 (Art. 229 § 60 EGBGB)"

TERM_LIMITS: Final = (
    TermLimit("DE", TermPart.FIRST_TERM, _TWO_YEARS, 730, "§ 309 no. 9 (a) BGB"),
    TermLimit("DE", TermPart.RENEWAL, None, 0, "§ 309 no. 9 (b) BGB", since=_REFORM),
    TermLimit("DE", TermPart.OPEN_NOTICE, _ONE_MONTH, 28, "§ 309 no. 9 (b) BGB", since=_REFORM),
    TermLimit("DE", TermPart.FIRST_NOTICE, _ONE_MONTH, 28, "§ 309 no. 9 (c) BGB", since=_REFORM),
    TermLimit(
        "DE", TermPart.RENEWAL, _ONE_YEAR, 365, f"§ 309 no. 9 (b) {_BEFORE_REFORM}", until=_REFORM
    ),
    TermLimit(
        "DE",
        TermPart.FIRST_NOTICE,
        _THREE_MONTHS,
        89,
        f"§ 309 no. 9 (c) {_BEFORE_REFORM}",
        until=_REFORM,
    ),
    TermLimit(
        "DE",
        TermPart.RENEWED_NOTICE,
        _THREE_MONTHS,
        89,
        f"§ 309 no. 9 (c) {_BEFORE_REFORM}",
        until=_REFORM,
    ),
)
"""The limits that are known, by country: contracts on regular deliveries or services.

Germany: § 309 no. 9 BGB, as changed by the act on fair consumer contracts of 10 August 2021 with
effect from 1 March 2022. A first term of at most two years; silent renewal only for an indefinite
time, to be left at any time with at most a month's notice; at most a month's notice before the end
of the first term. Contracts made before keep the old rules, by Art. 229 § 60 EGBGB: renewal by at
most a year each time, at most three months' notice.
"""


def warnings(
    terms: Terms, *, concluded_on: date, limits: tuple[TermLimit, ...] = TERM_LIMITS
) -> tuple[TermWarning, ...]:
    """Return what is wrong with the terms of a consumer's contract that was made on a day.

    None for a business, for a country without known limits, and without a first term: there is then
    nothing that binds. A term in days is compared with the shortest that a month or year can be.

    >>> gym = Terms(
    ...     minimum=Interval.years(1), notice=Interval.months(3), renewal=Interval.years(1),
    ...     consumer=True, country="DE",
    ... )
    >>> for warning in warnings(gym, concluded_on=date(2022, 3, 1)):
    ...     print(warning)
    renewal of 1 year: not allowed (§ 309 no. 9 (b) BGB)
    notice before the end of the first term of 3 months: at most 1 month (§ 309 no. 9 (c) BGB)
    >>> warnings(gym, concluded_on=date(2022, 2, 28))
    ()
    """
    plain_date("concluded_on", concluded_on)
    if not terms.consumer or terms.minimum is None:
        return ()
    after = TermPart.OPEN_NOTICE if terms.renewal is None else TermPart.RENEWED_NOTICE
    said = {
        TermPart.FIRST_TERM: terms.minimum,
        TermPart.FIRST_NOTICE: terms.notice,
        TermPart.RENEWAL: terms.renewal,
        after: _later_notice(terms),
    }
    found: list[TermWarning] = []
    for limit in limits:
        value = said.get(limit.part)
        if value is None or limit.country != terms.country:
            continue
        if limit.since is not None and concluded_on < limit.since:
            continue
        if limit.until is not None and concluded_on >= limit.until:
            continue
        if _exceeds(value, limit):
            found.append(TermWarning(limit.part, value, limit))
    return tuple(found)


_AFTER_FIRST_TERM: Final = ("renewal", "notice_after")
_A_DAY: Final = Interval.days(1)
_A_MONTH: Final = Interval.months(1)


def _later_notice(terms: Terms) -> Interval | None:
    return terms.notice_after or terms.notice


def _exceeds(value: Interval, limit: TermLimit) -> bool:
    longest = limit.longest
    if longest is None:
        return True
    if value.step_days:
        return value.step_days > limit.longest_days
    return value.step_months > longest.step_months


def _next_day(day: date) -> date:
    return BillingCycle(day, _A_DAY).start(1)


def _after_notice(notice: Interval | None, given_on: date) -> date:
    """Return the first day after the notice; the day on which it is given is not counted."""
    return _next_day(given_on if notice is None else BillingCycle(given_on, notice).start(1))


def _last_day_of_notice(notice: Interval | None, end: date) -> date:
    """Return the last day on which notice can be given for an end."""
    before = BillingCycle(end, _A_DAY).period_before_anchor().start
    day = before if notice is None else BillingCycle(before, notice).period_before_anchor().start
    # Short months: from 28 February a month back is 28 January, and 31 January reaches it too.
    while _after_notice(notice, _next_day(day)) <= end:
        day = _next_day(day)
    return day


def _end(terms: Terms, start: date, renewals: int) -> date:
    """Return the end of the first term, or of one of its renewals."""
    first, more = terms.minimum, terms.renewal
    if first is None:
        return start
    if more is None or not renewals:
        return BillingCycle(start, first).start(1)
    if first.step_days and more.step_days:
        return BillingCycle(start, _A_DAY).start(first.step_days + renewals * more.step_days)
    if first.step_months and more.step_months:
        # Not from the end of the first term, which a short month may have moved.
        months = first.step_months + renewals * more.step_months
        return BillingCycle(start, _A_MONTH).start(months)
    return BillingCycle(BillingCycle(start, first).start(1), more).start(renewals)


def _renewal_from(terms: Terms, start: date, earliest: date) -> date:
    """Return the end of the first renewal that is not before a day after the first term."""
    assert terms.renewal is not None
    first_end = _end(terms, start, 0)
    # Counted from the end of the first term these end on the day or before, and one more after it.
    renewals = max(1, BillingCycle(first_end, terms.renewal).index_of(earliest))
    end = _end(terms, start, renewals)
    return end if end >= earliest else _end(terms, start, renewals + 1)
