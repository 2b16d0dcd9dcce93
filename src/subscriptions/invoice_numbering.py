"""Numbers of documents and customers: patterns, series and the audit of what was issued.

Decided here: which number comes next in a series, when its counter begins again, and what is wrong
with a list of issued numbers. Never here: when a number is taken (last, in the commit, under the
lock of the series) and what it is printed on.

A number, once given, is never given again: the numbers of a series are gapless and strictly
increasing in the order in which they were given.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from string import Formatter
from typing import Final, TypeAlias

from attrs import field

from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen


class Reset(StrEnum):
    """When the counter of a series begins again."""

    NEVER = "never"
    YEARLY = "yearly"
    MONTHLY = "monthly"


@frozen
class Series:
    """A pattern and where it stands; taking numbers returns them with the series after.

    Tokens: `{counter}` (once, needed; `{counter:05}` pads with zeros and grows beyond),
    `{year}` (four digits), `{month}` (two), and `{prefix}` and `{customer}`, two fixed texts. A
    yearly reset needs the year in the pattern and a monthly one the month too, or numbers would
    come again. Each new year or month begins at `start`.

    A pattern with `{customer}` and no customer stands for one series for each: `of_customer`
    gives it, and only that takes numbers.

    A series that went on elsewhere is continued by naming what was last given:
    `Series("RE-{counter}", last_counter=1233, last_on=date(2026, 12, 31))` goes on with RE-1234.

    Raises `ValidationError` for other tokens and formats, and for facts that do not fit together.

    >>> series = Series("INV-{year}-{counter:05}", reset=Reset.YEARLY)
    >>> number, series = series.next(on=date(2027, 1, 1))
    >>> number
    'INV-2027-00001'
    """

    pattern: str
    reset: Reset = field(default=Reset.NEVER, kw_only=True)
    start: int = field(default=1, kw_only=True)
    prefix: str = field(default="", kw_only=True)
    customer: str = field(default="", kw_only=True)
    last_counter: int | None = field(default=None, kw_only=True)
    """The counter of the last number given, or None if there was none yet."""
    last_on: date | None = field(default=None, kw_only=True)
    """The day that the last number was given for: the series does not go back behind it."""

    def __attrs_post_init__(self) -> None:
        tokens = _parse(self.pattern)
        names = {token.name for token in tokens}
        if not isinstance(self.reset, Reset):
            raise ValidationError("reset", self.reset, "a Reset")
        missing = _NEEDED[self.reset] - names
        if missing:
            texts = " and ".join(f"{{{name}}}" for name in sorted(missing))
            raise ValidationError("pattern", self.pattern, f"{texts} for the reset {self.reset}")
        for name, text in (("prefix", self.prefix), ("customer", self.customer)):
            if bool(text) != (name in names) and (text or name == "prefix"):
                expected = "a text" if name in names else f"{{{name}}} in the pattern for it"
                raise ValidationError(name, text, expected)
            _check_text(name, text)
        if type(self.start) is not int or self.start < 1:
            raise ValidationError("start", self.start, "a whole number of at least 1")
        if (self.last_counter is None) != (self.last_on is None):
            raise ValidationError("last_on", self.last_on, "a date exactly if last_counter is set")
        if self.last_counter is not None and (
            type(self.last_counter) is not int or self.last_counter < self.start
        ):
            raise ValidationError("last_counter", self.last_counter, "at least the series' start")
        if self.last_on is not None:
            _check_day("last_on", self.last_on)
            if self.per_customer:
                raise ValidationError("last_on", self.last_on, "a series of one customer")

    @property
    def per_customer(self) -> bool:
        """Whether it stands for one series for each customer."""
        return not self.customer and "{customer}" in self.pattern

    def of_customer(self, number: str) -> Series:
        """Return the series of one customer, as it starts.

        Raises `ValidationError` for a number that no pattern can hold: it is empty, longer than 64
        characters, or has braces in it.

        >>> Series("{customer}-{counter:03}").of_customer("K17").next(on=date(2027, 1, 1))[0]
        'K17-001'
        """
        if not number:
            raise ValidationError("customer", number, "the number of a customer")
        return Series(
            self.pattern, reset=self.reset, start=self.start, prefix=self.prefix, customer=number
        )

    def next(self, *, on: date) -> tuple[str, Series]:
        """Return the next number for a day, and the series after it, with the law of `take`."""
        numbers, after = self.take(1, on=on)
        return numbers[0], after

    def take(self, count: int, *, on: date) -> tuple[list[str], Series]:
        """Return the next numbers for a day, in order, and the series after them.

        A day before that of the last number counts as that day. An invoice of 31 December that is
        finalised after one of 1 January has given 2027-00001 gets 2027-00002: a number of 2026
        would come after one of 2027, and the row would no longer increase.

        Raises `ValidationError` for a negative count, for a datetime, and for a pattern that stands
        for one series for each customer.

        >>> series = Series("{year}/{counter}", reset=Reset.YEARLY)
        >>> numbers, series = series.take(2, on=date(2027, 12, 31))
        >>> numbers, series.next(on=date(2028, 1, 1))[0]
        (['2027/1', '2027/2'], '2028/1')
        """
        _check_day("on", on)
        if type(count) is not int or count < 0:
            raise ValidationError("count", count, "a whole number of at least 0")
        if count == 0:
            return [], self
        if self.per_customer:
            raise ValidationError("customer", "", "a customer's own series, by `of_customer`")
        last_on, last_counter = self.last_on, self.last_counter
        first = self.start
        if last_on is not None and last_counter is not None:
            on = max(on, last_on)
            if _period(self.reset, on) == _period(self.reset, last_on):
                first = last_counter + 1
        head, width, tail = _ends(self, on)
        counters = range(first, first + count)
        numbers = [f"{head}{counter:0{width}d}{tail}" for counter in counters]
        after = Series(
            self.pattern,
            reset=self.reset,
            start=self.start,
            prefix=self.prefix,
            customer=self.customer,
            last_counter=counters[-1],
            last_on=on,
        )
        return numbers, after


@frozen
class Gap:
    """Counters that were never given: from `first` to `last`, before `before` or at the end."""

    first: int
    last: int
    before: str | None


@frozen
class Double:
    """A number that was given more than once; `positions` are the places in the list, from 0."""

    number: str
    positions: tuple[int, ...]


@frozen
class OutOfOrder:
    """A number that stands after a higher one."""

    number: str
    after: str
    position: int


@frozen
class Foreign:
    """A number that this series' pattern cannot have made."""

    number: str
    position: int


@frozen
class Ahead:
    """A number that the series has not given yet, and so will give again."""

    number: str
    position: int


Finding: TypeAlias = Gap | Double | OutOfOrder | Foreign | Ahead


def audit(
    series: Series, numbers: Iterable[str], *, first: int | None = None
) -> tuple[Finding, ...]:
    """Return what is wrong with the numbers of a series, listed in the order they were given.

    Nothing wrong is an empty tuple. Every counter of a year (or month, or of all, as the series
    resets) must be there from `start` on, once, in rising order. Where the series says which number
    it gave last, the list must reach it and not pass it. `first` is the first counter of the
    earliest year or month in the list, for a list that begins in the middle of one.

    What concerns one number comes first, by its place in the list, then doubles, then gaps.

    >>> for finding in audit(Series("K{counter:03}"), ["K001", "K004", "K002", "K002"]):
    ...     print(finding)
    OutOfOrder(number='K002', after='K004', position=2)
    Double(number='K002', positions=(2, 3))
    Gap(first=3, last=3, before='K004')
    """
    findings: list[Finding] = []
    positions: dict[str, list[int]] = {}
    given: dict[_Period, dict[int, str]] = {}
    highest: _Place | None = None
    end = _end(series)
    read = _reader(series)
    for position, number in enumerate(numbers):
        place = read(number)
        if place is None:
            findings.append(Foreign(number, position))
            continue
        if number in positions:
            positions[number].append(position)
            continue
        positions[number] = [position]
        given.setdefault(place.period, {})[place.counter] = number
        if end is not None and (place.period, place.counter) > end:
            findings.append(Ahead(number, position))
        if highest is not None and _is_behind(place, highest):
            findings.append(OutOfOrder(number, highest.number, position))
        else:
            highest = place
    findings += [
        Double(number, tuple(places)) for number, places in positions.items() if len(places) > 1
    ]
    if end is not None:
        given.setdefault(end[0], {})
    for period in sorted(given):
        is_earliest = period == min(given)
        expected = first if is_earliest and first is not None else series.start
        last = end[1] if end is not None and period == end[0] else None
        findings += _gaps(given[period], expected, last)
    return tuple(findings)


# The year and month within which a counter is unique: (), (2027,) or (2027, 1) by reset.
_Period: TypeAlias = tuple[int, ...]


@frozen
class _Token:
    literal: str
    """The text before the token."""
    name: str
    """Empty for the text after the last token."""
    width: int


@frozen
class _Place:
    number: str
    shown: _Period
    period: _Period
    counter: int


_NEEDED: Final[dict[Reset, frozenset[str]]] = {
    Reset.NEVER: frozenset(),
    Reset.YEARLY: frozenset({"year"}),
    Reset.MONTHLY: frozenset({"year", "month"}),
}
_NAMES: Final = frozenset({"counter", "year", "month", "prefix", "customer"})
_WIDTH: Final = re.compile(r"0([1-9]|1[0-8])")
_MOST_CHARACTERS: Final = 64


def _period(reset: Reset, day: date) -> _Period:
    return (day.year, day.month)[: _DEPTH[reset]]


_DEPTH: Final = {Reset.NEVER: 0, Reset.YEARLY: 1, Reset.MONTHLY: 2}


@lru_cache(maxsize=1024)
def _parse(pattern: str) -> tuple[_Token, ...]:
    try:
        parsed = list(Formatter().parse(pattern))
    except (ValueError, TypeError):
        raise ValidationError("pattern", pattern, _PATTERN_EXPECTED) from None
    tokens: list[_Token] = []
    for literal, name, spec, conversion in parsed:
        _check_text("pattern", literal)
        if name is None:
            tokens.append(_Token(literal, "", 0))
            continue
        width = _WIDTH.fullmatch(spec or "") if name == "counter" else None
        if name not in _NAMES or conversion is not None or (spec and width is None):
            raise ValidationError("pattern", pattern, _PATTERN_EXPECTED)
        if any(token.name == name for token in tokens):
            raise ValidationError("pattern", pattern, f"{{{name}}} once")
        tokens.append(_Token(literal, name, int(width[1]) if width else 0))
    if not any(token.name == "counter" for token in tokens):
        raise ValidationError("pattern", pattern, "a {counter} in it")
    return tuple(tokens)


_PATTERN_EXPECTED: Final = (
    "a text with {counter}, {counter:05}, {year}, {month}, {prefix} or {customer}"
)


def _check_text(field: str, text: str) -> None:
    if len(text) > _MOST_CHARACTERS or not text.isprintable() or "{" in text or "}" in text:
        expected = f"at most {_MOST_CHARACTERS} printable characters, braces only around tokens"
        raise ValidationError(field, text, expected)


def _check_day(field: str, day: object) -> None:
    if isinstance(day, datetime) or not isinstance(day, date):
        raise ValidationError(field, day, "a date without a time of day")


def _ends(series: Series, on: date) -> tuple[str, int, str]:
    """Return what stands before the counter, its width, and what stands after it."""
    texts = {
        "": "",
        "year": f"{on.year:04d}",
        "month": f"{on.month:02d}",
        "prefix": series.prefix,
        "customer": series.customer,
    }
    head, width, text = "", 0, ""
    for token in _parse(series.pattern):
        text += token.literal
        if token.name == "counter":
            head, width, text = text, token.width, ""
        else:
            text += texts[token.name]
    return head, width, text


def _reader(series: Series) -> Callable[[str], _Place | None]:
    """Return a function that reads a number back, or None where the series cannot have made it."""
    tokens = _parse(series.pattern)
    patterns = {
        "": "",
        "counter": "(?P<counter>[0-9]{1,18})",
        "year": "(?P<year>[0-9]{4})",
        "month": "(?P<month>0[1-9]|1[0-2])",
        "prefix": re.escape(series.prefix),
        "customer": re.escape(series.customer),
    }
    pattern = re.compile("".join([re.escape(t.literal) + patterns[t.name] for t in tokens]))
    names = {token.name for token in tokens}
    width = next(token.width for token in tokens if token.name == "counter")
    # A month without its year says nothing about order: 12 comes before the next 01.
    shown_names = [name for name in ("year", "month") if name in names and "year" in names]
    depth = _DEPTH[series.reset]

    def read(number: str) -> _Place | None:
        match = pattern.fullmatch(number)
        if match is None:
            return None
        counter = int(match["counter"])
        if counter < series.start or f"{counter:0{width}d}" != match["counter"]:
            return None
        shown = tuple([int(match[name]) for name in shown_names])
        return _Place(number, shown, shown[:depth], counter)

    return read


def _is_behind(place: _Place, highest: _Place) -> bool:
    if place.shown < highest.shown:
        return True
    return place.period == highest.period and place.counter <= highest.counter


def _end(series: Series) -> tuple[_Period, int] | None:
    if series.last_counter is None or series.last_on is None:
        return None
    return _period(series.reset, series.last_on), series.last_counter


def _gaps(given: dict[int, str], expected: int, last: int | None) -> list[Gap]:
    gaps: list[Gap] = []
    for counter in sorted(given):
        if counter > expected:
            gaps.append(Gap(expected, counter - 1, given[counter]))
        expected = max(expected, counter + 1)
    if last is not None and last >= expected:
        gaps.append(Gap(expected, last, None))
    return gaps
