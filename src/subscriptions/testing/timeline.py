"""Logical time for tests: walk customers through a year in milliseconds, and say what happens.

    clock = TestClock(date(2027, 1, 1))
    billing = Billing(clock=clock)
    time = Timeline(billing)
    ...
    time.expect(InvoiceFinalized, PaymentFailed).advance(months=1)

Nothing here sleeps or reads a clock. What happened is read from `billing.events`, as a host would.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import ClassVar, TypedDict, Unpack

from attrs import define, field
from dateutil.relativedelta import relativedelta

from subscriptions.billing_cycles import first_instant, zone_info
from subscriptions.decisions import RecordParked
from subscriptions.disputes import DebitReturned, DisputeLost, DisputeOpened
from subscriptions.engine.billing import Billing
from subscriptions.errors import ValidationError
from subscriptions.events import Event, Recorded
from subscriptions.frozen import frozen
from subscriptions.gateways import FollowsTime
from subscriptions.ids import IdSource
from subscriptions.invoices import InvoiceMarkedUncollectible
from subscriptions.payments import PaymentFailed
from subscriptions.records import aware, plain_date
from subscriptions.refunds import RefundFailed

BAD_NEWS: tuple[type[Event], ...] = (
    PaymentFailed,
    RefundFailed,
    DisputeOpened,
    DisputeLost,
    DebitReturned,
    InvoiceMarkedUncollectible,
    RecordParked,
)
"""What must not happen in front of an expectation that does not name it."""

PAGE = 100


def _midnight(start: date | datetime) -> datetime:
    return _instant("start", start, "UTC")


@define
class TestClock:
    """A clock that stands still until it is told the time: `Billing(clock=TestClock(…))`.

    A date is the midnight in UTC with which it begins. A `Timeline` moves the clock of its billing,
    so that commands without `at` happen at the timeline's time.

    >>> clock = TestClock(date(2027, 1, 1))
    >>> str(clock())
    '2027-01-01 00:00:00+00:00'
    """

    # The name is the trade's word; pytest shall not take it for a class of tests.
    __test__: ClassVar[bool] = False

    now: datetime = field(converter=_midnight)

    def __call__(self) -> datetime:
        """Return the time it was told."""
        return self.now


@define
class _CountingIds:
    _process: str = field(alias="process")
    _counts: Counter[str] = field(init=False, factory=Counter[str])

    def fresh(self, prefix: str) -> str:
        """Return the prefix with the next number."""
        return self._next(prefix, digits=6)

    def secret(self) -> str:
        """Return a text that is as long as a secret and as guessable as a number."""
        return self._next("secret", digits=26)

    def _next(self, prefix: str, *, digits: int) -> str:
        self._counts[prefix] += 1
        return "_".join(filter(None, (prefix, self._process, f"{self._counts[prefix]:0{digits}}")))


def counting_ids(process: str = "") -> IdSource:
    """Return ids that count, so that two runs of one test make the same documents.

    Billings that share a storage and a tenant need a `process` each, or their ids clash. The
    secrets are no secrets.

    >>> ids = counting_ids()
    >>> ids.fresh("cus"), ids.fresh("inv"), ids.fresh("cus")
    ('cus_000001', 'inv_000001', 'cus_000002')
    """
    return _CountingIds(process)


class By(TypedDict, total=False):
    """How far time moves: to a time, or by the calendar of the seller's zone and then by hours.

    31 January plus a month is the last day of February, at the same time of day.
    """

    years: int
    months: int
    weeks: int
    days: int
    hours: float
    minutes: float
    to: date | datetime


@define
class Timeline:
    """Moves time for one billing, does what falls due meanwhile, and checks what happened.

    `start` is where it begins; by default it is the time of the billing's clock. A date stands for
    its first instant in the seller's zone, here and in `advance`. If the clock of the billing is a
    `TestClock`, it follows; with any other clock commands need `at=time.now`. A gateway that models
    time, such as the scripted one, is told it too.

    >>> from subscriptions import Billing, Interval, Money
    >>> from subscriptions.invoices import InvoicePaid
    >>> billing = Billing(clock=TestClock(date(2027, 1, 1)))
    >>> time = Timeline(billing)
    >>> pro = billing.catalog.add_price("Pro", Money.of("29.00", "EUR"), every=Interval.months(1))
    >>> ada = billing.customers.create(name="Ada Lovelace")
    >>> method = billing.payment_methods.attach(ada.id, token="tok_visa")
    >>> sub = billing.subscriptions.create(ada.id, [pro.id], start=date(2027, 1, 31))
    >>> events = time.expect(InvoicePaid, InvoicePaid, InvoicePaid).advance(months=3)
    >>> str(time.now)
    '2027-04-01 00:00:00+00:00'
    """

    _billing: Billing = field(alias="billing")
    _start: date | datetime | None = field(default=None, alias="start")
    _now: datetime = field(init=False)
    # Where reading the events goes on: at this cursor, behind so many that were read already.
    _cursor: str | None = field(init=False, default=None)
    _read: int = field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        engine = self._billing.engine
        start = engine.clock() if self._start is None else self._start
        self._move(_instant("start", start, engine.seller.zone))
        self._happened()

    @property
    def now(self) -> datetime:
        """The instant it is, in UTC."""
        return self._now

    def expect(self, *types: type[Event]) -> Expectation:
        """Say what is to happen until the end of the `advance` that follows.

        Every event of a type that is named counts: together they must be these, in this order and
        not one more. Of types that are not named anything may happen, except for bad news: a
        `PaymentFailed`, `InvoiceMarkedUncollectible` or `RecordParked` must be named.
        """
        return Expectation(types, self._advance)

    def advance(self, **by: Unpack[By]) -> tuple[Event, ...]:
        """Move time on, do what falls due until then (inclusive), and return what happened.

        That is everything since the last `advance`, what commands did in between included. Without
        arguments time stands still, and what is due now is done.

        Raises `ValidationError` for a time that is over: time does not go back.
        """
        return tuple(recorded.body for recorded in self._advance(by))

    def _advance(self, by: By) -> list[Recorded]:
        until = _until(self._now, by, self._billing.engine.seller.zone)
        # The clock and the gateways follow the run: what will be known in five days is not known
        # today, and a key that is sent again after five minutes is five minutes old.
        self._billing.run(until=until)
        self._move(until)
        return self._happened()

    def _move(self, instant: datetime) -> None:
        self._now = instant
        clock = self._billing.engine.clock
        if isinstance(clock, TestClock):
            clock.now = instant
        for gateway in self._billing.engine.gateways.values():
            if isinstance(gateway, FollowsTime):
                gateway.at(instant)

    def _happened(self) -> list[Recorded]:
        """Return the events since the last call."""
        happened: list[Recorded] = []
        while True:
            page = self._billing.events.list(limit=PAGE, after=self._cursor)
            happened += page.items[self._read :]
            self._read = len(page.items)
            if page.next_cursor is None:
                return happened
            self._cursor, self._read = page.next_cursor, 0


@frozen
class Expectation:
    """What is to happen on a timeline; `advance` makes it so, or raises `AssertionError`."""

    types: tuple[type[Event], ...]
    _advance: Callable[[By], list[Recorded]] = field(repr=False, alias="advance")

    def advance(self, **by: Unpack[By]) -> tuple[Event, ...]:
        """Move time as `Timeline.advance` does, and check what happened.

        Raises `AssertionError`, with a list of all that happened, if that is not as expected.
        """
        __tracebackhide__ = True  # pytest shows the line of the test
        happened = self._advance(by)
        counted = {*self.types, *BAD_NEWS}
        found = [type(each.body) for each in happened if type(each.body) in counted]
        if found != [*self.types]:
            raise AssertionError(_report(self.types, found, happened))
        return tuple(recorded.body for recorded in happened)


def _instant(name: str, value: object, zone: str) -> datetime:
    """Return an instant in UTC; a date is its first instant in a zone."""
    if isinstance(value, datetime):
        return aware(name, value).astimezone(UTC)
    return first_instant(plain_date(name, value), zone)


def _until(now: datetime, by: By, zone: str) -> datetime:
    to = by.get("to")
    if to is not None and len(by) > 1:
        raise ValidationError("to", to, "either a time or how far")
    if to is None:
        # The calendar first, for a day has 23 to 25 hours; then hours as they pass.
        local = now.astimezone(zone_info(zone)) + relativedelta(
            years=by.get("years", 0),
            months=by.get("months", 0),
            weeks=by.get("weeks", 0),
            days=by.get("days", 0),
        )
        hours = timedelta(hours=by.get("hours", 0), minutes=by.get("minutes", 0))
        until = local.astimezone(UTC) + hours
    else:
        until = _instant("to", to, zone)
    if until < now:
        raise ValidationError("to", until, f"not before the timeline's time, {now}")
    return until


def _report(
    expected: Sequence[type[Event]], found: Sequence[type[Event]], happened: Sequence[Recorded]
) -> str:
    """Say what was expected, what of it happened, and everything that did."""
    lines = [
        f"expected: {_names(expected)}",
        f"happened: {_names(found)}",
        "Everything since the last advance:" if happened else "There were no events at all.",
    ]
    named = {*expected, *BAD_NEWS}
    for recorded in happened:
        mark = ">" if type(recorded.body) in named else " "
        lines.append(f" {mark} {recorded.at}  {recorded.body}")
    return "\n".join(lines)


def _names(types: Sequence[type[Event]]) -> str:
    return ", ".join(each.__name__ for each in types) or "none of these and no bad news"
