"""Usage is recorded once, in batches, and read page by page by whoever bills it."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import pytest
from attrs import define, evolve, field

from subscriptions import (
    AsyncBilling,
    Billing,
    Interval,
    MemoryStorage,
    Money,
    PerUnit,
    SqlStorage,
    lifecycle,
    usage,
)
from subscriptions.billing_cycles import BillingCycle
from subscriptions.catalog import PRICE
from subscriptions.customers import CUSTOMER, Customer
from subscriptions.decisions import Change, Decision, created
from subscriptions.engine import gather, metering
from subscriptions.engine.gather import Batch, together
from subscriptions.engine.procedures import run_sync
from subscriptions.errors import (
    Conflict,
    Duplicate,
    IdempotencyMismatch,
    InvalidTransition,
    NotFound,
    StalePlan,
    UnknownReference,
    ValidationError,
)
from subscriptions.events import Recorded
from subscriptions.ids import InvoiceId, PriceId, SubscriptionId
from subscriptions.lifecycle import (
    SUBSCRIPTION,
    Active,
    Cancellation,
    Contract,
    Ended,
    EndReason,
    EndTrial,
    Incomplete,
    Item,
    Scheduled,
    Subscription,
    Trialing,
)
from subscriptions.money import EUR
from subscriptions.records import Kind, Record, Ref
from subscriptions.storage import Found, Query, Storage
from subscriptions.testing import TestClock, builders
from subscriptions.testing.crashes import Crash, CrashingStorage, Points
from subscriptions.usage import USAGE, Usage, UsageEvent, segment_key
from subscriptions.usecases import usage as usecase
from subscriptions.usecases.flows import Command, Context, Flow, Fold, Get, Having

R = TypeVar("R", bound=Record)
START = date(2027, 1, 1)
MIDNIGHT = datetime(2027, 1, 1, tzinfo=UTC)
NOW = datetime(2027, 1, 20, 12, tzinfo=UTC)
MONTHLY = BillingCycle(START, Interval.months(1))
SUB = SubscriptionId("sub_1")


@pytest.fixture(params=["memory", "sqlite"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    if request.param == "memory":
        yield MemoryStorage()
        return
    storage = SqlStorage(f"sqlite:///{tmp_path / 'billing.db'}")
    yield storage
    storage.close()


def open_shop(storage: Storage) -> Billing:
    """Return a billing with a meter, a price of 0.01 EUR a call, and nobody who has it."""
    billing = Billing(storage=storage, clock=TestClock(NOW))
    billing.usage.add_meter("calls")
    billing.catalog.add_price(
        "API",
        PerUnit("0.01"),
        currency="EUR",
        every=Interval.months(1),
        meter="calls",
        arrears=True,
    )
    return billing


def subscribe(storage: Storage, id: str = SUB, meter: str = "calls", **changes: Any) -> None:  # noqa: ANN401
    price = run_sync(Batch(storage, "default").one(_first_price()))
    item = Item(price, 1, MONTHLY, arrears=True, meter=meter, since=changes.pop("since", MIDNIGHT))
    subscription = Subscription(
        SubscriptionId(id),
        "default",
        1,
        builders.a_customer().id,
        EUR,
        "UTC",
        (evolve(item, **changes.pop("item", {})),),
        Active(START),
        start=START,
    )
    with storage.begin() as unit:
        unit.write([created(SUBSCRIPTION, evolve(subscription, **changes))], [])


def _first_price() -> Flow[PriceId]:
    (price, *_) = yield from Having(PRICE, "name", "API")
    return PriceId(price.id)


@pytest.fixture
def billing(storage: Storage) -> Billing:
    billing = open_shop(storage)
    subscribe(storage)
    return billing


def calls(count: int, *, subscription: str = SUB) -> Iterator[Usage]:
    """Make events one by one, as a log is read."""
    for number in range(count):
        at = MIDNIGHT + timedelta(seconds=number)
        yield Usage(subscription, "calls", f"{subscription}/{number}", number % 3, at)


def recorded(billing: Billing) -> list[UsageEvent]:
    return list(billing.usage.list(limit=1000))


# ---- one event --------------------------------------------------------------------------------


def test_an_event_is_stored_with_where_it_counts_and_where_it_is_billed(billing: Billing) -> None:
    at = datetime(2027, 1, 5, 12, tzinfo=UTC)
    event = billing.usage.record(
        SUB, "calls", event_id="e1", quantity=Decimal("2.5"), occurred_at=at, properties={"a": "b"}
    )
    assert recorded(billing) == [event]
    assert (event.event, event.quantity, event.occurred_at) == ("e1", Decimal("2.5"), at)
    assert (event.segment, event.billed_with, event.recorded_at) == (MIDNIGHT, MIDNIGHT, NOW)
    assert event.period == MONTHLY.period(0)
    assert dict(event.properties) == {"a": "b"}


def test_a_single_event_is_no_event_of_the_outbox(billing: Billing) -> None:
    before = billing.events.list().total
    billing.usage.record(SUB, "calls", event_id="e1")
    assert billing.events.list().total == before


def test_the_same_event_again_is_the_stored_one(billing: Billing) -> None:
    first = billing.usage.record(SUB, "calls", event_id="e1", quantity=3)
    again = billing.usage.record(
        SUB, "calls", event_id="e1", quantity=3, at=NOW + timedelta(hours=1)
    )
    assert again == first
    assert recorded(billing) == [first]
    assert (
        billing.usage.record(SUB, "calls", event_id="e1", quantity=3, occurred_at=first.occurred_at)
        == first
    )


@pytest.mark.parametrize(
    "other",
    [
        {"quantity": 4},
        {"occurred_at": MIDNIGHT},
        {"properties": {"a": "b"}},
        {"subscription": "sub_2"},
        {"meter": "mails"},
    ],
)
def test_an_event_id_with_other_content_is_refused(billing: Billing, other: dict[str, Any]) -> None:
    given: dict[str, Any] = {
        "subscription": SUB,
        "meter": "calls",
        "quantity": 3,
        "occurred_at": NOW,
    }
    first = billing.usage.record(event_id="e1", **given)
    with pytest.raises(IdempotencyMismatch) as refused:
        billing.usage.record(event_id="e1", **{**given, **other})
    assert refused.value.key == "e1"
    (name,) = other
    assert refused.value.difference.startswith(f"{name} is ")
    assert refused.value.difference.endswith(" was given")
    assert recorded(billing) == [first]


def test_an_event_id_with_another_quantity_says_both(billing: Billing) -> None:
    billing.usage.record(SUB, "calls", event_id="e1", quantity=2)
    with pytest.raises(IdempotencyMismatch, match="quantity is 2, and 3 was given"):
        billing.usage.record(SUB, "calls", event_id="e1", quantity=3)
    (refused,) = billing.usage.record_many([Usage(SUB, "calls", "e1", 3)]).refused
    assert refused.expected == "new, or with what is stored: quantity is 2, and 3 was given"


@pytest.mark.parametrize(
    ("wrong", "error", "named"),
    [
        ({"subscription": "sub_none"}, UnknownReference, "subscription"),
        ({"meter": "none"}, UnknownReference, "meter"),
        ({"meter": "mails"}, ValidationError, "meter"),
        ({"meter": 3}, ValidationError, "meter"),
        ({"event_id": ""}, ValidationError, "event_id"),
        ({"quantity": 10**19}, ValidationError, "quantity"),
        ({"occurred_at": NOW + timedelta(microseconds=1)}, ValidationError, "occurred_at"),
        ({"occurred_at": MIDNIGHT - timedelta(microseconds=1)}, ValidationError, "occurred_at"),
        ({"occurred_at": datetime(2027, 1, 2)}, ValidationError, "occurred_at"),  # noqa: DTZ001
        ({"properties": [("a", "b")]}, ValidationError, "properties"),
        ({"properties": {"a": 1}}, ValidationError, "properties[a]"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_stored(
    billing: Billing, wrong: dict[str, Any], error: type[Exception], named: str
) -> None:
    billing.usage.add_meter("mails")
    given: dict[str, Any] = {"subscription": SUB, "meter": "calls", "event_id": "e1", **wrong}
    with pytest.raises(error) as refused:
        billing.usage.record(**given)
    assert getattr(refused.value, "field", None) == named
    assert recorded(billing) == []


def test_usage_may_occur_now_and_at_the_very_start(billing: Billing) -> None:
    for number, at in enumerate([NOW, MIDNIGHT]):
        billing.usage.record(SUB, "calls", event_id=f"e{number}", occurred_at=at)
    assert len(recorded(billing)) == 2


def test_nothing_would_bill_usage_of_a_subscription_that_has_ended(storage: Storage) -> None:
    billing = open_shop(storage)
    subscribe(storage, contract=Ended(NOW, EndReason.CANCELED))
    with pytest.raises(InvalidTransition, match="record usage"):
        billing.usage.record(SUB, "calls", event_id="e1", occurred_at=MIDNIGHT)
    assert billing.usage.summary(SUB) == ()


def test_usage_from_the_end_on_is_refused_though_nobody_ended_it_yet(storage: Storage) -> None:
    billing = open_shop(storage)
    subscribe(storage, cancellation=Cancellation(date(2027, 1, 15)))
    before = datetime(2027, 1, 14, 23, 59, tzinfo=UTC)
    billing.usage.record(SUB, "calls", event_id="e1", occurred_at=before)
    with pytest.raises(ValidationError, match="before the end"):
        billing.usage.record(
            SUB, "calls", event_id="e2", occurred_at=datetime(2027, 1, 15, tzinfo=UTC)
        )


def test_usage_of_a_billed_period_goes_on_the_next_invoice_under_its_own_period(
    storage: Storage,
) -> None:
    billing = open_shop(storage)
    february = datetime(2027, 2, 1, tzinfo=UTC)
    subscribe(storage, since=february, item={"through": date(2027, 2, 1)})
    at = datetime(2027, 1, 31, tzinfo=UTC)
    now = datetime(2027, 2, 3, tzinfo=UTC)
    event = billing.usage.record(SUB, "calls", event_id="e1", quantity=7, occurred_at=at, at=now)
    assert (event.segment, event.billed_with) == (MIDNIGHT, february)
    (summary,) = billing.usage.summary(SUB, at=now)
    assert summary.quantity == 0
    assert summary.amount == Money.zero(EUR)
    (late,) = summary.late
    assert late.period == MONTHLY.period(0)
    assert late.every.quantity == 7
    assert summary.late_amount == Money.of("0.07", "EUR")


@pytest.mark.parametrize("billed", [False, True])
def test_usage_of_a_free_trial_stays_free_however_late_it_comes(
    storage: Storage, *, billed: bool
) -> None:
    billing = open_shop(storage)
    cycle = BillingCycle(date(2027, 1, 15), Interval.months(1))
    ended = datetime(2027, 1, 15, tzinfo=UTC)
    trial = {"cycle": cycle, "through": cycle.anchor}
    subscribe(storage, since=None, contract=Trialing(cycle.anchor), item=trial)
    with storage.begin() as unit:
        trialing = unit.load("default", SUBSCRIPTION, [SUB])[SUB]
        unit.write([lifecycle.decide(trialing, EndTrial((1,) if billed else ()))], [])
    event = billing.usage.record(
        SUB, "calls", event_id="e1", occurred_at=datetime(2027, 1, 10, tzinfo=UTC)
    )
    assert event.segment == MIDNIGHT
    assert event.billed_with == (ended if billed else MIDNIGHT)
    (summary,) = billing.usage.summary(SUB)
    assert len(summary.late) == billed


@pytest.mark.parametrize(
    "contract",
    [
        Trialing(date(2027, 2, 1)),
        Scheduled(START, date(2027, 2, 1)),  # nothing has run yet
    ],
)
def test_usage_of_a_trial_that_runs_is_free(storage: Storage, contract: Contract) -> None:
    billing = open_shop(storage)
    february = date(2027, 2, 1)
    cycle = BillingCycle(february, Interval.months(1))
    subscribe(storage, since=None, contract=contract, item={"cycle": cycle, "through": february})
    event = billing.usage.record(SUB, "calls", event_id="e1", quantity=5)
    assert (event.segment, event.billed_with) == (MIDNIGHT, MIDNIGHT)
    (summary,) = billing.usage.summary(SUB)
    assert (summary.quantity, summary.amount) == (Decimal(5), Money.of("0.00", "EUR"))
    assert summary.late == ()


@pytest.mark.parametrize(
    "contract",
    [
        Scheduled(START),
        Incomplete(START, InvoiceId("inv_1"), NOW + timedelta(days=1)),
    ],
)
def test_usage_counts_from_the_start_though_nothing_was_paid_or_has_run(
    storage: Storage, contract: Contract
) -> None:
    billing = open_shop(storage)
    subscribe(storage, since=None, contract=contract)
    billing.usage.record(SUB, "calls", event_id="e1", quantity=5)
    (summary,) = billing.usage.summary(SUB)
    assert summary.quantity == 5


def test_a_level_of_long_ago_changes_every_period_since(storage: Storage) -> None:
    billing = open_shop(storage)
    billing.usage.add_meter("storage", aggregation="time_weighted")
    march = datetime(2027, 3, 1, tzinfo=UTC)
    subscribe(storage, meter="storage", since=march, item={"through": date(2027, 3, 1)})
    billing.usage.record(
        SUB,
        "storage",
        event_id="e1",
        quantity=2,
        occurred_at=MIDNIGHT,
        at=march + timedelta(days=4),
    )
    (summary,) = billing.usage.summary(SUB, at=datetime(2027, 4, 1, tzinfo=UTC))
    assert [(str(late.period), int(late.every.quantity)) for late in summary.late] == [
        ("2027-01-01/2027-02-01", 2),
        ("2027-02-01/2027-03-01", 2),
    ]
    assert summary.quantity == 2


# ---- meters -----------------------------------------------------------------------------------


def test_a_key_is_taken_once(billing: Billing) -> None:
    with pytest.raises(Duplicate) as taken:
        billing.usage.add_meter("calls")
    assert (taken.value.key, taken.value.value) == ("meter.key", "calls")


def test_meters_are_listed_in_the_order_they_were_added(billing: Billing) -> None:
    users = billing.usage.add_meter(
        "users",
        aggregation="unique",
        name="Users",
        property="user",
        filters={"plan": ["pro", "team"]},
    )
    assert [meter.key for meter in billing.usage.meters()] == ["calls", "users"]
    assert (users.name, users.counted_property) == ("Users", "user")
    assert users.counts({"plan": "team"})


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"aggregation": "median"}, "aggregation"),
        ({"aggregation": "unique"}, "property"),
        ({"filters": {"plan": "pro"}}, "filters[plan]"),
        ({"filters": {"plan": 3}}, "filters[plan]"),
        ({"rounding": "up"}, "rounding"),
        ({"name": ""}, "name"),
    ],
)
def test_a_meter_that_makes_no_sense_is_refused(
    billing: Billing, wrong: dict[str, Any], named: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        billing.usage.add_meter("new", **wrong)
    assert refused.value.field == named


# ---- so far -----------------------------------------------------------------------------------


def test_a_summary_says_what_was_used_so_far_and_what_it_costs(billing: Billing) -> None:
    billing.usage.record_many(calls(9))
    (summary,) = billing.usage.summary(SUB, meter="calls")
    assert summary.quantity == summary.count == 9
    assert summary.amount == Money.of("0.09", "EUR")
    assert (summary.period, summary.since, summary.item) == (MONTHLY.period(0), MIDNIGHT, 1)
    assert billing.usage.summary(SUB) == (summary,)


def test_a_summary_of_what_is_not_there_says_so(billing: Billing) -> None:
    with pytest.raises(NotFound):
        billing.usage.summary("sub_none")
    with pytest.raises(UnknownReference):
        billing.usage.summary(SUB, meter="mails")


# ---- in bulk ----------------------------------------------------------------------------------


@define
class Counting:
    """A storage that counts what it is asked, and remembers the largest answer."""

    storage: Any
    asked: list[str] = field(factory=list[str])
    largest: int = 0

    def load(self, tenant: str, kind: Kind[R], ids: Collection[str], /) -> Any:  # noqa: ANN401
        self.asked.append(f"load {kind.name}")
        return self.storage.load(tenant, kind, ids)

    def find(self, query: Query[R], /) -> Found[R]:
        self.asked.append(f"find {query.kind.name}")
        found: Found[R] = self.storage.find(query)
        self.largest = max(self.largest, len(found.items))
        return found

    def begin(self) -> Any:  # noqa: ANN401
        self.asked.append("begin")
        unit = Counting(self.storage.begin())
        unit.asked = self.asked
        return unit

    def write(self, changes: Sequence[Change], events: Sequence[Recorded], /) -> None:
        self.asked.append("write")
        self.largest = max(self.largest, len(changes))
        self.storage.write(changes, events)

    def commit(self) -> None:
        self.storage.commit()

    def rollback(self) -> None:
        self.storage.rollback()

    def undelivered(self, *args: Any) -> Any:  # noqa: ANN401
        return self.storage.undelivered(*args)

    def acknowledge(self, *args: Any) -> None:  # noqa: ANN401
        self.storage.acknowledge(*args)


def test_a_hundred_thousand_events_are_a_hundred_batches_of_a_few_questions(
    storage: Storage,
) -> None:
    counting = Counting(storage)
    billing = open_shop(counting)
    subscribe(storage)
    counting.asked.clear()
    report = billing.usage.record_many(calls(100_000))
    assert (report.rows, report.recorded, report.known, report.refused) == (100_000, 100_000, 0, ())
    assert {name: counting.asked.count(name) for name in set(counting.asked)} == {
        "begin": 100,
        "load usage": 100,
        "load meter": 100,
        "load subscription": 100,
        "write": 100,
    }
    counting.asked.clear()
    (summary,) = billing.usage.summary(SUB)
    assert summary.quantity == 99_999
    assert summary.count == 100_000
    pages = counting.asked.count("find usage")
    assert pages <= 11
    assert counting.largest <= 10_000


def test_recording_holds_no_more_than_a_batch(tmp_path: Path) -> None:
    storage = SqlStorage(f"sqlite:///{tmp_path / 'billing.db'}")
    billing = open_shop(storage)
    subscribe(storage)
    billing.usage.record_many(calls(2_000))
    peaks: list[int] = []
    for first in (2_000, 10_000):
        tracemalloc.start()
        billing.usage.record_many(
            Usage(SUB, "calls", f"more/{first}/{number}", 1, MIDNIGHT) for number in range(first)
        )
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.5
    storage.close()


def test_rows_that_are_wrong_are_reported_and_cost_no_other(billing: Billing) -> None:
    rows: list[Any] = [
        Usage(SUB, "calls", "e0"),
        Usage("sub_none", "calls", "e1"),
        Usage(SUB, "none", "e2"),
        Usage(SUB, "calls", "e3", 1.5),  # type: ignore[arg-type]  # that is the mistake
        Usage(SUB, "calls", "e4", 1, NOW + timedelta(days=1)),
        Usage(SUB, "calls", "e0"),
        Usage(SUB, "calls", "e0", 2),
        Usage(None, "calls", "e7"),  # type: ignore[arg-type]
        "e8",
        Usage(SUB, "calls", "e9", 5),
    ]
    report = billing.usage.record_many(rows)
    assert (report.rows, report.recorded, report.known) == (10, 2, 1)
    assert [(each.index, each.field) for each in report.refused] == [
        (1, "subscription"),
        (2, "meter"),
        (3, "quantity"),
        (4, "occurred_at"),
        (6, "event_id"),
        (7, "subscription"),
        (8, "events"),
    ]
    assert all(each.expected for each in report.refused)
    assert [(event.event, event.quantity) for event in recorded(billing)] == [("e0", 1), ("e9", 5)]


def test_rows_of_a_subscription_that_has_ended_are_reported(storage: Storage) -> None:
    billing = open_shop(storage)
    subscribe(storage, contract=Ended(NOW, EndReason.CANCELED))
    (refused,) = billing.usage.record_many([Usage(SUB, "calls", "e1")]).refused
    assert (refused.index, refused.field) == (0, "subscription")


def test_a_failure_that_is_no_mistake_of_a_row_stops_everything(
    billing: Billing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Change:
        raise NotFound("price", "price_gone")  # the books are broken, and nobody may guess

    monkeypatch.setattr(usage, "record", broken)
    with pytest.raises(NotFound):
        billing.usage.record_many([Usage(SUB, "calls", "e1")])
    assert recorded(billing) == []


def test_a_subscription_that_says_no_start_takes_usage_since_it_is_billed(
    storage: Storage,
) -> None:
    billing = open_shop(storage)
    subscribe(storage, start=None)
    billing.usage.record(SUB, "calls", event_id="e1", occurred_at=MIDNIGHT)
    with pytest.raises(ValidationError, match="start"):
        billing.usage.record(
            SUB, "calls", event_id="e2", occurred_at=MIDNIGHT - timedelta(seconds=1)
        )


def test_a_repetition_finds_everything_known(billing: Billing) -> None:
    billing.usage.record_many(calls(1_500))
    before = recorded(billing)
    report = billing.usage.record_many(calls(1_500))
    assert (report.recorded, report.known) == (0, 1_500)
    assert recorded(billing) == before


@pytest.mark.parametrize("events", ["abc", 5, None])
def test_only_an_iterable_is_recorded(billing: Billing, events: Any) -> None:  # noqa: ANN401
    with pytest.raises(ValidationError):
        billing.usage.record_many(events)


def test_in_a_transaction_all_or_nothing_is_recorded(billing: Billing) -> None:
    class Regret(Exception):
        pass

    def regretted() -> None:
        with billing.transaction():
            assert billing.usage.record_many(calls(1_100)).recorded == 1_100
            raise Regret

    with pytest.raises(Regret):
        regretted()
    assert recorded(billing) == []
    with billing.transaction():
        billing.usage.record_many(calls(3))
    assert len(recorded(billing)) == 3


def test_a_crash_between_any_two_steps_and_a_repetition_make_the_same() -> None:
    def stored(storage: MemoryStorage) -> list[tuple[str, int | Decimal]]:
        found = storage.find(Query(USAGE, "default", limit=10_000))
        return sorted((event.event, event.quantity) for event in found)

    def shop() -> tuple[MemoryStorage, Points]:
        storage, points = MemoryStorage(), Points()
        open_shop(storage)
        subscribe(storage)
        return storage, points

    storage, points = shop()
    record_on(storage, points)
    wanted = stored(storage)
    assert len(wanted) == 2_500
    assert points.passed >= 3
    for crash_at in range(points.passed):
        storage, _ = shop()
        with pytest.raises(Crash):
            record_on(storage, Points(crash_at=crash_at))
        report = record_on(storage, Points())
        assert (report.rows, report.refused) == (2_500, ())
        assert stored(storage) == wanted


def record_on(storage: Storage, points: Points) -> usecase.UsageReport:
    billing = Billing(storage=CrashingStorage(storage, points), clock=TestClock(NOW))
    return billing.usage.record_many(calls(2_500))


def test_what_the_stream_raises_comes_out_and_what_came_before_is_stored(
    billing: Billing,
) -> None:
    def broken() -> Iterator[Usage]:
        yield from calls(1_200)
        raise OSError("the log is gone")

    with pytest.raises(OSError, match="the log is gone"):
        billing.usage.record_many(broken())
    assert len(recorded(billing)) == 1_000


@define
class Contended(Counting):
    """A storage on which somebody else is always a little faster."""

    conflicts: int = 0

    def begin(self) -> Any:  # noqa: ANN401
        unit = Contended(self.storage.begin())
        if self.conflicts:
            self.conflicts -= 1
            unit.conflicts = 1
        return unit

    def write(self, changes: Sequence[Change], events: Sequence[Recorded], /) -> None:
        if self.conflicts:
            raise Conflict("usage", "use_1", 0)
        self.storage.write(changes, events)


@pytest.mark.parametrize("conflicts", [2, 3])
def test_who_is_slower_tries_again_but_not_for_ever(conflicts: int) -> None:
    storage = MemoryStorage()
    open_shop(storage)
    subscribe(storage)
    contended = Contended(storage, conflicts=conflicts)
    billing = Billing(storage=contended, clock=TestClock(NOW))
    if conflicts < metering.TRIES:
        assert billing.usage.record_many(calls(3)).recorded == 3
        return
    with pytest.raises(Conflict):
        billing.usage.record_many(calls(3))


def test_an_asynchronous_host_has_the_same() -> None:
    async def host() -> None:
        storage = MemoryStorage()
        open_shop(storage)
        subscribe(storage)
        billing = AsyncBilling(storage=storage, clock=TestClock(NOW))
        await billing.usage.add_meter("mails")
        await billing.usage.record(SUB, "calls", event_id="e1", quantity=4)
        assert (await billing.usage.record_many(calls(3))).recorded == 3
        (summary,) = await billing.usage.summary(SUB)
        assert summary.quantity == 7
        assert len((await billing.usage.meters()).items) == 2
        assert len((await billing.usage.list(subscription=SUB)).items) == 4

    asyncio.run(host())


# ---- folds ------------------------------------------------------------------------------------


def quantities(
    subscription: str, *, column: str = "billed_in"
) -> Fold[UsageEvent, tuple[int, ...]]:
    return Fold(
        USAGE,
        column,
        segment_key(subscription, "calls", MIDNIGHT),
        "occurred_at",
        lambda seen, event: (*seen, int(event.quantity)),
        tuple[int, ...],
    )


def test_a_fold_sees_the_records_of_its_value_in_order(billing: Billing, storage: Storage) -> None:
    subscribe(storage, "sub_2")
    for number, quantity in enumerate([5, 3, 8]):
        at = MIDNIGHT + timedelta(hours=10 - number)
        billing.usage.record(SUB, "calls", event_id=f"e{number}", quantity=quantity, occurred_at=at)
    billing.usage.record("sub_2", "calls", event_id="other", quantity=9)
    batch = Batch(storage, "default")
    folds = [iter(quantities(id)) for id in (SUB, "sub_2", "sub_3")]
    assert run_sync(batch.run(folds)) == [(8, 3, 5), (9,), ()]


def test_the_folds_of_a_whole_batch_are_a_few_questions(storage: Storage) -> None:
    billing = open_shop(storage)
    ids = [f"sub_{number}" for number in range(250)]
    for id in ids:
        subscribe(storage, id)
    billing.usage.record_many(event for id in ids for event in calls(4, subscription=id))
    counting = Counting(storage)
    flows = [iter(quantities(id)) for id in ids]
    results = run_sync(Batch(counting, "default").run(flows))
    assert results == [(0, 1, 2, 0)] * 250
    assert counting.asked == ["find usage"] * 3


def test_a_fold_reads_page_by_page(
    billing: Billing, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    billing.usage.record_many(calls(50))
    counting = Counting(storage)
    monkeypatch.setattr(gather, "PAGE_LIMIT_MAX", 20)
    answer = run_sync(Batch(counting, "default").one(iter(quantities(SUB))))
    assert answer == tuple(number % 3 for number in range(50))
    assert (counting.largest, counting.asked) == (20, ["find usage"] * 3)


def test_two_folds_of_one_value_are_read_once_and_are_two(
    billing: Billing, storage: Storage
) -> None:
    billing.usage.record_many(calls(3))

    def both() -> Flow[tuple[object, object]]:
        fold = quantities(SUB)
        first = yield from fold
        again = yield from fold
        return first, again

    counting = Counting(storage)
    flows: list[Flow[Any]] = [both(), iter(quantities(SUB))]
    assert run_sync(Batch(counting, "default").run(flows)) == [((0, 1, 2),) * 2, (0, 1, 2)]
    assert counting.asked == ["find usage"]


def test_a_fold_that_raises_is_the_failure_of_its_own_flow(
    billing: Billing, storage: Storage
) -> None:
    billing.usage.record_many(calls(3))

    def broken(_: object, __: UsageEvent) -> tuple[int, ...]:
        raise ArithmeticError("too much")

    failing = evolve(quantities(SUB), step=broken)
    flows: list[Flow[Any]] = [iter(failing), iter(quantities(SUB))]
    first, second = run_sync(Batch(storage, "default").run(flows))
    assert isinstance(first, ArithmeticError)
    assert second == (0, 1, 2)


def rename_by_usage(id: str) -> Command[Customer]:
    """Return a command that looks at usage, as billing does, and changes something else."""

    def flow(context: Context) -> Flow[Decision]:
        customer = yield from Get(CUSTOMER, id)
        numbers = yield from quantities(SUB)
        after = evolve(customer, name=f"used {sum(numbers)}", version=customer.version + 1)
        return Decision((Change(CUSTOMER, customer, after),), about=Ref(CUSTOMER, id))

    return Command(CUSTOMER, flow)


def test_a_plan_that_folded_usage_is_stale_once_more_is_used(billing: Billing) -> None:
    ada = billing.customers.create(name="Ada Lovelace")
    billing.usage.record_many(calls(3))
    plan = run_sync(billing.engine.preview(rename_by_usage(ada.id), ""))
    billing.usage.record(SUB, "calls", event_id="more")
    with pytest.raises(StalePlan) as stale:
        billing.commit(plan)
    assert stale.value.kind == "usage"
    plan = run_sync(billing.engine.preview(rename_by_usage(ada.id), ""))
    assert billing.commit(plan).name == "used 4"


def test_a_plan_that_folded_a_record_is_stale_once_that_is_another_version(
    billing: Billing, storage: Storage
) -> None:
    ada = billing.customers.create(name="Ada Lovelace")
    event = billing.usage.record(SUB, "calls", event_id="e1")
    plan = run_sync(billing.engine.preview(rename_by_usage(ada.id), ""))
    with storage.begin() as unit:
        unit.write([Change(USAGE, event, evolve(event, quantity=9, version=2))], [])
    with pytest.raises(StalePlan):
        billing.commit(plan)


def test_a_plan_is_fresh_while_only_others_use_something(
    billing: Billing, storage: Storage
) -> None:
    subscribe(storage, "sub_2")
    ada = billing.customers.create(name="Ada Lovelace")
    plan = run_sync(billing.engine.preview(rename_by_usage(ada.id), ""))
    billing.usage.record("sub_2", "calls", event_id="other")
    assert billing.commit(plan).name == "used 0"


def test_what_folded_usage_is_not_committed_together_with_more_of_it(
    billing: Billing, storage: Storage
) -> None:
    ada = billing.customers.create(name="Ada Lovelace")
    context = billing.engine.context(NOW)
    recording = usecase.recording(Usage(SUB, "calls", "e1"), context)
    elsewhere = usecase.recording(Usage(SUB, "calls", "e2"), context)
    batch = Batch(storage, "default")
    flows = [recording, rename_by_usage(ada.id).flow(context)]
    results = run_sync(batch.run(flows))
    assert together(results, batch.reads) == ([0], [1])
    batch = Batch(storage, "default")
    results = run_sync(batch.run([rename_by_usage(ada.id).flow(context), elsewhere]))
    assert together(results, batch.reads) == ([0, 1], [])
